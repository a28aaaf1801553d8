//! What the tests share.

use cosmwasm_std::Addr;
use cw_multi_test::{AppResponse, ContractWrapper};
use openledger_model_registry::contract;
use openledger_testing::{new_version, parents, ModelRef, Refused, World};
use openledger_types::money::Royalty;
use openledger_types::msg::model_registry::{ExecuteMsg, InstantiateMsg, NewVersion, ParentKind, QueryMsg};

use crate::stand_in::{self, sealed};

/// A world whose registry believes the stand-in datanet contract: datanets 1 and 2 ask nothing for
/// training, 3 and 4 do. Bob has a model without versions.
pub struct Fixture {
    pub world: World,
    pub alice: Addr,
    pub bob: Addr,
    pub model_id: u64,
}

pub fn fixture() -> Fixture {
    let mut world = World::new();
    let (alice, bob) = (world.account("alice"), world.account("bob"));
    world.datanet = world.instantiate("stand-in", stand_in::code(), &cosmwasm_std::Empty {});
    let registry = ContractWrapper::new(contract::execute, contract::instantiate, contract::query);
    let msg = InstantiateMsg {
        owner: world.owner.to_string(),
        datanet: world.datanet.to_string(),
        params: world.profile.model_registry.clone(),
    };
    world.model_registry = world.instantiate("registry", Box::new(registry), &msg);
    for (datanet_id, terms) in
        [(1, (3_000, 50, 0)), (2, (3_500, 80, 0)), (3, (3_000, 50, 1_000)), (4, (3_000, 50, 7))]
    {
        stand_in::lay_version(&mut world, (datanet_id, 1), &sealed(datanet_id, 1, terms));
    }
    let model_id = world.create_model(&bob).unwrap();
    Fixture { world, alice, bob, model_id }
}

impl Fixture {
    /// Sends a message without coins.
    pub fn send(&mut self, sender: &Addr, msg: &ExecuteMsg) -> Result<AppResponse, Refused> {
        let registry = self.world.model_registry.clone();
        self.world.execute(sender, &registry, msg, &[])
    }

    /// Asks the contract.
    pub fn ask<T: serde::de::DeserializeOwned>(&self, msg: &QueryMsg) -> Result<T, Refused> {
        self.world.query(&self.world.model_registry, msg)
    }

    /// Registers a version on datanets 1 and 2, with one thing changed.
    pub fn register(&mut self, change: impl FnOnce(&mut NewVersion)) -> Result<u32, Refused> {
        let mut version = self.version();
        change(&mut version);
        let (bob, model_id) = (self.bob.clone(), self.model_id);
        self.world.register_version(&bob, model_id, version)
    }

    /// A version on datanets 1 and 2 that is fine.
    pub fn version(&self) -> NewVersion {
        new_version("fine", "uopen", &[(1, 1), (2, 1)])
    }

    /// A model of the developer of this name, with one version that rests on `on` and asks
    /// `royalty_bps` for itself.
    pub fn model(&mut self, developer: &str, royalty_bps: u16, on: &[ModelRef]) -> Result<ModelRef, Refused> {
        self.model_with(developer, royalty_bps, on, |_| {})
    }

    /// The same with one thing changed.
    pub fn model_with(
        &mut self,
        developer: &str,
        royalty_bps: u16,
        on: &[ModelRef],
        change: impl FnOnce(&mut NewVersion),
    ) -> Result<ModelRef, Refused> {
        let developer = self.world.account(developer);
        let model_id = self.world.create_model(&developer)?;
        let mut version = new_version("model", "uopen", &[(1, 1)]);
        version.royalty_bps = royalty_bps;
        version.parents = parents(ParentKind::Base, on);
        change(&mut version);
        Ok((model_id, self.world.register_version(&developer, model_id, version)?))
    }

    /// What a version owes.
    pub fn royalties(&self, version: ModelRef) -> Vec<Royalty> {
        self.world.model_version(version).unwrap().royalties
    }

    /// Royalties to the developers of these names, as the contract lists them.
    pub fn owed(&mut self, entries: &[(&str, u16)]) -> Vec<Royalty> {
        let mut owed: Vec<Royalty> = entries
            .iter()
            .map(|(name, bps)| Royalty { recipient: self.world.account(name).into_string(), bps: *bps })
            .collect();
        owed.sort_by(|a, b| a.recipient.cmp(&b.recipient));
        owed
    }
}

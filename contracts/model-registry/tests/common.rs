//! What the tests share.

use cosmwasm_std::{Addr, Uint128};
use cw_multi_test::AppResponse;
use openledger_testing::{datanet_msg, new_version, Document, Refused, World};
use openledger_types::msg::datanet;
use openledger_types::msg::model_registry::{ExecuteMsg, NewVersion, QueryMsg};

/// A world with two sealed datanets of Alice's and a model of Bob's without versions.
pub struct Fixture {
    pub world: World,
    pub alice: Addr,
    pub bob: Addr,
    pub model_id: u64,
}

pub fn fixture() -> Fixture {
    let mut world = World::new();
    let (alice, bob) = (world.account("alice"), world.account("bob"));
    for (number, (bps, floor)) in [(3_000, 50), (3_500, 80)].into_iter().enumerate() {
        let mut msg = datanet_msg("texts");
        if let datanet::ExecuteMsg::CreateDatanet { min_data_bps, floor_per_token, .. } = &mut msg {
            *min_data_bps = bps;
            *floor_per_token = Uint128::new(floor);
        }
        let datanet_id = world.create_datanet_with(&alice, &msg).unwrap();
        world.contribute(&alice, datanet_id, Document::generate(number as u64, 3)).unwrap();
        world.seal(&alice, datanet_id).unwrap();
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

    /// Registers a version on both datanets, with one thing changed.
    pub fn register(&mut self, change: impl FnOnce(&mut NewVersion)) -> Result<u32, Refused> {
        let mut version = self.version();
        change(&mut version);
        let (bob, model_id) = (self.bob.clone(), self.model_id);
        self.world.register_version(&bob, model_id, version)
    }

    /// A version on both datanets that is fine.
    pub fn version(&self) -> NewVersion {
        new_version("fine", "uopen", &[(1, 1), (2, 1)])
    }
}

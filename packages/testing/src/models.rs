//! The model registry in few words.

use cosmwasm_std::{Addr, HexBinary, Uint128};
use cw_multi_test::AppResponse;
use openledger_merkle::{SumNode, Tree};
use openledger_types::formats::{
    manifest_hash, training_leaf, training_root, BlobRef, NumericClass, SumRoot,
};
use openledger_types::money::Split;
use openledger_types::msg::common::OwnershipAction;
use openledger_types::msg::datanet::TrainingItem;
use openledger_types::msg::model_registry::{
    ExecuteMsg, ModelVersionResponse, NewVersion, Parent, ParentKind, QueryMsg, TrainedOn,
    TrainingUsageResponse,
};

use crate::datanets::number;
use crate::world::attribute;
use crate::{Result, World};

/// A version of a model: (model, version).
pub type ModelRef = (u64, u32);

/// A version on these datanet versions; the name makes its manifest. Its training saw one contribution
/// of each once. Tokens cost 50 in and 100 out; of a fee the protocol gets 5 %, the developer 15 %, the
/// node 40 % and the data 40 %.
pub fn new_version(name: &str, denom: &str, datanets: &[(u64, u32)]) -> NewVersion {
    let manifest = format!("{{\"name\":\"{name}\"}}");
    let root = |what: &str| HexBinary::from(&manifest_hash(format!("{name} {what}").as_bytes()));
    let seen_once = TrainingTree::new(&[(1, 1)]).root();
    let datanets: Vec<TrainedOn> = datanets
        .iter()
        .map(|(datanet_id, version)| TrainedOn {
            datanet_id: *datanet_id,
            version: *version,
            training: seen_once.clone(),
        })
        .collect();
    NewVersion {
        manifest_hash: HexBinary::from(&manifest_hash(manifest.as_bytes())),
        manifest: BlobRef::of(manifest.as_bytes()),
        weights_root: root("weights"),
        training_root: training_root_of(&datanets),
        numeric_class: NumericClass::TolerantF32,
        datanets,
        parents: vec![],
        royalty_bps: 0,
        denom: denom.into(),
        price_in: Uint128::new(50),
        price_out: Uint128::new(100),
        split: Split { protocol: 500, developer: 1_500, node: 4_000, data: 4_000 },
    }
}

/// The training root that follows from these training receipts.
pub fn training_root_of(datanets: &[TrainedOn]) -> HexBinary {
    let trees: Vec<_> = datanets.iter().map(|d| (d.datanet_id, d.training.clone())).collect();
    HexBinary::from(&training_root(&trees))
}

/// Parents of one kind, as a version names them.
pub fn parents(kind: ParentKind, versions: &[ModelRef]) -> Vec<Parent> {
    versions
        .iter()
        .map(|(model_id, version)| Parent { model_id: *model_id, version: *version, kind })
        .collect()
}

/// The training receipt of one datanet: (contribution, times seen), sorted by contribution.
pub struct TrainingTree {
    leaves: Vec<(u64, u64)>,
    tree: Tree<SumNode>,
}

impl TrainingTree {
    /// The receipt of these counts; panics when they are above 2^128 together.
    pub fn new(leaves: &[(u64, u64)]) -> Self {
        let nodes = leaves.iter().map(|(contribution_id, times)| training_leaf(*contribution_id, *times));
        let tree = Tree::new(nodes.collect()).expect("the counts fit");
        TrainingTree { leaves: leaves.to_vec(), tree }
    }

    /// What a version commits.
    pub fn root(&self) -> SumRoot {
        SumRoot::new(self.tree.root(), self.tree.len())
    }

    /// The leaf at a position with its path; panics where there is none.
    pub fn item(&self, index: usize) -> TrainingItem {
        let (contribution_id, times_seen) = self.leaves[index];
        let index = index as u64;
        let path = self.tree.prove(index).expect("the leaf is there");
        TrainingItem { contribution_id, times_seen, index, path: path.into() }
    }

    /// All leaves with their paths.
    pub fn items(&self) -> Vec<TrainingItem> {
        (0..self.leaves.len()).map(|index| self.item(index)).collect()
    }
}

impl World {
    /// Makes a model of the developer of this name with one version on these datanet versions.
    pub fn register_model(&mut self, developer: &str, datanets: &[(u64, u32)]) -> Result<ModelRef> {
        let developer = self.account(developer);
        let model_id = self.create_model(&developer)?;
        let version = new_version("model", &self.denom, datanets);
        let version = self.register_version(&developer, model_id, version)?;
        Ok((model_id, version))
    }

    /// Makes a model without versions.
    pub fn create_model(&mut self, developer: &Addr) -> Result<u64> {
        let msg = ExecuteMsg::RegisterModel { name: "model".into(), description: "For tests".into() };
        let done = self.tell_models(developer, &msg)?;
        number(attribute(&done, "model_registered", "model_id"))
    }

    /// Adds a version to a model.
    pub fn register_version(&mut self, developer: &Addr, model_id: u64, version: NewVersion) -> Result<u32> {
        let done = self.tell_models(developer, &ExecuteMsg::RegisterVersion { model_id, version })?;
        Ok(number(attribute(&done, "model_version_registered", "version"))? as u32)
    }

    /// Announces prices of a prompt token and of an answer token; returns the height from which
    /// sessions pin them.
    pub fn set_price(
        &mut self,
        developer: &Addr,
        (model_id, version): ModelRef,
        (price_in, price_out): (u128, u128),
    ) -> Result<u64> {
        let (price_in, price_out) = (Uint128::new(price_in), Uint128::new(price_out));
        let msg = ExecuteMsg::SetPrice { model_id, version, price_in, price_out };
        let done = self.tell_models(developer, &msg)?;
        number(attribute(&done, "model_price_announced", "from"))
    }

    /// Gives a model to another developer, in its two steps.
    pub fn hand_over(&mut self, from: &Addr, to: &Addr, model_id: u64) -> Result<AppResponse> {
        let action = OwnershipAction::Propose { new_owner: to.to_string() };
        self.tell_models(from, &ExecuteMsg::UpdateDeveloper { model_id, action })?;
        let action = OwnershipAction::Accept {};
        self.tell_models(to, &ExecuteMsg::UpdateDeveloper { model_id, action })
    }

    /// Counts training uses.
    pub fn prove_training(
        &mut self,
        sender: &Addr,
        (model_id, version): ModelRef,
        datanet_id: u64,
        items: Vec<TrainingItem>,
    ) -> Result<AppResponse> {
        self.tell_models(sender, &ExecuteMsg::ProveTraining { model_id, version, datanet_id, items })
    }

    /// A version of a model.
    pub fn model_version(&self, (model_id, version): ModelRef) -> Result<ModelVersionResponse> {
        self.query(&self.model_registry, &QueryMsg::Version { model_id, version })
    }

    /// Training uses of a contribution that were proved, by its first ten versions.
    pub fn training_usage(&self, contribution_id: u64) -> Result<TrainingUsageResponse> {
        let msg = QueryMsg::Usage { contribution_id, start_after: None, limit: None };
        self.query(&self.model_registry, &msg)
    }

    fn tell_models(&mut self, sender: &Addr, msg: &ExecuteMsg) -> Result<AppResponse> {
        let registry = self.model_registry.clone();
        self.execute(sender, &registry, msg, &[])
    }
}

//! The model registry in few words.

use cosmwasm_std::{Addr, HexBinary, Uint128};
use openledger_types::formats::{
    manifest_hash, training_leaf, training_root, BlobRef, NumericClass, SumRoot,
};
use openledger_types::money::Split;
use openledger_types::msg::model_registry::{
    ExecuteMsg, ModelVersionResponse, NewVersion, QueryMsg, TrainedOn,
};

use crate::datanets::number;
use crate::world::attribute;
use crate::{Result, World};

/// A version of a model: (model, version).
pub type ModelRef = (u64, u32);

/// A version on these datanet versions; the name makes its manifest. Tokens cost 50 in and 100 out;
/// of a fee the protocol gets 5 %, the developer 15 %, the node 40 % and the data 40 %.
pub fn new_version(name: &str, denom: &str, datanets: &[(u64, u32)]) -> NewVersion {
    let manifest = format!("{{\"name\":\"{name}\"}}");
    let root = |what: &str| HexBinary::from(&manifest_hash(format!("{name} {what}").as_bytes()));
    let trained: Vec<TrainedOn> = datanets
        .iter()
        .map(|(datanet_id, version)| TrainedOn {
            datanet_id: *datanet_id,
            version: *version,
            training: SumRoot::new(training_leaf(1, 1), 1),
        })
        .collect();
    let trees: Vec<_> = trained.iter().map(|d| (d.datanet_id, d.training.clone())).collect();
    NewVersion {
        manifest_hash: HexBinary::from(&manifest_hash(manifest.as_bytes())),
        manifest: BlobRef::of(manifest.as_bytes()),
        weights_root: root("weights"),
        training_root: HexBinary::from(&training_root(&trees)),
        numeric_class: NumericClass::TolerantF32,
        datanets: trained,
        parents: vec![],
        royalty_bps: 0,
        denom: denom.into(),
        price_in: Uint128::new(50),
        price_out: Uint128::new(100),
        split: Split { protocol: 500, developer: 1_500, node: 4_000, data: 4_000 },
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
        let registry = self.model_registry.clone();
        let msg = ExecuteMsg::RegisterModel { name: "model".into(), description: "For tests".into() };
        let done = self.execute(developer, &registry, &msg, &[])?;
        number(attribute(&done, "model_registered", "model_id"))
    }

    /// Adds a version to a model.
    pub fn register_version(&mut self, developer: &Addr, model_id: u64, version: NewVersion) -> Result<u32> {
        let registry = self.model_registry.clone();
        let msg = ExecuteMsg::RegisterVersion { model_id, version };
        let done = self.execute(developer, &registry, &msg, &[])?;
        Ok(number(attribute(&done, "model_version_registered", "version"))? as u32)
    }

    /// A version of a model.
    pub fn model_version(&self, (model_id, version): ModelRef) -> Result<ModelVersionResponse> {
        self.query(&self.model_registry, &QueryMsg::Version { model_id, version })
    }
}

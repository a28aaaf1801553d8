//! The node registry in few words.

use cosmwasm_std::Addr;
use openledger_types::formats::node_key_digest;
use openledger_types::msg::node_registry::{ExecuteMsg, NodeResponse, QueryMsg, Role};

use crate::datanets::number;
use crate::world::attribute;
use crate::{age_recipient, Key, Result, World};

/// The registration of an inference node with this name and key.
pub fn register_msg(world: &World, operator: &Addr, name: &str, key: &Key) -> ExecuteMsg {
    let proof =
        node_key_digest(&world.chain_id(), world.node_registry.as_str(), operator.as_str(), &key.public());
    ExecuteMsg::Register {
        moniker: name.into(),
        endpoint: "http://127.0.0.1:8080".into(),
        node_key: key.public(),
        key_proof: key.sign(&proof),
        hot_addr: None,
        age_recipient: age_recipient(name),
        roles: vec![Role::Inference],
    }
}

impl World {
    /// Registers a node with the least bond.
    pub fn register_node(&mut self, operator: &Addr, name: &str, key: &Key) -> Result<u64> {
        let bond = self.profile.node_registry.min_bond.u128();
        let (registry, funds) = (self.node_registry.clone(), self.coins(bond));
        let msg = register_msg(self, operator, name, key);
        let done = self.execute(operator, &registry, &msg, &funds)?;
        number(attribute(&done, "node_registered", "node_id"))
    }

    /// A node.
    pub fn node(&self, node_id: u64) -> Result<NodeResponse> {
        self.query(&self.node_registry, &QueryMsg::Node { node_id })
    }
}

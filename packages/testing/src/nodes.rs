//! The node registry in few words.

use cosmwasm_std::{coin, Addr, HexBinary};
use openledger_types::formats::node_key_digest;
use openledger_types::msg::node_registry::{ExecuteMsg, NodeResponse, QueryMsg, Role};

use crate::datanets::number;
use crate::world::attribute;
use crate::{age_recipient, Key, Result, World};

/// The signature by which a key shows that it belongs to a node of this operator.
pub fn key_proof(world: &World, operator: &Addr, key: &Key) -> HexBinary {
    let registry = world.node_registry.as_str();
    key.sign(&node_key_digest(&world.chain_id(), registry, operator.as_str(), &key.public()))
}

/// The registration of an inference node with this name and key.
pub fn register_msg(world: &World, operator: &Addr, name: &str, key: &Key) -> ExecuteMsg {
    register_as(world, operator, name, key, vec![Role::Inference])
}

/// The registration of a node with these roles.
pub fn register_as(world: &World, operator: &Addr, name: &str, key: &Key, roles: Vec<Role>) -> ExecuteMsg {
    ExecuteMsg::Register {
        moniker: name.into(),
        endpoint: "http://127.0.0.1:8080".into(),
        node_key: key.public(),
        key_proof: key_proof(world, operator, key),
        hot_addr: None,
        age_recipient: age_recipient(name),
        roles,
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

    /// Makes a validator of this name and a node of its operator that audits with this bond, which is
    /// its weight as long as it is below the validator's self-delegation: (node, operator). The key is
    /// that of the name.
    pub fn register_auditor(&mut self, name: &str, bond: u128) -> Result<(u64, Addr)> {
        let operator = self.add_validator(name);
        let (registry, funds) = (self.node_registry.clone(), self.coins(bond));
        self.mint(&operator, coin(bond, self.denom.clone()));
        let msg = register_as(self, &operator, name, &Key::named(name), vec![Role::Audit]);
        let done = self.execute(&operator, &registry, &msg, &funds)?;
        Ok((number(attribute(&done, "node_registered", "node_id"))?, operator))
    }

    /// A node.
    pub fn node(&self, node_id: u64) -> Result<NodeResponse> {
        self.query(&self.node_registry, &QueryMsg::Node { node_id })
    }
}

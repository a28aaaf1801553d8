//! What the tests share.

use cosmwasm_std::{Addr, HexBinary};
use cw_multi_test::AppResponse;
use openledger_testing::{Key, Refused, World};
use openledger_types::msg::node_registry::{ExecuteMsg, NodeKeyResponse, QueryMsg};

/// Least bond of a node.
pub const BOND: u128 = 100_000_000;

/// A world with a node of Alice's.
pub struct Fixture {
    pub world: World,
    pub alice: Addr,
    pub bob: Addr,
    pub node_id: u64,
}

pub fn fixture() -> Fixture {
    let mut world = World::new();
    let (alice, bob) = (world.account("alice"), world.account("bob"));
    let node_id = world.register_node(&alice, "first", &Key::named("first")).unwrap();
    Fixture { world, alice, bob, node_id }
}

impl Fixture {
    /// Sends a message with coins of the bond's denom.
    pub fn pay(&mut self, sender: &Addr, msg: &ExecuteMsg, amount: u128) -> Result<AppResponse, Refused> {
        let (registry, funds) = (self.world.node_registry.clone(), self.world.coins(amount));
        self.world.execute(sender, &registry, msg, &funds)
    }

    /// Sends a message without coins.
    pub fn send(&mut self, sender: &Addr, msg: &ExecuteMsg) -> Result<AppResponse, Refused> {
        let registry = self.world.node_registry.clone();
        self.world.execute(sender, &registry, msg, &[])
    }

    /// Asks the contract.
    pub fn ask<T: serde::de::DeserializeOwned>(&self, msg: &QueryMsg) -> Result<T, Refused> {
        self.world.query(&self.world.node_registry, msg)
    }

    /// The node's key at a height.
    pub fn key_at(&self, height: u64) -> Option<HexBinary> {
        let msg = QueryMsg::NodeKey { node_id: self.node_id, height };
        self.ask::<NodeKeyResponse>(&msg).unwrap().node_key
    }

    /// The counter of all bonds.
    pub fn bonds(&self) -> u128 {
        let answer: openledger_types::msg::common::InvariantsResponse =
            self.ask(&QueryMsg::Invariants {}).unwrap();
        cosmwasm_std::Uint128::try_from(answer.denoms[0].terms[0].amount).unwrap().u128()
    }
}

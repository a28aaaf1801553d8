//! What the tests share.

use cosmwasm_std::{Addr, HexBinary, Uint128};
use cw_multi_test::AppResponse;
use openledger_testing::{key_proof, Key, Refused, World};
use openledger_types::msg::common::InvariantsResponse;
use openledger_types::msg::node_registry::{
    ExecuteMsg, NodeKeyResponse, NodeResponse, Params, QueryMsg, RewardsResponse,
};

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

    /// Sends a message in the referee's name.
    pub fn referee(&mut self, msg: &ExecuteMsg) -> Result<AppResponse, Refused> {
        self.send(&self.world.referee.clone(), msg)
    }

    /// Asks the contract.
    pub fn ask<T: serde::de::DeserializeOwned>(&self, msg: &QueryMsg) -> Result<T, Refused> {
        self.world.query(&self.world.node_registry, msg)
    }

    /// Alice's node.
    pub fn node(&self) -> NodeResponse {
        self.world.node(self.node_id).unwrap()
    }

    /// The node's key at a height.
    pub fn key_at(&self, height: u64) -> Option<HexBinary> {
        let msg = QueryMsg::NodeKey { node_id: self.node_id, height };
        self.ask::<NodeKeyResponse>(&msg).unwrap().node_key
    }

    /// A term of the conservation equation.
    pub fn term(&self, name: &str) -> u128 {
        let answer: InvariantsResponse = self.ask(&QueryMsg::Invariants {}).unwrap();
        let term = answer.denoms[0].terms.iter().find(|term| term.name == name).unwrap();
        Uint128::try_from(term.amount).unwrap().u128()
    }

    /// The counter of all bonds.
    pub fn bonds(&self) -> u128 {
        self.term("bonds")
    }

    /// Finder's parts of an address.
    pub fn rewards(&self, address: &Addr) -> u128 {
        let msg = QueryMsg::Rewards { address: address.to_string() };
        self.ask::<RewardsResponse>(&msg).unwrap().withdrawable.u128()
    }

    /// Coins of the bonds' denom that exist.
    pub fn supply(&self) -> u128 {
        let supply = self.world.app.wrap().query_supply(&self.world.denom).unwrap();
        Uint128::try_from(supply.amount).unwrap().u128()
    }

    /// The parameters in force.
    pub fn params(&self) -> Params {
        self.world.profile.node_registry.clone()
    }

    /// A rotation to the key of this name by this operator.
    pub fn rotate(&self, operator: &Addr, name: &str) -> ExecuteMsg {
        let key = Key::named(name);
        let key_proof = key_proof(&self.world, operator, &key);
        ExecuteMsg::RotateKey { node_id: self.node_id, node_key: key.public(), key_proof }
    }
}

/// A slash of this part of a bond.
pub fn slash(node_id: u64, bps: u16, finder: Option<&Addr>) -> ExecuteMsg {
    ExecuteMsg::Slash { node_id, bps, finder: finder.map(Addr::to_string), reason: "false span".into() }
}

/// A plan to cut this part of a bond.
pub fn plan(node_id: u64, bps: u16, finder: Option<&Addr>) -> ExecuteMsg {
    ExecuteMsg::PlanCut { node_id, bps, finder: finder.map(Addr::to_string), reason: "false output".into() }
}

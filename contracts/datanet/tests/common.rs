//! What the tests share.

use cosmwasm_std::Addr;
use cw_multi_test::AppResponse;
use openledger_testing::{Document, Refused, World};
use openledger_types::msg::datanet::{BondsResponse, ExecuteMsg, LeavesResponse, QueryMsg};

/// Bond of a leaf.
pub const BOND: u128 = 10_000;

/// Blocks within which a reveal keeps its priority.
pub const REVEAL: u64 = 20;

/// Blocks after a reveal during which a contribution can be challenged.
pub const WINDOW: u64 = 10;

/// A world with a datanet of Alice's.
pub struct Fixture {
    pub world: World,
    pub alice: Addr,
    pub bob: Addr,
    pub datanet_id: u64,
}

pub fn fixture() -> Fixture {
    let mut world = World::builder()
        .profile(|profile| {
            profile.datanet.reveal_blocks = REVEAL;
            profile.datanet.acceptance_blocks = WINDOW;
        })
        .build();
    let (alice, bob) = (world.account("alice"), world.account("bob"));
    let datanet_id = world.create_datanet(&alice).unwrap();
    Fixture { world, alice, bob, datanet_id }
}

impl Fixture {
    /// Sends a message without coins.
    pub fn send(&mut self, sender: &Addr, msg: &ExecuteMsg) -> Result<AppResponse, Refused> {
        let datanet = self.world.datanet.clone();
        self.world.execute(sender, &datanet, msg, &[])
    }

    /// Seals with these bounds.
    pub fn seal(&mut self, up_to: Option<u64>, limit: Option<u32>) -> Result<AppResponse, Refused> {
        let (alice, datanet_id) = (self.alice.clone(), self.datanet_id);
        self.send(&alice, &ExecuteMsg::Seal { datanet_id, up_to, limit })
    }

    /// Lets acceptance windows pass, then seals with these bounds.
    pub fn seal_later(&mut self, up_to: Option<u64>, limit: Option<u32>) -> Result<AppResponse, Refused> {
        self.world.advance(WINDOW);
        self.seal(up_to, limit)
    }

    /// Sends a message with coins of the bonds' denom.
    pub fn pay(&mut self, sender: &Addr, msg: &ExecuteMsg, amount: u128) -> Result<AppResponse, Refused> {
        let (datanet, funds) = (self.world.datanet.clone(), self.world.coins(amount));
        self.world.execute(sender, &datanet, msg, &funds)
    }

    /// Opens or closes a challenge as the referee.
    pub fn hold(&mut self, contribution_id: u64, open: bool) -> Result<AppResponse, Refused> {
        let referee = self.world.referee.clone();
        self.send(&referee, &ExecuteMsg::HoldContribution { contribution_id, open })
    }

    /// Carries out a verdict as the referee, found by Carol.
    pub fn convict(&mut self, contribution_id: u64, copied_of: Option<u64>) -> Result<AppResponse, Refused> {
        let (referee, finder) = (self.world.referee.clone(), self.world.account("carol").to_string());
        let reason = "copied".to_string();
        self.send(&referee, &ExecuteMsg::ConvictContribution { contribution_id, copied_of, reason, finder })
    }

    /// What an address can withdraw.
    pub fn withdrawable(&self, address: &Addr) -> u128 {
        let msg = QueryMsg::Bonds { address: address.to_string() };
        self.ask::<BondsResponse>(&msg).unwrap().withdrawable.u128()
    }

    /// Numbers of the leaves of the version tree.
    pub fn leaves(&self, datanet_id: u64) -> Vec<u64> {
        let msg = QueryMsg::Leaves { datanet_id, start: 0, limit: Some(100) };
        let leaves = self.ask::<LeavesResponse>(&msg).unwrap().leaves;
        leaves.iter().map(|facts| facts.contribution_id).collect()
    }

    /// Asks the contract.
    pub fn ask<T: serde::de::DeserializeOwned>(&self, msg: &QueryMsg) -> Result<T, Refused> {
        self.world.query(&self.world.datanet, msg)
    }

    /// The counter of this name.
    pub fn term(&self, name: &str) -> u128 {
        let answer: openledger_types::msg::common::InvariantsResponse =
            self.ask(&QueryMsg::Invariants {}).unwrap();
        let term = answer.denoms[0].terms.iter().find(|term| term.name == name).unwrap();
        cosmwasm_std::Uint128::try_from(term.amount).unwrap().u128()
    }
}

/// One document with this text.
pub fn text(text: &str) -> Vec<Document> {
    vec![Document::new("title", text)]
}

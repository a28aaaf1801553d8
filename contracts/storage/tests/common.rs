//! What the tests share: a datanet with a pack, nodes that keep its fragments, and what they answer.

use cosmwasm_std::{Addr, Binary};
use cw_multi_test::AppResponse;
use openledger_merkle::{write_nodes, Hash};
use openledger_store::{fragment_leaf, fragment_root, fragments};
use openledger_testing::{Document, Result, World};
use openledger_types::formats::Coding;
use openledger_types::msg::storage::{Answer, ExecuteMsg, Params};

/// Coins in the datanet's deposit.
pub const DEPOSIT: u128 = 1_000_000_000;

/// KiB that each node offers.
pub const CAPACITY: u64 = 10_000;

/// A world with a datanet of Alice's and nodes of different operators.
pub struct Suite {
    /// The chain.
    pub world: World,
    /// Owner of the datanet and of its contributions.
    pub alice: Addr,
    /// A stranger.
    pub bob: Addr,
    /// The datanet.
    pub datanet_id: u64,
    /// Its contributions.
    pub ids: Vec<u64>,
    /// Their blobs, one after the other.
    pub pack: Vec<u8>,
    /// The different fragments.
    pub fragments: Vec<Vec<u8>>,
    /// (node, operator).
    pub storers: Vec<(u64, Addr)>,
}

impl Suite {
    /// So many operators with a node each, and a pack of 30 documents.
    pub fn new(operators: usize) -> Self {
        Self::with(operators, |_| {})
    }

    /// The same with other parameters.
    pub fn with(operators: usize, change: impl FnOnce(&mut Params)) -> Self {
        let mut world = World::builder().profile(|profile| change(&mut profile.storage)).build();
        let (alice, bob) = (world.account("alice"), world.account("bob"));
        let datanet_id = world.create_datanet(&alice).unwrap();
        let documents = Document::generate(7, 30);
        // The kit's stand-in for a ciphertext.
        let pack = documents.iter().flat_map(|d| d.text.bytes().map(|byte| byte ^ 0xa5)).collect::<Vec<_>>();
        let ids = world.contribute(&alice, datanet_id, documents).unwrap();
        let storers = (0..operators)
            .map(|n| world.register_storer(&format!("keeper {n}"), CAPACITY).unwrap())
            .collect();
        world.fund_storage(&alice, datanet_id, DEPOSIT).unwrap();
        let fragments = match Coding::for_operators(operators as u64) {
            Some(coding) => fragments(&pack, coding).unwrap(),
            None => vec![],
        };
        Suite { world, alice, bob, datanet_id, ids, pack, fragments, storers }
    }

    /// Parameters of the contract.
    pub fn params(&self) -> Params {
        self.world.profile.storage.clone()
    }

    /// Sends a message without coins.
    pub fn tell(&mut self, sender: &Addr, msg: ExecuteMsg) -> Result<AppResponse> {
        self.world.tell_storage(sender, &msg)
    }

    /// Roots of the fragments.
    pub fn roots(&self) -> Vec<Hash> {
        self.fragments.iter().map(|fragment| fragment_root(fragment)).collect()
    }

    /// Places the pack.
    pub fn place(&mut self) -> Result<u64> {
        let (alice, datanet_id, ids, roots) =
            (self.alice.clone(), self.datanet_id, self.ids.clone(), self.roots());
        self.world.place(&alice, datanet_id, ids, &roots)
    }

    /// Places the pack and lets the best nodes accept it.
    pub fn kept(&mut self) -> u64 {
        let object_id = self.place().unwrap();
        self.fill(object_id);
        object_id
    }

    /// Nominates the best nodes for vacant slots and lets them accept.
    pub fn fill(&mut self, object_id: u64) {
        let bob = self.bob.clone();
        self.world.nominate(&bob, object_id).unwrap();
        self.world.advance(self.params().assign_blocks + 1);
        let slots = self.world.object(object_id).unwrap().slots;
        for (slot, place) in (0u8..).zip(&slots) {
            if let Some(node_id) = place.nominee {
                self.accept(node_id, object_id, slot).unwrap();
            }
        }
    }

    /// Accepts a fragment.
    pub fn accept(&mut self, node_id: u64, object_id: u64, slot: u8) -> Result<AppResponse> {
        let operator = self.operator(node_id);
        self.tell(&operator, ExecuteMsg::Accept { node_id, slots: vec![(object_id, slot)] })
    }

    /// A node's operator.
    pub fn operator(&self, node_id: u64) -> Addr {
        self.storers.iter().find(|(id, _)| *id == node_id).unwrap().1.clone()
    }

    /// Nodes that hold a fragment of the object, by slot.
    pub fn holders(&self, object_id: u64) -> Vec<u64> {
        self.world.object(object_id).unwrap().slots.iter().filter_map(|slot| slot.holder).collect()
    }

    /// Bytes of a slot.
    pub fn fragment(&self, slot: u8) -> &[u8] {
        self.fragments.get(usize::from(slot)).or(self.fragments.first()).unwrap()
    }

    /// Waits for the next draw and makes it.
    pub fn draw(&mut self) {
        let bob = self.bob.clone();
        self.world.advance(self.params().epoch_blocks);
        self.tell(&bob, ExecuteMsg::Draw {}).unwrap();
    }

    /// Honest answers to what is due.
    pub fn answers(&self, node_id: u64) -> Vec<Answer> {
        let due = self.world.challenge(node_id).unwrap();
        due.samples
            .iter()
            .map(|sample| {
                if !sample.live {
                    return Answer { chunk: Binary::default(), path: Binary::default() };
                }
                let (chunk, path) = fragment_leaf(self.fragment(sample.slot), sample.leaf).unwrap();
                Answer { chunk: chunk.into(), path: write_nodes(&path).into() }
            })
            .collect()
    }

    /// Answers the newest draw honestly.
    pub fn prove(&mut self, node_id: u64) -> Result<AppResponse> {
        let (operator, answers) = (self.operator(node_id), self.answers(node_id));
        self.tell(&operator, ExecuteMsg::Prove { node_id, answers })
    }

    /// Lets the time for answers pass and reports a node.
    pub fn miss(&mut self, node_id: u64) -> Result<AppResponse> {
        let bob = self.bob.clone();
        self.world.advance(self.params().answer_blocks + 1);
        self.tell(&bob, ExecuteMsg::ReportMiss { node_id })
    }

    /// Positions of a node.
    pub fn positions(&self, node_id: u64) -> Vec<u64> {
        self.world.holdings(node_id).unwrap().iter().map(|holding| holding.position).collect()
    }

    /// Claims everything; returns what the operator received.
    pub fn claim(&mut self, node_id: u64) -> Result<u128> {
        let (operator, positions) = (self.operator(node_id), self.positions(node_id));
        let before = self.world.balance(&operator);
        self.tell(&operator, ExecuteMsg::Claim { node_id, positions })?;
        Ok(self.world.balance(&operator) - before)
    }
}

//! What a client keeps of a session, so that a kill at any moment loses neither a promise nor a receipt.

use std::fs::File;
use std::path::PathBuf;

use cosmwasm_std::{HexBinary, Uint128};
use openledger_client::contracts::Reader;
use openledger_client::{keyfile, Key};
use openledger_merkle::{Frontier, SumNode};
use openledger_types::api::PaymentSignature;
use openledger_types::formats::{sum_path, SignedVoucher, SumRoot, SumStep, Voucher};
use serde::{Deserialize, Serialize};

use crate::context::{read_json, write_json, Context};
use crate::error::{Class, CliError, Result};

/// A request that was sent and whose receipt is not part of the log yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outstanding {
    /// The voucher and nonce.
    pub payment: PaymentSignature,
    /// Path of the endpoint.
    pub endpoint: String,
    /// The body as sent.
    pub body: cosmwasm_std::Binary,
    /// Most that it can cost, in base units.
    pub max_fee: Uint128,
    /// Leaf of its receipt, once received and checked; it waits for those of earlier requests.
    pub received: Option<SumStep>,
    /// What had come when the connection was lost and another node went on.
    pub left: Option<Left>,
}

impl Outstanding {
    /// Its sequence.
    pub fn sequence(&self) -> u64 {
        self.payment.voucher.voucher.sequence
    }

    /// Most that it adds to what is owed.
    fn exposure(&self) -> u128 {
        self.received.as_ref().map_or(self.max_fee.u128(), |leaf| leaf.sum.u128())
    }
}

/// The part of an answer that came before its connection was lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Text.
    pub text: String,
    /// Tokens.
    pub tokens: u32,
}

/// What the client knows of its session with one node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lane {
    /// Node.
    pub node_id: u64,
    /// Its base URL.
    pub node_url: String,
    /// Most that the node may be paid.
    pub cap: Uint128,
    /// Highest cumulative maximum that was signed; it never falls (S1).
    pub promised: Uint128,
    /// Receipts received and checked, without a gap.
    pub count: u64,
    /// Peaks of their log.
    pub peaks: Vec<SumStep>,
    /// Requests after them, in order of sequence.
    pub outstanding: Vec<Outstanding>,
    /// Whether the node signed for something else than it said: it is asked nothing more. Older releases did not write it.
    #[serde(default)]
    pub cheated: bool,
}

impl Lane {
    /// The lane of a node that was not asked yet.
    pub fn new(node_id: u64, endpoint: &str, cap: Uint128) -> Self {
        Lane {
            node_id,
            node_url: endpoint.trim_end_matches('/').to_string(),
            cap,
            promised: Uint128::zero(),
            count: 0,
            peaks: Vec::new(),
            outstanding: Vec::new(),
            cheated: false,
        }
    }

    /// Whether the node can be asked: it did not cheat, and nothing that it was asked was left behind.
    pub fn is_usable(&self) -> bool {
        !self.cheated && self.outstanding.iter().all(|o| o.left.is_none())
    }

    /// The log of received receipts.
    ///
    /// # Errors
    /// When the file was changed.
    pub fn log(&self) -> Result<Frontier<SumNode>> {
        let peaks = sum_path(&self.peaks).map_err(|e| CliError::usage(e.to_string()))?;
        Frontier::from_parts(self.count, peaks).ok_or_else(|| damaged(self.node_id))
    }

    /// Root, sum and number of received receipts.
    ///
    /// # Errors
    /// When the file was changed.
    pub fn acknowledged(&self) -> Result<SumRoot> {
        let root = self.log()?.root().ok_or_else(|| damaged(self.node_id))?;
        Ok(SumRoot::new(root, self.count))
    }

    /// Most that the node could be paid by what was signed so far, in base units.
    ///
    /// # Errors
    /// When the file was changed.
    pub fn exposure(&self) -> Result<u128> {
        let sum = self.acknowledged()?.sum.u128();
        let open = self.outstanding.iter().try_fold(sum, |sum, o| sum.checked_add(o.exposure()));
        Ok(open.ok_or_else(|| damaged(self.node_id))?.max(self.promised.u128()))
    }

    /// Fees of the receipts received so far, in base units.
    ///
    /// # Errors
    /// When the file was changed.
    pub fn spent(&self) -> Result<u128> {
        let sum = self.acknowledged()?.sum.u128();
        let mut waiting = self.outstanding.iter().filter_map(|o| o.received.as_ref());
        waiting
            .try_fold(sum, |sum, leaf| sum.checked_add(leaf.sum.u128()))
            .ok_or_else(|| damaged(self.node_id))
    }

    /// What its exposure becomes with one more request of at most `max_fee`.
    ///
    /// # Errors
    /// When the file was changed or the sum overflows.
    pub fn exposure_with(&self, max_fee: u128) -> Result<u128> {
        let sum = self.acknowledged()?.sum.u128();
        let open = self.outstanding.iter().try_fold(sum, |sum, o| sum.checked_add(o.exposure()));
        let needed = open.and_then(|sum| sum.checked_add(max_fee)).ok_or_else(|| damaged(self.node_id))?;
        Ok(needed.max(self.promised.u128()))
    }

    /// Notes the checked receipt of a request and moves the log over every receipt that is now in order.
    ///
    /// # Errors
    /// When sums overflow.
    pub fn receive(&mut self, sequence: u64, leaf: SumNode) -> Result<()> {
        if let Some(entry) = self.outstanding.iter_mut().find(|o| o.sequence() == sequence) {
            entry.received = Some(SumStep::from(leaf));
            entry.left = None;
        }
        let mut log = self.log()?;
        while let Some(leaf) = self.outstanding.first().and_then(|o| o.received.clone()) {
            let leaf = leaf.node().map_err(|_| damaged(self.node_id))?;
            log.push(leaf).ok_or_else(|| damaged(self.node_id))?;
            self.outstanding.remove(0);
        }
        self.count = log.size();
        self.peaks = log.peaks().iter().map(|peak| SumStep::from(*peak)).collect();
        Ok(())
    }

    /// Forgets a request that the node has not taken, with all after it.
    pub fn forget(&mut self, sequence: u64) {
        self.outstanding.retain(|o| o.sequence() < sequence);
    }
}

/// What the client knows of a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    /// Chain id.
    pub chain_id: String,
    /// Escrow.
    pub contract: String,
    /// Session.
    pub session_id: u64,
    /// Denom.
    pub denom: String,
    /// Its nodes, in the order of the session.
    pub nodes: Vec<Lane>,
}

impl State {
    /// That of a session in which nothing was asked yet.
    pub fn new(reader: &Reader, session_id: u64, denom: String, nodes: Vec<Lane>) -> Self {
        let contract = reader.contracts().payable_escrow.clone();
        State { chain_id: reader.chain().config().chain_id.clone(), contract, session_id, denom, nodes }
    }

    /// The state file of a session.
    pub fn path(ctx: &Context, session_id: u64) -> PathBuf {
        ctx.home.join("sessions").join(format!("{session_id}.json"))
    }

    /// Reads the state of a session.
    ///
    /// # Errors
    /// When this home folder did not open it.
    pub fn load(ctx: &Context, session_id: u64) -> Result<Self> {
        read_json(&State::path(ctx, session_id)).map_err(|e| CliError {
            advice: "use the home folder that opened the session, or open one: openledger session open"
                .into(),
            ..e
        })
    }

    /// Keeps other processes from using the session until the file is dropped.
    ///
    /// # Errors
    /// `E-CLI-075` when another process uses it.
    pub fn lock(ctx: &Context, session_id: u64) -> Result<File> {
        let path = ctx.home.join("sessions").join(format!("{session_id}.lock"));
        let file = File::create(&path).map_err(|e| CliError::file(&path, e))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => Err(CliError::new(
                Class::Refused,
                "E-CLI-075",
                format!("session {session_id} is in use by another process"),
                "wait until it has ended, or stop it: a gateway uses its session as long as it runs",
            )
            .retry()),
            Err(std::fs::TryLockError::Error(e)) => Err(CliError::file(&path, e)),
        }
    }

    /// Writes it, durable.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self, ctx: &Context) -> Result<()> {
        write_json(&State::path(ctx, self.session_id), self)
    }

    /// The session's key.
    ///
    /// # Errors
    /// When its file cannot be used.
    pub fn key(&self, ctx: &Context) -> Result<Key> {
        Ok(keyfile::load(&ctx.home.join("sessions").join(format!("{}.key", self.session_id)), None)?)
    }

    /// The next voucher of a lane for `request_hash` (zeros to only acknowledge) that promises at most
    /// `max_fee` for it beside what is under way.
    ///
    /// # Errors
    /// `E-CLI-042` when the promise would exceed the node's cap.
    pub fn voucher(
        &self,
        lane: &Lane,
        key: &Key,
        request_hash: &[u8; 32],
        max_fee: u128,
    ) -> Result<SignedVoucher> {
        let cumulative = lane.exposure_with(max_fee)?;
        if cumulative > lane.cap.u128() {
            return Err(CliError::new(
                Class::Refused,
                "E-CLI-042",
                format!(
                    "the answer may cost {max_fee} {}, but only {} are left for node {} in session {}",
                    self.denom,
                    lane.cap.u128().saturating_sub(lane.exposure_with(0)?),
                    lane.node_id,
                    self.session_id
                ),
                "ask for fewer tokens, or top the session up: openledger session top-up",
            ));
        }
        let voucher = Voucher {
            chain_id: self.chain_id.clone(),
            contract: self.contract.clone(),
            session_id: self.session_id,
            node_id: lane.node_id,
            sequence: lane.outstanding.last().map_or(lane.count, Outstanding::sequence) + 1,
            denom: self.denom.clone(),
            request_hash: HexBinary::from(request_hash),
            cumulative_max: Uint128::new(cumulative),
            acknowledged: lane.acknowledged()?,
        };
        let signature = HexBinary::from(&key.sign_digest(&voucher.digest()));
        Ok(SignedVoucher { voucher, signature })
    }
}

fn damaged(node_id: u64) -> CliError {
    CliError::new(
        Class::File,
        "E-CLI-071",
        format!("the state of a session with node {node_id} does not fit itself"),
        "restore the file from a backup; the node's receipts are at its /v1/sessions endpoint",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAP: u128 = 1_000;

    fn state() -> (State, Key) {
        let lane = Lane::new(3, "http://node/", Uint128::new(CAP));
        let state = State {
            chain_id: "openledger-7".into(),
            contract: "openledger1escrow".into(),
            session_id: 7,
            denom: "uopen".into(),
            nodes: vec![lane],
        };
        (state, Key::from_bytes(&[7; 32]).unwrap())
    }

    /// Promises `max_fee` for one more request.
    fn promise(state: &mut State, key: &Key, max_fee: u128) -> Result<SignedVoucher> {
        let voucher = state.voucher(&state.nodes[0], key, &[1; 32], max_fee)?;
        state.nodes[0].promised = voucher.voucher.cumulative_max;
        state.nodes[0].outstanding.push(Outstanding {
            payment: PaymentSignature { voucher: voucher.clone(), nonce: HexBinary::from([2u8; 32]) },
            endpoint: "/v1/completions".into(),
            body: cosmwasm_std::Binary::default(),
            max_fee: Uint128::new(max_fee),
            received: None,
            left: None,
        });
        Ok(voucher)
    }

    fn leaf(fee: u128) -> SumNode {
        SumNode::leaf(b"receipt", fee)
    }

    #[test]
    fn rule_s1_receipts_enter_the_log_in_order_of_sequence() {
        let (mut state, key) = state();
        for sequence in 1..=3 {
            let voucher = promise(&mut state, &key, 100).unwrap();
            assert_eq!((voucher.voucher.sequence, voucher.voucher.acknowledged.count), (sequence, 0));
        }
        let lane = &mut state.nodes[0];
        lane.receive(3, leaf(30)).unwrap();
        assert_eq!((lane.count, lane.spent().unwrap(), lane.exposure().unwrap()), (0, 30, 300));
        lane.receive(1, leaf(10)).unwrap();
        assert_eq!((lane.count, lane.spent().unwrap()), (1, 40));
        lane.receive(2, leaf(20)).unwrap();
        assert_eq!((lane.count, lane.outstanding.len(), lane.spent().unwrap()), (3, 0, 60));
        assert_eq!(lane.acknowledged().unwrap().sum.u128(), 60);
        // The same receipt again changes nothing.
        lane.receive(2, leaf(20)).unwrap();
        assert_eq!((lane.count, lane.spent().unwrap()), (3, 60));
    }

    #[test]
    fn rule_s1_a_cumulative_maximum_never_falls_and_never_passes_the_cap() {
        let (mut state, key) = state();
        promise(&mut state, &key, 700).unwrap();
        assert_eq!(promise(&mut state, &key, 301).unwrap_err().code, "E-CLI-042");
        state.nodes[0].receive(1, leaf(10)).unwrap();
        // A cheaper question after a dear one: the node would refuse a lower maximum.
        assert_eq!(promise(&mut state, &key, 5).unwrap().voucher.cumulative_max.u128(), 700);
        assert_eq!(promise(&mut state, &key, 985).unwrap().voucher.cumulative_max.u128(), CAP);
        assert_eq!(promise(&mut state, &key, 1).unwrap_err().code, "E-CLI-042");
    }

    #[test]
    fn a_request_that_was_not_taken_frees_its_sequence() {
        let (mut state, key) = state();
        promise(&mut state, &key, 10).unwrap();
        promise(&mut state, &key, 10).unwrap();
        state.nodes[0].forget(2);
        assert_eq!(promise(&mut state, &key, 10).unwrap().voucher.sequence, 2);
        // What was signed may still be used by the node: the promise stands.
        assert_eq!(state.nodes[0].promised.u128(), 20);
    }
}

//! What happens to roots that are not final, and to what they leave.

use openledger_merkle::Tree;
use openledger_types::formats::{training_leaf, EpochCommit};
use openledger_types::msg::datanet::TrainingItem;
use openledger_types::msg::escrow::{EpochResponse, ExecuteMsg, RootStatus};

use super::{World, TRAINED};
use crate::common::suite::{ABANDONED, FINAL, NODES, USERS, WINDOW};
use crate::common::{ATOM, OPEN};

impl World {
    /// A node with a root that waits, void or not.
    pub(super) fn node_with(&self, a: u32, status: RootStatus) -> Option<EpochResponse> {
        let all: Vec<EpochResponse> = (1..=NODES)
            .filter_map(|id| self.suite.pending(id))
            .filter(|root| root.status == status)
            .collect();
        let index = (a as usize).checked_rem(all.len())?;
        Some(all[index].clone())
    }

    /// Whether a node's root is final when somebody asks.
    pub(super) fn is_due(&self, node_id: u64) -> bool {
        self.suite.pending(node_id).is_some_and(|root| {
            let windows = if root.attested && root.commit.denom == OPEN { WINDOW } else { FINAL };
            let over = self.suite.height() >= root.posted_at + windows;
            root.status == RootStatus::Pending && root.holds == 0 && over
        })
    }

    pub(super) fn attest(&mut self, a: u32) {
        if let Some(root) = self.node_with(a, RootStatus::Pending) {
            self.suite.attest(root.commit.node_id);
            self.count("attest", true);
        }
    }

    pub(super) fn demand(&mut self, a: u32, b: u32) {
        let Some(root) = self.node_with(a, RootStatus::Pending) else { return };
        let EpochCommit { node_id, denom, epoch, .. } = root.commit;
        let open = b % 3 == 0;
        self.suite.judge(&ExecuteMsg::HoldRoot { node_id, denom, epoch, open }).unwrap();
        self.count("demand", true);
    }

    pub(super) fn void(&mut self, a: u32) {
        if let Some(root) = self.node_with(a, RootStatus::Pending) {
            self.suite.void(root.commit.node_id);
            self.count("void", true);
        }
    }

    /// An honest replacement is taken, one that keeps what a verdict took out is not.
    pub(super) fn replace(&mut self, a: u32, b: u32) {
        let Some(root) = self.node_with(a, RootStatus::Void) else { return };
        let node_id = root.commit.node_id;
        let struck = self.struck.remove(&node_id).unwrap_or_default();
        if !struck.is_empty() && b % 2 == 0 {
            let greedy = self.suite.replacement(node_id, &[]);
            assert!(self.suite.post_replacement(&greedy).is_err());
        }
        self.suite.replace(node_id, &struck);
        self.count("replace", true);
    }

    pub(super) fn hold(&mut self, a: u32, b: u32) {
        let Some(root) = self.node_with(a, RootStatus::Pending) else { return };
        let draft = self.suite.nodes[&root.commit.node_id].draft.clone().unwrap();
        // A verdict can leave a root without receipts.
        let Some(first) = (b as usize).checked_rem(draft.receipts.len()) else { return };
        let which: Vec<usize> = (first..draft.receipts.len()).take(a as usize % 3 + 1).collect();
        self.cases += 1;
        match self.suite.hold(self.cases, &draft, &which) {
            Ok(_) => {
                let receipts = which.iter().map(|index| draft.receipts[*index].clone()).collect();
                self.open_cases.insert(self.cases, receipts);
                self.count("hold", true);
            }
            Err(error) => assert!(error.to_string().contains("a verdict took its fee"), "{error}"),
        }
    }

    pub(super) fn decide(&mut self, a: u32, guilty: bool) {
        let Some(index) = (a as usize).checked_rem(self.open_cases.len()) else { return };
        let case_id = *self.open_cases.keys().nth(index).unwrap();
        let mut receipts = self.open_cases.remove(&case_id).unwrap();
        let (node_id, denom, epoch) = self.suite.cases[&case_id].clone();
        if guilty {
            // What another verdict took is not taken again.
            receipts.retain(|receipt| self.taken.insert(receipt.receipt.digest()));
        }
        if guilty && !self.suite.is_final(node_id, &denom, epoch) {
            for receipt in &receipts {
                *self.suite.returned.entry(receipt.receipt.session_id).or_default() +=
                    receipt.receipt.fee.u128();
            }
            self.struck.entry(node_id).or_default().extend(receipts);
            self.count("struck", true);
        }
        self.suite.decide(case_id, guilty);
        self.count("decide", true);
    }

    pub(super) fn abandon(&mut self, a: u32, b: u32) {
        let Some(root) = self.node_with(a, RootStatus::Void) else { return };
        if b % 2 == 0 {
            self.suite.advance(ABANDONED);
        }
        let node_id = root.commit.node_id;
        let anyone = self.suite.stranger.clone();
        match self.suite.call(&anyone, &ExecuteMsg::CloseAbandoned { node_id }) {
            Ok(_) => {
                self.suite.nodes.get_mut(&node_id).unwrap().waiting = None;
                self.struck.remove(&node_id);
                self.count("abandon", true);
            }
            Err(error) => {
                let text = error.to_string();
                assert!(text.contains("may replace its root") || text.contains("cases hold"), "{text}");
            }
        }
    }

    /// Everybody takes what an abandoned root left for them.
    pub(super) fn share_out(&mut self, node_id: u64) {
        let anyone = self.suite.stranger.clone();
        for (denom, model_id) in [(OPEN, 1), (ATOM, 2)] {
            let ledger = self.suite.ledger(node_id, denom);
            if !ledger.closed {
                continue;
            }
            let tree =
                Tree::new(TRAINED.iter().map(|(id, times)| training_leaf(*id, *times)).collect()).unwrap();
            let items =
                TRAINED.iter().enumerate().map(|(index, (contribution_id, times_seen))| TrainingItem {
                    contribution_id: *contribution_id,
                    times_seen: *times_seen,
                    index: index as u64,
                    path: tree.prove(index as u64).unwrap().into(),
                });
            let items = if model_id == 1 { items.collect() } else { vec![] };
            let claim = ExecuteMsg::ClaimAbandoned {
                node_id,
                denom: denom.into(),
                epoch: ledger.epoch,
                model_id,
                model_version: 1,
                datanet_id: 7,
                items,
            };
            let done = self.suite.call(&anyone, &claim).is_ok();
            self.count("share out", done);
            for session_id in 1..=self.clients.len() as u64 {
                let refund = ExecuteMsg::RefundAbandoned { session_id, node_id };
                let done = self.suite.call(&anyone, &refund).is_ok();
                self.count("return", done);
            }
        }
    }

    pub(super) fn sweep(&mut self) {
        let before = self.all_coins()[0];
        let anyone = self.suite.stranger.clone();
        let done = self.suite.call(&anyone, &ExecuteMsg::SweepCommons { denom: OPEN.into() }).is_ok();
        self.burned += before - self.all_coins()[0];
        self.count("sweep", done);
    }

    pub(super) fn pay_audit(&mut self, a: u32, b: u32) {
        let posted: Vec<(u64, u64)> = (1..=NODES)
            .flat_map(|node_id| {
                (1..=self.suite.ledger(node_id, OPEN).epoch).map(move |epoch| (node_id, epoch))
            })
            .collect();
        let Some(index) = (a as usize).checked_rem(posted.len()) else { return };
        let (node_id, epoch) = posted[index];
        let record = self.suite.epoch(node_id, OPEN, epoch);
        let left = (record.audit - record.audit_paid).u128();
        let amount = u128::from(b % 50) + 1;
        let to = self.suite.user(u64::from(b) % USERS).to_string();
        let msg = ExecuteMsg::PayAudit { node_id, denom: OPEN.into(), epoch, to, amount: amount.into() };
        let done = self.suite.judge(&msg).is_ok();
        assert_eq!(self.count("pay audit", done), record.finalized && amount <= left);
    }
}

//! What the referee and a node with a void root do.

use cosmwasm_std::StdResult;
use cw_multi_test::AppResponse;
use openledger_types::faults::SessionFacts;
use openledger_types::formats::SignedReceipt;
use openledger_types::msg::escrow::{ExecuteMsg, HeldResponse, QueryMsg, RootStatus};

use super::node::Draft;
use super::Suite;

impl Suite {
    /// The root in place of a node's void one, without these receipts.
    pub fn replacement(&self, node_id: u64, without: &[SignedReceipt]) -> Draft {
        let node = &self.nodes[&node_id];
        let void = node.draft.as_ref().unwrap();
        let owner_of = |contribution: u64| self.contributor(contribution).to_string();
        let mut draft = node.replacement(without, &owner_of);
        draft.commit.epoch = self.ledger(node_id, &void.commit.denom).epoch + 1;
        draft
    }

    /// Posts a replacement as the node's hot address.
    pub fn post_replacement(&mut self, draft: &Draft) -> StdResult<AppResponse> {
        let node_id = draft.commit.node_id;
        let hot = self.nodes[&node_id].hot.clone();
        let response = self.call(&hot, &ExecuteMsg::ReplaceEpoch { commit: draft.commit.clone() })?;
        self.nodes.get_mut(&node_id).unwrap().posted(draft);
        Ok(response)
    }

    /// Replaces a node's void root by one without these receipts.
    pub fn replace(&mut self, node_id: u64, without: &[SignedReceipt]) {
        let draft = self.replacement(node_id, without);
        self.post_replacement(&draft).unwrap();
    }

    /// The referee's message that holds receipts of a draft.
    pub fn holding(&self, case_id: u64, draft: &Draft, which: &[usize]) -> ExecuteMsg {
        ExecuteMsg::HoldReceipts {
            case_id,
            node_id: draft.commit.node_id,
            denom: draft.commit.denom.clone(),
            epoch: draft.commit.epoch,
            receipts: which.iter().map(|index| draft.held(*index)).collect(),
        }
    }

    /// Holds receipts of a draft.
    pub fn hold(&mut self, case_id: u64, draft: &Draft, which: &[usize]) -> StdResult<AppResponse> {
        let response = self.judge(&self.holding(case_id, draft, which))?;
        let commit = &draft.commit;
        self.cases.insert(case_id, (commit.node_id, commit.denom.clone(), commit.epoch));
        Ok(response)
    }

    /// Whether the root of an epoch, or the one that replaced it, is final.
    pub fn is_final(&self, node_id: u64, denom: &str, epoch: u64) -> bool {
        let Some(root) = self.pending(node_id).filter(|root| root.commit.denom == denom) else { return true };
        let last = root.commit.epoch;
        last < epoch || (epoch..last).any(|e| self.epoch(node_id, denom, e).status != RootStatus::Replaced)
    }

    /// Decides about a case.
    pub fn decide(&mut self, case_id: u64, guilty: bool) {
        self.judge(&ExecuteMsg::DecideReceipts { case_id, guilty }).unwrap();
    }

    /// Voids the root that waits.
    pub fn void(&mut self, node_id: u64) {
        let commit = self.pending(node_id).unwrap().commit;
        let (denom, epoch) = (commit.denom, commit.epoch);
        self.judge(&ExecuteMsg::VoidRoot { node_id, denom, epoch, reason: "withheld".into() }).unwrap();
    }

    /// Attests the root that waits.
    pub fn attest(&mut self, node_id: u64) {
        let commit = self.pending(node_id).unwrap().commit;
        self.judge(&ExecuteMsg::Attest { node_id, denom: commit.denom, epoch: commit.epoch }).unwrap();
    }

    /// What the escrow states of a session and a node.
    pub fn facts(&self, session_id: u64, node_id: u64) -> SessionFacts {
        self.query(&QueryMsg::Facts { session_id, node_id })
    }

    /// What a case holds.
    pub fn held(&self, case_id: u64) -> HeldResponse {
        self.query(&QueryMsg::Held { case_id })
    }
}

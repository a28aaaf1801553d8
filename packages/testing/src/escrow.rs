//! The escrow in few words.

use std::collections::BTreeMap;

use cosmwasm_std::{Addr, Uint128};
use cw_multi_test::AppResponse;
use openledger_types::faults::SessionFacts;
use openledger_types::formats::SignedReceipt;
use openledger_types::msg::escrow::{
    BalanceResponse, ClaimItem, EpochResponse, ExecuteMsg, LedgerResponse, NodeCap, PendingResponse,
    QueryMsg, SessionResponse,
};

use crate::datanets::number;
use crate::models::ModelRef;
use crate::world::attribute;
use crate::{Client, Key, Result, World};

impl World {
    /// Opens a session on a model version with a cap for each node; pays the opening fee and the
    /// sum of the caps.
    pub fn open_session(&mut self, owner: &Addr, model: ModelRef, caps: &[(u64, u128)]) -> Result<Client> {
        let key = Key::named(&format!("session of {owner} at {}", self.height()));
        let nodes: Vec<NodeCap> = caps
            .iter()
            .map(|(node_id, cap)| NodeCap { node_id: *node_id, cap: Uint128::new(*cap) })
            .collect();
        let msg = ExecuteMsg::OpenSession {
            model_id: model.0,
            model_version: model.1,
            session_key: key.public(),
            nodes,
            blocks: None,
        };
        let terms = self.profile.escrow.denoms.iter().find(|terms| terms.denom == self.denom);
        let fee = terms.map_or(0, |terms| terms.open_fee.u128());
        let deposit: u128 = caps.iter().map(|(_, cap)| cap).sum();
        let (escrow, funds) = (self.escrow.clone(), self.coins(fee + deposit));
        let done = self.execute(owner, &escrow, &msg, &funds)?;
        Ok(Client {
            session_id: number(attribute(&done, "wasm", "session_id"))?,
            owner: owner.clone(),
            key,
            chain_id: self.chain_id(),
            contract: escrow.into_string(),
            denom: self.denom.clone(),
            lines: BTreeMap::new(),
        })
    }

    /// Waits until a node's root can be final and makes it so.
    pub fn finalize(&mut self, node_id: u64) -> Result<AppResponse> {
        let pending: PendingResponse = self.query(&self.escrow, &QueryMsg::Pending { node_id })?;
        if let Some(root) = pending.epoch {
            self.advance_to(root.final_at);
        }
        let (sender, escrow) = (self.owner.clone(), self.escrow.clone());
        self.execute(&sender, &escrow, &ExecuteMsg::Finalize { node_id }, &[])
    }

    /// Credits leaves to their accounts, in messages of at most 32.
    pub fn claim(&mut self, sender: &Addr, claims: Vec<ClaimItem>) -> Result<()> {
        let escrow = self.escrow.clone();
        for claims in claims.chunks(32) {
            self.execute(sender, &escrow, &ExecuteMsg::Claim { claims: claims.to_vec().into() }, &[])?;
        }
        Ok(())
    }

    /// Pays a balance out.
    pub fn withdraw(&mut self, sender: &Addr) -> Result<AppResponse> {
        let (escrow, denoms) = (self.escrow.clone(), vec![self.denom.clone()]);
        self.execute(sender, &escrow, &ExecuteMsg::Withdraw { denoms }, &[])
    }

    /// Asks for the end of a session.
    pub fn request_close(&mut self, sender: &Addr, session_id: u64) -> Result<AppResponse> {
        let escrow = self.escrow.clone();
        self.execute(sender, &escrow, &ExecuteMsg::RequestClose { session_id }, &[])
    }

    /// Credits a closed session's unused deposit to its owner.
    pub fn refund(&mut self, sender: &Addr, session_id: u64) -> Result<AppResponse> {
        let escrow = self.escrow.clone();
        self.execute(sender, &escrow, &ExecuteMsg::Refund { session_id }, &[])
    }

    /// Sends a message to the escrow, without coins.
    pub fn tell_escrow(&mut self, sender: &Addr, msg: &ExecuteMsg) -> Result<AppResponse> {
        let escrow = self.escrow.clone();
        self.execute(sender, &escrow, msg, &[])
    }

    /// Closes the ledger of a node that did not replace its void root in time.
    pub fn close_abandoned(&mut self, sender: &Addr, node_id: u64) -> Result<AppResponse> {
        self.tell_escrow(sender, &ExecuteMsg::CloseAbandoned { node_id })
    }

    /// Shows a receipt that a node left unsettled.
    pub fn prove_unsettled(&mut self, sender: &Addr, receipt: SignedReceipt) -> Result<AppResponse> {
        self.tell_escrow(sender, &ExecuteMsg::ProveUnsettled { receipt })
    }

    /// Empties the commons.
    pub fn sweep_commons(&mut self, sender: &Addr) -> Result<AppResponse> {
        let denom = self.denom.clone();
        self.tell_escrow(sender, &ExecuteMsg::SweepCommons { denom })
    }

    /// The root of a node that waits.
    pub fn pending_root(&self, node_id: u64) -> Result<Option<EpochResponse>> {
        let pending: PendingResponse = self.query(&self.escrow, &QueryMsg::Pending { node_id })?;
        Ok(pending.epoch)
    }

    /// An epoch of a node.
    pub fn epoch(&self, node_id: u64, epoch: u64) -> Result<EpochResponse> {
        let denom = self.denom.clone();
        self.query(&self.escrow, &QueryMsg::Epoch { node_id, denom, epoch })
    }

    /// What a one-step proof must state of a session and a node.
    pub fn session_facts(&self, session_id: u64, node_id: u64) -> Result<SessionFacts> {
        self.query(&self.escrow, &QueryMsg::Facts { session_id, node_id })
    }

    /// A session.
    pub fn session(&self, session_id: u64) -> Result<SessionResponse> {
        self.query(&self.escrow, &QueryMsg::Session { session_id })
    }

    /// The ledger of a node.
    pub fn ledger(&self, node_id: u64) -> Result<LedgerResponse> {
        let denom = self.denom.clone();
        self.query(&self.escrow, &QueryMsg::Ledger { node_id, denom })
    }

    /// Base units that an address can withdraw.
    pub fn withdrawable(&self, address: &Addr) -> Result<u128> {
        let msg = QueryMsg::Balance { address: address.to_string() };
        let balance: BalanceResponse = self.query(&self.escrow, &msg)?;
        let own = balance.amounts.iter().find(|amount| amount.denom == self.denom);
        Ok(own.map_or(0, |amount| amount.amount.u128()))
    }
}

//! A root that was voided is replaced from the newest final ledger (PROTOCOL L7): the same receipts,
//! less those that a verdict took out.

use std::collections::BTreeMap;
use std::sync::Arc;

use cosmwasm_std::HexBinary;
use openledger_types::formats::{EpochCommit, ReceiptsBlob, SignedReceipt};
use openledger_types::msg::escrow::EpochResponse;

use super::node::{blocking, root_of, Node};
use super::settle::json;
use crate::fault::{Class, Fault, Result};
use crate::journal::{EpochRow, EpochState};
use crate::ledger::{self, SessionPart};

impl Node {
    /// Writes the replacement of a void root; it is then the current epoch, and posted like any other.
    pub(super) async fn prepare_replacement(self: &Arc<Self>, void: &EpochResponse) -> Result<EpochRow> {
        let hash = void.hash.to_vec();
        let row = self.with_journal(move |journal| journal.epoch(&hash)).await?.ok_or_else(|| {
            Fault::new(
                Class::Internal,
                "E-SETTLE-008",
                format!("the void epoch {} is not in this journal", void.commit.epoch),
                "Restore the journal of the node that posted it; nothing can be posted without it.",
            )
        })?;
        let reason = void.void_reason.clone().unwrap_or_else(|| "not said".into());
        tracing::error!(
            code = "E-SETTLE-009",
            epoch = void.commit.epoch,
            reason,
            "the root was voided; it is replaced"
        );
        let ledger = self.chain.ledger(&void.commit.denom).await?;
        let (epoch, previous) = (ledger.epoch.saturating_add(1), ledger.ledger.clone());
        let commit = if void.fees == void.commit.receipts.sum && previous == void.commit.previous {
            // Nothing of it was at fault or taken out: the same trees and blobs under the next number.
            EpochCommit { epoch, ..void.commit.clone() }
        } else {
            let before = self.previous_ledger(&ledger.ledger, ledger.leaves_blob.as_ref()).await?;
            let receipts = self.remaining(void).await?;
            let mut by_session: BTreeMap<u64, Vec<SignedReceipt>> = BTreeMap::new();
            for signed in &receipts {
                by_session.entry(signed.receipt.session_id).or_default().push(signed.clone());
            }
            let mut parts = Vec::with_capacity(by_session.len());
            for (session_id, receipts) in by_session {
                let split = self.fresh_session(session_id).await?.split;
                parts.push(SessionPart { session_id, split, receipts });
            }
            let owners = self.owners(&parts).await?;
            let data = void.data.u128();
            let (leaves, leaves_root, receipts, receipts_root) = blocking(move || {
                let blob = ledger::grow_to(&before, &parts, data, &|id| owners.get(&id).cloned())?;
                let root = ledger::ledger_root(&blob)?;
                let receipts_root = ledger::receipts_root(&receipts)?;
                Ok((json(&blob)?, root, json(&ReceiptsBlob { receipts })?, receipts_root))
            })
            .await?;
            EpochCommit {
                epoch,
                previous,
                receipts: receipts_root,
                ledger: leaves_root,
                leaves_blob: self.keep(leaves).await?,
                receipts_blob: self.keep(receipts).await?,
                ..void.commit.clone()
            }
        };
        // Without settlements: that is what tells a replacement from a new epoch.
        let replacement = EpochRow {
            commit,
            settlements: Vec::new(),
            covers: row.covers,
            state: EpochState::Prepared,
            tx: None,
        };
        let (hash, kept) = (void.hash.to_vec(), replacement.clone());
        self.with_journal(move |journal| {
            journal.resolve(&hash, EpochState::Void { reason }, None)?;
            journal.prepare(&kept)
        })
        .await?;
        Ok(replacement)
    }

    /// The receipts of a void root that no verdict took out, in their order.
    async fn remaining(self: &Arc<Self>, void: &EpochResponse) -> Result<Vec<SignedReceipt>> {
        let gone: Vec<HexBinary> = self.chain.convicted(&void.commit.denom).await?;
        let missing = || {
            Fault::unavailable(
                "E-SETTLE-004",
                format!("the receipts of epoch {} are not stored here", void.commit.epoch),
                "Restore the node's store from a copy; nothing can be posted without them.",
            )
        };
        let blob = void.commit.receipts_blob.clone();
        let bytes = self.stored(&root_of(&blob)?).await?.ok_or_else(missing)?;
        let root = void.commit.receipts.clone();
        let mut receipts = blocking(move || ledger::parse_receipts(&bytes, &blob, &root)).await?;
        receipts.retain(|signed| !gone.iter().any(|id| id.as_slice() == signed.receipt.digest()));
        Ok(receipts)
    }
}

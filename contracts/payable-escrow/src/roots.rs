//! Epochs as they are stored: packed, because a commitment as JSON costs three times the gas.

use cosmwasm_std::{Binary, Env, HexBinary, Storage, Uint128};
use openledger_types::formats::{BlobRef, EpochCommit, SumRoot};
use openledger_types::msg::escrow::RootStatus;

use crate::error::{ContractError, ContractResult};
use crate::state::{Pending, EPOCHS, OLD_EPOCHS, OUTCOMES, PENDING, REPLACED};

/// An epoch as it was posted.
pub struct Epoch {
    /// The commitment.
    pub commit: EpochCommit,
    /// Height at which it was posted.
    pub posted_at: u64,
    /// Height from which it can be final without attestations.
    pub final_at: u64,
}

/// Stores an epoch: previous, receipts and ledger (32 bytes hash, 16 sum, 8 count each), leaves and
/// receipts blob (32 bytes root, 8 length each), heights of posting and finality (8 each), then the
/// chain id. What the key and the contract's own address say is left out.
pub fn save(storage: &mut dyn Storage, epoch: &Epoch) -> ContractResult<()> {
    let Epoch { commit, posted_at, final_at } = epoch;
    let mut bytes = Vec::with_capacity(288);
    for root in [&commit.previous, &commit.receipts, &commit.ledger] {
        bytes.extend_from_slice(&root.hash);
        bytes.extend_from_slice(&root.sum.to_be_bytes());
        bytes.extend_from_slice(&root.count.to_be_bytes());
    }
    for blob in [&commit.leaves_blob, &commit.receipts_blob] {
        bytes.extend_from_slice(&blob.root);
        bytes.extend_from_slice(&blob.len.to_be_bytes());
    }
    bytes.extend_from_slice(&posted_at.to_be_bytes());
    bytes.extend_from_slice(&final_at.to_be_bytes());
    bytes.extend_from_slice(commit.chain_id.as_bytes());
    Ok(EPOCHS.save(storage, (commit.node_id, &commit.denom, commit.epoch), &Binary::from(bytes))?)
}

/// An epoch, or the typed refusal.
pub fn load(
    storage: &dyn Storage,
    env: &Env,
    (node_id, denom, epoch): (u64, &str, u64),
) -> ContractResult<Epoch> {
    let missing = || ContractError::EpochNotFound { node_id, denom: denom.to_string(), epoch };
    if let Some(bytes) = EPOCHS.may_load(storage, (node_id, denom, epoch))? {
        return unpack(&bytes, env, node_id, denom, epoch).ok_or_else(missing);
    }
    let old = OLD_EPOCHS.may_load(storage, (node_id, denom, epoch))?.ok_or_else(missing)?;
    Ok(Epoch { commit: old.commit, posted_at: old.posted_at, final_at: old.final_at })
}

/// Whether the first release posted it: its receipts are in another order, which is no fault.
pub fn is_old(storage: &dyn Storage, (node_id, denom, epoch): (u64, &str, u64)) -> bool {
    !EPOCHS.has(storage, (node_id, denom, epoch)) && OLD_EPOCHS.has(storage, (node_id, denom, epoch))
}

fn unpack(bytes: &[u8], env: &Env, node_id: u64, denom: &str, epoch: u64) -> Option<Epoch> {
    let mut rest = bytes;
    let previous = sum_root(&mut rest)?;
    let receipts = sum_root(&mut rest)?;
    let ledger = sum_root(&mut rest)?;
    let leaves_blob = blob(&mut rest)?;
    let receipts_blob = blob(&mut rest)?;
    let posted_at = number(&mut rest)?;
    let final_at = number(&mut rest)?;
    let commit = EpochCommit {
        chain_id: String::from_utf8(rest.to_vec()).ok()?,
        contract: env.contract.address.to_string(),
        node_id,
        denom: denom.to_string(),
        epoch,
        previous,
        receipts,
        ledger,
        leaves_blob,
        receipts_blob,
    };
    Some(Epoch { commit, posted_at, final_at })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_at_checked(N)?;
    *rest = left;
    taken.try_into().ok()
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    take(rest).map(u64::from_be_bytes)
}

fn sum_root(rest: &mut &[u8]) -> Option<SumRoot> {
    let hash = HexBinary::from(&take::<32>(rest)?);
    let sum = Uint128::new(u128::from_be_bytes(take(rest)?));
    Some(SumRoot { hash, sum, count: number(rest)? })
}

fn blob(rest: &mut &[u8]) -> Option<BlobRef> {
    Some(BlobRef { root: HexBinary::from(&take::<32>(rest)?), len: number(rest)? })
}

/// What has become of a root that was posted.
pub fn status(
    storage: &dyn Storage,
    (node_id, denom, epoch): (u64, &str, u64),
) -> ContractResult<RootStatus> {
    if let Some(pending) = PENDING.may_load(storage, node_id)? {
        if pending.denom == denom && pending.epoch == epoch {
            return Ok(if pending.void.is_some() { RootStatus::Void } else { RootStatus::Pending });
        }
    }
    let outcome = OUTCOMES.may_load(storage, (node_id, denom, epoch))?;
    Ok(outcome.map_or(RootStatus::Final, |outcome| outcome.status))
}

/// A root that waits and is not void.
pub fn waiting(storage: &dyn Storage, node_id: u64, denom: &str, epoch: u64) -> ContractResult<Pending> {
    match PENDING.may_load(storage, node_id)? {
        Some(root) if root.denom == denom && root.epoch == epoch && root.void.is_none() => Ok(root),
        _ => Err(ContractError::RootNotWaiting { node_id, epoch }),
    }
}

/// The epoch whose root holds what was settled in `origin`: another one when that root was replaced.
pub fn newest(storage: &dyn Storage, node_id: u64, denom: &str, origin: u64) -> ContractResult<u64> {
    Ok(REPLACED.may_load(storage, (node_id, denom, origin))?.unwrap_or(origin))
}

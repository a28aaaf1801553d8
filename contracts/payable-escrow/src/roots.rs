//! Epochs as they are stored: packed, because a commitment as JSON costs three times the gas.

use cosmwasm_std::{Env, HexBinary, Storage, Uint128};
use openledger_types::formats::{BlobRef, EpochCommit, SumRoot};
use openledger_types::msg::escrow::RootStatus;
use openledger_types::packed::{PackError, Reader, Writer};

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

/// Stores an epoch: previous, receipts and ledger (32 bytes hash, sum, count each), leaves and receipts
/// blob (32 bytes root, length each), heights of posting and finality, then the chain id; numbers are
/// varints. What the key and the contract's own address say is left out.
pub fn save(storage: &mut dyn Storage, epoch: &Epoch) {
    let Epoch { commit, posted_at, final_at } = epoch;
    let mut out = Writer::default();
    for root in [&commit.previous, &commit.receipts, &commit.ledger] {
        out.raw(&root.hash);
        out.varint(root.sum.u128());
        out.varint(root.count.into());
    }
    for blob in [&commit.leaves_blob, &commit.receipts_blob] {
        out.raw(&blob.root);
        out.varint(blob.len.into());
    }
    out.varint((*posted_at).into());
    out.varint((*final_at).into());
    out.text(&commit.chain_id);
    storage.set(&EPOCHS.key((commit.node_id, &commit.denom, commit.epoch)), &out.finish());
}

/// An epoch, or the typed refusal.
pub fn load(
    storage: &dyn Storage,
    env: &Env,
    (node_id, denom, epoch): (u64, &str, u64),
) -> ContractResult<Epoch> {
    let missing = || ContractError::EpochNotFound { node_id, denom: denom.to_string(), epoch };
    if let Some(bytes) = storage.get(&EPOCHS.key((node_id, denom, epoch))) {
        return unpack(&bytes, env, (node_id, denom, epoch)).map_err(|_| missing());
    }
    let old = OLD_EPOCHS.may_load(storage, (node_id, denom, epoch))?.ok_or_else(missing)?;
    Ok(Epoch { commit: old.commit, posted_at: old.posted_at, final_at: old.final_at })
}

/// Whether the first release posted it: its receipts are in another order, which is no fault.
pub fn is_old(storage: &dyn Storage, (node_id, denom, epoch): (u64, &str, u64)) -> bool {
    !EPOCHS.has(storage, (node_id, denom, epoch)) && OLD_EPOCHS.has(storage, (node_id, denom, epoch))
}

fn unpack(bytes: &[u8], env: &Env, (node_id, denom, epoch): (u64, &str, u64)) -> Result<Epoch, PackError> {
    let rest = &mut Reader::new(bytes);
    let (previous, receipts, ledger) = (sum_root(rest)?, sum_root(rest)?, sum_root(rest)?);
    let (leaves_blob, receipts_blob) = (blob(rest)?, blob(rest)?);
    let (posted_at, final_at) = (rest.u64("posted_at")?, rest.u64("final_at")?);
    let commit = EpochCommit {
        chain_id: rest.text("chain_id")?,
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
    Ok(Epoch { commit, posted_at, final_at })
}

fn sum_root(rest: &mut Reader) -> Result<SumRoot, PackError> {
    let hash = HexBinary::from(&rest.hash("root")?);
    Ok(SumRoot { hash, sum: Uint128::new(rest.varint("sum")?), count: rest.u64("count")? })
}

fn blob(rest: &mut Reader) -> Result<BlobRef, PackError> {
    Ok(BlobRef { root: HexBinary::from(&rest.hash("blob")?), len: rest.u64("length")? })
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

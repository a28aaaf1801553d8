//! The queue of accepted contributions of a datanet, in the order of their commits. A reveal puts all
//! its contributions in as one run; whatever takes a single one out splits the run.

use cosmwasm_std::{Order, Storage};
use cw_storage_plus::Bound;
use openledger_types::formats::Priority;

use crate::state::{slot, PENDING};
use crate::ContractError;

/// Contributions with neighbouring numbers and one priority.
pub struct Run {
    /// Their priority.
    pub priority: Priority,
    /// First number.
    pub first: u64,
    /// Last number.
    pub last: u64,
}

/// Puts contributions in; none when `last` is before `first`.
pub fn push(storage: &mut dyn Storage, datanet_id: u64, run: &Run) -> Result<(), ContractError> {
    match run.last < run.first {
        true => Ok(()),
        false => Ok(PENDING.save(storage, (datanet_id, slot(run.priority, run.first)), &run.last)?),
    }
}

/// Puts one contribution in.
pub fn insert(
    storage: &mut dyn Storage,
    datanet_id: u64,
    priority: Priority,
    id: u64,
) -> Result<(), ContractError> {
    push(storage, datanet_id, &Run { priority, first: id, last: id })
}

/// Takes one contribution out; does nothing when it is not in the queue.
pub fn remove(
    storage: &mut dyn Storage,
    datanet_id: u64,
    priority: Priority,
    id: u64,
) -> Result<(), ContractError> {
    let start = Bound::inclusive(slot(priority, 0));
    let end = Bound::inclusive(slot(priority, id));
    let found = PENDING
        .prefix(datanet_id)
        .range(storage, Some(start), Some(end), Order::Descending)
        .next()
        .transpose()?;
    let Some(((_, (_, first)), last)) = found else { return Ok(()) };
    if last < id {
        return Ok(());
    }
    PENDING.remove(storage, (datanet_id, slot(priority, first)));
    push(storage, datanet_id, &Run { priority, first, last: id.saturating_sub(1) })?;
    push(storage, datanet_id, &Run { priority, first: id.saturating_add(1), last })
}

/// The first runs up to a priority, at most `limit` of them.
pub fn runs(
    storage: &dyn Storage,
    datanet_id: u64,
    up_to: Priority,
    limit: usize,
) -> Result<Vec<Run>, ContractError> {
    let end = Bound::inclusive(slot(up_to, u64::MAX));
    PENDING
        .prefix(datanet_id)
        .range(storage, None, Some(end), Order::Ascending)
        .take(limit)
        .map(|entry| {
            let ((height, (tx_index, first)), last) = entry?;
            Ok(Run { priority: Priority { height, tx_index }, first, last })
        })
        .collect()
}

/// Takes at most `limit` contributions up to a priority out; tells whether more are left.
pub fn take(
    storage: &mut dyn Storage,
    datanet_id: u64,
    up_to: Priority,
    limit: usize,
) -> Result<(Vec<u64>, bool), ContractError> {
    let mut ids = vec![];
    for run in runs(storage, datanet_id, up_to, limit.saturating_add(1))? {
        let free = limit.saturating_sub(ids.len()) as u64;
        if free == 0 {
            return Ok((ids, true));
        }
        let next = run.first.saturating_add(free);
        ids.extend((run.first..=run.last).take(limit.saturating_sub(ids.len())));
        PENDING.remove(storage, (datanet_id, slot(run.priority, run.first)));
        push(storage, datanet_id, &Run { first: next, ..run })?;
    }
    let more = !runs(storage, datanet_id, up_to, 1)?.is_empty();
    Ok((ids, more))
}

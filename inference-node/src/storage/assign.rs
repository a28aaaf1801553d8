//! Who should keep what: rendezvous hashing over the nodes that offer space (PROTOCOL I3). Pure.

use std::collections::BTreeSet;

use openledger_types::formats::{hash32, storage_score};
use openledger_types::merkle::Hash;
use openledger_types::msg::storage::{ObjectResponse, Params, StorerResponse, StorerState};

/// Nodes that may be nominated for an object, the best first: active, with room, and of an operator that
/// has no slot of it. Of each operator only the best.
pub fn ranking<'a>(object: &ObjectResponse, storers: &'a [StorerResponse]) -> Vec<&'a StorerResponse> {
    let Ok(seed) = hash32("seed", &object.seed) else { return Vec::new() };
    let within = object.slots.iter().flat_map(|slot| slot.holder.into_iter().chain(slot.nominee));
    let within: BTreeSet<u64> = within.collect();
    let mut operators: BTreeSet<&str> = storers
        .iter()
        .filter(|storer| within.contains(&storer.node_id))
        .map(|storer| storer.operator.as_str())
        .collect();
    let mut found: Vec<(Hash, &StorerResponse)> = storers
        .iter()
        .filter(|storer| storer.state == StorerState::Active && room(storer) >= object.leaves)
        .map(|storer| (storage_score(&seed, storer.node_id), storer))
        .collect();
    found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    found.into_iter().map(|(_, storer)| storer).filter(|storer| operators.insert(&storer.operator)).collect()
}

/// KiB that a node can still be nominated for.
fn room(storer: &StorerResponse) -> u64 {
    storer.capacity.saturating_sub(storer.kept).saturating_sub(storer.pending)
}

/// Slots that wait for a nominee: without a holder in service, and without a nominee that has time.
pub fn vacant(object: &ObjectResponse, storers: &[StorerResponse], height: u64, params: &Params) -> Vec<u8> {
    let serves =
        |node_id: u64| storers.iter().any(|s| s.node_id == node_id && s.state == StorerState::Active);
    let waits = |since: u64| {
        height <= since.saturating_add(params.assign_blocks).saturating_add(params.accept_blocks)
    };
    (0u8..)
        .zip(&object.slots)
        .filter(|(_, slot)| !slot.holder.is_some_and(serves) && !slot.nominated_at.is_some_and(waits))
        .map(|(number, _)| number)
        .collect()
}

/// The nominations that an object needs now: the best nodes for its vacant slots.
pub fn nominations(
    object: &ObjectResponse,
    storers: &[StorerResponse],
    height: u64,
    params: &Params,
) -> Vec<(u8, u64)> {
    let slots = vacant(object, storers, height, params);
    slots.into_iter().zip(ranking(object, storers).into_iter().map(|storer| storer.node_id)).collect()
}

/// The nomination that a node should take over while its window is open: the worst that is below the
/// node's own score.
pub fn takeover(
    object: &ObjectResponse,
    storers: &[StorerResponse],
    node_id: u64,
    height: u64,
    params: &Params,
) -> Option<u8> {
    let seed = hash32("seed", &object.seed).ok()?;
    ranking(object, storers).into_iter().find(|storer| storer.node_id == node_id)?;
    let own = storage_score(&seed, node_id);
    (0u8..)
        .zip(&object.slots)
        .filter_map(|(number, slot)| {
            let (nominee, since) = (slot.nominee?, slot.nominated_at?);
            let open = height < since.saturating_add(params.assign_blocks);
            let score = storage_score(&seed, nominee);
            (open && score < own).then_some((score, number))
        })
        .min()
        .map(|(_, number)| number)
}

/// Slots that a node was nominated for, with whether it can accept them at this height.
pub fn nominated(object: &ObjectResponse, node_id: u64, height: u64, params: &Params) -> Vec<(u8, bool)> {
    (0u8..)
        .zip(&object.slots)
        .filter(|(_, slot)| slot.nominee == Some(node_id))
        .map(|(number, slot)| {
            let from = slot.nominated_at.unwrap_or(height).saturating_add(params.assign_blocks);
            (number, height > from)
        })
        .collect()
}

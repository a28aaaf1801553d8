//! Packs messages into transactions.

use super::filter::{receive_callback_gas, return_callback_gas};
use super::plan::Action;

/// Gas of `MsgUpdateClient` with one validator's signature, of taking the fee and of the signature,
/// estimated upwards from a devnet.
const BASE_GAS: u64 = 250_000;
/// Gas of `MsgRecvPacket` with a transfer that makes a new voucher.
const RECEIVE_GAS: u64 = 250_000;
/// Gas of `MsgAcknowledgement` and of the timeouts.
const RETURN_GAS: u64 = 180_000;
/// Bytes of a proof of membership, of a message's frame, and of a client update with few validators.
const PROOF_BYTES: usize = 2_000;
const BASE_BYTES: usize = 4_000;

/// What a transaction may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most packet messages.
    pub messages: usize,
    /// Most gas, by estimate; the simulation says what is asked for.
    pub gas: u64,
    /// Most bytes, by estimate.
    pub bytes: usize,
}

/// Gas to keep for callbacks on top of what a simulation shows.
pub fn callback_reserve(actions: &[Action]) -> u64 {
    actions.iter().map(callback_gas).fold(0, u64::saturating_add)
}

fn callback_gas(action: &Action) -> u64 {
    match action {
        Action::UpdateClient { .. } => 0,
        Action::Receive { packet, .. } => receive_callback_gas(packet),
        Action::Acknowledge { packet, .. }
        | Action::Timeout { packet, .. }
        | Action::TimeoutOnClose { packet, .. } => return_callback_gas(packet),
    }
}

/// (gas, bytes) of a message, estimated upwards.
fn weight(action: &Action) -> (u64, usize) {
    let (gas, proofs, extra) = match action {
        Action::UpdateClient { .. } => return (0, 0),
        Action::Receive { .. } => (RECEIVE_GAS, 1, 0),
        Action::Acknowledge { acknowledgement, .. } => (RETURN_GAS, 1, acknowledgement.len()),
        Action::Timeout { .. } => (RETURN_GAS, 2, 0),
        Action::TimeoutOnClose { .. } => (RETURN_GAS, 3, 0),
    };
    let data = action.packet().map_or(0, |p| p.data.len());
    let bytes = data.saturating_add(extra).saturating_add(PROOF_BYTES.saturating_mul(proofs));
    (gas.saturating_add(callback_gas(action)), bytes)
}

/// Splits the packet messages of one chain into transactions, in order; client updates are left out,
/// since each transaction carries its own. A message above a limit by itself stands alone.
pub fn pack(actions: Vec<Action>, limits: Limits) -> Vec<Vec<Action>> {
    let mut batches: Vec<Vec<Action>> = Vec::new();
    let (mut gas, mut bytes) = (0u64, 0usize);
    for action in actions.into_iter().filter(|a| a.packet().is_some()) {
        let (more_gas, more_bytes) = weight(&action);
        let full = batches.last().is_none_or(|batch| {
            batch.len() >= limits.messages.max(1)
                || gas.saturating_add(more_gas) > limits.gas
                || bytes.saturating_add(more_bytes) > limits.bytes
        });
        if full {
            batches.push(Vec::new());
            (gas, bytes) = (BASE_GAS, BASE_BYTES);
        }
        gas = gas.saturating_add(more_gas);
        bytes = bytes.saturating_add(more_bytes);
        if let Some(batch) = batches.last_mut() {
            batch.push(action);
        }
    }
    batches
}

/// Takes at most `limit` messages: half of them the newest, so that a fresh packet does not wait behind
/// a backlog, and the rest the oldest, so that the backlog shrinks. Order by sequence stays.
pub fn select(mut actions: Vec<Action>, limit: usize) -> Vec<Action> {
    if actions.len() <= limit {
        return actions;
    }
    actions.sort_by_key(|a| a.packet().map_or(0, |p| p.sequence));
    let newest = actions.split_off(actions.len().saturating_sub(limit / 2));
    actions.truncate(limit.saturating_sub(newest.len()));
    actions.extend(newest);
    actions
}

//! The states of a payout. Every change reads and computes everything before it writes anything, so
//! that a callback that meets an error leaves the state as it was.

use cosmwasm_std::{Addr, Event, Storage, Uint128};
use openledger_contract::lean::Lean;
use openledger_types::msg::gateway::{Params, PayoutState};

use crate::error::{ContractError, ContractResult};
use crate::money;
use crate::state::{
    Attempts, Counters, Payout, Window, ATTEMPTS, BALANCES, BOUNTIES, COUNTERS, IN_STATE, OPEN, PACKETS,
    PARAMS, PAYOUTS, WINDOWS,
};

/// Most doublings of a hold-off.
const MAX_DOUBLINGS: u32 = 16;
/// Nanoseconds in a second.
const NANOS: u64 = 1_000_000_000;

/// The byte under which payouts of a state are listed.
pub fn state_code(state: PayoutState) -> u8 {
    match state {
        PayoutState::InFlight => 1,
        PayoutState::Settled => 2,
        PayoutState::Refunded => 3,
        PayoutState::Unresolved => 4,
    }
}

/// A payout, or the typed refusal.
pub fn load(storage: &dyn Storage, payout_id: u64) -> ContractResult<Payout> {
    PAYOUTS.may_load(storage, payout_id)?.ok_or(ContractError::PayoutNotFound { payout_id })
}

/// Whether a payout is in flight past timeout and grace, at a time in nanoseconds.
pub fn is_overdue(payout: &Payout, grace_seconds: u64, now: u64) -> bool {
    let end = payout.timeout.saturating_add(grace_seconds.saturating_mul(NANOS));
    payout.state == PayoutState::InFlight && now > end
}

/// The counter that holds an open payout's coins; none once it is closed.
fn holder(counters: &mut Counters, state: PayoutState) -> Option<&mut Uint128> {
    match state {
        PayoutState::InFlight => Some(&mut counters.in_flight),
        PayoutState::Unresolved => Some(&mut counters.unresolved),
        PayoutState::Settled | PayoutState::Refunded => None,
    }
}

/// Takes a payout's coins out of their counter.
fn take(counters: &mut Counters, payout_id: u64, payout: &Payout) -> ContractResult<()> {
    let held = holder(counters, payout.state)
        .ok_or(ContractError::NotUnresolved { payout_id, state: payout.state })?;
    *held = held.checked_sub(payout.amount)?;
    Ok(())
}

/// Writes a payout's new state, and closes it when it is at an end.
fn save(
    storage: &mut dyn Storage,
    payout_id: u64,
    mut payout: Payout,
    state: PayoutState,
) -> ContractResult<()> {
    IN_STATE.remove(storage, (state_code(payout.state), payout_id));
    IN_STATE.save(storage, (state_code(state), payout_id), &true)?;
    payout.state = state;
    if matches!(state, PayoutState::Settled | PayoutState::Refunded) {
        OPEN.remove(storage, (&payout.account, &payout.denom));
        if let Some(sequence) = payout.sequence {
            PACKETS.remove(storage, (&payout.channel_id, sequence));
        }
    }
    Ok(PAYOUTS.save(storage, payout_id, &payout)?)
}

/// An event about a payout. Its type is what the relayer and indexers look for.
pub fn event(kind: &str, payout_id: u64, payout: &Payout) -> Event {
    let sequence = payout.sequence.map(|sequence| sequence.to_string()).unwrap_or_default();
    Event::new(kind)
        .add_attribute("payout_id", payout_id.to_string())
        .add_attribute("account", payout.account.as_str())
        .add_attribute("route", payout.route.as_str())
        .add_attribute("channel_id", payout.channel_id.as_str())
        .add_attribute("sequence", sequence)
        .add_attribute("remote_addr", payout.remote_addr.as_str())
        .add_attribute("amount", payout.amount)
        .add_attribute("bounty", payout.bounty)
        .add_attribute("denom", payout.denom.as_str())
        .add_attribute("attempt", payout.attempt.to_string())
        .add_attribute("timeout", payout.timeout.to_string())
}

/// The coins arrived. The bounty is the relayer's who said so (I4): a storage write that it claims
/// later. Without a relayer, or beyond the window's number, it returns to the account.
pub fn settle(
    storage: &mut dyn Storage,
    height: u64,
    payout_id: u64,
    relayer: Option<&Addr>,
) -> ContractResult<Event> {
    let payout = load(storage, payout_id)?;
    let denom = payout.denom.as_str();
    let Lean(params) = PARAMS.load(storage)?;
    let mut counters = money::counters(storage, denom)?;
    take(&mut counters, payout_id, &payout)?;
    counters.paid_out = counters.paid_out.checked_add(payout.amount)?;
    let mut window = WINDOWS.may_load(storage, denom)?.unwrap_or_default();
    if height >= window.start.saturating_add(params.bounty_window_blocks) {
        window = Window { start: height, paid: 0 };
    }
    let earner = relayer.filter(|_| window.paid < params.bounties_per_window && !payout.bounty.is_zero());
    let mut event = event("payout_settled", payout_id, &payout);
    match earner {
        Some(relayer) => {
            let earned = BOUNTIES.may_load(storage, (relayer, denom))?.unwrap_or_default();
            let earned = earned.checked_add(payout.bounty)?;
            window.paid = window.paid.saturating_add(1);
            event = event.add_attribute("relayer", relayer.as_str());
            BOUNTIES.save(storage, (relayer, denom), &earned)?;
            WINDOWS.save(storage, denom, &window)?;
        }
        None if !payout.bounty.is_zero() => {
            let balance = money::balance(storage, &payout.account, denom)?.checked_add(payout.bounty)?;
            money::shift(&mut counters.bounties, &mut counters.accrued, payout.bounty)?;
            BALANCES.save(storage, (&payout.account, denom), &balance)?;
        }
        None => {}
    }
    COUNTERS.save(storage, denom, &counters)?;
    ATTEMPTS.remove(storage, &payout.account);
    save(storage, payout_id, payout, PayoutState::Settled)?;
    Ok(event)
}

/// The coins are here again: amount and bounty return to the account. A failure starts a hold-off that
/// doubles with each further one; what the owner resolves is none.
pub fn refund(
    storage: &mut dyn Storage,
    height: u64,
    payout_id: u64,
    reason: &str,
    failed: bool,
) -> ContractResult<Event> {
    let payout = load(storage, payout_id)?;
    let denom = payout.denom.as_str();
    let Lean(params) = PARAMS.load(storage)?;
    let mut counters = money::counters(storage, denom)?;
    take(&mut counters, payout_id, &payout)?;
    let back = payout.amount.checked_add(payout.bounty)?;
    counters.bounties = counters.bounties.checked_sub(payout.bounty)?;
    counters.accrued = counters.accrued.checked_add(back)?;
    let balance = money::balance(storage, &payout.account, denom)?.checked_add(back)?;
    let mut attempts = ATTEMPTS.may_load(storage, &payout.account)?.unwrap_or_default();
    if failed {
        attempts = after_failure(&attempts, &params, height);
    }
    let event = event("payout_refunded", payout_id, &payout)
        .add_attribute("reason", reason)
        .add_attribute("failures", attempts.failures.to_string());
    COUNTERS.save(storage, denom, &counters)?;
    BALANCES.save(storage, (&payout.account, denom), &balance)?;
    if failed {
        ATTEMPTS.save(storage, &payout.account, &attempts)?;
    }
    save(storage, payout_id, payout, PayoutState::Refunded)?;
    Ok(event)
}

/// Nobody can say what became of the coins. The packet stays known: a late callback still decides.
pub fn unresolve(storage: &mut dyn Storage, payout_id: u64, reason: &str) -> ContractResult<Event> {
    let payout = load(storage, payout_id)?;
    if payout.state != PayoutState::InFlight {
        return Err(ContractError::NotUnresolved { payout_id, state: payout.state });
    }
    let mut counters = money::counters(storage, &payout.denom)?;
    money::shift(&mut counters.in_flight, &mut counters.unresolved, payout.amount)?;
    let event = event("payout_unresolved", payout_id, &payout).add_attribute("reason", reason);
    COUNTERS.save(storage, &payout.denom, &counters)?;
    save(storage, payout_id, payout, PayoutState::Unresolved)?;
    Ok(event)
}

/// One failure more.
fn after_failure(attempts: &Attempts, params: &Params, height: u64) -> Attempts {
    let doublings = attempts.failures.min(MAX_DOUBLINGS);
    let wait = params.holdoff_blocks.saturating_mul(1 << doublings);
    Attempts { failures: attempts.failures.saturating_add(1), next_at: height.saturating_add(wait) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_doubles_the_hold_off_up_to_a_bound() {
        let openledger_types::profile::Profile { gateway: params, .. } =
            openledger_types::profile::Profile::protocol("uopen");
        let mut attempts = Attempts::default();
        let mut waits = Vec::new();
        for _ in 0..20 {
            attempts = after_failure(&attempts, &params, 100);
            waits.push(attempts.next_at - 100);
        }
        assert_eq!(waits[..4], [720, 1_440, 2_880, 5_760]);
        assert_eq!(waits[16], 720 << 16);
        assert_eq!(waits[19], 720 << 16);
        let last = after_failure(&Attempts { failures: u32::MAX, next_at: 0 }, &params, u64::MAX);
        assert_eq!((last.failures, last.next_at), (u32::MAX, u64::MAX));
    }
}

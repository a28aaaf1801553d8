//! Audit weight: who has it, when it counts, what decides (PROTOCOL F3, L6).

use cosmwasm_std::{QuerierWrapper, Storage, Uint128};
use openledger_types::msg::node_registry::{Auditor, MAX_AUDITORS};

use crate::state::{Contracts, STANDINGS};
use crate::ContractError;

/// Auditors with their weight now, rising, without the suspended ones and those of these addresses.
///
/// An auditor is of an address that is its operator or hot key. What a challenged node says of its own
/// hot key is not looked at: it could name other auditors' addresses and so keep them out.
pub fn snapshot(
    storage: &dyn Storage,
    querier: &QuerierWrapper,
    contracts: &Contracts,
    without: &[&str],
) -> Result<Vec<(u64, Uint128)>, ContractError> {
    let mut weights = Vec::new();
    for auditor in contracts.auditors(querier)?.into_iter().take(MAX_AUDITORS) {
        let Auditor { node_id, operator, hot_addr, weight } = auditor;
        let left_out = without.iter().any(|party| operator == *party || hot_addr.as_deref() == Some(*party));
        if weight.is_zero() || left_out || suspended(storage, node_id)? {
            continue;
        }
        weights.push((node_id, weight));
    }
    weights.sort_unstable();
    weights.dedup_by_key(|(node_id, _)| *node_id);
    Ok(weights)
}

/// Sum of a snapshot.
pub fn total(weights: &[(u64, Uint128)]) -> Result<Uint128, ContractError> {
    let sum = weights.iter().try_fold(Uint128::zero(), |sum, (_, weight)| sum.checked_add(*weight))?;
    Ok(sum)
}

/// Weight of an auditor in a snapshot; zero when it is not in it.
pub fn of(weights: &[(u64, Uint128)], auditor: u64) -> Uint128 {
    weights.iter().find(|(node_id, _)| *node_id == auditor).map(|(_, weight)| *weight).unwrap_or_default()
}

/// The lesser of an auditor's weight in a snapshot and now; refuses none.
pub fn counted(
    storage: &dyn Storage,
    querier: &QuerierWrapper,
    contracts: &Contracts,
    weights: &[(u64, Uint128)],
    auditor: u64,
) -> Result<Uint128, ContractError> {
    let before = of(weights, auditor);
    if before.is_zero() {
        return Err(ContractError::NoWeight { auditor });
    }
    Ok(before.min(now(storage, querier, contracts, auditor)?))
}

/// Weight of an auditor now; refuses none.
pub fn now(
    storage: &dyn Storage,
    querier: &QuerierWrapper,
    contracts: &Contracts,
    auditor: u64,
) -> Result<Uint128, ContractError> {
    let weight = match suspended(storage, auditor)? {
        true => Uint128::zero(),
        false => contracts.audit_weight(querier, auditor)?,
    };
    match weight.is_zero() {
        true => Err(ContractError::NoWeight { auditor }),
        false => Ok(weight),
    }
}

/// Whether `part` is at least `quorum_bps` of `eligible`; nothing is a quorum of nothing.
pub fn is_quorum(part: Uint128, eligible: Uint128, quorum_bps: u16) -> bool {
    !part.is_zero() && part.full_mul(10_000u128) >= eligible.full_mul(u128::from(quorum_bps))
}

fn suspended(storage: &dyn Storage, auditor: u64) -> Result<bool, ContractError> {
    Ok(STANDINGS.may_load(storage, auditor)?.is_some_and(|standing| standing.suspended))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_f3_a_quorum_is_a_share_of_all_eligible_weight() {
        let quorum =
            |part: u128, eligible: u128| is_quorum(Uint128::new(part), Uint128::new(eligible), 6_667);
        assert!(quorum(6_667, 10_000));
        assert!(!quorum(6_666, 10_000));
        assert!(quorum(2, 2) && quorum(u128::MAX, u128::MAX));
        assert!(!quorum(2, 3), "two thirds are a little less than 6,667 of 10,000");
        assert!(!quorum(0, 0), "nothing is a quorum of nothing");
    }

    #[test]
    fn rule_l6_two_thirds_are_a_quorum_by_default_and_less_is_none() {
        let default = openledger_types::profile::Profile::protocol("uopen").referee.quorum_bps;
        let quorum =
            |part: u128, eligible: u128| is_quorum(Uint128::new(part), Uint128::new(eligible), default);
        for n in 1..=40 {
            assert!(quorum(2 * n, 3 * n) && !quorum(2 * n - 1, 3 * n), "{n}");
        }
        assert!(quorum(2 * (u128::MAX / 3), u128::MAX));
        assert!(!quorum(6_665, 10_000));
    }
}

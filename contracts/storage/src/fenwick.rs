//! Sums of leaves over a node's positions, so that a draw finds the fragment of any leaf in a number of
//! steps that grows with the logarithm of the positions.
//!
//! A binary indexed tree (Fenwick 1994): entry `p` holds the sum over positions `p - lowbit(p) + 1 ..= p`.
//! Appending writes one entry, taking leaves away one for each bit.

use cosmwasm_std::Storage;

use crate::error::{ContractError, ContractResult};
use crate::state::SUMS;

fn lowbit(position: u64) -> u64 {
    position & position.wrapping_neg()
}

fn sum(storage: &dyn Storage, node_id: u64, position: u64) -> ContractResult<u64> {
    Ok(SUMS.may_load(storage, (node_id, position))?.unwrap_or_default())
}

/// Appends position `last + 1` with so many leaves; returns the position.
pub fn append(storage: &mut dyn Storage, node_id: u64, last: u64, leaves: u64) -> ContractResult<u64> {
    let position = last.saturating_add(1);
    let mut total = leaves;
    let mut step = 1;
    while step < lowbit(position) {
        total = total.saturating_add(sum(storage, node_id, position.saturating_sub(step))?);
        step = step.saturating_mul(2);
    }
    SUMS.save(storage, (node_id, position), &total)?;
    Ok(position)
}

/// Takes a position's leaves away, of `last` positions.
pub fn remove(
    storage: &mut dyn Storage,
    node_id: u64,
    last: u64,
    position: u64,
    leaves: u64,
) -> ContractResult<()> {
    let mut at = position;
    while at <= last && at > 0 {
        let left = sum(storage, node_id, at)?.saturating_sub(leaves);
        SUMS.save(storage, (node_id, at), &left)?;
        at = at.saturating_add(lowbit(at));
    }
    Ok(())
}

/// The position that holds leaf `leaf` of all, and its number there.
pub fn find(storage: &dyn Storage, node_id: u64, last: u64, leaf: u64) -> ContractResult<(u64, u64)> {
    let mut step = match last {
        0 => 0,
        _ => 1u64 << last.ilog2(),
    };
    let (mut before, mut rest) = (0u64, leaf);
    while step > 0 {
        let at = before.saturating_add(step);
        if at <= last {
            let here = sum(storage, node_id, at)?;
            if here <= rest {
                rest = rest.saturating_sub(here);
                before = at;
            }
        }
        step /= 2;
    }
    match before < last {
        true => Ok((before.saturating_add(1), rest)),
        false => Err(ContractError::NotFound { what: "leaf", id: leaf }),
    }
}

#[cfg(test)]
mod tests {
    use cosmwasm_std::testing::MockStorage;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_leaf_is_found_where_it_is(
            sizes in proptest::collection::vec(1u64..50, 1..70),
            gone in proptest::collection::vec(any::<prop::sample::Index>(), 0..30),
        ) {
            let mut storage = MockStorage::new();
            let mut sizes = sizes;
            for (at, size) in sizes.iter().enumerate() {
                prop_assert_eq!(append(&mut storage, 7, at as u64, *size).unwrap(), at as u64 + 1);
            }
            let last = sizes.len() as u64;
            for index in gone {
                let at = index.index(sizes.len());
                remove(&mut storage, 7, last, at as u64 + 1, sizes[at]).unwrap();
                sizes[at] = 0;
            }
            let mut leaf = 0;
            for (at, size) in sizes.iter().enumerate() {
                for inside in 0..*size {
                    prop_assert_eq!(find(&storage, 7, last, leaf).unwrap(), (at as u64 + 1, inside));
                    leaf += 1;
                }
            }
            prop_assert!(find(&storage, 7, last, leaf).is_err());
        }
    }
}

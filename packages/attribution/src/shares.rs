//! From credits to basis points.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use openledger_types::formats::{tie_key, Share, BPS, MAX_SHARES};
use openledger_types::merkle::Hash;

/// Shares as a receipt states them: sorted by contribution, none of 0, at most 64, with
/// `no_evidence` exactly 10,000.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Who earns.
    pub shares: Vec<Share>,
    /// Basis points for which there is no evidence.
    pub no_evidence: u16,
}

/// Divides 10,000 basis points by credits (any unit).
///
/// The 64 largest credits stay, equal ones by [`tie_key`] ascending; what is cut off joins
/// `no_evidence`. Each gets the floor; the missing points go one each by largest remainder, ties by
/// [`tie_key`] ascending, where `no_evidence` takes part as contribution 0. No credit at all is
/// 10,000 of `no_evidence`. Credits of 2^96 and more are compared in units of 2^32.
pub fn shares(credits: &BTreeMap<u64, u128>, no_evidence: u128, seed: &Hash) -> Shares {
    let largest = credits.values().copied().chain([no_evidence]).max().unwrap_or(0);
    let shift = if largest >> 96 == 0 { 0 } else { 32 };
    let mut entries: Vec<(u64, u128, Hash)> = credits
        .iter()
        .filter(|(id, credit)| **id != 0 && **credit >> shift != 0)
        .map(|(id, credit)| (*id, credit >> shift, tie_key(seed, *id)))
        .collect();
    entries.sort_by(|a, b| Reverse(a.1).cmp(&Reverse(b.1)).then(a.2.cmp(&b.2)));
    let cut = entries.split_off(entries.len().min(MAX_SHARES));
    let rest = cut.iter().map(|entry| entry.1).fold(no_evidence >> shift, u128::saturating_add);
    entries.push((0, rest, tie_key(seed, 0)));
    let total = entries.iter().map(|entry| entry.1).fold(0, u128::saturating_add);
    if total == 0 {
        return Shares { shares: Vec::new(), no_evidence: BPS };
    }
    let whole = u128::from(BPS);
    // A remainder is below the total; a floor is at most 10,000.
    let mut parts: Vec<(u64, u16, u128, Hash)> = entries
        .into_iter()
        .map(|(id, credit, tie)| {
            let scaled = credit.saturating_mul(whole);
            (id, (scaled / total).min(whole) as u16, scaled % total, tie)
        })
        .collect();
    let given: u32 = parts.iter().map(|part| u32::from(part.1)).sum();
    let missing = u32::from(BPS).saturating_sub(given) as usize;
    parts.sort_by(|a, b| Reverse(a.2).cmp(&Reverse(b.2)).then(a.3.cmp(&b.3)));
    for part in parts.iter_mut().take(missing) {
        part.1 += 1;
    }
    parts.sort_by_key(|part| part.0);
    let no_evidence = parts.iter().filter(|part| part.0 == 0).map(|part| part.1).sum();
    let shares = parts
        .iter()
        .filter(|part| part.0 != 0 && part.1 != 0)
        .map(|part| Share { contribution_id: part.0, bps: part.1 })
        .collect();
    Shares { shares, no_evidence }
}

#[cfg(test)]
mod tests {
    use super::*;
    use openledger_types::formats::validate_shares;
    use proptest::prelude::*;

    fn check(credits: &BTreeMap<u64, u128>, no_evidence: u128) -> Shares {
        let shares = shares(credits, no_evidence, &[7; 32]);
        validate_shares(&shares.shares, shares.no_evidence).unwrap();
        shares
    }

    #[test]
    fn nothing_is_no_evidence() {
        assert_eq!(check(&BTreeMap::new(), 0).no_evidence, 10_000);
        assert_eq!(check(&BTreeMap::from([(3, 0)]), 0).no_evidence, 10_000);
    }

    #[test]
    fn the_tail_joins_no_evidence() {
        let credits: BTreeMap<u64, u128> = (1..=100).map(|id| (id, 100)).collect();
        let result = check(&credits, 0);
        assert_eq!(result.shares.len(), 64);
        assert_eq!(result.no_evidence, 3_600);
    }

    #[test]
    fn ties_are_broken_by_hash() {
        let credits = BTreeMap::from([(1, 1), (2, 1), (3, 1)]);
        let lucky: Vec<u64> = (0..40u8)
            .map(|seed| {
                shares(&credits, 0, &[seed; 32]).shares.iter().max_by_key(|s| s.bps).unwrap().contribution_id
            })
            .collect();
        assert!((1..=3).all(|id| lucky.contains(&id)));
    }

    proptest! {
        #[test]
        fn rule_s2_always_ten_thousand(
            credits in prop::collection::btree_map(any::<u64>(), any::<u128>(), 0..200),
            shift in 0u32..128,
            no_evidence in any::<u128>(),
        ) {
            let credits = credits.into_iter().map(|(id, credit)| (id, credit >> shift)).collect();
            check(&credits, no_evidence >> shift);
        }
    }
}

//! From a signature to credits: products, owners, the noise floor. Integers only.

use std::collections::BTreeMap;

use super::{InfluenceIndex, Signature};
use crate::Credits;

/// What one contributor's documents did to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnerInfluence {
    /// Sum over the contributor's documents.
    pub influence: i64,
    /// The document with the largest influence, the smaller number of equals: it is cited for all.
    pub strongest: u64,
    /// Its influence.
    pub peak: i64,
}

/// The influences of all documents on an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Influence {
    /// By contribution, ascending; documents without any common slot have 0.
    pub documents: Vec<(u64, i64)>,
}

impl InfluenceIndex {
    /// Influence of every document on the answer with this signature: the sum of products of the rows
    /// that both have. Above 0 the document made the answer more likely.
    pub fn influence(&self, signature: &Signature) -> Influence {
        let mut sums = vec![0i64; self.documents().len()];
        for (slot, ours) in signature.rows() {
            for (document, theirs) in self.list(*slot) {
                let product: i32 = ours.iter().zip(theirs).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum();
                // At most 2^18 a row and 2^20 rows.
                sums[*document as usize] += i64::from(product);
            }
        }
        let documents = self.documents().iter().zip(sums);
        Influence { documents: documents.map(|((id, exponent), sum)| (*id, sum << exponent)).collect() }
    }
}

impl Influence {
    /// Sums by owner. Documents of no known owner are left out.
    pub fn by_owner<'a>(&self, owner: impl Fn(u64) -> Option<&'a str>) -> BTreeMap<&'a str, OwnerInfluence> {
        let mut owners: BTreeMap<&str, OwnerInfluence> = BTreeMap::new();
        for (contribution_id, influence) in &self.documents {
            let Some(name) = owner(*contribution_id) else { continue };
            let first = OwnerInfluence { influence: 0, strongest: *contribution_id, peak: i64::MIN };
            let sum = owners.entry(name).or_insert(first);
            sum.influence = sum.influence.saturating_add(*influence);
            if *influence > sum.peak {
                (sum.strongest, sum.peak) = (*contribution_id, *influence);
            }
        }
        owners
    }

    /// Credits of the contributions. An owner's influence above the noise floor is credited to the
    /// strongest of the owner's documents; what lies below the floor has no evidence.
    ///
    /// One contribution stands for its owner, because a receipt has room for 64: spread over hundreds of
    /// documents, most of it would be cut.
    pub fn credits<'a>(&self, owner: impl Fn(u64) -> Option<&'a str>) -> Credits {
        let owners = self.by_owner(owner);
        let floor = noise_floor(owners.values().map(|sum| sum.influence).collect());
        let mut credits = Credits::default();
        for sum in owners.values() {
            let helped = sum.influence.max(0).unsigned_abs();
            let above = helped.saturating_sub(floor);
            if above > 0 {
                *credits.contributions.entry(sum.strongest).or_default() += u128::from(above);
            }
            credits.no_evidence += u128::from(helped - above);
        }
        credits
    }
}

/// The median of the distances from the median; of an even number the lower one.
pub(crate) fn noise_floor(mut values: Vec<i64>) -> u64 {
    let median = |values: &mut Vec<i64>| -> i64 {
        values.sort_unstable();
        values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(0)
    };
    let middle = median(&mut values);
    let mut distances: Vec<u64> = values.iter().map(|value| value.abs_diff(middle)).collect();
    distances.sort_unstable();
    distances.get(distances.len().saturating_sub(1) / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_noise_floor_is_the_median_distance_from_the_median() {
        assert_eq!(noise_floor(vec![]), 0);
        assert_eq!(noise_floor(vec![5]), 0);
        assert_eq!(noise_floor(vec![1, 2, 3, 4, 100]), 1);
        assert_eq!(noise_floor(vec![i64::MIN, 0, i64::MAX]), i64::MAX as u64);
    }

    #[test]
    fn what_lies_below_the_floor_has_no_evidence_and_harm_earns_nothing() {
        let influence = Influence { documents: vec![(1, 100), (2, -50), (3, 4), (4, 2), (5, 60), (6, 3)] };
        let names = ["", "a", "b", "c", "d", "a", "e"];
        let credits = influence.credits(|id| names.get(id as usize).copied());
        // Sums: a 160, b -50, c 4, d 2, e 3; median 3, distances 157, 53, 1, 1, 0: floor 1.
        assert_eq!(credits.contributions, BTreeMap::from([(1, 159), (3, 3), (4, 1), (6, 2)]));
        assert_eq!(credits.no_evidence, 4);
    }
}

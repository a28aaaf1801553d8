//! From a signature to credits: products, the average or the noise floor, owners. Integers only.

use std::collections::BTreeMap;

use super::{InfluenceIndex, Signature};
use crate::Credits;

/// One in so many parts of the average influence is taken from every document.
const AVERAGE_PART: i128 = 4;

/// What one contributor's documents did to an answer.
struct Owned<T> {
    /// Sum over the contributor's documents.
    sum: T,
    /// The document with the largest influence, the smaller number of equals: it is cited for all.
    strongest: u64,
    /// Its influence.
    peak: T,
}

/// Sums by owner. Documents of no known owner are left out.
fn by_owner<'a, T: Copy + Ord>(
    documents: impl IntoIterator<Item = (u64, T)>,
    add: fn(T, T) -> T,
    owner: impl Fn(u64) -> Option<&'a str>,
) -> BTreeMap<&'a str, Owned<T>> {
    let mut owners: BTreeMap<&str, Owned<T>> = BTreeMap::new();
    for (id, influence) in documents {
        let Some(name) = owner(id) else { continue };
        let Some(owned) = owners.get_mut(name) else {
            owners.insert(name, Owned { sum: influence, strongest: id, peak: influence });
            continue;
        };
        owned.sum = add(owned.sum, influence);
        if influence > owned.peak {
            (owned.strongest, owned.peak) = (id, influence);
        }
    }
    owners
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
    /// Every document's influence less a quarter of what falls to its size of the influence of all, rounded down.
    /// `sizes` go with [`Influence::documents`].
    pub fn less_average(&self, sizes: &[u64]) -> Vec<(u64, i128)> {
        // Influences of 2^20 documents are below 2^83 together, sizes below 2^32.
        let all: i128 = self.documents.iter().map(|(_, influence)| i128::from(*influence)).sum();
        let whole: i128 = AVERAGE_PART * sizes.iter().map(|size| i128::from(*size)).sum::<i128>();
        let taken = |size: u64| (all * i128::from(size)).checked_div_euclid(whole).unwrap_or(0);
        let documents = self.documents.iter().zip(sizes);
        documents.map(|((id, influence), size)| (*id, i128::from(*influence) - taken(*size))).collect()
    }

    /// Credits of the contributions: sums by owner of [`Influence::less_average`] that are above 0, credited to the
    /// strongest of the owner's documents. Nothing has no evidence.
    ///
    /// A model is trained for a number of steps, whatever the data: the place that a document takes, all others
    /// together would fill. Taking the whole average would say so best, but then whoever splits what it has among many
    /// names gains by every part that is below it; at a quarter nobody does (docs/adr/0043).
    ///
    /// One contribution stands for its owner, because a receipt has room for 64: spread over hundreds of documents,
    /// most of it would be cut.
    pub fn credits<'a>(&self, sizes: &[u64], owner: impl Fn(u64) -> Option<&'a str>) -> Credits {
        let owners = by_owner(self.less_average(sizes), i128::saturating_add, owner);
        let helped = owners.into_values().filter(|owned| owned.sum > 0);
        let contributions = helped.map(|owned| (owned.strongest, owned.sum.unsigned_abs())).collect();
        Credits { contributions, no_evidence: 0 }
    }

    /// Credits as models of [`crate::THREE_LAYERS_FLOORED`] and [`crate::TWO_LAYERS`] pay: an owner's influence above
    /// the noise floor is credited to the strongest of the owner's documents; what lies below the floor has no
    /// evidence. Who has few documents hardly ever reaches it.
    pub fn credits_above_floor<'a>(&self, owner: impl Fn(u64) -> Option<&'a str>) -> Credits {
        let owners = by_owner(self.documents.iter().copied(), i64::saturating_add, owner);
        let floor = noise_floor(owners.values().map(|owned| owned.sum).collect());
        let mut credits = Credits::default();
        for owned in owners.values() {
            let helped = owned.sum.max(0).unsigned_abs();
            let above = helped.saturating_sub(floor);
            if above > 0 {
                *credits.contributions.entry(owned.strongest).or_default() += u128::from(above);
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
        let credits = influence.credits_above_floor(|id| names.get(id as usize).copied());
        // Sums: a 160, b -50, c 4, d 2, e 3; median 3, distances 157, 53, 1, 1, 0: floor 1.
        assert_eq!(credits.contributions, BTreeMap::from([(1, 159), (3, 3), (4, 1), (6, 2)]));
        assert_eq!(credits.no_evidence, 4);
    }

    #[test]
    fn a_quarter_of_the_average_is_taken_from_every_document() {
        let influence = Influence { documents: vec![(1, 100), (2, -50), (3, 40), (4, 10)] };
        let owner = |id| ["", "a", "b", "a", "c"].get(id as usize).copied();
        // Of the average, 20, 30, 30 and 20 by size, a quarter: 5, 7, 7 and 5.
        let credits = influence.credits(&[20, 30, 30, 20], owner);
        assert_eq!(credits, Credits { contributions: BTreeMap::from([(1, 128), (4, 5)]), no_evidence: 0 });
        // Rounded down where it is negative, too.
        let influence = Influence { documents: vec![(1, 0), (2, -5)] };
        assert_eq!(influence.credits(&[1, 1], owner).contributions, BTreeMap::from([(1, 1)]));
    }

    #[test]
    fn sizes_of_nothing_and_the_largest_numbers_are_counted_with() {
        let empty = Influence { documents: vec![(1, 7), (2, 1)] };
        assert_eq!(empty.credits(&[0, 0], |_| Some("a")).contributions, BTreeMap::from([(1, 8)]));
        let largest = Influence { documents: vec![(1, i64::MAX), (2, i64::MIN), (3, i64::MAX)] };
        let credits = largest.credits(&[u64::from(u32::MAX); 3], |_| Some("a"));
        assert!(credits.contributions[&1] > 0);
    }
}

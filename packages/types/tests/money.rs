//! Division of fees: nothing is lost, nothing depends on order, rounding cannot be farmed.

use openledger_types::formats::Share;
use openledger_types::money::*;
use proptest::prelude::*;

fn split() -> impl Strategy<Value = Split> {
    (0u16..=10_000, 0u16..=10_000, 0u16..=10_000).prop_map(|(a, b, c)| {
        let mut cuts = [a, b, c];
        cuts.sort_unstable();
        Split {
            protocol: cuts[0],
            developer: cuts[1] - cuts[0],
            node: cuts[2] - cuts[1],
            data: 10_000 - cuts[2],
        }
    })
}

fn shares() -> impl Strategy<Value = (Vec<Share>, u16)> {
    prop::collection::btree_set(1u64..1000, 0..64).prop_flat_map(|ids| {
        let n = ids.len();
        (Just(ids), prop::collection::vec(1u32..1000, n), 0u32..1000).prop_map(|(ids, weights, rest)| {
            let total: u32 = weights.iter().sum::<u32>() + rest.max(1);
            let shares: Vec<Share> = ids
                .into_iter()
                .zip(weights)
                .map(|(id, w)| Share { contribution_id: id, bps: ((w * 9_000 / total) as u16).max(1) })
                .collect();
            let given: u16 = shares.iter().map(|s| s.bps).sum();
            (shares, 10_000 - given)
        })
    })
}

proptest! {
    #[test]
    fn rule_l4_parts_sum_to_the_fees(fees in any::<u128>(), split in split()) {
        let parts = split_fees(fees, &split).unwrap();
        prop_assert_eq!(parts.protocol + parts.developer + parts.node + parts.data, fees);
        prop_assert!(parts.data >= bps_floor(fees, split.data));
    }

    #[test]
    fn rule_l4_an_answer_is_divided_to_the_last_unit(
        fee in prop_oneof![0u128..100_000, any::<u128>()], bps in 0u16..=10_000,
        (shares, rest) in shares(), seed in any::<[u8; 32]>(),
    ) {
        let division = divide_answer(fee, bps, &shares, rest, &seed);
        let sum = division.amounts.iter().map(|(_, a)| a).sum::<u128>() + division.commons;
        prop_assert_eq!(sum, bps_floor(fee, bps));
        for (share, (id, amount)) in shares.iter().zip(&division.amounts) {
            prop_assert_eq!(share.contribution_id, *id);
            let exact = bps_floor(bps_floor(fee, bps), share.bps);
            prop_assert!(*amount == exact || *amount == exact + 1);
        }
    }

    #[test]
    fn rule_l4_dust_is_never_negative(fees in prop::collection::vec(0u128..1_000_000, 1..50), split in split()) {
        let settled = split_fees(fees.iter().sum(), &split).unwrap().data;
        let divided: u128 = fees.iter().map(|f| bps_floor(*f, split.data)).sum();
        prop_assert!(divided <= settled);
        prop_assert!(settled - divided < 3 + fees.len() as u128);
    }
}

#[test]
fn bps_floor_equals_wide_arithmetic_at_the_edges() {
    assert_eq!(bps_floor(u128::MAX, 10_000), u128::MAX);
    assert_eq!(bps_floor(u128::MAX, 0), 0);
    assert_eq!(bps_floor(9_999, 1), 0);
    assert_eq!(bps_floor(10_000, 1), 1);
    assert_eq!(bps_floor(12_345, 3_333), 12_345 * 3_333 / 10_000);
}

#[test]
fn a_million_one_unit_answers_farm_nothing() {
    // Half of one unit rounds to nothing for the data; the settlement's dust leaf takes it up.
    let shares = [Share { contribution_id: 1, bps: 10_000 }];
    let mut earned = 0;
    for i in 0..1_000_000u32 {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&i.to_be_bytes());
        earned += divide_answer(1, 5_000, &shares, 0, &seed).amounts[0].1;
    }
    assert_eq!(earned, 0);
}

#[test]
fn finding_p3_the_least_fee_holds_and_overflow_is_refused() {
    assert_eq!(answer_fee(1, 1, 10, 20, 10_000), Some(10_000));
    assert_eq!(answer_fee(1000, 1000, 10, 20, 10_000), Some(30_000));
    assert_eq!(answer_fee(u32::MAX, 1, u128::MAX, 1, 1), None);
}

#[test]
fn rule_f2_a_part_of_the_fees_held_is_rounded_up() {
    for (amount, bps, part) in [
        (0, 500, 0),
        (1, 500, 1),
        (20, 500, 1),
        (21, 500, 2),
        (10_000, 10_000, 10_000),
        (7, 0, 0),
        (7, 20_000, 7),
    ] {
        assert_eq!(bps_ceil(amount, bps), part);
    }
    assert_eq!(bps_ceil(u128::MAX, 10_000), u128::MAX);
}

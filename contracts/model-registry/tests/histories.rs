//! Random lineages against a recomputation that knows nothing of merging (PROTOCOL L11).

use std::collections::BTreeMap;

use openledger_model_registry::execute::lineage;
use openledger_model_registry::ContractError;
use openledger_testing::{parents, ModelRef};
use openledger_types::money::{bps_floor, split_royalties, Split};
use openledger_types::msg::model_registry::ParentKind;
use proptest::prelude::*;

use crate::common::{fixture, Fixture};

const DEVELOPERS: [&str; 10] = ["ada", "ben", "cem", "dan", "eva", "fay", "gil", "hal", "ida", "jon"];
/// K of L11, and the devnet's cap.
const MOST: usize = 8;
const CAP: u16 = 2_000;

/// One step of a history.
#[derive(Debug, Clone)]
enum Step {
    /// A developer registers a model; parents are picked among those that are there.
    Register { developer: usize, royalty_bps: u16, developer_bps: u16, parents: Vec<usize> },
    /// A model is handed over.
    HandOver { model: usize, to: usize },
}

/// A version as the recomputation knows it: everything it owes, entry by entry, never merged.
struct Known {
    place: ModelRef,
    developer: usize,
    royalty_bps: u16,
    owes: Vec<(usize, u16)>,
}

fn step() -> impl Strategy<Value = Step> {
    let developer = 0..DEVELOPERS.len();
    // Mostly little, so that lists grow long before they grow too high.
    let royalty = prop_oneof![1 => Just(0u16), 8 => 1..30u16, 1 => 1..400u16, 1 => Just(CAP)];
    let part = prop_oneof![3 => Just(CAP), 1 => 0..2_600u16];
    let register = (developer.clone(), royalty, part, proptest::collection::vec(any::<usize>(), 0..=4))
        .prop_map(|(developer, royalty_bps, developer_bps, parents)| Step::Register {
            developer,
            royalty_bps,
            developer_bps,
            parents,
        });
    let hand_over = (any::<usize>(), developer).prop_map(|(model, to)| Step::HandOver { model, to });
    prop_oneof![6 => register, 1 => hand_over]
}

/// Takes a step in the contract and in the recomputation, and compares.
fn take(f: &mut Fixture, known: &mut Vec<Known>, step: &Step) -> Result<(), TestCaseError> {
    match step {
        Step::HandOver { model, to } => {
            if known.is_empty() {
                return Ok(());
            }
            let model = model % known.len();
            let (from, to_addr) =
                (f.world.account(DEVELOPERS[known[model].developer]), f.world.account(DEVELOPERS[*to]));
            f.world.hand_over(&from, &to_addr, known[model].place.0).unwrap();
            known[model].developer = *to;
        }
        Step::Register { developer, royalty_bps, developer_bps, parents: picked } => {
            let mut on: Vec<usize> =
                picked.iter().filter(|_| !known.is_empty()).map(|p| p % known.len()).collect();
            on.sort_unstable();
            on.dedup();
            let owes: Vec<(usize, u16)> = on
                .iter()
                .flat_map(|p| {
                    let own = (known[*p].developer, known[*p].royalty_bps);
                    std::iter::once(own).chain(known[*p].owes.iter().copied())
                })
                .filter(|(_, bps)| *bps > 0)
                .collect();
            let places: Vec<ModelRef> = on.iter().map(|p| known[*p].place).collect();
            let split =
                Split { protocol: 500, developer: *developer_bps, node: 5_500 - developer_bps, data: 4_000 };
            let sent = f.model_with(DEVELOPERS[*developer], *royalty_bps, &places, |v| v.split = split);

            let mut merged = BTreeMap::<usize, u32>::new();
            for (developer, bps) in &owes {
                *merged.entry(*developer).or_default() += u32::from(*bps);
            }
            let total: u32 = owes.iter().map(|(_, bps)| u32::from(*bps)).sum();
            let most = CAP.min(*developer_bps);
            let expected = if merged.len() > MOST {
                Some(ContractError::RoyaltyCount { most: MOST, actual: merged.len() })
            } else if total > u32::from(most) {
                Some(ContractError::RoyaltiesTooHigh { most, total })
            } else {
                None
            };
            match (sent, expected) {
                (Err(refused), Some(expected)) => prop_assert!(refused.is(&expected), "{refused}"),
                (Err(refused), None) => return Err(TestCaseError::fail(format!("refused: {refused}"))),
                (Ok(_), Some(expected)) => {
                    return Err(TestCaseError::fail(format!("not refused: {expected}")))
                }
                (Ok(place), None) => {
                    let entries: Vec<(&str, u16)> = merged
                        .iter()
                        .map(|(developer, bps)| (DEVELOPERS[*developer], u16::try_from(*bps).unwrap()))
                        .collect();
                    let royalties = f.royalties(place);
                    prop_assert_eq!(&royalties, &f.owed(&entries));
                    order_does_not_matter(f, &places)?;
                    let parts: Vec<u16> = royalties.iter().map(|r| r.bps).collect();
                    for fees in [0, 1, 9_999, 10_000, 1_234_567, u128::MAX] {
                        let part = bps_floor(fees, *developer_bps);
                        prop_assert!(split_royalties(fees, part, &parts).is_some(), "never above the part");
                    }
                    known.push(Known { place, developer: *developer, royalty_bps: *royalty_bps, owes });
                }
            }
        }
    }
    Ok(())
}

/// Flattens the parents in the opposite order.
fn order_does_not_matter(f: &Fixture, places: &[ModelRef]) -> Result<(), TestCaseError> {
    let storage = f.world.app.contract_storage(&f.world.model_registry);
    let mut on = parents(ParentKind::Base, places);
    let forwards = lineage::flatten(&*storage, &on).unwrap();
    on.reverse();
    prop_assert_eq!(lineage::flatten(&*storage, &on).unwrap(), forwards);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rule_l11_any_lineage_owes_what_a_naive_recomputation_owes(
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        let mut f = fixture();
        let mut known = vec![];
        for step in &steps {
            take(&mut f, &mut known, step)?;
        }
        // Nothing that was pinned has moved since.
        for version in &known {
            let mut merged = BTreeMap::<usize, u16>::new();
            for (developer, bps) in &version.owes {
                *merged.entry(*developer).or_default() += bps;
            }
            let entries: Vec<(&str, u16)> =
                merged.into_iter().map(|(developer, bps)| (DEVELOPERS[developer], bps)).collect();
            prop_assert_eq!(f.royalties(version.place), f.owed(&entries));
        }
    }
}

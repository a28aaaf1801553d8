//! Packs and their fragments.

use openledger_merkle::{leaf_hash, verify_inclusion};
use openledger_store::{fragment_leaf, fragment_root, fragments, restore, StoreError};
use openledger_types::formats::Coding;
use proptest::prelude::*;

const CODE: Coding = Coding { data: 4, total: 8 };
const COPIES: Coding = Coding { data: 1, total: 3 };

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 1..20_000)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_four_of_eight_fragments_give_the_pack_back(
        pack in bytes(),
        slots in Just((0u8..8).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let made = fragments(&pack, CODE).unwrap();
        prop_assert_eq!(made.len(), 8);
        let found: Vec<(u8, Vec<u8>)> =
            slots[..4].iter().map(|slot| (*slot, made[usize::from(*slot)].clone())).collect();
        prop_assert_eq!(restore(pack.len() as u64, CODE, &found).unwrap(), pack.clone());
        let three = restore(pack.len() as u64, CODE, &found[..3]);
        prop_assert!(matches!(three, Err(StoreError::Coding(_))));
        let twice = [found[0].clone(), found[0].clone(), found[1].clone(), found[2].clone()];
        prop_assert!(restore(pack.len() as u64, CODE, &twice).is_err());
    }

    #[test]
    fn every_copy_is_the_whole_pack(pack in bytes()) {
        let made = fragments(&pack, COPIES).unwrap();
        prop_assert_eq!(made.len(), 1);
        for slot in 0..3 {
            prop_assert_eq!(&restore(pack.len() as u64, COPIES, &[(slot, made[0].clone())]).unwrap(), &pack);
        }
    }

    #[test]
    fn every_leaf_has_its_path_and_nothing_else_has(pack in bytes(), at in any::<prop::sample::Index>()) {
        let fragment = &fragments(&pack, CODE).unwrap()[5];
        let (root, leaves) = (fragment_root(fragment), CODE.fragment_leaves(pack.len() as u64));
        let index = at.index(leaves as usize) as u64;
        let (leaf, path) = fragment_leaf(fragment, index).unwrap();
        prop_assert!(verify_inclusion(&leaf_hash(leaf), index, leaves, &path, &root));
        let mut other = leaf.to_vec();
        other[0] ^= 1;
        prop_assert!(!verify_inclusion(&leaf_hash(&other), index, leaves, &path, &root));
        prop_assert!(fragment_leaf(fragment, leaves).is_none());
    }

    #[test]
    fn hostile_fragments_never_panic(
        len in 0u64..10_000,
        found in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..200)), 0..9),
        data in 0u8..6,
        total in 0u8..9,
    ) {
        drop(restore(len, Coding { data, total }, &found));
    }
}

/// The code is fixed: the same pack gives the same fragments in every release, or what is kept is lost.
#[test]
fn the_code_is_frozen() {
    let pack: Vec<u8> = (0..1_000u32).map(|i| (i * 7 % 251) as u8).collect();
    let roots: Vec<String> =
        fragments(&pack, CODE).unwrap().iter().map(|bytes| hex::encode(fragment_root(bytes))).collect();
    println!("{roots:#?}");
    assert_eq!(roots[..4].iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    assert_eq!(roots, frozen());
}

fn frozen() -> Vec<&'static str> {
    include_str!("fragments.txt").lines().collect()
}

//! Trees against a direct transcription of RFC 6962, and proofs that must fail when anything moves.

use openledger_merkle::*;
use proptest::prelude::*;

/// RFC 6962 §2.1, written as the definition reads.
fn mth<N: Node>(d: &[N]) -> N {
    match d.len() {
        0 => N::empty(),
        1 => d[0].clone(),
        n => {
            let k = (n as u64).next_power_of_two() as usize / 2;
            N::inner(&mth(&d[..k]), &mth(&d[k..])).unwrap()
        }
    }
}

fn hashes(n: usize) -> Vec<Hash> {
    (0..n).map(|i| leaf_hash(&(i as u64).to_be_bytes())).collect()
}

fn sums(n: usize) -> Vec<SumNode> {
    (0..n).map(|i| SumNode::leaf(&(i as u64).to_be_bytes(), (i * i) as u128)).collect()
}

fn check_all<N: Node + std::fmt::Debug>(leaves: Vec<N>) {
    let n = leaves.len() as u64;
    let tree = Tree::new(leaves.clone()).unwrap();
    let root = tree.root();
    assert_eq!(root, mth(&leaves));
    let mut log = Frontier::new();
    for (i, leaf) in leaves.iter().enumerate() {
        log.push(leaf.clone()).unwrap();
        assert_eq!(log.root().unwrap(), mth(&leaves[..=i]));
    }
    for i in 0..n {
        let path = tree.prove(i).unwrap();
        let leaf = &leaves[i as usize];
        assert!(verify_inclusion(leaf, i, n, &path, &root));
        for j in (0..n).filter(|j| *j != i) {
            assert!(!verify_inclusion(leaf, j, n, &path, &root));
        }
        let mut longer = path.clone();
        longer.push(root.clone());
        assert!(!verify_inclusion(leaf, i, n, &longer, &root));
        if !path.is_empty() {
            assert!(!verify_inclusion(leaf, i, n, &path[1..], &root));
            assert!(!verify_inclusion(leaf, i, n, &path[..path.len() - 1], &root));
        }
    }
    for m in 0..=n {
        let old = mth(&leaves[..m as usize]);
        let proof = tree.prove_consistency(m).unwrap();
        assert!(verify_consistency(m, &old, n, &root, &proof), "{m} of {n}");
        if m > 0 && m < n {
            assert!(!verify_consistency(m, &root, n, &root, &proof));
            assert!(!verify_consistency(m - 1, &old, n, &root, &proof));
            let mut more = proof.clone();
            more.push(root.clone());
            assert!(!verify_consistency(m, &old, n, &root, &more));
        }
    }
    assert!(tree.prove(n).is_none());
    assert!(tree.prove_consistency(n + 1).is_none());
}

#[test]
fn every_size_up_to_40() {
    for n in 0..=40 {
        check_all(hashes(n));
        check_all(sums(n));
    }
}

#[test]
fn known_roots_of_rfc6962() {
    // Empty tree and the tree over one empty leaf, as certificate transparency logs publish them.
    let hex = |h: Hash| h.iter().map(|b| format!("{b:02x}")).collect::<String>();
    assert_eq!(
        hex(Tree::<Hash>::empty().root()),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    assert_eq!(hex(chunk_root(b"x", 0)), hex(leaf_hash(b"x")));
    assert_eq!(hex(leaf_hash(b"")), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
}

#[test]
fn rule_l9_sums_are_checked() {
    let leaves = vec![SumNode::leaf(b"a", u128::MAX), SumNode::leaf(b"b", 1)];
    assert!(Tree::new(leaves.clone()).is_none());
    let mut log = Frontier::new();
    log.push(leaves[0]).unwrap();
    assert!(log.push(leaves[1]).is_none());
    assert_eq!(log.size(), 1);
    assert!(!verify_inclusion(&leaves[0], 0, 2, &[leaves[1]], &leaves[0]));
}

#[test]
fn rule_l9_two_splits_of_one_sum_differ() {
    // The same children hashes with the sum moved between them give another parent.
    let (a, b) = (SumNode::leaf(b"a", 3), SumNode::leaf(b"b", 4));
    let moved = (SumNode { sum: 4, ..a }, SumNode { sum: 3, ..b });
    let (one, two) = (SumNode::inner(&a, &b).unwrap(), SumNode::inner(&moved.0, &moved.1).unwrap());
    assert_eq!(one.sum, two.sum);
    assert_ne!(one.hash, two.hash);
}

#[test]
fn frontier_parts_must_fit_the_size() {
    assert!(Frontier::from_parts(3, hashes(1)).is_none());
    assert!(Frontier::from_parts(3, hashes(2)).is_some());
}

proptest! {
    #[test]
    fn random_sizes_and_positions(n in 1usize..3000, i in 0usize..3000, bit in 0usize..256) {
        let i = i % n;
        let leaves = hashes(n);
        let tree = Tree::new(leaves.clone()).unwrap();
        let path = tree.prove(i as u64).unwrap();
        prop_assert!(verify_inclusion(&leaves[i], i as u64, n as u64, &path, &tree.root()));
        let mut bad = leaves[i];
        bad[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!verify_inclusion(&bad, i as u64, n as u64, &path, &tree.root()));
        let old = Tree::new(leaves[..i].to_vec()).unwrap().root();
        let proof = tree.prove_consistency(i as u64).unwrap();
        prop_assert!(verify_consistency(i as u64, &old, n as u64, &tree.root(), &proof));
    }
}

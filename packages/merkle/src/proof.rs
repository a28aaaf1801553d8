//! Checking proofs (RFC 9162 §2.1.3.2 and §2.1.4.2, which give the algorithms for RFC 6962 trees).

use crate::node::Node;

/// Whether `leaf` is leaf `index` of the tree of `size` leaves with this `root`.
/// Position, depth and sums are all checked; any overflow is a refusal.
pub fn verify_inclusion<N: Node>(leaf: &N, index: u64, size: u64, path: &[N], root: &N) -> bool {
    if index >= size {
        return false;
    }
    let (mut position, mut last) = (index, size - 1);
    let mut node = leaf.clone();
    for sibling in path {
        if last == 0 {
            return false;
        }
        let joined = if position & 1 == 1 || position == last {
            let joined = N::inner(sibling, &node);
            while position & 1 == 0 && position != 0 {
                position >>= 1;
                last >>= 1;
            }
            joined
        } else {
            N::inner(&node, sibling)
        };
        match joined {
            Some(joined) => node = joined,
            None => return false,
        }
        position >>= 1;
        last >>= 1;
    }
    last == 0 && node == *root
}

/// Whether the tree of `old_size` leaves with `old_root` is a prefix of the one of `new_size`
/// leaves with `new_root`. An empty old log is a prefix of everything, with an empty proof.
pub fn verify_consistency<N: Node>(
    old_size: u64,
    old_root: &N,
    new_size: u64,
    new_root: &N,
    proof: &[N],
) -> bool {
    if old_size > new_size {
        return false;
    }
    if old_size == 0 {
        return proof.is_empty() && *old_root == N::empty();
    }
    if old_size == new_size {
        return proof.is_empty() && old_root == new_root;
    }
    let (mut position, mut last) = (old_size - 1, new_size - 1);
    while position & 1 == 1 {
        position >>= 1;
        last >>= 1;
    }
    let mut rest = proof.iter();
    // A complete old tree is itself the first node, and the proof does not repeat it.
    let first = if old_size.is_power_of_two() { Some(old_root) } else { rest.next() };
    let Some(first) = first else { return false };
    let (mut old, mut new) = (first.clone(), first.clone());
    for node in rest {
        if last == 0 {
            return false;
        }
        if position & 1 == 1 || position == last {
            let (Some(o), Some(n)) = (N::inner(node, &old), N::inner(node, &new)) else {
                return false;
            };
            (old, new) = (o, n);
            while position & 1 == 0 && position != 0 {
                position >>= 1;
                last >>= 1;
            }
        } else {
            let Some(n) = N::inner(&new, node) else { return false };
            new = n;
        }
        position >>= 1;
        last >>= 1;
    }
    last == 0 && old == *old_root && new == *new_root
}

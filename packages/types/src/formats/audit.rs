//! What auditors commit before they say it (PROTOCOL F3, F4).

use cosmwasm_std::{Uint128, Uint256};
use openledger_merkle::Hash;

use crate::encode::Preimage;

/// Commitment to a vote.
///
/// `openledger/vote/1`: chain id text, referee's address text, case u64, auditor u64, guilty u8 (1 or
/// 0), salt (32 bytes). The names in it keep a vote from being copied.
pub fn vote_commitment(
    chain_id: &str,
    referee: &str,
    case_id: u64,
    auditor: u64,
    guilty: bool,
    salt: &Hash,
) -> Hash {
    Preimage::new("openledger/vote/1")
        .text(chain_id)
        .text(referee)
        .u64(case_id)
        .u64(auditor)
        .u8(u8::from(guilty))
        .bytes(salt)
        .hash()
}

/// Commitment to an auditor's seed for a period.
///
/// `openledger/audit-seed/1`: chain id text, referee's address text, auditor u64, period u64, seed
/// (32 bytes).
pub fn seed_commitment(chain_id: &str, referee: &str, auditor: u64, period: u64, seed: &Hash) -> Hash {
    Preimage::new("openledger/audit-seed/1")
        .text(chain_id)
        .text(referee)
        .u64(auditor)
        .u64(period)
        .bytes(seed)
        .hash()
}

/// The number that decides whether an auditor computes an answer again (PROTOCOL F4).
///
/// `openledger/audit-due/1`: seed (32 bytes), receipt's digest (32 bytes); the first eight bytes of the
/// hash, read as a big-endian number.
pub fn audit_draw(seed: &Hash, receipt: &Hash) -> u64 {
    let hash = Preimage::new("openledger/audit-due/1").bytes(seed).bytes(receipt).hash();
    let mut drawn = [0u8; 8];
    drawn.copy_from_slice(&hash[..8]);
    u64::from_be_bytes(drawn)
}

/// Whether an auditor computes an answer again (PROTOCOL F4): [`audit_draw`] is below
/// 2^64 x `rate_bps` x `weight` / (10,000 x `total`), rounded down. Of all answers `rate_bps` are due with
/// somebody, whatever the number of auditors. Nothing is due without weight; `weight` above `total` counts
/// as `total`.
pub fn audit_due(seed: &Hash, receipt: &Hash, rate_bps: u16, weight: Uint128, total: Uint128) -> bool {
    if total.is_zero() {
        return false;
    }
    // At most 2^64 x 10^4 x 2^128: below 2^206.
    let share = Uint256::from(rate_bps.min(10_000)) * Uint256::from(weight.min(total));
    let bound = (share << 64) / (Uint256::from(10_000u16) * Uint256::from(total));
    Uint256::from(audit_draw(seed, receipt)) < bound
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(seed: u8, rate_bps: u16, weight: u128, total: u128) -> usize {
        let receipt = |number: u32| openledger_merkle::leaf_hash(&number.to_be_bytes());
        let (weight, total) = (Uint128::new(weight), Uint128::new(total));
        (0..10_000).filter(|n| audit_due(&[seed; 32], &receipt(*n), rate_bps, weight, total)).count()
    }

    #[test]
    fn rule_f4_what_is_due_is_the_rate_shared_by_weight() {
        assert_eq!((due(1, 10_000, 5, 5), due(1, 10_000, 9, 5), due(1, 0, 5, 5)), (10_000, 10_000, 0));
        assert_eq!((due(1, 10_000, 0, 5), due(1, 10_000, 0, 0)), (0, 0));
        // Four deviations of a binomial of 10,000 draws.
        assert!(due(1, 500, 5, 5).abs_diff(500) < 88);
        assert!(due(1, 10_000, 1, 10).abs_diff(1_000) < 120);
        let largest = due(2, 10_000, u128::MAX / 2, u128::MAX);
        assert!(largest.abs_diff(5_000) < 200, "{largest}");
        // Another seed draws others.
        let both = |n: &u32| {
            let receipt = openledger_merkle::leaf_hash(&n.to_be_bytes());
            let one = Uint128::one();
            [[1u8; 32], [2; 32]].iter().all(|seed| audit_due(seed, &receipt, 1_000, one, one))
        };
        assert!((0..10_000).filter(both).count().abs_diff(100) < 40);
    }
}

//! What auditors commit before they say it (PROTOCOL F3, F4).

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

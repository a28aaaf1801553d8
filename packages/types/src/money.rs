//! How a fee is divided. Integers only; every rounding has a rule (PROTOCOL L4, b3 of the
//! attribution design).

use cosmwasm_schema::cw_serde;
use openledger_merkle::Hash;

use crate::formats::{tie_key, Share, BPS};

/// How a model version divides a fee, in basis points that are 10,000 together.
#[cw_serde]
#[derive(Copy, Eq)]
pub struct Split {
    /// The protocol: treasury, audits.
    pub protocol: u16,
    /// The model's developer.
    pub developer: u16,
    /// The node that answered.
    pub node: u16,
    /// The contributors of the data.
    pub data: u16,
}

crate::parts! {
    struct Split { protocol, developer, node, data }
}

impl Split {
    /// Whether the parts are 10,000 together.
    pub fn is_whole(&self) -> bool {
        [self.protocol, self.developer, self.node, self.data].iter().map(|p| u32::from(*p)).sum::<u32>()
            == u32::from(BPS)
    }
}

/// What a model version owes the developer of an ancestor, out of its own developer's part (L11).
#[cw_serde]
#[derive(Eq)]
pub struct Royalty {
    /// Who earns it.
    pub recipient: String,
    /// Basis points of the fee.
    pub bps: u16,
}

/// Divides a developer's part among royalties and the developer: floors of the fees for the
/// royalties, the rest is the developer's. `None` when royalties exceed the part.
pub fn split_royalties(fees: u128, developer_part: u128, royalties: &[u16]) -> Option<(Vec<u128>, u128)> {
    let amounts: Vec<u128> = royalties.iter().map(|bps| bps_floor(fees, *bps)).collect();
    let rest = amounts.iter().try_fold(developer_part, |left, amount| left.checked_sub(*amount))?;
    Some((amounts, rest))
}

/// The parts of a sum of fees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// The protocol's.
    pub protocol: u128,
    /// The developer's.
    pub developer: u128,
    /// The node's.
    pub node: u128,
    /// The data's: what the floors of the others leave.
    pub data: u128,
}

/// `floor(amount × bps / 10,000)`, without overflow for any amount; `bps` above 10,000 counts as 10,000.
pub fn bps_floor(amount: u128, bps: u16) -> u128 {
    let whole = u128::from(BPS);
    let bps = u128::from(bps.min(BPS));
    // amount = q·10,000 + r, so that no product exceeds the amount itself by more than 10,000².
    let (q, r) = (amount / whole, amount % whole);
    q * bps + r * bps / whole
}

/// `ceil(amount × bps / 10,000)`, without overflow for any amount; `bps` above 10,000 counts as 10,000. What a
/// challenger owes is rounded up (F2).
pub fn bps_ceil(amount: u128, bps: u16) -> u128 {
    // The other part's floor is at most the amount.
    amount.saturating_sub(bps_floor(amount, BPS.saturating_sub(bps)))
}

/// Divides settled fees: floors for protocol, developer and node, the rest is data (L4).
/// `None` when the split is not whole.
pub fn split_fees(fees: u128, split: &Split) -> Option<Parts> {
    if !split.is_whole() {
        return None;
    }
    let protocol = bps_floor(fees, split.protocol);
    let developer = bps_floor(fees, split.developer);
    let node = bps_floor(fees, split.node);
    let data = fees.checked_sub(protocol)?.checked_sub(developer)?.checked_sub(node)?;
    Some(Parts { protocol, developer, node, data })
}

/// What each contribution and the commons earn of one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Division {
    /// (contribution, amount) in the order of the shares; an amount may be 0.
    pub amounts: Vec<(u64, u128)>,
    /// For the part without evidence.
    pub commons: u128,
}

/// Divides one answer's data part, `floor(fee × data_bps / 10,000)`, by its shares: floors, then the
/// missing units one each by largest remainder, ties by [`tie_key`] of the seed ascending (the part
/// without evidence takes part as contribution 0). The amounts sum to that data part exactly.
pub fn divide_answer(fee: u128, data_bps: u16, shares: &[Share], no_evidence: u16, seed: &Hash) -> Division {
    let data = bps_floor(fee, data_bps);
    let whole = u128::from(BPS);
    let entries: Vec<(u64, u16)> =
        std::iter::once((0, no_evidence)).chain(shares.iter().map(|s| (s.contribution_id, s.bps))).collect();
    let mut amounts: Vec<u128> = entries.iter().map(|(_, bps)| bps_floor(data, *bps)).collect();
    let given: u128 = amounts.iter().sum();
    let missing = data.saturating_sub(given);
    let mut order: Vec<usize> = (0..entries.len()).filter(|i| entries[*i].1 > 0).collect();
    let remainder = |i: &usize| (data % whole) * u128::from(entries[*i].1) % whole;
    order.sort_by_cached_key(|i| (std::cmp::Reverse(remainder(i)), tie_key(seed, entries[*i].0)));
    for i in order.into_iter().take(usize::try_from(missing).unwrap_or(usize::MAX)) {
        amounts[i] += 1;
    }
    let commons = amounts[0];
    let amounts = entries.iter().zip(&amounts).skip(1).map(|((id, _), a)| (*id, *a)).collect();
    Division { amounts, commons }
}

/// What an answer costs: tokens at their prices, at least `min_fee`. `None` on overflow.
pub fn answer_fee(
    tokens_in: u32,
    tokens_out: u32,
    price_in: u128,
    price_out: u128,
    min_fee: u128,
) -> Option<u128> {
    let fee = u128::from(tokens_in)
        .checked_mul(price_in)?
        .checked_add(u128::from(tokens_out).checked_mul(price_out)?)?;
    Some(fee.max(min_fee))
}

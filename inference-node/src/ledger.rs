//! From receipts to leaves, details, epochs and claims (PROTOCOL L1-L4, S2). Pure integers: the node
//! that posts a ledger, the contributor who claims from it and whoever checks it run this same code.

use std::collections::BTreeMap;

use cosmwasm_std::{HexBinary, Uint128};
use openledger_types::formats::{
    Account, BlobRef, Detail, LedgerBlob, LedgerEntry, LedgerLeaf, ReceiptsBlob, SignedReceipt,
    SignedVoucher, SumRoot,
};
use openledger_types::merkle::{Frontier, Hash, SumNode, Tree, ZERO_HASH};
use openledger_types::money::{bps_floor, divide_answer, split_fees, Split};
use openledger_types::msg::escrow::{ClaimItem, DetailItem, PendingReceipt, Settlement, MAX_DETAILS};
use openledger_types::packed::SumPath;

use crate::fault::{Class, Fault, Result};

/// What one session adds to an epoch: its receipts that no epoch covers yet, in order of sequence.
#[derive(Debug, Clone)]
pub struct SessionPart {
    /// Session.
    pub session_id: u64,
    /// Split pinned at its opening.
    pub split: Split,
    /// The new receipts.
    pub receipts: Vec<SignedReceipt>,
}

fn broken(what: impl Into<String>) -> Fault {
    Fault::new(
        Class::Internal,
        "E-LEDGER-001",
        what,
        "Do not post or claim from this ledger: fetch the blobs again and compare them with the chain.",
    )
}

fn overflow() -> Fault {
    Fault::new(
        Class::Internal,
        "E-LEDGER-002",
        "a sum of amounts overflows",
        "Settle fewer sessions at once.",
    )
}

/// The root of a list of Merkle-sum leaves.
fn sum_root(leaves: Vec<SumNode>) -> Result<SumRoot> {
    let count = leaves.len() as u64;
    let tree = Tree::new(leaves).ok_or_else(overflow)?;
    Ok(SumRoot::new(tree.root(), count))
}

/// The commitment to a ledger's leaves.
///
/// # Errors
/// `E-LEDGER-002` when the amounts overflow.
pub fn ledger_root(blob: &LedgerBlob) -> Result<SumRoot> {
    sum_root(blob.leaves.iter().map(|entry| entry.leaf.leaf()).collect())
}

/// Puts receipts into the order of an epoch: rising ids, so that two neighbours prove an absence.
pub fn sort_receipts(receipts: &mut [SignedReceipt]) {
    receipts.sort_by_cached_key(|signed| signed.receipt.digest());
}

/// The commitment to receipts in the order given: that of a session's log, or of an epoch.
///
/// # Errors
/// `E-LEDGER-002` when the fees overflow.
pub fn receipts_root(receipts: &[SignedReceipt]) -> Result<SumRoot> {
    sum_root(receipts.iter().map(|signed| signed.receipt.leaf()).collect())
}

/// What an account earns in one epoch.
#[derive(Default)]
struct Growth {
    /// Amounts by (receipt id, contribution).
    details: BTreeMap<(Hash, u64), u128>,
}

impl Growth {
    fn add(&mut self, receipt_id: Hash, contribution_id: u64, amount: u128) -> Result<()> {
        let entry = self.details.entry((receipt_id, contribution_id)).or_default();
        *entry = entry.checked_add(amount).ok_or_else(overflow)?;
        Ok(())
    }

    /// Answers that paid it: receipts with an amount. Dust stands for no answer.
    fn uses(&self) -> u64 {
        let mut paying: Vec<&Hash> = self
            .details
            .iter()
            .filter(|((receipt, _), amount)| **amount > 0 && *receipt != ZERO_HASH)
            .map(|((receipt, _), _)| receipt)
            .collect();
        paying.dedup();
        paying.len() as u64
    }

    fn details(&self) -> Vec<Detail> {
        self.details
            .iter()
            .map(|((receipt_id, contribution_id), amount)| Detail {
                receipt_id: HexBinary::from(receipt_id),
                contribution_id: *contribution_id,
                amount: Uint128::new(*amount),
            })
            .collect()
    }
}

/// The ledger after an epoch: every leaf of the previous final one, grown by what the new receipts
/// pay (L4): `floor(fee × data_bps / 10,000)` of each, divided by its shares, the part without
/// evidence to the commons; what the settled data part exceeds their sum is dust. Details are of
/// this epoch only, sorted by (receipt, contribution), and have an entry for every share.
///
/// `owner` tells who contributed a contribution.
///
/// # Errors
/// `E-LEDGER-001` for a contribution without owner or a split that is not whole, `-002` on overflow.
pub fn grow(
    previous: &LedgerBlob,
    parts: &[SessionPart],
    owner: &dyn Fn(u64) -> Option<String>,
) -> Result<LedgerBlob> {
    let mut data = 0u128;
    for part in parts {
        let fees = part.receipts.iter().try_fold(0u128, |sum, r| sum.checked_add(r.receipt.fee.u128()));
        let settled = split_fees(fees.ok_or_else(overflow)?, &part.split)
            .ok_or_else(|| broken(format!("the split of session {} is not whole", part.session_id)))?;
        data = data.checked_add(settled.data).ok_or_else(overflow)?;
    }
    grow_to(previous, parts, data, owner)
}

/// The same for a data part that the chain has fixed: of a root that replaces a void one.
///
/// # Errors
/// As [`grow`]; `E-LEDGER-001` when the receipts give more than `data`.
pub fn grow_to(
    previous: &LedgerBlob,
    parts: &[SessionPart],
    data: u128,
    owner: &dyn Fn(u64) -> Option<String>,
) -> Result<LedgerBlob> {
    let mut growth: BTreeMap<Account, Growth> = BTreeMap::new();
    let mut given = 0u128;
    for part in parts {
        let data_bps = part.split.data;
        for signed in &part.receipts {
            let receipt = &signed.receipt;
            let (id, fee) = (receipt.digest(), receipt.fee.u128());
            let seed = hash(&receipt.seed)?;
            let division = divide_answer(fee, data_bps, &receipt.shares, receipt.no_evidence, &seed);
            for (contribution_id, amount) in division.amounts {
                let address = owner(contribution_id)
                    .ok_or_else(|| broken(format!("contribution {contribution_id} has no owner on chain")))?;
                growth.entry(Account::Contributor(address)).or_default().add(id, contribution_id, amount)?;
            }
            if receipt.no_evidence > 0 {
                growth.entry(Account::Commons).or_default().add(id, 0, division.commons)?;
            }
            given = given.checked_add(bps_floor(fee, data_bps)).ok_or_else(overflow)?;
        }
    }
    let dust = data
        .checked_sub(given)
        .ok_or_else(|| broken(format!("the receipts give {given}, the chain settled {data} for the data")))?;
    if dust > 0 {
        growth.entry(Account::Dust).or_default().add(ZERO_HASH, 0, dust)?;
    }

    let mut before: BTreeMap<&Account, &LedgerLeaf> = BTreeMap::new();
    for entry in &previous.leaves {
        before.insert(&entry.leaf.account, &entry.leaf);
        growth.entry(entry.leaf.account.clone()).or_default();
    }
    let mut leaves = Vec::with_capacity(growth.len());
    for (account, growth) in &growth {
        let details = growth.details();
        let detail = sum_root(details.iter().map(Detail::leaf).collect())?;
        let (cumulative, uses) = before.get(account).map_or((0, 0), |l| (l.cumulative.u128(), l.uses));
        let cumulative = cumulative.checked_add(detail.sum.u128()).ok_or_else(overflow)?;
        let uses = uses.checked_add(growth.uses()).ok_or_else(overflow)?;
        let leaf =
            LedgerLeaf { account: account.clone(), cumulative: Uint128::new(cumulative), uses, detail };
        leaves.push(LedgerEntry { leaf, details });
    }
    Ok(LedgerBlob { leaves })
}

/// Reads a ledger and checks it against the chain: the blob's root, the order of the leaves, every
/// detail root, the ledger's root.
///
/// # Errors
/// `E-LEDGER-001` naming what differs.
pub fn parse_ledger(bytes: &[u8], blob: &BlobRef, root: &SumRoot) -> Result<LedgerBlob> {
    if BlobRef::of(bytes) != *blob {
        return Err(broken("the bytes are not the blob of leaves that the chain names"));
    }
    let ledger: LedgerBlob = serde_json::from_slice(bytes)
        .map_err(|e| broken(format!("the blob of leaves is not readable: {e}")))?;
    for pair in ledger.leaves.windows(2) {
        if let [a, b] = pair {
            if a.leaf.account >= b.leaf.account {
                return Err(broken("the leaves are not sorted by account, or one stands twice"));
            }
        }
    }
    for entry in &ledger.leaves {
        if sum_root(entry.details.iter().map(Detail::leaf).collect())? != entry.leaf.detail {
            return Err(broken(format!("the details of {:?} do not match their root", entry.leaf.account)));
        }
    }
    if ledger_root(&ledger)? != *root {
        return Err(broken("the leaves do not match the ledger's root"));
    }
    Ok(ledger)
}

/// Reads the receipts of an epoch and checks them against the chain.
///
/// # Errors
/// `E-LEDGER-001` naming what differs.
pub fn parse_receipts(bytes: &[u8], blob: &BlobRef, root: &SumRoot) -> Result<Vec<SignedReceipt>> {
    if BlobRef::of(bytes) != *blob {
        return Err(broken("the bytes are not the blob of receipts that the chain names"));
    }
    let receipts: ReceiptsBlob = serde_json::from_slice(bytes)
        .map_err(|e| broken(format!("the blob of receipts is not readable: {e}")))?;
    let mut last: Option<Hash> = None;
    for signed in &receipts.receipts {
        let id = signed.receipt.digest();
        if last.is_some_and(|last| last >= id) {
            return Err(broken("the receipts are not sorted by id, or one stands twice"));
        }
        last = Some(id);
    }
    if receipts_root(&receipts.receipts)? != *root {
        return Err(broken("the receipts do not match their root"));
    }
    Ok(receipts.receipts)
}

/// Everything that one settlement of a session is built from.
#[derive(Debug, Clone)]
pub struct SettlementInput<'a> {
    /// Session.
    pub session_id: u64,
    /// The voucher with the newest acknowledgement.
    pub voucher: &'a SignedVoucher,
    /// All receipts of the session's log, from sequence 1 on.
    pub log: &'a [SignedReceipt],
    /// Vouchers of the receipts after the acknowledged ones, in the same order.
    pub pending: &'a [SignedVoucher],
    /// Receipts settled on chain so far.
    pub settled: u64,
}

/// Builds a settlement: the acknowledged peaks, the receipts not yet acknowledged with their
/// vouchers, and the proof that the log settled before is a prefix (S1, S2).
///
/// # Errors
/// `E-LEDGER-001` when log, voucher and vouchers do not fit together.
pub fn settlement(input: &SettlementInput) -> Result<Settlement> {
    let leaves: Vec<SumNode> = input.log.iter().map(|signed| signed.receipt.leaf()).collect();
    let acknowledged = &input.voucher.voucher.acknowledged;
    let count = usize::try_from(acknowledged.count).unwrap_or(usize::MAX);
    let mut frontier = Frontier::new();
    for leaf in leaves.get(..count).ok_or_else(|| broken("the voucher acknowledges more than the log"))? {
        frontier.push(*leaf).ok_or_else(overflow)?;
    }
    if frontier.root() != acknowledged.node().ok() {
        return Err(broken("the acknowledged root is not that of the log"));
    }
    let unacknowledged = input.log.get(count..).unwrap_or_default();
    if unacknowledged.len() != input.pending.len() {
        return Err(broken("there is not one voucher for each receipt that waits"));
    }
    let tree = Tree::new(leaves).ok_or_else(overflow)?;
    let consistency = tree
        .prove_consistency(input.settled)
        .ok_or_else(|| broken("the chain has settled more than the log holds"))?;
    Ok(Settlement {
        session_id: input.session_id,
        voucher: input.voucher.clone(),
        acknowledged_peaks: frontier.peaks().to_vec().into(),
        pending: unacknowledged
            .iter()
            .zip(input.pending)
            .map(|(receipt, voucher)| PendingReceipt { voucher: voucher.clone(), receipt: receipt.clone() })
            .collect(),
        consistency: consistency.into(),
    })
}

/// The claims for some accounts from a checked ledger; accounts without a leaf are left out.
///
/// # Errors
/// `E-LEDGER-002` when the amounts overflow.
pub fn claims(
    node_id: u64,
    denom: &str,
    ledger: &LedgerBlob,
    accounts: &[Account],
) -> Result<Vec<ClaimItem>> {
    let tree = Tree::new(ledger.leaves.iter().map(|entry| entry.leaf.leaf()).collect::<Vec<SumNode>>())
        .ok_or_else(overflow)?;
    let mut items = Vec::with_capacity(accounts.len());
    for account in accounts {
        let Ok(position) = ledger.leaves.binary_search_by(|entry| entry.leaf.account.cmp(account)) else {
            continue;
        };
        let (Some(entry), Some(path)) = (ledger.leaves.get(position), tree.prove(position as u64)) else {
            continue;
        };
        items.push(ClaimItem {
            node_id,
            denom: denom.to_string(),
            leaf: entry.leaf.clone(),
            index: position as u64,
            path: path.into(),
        });
    }
    Ok(items)
}

/// Proof that answers of an epoch paid a contribution.
#[derive(Debug, Clone, PartialEq)]
pub struct UseProof {
    /// The contributor's leaf.
    pub leaf: LedgerLeaf,
    /// Its position.
    pub index: u64,
    /// Its path.
    pub path: SumPath,
    /// The contribution's details with their paths, rising; the largest when there are more than one
    /// message takes.
    pub details: Vec<DetailItem>,
}

/// The answers of an epoch that paid a contribution of `account`, with the paths that prove it; none
/// when there are none.
///
/// # Errors
/// `E-LEDGER-002` when the amounts overflow.
pub fn use_proof(ledger: &LedgerBlob, account: &Account, contribution_id: u64) -> Result<Option<UseProof>> {
    let Ok(position) = ledger.leaves.binary_search_by(|entry| entry.leaf.account.cmp(account)) else {
        return Ok(None);
    };
    let Some(entry) = ledger.leaves.get(position) else { return Ok(None) };
    let mut uses: Vec<(u64, &Detail)> = (0u64..)
        .zip(&entry.details)
        .filter(|(_, detail)| detail.contribution_id == contribution_id && !detail.amount.is_zero())
        .collect();
    if uses.is_empty() {
        return Ok(None);
    }
    uses.sort_by_key(|(index, detail)| (std::cmp::Reverse(detail.amount), *index));
    uses.truncate(MAX_DETAILS);
    uses.sort_by_key(|(index, _)| *index);
    let leaves = Tree::new(ledger.leaves.iter().map(|entry| entry.leaf.leaf()).collect::<Vec<SumNode>>())
        .ok_or_else(overflow)?;
    let details =
        Tree::new(entry.details.iter().map(Detail::leaf).collect::<Vec<SumNode>>()).ok_or_else(overflow)?;
    Ok(Some(UseProof {
        leaf: entry.leaf.clone(),
        index: position as u64,
        path: leaves.prove(position as u64).unwrap_or_default().into(),
        details: uses
            .into_iter()
            .map(|(index, detail)| DetailItem {
                detail: detail.clone(),
                index,
                path: details.prove(index).unwrap_or_default().into(),
            })
            .collect(),
    }))
}

fn hash(value: &HexBinary) -> Result<Hash> {
    value.as_slice().try_into().map_err(|_| broken("a hash does not have 32 bytes"))
}

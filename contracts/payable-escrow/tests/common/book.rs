//! A node's ledger in one denom: from the receipts of an epoch to leaves, details and claims (L3, L4).

use std::collections::{BTreeMap, BTreeSet};

use cosmwasm_std::{to_json_vec, HexBinary, Uint128};
use openledger_merkle::{SumNode, Tree, ZERO_HASH};
use openledger_types::formats::{
    hash32, Account, BlobRef, Detail, LedgerBlob, LedgerEntry, LedgerLeaf, SignedReceipt, SumRoot,
};
use openledger_types::money::{divide_answer, split_fees, Split};
use openledger_types::msg::escrow::ClaimItem;

/// The new receipts of one session, in order of sequence.
pub struct Settled<'a> {
    pub receipts: &'a [SignedReceipt],
    pub split: Split,
}

/// A ledger: what each account has earned, and the tree over it.
#[derive(Clone)]
pub struct Book {
    pub entries: Vec<LedgerEntry>,
    pub tree: Tree<SumNode>,
    pub root: SumRoot,
}

impl Book {
    /// Before the first epoch.
    pub fn empty() -> Self {
        Book { entries: Vec::new(), tree: Tree::empty(), root: SumRoot::empty() }
    }

    /// The ledger after an epoch with these receipts. `owner_of` gives a contribution's contributor.
    pub fn next(&self, settled: &[Settled], owner_of: &dyn Fn(u64) -> String) -> Book {
        let mut earned: BTreeMap<Account, Vec<Detail>> = BTreeMap::new();
        let mut dust = 0u128;
        for session in settled {
            let mut fees = 0u128;
            let mut divided = 0u128;
            for SignedReceipt { receipt, .. } in session.receipts {
                let id = HexBinary::from(&receipt.digest());
                let seed = hash32("seed", &receipt.seed).unwrap();
                let fee = receipt.fee.u128();
                let division =
                    divide_answer(fee, session.split.data, &receipt.shares, receipt.no_evidence, &seed);
                let mut enter = |account: Account, contribution_id: u64, amount: u128| {
                    divided += amount;
                    earned.entry(account).or_default().push(Detail {
                        receipt_id: id.clone(),
                        contribution_id,
                        amount: Uint128::new(amount),
                    });
                };
                if receipt.no_evidence > 0 {
                    enter(Account::Commons, 0, division.commons);
                }
                for (contribution, amount) in division.amounts {
                    enter(Account::Contributor(owner_of(contribution)), contribution, amount);
                }
                fees += fee;
            }
            dust += split_fees(fees, &session.split).unwrap().data - divided;
        }
        if dust > 0 {
            earned.entry(Account::Dust).or_default().push(Detail {
                receipt_id: HexBinary::from(&ZERO_HASH),
                contribution_id: 0,
                amount: Uint128::new(dust),
            });
        }
        self.with(earned)
    }

    /// The ledger grown by these details.
    pub fn with(&self, mut earned: BTreeMap<Account, Vec<Detail>>) -> Book {
        let mut accounts: BTreeMap<Account, (u128, u64)> = self
            .entries
            .iter()
            .map(|e| (e.leaf.account.clone(), (e.leaf.cumulative.u128(), e.leaf.uses)))
            .collect();
        for (account, details) in &mut earned {
            details.sort_by(|a, b| {
                (a.receipt_id.as_slice(), a.contribution_id)
                    .cmp(&(b.receipt_id.as_slice(), b.contribution_id))
            });
            let entry = accounts.entry(account.clone()).or_default();
            entry.0 += details.iter().map(|d| d.amount.u128()).sum::<u128>();
            let paid: BTreeSet<&[u8]> =
                details.iter().filter(|d| !d.amount.is_zero()).map(|d| d.receipt_id.as_slice()).collect();
            entry.1 += paid.len() as u64;
        }
        let entries = accounts
            .into_iter()
            .map(|(account, (cumulative, uses))| {
                let details = earned.remove(&account).unwrap_or_default();
                let tree = Tree::new(details.iter().map(Detail::leaf).collect()).unwrap();
                let detail = SumRoot::new(tree.root(), tree.len());
                let leaf = LedgerLeaf { account, cumulative: Uint128::new(cumulative), uses, detail };
                LedgerEntry { leaf, details }
            })
            .collect();
        Book::of(entries)
    }

    /// A ledger of exactly these leaves, honest or not.
    pub fn of(entries: Vec<LedgerEntry>) -> Book {
        let tree = Tree::new(entries.iter().map(|e| e.leaf.leaf()).collect()).unwrap();
        let root = SumRoot::new(tree.root(), tree.len());
        Book { entries, tree, root }
    }

    /// The blob that holds the leaves and this epoch's details.
    pub fn blob(&self) -> BlobRef {
        BlobRef::of(&to_json_vec(&LedgerBlob { leaves: self.entries.clone() }).unwrap())
    }

    /// The claim of leaf `index`.
    pub fn claim(&self, node_id: u64, denom: &str, index: usize) -> ClaimItem {
        ClaimItem {
            node_id,
            denom: denom.to_string(),
            leaf: self.entries[index].leaf.clone(),
            index: index as u64,
            path: self.tree.prove(index as u64).unwrap().into(),
        }
    }

    /// Claims of all leaves.
    pub fn claims(&self, node_id: u64, denom: &str) -> Vec<ClaimItem> {
        (0..self.entries.len()).map(|index| self.claim(node_id, denom, index)).collect()
    }
}

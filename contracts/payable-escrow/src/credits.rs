//! What accounts have had from ledgers (L1). One value holds an account's credits from 32 neighbouring
//! nodes: a claim over many nodes rewrites few values, and none grows beyond that.

use cosmwasm_std::{StdError, StdResult, Storage, Uint128};
use openledger_types::formats::Account;
use openledger_types::packed::{PackError, Part, Parts, Writer};

use crate::state::{Ledger, CLAIMED, CREDITS};

/// Nodes whose credits stand under one key.
const SPAN: u64 = 32;

/// What an account had from one ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Credit {
    /// Credited so far, in base units.
    pub amount: Uint128,
    /// Answers that paid it.
    pub uses: u64,
}

openledger_types::parts! {
    struct Credit { amount, uses }
}

/// An account's credits from the nodes under one key.
struct Span {
    denom: String,
    account: String,
    group: u64,
    /// Rising by node.
    credits: Vec<(u64, Credit)>,
    changed: bool,
}

/// Credits that a message reads and changes: each value is read once and written once. A message has
/// at most 32 claims: a list is searched as quickly as a map, and takes less code.
#[derive(Default)]
pub struct Credits(Vec<Span>);

impl Credits {
    /// What the account had from the ledger of this node in this denom.
    pub fn get(
        &mut self,
        storage: &dyn Storage,
        (node_id, denom, account): (u64, &str, &Account),
        ledger: &Ledger,
    ) -> StdResult<Credit> {
        let account = account_key(account);
        let span = self.span(storage, node_id, denom, &account)?;
        if let Some((_, credit)) = span.credits.iter().find(|(id, _)| *id == node_id) {
            return Ok(*credit);
        }
        // Ledgers that began under the first release were claimed from under another key.
        match ledger.old {
            true => match CLAIMED.may_load(storage, (node_id, denom, &account))? {
                Some(entry) => parse_claimed(&entry),
                None => Ok(Credit::default()),
            },
            false => Ok(Credit::default()),
        }
    }

    /// Changes it; [`Credits::save`] writes it.
    pub fn set(
        &mut self,
        storage: &dyn Storage,
        (node_id, denom, account): (u64, &str, &Account),
        credit: Credit,
    ) -> StdResult<()> {
        let span = self.span(storage, node_id, denom, &account_key(account))?;
        let at = span.credits.partition_point(|(id, _)| *id < node_id);
        match span.credits.get_mut(at) {
            Some((id, before)) if *id == node_id => *before = credit,
            _ => span.credits.insert(at, (node_id, credit)),
        }
        span.changed = true;
        Ok(())
    }

    /// Writes what was changed.
    pub fn save(self, storage: &mut dyn Storage) {
        for Span { denom, account, group, credits, .. } in self.0.into_iter().filter(|span| span.changed) {
            storage.set(&CREDITS.key((&denom, &account, group)), &write(&credits));
        }
    }

    fn span(
        &mut self,
        storage: &dyn Storage,
        node_id: u64,
        denom: &str,
        account: &str,
    ) -> StdResult<&mut Span> {
        let group = node_id / SPAN;
        let is_this = |span: &Span| span.group == group && span.account == account && span.denom == denom;
        let at = match self.0.iter().position(is_this) {
            Some(at) => at,
            None => {
                let stored = storage.get(&CREDITS.key((denom, account, group))).unwrap_or_default();
                let credits = read(&stored, group).map_err(|error| StdError::msg(error.to_string()))?;
                let (denom, account) = (denom.to_string(), account.to_string());
                self.0.push(Span { denom, account, group, credits, changed: false });
                self.0.len().saturating_sub(1)
            }
        };
        self.0.get_mut(at).ok_or_else(|| StdError::msg("credits were not read"))
    }
}

/// Key of an account: its code, then its address.
fn account_key(account: &Account) -> String {
    format!("{}{}", account.code(), account.address())
}

/// Amount and answers of an entry in [`CLAIMED`]; the first release has no answers. An entry that cannot be read is
/// an error: taken for nothing, what was claimed before would be paid again.
fn parse_claimed(entry: &str) -> StdResult<Credit> {
    let (amount, uses) = entry.split_once('/').unwrap_or((entry, "0"));
    match (amount.parse(), uses.parse()) {
        (Ok(amount), Ok(uses)) => Ok(Credit { amount: Uint128::new(amount), uses }),
        _ => Err(StdError::msg("an entry of what was claimed under release 0.1.0 cannot be read")),
    }
}

/// Rising by node: node modulo 32 in one byte, amount and answers as varints.
fn write(credits: &[(u64, Credit)]) -> Vec<u8> {
    let mut out = Writer::default();
    for (node_id, credit) in credits {
        out.u8((node_id % SPAN) as u8);
        credit.write(&mut out);
    }
    out.finish()
}

fn read(bytes: &[u8], group: u64) -> Result<Vec<(u64, Credit)>, PackError> {
    let mut rest = Parts::new(bytes);
    let mut credits = Vec::new();
    while !rest.is_empty() {
        let node_id = group.saturating_mul(SPAN).saturating_add(rest.u8("node").into());
        credits.push((node_id, Part::read(&mut rest, "credit")));
    }
    rest.finish(credits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cosmwasm_std::testing::MockStorage;

    const DENOM: &str = "uopen";

    fn credit(amount: u128, uses: u64) -> Credit {
        Credit { amount: Uint128::new(amount), uses }
    }

    #[test]
    fn rule_l1_credits_of_neighbouring_nodes_are_kept_apart() {
        let mut storage = MockStorage::new();
        let ledger = Ledger::new();
        let somebody = Account::Contributor("somebody".into());
        let nodes = [1, 31, 32, 33, 63, 64, u64::MAX - 1, u64::MAX];
        for (i, node_id) in nodes.into_iter().enumerate() {
            let mut credits = Credits::default();
            let place = (node_id, DENOM, &somebody);
            assert_eq!(credits.get(&storage, place, &ledger).unwrap(), Credit::default());
            credits.set(&storage, place, credit(i as u128 + 1, u64::MAX)).unwrap();
            assert_eq!(credits.get(&storage, place, &ledger).unwrap(), credit(i as u128 + 1, u64::MAX));
            credits.save(&mut storage);
        }
        let mut credits = Credits::default();
        for (i, node_id) in nodes.into_iter().enumerate() {
            let mut get = |denom, account| credits.get(&storage, (node_id, denom, account), &ledger).unwrap();
            assert_eq!(get(DENOM, &somebody), credit(i as u128 + 1, u64::MAX));
            assert_eq!(get("uatom", &somebody), Credit::default());
            assert_eq!(get(DENOM, &Account::Commons), Credit::default());
        }
    }

    #[test]
    fn finding_p11_what_was_claimed_under_the_first_release_is_not_paid_again() {
        let mut storage = MockStorage::new();
        let somebody = Account::Contributor("somebody".into());
        let place = (3, DENOM, &somebody);
        CLAIMED.save(&mut storage, (3, DENOM, "2somebody"), &"700/4".to_string()).unwrap();
        let old = Ledger { old: true, ..Ledger::new() };
        let mut credits = Credits::default();
        assert_eq!(credits.get(&storage, place, &old).unwrap(), credit(700, 4));
        credits.set(&storage, place, credit(900, 5)).unwrap();
        credits.save(&mut storage);
        assert_eq!(Credits::default().get(&storage, place, &old).unwrap(), credit(900, 5));
        assert_eq!(parse_claimed("12").unwrap(), credit(12, 0));
    }

    #[test]
    fn finding_p11_a_broken_entry_of_the_first_release_is_an_error_and_not_zero() {
        let somebody = Account::Contributor("somebody".into());
        let old = Ledger { old: true, ..Ledger::new() };
        for broken in ["", "/4", "7x/4", "-7/4", "700/", "700/four", "700/4/1"] {
            let mut storage = MockStorage::new();
            CLAIMED.save(&mut storage, (3, DENOM, "2somebody"), &broken.to_string()).unwrap();
            let got = Credits::default().get(&storage, (3, DENOM, &somebody), &old);
            assert!(got.is_err(), "{broken:?}");
        }
    }

    #[test]
    fn broken_bytes_are_an_error() {
        let mut storage = MockStorage::new();
        storage.set(&CREDITS.key((DENOM, "0", 0)), &[1, 0x80]);
        let got = Credits::default().get(&storage, (1, DENOM, &Account::Commons), &Ledger::new());
        assert!(got.is_err());
    }
}

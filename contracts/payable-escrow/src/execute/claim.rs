//! From ledgers to balances (L1, L10).

use cosmwasm_std::{Addr, Api, DepsMut, Env, Event, MessageInfo, Response, Storage, Uint128};
use openledger_contract::{payment, CommonError};
use openledger_merkle::verify_inclusion;
use openledger_types::formats::{Account, SumRoot};
use openledger_types::msg::escrow::{ClaimItem, Claims, MAX_CLAIMS};

use crate::credits::{Credit, Credits};
use crate::error::{ContractError, ContractResult};
use crate::execute::finality::finalize_if_due;
use crate::money;
use crate::state::{Funds, Ledger, CONTRIBUTOR_USES, FUNDS, LEDGERS, PENDING};

/// A ledger that a message claims from.
struct Open {
    node_id: u64,
    denom: String,
    ledger: Ledger,
    /// What this very message replaced it for: a path may have been made for either, both are final.
    older: Option<SumRoot>,
    /// Read with the first leaf that pays.
    funds: Option<Funds>,
}

/// Ledgers that a message claims from: each is read once and written once.
#[derive(Default)]
struct Ledgers(Vec<Open>);

impl Ledgers {
    fn open(&mut self, storage: &dyn Storage, node_id: u64, denom: &str) -> ContractResult<&mut Open> {
        let at = match self.0.iter().position(|open| open.node_id == node_id && open.denom == denom) {
            Some(at) => at,
            None => {
                let ledger = LEDGERS.may_load(storage, (node_id, denom))?.unwrap_or_default();
                self.0.push(Open { node_id, denom: denom.to_string(), ledger, older: None, funds: None });
                self.0.len().saturating_sub(1)
            }
        };
        self.0.get_mut(at).ok_or(ContractError::NoPendingRoot { node_id })
    }

    /// Makes a node's waiting root final when it is due. Before any leaf is paid.
    fn renew(&mut self, deps: &mut DepsMut, env: &Env, node_id: u64) -> ContractResult<Option<Event>> {
        let Some(waiting) = PENDING.may_load(deps.storage, node_id)? else { return Ok(None) };
        let denom = waiting.denom.as_str();
        self.open(deps.storage, node_id, denom)?;
        let Some(event) = finalize_if_due(deps, env, node_id)? else { return Ok(None) };
        let now = LEDGERS.may_load(deps.storage, (node_id, denom))?.unwrap_or_default();
        let open = self.open(deps.storage, node_id, denom)?;
        open.older = Some(std::mem::replace(&mut open.ledger, now).ledger);
        Ok(Some(event))
    }
}

/// The value under a key of a short list, a default one when there was none.
fn slot<K: PartialEq, V: Default>(list: &mut Vec<(K, V)>, key: K) -> ContractResult<&mut V> {
    let at = match list.iter().position(|(other, _)| *other == key) {
        Some(at) => at,
        None => {
            list.push((key, V::default()));
            list.len().saturating_sub(1)
        }
    };
    list.get_mut(at).map(|(_, value)| value).ok_or(CommonError::AmountTooLarge {}.into())
}

/// `Claim`. By anyone, for anyone. Ledgers, credits and balances are written once, whatever the number
/// of leaves. A leaf that its node's final ledger does not hold makes the next one final, if it is due.
pub fn claim(
    mut deps: DepsMut,
    env: Env,
    info: MessageInfo,
    Claims(claims): Claims,
) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    if claims.is_empty() || claims.len() > MAX_CLAIMS {
        return Err(ContractError::BadBatch { list: "claims", reason: "give 1 to 32" });
    }
    let mut ledgers = Ledgers::default();
    let mut events = Vec::with_capacity(claims.len());
    let mut renewed: Vec<u64> = Vec::new();
    for (position, item) in claims.iter().enumerate() {
        let node_id = item.node_id;
        if is_leaf(item, ledgers.open(deps.storage, node_id, &item.denom)?)? {
            continue;
        }
        if !renewed.contains(&node_id) {
            renewed.push(node_id);
            events.extend(ledgers.renew(&mut deps, &env, node_id)?);
        }
        if !is_leaf(item, ledgers.open(deps.storage, node_id, &item.denom)?)? {
            return Err(ContractError::NotInLedger { position, node_id });
        }
    }

    let mut credits = Credits::default();
    let mut earned: Vec<((Option<Addr>, String), Uint128)> = Vec::new();
    let mut uses: Vec<(Addr, u64)> = Vec::new();
    let mut credited = 0u32;
    for (position, item) in claims.into_iter().enumerate() {
        let ClaimItem { node_id, denom, leaf, .. } = item;
        let to_addr = recipient(deps.api, &leaf.account)?;
        let Open { ledger, funds, .. } = ledgers.open(deps.storage, node_id, &denom)?;
        let place = (node_id, denom.as_str(), &leaf.account);
        let before = credits.get(deps.storage, place, ledger)?;
        let amount = leaf.cumulative.checked_sub(before.amount).unwrap_or_default();
        events.push(
            Event::new("claimed")
                .add_attribute("node_id", node_id.to_string())
                .add_attribute("account", account_name(&leaf.account))
                .add_attribute("amount", format!("{amount}{denom}"))
                .add_attribute("uses", leaf.uses.to_string()),
        );
        if amount.is_zero() {
            continue;
        }
        // L1: whatever the tree says, a ledger pays out what was paid into it and no more; what an
        // abandoned root left is not its.
        let funds = match funds {
            Some(funds) => funds,
            None => funds.insert(FUNDS.may_load(deps.storage, (node_id, &denom))?.unwrap_or_default()),
        };
        let claimed = funds.claimed.checked_add(amount)?;
        let reserved = ledger.closed.as_ref().map_or(Uint128::zero(), |closed| closed.left);
        if claimed.checked_add(funds.refunded)?.checked_add(reserved)? > funds.funded {
            return Err(ContractError::AboveFunded { position, node_id });
        }
        funds.claimed = claimed;
        let now = Credit { amount: leaf.cumulative, uses: leaf.uses.max(before.uses) };
        credits.set(deps.storage, place, now)?;
        if let Some(address) = &to_addr {
            let sum = slot(&mut uses, address.clone())?;
            *sum = sum.saturating_add(now.uses.saturating_sub(before.uses));
        }
        let sum = slot(&mut earned, (to_addr, denom))?;
        *sum = sum.checked_add(amount)?;
        credited = credited.saturating_add(1);
    }
    if credited == 0 {
        return Err(ContractError::NothingToClaim {});
    }
    for Open { node_id, denom, funds, .. } in &ledgers.0 {
        if let Some(funds) = funds {
            FUNDS.save(deps.storage, (*node_id, denom), funds)?;
        }
    }
    credits.save(deps.storage);
    // By denom: to balances and to the commons.
    let mut moved: Vec<(String, (Uint128, Uint128))> = Vec::new();
    for ((to_addr, denom), amount) in earned {
        let (accrued, commons) = slot(&mut moved, denom.clone())?;
        if let Some(address) = to_addr {
            money::credit(deps.storage, &address, &denom, amount)?;
            *accrued = accrued.checked_add(amount)?;
        } else {
            *commons = commons.checked_add(amount)?;
        }
    }
    for (denom, (accrued, commons)) in moved {
        money::update(deps.storage, &denom, |counters| {
            money::shift(&mut counters.ledgers, &mut counters.accrued, accrued)?;
            money::shift(&mut counters.ledgers, &mut counters.commons, commons)
        })?;
    }
    for (address, answers) in uses {
        let before = CONTRIBUTOR_USES.may_load(deps.storage, &address)?.unwrap_or_default();
        CONTRIBUTOR_USES.save(deps.storage, &address, &before.saturating_add(answers))?;
    }
    Ok(Response::new()
        .add_attribute("action", "claim")
        .add_attribute("credited", credited.to_string())
        .add_events(events))
}

/// Whose balance a leaf is credited to; none for the commons.
fn recipient(api: &dyn Api, account: &Account) -> ContractResult<Option<Addr>> {
    match account {
        Account::Commons | Account::Dust => Ok(None),
        Account::Contributor(address) => {
            let valid = api.addr_validate(address)?;
            // One spelling only: two leaves of one person would share an entry in CREDITS.
            if valid.as_str() != address {
                return Err(CommonError::BadParam { name: "account", rule: "in lower case" }.into());
            }
            Ok(Some(valid))
        }
    }
}

fn account_name(account: &Account) -> &str {
    match account {
        Account::Commons => "commons",
        Account::Dust => "dust",
        Account::Contributor(address) => address,
    }
}

/// Whether the leaf stands at its index in this ledger (L9), or in the one that it replaced just now.
fn is_leaf(item: &ClaimItem, open: &Open) -> ContractResult<bool> {
    let leaf = item.leaf.leaf();
    for ledger in [Some(&open.ledger.ledger), open.older.as_ref()].into_iter().flatten() {
        if verify_inclusion(&leaf, item.index, ledger.count, &item.path, &ledger.node()?) {
            return Ok(true);
        }
    }
    Ok(false)
}

//! From ledgers to balances, and from balances to wallets (L1, L10).

use std::collections::{BTreeMap, BTreeSet};

use cosmwasm_std::{Addr, Api, BankMsg, Coin, DepsMut, Env, Event, MessageInfo, Response};
use openledger_contract::{payment, CommonError};
use openledger_merkle::verify_inclusion;
use openledger_types::formats::{sum_path, Account, SumRoot};
use openledger_types::msg::escrow::{ClaimItem, MAX_CLAIMS, MAX_DENOMS};

use crate::error::{ContractError, ContractResult};
use crate::execute::epoch::finalize_if_due;
use crate::money;
use crate::state::{account_key, CLAIMED, FUNDS, LEDGERS, PENDING};

/// `Claim`. By anyone, for anyone.
pub fn claim(deps: DepsMut, env: Env, info: MessageInfo, claims: Vec<ClaimItem>) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    if claims.is_empty() || claims.len() > MAX_CLAIMS {
        return Err(ContractError::BadBatch { list: "claims", reason: "give 1 to 32" });
    }
    let mut nodes = BTreeSet::new();
    // A path may have been made for the ledger that this very message replaces: both are final.
    let mut replaced: BTreeMap<(u64, String), SumRoot> = BTreeMap::new();
    let mut events = Vec::with_capacity(claims.len());
    let mut credited = 0u32;
    for (position, item) in claims.into_iter().enumerate() {
        let node_id = item.node_id;
        if nodes.insert(node_id) {
            if let Some(pending) = PENDING.may_load(deps.storage, node_id)? {
                let before = LEDGERS.load(deps.storage, (node_id, &pending.denom))?.ledger;
                if let Some(event) = finalize_if_due(deps.storage, &env, node_id)? {
                    replaced.insert((node_id, pending.denom), before);
                    events.push(event);
                }
            }
        }
        let to_addr = recipient(deps.api, &item.leaf.account)?;
        let denom = item.denom.clone();
        let newest = LEDGERS.may_load(deps.storage, (node_id, &denom))?.unwrap_or_default().ledger;
        let older = replaced.get(&(node_id, denom.clone()));
        if !is_leaf(&item, &newest)? && !older.map_or(Ok(false), |ledger| is_leaf(&item, ledger))? {
            return Err(ContractError::NotInLedger { position, node_id });
        }

        let key = account_key(&item.leaf.account);
        let before = CLAIMED.may_load(deps.storage, (node_id, &denom, &key))?.unwrap_or_default();
        let amount = item.leaf.cumulative.checked_sub(before).unwrap_or_default();
        let event = Event::new("claimed")
            .add_attribute("node_id", node_id.to_string())
            .add_attribute("account", account_name(&item.leaf.account))
            .add_attribute("amount", format!("{amount}{denom}"))
            .add_attribute("uses", item.leaf.uses.to_string());
        events.push(event);
        if amount.is_zero() {
            continue;
        }
        // L1: whatever the tree says, a ledger pays out what was paid into it and no more.
        let mut funds = FUNDS.may_load(deps.storage, (node_id, &denom))?.unwrap_or_default();
        let claimed = funds.claimed.checked_add(amount)?;
        if claimed.checked_add(funds.refunded)? > funds.funded {
            return Err(ContractError::AboveFunded { position, node_id });
        }
        funds.claimed = claimed;
        FUNDS.save(deps.storage, (node_id, &denom), &funds)?;
        CLAIMED.save(deps.storage, (node_id, &denom, &key), &item.leaf.cumulative)?;
        if let Some(address) = &to_addr {
            money::credit(deps.storage, address, &denom, amount)?;
        }
        money::update(deps.storage, &denom, |counters| {
            let to = if to_addr.is_some() { &mut counters.accrued } else { &mut counters.commons };
            money::shift(&mut counters.ledgers, to, amount)
        })?;
        credited = credited.saturating_add(1);
    }
    if credited == 0 {
        return Err(ContractError::NothingToClaim {});
    }
    Ok(Response::new()
        .add_attribute("action", "claim")
        .add_attribute("credited", credited.to_string())
        .add_events(events))
}

/// `Withdraw`. Pays all of the sender's balances in these denoms.
pub fn withdraw(deps: DepsMut, info: MessageInfo, denoms: Vec<String>) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    if denoms.is_empty() || denoms.len() > MAX_DENOMS {
        return Err(ContractError::BadBatch { list: "denoms", reason: "give 1 to 8" });
    }
    // The bank takes coins in the order of their denoms, none twice.
    let denoms: BTreeSet<String> = denoms.into_iter().collect();
    let mut coins = Vec::with_capacity(denoms.len());
    for denom in denoms {
        let amount = money::take_balance(deps.storage, &info.sender, &denom)?;
        if amount.is_zero() {
            continue;
        }
        money::update(deps.storage, &denom, |counters| {
            money::shift(&mut counters.accrued, &mut counters.paid_out, amount)
        })?;
        coins.push(Coin::new(amount, denom));
    }
    if coins.is_empty() {
        return Err(ContractError::NothingToWithdraw {});
    }
    let paid = coins.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    Ok(Response::new()
        .add_attribute("action", "withdraw")
        .add_attribute("to", info.sender.as_str())
        .add_attribute("amount", paid)
        .add_message(BankMsg::Send { to_address: info.sender.into(), amount: coins }))
}

/// Whose balance a leaf is credited to; none for the commons.
fn recipient(api: &dyn Api, account: &Account) -> ContractResult<Option<Addr>> {
    match account {
        Account::Commons | Account::Dust => Ok(None),
        Account::Contributor(address) => {
            let valid = api.addr_validate(address)?;
            // One spelling only: two leaves of one person would share an entry in CLAIMED.
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

/// Whether the leaf stands at its index in this ledger (L9).
fn is_leaf(item: &ClaimItem, ledger: &SumRoot) -> ContractResult<bool> {
    let path = sum_path(&item.path)?;
    Ok(verify_inclusion(&item.leaf.leaf(), item.index, ledger.count, &path, &ledger.node()?))
}

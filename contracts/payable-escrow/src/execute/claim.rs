//! From ledgers to balances, and from balances to wallets (L1, L10).

use std::collections::{BTreeMap, BTreeSet};

use cosmwasm_std::{Addr, Api, BankMsg, Coin, DepsMut, Env, Event, MessageInfo, Response, Uint128};
use openledger_contract::{payment, CommonError};
use openledger_merkle::verify_inclusion;
use openledger_types::formats::{Account, SumRoot};
use openledger_types::msg::escrow::{ClaimItem, Claims, MAX_CLAIMS, MAX_DENOMS};

use crate::error::{ContractError, ContractResult};
use crate::execute::finality::finalize_if_due;
use crate::money;
use crate::state::{account_key, parse_claimed, CLAIMED, CONTRIBUTOR_USES, FUNDS, LEDGERS, PENDING};

/// `Claim`. By anyone, for anyone. Counters and balances are written once, whatever the number of
/// ledgers.
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
    let mut nodes = BTreeSet::new();
    // A path may have been made for the ledger that this very message replaces: both are final.
    let mut replaced: BTreeMap<(u64, String), SumRoot> = BTreeMap::new();
    let mut earned: BTreeMap<(Option<Addr>, String), Uint128> = BTreeMap::new();
    let mut uses: BTreeMap<Addr, u64> = BTreeMap::new();
    let mut events = Vec::with_capacity(claims.len());
    let mut credited = 0u32;
    for (position, item) in claims.into_iter().enumerate() {
        let node_id = item.node_id;
        if nodes.insert(node_id) {
            if let Some(pending) = PENDING.may_load(deps.storage, node_id)? {
                let key = (node_id, pending.denom.as_str());
                let before = LEDGERS.may_load(deps.storage, key)?.unwrap_or_default().ledger;
                if let Some(event) = finalize_if_due(&mut deps, &env, node_id)? {
                    replaced.insert((node_id, pending.denom), before);
                    events.push(event);
                }
            }
        }
        let to_addr = recipient(deps.api, &item.leaf.account)?;
        let denom = item.denom.clone();
        let ledger = LEDGERS.may_load(deps.storage, (node_id, &denom))?.unwrap_or_default();
        let older = replaced.get(&(node_id, denom.clone()));
        if !is_leaf(&item, &ledger.ledger)? && !older.map_or(Ok(false), |ledger| is_leaf(&item, ledger))? {
            return Err(ContractError::NotInLedger { position, node_id });
        }

        let key = account_key(&item.leaf.account);
        let before = CLAIMED.may_load(deps.storage, (node_id, &denom, &key))?.unwrap_or_default();
        let (before, uses_before) = parse_claimed(&before);
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
        // L1: whatever the tree says, a ledger pays out what was paid into it and no more; what an
        // abandoned root left is not its.
        let mut funds = FUNDS.may_load(deps.storage, (node_id, &denom))?.unwrap_or_default();
        let claimed = funds.claimed.checked_add(amount)?;
        let reserved = ledger.closed.map_or(Uint128::zero(), |closed| closed.left);
        if claimed.checked_add(funds.refunded)?.checked_add(reserved)? > funds.funded {
            return Err(ContractError::AboveFunded { position, node_id });
        }
        funds.claimed = claimed;
        FUNDS.save(deps.storage, (node_id, &denom), &funds)?;
        let uses_now = item.leaf.uses.max(uses_before);
        let now = format!("{}/{uses_now}", item.leaf.cumulative);
        CLAIMED.save(deps.storage, (node_id, &denom, &key), &now)?;
        if let Some(address) = &to_addr {
            let sum = uses.entry(address.clone()).or_default();
            *sum = sum.saturating_add(uses_now.saturating_sub(uses_before));
        }
        let sum = earned.entry((to_addr, denom)).or_default();
        *sum = sum.checked_add(amount)?;
        credited = credited.saturating_add(1);
    }
    if credited == 0 {
        return Err(ContractError::NothingToClaim {});
    }
    // By denom: to balances and to the commons.
    let mut moved: BTreeMap<String, (Uint128, Uint128)> = BTreeMap::new();
    for ((to_addr, denom), amount) in earned {
        let (accrued, commons) = moved.entry(denom.clone()).or_default();
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
    Ok(verify_inclusion(&item.leaf.leaf(), item.index, ledger.count, &item.path, &ledger.node()?))
}

//! From ledgers to balances (L1, L10).

use std::collections::{BTreeMap, BTreeSet};

use cosmwasm_std::{Addr, Api, DepsMut, Env, Event, MessageInfo, Response, StdResult, Storage, Uint128};
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
    ledger: Ledger,
    /// What this very message replaced it for: a path may have been made for either, both are final.
    older: Option<SumRoot>,
    /// Read with the first leaf that pays.
    funds: Option<Funds>,
}

/// Ledgers by (node, denom): each is read once and written once.
#[derive(Default)]
struct Ledgers(BTreeMap<(u64, String), Open>);

impl Ledgers {
    fn open(&mut self, storage: &dyn Storage, node_id: u64, denom: &str) -> StdResult<&mut Open> {
        let key = (node_id, denom.to_string());
        Ok(match self.0.entry(key) {
            std::collections::btree_map::Entry::Occupied(open) => open.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => {
                let ledger = LEDGERS.may_load(storage, (node_id, denom))?.unwrap_or_default();
                place.insert(Open { ledger, older: None, funds: None })
            }
        })
    }

    /// Makes a node's waiting root final when it is due. Before any leaf is paid.
    fn renew(&mut self, deps: &mut DepsMut, env: &Env, node_id: u64) -> ContractResult<Option<Event>> {
        let Some(waiting) = PENDING.may_load(deps.storage, node_id)? else { return Ok(None) };
        let before = self.open(deps.storage, node_id, &waiting.denom)?.ledger.ledger.clone();
        let Some(event) = finalize_if_due(deps, env, node_id)? else { return Ok(None) };
        self.0.remove(&(node_id, waiting.denom.clone()));
        self.open(deps.storage, node_id, &waiting.denom)?.older = Some(before);
        Ok(Some(event))
    }
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
    let mut renewed = BTreeSet::new();
    for (position, item) in claims.iter().enumerate() {
        let node_id = item.node_id;
        if is_leaf(item, ledgers.open(deps.storage, node_id, &item.denom)?)? {
            continue;
        }
        if renewed.insert(node_id) {
            events.extend(ledgers.renew(&mut deps, &env, node_id)?);
        }
        if !is_leaf(item, ledgers.open(deps.storage, node_id, &item.denom)?)? {
            return Err(ContractError::NotInLedger { position, node_id });
        }
    }

    let mut credits = Credits::default();
    let mut earned: BTreeMap<(Option<Addr>, String), Uint128> = BTreeMap::new();
    let mut uses: BTreeMap<Addr, u64> = BTreeMap::new();
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
            let sum = uses.entry(address.clone()).or_default();
            *sum = sum.saturating_add(now.uses.saturating_sub(before.uses));
        }
        let sum = earned.entry((to_addr, denom)).or_default();
        *sum = sum.checked_add(amount)?;
        credited = credited.saturating_add(1);
    }
    if credited == 0 {
        return Err(ContractError::NothingToClaim {});
    }
    for ((node_id, denom), open) in ledgers.0 {
        if let Some(funds) = open.funds {
            FUNDS.save(deps.storage, (node_id, &denom), &funds)?;
        }
    }
    credits.save(deps.storage);
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

//! Who audits, and with how much weight (PROTOCOL F3): the lesser of a node's bond and its operator's
//! self-delegation, for operators of validators of the bonded set, read when it is asked for.

use std::collections::BTreeSet;

use cosmwasm_std::{Addr, Deps, DepsMut, Order, QuerierWrapper, Storage, Uint128};
use openledger_contract::validator;
use openledger_types::msg::node_registry::{Auditor, NodeStatus, Role, MAX_AUDITORS, MAX_VALIDATORS};

use crate::state::{self, Node, AUDITORS, PARAMS};
use crate::ContractError;

/// Validators of the bonded set now, by operator address.
struct BondedSet(BTreeSet<String>);

impl BondedSet {
    fn query(querier: &QuerierWrapper) -> Result<Self, ContractError> {
        let all = querier.query_all_validators()?;
        Ok(BondedSet(all.into_iter().take(MAX_VALIDATORS).map(|one| one.address).collect()))
    }

    /// The operator address of the account's validator; none when it has none in the set.
    fn operated_by(&self, account: &Addr) -> Option<String> {
        validator::operator_address(account.as_str()).filter(|address| self.0.contains(address))
    }
}

/// Whether the node is one of those that audit.
pub fn is_auditor(storage: &dyn Storage, node_id: u64) -> bool {
    AUDITORS.has(storage, node_id)
}

/// Makes a node one of those that audit. When all places are taken, an auditor whose validator has left
/// the bonded set gives way; it has no weight anyway.
pub fn enter(deps: DepsMut, node_id: u64, operator: &Addr) -> Result<(), ContractError> {
    let bonded = BondedSet::query(&deps.querier)?;
    if bonded.operated_by(operator).is_none() {
        return Err(ContractError::NotValidator { operator: operator.to_string() });
    }
    let present = AUDITORS
        .range(deps.storage, None, None, Order::Ascending)
        .take(MAX_AUDITORS)
        .collect::<Result<Vec<_>, _>>()?;
    if let Some((other, _)) = present.iter().find(|(_, held_by)| held_by == operator) {
        return Err(ContractError::AlreadyAudits { node_id: *other });
    }
    if present.len() == MAX_AUDITORS {
        let outside = present.iter().find(|(_, held_by)| bonded.operated_by(held_by).is_none());
        let (gone, _) = outside.ok_or(ContractError::TooManyAuditors { most: MAX_AUDITORS })?;
        AUDITORS.remove(deps.storage, *gone);
    }
    Ok(AUDITORS.save(deps.storage, node_id, operator)?)
}

/// Takes a node that audits no longer out of the list; does nothing to others.
pub fn leave(storage: &mut dyn Storage, node_id: u64, node: &Node) {
    if node.roles.contains(&Role::Audit) {
        AUDITORS.remove(storage, node_id);
    }
}

/// Everyone with weight now.
pub fn auditors(deps: Deps) -> Result<Vec<Auditor>, ContractError> {
    let bonded = BondedSet::query(&deps.querier)?;
    let denom = PARAMS.load(deps.storage)?.denom;
    let mut found = vec![];
    for entry in AUDITORS.range(deps.storage, None, None, Order::Ascending).take(MAX_AUDITORS) {
        let (node_id, _) = entry?;
        let node = state::node(deps.storage, node_id)?;
        let weight = weight(&deps.querier, &bonded, &denom, &node);
        if !weight.is_zero() {
            found.push(Auditor {
                node_id,
                operator: node.operator.into_string(),
                hot_addr: node.hot_addr.map(Addr::into_string),
                weight,
            });
        }
    }
    Ok(found)
}

/// Weight of one node now.
pub fn weight_of(deps: Deps, node_id: u64) -> Result<Uint128, ContractError> {
    let node = state::node(deps.storage, node_id)?;
    if !is_auditor(deps.storage, node_id) || !serves(&node) {
        return Ok(Uint128::zero());
    }
    let bonded = BondedSet::query(&deps.querier)?;
    Ok(weight(&deps.querier, &bonded, &PARAMS.load(deps.storage)?.denom, &node))
}

fn serves(node: &Node) -> bool {
    node.status == NodeStatus::Bonded && node.jailed_until.is_none()
}

fn weight(querier: &QuerierWrapper, bonded: &BondedSet, denom: &str, node: &Node) -> Uint128 {
    let validator = bonded.operated_by(&node.operator).filter(|_| serves(node));
    let delegated = validator.and_then(|validator| {
        // One odd delegation must not silence all other auditors: what cannot be read weighs nothing.
        querier.query_delegation(node.operator.as_str(), validator).ok().flatten()
    });
    match delegated {
        Some(found) if found.amount.denom == denom => {
            node.bond.min(Uint128::try_from(found.amount.amount).unwrap_or(Uint128::MAX))
        }
        _ => Uint128::zero(),
    }
}

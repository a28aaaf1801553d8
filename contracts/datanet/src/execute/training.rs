//! Training pots (PROTOCOL D6): what a model version paid is shared by the leaves of its training
//! receipt, rounded down; the remainder goes to the treasury with the last leaf.

use cosmwasm_std::{DepsMut, Event, MessageInfo, Response, Uint128};
use openledger_contract::{payment, CommonError};
use openledger_merkle::verify_inclusion;
use openledger_types::formats::{training_leaf, SumRoot};
use openledger_types::msg::datanet::{ContributionStatus, TrainingItem};

use crate::execute::admin;
use crate::records::{self, Reader};
use crate::state::{self, Pot, ACCESSES, CLAIMED, POTS, TOTALS, TRAINING};
use crate::ContractError;

/// Most leaves of one claim.
const MAX_ITEMS: usize = 32;

/// A model version: (datanet, (model, version of the model)).
pub type PotKey = (u64, (u64, u32));

/// Turns the price that the version pinned into a pot; what the developer paid above it can be left.
/// A version that asks no price needs no pot.
pub fn use_access(
    deps: DepsMut,
    info: MessageInfo,
    key: PotKey,
    version: u32,
    developer: String,
    training: SumRoot,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    admin::assert_model_registry(deps.storage, &info.sender)?;
    let (datanet_id, (model_id, model_version)) = key;
    let developer_addr = deps.api.addr_validate(&developer)?;
    let sealed = state::version(deps.storage, datanet_id, version)?;
    let price = sealed.training_price;
    let response = Response::new().add_attribute("action", "use_access");
    if price.is_zero() {
        return Ok(response);
    }
    training.node()?;
    if training.sum.is_zero() || training.count == 0 {
        let rule = "the root of a receipt with at least one use";
        return Err(CommonError::BadField { field: "training", rule }.into());
    }
    if TRAINING.has(deps.storage, key) {
        return Err(ContractError::AlreadyUsed { datanet_id, model_id, model_version });
    }
    let not_paid = || ContractError::NotPaid { datanet_id, price: price.u128() };
    let mut access = ACCESSES.may_load(deps.storage, (datanet_id, &developer_addr))?.ok_or_else(not_paid)?;
    access.paid = access.paid.checked_sub(price).map_err(|_| not_paid())?;
    access.used = true;
    let mut pots = state::pots(deps.storage)?;
    pots.access_paid = pots.access_paid.checked_sub(price)?;
    pots.training = pots.training.checked_add(price)?;
    let pot = Pot { paid: price, claimed: Uint128::zero(), claims: 0, training, size: sealed.version.size };

    POTS.save(deps.storage, &pots)?;
    TRAINING.save(deps.storage, key, &pot)?;
    match access.paid.is_zero() && access.bond.is_zero() {
        true => ACCESSES.remove(deps.storage, (datanet_id, &developer_addr)),
        false => ACCESSES.save(deps.storage, (datanet_id, &developer_addr), &access)?,
    }
    Ok(response.add_event(
        Event::new("training_paid")
            .add_attribute("datanet_id", datanet_id.to_string())
            .add_attribute("model_id", model_id.to_string())
            .add_attribute("model_version", model_version.to_string())
            .add_attribute("amount", price),
    ))
}

/// Credits contributors with floor(pot x times / all times). The part of a contribution that was
/// found guilty goes to the treasury.
pub fn claim_training(
    deps: DepsMut,
    info: MessageInfo,
    key: PotKey,
    items: Vec<TrainingItem>,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let (datanet_id, model) = key;
    if !(1..=MAX_ITEMS).contains(&items.len()) {
        return Err(CommonError::BadField { field: "items", rule: "1 to 32 leaves" }.into());
    }
    let mut pot = TRAINING.may_load(deps.storage, key)?.ok_or(ContractError::PotNotFound {
        datanet_id,
        model_id: model.0,
        model_version: model.1,
    })?;
    let mut totals = TOTALS.load(deps.storage)?;
    let mut pots = state::pots(deps.storage)?;
    let root = pot.training.node()?;
    let mut reader = Reader::default();
    let mut response = Response::new().add_attribute("action", "claim_training");

    for item in items {
        let contribution_id = item.contribution_id;
        let leaf = training_leaf(contribution_id, item.times_seen);
        if !verify_inclusion(&leaf, item.index, pot.training.count, &item.path, &root) {
            return Err(ContractError::NotTrained { contribution_id });
        }
        let contribution = reader.load(deps.storage, contribution_id)?;
        let fate = records::fate(deps.storage, &contribution)?;
        let held = fate.position.is_some_and(|position| position < pot.size);
        if contribution.facts.datanet_id != datanet_id || !held {
            return Err(ContractError::NotInVersion { contribution_id });
        }
        let claim = (datanet_id, (model, contribution_id));
        if CLAIMED.has(deps.storage, claim) {
            return Err(ContractError::AlreadyClaimed { contribution_id });
        }
        CLAIMED.save(deps.storage, claim, &())?;
        let part = pot.paid.multiply_ratio(u128::from(item.times_seen), pot.training.sum.u128());
        pot.claims = pot.claims.saturating_add(1);
        pot.claimed = pot.claimed.checked_add(part)?;
        pots.training = pots.training.checked_sub(part)?;
        let guilty = fate.convicted && fate.status != ContributionStatus::Withdrawn;
        if guilty {
            totals.treasury = totals.treasury.checked_add(part)?;
        } else {
            let to = deps.api.addr_validate(&contribution.facts.contributor)?;
            state::credit(deps.storage, &mut totals, &to, part)?;
        }
        response = response.add_event(
            Event::new("training_claimed")
                .add_attribute("contribution_id", contribution_id.to_string())
                .add_attribute("amount", part)
                .add_attribute("guilty", guilty.to_string()),
        );
    }
    if pot.claims == pot.training.count {
        let rest = pot.paid.checked_sub(pot.claimed)?;
        pot.claimed = pot.paid;
        pots.training = pots.training.checked_sub(rest)?;
        totals.treasury = totals.treasury.checked_add(rest)?;
    }

    TRAINING.save(deps.storage, key, &pot)?;
    POTS.save(deps.storage, &pots)?;
    TOTALS.save(deps.storage, &totals)?;
    Ok(response)
}

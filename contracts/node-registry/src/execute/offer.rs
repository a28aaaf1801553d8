//! `Offer` and `StopOffer`.

use cosmwasm_std::{DepsMut, Empty, Event, MessageInfo, Order, Response, Storage, Uint128};
use openledger_contract::payment;
use openledger_types::msg::model_registry::{self, ModelVersionResponse};
use openledger_types::msg::node_registry::{NodeStatus, MAX_OFFERS};

use crate::execute::run_by;
use crate::state::{Prices, CONNECTIONS, OFFERS, OFFER_COUNT, SERVERS};
use crate::ContractError;

/// Offers a version or changes its price. The model's price in force is the least; one that is announced
/// counts when it is in force, which the escrow looks at when it opens a session.
pub fn offer(
    deps: DepsMut,
    info: MessageInfo,
    node_id: u64,
    (model_id, version): (u64, u32),
    asked: Prices,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let node = run_by(deps.storage, &info, node_id)?;
    if node.status != NodeStatus::Bonded {
        return Err(ContractError::NotBonded { node_id });
    }
    let known = CONNECTIONS.may_load(deps.storage)?.ok_or(ContractError::NotConnected {})?;
    let question = model_registry::QueryMsg::Version { model_id, version };
    let model: ModelVersionResponse = deps.querier.query_wasm_smart(known.model_registry, &question)?;
    check_price("price_in", asked.price_in, model.price_in)?;
    check_price("price_out", asked.price_out, model.price_out)?;
    let key = (node_id, model_id, version);
    let count = OFFER_COUNT.may_load(deps.storage, node_id)?.unwrap_or_default();
    let is_new = !OFFERS.has(deps.storage, key);
    if is_new && count >= MAX_OFFERS {
        return Err(ContractError::TooManyOffers { node_id, most: MAX_OFFERS });
    }

    if is_new {
        OFFER_COUNT.save(deps.storage, node_id, &count.saturating_add(1))?;
        SERVERS.save(deps.storage, (model_id, version, node_id), &Empty {})?;
    }
    OFFERS.save(deps.storage, key, &asked)?;
    Ok(Response::new().add_attribute("action", "offer").add_event(
        Event::new("offer_made")
            .add_attribute("node_id", node_id.to_string())
            .add_attribute("model_id", model_id.to_string())
            .add_attribute("version", version.to_string())
            .add_attribute("price_in", asked.price_in.unwrap_or(model.price_in))
            .add_attribute("price_out", asked.price_out.unwrap_or(model.price_out))
            .add_attribute("denom", model.denom),
    ))
}

fn check_price(field: &'static str, asked: Option<Uint128>, least: Uint128) -> Result<(), ContractError> {
    match asked {
        Some(asked) if asked < least => {
            Err(ContractError::PriceTooLow { field, least: least.u128(), asked: asked.u128() })
        }
        _ => Ok(()),
    }
}

/// Stops offering a version.
pub fn stop_offer(
    deps: DepsMut,
    info: MessageInfo,
    node_id: u64,
    model_id: u64,
    version: u32,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    run_by(deps.storage, &info, node_id)?;
    if !OFFERS.has(deps.storage, (node_id, model_id, version)) {
        return Err(ContractError::OfferNotFound { node_id, model_id, version });
    }
    let count = OFFER_COUNT.may_load(deps.storage, node_id)?.unwrap_or_default();

    OFFER_COUNT.save(deps.storage, node_id, &count.saturating_sub(1))?;
    OFFERS.remove(deps.storage, (node_id, model_id, version));
    SERVERS.remove(deps.storage, (model_id, version, node_id));
    Ok(Response::new().add_attribute("action", "stop_offer").add_event(
        Event::new("offer_stopped")
            .add_attribute("node_id", node_id.to_string())
            .add_attribute("model_id", model_id.to_string())
            .add_attribute("version", version.to_string()),
    ))
}

/// Takes all offers of a node back, at most `MAX_OFFERS`.
pub(crate) fn stop_all(storage: &mut dyn Storage, node_id: u64) -> Result<(), ContractError> {
    if !OFFER_COUNT.has(storage, node_id) {
        return Ok(());
    }
    let offered = OFFERS
        .sub_prefix(node_id)
        .keys(storage, None, None, Order::Ascending)
        .take(MAX_OFFERS as usize)
        .collect::<Result<Vec<_>, _>>()?;
    for (model_id, version) in offered {
        OFFERS.remove(storage, (node_id, model_id, version));
        SERVERS.remove(storage, (model_id, version, node_id));
    }
    OFFER_COUNT.remove(storage, node_id);
    Ok(())
}

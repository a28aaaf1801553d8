//! What users of a version are told after its registration: `SetPrice`, `Deprecate`, `MarkStale`.
//! Sessions that pinned the version go on as they began.

use cosmwasm_std::{DepsMut, Env, Event, MessageInfo, Response, Uint128, Uint64};
use openledger_types::msg::model_registry::NextPrice;

use super::model::developed_by;
use crate::state::{self, PARAMS, VERSIONS};
use crate::{datanets, ContractError};

/// Announces prices for sessions opened after the notice; an announcement that is not yet due is
/// replaced, and its notice starts anew.
pub fn set_price(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    (model_id, number): (u64, u32),
    price_in: Uint128,
    price_out: Uint128,
) -> Result<Response, ContractError> {
    developed_by(deps.storage, &info, model_id)?;
    let mut version = state::version(deps.storage, model_id, number)?.at(env.block.height);
    above_floor(version.floor_per_token, price_out)?;
    let notice = PARAMS.load(deps.storage)?.price_notice;
    let from = Uint64::new(env.block.height).checked_add(Uint64::new(notice))?.u64();
    version.next_price = Some(NextPrice { from, price_in, price_out });

    VERSIONS.save(deps.storage, (model_id, number), &version)?;
    Ok(Response::new().add_attribute("action", "set_price").add_event(
        event("model_price_announced", model_id, number)
            .add_attribute("denom", version.denom)
            .add_attribute("price_in", price_in)
            .add_attribute("price_out", price_out)
            .add_attribute("from", from.to_string()),
    ))
}

/// Advises against a version; sessions that pinned it go on.
pub fn deprecate(
    deps: DepsMut,
    info: MessageInfo,
    model_id: u64,
    number: u32,
) -> Result<Response, ContractError> {
    developed_by(deps.storage, &info, model_id)?;
    let mut version = state::version(deps.storage, model_id, number)?;
    if version.deprecated {
        return Err(ContractError::AlreadyDeprecated { model_id, version: number });
    }
    version.deprecated = true;

    VERSIONS.save(deps.storage, (model_id, number), &version)?;
    Ok(Response::new().add_attribute("action", "deprecate").add_event(event(
        "model_version_deprecated",
        model_id,
        number,
    )))
}

/// Marks a version whose datanets lost contributions; never taken back, because neither the version
/// nor what was withdrawn comes back.
pub fn mark_stale(deps: DepsMut, model_id: u64, number: u32) -> Result<Response, ContractError> {
    let mut version = state::version(deps.storage, model_id, number)?;
    if version.stale {
        return Err(ContractError::AlreadyStale { model_id, version: number });
    }
    let lost = datanets::lost(deps.as_ref(), &version.datanets)?;
    if lost.is_empty() {
        return Err(ContractError::NotStale { model_id, version: number });
    }
    version.stale = true;

    VERSIONS.save(deps.storage, (model_id, number), &version)?;
    let lost = lost.into_iter().fold(0u64, |sum, (_, lost)| sum.saturating_add(lost));
    Ok(Response::new()
        .add_attribute("action", "mark_stale")
        .add_event(event("model_version_stale", model_id, number).add_attribute("lost", lost.to_string())))
}

/// Refuses an answer token below the floor of the datanets (D5).
pub fn above_floor(floor: Uint128, price_out: Uint128) -> Result<(), ContractError> {
    match price_out < floor {
        true => Err(ContractError::BelowFloor { floor: floor.u128(), price: price_out.u128() }),
        false => Ok(()),
    }
}

fn event(name: &str, model_id: u64, version: u32) -> Event {
    Event::new(name)
        .add_attribute("model_id", model_id.to_string())
        .add_attribute("version", version.to_string())
}

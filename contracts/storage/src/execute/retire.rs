//! `Retire`: an object ends, and with it what its holders owe and are owed.

use cosmwasm_std::{DepsMut, Env, Event, MessageInfo, Response};
use openledger_contract::payment;

use crate::error::{ContractError, ContractResult};
use crate::execute::nominate;
use crate::state::{self, Object, CONTRACTS, OBJECTS, PARAMS, STORERS};
use crate::{accounts, peers, settle};

/// Ends an object. Holders are paid up to their last proof; its bytes are theirs to erase at once.
pub fn retire(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    object_id: u64,
    contribution_id: Option<u64>,
) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    let mut object = state::live_object(deps.storage, object_id)?;
    let reason = reason(&deps, &env, &info, &object, contribution_id)?;
    let reason = reason.ok_or(ContractError::StillKept { object_id })?;
    for slot in &mut object.slots {
        if let Some((node_id, _)) = slot.nominee.take() {
            nominate::release(deps.storage, node_id, object.leaves, false)?;
        }
        if let Some((node_id, position)) = slot.holder.take() {
            let mut storer = state::storer(deps.storage, node_id)?;
            let holding = state::holding(deps.storage, node_id, position)?;
            settle::end(deps.storage, (node_id, position), holding, &mut storer, env.block.height)?;
            STORERS.save(deps.storage, node_id, &storer)?;
        }
    }
    object.retired_at = Some(env.block.height);
    OBJECTS.save(deps.storage, object_id, &object)?;
    Ok(Response::new().add_attribute("action", "retire").add_event(
        Event::new("object_retired")
            .add_attribute("object_id", object_id.to_string())
            .add_attribute("reason", reason),
    ))
}

/// Why the object may end; none when it must be kept.
fn reason(
    deps: &DepsMut,
    env: &Env,
    info: &MessageInfo,
    object: &Object,
    contribution_id: Option<u64>,
) -> ContractResult<Option<&'static str>> {
    let contracts = CONTRACTS.load(deps.storage)?;
    if let Some(id) = contribution_id.filter(|id| object.contributions.contains(id)) {
        if peers::is_dropped(&contracts.contribution(&deps.querier, id)?) {
            return Ok(Some("withdrawn"));
        }
    }
    if accounts::load(deps.storage, object.datanet_id, env.block.height)?.is_dry()? {
        return Ok(Some("unpaid"));
    }
    let accepted = object.slots.iter().filter(|slot| slot.holder.is_some()).count();
    let params = PARAMS.load(deps.storage)?;
    // Time for two rounds of nominations.
    let late = nominate::deadline(&params, nominate::deadline(&params, object.placed_at));
    if accepted < usize::from(object.coding.data) && env.block.height > late {
        return Ok(Some("unaccepted"));
    }
    let owner = contracts.datanet(&deps.querier, object.datanet_id)?.owner;
    Ok((owner == info.sender.as_str()).then_some("owner"))
}

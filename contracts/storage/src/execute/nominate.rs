//! `Nominate`: nodes are found for vacant slots by rendezvous hashing (PROTOCOL I3).
//!
//! Whoever has looked through all nodes names the best; the contract checks one node at a time, so that
//! its work does not grow with the network. While the window is open a node of a higher score takes a
//! nomination over, so the best stay whom anyone knows of; when a node leaves, only its slots move.

use cosmwasm_std::{DepsMut, Env, Event, MessageInfo, Response, Storage};
use openledger_contract::payment;
use openledger_types::formats::{hash32, storage_score};
use openledger_types::merkle::Hash;
use openledger_types::msg::storage::{Params, StorerState};

use crate::error::{ContractError, ContractResult};
use crate::execute::check_list;
use crate::state::{self, Object, Storer, OBJECTS, PARAMS, STORERS};

/// Names nodes for slots.
pub fn nominate(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    object_id: u64,
    nominees: Vec<(u8, u64)>,
) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    check_list("nominees", nominees.len())?;
    let params = PARAMS.load(deps.storage)?;
    let mut object = state::live_object(deps.storage, object_id)?;
    let seed = hash32("seed", &object.seed)?;
    let mut response = Response::new().add_attribute("action", "nominate");
    for (slot, node_id) in nominees {
        let target = Target { object_id, slot, node_id, height: env.block.height };
        nominate_one(deps.storage, &params, &mut object, &seed, &target)?;
        response = response.add_event(
            Event::new("fragment_nominated")
                .add_attribute("object_id", object_id.to_string())
                .add_attribute("slot", slot.to_string())
                .add_attribute("node_id", node_id.to_string()),
        );
    }
    OBJECTS.save(deps.storage, object_id, &object)?;
    Ok(response)
}

/// One nomination.
struct Target {
    object_id: u64,
    slot: u8,
    node_id: u64,
    height: u64,
}

fn nominate_one(
    storage: &mut dyn Storage,
    params: &Params,
    object: &mut Object,
    seed: &Hash,
    target: &Target,
) -> ContractResult<()> {
    let Target { object_id, slot, node_id, height } = *target;
    let place = state::slot(object, slot)?;
    let (holder, nominee) = (place.holder, place.nominee);
    let taken = |why| ContractError::SlotTaken { object_id, slot, why };
    if let Some((holder, _)) = holder {
        if state::storer(storage, holder)?.state == StorerState::Active {
            return Err(taken("its holder is in service"));
        }
    }
    if let Some((before, since)) = nominee {
        let open = height <= since.saturating_add(params.assign_blocks);
        let expired = height > deadline(params, since);
        let better = storage_score(seed, node_id) > storage_score(seed, before);
        let free = expired || (open && better);
        if !free {
            return Err(taken("its nominee has time to accept, and a score as high or a closed window"));
        }
        release(storage, before, object.leaves, expired)?;
    }
    let leaves = object.leaves;
    let mut storer = state::storer(storage, node_id)?;
    check_eligible(storage, object, slot, node_id, &storer)?;
    storer.pending = storer.pending.saturating_add(leaves);
    STORERS.save(storage, node_id, &storer)?;
    // A take-over does not open the window anew: otherwise it could be kept open for ever.
    let since = match nominee {
        Some((_, since)) if height <= deadline(params, since) => since,
        _ => height,
    };
    state::slot(object, slot)?.nominee = Some((node_id, since));
    Ok(())
}

/// Last height at which a nominee can accept.
pub(crate) fn deadline(params: &Params, since: u64) -> u64 {
    since.saturating_add(params.assign_blocks).saturating_add(params.accept_blocks)
}

/// Takes a nomination from a node. One that let its time pass offers no more room until it enrolls again:
/// otherwise the best score could keep a slot vacant for ever.
pub(crate) fn release(
    storage: &mut dyn Storage,
    node_id: u64,
    leaves: u64,
    expired: bool,
) -> ContractResult<()> {
    let mut storer = state::storer(storage, node_id)?;
    storer.pending = storer.pending.saturating_sub(leaves);
    if expired {
        storer.capacity = storer.capacity.min(storer.kept.saturating_add(storer.pending));
    }
    Ok(STORERS.save(storage, node_id, &storer)?)
}

/// Refuses a node that does not take fragments, has no room, or whose operator has another slot of the
/// object.
fn check_eligible(
    storage: &dyn Storage,
    object: &Object,
    slot: u8,
    node_id: u64,
    storer: &Storer,
) -> ContractResult<()> {
    let refused = |why| Err(ContractError::Ineligible { node_id, why });
    if storer.state != StorerState::Active {
        return refused("it is leaving, or out");
    }
    if storer.room() < object.leaves {
        return refused("it has no room left: enroll it with more");
    }
    for (number, place) in object.slots.iter().enumerate() {
        let nominee = match number == usize::from(slot) {
            true => None,
            false => place.nominee.map(|(node, _)| node),
        };
        // The holder of this slot, too: a node does not succeed itself.
        for other in place.holder.map(|(node, _)| node).into_iter().chain(nominee) {
            if other == node_id || state::storer(storage, other)?.operator == storer.operator {
                return refused("its operator has a slot of this object");
            }
        }
    }
    Ok(())
}

//! `Accept`: a nominee takes a fragment. From then on it is paid for what it proves and cut for what it
//! does not.

use cosmwasm_std::{DepsMut, Env, Event, MessageInfo, Response, Storage, Uint128};
use openledger_contract::payment;
use openledger_types::formats::{BPS, PRICE_UNIT};
use openledger_types::msg::storage::Params;

use crate::error::{ContractError, ContractResult};
use crate::execute::check_list;
use crate::execute::nominate::deadline;
use crate::state::{
    self, Holding, Storer, ACCOUNTS, CONTRACTS, DRAW_COUNT, HOLDINGS, OBJECTS, PARAMS, STORERS,
};
use crate::{accounts, fenwick, samples, settle};

/// Takes fragments.
pub fn accept(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    node_id: u64,
    slots: Vec<(u64, u8)>,
) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    check_list("slots", slots.len())?;
    let node = CONTRACTS.load(deps.storage)?.storing_node(&deps.querier, node_id, info.sender.as_str())?;
    let params = PARAMS.load(deps.storage)?;
    let mut storer = state::storer(deps.storage, node_id)?;
    let newest = DRAW_COUNT.load(deps.storage)?;
    // What a draw chooses from must not change between its beacon and its answer.
    if let Some(draw) = samples::waiting(&storer, newest) {
        return Err(ContractError::DrawDue { draw, node_id });
    }
    if storer.kept == 0 {
        storer.settled_draw = newest;
        storer.mark = env.block.height;
    }
    let mut response = Response::new().add_attribute("action", "accept");
    for (object_id, slot) in slots {
        let position =
            accept_one(deps.storage, &params, &mut storer, env.block.height, (node_id, object_id, slot))?;
        response = response.add_event(
            Event::new("fragment_accepted")
                .add_attribute("object_id", object_id.to_string())
                .add_attribute("slot", slot.to_string())
                .add_attribute("node_id", node_id.to_string())
                .add_attribute("position", position.to_string()),
        );
    }
    check_cover(&params, node.bond, &storer, node_id)?;
    STORERS.save(deps.storage, node_id, &storer)?;
    Ok(response)
}

fn accept_one(
    storage: &mut dyn Storage,
    params: &Params,
    storer: &mut Storer,
    height: u64,
    (node_id, object_id, slot): (u64, u64, u8),
) -> ContractResult<u64> {
    let mut object = state::live_object(storage, object_id)?;
    let leaves = object.leaves;
    let len = object.coding.fragment_len(object.len);
    let root = object.root(slot).cloned().ok_or(ContractError::NotFound { what: "slot", id: slot.into() })?;
    let place = state::slot(&mut object, slot)?;
    let since = match place.nominee {
        Some((nominee, since)) if nominee == node_id => since,
        _ => return Err(ContractError::Ineligible { node_id, why: "it is not nominated for this slot" }),
    };
    let (from, to) = (since.saturating_add(params.assign_blocks).saturating_add(1), deadline(params, since));
    if !(from..=to).contains(&height) {
        return Err(ContractError::NotNow { what: "an acceptance", from, to });
    }
    let before = place.holder.take();
    place.nominee = None;
    storer.pending = storer.pending.saturating_sub(leaves);
    if let Some((holder, position)) = before {
        // Nominations never go to the slot's holder, so this is another node.
        let mut former = state::storer(storage, holder)?;
        let holding = state::holding(storage, holder, position)?;
        settle::end(storage, (holder, position), holding, &mut former, height)?;
        STORERS.save(storage, holder, &former)?;
    }
    let mut account = accounts::load(storage, object.datanet_id, height)?;
    let rate = settle::rate(leaves, object.price)?;
    account.rate = account.rate.checked_add(rate)?;
    if account.is_dry()? {
        return Err(ContractError::RunsOut { lasts: 0, needed: 1 });
    }
    let position = fenwick::append(storage, node_id, storer.positions, leaves)?;
    let holding = Holding {
        object_id,
        datanet_id: object.datanet_id,
        slot,
        leaves,
        len,
        root,
        price: object.price,
        live: true,
        // The next proof covers blocks before this one: they are not this fragment's.
        paid_proven: storer.proven_blocks.saturating_add(height.saturating_sub(storer.mark)),
        paid_funded: account.funded_blocks,
    };
    storer.positions = position;
    storer.kept = storer.kept.saturating_add(leaves);
    storer.drawn_from = storer.drawn_from.saturating_add(leaves);
    storer.rate = storer.rate.checked_add(rate)?;
    state::slot(&mut object, slot)?.holder = Some((node_id, position));

    ACCOUNTS.save(storage, object.datanet_id, &account)?;
    HOLDINGS.save(storage, (node_id, position), &holding)?;
    OBJECTS.save(storage, object_id, &object)?;
    Ok(position)
}

/// Refuses more than the bond covers: one cut must cost more than a tenth of the pay of `cover_blocks`
/// (I3).
fn check_cover(params: &Params, bond: Uint128, storer: &Storer, node_id: u64) -> ContractResult<()> {
    let cut = bond.full_mul(params.miss_cut_bps).checked_div(u128::from(BPS).into())?;
    let pay = storer.rate.full_mul(params.cover_blocks);
    let saved = pay.checked_div((PRICE_UNIT.saturating_mul(10)).into())?;
    match cut > saved {
        true => Ok(()),
        false => Err(ContractError::Ineligible { node_id, why: "its bond covers no more: add to it" }),
    }
}

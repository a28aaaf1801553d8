//! Training access (PROTOCOL D6): a developer pays the price and a bond, the datanet's owner hands
//! the key over, and the bond stays until misuse would have been seen.

use cosmwasm_std::{Addr, DepsMut, Env, Event, HexBinary, MessageInfo, Response, Storage, Uint128};
use openledger_contract::{ownership, pause, payment, text};

use crate::execute::{keys, plus, slash};
use crate::state::{self, Access, ACCESSES, PARAMS, POTS, TOTALS};
use crate::ContractError;

/// Takes price and bond. A bond that is at stake already counts, so that a second purchase costs its
/// price; the bond's time begins anew.
pub fn buy_access(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    datanet_id: u64,
    recipient: String,
) -> Result<Response, ContractError> {
    let params = PARAMS.load(deps.storage)?;
    let sent = payment::must_pay(&info, &params.denom)?;
    pause::assert_running(deps.storage)?;
    let datanet = state::datanet(deps.storage, datanet_id)?;
    let price = datanet.training_price;
    text::age_recipient("recipient", &recipient)?;
    let old = ACCESSES.may_load(deps.storage, (datanet_id, &info.sender))?;
    let staked = old.as_ref().map_or(Uint128::zero(), |access| access.bond);
    let bond = params.developer_bond.saturating_sub(staked);
    let expected = price.checked_add(bond)?;
    if sent != expected.u128() {
        return Err(ContractError::WrongPrice { expected: expected.u128(), sent });
    }
    let mut pots = state::pots(deps.storage)?;
    pots.access_paid = pots.access_paid.checked_add(price)?;
    pots.developer_bonds = pots.developer_bonds.checked_add(bond)?;
    let paid = old.as_ref().map_or(Uint128::zero(), |access| access.paid);
    // A key that came for the same recipient is still there; only the one in force is what is paid for (D6).
    let kept = old.filter(|access| access.recipient == recipient);
    let granted = kept.as_ref().is_some_and(|access| access.wrapped.is_some() && access.key == datanet.key);
    let access = Access {
        recipient,
        paid: paid.checked_add(price)?,
        bond: staked.checked_add(bond)?,
        bought_at: env.block.height,
        blocks: params.access_blocks,
        key: kept.as_ref().map_or(0, |access| access.key),
        wrapped: kept.and_then(|access| access.wrapped),
        granted_at: granted.then_some(env.block.height),
        used: false,
    };

    POTS.save(deps.storage, &pots)?;
    ACCESSES.save(deps.storage, (datanet_id, &info.sender), &access)?;
    Ok(Response::new().add_attribute("action", "buy_access").add_event(
        Event::new("access_bought")
            .add_attribute("datanet_id", datanet_id.to_string())
            .add_attribute("developer", info.sender)
            .add_attribute("price", price)
            .add_attribute("bond", bond),
    ))
}

/// Hands the key over; a later one replaces an earlier one and does not lengthen the bond's time.
pub fn grant_access(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    datanet_id: u64,
    developer: String,
    wrapped: HexBinary,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let datanet = state::owned_datanet(deps.storage, datanet_id, &info.sender)?;
    let developer_addr = deps.api.addr_validate(&developer)?;
    keys::check_wrapped(&wrapped)?;
    let mut access = load(deps.storage, datanet_id, &developer_addr)?;
    access.wrapped = Some(wrapped);
    access.key = datanet.key;
    access.granted_at = Some(access.granted_at.unwrap_or(env.block.height));

    ACCESSES.save(deps.storage, (datanet_id, &developer_addr), &access)?;
    Ok(Response::new().add_attribute("action", "grant_access").add_event(
        Event::new("access_granted")
            .add_attribute("datanet_id", datanet_id.to_string())
            .add_attribute("developer", developer_addr),
    ))
}

/// Height from which an access may be left.
pub(crate) fn leaves_at(access: &Access) -> Result<u64, ContractError> {
    plus(plus(access.granted_at.unwrap_or(access.bought_at), access.blocks)?, 1)
}

/// Credits what the sender's access gives back: everything when no key came; the bond when one came,
/// and with it what a registration left of the price. A price that nothing was registered for stays,
/// to be used.
pub fn leave_access(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    datanet_id: u64,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let mut access = load(deps.storage, datanet_id, &info.sender)?;
    let from = leaves_at(&access)?;
    if env.block.height < from {
        return Err(ContractError::AccessAtStake { from });
    }
    let refund = access.granted_at.is_none() || access.used;
    let paid = if refund { access.paid } else { Uint128::zero() };
    let bond = access.bond;
    if paid.is_zero() && bond.is_zero() && !access.paid.is_zero() {
        return Err(ContractError::NothingToLeave {});
    }
    let mut pots = state::pots(deps.storage)?;
    let mut totals = TOTALS.load(deps.storage)?;
    pots.access_paid = pots.access_paid.checked_sub(paid)?;
    pots.developer_bonds = pots.developer_bonds.checked_sub(bond)?;
    access.paid = access.paid.checked_sub(paid)?;
    access.bond = Uint128::zero();

    state::credit(deps.storage, &mut totals, &info.sender, paid.checked_add(bond)?)?;
    POTS.save(deps.storage, &pots)?;
    TOTALS.save(deps.storage, &totals)?;
    match access.paid.is_zero() {
        true => ACCESSES.remove(deps.storage, (datanet_id, &info.sender)),
        false => ACCESSES.save(deps.storage, (datanet_id, &info.sender), &access)?,
    }
    Ok(Response::new().add_attribute("action", "leave_access").add_event(
        Event::new("access_left")
            .add_attribute("datanet_id", datanet_id.to_string())
            .add_attribute("developer", info.sender)
            .add_attribute("price", paid)
            .add_attribute("bond", bond),
    ))
}

/// Takes a developer's bond for misuse: a part is burned, the rest goes to the treasury, because
/// nobody can show on chain who found it.
pub fn slash_access(
    deps: DepsMut,
    info: MessageInfo,
    datanet_id: u64,
    developer: String,
    reason: String,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    ownership::assert_owner(deps.storage, &info.sender)?;
    text::line("reason", &reason, 1, 256, "a line of 1 to 256 bytes")?;
    let developer_addr = deps.api.addr_validate(&developer)?;
    let mut access = load(deps.storage, datanet_id, &developer_addr)?;
    let bond = access.bond;
    if bond.is_zero() {
        return Err(ContractError::NothingToSlash {});
    }
    let params = PARAMS.load(deps.storage)?;
    let mut totals = TOTALS.load(deps.storage)?;
    let mut pots = state::pots(deps.storage)?;
    pots.developer_bonds = pots.developer_bonds.checked_sub(bond)?;
    access.bond = Uint128::zero();
    let burned = slash::divide(deps.storage, &params, &mut totals, bond, None)?;

    POTS.save(deps.storage, &pots)?;
    TOTALS.save(deps.storage, &totals)?;
    ACCESSES.save(deps.storage, (datanet_id, &developer_addr), &access)?;
    let response = Response::new().add_attribute("action", "slash_access").add_event(
        Event::new("access_slashed")
            .add_attribute("datanet_id", datanet_id.to_string())
            .add_attribute("developer", developer_addr)
            .add_attribute("bond", bond)
            .add_attribute("burned", burned)
            .add_attribute("reason", reason),
    );
    Ok(match slash::burn(&params, burned) {
        Some(message) => response.add_message(message),
        None => response,
    })
}

/// Loads a developer's access.
fn load(storage: &dyn Storage, datanet_id: u64, developer: &Addr) -> Result<Access, ContractError> {
    ACCESSES
        .may_load(storage, (datanet_id, developer))?
        .ok_or_else(|| ContractError::AccessNotFound { datanet_id, developer: developer.to_string() })
}

//! `FundStorage`, `ForwardDeposit` and `ConnectStorage`: deposits that pay for storing datanets (PROTOCOL
//! I1, I3). Anyone may fund, in any denom, because the escrow's commons come in many; the number of denoms
//! is bounded, and the denom of bonds is always taken.
//!
//! Nodes are paid in the denom of bonds, by the storage contract: what comes in it is forwarded there at
//! once, and what was held before that contract was known by `ForwardDeposit`, so a migration moves no
//! coins. Other denoms wait here until nodes are paid in them.

use cosmwasm_std::{
    coin, wasm_execute, Addr, DepsMut, Event, MessageInfo, Response, Storage, Uint128, WasmMsg,
};
use openledger_contract::{ownership, payment, CommonError};
use openledger_types::msg::storage as keeper;

use crate::state::{self, DEPOSITS, DEPOSIT_DENOMS, PARAMS, STORAGE, STORAGE_DENOMS, STORAGE_TOTALS};
use crate::ContractError;

/// Most datanets of one message.
const MAX_PARTS: usize = 16;

/// Most denoms of one datanet's deposits, that of bonds among them.
pub const MAX_DENOMS: u32 = 30;

/// Most denoms of all deposits, that of bonds among them.
pub const MAX_DENOMS_IN_ALL: u32 = 64;

/// Adds to deposits; the parts are the coin sent.
pub fn fund_storage(
    deps: DepsMut,
    info: MessageInfo,
    parts: Vec<(u64, Uint128)>,
) -> Result<Response, ContractError> {
    let (denom, sent) = match info.funds.as_slice() {
        [coin] if !coin.amount.is_zero() => (coin.denom.clone(), payment::to_u128(coin.amount)?),
        _ => return Err(ContractError::OneCoin {}),
    };
    let rising = parts.windows(2).all(|pair| matches!(pair, [a, b] if a.0 < b.0));
    let positive = parts.iter().all(|(_, amount)| !amount.is_zero());
    if !(1..=MAX_PARTS).contains(&parts.len()) || !rising || !positive {
        let rule = "1 to 16 (datanet, amount), rising by datanet, without zeros";
        return Err(CommonError::BadField { field: "parts", rule }.into());
    }
    let mut sum = Uint128::zero();
    for (_, amount) in &parts {
        sum = sum.checked_add(*amount)?;
    }
    if sum.u128() != sent {
        return Err(ContractError::WrongSum { expected: sum.u128(), sent });
    }
    let bonds = PARAMS.load(deps.storage)?.denom == denom;
    if let Some(keeper) = STORAGE.may_load(deps.storage)?.filter(|_| bonds) {
        for (datanet_id, _) in &parts {
            state::datanet(deps.storage, *datanet_id)?;
        }
        let message = forward(&keeper, parts, sum, &denom)?;
        return Ok(Response::new()
            .add_attribute("action", "fund_storage")
            .add_attribute("forwarded", sum)
            .add_message(message));
    }
    let total = match STORAGE_TOTALS.may_load(deps.storage, &denom)? {
        Some(total) => total,
        None => {
            if !bonds {
                count_denom(deps.storage)?;
            }
            Uint128::zero()
        }
    };
    STORAGE_TOTALS.save(deps.storage, &denom, &total.checked_add(sum)?)?;
    let mut response = Response::new().add_attribute("action", "fund_storage");
    for (datanet_id, amount) in parts {
        state::datanet(deps.storage, datanet_id)?;
        let deposit = match DEPOSITS.may_load(deps.storage, (datanet_id, denom.as_str()))? {
            Some(deposit) => deposit,
            None => {
                if !bonds {
                    count_denom_of(deps.storage, datanet_id)?;
                }
                Uint128::zero()
            }
        };
        DEPOSITS.save(deps.storage, (datanet_id, denom.as_str()), &deposit.checked_add(amount)?)?;
        response = response.add_event(
            Event::new("storage_funded")
                .add_attribute("datanet_id", datanet_id.to_string())
                .add_attribute("amount", amount)
                .add_attribute("denom", &denom),
        );
    }
    Ok(response)
}

/// Sends a datanet's deposit in the denom of bonds on.
pub fn forward_deposit(deps: DepsMut, info: MessageInfo, datanet_id: u64) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let denom = PARAMS.load(deps.storage)?.denom;
    let keeper = STORAGE.may_load(deps.storage)?.ok_or(ContractError::NothingToForward {})?;
    let key = (datanet_id, denom.as_str());
    let deposit = DEPOSITS.may_load(deps.storage, key)?.ok_or(ContractError::NothingToForward {})?;
    let total = STORAGE_TOTALS.may_load(deps.storage, &denom)?.unwrap_or_default();

    DEPOSITS.remove(deps.storage, key);
    STORAGE_TOTALS.save(deps.storage, &denom, &total.checked_sub(deposit)?)?;
    let message = forward(&keeper, vec![(datanet_id, deposit)], deposit, &denom)?;
    Ok(Response::new()
        .add_attribute("action", "forward_deposit")
        .add_event(
            Event::new("storage_forwarded")
                .add_attribute("datanet_id", datanet_id.to_string())
                .add_attribute("amount", deposit)
                .add_attribute("denom", &denom),
        )
        .add_message(message))
}

/// A deposit in the storage contract, which takes what comes from here as nobody's.
fn forward(
    keeper: &Addr,
    parts: Vec<(u64, Uint128)>,
    sum: Uint128,
    denom: &str,
) -> Result<WasmMsg, ContractError> {
    Ok(wasm_execute(keeper, &keeper::ExecuteMsg::Fund { parts }, vec![coin(sum.u128(), denom)])?)
}

/// Names the storage contract.
pub fn connect_storage(deps: DepsMut, info: MessageInfo, storage: &str) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    ownership::assert_owner(deps.storage, &info.sender)?;
    let known = believe(deps, storage)?;
    Ok(Response::new().add_attribute("action", "connect_storage").add_attribute("storage", known))
}

/// Writes down which storage contract is believed; also at instantiation.
pub(crate) fn believe(deps: DepsMut, storage: &str) -> Result<Addr, ContractError> {
    let storage = deps.api.addr_validate(storage)?;
    STORAGE.save(deps.storage, &storage)?;
    Ok(storage)
}

/// Counts a denom that no deposit had; one place is the bonds'.
fn count_denom(storage: &mut dyn Storage) -> Result<(), ContractError> {
    let count = STORAGE_DENOMS.may_load(storage)?.unwrap_or_default().saturating_add(1);
    match count < MAX_DENOMS_IN_ALL {
        true => Ok(STORAGE_DENOMS.save(storage, &count)?),
        false => Err(ContractError::TooManyDenoms { bound: MAX_DENOMS_IN_ALL }),
    }
}

/// Counts a denom that the deposits of a datanet did not have.
fn count_denom_of(storage: &mut dyn Storage, datanet_id: u64) -> Result<(), ContractError> {
    let count = DEPOSIT_DENOMS.may_load(storage, datanet_id)?.unwrap_or_default().saturating_add(1);
    match count < MAX_DENOMS {
        true => Ok(DEPOSIT_DENOMS.save(storage, datanet_id, &count)?),
        false => Err(ContractError::TooManyDenoms { bound: MAX_DENOMS }),
    }
}

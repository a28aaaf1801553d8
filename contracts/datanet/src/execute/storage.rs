//! `FundStorage`: deposits that pay for storing datanets (PROTOCOL I1, I3). Anyone may fund, in any
//! denom, because the escrow's commons come in many; the number of denoms is bounded, and the denom
//! of bonds is always taken.

use cosmwasm_std::{DepsMut, Event, MessageInfo, Response, Storage, Uint128};
use openledger_contract::{payment, CommonError};

use crate::state::{self, DEPOSITS, DEPOSIT_DENOMS, PARAMS, STORAGE_DENOMS, STORAGE_TOTALS};
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

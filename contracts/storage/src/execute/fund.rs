//! `Fund`, `AnnounceExit`, `Exit` and `SetPrice`: deposits of datanets.
//!
//! A deposit is a pool. Who sends to it here owns a part of what is not used up; what the datanet contract
//! forwards (the commons' half of I1, gifts) is nobody's and leaves only as pay. An exit needs notice, so
//! that nodes see the end of their pay coming.

use cosmwasm_std::{DepsMut, Env, Event, MessageInfo, Response, Uint128};
use openledger_contract::{payment, CommonError};
use openledger_types::msg::storage::MAX_PARTS;

use crate::accounts;
use crate::error::{ContractError, ContractResult};
use crate::state::{Account, Funder, ACCOUNTS, CONTRACTS, DEPOSITS, FUNDERS, PARAMS};

/// Adds to deposits.
pub fn fund(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    parts: Vec<(u64, Uint128)>,
) -> ContractResult<Response> {
    let denom = PARAMS.load(deps.storage)?.denom;
    let sent = payment::must_pay(&info, &denom)?;
    let rising = parts.windows(2).all(|pair| matches!(pair, [a, b] if a.0 < b.0));
    let positive = parts.iter().all(|(_, amount)| !amount.is_zero());
    if !(1..=MAX_PARTS).contains(&parts.len()) || !rising || !positive {
        let rule = "1 to 16 (datanet, amount), rising by datanet, without zeros";
        return Err(ContractError::BadList { list: "parts", rule });
    }
    let mut sum = Uint128::zero();
    for (_, amount) in &parts {
        sum = sum.checked_add(*amount)?;
    }
    if sum.u128() != sent {
        return Err(ContractError::WrongSum { expected: sum.u128(), sent });
    }
    let contracts = CONTRACTS.load(deps.storage)?;
    let gift = info.sender == contracts.datanet;
    let mut response = Response::new().add_attribute("action", "fund");
    for (datanet_id, amount) in parts {
        // The datanet contract names datanets that exist, and cannot be asked while it sends.
        if !gift {
            contracts.datanet(&deps.querier, datanet_id)?;
        }
        let mut account = accounts::load(deps.storage, datanet_id, env.block.height)?;
        let shares = account.fund(amount)?;
        if !gift {
            let key = (datanet_id, &info.sender);
            let before = current(FUNDERS.may_load(deps.storage, key)?, &account);
            let shares = before.checked_add(shares)?;
            let funder = Funder { shares, generation: account.generation, exit_from: None };
            FUNDERS.save(deps.storage, key, &funder)?;
        }
        ACCOUNTS.save(deps.storage, datanet_id, &account)?;
        response = response.add_event(
            Event::new("storage_funded")
                .add_attribute("datanet_id", datanet_id.to_string())
                .add_attribute("amount", amount)
                .add_attribute("denom", &denom)
                .add_attribute("gift", gift.to_string()),
        );
    }
    DEPOSITS.update(deps.storage, |all| all.checked_add(sum).map_err(ContractError::from))?;
    Ok(response)
}

/// Shares of a funder that are not void.
pub(crate) fn current(funder: Option<Funder>, account: &Account) -> Uint128 {
    match funder {
        Some(funder) if funder.generation == account.generation => funder.shares,
        _ => Uint128::zero(),
    }
}

/// Starts the notice of an exit; a later `Fund` of the same funder ends it.
pub fn announce_exit(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    datanet_id: u64,
) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    let account = accounts::load(deps.storage, datanet_id, env.block.height)?;
    let key = (datanet_id, &info.sender);
    let shares = current(FUNDERS.may_load(deps.storage, key)?, &account);
    if shares.is_zero() {
        return Err(ContractError::NoFunder {});
    }
    let from = env.block.height.saturating_add(PARAMS.load(deps.storage)?.notice_blocks);
    let funder = Funder { shares, generation: account.generation, exit_from: Some(from) };
    FUNDERS.save(deps.storage, key, &funder)?;
    Ok(Response::new().add_attribute("action", "announce_exit").add_event(
        Event::new("storage_exit_announced")
            .add_attribute("datanet_id", datanet_id.to_string())
            .add_attribute("funder", &info.sender)
            .add_attribute("from", from.to_string()),
    ))
}

/// Pays out what the sender's part is worth.
pub fn exit(deps: DepsMut, env: Env, info: MessageInfo, datanet_id: u64) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    let params = PARAMS.load(deps.storage)?;
    let key = (datanet_id, &info.sender);
    let funder = FUNDERS.may_load(deps.storage, key)?.ok_or(ContractError::NoFunder {})?;
    let from = funder.exit_from.ok_or(ContractError::NoFunder {})?;
    let to = from.saturating_add(params.notice_blocks);
    if !(from..=to).contains(&env.block.height) {
        return Err(ContractError::NotNow { what: "an announced exit", from, to });
    }
    let mut account = accounts::load(deps.storage, datanet_id, env.block.height)?;
    let shares = current(Some(funder), &account);
    let amount = account.value(shares)?;
    FUNDERS.remove(deps.storage, key);
    if amount.is_zero() {
        return Err(ContractError::NothingToPay {});
    }
    account.shares = account.shares.checked_sub(shares)?;
    account.deposit = account.deposit.checked_sub(amount)?;

    ACCOUNTS.save(deps.storage, datanet_id, &account)?;
    DEPOSITS.update(deps.storage, |all| all.checked_sub(amount).map_err(ContractError::from))?;
    Ok(payment::pay_out("exit", ("storage_deposit_left", "funder"), info.sender, amount, params.denom))
}

/// Sets the price of objects placed from now on.
pub fn set_price(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    datanet_id: u64,
    price: Option<Uint128>,
) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    let datanet = CONTRACTS.load(deps.storage)?.datanet(&deps.querier, datanet_id)?;
    if datanet.owner != info.sender.as_str() {
        return Err(CommonError::Unauthorized { role: "the datanet's owner" }.into());
    }
    if price.is_some_and(|price| price.is_zero()) {
        return Err(CommonError::BadField { field: "price", rule: "at least 1 base unit" }.into());
    }
    let mut account = accounts::load(deps.storage, datanet_id, env.block.height)?;
    account.price = price;
    ACCOUNTS.save(deps.storage, datanet_id, &account)?;
    let event = Event::new("storage_price_set").add_attribute("datanet_id", datanet_id.to_string());
    let event = match price {
        Some(price) => event.add_attribute("price", price),
        None => event,
    };
    Ok(Response::new().add_attribute("action", "set_price").add_event(event))
}

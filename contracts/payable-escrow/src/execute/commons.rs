//! What nobody earned (I1): half of it is burned, half pays for storing the datanets whose models were
//! used.

use cosmwasm_std::{
    to_json_binary, BankMsg, Coin, CosmosMsg, DepsMut, Env, MessageInfo, Order, Response, Uint128, WasmMsg,
};
use openledger_contract::payment;
use openledger_types::msg::datanet::ExecuteMsg as DatanetMsg;
use openledger_types::msg::escrow::MAX_SWEPT;

use crate::error::{ContractError, ContractResult};
use crate::money;
use crate::registry;
use crate::state::{COUNTERS, PARAMS, SWEEPS, WEIGHTS};

/// `SweepCommons`. A sweep over more than 16 datanets goes on with the next calls, without burning
/// again.
pub fn sweep(deps: DepsMut, env: Env, info: MessageInfo, denom: String) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    let datanet = registry::connected(deps.as_ref())?.datanet;
    let mut sweep = SWEEPS.may_load(deps.storage, &denom)?.unwrap_or_default();
    let mut burned = Uint128::zero();
    if sweep.waiting.is_zero() {
        let epoch = PARAMS.load(deps.storage)?.0.epoch_blocks;
        let from = sweep.at.saturating_add(epoch);
        if sweep.at > 0 && env.block.height < from {
            return Err(ContractError::SweptAlready { from });
        }
        let commons = COUNTERS.may_load(deps.storage, &denom)?.unwrap_or_default().commons;
        let half = commons.checked_div(Uint128::new(2)).unwrap_or_default();
        // Vouchers of other chains are theirs to burn.
        sweep.pool = if denom.starts_with("ibc/") { commons } else { half };
        burned = if denom.starts_with("ibc/") { Uint128::zero() } else { half };
        if sweep.pool.is_zero() || sweep.gathered.is_zero() {
            return Err(ContractError::NothingToSweep { denom });
        }
        sweep.at = env.block.height;
        sweep.waiting = sweep.gathered;
        sweep.gathered = Uint128::zero();
        sweep.round = sweep.round.saturating_add(1);
    }
    // The weights were gathered under the number that the sweep had before.
    let round = sweep.round.saturating_sub(1);
    let next = WEIGHTS
        .prefix((denom.as_str(), round))
        .range(deps.storage, None, None, Order::Ascending)
        .take(MAX_SWEPT)
        .collect::<Result<Vec<(u64, Uint128)>, _>>()?;
    let mut parts = Vec::with_capacity(next.len());
    let mut paid = Uint128::zero();
    for (datanet_id, weight) in next {
        WEIGHTS.remove(deps.storage, (denom.as_str(), round, datanet_id));
        // Of what is left by the weight that is left: the last one gets the rest.
        let amount = sweep.pool.checked_multiply_ratio(weight, sweep.waiting).unwrap_or_default();
        sweep.pool = sweep.pool.checked_sub(amount)?;
        sweep.waiting = sweep.waiting.checked_sub(weight)?;
        if !amount.is_zero() {
            paid = paid.checked_add(amount)?;
            parts.push((datanet_id, amount));
        }
    }
    SWEEPS.save(deps.storage, &denom, &sweep)?;
    money::update(deps.storage, &denom, |counters| {
        money::shift(&mut counters.commons, &mut counters.paid_out, burned.checked_add(paid)?)
    })?;
    let mut messages: Vec<CosmosMsg> = Vec::with_capacity(2);
    if !burned.is_zero() {
        messages.push(BankMsg::Burn { amount: vec![Coin::new(burned, &denom)] }.into());
    }
    let count = parts.len();
    if count > 0 {
        let funds = vec![Coin::new(paid, &denom)];
        let msg = to_json_binary(&DatanetMsg::FundStorage { parts })?;
        messages.push(WasmMsg::Execute { contract_addr: datanet.into(), msg, funds }.into());
    }
    Ok(Response::new()
        .add_attribute("action", "sweep_commons")
        .add_attribute("burned", format!("{burned}{denom}"))
        .add_attribute("datanets", count.to_string())
        .add_attribute("paid", format!("{paid}{denom}"))
        .add_messages(messages))
}

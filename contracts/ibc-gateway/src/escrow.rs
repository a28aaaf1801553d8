//! What the gateway asks the escrow and tells it. Fields of answers that it does not need are skipped,
//! so that the escrow may answer more after its next release.

use cosmwasm_schema::serde::de::DeserializeOwned;
use cosmwasm_schema::serde::Deserialize;
use cosmwasm_std::{to_json_binary, Addr, Coin, Deps, HexBinary, StdResult, Uint128, WasmMsg};
use openledger_contract::lean::Lean;
use openledger_types::msg::common::Amount;
use openledger_types::msg::escrow::{ExecuteMsg, QueryMsg};

use crate::error::ContractResult;
use crate::state::ESCROW;

/// Of the answer to `Balance`.
#[derive(Deserialize)]
#[serde(crate = "cosmwasm_schema::serde")]
struct Balance {
    amounts: Vec<Amount>,
}

/// Of the answer to `Session`.
#[derive(Deserialize)]
#[serde(crate = "cosmwasm_schema::serde")]
struct Session {
    session_key: HexBinary,
}

/// What an account can withdraw there in a denom.
pub fn balance(deps: Deps, account: &Addr, denom: &str) -> ContractResult<Uint128> {
    let amounts = balances(deps, account)?;
    Ok(amounts.into_iter().find(|amount| amount.denom == denom).map_or(Uint128::zero(), |found| found.amount))
}

/// What an account can withdraw there.
pub fn balances(deps: Deps, account: &Addr) -> ContractResult<Vec<Amount>> {
    let answer: Balance = ask(deps, &QueryMsg::Balance { address: account.to_string() })?;
    Ok(answer.amounts)
}

/// The key that signs a session's vouchers.
pub fn session_key(deps: Deps, session_id: u64) -> ContractResult<HexBinary> {
    let answer: Session = ask(deps, &QueryMsg::Session { session_id })?;
    Ok(answer.session_key)
}

fn ask<T: DeserializeOwned>(deps: Deps, msg: &QueryMsg) -> ContractResult<T> {
    let escrow = ESCROW.load(deps.storage)?;
    let Lean(answer) = deps.querier.query_wasm_smart(escrow, msg)?;
    Ok(answer)
}

/// A message to it.
pub fn tell(deps: Deps, msg: &ExecuteMsg, funds: Vec<Coin>) -> StdResult<WasmMsg> {
    Ok(WasmMsg::Execute {
        contract_addr: ESCROW.load(deps.storage)?.into(),
        msg: to_json_binary(msg)?,
        funds,
    })
}

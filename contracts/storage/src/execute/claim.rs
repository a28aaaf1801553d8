//! `Claim`: pay is computed and pulled (PROTOCOL A2).

use cosmwasm_std::{DepsMut, Env, MessageInfo, Response};
use openledger_contract::payment;
use openledger_types::msg::node_registry::RecordedWork;
use openledger_types::msg::storage::MAX_SLOTS;

use crate::error::{ContractError, ContractResult};
use crate::state::{self, ACCOUNTS, BALANCES, CONTRACTS, HOLDINGS, PARAMS, WITHDRAWABLE};
use crate::{accounts, settle};

/// Settles positions and pays the operator all that it is owed.
pub fn claim(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    node_id: u64,
    positions: Vec<u64>,
) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    if positions.len() > MAX_SLOTS {
        return Err(ContractError::BadList { list: "positions", rule: "at most 32 entries" });
    }
    let storer = state::storer(deps.storage, node_id)?;
    let mut proven = 0u64;
    for position in positions {
        let mut holding = state::holding(deps.storage, node_id, position)?;
        if !holding.live {
            continue;
        }
        let mut account = accounts::load(deps.storage, holding.datanet_id, env.block.height)?;
        let paid = settle::settle(deps.storage, &mut holding, &storer, &mut account, false)?;
        if paid > 0 {
            proven = proven.saturating_add(holding.len);
        }
        ACCOUNTS.save(deps.storage, holding.datanet_id, &account)?;
        HOLDINGS.save(deps.storage, (node_id, position), &holding)?;
    }
    let amount = BALANCES.may_load(deps.storage, &storer.operator)?.unwrap_or_default();
    if amount.is_zero() {
        return Err(ContractError::NothingToPay {});
    }
    BALANCES.remove(deps.storage, &storer.operator);
    WITHDRAWABLE.update(deps.storage, |sum| sum.checked_sub(amount).map_err(ContractError::from))?;
    let denom = PARAMS.load(deps.storage)?.denom;
    let response = payment::pay_out("claim", ("storage_paid", "operator"), storer.operator, amount, denom);
    match proven {
        0 => Ok(response),
        proven_bytes => {
            let work = RecordedWork { proven_bytes, ..RecordedWork::default() };
            Ok(response.add_message(CONTRACTS.load(deps.storage)?.record(node_id, work)?))
        }
    }
}

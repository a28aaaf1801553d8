//! The end of a session that was paid from another chain.

use cosmwasm_std::{DepsMut, Env, HexBinary, MessageInfo, Response};
use openledger_contract::payment;
use openledger_types::formats::close_digest;
use openledger_types::msg::escrow::ExecuteMsg as EscrowMsg;
use openledger_types::signature::is_canonical;

use crate::error::{ContractError, ContractResult};
use crate::escrow;

/// `CloseSession`. The session's key decides, whoever brings its signature: a payer of another chain has
/// no account here. The escrow takes it from the gateway for sessions only that it opened.
pub fn close(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    session_id: u64,
    signature: HexBinary,
) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    let key = escrow::session_key(deps.as_ref(), session_id)?;
    let digest = close_digest(&env.block.chain_id, env.contract.address.as_str(), session_id);
    let signed =
        is_canonical(&signature) && deps.api.secp256k1_verify(&digest, &signature, &key).unwrap_or(false);
    if !signed {
        return Err(ContractError::BadSignature {});
    }
    let message = escrow::tell(deps.as_ref(), &EscrowMsg::RequestClose { session_id }, vec![])?;
    Ok(Response::new()
        .add_attribute("action", "close_session")
        .add_attribute("session_id", session_id.to_string())
        .add_message(message))
}

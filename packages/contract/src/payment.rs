//! The coins that come with a message (convention C6), and a payment that answers one.

use cosmwasm_std::{coin, Addr, BankMsg, Event, MessageInfo, Response, Uint128, Uint256};

use crate::CommonError;

/// Refuses any coin.
pub fn nonpayable(info: &MessageInfo) -> Result<(), CommonError> {
    match info.funds.is_empty() {
        true => Ok(()),
        false => Err(CommonError::NonPayable {}),
    }
}

/// The one coin sent: its denom and amount, which is not zero.
pub fn one_coin(info: &MessageInfo) -> Result<(String, u128), CommonError> {
    match info.funds.as_slice() {
        [coin] if !coin.amount.is_zero() => Ok((coin.denom.clone(), to_u128(coin.amount)?)),
        _ => Err(CommonError::WrongFunds { expected: "the session's or contract's".into() }),
    }
}

/// The amount sent, which must be one coin of `denom` and not zero.
pub fn must_pay(info: &MessageInfo, denom: &str) -> Result<u128, CommonError> {
    match info.funds.as_slice() {
        [coin] if coin.denom == denom && !coin.amount.is_zero() => to_u128(coin.amount),
        _ => Err(CommonError::WrongFunds { expected: denom.to_string() }),
    }
}

/// Narrows a bank amount to the protocol's 128 bits.
pub fn to_u128(amount: Uint256) -> Result<u128, CommonError> {
    Uint128::try_from(amount).map(|a| a.u128()).map_err(|_| CommonError::AmountTooLarge {})
}

/// One payment out of a contract, as all contracts answer it: the attribute `action`, an event `event` that
/// names the payee as `role`, the amount and the denom, and the bank's message.
pub fn pay_out(
    action: &str,
    (event, role): (&str, &str),
    to_addr: Addr,
    amount: Uint128,
    denom: String,
) -> Response {
    Response::new()
        .add_attribute("action", action)
        .add_event(
            Event::new(event)
                .add_attribute(role, &to_addr)
                .add_attribute("amount", amount)
                .add_attribute("denom", &denom),
        )
        .add_message(BankMsg::Send {
            to_address: to_addr.into_string(),
            amount: vec![coin(amount.u128(), denom)],
        })
}

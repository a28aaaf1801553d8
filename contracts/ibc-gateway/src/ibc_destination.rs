//! Coins of another chain that pay a session here (P1).
//!
//! The coins are in the gateway's balance when the chain calls. Whatever the memo says, they are booked:
//! to the session that it asks for, else to the account of the refund address, else to that of the
//! packet's sender, over the same channel. The sender is a label and authorises nothing; it is only where
//! the coins came from.

use cosmwasm_schema::serde::de::DeserializeOwned;
use cosmwasm_schema::serde::Deserialize;
use cosmwasm_std::{
    from_json, to_json_binary, Addr, Coin, Deps, DepsMut, Env, Event, IbcBasicResponse,
    IbcDestinationCallbackMsg, SubMsg, Uint128,
};
use openledger_contract::lean::Lean;
use openledger_contract::{pause, payment, text};
use openledger_types::msg::common::Amount;
use openledger_types::msg::escrow::ExecuteMsg as EscrowMsg;
use openledger_types::msg::gateway::{PayInOrder, PayInOutcome, PayInResponse, Preference, RefundTo, Route};

use crate::error::{ContractError, ContractResult};
use crate::ibc_source::TRANSFER_PORT;
use crate::reply::{self, PayInKey};
use crate::state::{BALANCES, CHANNELS, COUNTERS, PARAMS, PAY_INS, ROUTES};
use crate::{account, escrow, money};

/// Of a packet of ICS-20.
#[derive(Deserialize)]
#[serde(crate = "cosmwasm_schema::serde")]
struct TransferData {
    sender: String,
    #[serde(default)]
    memo: String,
}

/// Of a memo. Other keys belong to others.
#[derive(Deserialize)]
#[serde(crate = "cosmwasm_schema::serde")]
struct Memo<T> {
    openledger: T,
}

#[derive(Deserialize)]
#[serde(crate = "cosmwasm_schema::serde")]
struct Refund {
    refund: RefundTo,
}

#[derive(Deserialize)]
#[serde(crate = "cosmwasm_schema::serde")]
struct Order {
    order: PayInOrder,
}

/// Coins that came with a packet.
struct Received {
    channel_id: String,
    sequence: u64,
    denom: String,
    amount: Uint128,
    sender: String,
    memo: String,
    route: Option<Route>,
}

/// Books what came.
pub fn callback(mut deps: DepsMut, env: &Env, msg: &IbcDestinationCallbackMsg) -> IbcBasicResponse {
    let response = IbcBasicResponse::new().add_attribute("action", "ibc_destination_callback");
    match receive(deps.as_ref(), env, msg).and_then(|received| match received {
        Ok(received) => book(deps.branch(), env, &received).map(Ok),
        Err(reason) => Ok(Err(reason)),
    }) {
        Ok(Ok((event, message))) => {
            let response = response.add_event(event);
            match message {
                Some(message) => response.add_submessage(message),
                None => response,
            }
        }
        // These coins are not the gateway's to book: not here, not for it, or booked.
        Ok(Err(reason)) => response.add_attribute("ignored", reason),
        Err(error) => response.add_attribute("ignored", error.to_string()),
    }
}

/// What came, or why it is none of the gateway's.
fn receive(
    deps: Deps,
    env: &Env,
    msg: &IbcDestinationCallbackMsg,
) -> ContractResult<Result<Received, &'static str>> {
    let (channel_id, sequence) = (msg.packet.dest.channel_id.clone(), msg.packet.sequence);
    let Some(transfer) = msg.transfer.as_ref().filter(|_| msg.packet.dest.port_id == TRANSFER_PORT) else {
        return Ok(Err("not a transfer that succeeded"));
    };
    if transfer.receiver != env.contract.address {
        return Ok(Err("the receiver of the transfer is not this contract"));
    }
    if PAY_INS.has(deps.storage, (&channel_id, sequence)) {
        return Ok(Err("the packet is booked"));
    }
    let [coin] = transfer.funds.as_slice() else {
        return Ok(Err("not exactly one coin"));
    };
    let (denom, amount) = (coin.denom.clone(), Uint128::new(payment::to_u128(coin.amount)?));
    if amount.is_zero() {
        return Ok(Err("no coins"));
    }
    let counters = money::counters(deps.storage, &denom)?;
    if money::surplus(deps, env, &denom, &counters)? < amount {
        return Ok(Err("the coins are not here"));
    }
    let data: TransferData = from_json(&msg.packet.data)?;
    let route = match CHANNELS.may_load(deps.storage, &channel_id)? {
        Some(name) => ROUTES.may_load(deps.storage, &name)?.map(|Lean(route)| route),
        None => None,
    };
    let TransferData { sender, memo } = data;
    Ok(Ok(Received { channel_id, sequence, denom, amount, sender, memo, route }))
}

/// Books the coins to the escrow with a message that opens or tops up a session, or to the refund
/// account. Everything is computed before the first write.
fn book(deps: DepsMut, env: &Env, received: &Received) -> ContractResult<(Event, Option<SubMsg>)> {
    let Received { channel_id, sequence, denom, amount, .. } = received;
    let (account, preference, refused) = refund_account(deps.as_ref(), env, received)?;
    let bought = match refused {
        Some(reason) => Err(reason),
        None => buy(deps.as_ref(), received, &account)?,
    };
    let mut counters = money::counters(deps.storage, denom)?;
    let mut event = Event::new(if bought.is_ok() { "pay_in_sent" } else { "pay_in_booked" })
        .add_attribute("channel_id", channel_id.as_str())
        .add_attribute("sequence", sequence.to_string())
        .add_attribute("account", account.as_str())
        .add_attribute("amount", *amount)
        .add_attribute("denom", denom.as_str())
        .add_attribute("sender", received.sender.as_str());
    let mut balance = money::balance(deps.storage, &account, denom)?;
    let reason = match &bought {
        Ok(_) => {
            counters.paid_in = counters.paid_in.checked_add(*amount)?;
            counters.paid_out = counters.paid_out.checked_add(*amount)?;
            "the session was not opened".to_string()
        }
        Err(reason) => {
            money::enter(&mut counters.paid_in, &mut counters.accrued, *amount)?;
            balance = balance.checked_add(*amount)?;
            event = event.add_attribute("reason", *reason);
            (*reason).to_string()
        }
    };
    let message = match bought {
        Ok((message, topped_up)) => {
            let Lean(params) = PARAMS.load(deps.storage)?;
            let key = PayInKey { channel_id: channel_id.clone(), sequence: *sequence, topped_up };
            let funds = vec![Coin::new(*amount, denom.as_str())];
            let message = SubMsg::reply_always(escrow::tell(deps.as_ref(), &message, funds)?, reply::PAID_IN)
                .with_gas_limit(params.open_gas)
                .with_payload(to_json_binary(&key)?);
            Some(message)
        }
        Err(_) => {
            BALANCES.save(deps.storage, (&account, denom), &balance)?;
            None
        }
    };
    COUNTERS.save(deps.storage, denom, &counters)?;
    if let Some(preference) = preference {
        account::set_preference(deps.storage, &account, preference)?;
    }
    let outcome = PayInOutcome::Booked { reason };
    let amount = Amount { denom: denom.clone(), amount: *amount };
    let pay_in = PayInResponse { account: account.into(), amount, outcome };
    PAY_INS.save(deps.storage, (channel_id, *sequence), &Lean(pay_in))?;
    Ok((event, message))
}

/// Who gets what is not used: account, its fixed preference when it is a payer of another chain, and
/// why the memo's refund address is not it.
type RefundAccount = (Addr, Option<Preference>, Option<&'static str>);

fn refund_account(deps: Deps, env: &Env, received: &Received) -> ContractResult<RefundAccount> {
    let named = match part::<Refund>(&received.memo).map(|part| part.refund) {
        Some(RefundTo::Local(address)) => match deps.api.addr_validate(&address) {
            Ok(address) => return Ok((address, None, None)),
            Err(_) => Err("the local refund address is none"),
        },
        Some(RefundTo::Remote(address)) => match &received.route {
            Some(route) if text::remote_account("refund", &address, &route.prefix).is_ok() => Ok(address),
            Some(_) => Err("the refund address is none of the route's chain"),
            None => Err("the channel belongs to no route"),
        },
        None => Err("the memo names no refund address"),
    };
    let (remote_addr, refused) = match named {
        Ok(address) => (address, None),
        Err(reason) => (received.sender.clone(), Some(reason)),
    };
    let account = account::payer(deps.api, env, &received.channel_id, &remote_addr)?;
    let preference = account::payer_preference(deps.storage, &received.channel_id, remote_addr)?;
    Ok((account, Some(preference), refused))
}

/// The message to the escrow and the session that it tops up, or why nothing is bought.
type Purchase = Result<(EscrowMsg, Option<u64>), &'static str>;

fn buy(deps: Deps, received: &Received, owner: &Addr) -> ContractResult<Purchase> {
    let Some(route) = &received.route else {
        return Ok(Err("the channel belongs to no route"));
    };
    if !route.enabled {
        return Ok(Err("the route is closed"));
    }
    if !route.denoms.iter().any(|entry| entry.denom == received.denom && entry.pay_in) {
        return Ok(Err("sessions are not paid in this denom over this route"));
    }
    if pause::is_paused(deps.storage)? {
        return Ok(Err("paused"));
    }
    Ok(match part::<Order>(&received.memo).map(|part| part.order) {
        Some(PayInOrder::OpenSession { model_id, model_version, session_key, nodes, blocks }) => {
            let owner = owner.to_string();
            let open =
                EscrowMsg::OpenSessionFor { owner, model_id, model_version, session_key, nodes, blocks };
            Ok((open, None))
        }
        Some(PayInOrder::TopUp { session_id, node_id }) => {
            Ok((EscrowMsg::TopUp { session_id, node_id }, Some(session_id)))
        }
        None => Err("the memo orders nothing that can be read"),
    })
}

/// A part of a memo. Refund and order are read apart: a wrong order still names where coins go back to.
fn part<T: DeserializeOwned>(memo: &str) -> Option<T> {
    from_json::<Memo<T>>(memo.as_bytes()).ok().map(|memo| memo.openledger)
}

/// Books a pay-in whose session was not opened to its refund account. The escrow's coins came back with
/// the message that failed.
pub fn return_pay_in(deps: DepsMut, key: &PayInKey, reason: &str) -> ContractResult<Event> {
    let mut pay_in = load(deps.as_ref(), key)?;
    let Amount { denom, amount } = pay_in.amount.clone();
    let account = deps.api.addr_validate(&pay_in.account)?;
    let mut counters = money::counters(deps.storage, &denom)?;
    money::shift(&mut counters.paid_out, &mut counters.accrued, amount)?;
    let balance = money::balance(deps.storage, &account, &denom)?.checked_add(amount)?;
    COUNTERS.save(deps.storage, &denom, &counters)?;
    BALANCES.save(deps.storage, (&account, &denom), &balance)?;
    pay_in.outcome = PayInOutcome::Booked { reason: reason.into() };
    PAY_INS.save(deps.storage, (&key.channel_id, key.sequence), &Lean(pay_in))?;
    Ok(Event::new("pay_in_booked")
        .add_attribute("channel_id", key.channel_id.as_str())
        .add_attribute("sequence", key.sequence.to_string())
        .add_attribute("account", account)
        .add_attribute("amount", amount)
        .add_attribute("denom", denom)
        .add_attribute("reason", reason))
}

/// Records the session that a pay-in opened or topped up.
pub fn complete_pay_in(deps: DepsMut, key: &PayInKey, opened: u64) -> ContractResult<Event> {
    let mut pay_in = load(deps.as_ref(), key)?;
    let (kind, session_id) = match key.topped_up {
        Some(session_id) => ("pay_in_topped_up", session_id),
        None => ("pay_in_opened", opened),
    };
    pay_in.outcome = match key.topped_up {
        Some(session_id) => PayInOutcome::ToppedUp { session_id },
        None => PayInOutcome::Opened { session_id },
    };
    let event = Event::new(kind)
        .add_attribute("channel_id", key.channel_id.as_str())
        .add_attribute("sequence", key.sequence.to_string())
        .add_attribute("account", pay_in.account.as_str())
        .add_attribute("amount", pay_in.amount.amount)
        .add_attribute("denom", pay_in.amount.denom.as_str())
        .add_attribute("session_id", session_id.to_string());
    PAY_INS.save(deps.storage, (&key.channel_id, key.sequence), &Lean(pay_in))?;
    Ok(event)
}

fn load(deps: Deps, key: &PayInKey) -> ContractResult<PayInResponse> {
    let found = PAY_INS.may_load(deps.storage, (&key.channel_id, key.sequence))?;
    let Lean(pay_in) = found.ok_or_else(|| ContractError::PayInNotFound {
        channel_id: key.channel_id.clone(),
        sequence: key.sequence,
    })?;
    Ok(pay_in)
}

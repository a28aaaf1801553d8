//! What became of sub-messages. Each carries in its payload what it was about, so that any number of
//! them may be on the way.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{from_json, DepsMut, Env, Reply, Response, SubMsgResponse, SubMsgResult};

use crate::error::{ContractError, ContractResult};
use crate::ibc_destination::{complete_pay_in, return_pay_in};
use crate::state::{PACKETS, PAYOUTS};
use crate::{payout, proto};

/// A payout was handed to the transfer module. Payload: its number, 8 bytes, big-endian.
pub const SENT: u64 = 1;
/// A pay-in was handed to the escrow. Payload: a [`PayInKey`].
pub const PAID_IN: u64 = 2;

/// Which pay-in.
#[cw_serde]
pub struct PayInKey {
    /// Channel on this chain.
    pub channel_id: String,
    /// Sequence of the packet.
    pub sequence: u64,
    /// The session that it tops up; none when it opens one.
    pub topped_up: Option<u64>,
}

/// Hears of a sub-message.
pub fn reply(deps: DepsMut, env: &Env, reply: Reply) -> ContractResult<Response> {
    let Reply { id, payload, result, .. } = reply;
    let event = match id {
        SENT => {
            let payout_id = payload.as_slice().try_into().map(u64::from_be_bytes);
            let payout_id = payout_id.map_err(|_| ContractError::UnreadableReply {})?;
            match result {
                SubMsgResult::Ok(answer) => sent(deps, payout_id, &answer)?,
                // Channel closed, client expired, denom or address refused, out of gas: only the
                // transfer was reverted.
                SubMsgResult::Err(_) => {
                    payout::refund(deps.storage, env.block.height, payout_id, "not sent", true)?
                }
            }
        }
        PAID_IN => {
            let key: PayInKey = from_json(&payload)?;
            match result {
                SubMsgResult::Ok(answer) => {
                    let opened = answer_value(&answer).and_then(proto::session_id);
                    if opened.is_none() && key.topped_up.is_none() {
                        return Err(ContractError::UnreadableReply {});
                    }
                    complete_pay_in(deps, &key, opened.unwrap_or_default())?
                }
                SubMsgResult::Err(_) => return_pay_in(deps, &key, "the escrow refused it")?,
            }
        }
        id => return Err(ContractError::UnknownReply { id }),
    };
    Ok(Response::new().add_event(event))
}

/// Notes the packet of a payout. An answer that cannot be read reverts everything: a payout whose packet
/// is not known could not be followed.
fn sent(deps: DepsMut, payout_id: u64, answer: &SubMsgResponse) -> ContractResult<cosmwasm_std::Event> {
    let sequence = answer_value(answer).and_then(proto::transfer_sequence);
    let sequence = sequence.ok_or(ContractError::UnreadableReply {})?;
    let mut payout = payout::load(deps.storage, payout_id)?;
    let key = (payout.channel_id.as_str(), sequence);
    if PACKETS.has(deps.storage, key) {
        return Err(ContractError::DuplicatePacket { channel_id: payout.channel_id, sequence });
    }
    PACKETS.save(deps.storage, key, &payout_id)?;
    payout.sequence = Some(sequence);
    PAYOUTS.save(deps.storage, payout_id, &payout)?;
    Ok(payout::event("payout_sent", payout_id, &payout))
}

/// The answer's bytes. Its type is not compared: chains and simulations name it differently.
fn answer_value(answer: &SubMsgResponse) -> Option<&[u8]> {
    answer.msg_responses.first().map(|response| response.value.as_slice())
}

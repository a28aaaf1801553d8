//! What became of a payout's packet.
//!
//! The chain has moved the coins before it calls: an error here would keep them and lose the
//! bookkeeping, for ever. So the callback never errs, sends no messages, touches a fixed number of keys,
//! and does nothing the second time, because the packet's key is gone.

use cosmwasm_schema::serde::Deserialize;
use cosmwasm_std::{
    from_json, Addr, Env, Event, IbcAcknowledgement, IbcBasicResponse, IbcPacket, IbcSourceCallbackMsg,
    StdAck, Storage,
};

use crate::error::{ContractError, ContractResult};
use crate::payout;
use crate::state::PACKETS;

/// Port of ICS-20 transfers.
pub const TRANSFER_PORT: &str = "transfer";

/// Of a packet of ICS-20.
#[derive(Deserialize)]
#[serde(crate = "cosmwasm_schema::serde")]
struct TransferData {
    sender: String,
}

/// Books an acknowledgement or a timeout.
pub fn callback(storage: &mut dyn Storage, env: &Env, msg: IbcSourceCallbackMsg) -> IbcBasicResponse {
    let booked = match &msg {
        IbcSourceCallbackMsg::Acknowledgement(ack) => {
            let height = env.block.height;
            find(storage, env, &ack.original_packet)
                .and_then(|id| acknowledged(storage, height, id, &ack.acknowledgement, &ack.relayer))
        }
        IbcSourceCallbackMsg::Timeout(timeout) => find(storage, env, &timeout.packet)
            .and_then(|id| payout::refund(storage, env.block.height, id, "timeout", true)),
    };
    let response = IbcBasicResponse::new().add_attribute("action", "ibc_source_callback");
    match booked {
        Ok(event) => response.add_event(event),
        Err(error) => response.add_attribute("ignored", error.to_string()),
    }
}

/// The payout that was sent as this packet, by this contract.
fn find(storage: &dyn Storage, env: &Env, packet: &IbcPacket) -> ContractResult<u64> {
    let (channel_id, sequence) = (packet.src.channel_id.clone(), packet.sequence);
    let unknown = || ContractError::PacketNotFound { channel_id: channel_id.clone(), sequence };
    if packet.src.port_id != TRANSFER_PORT {
        return Err(unknown());
    }
    let data: TransferData = from_json(&packet.data)?;
    if data.sender != env.contract.address.as_str() {
        return Err(unknown());
    }
    PACKETS.may_load(storage, (&channel_id, sequence))?.ok_or_else(unknown)
}

/// An acknowledgement decides only in words that can be read: a refund is never guessed.
fn acknowledged(
    storage: &mut dyn Storage,
    height: u64,
    payout_id: u64,
    ack: &IbcAcknowledgement,
    relayer: &Addr,
) -> ContractResult<Event> {
    match from_json::<StdAck>(&ack.data) {
        Ok(StdAck::Success(_)) => payout::settle(storage, height, payout_id, Some(relayer)),
        Ok(StdAck::Error(_)) => payout::refund(storage, height, payout_id, "error", true),
        Err(_) => payout::unresolve(storage, payout_id, "unreadable acknowledgement"),
    }
}

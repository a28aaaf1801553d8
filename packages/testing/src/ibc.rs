//! ICS-20 on the simulated chain: what the transfer module does with coins, and what the callbacks
//! middleware tells contracts. cw-multi-test has neither.
//!
//! Channels are classic and the other chain is the test: it decides what becomes of a packet. Order is
//! that of ibc-go: coins move first, then the contract is called; what a source callback answers never
//! undoes the movement, what a destination callback answers does.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{
    coin, from_json, to_json_binary, to_json_vec, Addr, Api, BankMsg, Binary, BlockInfo, Coin, CosmosMsg,
    CustomMsg, CustomQuery, Empty, IbcAckCallbackMsg, IbcAcknowledgement, IbcDestinationCallbackMsg,
    IbcEndpoint, IbcMsg, IbcPacket, IbcQuery, IbcSourceCallbackMsg, IbcTimeout, IbcTimeoutCallbackMsg,
    IbcTransferCallback, Querier, StdAck, StdError, StdResult, Storage, Uint256,
};
use cw_multi_test::{AppResponse, CosmosRouter, Executor, Ibc, Module};
use cw_storage_plus::Map;
use serde::de::DeserializeOwned;

use crate::{Result, World};

/// Port of transfers.
const PORT: &str = "transfer";
/// Sequence to packet, by channel; packets stay until they are acknowledged or time out.
const PACKETS: Map<(&str, u64), Packet> = Map::new("ics20_packets");
/// Newest sequence of a channel.
const SEQUENCES: Map<&str, u64> = Map::new("ics20_sequences");
/// Channels over which nothing can be sent.
const CLOSED: Map<&str, bool> = Map::new("ics20_closed");

/// A transfer that is on the way.
#[cw_serde]
pub struct Packet {
    /// Channel on this chain.
    pub channel_id: String,
    /// Sequence.
    pub sequence: u64,
    /// Sender on this chain.
    pub sender: String,
    /// Receiver on the other chain.
    pub receiver: String,
    /// What was sent.
    pub amount: Coin,
    /// Memo.
    pub memo: String,
    /// Timeout in nanoseconds since 1970.
    pub timeout: u64,
}

impl Packet {
    /// As contracts see it.
    fn as_ibc(&self) -> IbcPacket {
        let data =
            serde_data(&self.amount.denom, self.amount.amount, (&self.sender, &self.receiver), &self.memo);
        let timeout = IbcTimeout::with_timestamp(cosmwasm_std::Timestamp::from_nanos(self.timeout));
        IbcPacket::new(data, endpoint(&self.channel_id), endpoint("channel-99"), self.sequence, timeout)
    }
}

impl Packet {
    /// What the middleware tells the sender when the packet has timed out.
    pub fn timed_out(&self, relayer: &Addr) -> CallbackMsg {
        let msg = IbcTimeoutCallbackMsg::new(self.as_ibc(), relayer.clone());
        CallbackMsg::Source(IbcSourceCallbackMsg::Timeout(msg))
    }
}

/// What the other chain says of a packet.
#[derive(Clone, Debug)]
pub enum Ack {
    /// Received.
    Success,
    /// Refused.
    Error,
    /// Bytes that are no acknowledgement.
    Garbage,
}

impl Ack {
    fn bytes(&self) -> Binary {
        match self {
            Ack::Success => to_json_binary(&StdAck::success([1])).expect("it is JSON"),
            Ack::Error => to_json_binary(&StdAck::error("ABCI code: 1")).expect("it is JSON"),
            Ack::Garbage => Binary::from(&[0xff, 0, 7][..]),
        }
    }
}

/// Whether the contract hears of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callback {
    /// It does.
    Delivered,
    /// It ran out of gas, or was not called.
    Lost,
}

/// What the chain calls a contract with; fed to it as `sudo`.
#[cw_serde]
pub enum CallbackMsg {
    /// `ibc_source_callback`.
    Source(IbcSourceCallbackMsg),
    /// `ibc_destination_callback`.
    Destination(IbcDestinationCallbackMsg),
}

/// The transfer module.
#[derive(Clone, Copy, Debug, Default)]
pub struct TransferModule;

impl Ibc for TransferModule {}

impl Module for TransferModule {
    type ExecT = IbcMsg;
    type QueryT = IbcQuery;
    type SudoT = Empty;

    fn execute<ExecC, QueryC>(
        &self,
        api: &dyn Api,
        storage: &mut dyn Storage,
        router: &dyn CosmosRouter<ExecC = ExecC, QueryC = QueryC>,
        block: &BlockInfo,
        sender: Addr,
        msg: IbcMsg,
    ) -> StdResult<AppResponse>
    where
        ExecC: CustomMsg + DeserializeOwned + 'static,
        QueryC: CustomQuery + DeserializeOwned + 'static,
    {
        let IbcMsg::Transfer { channel_id, to_address, amount, timeout, memo } = msg else {
            return Err(StdError::msg("only transfers are simulated"));
        };
        if CLOSED.has(storage, &channel_id) {
            return Err(StdError::msg("channel is not OPEN"));
        }
        let timeout = timeout.timestamp().map_or(0, |timestamp| timestamp.nanos());
        if timeout <= block.time.nanos() {
            return Err(StdError::msg("the packet has timed out before it was sent"));
        }
        if to_address.trim().is_empty() {
            return Err(StdError::msg("missing receiver"));
        }
        let send = BankMsg::Send { to_address: escrow_of(&channel_id), amount: vec![amount.clone()] };
        router.execute(api, storage, block, sender.clone(), CosmosMsg::Bank(send))?;
        let sequence = SEQUENCES.may_load(storage, &channel_id)?.unwrap_or(0) + 1;
        SEQUENCES.save(storage, &channel_id, &sequence)?;
        let packet = Packet {
            channel_id: channel_id.clone(),
            sequence,
            sender: sender.into(),
            receiver: to_address,
            amount,
            memo: memo.unwrap_or_default(),
            timeout,
        };
        PACKETS.save(storage, (&channel_id, sequence), &packet)?;
        Ok(AppResponse { events: vec![], data: Some(transfer_response(sequence)) })
    }

    fn query(
        &self,
        _api: &dyn Api,
        _storage: &dyn Storage,
        _querier: &dyn Querier,
        _block: &BlockInfo,
        _request: IbcQuery,
    ) -> StdResult<Binary> {
        Err(StdError::msg("IBC queries are not simulated"))
    }

    fn sudo<ExecC, QueryC>(
        &self,
        _api: &dyn Api,
        _storage: &mut dyn Storage,
        _router: &dyn CosmosRouter<ExecC = ExecC, QueryC = QueryC>,
        _block: &BlockInfo,
        _msg: Empty,
    ) -> StdResult<AppResponse>
    where
        ExecC: CustomMsg + DeserializeOwned + 'static,
        QueryC: CustomQuery + DeserializeOwned + 'static,
    {
        Err(StdError::msg("IBC has no sudo"))
    }
}

/// `MsgTransferResponse` in protobuf: field 1, the sequence as a base-128 integer.
fn transfer_response(mut sequence: u64) -> Binary {
    let mut bytes = vec![0x08];
    while sequence >= 0x80 {
        bytes.push(sequence as u8 | 0x80);
        sequence >>= 7;
    }
    bytes.push(sequence as u8);
    Binary::new(bytes)
}

/// Where the coins of a channel's packets lie meanwhile.
fn escrow_of(channel_id: &str) -> String {
    let api = cosmwasm_std::testing::MockApi::default().with_prefix("openledger");
    api.addr_make(&format!("{PORT}/{channel_id}")).into_string()
}

fn endpoint(channel_id: &str) -> IbcEndpoint {
    IbcEndpoint { port_id: PORT.into(), channel_id: channel_id.into() }
}

/// The data of an ICS-20 packet.
fn serde_data(denom: &str, amount: Uint256, (sender, receiver): (&str, &str), memo: &str) -> Binary {
    #[derive(serde::Serialize)]
    struct Data<'a> {
        denom: &'a str,
        amount: Uint256,
        sender: &'a str,
        receiver: &'a str,
        memo: &'a str,
    }
    Binary::new(to_json_vec(&Data { denom, amount, sender, receiver, memo }).expect("it is JSON"))
}

/// A transfer from the other chain.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Channel on this chain.
    pub channel_id: String,
    /// Sequence.
    pub sequence: u64,
    /// Sender there.
    pub sender: String,
    /// Receiver here.
    pub receiver: String,
    /// Coins as they exist here.
    pub amount: Coin,
    /// Memo.
    pub memo: String,
}

impl Incoming {
    /// What the middleware tells the contract once the coins are the receiver's.
    pub fn callback(&self) -> CallbackMsg {
        let data = serde_data("there", self.amount.amount, (&self.sender, &self.receiver), &self.memo);
        let timeout = IbcTimeout::with_timestamp(cosmwasm_std::Timestamp::from_nanos(u64::MAX));
        let (there, here) = (endpoint("channel-99"), endpoint(&self.channel_id));
        let transfer = IbcTransferCallback {
            sender: self.sender.clone(),
            receiver: Addr::unchecked(&self.receiver),
            funds: vec![self.amount.clone()],
        };
        CallbackMsg::Destination(IbcDestinationCallbackMsg {
            packet: IbcPacket::new(data, there, here, self.sequence, timeout),
            ack: IbcAcknowledgement::new(Ack::Success.bytes()),
            transfer: Some(transfer),
        })
    }
}

impl World {
    /// Packets of a channel that are on the way, by sequence.
    pub fn packets(&self, channel_id: &str) -> Vec<Packet> {
        let order = cosmwasm_std::Order::Ascending;
        let found = PACKETS.prefix(channel_id).range(self.app.storage(), None, None, order);
        found.map(|entry| entry.expect("packets are stored as they are read").1).collect()
    }

    /// Closes a channel to what is sent from here, or opens it again.
    pub fn close_channel(&mut self, channel_id: &str, closed: bool) {
        let storage = self.app.storage_mut();
        match closed {
            true => CLOSED.save(storage, channel_id, &true).expect("the storage takes it"),
            false => CLOSED.remove(storage, channel_id),
        }
    }

    /// The other chain's word on a packet comes in by a relayer: refund when it is an error, then the
    /// callback.
    pub fn acknowledge(
        &mut self,
        packet: &Packet,
        ack: &Ack,
        relayer: &Addr,
        callback: Callback,
    ) -> Result<AppResponse> {
        if matches!(ack, Ack::Error) {
            self.return_coins(packet)?;
        }
        let said = IbcAcknowledgement::new(ack.bytes());
        let msg = IbcAckCallbackMsg::new(said, packet.as_ibc(), relayer.clone());
        self.end_packet(packet, IbcSourceCallbackMsg::Acknowledgement(msg), callback)
    }

    /// A packet was not received in time: refund, then the callback.
    pub fn time_out(&mut self, packet: &Packet, relayer: &Addr, callback: Callback) -> Result<AppResponse> {
        self.return_coins(packet)?;
        let msg = IbcTimeoutCallbackMsg::new(packet.as_ibc(), relayer.clone());
        self.end_packet(packet, IbcSourceCallbackMsg::Timeout(msg), callback)
    }

    fn return_coins(&mut self, packet: &Packet) -> Result<()> {
        let escrow = Addr::unchecked(escrow_of(&packet.channel_id));
        let sender = Addr::unchecked(&packet.sender);
        self.app.send_tokens(escrow, sender, std::slice::from_ref(&packet.amount))?;
        Ok(())
    }

    fn end_packet(
        &mut self,
        packet: &Packet,
        msg: IbcSourceCallbackMsg,
        callback: Callback,
    ) -> Result<AppResponse> {
        PACKETS.remove(self.app.storage_mut(), (&packet.channel_id, packet.sequence));
        match callback {
            Callback::Lost => Ok(AppResponse::default()),
            Callback::Delivered => self.call_back(&packet.sender, &CallbackMsg::Source(msg)),
        }
    }

    /// Calls a contract as the middleware does.
    pub fn call_back(&mut self, contract: &str, msg: &CallbackMsg) -> Result<AppResponse> {
        self.app.wasm_sudo(Addr::unchecked(contract), msg).map_err(crate::Refused::from)
    }

    /// A transfer arrives: the coins are the receiver's, then the contract that the memo names under
    /// `dest_callback` is called. When the callback fails, the coins are gone again: the other chain
    /// returns them.
    pub fn receive(&mut self, incoming: &Incoming) -> Result<AppResponse> {
        #[derive(serde::Deserialize)]
        struct Memo {
            dest_callback: Destination,
        }
        #[derive(serde::Deserialize)]
        struct Destination {
            address: String,
        }
        let receiver = Addr::unchecked(&incoming.receiver);
        self.mint(&receiver, incoming.amount.clone());
        let Ok(memo) = from_json::<Memo>(incoming.memo.as_bytes()) else {
            return Ok(AppResponse::default());
        };
        let called = self.call_back(&memo.dest_callback.address, &incoming.callback());
        if called.is_err() {
            let burn = BankMsg::Burn { amount: vec![incoming.amount.clone()] };
            self.app.execute(receiver, CosmosMsg::Bank(burn))?;
        }
        called
    }

    /// A sequence for the next transfer that arrives over a channel.
    pub fn next_incoming(&mut self, channel_id: &str) -> u64 {
        let key = format!("in/{channel_id}");
        let storage = self.app.storage_mut();
        let sequence = SEQUENCES.may_load(storage, &key).ok().flatten().unwrap_or(0) + 1;
        SEQUENCES.save(storage, &key, &sequence).expect("the storage takes it");
        sequence
    }

    /// Coins of a channel's packets that lie with the transfer module, in base units.
    pub fn in_packets(&self, channel_id: &str, denom: &str) -> Uint256 {
        let held = self.app.wrap().query_balance(escrow_of(channel_id), denom);
        held.unwrap_or_else(|_| coin(0, denom)).amount
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_written_as_protoc_writes_them() {
        assert_eq!(transfer_response(1).as_slice(), [0x08, 1]);
        assert_eq!(transfer_response(300).as_slice(), [0x08, 0xac, 2]);
    }
}

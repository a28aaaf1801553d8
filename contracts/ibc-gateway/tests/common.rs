//! A world in which accounts have earnings, in few words.

use cosmwasm_std::{Addr, Uint128};
use cw_multi_test::AppResponse;
use openledger_testing::{
    Ack, Callback, Document, Incoming, Key, ModelRef, NodeModel, Packet, Refused, World, CHANNEL, ROUTE,
};
use openledger_types::msg::escrow::{ExecuteMsg as EscrowMsg, NodeCap};
use openledger_types::msg::gateway::{
    ExecuteMsg, Memo, PayIn, PayInOrder, PayInResponse, PayoutState, QueryMsg, RefundTo,
};

pub use openledger_testing::{attribute, attributes};

/// Denom of the world.
pub const OPEN: &str = "uopen";

/// A world with a model, a node that serves it, and a few people.
pub struct Fixture {
    pub world: World,
    pub model: ModelRef,
    pub node: NodeModel,
    pub alice: Addr,
    pub relayer: Addr,
}

impl Fixture {
    pub fn new() -> Self {
        let mut world = World::new();
        let (alice, relayer) = (world.account("alice"), world.account("relayer"));
        let datanet = world.create_datanet(&alice).unwrap();
        world.contribute(&alice, datanet, Document::generate(1, 2)).unwrap();
        let version = world.seal(&alice, datanet).unwrap();
        let model = world.register_model("developer", &[(datanet, version.version)]).unwrap();
        let node = NodeModel::register(&mut world, "node").unwrap();
        Fixture { world, model, node, alice, relayer }
    }

    /// Puts base units into an account's balance in the escrow: the refund of a session.
    pub fn earn(&mut self, account: &Addr, amount: u128) {
        let client = self.world.open_session(account, self.model, &[(self.node.node_id, amount)]).unwrap();
        self.end_session(account, client.session_id);
    }

    /// Ends a session and has its refund credited.
    pub fn end_session(&mut self, closer: &Addr, session_id: u64) {
        let escrow = self.world.escrow.clone();
        self.world.execute(closer, &escrow, &EscrowMsg::RequestClose { session_id }, &[]).unwrap();
        self.refund(session_id);
    }

    /// Waits for the end of the grace and has a session's refund credited.
    pub fn refund(&mut self, session_id: u64) {
        let grace = self.world.profile.escrow.grace_blocks;
        self.world.advance(grace);
        let (anyone, escrow) = (self.world.account("anyone"), self.world.escrow.clone());
        self.world.execute(&anyone, &escrow, &EscrowMsg::Refund { session_id }, &[]).unwrap();
    }

    /// Names an address on the other chain for an account.
    pub fn prefer(&mut self, account: &Addr) -> Result<AppResponse, Refused> {
        let remote_addr = self.world.remote_address(account.as_str());
        let msg = ExecuteMsg::SetPreference { route: ROUTE.into(), remote_addr };
        self.world.tell_gateway(account, &msg)
    }

    /// An account with earnings and a preference.
    pub fn contributor(&mut self, name: &str, amount: u128) -> Addr {
        let account = self.world.account(name);
        self.earn(&account, amount);
        self.prefer(&account).unwrap();
        account
    }

    /// Sends an account's earnings; its packet.
    pub fn send(&mut self, account: &Addr) -> Packet {
        let done = self.world.flush(&[account]).unwrap();
        assert_eq!(attribute(&done, "wasm", "sent").as_deref(), Some("1"), "{done:?}");
        self.newest_packet()
    }

    pub fn newest_packet(&self) -> Packet {
        self.world.packets(CHANNEL).pop().expect("a packet is on the way")
    }

    /// Delivers a packet's acknowledgement.
    pub fn acknowledge(&mut self, packet: &Packet, ack: Ack) -> AppResponse {
        let relayer = self.relayer.clone();
        self.world.acknowledge(packet, &ack, &relayer, Callback::Delivered).unwrap()
    }

    /// Reports that a packet was not received in time.
    pub fn time_out(&mut self, packet: &Packet) -> AppResponse {
        let relayer = self.relayer.clone();
        self.world.time_out(packet, &relayer, Callback::Delivered).unwrap()
    }

    pub fn state(&self, payout_id: u64) -> PayoutState {
        self.world.payout(payout_id).unwrap().state
    }

    /// What the gateway holds for an account.
    pub fn accrued(&self, account: &Addr) -> u128 {
        let found = self.world.gateway_account(account).unwrap();
        found.denoms.iter().find(|entry| entry.denom == OPEN).map_or(0, |entry| entry.accrued.u128())
    }

    /// Waits until the next payout of an account may be sent.
    pub fn wait_holdoff(&mut self, account: &Addr) {
        let found = self.world.gateway_account(account).unwrap();
        self.world.advance_to(found.next_attempt.expect("the account is not blocked"));
    }

    /// Waits until timeout and grace of all packets are over.
    pub fn wait_overdue(&mut self) {
        let seconds = 600 + self.world.profile.gateway.grace_seconds;
        self.world.advance(seconds / 5 + 1);
    }

    /// A gateway's answer.
    pub fn ask<T: serde::de::DeserializeOwned>(&self, msg: &QueryMsg) -> Result<T, Refused> {
        self.world.query(&self.world.gateway, msg)
    }

    /// An order for a session with the node, signed for by `key`.
    pub fn order(&self, key: &Key, cap: u128) -> PayInOrder {
        PayInOrder::OpenSession {
            model_id: self.model.0,
            model_version: self.model.1,
            session_key: key.public(),
            nodes: vec![NodeCap { node_id: self.node.node_id, cap: Uint128::new(cap) }],
            blocks: None,
        }
    }

    /// The memo of a pay-in.
    pub fn memo(&self, refund: RefundTo, order: PayInOrder) -> String {
        let memo = Memo::pay_in(self.world.gateway.as_str(), 1_000_000, PayIn { refund, order });
        serde_json::to_string(&memo).unwrap()
    }

    /// A transfer of the world's denom to the gateway by a payer of the other chain.
    pub fn incoming(&mut self, amount: u128, memo: String) -> Incoming {
        Incoming {
            channel_id: CHANNEL.into(),
            sequence: self.world.next_incoming(CHANNEL),
            sender: self.world.remote_address("payer"),
            receiver: self.world.gateway.to_string(),
            amount: cosmwasm_std::coin(amount, OPEN),
            memo,
        }
    }

    /// What became of a pay-in.
    pub fn pay_in(&self, incoming: &Incoming) -> Result<PayInResponse, Refused> {
        let (channel_id, sequence) = (incoming.channel_id.clone(), incoming.sequence);
        self.ask(&QueryMsg::PayIn { channel_id, sequence })
    }

    /// The account that the gateway keeps for a payer of the other chain.
    pub fn payer(&self, address: &str) -> Addr {
        let msg = QueryMsg::RemoteAccount { channel_id: CHANNEL.into(), address: address.into() };
        let found: openledger_types::msg::gateway::AccountResponse = self.ask(&msg).unwrap();
        Addr::unchecked(found.address)
    }

    /// A close of a session, signed.
    pub fn close(&self, key: &Key, session_id: u64) -> ExecuteMsg {
        let gateway = self.world.gateway.as_str();
        let digest = openledger_types::formats::close_digest(&self.world.chain_id(), gateway, session_id);
        ExecuteMsg::CloseSession { session_id, signature: key.sign(&digest) }
    }
}

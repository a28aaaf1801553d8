//! The IBC gateway in few words.

use cosmwasm_std::{Addr, DepsMut, Env, IbcBasicResponse, Response, Uint128};
use cw_multi_test::{AppResponse, ContractWrapper};
use openledger_ibc_gateway::ContractError;
use openledger_types::msg::gateway::{
    AccountResponse, ExecuteMsg, InstantiateMsg, PayoutResponse, QueryMsg, Route, RouteDenom,
};
use openledger_types::msg::{escrow, gateway};

use crate::ibc::CallbackMsg;
use crate::{Result, World};

/// Name of the route that a world has.
pub const ROUTE: &str = "otherchain";
/// Its channel.
pub const CHANNEL: &str = "channel-7";
/// Prefix of the other chain's accounts.
pub const PREFIX: &str = "other";

/// Feeds callbacks into the contract, which cw-multi-test does not know.
fn sudo(deps: DepsMut, env: Env, msg: CallbackMsg) -> std::result::Result<Response, ContractError> {
    use openledger_ibc_gateway::contract::{ibc_destination_callback, ibc_source_callback};
    let done = match msg {
        CallbackMsg::Source(msg) => ibc_source_callback(deps, env, msg),
        CallbackMsg::Destination(msg) => ibc_destination_callback(deps, env, msg),
    };
    let IbcBasicResponse { messages, attributes, events, .. } = match done {
        Ok(response) => response,
        Err(never) => match never {},
    };
    Ok(Response::new().add_submessages(messages).add_attributes(attributes).add_events(events))
}

impl World {
    /// Stores and instantiates the gateway with a route to another chain, and connects the escrow to it.
    pub(crate) fn deploy_gateway(&mut self, params: gateway::Params) {
        let code = ContractWrapper::new(
            openledger_ibc_gateway::contract::execute,
            openledger_ibc_gateway::contract::instantiate,
            openledger_ibc_gateway::contract::query,
        )
        .with_reply(openledger_ibc_gateway::contract::reply)
        .with_migrate(openledger_ibc_gateway::contract::migrate)
        .with_sudo(sudo);
        let msg = InstantiateMsg {
            owner: self.owner.to_string(),
            escrow: self.escrow.to_string(),
            params,
            routes: vec![self.route()],
        };
        self.gateway = self.instantiate("ibc-gateway", Box::new(code), &msg);
        let (owner, escrow) = (self.owner.clone(), self.escrow.clone());
        let connect = escrow::ExecuteMsg::ConnectGateway { gateway: Some(self.gateway.to_string()) };
        self.execute(&owner, &escrow, &connect, &[])
            .unwrap_or_else(|error| panic!("the gateway does not connect: {error}"));
    }

    /// The route that a world has: payouts and pay-ins in its denom.
    pub fn route(&self) -> Route {
        let denom = RouteDenom {
            denom: self.denom.clone(),
            min_payout: Uint128::new(1_000),
            max_bounty: Uint128::new(500),
            pay_in: true,
        };
        Route {
            name: ROUTE.into(),
            channel_id: CHANNEL.into(),
            prefix: PREFIX.into(),
            denoms: vec![denom],
            timeout_seconds: 600,
            enabled: true,
        }
    }

    /// An address on the other chain.
    pub fn remote_address(&self, name: &str) -> String {
        cosmwasm_std::testing::MockApi::default().with_prefix(PREFIX).addr_make(name).into_string()
    }

    /// One message to the gateway.
    pub fn tell_gateway(&mut self, sender: &Addr, msg: &ExecuteMsg) -> Result<AppResponse> {
        let gateway = self.gateway.clone();
        self.execute(sender, &gateway, msg, &[])
    }

    /// Sends the earnings of these accounts in the world's denom.
    pub fn flush(&mut self, accounts: &[&Addr]) -> Result<AppResponse> {
        let msg = ExecuteMsg::FlushPayouts {
            route: ROUTE.into(),
            denom: self.denom.clone(),
            accounts: Some(accounts.iter().map(ToString::to_string).collect()),
            start_after: None,
            limit: None,
        };
        let anyone = self.account("anyone");
        self.tell_gateway(&anyone, &msg)
    }

    /// An account at the gateway.
    pub fn gateway_account(&self, address: &Addr) -> Result<AccountResponse> {
        self.query(&self.gateway, &QueryMsg::Account { address: address.to_string() })
    }

    /// A payout.
    pub fn payout(&self, payout_id: u64) -> Result<PayoutResponse> {
        self.query(&self.gateway, &QueryMsg::Payout { payout_id })
    }
}

//! The part of the demo with a second chain: contributors who are paid there, and a session that is paid
//! from there. `scripts/demo --ibc` starts the chain, links the two and keeps the relayer running.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{bail, Context as _, Result};
use cosmwasm_std::{HexBinary, Uint128};
use ibc_proto::cosmos::base::v1beta1::Coin as ProtoCoin;
use ibc_proto::ibc::applications::transfer::v1::MsgTransfer;
use openledger_client::contracts::Reader;
use openledger_client::proto::cosmos::base::v1beta1::Coin as GovCoin;
use openledger_client::proto::cosmos::gov::v1::{
    MsgSubmitProposal, MsgVote, QueryProposalRequest, QueryProposalResponse,
};
use openledger_client::proto::cosmwasm::wasm::v1::MsgExecuteContract;
use openledger_client::proto::prost::{Message, Name};
use openledger_client::{Any, Chain, ChainConfig, Key, Signer, TxResult};
use openledger_types::msg::escrow::NodeCap;
use openledger_types::msg::gateway::{
    ExecuteMsg, Memo, PayIn, PayInOrder, PayInOutcome, PayInResponse, PayoutFilter, PayoutResponse,
    PayoutState, QueryMsg, RefundTo, Route, RouteDenom,
};
use sha2::{Digest, Sha256};

use super::summary::{Contributor, IbcPayIn, IbcPayout, IbcSummary};
use crate::context::DENOM;

/// Name of the route.
const ROUTE: &str = "peer";
/// What the user of the second chain pays in, in base units.
const PAY_IN: u128 = 1_500_000;
/// Most that the relayer earns with a payout, in base units; taken from it. The demo's contributors earn
/// little: a route of a real network has 20 times the gas of both legs as its least payout.
const MAX_BOUNTY: u128 = 1;
/// Least payout, in base units.
const MIN_PAYOUT: u128 = 2;
/// Gas of the callback that opens the session.
const CALLBACK_GAS: u64 = 1_000_000;
/// How long a packet may take to arrive, with its acknowledgement back.
const PATIENCE: Duration = Duration::from_secs(90);

/// Where the second chain is; all or none.
#[derive(Clone, Debug, clap::Args)]
pub struct IbcArgs {
    /// Record of the link, as `openledger-relayer link` writes it.
    #[arg(long = "ibc-link", requires = "ibc_rpc")]
    pub ibc_link: Option<PathBuf>,
    /// RPC address of the second chain.
    #[arg(long = "ibc-rpc", requires = "ibc_link")]
    pub ibc_rpc: Option<String>,
    /// First part of its addresses.
    #[arg(long = "ibc-prefix", default_value = "peer")]
    pub ibc_prefix: String,
    /// Its coin.
    #[arg(long = "ibc-denom", default_value = "upeer")]
    pub ibc_denom: String,
    /// Process of the relayer, which is stopped for a minute to show a payout that times out.
    #[arg(long = "ibc-relayer-pid", requires = "ibc_link")]
    pub ibc_relayer_pid: Option<u32>,
}

/// The second chain, linked.
pub(super) struct Second {
    chain: Chain,
    /// Channel on our chain, and on the second.
    channels: (String, String),
    prefix: String,
    relayer: Option<u32>,
}

/// Seconds until a payout times out: usually, and for the one that is to time out (the least there is).
const TIMEOUT: u64 = 600;
const SHORT_TIMEOUT: u64 = 60;

/// A process that stands still until this is dropped.
struct Stopped(String);

impl Stopped {
    fn stop(pid: u32) -> Result<Self> {
        let stopped = Stopped(pid.to_string());
        if !stopped.signal("-STOP") {
            bail!("E-DEMO-043 the relayer, process {pid}, cannot be stopped");
        }
        Ok(stopped)
    }

    fn signal(&self, signal: &str) -> bool {
        std::process::Command::new("kill").args([signal, &self.0]).status().is_ok_and(|s| s.success())
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.signal("-CONT");
    }
}

impl Second {
    /// Connects; none when the demo runs on one chain.
    pub(super) async fn connect(args: &IbcArgs) -> Result<Option<Self>> {
        let (Some(file), Some(rpc)) = (&args.ibc_link, &args.ibc_rpc) else { return Ok(None) };
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let link: serde_json::Value = serde_json::from_str(&text)?;
        let field = |end: &str, name: &str| {
            let value = link.get(end).and_then(|e| e.get(name)).and_then(|v| v.as_str());
            value.map(str::to_string).with_context(|| format!("{} has no {end}.{name}", file.display()))
        };
        let config = ChainConfig {
            prefix: args.ibc_prefix.clone(),
            denom: args.ibc_denom.clone(),
            ..ChainConfig::new(field("b", "chain_id")?, rpc)
        };
        let channels = (field("a", "channel")?, field("b", "channel")?);
        Ok(Some(Second {
            chain: Chain::connect(config).await?,
            channels,
            prefix: args.ibc_prefix.clone(),
            relayer: args.ibc_relayer_pid,
        }))
    }

    /// Opens the route at the gateway, by a vote of governance.
    pub(super) async fn open_route(
        &self,
        proposer: &Signer,
        voter: &Signer,
        gateway: &str,
        owner: &str,
    ) -> Result<()> {
        self.set_route((proposer, voter), gateway, owner, TIMEOUT).await
    }

    async fn set_route(
        &self,
        (proposer, voter): (&Signer, &Signer),
        gateway: &str,
        owner: &str,
        timeout_seconds: u64,
    ) -> Result<()> {
        let denom = RouteDenom {
            denom: DENOM.into(),
            min_payout: Uint128::new(MIN_PAYOUT),
            max_bounty: Uint128::new(MAX_BOUNTY),
            pay_in: true,
        };
        let route = Route {
            name: ROUTE.into(),
            channel_id: self.channels.0.clone(),
            prefix: self.prefix.clone(),
            denoms: vec![denom],
            timeout_seconds,
            enabled: true,
        };
        let execute = MsgExecuteContract {
            sender: owner.into(),
            contract: gateway.into(),
            msg: serde_json::to_vec(&ExecuteMsg::SetRoute { route })?,
            funds: vec![],
        };
        let submit = MsgSubmitProposal {
            messages: vec![any(&execute)],
            initial_deposit: vec![GovCoin { denom: DENOM.into(), amount: "2000000".into() }],
            proposer: proposer.address().into(),
            title: "A route to the second chain".into(),
            summary: format!("Payouts and pay-ins over {}", self.channels.0),
            expedited: true,
            ..MsgSubmitProposal::default()
        };
        let sent = proposer.broadcast(vec![any(&submit)], "").await?;
        let proposal_id =
            sent.attribute("submit_proposal", "proposal_id").context("the proposal has no number")?;
        let proposal_id: u64 = proposal_id.parse()?;
        let vote = MsgVote { proposal_id, voter: voter.address().into(), option: 1, metadata: String::new() };
        voter.broadcast(vec![any(&vote)], "").await?;
        let since = Instant::now();
        loop {
            let path = "/cosmos.gov.v1.Query/Proposal";
            let answer: QueryProposalResponse =
                voter.chain().query(path, &QueryProposalRequest { proposal_id }).await?;
            match answer.proposal.map(|p| (p.status, p.failed_reason)) {
                Some((3, _)) => return Ok(()),
                Some((4 | 5, reason)) => bail!("E-DEMO-040 the route was not voted in: {reason}"),
                _ if since.elapsed() > PATIENCE => bail!("E-DEMO-040 the vote on the route does not end"),
                _ => voter.chain().wait_for_next_block().await?,
            };
        }
    }

    /// An account's address on the second chain: the same key, the other prefix.
    pub(super) fn address(&self, key: &Key) -> Result<String> {
        Ok(key.address(&self.prefix)?)
    }

    /// Names the contributor's own account on the second chain as the one that earnings go to.
    pub(super) async fn prefer(&self, contributor: &Signer, gateway: &str) -> Result<()> {
        let remote_addr = self.address(contributor.key())?;
        let message = ExecuteMsg::SetPreference { route: ROUTE.into(), remote_addr };
        contributor.execute(gateway, &message, &[]).await?;
        Ok(())
    }

    /// Sends what the accounts have earned, waits until the gateway knows that it arrived, and compares
    /// with what the accounts hold on the second chain. While the last account is paid the relayer stands
    /// still, so that its first payout times out; it comes back and is sent again.
    pub(super) async fn pay_out(
        &self,
        reader: &Reader,
        (anyone, voter): (&Signer, &Signer),
        accounts: &[(Contributor, Key)],
    ) -> Result<Vec<IbcPayout>> {
        let gateway = reader.gateway()?.to_string();
        let (in_time, late) = match self.relayer {
            Some(_) => accounts.split_at(accounts.len().saturating_sub(1)),
            None => (accounts, &accounts[..0]),
        };
        for part in in_time.chunks(20) {
            self.flush(anyone, &gateway, part.iter().map(|(who, _)| who.address.clone()).collect()).await?;
        }
        settled(reader).await?;
        if let (Some(pid), Some((who, _))) = (self.relayer, late.first()) {
            self.time_out(reader, (anyone, voter), &gateway, &who.address, pid).await?;
        }
        let mut found = Vec::new();
        for payout in settled(reader).await? {
            let Some((who, key)) = accounts.iter().find(|(who, _)| who.address == payout.account) else {
                continue;
            };
            let arrived = self.chain.balance(&self.address(key)?, &self.voucher()).await?;
            let amount = payout.amount.amount;
            if payout.state == PayoutState::Settled && arrived != amount.u128() {
                bail!("E-DEMO-041 {} holds {arrived} on the second chain, not {amount}", who.name);
            }
            found.push(IbcPayout {
                contributor: who.clone(),
                amount,
                sequence: payout.sequence.unwrap_or_default(),
                state: payout.state,
            });
        }
        Ok(found)
    }

    /// Pays one account while no relayer runs, waits until its packet has timed out and has come back, and
    /// sends it again.
    async fn time_out(
        &self,
        reader: &Reader,
        (anyone, voter): (&Signer, &Signer),
        gateway: &str,
        account: &str,
        relayer: u32,
    ) -> Result<()> {
        let owner = voter.chain().module_address("gov").await?;
        self.set_route((anyone, voter), gateway, &owner, SHORT_TIMEOUT).await?;
        let stopped = Stopped::stop(relayer)?;
        println!("    the relayer stands still for {SHORT_TIMEOUT} s: the next payout times out");
        self.flush(anyone, gateway, vec![account.to_string()]).await?;
        let since = Instant::now();
        loop {
            let sent = reader.payouts(Some(PayoutFilter::Account(account.into())), None).await?;
            let timeout = sent.last().context("E-DEMO-044 the payout was not sent")?.timeout / 1_000_000_000;
            if u64::try_from(self.chain.status().await?.time)? > timeout {
                break;
            }
            if since.elapsed() > PATIENCE + Duration::from_secs(SHORT_TIMEOUT) {
                bail!("E-DEMO-044 the second chain's clock does not come to the payout's timeout");
            }
            self.chain.wait_for_next_block().await?;
        }
        drop(stopped);
        let last = settled(reader).await?;
        let last = last.iter().rfind(|payout| payout.account == account);
        if last.is_none_or(|payout| payout.state != PayoutState::Refunded) {
            bail!("E-DEMO-044 the payout that timed out has not come back: {last:?}");
        }
        self.set_route((anyone, voter), gateway, &owner, TIMEOUT).await?;
        let since = Instant::now();
        loop {
            let height = anyone.chain().wait_for_next_block().await?;
            let next = reader.gateway_account(account).await?.next_attempt;
            if next.is_some_and(|next| next <= height) {
                break;
            }
            if since.elapsed() > PATIENCE {
                bail!("E-DEMO-044 the payout that came back is not due again: {next:?}");
            }
        }
        self.flush(anyone, gateway, vec![account.to_string()]).await
    }

    async fn flush(&self, anyone: &Signer, gateway: &str, accounts: Vec<String>) -> Result<()> {
        let message = ExecuteMsg::FlushPayouts {
            route: ROUTE.into(),
            denom: DENOM.into(),
            accounts: Some(accounts),
            start_after: None,
            limit: Some(20),
        };
        anyone.execute(gateway, &message, &[]).await?;
        Ok(())
    }

    /// A user of the second chain opens a session by one transfer. The coins are ours: they are brought
    /// over first, and come back with the payment.
    pub(super) async fn pay_in(
        &self,
        reader: &Reader,
        user: &Signer,
        model: (u64, u32),
        node_id: u64,
    ) -> Result<IbcPayIn> {
        let gateway = reader.gateway()?.to_string();
        let there = self.chain.signer(user.key().clone())?;
        let message = self.transfer(&self.channels.0, DENOM, user.address(), there.address(), String::new());
        user.broadcast(vec![message], "").await?;
        let since = Instant::now();
        while self.chain.balance(there.address(), &self.voucher()).await? < PAY_IN {
            if since.elapsed() > PATIENCE {
                bail!("E-DEMO-042 the user's coins do not arrive on the second chain");
            }
            self.chain.wait_for_next_block().await?;
        }
        let order = PayInOrder::OpenSession {
            model_id: model.0,
            model_version: model.1,
            session_key: HexBinary::from(&Key::random()?.public_key()),
            nodes: vec![NodeCap { node_id, cap: Uint128::new(PAY_IN / 2) }],
            blocks: None,
        };
        let refund = RefundTo::Remote(there.address().into());
        let memo = Memo::pay_in(&gateway, CALLBACK_GAS, PayIn { refund, order });
        let memo = serde_json::to_string(&memo)?;
        let message = self.transfer(&self.channels.1, &self.voucher(), there.address(), &gateway, memo);
        let sent: TxResult = there.broadcast(vec![message], "").await?;
        let sequence = sent.attribute("send_packet", "packet_sequence").context("no packet was sent")?;
        let query = QueryMsg::PayIn { channel_id: self.channels.0.clone(), sequence: sequence.parse()? };
        let since = Instant::now();
        let became: PayInResponse = loop {
            match user.chain().query_smart(&gateway, &query).await {
                Ok(became) => break became,
                Err(error) if since.elapsed() > PATIENCE => {
                    bail!("E-DEMO-042 the payment from the second chain does not arrive: {error}")
                }
                Err(_) => user.chain().wait_for_next_block().await?,
            };
        };
        match became.outcome {
            PayInOutcome::Opened { session_id } => {
                let session = reader.session(session_id).await?;
                Ok(IbcPayIn { session_id, amount: became.amount.amount, deposit: session.deposit })
            }
            other => bail!("E-DEMO-042 the payment from the second chain opened no session: {other:?}"),
        }
    }

    /// What our coin is called on the second chain.
    fn voucher(&self) -> String {
        let trace = format!("transfer/{}/{DENOM}", self.channels.1);
        format!("ibc/{}", hex::encode_upper(Sha256::digest(trace)))
    }

    fn transfer(&self, channel: &str, denom: &str, sender: &str, receiver: &str, memo: String) -> Any {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let timeout = now.saturating_add(Duration::from_secs(600)).as_nanos();
        let message = MsgTransfer {
            source_port: "transfer".into(),
            source_channel: channel.into(),
            token: Some(ProtoCoin { denom: denom.into(), amount: PAY_IN.to_string() }),
            sender: sender.into(),
            receiver: receiver.into(),
            timeout_height: Some(Default::default()),
            timeout_timestamp: u64::try_from(timeout).unwrap_or(u64::MAX),
            memo,
        };
        any(&message)
    }

    /// What the demo did over the channel.
    pub(super) fn summary(&self, payouts: Vec<IbcPayout>, pay_in: IbcPayIn) -> IbcSummary {
        IbcSummary { channel: self.channels.0.clone(), payouts, pay_in }
    }
}

/// All payouts, once none is on its way or patience is over.
async fn settled(reader: &Reader) -> Result<Vec<PayoutResponse>> {
    let since = Instant::now();
    loop {
        let mut all: Vec<PayoutResponse> = Vec::new();
        loop {
            let page = reader.payouts(None, all.last().map(|payout| payout.payout_id)).await?;
            if page.is_empty() {
                break;
            }
            all.extend(page);
        }
        if all.iter().all(|p| p.state != PayoutState::InFlight) || since.elapsed() > PATIENCE {
            return Ok(all);
        }
        reader.chain().wait_for_next_block().await?;
    }
}

/// Of the contributors who earned something, those who are paid on the second chain: every other one.
pub(super) fn chosen(earners: &[String]) -> BTreeSet<String> {
    earners.iter().step_by(2).cloned().collect()
}

fn any<M: Message + Name>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: message.encode_to_vec() }
}

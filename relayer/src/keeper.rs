//! Serves the contract that pays contributors over IBC: sends payouts that are due, claims the relayer's
//! bounties, marks payouts without news, and finds out what became of them. What is due is decided in
//! [`crate::core::gateway`].

use std::sync::Arc;

use openledger_client::Chain;
use openledger_types::msg::gateway::{
    AccountResponse, AccountsResponse, BountiesResponse, ExecuteMsg, PayoutFilter, PayoutResponse,
    PayoutState, PayoutsResponse, QueryMsg, Route, RoutesResponse,
};
use serde::de::DeserializeOwned;
use serde::Serialize;
use tokio::sync::watch;

use crate::chain::ChainHandle;
use crate::config::Service;
use crate::core::gateway::{claim, flushes, judge, marks, Evidence, Verdict};
use crate::core::state::{acknowledgement_commitment, IbcHeight, IbcPacket};
use crate::error::{Error, Result};
use crate::link::{now_ns, Linked};
use crate::packet::{Kind, Packet};
use crate::relay::snapshot;
use crate::store::Store;
use crate::submit::{acknowledgement_path, base, commitment_path, receipt_path};
use crate::telemetry::Metrics;

/// Entries of a page of the contract's lists.
const PAGE: u32 = 30;
/// Pages that are read of a list at most; what is beyond is seen when these are done with.
const MAX_PAGES: usize = 400;

/// The contract, and the channel that it pays over.
pub struct Keeper {
    chain: Arc<ChainHandle>,
    gateway: String,
    channel: String,
    metrics: Metrics,
}

/// What was done for the contract.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Payouts that were sent.
    pub sent: usize,
    /// Payouts that were marked as unresolved.
    pub marked: usize,
    /// Whether bounties were claimed.
    pub claimed: bool,
}

impl Keeper {
    /// For the contract `gateway` on the first chain of a path.
    pub fn new(chain: Arc<ChainHandle>, linked: &Linked, gateway: &str, metrics: Metrics) -> Self {
        Keeper { chain, gateway: gateway.into(), channel: linked.a.channel.clone(), metrics }
    }

    /// Serves the contract until `stop` becomes true. Errors of single turns are logged.
    pub async fn run(&self, service: &Service, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            match self.turn(service.least_bounty).await {
                Ok(kept) => tracing::info!(?kept, gateway = self.gateway, "served"),
                Err(e) => {
                    tracing::warn!(code = e.code(), error = %e, advice = e.advice(), "the gateway was not served")
                }
            }
            tokio::select! {
                _ = tokio::time::sleep(service.interval) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Sends what is due, marks what has no news, claims bounties of at least `least_bounty` base units.
    pub async fn turn(&self, least_bounty: u128) -> Result<Kept> {
        let mut kept = Kept::default();
        let height = self.chain.status().await?.height;
        for route in self.routes().await?.into_iter().filter(|route| route.enabled) {
            let accounts = self.accounts(&route.name).await?;
            for entry in &route.denoms {
                for message in flushes(&route.name, &entry.denom, &accounts, height) {
                    kept.sent += self.execute(&message, "wasm-payout_sent").await?;
                }
            }
        }
        let in_flight = self.payouts(PayoutState::InFlight).await?;
        for message in marks(&in_flight) {
            kept.marked += self.execute(&message, "wasm-payout_unresolved").await?;
        }
        let signer = self.chain.endpoints().signer().await?;
        let query = QueryMsg::Bounties { relayer: signer.address().into() };
        let bounties: BountiesResponse = self.ask(&query).await?;
        if let Some(message) = claim(&bounties.amounts, least_bounty) {
            self.execute(&message, "wasm").await?;
            kept.claimed = true;
        }
        let label = || format!("chain=\"{}\"", self.chain.id());
        self.metrics.add("payouts_flushed_total", label(), kept.sent as u64);
        self.metrics.add("bounty_claims_total", label(), u64::from(kept.claimed));
        self.metrics.set("payouts_in_flight", label(), in_flight.len() as f64);
        let unresolved = self.payouts(PayoutState::Unresolved).await?.len();
        self.metrics.set("payouts_unresolved", label(), unresolved as f64);
        if unresolved > 0 {
            let advice =
                "`openledger-relayer payouts` shows what became of them and what the owner has to decide";
            tracing::error!(chain = self.chain.id(), unresolved, code = "E-RELAYER-206", advice, "alarm");
        }
        Ok(kept)
    }

    /// Payouts that nobody has told the end of, with what the chains prove of each.
    pub async fn unresolved(&self, other: &ChainHandle, linked: &Linked, store: &Store) -> Result<Vec<Case>> {
        let mut payouts = self.payouts(PayoutState::Unresolved).await?;
        payouts.extend(self.payouts(PayoutState::InFlight).await?.into_iter().filter(|p| p.overdue));
        let mut cases = Vec::new();
        for payout in payouts {
            let evidence = match payout.sequence.filter(|_| payout.channel_id == self.channel) {
                Some(sequence) => Some(self.evidence(other, linked, store, sequence).await?),
                None => None,
            };
            let verdict = evidence.as_ref().map_or(Verdict::Unclear, judge);
            let message = match &verdict {
                Verdict::Ended(outcome) => {
                    Some(ExecuteMsg::ResolvePayout { payout_id: payout.payout_id, outcome: *outcome })
                }
                _ => None,
            };
            let gateway = self.gateway.clone();
            cases.push(Case { payout, evidence, verdict, gateway, message });
        }
        Ok(cases)
    }

    /// What the states prove, each by a header that passes the rules of the client on the other chain.
    async fn evidence(
        &self,
        other: &ChainHandle,
        linked: &Linked,
        store: &Store,
        sequence: u64,
    ) -> Result<Evidence> {
        let packet = IbcPacket {
            sequence,
            src_port: linked.a.port.clone(),
            src_channel: linked.a.channel.clone(),
            dst_port: linked.b.port.clone(),
            dst_channel: linked.b.channel.clone(),
            data: Vec::new(),
            timeout_height: IbcHeight { revision: 0, height: 0 },
            timeout_timestamp: 0,
        };
        let (here, there) = (self.chain.as_ref(), other);
        let (head_here, head_there) = (here.status().await?.height, there.status().await?.height);
        let near = snapshot::read_end(here, &linked.a, &linked.b, head_here).await?;
        let far = snapshot::read_end(there, &linked.b, &linked.a, head_there).await?;
        // The signer's name stands in messages only, and none is sent.
        let near_base = base(there, &linked.b.client, &far.client, here, head_here, now_ns(), "").await?;
        let far_base = base(here, &linked.a.client, &near.client, there, head_there, now_ns(), "").await?;
        let waits = !near_base.prove(here, &commitment_path(&packet)).await?.value.is_empty();
        let received = !far_base.prove(there, &receipt_path(&packet)).await?.value.is_empty();
        let commitment = far_base.prove(there, &acknowledgement_path(&packet)).await?.value;
        let fits = |bytes: &Vec<u8>| acknowledgement_commitment(bytes).as_slice() == commitment.as_slice();
        let mut acknowledgement = store.written(&snapshot::end_id(&linked.b), sequence)?.filter(fits);
        if acknowledgement.is_none() && !commitment.is_empty() {
            let events = there.search_written(&linked.b.channel, sequence).await?;
            let written = events.into_iter().filter(|e| e.event == Kind::WriteAcknowledgement);
            acknowledgement = written
                .filter_map(|event| match event.packet {
                    Packet::Channel(packet) if packet.sequence == sequence => packet.acknowledgement,
                    _ => None,
                })
                .find(fits);
        }
        Ok(Evidence { waits, received, acknowledgement })
    }

    async fn routes(&self) -> Result<Vec<Route>> {
        let mut all: Vec<Route> = Vec::new();
        for _ in 0..MAX_PAGES {
            let start_after = all.last().map(|route| route.name.clone());
            let page: RoutesResponse = self.ask(&QueryMsg::Routes { start_after, limit: Some(PAGE) }).await?;
            if page.routes.is_empty() {
                break;
            }
            all.extend(page.routes);
        }
        all.retain(|route| route.channel_id == self.channel);
        Ok(all)
    }

    async fn accounts(&self, route: &str) -> Result<Vec<AccountResponse>> {
        let (mut all, mut start_after) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let query = QueryMsg::Accounts { route: route.into(), start_after, limit: Some(PAGE) };
            let page: AccountsResponse = self.ask(&query).await?;
            let Some((last, _)) = page.accounts.last() else { break };
            start_after = Some(last.clone());
            for (address, _) in page.accounts {
                all.push(self.ask(&QueryMsg::Account { address }).await?);
            }
        }
        Ok(all)
    }

    async fn payouts(&self, state: PayoutState) -> Result<Vec<PayoutResponse>> {
        let mut all: Vec<PayoutResponse> = Vec::new();
        for _ in 0..MAX_PAGES {
            let filter = Some(PayoutFilter::State(state));
            let start_after = all.last().map(|payout| payout.payout_id);
            let query = QueryMsg::Payouts { filter, start_after, limit: Some(PAGE) };
            let page: PayoutsResponse = self.ask(&query).await?;
            if page.payouts.is_empty() {
                break;
            }
            all.extend(page.payouts);
        }
        Ok(all)
    }

    async fn ask<R: DeserializeOwned>(&self, query: &QueryMsg) -> Result<R> {
        let ask = |chain: Chain| async move { chain.query_smart(&self.gateway, query).await };
        self.chain.endpoints().call(ask).await
    }

    /// Executes a message; answers with the number of the contract's events of a type.
    async fn execute(&self, message: &ExecuteMsg, event: &str) -> Result<usize> {
        let signer = self.chain.endpoints().signer().await?;
        let done = signer.execute(&self.gateway, message, &[]).await;
        let done = done.map_err(|source| Error::Chain { chain_id: self.chain.id().into(), source })?;
        Ok(done.events.iter().filter(|e| e.kind == event && e.is_from(&self.gateway)).count())
    }
}

/// A payout without news, what is proved of it, and what follows.
#[derive(Clone, Debug, Serialize)]
pub struct Case {
    /// The payout.
    pub payout: PayoutResponse,
    /// What the chains prove; none for a payout over another channel.
    pub evidence: Option<Evidence>,
    /// What follows.
    pub verdict: Verdict,
    /// The contract.
    pub gateway: String,
    /// What its owner has to execute; none when nothing is certain.
    pub message: Option<ExecuteMsg>,
}

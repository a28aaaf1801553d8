//! Earnings to accounts of other chains.

use cosmwasm_std::Uint128;
use openledger_client::TxResult;
use openledger_types::msg::gateway::{
    AccountResponse, ExecuteMsg, PayoutFilter, PayoutResponse, PayoutState, Route, MAX_FLUSH,
};
use serde::Serialize;

use crate::context::Context;
use crate::error::Result;
use crate::show;

/// Where an account's earnings go, and what became of those that were sent.
#[derive(Clone, Debug, Serialize)]
pub struct Payouts {
    /// Preference and money.
    pub account: AccountResponse,
    /// Chains that earnings can go to, with least amounts and costs.
    pub routes: Vec<Route>,
    /// Payouts so far.
    pub payouts: Vec<PayoutResponse>,
}

/// What was sent.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Done {
    /// Transactions.
    pub txs: Vec<String>,
    /// Payouts on the way: (payout, account, base units, sequence of the packet).
    pub sent: Vec<Sent>,
    /// Accounts passed over, each with why.
    pub skipped: Vec<(String, String)>,
}

/// A payout that was handed to the transfer module.
#[derive(Clone, Debug, Serialize)]
pub struct Sent {
    /// Its number.
    pub payout_id: String,
    /// Whose.
    pub account: String,
    /// Base units.
    pub amount: String,
    /// Denom.
    pub denom: String,
    /// Channel on this chain.
    pub channel_id: String,
    /// Sequence of its packet.
    pub sequence: String,
}

impl Done {
    fn of(result: TxResult) -> Self {
        Done { txs: vec![result.hash], ..Done::default() }
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for sent in &self.sent {
            let amount = show::amount(sent.amount.parse().unwrap_or_default(), &sent.denom);
            text.push_str(&format!(
                "payout {}: {amount} of {} is on the way, {} packet {}\n",
                sent.payout_id, sent.account, sent.channel_id, sent.sequence
            ));
        }
        for (account, reason) in &self.skipped {
            text.push_str(&format!("{account}: {reason}\n"));
        }
        text.push_str(&format!("tx {}", self.txs.join(" ")));
        text
    }
}

/// Routes, preference, money and payouts of an account.
///
/// # Errors
/// When the chain cannot be asked, or the deployment has no gateway.
pub async fn show(ctx: &Context, address: &str) -> Result<Payouts> {
    let reader = ctx.reader().await?;
    let mut payouts: Vec<PayoutResponse> = Vec::new();
    loop {
        let filter = Some(PayoutFilter::Account(address.into()));
        let page = reader.payouts(filter, payouts.last().map(|payout| payout.payout_id)).await?;
        if page.is_empty() {
            break;
        }
        payouts.extend(page);
    }
    let account = reader.gateway_account(address).await?;
    Ok(Payouts { account, routes: reader.routes().await?, payouts })
}

/// For people.
pub fn text(found: &Payouts) -> String {
    let mut text = match &found.account.preference {
        Some(to) => format!("earnings go to {} on {}\n", to.remote_addr, to.route),
        None => "earnings stay on this chain: openledger payout set ROUTE ADDRESS\n".into(),
    };
    if found.account.failures > 0 {
        let next = found.account.next_attempt.map_or("set the address again".into(), |height| {
            format!("the next attempt is at height {height}")
        });
        text.push_str(&format!("{} payouts in a row failed; {next}\n", found.account.failures));
    }
    let amount = |units: Uint128, denom: &str| show::amount(units.u128(), denom);
    let rows: Vec<Vec<String>> = found
        .account
        .denoms
        .iter()
        .map(|money| {
            let denom = &money.denom;
            vec![
                amount(money.in_escrow, denom),
                amount(money.accrued, denom),
                amount(money.min_payout, denom),
                amount(money.bounty, denom),
            ]
        })
        .collect();
    if !rows.is_empty() {
        text.push_str(&show::table(
            &["in the escrow", "at the gateway", "least payout", "for the relayer"],
            &rows,
        ));
    }
    let rows: Vec<Vec<String>> = found
        .routes
        .iter()
        .map(|route| {
            let state = if route.enabled { "open" } else { "closed" };
            let least = route.denoms.iter().map(|entry| amount(entry.min_payout, &entry.denom));
            let (name, channel) = (route.name.clone(), route.channel_id.clone());
            vec![name, channel, route.prefix.clone(), least.collect::<Vec<_>>().join(", "), state.into()]
        })
        .collect();
    text.push_str(&show::table(&["route", "channel", "prefix", "least payout", ""], &rows));
    let rows: Vec<Vec<String>> = found
        .payouts
        .iter()
        .map(|payout| {
            let state = match (payout.state, payout.overdue) {
                (PayoutState::InFlight, true) => "overdue",
                (PayoutState::InFlight, false) => "on the way",
                (PayoutState::Settled, _) => "arrived",
                (PayoutState::Refunded, _) => "came back",
                (PayoutState::Unresolved, _) => "unresolved",
            };
            vec![
                payout.payout_id.to_string(),
                amount(payout.amount.amount, &payout.amount.denom),
                payout.remote_addr.clone(),
                state.into(),
            ]
        })
        .collect();
    if !rows.is_empty() {
        text.push_str(&show::table(&["payout", "amount", "to", "state"], &rows));
    }
    text
}

/// Names the account of another chain that the signer's earnings go to.
///
/// # Errors
/// When the contract refuses route or address.
pub async fn set(ctx: &Context, route: String, remote_addr: String) -> Result<Done> {
    send(ctx, &ExecuteMsg::SetPreference { route, remote_addr }).await.map(Done::of)
}

/// Takes the signer's preference back.
///
/// # Errors
/// When there is none.
pub async fn clear(ctx: &Context) -> Result<Done> {
    send(ctx, &ExecuteMsg::ClearPreference {}).await.map(Done::of)
}

/// Pays what the gateway holds for the signer out on this chain.
///
/// # Errors
/// When it holds nothing.
pub async fn withdraw(ctx: &Context) -> Result<Done> {
    let signer = ctx.signer(None).await?;
    let account = ctx.reader().await?.gateway_account(signer.address()).await?;
    let mut denoms: Vec<String> = account
        .denoms
        .into_iter()
        .filter(|money| !money.accrued.is_zero())
        .map(|money| money.denom)
        .collect();
    denoms.truncate(openledger_types::msg::gateway::MAX_ROUTE_DENOMS);
    if denoms.is_empty() {
        // The contract says it in its own words.
        denoms.push(crate::context::DENOM.into());
    }
    send(ctx, &ExecuteMsg::Withdraw { denoms }).await.map(Done::of)
}

/// Sends what accounts of a route have earned: those named, else all of them page by page.
///
/// # Errors
/// When a transaction is refused.
pub async fn flush(ctx: &Context, route: &str, denom: &str, accounts: Vec<String>) -> Result<Done> {
    let gateway = ctx.reader().await?.gateway()?.to_string();
    let mut done = Done::default();
    let mut pages = accounts.chunks(MAX_FLUSH as usize);
    let mut start_after = None;
    loop {
        let named = match (accounts.is_empty(), pages.next()) {
            (true, _) => None,
            (false, Some(page)) => Some(page.to_vec()),
            (false, None) => return Ok(done),
        };
        let msg = ExecuteMsg::FlushPayouts {
            route: route.into(),
            denom: denom.into(),
            accounts: named,
            start_after: start_after.take(),
            limit: Some(MAX_FLUSH),
        };
        let result = send(ctx, &msg).await?;
        collect(&result, &gateway, &mut done);
        done.txs.push(result.hash.clone());
        if accounts.is_empty() {
            let next = result.attributes(&gateway, "next").first().copied().unwrap_or_default();
            start_after = (!next.is_empty()).then(|| next.to_string());
            if start_after.is_none() {
                return Ok(done);
            }
        }
    }
}

/// Reads what the gateway's events say.
fn collect(result: &TxResult, gateway: &str, done: &mut Done) {
    for event in result.events.iter().filter(|event| event.is_from(gateway)) {
        let value = |key: &str| event.attribute(key).unwrap_or_default().to_string();
        match event.kind.as_str() {
            "wasm-payout_sent" => done.sent.push(Sent {
                payout_id: value("payout_id"),
                account: value("account"),
                amount: value("amount"),
                denom: value("denom"),
                channel_id: value("channel_id"),
                sequence: value("sequence"),
            }),
            "wasm-payout_skipped" => done.skipped.push((value("account"), value("reason"))),
            "wasm-payout_refunded" => {
                done.skipped.push((value("account"), format!("could not be sent ({})", value("reason"))));
            }
            _ => {}
        }
    }
}

async fn send(ctx: &Context, msg: &ExecuteMsg) -> Result<TxResult> {
    let gateway = ctx.reader().await?.gateway()?.to_string();
    Ok(ctx.signer(None).await?.execute(&gateway, msg, &[]).await?)
}

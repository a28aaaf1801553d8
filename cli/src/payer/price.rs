//! What a node asks for a question, held against what the chain has pinned for it.

use std::time::{Duration, Instant};

use base64::prelude::{Engine, BASE64_STANDARD};
use openledger_node::request::Endpoint;
use openledger_types::api::{NodeInfo, PaymentOption, PaymentRequired, HEADER_REQUIRED, HEADER_SESSION};
use openledger_types::money::answer_fee;
use reqwest::StatusCode;

use super::lane::{accept, node_says, ACCEPT};
use super::{Failure, Payer};
use crate::check::Pins;
use crate::error::{Class, CliError};
use crate::node_http;

/// How long a node may take to learn of a session that its chain has: nodes follow chain nodes of their own.
const CATCH_UP: Duration = Duration::from_secs(15);

/// Tokens that a chat format may add to what was asked.
const FORMAT_TOKENS: u64 = 4_096;

impl Payer {
    /// What the node asks for this question at most, held against what the session has pinned.
    pub(super) async fn price(
        &self,
        lane: usize,
        endpoint: Endpoint,
        body: &[u8],
        wanted: u64,
    ) -> std::result::Result<u128, Failure> {
        let (node_id, url, session_id) = self.address(lane);
        let path = format!("{url}{}", endpoint.path());
        let asked = Instant::now();
        let response = loop {
            let request = self
                .parts
                .http
                .post(&path)
                .header("content-type", "application/json")
                .header(HEADER_SESSION, session_id)
                .body(body.to_vec());
            let response = accept(&path, request).await?;
            if response.status() == StatusCode::PAYMENT_REQUIRED {
                break response;
            }
            let Err(failure) = node_says(response).await else {
                return Err(unpaid().into());
            };
            if !is_behind(&failure) || asked.elapsed() > CATCH_UP || !self.lags(&url).await {
                return Err(failure);
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        };
        let required: Option<PaymentRequired> = response
            .headers()
            .get(HEADER_REQUIRED)
            .and_then(|value| BASE64_STANDARD.decode(value.as_bytes()).ok())
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let contract = &self.parts.state.contract;
        let offer: Option<PaymentOption> = required
            .and_then(|r| r.accepts.into_iter().find(|o| o.node_id == node_id && o.escrow == *contract));
        let offer = offer.ok_or_else(|| {
            CliError::new(
                Class::Node,
                "E-CLI-058",
                "the node offers no payment through this session's escrow",
                "check that the node serves the session's chain and model",
            )
        })?;
        let pins = self.pins(node_id)?;
        // The node's word on its price is compared with what the chain pinned for it.
        if offer.price_in.u128() != pins.price_in
            || offer.price_out.u128() != pins.price_out
            || offer.min_fee.u128() > pins.min_fee
        {
            return Err(CliError::new(
                Class::Node,
                "E-CLI-055",
                "the node asks other prices than the session has pinned",
                "use another node; nothing was paid",
            )
            .into());
        }
        let max_fee = offer.max_fee.map(|fee| fee.u128()).ok_or_else(|| {
            CliError::new(
                Class::Node,
                "E-CLI-056",
                "the node names no price for this request",
                "use another node",
            )
        })?;
        // A promise can be settled to its end before anybody computes the answer again.
        let most = most_fee(body.len(), wanted, &pins);
        if max_fee > most {
            let what = format!("the node asks up to {max_fee} for a request that costs {most} at the most");
            return Err(
                CliError::new(Class::Node, "E-CLI-090", what, "use another node; nothing was paid").into()
            );
        }
        Ok(max_fee)
    }

    /// Whether the node's chain has not come to the block after the one that opened the session, so that waiting
    /// may help. A node of an older release does not say.
    async fn lags(&self, url: &str) -> bool {
        let path = format!("{url}/v1/node");
        let asked =
            tokio::time::timeout(ACCEPT, node_http::get_json::<NodeInfo>(&self.parts.http, &path)).await;
        let opened_at = self.parts.session.opened_at;
        matches!(asked, Ok(Ok(info)) if info.height.is_none_or(|height| height <= opened_at))
    }
}

/// What an answer without payment means.
fn unpaid() -> CliError {
    CliError::new(
        Class::Node,
        "E-CLI-057",
        "the node answers without payment",
        "check that --node names an OpenLedger node",
    )
}

/// More than a request can cost at the session's prices: a byte of it is at most four tokens, a chat format adds less
/// than the rest.
fn most_fee(bytes: usize, wanted: u64, pins: &Pins) -> u128 {
    let count = |tokens: u64| u32::try_from(tokens).unwrap_or(u32::MAX);
    let tokens_in =
        count(u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(4).saturating_add(FORMAT_TOKENS));
    answer_fee(tokens_in, count(wanted), pins.price_in, pins.price_out, pins.min_fee).unwrap_or(u128::MAX)
}

/// Whether the node has not heard of the session yet.
fn is_behind(failure: &Failure) -> bool {
    failure.node.as_ref().is_some_and(|(_, said)| said.code == "E-PAY-004" && said.retryable)
}

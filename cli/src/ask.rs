//! Asking: a voucher, the answer as it comes, its checks, the acknowledgement.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::prelude::{Engine, BASE64_STANDARD};
use cosmwasm_std::{Binary, HexBinary};
use futures::stream::{self, StreamExt, TryStreamExt};
use openledger_node::request::{model_name, Endpoint};
use openledger_types::api::{
    AnswerBundle, PaymentOption, PaymentRequired, PaymentSignature, HEADER_REQUIRED, HEADER_SESSION,
    HEADER_SIGNATURE,
};
use openledger_types::formats::request_hash;
use rand::RngCore;
use serde::Serialize;

use crate::check::{check_bundle, Check, Pins};
use crate::context::{make_private_dir, write_json, Context};
use crate::error::{Class, CliError, Result};
use crate::node_http;
use crate::session::{Outstanding, State};

/// Longest line of a stream, in bytes.
const MAX_LINE: usize = 64 << 20;

/// What to ask.
#[derive(Clone, Debug)]
pub struct AskArgs {
    /// Session.
    pub session_id: u64,
    /// The text to be continued.
    pub prompt: String,
    /// Most tokens of the answer.
    pub max_tokens: u32,
    /// Temperature.
    pub temperature: f64,
}

/// A paid answer, checked.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// Receipt's id.
    pub receipt_id: String,
    /// Everything from which it is verified.
    pub bundle: AnswerBundle,
    /// Where the bundle was written.
    pub file: PathBuf,
    /// The checks made before it was acknowledged.
    pub checks: Vec<Check>,
}

/// Asks and pays; `on_text` sees the answer as it comes. A request that an earlier run left under way
/// must be finished first, see [`resume`].
///
/// # Errors
/// When the node refuses, the answer does not come (nothing is lost, resume later), or a check fails
/// (the answer is then not acknowledged).
pub async fn ask(ctx: &Context, args: AskArgs, on_text: &mut dyn FnMut(&str)) -> Result<Answer> {
    let reader = ctx.reader().await?;
    let mut state = State::load(ctx, args.session_id)?;
    if state.outstanding.is_some() {
        return Err(CliError::new(
            Class::Refused,
            "E-CLI-044",
            format!("an answer of session {} is under way", args.session_id),
            "fetch it first: openledger ask --resume",
        ));
    }
    let session = reader.session(args.session_id).await?;
    let body = serde_json::json!({
        "model": model_name(session.model_id, session.model_version),
        "prompt": args.prompt,
        "max_tokens": args.max_tokens,
        "temperature": args.temperature,
        "stream": true,
    });
    let body = serde_json::to_vec(&body).map_err(|e| CliError::usage(e.to_string()))?;
    let endpoint = Endpoint::Completions.path();
    let offer = offer(ctx, &state, endpoint, &body).await?;
    let pinned = session.nodes.iter().find(|n| n.node_id == state.node_id);
    let pinned = pinned.ok_or_else(|| {
        CliError::usage(format!("node {} is not in session {}", state.node_id, state.session_id))
    })?;
    // The node's word on its price is compared with what the chain pinned for it.
    if offer.price_in != pinned.price_in
        || offer.price_out != pinned.price_out
        || offer.min_fee > session.min_fee
    {
        return Err(CliError::new(
            Class::Node,
            "E-CLI-055",
            "the node asks other prices than the session has pinned",
            "use another node; nothing was paid",
        ));
    }
    let max_fee = offer.max_fee.ok_or_else(|| {
        CliError::new(
            Class::Node,
            "E-CLI-056",
            "the node names no price for this request",
            "use another node",
        )
    })?;
    let mut nonce = [0u8; 32];
    rand::rng().fill_bytes(&mut nonce);
    let voucher = state.voucher(ctx, &request_hash(&body, &nonce), max_fee.u128())?;
    state.outstanding = Some(Outstanding {
        payment: PaymentSignature { voucher, nonce: HexBinary::from(&nonce) },
        endpoint: endpoint.into(),
        body: Binary::new(body),
    });
    // From here on the promise may be used: it is on disk before it leaves.
    state.save(ctx)?;
    finish(ctx, state, on_text).await
}

/// Fetches the answer of a request that an earlier run left under way, by the same voucher.
///
/// # Errors
/// As [`ask`]; also when nothing is under way.
pub async fn resume(ctx: &Context, session_id: u64, on_text: &mut dyn FnMut(&str)) -> Result<Answer> {
    let state = State::load(ctx, session_id)?;
    match state.outstanding {
        Some(_) => finish(ctx, state, on_text).await,
        None => Err(CliError::usage(format!("nothing is under way in session {session_id}"))),
    }
}

async fn finish(ctx: &Context, mut state: State, on_text: &mut dyn FnMut(&str)) -> Result<Answer> {
    let Some(sent) = state.outstanding.clone() else {
        return Err(CliError::usage("nothing is under way"));
    };
    let url = format!("{}{}", state.node_url, sent.endpoint);
    let header = BASE64_STANDARD
        .encode(serde_json::to_vec(&sent.payment).map_err(|e| CliError::usage(e.to_string()))?);
    let response = ctx
        .http
        .post(&url)
        .header(HEADER_SIGNATURE, header)
        .header("content-type", "application/json")
        .body(sent.body.to_vec())
        .send()
        .await
        .map_err(|e| node_http::unreachable(&url, &e))?;
    let refused = response.status().is_client_error();
    let response = match node_http::accepted(response).await {
        Ok(response) => response,
        Err(error) => {
            // A refusal before anything was taken leaves the sequence free; the node's log decides.
            if refused && !taken(ctx, &state).await? {
                state.outstanding = None;
                state.save(ctx)?;
            }
            return Err(error);
        }
    };
    let (text, bundle) = read_stream(&url, response, on_text).await?;
    let reader = ctx.reader().await?;
    let session = reader.session(state.session_id).await?;
    let version = reader.model_version(session.model_id, session.model_version).await?;
    let node = session.nodes.iter().find(|n| n.node_id == state.node_id).ok_or_else(|| {
        CliError::usage(format!("node {} is not in session {}", state.node_id, state.session_id))
    })?;
    let pins = Pins::new(&state.chain_id, &state.contract, &session, node, &version);
    let mut checks = check_bundle(&pins, &bundle);
    checks.push(Check {
        name: "answer as it was streamed",
        holds: text == bundle.answer && bundle.body == sent.body && bundle.voucher == sent.payment.voucher,
        found: "the bundle holds another answer or request than what was exchanged".into(),
    });
    let failed: Vec<String> =
        checks.iter().filter(|c| !c.holds).map(|c| format!("{}: {}", c.name, c.found)).collect();
    let receipt_id = hex::encode(bundle.receipt.receipt.digest());
    let dir = ctx.home.join("answers");
    make_private_dir(&dir)?;
    let file = dir.join(format!("{receipt_id}.json"));
    write_json(&file, &bundle)?;
    if !failed.is_empty() {
        return Err(CliError::new(
            Class::Verification,
            "E-CLI-063",
            format!("the answer was not acknowledged: {}", failed.join("; ")),
            format!("close the session and keep {} as evidence", file.display()),
        ));
    }
    state.push(bundle.receipt.receipt.leaf())?;
    state.outstanding = None;
    state.save(ctx)?;
    Ok(Answer { receipt_id, bundle, file, checks })
}

/// Who contributed what an answer pays, as the chain says: contribution to address and title.
///
/// # Errors
/// When the chain does not answer.
pub async fn contributors(ctx: &Context, bundle: &AnswerBundle) -> Result<BTreeMap<u64, String>> {
    let reader = ctx.reader().await?;
    stream::iter(bundle.receipt.receipt.shares.iter().map(|share| {
        let reader = &reader;
        async move {
            let found = reader.contribution(share.contribution_id).await?;
            Ok((share.contribution_id, format!("{}  {}", found.facts.contributor, found.title)))
        }
    }))
    .buffer_unordered(8)
    .try_collect()
    .await
}

/// Whether the node has taken the request under way.
async fn taken(ctx: &Context, state: &State) -> Result<bool> {
    let url = format!("{}/v1/sessions/{}", state.node_url, state.session_id);
    let theirs: openledger_types::api::SessionState = node_http::get_json(&ctx.http, &url).await?;
    Ok(theirs.taken > state.count)
}

/// What the node asks for this request, from its answer to an unpaid one.
async fn offer(ctx: &Context, state: &State, endpoint: &str, body: &[u8]) -> Result<PaymentOption> {
    let url = format!("{}{endpoint}", state.node_url);
    let response = ctx
        .http
        .post(&url)
        .header("content-type", "application/json")
        .header(HEADER_SESSION, state.session_id)
        .body(body.to_vec())
        .send()
        .await
        .map_err(|e| node_http::unreachable(&url, &e))?;
    if response.status() != reqwest::StatusCode::PAYMENT_REQUIRED {
        node_http::accepted(response).await?;
        return Err(CliError::new(
            Class::Node,
            "E-CLI-057",
            "the node answers without payment",
            "check that --node names an OpenLedger node",
        ));
    }
    let required: Option<PaymentRequired> = response
        .headers()
        .get(HEADER_REQUIRED)
        .and_then(|value| BASE64_STANDARD.decode(value.as_bytes()).ok())
        .and_then(|bytes| serde_json::from_slice(&bytes).ok());
    required
        .and_then(|r| {
            r.accepts.into_iter().find(|o| o.node_id == state.node_id && o.escrow == state.contract)
        })
        .ok_or_else(|| {
            CliError::new(
                Class::Node,
                "E-CLI-058",
                "the node offers no payment through this session's escrow",
                "check that the node serves the session's chain and model",
            )
        })
}

/// Reads server-sent events up to `[DONE]`: the text, and the bundle of the last event.
async fn read_stream(
    url: &str,
    response: reqwest::Response,
    on_text: &mut dyn FnMut(&str),
) -> Result<(String, AnswerBundle)> {
    let broken = |what: String| {
        CliError::new(Class::Node, "E-CLI-059", what, "fetch the answer again: openledger ask --resume")
            .retry()
    };
    let (mut text, mut bundle, mut pending) = (String::new(), None, Vec::new());
    let mut stream = response.bytes_stream();
    while let Some(part) = stream.next().await {
        pending.extend_from_slice(&part.map_err(|e| node_http::unreachable(url, &e))?);
        while let Some(end) = pending.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            let Some(data) = line.strip_prefix(b"data:") else { continue };
            let data = data.trim_ascii();
            if data == b"[DONE]" {
                return bundle.map(|b| (text, b)).ok_or_else(|| broken("the node sent no receipt".into()));
            }
            let mut event: serde_json::Value =
                serde_json::from_slice(data).map_err(|e| broken(format!("unreadable event: {e}")))?;
            if event["object"] == "openledger.receipt" {
                let value = event["bundle"].take();
                bundle = Some(
                    serde_json::from_value(value).map_err(|e| broken(format!("unreadable receipt: {e}")))?,
                );
            } else if let Some(message) = event["error"]["message"].as_str() {
                return Err(broken(message.to_string()));
            } else if let Some(piece) = event["choices"][0]["text"].as_str() {
                text.push_str(piece);
                on_text(piece);
            }
        }
        if pending.len() > MAX_LINE {
            return Err(broken(format!("a line of more than {MAX_LINE} bytes")));
        }
    }
    Err(broken("the connection ended before the receipt".into()))
}

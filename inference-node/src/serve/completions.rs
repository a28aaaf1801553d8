//! `POST /v1/completions` and `/v1/chat/completions`: payment, the queue, the answer whole or as a
//! stream.

use std::convert::Infallible;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::Json;
use cosmwasm_std::{Binary, Uint128};
use futures::stream::{self, Stream, StreamExt};
use openledger_types::api::{
    AnswerBundle, PaymentRequired, PaymentSignature, HEADER_ALIVE, HEADER_LEAVE_AFTER, HEADER_RESPONSE,
    HEADER_SESSION,
};
use openledger_types::formats::Outcome;
use openledger_types::msg::escrow::{SessionNodeResponse, SessionResponse};
use openledger_types::msg::node_registry::Offer;
use serde_json::{json, Value};
use tokio::sync::mpsc::UnboundedReceiver;

use super::answer::{max_fee, measure, Event, Job, Measured};
use super::error::{body as error_body, unpaid};
use super::models::Loaded;
use super::node::Node;
use super::payment::{self, Prices};
use crate::fault::{Class, Fault, Result};
use crate::journal::{Accepted, Limits, StoredRequest};
use crate::request::{model_name, parse, Asked, Endpoint, MAX_BODY};

/// Milliseconds between two signs of life in a stream that has nothing to say. Often enough for a client to tell a node
/// that is gone from one that thinks, and to have another one's first word within two seconds.
const ALIVE: u64 = 300;

/// A body, or what was wrong with its transfer.
type Body = std::result::Result<Bytes, BytesRejection>;

/// `POST /v1/completions`.
pub async fn completions(State(node): State<Arc<Node>>, headers: HeaderMap, body: Body) -> Response {
    serve(node, Endpoint::Completions, headers, body).await
}

/// `POST /v1/chat/completions`.
pub async fn chat(State(node): State<Arc<Node>>, headers: HeaderMap, body: Body) -> Response {
    serve(node, Endpoint::Chat, headers, body).await
}

async fn serve(node: Arc<Node>, endpoint: Endpoint, headers: HeaderMap, body: Body) -> Response {
    node.metrics.requests.fetch_add(1, Relaxed);
    let result = match body {
        Ok(body) => handle(&node, endpoint, &headers, &body).await,
        Err(rejection) => Err(plain(transfer_fault(&rejection))),
    };
    match result {
        Ok(response) => response,
        Err((fault, required)) => {
            node.metrics.refused.fetch_add(1, Relaxed);
            match required {
                Some(required) => {
                    node.metrics.unpaid.fetch_add(1, Relaxed);
                    unpaid(fault, &required)
                }
                None => fault.into_response(),
            }
        }
    }
}

/// A body that did not arrive, or was larger than any question may be.
fn transfer_fault(rejection: &BytesRejection) -> Fault {
    let class =
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE { Class::TooLarge } else { Class::Invalid };
    Fault::new(
        class,
        "E-REQ-003",
        format!("the body was not taken: {rejection}; allowed are {MAX_BODY} bytes"),
        "Shorten the prompt.",
    )
}

/// A refusal, with what to pay when it is for want of payment.
type Refusal = (Fault, Option<Box<PaymentRequired>>);

fn plain(fault: Fault) -> Refusal {
    (fault, None)
}

async fn handle(
    node: &Arc<Node>,
    endpoint: Endpoint,
    headers: &HeaderMap,
    body: &Bytes,
) -> std::result::Result<Response, Refusal> {
    let asked = parse(endpoint, body).map_err(plain)?;
    let Some(payment) = payment::signature_header(headers).map_err(plain)? else {
        return Err(ask_for_payment(node, asked, headers).await);
    };
    payment::check_request(&payment, body).map_err(plain)?;
    let session = node.session(payment.voucher.voucher.session_id).await.map_err(plain)?;
    let entry = payment::check_voucher(&payment.voucher, &session, &node.payee, &node.keys).map_err(plain)?;
    let entry = entry.clone();
    if let Some(known) = known_answer(node, &payment, endpoint).await.map_err(plain)? {
        return Ok(finished(endpoint, asked.stream, known));
    }
    let leave_after = leave_after(headers, asked.stream).map_err(plain)?;
    let paid = Paid { payment, session, entry, leave_after };
    let result = take(node, endpoint, asked, paid, body).await;
    result.map_err(|(fault, prices)| {
        let required = (fault.class == Class::Payment)
            .then(|| Box::new(payment::required(&node.payee, fault.what.clone(), prices)));
        (fault, required)
    })
}

/// What an unpaid request is told: the prices of the model that it names, and the most that it can
/// cost.
async fn ask_for_payment(node: &Arc<Node>, asked: Asked, headers: &HeaderMap) -> Refusal {
    let session = match named_session(node, headers).await {
        Ok(session) => session,
        Err(fault) => return plain(fault),
    };
    // Who could not be served now is told before it signs anything.
    if node.draining() {
        return plain(stopping());
    }
    if node.admission.available_permits() == 0 {
        return plain(full());
    }
    let version = asked.model.version;
    let loaded = match version {
        Some(version) => node.models.ready(asked.model.model_id, version),
        None => node.models.newest(asked.model.model_id).ok_or_else(|| {
            Fault::new(
                Class::NotFound,
                "E-NODE-004",
                format!("model {} is not served here", asked.model.model_id),
                "See GET /v1/models for what is.",
            )
        }),
    };
    let priced = match loaded {
        Ok(loaded) => prices(node, &loaded, asked, session.as_deref()).await,
        Err(fault) => Err(fault),
    };
    match priced {
        Ok(prices) => {
            let what = format!(
                "this request is not paid: it can cost up to {}{}",
                prices.max_fee.unwrap_or_default(),
                prices.denom
            );
            let fault = Fault::new(
                Class::Payment,
                "E-PAY-001",
                what.clone(),
                "Open a session that names this node and send a signed voucher with the request.",
            );
            (fault, Some(Box::new(payment::required(&node.payee, what, Some(prices)))))
        }
        Err(fault) => plain(fault),
    }
}

/// The session that an unpaid request names.
async fn named_session(node: &Arc<Node>, headers: &HeaderMap) -> Result<Option<Arc<SessionResponse>>> {
    let Some(value) = headers.get(HEADER_SESSION) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    let number = number.ok_or_else(|| {
        Fault::invalid(
            "E-PAY-002",
            format!("the header {HEADER_SESSION} is no number"),
            "Send the session's number, or no such header.",
        )
    })?;
    node.session(number).await.map(Some)
}

/// Prices of a session, or of a new one today.
async fn prices(
    node: &Arc<Node>,
    loaded: &Arc<Loaded>,
    asked: Asked,
    session: Option<&SessionResponse>,
) -> Result<Prices> {
    let info = &loaded.info;
    if let Some(session) = session {
        let entry = payment::entry_of(session, node.payee.node_id)?;
        let measured = measure(loaded, asked).await?;
        return Ok(Prices {
            denom: session.denom.clone(),
            model_id: session.model_id,
            model_version: session.model_version,
            price_in: entry.price_in,
            price_out: entry.price_out,
            min_fee: session.min_fee,
            max_fee: Some(max_fee(&measured, entry.price_in, entry.price_out, session.min_fee)?),
        });
    }
    let config = node.escrow_config().await?;
    let min_fee = config.params.denoms.iter().find(|d| d.denom == info.denom).map(|d| d.min_fee);
    let min_fee = min_fee.unwrap_or_default();
    let measured = measure(loaded, asked).await?;
    // The node's own price where it has one, else the model's.
    let offer = node.offer(info.model_id, info.version).await?;
    let own = |price: fn(&Offer) -> Option<Uint128>| offer.as_ref().and_then(price);
    let price_in = own(|offer| offer.price_in).unwrap_or(info.price_in);
    let price_out = own(|offer| offer.price_out).unwrap_or(info.price_out);
    let max_fee = max_fee(&measured, price_in, price_out, min_fee)?;
    Ok(Prices {
        denom: info.denom.clone(),
        model_id: info.model_id,
        model_version: info.version,
        price_in,
        price_out,
        min_fee,
        max_fee: Some(max_fee),
    })
}

/// The tokens that a client still wants of a stream.
fn leave_after(headers: &HeaderMap, stream: bool) -> Result<Option<u32>> {
    let Some(value) = headers.get(HEADER_LEAVE_AFTER) else { return Ok(None) };
    let tokens = value.to_str().ok().and_then(|text| text.parse().ok()).filter(|tokens| *tokens > 0);
    match tokens {
        Some(tokens) if stream => Ok(Some(tokens)),
        _ => Err(Fault::invalid(
            "E-PAY-002",
            format!("the header {HEADER_LEAVE_AFTER} is no number of tokens, or the answer is no stream"),
            "Send a number of at least 1 with a streamed request, or no such header.",
        )),
    }
}

fn stopping() -> Fault {
    Fault::unavailable(
        "E-NODE-002",
        "this node is about to stop",
        "Ask another node of the session, or the same one in a minute.",
    )
}

fn full() -> Fault {
    Fault::new(Class::Busy, "E-NODE-003", "the queue is full", "Try again later, or ask another node.")
        .retryable()
}

struct Paid {
    payment: PaymentSignature,
    session: Arc<SessionResponse>,
    /// What the session pins of this node.
    entry: SessionNodeResponse,
    /// See [`leave_after`].
    leave_after: Option<u32>,
}

/// The stored answer to the same request under the same sequence, when there is one.
async fn known_answer(
    node: &Arc<Node>,
    payment: &PaymentSignature,
    endpoint: Endpoint,
) -> Result<Option<AnswerBundle>> {
    let voucher = payment.voucher.voucher.clone();
    node.with_journal(move |journal| {
        let found = journal.answer(voucher.session_id, voucher.sequence)?;
        Ok(found.filter(|b| {
            b.voucher.voucher.request_hash == voucher.request_hash && b.endpoint == endpoint.path()
        }))
    })
    .await
}

/// Takes a paid request into the journal and answers it.
async fn take(
    node: &Arc<Node>,
    endpoint: Endpoint,
    asked: Asked,
    paid: Paid,
    body: &Bytes,
) -> std::result::Result<Response, (Fault, Option<Prices>)> {
    let Paid { payment, session, entry, leave_after } = paid;
    let session_prices = |max_fee| {
        Some(Prices {
            denom: session.denom.clone(),
            model_id: session.model_id,
            model_version: session.model_version,
            price_in: entry.price_in,
            price_out: entry.price_out,
            min_fee: session.min_fee,
            max_fee,
        })
    };
    let refuse = |fault: Fault| (fault, session_prices(None));
    if node.draining() {
        return Err(refuse(stopping()));
    }
    let height = node.height().await.map_err(refuse)?;
    payment::check_open(&session, height, node.settings.expiry_margin_blocks).map_err(refuse)?;
    if !asked.model.names(session.model_id, session.model_version) {
        return Err(refuse(Fault::invalid(
            "E-NODE-006",
            format!(
                "session {} pays for model {}, not for the one in the body",
                session.session_id,
                model_name(session.model_id, session.model_version)
            ),
            "Name the session's model, or open a session for the other one.",
        )));
    }
    let loaded = node.models.ready(session.model_id, session.model_version).map_err(refuse)?;
    let in_flight = node.escrow_config().await.map_err(refuse)?.params.in_flight;
    // Before anything is taken: a place in the queue (429 costs the client nothing).
    let permit = node.admission.clone().try_acquire_owned().map_err(|_| refuse(full()))?;
    let stream = asked.stream;
    let measured = measure(&loaded, asked).await.map_err(refuse)?;
    let max_fee = max_fee(&measured, entry.price_in, entry.price_out, session.min_fee).map_err(refuse)?;
    let stored = StoredRequest {
        voucher: payment.voucher,
        nonce: payment.nonce,
        body: Binary::from(body.to_vec()),
        endpoint: endpoint.path().into(),
        // A chain read a moment ago may lag behind the block that opened the session.
        height: height.max(session.opened_at),
        max_fee,
    };
    let key = (stored.voucher.voucher.session_id, stored.voucher.voucher.sequence);
    let (request, limits) = (stored.clone(), Limits { cap: entry.cap, in_flight });
    let accepted = node.with_journal(move |journal| journal.accept(&request, &limits)).await;
    let refuse_priced = |fault: Fault| (fault, session_prices(Some(max_fee)));
    let stored = match accepted.map_err(refuse_priced)? {
        Accepted::Answered(bundle) => return Ok(finished(endpoint, stream, *bundle)),
        Accepted::Unfinished(first) => *first,
        Accepted::New => {
            node.metrics.vouchers.fetch_add(1, Relaxed);
            stored
        }
    };
    let Measured { asked, prompt_tokens, decoding } = measured;
    let job = Job { stored, session: session.clone(), loaded, asked, prompt_tokens, decoding, leave_after };
    let naming = Naming::of(&job, endpoint);
    match node.start(job, Some(permit), stream) {
        Some(events) if stream => Ok(streamed(naming, events)),
        Some(events) => whole(endpoint, events).await.map_err(refuse),
        // Asked for again while it is being answered.
        None if stream => Ok(awaited(node.clone(), endpoint, key)),
        None => {
            let bundle = node.wait(key.0, key.1).await.map_err(refuse)?;
            Ok(finished(endpoint, stream, bundle))
        }
    }
}

/// Waits for the whole answer.
async fn whole(endpoint: Endpoint, mut events: UnboundedReceiver<Event>) -> Result<Response> {
    loop {
        match events.recv().await {
            Some(Event::Piece(..)) => {}
            Some(Event::Done(bundle)) => return Ok(finished(endpoint, false, *bundle)),
            Some(Event::Failed(fault)) => return Err(fault),
            None => {
                return Err(Fault::unavailable(
                    "E-NODE-007",
                    "the answer was not finished",
                    "Send the same request and voucher again.",
                ))
            }
        }
    }
}

/// What stays the same in every part of an answer.
#[derive(Clone)]
struct Naming {
    endpoint: Endpoint,
    id: String,
    model: String,
    created: u64,
}

impl Naming {
    fn of(job: &Job, endpoint: Endpoint) -> Self {
        Naming::new(
            endpoint,
            &job.stored.voucher.voucher.request_hash.to_hex(),
            job.session.model_id,
            job.session.model_version,
        )
    }

    fn new(endpoint: Endpoint, request_hash: &str, model_id: u64, version: u32) -> Self {
        let kind = match endpoint {
            Endpoint::Completions => "cmpl",
            Endpoint::Chat => "chatcmpl",
        };
        Naming {
            endpoint,
            id: format!("{kind}-{}", request_hash.get(..24).unwrap_or_default()),
            model: model_name(model_id, version),
            created: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()),
        }
    }

    fn of_bundle(bundle: &AnswerBundle, endpoint: Endpoint) -> Self {
        let receipt = &bundle.receipt.receipt;
        Naming::new(endpoint, &receipt.request_hash.to_hex(), receipt.model_id, receipt.model_version)
    }

    /// A part of a stream.
    fn chunk(&self, text: &str, finish: Option<&str>) -> Value {
        let (object, choice) = match self.endpoint {
            Endpoint::Completions => (
                "text_completion",
                json!({"index": 0, "text": text, "logprobs": null, "finish_reason": finish}),
            ),
            Endpoint::Chat => {
                let delta =
                    if text.is_empty() { json!({}) } else { json!({"role": "assistant", "content": text}) };
                ("chat.completion.chunk", json!({"index": 0, "delta": delta, "finish_reason": finish}))
            }
        };
        json!({"id": self.id, "object": object, "created": self.created, "model": self.model, "choices": [choice]})
    }

    /// The last part but one: how it ended.
    fn last_chunk(&self, bundle: &AnswerBundle) -> Value {
        let mut chunk = self.chunk("", Some(finish_reason(bundle)));
        if let Some(object) = chunk.as_object_mut() {
            object.insert("usage".into(), usage(bundle));
        }
        chunk
    }

    /// The last part: the receipt with everything that proves it.
    fn receipt_chunk(&self, bundle: &AnswerBundle) -> Value {
        json!({
            "id": self.id, "object": "openledger.receipt", "created": self.created, "model": self.model,
            "choices": [], "bundle": bundle,
        })
    }
}

/// OpenAI's word for how an answer ended.
fn finish_reason(bundle: &AnswerBundle) -> &'static str {
    match bundle.receipt.receipt.outcome {
        Outcome::Stop => "stop",
        Outcome::Length => "length",
        Outcome::Cancelled => "cancelled",
    }
}

fn usage(bundle: &AnswerBundle) -> Value {
    let receipt = &bundle.receipt.receipt;
    let total = u64::from(receipt.tokens_in) + u64::from(receipt.tokens_out);
    json!({
        "prompt_tokens": receipt.tokens_in, "completion_tokens": receipt.tokens_out, "total_tokens": total,
    })
}

/// An answer that is on disk, whole or as a stream of few parts.
fn finished(endpoint: Endpoint, stream: bool, bundle: AnswerBundle) -> Response {
    if stream {
        return alive(stream::iter(parts_of(endpoint, &bundle)));
    }
    let naming = Naming::of_bundle(&bundle, endpoint);
    let (object, choice) = match endpoint {
        Endpoint::Completions => (
            "text_completion",
            json!({"index": 0, "text": bundle.answer, "logprobs": null, "finish_reason": finish_reason(&bundle)}),
        ),
        Endpoint::Chat => (
            "chat.completion",
            json!({
                "index": 0, "message": {"role": "assistant", "content": bundle.answer},
                "finish_reason": finish_reason(&bundle),
            }),
        ),
    };
    let body = json!({
        "id": naming.id, "object": object, "created": naming.created, "model": naming.model,
        "choices": [choice], "usage": usage(&bundle), "openledger": bundle,
    });
    let mut response = Json(body).into_response();
    if let Some(value) = payment::header_value(&payment::response(&bundle.receipt)) {
        response.headers_mut().insert(HEADER_RESPONSE, value);
    }
    response
}

type SseItem = std::result::Result<sse::Event, Infallible>;

fn data(part: &Value) -> SseItem {
    Ok(sse::Event::default().data(part.to_string()))
}

fn done() -> SseItem {
    Ok(sse::Event::default().data("[DONE]"))
}

/// An answer that is on disk as a stream of few parts.
fn parts_of(endpoint: Endpoint, bundle: &AnswerBundle) -> Vec<SseItem> {
    let naming = Naming::of_bundle(bundle, endpoint);
    vec![
        data(&naming.chunk(&bundle.answer, None)),
        data(&naming.last_chunk(bundle)),
        data(&naming.receipt_chunk(bundle)),
        done(),
    ]
}

/// How a stream says that there is no answer.
fn failed(fault: &Fault) -> Vec<SseItem> {
    vec![data(&serde_json::to_value(error_body(fault)).unwrap_or_default()), done()]
}

/// The answer that another connection has asked for and not had to the end, once it is made.
fn awaited(node: Arc<Node>, endpoint: Endpoint, key: (u64, u64)) -> Response {
    let parts = async move {
        stream::iter(match node.wait(key.0, key.1).await {
            Ok(bundle) => parts_of(endpoint, &bundle),
            Err(fault) => failed(&fault),
        })
    };
    alive(stream::once(parts).flatten())
}

/// A stream that says how often it gives a sign of life, and gives it: while the prompt is read, and while the
/// question waits in the queue, too.
fn alive(parts: impl Stream<Item = SseItem> + Send + 'static) -> Response {
    let signs = KeepAlive::new().interval(Duration::from_millis(ALIVE));
    let mut response = Sse::new(parts).keep_alive(signs).into_response();
    response.headers_mut().insert(HeaderName::from_static(HEADER_ALIVE), HeaderValue::from(ALIVE));
    response
}

/// An answer under way as a stream. When the client leaves, the channel closes and the answer ends.
fn streamed(naming: Naming, events: UnboundedReceiver<Event>) -> Response {
    let parts = stream::unfold(Some((naming, events)), |state| async move {
        let (naming, mut events) = state?;
        match events.recv().await {
            Some(Event::Piece(text, tokens)) => {
                let mut chunk = naming.chunk(&text, None);
                if let Some(object) = chunk.as_object_mut() {
                    // How far the answer is: not every token makes a piece of text.
                    object.insert("completion_tokens".into(), tokens.into());
                }
                let part = data(&chunk);
                Some((stream::iter(vec![part]), Some((naming, events))))
            }
            Some(Event::Done(bundle)) => {
                let parts =
                    vec![data(&naming.last_chunk(&bundle)), data(&naming.receipt_chunk(&bundle)), done()];
                Some((stream::iter(parts), None))
            }
            Some(Event::Failed(fault)) => Some((stream::iter(failed(&fault)), None)),
            None => None,
        }
    })
    .flatten();
    alive(parts)
}

//! The paths of the gateway.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{header, HeaderValue, StatusCode};
use axum::middleware::{from_fn_with_state, Next};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::stream::{self, StreamExt};
use openledger_node::request::{Endpoint, MAX_BODY};
use rand::RngCore;
use serde_json::{json, Value};
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, Semaphore};

use super::openai::{Naming, Question, Refusal};
use crate::error::CliError;
use crate::payer::{Answer, Failure, Payer};

/// Questions under way or waiting; further ones are refused before anything is promised.
const MOST: usize = 64;

type Parts = mpsc::UnboundedReceiver<Part>;

/// What an answer under way sends to the caller that waits for it.
enum Part {
    Text(String),
    Done(Box<Answer>),
    Failed(Failure),
}

/// What the handlers share.
pub struct App {
    /// Asks and pays.
    pub payer: Payer,
    key: [u8; 32],
    closer: mpsc::Sender<()>,
    draining: AtomicBool,
    places: Arc<Semaphore>,
}

impl App {
    /// Callers show `api_key`; `closer` is told when one asks to close the session.
    pub fn new(payer: Payer, api_key: &str, closer: mpsc::Sender<()>) -> Self {
        App {
            payer,
            key: Sha256::digest(api_key).into(),
            closer,
            draining: AtomicBool::new(false),
            places: Arc::new(Semaphore::new(MOST)),
        }
    }

    /// Takes no further questions.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Waits until no question is under way: one whose caller has left is still paid and written down.
    pub async fn idle(&self) {
        let _ = self.places.acquire_many(MOST as u32).await;
    }
}

/// All paths.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/v1/models", get(models))
        .route("/v1/models/{id}", get(model))
        .route("/v1/completions", post(completions))
        .route("/v1/chat/completions", post(chat))
        .route("/v1/gateway", get(status))
        .route("/v1/gateway/close", post(close))
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(app.clone(), authorise))
        .with_state(app)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_GATEWAY);
        let mut response = (status, Json(self.body())).into_response();
        // OpenAI's clients retry by themselves; each retry of a paid question could cost again.
        let retry = HeaderValue::from_static(if self.retryable { "true" } else { "false" });
        response.headers_mut().insert("x-should-retry", retry);
        response
    }
}

impl From<CliError> for Refusal {
    fn from(error: CliError) -> Self {
        Failure::from(error).into()
    }
}

/// Whoever calls can spend the session: only those who hold the key may. Digests are compared, so that the
/// time tells nothing about the key.
async fn authorise(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let shown = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let shown = shown.and_then(|value| value.strip_prefix("Bearer ")).map(str::trim);
    if shown.is_some_and(|key| <[u8; 32]>::from(Sha256::digest(key)) == app.key) {
        return next.run(request).await;
    }
    let what = "the key is missing or wrong. Send the one that the gateway printed, as OPENAI_API_KEY or \
                Authorization: Bearer KEY.";
    Refusal::new(401, "authentication_error", "invalid_api_key", what).into_response()
}

async fn unknown(uri: axum::http::Uri) -> Refusal {
    let what = format!("there is nothing at {}. See docs/api.md for the gateway's paths.", uri.path());
    Refusal::new(404, "not_found_error", "E-CLI-083", what)
}

fn model_entry(app: &App) -> Value {
    json!({
        "id": app.payer.model(), "object": "model", "created": 0, "owned_by": app.payer.session().developer,
    })
}

async fn models(State(app): State<Arc<App>>) -> Json<Value> {
    Json(json!({"object": "list", "data": [model_entry(&app)]}))
}

async fn model(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    if id != app.payer.model() {
        let what = format!("this gateway pays for model {:?} only", app.payer.model());
        return Refusal::new(404, "not_found_error", "model_not_found", what).into_response();
    }
    Json(model_entry(&app)).into_response()
}

/// Costs so far, node by node.
async fn status(State(app): State<Arc<App>>) -> Result<Json<Value>, Refusal> {
    let lanes = app.payer.status()?;
    let session = app.payer.session();
    let sum = |amount: fn(&crate::payer::LaneStatus) -> u128| lanes.iter().map(amount).sum::<u128>();
    Ok(Json(json!({
        "session_id": session.session_id, "model": app.payer.model(), "denom": session.denom,
        "limit": app.payer.limit().to_string(), "spent": sum(|l| l.spent).to_string(),
        "promised": sum(|l| l.promised).to_string(),
        "nodes": lanes.iter().map(|l| json!({
            "node_id": l.node_id, "url": l.url, "cap": l.cap.to_string(), "spent": l.spent.to_string(),
            "promised": l.promised.to_string(), "answers": l.answers, "outstanding": l.outstanding,
        })).collect::<Vec<_>>(),
    })))
}

/// Ends the gateway: answers under way are finished, then the session is settled, closed and refunded.
async fn close(State(app): State<Arc<App>>) -> (StatusCode, Json<Value>) {
    app.drain();
    // A second call finds the first one's word in the channel.
    let _ = app.closer.try_send(());
    let note = "answers under way are finished, then the session is settled, closed and refunded";
    (StatusCode::ACCEPTED, Json(json!({"session_id": app.payer.session().session_id, "note": note})))
}

type Body = Result<Bytes, BytesRejection>;

async fn completions(State(app): State<Arc<App>>, body: Body) -> Response {
    serve(app, Endpoint::Completions, body).await
}

async fn chat(State(app): State<Arc<App>>, body: Body) -> Response {
    serve(app, Endpoint::Chat, body).await
}

async fn serve(app: Arc<App>, endpoint: Endpoint, body: Body) -> Response {
    match answer(app, endpoint, body).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    }
}

async fn answer(app: Arc<App>, endpoint: Endpoint, body: Body) -> Result<Response, Refusal> {
    let body = body.map_err(|e| {
        let status = e.status().as_u16();
        Refusal::new(status, "invalid_request_error", "E-REQ-003", format!("the body was not taken: {e}"))
    })?;
    if app.draining.load(Ordering::Relaxed) {
        let what = "the gateway is about to stop. Start it again.";
        return Err(Refusal::new(503, "service_unavailable", "E-CLI-084", what));
    }
    let question = Question::parse(&body, &app.payer.model())?;
    let place = app.places.clone().try_acquire_owned().map_err(|_| {
        let what = format!("{MOST} questions are under way already. Try again in a moment.");
        Refusal::new(429, "rate_limit_error", "E-CLI-085", what).retry()
    })?;
    let naming = Naming {
        endpoint,
        id: id(endpoint),
        model: app.payer.model(),
        created: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()),
    };
    let (sender, mut parts) = mpsc::unbounded_channel();
    let asked = question.body;
    // On a task of its own: when the caller leaves, what was made is still paid and written down.
    tokio::spawn(async move {
        let mut on_text = |text: &str| match sender.send(Part::Text(text.into())) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        };
        let part = match app.payer.ask(endpoint, asked, &mut on_text).await {
            Ok(answer) => Part::Done(Box::new(answer)),
            Err(failure) => Part::Failed(failure),
        };
        let _ = sender.send(part);
        drop(place);
    });
    // The status of the response depends on whether there is an answer at all.
    let first = match parts.recv().await {
        Some(Part::Failed(failure)) => return Err(failure.into()),
        None => return Err(Refusal::new(500, "server_error", "E-CLI-086", "the answer ended early")),
        Some(part) => part,
    };
    if question.stream {
        return Ok(streamed(naming, question.include_usage, first, parts));
    }
    let mut next = Some(first);
    loop {
        match next {
            Some(Part::Text(_)) => next = parts.recv().await,
            Some(Part::Done(answer)) => return Ok(Json(naming.whole(&answer)).into_response()),
            Some(Part::Failed(failure)) => return Err(failure.into()),
            None => return Err(Refusal::new(500, "server_error", "E-CLI-086", "the answer ended early")),
        }
    }
}

fn id(endpoint: Endpoint) -> String {
    let mut bytes = [0u8; 12];
    rand::rng().fill_bytes(&mut bytes);
    let kind = match endpoint {
        Endpoint::Completions => "cmpl",
        Endpoint::Chat => "chatcmpl",
    };
    format!("{kind}-{}", hex::encode(bytes))
}

fn data(part: impl Into<Value>) -> Result<sse::Event, Infallible> {
    Ok(sse::Event::default().data(part.into().to_string()))
}

fn done() -> Result<sse::Event, Infallible> {
    Ok(sse::Event::default().data("[DONE]"))
}

/// An answer under way as a stream; when the caller leaves, the channel closes and the answer ends.
fn streamed(naming: Naming, include_usage: bool, first: Part, parts: Parts) -> Response {
    let state = Some((naming, Some(first), parts, true));
    let events = stream::unfold(state, move |state| async move {
        let (naming, waiting, mut parts, opening) = state?;
        let part = match waiting {
            Some(part) => part,
            None => parts.recv().await?,
        };
        let (events, more) = match part {
            Part::Text(text) => (vec![data(naming.chunk(&text, opening, None))], true),
            Part::Done(answer) => {
                let mut events = Vec::new();
                if opening {
                    events.push(data(naming.chunk("", true, None)));
                }
                events.extend(naming.last(&answer, include_usage).into_iter().map(data));
                events.push(done());
                (events, false)
            }
            Part::Failed(failure) => (vec![data(Refusal::from(failure).body()), done()], false),
        };
        Some((stream::iter(events), more.then_some((naming, None, parts, false))))
    })
    .flatten();
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

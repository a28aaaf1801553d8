//! Metrics, health and state over HTTP, read only.

use std::net::SocketAddr;

use axum::extract::State;
use axum::http::{header, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::error::{Error, Result};
use crate::link::now_ns;
use crate::relay::View;
use crate::telemetry::Metrics;

/// A path that was not read for this many seconds counts as stuck.
const STALE: u64 = 120;

#[derive(Clone)]
struct Shared {
    metrics: Metrics,
    views: Vec<watch::Receiver<View>>,
}

/// Serves until `stop` becomes true; answers with the address once it listens. Errors: `Listen`.
pub async fn serve(
    address: SocketAddr,
    metrics: Metrics,
    views: Vec<watch::Receiver<View>>,
    mut stop: watch::Receiver<bool>,
) -> Result<(SocketAddr, tokio::task::JoinHandle<()>)> {
    let bad = |e: std::io::Error| Error::Listen { address: address.to_string(), reason: e.to_string() };
    let listener = TcpListener::bind(address).await.map_err(bad)?;
    let bound = listener.local_addr().map_err(bad)?;
    let router = Router::new()
        .route("/metrics", get(numbers))
        .route("/health", get(health))
        .route("/state", get(state))
        .route("/payouts", get(payouts))
        .with_state(Shared { metrics, views });
    let stopped = async move {
        // An error means that the sender is gone, which is a stop too.
        let _ = stop.wait_for(|stopped| *stopped).await;
    };
    let task = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stopped).await {
            tracing::error!(%error, "the HTTP server stopped");
        }
    });
    Ok((bound, task))
}

async fn numbers(State(shared): State<Shared>) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (kind, shared.metrics.render()).into_response()
}

/// 200 when every path was read lately without an error or alarm, else 503 with the reasons.
async fn health(State(shared): State<Shared>) -> Response {
    let now = now_ns() / 1_000_000_000;
    let mut reasons = Vec::new();
    for view in &shared.views {
        let view = view.borrow();
        let name =
            view.path.as_ref().map_or(String::new(), |p| format!("{}, {}", p.a.chain_id, p.b.chain_id));
        if now.saturating_sub(view.read_at) > STALE {
            reasons.push(format!("{name}: not read for {STALE} s"));
        }
        if !view.error.is_empty() {
            reasons.push(format!("{name}: {}", view.error));
        }
        reasons.extend(view.alarms.iter().map(|(side, code)| format!("{name}: {code} on side {side:?}")));
    }
    let code = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(json!({ "healthy": reasons.is_empty(), "reasons": reasons }))).into_response()
}

async fn state(State(shared): State<Shared>) -> Response {
    let views: Vec<View> = shared.views.iter().map(|v| v.borrow().clone()).collect();
    Json(json!({ "paths": views })).into_response()
}

async fn payouts(State(shared): State<Shared>) -> Response {
    let all: Vec<_> = shared.views.iter().flat_map(|v| v.borrow().payouts.clone()).collect();
    Json(json!({ "in_flight": all })).into_response()
}

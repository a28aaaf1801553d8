//! The HTTP API of a node and the loops behind it. Every path is listed in docs/api.md.
//!
//! - [`Node`]: what handlers and loops share.
//! - `completions`, `answer`: from a paid request to a receipt on disk.
//! - `payment`: vouchers and headers; `sessions`, `blobs`, `info`: the other paths.
//! - `models`, `settle`: the loops; `chain`: the chain behind a trait.

mod answer;
mod blobs;
mod chain;
mod completions;
mod cors;
mod error;
mod info;
mod keys;
mod manifest;
mod metrics;
mod models;
mod node;
mod payment;
mod replace;
mod replay;
mod sessions;
mod settle;

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::Router;
use openledger_types::msg::node_registry::Role;
use tokio::net::TcpListener;

pub(crate) use chain::optional;
pub use chain::{ChainView, ClientChain, Posting};
pub use cors::Origins;
pub use keys::SigningKeys;
pub use manifest::{check_manifest, ATTRIBUTION};
pub use metrics::Metrics;
pub use models::{build_index, Answerer, Loaded, Models, Slot, Traceable, Traced};
pub use node::{blocking, LocalBlobs, Node, Settings, Store};
pub(crate) use node::{lock, root_of, store_fault};
pub use payment::{Payee, Prices};
pub use settle::SettleState;

use crate::audit::{Auditor, Challenger, Defender, Juror, Responder};
use crate::fault::{Fault, Result};
use crate::request::MAX_BODY;
use crate::storage::Keeper;

/// The loops of other roles: those that watch the referee, and storage.
#[derive(Default)]
pub struct Watch {
    /// Answers demands against this node's roots.
    pub responder: Option<Responder>,
    /// Makes moves in disputes about this node's answers.
    pub defender: Option<Defender>,
    /// Audits the roots of others.
    pub auditor: Option<Auditor>,
    /// Opens and leads cases about answers that the auditor computed differently.
    pub challenger: Option<Challenger>,
    /// Votes in cases of others.
    pub juror: Option<Juror>,
    /// Keeps fragments.
    pub keeper: Option<Keeper>,
}

/// Longest time that answers under way get when the node stops.
const DRAIN: Duration = Duration::from_secs(60);

/// All paths.
pub fn router(node: Arc<Node>) -> Router {
    // One byte more than a body may have, so that the parser names the limit.
    let answers = Router::new()
        .route("/v1/completions", post(completions::completions))
        .route("/v1/chat/completions", post(completions::chat))
        .route("/v1/sessions/{id}/acknowledge", post(sessions::acknowledge))
        .layer(DefaultBodyLimit::max(MAX_BODY + 1));
    let replays = Router::new()
        .route("/v1/replay", post(replay::replay))
        .layer(DefaultBodyLimit::max(replay::MAX_BUNDLE));
    let origins = Origins::new(&node.settings.origins);
    Router::new()
        .route("/health", get(info::health))
        .route("/ready", get(info::ready))
        .route("/metrics", get(info::metrics))
        .route("/openapi.json", get(info::openapi))
        .route("/v1/node", get(info::node))
        .route("/v1/models", get(info::models))
        .route("/v1/receipts/{id}", get(sessions::receipt))
        .route("/v1/sessions/{id}", get(sessions::session))
        .route("/v1/sessions/{id}/settle", post(sessions::settle))
        .route("/v1/ledgers/{denom}", get(sessions::ledger))
        .route("/v1/blobs/{root}", get(blobs::get).put(blobs::put))
        .merge(answers)
        .merge(replays)
        .fallback(unknown_path)
        .layer(axum::middleware::from_fn(error::refusals))
        .layer(axum::middleware::from_fn_with_state(origins, cors::cors))
        .with_state(node)
}

async fn unknown_path(uri: axum::http::Uri) -> Fault {
    Fault::new(
        crate::fault::Class::NotFound,
        "E-NODE-028",
        format!("there is nothing at {}", uri.path()),
        "See docs/api.md for the paths.",
    )
}

/// Opens the port.
///
/// # Errors
/// `E-NODE-060` when it is in use or not allowed.
pub async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|e| {
        Fault::unavailable(
            "E-NODE-060",
            format!("cannot listen on {address}: {e}"),
            "Stop the program that uses this port, or set another one with --listen.",
        )
    })
}

/// Serves until `stop` is done, then drains: new requests get 503, answers under way are finished.
/// `scratch` is a folder in which models are put together.
///
/// # Errors
/// `E-NODE-061` when the server fails.
pub async fn run(
    node: Arc<Node>,
    watch: Watch,
    listener: TcpListener,
    scratch: PathBuf,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let mut loops = tokio::task::JoinSet::new();
    // An auditor computes answers again, with the models that were uploaded to it.
    if node.is(Role::Inference) || node.is(Role::Audit) {
        loops.spawn(model_loop(node.clone(), scratch));
    }
    // A node that gave its role up still settles what it answered.
    loops.spawn(settle_loop(node.clone()));
    if let Some(responder) = watch.responder {
        loops.spawn(respond_loop(node.clone(), responder));
    }
    if let Some(defender) = watch.defender {
        loops.spawn(defend_loop(node.clone(), defender));
    }
    if let Some(auditor) = watch.auditor {
        loops.spawn(audit_loop(node.clone(), auditor));
    }
    if let Some(challenger) = watch.challenger {
        loops.spawn(challenge_loop(node.clone(), challenger));
    }
    if let Some(juror) = watch.juror {
        loops.spawn(vote_loop(node.clone(), juror));
    }
    if let Some(keeper) = watch.keeper {
        loops.spawn(keep_loop(node.clone(), keeper));
    }
    let draining = node.clone();
    let (stopped, until) = tokio::sync::oneshot::channel::<()>();
    let server = axum::serve(listener, router(node.clone())).with_graceful_shutdown(async move {
        stop.await;
        draining.drain();
        tracing::info!("stopping: answers under way are finished, new requests get 503");
        let _ = stopped.send(());
    });
    // A client that keeps its connection open must not keep the node from stopping.
    let deadline = async move {
        if until.await.is_ok() {
            tokio::time::sleep(DRAIN).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    let result = tokio::select! {
        served = async move { server.await } => served,
        () = deadline => Ok(()),
    };
    loops.abort_all();
    // Answers whose client has left may still be written.
    let all = u32::try_from(node.settings.workers.max(1)).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(DRAIN, node.workers.acquire_many(all)).await;
    result.map_err(|e| {
        Fault::unavailable(
            "E-NODE-061",
            format!("the server failed: {e}"),
            "Start the node again; nothing is lost.",
        )
    })
}

async fn model_loop(node: Arc<Node>, scratch: PathBuf) {
    loop {
        let round = async {
            node.load_models(&scratch).await?;
            node.resume().await
        };
        if let Err(fault) = round.await {
            report(&node, &fault);
        }
        tokio::time::sleep(node.settings.tick * 2).await;
    }
}

async fn settle_loop(node: Arc<Node>) {
    loop {
        match node.settle_round().await {
            Ok(done) => tracing::debug!("{done}"),
            Err(fault) => report(&node, &fault),
        }
        tokio::time::sleep(node.settings.tick).await;
    }
}

async fn respond_loop(node: Arc<Node>, responder: Responder) {
    loop {
        if let Err(fault) = responder.round().await {
            report(&node, &fault);
        }
        tokio::time::sleep(node.settings.tick).await;
    }
}

async fn defend_loop(node: Arc<Node>, defender: Defender) {
    loop {
        if let Err(fault) = defender.round().await {
            report(&node, &fault);
        }
        tokio::time::sleep(node.settings.tick).await;
    }
}

async fn audit_loop(node: Arc<Node>, auditor: Auditor) {
    loop {
        if let Err(fault) = auditor.round().await {
            report(&node, &fault);
        }
        tokio::time::sleep(auditor.tick()).await;
    }
}

async fn challenge_loop(node: Arc<Node>, challenger: Challenger) {
    loop {
        if let Err(fault) = challenger.round().await {
            report(&node, &fault);
        }
        tokio::time::sleep(node.settings.tick).await;
    }
}

async fn vote_loop(node: Arc<Node>, juror: Juror) {
    loop {
        if let Err(fault) = juror.round().await {
            report(&node, &fault);
        }
        tokio::time::sleep(node.settings.tick).await;
    }
}

async fn keep_loop(node: Arc<Node>, keeper: Keeper) {
    loop {
        for fault in keeper.round().await {
            report(&node, &fault);
        }
        tokio::time::sleep(keeper.tick()).await;
    }
}

fn report(node: &Node, fault: &Fault) {
    node.metrics.chain_failures.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    tracing::warn!(code = fault.code, "{}. {}", fault.what, fault.advice);
}

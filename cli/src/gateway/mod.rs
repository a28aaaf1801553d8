//! `openledger gateway`: a local endpoint in OpenAI's form over a paid session. It holds the session's key,
//! signs a voucher for each question, checks each receipt, and never promises more than its limit.
//!
//! Whoever can call it can spend the session, so it asks for a key that only this home folder holds, and
//! answers no page of another origin. What it promised and received is on disk as it is for `openledger ask`:
//! a kill at any moment loses neither voucher nor receipt.

mod http;
mod openai;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use openledger_types::msg::escrow::SessionResponse;
use rand::RngCore;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

pub use http::{router, App};

use crate::context::{write_private, Context};
use crate::error::{Class, CliError, Result};
use crate::payer::Payer;
use crate::session::{self, OpenArgs};

/// Pause between two attempts to reach nodes that were lost.
const RECONCILE: Duration = Duration::from_secs(10);
/// Bytes of the key that callers show.
const KEY_BYTES: usize = 32;

/// What pays.
#[derive(Clone, Debug)]
pub enum PaidBy {
    /// A session of this home folder.
    Session(u64),
    /// A session that is opened now.
    New(OpenArgs),
}

/// What to serve.
#[derive(Clone, Debug)]
pub struct GatewayArgs {
    /// What pays.
    pub paid_by: PaidBy,
    /// Most that all answers of the session together may cost, in base units.
    pub limit: u128,
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Whether the session is closed at the end.
    pub close: bool,
    /// How long nodes get to settle then.
    pub patience: Duration,
}

/// What callers need.
#[derive(Clone, Debug, Serialize)]
pub struct Ready {
    /// Base URL for OpenAI's clients.
    pub base_url: String,
    /// The key that they send.
    pub api_key: String,
    /// Session.
    pub session_id: u64,
    /// Model.
    pub model: String,
    /// Most that all answers together may cost, in base units.
    pub limit: u128,
    /// Denom.
    pub denom: String,
}

/// How it ended.
#[derive(Clone, Debug, Serialize)]
pub struct Ended {
    /// Session.
    pub session_id: u64,
    /// Answers received in the session.
    pub answers: u64,
    /// Fees of them, in base units.
    pub spent: u128,
    /// Denom.
    pub denom: String,
    /// The session after its close, when it was closed.
    pub closed: Option<SessionResponse>,
}

/// Serves until Ctrl-C, a termination signal or a call that closes; `ready` is told when it begins.
///
/// # Errors
/// When the session cannot be used or opened, the port is taken, or the closing fails.
pub async fn run(
    ctx: &Context,
    args: GatewayArgs,
    ready: impl FnOnce(&Ready) -> Result<()>,
) -> Result<Ended> {
    // The port before the session: nothing is opened for a gateway that cannot listen.
    let listener = TcpListener::bind(args.listen).await.map_err(|e| {
        CliError::new(
            Class::Usage,
            "E-CLI-079",
            format!("cannot listen on {}: {e}", args.listen),
            "choose another address with --listen",
        )
    })?;
    let address = listener.local_addr().map_err(|e| CliError::usage(e.to_string()))?;
    let reader = ctx.reader().await?;
    let session_id = match args.paid_by {
        PaidBy::Session(session_id) => session_id,
        PaidBy::New(open) => session::open(ctx, &ctx.signer(None).await?, open).await?.session_id,
    };
    let payer = Payer::open(ctx, &reader, session_id, Some(args.limit)).await?;
    if payer.session().close_requested_at.is_some() || payer.session().closed {
        return Err(CliError::new(
            Class::Refused,
            "E-CLI-082",
            format!("session {session_id} is closed or closing"),
            "open another one: openledger gateway --model MODEL --limit AMOUNT",
        ));
    }
    // Whoever asked an earlier run is gone: what it left under way is settled at the least cost.
    payer.take_over()?;
    let api_key = api_key(ctx)?;
    let (closer, mut closing) = mpsc::channel(1);
    let app = Arc::new(App::new(payer, &api_key, closer));
    let denom = app.payer.session().denom.clone();
    ready(&Ready {
        base_url: format!("http://{address}/v1"),
        api_key,
        session_id,
        model: app.payer.model(),
        limit: app.payer.limit(),
        denom: denom.clone(),
    })?;
    let looking = tokio::spawn(look_after(app.clone()));
    let (stopped, until) = tokio::sync::oneshot::channel();
    let draining = app.clone();
    let server = axum::serve(listener, router(app.clone())).with_graceful_shutdown(async move {
        let close = tokio::select! {
            () = interrupted() => false,
            told = closing.recv() => told.is_some(),
        };
        draining.drain();
        let _ = stopped.send(close);
    });
    let served = server.await;
    looking.abort();
    // Its hold on the session ends with it.
    let _ = looking.await;
    app.idle().await;
    served.map_err(|e| CliError::new(Class::Usage, "E-CLI-079", e.to_string(), "start it again").retry())?;
    let close = until.await.unwrap_or(false) || args.close;
    let lanes = app.payer.status()?;
    let (answers, spent) = (lanes.iter().map(|l| l.answers).sum(), lanes.iter().map(|l| l.spent).sum());
    // The session is free for the closing, and for other processes.
    drop(app);
    let closed = match close {
        true => Some(session::close(ctx, &ctx.signer(None).await?, session_id, args.patience).await?.session),
        false => None,
    };
    Ok(Ended { session_id, answers, spent, denom, closed })
}

/// Pays nodes that were lost for what came from them, once they are back.
async fn look_after(app: Arc<App>) {
    loop {
        if app.payer.has_left() {
            if let Err(failure) = app.payer.reconcile().await {
                tracing::debug!("not settled yet: {}", failure.error.message);
            }
        }
        tokio::time::sleep(RECONCILE).await;
    }
}

async fn interrupted() {
    let ctrl_c = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{signal, SignalKind};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                () = ctrl_c => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    ctrl_c.await;
}

/// The key that callers show: made once a home folder, readable by its owner alone.
fn api_key(ctx: &Context) -> Result<String> {
    let path = ctx.home.join("gateway.key");
    match std::fs::read_to_string(&path) {
        Ok(text) if text.trim().len() == 2 * KEY_BYTES => return Ok(text.trim().to_string()),
        Ok(_) => return Err(CliError::file(&path, "it is no key of a gateway")),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(CliError::file(&path, e)),
    }
    let mut bytes = [0u8; KEY_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    let key = hex::encode(bytes);
    write_private(&path, key.as_bytes())?;
    Ok(key)
}

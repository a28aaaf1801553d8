//! Sessions: open, the client's own state, close.
//!
//! The state file of a session holds, for each of its nodes, the log of received receipts and the requests
//! that may be under way. It is written before a voucher leaves this machine and after its receipt was checked,
//! so that a kill at any moment loses neither.

mod state;

use std::ops::ControlFlow;
use std::time::Duration;

use cosmwasm_std::{HexBinary, Uint128};
use openledger_client::contracts::Reader;
use openledger_client::{keyfile, Coin, Key, Signer};
use openledger_merkle::ZERO_HASH;
use openledger_types::api::SettleResponse;
use openledger_types::msg::escrow::{ExecuteMsg, NodeCap, SessionResponse};
use serde::Serialize;

pub use state::{Lane, Left, Outstanding, State};

use crate::context::{make_private_dir, Context};
use crate::error::{Class, CliError, Result};
use crate::payer::Payer;
use crate::{choose, node_http};

/// Time that a node gets to settle at the closing however little is left.
const LEAST_PATIENCE: Duration = Duration::from_secs(2);

/// Most nodes of a session (S1).
pub const MAX_NODES: usize = 4;

/// What to open.
#[derive(Clone, Debug)]
pub struct OpenArgs {
    /// Model.
    pub model_id: u64,
    /// Version; the newest when absent.
    pub model_version: Option<u32>,
    /// Nodes, 1 to 4; chosen among those that serve the model when empty.
    pub nodes: Vec<u64>,
    /// How many nodes are chosen when none are named.
    pub choose: usize,
    /// Deposit in base units, the opening fee not included; the nodes' caps are equal parts of it.
    pub deposit: u128,
    /// Life in blocks; the longest when absent.
    pub blocks: Option<u64>,
}

/// A session that was opened.
#[derive(Clone, Debug, Serialize)]
pub struct Opened {
    /// Number.
    pub session_id: u64,
    /// Transaction.
    pub tx: String,
    /// Fee for opening, in base units.
    pub open_fee: Uint128,
    /// Nodes that may answer.
    pub nodes: Vec<u64>,
}

/// Equal parts of a deposit, one a node; what does not divide goes to the first.
fn caps(deposit: u128, nodes: usize) -> Vec<u128> {
    let count = nodes.max(1) as u128;
    let mut caps = vec![deposit / count; nodes];
    if let Some(first) = caps.first_mut() {
        *first += deposit % count;
    }
    caps
}

/// Opens a session whose key is made here.
///
/// # Errors
/// When chain or contract refuse, or no node serves the model.
pub async fn open(ctx: &Context, signer: &Signer, args: OpenArgs) -> Result<Opened> {
    let reader = ctx.reader().await?;
    let model_version = match args.model_version {
        Some(version) => version,
        None => reader.model(args.model_id).await?.latest_version,
    };
    let version = reader.model_version(args.model_id, model_version).await?;
    let params = reader.escrow_config().await?.params;
    let denom = params.denoms.iter().find(|d| d.denom == version.denom).ok_or_else(|| {
        CliError::new(
            Class::Refused,
            "E-CLI-043",
            format!("the escrow takes no {}", version.denom),
            "choose a model priced in a denom that the escrow takes",
        )
    })?;
    let mut nodes = args.nodes;
    if nodes.is_empty() {
        let found = choose::candidates(ctx, &reader, &version, denom.min_fee.u128()).await?;
        nodes = found.iter().take(args.choose.clamp(1, MAX_NODES)).map(|c| c.node_id).collect();
    }
    nodes.sort_unstable();
    nodes.dedup();
    if nodes.is_empty() || nodes.len() > MAX_NODES {
        return Err(CliError::usage(format!("a session has 1 to {MAX_NODES} nodes, not {}", nodes.len())));
    }
    let mut lanes = Vec::with_capacity(nodes.len());
    for (node_id, cap) in nodes.iter().zip(caps(args.deposit, nodes.len())) {
        lanes.push(Lane::new(*node_id, &reader.node(*node_id).await?.endpoint, Uint128::new(cap)));
    }
    let funds = args
        .deposit
        .checked_add(denom.open_fee.u128())
        .ok_or_else(|| CliError::usage("the deposit is too large"))?;
    let dir = ctx.home.join("sessions");
    make_private_dir(&dir)?;
    let key = Key::random()?;
    let pending = dir.join(format!("new-{}.key", hex::encode(key.public_key())));
    keyfile::save(&key, &pending, None)?;
    let msg = ExecuteMsg::OpenSession {
        model_id: args.model_id,
        model_version,
        session_key: HexBinary::from(&key.public_key()),
        nodes: lanes.iter().map(|lane| NodeCap { node_id: lane.node_id, cap: lane.cap }).collect(),
        blocks: args.blocks,
    };
    let escrow = reader.contracts().payable_escrow.clone();
    let result = signer.execute(&escrow, &msg, &[Coin::new(funds, version.denom.clone())]).await?;
    let session_id =
        result.contract_number(&escrow, "session_id").ok_or_else(|| crate::datanet::silent("session_id"))?;
    let path = dir.join(format!("{session_id}.key"));
    std::fs::rename(&pending, &path).map_err(|e| CliError::file(&path, e))?;
    State::new(&reader, session_id, version.denom, lanes).save(ctx)?;
    Ok(Opened { session_id, tx: result.hash, open_fee: denom.open_fee, nodes })
}

/// Adds to the deposit and to the cap of one node, the session's first when none is named.
///
/// # Errors
/// When chain or contract refuse, or the session does not name the node.
pub async fn top_up(
    ctx: &Context,
    signer: &Signer,
    session_id: u64,
    node_id: Option<u64>,
    amount: u128,
) -> Result<String> {
    let _lock = State::lock(ctx, session_id)?;
    let mut state = State::load(ctx, session_id)?;
    let (contract, denom) = (state.contract.clone(), state.denom.clone());
    let lane = state.nodes.iter_mut().find(|lane| node_id.is_none_or(|id| id == lane.node_id));
    let lane =
        lane.ok_or_else(|| CliError::usage(format!("session {session_id} does not name that node")))?;
    let cap = lane.cap.checked_add(Uint128::new(amount));
    let cap = cap.map_err(|_| CliError::usage("the amount is too large"))?;
    let msg = ExecuteMsg::TopUp { session_id, node_id: lane.node_id };
    let result = signer.execute(&contract, &msg, &[Coin::new(amount, denom)]).await?;
    lane.cap = cap;
    state.save(ctx)?;
    Ok(result.hash)
}

/// Tells every node that was asked what was received, and asks it to settle; the answers in the order of
/// the session's nodes.
///
/// # Errors
/// When a node does not answer or refuses.
pub async fn settle(ctx: &Context, session_id: u64) -> Result<Vec<SettleResponse>> {
    let state = State::load(ctx, session_id)?;
    let key = state.key(ctx)?;
    let mut answers = Vec::new();
    for lane in state.nodes.iter().filter(|lane| lane.count > 0) {
        answers.push(settle_lane(ctx, &state, lane, &key).await?);
    }
    Ok(answers)
}

async fn settle_lane(ctx: &Context, state: &State, lane: &Lane, key: &Key) -> Result<SettleResponse> {
    // Requests that another node finished are none that this voucher could cover.
    let lane = Lane { outstanding: Vec::new(), ..lane.clone() };
    let voucher = state.voucher(&lane, key, &ZERO_HASH, 0)?;
    let url = format!("{}/v1/sessions/{}/acknowledge", lane.node_url, state.session_id);
    node_http::send(&url, ctx.http.post(&url).json(&voucher)).await?;
    let url = format!("{}/v1/sessions/{}/settle", lane.node_url, state.session_id);
    let bytes = node_http::body(node_http::send(&url, ctx.http.post(&url)).await?).await?;
    serde_json::from_slice(&bytes)
        .map_err(|e| CliError::new(Class::Node, "E-CLI-054", e.to_string(), "use a node of this release"))
}

/// A session that was closed.
#[derive(Clone, Debug, Serialize)]
pub struct Closed {
    /// The session at its end.
    pub session: SessionResponse,
    /// Transactions, in order.
    pub txs: Vec<String>,
}

/// Settles with the nodes, closes and takes the refund. Every step can be repeated; a node that does
/// not answer does not stop the closing (its time to settle is the grace, and what it can settle is what it
/// made of the promises).
///
/// # Errors
/// When the chain refuses, or another process uses the session.
pub async fn close(ctx: &Context, signer: &Signer, session_id: u64, patience: Duration) -> Result<Closed> {
    let reader = ctx.reader().await?;
    let escrow = reader.contracts().payable_escrow.clone();
    let mut txs = Vec::new();
    let state = adopted(ctx, &reader, session_id).await?;
    if state.nodes.iter().any(|lane| !lane.outstanding.is_empty()) {
        let payer = Payer::open(ctx, &reader, session_id, None).await?;
        fetch_open(&payer, session_id, patience).await?;
    }
    let state = State::load(ctx, session_id)?;
    let key = state.key(ctx)?;
    let started = std::time::Instant::now();
    let mut session = reader.session(session_id).await?;
    for lane in &state.nodes {
        let owed = lane.acknowledged()?.sum;
        let settled =
            |s: &SessionResponse| s.nodes.iter().any(|n| n.node_id == lane.node_id && n.settled >= owed);
        while session.close_requested_at.is_none() && !settled(&session) {
            // A node that takes the connection and says nothing keeps nobody from closing.
            let left = patience.saturating_sub(started.elapsed()).max(LEAST_PATIENCE);
            let note = match tokio::time::timeout(left, settle_lane(ctx, &state, lane, &key)).await {
                Ok(Ok(answer)) => answer.note,
                Ok(Err(error)) => error.message,
                Err(_) => "it is silent".into(),
            };
            session = reader.session(session_id).await?;
            if settled(&session) {
                break;
            }
            if started.elapsed() > patience {
                tracing::warn!(
                    session_id,
                    node_id = lane.node_id,
                    note,
                    "the node has not settled; closing anyway, it has the grace to do so"
                );
                break;
            }
            reader.chain().wait_for_next_block().await?;
        }
    }
    if session.close_requested_at.is_none() {
        txs.push(signer.execute(&escrow, &ExecuteMsg::RequestClose { session_id }, &[]).await?.hash);
        session = reader.session(session_id).await?;
    }
    if !session.closed {
        let grace = reader.escrow_config().await?.params.grace_blocks;
        let open_until = session.close_requested_at.unwrap_or_default().saturating_add(grace);
        let blocks = open_until.saturating_sub(reader.chain().latest_height().await?);
        reader
            .chain()
            .wait_for_height(open_until.saturating_add(1), Duration::from_secs(60 + 20 * blocks))
            .await?;
        let result = signer.execute(&escrow, &ExecuteMsg::Refund { session_id }, &[]).await?;
        txs.push(result.hash);
        session = reader.session(session_id).await?;
        let balance = reader.withdrawable(signer.address()).await?;
        if balance.amounts.iter().any(|a| a.denom == session.denom && !a.amount.is_zero()) {
            let call = ExecuteMsg::Withdraw { denoms: vec![session.denom.clone()] };
            txs.push(signer.execute(&escrow, &call, &[]).await?.hash);
        }
    }
    Ok(Closed { session, txs })
}

/// The state of a session; made now where this home opened it and was stopped before it wrote one down. Nothing was
/// asked in it then: vouchers leave only after the state is there.
async fn adopted(ctx: &Context, reader: &Reader, session_id: u64) -> Result<State> {
    if State::path(ctx, session_id).exists() {
        return State::load(ctx, session_id);
    }
    let session = reader.session(session_id).await?;
    let dir = ctx.home.join("sessions");
    let key = dir.join(format!("{session_id}.key"));
    let pending = dir.join(format!("new-{}.key", hex::encode(&session.session_key)));
    if pending.exists() {
        std::fs::rename(&pending, &key).map_err(|e| CliError::file(&pending, e))?;
    }
    let own = key.exists() && keyfile::load(&key, None)?.public_key() == session.session_key.as_slice();
    if !own {
        return State::load(ctx, session_id);
    }
    let mut nodes = Vec::with_capacity(session.nodes.len());
    for node in &session.nodes {
        nodes.push(Lane::new(node.node_id, &reader.node(node.node_id).await?.endpoint, node.cap));
    }
    let state = State::new(reader, session_id, session.denom, nodes);
    state.save(ctx)?;
    Ok(state)
}

/// Fetches what is still under way of a session that is to end, within `patience`: what was promised may be
/// charged, so its answer is wanted. A node that is gone is left behind, and so is one that refuses or cheats;
/// the answers that came lie in the folder of answers.
async fn fetch_open(payer: &Payer, session_id: u64, patience: Duration) -> Result<()> {
    let fetching = async {
        while payer.is_interrupted() {
            if let Err(failure) = payer.resume(&mut |_| ControlFlow::Continue(())).await {
                tracing::debug!(session_id, "{}", failure.error.message);
                payer.take_over()?;
            }
        }
        payer.reconcile().await
    };
    let failure = match tokio::time::timeout(patience, fetching).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(failure)) => failure.error.message,
        Err(_) => format!("nothing came within {} s", patience.as_secs()),
    };
    tracing::warn!(session_id, "an answer under way is left behind: {failure}");
    payer.take_over()
}

/// Numbers of the sessions that this home folder opened.
///
/// # Errors
/// When the folder cannot be read.
pub fn list(ctx: &Context) -> Result<Vec<u64>> {
    let dir = ctx.home.join("sessions");
    let entries = match std::fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(CliError::file(&dir, e)),
    };
    let mut ids: Vec<u64> =
        entries.filter_map(|e| e.ok()?.file_name().to_str()?.strip_suffix(".json")?.parse().ok()).collect();
    ids.sort_unstable();
    Ok(ids)
}

//! Sessions: open, the client's own state, close.
//!
//! The state file of a session holds the log of received receipts and the one request that may be
//! under way. It is written before a voucher leaves this machine and after its receipt was checked, so
//! that a kill at any moment loses neither.

use std::path::PathBuf;
use std::time::Duration;

use cosmwasm_std::{HexBinary, Uint128};
use openledger_client::{keyfile, Coin, Key, Signer};
use openledger_merkle::{Frontier, SumNode, ZERO_HASH};
use openledger_types::api::{PaymentSignature, SettleResponse};
use openledger_types::formats::{sum_path, SignedVoucher, SumRoot, SumStep, Voucher};
use openledger_types::msg::escrow::{ExecuteMsg, NodeCap, SessionResponse};
use serde::{Deserialize, Serialize};

use crate::context::{make_private_dir, read_json, write_json, Context};
use crate::error::{Class, CliError, Result};
use crate::node_http;

/// A request whose answer has not arrived.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outstanding {
    /// The voucher and nonce.
    pub payment: PaymentSignature,
    /// Path of the endpoint.
    pub endpoint: String,
    /// The body as sent.
    pub body: cosmwasm_std::Binary,
}

/// What the client knows of its session with one node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    /// Chain id.
    pub chain_id: String,
    /// Escrow.
    pub contract: String,
    /// Session.
    pub session_id: u64,
    /// Node.
    pub node_id: u64,
    /// Its base URL.
    pub node_url: String,
    /// Denom.
    pub denom: String,
    /// Most that the node may be paid.
    pub cap: Uint128,
    /// Receipts received and checked.
    pub count: u64,
    /// Peaks of their log.
    pub peaks: Vec<SumStep>,
    /// The request under way.
    pub outstanding: Option<Outstanding>,
}

impl State {
    fn path(ctx: &Context, session_id: u64) -> PathBuf {
        ctx.home.join("sessions").join(format!("{session_id}.json"))
    }

    /// Reads the state of a session.
    ///
    /// # Errors
    /// When this home folder did not open it.
    pub fn load(ctx: &Context, session_id: u64) -> Result<Self> {
        read_json(&State::path(ctx, session_id)).map_err(|e| CliError {
            advice: "use the home folder that opened the session, or open one: openledger session open"
                .into(),
            ..e
        })
    }

    /// Writes it, durable.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self, ctx: &Context) -> Result<()> {
        write_json(&State::path(ctx, self.session_id), self)
    }

    /// The session's key.
    ///
    /// # Errors
    /// When its file cannot be used.
    pub fn key(&self, ctx: &Context) -> Result<Key> {
        Ok(keyfile::load(&ctx.home.join("sessions").join(format!("{}.key", self.session_id)), None)?)
    }

    /// The log of received receipts.
    ///
    /// # Errors
    /// When the file was changed.
    pub fn log(&self) -> Result<Frontier<SumNode>> {
        let peaks = sum_path(&self.peaks).map_err(|e| CliError::usage(e.to_string()))?;
        Frontier::from_parts(self.count, peaks).ok_or_else(|| damaged(self.session_id))
    }

    /// Appends a checked receipt's leaf.
    ///
    /// # Errors
    /// When sums overflow.
    pub fn push(&mut self, leaf: SumNode) -> Result<()> {
        let mut log = self.log()?;
        log.push(leaf).ok_or_else(|| damaged(self.session_id))?;
        self.count = log.size();
        self.peaks = log.peaks().iter().map(|peak| SumStep::from(*peak)).collect();
        Ok(())
    }

    /// Root, sum and number of received receipts.
    ///
    /// # Errors
    /// When the file was changed.
    pub fn acknowledged(&self) -> Result<SumRoot> {
        let root = self.log()?.root().ok_or_else(|| damaged(self.session_id))?;
        Ok(SumRoot::new(root, self.count))
    }

    /// A signed voucher for `request_hash` (zeros to only acknowledge) that promises at most `max_fee`
    /// for it.
    ///
    /// # Errors
    /// When the key cannot be used or the promise would exceed the node's cap.
    pub fn voucher(&self, ctx: &Context, request_hash: &[u8; 32], max_fee: u128) -> Result<SignedVoucher> {
        let acknowledged = self.acknowledged()?;
        let cumulative = acknowledged.sum.u128().checked_add(max_fee).filter(|c| *c <= self.cap.u128());
        let Some(cumulative) = cumulative else {
            return Err(CliError::new(
                Class::Refused,
                "E-CLI-042",
                format!(
                    "the answer may cost {max_fee} {}, but only {} are left in session {}",
                    self.denom,
                    self.cap.u128().saturating_sub(acknowledged.sum.u128()),
                    self.session_id
                ),
                "ask for fewer tokens, or top the session up: openledger session top-up",
            ));
        };
        let voucher = Voucher {
            chain_id: self.chain_id.clone(),
            contract: self.contract.clone(),
            session_id: self.session_id,
            node_id: self.node_id,
            sequence: self.count + 1,
            denom: self.denom.clone(),
            request_hash: HexBinary::from(request_hash),
            cumulative_max: Uint128::new(cumulative),
            acknowledged,
        };
        let signature = HexBinary::from(&self.key(ctx)?.sign_digest(&voucher.digest()));
        Ok(SignedVoucher { voucher, signature })
    }
}

fn damaged(session_id: u64) -> CliError {
    CliError::new(
        Class::File,
        "E-CLI-071",
        format!("the state of session {session_id} does not fit itself"),
        "restore the file from a backup; the node's receipts are at its /v1/sessions endpoint",
    )
}

/// What to open.
#[derive(Clone, Debug)]
pub struct OpenArgs {
    /// Model.
    pub model_id: u64,
    /// Version; the newest when absent.
    pub model_version: Option<u32>,
    /// Node.
    pub node_id: u64,
    /// Deposit in base units, the opening fee not included.
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
}

/// Opens a session whose key is made here.
///
/// # Errors
/// When chain or contract refuse.
pub async fn open(ctx: &Context, signer: &Signer, args: OpenArgs) -> Result<Opened> {
    let reader = ctx.reader().await?;
    let model_version = match args.model_version {
        Some(version) => version,
        None => reader.model(args.model_id).await?.latest_version,
    };
    let version = reader.model_version(args.model_id, model_version).await?;
    let node = reader.node(args.node_id).await?;
    let params = reader.escrow_config().await?.params;
    let denom = params.denoms.iter().find(|d| d.denom == version.denom).ok_or_else(|| {
        CliError::new(
            Class::Refused,
            "E-CLI-043",
            format!("the escrow takes no {}", version.denom),
            "choose a model priced in a denom that the escrow takes",
        )
    })?;
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
        nodes: vec![NodeCap { node_id: args.node_id, cap: Uint128::new(args.deposit) }],
        blocks: args.blocks,
    };
    let escrow = reader.contracts().payable_escrow.clone();
    let result = signer.execute(&escrow, &msg, &[Coin::new(funds, version.denom.clone())]).await?;
    let session_id =
        result.contract_number(&escrow, "session_id").ok_or_else(|| crate::datanet::silent("session_id"))?;
    let path = dir.join(format!("{session_id}.key"));
    std::fs::rename(&pending, &path).map_err(|e| CliError::file(&path, e))?;
    let state = State {
        chain_id: reader.chain().config().chain_id.clone(),
        contract: escrow,
        session_id,
        node_id: args.node_id,
        node_url: node.endpoint.trim_end_matches('/').to_string(),
        denom: version.denom,
        cap: Uint128::new(args.deposit),
        count: 0,
        peaks: Vec::new(),
        outstanding: None,
    };
    state.save(ctx)?;
    Ok(Opened { session_id, tx: result.hash, open_fee: denom.open_fee })
}

/// Adds to the deposit and to the node's cap.
///
/// # Errors
/// When chain or contract refuse.
pub async fn top_up(ctx: &Context, signer: &Signer, session_id: u64, amount: u128) -> Result<String> {
    let mut state = State::load(ctx, session_id)?;
    let msg = ExecuteMsg::TopUp { session_id, node_id: state.node_id };
    let result = signer.execute(&state.contract, &msg, &[Coin::new(amount, state.denom.clone())]).await?;
    state.cap = state
        .cap
        .checked_add(Uint128::new(amount))
        .map_err(|_| CliError::usage("the amount is too large"))?;
    state.save(ctx)?;
    Ok(result.hash)
}

/// Tells the node what was received and asks it to settle.
///
/// # Errors
/// When the node does not answer or refuses.
pub async fn settle(ctx: &Context, session_id: u64) -> Result<SettleResponse> {
    let state = State::load(ctx, session_id)?;
    if state.count > 0 {
        let voucher = state.voucher(ctx, &ZERO_HASH, 0)?;
        let url = format!("{}/v1/sessions/{session_id}/acknowledge", state.node_url);
        let sent = ctx.http.post(&url).json(&voucher).send().await;
        node_http::accepted(sent.map_err(|e| node_http::unreachable(&url, &e))?).await?;
    }
    let url = format!("{}/v1/sessions/{session_id}/settle", state.node_url);
    let sent = ctx.http.post(&url).send().await.map_err(|e| node_http::unreachable(&url, &e))?;
    let bytes = node_http::body(node_http::accepted(sent).await?).await?;
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

/// Settles with the node, closes and takes the refund. Every step can be repeated; a node that does
/// not answer does not stop the closing (its time to settle is the grace).
///
/// # Errors
/// When the chain refuses, or a paid answer is still under way.
pub async fn close(ctx: &Context, signer: &Signer, session_id: u64, patience: Duration) -> Result<Closed> {
    let reader = ctx.reader().await?;
    let escrow = reader.contracts().payable_escrow.clone();
    let mut txs = Vec::new();
    let state = State::load(ctx, session_id)?;
    if state.outstanding.is_some() {
        return Err(CliError::new(
            Class::Refused,
            "E-CLI-044",
            format!("an answer of session {session_id} is under way"),
            "fetch it first: openledger ask --resume",
        ));
    }
    let owed = state.acknowledged()?.sum;
    let started = std::time::Instant::now();
    let mut session = reader.session(session_id).await?;
    let settled = |s: &SessionResponse| {
        s.nodes.iter().filter(|n| n.node_id == state.node_id).any(|n| n.settled >= owed)
    };
    while session.close_requested_at.is_none() && !settled(&session) {
        let note = match settle(ctx, session_id).await {
            Ok(answer) => answer.note,
            Err(error) => error.message,
        };
        session = reader.session(session_id).await?;
        if settled(&session) {
            break;
        }
        if started.elapsed() > patience {
            tracing::warn!(
                session_id,
                note,
                "the node has not settled; closing anyway, it has the grace to do so"
            );
            break;
        }
        reader.chain().wait_for_next_block().await?;
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

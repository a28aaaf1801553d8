//! Receipts, sessions, acknowledgements, settlements asked for, ledgers.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{header, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::Json;
use openledger_types::api::{AnswerBundle, SessionState, SettleResponse};
use openledger_types::formats::SignedVoucher;
use openledger_types::merkle::Hash;
use openledger_types::msg::escrow::LedgerResponse;
use serde::Deserialize;

use super::node::{lock, Node};
use super::payment;
use crate::fault::{Class, Fault, Result};
use crate::journal::{EpochRow, EpochState, SessionLog};

/// Receipts in one answer.
const PAGE: u64 = 100;

/// 64 hexadecimal digits.
pub(super) fn hash_of(text: &str) -> Result<Hash> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).map_err(|_| {
        Fault::invalid("E-NODE-021", format!("{text:?} is not a hash"), "Give 64 hexadecimal digits.")
    })?;
    Ok(hash)
}

fn unknown(what: String) -> Fault {
    Fault::new(
        Class::NotFound,
        "E-NODE-020",
        what,
        "Check the number, and that this is the node that was asked.",
    )
}

/// `GET /v1/receipts/{id}`: everything from which an answer is verified; also of an answer of another node about which
/// this one has opened a case, for its jury.
pub async fn receipt(State(node): State<Arc<Node>>, Path(id): Path<String>) -> Result<Json<AnswerBundle>> {
    let id_hash = hash_of(&id)?;
    let found = node
        .with_journal(move |journal| match journal.answer_by_id(&id_hash)? {
            Some(own) => Ok(Some(own)),
            None => {
                let accused = journal.accusation(&id_hash)?.filter(|accused| accused.case.is_some());
                Ok(accused.map(|accused| accused.bundle))
            }
        })
        .await?;
    found.map(Json).ok_or_else(|| unknown(format!("no receipt {id} was signed here")))
}

/// Where the receipts of a session start.
#[derive(Deserialize)]
pub struct From {
    from: Option<u64>,
}

/// `GET /v1/sessions/{id}?from=`.
pub async fn session(
    State(node): State<Arc<Node>>,
    Path(session_id): Path<u64>,
    Query(query): Query<From>,
) -> Result<Json<SessionState>> {
    let log = node.with_journal(move |journal| journal.session(session_id)).await?;
    let log = match log {
        Some(log) => log,
        // A session that asked nothing yet stands at zero, if it exists and names this node.
        None => {
            let session = node.session(session_id).await?;
            if !session.nodes.iter().any(|n| n.node_id == node.payee.node_id) {
                return Err(unknown(format!("session {session_id} does not name this node")));
            }
            SessionLog::new(&session.denom)
        }
    };
    let from = query.from.unwrap_or(1).max(1);
    let to = from.saturating_add(PAGE - 1).min(log.log.count);
    let receipts = node.with_journal(move |journal| journal.receipts(session_id, from, to)).await?;
    Ok(Json(SessionState {
        session_id,
        node_id: node.payee.node_id,
        taken: log.taken,
        log: log.log,
        acknowledged: log.acknowledged,
        receipts,
    }))
}

/// `POST /v1/sessions/{id}/acknowledge`: a voucher that acknowledges receipts.
pub async fn acknowledge(
    State(node): State<Arc<Node>>,
    Path(session_id): Path<u64>,
    body: axum::body::Bytes,
) -> Result<Json<SessionState>> {
    let voucher: SignedVoucher = serde_json::from_slice(&body).map_err(|e| {
        Fault::invalid("E-PAY-002", format!("the body is not a signed voucher: {e}"), "Send it as JSON.")
    })?;
    if voucher.voucher.session_id != session_id {
        return Err(Fault::invalid(
            "E-PAY-003",
            format!("the voucher is for session {}, the path names {session_id}", voucher.voucher.session_id),
            "Send it to the path of its session.",
        ));
    }
    let session = node.session(session_id).await?;
    payment::check_voucher(&voucher, &session, &node.payee, &node.keys)?;
    let log = node.with_journal(move |journal| journal.acknowledge(&voucher)).await?;
    Ok(Json(SessionState {
        session_id,
        node_id: node.payee.node_id,
        taken: log.taken,
        log: log.log,
        acknowledged: log.acknowledged,
        receipts: Vec::new(),
    }))
}

/// `POST /v1/sessions/{id}/settle`: settles now, if there is something to settle and no root waits.
pub async fn settle(
    State(node): State<Arc<Node>>,
    Path(session_id): Path<u64>,
) -> Result<Json<SettleResponse>> {
    let log = node.with_journal(move |journal| journal.session(session_id)).await?;
    let log = log.ok_or_else(|| unknown(format!("session {session_id} asked nothing of this node")))?;
    let session = node.fresh_session(session_id).await?;
    let on_chain = session.nodes.iter().find(|n| n.node_id == node.payee.node_id);
    let settled = on_chain.map_or(0, |n| n.log.count);
    if log.log.count <= settled {
        let row = covering(&node, session_id).await?;
        let note = if log.taken > log.log.count {
            "every receipt is settled; an answer is still being written"
        } else {
            "every receipt is settled"
        };
        return Ok(Json(answer(false, row, note.into())));
    }
    let height = node.fresh_height().await?;
    let since = on_chain.map_or(session.opened_at, |n| n.settled_at);
    if height < since.saturating_add(node.settings.settle_least_blocks) {
        let note = format!(
            "settled at height {since}; ask again from height {}",
            since + node.settings.settle_least_blocks
        );
        return Ok(Json(answer(false, covering(&node, session_id).await?, note)));
    }
    lock(&node.settle_asked).insert(session_id);
    let before = covering(&node, session_id).await?.map(|row| row.commit.hash());
    let outcome = node.settle_round().await?;
    let row = covering(&node, session_id).await?;
    let new = row.as_ref().is_some_and(|r| Some(r.commit.hash()) != before && posted(r));
    let note = if new { "posted; it is final after the challenge window".into() } else { outcome };
    Ok(Json(answer(new, row, note)))
}

async fn covering(node: &Arc<Node>, session_id: u64) -> Result<Option<EpochRow>> {
    node.with_journal(move |journal| journal.covering(session_id)).await
}

fn posted(row: &EpochRow) -> bool {
    matches!(row.state, EpochState::Posted { .. } | EpochState::Final)
}

fn answer(posted: bool, row: Option<EpochRow>, note: String) -> SettleResponse {
    let final_at = row.as_ref().and_then(|r| match r.state {
        EpochState::Posted { final_at } => Some(final_at),
        _ => None,
    });
    SettleResponse {
        posted,
        epoch: row.as_ref().map(|r| r.commit.epoch),
        tx: row.filter(|_| posted).and_then(|r| r.tx),
        final_at,
        note,
    }
}

/// `GET /v1/ledgers/{denom}`: what the chain says of this node's ledger, with a link to its leaves.
pub async fn ledger(State(node): State<Arc<Node>>, Path(denom): Path<String>) -> Result<Response> {
    let ledger: LedgerResponse = node.chain.ledger(&denom).await?;
    let link =
        ledger.leaves_blob.as_ref().map(|blob| format!("</v1/blobs/{}>; rel=\"leaves\"", blob.root.to_hex()));
    let mut response = Json(ledger).into_response();
    if let Some(value) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
        response.headers_mut().insert(header::LINK, value);
    }
    Ok(response)
}

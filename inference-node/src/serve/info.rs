//! Who answers here, which models, how it fares.

use std::sync::atomic::Ordering;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{header, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::Json;
use cosmwasm_std::HexBinary;
use openledger_types::api::{Capacity, NodeInfo};
use openledger_types::msg::node_registry::Role;
use serde_json::{json, Value};

use super::node::Node;
use crate::request::model_name;

/// `GET /health`: the process lives.
pub async fn health() -> &'static str {
    "ok\n"
}

/// `GET /ready`: it would take a request now.
pub async fn ready(State(node): State<Arc<Node>>) -> Response {
    let chain = node.height().await;
    let models: Vec<String> =
        node.models.all().iter().map(|l| model_name(l.info.model_id, l.info.version)).collect();
    let waiting: Vec<Value> = node
        .models
        .waiting()
        .into_iter()
        .map(|(id, version, why)| json!({"model": model_name(id, version), "why": why}))
        .collect();
    let reason = match &chain {
        _ if node.draining() => Some("stopping".to_string()),
        Err(fault) => Some(fault.to_string()),
        Ok(_) if models.is_empty() && node.is(Role::Inference) => Some("no model is ready".into()),
        Ok(_) => None,
    };
    let status = if reason.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "ready": reason.is_none(), "reason": reason, "height": chain.ok(), "models": models, "waiting": waiting,
    });
    (status, Json(body)).into_response()
}

/// `GET /metrics`.
pub async fn metrics(State(node): State<Arc<Node>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], node.metrics.render()).into_response()
}

/// `GET /openapi.json`: this interface as an OpenAPI document.
pub async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], include_str!("openapi.json")).into_response()
}

/// `GET /v1/node`.
pub async fn node(State(node): State<Arc<Node>>) -> Json<NodeInfo> {
    Json(NodeInfo {
        node_id: node.payee.node_id,
        chain_id: node.payee.chain_id.clone(),
        escrow: node.payee.escrow.clone(),
        node_key: HexBinary::from(node.payee.node_key.as_slice()),
        version: env!("CARGO_PKG_VERSION").into(),
        models: node.models.all().iter().map(|l| (l.info.model_id, l.info.version)).collect(),
        capacity: Some(capacity(&node)),
        height: Some(node.metrics.height.load(Ordering::Relaxed)).filter(|height| *height > 0),
    })
}

/// The places in batch and queue, and how many of them are free: what decides over 429.
fn capacity(node: &Node) -> Capacity {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let free = if node.draining() { 0 } else { node.admission.available_permits() };
    Capacity {
        together: count(node.settings.together()),
        queue: count(node.settings.queue),
        free: count(free),
    }
}

/// `GET /v1/models`: OpenAI's list, with prices and what the chain knows.
pub async fn models(State(node): State<Arc<Node>>) -> Json<Value> {
    let data: Vec<Value> = node
        .models
        .all()
        .iter()
        .map(|loaded| {
            let (info, manifest) = (&loaded.info, &loaded.manifest);
            json!({
                "id": model_name(info.model_id, info.version),
                "object": "model",
                "created": 0,
                "owned_by": info.developer,
                "name": manifest.name,
                "model_id": info.model_id,
                "version": info.version,
                "denom": info.denom,
                "price_in": info.price_in,
                "price_out": info.price_out,
                "split": info.split,
                "manifest_hash": info.manifest_hash,
                "numeric_class": manifest.numeric_class,
                "context": manifest.context,
                "parameters": manifest.parameters,
                "datanets": manifest.datanets,
                "deprecated": info.deprecated,
            })
        })
        .collect();
    Json(json!({"object": "list", "data": data}))
}

//! `GET` and `PUT /v1/blobs/{root}`: ciphertexts of contributions, files of models, ledgers and
//! receipts of epochs. Only what the chain names is taken.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{header, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use openledger_types::formats::{BlobRef, Manifest};
use openledger_types::merkle::Hash;
use serde::Deserialize;

use super::manifest::MAX_MANIFEST;
use super::node::{blocking, root_of, store_fault, Node};
use super::sessions::hash_of;
use crate::corpus::{transfer_time, MAX_BLOB};
use crate::fault::{Class, Fault, Result};

/// Longest time that an upload waits for its turn.
const UPLOAD_WAIT: Duration = Duration::from_secs(10);

/// `GET /v1/blobs/{root}`.
pub async fn get(State(node): State<Arc<Node>>, Path(root): Path<String>) -> Result<Response> {
    let hash = hash_of(&root)?;
    let bytes = node.stored(&hash).await?.ok_or_else(|| {
        Fault::new(
            Class::NotFound,
            "E-NODE-022",
            format!("blob {root} is not kept here"),
            "Ask another node.",
        )
    })?;
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{root}\"")) {
        headers.insert(header::ETAG, tag);
    }
    Ok(response)
}

/// What on chain names the blob.
#[derive(Deserialize)]
pub struct Reference {
    r#ref: Option<String>,
}

/// `PUT /v1/blobs/{root}?ref=contribution:ID` or `?ref=model:ID:VERSION`.
pub async fn put(
    State(node): State<Arc<Node>>,
    Path(root): Path<String>,
    Query(reference): Query<Reference>,
    body: Body,
) -> Result<Response> {
    let hash = hash_of(&root)?;
    // One upload holds at most one blob in memory; a burst waits for its turn before it is refused.
    let busy = || {
        Fault::new(Class::Busy, "E-NODE-025", "too many uploads at once", "Try again in a moment.")
            .retryable()
    };
    let turn = tokio::time::timeout(UPLOAD_WAIT, node.uploads.acquire()).await;
    let _turn = turn.map_err(|_| busy())?.map_err(|_| busy())?;
    let blob = find(&node, &hash, reference.r#ref.as_deref()).await?;
    let limit = usize::try_from(blob.len.min(MAX_BLOB)).unwrap_or(0);
    let too_large = |what: String| {
        Fault::new(Class::TooLarge, "E-NODE-024", what, "Upload exactly the bytes that the chain names.")
    };
    if blob.len > MAX_BLOB {
        return Err(too_large(format!("the blob has {} bytes, allowed are {MAX_BLOB}", blob.len)));
    }
    // A slow upload keeps its turn from others.
    let patience = transfer_time(blob.len);
    let slow = |_| {
        let what = format!("the upload did not end within {} seconds", patience.as_secs());
        Fault::new(Class::Busy, "E-NODE-037", what, "Upload over a faster line.").retryable()
    };
    let bytes = tokio::time::timeout(patience, axum::body::to_bytes(body, limit))
        .await
        .map_err(slow)?
        .map_err(|e| too_large(format!("the upload ended early or has more than {limit} bytes: {e}")))?;
    let store = node.store.clone();
    let new = blocking(move || {
        if BlobRef::of(&bytes) != blob {
            return Err(Fault::invalid(
                "E-NODE-023",
                format!("these {} bytes are not the blob {}", bytes.len(), blob.root),
                "Upload exactly the bytes that the chain names.",
            ));
        }
        store.put(&hash, &bytes).map_err(store_fault)
    })
    .await?;
    Ok(if new { StatusCode::CREATED } else { StatusCode::OK }.into_response())
}

/// The blob with this root that the chain names under `reference`.
async fn find(node: &Arc<Node>, root: &Hash, reference: Option<&str>) -> Result<BlobRef> {
    let bad = || {
        Fault::invalid(
            "E-NODE-026",
            "an upload names what on chain refers to it",
            "Add ?ref=contribution:ID or ?ref=model:ID:VERSION.",
        )
    };
    let parts: Vec<&str> = reference.ok_or_else(bad)?.split(':').collect();
    let candidates = match parts.as_slice() {
        ["contribution", id] => {
            let id = id.parse().map_err(|_| bad())?;
            node.chain.contribution(id).await?.map(|c| vec![c.facts.blob]).unwrap_or_default()
        }
        ["model", id, version] => {
            let (id, version) = (id.parse().map_err(|_| bad())?, version.parse().map_err(|_| bad())?);
            match node.chain.model_version(id, version).await? {
                Some(info) => {
                    let mut blobs = files(node, &info.manifest).await?;
                    blobs.insert(0, info.manifest);
                    blobs
                }
                None => Vec::new(),
            }
        }
        _ => return Err(bad()),
    };
    candidates.into_iter().find(|blob| blob.root.as_slice() == root).ok_or_else(|| {
        Fault::new(
            Class::NotFound,
            "E-NODE-027",
            format!("the chain names no blob {} under {}", hex::encode(root), reference.unwrap_or_default()),
            "Commit first, wait for the block, upload a model's manifest before its files.",
        )
        .retryable()
    })
}

/// The files of a manifest that is stored.
async fn files(node: &Arc<Node>, manifest: &BlobRef) -> Result<Vec<BlobRef>> {
    if manifest.len > MAX_MANIFEST {
        return Ok(Vec::new());
    }
    let Some(bytes) = node.stored(&root_of(manifest)?).await? else { return Ok(Vec::new()) };
    // It was checked against the chain when it came in; a manifest that does not parse names nothing.
    let manifest: Option<Manifest> = serde_json::from_slice(&bytes).ok();
    Ok(manifest.map(|m| m.files.into_iter().map(|f| f.blob).collect()).unwrap_or_default())
}

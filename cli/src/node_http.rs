//! Calls to a node's HTTP interface.

use std::time::Duration;

use openledger_client::contracts::Reader;
use openledger_types::api::ErrorBody;
use openledger_types::formats::BlobRef;
use reqwest::{Client, Response};
use serde::de::DeserializeOwned;

use crate::context::Context;
use crate::error::{Class, CliError, Result};
use crate::events::SILENCE;

/// Largest answer that is read into memory, in bytes.
pub const MAX_ANSWER: usize = 256 << 20;

/// Most bytes that are read of a refusal.
const MAX_WORDS: usize = 64 << 10;

/// Longest time without a byte of an answer.
const IDLE: Duration = Duration::from_secs(30);

/// The slowest line that something is sent over.
const BYTES_A_MILLISECOND: usize = 32;

/// A client for nodes. They are strangers: none sends this machine elsewhere, into its own network perhaps.
///
/// # Errors
/// `E-CLI-050` when this machine has no TLS.
pub fn client(connect: Duration) -> Result<Client> {
    let client =
        Client::builder().connect_timeout(connect).redirect(reqwest::redirect::Policy::none()).build();
    client.map_err(|e| {
        CliError::new(Class::Node, "E-CLI-050", e.to_string(), "check this machine's TLS set-up")
    })
}

/// What a slow line takes to carry so many bytes.
pub fn carried(bytes: usize) -> Duration {
    Duration::from_millis((bytes / BYTES_A_MILLISECOND) as u64)
}

/// An error of the connection itself.
pub fn unreachable(url: &str, error: &reqwest::Error) -> CliError {
    CliError::new(
        Class::Node,
        "E-CLI-051",
        format!("the node does not answer at {url}: {error}"),
        "check that the node runs and that --node names its address",
    )
    .retry()
}

fn silent(url: &str) -> CliError {
    CliError::new(
        Class::Node,
        "E-CLI-051",
        format!("the node says nothing more at {url} for {} s", IDLE.as_secs()),
        "try again, or use another node",
    )
    .retry()
}

/// What a node says with a refusal: the first 64 KiB, as far as they come while it lives. A node that never ends
/// its refusal keeps nobody waiting.
pub async fn words(mut response: Response) -> String {
    let mut bytes: Vec<u8> = Vec::new();
    let read = async {
        while let Ok(Some(part)) = response.chunk().await {
            let room = MAX_WORDS.saturating_sub(bytes.len());
            bytes.extend(part.iter().take(room));
            if bytes.len() == MAX_WORDS {
                break;
            }
        }
    };
    // What came before the silence is what it said.
    let _ = tokio::time::timeout(SILENCE, read).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The answer when it is a success, else the node's own error.
///
/// # Errors
/// What the node said, with its code.
pub async fn accepted(response: Response) -> Result<Response> {
    if response.status().is_success() {
        return Ok(response);
    }
    let (status, url) = (response.status(), response.url().clone());
    let text = words(response).await;
    let (message, retryable) = match serde_json::from_str::<ErrorBody>(&text) {
        Ok(body) => (format!("{}: {}", body.error.code, body.error.message), body.error.retryable),
        Err(_) => (format!("{status} at {url}: {}", text.chars().take(300).collect::<String>()), false),
    };
    let error = CliError::new(Class::Node, "E-CLI-052", message, "do as the node says");
    Err(if retryable { error.retry() } else { error })
}

/// The body of an answer, at most [`MAX_ANSWER`] bytes.
///
/// # Errors
/// When the connection breaks or the answer is too large.
pub async fn body(mut response: Response) -> Result<Vec<u8>> {
    let url = response.url().to_string();
    let mut bytes = Vec::new();
    loop {
        let part = tokio::time::timeout(IDLE, response.chunk()).await.map_err(|_| silent(&url))?;
        let Some(part) = part.map_err(|e| unreachable(&url, &e))? else { return Ok(bytes) };
        if bytes.len() + part.len() > MAX_ANSWER {
            return Err(CliError::new(
                Class::Node,
                "E-CLI-053",
                format!("the answer of {url} is larger than {MAX_ANSWER} bytes"),
                "use another node",
            ));
        }
        bytes.extend_from_slice(&part);
    }
}

/// A `GET` whose answer begins in time.
async fn get(http: &Client, url: &str) -> Result<Response> {
    send(url, http.get(url)).await
}

/// Sends a small request, whose answer has to begin in time.
///
/// # Errors
/// When the node is not there, is silent, or refuses.
pub async fn send(url: &str, request: reqwest::RequestBuilder) -> Result<Response> {
    sent_within(url, request, IDLE).await
}

async fn sent_within(url: &str, request: reqwest::RequestBuilder, patience: Duration) -> Result<Response> {
    let sent = tokio::time::timeout(patience, request.send()).await.map_err(|_| silent(url))?;
    accepted(sent.map_err(|e| unreachable(url, &e))?).await
}

/// `GET` of a JSON document.
///
/// # Errors
/// When the node is not there, refuses, or answers something else.
pub async fn get_json<T: DeserializeOwned>(http: &Client, url: &str) -> Result<T> {
    let bytes = body(get(http, url).await?).await?;
    serde_json::from_slice(&bytes).map_err(|e| {
        CliError::new(
            Class::Node,
            "E-CLI-054",
            format!("{url} answers with something else: {e}"),
            "check that --node names an OpenLedger node of this release",
        )
    })
}

/// `PUT` of a blob that the chain references; a busy node is asked again for half a minute.
///
/// # Errors
/// When the node is not there or refuses.
pub async fn put_blob(http: &Client, node: &str, root: &str, reference: &str, bytes: Vec<u8>) -> Result<()> {
    let url = format!("{node}/v1/blobs/{root}?ref={reference}");
    let bytes = bytes::Bytes::from(bytes);
    let patience = IDLE.saturating_add(carried(bytes.len()));
    let mut pause = std::time::Duration::from_millis(50);
    loop {
        let error = match sent_within(&url, http.put(&url).body(bytes.clone()), patience).await {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        // Pauses double: 50 ms to 13 s, 26 s together.
        if !error.retryable || pause > std::time::Duration::from_secs(13) {
            return Err(error);
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}

/// `GET` of a blob, checked against its root.
///
/// # Errors
/// When the node is not there, lacks it, or sends other bytes.
pub async fn get_blob(http: &Client, node: &str, root: &str) -> Result<Vec<u8>> {
    use openledger_merkle::{chunk_root, BLOB_CHUNK};
    let url = format!("{node}/v1/blobs/{root}");
    let bytes = body(get(http, &url).await?).await?;
    match hex::encode(chunk_root(&bytes, BLOB_CHUNK)) == root.to_lowercase() {
        true => Ok(bytes),
        false => Err(CliError::new(
            Class::Verification,
            "E-CLI-060",
            format!("the blob {root} from {node} has other bytes than its name says"),
            "fetch it from another node; this one is broken or lies",
        )),
    }
}

/// A blob of an epoch: from the node that posted it, else from whichever other node kept a copy, as
/// auditors do. Checked against its root.
///
/// # Errors
/// When no node gives it.
pub async fn blob_of(ctx: &Context, reader: &Reader, node_id: u64, blob: &BlobRef) -> Result<Vec<u8>> {
    let mut nodes = reader.nodes().await?;
    nodes.sort_by_key(|node| (node.node_id != node_id, node.node_id));
    let urls = nodes.iter().map(|node| node.endpoint.as_str());
    blob_from(ctx, urls, blob, no_node(blob, "try again when the node that posted it is reachable")).await
}

/// That no node gives a blob.
pub fn no_node(blob: &BlobRef, advice: &str) -> CliError {
    CliError::new(Class::Node, "E-CLI-049", format!("no node gives blob {}", blob.root), advice)
}

/// A blob from the first of these nodes that gives it, checked against its root.
///
/// # Errors
/// The first node's; `nobody` where each gives other bytes.
pub async fn blob_from<'a>(
    ctx: &Context,
    urls: impl Iterator<Item = &'a str>,
    blob: &BlobRef,
    nobody: CliError,
) -> Result<Vec<u8>> {
    let mut first = None;
    for url in urls {
        match get_blob(&ctx.http, url.trim_end_matches('/'), &blob.root.to_hex()).await {
            Ok(bytes) if BlobRef::of(&bytes) == *blob => return Ok(bytes),
            Ok(_) => {}
            Err(error) => {
                first.get_or_insert(error);
            }
        }
    }
    Err(first.unwrap_or(nobody))
}

//! Blobs of another node, over HTTP.

use std::time::Duration;

use futures::StreamExt;
use openledger_types::api::{AnswerBundle, SessionState};
use openledger_types::formats::{BlobRef, SignedReceipt};
use openledger_types::merkle::Hash;
use reqwest::StatusCode;
use tokio::sync::Semaphore;

use super::view::{Answer, BlobSource};
use crate::fault::{Class, Fault, Result};

/// Most bytes of a blob that is taken or fetched.
pub const MAX_BLOB: u64 = 64 << 20;

const ATTEMPTS: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(200);
const CONNECT: Duration = Duration::from_secs(5);
/// A transfer that stands still this long is given up.
const IDLE: Duration = Duration::from_secs(30);

/// A node's blobs.
pub struct HttpBlobs {
    base_url: String,
    client: reqwest::Client,
    /// Bounds transfers at once, whoever asks.
    transfers: Semaphore,
    attempts: u32,
}

fn failed(what: String) -> Fault {
    Fault::unavailable("E-CORPUS-010", what, "Check that the node runs and is reachable, then try again.")
}

impl HttpBlobs {
    /// Blobs of the node at `base_url` (`http://` or `https://`), at most 8 transfers at once.
    ///
    /// # Errors
    /// `E-CORPUS-011` for another kind of address.
    pub fn new(base_url: &str) -> Result<Self> {
        let bad = |what: String| {
            Fault::invalid("E-CORPUS-011", what, "Give the node's address as http://host:port.")
        };
        if !base_url.starts_with("http://") && !base_url.starts_with("https://") {
            return Err(bad(format!("{base_url:?} is no address of a node")));
        }
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|e| bad(e.to_string()))?;
        Ok(HttpBlobs {
            base_url: base_url.trim_end_matches('/').to_string(),
            client,
            transfers: Semaphore::new(super::CONCURRENCY),
            attempts: ATTEMPTS,
        })
    }

    /// The same with another number of tries, at least one.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Fetches a blob, checked against its root and length. Tries again while the node is busy or
    /// unreachable.
    ///
    /// # Errors
    /// `E-CORPUS-010` unreachable, `-012` the node has not this blob, `-013` other bytes, `-014` too
    /// large.
    pub async fn get(&self, blob: &BlobRef) -> Result<Vec<u8>> {
        if blob.len > MAX_BLOB {
            return Err(Fault::new(
                Class::TooLarge,
                "E-CORPUS-014",
                format!("blob {} has {} bytes, allowed are {MAX_BLOB}", blob.root, blob.len),
                "Split the document.",
            ));
        }
        let _turn = self.transfers.acquire().await.map_err(|e| failed(e.to_string()))?;
        let url = format!("{}/v1/blobs/{}", self.base_url, blob.root.to_hex());
        let bytes = self.repeat(|| self.fetch(&url, blob.len)).await?;
        if BlobRef::of(&bytes) != *blob {
            return Err(Fault::new(
                Class::Internal,
                "E-CORPUS-013",
                format!("{url} gives other bytes than its name says"),
                "Fetch the blob from another node.",
            ));
        }
        Ok(bytes)
    }

    /// Fetches a fragment of `len` bytes, checked against the root over its 1 KiB leaves.
    ///
    /// # Errors
    /// `E-CORPUS-010` unreachable, `-012` the node has not this fragment, `-013` other bytes.
    pub async fn fragment(&self, root: &Hash, len: u64) -> Result<Vec<u8>> {
        let _turn = self.transfers.acquire().await.map_err(|e| failed(e.to_string()))?;
        let url = format!("{}/v1/blobs/{}", self.base_url, hex::encode(root));
        let bytes = self.repeat(|| self.fetch(&url, len)).await?;
        if bytes.len() as u64 != len || openledger_store::fragment_root(&bytes) != *root {
            return Err(Fault::new(
                Class::Internal,
                "E-CORPUS-013",
                format!("{url} gives other bytes than its name says"),
                "Fetch the fragment from another node.",
            ));
        }
        Ok(bytes)
    }

    /// The receipts that the node signed for a session, from the first up to `count`; fewer when it gives
    /// fewer. Nothing of them is checked.
    ///
    /// # Errors
    /// `E-CORPUS-010` unreachable, `-012` refused, `-016` not readable.
    pub async fn receipts(&self, session_id: u64, count: u64) -> Result<Vec<SignedReceipt>> {
        let mut receipts: Vec<SignedReceipt> = Vec::new();
        while (receipts.len() as u64) < count {
            let from = receipts.len() as u64 + 1;
            let url = format!("{}/v1/sessions/{session_id}?from={from}", self.base_url);
            let bytes = self.repeat(|| self.fetch(&url, MAX_BLOB)).await?;
            let state: SessionState = serde_json::from_slice(&bytes).map_err(|e| {
                Fault::unavailable(
                    "E-CORPUS-016",
                    format!("{url} gives no session: {e}"),
                    "Use a node of this release.",
                )
            })?;
            if state.receipts.is_empty() {
                break;
            }
            receipts.extend(state.receipts);
        }
        receipts.truncate(usize::try_from(count).unwrap_or(usize::MAX));
        Ok(receipts)
    }

    /// The answer whose receipt has this id, with everything to check it by. Nothing of it is checked.
    ///
    /// # Errors
    /// `E-CORPUS-010` unreachable, `-012` refused, `-016` not readable.
    pub async fn bundle(&self, receipt_id: &Hash) -> Result<AnswerBundle> {
        let url = format!("{}/v1/receipts/{}", self.base_url, hex::encode(receipt_id));
        let bytes = self.repeat(|| self.fetch(&url, MAX_BLOB)).await?;
        serde_json::from_slice(&bytes).map_err(|e| {
            Fault::unavailable(
                "E-CORPUS-016",
                format!("{url} gives no answer: {e}"),
                "Use a node of this release.",
            )
        })
    }

    /// Uploads a blob; `reference` says what on chain names it: `contribution:ID` or
    /// `model:ID:VERSION`. Uploading what is there already changes nothing.
    ///
    /// # Errors
    /// `E-CORPUS-010` unreachable, `-015` refused, with the node's words.
    pub async fn put(&self, reference: &str, bytes: &[u8]) -> Result<BlobRef> {
        let blob = BlobRef::of(bytes);
        let _turn = self.transfers.acquire().await.map_err(|e| failed(e.to_string()))?;
        let url = format!("{}/v1/blobs/{}?ref={reference}", self.base_url, blob.root.to_hex());
        self.repeat(|| async {
            let sent = self.client.put(&url).body(bytes.to_vec()).timeout(IDLE * 4).send().await;
            let response = sent.map_err(|e| failed(format!("{url}: {e}")))?;
            let status = response.status();
            if status.is_success() {
                return Ok(());
            }
            let words = response.text().await.unwrap_or_default();
            Err(refused("E-CORPUS-015", status, format!("{url} answers {status}: {}", clip(&words))))
        })
        .await?;
        Ok(blob)
    }

    async fn fetch(&self, url: &str, len: u64) -> Result<Vec<u8>> {
        let response = self.client.get(url).send().await.map_err(|e| failed(format!("{url}: {e}")))?;
        let status = response.status();
        if !status.is_success() {
            return Err(refused("E-CORPUS-012", status, format!("{url} answers {status}")));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(len.min(1 << 20)).unwrap_or(0));
        let mut stream = response.bytes_stream();
        loop {
            let next = tokio::time::timeout(IDLE, stream.next());
            let part = match next.await.map_err(|_| failed(format!("{url} stands still")))? {
                Some(part) => part.map_err(|e| failed(format!("{url}: {e}")))?,
                None => return Ok(bytes),
            };
            bytes.extend_from_slice(&part);
            if bytes.len() as u64 > len {
                // The root cannot match any more; nothing more is read.
                return Ok(bytes);
            }
        }
    }

    async fn repeat<T, F: std::future::Future<Output = Result<T>>>(&self, call: impl Fn() -> F) -> Result<T> {
        let mut wait = FIRST_WAIT;
        for _ in 1..self.attempts {
            match call().await {
                Err(fault) if fault.retry => {
                    tracing::debug!(code = fault.code, "{}; trying again", fault.what);
                    tokio::time::sleep(wait).await;
                    wait *= 2;
                }
                done => return done,
            }
        }
        call().await
    }
}

fn refused(code: &'static str, status: StatusCode, what: String) -> Fault {
    let class = if status == StatusCode::NOT_FOUND { Class::NotFound } else { Class::Unavailable };
    let fault = Fault::new(class, code, what, "Ask a node that keeps this datanet or model.");
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        fault.retryable()
    } else {
        fault
    }
}

fn clip(text: &str) -> String {
    text.chars().take(400).collect()
}

impl BlobSource for HttpBlobs {
    fn blob<'a>(&'a self, blob: &'a BlobRef) -> Answer<'a, Vec<u8>> {
        Box::pin(self.get(blob))
    }
}

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
/// Longest wait for the beginning of an answer.
const HEADERS: Duration = Duration::from_secs(15);
/// A transfer that stands still this long is given up.
const IDLE: Duration = Duration::from_secs(30);
/// Bytes a second below which a transfer is given up, whatever it still brings. Eight of them at once are 4 Mbit/s.
const LEAST_SPEED: u64 = 64 << 10;

/// Receipts in one answer, as every node pages them.
const PAGE: u64 = 100;
/// Most bytes of such an answer: 40 KiB a receipt, of which the largest has about 10.
const MAX_PAGE: u64 = 4 << 20;
/// Most bytes of an answer with everything to check it by.
const MAX_BUNDLE: u64 = 32 << 20;
/// Most bytes of a refusal that are read.
const MAX_WORDS: u64 = 4 << 10;

/// How long a node is waited for.
#[derive(Debug, Clone, Copy)]
struct Patience {
    headers: Duration,
    idle: Duration,
    /// For a transfer, beside the time that its bytes may take.
    whole: Duration,
    least_speed: u64,
}

impl Patience {
    /// For an answer of at most `len` bytes.
    fn deadline(&self, len: u64) -> Duration {
        self.whole.saturating_add(Duration::from_secs(len / self.least_speed.max(1)))
    }
}

/// Longest time for a blob of `len` bytes, in either direction.
pub fn transfer_time(len: u64) -> Duration {
    PATIENCE.deadline(len)
}

const PATIENCE: Patience = Patience { headers: HEADERS, idle: IDLE, whole: IDLE, least_speed: LEAST_SPEED };

/// Code of a node that took the connection and did not answer in time.
pub const SILENT: &str = "E-CORPUS-017";

/// A node's blobs.
pub struct HttpBlobs {
    base_url: String,
    client: reqwest::Client,
    /// Bounds transfers at once, whoever asks.
    transfers: Semaphore,
    attempts: u32,
    patience: Patience,
}

fn silent(what: String) -> Fault {
    Fault::unavailable(
        SILENT,
        what,
        "It is asked again later; see whether the node is overloaded, or use another one.",
    )
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
            patience: PATIENCE,
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
    /// large, `-017` silent or too slow.
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
    /// `E-CORPUS-010` unreachable, `-012` the node has not this fragment, `-013` other bytes, `-017` silent or too slow.
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
    /// fewer. At most `room` bytes of them are taken, by which `room` shrinks. Nothing of them is checked but how
    /// many there are: what else is wrong with a log is a finding.
    ///
    /// # Errors
    /// `E-CORPUS-010` unreachable, `-012` refused, `-016` not readable, `-017` silent or too slow, `-018` more than
    /// there is room for.
    pub async fn receipts(&self, session_id: u64, count: u64, room: &mut u64) -> Result<Vec<SignedReceipt>> {
        let mut receipts: Vec<SignedReceipt> = Vec::new();
        while (receipts.len() as u64) < count {
            let from = receipts.len() as u64 + 1;
            let url = format!("{}/v1/sessions/{session_id}?from={from}", self.base_url);
            let bytes = self.repeat(|| self.fetch(&url, MAX_PAGE)).await?;
            let too_many = |what: String| {
                let advice = "Nothing more of it is read; such a log is not audited here.";
                Fault::new(Class::TooLarge, "E-CORPUS-018", what, advice)
            };
            *room = room.checked_sub(bytes.len() as u64).ok_or_else(|| {
                too_many(format!("{url}: the receipts of one root need more memory than is given to them"))
            })?;
            let state: SessionState = serde_json::from_slice(&bytes).map_err(|e| {
                Fault::unavailable(
                    "E-CORPUS-016",
                    format!("{url} gives no session: {e}"),
                    "Use a node of this release.",
                )
            })?;
            if state.receipts.len() as u64 > PAGE {
                return Err(too_many(format!("{url} gives {} receipts, not {PAGE}", state.receipts.len())));
            }
            let full = state.receipts.len() as u64 == PAGE;
            receipts.extend(state.receipts);
            if !full {
                // The last page, or one that is kept short to make many of them.
                break;
            }
        }
        receipts.truncate(usize::try_from(count).unwrap_or(usize::MAX));
        Ok(receipts)
    }

    /// The answer whose receipt has this id, with everything to check it by. Nothing of it is checked.
    ///
    /// # Errors
    /// `E-CORPUS-010` unreachable, `-012` refused, `-016` not readable, `-017` silent or too slow.
    pub async fn bundle(&self, receipt_id: &Hash) -> Result<AnswerBundle> {
        let url = format!("{}/v1/receipts/{}", self.base_url, hex::encode(receipt_id));
        let bytes = self.repeat(|| self.fetch(&url, MAX_BUNDLE)).await?;
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
            let words = self.read(response, &url, MAX_WORDS).await.unwrap_or_default();
            let words = clip(&String::from_utf8_lossy(&words));
            Err(refused("E-CORPUS-015", status, format!("{url} answers {status}: {words}")))
        })
        .await?;
        Ok(blob)
    }

    /// At most `len` bytes and what came with the last of them.
    async fn fetch(&self, url: &str, len: u64) -> Result<Vec<u8>> {
        let deadline = self.patience.deadline(len);
        let whole = async {
            let sent = tokio::time::timeout(self.patience.headers, self.client.get(url).send());
            let sent = sent.await.map_err(|_| silent(format!("{url} does not answer")))?;
            let response = sent.map_err(|e| failed(format!("{url}: {e}")))?;
            let status = response.status();
            if !status.is_success() {
                return Err(refused("E-CORPUS-012", status, format!("{url} answers {status}")));
            }
            self.read(response, url, len).await
        };
        let late = || silent(format!("{url} did not end within {} seconds", deadline.as_secs()));
        tokio::time::timeout(deadline, whole).await.map_err(|_| late())?
    }

    async fn read(&self, response: reqwest::Response, url: &str, len: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(usize::try_from(len.min(1 << 20)).unwrap_or(0));
        let mut stream = response.bytes_stream();
        loop {
            let next = tokio::time::timeout(self.patience.idle, stream.next());
            let part = match next.await.map_err(|_| silent(format!("{url} stands still")))? {
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A node that answers every request with `head` and then a byte each 20 ms for ever; nothing at all where there
    /// is no head.
    async fn node(head: Option<&'static str>) -> HttpBlobs {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let Some(head) = head else {
                    open.push(stream);
                    continue;
                };
                tokio::spawn(async move {
                    let mut request = [0; 1024];
                    let _ = stream.read(&mut request).await;
                    let _ = stream.write_all(head.as_bytes()).await;
                    while stream.write_all(b" ").await.is_ok() {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                });
            }
        });
        let mut blobs = HttpBlobs::new(&url).unwrap().attempts(1);
        let short = Duration::from_millis(300);
        blobs.patience = Patience { headers: short, idle: short, whole: short * 2, least_speed: 1 << 30 };
        blobs
    }

    #[tokio::test]
    async fn node_attack_a_node_that_takes_the_connection_and_says_nothing_is_given_up() {
        let blobs = node(None).await;
        let begun = Instant::now();
        assert_eq!(blobs.get(&BlobRef::of(b"x")).await.unwrap_err().code, SILENT);
        assert_eq!(blobs.fragment(&[1; 32], 1024).await.unwrap_err().code, SILENT);
        assert_eq!(blobs.bundle(&[1; 32]).await.unwrap_err().code, SILENT);
        assert_eq!(blobs.receipts(1, 1, &mut 1_000).await.unwrap_err().code, SILENT);
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[tokio::test]
    async fn node_attack_a_node_that_sends_a_byte_now_and_then_is_given_up() {
        let blobs = node(Some("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")).await;
        let begun = Instant::now();
        let blob = BlobRef { len: 1_000_000, ..BlobRef::of(b"x") };
        assert_eq!(blobs.get(&blob).await.unwrap_err().code, SILENT);
        assert_eq!(blobs.bundle(&[1; 32]).await.unwrap_err().code, SILENT);
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_transfer_may_last_as_long_as_its_bytes_need() {
        assert_eq!(PATIENCE.deadline(0).as_secs(), 30);
        assert_eq!(PATIENCE.deadline(MAX_BLOB).as_secs(), 30 + 1_024);
        assert!(PATIENCE.deadline(u64::MAX) > PATIENCE.deadline(MAX_BLOB));
    }
}

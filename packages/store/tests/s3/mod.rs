//! A small S3-like service on a port of this machine: buckets addressed by path, signatures checked, pages of
//! lists, and troubles that a test orders.

mod signature;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{header, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use openledger_store::{BucketStore, Credentials, S3Settings, StoreError};
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;

pub const BUCKET: &str = "blobs";
pub const REGION: &str = "eu-test-1";
pub const KEY_ID: &str = "AKIATEST";
pub const SECRET: &str = "a secret of this test";

/// Keys on one page of a list: few, so that tests see several pages.
const PAGE: usize = 7;

/// What the service does to the next request instead of serving it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Answers with this status and error code.
    Status(u16, &'static str),
    /// Never answers.
    Silence,
    /// Serves, but the connection ends in the middle of the answer's body.
    CutBody,
    /// Takes the upload, but stores only half of it and says that all is well.
    CutUpload,
    /// Serves, but says that a deletion was done without doing it.
    KeptDeletion,
}

#[derive(Debug, Default)]
struct Inner {
    objects: BTreeMap<String, Bytes>,
    /// Troubles in store: those of a method meet requests of that method only.
    troubles: VecDeque<(Method, Trouble)>,
    versioned: bool,
    no_bucket: bool,
    /// Method and key of each request that was let in.
    seen: Vec<(Method, String)>,
}

type Shared = Arc<Mutex<Inner>>;

/// A running service; it ends when it is dropped.
pub struct Service {
    address: SocketAddr,
    inner: Shared,
    runtime: Option<Runtime>,
}

impl Service {
    pub fn start() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let inner = Shared::default();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let app = axum::Router::new()
            .fallback(serve)
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(inner.clone());
        runtime.spawn(async move { axum::serve(listener, app).await });
        Service { address, inner, runtime: Some(runtime) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn settings(&self) -> S3Settings {
        S3Settings {
            bucket: BUCKET.to_owned(),
            region: REGION.to_owned(),
            endpoint: Some(format!("http://{}", self.address)),
            prefix: "nodes/7".to_owned(),
            timeout: Duration::from_secs(20),
            retries: 2,
        }
    }

    pub fn credentials(&self) -> Credentials {
        Credentials { key_id: KEY_ID.to_owned(), secret: SECRET.to_owned().into(), token: None }
    }

    /// A store for `owner` in the service's bucket.
    pub fn store(&self, owner: &str) -> Result<BucketStore, StoreError> {
        BucketStore::open(&self.settings(), &self.credentials(), owner)
    }

    /// The next `times` requests of this method meet this trouble.
    pub fn order(&self, method: Method, trouble: Trouble, times: usize) {
        self.inner().troubles.extend(std::iter::repeat_n((method, trouble), times));
    }

    pub fn calm(&self) {
        self.inner().troubles.clear();
    }

    pub fn version_objects(&self) {
        self.inner().versioned = true;
    }

    pub fn lose_bucket(&self) {
        self.inner().no_bucket = true;
    }

    pub fn write(&self, key: &str, bytes: Vec<u8>) {
        self.inner().objects.insert(key.to_owned(), bytes.into());
    }

    pub fn keys(&self) -> Vec<String> {
        self.inner().objects.keys().cloned().collect()
    }

    /// How many requests of this method were let in.
    pub fn count(&self, method: &Method) -> usize {
        self.inner().seen.iter().filter(|(seen, _)| seen == method).count()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn refusal(status: u16, code: &str) -> Response {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>no</Message></Error>");
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

async fn serve(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, 1 << 28).await else { return refusal(400, "IncompleteBody") };
    if let Err(code) = signature::check(&parts, &body, KEY_ID, SECRET) {
        return refusal(403, code);
    }
    let trouble = {
        let mut inner = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let next = inner.troubles.iter().position(|(method, _)| *method == parts.method);
        next.and_then(|at| inner.troubles.remove(at)).map(|(_, trouble)| trouble)
    };
    match trouble {
        Some(Trouble::Status(status, code)) => return refusal(status, code),
        Some(Trouble::Silence) => std::future::pending().await,
        _ => {}
    }
    let path = parts.uri.path().trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let mut inner = shared.lock().unwrap_or_else(PoisonError::into_inner);
    if bucket != BUCKET || inner.no_bucket {
        return refusal(404, "NoSuchBucket");
    }
    inner.seen.push((parts.method.clone(), key.to_owned()));
    let query = signature::query(&parts);
    match parts.method {
        Method::GET if key.is_empty() => list(&inner.objects, &query),
        Method::GET | Method::HEAD => match inner.objects.get(key) {
            Some(bytes) => object(bytes, trouble == Some(Trouble::CutBody)),
            None => refusal(404, "NoSuchKey"),
        },
        Method::PUT => {
            if parts.headers.contains_key(header::IF_NONE_MATCH) && inner.objects.contains_key(key) {
                return refusal(412, "PreconditionFailed");
            }
            let tag = etag(&body);
            let kept = if trouble == Some(Trouble::CutUpload) { body.slice(..body.len() / 2) } else { body };
            inner.objects.insert(key.to_owned(), kept);
            let mut response = ([(header::ETAG, tag)], "").into_response();
            if inner.versioned {
                response.headers_mut().insert("x-amz-version-id", header::HeaderValue::from_static("v1"));
            }
            response
        }
        Method::DELETE => {
            if trouble != Some(Trouble::KeptDeletion) {
                inner.objects.remove(key);
            }
            StatusCode::NO_CONTENT.into_response()
        }
        _ => refusal(405, "MethodNotAllowed"),
    }
}

fn etag(bytes: &[u8]) -> String {
    format!("\"{}\"", hex::encode(&Sha256::digest(bytes)[..16]))
}

fn object(bytes: &Bytes, cut: bool) -> Response {
    let facts = [
        (header::ETAG, etag(bytes)),
        (header::CONTENT_LENGTH, bytes.len().to_string()),
        (header::LAST_MODIFIED, "Wed, 25 Nov 2026 12:00:00 GMT".to_owned()),
    ];
    let body = match cut {
        false => Body::from(bytes.clone()),
        true => {
            let half = Ok(bytes.slice(..bytes.len() / 2));
            let end = Err(std::io::Error::other("cut"));
            Body::from_stream(futures::stream::iter([half, end]))
        }
    };
    (facts, body).into_response()
}

/// A page of a list (ListObjectsV2).
fn list(objects: &BTreeMap<String, Bytes>, query: &BTreeMap<String, String>) -> Response {
    let of = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let after =
        if of("continuation-token").is_empty() { of("start-after") } else { of("continuation-token") };
    let mut found: Vec<(&String, &Bytes)> = objects
        .iter()
        .filter(|(key, _)| key.starts_with(of("prefix")) && key.as_str() > after)
        .take(PAGE + 1)
        .collect();
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let contents: String = found
        .iter()
        .map(|(key, bytes)| {
            format!(
                "<Contents><Key>{key}</Key><LastModified>2026-11-25T12:00:00.000Z</LastModified>\
                 <ETag>{}</ETag><Size>{}</Size></Contents>",
                etag(bytes).replace('"', "&quot;"),
                bytes.len()
            )
        })
        .collect();
    let next = match found.last() {
        Some((key, _)) if more => format!("<NextContinuationToken>{key}</NextContinuationToken>"),
        _ => String::new(),
    };
    format!(
        "<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>{more}</IsTruncated>{contents}{next}\
         </ListBucketResult>"
    )
    .into_response()
}

//! HTTP for `object_store` by the client that the rest of the workspace uses. Its own would be a second version
//! of reqwest, rustls and their kin.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use futures::TryStreamExt;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use object_store::ClientOptions;
use reqwest::redirect::Policy;
use reqwest::Method;

use crate::store::MAX_BLOB_BYTES;

/// Slowest upload for which a request is waited for, in bytes a second.
const SLOWEST: u64 = 64 << 10;

/// Most bytes of an answer that is neither a blob nor part of one.
const SLACK: usize = 1 << 20;

/// Makes the client.
#[derive(Debug, Clone, Copy)]
pub struct Connector {
    /// Longest silence of the service.
    pub timeout: Duration,
}

/// Requests over one pool of connections.
struct Transport {
    client: reqwest::Client,
    timeout: Duration,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = reqwest::Client::builder()
            .connect_timeout(self.timeout)
            // A signature is for one host.
            .redirect(Policy::none())
            .build()
            .map_err(|error| object_store::Error::Generic { store: "S3", source: Box::new(error) })?;
        Ok(HttpClient::new(Transport { client, timeout: self.timeout }))
    }
}

#[async_trait::async_trait]
impl HttpService for Transport {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let method = Method::from_bytes(parts.method.as_str().as_bytes()).map_err(malformed)?;
        let length = body.content_length();
        let mut outgoing = self.client.request(method, parts.uri.to_string());
        for (name, value) in &parts.headers {
            outgoing = outgoing.header(name.as_str(), value.as_bytes());
        }
        if !body.is_empty() || parts.method == http::Method::PUT {
            outgoing = outgoing.body(whole(body).await?);
        }
        let patience = self.timeout + Duration::from_secs(length as u64 / SLOWEST);
        let mut answer = within(patience, outgoing.send()).await?;

        let mut response = HttpResponse::new(bytes::Bytes::new().into());
        *response.status_mut() = http::StatusCode::from_u16(answer.status().as_u16()).map_err(malformed)?;
        for (name, value) in answer.headers() {
            let name = http::HeaderName::from_bytes(name.as_str().as_bytes()).map_err(malformed)?;
            let value = http::HeaderValue::from_bytes(value.as_bytes()).map_err(malformed)?;
            response.headers_mut().append(name, value);
        }
        // Read to its end here, so that a body that breaks off is tried again like any request.
        let mut bytes = Vec::new();
        while let Some(chunk) = within(self.timeout, answer.chunk()).await? {
            if bytes.len() + chunk.len() > MAX_BLOB_BYTES + SLACK {
                let error = std::io::Error::other("the answer is longer than any blob");
                return Err(HttpError::new(HttpErrorKind::Decode, error));
            }
            bytes.extend_from_slice(&chunk);
        }
        *response.body_mut() = bytes.into();
        Ok(response)
    }
}

/// The body in one piece.
async fn whole(body: object_store::client::HttpRequestBody) -> Result<bytes::Bytes, HttpError> {
    if let Some(bytes) = body.as_bytes() {
        return Ok(bytes.clone());
    }
    let mut bytes = Vec::with_capacity(body.content_length());
    let mut pieces = http_body_util::BodyDataStream::new(body);
    while let Some(piece) = pieces.try_next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.into())
}

/// What the client gives, if it gives it in time.
async fn within<T>(
    time: Duration,
    step: impl Future<Output = Result<T, reqwest::Error>>,
) -> Result<T, HttpError> {
    match tokio::time::timeout(time, step).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(HttpError::new(kind(&error), error.without_url())),
        Err(late) => Err(HttpError::new(HttpErrorKind::Timeout, late)),
    }
}

/// What kind decides: whether `object_store` tries again.
fn kind(error: &reqwest::Error) -> HttpErrorKind {
    if error.is_connect() {
        HttpErrorKind::Connect
    } else if error.is_timeout() {
        HttpErrorKind::Timeout
    } else if error.is_builder() {
        HttpErrorKind::Unknown
    } else {
        // Broken off while it was sent or read. Every request of a store may be made twice.
        HttpErrorKind::Interrupted
    }
}

fn malformed(error: impl std::error::Error + Send + Sync + 'static) -> HttpError {
    HttpError::new(HttpErrorKind::Decode, error)
}

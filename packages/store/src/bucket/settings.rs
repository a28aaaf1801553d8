//! Where a bucket is and who may use it.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use age::secrecy::{ExposeSecret, SecretString};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{BackoffConfig, RetryConfig};

use super::transport::Connector;
use crate::error::StoreError;

/// Most bytes of a file of credentials.
const MAX_FILE: u64 = 64 << 10;

/// Where the bucket is. Requests name it in their path (`https://endpoint/bucket/key`), which every
/// S3-compatible service takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Settings {
    /// Name of the bucket.
    pub bucket: String,
    /// Region that signatures are made for.
    pub region: String,
    /// URL of the service; none: that of AWS in the region.
    pub endpoint: Option<String>,
    /// First part of all keys, with `/` between its parts; one node has one of its own.
    pub prefix: String,
    /// Longest silence of the service; an upload may take as much longer as its length asks for.
    pub timeout: Duration,
    /// Further tries of a request that failed in a way that may pass.
    pub retries: usize,
}

impl S3Settings {
    /// The client of the service. It sends nothing yet.
    pub(crate) fn client(&self, credentials: &Credentials) -> Result<AmazonS3, StoreError> {
        let bad = |what: String| Err(StoreError::Settings(what));
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        if !(3..=63).contains(&self.bucket.len()) || !self.bucket.chars().all(plain) {
            return bad(format!(
                "{:?} is no name of a bucket: 3 to 63 of a-z, 0-9, hyphen and dot",
                self.bucket
            ));
        }
        if self.region.is_empty() || !self.region.chars().all(plain) {
            return bad(format!("{:?} is no region, for example us-east-1", self.region));
        }
        if self.prefix.is_empty() {
            return bad("the prefix is empty; give this node one of its own".to_owned());
        }
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&self.bucket)
            .with_region(&self.region)
            .with_access_key_id(&credentials.key_id)
            .with_secret_access_key(credentials.secret.expose_secret())
            // One object a request: not every service has the other form.
            .with_disable_bulk_delete(true)
            .with_retry(RetryConfig {
                backoff: BackoffConfig {
                    init_backoff: Duration::from_millis(100),
                    max_backoff: Duration::from_secs(5),
                    base: 2.0,
                },
                max_retries: self.retries,
                retry_timeout: Duration::from_secs(120),
            })
            .with_http_connector(Connector { timeout: self.timeout });
        if let Some(token) = &credentials.token {
            builder = builder.with_token(token.expose_secret());
        }
        if let Some(endpoint) = &self.endpoint {
            let url = reqwest::Url::parse(endpoint).ok();
            let usable = url.is_some_and(|url| {
                matches!(url.scheme(), "http" | "https")
                    && url.has_host()
                    && url.username().is_empty()
                    && url.password().is_none()
                    && url.query().is_none()
            });
            if !usable {
                return bad("the endpoint is no URL of the form https://host:port".to_owned());
            }
            builder = builder.with_endpoint(endpoint);
        }
        builder.build().map_err(|error| StoreError::Settings(error.to_string()))
    }
}

/// Who signs the requests. The secret is never shown.
#[derive(Clone)]
pub struct Credentials {
    /// Id of the access key.
    pub key_id: String,
    /// The access key.
    pub secret: SecretString,
    /// Token of a session, for keys that expire.
    pub token: Option<SecretString>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl Credentials {
    /// From the variables `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
    ///
    /// # Errors
    /// [`StoreError::Settings`] when one of the first two is missing.
    pub fn from_env(variable: impl Fn(&str) -> Option<String>) -> Result<Self, StoreError> {
        let value = |name: &str| variable(name).filter(|value| !value.is_empty());
        let need = |name: &str| {
            value(name).ok_or_else(|| {
                StoreError::Settings(format!("no credentials for the bucket: {name} is not set"))
            })
        };
        Ok(Credentials {
            key_id: need("AWS_ACCESS_KEY_ID")?,
            secret: need("AWS_SECRET_ACCESS_KEY")?.into(),
            token: value("AWS_SESSION_TOKEN").map(Into::into),
        })
    }

    /// From a file in the form of AWS' tools, its profile `default`:
    ///
    /// ```text
    /// [default]
    /// aws_access_key_id = AKIA…
    /// aws_secret_access_key = …
    /// ```
    ///
    /// # Errors
    /// [`StoreError::Settings`] when it cannot be read, is readable by others, or lacks a value.
    pub fn from_file(path: &Path) -> Result<Self, StoreError> {
        let bad = |what: String| StoreError::Settings(format!("{}: {what}", path.display()));
        let facts = std::fs::metadata(path).map_err(|e| bad(e.to_string()))?;
        if facts.len() > MAX_FILE {
            return Err(bad("it is too large for a file of credentials".to_owned()));
        }
        #[cfg(unix)]
        if std::os::unix::fs::PermissionsExt::mode(&facts.permissions()) & 0o077 != 0 {
            return Err(bad("others may read it; run chmod 600 on it".to_owned()));
        }
        let text = SecretString::from(std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?);
        Self::parse(text.expose_secret()).map_err(|what| bad(what.to_owned()))
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        let (mut here, mut key_id, mut secret, mut token) = (false, None, None, None);
        for line in text.lines().map(str::trim) {
            if let Some(profile) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                here = profile.trim() == "default";
            } else if let Some((name, value)) = line.split_once('=').filter(|_| here) {
                let value = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
                match name.trim() {
                    "aws_access_key_id" => key_id = value,
                    "aws_secret_access_key" => secret = value.map(SecretString::from),
                    "aws_session_token" => token = value.map(SecretString::from),
                    _ => {}
                }
            }
        }
        match (key_id, secret) {
            (Some(key_id), Some(secret)) => Ok(Credentials { key_id, secret, token }),
            _ => Err("the profile [default] lacks aws_access_key_id or aws_secret_access_key"),
        }
    }
}

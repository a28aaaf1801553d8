//! What a bucket's service refuses or fails at, in the store's own errors.

use object_store::client::{HttpError, HttpErrorKind};
use object_store::Error;

use crate::error::StoreError;

/// Most characters of a service's text that an error repeats.
const MAX_SHOWN: usize = 300;

/// A text from outside, on one line and not too long.
pub fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_SHOWN).collect()
}

/// The error of a request. S3 says what is wrong in an XML body, which `object_store` passes on as text, and
/// by the HTTP status, which it turns into kinds of errors; both are looked at, because a `HEAD` has no body.
pub fn of(error: &Error) -> StoreError {
    let text = with_causes(error);
    let says = |codes: &[&str]| codes.iter().any(|code| text.contains(&format!("<Code>{code}</Code>")));
    let what = shown(&text);
    if says(&["NoSuchBucket"]) {
        return StoreError::NoBucket(what);
    }
    if says(&["ExpiredToken", "InvalidToken", "InvalidAccessKeyId", "SignatureDoesNotMatch"]) {
        return StoreError::Refused(what);
    }
    if says(&["QuotaExceeded", "XMinioStorageFull", "InsufficientStorage"]) {
        return StoreError::DiskFull(what);
    }
    match error {
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => StoreError::Refused(what),
        // All places are made of a prefix that was checked and of hexadecimal digits.
        Error::InvalidPath { .. } => StoreError::Settings(what),
        _ if text.contains("status code: 5") || text.contains("status code: 429") => {
            StoreError::Unreachable(what)
        }
        _ => match transport_of(error) {
            Some(HttpErrorKind::Decode) | None => StoreError::Remote(what),
            Some(_) => StoreError::Unreachable(what),
        },
    }
}

/// None for an object that is not there; another error stays one, a missing bucket too.
pub fn unless_missing<T>(result: Result<T, Error>) -> Result<Option<T>, StoreError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) => match of(&error) {
            StoreError::NoBucket(what) => Err(StoreError::NoBucket(what)),
            _ if matches!(error, Error::NotFound { .. }) => Ok(None),
            other => Err(other),
        },
    }
}

/// How the transport failed, if it did.
fn transport_of(error: &Error) -> Option<HttpErrorKind> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<HttpError>() {
            return Some(error.kind());
        }
        cause = error.source();
    }
    None
}

/// The error's text, with those of its causes that it does not repeat.
fn with_causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let own = error.to_string();
        if !text.contains(&own) {
            text = format!("{text}: {own}");
        }
        cause = error.source();
    }
    text
}

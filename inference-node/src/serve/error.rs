//! Faults as HTTP answers, in OpenAI's form.

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{header, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::Json;
use openledger_types::api::{ErrorBody, ErrorDetail, PaymentRequired, HEADER_REQUIRED};

use super::payment::header_value;
use crate::fault::{Class, Fault};

/// The status of a class and OpenAI's name for it.
fn status(class: Class) -> (StatusCode, &'static str) {
    match class {
        Class::Invalid => (StatusCode::BAD_REQUEST, "invalid_request_error"),
        Class::Unauthorized => (StatusCode::UNAUTHORIZED, "authentication_error"),
        Class::Payment => (StatusCode::PAYMENT_REQUIRED, "payment_required"),
        Class::NotFound => (StatusCode::NOT_FOUND, "not_found_error"),
        Class::Conflict => (StatusCode::CONFLICT, "conflict_error"),
        Class::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "invalid_request_error"),
        Class::Busy => (StatusCode::TOO_MANY_REQUESTS, "rate_limit_error"),
        Class::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "service_unavailable"),
        Class::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
    }
}

/// The body of a fault.
pub fn body(fault: &Fault) -> ErrorBody {
    let (_, name) = status(fault.class);
    ErrorBody {
        error: ErrorDetail {
            message: format!("{}. {}", fault.what.trim_end_matches('.'), fault.advice),
            r#type: name.into(),
            code: fault.code.into(),
            retryable: fault.retry,
        },
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let (status, _) = status(self.class);
        if status.is_server_error() {
            tracing::warn!(code = self.code, "{}", self.what);
        }
        let mut response = (status, Json(body(&self))).into_response();
        if matches!(self.class, Class::Busy | Class::Unavailable) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// What the framework refuses by itself, a path, query or form that cannot be read or a method that a path does
/// not have, gets the form of all other refusals; status and headers stay.
pub async fn refusals(request: Request, next: Next) -> Response {
    const MOST: usize = 4_096;
    let mut response = next.run(request).await;
    let plain = match response.headers().get(header::CONTENT_TYPE) {
        Some(kind) => kind.as_bytes().starts_with(b"text/plain"),
        None => true,
    };
    if !response.status().is_client_error() || !plain {
        return response;
    }
    let said = to_bytes(std::mem::take(response.body_mut()), MOST).await.unwrap_or_default();
    let what = match said.is_empty() {
        true => response.status().to_string(),
        false => String::from_utf8_lossy(&said).into_owned(),
    };
    let fault = Fault::new(Class::Invalid, "E-NODE-029", what, "See docs/api.md for what a path takes.");
    let (told, form) = Json(body(&fault)).into_response().into_parts();
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.headers_mut().extend(told.headers);
    *response.body_mut() = form;
    response
}

/// A refusal for want of payment, with what to pay.
pub fn unpaid(fault: Fault, required: &PaymentRequired) -> Response {
    let mut response = fault.into_response();
    if let Some(value) = header_value(required) {
        response.headers_mut().insert(HEADER_REQUIRED, value);
    }
    response
}

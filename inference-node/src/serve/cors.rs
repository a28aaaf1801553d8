//! Cross-origin reads (Fetch standard, CORS protocol): pages of other origins may use the interface. It
//! knows no cookies and no logins, a payment is a signature in a header, so that a page of any origin can
//! do no more than a program can.

use axum::extract::{Request, State};
use axum::http::{header, HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use openledger_types::api::{
    HEADER_ALIVE, HEADER_REQUIRED, HEADER_RESPONSE, HEADER_SESSION, HEADER_SIGNATURE,
};

/// Seconds for which a browser may reuse the answer to a preflight: the most that Chromium keeps.
const MAX_AGE: &str = "7200";

/// Which origins' pages may read answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(Vec<String>);

impl Origins {
    /// Origins as browsers send them (`https://app.example`); `*` stands for all.
    pub fn new(origins: &[String]) -> Self {
        Origins(origins.iter().map(|o| o.trim_end_matches('/').to_string()).collect())
    }

    /// The value of `Access-Control-Allow-Origin` for a request of `origin`.
    fn allowed(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        if self.0.iter().any(|o| o == "*") {
            return Some(HeaderValue::from_static("*"));
        }
        let origin_text = origin.to_str().ok()?;
        self.0.iter().any(|o| o == origin_text).then(|| origin.clone())
    }
}

/// Answers preflights and marks answers as readable for the origins that are allowed.
pub async fn cors(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let Some(allowed) = headers.get(header::ORIGIN).and_then(|origin| origins.allowed(origin)) else {
        return next.run(request).await;
    };
    let preflight =
        request.method() == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response =
        if preflight { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    mark(response.headers_mut(), allowed, preflight);
    response
}

fn mark(headers: &mut HeaderMap, allowed: HeaderValue, preflight: bool) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if preflight {
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("GET, POST, PUT, OPTIONS"),
        );
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            names(&[header::CONTENT_TYPE.as_str(), HEADER_SIGNATURE, HEADER_SESSION]),
        );
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
        // Chromium asks before a page of a public address reads one of a private network.
        headers.insert(
            HeaderName::from_static("access-control-allow-private-network"),
            HeaderValue::from_static("true"),
        );
    } else {
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            names(&[HEADER_REQUIRED, HEADER_RESPONSE, HEADER_ALIVE, header::RETRY_AFTER.as_str()]),
        );
    }
}

fn names(list: &[&str]) -> HeaderValue {
    HeaderValue::from_str(&list.join(", ")).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &'static str) -> HeaderValue {
        HeaderValue::from_static(text)
    }

    #[test]
    fn only_listed_origins_are_allowed() {
        let one = Origins::new(&["https://app.example/".into()]);
        assert_eq!(one.allowed(&origin("https://app.example")), Some(origin("https://app.example")));
        assert_eq!(one.allowed(&origin("https://app.example.evil")), None);
        assert_eq!(Origins::new(&["*".into()]).allowed(&origin("https://any")), Some(origin("*")));
        assert_eq!(Origins::default().allowed(&origin("https://app.example")), None);
    }

    #[test]
    fn a_preflight_names_the_payment_headers_and_an_answer_exposes_its_own() {
        let mut headers = HeaderMap::new();
        mark(&mut headers, origin("*"), true);
        let listed = headers[header::ACCESS_CONTROL_ALLOW_HEADERS].to_str().unwrap();
        assert!(listed.contains(HEADER_SIGNATURE) && listed.contains(HEADER_SESSION));
        let mut headers = HeaderMap::new();
        mark(&mut headers, origin("*"), false);
        let listed = headers[header::ACCESS_CONTROL_EXPOSE_HEADERS].to_str().unwrap();
        assert!(listed.contains(HEADER_REQUIRED) && listed.contains(HEADER_RESPONSE));
    }
}

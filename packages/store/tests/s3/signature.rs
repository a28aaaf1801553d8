//! AWS Signature Version 4, as the service checks it
//! (docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).

use std::collections::BTreeMap;

use axum::http::request::Parts;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// Names and values of a request's query, decoded.
pub fn query(parts: &Parts) -> BTreeMap<String, String> {
    let pairs = parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        match (first, after.first_chunk::<2>()) {
            (b'%', Some(digits)) => {
                bytes.extend(hex::decode(digits).unwrap());
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Checks who signed the request and that the body is the one signed.
///
/// # Errors
/// The code that S3 answers with.
pub fn check(parts: &Parts, body: &[u8], key_id: &str, secret: &str) -> Result<(), &'static str> {
    let header = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let field = |name: &str| {
        let value = header("authorization").split(&format!("{name}=")).nth(1);
        value.and_then(|rest| rest.split(',').next()).map(str::trim).ok_or("AccessDenied")
    };
    let (who, scope) = field("Credential")?.split_once('/').ok_or("AccessDenied")?;
    if who != key_id {
        return Err("InvalidAccessKeyId");
    }
    let body_hash = hex::encode(Sha256::digest(body));
    if header("x-amz-content-sha256") != body_hash {
        return Err("XAmzContentSHA256Mismatch");
    }
    let names = field("SignedHeaders")?;
    let headers: String = names.split(';').map(|name| format!("{name}:{}\n", header(name).trim())).collect();
    let pairs: Vec<String> =
        query(parts).iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    let request =
        [parts.method.as_str(), parts.uri.path(), &pairs.join("&"), &headers, names, &body_hash].join("\n");
    let signed = format!(
        "AWS4-HMAC-SHA256\n{}\n{scope}\n{}",
        header("x-amz-date"),
        hex::encode(Sha256::digest(request))
    );
    let key = scope.split('/').fold(format!("AWS4{secret}").into_bytes(), |key, part| keyed(&key, part));
    match hex::encode(keyed(&key, &signed)) == field("Signature")? {
        true => Ok(()),
        false => Err("SignatureDoesNotMatch"),
    }
}

//! The form of a node's base URL.

use openledger_contract::CommonError;

/// Most bytes of a URL.
const MAX: usize = 256;

/// Refuses all but `http://` or `https://`, a host with an optional port, and a path: no user, no
/// query, no fragment, nothing that could not stand in a link.
pub fn validate(url: &str) -> Result<(), CommonError> {
    let rule = "http:// or https://, host, port and path, at most 256 ASCII characters";
    match is_endpoint(url) {
        true => Ok(()),
        false => Err(CommonError::BadField { field: "endpoint", rule }),
    }
}

fn is_endpoint(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else {
        return false;
    };
    let printable = url.bytes().all(|b| b.is_ascii_graphic() && !b"@?#\\\"'<>`{}|^".contains(&b));
    let authority = rest.split('/').next().unwrap_or_default();
    url.len() <= MAX && printable && is_authority(authority)
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`.
fn is_authority(authority: &str) -> bool {
    let (host, port) = match authority.strip_prefix('[') {
        Some(v6) => match v6.split_once(']') {
            Some((host, "")) => (host, None),
            Some((host, rest)) => match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None => return false,
            },
            None => return false,
        },
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let named = match authority.starts_with('[') {
        true => host.parse::<std::net::Ipv6Addr>().is_ok(),
        false => {
            let letters = host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-');
            letters && host.bytes().any(|b| b.is_ascii_alphanumeric())
        }
    };
    named && port.is_none_or(|port| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_can_be_reached_are_taken() {
        for fine in [
            "http://127.0.0.1:8080",
            "https://node.example",
            "https://node.example/openledger/",
            "http://[::1]:8080/",
            "http://localhost:1",
        ] {
            assert!(validate(fine).is_ok(), "{fine}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let long = format!("https://node.example/{}", "a".repeat(MAX));
        for wrong in [
            "",
            "node.example",
            "ftp://node.example",
            "HTTPS://node.example",
            "https://",
            "https:///path",
            "https://user:secret@node.example",
            "https://node.example?x=1",
            "https://node.example#top",
            "https://node example",
            "https://node.example/\n",
            "https://node.example:port",
            "https://node.example:70000",
            "https://node.example:",
            "https://[::1",
            "https://[zz]:1",
            "https://[::1]8080",
            "https://..",
            "https://nöde.example",
            &long,
        ] {
            assert!(validate(wrong).is_err(), "{wrong}");
        }
    }
}

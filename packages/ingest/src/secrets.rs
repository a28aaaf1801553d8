//! Secrets: keys, tokens and passwords that must never be published with a document.
//!
//! Three scanners, each linear: private keys by their frame, tokens by the prefixes that their
//! issuers print, and assignments such as `api_key = "…"` whose value is too random for a word.
//! Placeholders (`EXAMPLE`, `xxxx`, `abcdef…`, `${VAR}`) are let through, and so are names,
//! paths and calls, which fill source code. What slips through a scanner of this kind is bounded
//! by care, not by proof: the report shows every document before it is signed.

use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::refusal::line_of;

/// What a secret looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretKind {
    /// A private key in PEM or OpenPGP armour, or an age identity.
    PrivateKey,
    /// An Amazon Web Services access key id.
    AwsKey,
    /// A GitHub token.
    GithubToken,
    /// A GitLab token.
    GitlabToken,
    /// A Slack token or incoming webhook.
    SlackToken,
    /// A Google API key.
    GoogleKey,
    /// A live Stripe key or webhook secret.
    StripeKey,
    /// A key of a model or package service (OpenAI, Anthropic, Hugging Face, npm, SendGrid).
    ServiceKey,
    /// A signed JSON Web Token.
    Jwt,
    /// A random value assigned to a name such as `password`.
    Assignment,
}

impl fmt::Display for SecretKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SecretKind::PrivateKey => "a private key",
            SecretKind::AwsKey => "an AWS access key",
            SecretKind::GithubToken => "a GitHub token",
            SecretKind::GitlabToken => "a GitLab token",
            SecretKind::SlackToken => "a Slack token",
            SecretKind::GoogleKey => "a Google API key",
            SecretKind::StripeKey => "a Stripe key",
            SecretKind::ServiceKey => "a service key",
            SecretKind::Jwt => "a JSON Web Token",
            SecretKind::Assignment => "a password or key assigned to a name",
        })
    }
}

/// Where a secret stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Secret {
    /// What it looks like.
    pub kind: SecretKind,
    /// Line, from 1.
    pub line: u32,
}

/// The first secret in `text`, if any.
pub fn find_secret(text: &str) -> Option<Secret> {
    [private_key(text), token(text), assignment(text)]
        .into_iter()
        .flatten()
        .min_by_key(|(at, _)| *at)
        .map(|(at, kind)| Secret { kind, line: line_of(text.as_bytes(), at) })
}

/// A frame counts only when key material follows: programs that parse keys name the frame too.
fn private_key(text: &str) -> Option<(usize, SecretKind)> {
    text.match_indices("-----BEGIN ").find_map(|(at, _)| {
        let rest = text.get(at..)?.as_bytes();
        let rest = rest.get(..rest.len().min(600))?;
        let label_end = rest.get(11..75.min(rest.len()))?.windows(5).position(|five| five == b"-----")? + 11;
        let label = rest.get(11..label_end)?;
        if !label.windows(11).any(|window| window == b"PRIVATE KEY") {
            return None;
        }
        let body = rest.get(label_end + 5..)?;
        let body = body.split(|byte| *byte == b'-').next()?;
        let in_key = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(*byte, b'+' | b'/' | b'=');
        let material = body.split(|byte| !in_key(byte)).any(|run| run.len() >= 32);
        let placeholder =
            is_placeholder(&body.iter().copied().filter(u8::is_ascii_alphanumeric).collect::<Vec<_>>());
        (material && !placeholder).then_some((at, SecretKind::PrivateKey))
    })
}

/// Prefixes of token issuers, in the order in which a match is told apart.
const PREFIXES: [(&str, SecretKind); 24] = [
    ("AKIA", SecretKind::AwsKey),
    ("ASIA", SecretKind::AwsKey),
    ("ghp_", SecretKind::GithubToken),
    ("gho_", SecretKind::GithubToken),
    ("ghu_", SecretKind::GithubToken),
    ("ghs_", SecretKind::GithubToken),
    ("ghr_", SecretKind::GithubToken),
    ("github_pat_", SecretKind::GithubToken),
    ("glpat-", SecretKind::GitlabToken),
    ("xox", SecretKind::SlackToken),
    ("xapp-", SecretKind::SlackToken),
    ("hooks.slack.com/services/", SecretKind::SlackToken),
    ("AIza", SecretKind::GoogleKey),
    ("sk_live_", SecretKind::StripeKey),
    ("rk_live_", SecretKind::StripeKey),
    ("whsec_", SecretKind::StripeKey),
    ("sk-ant-", SecretKind::ServiceKey),
    ("sk-proj-", SecretKind::ServiceKey),
    ("sk-svcacct-", SecretKind::ServiceKey),
    ("npm_", SecretKind::ServiceKey),
    ("hf_", SecretKind::ServiceKey),
    ("SG.", SecretKind::ServiceKey),
    ("eyJ", SecretKind::Jwt),
    ("AGE-SECRET-KEY-1", SecretKind::PrivateKey),
];

static TOKEN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?x)(?-u:\b(?:
            A[KS]IA[0-9A-Z]{16}\b
          | gh[pousr]_[0-9A-Za-z]{36,}
          | github_pat_[0-9A-Za-z_]{60,}
          | glpat-[0-9A-Za-z_\-]{20,}
          | xox[abeoprs]-[0-9A-Za-z\-]{20,}
          | xapp-[0-9A-Za-z\-]{24,}
          | hooks\.slack\.com/services/T[0-9A-Z]{8,}/B[0-9A-Z]{8,}/[0-9A-Za-z]{20,}
          | AIza[0-9A-Za-z_\-]{35}
          | (?:sk|rk)_live_[0-9A-Za-z]{16,}
          | whsec_[0-9A-Za-z+/]{24,}
          | sk-(?:ant|proj|svcacct)-[0-9A-Za-z_\-]{24,}
          | npm_[0-9A-Za-z]{36}
          | hf_[0-9A-Za-z]{34}
          | SG\.[0-9A-Za-z_\-]{22}\.[0-9A-Za-z_\-]{43}
          | eyJ[0-9A-Za-z_\-]{8,}\.eyJ[0-9A-Za-z_\-]{8,}\.[0-9A-Za-z_\-]{16,}
          | AGE-SECRET-KEY-1[0-9A-Z]{58}
        ))",
    )
    .ok()
});

fn token(text: &str) -> Option<(usize, SecretKind)> {
    let regex = TOKEN.as_ref()?;
    regex.find_iter(text).find_map(|found| {
        let (prefix, kind) = PREFIXES.iter().find(|(prefix, _)| found.as_str().starts_with(prefix))?;
        let body = found.as_str().get(prefix.len()..)?.as_bytes();
        (distinct(body) >= 8 && !is_placeholder(body)).then_some((found.start(), *kind))
    })
}

/// Names whose value is a password or key.
const NAMES: [&str; 14] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "api_key",
    "apikey",
    "api-key",
    "access_key",
    "accesskey",
    "private_key",
    "privatekey",
    "token",
    "credential",
];

/// Longest stretch before the sign that may name the value.
const NAME_REACH: usize = 64;

fn assignment(text: &str) -> Option<(usize, SecretKind)> {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().find_map(|(sign, byte)| {
        if !matches!(*byte, b'=' | b':') {
            return None;
        }
        let value = value_after(bytes, sign)?;
        let name = name_before(bytes, sign);
        // Without quotation marks only `NAME=value` and `name: value` count, not a piece of an address.
        let quoted = bytes.get(..value.start).and_then(<[u8]>::last).is_some_and(|b| b"\"'`".contains(b));
        let value = bytes.get(value)?;
        let holds = |part: &[u8], any: &[u8]| part.iter().any(|byte| any.contains(byte));
        if !quoted && (holds(name, b"/?&#[:") || holds(value, b"?&#[:")) {
            return None;
        }
        let named = NAMES.iter().any(|needle| contains_ignore_case(name, needle.as_bytes()));
        let password = contains_ignore_case(name, b"pass") || contains_ignore_case(name, b"pwd");
        (named && is_random(value, password)).then_some((sign, SecretKind::Assignment))
    })
}

/// Where the quoted value after the sign stands, or the bare one that runs to the end of its line.
fn value_after(bytes: &[u8], sign: usize) -> Option<Range<usize>> {
    const REACH: usize = 256;
    let rest = bytes.get(sign + 1..)?;
    let skip = rest.iter().take(4).take_while(|byte| matches!(**byte, b' ' | b'=' | b'>' | b'\t')).count();
    let start = sign + 1 + skip;
    let rest = rest.get(skip..)?;
    if let [quote @ (b'"' | b'\'' | b'`'), inner @ ..] = rest {
        let length = inner.iter().take(REACH).position(|byte| byte == quote || *byte == b'\n')?;
        return (inner.get(length) == Some(quote)).then_some(start + 1..start + 1 + length);
    }
    let length = rest.iter().take(REACH).position(|byte| *byte == b'\n').unwrap_or(rest.len().min(REACH));
    let value = rest.get(..length)?.trim_ascii_end();
    Some(start..start + value.len())
}

/// What stands before the sign, back to the nearest separator.
fn name_before(bytes: &[u8], sign: usize) -> &[u8] {
    let start = sign.saturating_sub(NAME_REACH);
    let reach = bytes.get(start..sign).unwrap_or_default();
    let cut = reach
        .iter()
        .rposition(|byte| matches!(*byte, b'\n' | b',' | b';' | b'{' | b'('))
        .map_or(0, |at| at + 1);
    reach.get(cut..).unwrap_or_default()
}

fn contains_ignore_case(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle))
}

/// Whether a value is too random for a word, name, path or call. Passwords may be shorter than keys.
fn is_random(value: &[u8], password: bool) -> bool {
    let shortest = if password { 10 } else { 16 };
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=_-.!@#$%^&*~?".contains(byte);
    if value.len() < shortest
        || !value.iter().all(allowed)
        || value.first().is_some_and(|b| b"/.$%".contains(b))
    {
        return false;
    }
    let lower = value.iter().any(u8::is_ascii_lowercase);
    let upper = value.iter().any(u8::is_ascii_uppercase);
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let symbol = value.iter().any(|byte| b"+/=!@#$%^&*~?".contains(byte));
    let classes = usize::from(lower) + usize::from(upper) + usize::from(digits > 0) + usize::from(symbol);
    let hexadecimal = value.len() >= 32 && value.iter().all(u8::is_ascii_hexdigit) && digits >= 4;
    let mixed = classes >= 3 && digits >= if password { 1 } else { 2 };
    (mixed || hexadecimal)
        && entropy_tenths(value) >= if password { 30 } else { 33 }
        && !is_words(value)
        && !is_placeholder(value)
}

/// Parts between `_ - . /` that are all words or short numbers: an identifier, a path, a host.
fn is_words(value: &[u8]) -> bool {
    value.split(|byte| b"_-./".contains(byte)).all(|part| {
        let word = part.iter().all(u8::is_ascii_alphabetic)
            && part
                .get(1..)
                .unwrap_or_default()
                .windows(2)
                .filter(|two| two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase())
                .count()
                <= 3;
        word || (part.len() <= 4 && part.iter().all(u8::is_ascii_alphanumeric))
    })
}

/// Words and patterns that people put where a secret belongs.
fn is_placeholder(value: &[u8]) -> bool {
    const WORDS: [&str; 16] = [
        "example",
        "changeme",
        "change_me",
        "placeholder",
        "your",
        "xxxx",
        "dummy",
        "sample",
        "fake",
        "redacted",
        "password",
        "passw0rd",
        "0000000",
        "1234567",
        "test",
        "secret",
    ];
    let short = value.get(..value.len().min(256)).unwrap_or(value);
    // A long random body holds a four-letter word by chance: `test` counts for short ones only.
    let words = WORDS.iter().filter(|word| word.len() > 4 || short.len() <= 40);
    let runs = short.windows(2).filter(|two| two[1] == two[0] || two[1] == two[0].wrapping_add(1)).count();
    words.into_iter().any(|word| contains_ignore_case(short, word.as_bytes()))
        || (short.len() > 1 && runs * 2 >= short.len())
}

fn distinct(value: &[u8]) -> usize {
    let mut seen = [false; 256];
    value.iter().for_each(|byte| seen[usize::from(*byte)] = true);
    seen.iter().filter(|seen| **seen).count()
}

/// Shannon entropy in tenths of a bit per character.
fn entropy_tenths(value: &[u8]) -> u32 {
    let mut counts = [0u32; 256];
    value.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let total = value.len().max(1) as f64;
    let bits: f64 = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / total;
            -share * share.log2()
        })
        .sum();
    (bits * 10.0) as u32
}

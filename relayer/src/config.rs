//! Which chains there are. `config.example.toml` explains every field.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use openledger_client::ChainConfig;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The commented example file.
pub const EXAMPLE: &str = include_str!("../config.example.toml");
/// No configuration is longer.
const MAX_FILE: u64 = 1 << 20;

/// A configuration whose values were checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Folder of the cursors.
    pub state_dir: PathBuf,
    /// Chains, at least one.
    pub chains: Vec<ChainEntry>,
}

/// A chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainEntry {
    /// Endpoint and prices, as the client takes them.
    pub client: ChainConfig,
    /// How long a header can be trusted.
    pub trusting_period: Duration,
    /// How far clocks may be apart.
    pub clock_drift: Duration,
    /// Longest time between two blocks.
    pub max_block_time: Duration,
    /// File of the key that pays.
    pub key_file: Option<PathBuf>,
}

/// A value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Stable code.
    pub code: &'static str,
    /// Where: `chains[1].gas_price`.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub advice: &'static str,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {} ({})", self.code, self.field, self.message, self.advice)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    state_dir: PathBuf,
    chains: Vec<RawChain>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChain {
    id: String,
    rpc_addr: String,
    account_prefix: String,
    gas_price: String,
    gas_multiplier: Option<String>,
    trusting_period: String,
    clock_drift: String,
    max_block_time: String,
    key_file: Option<PathBuf>,
}

impl Config {
    /// Reads and checks a file. Errors name every value that cannot be used, not only the first.
    pub fn load(path: &Path) -> Result<Self> {
        let bad = |reason: String| Error::ConfigFile { path: path.display().to_string(), reason };
        let length = std::fs::metadata(path).map_err(|e| bad(e.to_string()))?.len();
        if length > MAX_FILE {
            return Err(bad(format!("has more than {MAX_FILE} bytes")));
        }
        let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Config::parse(&text, folder).map_err(|e| match e {
            Error::ConfigFile { reason, .. } => bad(reason),
            Error::ConfigValues { problems, .. } => {
                Error::ConfigValues { path: path.display().to_string(), problems }
            }
            other => other,
        })
    }

    /// Reads and checks a text; relative paths count from `folder`.
    pub fn parse(text: &str, folder: &Path) -> Result<Self> {
        let raw: RawConfig = toml::from_str(text).map_err(|e| Error::ConfigFile {
            path: String::new(),
            reason: e.to_string().trim().to_string(),
        })?;
        let mut problems = Vec::new();
        if raw.chains.is_empty() {
            problems.push(problem("E-RELAYER-010", "chains", "is empty", "add a [[chains]] entry"));
        }
        let mut chains: Vec<ChainEntry> = Vec::new();
        for (index, chain) in raw.chains.into_iter().enumerate() {
            if chains.iter().any(|c| c.client.chain_id == chain.id) {
                let field = format!("chains[{index}].id");
                problems.push(problem(
                    "E-RELAYER-011",
                    field,
                    format!("{:?} stands there twice", chain.id),
                    "keep one entry a chain",
                ));
            }
            chains.push(check_chain(index, chain, folder, &mut problems));
        }
        if problems.is_empty() {
            Ok(Config { state_dir: folder.join(raw.state_dir), chains })
        } else {
            Err(Error::ConfigValues { path: String::new(), problems })
        }
    }

    /// The chain with this id.
    pub fn chain(&self, id: &str) -> Result<&ChainEntry> {
        self.chains.iter().find(|c| c.client.chain_id == id).ok_or_else(|| Error::NoSuchChain {
            id: id.into(),
            known: self.chains.iter().map(|c| c.client.chain_id.as_str()).collect::<Vec<_>>().join(", "),
        })
    }
}

fn problem(
    code: &'static str,
    field: impl Into<String>,
    message: impl Into<String>,
    advice: &'static str,
) -> Problem {
    Problem { code, field: field.into(), message: message.into(), advice }
}

fn check_chain(index: usize, raw: RawChain, folder: &Path, problems: &mut Vec<Problem>) -> ChainEntry {
    let at = |field: &str| format!("chains[{index}].{field}");
    // Chain ids become file names, so their alphabet is narrow.
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if raw.id.is_empty() || raw.id.len() > 50 || !raw.id.bytes().all(plain) || raw.id.starts_with('.') {
        problems.push(problem(
            "E-RELAYER-012",
            at("id"),
            format!("{:?} is not a chain id", raw.id),
            "write it as the chain's /status does, for example openledger-1",
        ));
    }
    let scheme = raw.rpc_addr.split_once("://").map(|(scheme, rest)| (scheme, !rest.is_empty()));
    if !matches!(scheme, Some(("http" | "https", true))) {
        problems.push(problem(
            "E-RELAYER-013",
            at("rpc_addr"),
            format!("{:?} is not an http or https address", raw.rpc_addr),
            "write it like http://127.0.0.1:26657",
        ));
    }
    if raw.account_prefix.is_empty() || !raw.account_prefix.bytes().all(|b| b.is_ascii_lowercase()) {
        problems.push(problem(
            "E-RELAYER-014",
            at("account_prefix"),
            format!("{:?} is not a prefix of addresses", raw.account_prefix),
            "write lower-case letters, for example openledger",
        ));
    }
    let (price, denom) = split_price(&raw.gas_price);
    // `1e-3uopen` would read as a price of 1 in a denom of `e-3uopen`: a thousand times too much.
    let exponent = |d: &str| matches!(d.as_bytes(), [b'e' | b'E', b'-' | b'+' | b'0'..=b'9', ..]);
    if !is_decimal(price) || denom.len() < 3 || exponent(denom) {
        problems.push(problem(
            "E-RELAYER-015",
            at("gas_price"),
            format!("{:?} is not a price", raw.gas_price),
            "write a decimal number with its denom, for example 0.0025uopen",
        ));
    }
    let gas_multiplier = raw.gas_multiplier.unwrap_or_else(|| "1.4".into());
    let whole = gas_multiplier.split('.').next().and_then(|w| w.parse::<u64>().ok());
    if !is_decimal(&gas_multiplier) || !matches!(whole, Some(1..=99)) {
        problems.push(problem(
            "E-RELAYER-016",
            at("gas_multiplier"),
            format!("{gas_multiplier:?} is not a number from 1 to 100"),
            "write a decimal number, for example 1.4",
        ));
    }
    let mut duration = |field: &str, text: &str, least: u64, most: u64| {
        let seconds = parse_seconds(text).filter(|s| (least..=most).contains(s));
        if seconds.is_none() {
            problems.push(problem(
                "E-RELAYER-017",
                at(field),
                format!("{text:?} is not a duration from {least} s to {most} s"),
                "write a whole number with s, m, h or d, for example 14d",
            ));
        }
        Duration::from_secs(seconds.unwrap_or(least))
    };
    let trusting_period = duration("trusting_period", &raw.trusting_period, 60, 86_400 * 365);
    let clock_drift = duration("clock_drift", &raw.clock_drift, 1, 600);
    let max_block_time = duration("max_block_time", &raw.max_block_time, 1, 3_600);
    ChainEntry {
        client: ChainConfig {
            prefix: raw.account_prefix,
            denom: denom.to_string(),
            gas_price: price.to_string(),
            gas_multiplier,
            ..ChainConfig::new(raw.id, raw.rpc_addr)
        },
        trusting_period,
        clock_drift,
        max_block_time,
        key_file: raw.key_file.map(|file| folder.join(file)),
    }
}

/// The number and the denom of a price such as `0.0025uopen`.
fn split_price(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text.split_at(end)
}

fn is_decimal(text: &str) -> bool {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |s: &str| (1..=18).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && digits(part)
}

/// Seconds of `30s`, `10m`, `2h`, `14d`; none for anything else.
pub fn parse_seconds(text: &str) -> Option<u64> {
    let unit = match text.bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3_600,
        b'd' => 86_400,
        _ => return None,
    };
    let digits = text.get(..text.len().checked_sub(1)?)?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> Vec<(&'static str, String)> {
        match Config::parse(text, Path::new("")) {
            Err(Error::ConfigValues { problems, .. }) => {
                problems.into_iter().map(|p| (p.code, p.field)).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_example_is_good() {
        let config = Config::parse(EXAMPLE, Path::new("/etc/relayer")).unwrap();
        assert_eq!(config.state_dir, Path::new("/etc/relayer/state"));
        let chain = config.chain("openledger-1").unwrap();
        assert_eq!((chain.client.gas_price.as_str(), chain.client.denom.as_str()), ("0.0025", "uopen"));
        assert_eq!(chain.trusting_period, Duration::from_secs(14 * 86_400));
        assert_eq!(config.chain("nowhere-1").unwrap_err().code(), "E-RELAYER-003");
    }

    #[test]
    fn unknown_fields_and_bad_toml_are_errors() {
        for text in [
            "",
            "chains = 3",
            &EXAMPLE.replace("state_dir", "statedir"),
            &EXAMPLE.replace("clock_drift", "clockdrift"),
            &EXAMPLE.replace("[[chains]]", "[chains"),
        ] {
            let error = Config::parse(text, Path::new("")).unwrap_err();
            assert_eq!(error.code(), "E-RELAYER-001", "{text}");
        }
    }

    #[test]
    fn every_bad_value_is_named_with_its_place() {
        assert_eq!(codes("state_dir = 'x'\nchains = []"), vec![("E-RELAYER-010", "chains".to_string())]);
        let twice = EXAMPLE.replace("openledger-2", "openledger-1");
        assert_eq!(codes(&twice), vec![("E-RELAYER-011", "chains[1].id".to_string())]);
        for (from, to, code, field) in [
            ("\"openledger-2\"", "\"../../etc\"", "E-RELAYER-012", "id"),
            ("http://127.0.0.1:26670", "ws://127.0.0.1:26670", "E-RELAYER-013", "rpc_addr"),
            ("http://127.0.0.1:26670", "http://", "E-RELAYER-013", "rpc_addr"),
        ] {
            assert_eq!(codes(&EXAMPLE.replace(from, to)), vec![(code, format!("chains[1].{field}"))]);
        }
        for (from, to, code, field) in [
            ("\"openledger\"", "\"Open\"", "E-RELAYER-014", "account_prefix"),
            ("0.0025uopen", "0.0025", "E-RELAYER-015", "gas_price"),
            ("0.0025uopen", "uopen", "E-RELAYER-015", "gas_price"),
            ("0.0025uopen", "1e-3uopen", "E-RELAYER-015", "gas_price"),
            ("\"1.4\"", "\"0.9\"", "E-RELAYER-016", "gas_multiplier"),
            ("\"1.4\"", "\"much\"", "E-RELAYER-016", "gas_multiplier"),
            ("14d", "14 days", "E-RELAYER-017", "trusting_period"),
            ("5s", "0s", "E-RELAYER-017", "clock_drift"),
            ("30s", "99999999999999999999d", "E-RELAYER-017", "max_block_time"),
        ] {
            let found = codes(&EXAMPLE.replace(from, to));
            assert_eq!(found.first(), Some(&(code, format!("chains[0].{field}"))), "{to}");
        }
        let all = EXAMPLE.replace("14d", "x").replace("5s", "y").replace("30s", "z");
        assert_eq!(codes(&all).len(), 6);
    }
}

//! Which chains there are. `config.example.toml` explains every field.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use openledger_client::ChainConfig;
use serde::{Deserialize, Serialize};

use crate::core::batch::Limits;
use crate::core::filter::{Filter, MAX_MEMO, MAX_RECEIVER};
use crate::error::{Error, Result};

/// The commented example file.
pub const EXAMPLE: &str = include_str!("../config.example.toml");
/// Least bounty that is claimed unless told, in base units: a claim costs some hundred thousand gas.
const LEAST_BOUNTY: u64 = 100_000;
/// No configuration is longer.
const MAX_FILE: u64 = 1 << 20;

/// A configuration whose values were checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Folder of the cursors.
    pub state_dir: PathBuf,
    /// Address of metrics, health and state over HTTP; none without.
    pub listen: Option<SocketAddr>,
    /// How often everything that waits on the chains is looked for, besides what events show.
    pub clear_interval: Duration,
    /// Chains, at least one.
    pub chains: Vec<ChainEntry>,
    /// Pairs of chains that are linked.
    pub paths: Vec<PathEntry>,
}

/// A pair of chains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathEntry {
    /// Chain id of the first.
    pub a: String,
    /// Chain id of the second.
    pub b: String,
    /// Which packets are served.
    pub filter: Filter,
    /// Contract on the first chain that pays contributors out over IBC.
    pub gateway: Option<String>,
    /// What is done for that contract; none when its payouts are only relayed.
    pub service: Option<Service>,
}

/// What a relayer does for the contract that pays contributors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// How often payouts that are due are sent.
    pub interval: Duration,
    /// Least bounty that is claimed, in base units of its denom.
    pub least_bounty: u128,
}

/// A chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainEntry {
    /// Endpoint and prices, as the client takes them.
    pub client: ChainConfig,
    /// Endpoints that are used when the first fails, in this order.
    pub backup_rpc_addrs: Vec<String>,
    /// How long an endpoint may take for an answer.
    pub rpc_timeout: Duration,
    /// What a transaction may hold.
    pub limits: Limits,
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
    listen: Option<String>,
    clear_interval: Option<String>,
    chains: Vec<RawChain>,
    #[serde(default)]
    paths: Vec<RawPath>,
}

/// Keys of the top, of `[[chains]]` and of `[[paths]]`.
const KEYS: [(&str, &[&str]); 3] = [
    ("", &["state_dir", "listen", "clear_interval", "chains", "paths"]),
    (
        "chains",
        &[
            "id",
            "rpc_addr",
            "backup_rpc_addrs",
            "rpc_timeout",
            "account_prefix",
            "gas_price",
            "gas_multiplier",
            "max_gas",
            "max_msg_num",
            "max_tx_size",
            "trusting_period",
            "clock_drift",
            "max_block_time",
            "key_file",
            "fee_granter",
        ],
    ),
    (
        "paths",
        &["a", "b", "accounts", "max_memo", "max_receiver", "gateway", "flush_interval", "least_bounty"],
    ),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPath {
    a: String,
    b: String,
    #[serde(default)]
    accounts: Vec<String>,
    max_memo: Option<usize>,
    max_receiver: Option<usize>,
    gateway: Option<String>,
    flush_interval: Option<String>,
    least_bounty: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChain {
    id: String,
    rpc_addr: String,
    #[serde(default)]
    backup_rpc_addrs: Vec<String>,
    rpc_timeout: Option<String>,
    account_prefix: String,
    gas_price: String,
    gas_multiplier: Option<String>,
    max_gas: Option<u64>,
    max_msg_num: Option<usize>,
    max_tx_size: Option<usize>,
    trusting_period: String,
    clock_drift: String,
    max_block_time: String,
    key_file: Option<PathBuf>,
    fee_granter: Option<String>,
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
        let bad = |e: toml::de::Error| Error::ConfigFile {
            path: String::new(),
            reason: e.to_string().trim().to_string(),
        };
        let mut problems = unknown_keys(&text.parse::<toml::Table>().map_err(bad)?);
        if !problems.is_empty() {
            return Err(Error::ConfigValues { path: String::new(), problems });
        }
        let raw: RawConfig = toml::from_str(text).map_err(bad)?;
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
        let paths = raw.paths.into_iter().enumerate();
        let paths = paths.map(|(index, path)| check_path(index, path, &chains, &mut problems)).collect();
        let listen = raw.listen.and_then(|text| {
            let address = text.parse::<SocketAddr>().ok();
            if address.is_none() {
                let message = format!("{text:?} is not an address with a port");
                problems.push(problem("E-RELAYER-019", "listen", message, "write it like 127.0.0.1:7300"));
            }
            address
        });
        let text = raw.clear_interval.unwrap_or_else(|| "30s".into());
        let clear_interval = check_seconds("clear_interval".into(), &text, 1, 86_400, &mut problems);
        if problems.is_empty() {
            let state_dir = folder.join(raw.state_dir);
            Ok(Config { state_dir, listen, clear_interval, chains, paths })
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

/// Every key that no table has, with the known key that is nearest to it.
fn unknown_keys(top: &toml::Table) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (section, known) in KEYS {
        let tables: Vec<(String, &toml::Table)> = if section.is_empty() {
            vec![(String::new(), top)]
        } else {
            let list = top.get(section).and_then(|v| v.as_array()).map(Vec::as_slice).unwrap_or_default();
            let tables = list.iter().enumerate().filter_map(|(i, v)| Some((i, v.as_table()?)));
            tables.map(|(i, table)| (format!("{section}[{i}]."), table)).collect()
        };
        for (at, table) in tables {
            for key in table.keys().filter(|k| !known.contains(&k.as_str())) {
                let nearest = known.iter().min_by_key(|k| strsim::damerau_levenshtein(k, key));
                let message = format!("there is no such key; the nearest is {}", nearest.unwrap_or(&""));
                let advice = "correct the key; the output of `config example` explains all of them";
                problems.push(problem("E-RELAYER-018", format!("{at}{key}"), message, advice));
            }
        }
    }
    problems
}

fn check_path(index: usize, raw: RawPath, chains: &[ChainEntry], problems: &mut Vec<Problem>) -> PathEntry {
    let at = |field: &str| format!("paths[{index}].{field}");
    for (field, id) in [("a", &raw.a), ("b", &raw.b)] {
        if !chains.iter().any(|c| c.client.chain_id == *id) {
            let message = format!("no [[chains]] entry has id = {id:?}");
            problems.push(problem("E-RELAYER-009", at(field), message, "correct the id, or add the chain"));
        }
    }
    if raw.a == raw.b {
        let message = format!("{:?} cannot be linked to itself", raw.a);
        problems.push(problem("E-RELAYER-009", at("b"), message, "name two chains"));
    }
    let filter = Filter {
        accounts: raw.accounts,
        max_memo: raw.max_memo.unwrap_or(MAX_MEMO),
        max_receiver: raw.max_receiver.unwrap_or(MAX_RECEIVER),
    };
    let interval =
        raw.flush_interval.map(|text| check_seconds(at("flush_interval"), &text, 1, 30 * 86_400, problems));
    if interval.is_some() && raw.gateway.is_none() {
        let message = "there is no gateway whose payouts could be sent";
        problems.push(problem(
            "E-RELAYER-007",
            at("flush_interval"),
            message,
            "name the contract in gateway",
        ));
    }
    let least_bounty = u128::from(raw.least_bounty.unwrap_or(LEAST_BOUNTY));
    let service = interval.map(|interval| Service { interval, least_bounty });
    PathEntry { a: raw.a, b: raw.b, filter, gateway: raw.gateway, service }
}

fn check_seconds(field: String, text: &str, least: u64, most: u64, problems: &mut Vec<Problem>) -> Duration {
    let seconds = parse_seconds(text).filter(|s| (least..=most).contains(s));
    if seconds.is_none() {
        problems.push(problem(
            "E-RELAYER-017",
            field,
            format!("{text:?} is not a duration from {least} s to {most} s"),
            "write a whole number with s, m, h or d, for example 14d",
        ));
    }
    Duration::from_secs(seconds.unwrap_or(least))
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
    let backups = raw.backup_rpc_addrs.iter().enumerate();
    let backups = backups.map(|(i, rpc)| (at(&format!("backup_rpc_addrs[{i}]")), rpc));
    for (field, rpc) in std::iter::once((at("rpc_addr"), &raw.rpc_addr)).chain(backups) {
        let scheme = rpc.split_once("://").map(|(scheme, rest)| (scheme, !rest.is_empty()));
        if !matches!(scheme, Some(("http" | "https", true))) {
            let message = format!("{rpc:?} is not an http or https address");
            problems.push(problem("E-RELAYER-013", field, message, "write it like http://127.0.0.1:26657"));
        }
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
    let limits = Limits {
        messages: raw.max_msg_num.unwrap_or(50),
        gas: raw.max_gas.unwrap_or(20_000_000),
        bytes: raw.max_tx_size.unwrap_or(180_000),
    };
    if limits.messages == 0 || limits.gas < 1_000_000 || limits.bytes < 20_000 {
        problems.push(problem(
            "E-RELAYER-008",
            at("max_gas"),
            "no packet would fit into a transaction",
            "max_msg_num at least 1, max_gas at least 1000000, max_tx_size at least 20000",
        ));
    }
    let mut duration = |field: &str, text: &str, least: u64, most: u64| {
        check_seconds(at(field), text, least, most, problems)
    };
    let rpc_timeout = duration("rpc_timeout", raw.rpc_timeout.as_deref().unwrap_or("10s"), 1, 300);
    let trusting_period = duration("trusting_period", &raw.trusting_period, 60, 86_400 * 365);
    let clock_drift = duration("clock_drift", &raw.clock_drift, 1, 600);
    let max_block_time = duration("max_block_time", &raw.max_block_time, 1, 3_600);
    ChainEntry {
        client: ChainConfig {
            prefix: raw.account_prefix,
            denom: denom.to_string(),
            gas_price: price.to_string(),
            gas_multiplier,
            fee_granter: raw.fee_granter,
            ..ChainConfig::new(raw.id, raw.rpc_addr)
        },
        backup_rpc_addrs: raw.backup_rpc_addrs,
        rpc_timeout,
        limits,
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
        for text in ["", "chains = 3", "state_dir = 'x'", &EXAMPLE.replace("[[chains]]", "[chains")] {
            let error = Config::parse(text, Path::new("")).unwrap_err();
            assert_eq!(error.code(), "E-RELAYER-001", "{text}");
        }
    }

    #[test]
    fn a_typo_is_answered_with_the_nearest_key() {
        for (good, typo, field) in [
            ("state_dir", "statedir", "statedir"),
            ("clock_drift", "clokc_drift", "chains[0].clokc_drift"),
            ("gas_price", "gas_prize", "chains[0].gas_prize"),
        ] {
            let error = Config::parse(&EXAMPLE.replacen(good, typo, 1), Path::new("")).unwrap_err();
            let Error::ConfigValues { problems, .. } = error else { panic!("{error}") };
            assert_eq!((problems[0].code, problems[0].field.as_str()), ("E-RELAYER-018", field));
            assert!(problems[0].message.ends_with(good), "{}", problems[0]);
        }
    }

    #[test]
    fn paths_name_two_known_chains() {
        let to = |b: &str| EXAMPLE.replace("b = \"peer-1\"", &format!("b = {b:?}"));
        assert_eq!(codes(&to("nowhere-1")), vec![("E-RELAYER-009", "paths[0].b".to_string())]);
        assert_eq!(codes(&to("openledger-1")), vec![("E-RELAYER-009", "paths[0].b".to_string())]);
    }

    #[test]
    fn every_bad_value_is_named_with_its_place() {
        assert_eq!(codes("state_dir = 'x'\nchains = []"), vec![("E-RELAYER-010", "chains".to_string())]);
        let twice = EXAMPLE.replace("peer-1", "openledger-1");
        assert_eq!(codes(&twice).first(), Some(&("E-RELAYER-011", "chains[1].id".to_string())));
        for (from, to, code, field) in [
            ("\"peer-1\"", "\"../../etc\"", "E-RELAYER-012", "id"),
            ("http://127.0.0.1:26660", "ws://127.0.0.1:26660", "E-RELAYER-013", "rpc_addr"),
            ("http://127.0.0.1:26660", "http://", "E-RELAYER-013", "rpc_addr"),
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
        assert_eq!(codes(&all).len(), 7);
    }
}

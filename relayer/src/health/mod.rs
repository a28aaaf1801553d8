//! Looks at a chain's endpoint and says whether a relayer can live on it.

pub mod versions;

use std::time::{SystemTime, UNIX_EPOCH};

use openledger_client::proto::cosmos::base::node::v1beta1::{ConfigRequest, ConfigResponse};
use openledger_client::proto::cosmos::base::query::v1beta1::PageRequest;
use openledger_client::proto::cosmos::staking::v1beta1::{QueryParamsRequest, QueryParamsResponse};
use openledger_client::{keyfile, Chain, Status};
use openledger_types::msg::gateway::{PayoutFilter, PayoutState, PayoutsResponse, QueryMsg};
use serde::Serialize;

use crate::config::ChainEntry;

/// How good a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Works, but should be looked at.
    Warn,
    /// The relayer cannot work like this.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable code of the check.
    pub code: &'static str,
    /// How good it is.
    pub level: Level,
    /// What was found.
    pub message: String,
    /// What to do; empty when all is well.
    pub advice: &'static str,
}

/// What was found about a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Chain.
    pub chain_id: String,
    /// In the order of the checks.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The worst level.
    pub fn level(&self) -> Level {
        self.findings.iter().map(|f| f.level).max().unwrap_or(Level::Fail)
    }
}

fn finding(code: &'static str, level: Level, message: impl Into<String>, advice: &'static str) -> Finding {
    let advice = if level == Level::Ok { "" } else { advice };
    Finding { code, level, message: message.into(), advice }
}

/// Looks at everything that can be looked at; a chain that does not answer ends the list early.
pub async fn check(entry: &ChainEntry) -> Report {
    let chain_id = entry.client.chain_id.clone();
    let mut findings = Vec::new();
    let chain = match Chain::connect(entry.client.clone()).await {
        Ok(chain) => chain,
        Err(e) => {
            findings.push(finding("E-RELAYER-100", Level::Fail, format!("{}: {e}", e.code()), e.advice()));
            return Report { chain_id, findings };
        }
    };
    let rpc = format!("{} answers for {chain_id}", entry.client.rpc.rsplit('@').next().unwrap_or_default());
    findings.push(finding("E-RELAYER-100", Level::Ok, rpc, ""));
    match chain.status().await {
        Ok(status) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
            findings.extend(judge_status(&status, entry, i64::try_from(now).unwrap_or(i64::MAX)));
        }
        Err(e) => findings.push(finding("E-RELAYER-100", Level::Fail, e.to_string(), e.advice())),
    }
    findings.extend(versions::check(&chain).await);
    findings.push(ibc_module(&chain).await);
    findings.push(unbonding(&chain, entry).await);
    findings.push(gas_price(&chain, entry).await);
    if entry.key_file.is_some() {
        findings.push(key(&chain, entry).await);
    }
    Report { chain_id, findings }
}

/// Looks for payouts of a gateway whose end it was not told: a callback that failed, or a packet that nobody
/// relays. None when there are none.
pub async fn lost_payouts(entry: &ChainEntry, gateway: &str) -> Option<Finding> {
    let chain = Chain::connect(entry.client.clone()).await.ok()?;
    let (mut unresolved, mut overdue) = (0, 0);
    for (state, count) in [(PayoutState::Unresolved, &mut unresolved), (PayoutState::InFlight, &mut overdue)]
    {
        let query = QueryMsg::Payouts {
            filter: Some(PayoutFilter::State(state)),
            start_after: None,
            limit: Some(30),
        };
        let page: PayoutsResponse = match chain.query_smart(gateway, &query).await {
            Ok(page) => page,
            Err(e) => {
                let text = format!("the gateway {gateway} does not answer: {e}");
                return Some(finding("E-RELAYER-110", Level::Fail, text, "correct gateway"));
            }
        };
        let counts = |p: &&openledger_types::msg::gateway::PayoutResponse| {
            state == PayoutState::Unresolved || p.overdue
        };
        *count = page.payouts.iter().filter(counts).count();
    }
    if unresolved + overdue == 0 {
        return Some(finding("E-RELAYER-110", Level::Ok, "no payout waits for news", ""));
    }
    let text = format!("{unresolved} payout(s) are unresolved, {overdue} are past their time");
    let advice = "`openledger-relayer payouts` shows what became of them and what the owner has to decide";
    Some(finding("E-RELAYER-110", Level::Warn, text, advice))
}

/// Judges what a node says of itself, at `now` seconds since 1970.
pub fn judge_status(status: &Status, entry: &ChainEntry, now: i64) -> Vec<Finding> {
    let mut found = Vec::new();
    found.push(if status.indexes {
        finding("E-RELAYER-101", Level::Ok, "transactions are indexed", "")
    } else {
        let advice = "set indexer = \"kv\" under [tx_index] in the node's config.toml and restart it";
        finding("E-RELAYER-101", Level::Fail, "transactions are not indexed", advice)
    });
    found.push(if status.catching_up {
        let text = format!("the node still catches up (height {})", status.height);
        finding("E-RELAYER-102", Level::Fail, text, "wait until it has caught up, or use another node")
    } else {
        finding("E-RELAYER-102", Level::Ok, format!("the node is at height {}", status.height), "")
    });
    let text = format!("CometBFT {}", status.version);
    found.push(match version_level(&status.version) {
        Level::Ok => finding("E-RELAYER-103", Level::Ok, text, ""),
        Level::Warn => {
            let advice = "this version was not tried; watch the log, and compare with the release notes";
            finding("E-RELAYER-103", Level::Warn, text, advice)
        }
        Level::Fail => finding("E-RELAYER-103", Level::Fail, text, "use a node of CometBFT 0.37 or newer"),
    });
    let drift = i64::try_from(entry.clock_drift.as_secs()).unwrap_or(i64::MAX);
    let pause = i64::try_from(entry.max_block_time.as_secs()).unwrap_or(i64::MAX);
    let age = now.saturating_sub(status.time);
    found.push(if age < drift.saturating_neg() {
        let text = format!("the newest block is {} s ahead of this machine's clock", age.saturating_neg());
        finding("E-RELAYER-104", Level::Fail, text, "set this machine's clock by NTP")
    } else if age > drift.saturating_add(pause) {
        let text = format!("the newest block is {age} s old");
        let advice = "the chain has stopped or this machine's clock is ahead: compare with another node";
        finding("E-RELAYER-104", Level::Fail, text, advice)
    } else {
        finding("E-RELAYER-104", Level::Ok, format!("the newest block is {} s old", age.max(0)), "")
    });
    found
}

/// 0.37 and 0.38 were tried; older ones report events in another form.
fn version_level(version: &str) -> Level {
    let mut parts = version.trim_start_matches('v').split('.').map(|p| p.parse::<u32>().ok());
    match (parts.next().flatten(), parts.next().flatten()) {
        (Some(0), Some(37 | 38)) => Level::Ok,
        (Some(0), Some(minor)) if minor < 37 => Level::Fail,
        _ => Level::Warn,
    }
}

/// `ibc.core.client.v1.QueryClientStatesRequest`.
#[derive(Clone, PartialEq, prost::Message)]
struct ClientStatesRequest {
    #[prost(message, optional, tag = "1")]
    pagination: Option<PageRequest>,
}

/// `ibc.core.client.v1.QueryClientStatesResponse`, without the page.
#[derive(Clone, PartialEq, prost::Message)]
struct ClientStatesResponse {
    #[prost(message, repeated, tag = "1")]
    client_states: Vec<IdentifiedClientState>,
}

/// `ibc.core.client.v1.IdentifiedClientState`, without the state.
#[derive(Clone, PartialEq, prost::Message)]
struct IdentifiedClientState {
    #[prost(string, tag = "1")]
    client_id: String,
}

async fn ibc_module(chain: &Chain) -> Finding {
    let page = PageRequest { limit: 100, ..PageRequest::default() };
    let request = ClientStatesRequest { pagination: Some(page) };
    let answer =
        chain.query::<_, ClientStatesResponse>("/ibc.core.client.v1.Query/ClientStates", &request).await;
    match answer {
        Ok(answer) => {
            let text = format!("the IBC module answers: {} client(s)", answer.client_states.len());
            finding("E-RELAYER-105", Level::Ok, text, "")
        }
        Err(e) => {
            let advice = "use a chain and a node with the IBC module";
            finding("E-RELAYER-105", Level::Fail, format!("the IBC module does not answer: {e}"), advice)
        }
    }
}

async fn unbonding(chain: &Chain, entry: &ChainEntry) -> Finding {
    let answer = chain
        .query::<_, QueryParamsResponse>("/cosmos.staking.v1beta1.Query/Params", &QueryParamsRequest {})
        .await;
    let time = answer.ok().and_then(|a| a.params).and_then(|p| p.unbonding_time).map(|t| t.seconds);
    let trusted = i64::try_from(entry.trusting_period.as_secs()).unwrap_or(i64::MAX);
    match time {
        Some(time) if trusted < time => {
            let text = format!("trusting_period of {trusted} s is below the unbonding time of {time} s");
            finding("E-RELAYER-106", Level::Ok, text, "")
        }
        Some(time) => {
            let text = format!("trusting_period of {trusted} s is not below the unbonding time of {time} s");
            finding(
                "E-RELAYER-106",
                Level::Fail,
                text,
                "set trusting_period to two thirds of the unbonding time",
            )
        }
        None => {
            let advice = "compare trusting_period with the chain's unbonding time by hand";
            finding("E-RELAYER-106", Level::Warn, "the chain does not tell its unbonding time", advice)
        }
    }
}

async fn gas_price(chain: &Chain, entry: &ChainEntry) -> Finding {
    let answer =
        chain.query::<_, ConfigResponse>("/cosmos.base.node.v1beta1.Service/Config", &ConfigRequest {}).await;
    let Ok(answer) = answer else {
        let advice = "compare gas_price with the node's minimum-gas-prices by hand";
        return finding("E-RELAYER-107", Level::Warn, "the node does not tell its gas price", advice);
    };
    let denom = entry.client.denom.as_str();
    let asked = answer.minimum_gas_price.split(',').find_map(|p| p.trim().strip_suffix(denom));
    match asked {
        Some(asked) if less(&entry.client.gas_price, asked) => {
            let text =
                format!("gas_price {} is below the node's minimum of {asked}{denom}", entry.client.gas_price);
            finding("E-RELAYER-107", Level::Fail, text, "raise gas_price")
        }
        Some(asked) => {
            let text = format!("the node asks for at least {asked}{denom}");
            finding("E-RELAYER-107", Level::Ok, text, "")
        }
        None if answer.minimum_gas_price.is_empty() => {
            finding("E-RELAYER-107", Level::Ok, "the node asks for no least gas price", "")
        }
        None => {
            let text = format!("the node takes {}, not {denom}", answer.minimum_gas_price);
            finding("E-RELAYER-107", Level::Fail, text, "set gas_price in a denom that the node takes")
        }
    }
}

/// Whether decimal `a` is less than decimal `b`; both of digits and one point at most.
fn less(a: &str, b: &str) -> bool {
    let split = |text: &str| {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let whole = whole.trim_start_matches('0').to_string();
        (whole.len(), whole, part.trim_end_matches('0').to_string())
    };
    split(a) < split(b)
}

async fn key(chain: &Chain, entry: &ChainEntry) -> Finding {
    let code = "E-RELAYER-108";
    let Some(file) = &entry.key_file else { return finding(code, Level::Ok, "no key is needed", "") };
    let loaded = keyfile::load(file, None).and_then(|key| chain.signer(key));
    let signer = match loaded {
        Ok(signer) => signer,
        Err(e) => return finding(code, Level::Fail, e.to_string(), e.advice()),
    };
    match signer.balance().await {
        Ok(0) => {
            let text = format!("{} holds no {}", signer.address(), entry.client.denom);
            finding(code, Level::Fail, text, "send coins to the relayer's address")
        }
        Ok(balance) => {
            let text = format!("{} holds {balance}{}", signer.address(), entry.client.denom);
            finding(code, Level::Ok, text, "")
        }
        Err(e) => finding(code, Level::Fail, e.to_string(), e.advice()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, EXAMPLE};

    fn entry() -> ChainEntry {
        Config::parse(EXAMPLE, std::path::Path::new("")).unwrap().chains.remove(0)
    }

    fn status() -> Status {
        Status {
            chain_id: "openledger-1".into(),
            height: 10,
            earliest_height: 1,
            time: 1_000_000,
            catching_up: false,
            version: "0.38.19".into(),
            indexes: true,
        }
    }

    fn level(found: &[Finding], code: &str) -> Level {
        found.iter().find(|f| f.code == code).unwrap().level
    }

    #[test]
    fn a_good_node_is_good() {
        let found = judge_status(&status(), &entry(), 1_000_003);
        assert!(found.iter().all(|f| f.level == Level::Ok && f.advice.is_empty()), "{found:?}");
    }

    #[test]
    fn each_fault_is_named() {
        let (entry, now) = (entry(), 1_000_000);
        let judge = |status: Status, now| judge_status(&status, &entry, now);
        assert_eq!(level(&judge(Status { indexes: false, ..status() }, now), "E-RELAYER-101"), Level::Fail);
        assert_eq!(
            level(&judge(Status { catching_up: true, ..status() }, now), "E-RELAYER-102"),
            Level::Fail
        );
        for (version, expected) in [
            ("0.34.29", Level::Fail),
            ("0.37.5", Level::Ok),
            ("v0.38.0", Level::Ok),
            ("0.39.1", Level::Warn),
            ("1.0.0", Level::Warn),
            ("strange", Level::Warn),
        ] {
            let found = judge(Status { version: version.into(), ..status() }, now);
            assert_eq!(level(&found, "E-RELAYER-103"), expected, "{version}");
        }
        // Drift of 5 s, blocks of at most 30 s.
        for (now, expected) in [
            (1_000_000 - 6, Level::Fail),
            (1_000_000 - 5, Level::Ok),
            (1_000_000 + 35, Level::Ok),
            (1_000_000 + 36, Level::Fail),
            (i64::MAX, Level::Fail),
            (i64::MIN, Level::Fail),
        ] {
            assert_eq!(level(&judge(status(), now), "E-RELAYER-104"), expected, "{now}");
        }
    }

    #[test]
    fn prices_are_compared_as_decimals() {
        for (a, b, expected) in [
            ("0.0025", "0.0025", false),
            ("0.002", "0.0025", true),
            ("0.0025", "0.002500000000000000", false),
            ("0.003", "0.0025", false),
            ("9", "10", true),
            ("10", "9.5", false),
            ("0", "0.000", false),
        ] {
            assert_eq!(less(a, b), expected, "{a} < {b}");
        }
    }
}

//! One endpoint of one chain: status, queries, blocks and transactions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::prelude::{Engine, BASE64_STANDARD};
use cosmrs::proto::cosmos::auth::v1beta1::{
    ModuleAccount, QueryAccountInfoRequest, QueryAccountInfoResponse, QueryModuleAccountByNameRequest,
    QueryModuleAccountByNameResponse,
};
use cosmrs::proto::cosmos::bank::v1beta1::{QueryBalanceRequest, QueryBalanceResponse};
use cosmrs::proto::cosmwasm::wasm::v1::{
    ContractInfo, QueryContractInfoRequest, QueryContractInfoResponse, QueryRawContractStateRequest,
    QueryRawContractStateResponse, QuerySmartContractStateRequest, QuerySmartContractStateResponse,
};
use cosmrs::proto::prost::Message;
use serde::de::DeserializeOwned;
use serde::Serialize;
use tendermint::block::Height;
use tendermint_rpc::client::CompatMode;
use tendermint_rpc::{Client, HttpClient, HttpClientUrl};

use crate::config::{ChainConfig, Decimal};
use crate::error::{contract_message, refusal, shorten, Error, Result};
use crate::key::Key;
use crate::message::json;
use crate::result::{Event, TxResult};
use crate::signer::Signer;

/// Longest time for one call to the endpoint.
const CALL: Duration = Duration::from_secs(30);
/// Longest time for the connection to stand.
const CONNECT: Duration = Duration::from_secs(5);
/// Pause between two looks at a chain that something is awaited on.
const POLL: Duration = Duration::from_millis(150);

/// A connection to a chain whose id was checked. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Chain(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: ChainConfig,
    price: Decimal,
    multiplier: Decimal,
    http: HttpClient,
    /// The endpoint without user name and password, for messages.
    shown: String,
}

/// What the node says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Chain id.
    pub chain_id: String,
    /// Newest block.
    pub height: u64,
    /// Oldest block that it keeps.
    pub earliest_height: u64,
    /// Time of the newest block, in seconds since 1970.
    pub time: i64,
    /// Whether it still catches up with the chain.
    pub catching_up: bool,
    /// Version of CometBFT.
    pub version: String,
    /// Whether it can look transactions up by hash.
    pub indexes: bool,
}

/// What a signature of an account needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Number of the account.
    pub number: u64,
    /// Number of its next transaction.
    pub sequence: u64,
}

impl Chain {
    /// Connects and compares chain ids. Errors: `Config`, `Unreachable`, `WrongChain`.
    pub async fn connect(config: ChainConfig) -> Result<Self> {
        let (price, multiplier) = config.numbers()?;
        let bad = |reason: String| Error::Config { field: "rpc", reason };
        let url: HttpClientUrl =
            config.rpc.as_str().try_into().map_err(|e: tendermint_rpc::Error| bad(first_line(&e)))?;
        let parsed = reqwest::Url::parse(&config.rpc).map_err(|e| bad(e.to_string()))?;
        let mut builder = reqwest::Client::builder().timeout(CALL).connect_timeout(CONNECT);
        // A proxy of the environment cannot reach this machine's own chain.
        if matches!(parsed.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|e| bad(e.to_string()))?;
        let http = HttpClient::builder(url)
            .compat_mode(CompatMode::V0_38)
            .client(client)
            .build()
            .map_err(|e| bad(first_line(&e)))?;
        let mut shown = parsed;
        // Both fail only for addresses without a host, which were refused above.
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
        let shown = shown.to_string().trim_end_matches('/').to_string();
        let chain = Chain(Arc::new(Inner { config, price, multiplier, http, shown }));
        let status = chain.status().await?;
        if status.chain_id != chain.config().chain_id {
            return Err(Error::WrongChain {
                rpc: chain.0.shown.clone(),
                expected: chain.config().chain_id.clone(),
                actual: status.chain_id,
            });
        }
        Ok(chain)
    }

    /// The settings.
    pub fn config(&self) -> &ChainConfig {
        &self.0.config
    }

    /// The RPC client, for calls that this crate has no words for.
    pub fn http(&self) -> &HttpClient {
        &self.0.http
    }

    /// An account that sends transactions. One program should hold one signer an account and clone
    /// it, so that sequences stay in order.
    pub fn signer(&self, key: Key) -> Result<Signer> {
        Signer::new(self.clone(), key)
    }

    /// What the node says of itself.
    pub async fn status(&self) -> Result<Status> {
        let status = self.0.http.status().await.map_err(|e| self.rpc_error(e))?;
        Ok(Status {
            chain_id: status.node_info.network.to_string(),
            height: status.sync_info.latest_block_height.value(),
            earliest_height: status.sync_info.earliest_block_height.value(),
            time: status.sync_info.latest_block_time.unix_timestamp(),
            catching_up: status.sync_info.catching_up,
            version: status.node_info.version.to_string(),
            indexes: status.node_info.other.tx_index.into(),
        })
    }

    /// Height of the newest block.
    pub async fn latest_height(&self) -> Result<u64> {
        Ok(self.status().await?.height)
    }

    /// Waits until the chain has block `height`; answers with the newest height. A chain that does
    /// not answer for a while is waited for too. Errors: `Timeout`, `Unreachable`.
    pub async fn wait_for_height(&self, height: u64, timeout: Duration) -> Result<u64> {
        let start = Instant::now();
        loop {
            let seen = self.latest_height().await;
            match seen {
                Ok(now) if now >= height => return Ok(now),
                Ok(_) if start.elapsed() >= timeout => {
                    return Err(Error::Timeout { what: format!("block {height}"), waited: timeout })
                }
                Ok(_) => {}
                Err(e) if !e.retryable() || start.elapsed() >= timeout => return Err(e),
                Err(_) => {}
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits for one more block than there is now, a minute at most; answers with the height.
    pub async fn wait_for_next_block(&self) -> Result<u64> {
        let now = self.latest_height().await?;
        self.wait_for_height(now.saturating_add(1), Duration::from_secs(60)).await
    }

    /// Calls a gRPC query method by its path through ABCI, at the newest height or a given one; takes
    /// and gives encoded messages. Errors: `NotFound`, `Query`, `Contract`, `Unreachable`.
    pub async fn abci_query(&self, path: &str, data: Vec<u8>, height: Option<u64>) -> Result<Vec<u8>> {
        let height = height.map(to_height).transpose()?;
        let answer = self
            .0
            .http
            .abci_query(Some(path.to_string()), data, height, false)
            .await
            .map_err(|e| self.rpc_error(e))?;
        if answer.code.is_ok() {
            return Ok(answer.value);
        }
        if let Some(message) = contract_message(&answer.log) {
            return Err(Error::Contract { message, hash: None });
        }
        let code = answer.code.value();
        // Code 22 of the SDK: key not found; the words cover modules that answer with another code.
        if (answer.codespace == "sdk" && code == 22)
            || answer.log.contains("not found")
            || answer.log.contains("no such contract")
        {
            return Err(Error::NotFound(shorten(&answer.log)));
        }
        Err(Error::Query {
            path: path.to_string(),
            codespace: answer.codespace,
            code,
            log: shorten(&answer.log),
        })
    }

    /// Calls a gRPC query method with typed messages.
    pub async fn query<Q: Message, R: Message + Default>(&self, path: &str, request: &Q) -> Result<R> {
        let value = self.abci_query(path, request.encode_to_vec(), None).await?;
        R::decode(value.as_slice())
            .map_err(|e| Error::Malformed { what: format!("answer to {path}"), reason: e.to_string() })
    }

    /// Asks a contract. Errors: `Contract` when it refuses, `NotFound` when there is none at the
    /// address, `Malformed` when the answer is not of type `R`.
    pub async fn query_smart<Q: Serialize + ?Sized, R: DeserializeOwned>(
        &self,
        contract: &str,
        query: &Q,
    ) -> Result<R> {
        let request = QuerySmartContractStateRequest { address: contract.into(), query_data: json(query)? };
        let answer: QuerySmartContractStateResponse =
            self.query("/cosmwasm.wasm.v1.Query/SmartContractState", &request).await?;
        serde_json::from_slice(&answer.data).map_err(|e| Error::Malformed {
            what: format!("answer of contract {contract}"),
            reason: e.to_string(),
        })
    }

    /// The bytes under a storage key of a contract; none when there is nothing.
    pub async fn query_raw(&self, contract: &str, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let request = QueryRawContractStateRequest { address: contract.into(), query_data: key.to_vec() };
        let answer: QueryRawContractStateResponse =
            self.query("/cosmwasm.wasm.v1.Query/RawContractState", &request).await?;
        Ok(Some(answer.data).filter(|d| !d.is_empty()))
    }

    /// Code, creator, admin and label of a contract.
    pub async fn contract_info(&self, contract: &str) -> Result<ContractInfo> {
        let request = QueryContractInfoRequest { address: contract.into() };
        let answer: QueryContractInfoResponse =
            self.query("/cosmwasm.wasm.v1.Query/ContractInfo", &request).await?;
        answer.contract_info.ok_or_else(|| Error::NotFound(format!("contract {contract}")))
    }

    /// What an account holds of a denom, in base units; 0 for an unknown account.
    pub async fn balance(&self, address: &str, denom: &str) -> Result<u128> {
        let request = QueryBalanceRequest { address: address.into(), denom: denom.into() };
        let answer: QueryBalanceResponse = self.query("/cosmos.bank.v1beta1.Query/Balance", &request).await?;
        let amount = answer.balance.map_or_else(|| "0".to_string(), |c| c.amount);
        amount.parse().map_err(|e: std::num::ParseIntError| Error::Malformed {
            what: format!("balance of {address}"),
            reason: format!("{amount:?}: {e}"),
        })
    }

    /// Number and next sequence of an account, as of the newest block. Errors: `NotFound` until the
    /// account has received its first coins.
    pub async fn account(&self, address: &str) -> Result<Account> {
        let request = QueryAccountInfoRequest { address: address.into() };
        let answer: QueryAccountInfoResponse =
            self.query("/cosmos.auth.v1beta1.Query/AccountInfo", &request).await?;
        let info = answer.info.ok_or_else(|| Error::NotFound(format!("account {address}")))?;
        Ok(Account { number: info.account_number, sequence: info.sequence })
    }

    /// Address of a module's account, for example `gov`.
    pub async fn module_address(&self, module: &str) -> Result<String> {
        let request = QueryModuleAccountByNameRequest { name: module.into() };
        let answer: QueryModuleAccountByNameResponse =
            self.query("/cosmos.auth.v1beta1.Query/ModuleAccountByName", &request).await?;
        let bad = |reason: String| Error::Malformed { what: format!("account of module {module}"), reason };
        let any = answer.account.ok_or_else(|| Error::NotFound(format!("account of module {module}")))?;
        let account = ModuleAccount::decode(any.value.as_slice()).map_err(|e| bad(e.to_string()))?;
        account.base_account.map(|b| b.address).ok_or_else(|| bad("it has no address".into()))
    }

    /// A transaction by its hash (64 hexadecimal digits), once it stands in a block. Errors:
    /// `NotFound` while it does not, `Contract`, `OutOfGas` or `TxFailed` when it failed there.
    pub async fn tx(&self, hash: &str) -> Result<TxResult> {
        let bad = |reason: String| Error::Input { what: "transaction hash", reason };
        let bytes = hex::decode(hash.trim_start_matches("0x")).map_err(|e| bad(e.to_string()))?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| bad("must have 32 bytes".into()))?;
        let hash = hex::encode_upper(bytes);
        let answer = match self.0.http.tx(tendermint::Hash::Sha256(bytes), false).await {
            Ok(answer) => answer,
            Err(e) => {
                return Err(match self.rpc_error(e) {
                    Error::Rpc(text) if text.contains("not found") => {
                        Error::NotFound(format!("transaction {hash}"))
                    }
                    other => other,
                })
            }
        };
        let result = answer.tx_result;
        let height = answer.height.value();
        let gas = |n: i64| u64::try_from(n).unwrap_or(0);
        let (gas_used, gas_wanted) = (gas(result.gas_used), gas(result.gas_wanted));
        if result.code.is_err() {
            let code = result.code.value();
            if (result.codespace == "sdk" && code == 11) || result.log.contains("out of gas in location") {
                return Err(Error::OutOfGas { hash, height, gas_used, gas_wanted });
            }
            if let Some(message) = contract_message(&result.log) {
                return Err(Error::Contract { message, hash: Some(hash) });
            }
            let (codespace, log) = (result.codespace, shorten(&result.log));
            return Err(Error::TxFailed { hash, height, codespace, code, log });
        }
        executed(hash, height, result)
    }

    /// Waits until a transaction that was sent stands in a block, up to the settings' time or until
    /// its last height has passed. Errors: those of [`Chain::tx`], `Unconfirmed`, `Expired`.
    pub async fn confirm(&self, hash: &str, timeout_height: u64) -> Result<TxResult> {
        let start = Instant::now();
        let limit = Duration::from_secs(self.config().confirm_seconds);
        let unconfirmed = |reason: String| Error::Unconfirmed { hash: hash.into(), timeout_height, reason };
        loop {
            // The height is read before the transaction: when it lay beyond the last height plus one
            // block for the indexer, a transaction that is not found then is not there.
            let height = self.latest_height().await;
            match self.tx(hash).await {
                Err(Error::NotFound(_)) => {
                    if height.is_ok_and(|h| h > timeout_height.saturating_add(1)) {
                        return Err(Error::Expired { hash: hash.into(), timeout_height });
                    }
                    if start.elapsed() >= limit {
                        return Err(unconfirmed(format!("no block took it within {} s", limit.as_secs())));
                    }
                }
                Err(e @ (Error::Unreachable { .. } | Error::Rpc(_))) => {
                    if start.elapsed() >= limit {
                        return Err(unconfirmed(e.to_string()));
                    }
                }
                done => return done,
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Gas for a simulation's result: times the multiplier, rounded up.
    pub(crate) fn gas_for(&self, used: u64) -> Result<u64> {
        self.0
            .multiplier
            .mul_ceil(used)
            .and_then(|gas| u64::try_from(gas).ok())
            .ok_or(Error::Config { field: "gas_multiplier", reason: "gas overflows".into() })
    }

    /// Fee for an amount of gas, rounded up.
    pub(crate) fn fee_for(&self, gas: u64) -> Result<u128> {
        self.0
            .price
            .mul_ceil(gas)
            .ok_or(Error::Config { field: "gas_price", reason: "the fee overflows".into() })
    }

    /// Names an error of the RPC client that [`Chain::http`] gave: nobody there, or a node that refuses.
    pub fn name_error(&self, error: tendermint_rpc::Error) -> Error {
        self.rpc_error(error)
    }

    /// Names an error of the RPC client: nobody there, or a node that refuses.
    pub(crate) fn rpc_error(&self, error: tendermint_rpc::Error) -> Error {
        use tendermint_rpc::error::ErrorDetail;
        match error.detail() {
            ErrorDetail::Response(response) => {
                let text = response.source.to_string();
                match refusal("", 0, &text) {
                    Error::TxRejected { log, .. } => Error::Rpc(log),
                    named => named,
                }
            }
            ErrorDetail::Serde(_) | ErrorDetail::Parse(_) | ErrorDetail::MalformedJson(_) => {
                Error::Malformed { what: format!("answer of {}", self.0.shown), reason: first_line(&error) }
            }
            ErrorDetail::HttpRequestFailed(failed) if failed.status.is_client_error() => {
                Error::Rpc(format!("{} answered {}", self.0.shown, failed.status))
            }
            _ => Error::Unreachable {
                chain_id: self.config().chain_id.clone(),
                rpc: self.0.shown.clone(),
                reason: first_line(&error),
            },
        }
    }
}

/// A height that CometBFT takes.
pub(crate) fn to_height(height: u64) -> Result<Height> {
    Height::try_from(height).map_err(|e| Error::Input { what: "height", reason: e.to_string() })
}

/// The error with its causes, on one line: "HTTP error: … connection refused".
fn first_line(error: &tendermint_rpc::Error) -> String {
    let text = format!("{:#}", error.trace());
    shorten(text.lines().next().unwrap_or_default())
}

/// What a transaction did, as an endpoint tells it. Errors: `Malformed`.
pub(crate) fn executed(
    hash: String,
    height: u64,
    result: tendermint::abci::types::ExecTxResult,
) -> Result<TxResult> {
    let gas = |n: i64| u64::try_from(n).unwrap_or(0);
    let (gas_used, gas_wanted) = (gas(result.gas_used), gas(result.gas_wanted));
    let events = result.events.into_iter().map(Event::from).collect();
    // tendermint-rpc 0.40 hands the field on as the base64 text that the node writes.
    let data = BASE64_STANDARD.decode(&result.data).map_err(|e| Error::Malformed {
        what: format!("data of transaction {hash}"),
        reason: e.to_string(),
    })?;
    Ok(TxResult { hash, height, gas_used, gas_wanted, events, data })
}

//! One account that sends transactions.
//!
//! A transaction is simulated, signed with the account's next sequence, given to the node, and waited
//! for. What may be repeated, and why that never pays twice:
//! - *The same bytes* may be given to nodes any number of times: they are one transaction.
//! - *Another transaction with the same sequence* excludes the first: a block takes one of the two.
//! - A node that answers "sequence mismatch" has not taken the transaction, so it is signed anew with
//!   the sequence that the node expects.
//! - A transaction that ran out of gas stands in a block without effect, so it is sent anew with more.
//! - After "sent, but not seen" nothing is repeated: the first may still land beside the second. Each
//!   transaction carries a last height, after which the question is settled.

use std::sync::Arc;
use std::time::Duration;

use cosmrs::proto::cosmos::base::abci::v1beta1::TxMsgData;
use cosmrs::proto::cosmos::base::v1beta1::Coin as ProtoCoin;
use cosmrs::proto::cosmos::crypto::secp256k1::PubKey;
use cosmrs::proto::cosmos::tx::signing::v1beta1::SignMode;
use cosmrs::proto::cosmos::tx::v1beta1::{
    mode_info::{Single, Sum},
    AuthInfo, Fee, ModeInfo, SignDoc, SignerInfo, SimulateRequest, SimulateResponse, TxBody, TxRaw,
};
use cosmrs::proto::cosmwasm::wasm::v1::{
    MsgInstantiateContract2Response, MsgInstantiateContractResponse, MsgStoreCodeResponse,
};
use cosmrs::proto::prost::{Message, Name};
use cosmrs::Any;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tendermint_rpc::Client;
use tokio::sync::Mutex;

use crate::chain::{Account, Chain};
use crate::config::Coin;
use crate::error::{refusal, Error, Result};
use crate::key::Key;
use crate::message;
use crate::result::TxResult;

/// Longest memo that the SDK takes by default, in bytes.
const MAX_MEMO: usize = 256;
/// How often a transaction is tried again after a sequence mismatch.
const RESYNCS: usize = 4;
/// Time for a node to check what waits in its mempool against a new block.
const RECHECK: Duration = Duration::from_millis(150);
/// How often the same bytes are given to a node that does not answer.
const HANDOVERS: usize = 3;

/// An account that sends transactions one after the other. Clones share the sequence.
#[derive(Clone, Debug)]
pub struct Signer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    chain: Chain,
    key: Key,
    address: String,
    /// Number and next sequence; none before the first use and after anything unclear.
    account: Mutex<Option<Account>>,
}

/// A transaction that a node has taken.
struct Sent {
    hash: String,
    timeout_height: u64,
}

impl Signer {
    pub(crate) fn new(chain: Chain, key: Key) -> Result<Self> {
        let address = key.address(&chain.config().prefix)?;
        Ok(Signer(Arc::new(Inner { chain, key, address, account: Mutex::new(None) })))
    }

    /// The account's address.
    pub fn address(&self) -> &str {
        &self.0.address
    }

    /// The account's key.
    pub fn key(&self) -> &Key {
        &self.0.key
    }

    /// The chain.
    pub fn chain(&self) -> &Chain {
        &self.0.chain
    }

    /// What the account holds of the chain's fee denom.
    pub async fn balance(&self) -> Result<u128> {
        self.0.chain.balance(&self.0.address, &self.0.chain.config().denom).await
    }

    /// Sends messages in one transaction and waits for its block: all of them take effect, or none.
    /// Several tasks may call it at once; their transactions queue. Errors: see [`Error`]; with
    /// `Unconfirmed` look the hash up before anything is sent again.
    pub async fn broadcast(&self, messages: Vec<Any>, memo: &str) -> Result<TxResult> {
        self.broadcast_with_reserve(messages, memo, 0).await
    }

    /// Like [`Signer::broadcast`], with `reserve` units of gas on top of what the simulation used: for
    /// messages whose execution may use more than their simulation shows, such as IBC callbacks.
    pub async fn broadcast_with_reserve(
        &self,
        messages: Vec<Any>,
        memo: &str,
        reserve: u64,
    ) -> Result<TxResult> {
        if messages.is_empty() {
            return Err(Error::Input { what: "transaction", reason: "it has no messages".into() });
        }
        if memo.len() > MAX_MEMO {
            return Err(Error::Input { what: "memo", reason: format!("has more than {MAX_MEMO} bytes") });
        }
        let sent = self.submit(&messages, memo, 0, reserve).await?;
        match self.0.chain.confirm(&sent.hash, sent.timeout_height).await {
            Err(Error::OutOfGas { gas_used, gas_wanted, .. }) => {
                let more = gas_used.max(gas_wanted);
                let more = more.saturating_add(more / 2);
                tracing::warn!(hash = %sent.hash, gas_wanted, more, "out of gas; sent again with more");
                let sent = self.submit(&messages, memo, more, 0).await?;
                self.0.chain.confirm(&sent.hash, sent.timeout_height).await
            }
            done => done,
        }
    }

    /// Executes a message on a contract.
    pub async fn execute<T: Serialize + ?Sized>(
        &self,
        contract: &str,
        msg: &T,
        funds: &[Coin],
    ) -> Result<TxResult> {
        let any = self.execute_message(contract, msg, funds)?;
        self.broadcast(vec![any], "").await
    }

    /// Executes several messages in one transaction: (contract, message, funds).
    pub async fn execute_many(&self, calls: Vec<(String, serde_json::Value, Vec<Coin>)>) -> Result<TxResult> {
        let messages = calls
            .iter()
            .map(|(contract, msg, funds)| self.execute_message(contract, msg, funds))
            .collect::<Result<Vec<Any>>>()?;
        self.broadcast(messages, "").await
    }

    /// The message that executes `msg` on a contract, for [`Signer::broadcast`].
    pub fn execute_message<T: Serialize + ?Sized>(
        &self,
        contract: &str,
        msg: &T,
        funds: &[Coin],
    ) -> Result<Any> {
        message::execute(self.address(), contract, message::json(msg)?, funds)
    }

    /// Sends coins.
    pub async fn bank_send(&self, to: &str, coins: &[Coin]) -> Result<TxResult> {
        self.broadcast(vec![message::send(self.address(), to, coins)?], "").await
    }

    /// Sends coins to several accounts in one transaction.
    pub async fn bank_multi_send(&self, sends: &[(String, Vec<Coin>)]) -> Result<TxResult> {
        let messages = sends
            .iter()
            .map(|(to, coins)| message::send(self.address(), to, coins))
            .collect::<Result<Vec<Any>>>()?;
        self.broadcast(messages, "").await
    }

    /// Stores a wasm module; answers with its code id.
    pub async fn store_code(&self, wasm: &[u8]) -> Result<u64> {
        let result = self.broadcast(vec![message::store_code(self.address(), wasm)?], "").await?;
        Ok(first_answer::<MsgStoreCodeResponse>(&result)?.code_id)
    }

    /// Makes a contract of a stored module; answers with its address. Without an admin it can never
    /// be migrated.
    pub async fn instantiate<T: Serialize + ?Sized>(
        &self,
        code_id: u64,
        msg: &T,
        label: &str,
        admin: Option<&str>,
    ) -> Result<String> {
        let msg = message::json(msg)?;
        let any = message::instantiate(self.address(), code_id, msg, label, admin, &[])?;
        let result = self.broadcast(vec![any], "").await?;
        Ok(first_answer::<MsgInstantiateContractResponse>(&result)?.address)
    }

    /// The address that a contract of this module will have when this account makes it by
    /// [`Signer::instantiate2`] with this salt.
    pub fn predicted_address(&self, wasm: &[u8], salt: &[u8]) -> Result<String> {
        let bad = |reason: String| Error::Input { what: "predicted address", reason };
        let creator: cosmrs::AccountId =
            self.address().parse().map_err(|e: cosmrs::ErrorReport| bad(e.to_string()))?;
        let creator = cosmwasm_std::CanonicalAddr::from(creator.to_bytes());
        let address = cosmwasm_std::instantiate2_address(&Sha256::digest(wasm), &creator, salt)
            .map_err(|e| bad(e.to_string()))?;
        cosmrs::AccountId::new(&self.chain().config().prefix, address.as_slice())
            .map(|id| id.to_string())
            .map_err(|e| bad(e.to_string()))
    }

    /// Makes a contract of a stored module at an address that was known before.
    pub async fn instantiate2<T: Serialize + ?Sized>(
        &self,
        code_id: u64,
        msg: &T,
        label: &str,
        admin: Option<&str>,
        salt: &[u8],
    ) -> Result<String> {
        let any = message::instantiate2(self.address(), code_id, message::json(msg)?, label, admin, salt);
        let result = self.broadcast(vec![any], "").await?;
        Ok(first_answer::<MsgInstantiateContract2Response>(&result)?.address)
    }

    /// Moves a contract to another stored module. Only its admin can.
    pub async fn migrate<T: Serialize + ?Sized>(
        &self,
        contract: &str,
        code_id: u64,
        msg: &T,
    ) -> Result<TxResult> {
        let any = message::migrate(self.address(), contract, code_id, message::json(msg)?);
        self.broadcast(vec![any], "").await
    }

    /// Gas that the messages would use now.
    pub async fn simulate(&self, messages: &[Any], memo: &str) -> Result<u64> {
        let account = self.0.chain.account(&self.0.address).await?;
        let body = body(messages, memo, 0);
        self.simulate_body(&body, account.sequence).await
    }

    /// Signs and hands a transaction over, one at a time; `least_gas` is a floor under the gas, `reserve`
    /// comes on top of what the simulation asks for.
    async fn submit(&self, messages: &[Any], memo: &str, least_gas: u64, reserve: u64) -> Result<Sent> {
        let mut slot = self.0.account.lock().await;
        let mut resyncs = 0;
        // Taken out, so that a call that fails or is dropped half-way leaves nothing unclear behind.
        let mut account = match slot.take() {
            Some(account) => account,
            None => self.0.chain.account(&self.0.address).await?,
        };
        loop {
            match self.hand_over(messages, memo, (least_gas, reserve), account).await {
                Ok(sent) => {
                    *slot = Some(Account { sequence: account.sequence.saturating_add(1), ..account });
                    return Ok(sent);
                }
                Err(Error::Sequence { expected, log }) if resyncs < RESYNCS => {
                    resyncs += 1;
                    tracing::debug!(%log, "sequence read anew");
                    // What the node expects counts its waiting transactions; what the chain has
                    // stored does not.
                    account = match expected {
                        // Right after a block it counts them again: it may be behind for a moment.
                        Some(sequence) if sequence < account.sequence && resyncs < RESYNCS => {
                            tokio::time::sleep(RECHECK).await;
                            account
                        }
                        Some(sequence) => Account { sequence, ..account },
                        None => self.0.chain.account(&self.0.address).await?,
                    };
                }
                Err(e) => return Err(e),
            }
        }
    }

    async fn hand_over(
        &self,
        messages: &[Any],
        memo: &str,
        (least_gas, reserve): (u64, u64),
        account: Account,
    ) -> Result<Sent> {
        let chain = &self.0.chain;
        let timeout_height = chain.latest_height().await?.saturating_add(chain.config().timeout_blocks);
        let body = body(messages, memo, timeout_height);
        let used = self.simulate_body(&body, account.sequence).await?;
        let gas = chain.gas_for(used)?.saturating_add(reserve).max(least_gas);
        let fee = Coin::new(chain.fee_for(gas)?, chain.config().denom.clone());
        let tx = self.sign(&body, account, gas, &fee);
        let hash = hex::encode_upper(Sha256::digest(&tx));
        let mut failures = 0;
        loop {
            match chain.http().broadcast_tx_sync(tx.clone()).await.map_err(|e| chain.rpc_error(e)) {
                Ok(answer) if answer.code.is_ok() => break,
                // Code 19 of the SDK: these very bytes wait in the mempool already.
                Ok(answer) if answer.codespace == "sdk" && answer.code.value() == 19 => break,
                Ok(answer) => match refusal(&answer.codespace, answer.code.value(), &answer.log) {
                    // An earlier hand-over without an answer may have brought it into a block since:
                    // signing anew could pay twice, so its hash is waited for.
                    Error::Sequence { .. } if failures > 0 => break,
                    refused => return Err(refused),
                },
                Err(Error::Rpc(text)) if text.contains("already exists in cache") => break,
                Err(e @ (Error::Unreachable { .. } | Error::Malformed { .. })) => {
                    failures += 1;
                    if failures == HANDOVERS {
                        return Err(Error::Unconfirmed { hash, timeout_height, reason: e.to_string() });
                    }
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                Err(e) => return Err(e),
            }
        }
        tracing::debug!(%hash, sequence = account.sequence, gas, fee = %fee, "sent");
        Ok(Sent { hash, timeout_height })
    }

    async fn simulate_body(&self, body: &TxBody, sequence: u64) -> Result<u64> {
        // One unit of fee, so that the gas of taking a fee is counted.
        let auth = self.auth_info(sequence, 0, &Coin::new(1, self.0.chain.config().denom.clone()));
        let raw = TxRaw {
            body_bytes: body.encode_to_vec(),
            auth_info_bytes: auth.encode_to_vec(),
            // An empty signature counts as one of the usual size in a simulation.
            signatures: vec![Vec::new()],
        };
        #[allow(deprecated)]
        let request = SimulateRequest { tx: None, tx_bytes: raw.encode_to_vec() };
        let answer: Result<SimulateResponse> =
            self.0.chain.query("/cosmos.tx.v1beta1.Service/Simulate", &request).await;
        let answer = answer.map_err(|e| match e {
            Error::Query { codespace, code, log, .. } => refusal(&codespace, code, &log),
            Error::NotFound(log) => Error::NotFound(log),
            other => other,
        })?;
        answer.gas_info.map(|g| g.gas_used).ok_or_else(|| Error::Malformed {
            what: "simulation".into(),
            reason: "it says nothing about gas".into(),
        })
    }

    fn auth_info(&self, sequence: u64, gas: u64, fee: &Coin) -> AuthInfo {
        let key = PubKey { key: self.0.key.public_key().to_vec() };
        let amount = if fee.amount == 0 {
            Vec::new()
        } else {
            vec![ProtoCoin { denom: fee.denom.clone(), amount: fee.amount.to_string() }]
        };
        let granter = self.0.chain.config().fee_granter.clone().unwrap_or_default();
        #[allow(deprecated)]
        AuthInfo {
            signer_infos: vec![SignerInfo {
                public_key: Some(message::any(&key)),
                mode_info: Some(ModeInfo {
                    sum: Some(Sum::Single(Single { mode: SignMode::Direct.into() })),
                }),
                sequence,
            }],
            fee: Some(Fee { amount, gas_limit: gas, payer: String::new(), granter }),
            tip: None,
        }
    }

    /// The bytes of the signed transaction (ADR-020, sign mode direct).
    fn sign(&self, body: &TxBody, account: Account, gas: u64, fee: &Coin) -> Vec<u8> {
        let body_bytes = body.encode_to_vec();
        let auth_info_bytes = self.auth_info(account.sequence, gas, fee).encode_to_vec();
        let document = SignDoc {
            body_bytes: body_bytes.clone(),
            auth_info_bytes: auth_info_bytes.clone(),
            chain_id: self.0.chain.config().chain_id.clone(),
            account_number: account.number,
        };
        let digest: [u8; 32] = Sha256::digest(document.encode_to_vec()).into();
        let signature = self.0.key.sign_digest(&digest).to_vec();
        TxRaw { body_bytes, auth_info_bytes, signatures: vec![signature] }.encode_to_vec()
    }
}

fn body(messages: &[Any], memo: &str, timeout_height: u64) -> TxBody {
    TxBody { messages: messages.to_vec(), memo: memo.to_string(), timeout_height, ..TxBody::default() }
}

/// The answer to a transaction's first message.
fn first_answer<M: Message + Name + Default>(result: &TxResult) -> Result<M> {
    let bad =
        |reason: String| Error::Malformed { what: format!("data of transaction {}", result.hash), reason };
    let data = TxMsgData::decode(result.data.as_slice()).map_err(|e| bad(e.to_string()))?;
    let any = data.msg_responses.first().ok_or_else(|| bad("it answers no message".into()))?;
    if any.type_url != M::type_url() {
        return Err(bad(format!("it answers {}", any.type_url)));
    }
    M::decode(any.value.as_slice()).map_err(|e| bad(e.to_string()))
}

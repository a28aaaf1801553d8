//! The world of these tests: simulated, or a chain that runs with the compiled contracts on it. The
//! stage `suite` of scripts/test starts such a chain and names it:
//!
//! - `OPENLEDGER_SUITE_RPC`: CometBFT RPC address; without it the world is simulated.
//! - `OPENLEDGER_SUITE_CHAIN_ID`: chain id.
//! - `OPENLEDGER_SUITE_WASM`: folder with the compiled contracts.
//! - `OPENLEDGER_SUITE_ACCOUNTS`: file with the development accounts, of which `deployer` pays.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::OnceLock;
use std::time::Duration;

use cosmwasm_std::{from_json, to_json_vec, Addr, Coin, Event};
use cw_multi_test::AppResponse;
use openledger_client as client;
use openledger_client::proto::cosmos::crypto::ed25519;
use openledger_client::proto::cosmos::staking::v1beta1::{CommissionRates, Description, MsgCreateValidator};
use openledger_client::proto::prost::{Message, Name};
use openledger_contract::validator::operator_address;
use openledger_testing::{Chain, Profile, Refused, Result, World};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;

/// Denom of fees and bonds.
const DENOM: &str = "uopen";
/// Base units of an account: many accounts share one faucet.
const BALANCE: u128 = 10_000_000_000;
/// Self-delegation of an auditor's validator: above a node's least bond, and so little of the stake
/// that the chain goes on although nobody votes for it.
const SELF_DELEGATION: u128 = 1_000_000_000;
/// Longest wait for blocks.
const PATIENCE: Duration = Duration::from_secs(120);

/// The world that the environment names, with some parameters changed.
pub fn world(change: fn(&mut Profile)) -> World {
    match shared() {
        None => World::builder().profile(change).build(),
        Some(shared) => World::builder()
            .profile(shorten)
            .profile(change)
            .balance(BALANCE)
            .chain(Devnet::new(shared))
            .build(),
    }
}

/// Windows in blocks of a fifth of a second: long enough for a test's transactions, short enough to be
/// waited for.
fn shorten(profile: &mut Profile) {
    let Profile { datanet, node_registry, escrow, referee, .. } = profile;
    datanet.acceptance_blocks = 2;
    datanet.access_blocks = 10;
    datanet.withdrawal_grace = 210;
    escrow.max_session_blocks = 200;
    escrow.challenge_blocks = 16;
    escrow.epoch_blocks = 12;
    escrow.grace_blocks = 8;
    node_registry.unbonding_blocks = 120;
    node_registry.veto_blocks = 10;
    referee.availability_blocks = 4;
    referee.demand_blocks = 12;
    referee.dispute_blocks = 48;
}

/// What all worlds of a run share.
struct Shared {
    runtime: Runtime,
    chain: client::Chain,
    faucet: client::Signer,
    /// Contract → its code.
    codes: BTreeMap<String, u64>,
    worlds: AtomicU64,
}

fn shared() -> Option<&'static Shared> {
    static SHARED: OnceLock<Option<Shared>> = OnceLock::new();
    let named = |name: &str| {
        std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run scripts/test --stage suite"))
    };
    SHARED
        .get_or_init(|| {
            let rpc = std::env::var("OPENLEDGER_SUITE_RPC").ok()?;
            let runtime = Runtime::new().expect("a runtime starts");
            let config = client::ChainConfig::new(named("OPENLEDGER_SUITE_CHAIN_ID"), rpc);
            let text =
                std::fs::read_to_string(named("OPENLEDGER_SUITE_ACCOUNTS")).expect("the accounts are there");
            let accounts: Value = serde_json::from_str(&text).expect("accounts are JSON");
            let list = accounts["accounts"].as_array().expect("a list of accounts");
            let deployer = list.iter().find(|entry| entry["name"] == "deployer").expect("a deployer");
            let words = deployer["mnemonic"].as_str().expect("a mnemonic");
            let key = client::Key::from_mnemonic(words).expect("a mnemonic makes a key");
            let (chain, faucet, codes) = runtime.block_on(async {
                let chain = client::Chain::connect(config).await.expect("the chain answers");
                let faucet = chain.signer(key).expect("the faucet signs");
                let mut codes = BTreeMap::new();
                for name in [
                    "arbiter",
                    "datanet",
                    "ibc-gateway",
                    "model-registry",
                    "node-registry",
                    "payable-escrow",
                    "referee",
                    "storage",
                ] {
                    let path = format!("{}/{name}.wasm", named("OPENLEDGER_SUITE_WASM"));
                    let wasm = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
                    let code =
                        faucet.store_code(&wasm).await.unwrap_or_else(|error| panic!("{path}: {error}"));
                    codes.insert(name.to_string(), code);
                }
                (chain, faucet, codes)
            });
            Some(Shared { runtime, chain, faucet, codes, worlds: AtomicU64::new(0) })
        })
        .as_ref()
}

/// One world's accounts on the chain.
struct Devnet {
    shared: &'static Shared,
    /// Makes its accounts' keys differ from those of other worlds and runs.
    salt: String,
    signers: BTreeMap<Addr, client::Signer>,
    /// Transaction fees paid so far.
    fees: BTreeMap<Addr, u128>,
}

impl Devnet {
    fn new(shared: &'static Shared) -> Self {
        let number = shared.worlds.fetch_add(1, Ordering::Relaxed);
        let salt = format!("{number} of {}", std::process::id());
        Devnet { shared, salt, signers: BTreeMap::new(), fees: BTreeMap::new() }
    }

    fn wait<T>(&self, work: impl Future<Output = client::Result<T>>) -> Result<T> {
        self.shared.runtime.block_on(work).map_err(|error| Refused(error.to_string()))
    }

    fn key(&self, name: &str) -> client::Key {
        let secret = Sha256::digest(format!("{name} in world {}", self.salt));
        client::Key::from_bytes(&secret.into()).expect("no hash above the group's order has been seen")
    }

    fn signer(&self, address: &Addr) -> client::Signer {
        self.signers.get(address).unwrap_or_else(|| panic!("{address} is no account of this world")).clone()
    }

    fn note_fee(&mut self, payer: &Addr, done: &client::TxResult) {
        let fee = done.attribute("tx", "fee").and_then(|fee| fee.strip_suffix(DENOM)?.parse::<u128>().ok());
        *self.fees.entry(payer.clone()).or_default() += fee.expect("a transaction says its fee");
    }
}

fn coins(coins: &[Coin]) -> Vec<client::Coin> {
    let amount = |coin: &Coin| coin.amount.to_string().parse().expect("tests stay below 2^128");
    coins.iter().map(|coin| client::Coin::new(amount(coin), coin.denom.clone())).collect()
}

impl Chain for Devnet {
    fn chain_id(&self) -> String {
        self.shared.chain.config().chain_id.clone()
    }

    fn height(&self) -> u64 {
        self.wait(self.shared.chain.latest_height()).expect("the chain tells its height")
    }

    fn advance_to(&mut self, height: u64) {
        // A node tells of a block a moment before its application has it.
        self.wait(self.shared.chain.wait_for_height(height + 1, PATIENCE)).expect("blocks are made");
    }

    fn address(&self, name: &str) -> Addr {
        let address = self.key(name).address(&self.shared.chain.config().prefix);
        Addr::unchecked(address.expect("a key has an address"))
    }

    fn account(&mut self, name: &str) -> Addr {
        let signer = self.shared.chain.signer(self.key(name)).expect("a key signs");
        let address = Addr::unchecked(signer.address());
        self.signers.insert(address.clone(), signer);
        address
    }

    fn mint(&mut self, to: &Addr, amount: Coin) {
        let amount = coins(&[amount]);
        self.wait(self.shared.faucet.bank_send(to.as_str(), &amount)).expect("the faucet has coins");
    }

    fn balance(&self, address: &Addr, denom: &str) -> u128 {
        let held = self.wait(self.shared.chain.balance(address.as_str(), denom)).expect("the bank answers");
        held + self.fees.get(address).copied().unwrap_or_default()
    }

    fn instantiate(&mut self, name: &str, owner: &Addr, msg: &[u8]) -> Addr {
        let msg: Value = from_json(msg).expect("messages are JSON");
        let (code, signer) = (self.shared.codes[name], self.signer(owner));
        let made = self.wait(signer.instantiate(code, &msg, name, Some(owner.as_str())));
        Addr::unchecked(made.unwrap_or_else(|error| panic!("{name}: {error}")))
    }

    fn execute(&mut self, sender: &Addr, contract: &Addr, msg: &[u8], funds: &[Coin]) -> Result<AppResponse> {
        let msg: Value = from_json(msg).expect("messages are JSON");
        let signer = self.signer(sender);
        let done = self.wait(signer.execute(contract.as_str(), &msg, &coins(funds)))?;
        self.note_fee(sender, &done);
        let event = |event: client::Event| {
            // Keys with an underscore are the chain's own; an event of a contract may not have them.
            let own = event.attributes.into_iter().filter(|pair| !pair.key.starts_with('_'));
            Event::new(event.kind).add_attributes(own.map(|pair| (pair.key, pair.value)))
        };
        let events = done.events.into_iter().map(event).collect();
        Ok(AppResponse { events, ..AppResponse::default() })
    }

    fn query(&self, contract: &Addr, msg: &[u8]) -> Result<Vec<u8>> {
        let msg: Value = from_json(msg).expect("messages are JSON");
        let answer: Value = self.wait(self.shared.chain.query_smart(contract.as_str(), &msg))?;
        to_json_vec(&answer).map_err(Refused::from)
    }

    fn add_validator(&mut self, operator: &Addr) {
        // Nobody holds the consensus key: the validator never votes.
        let consensus = ed25519::PubKey { key: Sha256::digest(operator.as_bytes()).to_vec() };
        let rate = |percent: u64| (percent * 10_u64.pow(16)).to_string();
        #[allow(deprecated)]
        let msg = MsgCreateValidator {
            description: Some(Description { moniker: "auditor".into(), ..Description::default() }),
            commission: Some(CommissionRates {
                rate: rate(10),
                max_rate: rate(20),
                max_change_rate: rate(1),
            }),
            min_self_delegation: "1".into(),
            delegator_address: operator.to_string(),
            validator_address: operator_address(operator.as_str()).expect("accounts are bech32"),
            pubkey: Some(client::Any {
                type_url: ed25519::PubKey::type_url(),
                value: consensus.encode_to_vec(),
            }),
            value: Some(openledger_client::proto::cosmos::base::v1beta1::Coin {
                denom: DENOM.into(),
                amount: SELF_DELEGATION.to_string(),
            }),
        };
        let any = client::Any { type_url: MsgCreateValidator::type_url(), value: msg.encode_to_vec() };
        let signer = self.signer(operator);
        let done = self.wait(signer.broadcast(vec![any], "")).expect("a validator is made");
        self.note_fee(operator, &done);
    }
}

//! Two running chains, accounts on them, and transfers between them.

// Each test program uses its own part.
#![allow(dead_code)]

pub mod devnet;
pub mod hermes;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ibc_proto::cosmos::base::v1beta1::Coin;
use ibc_proto::ibc::applications::transfer::v1::MsgTransfer;
use openledger_client::{Any, Chain, Key, Signer};
use openledger_relayer::chain::message::ChannelKind;
use openledger_relayer::chain::ChainHandle;
use openledger_relayer::config::{ChainEntry, Config};
use openledger_relayer::link::{link, now_ns, Linked};
use openledger_relayer::relay::Relay;
use openledger_relayer::store::Store;
use prost::{Message, Name};
use sha2::{Digest, Sha256};

pub const SECOND: u64 = 1_000_000_000;
pub const HOUR: u64 = 3_600 * SECOND;

/// The RPC addresses of the two chains; none when they are not there.
pub fn pair() -> Option<(String, String)> {
    let text = std::env::var("OPENLEDGER_TEST_PAIR").ok()?;
    let (a, b) = text.split_once(',').expect("OPENLEDGER_TEST_PAIR is two addresses with a comma");
    Some((a.to_string(), b.to_string()))
}

/// A configuration of the two chains; `extra` stands in both [[chains]] entries.
pub fn config(a: &str, b: &str, trusting: &str, extra: &str) -> Config {
    let chain = |id: &str, rpc: &str, prefix: &str, denom: &str| {
        format!(
            "[[chains]]\nid = \"{id}\"\nrpc_addr = \"{rpc}\"\naccount_prefix = \"{prefix}\"\n\
             gas_price = \"0.0025{denom}\"\ntrusting_period = \"{trusting}\"\nclock_drift = \"5s\"\n\
             max_block_time = \"30s\"\n{extra}\n"
        )
    };
    let text = format!(
        "state_dir = \"state\"\n{}{}[[paths]]\na = \"openledger-1\"\nb = \"peer-1\"\n",
        chain("openledger-1", a, "openledger", "uopen"),
        chain("peer-1", b, "peer", "upeer")
    );
    Config::parse(&text, Path::new("")).unwrap()
}

/// A development account's secret words.
pub fn mnemonic(name: &str) -> String {
    let path = "../testnet/dev-accounts.json";
    let accounts: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let accounts = accounts["accounts"].as_array().unwrap();
    let account = accounts.iter().find(|a| a["name"] == name).unwrap();
    account["mnemonic"].as_str().unwrap().into()
}

/// A development account's key.
pub fn key(name: &str) -> Key {
    Key::from_mnemonic(&mnemonic(name)).unwrap()
}

/// Both chains, with a key that pays on both.
pub fn handles(config: &Config, payer: &str) -> (Arc<ChainHandle>, Arc<ChainHandle>) {
    handles_with(config, &key(payer))
}

fn handles_with(config: &Config, key: &Key) -> (Arc<ChainHandle>, Arc<ChainHandle>) {
    let handle = |entry: &ChainEntry| Arc::new(ChainHandle::new(entry.clone(), Some(key.clone())));
    (handle(&config.chains[0]), handle(&config.chains[1]))
}

/// A relayer of the path, with its state in a folder.
pub fn relayer(config: &Config, payer: &str, linked: &Linked, folder: &Path) -> Relay {
    relayer_with(config, &key(payer), linked, folder)
}

/// The same with any key.
pub fn relayer_with(config: &Config, payer: &Key, linked: &Linked, folder: &Path) -> Relay {
    let store = Arc::new(Store::open(folder).unwrap());
    let pair = handles_with(config, payer);
    Relay::new(pair, linked.clone(), &config.paths[0], Duration::from_secs(5), store, folder)
}

/// Users of both chains and the channel between them.
pub struct World {
    pub users: [Signer; 2],
    pub linked: Linked,
    pub config: Config,
}

impl World {
    pub async fn new(a: &str, b: &str) -> Self {
        let config = config(a, b, "14d", "");
        let (near, far) = handles(&config, "auditor");
        let linked = link(&near, &far, &ChannelKind::transfer(), None).await.unwrap();
        let mut users = Vec::new();
        for entry in &config.chains {
            let chain = Chain::connect(entry.client.clone()).await.unwrap();
            users.push(chain.signer(key("user")).unwrap());
        }
        World { users: users.try_into().unwrap(), linked, config }
    }

    fn channel(&self, from: usize) -> &str {
        [&self.linked.a.channel, &self.linked.b.channel][from]
    }

    /// A transfer of the sender's own coin.
    pub fn transfer(&self, from: usize, to: &str, amount: u64, timeout_ns: u64, memo: &str) -> Any {
        let message = MsgTransfer {
            source_port: "transfer".into(),
            source_channel: self.channel(from).into(),
            token: Some(Coin { denom: ["uopen", "upeer"][from].into(), amount: amount.to_string() }),
            sender: self.users[from].address().into(),
            receiver: to.into(),
            timeout_height: Some(Default::default()),
            timeout_timestamp: now_ns() + timeout_ns,
            memo: memo.into(),
        };
        Any { type_url: MsgTransfer::type_url(), value: message.encode_to_vec() }
    }

    /// Sends transfers in one transaction, and waits until they can be proved.
    pub async fn send(&self, from: usize, messages: Vec<Any>) {
        let user = &self.users[from];
        let tx = user.broadcast(messages, "").await.unwrap();
        user.chain().wait_for_height(tx.height + 1, Duration::from_secs(60)).await.unwrap();
    }

    /// What the receiver's account on the other chain holds of the sender's coin.
    pub async fn arrived(&self, from: usize, address: &str) -> u128 {
        let trace = format!("transfer/{}/{}", self.channel(1 - from), ["uopen", "upeer"][from]);
        let denom = format!("ibc/{}", hex::encode_upper(Sha256::digest(trace)));
        self.users[1 - from].chain().balance(address, &denom).await.unwrap()
    }

    /// Waits until nothing is on its way in either direction; somebody else relays.
    pub async fn wait_until_clear(&self) {
        let (a, b) = handles(&self.config, "auditor");
        for _ in 0..600 {
            let mut left = 0;
            for (chain, end) in [(&a, &self.linked.a), (&b, &self.linked.b)] {
                let height = chain.status().await.unwrap().height - 1;
                left += chain.commitments(&end.port, &end.channel, height).await.unwrap().len();
            }
            if left == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("packets still wait");
    }

    /// Waits until an account has received so much.
    pub async fn wait_for_arrival(&self, from: usize, address: &str, amount: u128) {
        for _ in 0..600 {
            if self.arrived(from, address).await >= amount {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nothing arrives");
    }

    /// What lies in the channel's escrow account on the sender's chain: what is on its way or over there.
    pub async fn escrowed(&self, from: usize) -> u128 {
        let mut hash = Sha256::new();
        hash.update(b"ics20-1");
        hash.update([0]);
        hash.update(format!("transfer/{}", self.channel(from)));
        let bytes = hash.finalize();
        let prefix = ["openledger", "peer"][from];
        let address = cosmrs::AccountId::new(prefix, &bytes[..20]).unwrap().to_string();
        let denom = ["uopen", "upeer"][from];
        self.users[from].chain().balance(&address, denom).await.unwrap()
    }
}

/// An endpoint that passes everything on, and each answer through `change`, which sees the question as well.
pub async fn proxy<F>(target: &str, change: F) -> String
where
    F: Fn(&serde_json::Value, String) -> String + Clone + Send + Sync + 'static,
{
    let (client, target) = (reqwest::Client::new(), target.to_string());
    let router = axum::Router::new().fallback(move |body: axum::body::Bytes| {
        let (client, target, change) = (client.clone(), target.clone(), change.clone());
        async move {
            let question: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let answer = client.post(&target).body(body).send().await.unwrap().text().await.unwrap();
            ([("content-type", "application/json")], change(&question, answer))
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// Plays rounds until nothing is on its way.
pub async fn settle(relay: &mut Relay) {
    for _ in 0..200 {
        let round = relay.round().await;
        let (a, b) = relay.read().await.unwrap();
        if a.state.sent.is_empty() && b.state.sent.is_empty() && a.unknown.is_empty() && b.unknown.is_empty()
        {
            return;
        }
        if let Err(e) = round {
            eprintln!("round: {}: {e}", e.code());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("packets still wait");
}

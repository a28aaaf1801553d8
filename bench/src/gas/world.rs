//! The chain with all contracts on it, and who acts.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use cosmwasm_std::Uint128;
use openledger_client::{Chain, ChainConfig, Coin, Key, Signer, TxResult};
use openledger_types::msg::{arbiter, datanet, escrow, model_registry, node_registry, referee};
use openledger_types::profile::Profile;
use serde::de::DeserializeOwned;
use serde::Serialize;

/// The contracts in the order in which they are set up.
pub const CONTRACTS: [&str; 8] = [
    "datanet",
    "model-registry",
    "node-registry",
    "payable-escrow",
    "referee",
    "ibc-gateway",
    "storage",
    "arbiter",
];

/// Denom of fees and bonds.
const DENOM: &str = "uopen";

/// Longest wait for blocks.
const PATIENCE: Duration = Duration::from_secs(120);

/// A chain that runs, with all contracts.
pub struct World {
    chain: Chain,
    /// Parameters of the contracts.
    pub profile: Profile,
    /// Owner of the contracts.
    pub owner: Signer,
    /// Operator of all nodes.
    pub operator: Signer,
    /// Operator of the chain's validator.
    pub validator: Signer,
    /// Developer of the model.
    pub developer: Signer,
    /// Who asks and pays.
    pub user: Signer,
    /// Owner of the datanet, and its contributor.
    pub data_owner: Signer,
    /// The datanet contract.
    pub datanet: String,
    /// The model registry.
    pub model_registry: String,
    /// The node registry.
    pub node_registry: String,
    /// The escrow.
    pub escrow: String,
    /// The referee.
    pub referee: String,
    /// The arbiter.
    pub arbiter: String,
    /// Bytes of the contracts.
    pub wasm_bytes: [usize; 8],
}

impl World {
    /// Stores, instantiates and connects the contracts.
    pub async fn deploy(rpc: &str, chain_id: &str, wasm_dir: &Path, accounts: &Path) -> Result<Self> {
        let chain = Chain::connect(ChainConfig::new(chain_id, rpc)).await?;
        let signer = |name: &str| -> Result<Signer> { Ok(chain.signer(account(accounts, name)?)?) };
        let owner = signer("deployer")?;
        let profile = profile();
        let mut codes = [0; 8];
        let mut wasm_bytes = [0; 8];
        for (i, name) in CONTRACTS.iter().enumerate() {
            let path = wasm_dir.join(format!("{name}.wasm"));
            let wasm = std::fs::read(&path)
                .with_context(|| format!("{}: build it with scripts/build-contracts", path.display()))?;
            wasm_bytes[i] = wasm.len();
            codes[i] = owner.store_code(&wasm).await?;
        }
        let by = owner.address().to_string();
        let admin = Some(by.as_str());
        let msg =
            datanet::InstantiateMsg { owner: by.clone(), params: profile.datanet.clone(), connect: None };
        let datanet = owner.instantiate(codes[0], &msg, "datanet", admin).await?;
        let msg = model_registry::InstantiateMsg {
            owner: by.clone(),
            datanet: datanet.clone(),
            params: profile.model_registry.clone(),
        };
        let model_registry = owner.instantiate(codes[1], &msg, "model registry", admin).await?;
        let msg = node_registry::InstantiateMsg {
            owner: by.clone(),
            params: profile.node_registry.clone(),
            connect: None,
        };
        let node_registry = owner.instantiate(codes[2], &msg, "node registry", admin).await?;
        let msg = escrow::InstantiateMsg {
            owner: by.clone(),
            model_registry: model_registry.clone(),
            node_registry: node_registry.clone(),
            params: profile.escrow.clone(),
            connect: None,
        };
        let escrow = owner.instantiate(codes[3], &msg, "payable escrow", admin).await?;
        let msg = referee::InstantiateMsg {
            owner: by.clone(),
            datanet: datanet.clone(),
            node_registry: node_registry.clone(),
            escrow: escrow.clone(),
            arbiter: None,
            params: profile.referee.clone(),
        };
        let referee = owner.instantiate(codes[4], &msg, "referee", admin).await?;
        let msg = arbiter::InstantiateMsg {
            owner: by.clone(),
            referee: referee.clone(),
            model_registry: model_registry.clone(),
            params: profile.arbiter,
        };
        let arbiter = owner.instantiate(codes[7], &msg, "arbiter", admin).await?;
        let world = World {
            profile,
            operator: signer("node")?,
            validator: signer("validator")?,
            developer: signer("developer")?,
            user: signer("user")?,
            data_owner: signer("datanet-owner")?,
            owner,
            datanet,
            model_registry,
            node_registry,
            escrow,
            referee,
            arbiter,
            wasm_bytes,
            chain,
        };
        world.connect().await?;
        Ok(world)
    }

    /// Tells every contract which others it believes.
    async fn connect(&self) -> Result<()> {
        let (model_registry, escrow, referee) =
            (self.model_registry.clone(), self.escrow.clone(), self.referee.clone());
        let to_datanet =
            datanet::ExecuteMsg::Connect { model_registry: model_registry.clone(), referee: referee.clone() };
        let to_nodes =
            node_registry::ExecuteMsg::Connect { model_registry, escrow, referee: referee.clone() };
        let to_escrow = escrow::ExecuteMsg::Connect { datanet: self.datanet.clone(), referee };
        self.execute(&self.owner, &self.datanet, &to_datanet, 0).await?;
        self.execute(&self.owner, &self.node_registry, &to_nodes, 0).await?;
        self.execute(&self.owner, &self.escrow, &to_escrow, 0).await?;
        let to_referee = referee::ExecuteMsg::SetArbiter { arbiter: self.arbiter.clone() };
        self.execute(&self.owner, &self.referee, &to_referee, 0).await?;
        Ok(())
    }

    /// Denom of fees and bonds.
    pub fn denom(&self) -> &str {
        DENOM
    }

    /// Chain id.
    pub fn chain_id(&self) -> &str {
        &self.chain.config().chain_id
    }

    /// Height of the newest block.
    pub async fn height(&self) -> Result<u64> {
        Ok(self.chain.latest_height().await?)
    }

    /// Sends one message with so many base units in a transaction of its own, and waits for its block.
    pub async fn execute<M: Serialize>(
        &self,
        sender: &Signer,
        contract: &str,
        msg: &M,
        funds: u128,
    ) -> Result<TxResult> {
        let funds: Vec<Coin> = (funds > 0).then(|| Coin::new(funds, DENOM)).into_iter().collect();
        let text = serde_json::to_string(msg)?;
        let shown: String = text.chars().take(120).collect();
        let done = sender.execute(contract, msg, &funds).await.with_context(|| shown.clone())?;
        if std::env::var_os("OPENLEDGER_DEBUG").is_some_and(|value| !value.is_empty()) {
            eprintln!("debug: {} gas, message of {} bytes: {shown}", done.gas_used, text.len());
        }
        Ok(done)
    }

    /// Sends messages in one transaction, each with so many base units.
    pub async fn execute_all<M: Serialize>(
        &self,
        sender: &Signer,
        contract: &str,
        msgs: Vec<(M, u128)>,
    ) -> Result<TxResult> {
        let mut messages = Vec::with_capacity(msgs.len());
        for (msg, funds) in &msgs {
            let funds: Vec<Coin> = (*funds > 0).then(|| Coin::new(*funds, DENOM)).into_iter().collect();
            messages.push(sender.execute_message(contract, msg, &funds)?);
        }
        Ok(sender.broadcast(messages, "").await?)
    }

    /// Asks a contract.
    pub async fn query<T: DeserializeOwned>(&self, contract: &str, msg: &impl Serialize) -> Result<T> {
        Ok(self.chain.query_smart(contract, msg).await?)
    }

    /// Waits until transactions are simulated on this block: a node tells of a block a moment before
    /// its application has it.
    pub async fn wait_for(&self, height: u64) -> Result<()> {
        self.chain.wait_for_height(height + 1, PATIENCE).await?;
        Ok(())
    }
}

/// A number that a contract told under this key.
pub fn told(result: &TxResult, contract: &str, key: &str) -> Result<u64> {
    result.contract_number(contract, key).with_context(|| format!("the contract told no {key}"))
}

/// The devnet's parameters with windows of two blocks; what only bounds the life of things is long, so
/// that nothing expires while the machine is slow. Windows do not change what a transaction costs.
fn profile() -> Profile {
    let mut profile = Profile::devnet(DENOM);
    let Profile { datanet, node_registry, escrow, referee, arbiter, .. } = &mut profile;
    datanet.acceptance_blocks = 2;
    datanet.withdrawal_grace = 400_000;
    escrow.challenge_blocks = 2;
    escrow.unattested_windows = 1;
    escrow.max_session_blocks = 200_000;
    escrow.epoch_blocks = 2;
    escrow.grace_blocks = 2;
    node_registry.unbonding_blocks = 600_000;
    referee.availability_blocks = 1;
    referee.demand_blocks = 1;
    referee.dispute_blocks = 50_000;
    arbiter.move_blocks = 2_000;
    for denom in &mut escrow.denoms {
        denom.min_deposit = Uint128::new(100_000);
    }
    profile
}

/// The key of a development account.
fn account(path: &Path, name: &str) -> Result<Key> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("{shown} cannot be read"))?;
    let file: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("{shown} is no JSON"))?;
    let entries = file["accounts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let entry = entries.iter().find(|entry| entry["name"] == name);
    let words = entry.and_then(|entry| entry["mnemonic"].as_str());
    Ok(Key::from_mnemonic(words.with_context(|| format!("{shown} has no account {name}"))?)?)
}

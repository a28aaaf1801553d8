//! A model, nodes that serve it and sessions that pay: both sides' books, as far as the chain sees them.

use anyhow::{Context, Result};
use bech32::{Bech32, Hrp};
use cosmwasm_std::{HexBinary, Uint128};
use openledger_client::Key;
use openledger_merkle::{chunk_root, Frontier, Hash, SumNode, Tree, CONTENT_CHUNK, ZERO_HASH};
use openledger_types::formats::{
    manifest_hash, node_key_digest, request_hash, seed, training_leaf, training_root, Account, BlobRef,
    Decoding, Detail, EpochCommit, LedgerLeaf, NumericClass, Outcome, Receipt, Share, SignedReceipt,
    SignedVoucher, SumRoot, VersionRef, Voucher,
};
use openledger_types::money::{answer_fee, split_fees, Split};
use openledger_types::msg::escrow::{
    ClaimItem, ExecuteMsg, NodeCap, PendingReceipt, PendingResponse, QueryMsg, Settlement,
};
use openledger_types::msg::model_registry::{self, NewVersion, TrainedOn};
use openledger_types::msg::node_registry::{self, Role};
use sha2::{Digest, Sha256};

use super::contribute::{Data, RECIPIENT};
use super::world::{told, World};

/// Bond of a node: large enough that what the bench settles stays below half of it (F5).
pub const BOND: u128 = 10_000_000_000;
const PRICE_IN: u128 = 50;
const PRICE_OUT: u128 = 100;
const TOKENS_IN: u32 = 20;
const TOKENS_OUT: u32 = 100;
const SPLIT: Split = Split { protocol: 500, developer: 1_500, node: 4_000, data: 4_000 };
/// Contributions under every answer.
const SHARES: usize = 8;

/// A model version that is for sale.
pub struct Market {
    model_id: u64,
    model_version: u32,
    datanets: Vec<VersionRef>,
    shares: Vec<Share>,
    /// What every answer costs.
    pub fee: u128,
}

impl Market {
    /// Registers a model on the data.
    pub async fn open(world: &World, data: &Data) -> Result<Self> {
        Market::with(world, data, new_version(world, data)?).await
    }

    /// The same of the class exact, with this manifest and root of weights.
    pub async fn exact(world: &World, data: &Data, manifest: &[u8], weights_root: Hash) -> Result<Self> {
        let mut version = new_version(world, data)?;
        version.manifest_hash = HexBinary::from(&manifest_hash(manifest));
        version.manifest = BlobRef::of(manifest);
        version.weights_root = HexBinary::from(&weights_root);
        version.numeric_class = NumericClass::Exact;
        Market::with(world, data, version).await
    }

    async fn with(world: &World, data: &Data, version: NewVersion) -> Result<Self> {
        let registry = &world.model_registry;
        let msg =
            model_registry::ExecuteMsg::RegisterModel { name: "model".into(), description: String::new() };
        let made = world.execute(&world.developer, registry, &msg, 0).await?;
        let model_id = told(&made, registry, "model_id")?;
        let msg = model_registry::ExecuteMsg::RegisterVersion { model_id, version };
        let made = world.execute(&world.developer, registry, &msg, 0).await?;
        let min_fee = world.profile.escrow.denoms.iter().find(|terms| terms.denom == world.denom());
        let min_fee = min_fee.context("the denom is allowed")?.min_fee.u128();
        let shares = data.facts.iter().take(SHARES);
        Ok(Market {
            model_id,
            model_version: told(&made, registry, "version")? as u32,
            datanets: vec![data.version.clone()],
            shares: shares
                .map(|facts| Share { contribution_id: facts.contribution_id, bps: 1_000 })
                .collect(),
            fee: answer_fee(TOKENS_IN, TOKENS_OUT, PRICE_IN, PRICE_OUT, min_fee)
                .context("the fee is small")?,
        })
    }

    /// Registers a node whose ledger has `leaves` leaves, `account` among them.
    pub async fn node(&self, world: &World, name: &str, leaves: usize, account: &str) -> Result<Node> {
        let key = key(name)?;
        let (registry, operator) = (&world.node_registry, &world.operator);
        let public = key.public_key();
        let proof = node_key_digest(world.chain_id(), registry, operator.address(), &public);
        let msg = node_registry::ExecuteMsg::Register {
            moniker: name.into(),
            endpoint: "http://127.0.0.1:8080".into(),
            node_key: HexBinary::from(&public),
            key_proof: HexBinary::from(&key.sign_digest(&proof)),
            hot_addr: None,
            age_recipient: RECIPIENT.into(),
            roles: vec![Role::Inference],
        };
        let made = world.execute(operator, registry, &msg, BOND).await?;
        let ledger = Ledger::new(leaves, account)?;
        Ok(Node { id: told(&made, registry, "node_id")?, key, epoch: 0, previous: SumRoot::empty(), ledger })
    }

    /// Opens sessions with a node, each paid for `answers` answers, in one transaction; its gas.
    pub async fn sessions(
        &self,
        world: &World,
        node: &Node,
        count: usize,
        answers: u64,
    ) -> Result<(Vec<Session>, u64)> {
        let terms = world.profile.escrow.denoms.first().context("a denom is allowed")?;
        let deposit = (self.fee * u128::from(answers)).max(terms.min_deposit.u128());
        let height = world.height().await?;
        let keys: Vec<Key> = (0..count)
            .map(|i| key(&format!("session {i} of {} at {height}", node.id)))
            .collect::<Result<_>>()?;
        let open = |key: &Key| ExecuteMsg::OpenSession {
            model_id: self.model_id,
            model_version: self.model_version,
            session_key: HexBinary::from(&key.public_key()),
            nodes: vec![NodeCap { node_id: node.id, cap: Uint128::new(deposit) }],
            blocks: None,
        };
        let msgs = keys.iter().map(|key| (open(key), deposit + terms.open_fee.u128())).collect();
        let done = world.execute_all(&world.user, &world.escrow, msgs).await?;
        let opened = done.events.iter().filter(|event| {
            event.is_from(&world.escrow) && event.attribute("action") == Some("open_session")
        });
        let ids: Vec<u64> = opened
            .map(|event| {
                event.attribute("session_id").and_then(|id| id.parse().ok()).context("no session_id")
            })
            .collect::<Result<_>>()?;
        anyhow::ensure!(ids.len() == count, "{} sessions instead of {count}", ids.len());
        let sessions = ids.into_iter().zip(keys).map(|(id, key)| Session::new(id, node.id, key, done.height));
        Ok((sessions.collect(), done.gas_used))
    }

    /// The node answers and the client acknowledges.
    pub fn serve(&self, world: &World, session: &mut Session, answers: u64) -> Result<()> {
        for _ in 0..answers {
            session.acknowledge(&self.receipt(world, session))?;
        }
        Ok(())
    }

    /// The node answers and the client says nothing more.
    pub fn serve_unacknowledged(&self, world: &World, node: &Node, session: &mut Session) -> Result<()> {
        let receipt = self.receipt(world, session);
        session.leaves.push(receipt.leaf());
        session.spent += self.fee;
        let voucher = session.voucher(world, receipt.request_hash.clone())?;
        session.pending.push(PendingReceipt { voucher, receipt: node.sign(receipt) });
        Ok(())
    }

    /// The next receipt of a session.
    pub fn receipt(&self, world: &World, session: &Session) -> Receipt {
        let sequence = session.leaves.len() as u64 + 1;
        let request = request_hash(&sequence.to_be_bytes(), &ZERO_HASH);
        let answer = [b'a'; 400];
        let zero = HexBinary::from(&ZERO_HASH);
        let cited: u16 = self.shares.iter().map(|share| share.bps).sum();
        Receipt {
            chain_id: world.chain_id().into(),
            contract: world.escrow.clone(),
            node_id: session.node_id,
            session_id: session.id,
            sequence,
            height: session.opened_at,
            request_hash: HexBinary::from(&request),
            answer_root: HexBinary::from(&chunk_root(&answer, CONTENT_CHUNK)),
            answer_len: answer.len() as u64,
            model_id: self.model_id,
            model_version: self.model_version,
            datanets: self.datanets.clone(),
            tokens_in: TOKENS_IN,
            tokens_out: TOKENS_OUT,
            fee: Uint128::new(self.fee),
            decoding: Decoding { temperature_milli: 0, top_k: 0, top_p_milli: 1_000, max_tokens: 256 },
            seed: HexBinary::from(&seed(&request, session.id, session.node_id, sequence)),
            commit_scheme: "none".into(),
            commit_root: zero.clone(),
            signature_scheme: "none".into(),
            signature_root: zero.clone(),
            evidence_root: zero,
            outcome: Outcome::Stop,
            shares: self.shares.clone(),
            no_evidence: 10_000 - cited,
        }
    }
}

/// A node and its books.
pub struct Node {
    /// Number.
    pub id: u64,
    key: Key,
    epoch: u64,
    previous: SumRoot,
    /// Its ledger.
    pub ledger: Ledger,
}

impl Node {
    /// Signs a receipt.
    pub fn sign(&self, receipt: Receipt) -> SignedReceipt {
        let signature = HexBinary::from(&self.key.sign_digest(&receipt.digest()));
        SignedReceipt { receipt, signature }
    }

    /// Settles everything new of these sessions, without sending it; the ledger grows by the data's
    /// part. The chain never sees the blobs, so their references stand for none.
    pub fn epoch(&mut self, world: &World, sessions: &mut [Session]) -> Result<ExecuteMsg> {
        let mut receipts: Vec<SumNode> = vec![];
        let mut data = 0;
        let mut settlements = vec![];
        for session in sessions {
            let new = &session.leaves[session.settled..];
            let fees: u128 = new.iter().map(|leaf| leaf.sum).sum();
            data += split_fees(fees, &SPLIT).context("the split is whole")?.data;
            receipts.extend_from_slice(new);
            settlements.push(session.settlement(world)?);
            session.settled = session.leaves.len();
        }
        self.ledger.grow(data)?;
        self.epoch += 1;
        let ledger = self.ledger.root();
        let tree = Tree::new(receipts).context("sums stay below 2^128")?;
        let commit = EpochCommit {
            chain_id: world.chain_id().into(),
            contract: world.escrow.clone(),
            node_id: self.id,
            denom: world.denom().into(),
            epoch: self.epoch,
            previous: std::mem::replace(&mut self.previous, ledger.clone()),
            receipts: SumRoot::new(tree.root(), tree.len()),
            ledger,
            leaves_blob: BlobRef::of(b"leaves"),
            receipts_blob: BlobRef::of(b"receipts"),
        };
        Ok(ExecuteMsg::PostEpoch { commit, settlements })
    }

    /// Posts an epoch; its gas.
    pub async fn post(&mut self, world: &World, sessions: &mut [Session]) -> Result<f64> {
        let msg = self.epoch(world, sessions)?;
        Ok(world.execute(&world.operator, &world.escrow, &msg, 0).await?.gas_used as f64)
    }

    /// Waits until the newest root can be final.
    pub async fn due(&self, world: &World) -> Result<()> {
        let pending: PendingResponse =
            world.query(&world.escrow, &QueryMsg::Pending { node_id: self.id }).await?;
        match pending.epoch {
            Some(epoch) => world.wait_for(epoch.final_at).await,
            None => Ok(()),
        }
    }

    /// Makes the newest root final; its gas.
    pub async fn finalize(&self, world: &World) -> Result<f64> {
        self.due(world).await?;
        let msg = ExecuteMsg::Finalize { node_id: self.id };
        Ok(world.execute(&world.user, &world.escrow, &msg, 0).await?.gas_used as f64)
    }
}

/// A session, as client and node know it.
pub struct Session {
    /// Number.
    pub id: u64,
    node_id: u64,
    key: Key,
    opened_at: u64,
    spent: u128,
    leaves: Vec<SumNode>,
    acknowledged: Frontier<SumNode>,
    pending: Vec<PendingReceipt>,
    settled: usize,
}

impl Session {
    fn new(id: u64, node_id: u64, key: Key, opened_at: u64) -> Self {
        Session {
            id,
            node_id,
            key,
            opened_at,
            spent: 0,
            leaves: vec![],
            acknowledged: Frontier::new(),
            pending: vec![],
            settled: 0,
        }
    }

    /// The client takes a receipt into its log.
    pub fn acknowledge(&mut self, receipt: &Receipt) -> Result<()> {
        let leaf = receipt.leaf();
        self.acknowledged.push(leaf).context("sums stay below 2^128")?;
        self.leaves.push(leaf);
        self.spent += receipt.fee.u128();
        Ok(())
    }

    /// A voucher for everything that was asked so far.
    fn voucher(&self, world: &World, request_hash: HexBinary) -> Result<SignedVoucher> {
        let acknowledged = self.acknowledged.root().context("sums stay below 2^128")?;
        let voucher = Voucher {
            chain_id: world.chain_id().into(),
            contract: world.escrow.clone(),
            session_id: self.id,
            node_id: self.node_id,
            sequence: self.leaves.len() as u64,
            denom: world.denom().into(),
            request_hash,
            cumulative_max: Uint128::new(self.spent),
            acknowledged: SumRoot::new(acknowledged, self.acknowledged.size()),
        };
        let signature = HexBinary::from(&self.key.sign_digest(&voucher.digest()));
        Ok(SignedVoucher { voucher, signature })
    }

    fn settlement(&self, world: &World) -> Result<Settlement> {
        let tree = Tree::new(self.leaves.clone()).context("sums stay below 2^128")?;
        let consistency =
            tree.prove_consistency(self.settled as u64).context("settled receipts are in the log")?;
        Ok(Settlement {
            session_id: self.id,
            voucher: self.voucher(world, HexBinary::from(&ZERO_HASH))?,
            acknowledged_peaks: self.acknowledged.peaks().to_vec().into(),
            pending: self.pending.clone(),
            consistency: consistency.into(),
        })
    }
}

/// A node's ledger; what it earns is shared evenly by its accounts.
pub struct Ledger {
    accounts: Vec<String>,
    cumulative: Vec<u128>,
    growth: Vec<u128>,
    tree: Tree<SumNode>,
}

impl Ledger {
    /// A ledger of `leaves` accounts that nobody holds, but one.
    fn new(leaves: usize, account: &str) -> Result<Self> {
        let prefix = Hrp::parse(account.split('1').next().unwrap_or_default())?;
        let mut accounts = vec![account.to_string()];
        for i in 1..leaves {
            let digest = Sha256::digest(format!("account {i}"));
            accounts.push(bech32::encode::<Bech32>(prefix, &digest[..20])?);
        }
        accounts.sort_unstable();
        let none = vec![0; accounts.len()];
        Ok(Ledger { accounts, cumulative: none.clone(), growth: none, tree: Tree::empty() })
    }

    /// Shares `data` evenly; the first ones get what does not divide.
    fn grow(&mut self, data: u128) -> Result<()> {
        let count = self.accounts.len() as u128;
        let (each, rest) = (data / count, data % count);
        for (i, (growth, cumulative)) in self.growth.iter_mut().zip(&mut self.cumulative).enumerate() {
            *growth = each + u128::from((i as u128) < rest);
            *cumulative += *growth;
        }
        let leaves = (0..self.accounts.len()).map(|index| self.leaf(index).leaf()).collect();
        self.tree = Tree::new(leaves).context("sums stay below 2^128")?;
        Ok(())
    }

    fn root(&self) -> SumRoot {
        SumRoot::new(self.tree.root(), self.tree.len())
    }

    /// The leaf with one detail, for whatever receipt.
    fn leaf(&self, index: usize) -> LedgerLeaf {
        let detail = Detail {
            receipt_id: HexBinary::from(&ZERO_HASH),
            contribution_id: 1,
            amount: Uint128::new(self.growth[index]),
        };
        LedgerLeaf {
            account: Account::Contributor(self.accounts[index].clone()),
            cumulative: Uint128::new(self.cumulative[index]),
            uses: 1,
            detail: SumRoot::new(detail.leaf(), 1),
        }
    }

    /// Position of an account.
    pub fn position(&self, account: &str) -> Result<usize> {
        self.accounts.iter().position(|held| held == account).context("the account is in the ledger")
    }

    /// The claim of a leaf.
    pub fn claim(&self, world: &World, node_id: u64, index: usize) -> Result<ClaimItem> {
        let path = self.tree.prove(index as u64).context("the leaf exists")?;
        Ok(ClaimItem {
            node_id,
            denom: world.denom().into(),
            leaf: self.leaf(index),
            index: index as u64,
            path: path.into(),
        })
    }
}

fn new_version(world: &World, data: &Data) -> Result<NewVersion> {
    let leaves = data.facts.iter().map(|facts| training_leaf(facts.contribution_id, 1)).collect();
    let training = Tree::new(leaves).context("sums stay below 2^128")?;
    let training = SumRoot::new(training.root(), training.len());
    let datanet_id = data.version.datanet_id;
    let manifest = br#"{"name":"model"}"#;
    Ok(NewVersion {
        manifest_hash: HexBinary::from(&manifest_hash(manifest)),
        manifest: BlobRef::of(manifest),
        weights_root: HexBinary::from(&Sha256::digest("weights")[..]),
        training_root: HexBinary::from(&training_root(&[(datanet_id, training.clone())])),
        numeric_class: NumericClass::TolerantF32,
        datanets: vec![TrainedOn { datanet_id, version: data.version.version, training }],
        parents: vec![],
        royalty_bps: 0,
        denom: world.denom().into(),
        price_in: Uint128::new(PRICE_IN),
        price_out: Uint128::new(PRICE_OUT),
        split: SPLIT,
    })
}

/// The key of this name.
fn key(name: &str) -> Result<Key> {
    Ok(Key::from_bytes(&Sha256::digest(name).into())?)
}

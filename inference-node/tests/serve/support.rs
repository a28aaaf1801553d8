//! A chain in memory, a model that writes by rote, a server on a free port.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::prelude::{Engine as _, BASE64_STANDARD};
use cosmwasm_std::{HexBinary, Uint128};
use openledger_client::{verify_digest, Key};
use openledger_node::attribution::Asked;
use openledger_node::corpus::{Answer, DatanetView, Identities};
use openledger_node::dispute::Computation;
use openledger_node::engine::{commit_root, GenRequest, Generation, COMMIT_SCHEME, TRACE_BYTES};
use openledger_node::fault::{Class, Fault, Result};
use openledger_node::journal::Journal;
use openledger_node::serve::{
    router, Answerer, ChainView, Loaded, Node, Posting, Settings, SigningKeys, Traced, Watch,
};
use openledger_store::RedbStore;
use openledger_types::api::{AnswerBundle, EvidencePiece, PaymentSignature, SessionState};
use openledger_types::formats::*;
use openledger_types::merkle::{verify_consistency, Frontier, Hash, ZERO_HASH};
use openledger_types::money::{split_fees, Split};
use openledger_types::msg::datanet::{
    ContributionResponse, ContributionStatus, DatanetResponse, VersionResponse,
};
use openledger_types::msg::escrow::*;
use openledger_types::msg::model_registry::ModelVersionResponse;
use openledger_types::msg::node_registry::Offer;
use openledger_types::profile::Profile;
use serde_json::Value;

pub const CHAIN: &str = "openledger-7";
pub const ESCROW: &str = "openledger1escrow";
pub const NODE: u64 = 3;
pub const DENOM: &str = "uopen";
pub const CAP: u128 = 10_000_000;
pub const SPLIT: Split = Split { protocol: 333, developer: 1_777, node: 2_890, data: 5_000 };

#[derive(Default)]
pub struct State {
    pub height: u64,
    pub sessions: BTreeMap<u64, SessionResponse>,
    pub contributions: BTreeMap<u64, ContributionResponse>,
    pub models: BTreeMap<(u64, u32), ModelVersionResponse>,
    pub offers: BTreeMap<(u64, u32), Offer>,
    pub ledger: Option<LedgerResponse>,
    /// Receipts that verdicts took out of void roots.
    pub convicted: Vec<HexBinary>,
    pub epochs: BTreeMap<u64, EpochResponse>,
    pub waiting: Option<u64>,
    /// What the next postings do instead of what they should.
    pub mishaps: Vec<Mishap>,
}

/// What goes wrong with a posting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mishap {
    /// It takes effect and the node is not told.
    Silent,
    /// It never arrives.
    Lost,
    /// The chain does not answer at all.
    Down,
}

pub struct FakeChain(pub Mutex<State>);

fn none() -> Fault {
    Fault::new(Class::NotFound, "E-CLIENT-022", "not there", "")
}

impl FakeChain {
    pub fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// `PostEpoch` by the rules of the escrow (S1, S2, L2).
    fn post(&self, commit: &EpochCommit, settlements: &[Settlement]) -> std::result::Result<(), String> {
        let mut state = self.state();
        if state.waiting.is_some() {
            return Err("a root waits".into());
        }
        let ledger = state.ledger.clone().unwrap_or_else(empty_ledger);
        if commit.epoch != ledger.epoch + 1 || commit.previous != ledger.ledger {
            return Err("the commitment's epoch or previous is wrong".into());
        }
        let (mut fees, mut data, mut receipts) = (0, 0, 0);
        let height = state.height;
        for s in settlements {
            let session = state.sessions.get_mut(&s.session_id).ok_or("no session")?;
            let fail = |why: &str| format!("session {}: {why}", s.session_id);
            let key = session.session_key.clone();
            let signed = |v: &SignedVoucher| verify_digest(&key, &v.voucher.digest(), &v.signature);
            if !signed(&s.voucher) || s.voucher.voucher.sequence < s.voucher.voucher.acknowledged.count {
                return Err(fail("voucher"));
            }
            let acknowledged = &s.voucher.voucher.acknowledged;
            let peaks = s.acknowledged_peaks.to_vec();
            let mut log = Frontier::from_parts(acknowledged.count, peaks).ok_or("peaks")?;
            if log.root().ok_or("root")? != acknowledged.node().map_err(|e| e.to_string())? {
                return Err(fail("peaks do not bag"));
            }
            if s.pending.len() > 4 {
                return Err(fail("too many pending"));
            }
            let entry = session.nodes.iter_mut().find(|n| n.node_id == NODE).ok_or("node")?;
            let mut total = acknowledged.sum.u128();
            for p in &s.pending {
                let (v, r) = (&p.voucher.voucher, &p.receipt.receipt);
                total += r.fee.u128();
                if !signed(&p.voucher)
                    || v.sequence != log.size() + 1
                    || r.sequence != v.sequence
                    || r.request_hash != v.request_hash
                    || total > v.cumulative_max.u128()
                    || r.height > height
                    || r.height < session.opened_at
                    || !verify_digest(&entry.node_key, &r.digest(), &p.receipt.signature)
                {
                    return Err(fail("pending receipt"));
                }
                log.push(r.leaf()).ok_or("overflow")?;
            }
            let root = log.root().ok_or("root")?;
            let proof = &s.consistency;
            let old = entry.log.node().map_err(|e| e.to_string())?;
            if !verify_consistency(entry.log.count, &old, log.size(), &root, proof) {
                return Err(fail("not an extension"));
            }
            let delta = root.sum - entry.log.sum.u128();
            if delta == 0 || root.sum > entry.cap.u128() {
                return Err(fail("nothing new, or above the cap"));
            }
            receipts += log.size() - entry.log.count;
            entry.log = SumRoot::new(root, log.size());
            entry.settled = Uint128::new(root.sum);
            entry.settled_at = height;
            let parts = split_fees(delta, &session.split).ok_or("split")?;
            fees += delta;
            data += parts.data;
        }
        if commit.receipts.sum.u128() != fees || commit.receipts.count != receipts {
            return Err("the receipts' root does not hold the fees settled".into());
        }
        if commit.ledger.sum.u128() != ledger.ledger.sum.u128() + data {
            return Err("the ledger does not grow by the data's part".into());
        }
        let response = EpochResponse {
            hash: HexBinary::from(&commit.hash()),
            commit: commit.clone(),
            posted_at: height,
            final_at: height + 8,
            finalized: false,
            status: RootStatus::Pending,
            holds: 0,
            void_reason: None,
            audit: 0u128.into(),
            audit_paid: 0u128.into(),
            attested: false,
            fees: fees.into(),
            data: data.into(),
        };
        state.epochs.insert(commit.epoch, response);
        state.waiting = Some(commit.epoch);
        state.ledger = Some(LedgerResponse { epoch: commit.epoch, ..ledger });
        state.height += 1;
        Ok(())
    }
}

impl FakeChain {
    /// `ReplaceEpoch` by the rules of the escrow (L7).
    fn replace(&self, commit: &EpochCommit) -> Posting {
        let mut state = self.state();
        let refuse = |reason: &str| Posting::Refused { reason: reason.into() };
        let Some(void) = state.waiting.and_then(|epoch| state.epochs.get(&epoch).cloned()) else {
            return refuse("nothing is void");
        };
        let ledger = state.ledger.clone().unwrap();
        if void.status != RootStatus::Void {
            return refuse("the root is not void");
        }
        if commit.epoch != ledger.epoch + 1 || commit.previous != ledger.ledger {
            return refuse("the commitment's epoch or previous is wrong");
        }
        if commit.receipts.sum != void.fees || commit.ledger.sum != ledger.ledger.sum + void.data {
            return refuse("fees or data part differ from what is left of the void root");
        }
        let (posted_at, final_at) = (state.height, state.height + 8);
        let response = EpochResponse {
            hash: HexBinary::from(&commit.hash()),
            commit: commit.clone(),
            posted_at,
            final_at,
            status: RootStatus::Pending,
            void_reason: None,
            ..void.clone()
        };
        state.epochs.get_mut(&void.commit.epoch).unwrap().status = RootStatus::Replaced;
        state.epochs.insert(commit.epoch, response);
        state.waiting = Some(commit.epoch);
        state.ledger = Some(LedgerResponse { epoch: commit.epoch, ..ledger });
        Posting::Done { tx: format!("RE{}", commit.epoch) }
    }

    /// What the referee does to a root whose chunk was not shown, or of which receipts were convicted.
    pub fn void(&self, gone: &[&SignedReceipt]) {
        let mut state = self.state();
        let epoch = state.waiting.unwrap();
        let data: u128 = gone
            .iter()
            .map(|r| {
                let split = state.sessions[&r.receipt.session_id].split;
                split_fees(r.receipt.fee.u128(), &split).unwrap().data
            })
            .sum();
        let fees: u128 = gone.iter().map(|r| r.receipt.fee.u128()).sum();
        state.convicted = gone.iter().map(|r| HexBinary::from(&r.receipt.digest())).collect();
        let record = state.epochs.get_mut(&epoch).unwrap();
        record.status = RootStatus::Void;
        record.void_reason = Some("withheld".into());
        record.fees -= Uint128::new(fees);
        record.data -= Uint128::new(data);
    }
}

fn empty_ledger() -> LedgerResponse {
    LedgerResponse {
        epoch: 0,
        ledger: SumRoot::empty(),
        leaves_blob: None,
        funded: 0u128.into(),
        claimed: 0u128.into(),
        refunded: 0u128.into(),
        closed: false,
    }
}

impl DatanetView for FakeChain {
    fn datanet(&self, _: u64) -> Answer<'_, DatanetResponse> {
        Box::pin(async { Err(none()) })
    }
    fn version(&self, _: u64, _: u32) -> Answer<'_, VersionResponse> {
        Box::pin(async { Err(none()) })
    }
    fn leaves(&self, _: u64, _: u64) -> Answer<'_, Vec<ContributionFacts>> {
        Box::pin(async { Err(none()) })
    }
    fn key_grant(&self, _: u64, _: u64) -> Answer<'_, Option<HexBinary>> {
        Box::pin(async { Ok(None) })
    }
    fn past_keys(&self, _: u64) -> Answer<'_, Vec<openledger_types::msg::datanet::PastKey>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

impl ChainView for FakeChain {
    fn chain_id(&self) -> &str {
        CHAIN
    }
    fn escrow(&self) -> &str {
        ESCROW
    }
    fn height(&self) -> Answer<'_, u64> {
        Box::pin(async {
            let state = self.state();
            if state.mishaps.first() == Some(&Mishap::Down) {
                return Err(Fault::unavailable("E-CLIENT-010", "the chain does not answer", ""));
            }
            Ok(state.height)
        })
    }
    fn escrow_config(&self) -> Answer<'_, ConfigResponse> {
        Box::pin(async {
            Ok(ConfigResponse {
                model_registry: "m".into(),
                node_registry: "n".into(),
                params: Params {
                    denoms: vec![DenomParams {
                        denom: DENOM.into(),
                        min_deposit: 1u128.into(),
                        open_fee: 1u128.into(),
                        min_fee: 100u128.into(),
                    }],
                    grace_blocks: 16,
                    challenge_blocks: 2,
                    max_session_blocks: 1_000,
                    ..Profile::devnet(DENOM).escrow
                },
                paused: false,
            })
        })
    }
    fn session(&self, id: u64) -> Answer<'_, Option<SessionResponse>> {
        Box::pin(async move { Ok(self.state().sessions.get(&id).cloned()) })
    }
    fn models(&self) -> Answer<'_, Vec<(u64, u32)>> {
        Box::pin(async { Ok(self.state().models.keys().copied().collect()) })
    }
    fn model_version(&self, id: u64, version: u32) -> Answer<'_, Option<ModelVersionResponse>> {
        Box::pin(async move { Ok(self.state().models.get(&(id, version)).cloned()) })
    }
    fn offer(&self, id: u64, version: u32) -> Answer<'_, Option<Offer>> {
        Box::pin(async move { Ok(self.state().offers.get(&(id, version)).cloned()) })
    }
    fn contribution(&self, id: u64) -> Answer<'_, Option<ContributionResponse>> {
        Box::pin(async move { Ok(self.state().contributions.get(&id).cloned()) })
    }
    fn citation_grace(&self) -> Answer<'_, u64> {
        Box::pin(async { Ok(GRACE) })
    }
    fn ledger<'a>(&'a self, _: &'a str) -> Answer<'a, LedgerResponse> {
        Box::pin(async { Ok(self.state().ledger.clone().unwrap_or_else(empty_ledger)) })
    }
    fn epoch<'a>(&'a self, _: &'a str, epoch: u64) -> Answer<'a, Option<EpochResponse>> {
        Box::pin(async move { Ok(self.state().epochs.get(&epoch).cloned()) })
    }
    fn pending(&self) -> Answer<'_, Option<EpochResponse>> {
        Box::pin(async {
            let state = self.state();
            Ok(state.waiting.and_then(|epoch| state.epochs.get(&epoch).cloned()))
        })
    }
    fn post_epoch<'a>(
        &'a self,
        commit: &'a EpochCommit,
        settlements: &'a [Settlement],
    ) -> Answer<'a, Posting> {
        Box::pin(async move {
            let mishap = self.state().mishaps.pop();
            let open = || Posting::Open { reason: "no answer".into() };
            if mishap == Some(Mishap::Lost) {
                return Ok(open());
            }
            Ok(match self.post(commit, settlements) {
                Ok(()) if mishap == Some(Mishap::Silent) => open(),
                Ok(()) => Posting::Done { tx: format!("TX{}", commit.epoch) },
                Err(reason) => Posting::Refused { reason },
            })
        })
    }
    fn replace_epoch<'a>(&'a self, commit: &'a EpochCommit) -> Answer<'a, Posting> {
        Box::pin(async move { Ok(self.replace(commit)) })
    }
    fn convicted<'a>(&'a self, _: &'a str) -> Answer<'a, Vec<HexBinary>> {
        Box::pin(async { Ok(self.state().convicted.clone()) })
    }
    fn finalize(&self) -> Answer<'_, Posting> {
        Box::pin(async {
            let mut state = self.state();
            let Some(epoch) = state.waiting.take() else {
                return Ok(Posting::Refused { reason: "nothing waits".into() });
            };
            let record = state.epochs.get_mut(&epoch).unwrap();
            if record.status != RootStatus::Pending {
                state.waiting = Some(epoch);
                return Ok(Posting::Refused { reason: "the root is void".into() });
            }
            record.finalized = true;
            record.status = RootStatus::Final;
            let commit = record.commit.clone();
            let data = record.data;
            let ledger = state.ledger.as_mut().unwrap();
            ledger.ledger = commit.ledger;
            ledger.leaves_blob = Some(commit.leaves_blob);
            ledger.funded += data;
            Ok(Posting::Done { tx: "FINAL".into() })
        })
    }
}

/// Blocks for which a withdrawn contribution may still be cited.
pub const GRACE: u64 = 50;

/// Writes `w0 w1 w2 …`, one word a token, as many as are asked for.
#[derive(Default)]
pub struct Rote {
    /// Pause before each token.
    pub pause: Duration,
    pub written: Arc<AtomicU64>,
    pub fails: bool,
    /// What is computed for a dispute.
    pub computation: Option<fn() -> Computation>,
    /// A replay finds that its answers end before their time.
    pub ends_early: bool,
}

impl Answerer for Rote {
    fn context(&self) -> usize {
        512
    }
    fn read(&self, asked: &mut openledger_node::request::Asked) -> Result<Vec<u32>> {
        Ok((0..=asked.prompt.split_whitespace().count() as u32).collect())
    }
    fn generate(
        &self,
        request: &GenRequest,
        deliver: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generation> {
        if self.fails {
            return Err(Fault::new(Class::Internal, "E-GEN-004", "not a number", "Use another version."));
        }
        let (mut text, mut tokens) = (String::new(), Vec::new());
        let mut outcome = Outcome::Length;
        for i in 0..request.decoding.max_tokens {
            std::thread::sleep(self.pause);
            self.written.fetch_add(1, Ordering::SeqCst);
            let piece = format!("w{i} ");
            text.push_str(&piece);
            tokens.push(i);
            if deliver(&piece).is_break() {
                outcome = Outcome::Cancelled;
                break;
            }
        }
        let trace = vec![7; tokens.len() * TRACE_BYTES];
        let commit_root = commit_root(COMMIT_SCHEME, &request.request_hash, &tokens, &trace);
        let commit_root = commit_root.expect("the trace is as long as the scheme says");
        Ok(Generation { tokens, text, outcome, commit_root, trace })
    }
    fn cites(&self, bundle: &AnswerBundle, barred: &BTreeSet<u64>) -> Vec<u64> {
        let asked = Asked { prompt: "", prompt_tokens: &[], answer: &bundle.answer, tokens: &bundle.tokens };
        let traced = self.trace(&asked, &ZERO_HASH, barred).expect("rote answers have shares");
        traced.shares.iter().map(|share| share.contribution_id).collect()
    }
    fn replay(&self, bundle: &AnswerBundle, barred: &BTreeSet<u64>) -> Vec<String> {
        let asked = Asked { prompt: "", prompt_tokens: &[], answer: &bundle.answer, tokens: &bundle.tokens };
        let traced = self.trace(&asked, &ZERO_HASH, barred).expect("rote answers have shares");
        let receipt = &bundle.receipt.receipt;
        let same = traced.shares == receipt.shares
            && traced.no_evidence == receipt.no_evidence
            && receipt.evidence_root.as_slice() == traced.root;
        if self.fails || !same {
            return vec!["the answer is not the model's".into()];
        }
        Vec::new()
    }
    fn computation(&self, _: &AnswerBundle) -> Result<Computation> {
        let compute = self.computation.ok_or_else(|| {
            Fault::invalid("E-DISPUTE-001", "rote answers are of no class", "Leave it to the votes.")
        })?;
        Ok(compute())
    }
    fn follows(&self, _: &AnswerBundle) -> Option<bool> {
        Some(!self.ends_early && self.computation.map_or(!self.fails, |compute| compute().holds()))
    }
    fn trace(&self, asked: &Asked, _: &Hash, barred: &BTreeSet<u64>) -> Result<Traced> {
        // Shares that leave remainders everywhere.
        let odd = (asked.answer.len() % 7) as u16;
        let mut shares = vec![
            Share { contribution_id: 11, bps: 3_333 + odd },
            Share { contribution_id: 12, bps: 3_334 - odd },
            Share { contribution_id: 13, bps: 1 },
        ];
        shares.retain(|share| !barred.contains(&share.contribution_id));
        Ok(Traced {
            no_evidence: 10_000 - shares.iter().map(|share| share.bps).sum::<u16>(),
            shares,
            pieces: vec![EvidencePiece { answer_start: 0, len: 2, contribution_id: 11, source_start: 5 }],
            root: [9; 32],
            signature_scheme: "none".into(),
            signature: Vec::new(),
            signature_root: ZERO_HASH,
        })
    }
}

fn h(byte: u8) -> HexBinary {
    HexBinary::from([byte; 32].as_slice())
}

fn contribution(id: u64, owner: &str, blob: BlobRef) -> ContributionResponse {
    ContributionResponse {
        facts: ContributionFacts {
            datanet_id: 1,
            contribution_id: id,
            contributor: owner.into(),
            priority: Priority { height: 1, tx_index: 0 },
            content_root: h(1),
            content_len: 1,
            match_root: h(2),
            match_len: 1,
            match_hash: h(3),
            blob,
            media: "text/plain".into(),
            license: "MIT".into(),
            uses: Uses::ALL,
        },
        title: "t".into(),
        status: ContributionStatus::Sealed,
        duplicate_of: None,
        version: Some(1),
        position: Some(0),
        accepted_at: 1,
        cluster: id,
        withdrawn_at: None,
        reason: None,
    }
}

pub fn manifest() -> Manifest {
    Manifest {
        format: 1,
        name: "rote".into(),
        architecture: "llama".into(),
        numeric_class: NumericClass::TolerantF32,
        sampler: "gumbel-chacha8/1".into(),
        commit_scheme: "proj32-f32/1".into(),
        attribution: "span/1".into(),
        influence: None,
        weights_root: h(1),
        tokenizer_hash: h(2),
        config_hash: h(3),
        template_hash: HexBinary::from(&ZERO_HASH),
        adapter_root: HexBinary::from(&ZERO_HASH),
        context: 512,
        parameters: 1,
        datanets: vec![VersionRef { datanet_id: 1, version: 1, root: h(4), size: 3 }],
        training_root: h(5),
        files: vec![ModelFile { name: "config.json".into(), blob: BlobRef::of(b"the config") }],
    }
}

pub fn manifest_bytes() -> Vec<u8> {
    serde_json::to_vec(&manifest()).unwrap()
}

pub fn model_info() -> ModelVersionResponse {
    let bytes = manifest_bytes();
    ModelVersionResponse {
        model_id: 1,
        version: 2,
        developer: "openledger1dev".into(),
        manifest_hash: HexBinary::from(&manifest_hash(&bytes)),
        manifest: BlobRef::of(&bytes),
        weights_root: h(1),
        training_root: h(5),
        numeric_class: NumericClass::TolerantF32,
        datanets: manifest().datanets,
        training: vec![SumRoot::empty()],
        parents: vec![],
        royalty_bps: 0,
        royalties: vec![],
        next_price: None,
        stale: false,
        denom: DENOM.into(),
        price_in: 10u128.into(),
        price_out: 37u128.into(),
        floor_per_token: 0u128.into(),
        split: SPLIT,
        registered_at: 1,
        deprecated: false,
    }
}

/// A server with its chain.
pub struct World {
    pub chain: Arc<FakeChain>,
    pub node: Arc<Node>,
    pub url: String,
    pub http: reqwest::Client,
    server: tokio::task::JoinHandle<()>,
}

pub fn node_key() -> Key {
    Key::from_bytes(&[42; 32]).unwrap()
}

pub fn new_chain() -> Arc<FakeChain> {
    let mut state = State { height: 100, ..State::default() };
    for (id, owner) in [(11, "openledger1ann"), (12, "openledger1bob"), (13, "openledger1ann")] {
        state
            .contributions
            .insert(id, contribution(id, owner, BlobRef::of(format!("cipher {id}").as_bytes())));
    }
    state.models.insert((1, 2), model_info());
    Arc::new(FakeChain(Mutex::new(state)))
}

pub fn settings() -> Settings {
    Settings {
        cache: Duration::ZERO,
        settle_after_blocks: 50,
        settle_least_blocks: 0,
        expiry_margin_blocks: 5,
        tick: Duration::from_millis(50),
        ..Settings::default()
    }
}

impl World {
    pub async fn start(home: &Path, chain: Arc<FakeChain>, rote: Rote) -> World {
        Self::start_with(home, chain, rote, settings()).await
    }

    pub async fn start_with(home: &Path, chain: Arc<FakeChain>, rote: Rote, settings: Settings) -> World {
        Self::start_as(home, chain, NODE, manifest(), Box::new(rote), settings).await
    }

    /// A node of this number whose model is `answerer`.
    pub async fn start_as(
        home: &Path,
        chain: Arc<FakeChain>,
        node_id: u64,
        manifest: Manifest,
        answerer: Box<dyn Answerer>,
        settings: Settings,
    ) -> World {
        let journal = Journal::open(&home.join("journal"), CHAIN, ESCROW, node_id).unwrap();
        Self::start_on(home, journal, chain, node_id, manifest, answerer, settings).await
    }

    /// A node with this journal.
    pub async fn start_on(
        home: &Path,
        journal: Journal,
        chain: Arc<FakeChain>,
        node_id: u64,
        manifest: Manifest,
        answerer: Box<dyn Answerer>,
        settings: Settings,
    ) -> World {
        let (node, listener) = Self::node(home, journal, chain.clone(), node_id, settings).await;
        node.models.insert(Loaded { info: model_info(), manifest, answerer });
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = router(node.clone());
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        World { chain, node, url, http: reqwest::Client::new(), server }
    }

    /// A node with its loops, as `openledger-node serve` runs it, and what stops it as SIGTERM does.
    pub async fn serve(
        home: &Path,
        chain: Arc<FakeChain>,
        rote: Rote,
    ) -> (World, tokio::sync::oneshot::Sender<()>) {
        let journal = Journal::open(&home.join("journal"), CHAIN, ESCROW, NODE).unwrap();
        let (node, listener) = Self::node(home, journal, chain.clone(), NODE, settings()).await;
        node.models.insert(Loaded { info: model_info(), manifest: manifest(), answerer: Box::new(rote) });
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (served, scratch) = (node.clone(), home.join("models"));
        let server = tokio::spawn(async move {
            let stop = async move { drop(stopped.await) };
            openledger_node::serve::run(served, Watch::default(), listener, scratch, stop).await.unwrap();
        });
        (World { chain, node, url, http: reqwest::Client::new(), server }, stop)
    }

    async fn node(
        home: &Path,
        journal: Journal,
        chain: Arc<FakeChain>,
        node_id: u64,
        settings: Settings,
    ) -> (Arc<Node>, tokio::net::TcpListener) {
        let store = Arc::new(RedbStore::open(&home.join("blobs")).unwrap());
        let identities = Identities::default();
        let keys = SigningKeys::open(node_key(), &home.join("signing")).unwrap();
        let key = node_key().public_key();
        let node = Node::new(chain, journal, store, key, keys, node_id, identities, settings);
        (node, tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// Ends it as a kill would: nothing is closed or flushed.
    pub async fn kill(self) {
        self.server.abort();
        self.gone().await;
    }

    /// Waits until the server has ended and nothing holds the node's files any more.
    pub async fn gone(self) {
        let _ = self.server.await;
        drop(self.http);
        // Tasks under way hold the node; its file is free once they are gone.
        let mut node = self.node;
        for _ in 0..500 {
            match Arc::try_unwrap(node) {
                Ok(_) => return,
                Err(still) => node = still,
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the node is still in use");
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.http.get(format!("{}{path}", self.url)).send().await.unwrap()
    }

    pub async fn ask(&self, user: &mut User, prompt: &str) -> AnswerBundle {
        let request = user.request(prompt, 5);
        self.answered(user, "/v1/completions", request).await
    }

    /// A chat whose answer may be any object.
    pub async fn ask_bound(&self, user: &mut User, prompt: &str) -> AnswerBundle {
        user.sequence += 1;
        let request = user.body(&format!(
            r#"{{"model":"1:2","messages":[{{"role":"user","content":{prompt:?}}}],"max_tokens":5,
                "response_format":{{"type":"json_object"}}}}"#
        ));
        self.answered(user, "/v1/chat/completions", request).await
    }

    async fn answered(
        &self,
        user: &mut User,
        path: &str,
        (body, payment): (String, PaymentSignature),
    ) -> AnswerBundle {
        let response = self.send(path, &body, Some(&payment)).await;
        assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
        let json: Value = response.json().await.unwrap();
        let bundle: AnswerBundle = serde_json::from_value(json["openledger"].clone()).unwrap();
        user.take(&bundle);
        bundle
    }

    pub async fn send(
        &self,
        path: &str,
        body: &str,
        payment: Option<&PaymentSignature>,
    ) -> reqwest::Response {
        let mut request = self.http.post(format!("{}{path}", self.url)).body(body.to_string());
        if let Some(payment) = payment {
            request = request
                .header("payment-signature", BASE64_STANDARD.encode(serde_json::to_vec(payment).unwrap()));
        }
        request.send().await.unwrap()
    }

    pub async fn session(&self, id: u64) -> SessionState {
        self.get(&format!("/v1/sessions/{id}")).await.json().await.unwrap()
    }
}

/// A client with a session.
pub struct User {
    pub session_id: u64,
    pub key: Key,
    pub sequence: u64,
    pub log: Frontier<openledger_types::merkle::SumNode>,
    pub nonce: u8,
    /// Whether vouchers acknowledge what was received.
    pub acknowledges: bool,
}

impl User {
    pub fn open(chain: &FakeChain, session_id: u64) -> User {
        let key = Key::from_bytes(&[session_id as u8; 32]).unwrap();
        let mut state = chain.state();
        let opened_at = state.height;
        let session = SessionResponse {
            session_id,
            owner: "openledger1user".into(),
            session_key: HexBinary::from(key.public_key().as_slice()),
            denom: DENOM.into(),
            deposit: CAP.into(),
            open_fee: 1u128.into(),
            protocol: 0u128.into(),
            developer_part: 0u128.into(),
            node_part: 0u128.into(),
            data_part: 0u128.into(),
            refunded: 0u128.into(),
            nodes: vec![SessionNodeResponse {
                node_id: NODE,
                cap: CAP.into(),
                settled: 0u128.into(),
                log: SumRoot::empty(),
                settled_at: opened_at,
                node_key: HexBinary::from(node_key().public_key().as_slice()),
                price_in: 10u128.into(),
                price_out: 37u128.into(),
                operator: "openledger1op".into(),
                hot_addr: None,
            }],
            model_id: 1,
            model_version: 2,
            developer: "openledger1dev".into(),
            // The model's; what the node asks stands in its entry.
            price_in: 9u128.into(),
            price_out: 31u128.into(),
            royalties: vec![],
            min_fee: 100u128.into(),
            split: SPLIT,
            opened_at,
            expires: opened_at + 500,
            close_requested_at: None,
            closed: false,
        };
        state.sessions.insert(session_id, session);
        User { session_id, key, sequence: 0, log: Frontier::new(), nonce: 0, acknowledges: true }
    }

    pub fn acknowledged(&self) -> SumRoot {
        SumRoot::new(self.log.root().unwrap(), self.log.size())
    }

    pub fn sign(&self, voucher: Voucher) -> SignedVoucher {
        let signature = self.key.sign_digest(&voucher.digest());
        SignedVoucher { voucher, signature: HexBinary::from(signature.as_slice()) }
    }

    pub fn voucher(&self, request_hash: &Hash) -> Voucher {
        Voucher {
            chain_id: CHAIN.into(),
            contract: ESCROW.into(),
            session_id: self.session_id,
            node_id: NODE,
            sequence: self.sequence,
            denom: DENOM.into(),
            request_hash: HexBinary::from(request_hash),
            cumulative_max: (self.sequence as u128 * 10_000).min(CAP).into(),
            acknowledged: if self.acknowledges { self.acknowledged() } else { SumRoot::empty() },
        }
    }

    /// The next request.
    pub fn request(&mut self, prompt: &str, max_tokens: u32) -> (String, PaymentSignature) {
        self.sequence += 1;
        self.body(&format!(r#"{{"model":"1:2","prompt":{prompt:?},"max_tokens":{max_tokens}}}"#))
    }

    /// Pays for `body` under the present sequence.
    pub fn body(&mut self, body: &str) -> (String, PaymentSignature) {
        self.nonce += 1;
        let nonce = [self.nonce; 32];
        let hash = request_hash(body.as_bytes(), &nonce);
        let voucher = self.sign(self.voucher(&hash));
        (body.to_string(), PaymentSignature { voucher, nonce: HexBinary::from(&nonce) })
    }

    pub fn take(&mut self, bundle: &AnswerBundle) {
        self.log.push(bundle.receipt.receipt.leaf()).unwrap();
    }
}

pub async fn code(response: reqwest::Response) -> (u16, String) {
    let status = response.status().as_u16();
    let json: Value = response.json().await.unwrap();
    (status, json["error"]["code"].as_str().unwrap_or_default().to_string())
}

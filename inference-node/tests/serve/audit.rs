//! An auditor beside a serving node: what it attests, what it does not, what it demands.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use cosmwasm_std::{HexBinary, Uint128};
use openledger_node::audit::{AuditSettings, Auditor, RefereeView, Responder};
use openledger_node::corpus::{Answer, Identities};
use openledger_node::journal::{AuditState, Journal, SeedState};
use openledger_node::ledger::{
    grow_to, ledger_root, parse_ledger, parse_receipts, receipts_root, SessionPart,
};
use openledger_node::serve::{Loaded, Node, Posting, SigningKeys};
use openledger_store::RedbStore;
use openledger_types::faults::{datanets_hash, Court, SessionFacts};
use openledger_types::formats::*;
use openledger_types::merkle::{leaf_hash, verify_inclusion, Hash, BLOB_CHUNK};
use openledger_types::msg::escrow::{EpochResponse, LedgerResponse, RootStatus};
use openledger_types::msg::node_registry::{Auditor as Weight, NodeResponse, NodeStatus, Role};
use openledger_types::msg::referee::{
    AttestationResponse, BlobKind, CaseResponse, DemandResponse, DemandStatus, ExecuteMsg, Params,
    SeedResponse,
};
use openledger_types::profile::Profile;

use crate::support::*;

pub const AUDITOR: u64 = 9;
/// Blocks of a seed's period in the devnet's profile.
const SEED_BLOCKS: u64 = 120;
const HOT: &str = "openledger1hot";

/// The referee and the other contracts, as an auditor sees them.
pub struct FakeReferee {
    chain: Arc<FakeChain>,
    endpoint: Mutex<String>,
    /// Where a second node says that it is, whose root waits too.
    second: Mutex<Option<String>>,
    attested: Mutex<Vec<(u64, u64)>>,
    demands: Mutex<Vec<DemandResponse>>,
    pub cases: Mutex<Vec<CaseResponse>>,
    told: Mutex<Vec<ExecuteMsg>>,
    /// Queries by name.
    asked: Mutex<BTreeMap<&'static str, usize>>,
    seeds: Mutex<BTreeMap<(u64, u64), SeedResponse>>,
    /// What the next message meets.
    mishap: Mutex<Option<Mishap>>,
    /// Whether it is meant for a message about a seed.
    mishap_to_seed: Mutex<bool>,
}

impl FakeReferee {
    pub fn new(chain: &Arc<FakeChain>, endpoint: &str) -> Arc<Self> {
        Arc::new(FakeReferee {
            chain: chain.clone(),
            endpoint: Mutex::new(endpoint.into()),
            second: Mutex::default(),
            attested: Mutex::default(),
            demands: Mutex::default(),
            cases: Mutex::default(),
            told: Mutex::default(),
            asked: Mutex::default(),
            seeds: Mutex::default(),
            mishap: Mutex::default(),
            mishap_to_seed: Mutex::default(),
        })
    }

    fn node(&self, node_id: u64, operator: &str) -> NodeResponse {
        NodeResponse {
            node_id,
            operator: operator.into(),
            moniker: "n".into(),
            endpoint: self.endpoint.lock().unwrap().clone(),
            node_key: HexBinary::from(node_key().public_key().as_slice()),
            key_expires: 1_000_000,
            jailed_until: None,
            open_cases: 0,
            hot_addr: None,
            age_recipient: "age1".into(),
            roles: vec![Role::Inference],
            bond: 1u128.into(),
            status: NodeStatus::Bonded,
            unbonds_at: None,
        }
    }

    fn demand(&self, blob: BlobKind, index: u64, demander: &str) {
        let mut demands = self.demands.lock().unwrap();
        let state = self.chain.state();
        let demand_id = demands.len() as u64 + 1;
        demands.push(DemandResponse {
            demand_id,
            demander: demander.into(),
            node_id: NODE,
            denom: DENOM.into(),
            epoch: state.waiting.unwrap(),
            blob,
            index,
            bond: 1_000_000u128.into(),
            until: state.height + 4,
            status: DemandStatus::Open,
        });
    }

    fn take(&self, msg: &ExecuteMsg) -> std::result::Result<(), String> {
        self.told.lock().unwrap().push(msg.clone());
        match msg {
            ExecuteMsg::Attest { auditor, node_id, epoch, .. } => {
                let mut attested = self.attested.lock().unwrap();
                if *node_id != NODE || attested.contains(&(*auditor, *epoch)) {
                    return Err("attested already".into());
                }
                attested.push((*auditor, *epoch));
                Ok(())
            }
            ExecuteMsg::DemandChunk { blob, index, .. } => {
                self.demand(*blob, *index, HOT);
                Ok(())
            }
            ExecuteMsg::AnswerDemand { demand_id, chunk, path } => {
                let mut demands = self.demands.lock().unwrap();
                let demand = &mut demands[*demand_id as usize - 1];
                let commit = self.chain.state().epochs[&demand.epoch].commit.clone();
                let blob = match demand.blob {
                    BlobKind::Leaves => commit.leaves_blob,
                    BlobKind::Receipts => commit.receipts_blob,
                };
                let root = hash32("root", &blob.root).unwrap();
                let count = blob.len.div_ceil(BLOB_CHUNK as u64);
                if !verify_inclusion(&leaf_hash(chunk), demand.index, count, path, &root) {
                    return Err("the chunk is not the blob's".into());
                }
                demand.status = DemandStatus::Answered;
                Ok(())
            }
            ExecuteMsg::ExpireDemand { demand_id } => {
                self.demands.lock().unwrap()[*demand_id as usize - 1].status = DemandStatus::Expired;
                self.chain.void(&[]);
                Ok(())
            }
            ExecuteMsg::OpenCase { subject, reason } => {
                let mut cases = self.cases.lock().unwrap();
                let (case_id, opened_at) = (cases.len() as u64 + 1, self.chain.state().height);
                cases.push(CaseResponse {
                    case_id,
                    challenger: HOT.into(),
                    subject: subject.clone(),
                    reason: reason.clone(),
                    bond: 1_000_000u128.into(),
                    opened_at,
                    commit_until: opened_at + 59,
                    reveal_until: opened_at + 118,
                    eligible: 5u128.into(),
                    guilty: 0u128.into(),
                    not_guilty: 0u128.into(),
                    verdict: None,
                });
                Ok(())
            }
            ExecuteMsg::CommitVote { .. } => match &self.cases.lock().unwrap()[0] {
                case if self.chain.state().height <= case.commit_until => Ok(()),
                _ => Err("too late".into()),
            },
            ExecuteMsg::RevealVote { case_id, auditor, guilty, salt } => {
                let case = self.cases.lock().unwrap()[0].clone();
                let salt = hash32("salt", salt).unwrap();
                let opening = vote_commitment(CHAIN, "referee", *case_id, *auditor, *guilty, &salt);
                let committed = self.told.lock().unwrap().iter().any(|msg| {
                    matches!(msg, ExecuteMsg::CommitVote { commitment, .. } if commitment.as_slice() == opening)
                });
                let height = self.chain.state().height;
                match committed && height > case.commit_until && height <= case.reveal_until {
                    true => Ok(()),
                    false => Err("not its opening, or not the time".into()),
                }
            }
            ExecuteMsg::ClaimAudit { .. } | ExecuteMsg::Withdraw {} | ExecuteMsg::Conclude { .. } => Ok(()),
            ExecuteMsg::ProveFault { proof } => {
                let verify = |digest: &Hash, signature: &[u8], key: &[u8]| {
                    openledger_client::verify_digest(key, digest, signature)
                };
                let court = Court { chain_id: CHAIN, escrow: ESCROW, verify: &verify };
                proof.0.fault.judge(&court, &proof.0.stated).map(|_| ()).map_err(|e| e.to_string())
            }
            ExecuteMsg::CommitSeed { auditor, period, commitment } => {
                let seed = SeedResponse { commitment: Some(commitment.clone()), seed: None, reported: false };
                match self.seeds.lock().unwrap().insert((*auditor, *period), seed) {
                    None if *period == self.chain.state().height / SEED_BLOCKS + 1 => Ok(()),
                    other => Err(format!("committed before, or another period: {other:?}")),
                }
            }
            ExecuteMsg::RevealSeed { auditor, period, seed } => {
                let bytes = hash32("seed", seed).unwrap();
                let mut seeds = self.seeds.lock().unwrap();
                let kept = seeds.get_mut(&(*auditor, *period)).ok_or("no such seed")?;
                let opened = seed_commitment(CHAIN, "referee", *auditor, *period, &bytes);
                if kept.commitment.as_ref().unwrap().as_slice() != opened
                    || *period + 1 != self.chain.state().height / SEED_BLOCKS
                {
                    return Err("not its opening, or not the time".into());
                }
                kept.seed = Some(seed.clone());
                Ok(())
            }
            ExecuteMsg::ReportSeed { auditor, period } => {
                let mut seeds = self.seeds.lock().unwrap();
                seeds.get_mut(&(*auditor, *period)).ok_or("no such seed")?.reported = true;
                Ok(())
            }
            other => Err(format!("not expected: {other:?}")),
        }
    }

    /// Votes that were revealed.
    pub fn votes(&self) -> Vec<bool> {
        let told = self.told.lock().unwrap();
        let vote = |msg: &ExecuteMsg| match msg {
            ExecuteMsg::RevealVote { guilty, .. } => Some(*guilty),
            _ => None,
        };
        told.iter().filter_map(vote).collect()
    }

    fn count(&self, query: &'static str) {
        *self.asked.lock().unwrap().entry(query).or_default() += 1;
    }

    /// Queries of this name since the last call.
    pub fn asked(&self, query: &'static str) -> usize {
        self.asked.lock().unwrap().remove(query).unwrap_or_default()
    }

    pub fn told(&self, wanted: fn(&ExecuteMsg) -> bool) -> usize {
        self.told.lock().unwrap().iter().filter(|msg| wanted(msg)).count()
    }
}

impl RefereeView for FakeReferee {
    fn nodes(&self) -> Answer<'_, Vec<NodeResponse>> {
        self.count("nodes");
        let second = self.second.lock().unwrap().clone();
        // It stands first: whoever looks at one after the other looks at it before all others.
        let second =
            second.map(|endpoint| NodeResponse { endpoint, ..self.node(NODE + 1, "openledger1second") });
        let known = [self.node(NODE, "openledger1op"), self.node(AUDITOR, "openledger1val")];
        Box::pin(async { Ok(second.into_iter().chain(known).collect()) })
    }
    fn pending_of(&self, node_id: u64) -> Answer<'_, Option<EpochResponse>> {
        Box::pin(async move {
            let state = self.chain.state();
            let waiting = state.waiting.filter(|_| node_id == NODE || node_id == NODE + 1);
            let mut epoch = waiting.and_then(|epoch| state.epochs.get(&epoch).cloned());
            if let Some(epoch) = epoch.as_mut().filter(|_| node_id != NODE) {
                epoch.commit.node_id = node_id;
                epoch.commit.leaves_blob = BlobRef::of(b"kept by the second node");
                epoch.hash = HexBinary::from(&epoch.commit.hash());
            }
            Ok(epoch)
        })
    }
    fn ledger_of<'a>(&'a self, _: u64, _: &'a str) -> Answer<'a, LedgerResponse> {
        Box::pin(async { Ok(self.chain.state().ledger.clone().unwrap()) })
    }
    fn epoch_of<'a>(&'a self, _: u64, _: &'a str, epoch: u64) -> Answer<'a, Option<EpochResponse>> {
        self.count("epoch");
        Box::pin(async move { Ok(self.chain.state().epochs.get(&epoch).cloned()) })
    }
    fn facts(&self, session_id: u64, node_id: u64) -> Answer<'_, Option<SessionFacts>> {
        Box::pin(async move {
            let state = self.chain.state();
            let Some(session) = state.sessions.get(&session_id) else { return Ok(None) };
            let node = &session.nodes[0];
            Ok(Some(SessionFacts {
                session_id,
                node_id,
                node_key: node.node_key.clone(),
                denom: DENOM.into(),
                model_id: session.model_id,
                model_version: session.model_version,
                datanets_hash: HexBinary::from(&datanets_hash(&model_info().datanets)),
                price_in: node.price_in,
                price_out: node.price_out,
                min_fee: session.min_fee,
                floor_per_token: 0u128.into(),
                data_bps: session.split.data,
                opened_at: session.opened_at,
                log: node.log.clone(),
                settled_from: 0,
                settled_epoch: state.waiting.unwrap_or_default(),
            }))
        })
    }
    fn withdrawal_grace(&self) -> Answer<'_, u64> {
        Box::pin(async { Ok(10) })
    }
    fn referee_params(&self) -> Answer<'_, Params> {
        Box::pin(async { Ok(Profile::devnet(DENOM).referee) })
    }
    fn attestation<'a>(&'a self, _: u64, _: &'a str, epoch: u64) -> Answer<'a, AttestationResponse> {
        Box::pin(async move {
            let attested = self.attested.lock().unwrap();
            let auditors: Vec<(u64, Uint128)> =
                attested.iter().filter(|(_, of)| *of == epoch).map(|(id, _)| (*id, 5u128.into())).collect();
            let attested = Uint128::new(5 * auditors.len() as u128);
            Ok(AttestationResponse { eligible: None, attested, auditors, until: None })
        })
    }
    fn demands(&self, start_after: Option<u64>) -> Answer<'_, Vec<DemandResponse>> {
        Box::pin(async move {
            let demands = self.demands.lock().unwrap();
            Ok(demands.iter().filter(|d| Some(d.demand_id) > start_after).take(2).cloned().collect())
        })
    }
    fn cases(&self, start_after: Option<u64>) -> Answer<'_, Vec<CaseResponse>> {
        self.count("cases");
        Box::pin(async move {
            let cases = self.cases.lock().unwrap();
            Ok(cases.iter().filter(|case| Some(case.case_id) > start_after).take(2).cloned().collect())
        })
    }
    fn case(&self, case_id: u64) -> Answer<'_, CaseResponse> {
        self.count("case");
        Box::pin(async move { Ok(self.cases.lock().unwrap()[case_id as usize - 1].clone()) })
    }
    fn auditors(&self) -> Answer<'_, Vec<Weight>> {
        Box::pin(async {
            let weight = |node_id, weight: u128| {
                let operator = format!("openledger1val{node_id}");
                Weight { node_id, operator, hot_addr: None, weight: weight.into() }
            };
            Ok(vec![weight(AUDITOR, 5), weight(AUDITOR + 1, 15)])
        })
    }
    fn eligible_for(&self, _: u64) -> Answer<'_, u128> {
        Box::pin(async { Ok(5) })
    }
    fn seed_of(&self, auditor: u64, period: u64) -> Answer<'_, SeedResponse> {
        Box::pin(async move {
            let none = SeedResponse { commitment: None, seed: None, reported: false };
            Ok(self.seeds.lock().unwrap().get(&(auditor, period)).cloned().unwrap_or(none))
        })
    }
    fn referee(&self) -> &str {
        "referee"
    }
    fn hot_addr(&self) -> &str {
        HOT
    }
    fn tell<'a>(&'a self, msg: &'a ExecuteMsg, _: Option<(u128, &'a str)>) -> Answer<'a, Posting> {
        Box::pin(async move {
            let seed = matches!(msg, ExecuteMsg::CommitSeed { .. } | ExecuteMsg::RevealSeed { .. });
            let meant = seed == *self.mishap_to_seed.lock().unwrap();
            let mishap = self.mishap.lock().unwrap().take_if(|_| meant);
            let open = || Posting::Open { reason: "no answer".into() };
            if mishap == Some(Mishap::Lost) {
                return Ok(open());
            }
            Ok(match self.take(msg) {
                Ok(()) if mishap == Some(Mishap::Silent) => open(),
                Ok(()) => Posting::Done { tx: "TX".into() },
                Err(reason) => Posting::Refused { reason },
            })
        })
    }
}

pub fn auditor_node(home: &Path, chain: &Arc<FakeChain>) -> Arc<Node> {
    let node = started_node(home, chain);
    node.models.looked();
    node
}

/// The same right after its start.
fn started_node(home: &Path, chain: &Arc<FakeChain>) -> Arc<Node> {
    let journal = Journal::open(&home.join("audit-journal"), CHAIN, ESCROW, AUDITOR).unwrap();
    let store = Arc::new(RedbStore::open(&home.join("audit-blobs")).unwrap());
    let key = openledger_client::Key::from_bytes(&[77; 32]).unwrap();
    let (public, keys) = (key.public_key(), SigningKeys::single(key));
    Node::new(chain.clone(), journal, store, public, keys, AUDITOR, Identities::default(), settings())
}

pub fn auditor(node: &Arc<Node>, referee: &Arc<FakeReferee>, demand_budget: u128) -> Auditor {
    auditor_who(node, referee, AuditSettings { demand_budget, least_claim: 1, ..AuditSettings::default() })
}

/// The same with settings of its own.
fn auditor_who(node: &Arc<Node>, referee: &Arc<FakeReferee>, settings: AuditSettings) -> Auditor {
    Auditor::new(node.clone(), referee.clone(), settings)
}

/// A serving node with three answers under a root that waits.
async fn posted(home: &Path, chain: &Arc<FakeChain>) -> World {
    let world = World::start(home, chain.clone(), Rote::default()).await;
    let mut user = User::open(chain, 7);
    for prompt in ["a", "b b", "c c c"] {
        world.ask(&mut user, prompt).await;
    }
    chain.state().height += 60;
    assert_eq!(world.node.settle_round().await.unwrap(), "posted epoch 1");
    world
}

fn waiting(chain: &FakeChain) -> EpochResponse {
    let state = chain.state();
    state.epochs[&state.waiting.unwrap()].clone()
}

#[tokio::test]
async fn rule_l6_an_auditor_attests_once_what_it_has_checked_and_keeps_it() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let world = posted(home.path(), &chain).await;
    let referee = FakeReferee::new(&chain, &world.url);
    let epoch = waiting(&chain);
    let node = auditor_node(home.path(), &chain);
    // The chain takes it unseen, and the auditor is killed.
    *referee.mishap.lock().unwrap() = Some(Mishap::Silent);
    assert_eq!(auditor(&node, &referee, 0).round().await.unwrap(), 0);
    assert_eq!(node.journal.audit(&epoch.hash).unwrap().unwrap().state, AuditState::Checked);
    drop(node);
    let node = auditor_node(home.path(), &chain);
    let audits = auditor(&node, &referee, 0);
    assert_eq!(audits.round().await.unwrap(), 0);
    assert_eq!(node.journal.audit(&epoch.hash).unwrap().unwrap().state, AuditState::Attested { tx: None });
    assert_eq!(*referee.attested.lock().unwrap(), [(AUDITOR, 1)]);
    // Both blobs are kept here, whatever becomes of the node.
    for blob in [&epoch.commit.leaves_blob, &epoch.commit.receipts_blob] {
        let root = hash32("root", &blob.root).unwrap();
        assert_eq!(BlobRef::of(&node.stored(&root).await.unwrap().unwrap()), *blob);
    }
    // Final and attested: its pay is claimed, once.
    attested_and_due(&chain);
    world.node.settle_round().await.unwrap();
    for _ in 0..3 {
        assert_eq!(audits.round().await.unwrap(), 0);
    }
    assert_eq!(referee.told(|msg| matches!(msg, ExecuteMsg::ClaimAudit { .. })), 1);
    assert!(node.journal.open_audits().unwrap().is_empty());
}

/// The first root is attested, has an audit pay of 500, and may be made final.
fn attested_and_due(chain: &FakeChain) {
    let mut state = chain.state();
    let record = state.epochs.get_mut(&1).unwrap();
    (record.attested, record.audit) = (true, 500u128.into());
    state.height += 8;
}

/// Of an auditor that has just been started the models are not loaded yet.
#[tokio::test]
async fn rule_l6_an_auditor_gives_no_word_before_its_models_are_loaded() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let world = posted(home.path(), &chain).await;
    let referee = FakeReferee::new(&chain, &world.url);
    let node = started_node(home.path(), &chain);
    let audits = auditor(&node, &referee, 0);
    for _ in 0..3 {
        assert_eq!(audits.round().await.unwrap(), 0);
    }
    assert!(referee.attested.lock().unwrap().is_empty());
    // The model is there, and its answers are not those of the node.
    let answerer = Box::new(Rote { fails: true, ..Rote::default() });
    node.models.insert(Loaded { info: model_info(), manifest: manifest(), answerer });
    assert_eq!(audits.round().await.unwrap(), 0);
    assert!(referee.attested.lock().unwrap().is_empty());
    assert_eq!(node.journal.accusations().unwrap().len(), 1);
    // One that turns out not to hold the model says what it can.
    let other = tempfile::tempdir().unwrap();
    let node = started_node(other.path(), &chain);
    let audits = auditor(&node, &referee, 0);
    assert_eq!(audits.round().await.unwrap(), 0);
    node.models.looked();
    assert_eq!(audits.round().await.unwrap(), 1);
}

/// The pay of a root is shared by weight: the message has to be worth this auditor's own part.
#[tokio::test]
async fn rule_f4_an_auditor_claims_when_its_own_share_is_worth_it() {
    for (least_claim, claims) in [(251, 0), (250, 1)] {
        let home = tempfile::tempdir().unwrap();
        let chain = new_chain();
        let world = posted(home.path(), &chain).await;
        let referee = FakeReferee::new(&chain, &world.url);
        let node = auditor_node(home.path(), &chain);
        let audits = auditor_who(&node, &referee, AuditSettings { least_claim, ..AuditSettings::default() });
        audits.round().await.unwrap();
        referee.attested.lock().unwrap().push((AUDITOR + 1, 1));
        attested_and_due(&chain);
        world.node.settle_round().await.unwrap();
        for _ in 0..3 {
            audits.round().await.unwrap();
        }
        assert_eq!(referee.told(|msg| matches!(msg, ExecuteMsg::ClaimAudit { .. })), claims);
        assert!(node.journal.open_audits().unwrap().is_empty());
    }
}

#[tokio::test]
async fn the_next_epoch_is_checked_against_the_ledger_before_it() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let world = posted(home.path(), &chain).await;
    let referee = FakeReferee::new(&chain, &world.url);
    let node = auditor_node(home.path(), &chain);
    let audits = auditor(&node, &referee, 0);
    assert_eq!(audits.round().await.unwrap(), 1);
    chain.state().height += 8;
    world.node.settle_round().await.unwrap();
    let mut other = User::open(&chain, 8);
    world.ask(&mut other, "later").await;
    chain.state().height += 60;
    assert_eq!(world.node.settle_round().await.unwrap(), "posted epoch 2");
    // Not its own roots: the same operator's are left alone.
    *referee.mishap.lock().unwrap() = Some(Mishap::Lost);
    assert_eq!(audits.round().await.unwrap(), 0);
    assert_eq!(audits.round().await.unwrap(), 1);
    assert_eq!(*referee.attested.lock().unwrap(), [(AUDITOR, 1), (AUDITOR, 2)]);
}

#[tokio::test]
async fn node_attack_a_silent_node_delays_neither_other_roots_nor_seeds() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let world = posted(home.path(), &chain).await;
    let referee = FakeReferee::new(&chain, &world.url);
    // It takes connections and never says a word.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    *referee.second.lock().unwrap() = Some(format!("http://{}", listener.local_addr().unwrap()));
    let node = auditor_node(home.path(), &chain);
    let wait = std::time::Duration::from_millis(700);
    let settings = AuditSettings { wait, ..AuditSettings::default() };
    let audits = Auditor::new(node.clone(), referee.clone(), settings);
    let round = || tokio::time::timeout(std::time::Duration::from_secs(10), audits.round());
    assert_eq!(round().await.expect("the round ends").unwrap(), 1);
    assert_eq!(*referee.attested.lock().unwrap(), [(AUDITOR, 1)]);
    // The silent node is still waited for, once, and the rounds go on beside it.
    let period = chain.state().height / SEED_BLOCKS + 1;
    chain.state().height = (period + 1) * SEED_BLOCKS;
    assert_eq!(round().await.expect("the round ends").unwrap(), 0);
    assert_eq!(node.journal.seed(period).unwrap().unwrap().state, SeedState::Revealed);
    let mut asked = 0;
    while tokio::time::timeout(std::time::Duration::from_millis(200), listener.accept()).await.is_ok() {
        asked += 1;
    }
    assert_eq!(asked, 1);
}

/// Posts other documents in place of the honest ones, with roots and blobs that fit them.
async fn forge(world: &World, forgery: fn(&mut LedgerBlob, &mut Vec<SignedReceipt>)) {
    let commit = waiting(&world.chain).commit;
    let stored = |blob: &BlobRef| {
        let (root, node) = (hash32("root", &blob.root).unwrap(), world.node.clone());
        async move { node.stored(&root).await.unwrap().unwrap() }
    };
    let bytes = stored(&commit.leaves_blob).await;
    let mut ledger = parse_ledger(&bytes, &commit.leaves_blob, &commit.ledger).unwrap();
    let bytes = stored(&commit.receipts_blob).await;
    let mut receipts = parse_receipts(&bytes, &commit.receipts_blob, &commit.receipts).unwrap();
    forgery(&mut ledger, &mut receipts);
    let (ledger_root, receipts_root) = (ledger_root(&ledger).unwrap(), receipts_root(&receipts).unwrap());
    let leaves_blob = world.node.keep(serde_json::to_vec(&ledger).unwrap()).await.unwrap();
    let blob = ReceiptsBlob { receipts };
    let receipts_blob = world.node.keep(serde_json::to_vec(&blob).unwrap()).await.unwrap();
    let commit =
        EpochCommit { ledger: ledger_root, receipts: receipts_root, leaves_blob, receipts_blob, ..commit };
    let mut state = world.chain.state();
    let record = state.epochs.get_mut(&1).unwrap();
    (record.hash, record.commit) = (HexBinary::from(&commit.hash()), commit);
}

#[tokio::test]
async fn rule_f1_a_wrong_root_is_never_attested() {
    type Forgery = fn(&mut LedgerBlob, &mut Vec<SignedReceipt>);
    // What, as which finding, whether proved in one step, how.
    let cases: Vec<(&str, &str, bool, Forgery)> = vec![
        ("honest", "", false, |_, _| {}),
        ("a unit moved from one contributor to another", "E-AUDIT-012", true, |ledger, _| {
            let last = ledger.leaves.len() - 1;
            ledger.leaves[last].leaf.cumulative += Uint128::one();
            ledger.leaves[last - 1].leaf.cumulative -= Uint128::one();
        }),
        ("more answers than paid", "E-AUDIT-012", false, |ledger, _| ledger.leaves[2].leaf.uses += 1),
        ("the leaves out of order", "E-AUDIT-009", true, |ledger, _| ledger.leaves.swap(0, 1)),
        ("the receipts out of order", "E-AUDIT-009", true, |_, receipts| receipts.swap(0, 1)),
        ("a receipt left out", "E-AUDIT-012", true, |_, receipts| drop(receipts.pop())),
        ("a receipt of nobody", "E-AUDIT-010", false, |_, receipts| {
            receipts[0].signature = HexBinary::from([1u8; 64].as_slice());
        }),
        ("another fee, signed", "E-AUDIT-010", true, |_, receipts| {
            receipts[1].receipt.fee += Uint128::one();
            let digest = receipts[1].receipt.digest();
            receipts[1].signature = HexBinary::from(node_key().sign_digest(&digest).as_slice());
            receipts.sort_by_key(|r| r.receipt.digest());
        }),
        ("a source that does not exist, signed", "E-AUDIT-010", true, |_, receipts| {
            receipts[1].receipt.shares[2].contribution_id = 99;
            let digest = receipts[1].receipt.digest();
            receipts[1].signature = HexBinary::from(node_key().sign_digest(&digest).as_slice());
            receipts.sort_by_key(|r| r.receipt.digest());
        }),
    ];
    for (name, code, proved, forgery) in cases {
        let home = tempfile::tempdir().unwrap();
        let chain = new_chain();
        let world = posted(home.path(), &chain).await;
        let referee = FakeReferee::new(&chain, &world.url);
        forge(&world, forgery).await;
        let node = auditor_node(home.path(), &chain);
        let audits = auditor(&node, &referee, 0);
        let expected = usize::from(code.is_empty());
        for round in 0..2 {
            assert_eq!(audits.round().await.unwrap(), if round == 0 { expected } else { 0 }, "{name}");
        }
        assert_eq!(referee.attested.lock().unwrap().len(), expected, "{name}");
        let state = node.journal.audit(&waiting(&chain).hash).unwrap().unwrap().state;
        match state {
            AuditState::Faulty { code: found, what } => assert_eq!(found, code, "{name}: {what}"),
            other => assert!(code.is_empty(), "{name}: {other:?}"),
        }
        let told = referee.told(|msg| matches!(msg, ExecuteMsg::ProveFault { .. }));
        assert_eq!(told > 0, proved, "{name}");
    }
}

#[tokio::test]
async fn rule_d4_a_source_withdrawn_before_the_grace_is_found_and_a_forbidden_use_too() {
    for (height, answer, wrong) in [(60, true, false), (89, true, true), (60, false, true)] {
        let home = tempfile::tempdir().unwrap();
        let chain = new_chain();
        let world = posted(home.path(), &chain).await;
        {
            let mut state = chain.state();
            let source = state.contributions.get_mut(&11).unwrap();
            // Receipts are of height 100, the grace is 10 blocks.
            source.withdrawn_at = Some(150 - height);
            source.facts.uses.answer = answer;
        }
        let referee = FakeReferee::new(&chain, &world.url);
        let node = auditor_node(home.path(), &chain);
        assert_eq!(auditor(&node, &referee, 0).round().await.unwrap(), usize::from(!wrong), "{height}");
    }
}

#[tokio::test]
async fn rule_l6_withheld_leaves_are_demanded_and_the_root_falls() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let world = posted(home.path(), &chain).await;
    // The blobs of the commitment are nowhere.
    {
        let mut state = chain.state();
        let record = state.epochs.get_mut(&1).unwrap();
        record.commit.leaves_blob = BlobRef::of(b"never stored");
        record.hash = HexBinary::from(&record.commit.hash());
    }
    let referee = FakeReferee::new(&chain, &world.url);
    let responder = Responder::new(world.node.clone(), referee.clone());
    let node = auditor_node(home.path(), &chain);
    // Without a budget it is only said.
    let poor = auditor(&node, &referee, 999_999);
    let rich = auditor(&node, &referee, 1_000_000);
    for audits in [&poor, &rich] {
        assert_eq!(audits.round().await.unwrap(), 0);
        chain.state().height += 4;
        assert_eq!(audits.round().await.unwrap(), 0);
    }
    let demanded = |msg: &ExecuteMsg| matches!(msg, ExecuteMsg::DemandChunk { .. });
    assert_eq!(referee.told(demanded), 1);
    // Once, also after a restart; the node cannot show what it has not.
    drop((poor, rich));
    drop(node);
    let node = auditor_node(home.path(), &chain);
    let rich = auditor(&node, &referee, 1_000_000);
    chain.state().height += 2;
    assert_eq!(rich.round().await.unwrap(), 0);
    assert_eq!(responder.round().await.unwrap(), 0);
    assert_eq!(referee.told(demanded), 1);
    // Its time is over: the auditor ends it and takes its bond back.
    chain.state().height += 4;
    for _ in 0..3 {
        assert_eq!(rich.round().await.unwrap(), 0);
    }
    assert_eq!(waiting(&chain).status, RootStatus::Void);
    assert_eq!(referee.told(|msg| matches!(msg, ExecuteMsg::ExpireDemand { .. })), 1);
    assert_eq!(referee.told(|msg| matches!(msg, ExecuteMsg::Withdraw {})), 1);
    assert!(node.journal.open_audits().unwrap().is_empty());
    assert!(referee.attested.lock().unwrap().is_empty());
}

#[tokio::test]
async fn rule_l6_a_serving_node_shows_what_is_demanded_of_it() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let world = posted(home.path(), &chain).await;
    let referee = FakeReferee::new(&chain, &world.url);
    referee.demand(BlobKind::Leaves, 0, "openledger1other");
    referee.demand(BlobKind::Receipts, 0, "openledger1other");
    referee.demand(BlobKind::Receipts, 7, "openledger1other");
    let first = referee.demands.lock().unwrap()[0].clone();
    let foreign = DemandResponse { demand_id: 4, node_id: NODE + 1, ..first };
    referee.demands.lock().unwrap().push(foreign);
    let responder = Responder::new(world.node.clone(), referee.clone());
    *referee.mishap.lock().unwrap() = Some(Mishap::Lost);
    // One is lost on its way, one names no chunk, one is another node's.
    assert_eq!(responder.round().await.unwrap(), 1);
    assert_eq!(responder.round().await.unwrap(), 1);
    assert_eq!(responder.round().await.unwrap(), 0);
    let statuses: Vec<_> = referee.demands.lock().unwrap().iter().map(|d| d.status).collect();
    assert_eq!(
        statuses,
        [DemandStatus::Answered, DemandStatus::Answered, DemandStatus::Open, DemandStatus::Open]
    );
    // What is over is not asked for again.
    assert_eq!(world.node.journal.demand_cursor().unwrap(), Some(2));
    // Too late is not tried.
    chain.state().height += 5;
    let before = referee.told.lock().unwrap().len();
    assert_eq!(responder.round().await.unwrap(), 0);
    assert_eq!(referee.told.lock().unwrap().len(), before);
}

#[test]
fn rule_l7_the_data_part_of_a_replacement_is_the_chains() {
    // What the chain fixed and the receipts do not give is dust; less than they give is refused.
    let none = LedgerBlob { leaves: vec![] };
    let parts: [SessionPart; 0] = [];
    let ledger = grow_to(&none, &parts, 3, &|_| None).unwrap();
    assert_eq!(ledger.leaves[0].leaf.account, Account::Dust);
    assert_eq!(ledger_root(&ledger).unwrap().sum.u128(), 3);
}

#[tokio::test]
async fn rule_f4_a_seed_is_kept_before_it_is_committed_and_revealed_after_its_period() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let world = posted(home.path(), &chain).await;
    let referee = FakeReferee::new(&chain, &world.url);
    assert_eq!(Profile::devnet(DENOM).referee.seed_blocks, SEED_BLOCKS);
    let period = chain.state().height / SEED_BLOCKS + 1;
    let node = auditor_node(home.path(), &chain);
    // Taken unseen, then a kill: the same seed stands, nothing is committed twice.
    *referee.mishap_to_seed.lock().unwrap() = true;
    *referee.mishap.lock().unwrap() = Some(Mishap::Silent);
    auditor(&node, &referee, 0).round().await.unwrap();
    let drawn = node.journal.seed(period).unwrap().unwrap();
    assert_eq!(drawn.state, SeedState::Drawn);
    drop(node);
    let node = auditor_node(home.path(), &chain);
    for _ in 0..2 {
        auditor(&node, &referee, 0).round().await.unwrap();
    }
    let committed = node.journal.seed(period).unwrap().unwrap();
    assert_eq!((committed.seed.clone(), committed.state), (drawn.seed, SeedState::Committed));
    assert_eq!(referee.told(|msg| matches!(msg, ExecuteMsg::CommitSeed { .. })), 1);
    // In its own period it stays secret.
    chain.state().height = period * SEED_BLOCKS;
    auditor(&node, &referee, 0).round().await.unwrap();
    assert_eq!(referee.told(|msg| matches!(msg, ExecuteMsg::RevealSeed { .. })), 0);
    chain.state().height = (period + 1) * SEED_BLOCKS;
    auditor(&node, &referee, 0).round().await.unwrap();
    assert_eq!(node.journal.seed(period).unwrap().unwrap().state, SeedState::Revealed);
    assert_eq!(referee.seeds.lock().unwrap()[&(AUDITOR, period)].seed, Some(committed.seed));
}

#[tokio::test]
async fn rule_f4_who_keeps_a_committed_seed_back_is_reported_once() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let world = posted(home.path(), &chain).await;
    let referee = FakeReferee::new(&chain, &world.url);
    let node = auditor_node(home.path(), &chain);
    let silent =
        SeedResponse { commitment: Some(HexBinary::from([1u8; 32].as_slice())), seed: None, reported: false };
    let open = SeedResponse { seed: silent.commitment.clone(), ..silent.clone() };
    referee.seeds.lock().unwrap().insert((AUDITOR + 1, 3), silent);
    referee.seeds.lock().unwrap().insert((AUDITOR + 1, 4), open);
    let audits = auditor(&node, &referee, 0);
    for (height, reports) in
        [(4 * SEED_BLOCKS, 0), (5 * SEED_BLOCKS, 1), (5 * SEED_BLOCKS + 1, 1), (6 * SEED_BLOCKS, 1)]
    {
        chain.state().height = height;
        audits.round().await.unwrap();
        assert_eq!(referee.told(|msg| matches!(msg, ExecuteMsg::ReportSeed { .. })), reports, "{height}");
    }
}

//! A network in one process: the chain on a thread of its own, each node with a store and a server.

use std::sync::mpsc;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use object_store::memory::InMemory;
use openledger_node::corpus::Answer;
use openledger_node::fault::Fault;
use openledger_node::serve::{Posting, Store};
use openledger_node::storage::{KeepSettings, Keeper, StorageView};
use openledger_store::{fragment_root, fragments, BucketStore, RedbStore};
use openledger_testing::{Document, World};
use openledger_types::formats::{BlobRef, Coding};
use openledger_types::merkle::Hash;
use openledger_types::msg::datanet::ContributionResponse;
use openledger_types::msg::node_registry::{self, NodeResponse, NodesResponse};
use openledger_types::msg::storage::{
    AccountResponse, ChallengeResponse, ConfigResponse, DrawResponse, ExecuteMsg, HoldingResponse,
    HoldingsResponse, ObjectResponse, ObjectsResponse, QueryMsg, StorerResponse, StorersResponse,
};
use tempfile::TempDir;

/// KiB that each node offers.
const CAPACITY: u64 = 100_000;

type Job = Box<dyn FnOnce(&mut World) + Send>;

/// The chain, asked from any thread.
#[derive(Clone)]
pub struct Chain(mpsc::Sender<Job>);

impl Chain {
    fn start() -> Self {
        let (sender, jobs) = mpsc::channel::<Job>();
        std::thread::spawn(move || {
            let change = |profile: &mut openledger_testing::Profile| {
                let storage = &mut profile.storage;
                (storage.epoch_blocks, storage.answer_blocks, storage.assign_blocks) = (24, 12, 2);
                (storage.accept_blocks, storage.cover_blocks) = (40, 43);
            };
            let mut world = World::builder().profile(change).build();
            while let Ok(job) = jobs.recv() {
                job(&mut world);
            }
        });
        Chain(sender)
    }

    /// Does something with the chain and waits for it.
    pub fn with<T: Send + 'static>(&self, work: impl FnOnce(&mut World) -> T + Send + 'static) -> T {
        let (sender, answer) = mpsc::channel();
        let job: Job = Box::new(move |world| drop(sender.send(work(world))));
        self.0.send(job).expect("the chain runs");
        answer.recv().expect("the chain answers")
    }

    fn ask<T: serde::de::DeserializeOwned + Send + 'static>(&self, msg: QueryMsg) -> T {
        self.with(move |world| world.query(&world.storage, &msg).expect("the contract answers"))
    }
}

/// The chain as one node sees it.
struct Seat {
    chain: Chain,
    operator: cosmwasm_std::Addr,
}

fn ready<'a, T: Send + 'a>(value: T) -> Answer<'a, T> {
    Box::pin(std::future::ready(Ok(value)))
}

impl StorageView for Seat {
    fn tip(&self) -> Answer<'_, u64> {
        ready(self.chain.with(|world| world.height()))
    }

    fn registered(&self) -> Answer<'_, Vec<NodeResponse>> {
        let msg = node_registry::QueryMsg::Nodes { start_after: None, limit: Some(30) };
        let answer: NodesResponse =
            self.chain.with(move |world| world.query(&world.node_registry, &msg).unwrap());
        ready(answer.nodes)
    }

    fn storage_config(&self) -> Answer<'_, ConfigResponse> {
        ready(self.chain.ask(QueryMsg::Config {}))
    }

    fn objects(&self) -> Answer<'_, Vec<ObjectResponse>> {
        let msg = QueryMsg::Objects { start_after: None, limit: Some(30) };
        ready(self.chain.ask::<ObjectsResponse>(msg).objects)
    }

    fn storers(&self) -> Answer<'_, Vec<StorerResponse>> {
        let msg = QueryMsg::Storers { start_after: None, limit: Some(30) };
        ready(self.chain.ask::<StorersResponse>(msg).storers)
    }

    fn holdings(&self, node_id: u64) -> Answer<'_, Vec<HoldingResponse>> {
        let msg = QueryMsg::Holdings { node_id, start_after: None, limit: Some(30) };
        ready(self.chain.ask::<HoldingsResponse>(msg).holdings)
    }

    fn draw(&self) -> Answer<'_, DrawResponse> {
        ready(self.chain.ask(QueryMsg::Draw {}))
    }

    fn challenge(&self, node_id: u64) -> Answer<'_, Option<ChallengeResponse>> {
        ready(Some(self.chain.ask(QueryMsg::Challenge { node_id })))
    }

    fn account(&self, datanet_id: u64) -> Answer<'_, AccountResponse> {
        ready(self.chain.ask(QueryMsg::Account { datanet_id }))
    }

    fn contribution_of(&self, contribution_id: u64) -> Answer<'_, Option<ContributionResponse>> {
        ready(self.chain.with(move |world| world.contribution(contribution_id).ok()))
    }

    fn say<'a>(&'a self, msg: &'a ExecuteMsg) -> Answer<'a, Posting> {
        let (msg, operator) = (msg.clone(), self.operator.clone());
        let sent = self.chain.with(move |world| world.tell_storage(&operator, &msg));
        ready(match sent {
            Ok(_) => Posting::Done { tx: String::new() },
            Err(refused) => Posting::Refused { reason: refused.0 },
        })
    }
}

/// A node.
pub struct Node {
    /// Number in the registry.
    pub node_id: u64,
    /// Its store.
    pub store: Store,
    operator: cosmwasm_std::Addr,
    start: u128,
    keeper: Keeper,
    server: tokio::task::JoinHandle<()>,
    _home: TempDir,
}

async fn blob(State(store): State<Store>, Path(root): Path<String>) -> Result<Vec<u8>, StatusCode> {
    let root: Hash = hex::decode(root).ok().and_then(|r| r.try_into().ok()).ok_or(StatusCode::BAD_REQUEST)?;
    store.get(&root).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?.ok_or(StatusCode::NOT_FOUND)
}

/// The chain, its nodes, and a datanet whose blobs the first node has.
pub struct Network {
    /// The chain.
    pub chain: Chain,
    /// Nodes that run.
    pub nodes: Vec<Node>,
    /// The blobs of all contributions, one after the other.
    pub pack: Vec<u8>,
    blobs: Vec<Vec<u8>>,
    ids: Vec<u64>,
}

impl Network {
    /// So many operators with a node each.
    pub async fn start(operators: usize) -> Self {
        let chain = Chain::start();
        let mut nodes = Vec::new();
        for number in 0..operators {
            nodes.push(Self::node_of(&chain, number).await);
        }
        let documents = Document::generate(11, 30);
        // The kit's stand-in for a ciphertext.
        let cipher = |d: &Document| d.text.bytes().map(|byte| byte ^ 0xa5).collect::<Vec<u8>>();
        let blobs: Vec<Vec<u8>> = documents.iter().map(cipher).collect();
        for bytes in &blobs {
            let root: Hash = BlobRef::of(bytes).root.as_slice().try_into().unwrap();
            nodes[0].store.put(&root, bytes).unwrap();
        }
        let ids = chain.with(move |world| {
            let alice = world.account("alice");
            let datanet_id = world.create_datanet(&alice).unwrap();
            world.fund_storage(&alice, datanet_id, 1_000_000_000).unwrap();
            world.contribute(&alice, datanet_id, documents).unwrap()
        });
        Network { chain, nodes, pack: blobs.concat(), blobs, ids }
    }

    async fn node_of(chain: &Chain, number: usize) -> Node {
        let home = tempfile::tempdir().unwrap();
        // Two of three have a file, the others a bucket.
        let store: Store = match number % 3 {
            2 => Arc::new(BucketStore::over(Arc::new(InMemory::new()), "node", "keeper").unwrap()),
            _ => Arc::new(RedbStore::open(&home.path().join("blobs.redb")).unwrap()),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new().route("/v1/blobs/{root}", get(blob)).with_state(store.clone());
        let server = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        let (node_id, operator, start) = chain.with(move |world| {
            let (node_id, operator) = world.register_storer(&format!("keeper {number}"), CAPACITY).unwrap();
            let registry = world.node_registry.clone();
            let msg = node_registry::ExecuteMsg::UpdateNode {
                node_id,
                endpoint: Some(endpoint),
                moniker: None,
                hot_addr: None,
                age_recipient: None,
                roles: None,
            };
            world.execute(&operator, &registry, &msg, &[]).unwrap();
            (node_id, operator.clone(), world.balance(&operator))
        });
        let seat = Arc::new(Seat { chain: chain.clone(), operator: operator.clone() });
        let tick = std::time::Duration::from_millis(1);
        let settings = KeepSettings { capacity: CAPACITY, tick, least_claim: 1 };
        let keeper = Keeper::new(node_id, store.clone(), seat, settings);
        Node { node_id, store, operator, start, keeper, server, _home: home }
    }

    /// Places all contributions.
    pub async fn place(&self) -> u64 {
        let coding = Coding::for_operators(self.nodes.len() as u64).unwrap();
        let made = fragments(&self.pack, coding).unwrap();
        self.place_roots(made.iter().map(|fragment| fragment_root(fragment)).collect())
    }

    /// Places them with a root of nothing.
    pub async fn place_with(&self, root: Hash) -> u64 {
        self.place_roots(vec![root])
    }

    fn place_roots(&self, roots: Vec<Hash>) -> u64 {
        let ids = self.ids.clone();
        self.chain.with(move |world| {
            let alice = world.account("alice");
            world.place(&alice, 1, ids, &roots).unwrap()
        })
    }

    /// Takes the first contribution back.
    pub fn withdraw_first(&self) {
        let id = self.ids[0];
        self.chain.with(move |world| {
            let alice = world.account("alice");
            world.withdraw_contributions(&alice, &[id]).unwrap();
        });
    }

    /// Rounds of all nodes, two blocks each; what went wrong.
    pub async fn rounds(&mut self, count: usize) -> Vec<Fault> {
        let mut faults = Vec::new();
        for _ in 0..count {
            for node in &self.nodes {
                faults.extend(node.keeper.round().await);
            }
            self.chain.with(|world| world.advance(2));
        }
        faults
    }

    /// Rounds until something is so; panics after `most`, with what went wrong in the last.
    pub async fn rounds_until(&mut self, what: &str, most: usize, is_so: impl Fn(&Self) -> bool) {
        let mut faults = Vec::new();
        for _ in 0..most {
            if is_so(self) {
                return;
            }
            faults = self.rounds(1).await;
        }
        panic!("after {most} rounds not yet: {what}; {faults:?}");
    }

    /// Nodes that hold a fragment, by slot.
    pub fn holders(&self, object_id: u64) -> Vec<u64> {
        self.object(object_id).slots.iter().filter_map(|slot| slot.holder).collect()
    }

    /// An object.
    pub fn object(&self, object_id: u64) -> ObjectResponse {
        self.chain.ask(QueryMsg::Object { object_id })
    }

    /// A node that runs.
    pub fn node(&self, node_id: u64) -> &Node {
        self.nodes.iter().find(|node| node.node_id == node_id).unwrap()
    }

    /// Takes the contributions' blobs from the first node's disk.
    pub fn forget_blobs(&self) {
        for bytes in &self.blobs {
            let root: Hash = BlobRef::of(bytes).root.as_slice().try_into().unwrap();
            assert!(self.nodes[0].store.delete(&root).unwrap());
        }
    }

    /// Ends nodes at once, with their servers.
    pub fn kill(&mut self, lost: &[u64]) {
        self.nodes.retain(|node| {
            let stays = !lost.contains(&node.node_id);
            if !stays {
                node.server.abort();
            }
            stays
        });
    }

    /// Base units that a node's operator has received.
    pub fn earned(&self, node: &Node) -> u128 {
        let operator = node.operator.clone();
        self.chain.with(move |world| world.balance(&operator)).saturating_sub(node.start)
    }

    /// Where a node is reached.
    pub fn endpoint(&self, node_id: u64) -> String {
        self.chain.with(move |world| world.node(node_id).unwrap().endpoint)
    }

    /// A node's bond.
    pub fn bond(&self, node_id: u64) -> u128 {
        self.chain.with(move |world| world.node(node_id).unwrap().bond.u128())
    }

    /// The bond that all registered with.
    pub fn least_bond(&self) -> u128 {
        self.chain.with(|world| world.profile.node_registry.min_bond.u128())
    }

    /// Panics unless every contract's coins cover what it owes.
    pub fn assert_invariants(&self) {
        self.chain.with(|world| world.assert_invariants());
    }
}

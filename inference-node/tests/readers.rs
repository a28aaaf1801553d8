//! Who reads a datanet that is not public, before and after its key was rotated: the contract's own
//! answers, blobs that are really sealed, and the reader that nodes and developers have.

use std::collections::BTreeMap;

use cosmwasm_std::{Addr, HexBinary};
use openledger_node::corpus::{self, Answer, BlobSource, CorpusDoc, DatanetView, Identities};
use openledger_node::fault::{Fault, Result};
use openledger_store::{seal, wrap_key, DatanetKey};
use openledger_testing::{datanet_msg, Batch, Document, World};
use openledger_types::formats::{BlobRef, ContributionFacts, VersionRef};
use openledger_types::merkle::{chunk_root, CONTENT_CHUNK};
use openledger_types::msg::datanet::{
    DatanetResponse, ExecuteMsg, KeyGrantResponse, LeavesResponse, PastKey, PastKeysResponse, QueryMsg,
    VersionResponse, Visibility,
};
use sha2::{Digest, Sha256};

/// The datanet.
const DATANET: u64 = 1;

/// The chain, the owner's keys, and the blobs that a node keeps.
struct Scene {
    world: World,
    owner: Addr,
    keys: Vec<DatanetKey>,
    readers: BTreeMap<u64, DatanetKey>,
    blobs: BTreeMap<HexBinary, Vec<u8>>,
}

impl Scene {
    /// A sealed datanet, whose key nodes 1 and 2 are given.
    fn start() -> Self {
        let mut world = World::new();
        let (owner, key) = (world.account("owner"), DatanetKey::generate());
        let mut msg = datanet_msg("sealed texts");
        if let ExecuteMsg::CreateDatanet { visibility, recipient, public_identity, .. } = &mut msg {
            (*visibility, *recipient, *public_identity) = (Visibility::Sealed, key.recipient(), None);
        }
        assert_eq!(world.create_datanet_with(&owner, &msg).unwrap(), DATANET);
        let mut scene =
            Scene { world, owner, keys: vec![key], readers: BTreeMap::new(), blobs: BTreeMap::new() };
        scene.grant(1);
        scene.grant(2);
        scene
    }

    fn send(&mut self, msg: &ExecuteMsg) {
        let (datanet, owner) = (self.world.datanet.clone(), self.owner.clone());
        self.world.execute(&owner, &datanet, msg, &[]).unwrap();
    }

    fn ask<T: serde::de::DeserializeOwned>(&self, msg: &QueryMsg) -> T {
        self.world.query(&self.world.datanet, msg).unwrap()
    }

    fn in_force(&self) -> &DatanetKey {
        self.keys.last().unwrap()
    }

    /// Wraps the key in force for a node.
    fn wrapped(&mut self, key: &DatanetKey, node_id: u64) -> HexBinary {
        let reader = self.readers.entry(node_id).or_insert_with(DatanetKey::generate);
        wrap_key(key, &reader.recipient()).unwrap().into()
    }

    fn grant(&mut self, node_id: u64) {
        let key = self.in_force().clone();
        let wrapped = self.wrapped(&key, node_id);
        self.send(&ExecuteMsg::GrantKey { datanet_id: DATANET, node_id, wrapped });
    }

    /// Puts a new key in force, for these nodes.
    fn rotate(&mut self, nodes: &[u64]) {
        let key = DatanetKey::generate();
        let previous = wrap_key(self.in_force(), &key.recipient()).unwrap().into();
        let recipient = key.recipient();
        self.send(&ExecuteMsg::RotateKey { datanet_id: DATANET, recipient, previous });
        for node_id in nodes {
            let wrapped = self.wrapped(&key, *node_id);
            self.send(&ExecuteMsg::GrantKey { datanet_id: DATANET, node_id: *node_id, wrapped });
        }
        self.keys.push(key);
    }

    /// Contributes one text, sealed for this key.
    fn contribute(&mut self, text: &str, key: &DatanetKey) {
        let contributor = self.world.account("contributor");
        let batch = Batch::new(&contributor, vec![Document::new("title", text)]);
        let commit_id = self.world.commit(&contributor, DATANET, &batch).unwrap();
        let blob =
            seal(&key.recipient(), DATANET, &chunk_root(text.as_bytes(), CONTENT_CHUNK), text.as_bytes())
                .unwrap();
        let matched = openledger_ingest::match_text(text);
        let mut item = batch.item(0);
        item.match_root = chunk_root(matched.as_bytes(), CONTENT_CHUNK);
        item.match_len = matched.len() as u64;
        item.match_hash = Sha256::digest(matched.as_bytes()).into();
        item.blob_root = blob.id;
        item.blob_len = blob.bytes.len() as u64;
        self.world.reveal(&contributor, commit_id, vec![item]).unwrap();
        self.blobs.insert(HexBinary::from(&blob.id), blob.bytes);
    }

    fn seal(&mut self) -> VersionRef {
        let owner = self.owner.clone();
        self.world.seal(&owner, DATANET).unwrap()
    }

    /// What the contract says now.
    fn snapshot(&self) -> Snapshot {
        let ask = QueryMsg::Leaves { datanet_id: DATANET, start: 0, limit: Some(100) };
        let datanet = self.world.datanet_of(DATANET).unwrap();
        let versions = (1..=datanet.latest_version)
            .map(|version| (version, self.world.version(DATANET, version).unwrap()))
            .collect();
        let grants = (1..=4)
            .filter_map(|node_id| {
                let ask = QueryMsg::KeyGrant { datanet_id: DATANET, node_id };
                Some((node_id, self.ask::<KeyGrantResponse>(&ask).wrapped?))
            })
            .collect();
        let past = QueryMsg::PastKeys { datanet_id: DATANET, start_after: None, limit: Some(30) };
        Snapshot {
            datanet,
            versions,
            leaves: self.ask::<LeavesResponse>(&ask).leaves,
            grants,
            past: self.ask::<PastKeysResponse>(&past).keys,
        }
    }

    /// The texts of a version, as node `node_id` reads them.
    async fn read(&self, view: &Snapshot, version: &VersionRef, node_id: u64) -> Result<Vec<String>> {
        let key = self.readers.get(&node_id).cloned().unwrap_or_else(DatanetKey::generate);
        let identities = Identities { node: Some((node_id, key)), ..Identities::default() };
        self.load(view, version, &identities).await
    }

    async fn load(&self, view: &Snapshot, version: &VersionRef, keys: &Identities) -> Result<Vec<String>> {
        let blobs = Blobs(&self.blobs);
        let docs = corpus::load(view, std::slice::from_ref(version), &blobs, keys, &|_, _| {}).await?;
        Ok(docs.into_iter().map(|CorpusDoc { content, .. }| content).collect())
    }
}

/// Answers of the contract.
#[derive(Clone)]
struct Snapshot {
    datanet: DatanetResponse,
    versions: BTreeMap<u32, VersionResponse>,
    leaves: Vec<ContributionFacts>,
    grants: BTreeMap<u64, HexBinary>,
    past: Vec<PastKey>,
}

fn ready<'a, T: Send + 'a>(value: T) -> Answer<'a, T> {
    Box::pin(std::future::ready(Ok(value)))
}

impl DatanetView for Snapshot {
    fn datanet(&self, _: u64) -> Answer<'_, DatanetResponse> {
        ready(self.datanet.clone())
    }
    fn version(&self, _: u64, version: u32) -> Answer<'_, VersionResponse> {
        ready(self.versions[&version].clone())
    }
    fn leaves(&self, _: u64, size: u64) -> Answer<'_, Vec<ContributionFacts>> {
        ready(self.leaves.iter().take(size as usize).cloned().collect())
    }
    fn key_grant(&self, _: u64, node_id: u64) -> Answer<'_, Option<HexBinary>> {
        ready(self.grants.get(&node_id).cloned())
    }
    fn past_keys(&self, _: u64) -> Answer<'_, Vec<PastKey>> {
        ready(self.past.clone())
    }
}

struct Blobs<'b>(&'b BTreeMap<HexBinary, Vec<u8>>);

impl BlobSource for Blobs<'_> {
    fn blob<'a>(&'a self, blob: &'a BlobRef) -> Answer<'a, Vec<u8>> {
        ready(self.0[&blob.root].clone())
    }
}

const OLD: &str = "a text that everybody reads who ever had the key of this datanet";
const NEW: &str = "words given after one of the readers had left for good";

fn assert_no_key(refused: Result<Vec<String>>) {
    let Err(Fault { code, retry, what, .. }) = refused else { panic!("it was read") };
    assert_eq!((code, retry), ("E-CORPUS-002", true), "{what}");
}

#[tokio::test]
async fn rule_d6_a_reader_who_left_reads_nothing_that_is_added_later() {
    let mut scene = Scene::start();
    let first_key = scene.in_force().clone();
    scene.contribute(OLD, &first_key);
    let first = scene.seal();
    let before = scene.snapshot();
    for node_id in [1, 2] {
        assert_eq!(scene.read(&before, &first, node_id).await.unwrap(), [OLD]);
    }
    assert_no_key(scene.read(&before, &first, 3).await);

    // Node 2 leaves. A contributor sees the new recipient on chain.
    scene.rotate(&[1]);
    let key = scene.in_force().clone();
    assert_eq!(scene.world.datanet_of(DATANET).unwrap().recipient, key.recipient());
    scene.contribute(NEW, &key);
    let second = scene.seal();
    scene.grant(3);
    let view = scene.snapshot();
    for node_id in [1, 3] {
        assert_eq!(scene.read(&view, &second, node_id).await.unwrap(), [OLD, NEW], "node {node_id}");
    }
    assert_eq!(scene.read(&view, &first, 2).await.unwrap(), [OLD], "what it could have kept, it reads");
    assert_no_key(scene.read(&view, &second, 2).await);

    // Whoever has old keys only goes back with them, never forward: no identity on chain helps.
    let own = |key: &DatanetKey| Identities { own: [(DATANET, key.clone())].into(), node: None };
    assert_eq!(scene.load(&view, &first, &own(&first_key)).await.unwrap(), [OLD]);
    assert_no_key(scene.load(&view, &second, &own(&first_key)).await);
    assert_eq!(scene.load(&view, &second, &own(&key)).await.unwrap(), [OLD, NEW]);
    assert_no_key(scene.load(&view, &second, &own(&DatanetKey::generate())).await);

    // It comes back.
    scene.grant(2);
    let view = scene.snapshot();
    assert_eq!(scene.read(&view, &second, 2).await.unwrap(), [OLD, NEW]);
}

#[tokio::test]
async fn a_rotation_while_contributors_and_readers_are_at_work_loses_nothing() {
    let mut scene = Scene::start();
    let first_key = scene.in_force().clone();
    scene.contribute(OLD, &first_key);
    let first = scene.seal();
    let before = scene.snapshot();
    scene.rotate(&[1]);
    // A reader whose chain node answers from before the rotation and from after it: tried again, or read.
    let torn = Snapshot { datanet: before.datanet.clone(), ..scene.snapshot() };
    assert_no_key(scene.read(&torn, &first, 1).await);
    let torn = Snapshot { grants: before.grants.clone(), ..scene.snapshot() };
    assert_eq!(scene.read(&torn, &first, 1).await.unwrap(), [OLD]);

    // A contributor who sealed before the rotation and revealed after it.
    scene.contribute(NEW, &first_key);
    scene.rotate(&[1]);
    let second = scene.seal();
    assert_eq!(scene.read(&scene.snapshot(), &second, 1).await.unwrap(), [OLD, NEW]);
    assert_eq!(scene.snapshot().past.len(), 2);

    // A chain node that has not seen the last rotation is behind, not wrong.
    let mut behind = scene.snapshot();
    behind.past.pop();
    assert_no_key(scene.read(&behind, &second, 1).await);
}

#[tokio::test]
async fn a_link_that_does_not_open_is_said_and_no_other_key_is_taken_for_it() {
    let mut scene = Scene::start();
    let first_key = scene.in_force().clone();
    scene.contribute(OLD, &first_key);
    let first = scene.seal();
    scene.rotate(&[1]);
    let stranger = DatanetKey::generate();
    let key = scene.in_force().recipient();
    for wrapped in [
        wrap_key(&stranger, &key).unwrap(),
        wrap_key(&first_key, &stranger.recipient()).unwrap(),
        b"no age file".to_vec(),
    ] {
        let mut view = scene.snapshot();
        view.past[0].wrapped = wrapped.into();
        let fault = scene.read(&view, &first, 1).await.unwrap_err();
        assert_eq!((fault.code, fault.retry), ("E-CORPUS-002", false));
        assert!(fault.what.contains("key 0"), "{}", fault.what);
    }
}

//! Contributions: a commit and its reveals (PROTOCOL D1).

use anyhow::{Context, Result};
use cosmwasm_std::{HexBinary, Uint128};
use openledger_merkle::{chunk_root, Hash, Tree, BLOB_CHUNK, CONTENT_CHUNK};
use openledger_types::formats::{commit_leaf, ContributionFacts, VersionRef};
use openledger_types::msg::datanet::{
    ExecuteMsg, LeavesResponse, QueryMsg, RevealItem, VersionResponse, Visibility,
};
use sha2::{Digest, Sha256};

use super::world::{told, World};
use super::Size;
use crate::report::Metric;

/// The example recipient of the age specification, with its identity.
pub const RECIPIENT: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
const IDENTITY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";

/// Documents of a batch.
const BATCH: usize = 64;

/// The datanet that was filled, sealed.
pub struct Data {
    /// The sealed version.
    pub version: VersionRef,
    /// Its contributions, in order.
    pub facts: Vec<ContributionFacts>,
    /// Texts by the order of their commits.
    texts: Vec<String>,
}

impl Data {
    /// The match text of a contribution.
    pub fn text(&self, facts: &ContributionFacts) -> Result<&str> {
        let hash = |text: &&String| Sha256::digest(text.as_bytes())[..] == *facts.match_hash;
        Ok(self.texts.iter().find(hash).context("a contribution that was not ours")?)
    }
}

/// Documents under one commit.
struct Batch {
    owner: String,
    texts: Vec<String>,
    tree: Tree<Hash>,
}

impl Batch {
    fn new(owner: &str, first: usize, count: usize) -> Result<Self> {
        let texts: Vec<String> = (first..first + count).map(text).collect();
        let leaves = texts.iter().map(|text| commit_leaf(&salt(text), owner, &raw_hash(text))).collect();
        let tree = Tree::new(leaves).context("plain hashes do not overflow")?;
        Ok(Batch { owner: owner.into(), texts, tree })
    }

    /// All leaves, opened; they are one whole block, whose root is the commit's: no path is needed.
    fn items(&self) -> Result<Vec<RevealItem>> {
        let item = |index| Ok(RevealItem { path: vec![], ..self.item(index)? });
        (0..self.texts.len()).map(item).collect()
    }

    /// Leaf `index`, opened. The texts are their own match texts: lower case, single spaces.
    fn item(&self, index: usize) -> Result<RevealItem> {
        let text = self.texts[index].as_bytes();
        let path = self.tree.prove(index as u64).context("the leaf exists")?;
        Ok(RevealItem {
            index: index as u32,
            path,
            salt: salt(&self.texts[index]),
            raw_hash: raw_hash(&self.texts[index]),
            content_root: chunk_root(text, CONTENT_CHUNK),
            content_len: text.len() as u64,
            match_root: chunk_root(text, CONTENT_CHUNK),
            match_len: text.len() as u64,
            match_hash: Sha256::digest(text).into(),
            blob_root: chunk_root(text, BLOB_CHUNK),
            blob_len: text.len() as u64,
            media: "text/plain".into(),
            license: None,
            uses: None,
            near_duplicate_of: None,
            title: self.texts[index].chars().take(24).collect(),
        })
    }
}

/// Fills and seals a datanet, and says what that costs.
pub async fn measure(world: &World, size: &Size, metrics: &mut Vec<Metric>) -> Result<Data> {
    let owner = &world.data_owner;
    let made = world.execute(owner, &world.datanet, &create(), 0).await?;
    let datanet_id = told(&made, &world.datanet, "datanet_id")?;
    let mut texts: Vec<String> = vec![];
    // The counters of a datanet cost more when they are written first.
    batch(world, datanet_id, &mut texts, 1).await?;
    let (mut one, mut many) = (Costs::default(), Costs::default());
    for _ in 0..size.runs {
        one.add(batch(world, datanet_id, &mut texts, 1).await?, 1);
        many.add(batch(world, datanet_id, &mut texts, BATCH).await?, BATCH);
    }
    metrics.push(Metric::of("contribute", "gas", one.both));
    metrics.push(Metric::of("contribute_commit", "gas", one.commit));
    metrics.push(Metric::of("contribute_reveal", "gas", one.reveal));
    metrics.push(Metric::of("contribute_batch", "gas", many.both));
    metrics.push(Metric::of("contribute_batch_commit", "gas", many.commit));
    metrics.push(Metric::of("contribute_batch_reveal", "gas", many.reveal));

    let height = world.height().await?;
    world.wait_for(height + world.profile.datanet.acceptance_blocks + 1).await?;
    let seal = ExecuteMsg::Seal { datanet_id, up_to: None, limit: None };
    let sealed = world.execute(owner, &world.datanet, &seal, 0).await?;
    let version = told(&sealed, &world.datanet, "version")? as u32;
    metrics.push(Metric::of("seal_item", "gas", vec![sealed.gas_used as f64 / texts.len() as f64]));
    let found: VersionResponse =
        world.query(&world.datanet, &QueryMsg::Version { datanet_id, version }).await?;
    let mut facts: Vec<ContributionFacts> = vec![];
    while (facts.len() as u64) < found.version.size {
        let query = QueryMsg::Leaves { datanet_id, start: facts.len() as u64, limit: Some(30) };
        let page: LeavesResponse = world.query(&world.datanet, &query).await?;
        anyhow::ensure!(!page.leaves.is_empty(), "the version has fewer leaves than it says");
        facts.extend(page.leaves);
    }
    Ok(Data { version: found.version, facts, texts })
}

/// Gas by document.
#[derive(Default)]
struct Costs {
    commit: Vec<f64>,
    reveal: Vec<f64>,
    both: Vec<f64>,
}

impl Costs {
    fn add(&mut self, (commit, reveal): (u64, u64), documents: usize) {
        let each = |gas: u64| gas as f64 / documents as f64;
        self.commit.push(each(commit));
        self.reveal.push(each(reveal));
        self.both.push(each(commit + reveal));
    }
}

/// Commits to documents and opens all of them; the gas of both.
async fn batch(world: &World, datanet_id: u64, texts: &mut Vec<String>, count: usize) -> Result<(u64, u64)> {
    let owner = &world.data_owner;
    let batch = Batch::new(owner.address(), texts.len(), count)?;
    let bond = world.profile.datanet.commit_bond.u128() * count as u128;
    let msg =
        ExecuteMsg::Commit { datanet_id, root: HexBinary::from(&batch.tree.root()), count: count as u32 };
    let committed = world.execute(owner, &world.datanet, &msg, bond).await?;
    let commit_id = told(&committed, &world.datanet, "commit_id")?;
    let msg = ExecuteMsg::Reveal { commit_id, items: batch.items()?.into() };
    let revealed = world.execute(owner, &world.datanet, &msg, 0).await?;
    anyhow::ensure!(batch.owner == owner.address());
    texts.extend(batch.texts);
    Ok((committed.gas_used, revealed.gas_used))
}

fn create() -> ExecuteMsg {
    ExecuteMsg::CreateDatanet {
        name: "texts".into(),
        description: "Generated texts".into(),
        visibility: Visibility::Public,
        license: "CC-BY-4.0".into(),
        recipient: RECIPIENT.into(),
        public_identity: Some(IDENTITY.into()),
        min_data_bps: 3_000,
        floor_per_token: Uint128::new(50),
        policy: None,
        uses: None,
        training_price: None,
    }
}

/// A text of about 20 KiB that no other number has.
fn text(number: usize) -> String {
    let mut state: Hash = Sha256::digest(number.to_be_bytes()).into();
    let mut text = format!("document {number}");
    while text.len() < 20 * CONTENT_CHUNK {
        state = Sha256::digest(state).into();
        for byte in state {
            text.push(if byte % 6 == 0 { ' ' } else { char::from(b'a' + byte % 26) });
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn salt(text: &str) -> Hash {
    Sha256::new().chain_update("salt").chain_update(text).finalize().into()
}

fn raw_hash(text: &str) -> Hash {
    Sha256::digest(text.as_bytes()).into()
}

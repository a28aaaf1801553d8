//! Contributing: clean on this machine, commit, reveal, upload; resumable after a kill at any moment.
//!
//! Everything that a later step needs (salts, ciphertexts) is on disk before the chain hears of it. A
//! batch is a folder `contributions/<root>/` with `batch.json` and the blobs; it moves to `done/` when
//! its last blob was taken by the node.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use cosmwasm_std::HexBinary;
use futures::stream::{self, StreamExt, TryStreamExt};
use openledger_client::contracts::Reader;
use openledger_client::{Coin, Signer};
use openledger_ingest::{Deduplicator, Media, Options, Report, Run};
use openledger_merkle::{Hash, Tree};
use openledger_types::formats::{commit_leaf, BlobRef, Uses};
use openledger_types::msg::datanet::{Documents, ExecuteMsg, RevealItem, MAX_COMMIT};
use rand::RngCore;
use serde::{Deserialize, Serialize};

use crate::context::{make_private_dir, read_json, write_json, Context};
use crate::error::{Class, CliError, Result};
use crate::{node_http, progress};

/// Leaves opened in one message.
const REVEALS: usize = 64;
/// Questions to the chain under way at once.
const PARALLEL: usize = 16;
/// Uploads under way at once.
const UPLOADS: usize = 4;

/// A document to contribute.
#[derive(Clone, Debug)]
pub struct Document {
    /// Name shown to people; the extension may decide how it is cleaned.
    pub name: String,
    /// Raw bytes.
    pub bytes: Vec<u8>,
    /// SPDX expression; the datanet's when absent.
    pub license: Option<String>,
    /// What may be done with it; what the datanet says when absent.
    pub uses: Option<Uses>,
}

/// What came of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Contributed {
    /// Numbers of the contributions, in order.
    pub contributions: Vec<u64>,
    /// Bytes of content text.
    pub bytes: u64,
    /// Documents that were cleaned, refused or found twice.
    pub report: Report,
    /// Documents whose text the chain already holds: (name, contribution).
    pub on_chain: Vec<(String, u64)>,
    /// Transactions.
    pub txs: Vec<String>,
    /// Commits, each with the height from which `ReleaseBonds` returns its bonds.
    pub bonds: Vec<(u64, Option<u64>)>,
}

/// One document of a batch, as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Item {
    name: String,
    salt: HexBinary,
    raw_hash: HexBinary,
    content_root: HexBinary,
    content_len: u64,
    match_root: HexBinary,
    match_len: u64,
    match_hash: HexBinary,
    blob: BlobRef,
    media: String,
    license: Option<String>,
    #[serde(default)]
    uses: Option<Uses>,
    #[serde(default)]
    near_duplicate_of: Option<u64>,
    contribution_id: Option<u64>,
    uploaded: bool,
}

/// A commit on its way.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Batch {
    datanet_id: u64,
    /// age recipient that its blobs are sealed for; none in batches of older releases.
    #[serde(default)]
    recipient: Option<String>,
    owner: String,
    root: HexBinary,
    commit_id: Option<u64>,
    items: Vec<Item>,
}

/// Cleans `documents` and contributes those that are new. Batches that an earlier run of this account
/// left unfinished are finished first.
///
/// # Errors
/// When the chain or the node refuses, or the disk is full; the next run goes on from there.
pub async fn contribute(
    ctx: &Context,
    signer: &Signer,
    datanet_id: u64,
    documents: impl IntoIterator<Item = Document>,
    node: &str,
) -> Result<Contributed> {
    let reader = ctx.reader().await?;
    let datanet = reader.datanet(datanet_id).await?;
    let sealed_for = (datanet_id, datanet.recipient.as_str());
    let mut done = Contributed::default();
    for dir in unfinished(ctx, signer.address())? {
        finish(ctx, signer, &reader, &dir, node, &mut done).await?;
    }
    // Cleaning one document at a time keeps memory independent of the size of the corpus.
    let options = Options { media: Media::Auto, ..Options::default() };
    let mut run = Run::new(options, Deduplicator::new(Vec::<Hash>::new()));
    let mut items: Vec<(Item, Vec<u8>)> = Vec::new();
    for document in documents {
        let Some(cleaned) = run.document(&document.name, &document.bytes) else { continue };
        let blob = openledger_store::seal(
            &datanet.recipient,
            datanet_id,
            &cleaned.content_root,
            cleaned.content.as_bytes(),
        )
        .map_err(|e| {
            CliError::new(
                Class::Refused,
                "E-CLI-062",
                e.to_string(),
                "the datanet's recipient cannot be used",
            )
        })?;
        let mut salt = [0u8; 32];
        rand::rng().fill_bytes(&mut salt);
        let item = Item {
            name: shorten(&document.name, 128),
            salt: HexBinary::from(&salt),
            raw_hash: HexBinary::from(&cleaned.raw_hash),
            content_root: HexBinary::from(&cleaned.content_root),
            content_len: cleaned.content.len() as u64,
            match_root: HexBinary::from(&cleaned.match_root),
            match_len: cleaned.match_text.len() as u64,
            match_hash: HexBinary::from(&cleaned.match_hash),
            blob: blob.reference(),
            media: cleaned.media.content_type().to_string(),
            license: document.license,
            uses: document.uses,
            near_duplicate_of: None,
            contribution_id: None,
            uploaded: false,
        };
        items.push((item, blob.bytes));
        if items.len() == MAX_COMMIT as usize {
            let dir =
                open_batch(ctx, &reader, signer, sealed_for, std::mem::take(&mut items), &mut done).await?;
            if let Some(dir) = dir {
                finish(ctx, signer, &reader, &dir, node, &mut done).await?;
            }
        }
    }
    if let Some(dir) = open_batch(ctx, &reader, signer, sealed_for, items, &mut done).await? {
        finish(ctx, signer, &reader, &dir, node, &mut done).await?;
    }
    done.report = run.finish();
    Ok(done)
}

/// Writes a batch to disk, without the documents whose text the chain already holds.
async fn open_batch(
    ctx: &Context,
    reader: &Reader,
    signer: &Signer,
    (datanet_id, recipient): (u64, &str),
    items: Vec<(Item, Vec<u8>)>,
    done: &mut Contributed,
) -> Result<Option<PathBuf>> {
    let known: Vec<Option<u64>> = stream::iter(items.iter().map(|(item, _)| {
        let hash: Hash = item.match_hash.as_slice().try_into().unwrap_or_default();
        async move { reader.by_match_hash(&hash).await }
    }))
    .buffered(PARALLEL)
    .try_collect()
    .await?;
    let mut fresh = Vec::new();
    for ((item, blob), known) in items.into_iter().zip(known) {
        match known {
            Some(id) => done.on_chain.push((item.name, id)),
            None => fresh.push((item, blob)),
        }
    }
    if fresh.is_empty() {
        return Ok(None);
    }
    let owner = signer.address().to_string();
    let leaves: Vec<Hash> = fresh.iter().map(|(item, _)| leaf(item, &owner)).collect();
    let root = Tree::new(leaves).unwrap_or_else(Tree::empty).root();
    let dir = folder(ctx).join(hex::encode(root));
    make_private_dir(&dir)?;
    for (item, blob) in &fresh {
        // Not durable one by one: a batch without its batch.json is no batch, and that is written last.
        let path = dir.join(item.blob.root.to_hex());
        std::fs::write(&path, blob).map_err(|e| CliError::file(&path, e))?;
    }
    let batch = Batch {
        datanet_id,
        recipient: Some(recipient.to_string()),
        owner,
        root: HexBinary::from(&root),
        commit_id: None,
        items: fresh.into_iter().map(|(item, _)| item).collect(),
    };
    write_json(&dir.join("batch.json"), &batch)?;
    Ok(Some(dir))
}

/// Takes a batch from wherever it stands to its end.
async fn finish(
    ctx: &Context,
    signer: &Signer,
    reader: &Reader,
    dir: &Path,
    node: &str,
    done: &mut Contributed,
) -> Result<()> {
    let file = dir.join("batch.json");
    let mut batch: Batch = read_json(&file)?;
    let contract = reader.contracts().datanet.clone();
    let leaves: Vec<Hash> = batch.items.iter().map(|item| leaf(item, &batch.owner)).collect();
    let tree = Tree::new(leaves).unwrap_or_else(Tree::empty);
    if tree.root().as_slice() != batch.root.as_slice() {
        return Err(CliError::file(&file, "was changed: its leaves do not give its root"));
    }
    let commit_id = match batch.commit_id {
        Some(id) => id,
        None => {
            let id = match find_commit(reader, &contract, &batch).await? {
                Some(id) => id,
                None => {
                    assert_in_force(ctx, reader, &batch, dir).await?;
                    let params = reader.datanet_config().await?.params;
                    let bond = params.commit_bond.u128().saturating_mul(batch.items.len() as u128);
                    let msg = ExecuteMsg::Commit {
                        datanet_id: batch.datanet_id,
                        root: batch.root.clone(),
                        count: batch.items.len() as u32,
                    };
                    let result = signer.execute(&contract, &msg, &[Coin::new(bond, params.denom)]).await?;
                    done.txs.push(result.hash.clone());
                    result
                        .contract_number(&contract, "commit_id")
                        .ok_or_else(|| crate::datanet::silent("commit_id"))?
                }
            };
            batch.commit_id = Some(id);
            write_json(&file, &batch)?;
            id
        }
    };
    reveal(ctx, signer, reader, &contract, commit_id, &tree, &mut batch, &file, done).await?;
    upload(ctx, node, dir, &mut batch, &file).await?;
    done.bonds.push((commit_id, reader.commit(commit_id).await?.bonds_from));
    done.contributions.extend(batch.items.iter().filter_map(|item| item.contribution_id));
    done.bytes += batch.items.iter().map(|item| item.content_len).sum::<u64>();
    let kept = folder(ctx).join("done");
    make_private_dir(&kept)?;
    write_json(&kept.join(format!("{}.json", batch.root.to_hex())), &batch)?;
    std::fs::remove_dir_all(dir).map_err(|e| CliError::file(dir, e))
}

/// Puts a batch aside whose blobs a reader could open who has left since they were sealed. The chain has no commit
/// of it. The folder is kept: should a commit that was sent still be mined, its salts are there.
async fn assert_in_force(ctx: &Context, reader: &Reader, batch: &Batch, dir: &Path) -> Result<()> {
    let in_force = reader.datanet(batch.datanet_id).await?.recipient;
    if batch.recipient.as_ref().is_none_or(|recipient| *recipient == in_force) {
        return Ok(());
    }
    let aside = folder(ctx).join("aside");
    make_private_dir(&aside)?;
    let kept = aside.join(batch.root.to_hex());
    std::fs::rename(dir, &kept).map_err(|e| CliError::file(dir, e))?;
    Err(CliError::new(
        Class::Refused,
        "E-CLI-098",
        format!(
            "the key of datanet {} was rotated after these documents were sealed for it",
            batch.datanet_id
        ),
        format!(
            "run the command again with the same documents; what was sealed is put aside in {}",
            kept.display()
        ),
    )
    .retry())
}

#[allow(clippy::too_many_arguments)]
async fn reveal(
    ctx: &Context,
    signer: &Signer,
    reader: &Reader,
    contract: &str,
    commit_id: u64,
    tree: &Tree<Hash>,
    batch: &mut Batch,
    file: &Path,
    done: &mut Contributed,
) -> Result<()> {
    // An interrupted run may have opened leaves without noting it: the chain knows.
    if reader.commit(commit_id).await?.revealed > 0 {
        for item in batch.items.iter_mut().filter(|item| item.contribution_id.is_none()) {
            if let Some(id) = reader.by_match_hash(&hash(&item.match_hash)).await? {
                if reader.contribution(id).await?.facts.contributor == batch.owner {
                    item.contribution_id = Some(id);
                }
            }
        }
        write_json(file, batch)?;
    }
    let open: Vec<usize> =
        (0..batch.items.len()).filter(|i| batch.items[*i].contribution_id.is_none()).collect();
    let bar = progress::bar(ctx, open.len() as u64, "revealing");
    for part in open.chunks(REVEALS) {
        let items = reveal_items(batch, part, tree);
        let result = signer.execute(contract, &ExecuteMsg::Reveal { commit_id, items }, &[]).await?;
        done.txs.push(result.hash.clone());
        let numbers: BTreeMap<usize, u64> = result
            .events
            .iter()
            .filter(|e| e.is_from(contract) && e.kind.ends_with("contribution_revealed"))
            .filter_map(|e| {
                Some((e.attribute("index")?.parse().ok()?, e.attribute("contribution_id")?.parse().ok()?))
            })
            .collect();
        for i in part {
            let id = numbers.get(i).ok_or_else(|| crate::datanet::silent("contribution_id"))?;
            batch.items[*i].contribution_id = Some(*id);
        }
        write_json(file, batch)?;
        bar.inc(part.len() as u64);
    }
    bar.finish_and_clear();
    Ok(())
}

async fn upload(ctx: &Context, node: &str, dir: &Path, batch: &mut Batch, file: &Path) -> Result<()> {
    let left: Vec<usize> = (0..batch.items.len()).filter(|i| !batch.items[*i].uploaded).collect();
    let bar = progress::bar(ctx, left.len() as u64, "uploading");
    for part in left.chunks(256) {
        stream::iter(part.iter().map(|i| {
            let item = &batch.items[*i];
            let root = item.blob.root.to_hex();
            let path = dir.join(&root);
            let reference = format!("contribution:{}", item.contribution_id.unwrap_or_default());
            let http = ctx.http.clone();
            async move {
                let bytes = std::fs::read(&path).map_err(|e| CliError::file(&path, e))?;
                node_http::put_blob(&http, node, &root, &reference, bytes).await
            }
        }))
        .buffer_unordered(UPLOADS)
        .try_for_each(|()| async { Ok(()) })
        .await?;
        part.iter().for_each(|i| batch.items[*i].uploaded = true);
        write_json(file, batch)?;
        bar.inc(part.len() as u64);
    }
    bar.finish_and_clear();
    Ok(())
}

/// The commit of this batch, when an interrupted run had it mined without noting its number.
async fn find_commit(reader: &Reader, contract: &str, batch: &Batch) -> Result<Option<u64>> {
    use tendermint_rpc::query::Query;
    use tendermint_rpc::{Client, Order};
    let query = Query::eq("wasm-commit_opened.owner", batch.owner.as_str());
    let found =
        reader.chain().http().tx_search(query, false, 1, 100, Order::Descending).await.map_err(|e| {
            CliError::new(
                Class::Chain,
                "E-CLI-030",
                e.to_string(),
                "use an RPC endpoint with a transaction index",
            )
            .retry()
        })?;
    for tx in found.txs {
        for event in tx.tx_result.events.iter().cloned().map(openledger_client::Event::from) {
            if !event.is_from(contract) || !event.kind.ends_with("commit_opened") {
                continue;
            }
            let Some(id) = event.attribute("commit_id").and_then(|id| id.parse().ok()) else { continue };
            if reader.commit(id).await?.root == batch.root {
                return Ok(Some(id));
            }
        }
    }
    Ok(None)
}

/// A hash of the contributions file; zeros, which no commit holds, where the file was damaged.
fn hash(value: &HexBinary) -> Hash {
    value.as_slice().try_into().unwrap_or_default()
}

/// Opened leaves; a whole block of the commit shares one path, which saves its bytes (docs/gas.md).
fn reveal_items(batch: &Batch, part: &[usize], tree: &Tree<Hash>) -> Documents {
    let mut items: Documents =
        part.iter().map(|index| reveal_item(&batch.items[*index], *index, tree)).collect();
    let first = part.first().copied().unwrap_or_default();
    let block = batch.items.len().saturating_sub(first).min(REVEALS);
    let whole = first % REVEALS == 0 && part.len() == block && part.iter().copied().eq(first..first + block);
    if whole && block > 1 {
        let inside = block.next_power_of_two().trailing_zeros() as usize;
        for (at, item) in items.iter_mut().enumerate() {
            item.path = if at == 0 { item.path.split_off(inside.min(item.path.len())) } else { Vec::new() };
        }
    }
    items
}

fn reveal_item(item: &Item, index: usize, tree: &Tree<Hash>) -> RevealItem {
    RevealItem {
        index: index as u32,
        path: tree.prove(index as u64).unwrap_or_default(),
        salt: hash(&item.salt),
        raw_hash: hash(&item.raw_hash),
        content_root: hash(&item.content_root),
        content_len: item.content_len,
        match_root: hash(&item.match_root),
        match_len: item.match_len,
        match_hash: hash(&item.match_hash),
        blob_root: hash(&item.blob.root),
        blob_len: item.blob.len,
        media: item.media.clone(),
        license: item.license.clone(),
        uses: item.uses,
        near_duplicate_of: item.near_duplicate_of,
        title: item.name.clone(),
    }
}

fn leaf(item: &Item, owner: &str) -> Hash {
    commit_leaf(&hash(&item.salt), owner, &hash(&item.raw_hash))
}

fn folder(ctx: &Context) -> PathBuf {
    ctx.home.join("contributions")
}

/// Batches of `owner` that have not reached their end.
fn unfinished(ctx: &Context, owner: &str) -> Result<Vec<PathBuf>> {
    let root = folder(ctx);
    make_private_dir(&root)?;
    let entries = std::fs::read_dir(&root).map_err(|e| CliError::file(&root, e))?;
    let mut dirs = Vec::new();
    for path in entries.filter_map(|e| e.ok().map(|e| e.path())) {
        let file = path.join("batch.json");
        if file.is_file() && read_json::<Batch>(&file)?.owner == owner {
            dirs.push(path);
        }
    }
    dirs.sort();
    Ok(dirs)
}

/// The end of a name is what tells files apart, so the beginning goes.
fn shorten(name: &str, most: usize) -> String {
    let clean: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut start = clean.len().saturating_sub(most);
    while !clean.is_char_boundary(start) {
        start += 1;
    }
    clean[start..].to_string()
}

/// Documents of files, folders and `.jsonl(.gz)` files.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// Files and folders.
    pub paths: Vec<PathBuf>,
    /// Field of the text in `.jsonl` lines.
    pub text_field: String,
    /// SPDX expression of all documents.
    pub license: Option<String>,
    /// What may be done with all of them; what the datanet says when absent.
    pub uses: Option<Uses>,
}

impl Inputs {
    /// Reads the inputs one document at a time; what cannot be read is reported to `skipped`.
    pub fn documents<'a>(
        &'a self,
        skipped: &'a mut Vec<(String, String)>,
    ) -> impl Iterator<Item = Document> + 'a {
        let mut files = Vec::new();
        let mut seen = HashSet::new();
        for path in &self.paths {
            for entry in walkdir::WalkDir::new(path).sort_by_file_name() {
                match entry {
                    Ok(e) if e.file_type().is_file() && seen.insert(e.path().to_path_buf()) => {
                        files.push(e.path().to_path_buf())
                    }
                    Ok(_) => {}
                    Err(e) => skipped.push((path.display().to_string(), e.to_string())),
                }
            }
        }
        files.into_iter().flat_map(move |path| match self.read(&path) {
            Ok(documents) => documents,
            Err(error) => {
                skipped.push((path.display().to_string(), error.to_string()));
                Vec::new()
            }
        })
    }

    fn read(&self, path: &Path) -> std::io::Result<Vec<Document>> {
        use std::io::{BufRead, BufReader, Read};
        let name = path.display().to_string();
        let limit = openledger_ingest::MAX_DOCUMENT_BYTES as u64 + 1;
        if !name.ends_with(".jsonl") && !name.ends_with(".jsonl.gz") {
            let mut bytes = Vec::new();
            // One byte more than is taken, so that a file that is too large is refused as such.
            std::fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
            return Ok(vec![Document { name, bytes, license: self.license.clone(), uses: self.uses }]);
        }
        let file = std::fs::File::open(path)?;
        let reader: Box<dyn Read> = match name.ends_with(".gz") {
            true => Box::new(flate2::read::MultiGzDecoder::new(file)),
            false => Box::new(file),
        };
        let mut documents = Vec::new();
        for (number, line) in BufReader::new(reader.take(1 << 30)).lines().enumerate() {
            let value: serde_json::Value = serde_json::from_str(&line?).unwrap_or_default();
            if let Some(text) = value[&self.text_field].as_str() {
                documents.push(Document {
                    name: format!("{name}:{}", number + 1),
                    bytes: text.as_bytes().to_vec(),
                    license: self.license.clone(),
                    uses: self.uses,
                });
            }
        }
        if documents.is_empty() {
            return Err(std::io::Error::other(format!(
                "no line has a text `{}`: see --text-field",
                self.text_field
            )));
        }
        Ok(documents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_ends_and_stay_within_the_limit() {
        assert_eq!(shorten("a/b.rs", 128), "a/b.rs");
        assert_eq!(shorten(&"é".repeat(100), 128).len(), 128);
        assert!(shorten("x\ny", 128).is_ascii());
    }

    #[test]
    fn inputs_report_what_they_skip() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("empty.jsonl"), "{}").unwrap();
        std::fs::write(dir.path().join("a.txt"), "text").unwrap();
        let inputs = Inputs {
            paths: vec![dir.path().into(), dir.path().join("missing")],
            text_field: "text".into(),
            license: None,
            uses: None,
        };
        let mut skipped = Vec::new();
        let got: Vec<_> = inputs.documents(&mut skipped).map(|d| d.bytes).collect();
        assert_eq!(got, [b"text".to_vec()]);
        assert_eq!(skipped.len(), 2);
    }
}

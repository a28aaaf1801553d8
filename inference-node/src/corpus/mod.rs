//! Reads sealed datanet versions back from chain and blobs, checked from the root down: the leaves
//! against the version's root, every blob against its own, every text against the roots that its
//! contributor committed to. Training, serving and verifying all start from what this returns.

mod http;
mod keys;
mod view;

use std::collections::HashSet;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use openledger_ingest::match_text;
use openledger_types::formats::{ContributionFacts, VersionRef};
use openledger_types::merkle::{chunk_root, Hash, Tree, CONTENT_CHUNK};
use sha2::{Digest, Sha256};

pub use http::{transfer_time, HttpBlobs, MAX_BLOB, SILENT};
pub use keys::Identities;
pub use view::{chain_fault, Answer, BlobSource, DatanetView};

use crate::fault::{Class, Fault, Result};

use self::keys::Keys;

/// Blobs fetched at once.
const CONCURRENCY: usize = 8;

/// A contribution with its texts, all checked.
#[derive(Debug, Clone, PartialEq)]
pub struct CorpusDoc {
    /// What the version commits.
    pub facts: ContributionFacts,
    /// Content text: what is trained on.
    pub content: String,
    /// Match text: what answers are compared with.
    pub match_text: String,
}

fn refuse(code: &'static str, what: String) -> Fault {
    Fault::new(
        Class::Internal,
        code,
        what,
        "Fetch it again from another node; what does not match the chain is never used.",
    )
}

/// Loads the versions in the order given, each with its leaves in their order on chain.
///
/// `progress` is told (documents done, documents of this version) from time to time.
///
/// # Errors
/// `E-CORPUS-001` version or leaves differ from the chain's root, `-002` no key, `-003` a blob that
/// does not open, `-004` a text that does not match its roots (both name the contribution), `-010`
/// and on from the blob source, `E-CLIENT-…` from the chain.
pub async fn load(
    view: &dyn DatanetView,
    versions: &[VersionRef],
    blobs: &dyn BlobSource,
    identities: &Identities,
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<Vec<CorpusDoc>> {
    let mut docs: Vec<CorpusDoc> = Vec::new();
    let mut seen = HashSet::new();
    for version in versions {
        let leaves = leaves(view, version).await?;
        let keys = Arc::new(keys::of_datanet(view, version.datanet_id, identities).await?);
        let total = leaves.len() as u64;
        let mut texts = futures::stream::iter(leaves.into_iter().map(|facts| {
            let keys = keys.clone();
            async move {
                let bytes = blobs.blob(&facts.blob).await?;
                tokio::task::spawn_blocking(move || open(facts, &keys, bytes))
                    .await
                    .map_err(|e| refuse("E-CORPUS-003", format!("opening a blob failed: {e}")))?
            }
        }))
        .buffered(CONCURRENCY);
        let mut done = 0u64;
        while let Some(doc) = texts.try_next().await? {
            done += 1;
            progress(done, total);
            if seen.insert(doc.facts.contribution_id) {
                docs.push(doc);
            }
        }
    }
    Ok(docs)
}

/// The leaves of a version, checked against its root and the chain.
///
/// # Errors
/// `E-CORPUS-001`.
pub async fn leaves(view: &dyn DatanetView, version: &VersionRef) -> Result<Vec<ContributionFacts>> {
    let named = format!("version {} of datanet {}", version.version, version.datanet_id);
    let sealed = view.version(version.datanet_id, version.version).await?.version;
    if sealed != *version {
        return Err(refuse("E-CORPUS-001", format!("{named} has another root or size on chain")));
    }
    let leaves = view.leaves(version.datanet_id, version.size).await?;
    let hashes: Vec<Hash> = leaves.iter().map(ContributionFacts::leaf).collect();
    let tree = Tree::new(hashes).unwrap_or_else(Tree::empty);
    if tree.len() != version.size || version.root.as_slice() != tree.root() {
        return Err(refuse("E-CORPUS-001", format!("the leaves of {named} do not match its root")));
    }
    Ok(leaves)
}

/// Opens one blob and checks every text against what the chain committed.
fn open(facts: ContributionFacts, keys: &Keys, bytes: Vec<u8>) -> Result<CorpusDoc> {
    let id = facts.contribution_id;
    let wrong = |what: &str| refuse("E-CORPUS-004", format!("contribution {id}: {what}"));
    let content_root: Hash =
        facts.content_root.as_slice().try_into().map_err(|_| wrong("its content root is not a hash"))?;
    let content = keys.open(&facts, &content_root, &bytes)?;
    if content.len() as u64 != facts.content_len || chunk_root(&content, CONTENT_CHUNK) != content_root {
        return Err(wrong("its content is not what was committed"));
    }
    let content = String::from_utf8(content).map_err(|_| wrong("its content is not text"))?;
    let text = match_text(&content);
    let hash: Hash = Sha256::digest(text.as_bytes()).into();
    if text.len() as u64 != facts.match_len
        || facts.match_root.as_slice() != chunk_root(text.as_bytes(), CONTENT_CHUNK)
        || facts.match_hash.as_slice() != hash
    {
        return Err(wrong("its match text is not what was committed"));
    }
    Ok(CorpusDoc { facts, content, match_text: text })
}

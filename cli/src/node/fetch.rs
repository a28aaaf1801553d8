//! A model's blobs from nodes that have it to one that wants to serve or to audit it.

use futures::stream::{self, StreamExt, TryStreamExt};
use openledger_client::contracts::Reader;
use openledger_types::formats::{BlobRef, Manifest};
use serde::Serialize;

use crate::context::Context;
use crate::error::{Class, CliError, Result};
use crate::{node_http, progress};

/// Blobs that travel at once.
const PARALLEL: usize = 8;

/// What was fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fetched {
    /// Blobs that the node lacked.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs that it had already.
    pub kept: u64,
}

/// Brings everything that a model version rests on to the node at `to`: manifest, files, and the ciphertexts of
/// its contributions. Each blob is checked against its root, by this program and by the node; what the node
/// has is left out, so a call that was broken off goes on. `from` are base URLs, asked in order.
///
/// # Errors
/// When no node gives a blob, or the node refuses it.
pub async fn model(
    ctx: &Context,
    reader: &Reader,
    key: (u64, u32),
    from: &[String],
    to: &str,
) -> Result<Fetched> {
    let version = reader.model_version(key.0, key.1).await?;
    let reference = format!("model:{}:{}", key.0, key.1);
    let mut done = Fetched::default();
    let manifest = get(ctx, from, &version.manifest).await?;
    let parsed: Manifest = serde_json::from_slice(&manifest).map_err(|e| {
        CliError::new(
            Class::Verification,
            "E-CLI-064",
            format!("the manifest of model {}:{} cannot be read: {e}", key.0, key.1),
            "do not use this model: its developer registered something else",
        )
    })?;
    // The manifest first: it names the files that the node then takes.
    node_http::put_blob(&ctx.http, to, &version.manifest.root.to_hex(), &reference, manifest).await?;
    let mut wanted: Vec<(BlobRef, String)> =
        parsed.files.iter().map(|file| (file.blob.clone(), reference.clone())).collect();
    for datanet in &parsed.datanets {
        for facts in reader.leaves(datanet.datanet_id, datanet.size).await? {
            wanted.push((facts.blob, format!("contribution:{}", facts.contribution_id)));
        }
    }
    let bar = progress::bar(ctx, wanted.len() as u64, "fetching the model and its data");
    let moved: Vec<Option<u64>> = stream::iter(wanted.iter().map(|(blob, reference)| {
        let bar = &bar;
        async move {
            let moved = copy(ctx, from, to, blob, reference).await?;
            bar.inc(1);
            Ok::<_, CliError>(moved)
        }
    }))
    .buffer_unordered(PARALLEL)
    .try_collect()
    .await?;
    bar.finish_and_clear();
    for bytes in moved {
        match bytes {
            None => done.kept += 1,
            Some(bytes) => {
                done.blobs += 1;
                done.bytes += bytes;
            }
        }
    }
    Ok(done)
}

/// Copies a blob unless it is there; its bytes when it was copied.
async fn copy(
    ctx: &Context,
    from: &[String],
    to: &str,
    blob: &BlobRef,
    reference: &str,
) -> Result<Option<u64>> {
    let root = blob.root.to_hex();
    let url = format!("{to}/v1/blobs/{root}");
    let head = ctx.http.head(&url).send().await.map_err(|e| node_http::unreachable(&url, &e))?;
    if head.status().is_success() {
        return Ok(None);
    }
    let bytes = get(ctx, from, blob).await?;
    let length = bytes.len() as u64;
    node_http::put_blob(&ctx.http, to, &root, reference, bytes).await?;
    Ok(Some(length))
}

async fn get(ctx: &Context, from: &[String], blob: &BlobRef) -> Result<Vec<u8>> {
    let nobody = node_http::no_node(blob, "try again when a node that serves the model is reachable").retry();
    node_http::blob_from(ctx, from.iter().map(String::as_str), blob, nobody).await
}

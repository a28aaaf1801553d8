//! Who has the key of a datanet that is not public, and a new key when one of them leaves.

use std::collections::BTreeSet;
use std::path::PathBuf;

use age::secrecy::ExposeSecret;
use openledger_client::contracts::Reader;
use openledger_client::Signer;
use openledger_store::{wrap_key, DatanetKey};
use openledger_types::msg::datanet::{
    DatanetResponse, DeveloperKey, ExecuteMsg, NodeKey, Visibility, MAX_NAMED,
};
use openledger_types::msg::node_registry::NodeStatus;
use serde::Serialize;

use crate::context::{make_private_dir, write_private, Context};
use crate::error::{Class, CliError, Result};

/// A reader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReaderOf {
    /// `node 7`, or the developer's address.
    pub name: String,
    /// Number of the newest key that it was given.
    pub key: u32,
}

/// The readers of a datanet.
#[derive(Clone, Debug, Serialize)]
pub struct Readers {
    /// Number of the key in force.
    pub key: u32,
    /// Nodes by number, then developers by address.
    pub readers: Vec<ReaderOf>,
}

/// Lists who was given a key of a datanet, and which.
///
/// # Errors
/// When the chain cannot be reached.
pub async fn list(ctx: &Context, datanet_id: u64) -> Result<Readers> {
    let reader = ctx.reader().await?;
    let datanet = reader.datanet(datanet_id).await?;
    let nodes = reader.key_grants(datanet_id).await?;
    let developers = reader.accesses(datanet_id).await?;
    let nodes = nodes.iter().map(|grant| ReaderOf { name: format!("node {}", grant.node_id), key: grant.key });
    let developers = developers
        .into_iter()
        .filter(|entry| entry.access.wrapped.is_some())
        .map(|entry| ReaderOf { name: entry.developer, key: entry.access.key });
    Ok(Readers { key: datanet.key, readers: nodes.chain(developers).collect() })
}

/// A key that came into force.
#[derive(Clone, Debug, Serialize)]
pub struct Rotated {
    /// Number of the new key.
    pub key: u32,
    /// Where it is kept.
    pub key_file: PathBuf,
    /// Transactions.
    pub txs: Vec<String>,
    /// Readers who have the new key.
    pub readers: Vec<String>,
    /// Readers who had the key before and have no other, each with the reason.
    pub left: Vec<(String, String)>,
}

/// Readers who go on reading, with the key wrapped for each.
#[derive(Default)]
struct Wrapped {
    nodes: Vec<NodeKey>,
    developers: Vec<DeveloperKey>,
    left: Vec<(String, String)>,
}

/// Puts a new key in force and hands it to all who have the present one, except those who leave. Only by
/// the owner, whose home folder holds the present key. The new key is on disk before the chain hears of it.
///
/// # Errors
/// `E-CLI-096` for a public datanet, `E-CLI-097` when who shall leave has no key in force; when the key is
/// not here or the chain refuses.
pub async fn rotate(
    ctx: &Context,
    signer: &Signer,
    datanet_id: u64,
    leaving_nodes: &[u64],
    leaving_developers: &[String],
) -> Result<Rotated> {
    let reader = ctx.reader().await?;
    let datanet = reader.datanet(datanet_id).await?;
    if datanet.visibility == Visibility::Public {
        return Err(CliError::new(
            Class::Refused,
            "E-CLI-096",
            format!("datanet {datanet_id} is public: its key is published"),
            "make another datanet (--visibility sealed or excerpt) for data that some only may read",
        ));
    }
    let present = crate::datanet::own_key(ctx, &datanet.recipient)?;
    let key = DatanetKey::generate();
    let recipient = key.recipient();
    let mut wrapped = wrap(&reader, &datanet, &key, leaving_nodes, leaving_developers).await?;
    let previous = wrap_key(&present, &recipient).map_err(|e| {
        CliError::new(Class::Refused, "E-CLI-061", e.to_string(), "try again; when it repeats, report it with the command that you gave")
    })?;
    let dir = ctx.home.join("datanets");
    make_private_dir(&dir)?;
    let key_file = dir.join(format!("{recipient}.key"));
    write_private(&key_file, key.to_secret_string().expose_secret().as_bytes())?;

    let contract = reader.contracts().datanet.clone();
    let named = |wrapped: &Wrapped| -> Vec<String> {
        let nodes = wrapped.nodes.iter().map(|node| format!("node {}", node.node_id));
        nodes.chain(wrapped.developers.iter().map(|entry| entry.developer.clone())).collect()
    };
    let readers = named(&wrapped);
    let more_nodes = wrapped.nodes.split_off(wrapped.nodes.len().min(MAX_NAMED));
    let more_developers = wrapped.developers.split_off(wrapped.developers.len().min(MAX_NAMED));
    let msg = ExecuteMsg::RotateKey {
        datanet_id,
        recipient,
        previous: previous.into(),
        nodes: wrapped.nodes,
        developers: wrapped.developers,
    };
    let mut txs = vec![signer.execute(&contract, &msg, &[]).await?.hash];
    // More readers than one message names. Broken off here, they are behind: `datanet readers` shows whom
    // `datanet grant` and `datanet access grant` still serve.
    let more_nodes = more_nodes.into_iter().map(|NodeKey { node_id, wrapped }| ExecuteMsg::GrantKey {
        datanet_id,
        node_id,
        wrapped,
    });
    let more_developers = more_developers.into_iter().map(|DeveloperKey { developer, wrapped }| {
        ExecuteMsg::GrantAccess { datanet_id, developer, wrapped }
    });
    for msg in more_nodes.chain(more_developers) {
        txs.push(signer.execute(&contract, &msg, &[]).await?.hash);
    }
    let key = datanet.key.saturating_add(1);
    Ok(Rotated { key, key_file, txs, readers, left: wrapped.left })
}

/// Wraps a new key for all who have the one in force, except those who leave.
async fn wrap(
    reader: &Reader,
    datanet: &DatanetResponse,
    key: &DatanetKey,
    leaving_nodes: &[u64],
    leaving_developers: &[String],
) -> Result<Wrapped> {
    let mut wrapped = Wrapped::default();
    let mut absent: BTreeSet<String> = leaving_nodes.iter().map(|node_id| format!("node {node_id}")).collect();
    absent.extend(leaving_developers.iter().cloned());
    let in_force = datanet.key;
    for grant in reader.key_grants(datanet.datanet_id).await?.iter().filter(|grant| grant.key == in_force) {
        let name = format!("node {}", grant.node_id);
        if absent.remove(&name) {
            wrapped.left.push((name, "as you said".into()));
            continue;
        }
        let node = reader.node(grant.node_id).await?;
        if node.status != NodeStatus::Bonded {
            wrapped.left.push((name, "it left the network".into()));
            continue;
        }
        match wrap_key(key, &node.age_recipient) {
            Ok(bytes) => wrapped.nodes.push(NodeKey { node_id: grant.node_id, wrapped: bytes.into() }),
            Err(e) => wrapped.left.push((name, e.to_string())),
        }
    }
    for entry in reader.accesses(datanet.datanet_id).await? {
        if entry.access.wrapped.is_none() || entry.access.key != in_force {
            continue;
        }
        if absent.remove(&entry.developer) {
            wrapped.left.push((entry.developer, "as you said".into()));
            continue;
        }
        match wrap_key(key, &entry.access.recipient) {
            Ok(bytes) => wrapped
                .developers
                .push(DeveloperKey { developer: entry.developer, wrapped: bytes.into() }),
            Err(e) => wrapped.left.push((entry.developer, e.to_string())),
        }
    }
    wrapped.developers.sort_by(|a, b| a.developer.cmp(&b.developer));
    match absent.is_empty() {
        true => Ok(wrapped),
        false => Err(CliError::new(
            Class::Refused,
            "E-CLI-097",
            format!(
                "{} has not the key in force of datanet {}",
                absent.into_iter().collect::<Vec<_>>().join(", "),
                datanet.datanet_id
            ),
            "see who has it: openledger datanet readers",
        )),
    }
}

/// The newest key of a datanet that is in this home folder: the owner's, or one that a developer was given.
///
/// # Errors
/// When the file of a key cannot be read, or the chain cannot be reached.
pub async fn newest_here(ctx: &Context, reader: &Reader, datanet_id: u64) -> Result<Option<DatanetKey>> {
    let datanet = reader.datanet(datanet_id).await?;
    let mut recipients = vec![datanet.recipient];
    if datanet.key > 0 {
        recipients.extend(reader.past_keys(datanet_id).await?.into_iter().rev().map(|past| past.recipient));
    }
    for recipient in recipients {
        let path = ctx.home.join("datanets").join(format!("{recipient}.key"));
        match std::fs::read_to_string(&path) {
            Ok(text) => return Ok(Some(text.trim().parse().map_err(|e| CliError::file(&path, e))?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(CliError::file(&path, error)),
        }
    }
    Ok(None)
}

//! Who has the key of a datanet that is not public, and a new key when one of them leaves.

use std::collections::BTreeSet;
use std::path::PathBuf;

use age::secrecy::ExposeSecret;
use cosmwasm_std::HexBinary;
use openledger_client::contracts::Reader;
use openledger_client::Signer;
use openledger_store::{wrap_key, DatanetKey};
use openledger_types::msg::datanet::{DatanetResponse, DeveloperAccess, ExecuteMsg, KeyGrant, Visibility};
use openledger_types::msg::node_registry::NodeStatus;
use serde::Serialize;

use crate::context::{make_private_dir, write_private, Context};
use crate::error::{Class, CliError, Result};

/// Messages of one transaction: a rotation, and grants of some 400 bytes.
const TX_MESSAGES: usize = 32;

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
    let nodes =
        nodes.iter().map(|grant| ReaderOf { name: format!("node {}", grant.node_id), key: grant.key });
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
    nodes: Vec<(u64, HexBinary)>,
    developers: Vec<(String, HexBinary)>,
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
    let wrapped = wrap(&reader, &datanet, &key, leaving_nodes, leaving_developers).await?;
    let previous = wrap_key(&present, &recipient).map_err(|e| {
        CliError::new(
            Class::Refused,
            "E-CLI-061",
            e.to_string(),
            "try again; when it repeats, report it with the command that you gave",
        )
    })?;
    let dir = ctx.home.join("datanets");
    make_private_dir(&dir)?;
    let key_file = dir.join(format!("{recipient}.key"));
    write_private(&key_file, key.to_secret_string().expose_secret().as_bytes())?;

    let nodes = wrapped.nodes.iter().map(|(node_id, _)| format!("node {node_id}"));
    let readers = nodes.chain(wrapped.developers.iter().map(|(name, _)| name.clone())).collect();
    let mut messages = vec![ExecuteMsg::RotateKey { datanet_id, recipient, previous: previous.into() }];
    let grant = |(node_id, wrapped)| ExecuteMsg::GrantKey { datanet_id, node_id, wrapped };
    messages.extend(wrapped.nodes.into_iter().map(grant));
    let grant = |(developer, wrapped)| ExecuteMsg::GrantAccess { datanet_id, developer, wrapped };
    messages.extend(wrapped.developers.into_iter().map(grant));
    // More readers than one transaction takes: broken off here, the rest are behind, and `datanet readers` shows
    // whom `datanet grant` and `datanet access grant` still serve.
    let contract = &reader.contracts().datanet;
    let mut txs = Vec::new();
    for part in messages.chunks(TX_MESSAGES) {
        let call = |msg| Ok((contract.clone(), serde_json::to_value(msg)?, Vec::new()));
        let calls: serde_json::Result<Vec<_>> = part.iter().map(call).collect();
        let calls = calls.map_err(|e| CliError::usage(e.to_string()))?;
        txs.push(signer.execute_many(calls).await?.hash);
    }
    let key = datanet.key.saturating_add(1);
    Ok(Rotated { key, key_file, txs, readers, left: wrapped.left })
}

/// A node that was given a key, as registry and datanet have it.
struct NodeReader {
    grant: KeyGrant,
    status: NodeStatus,
    recipient: String,
}

/// Wraps a new key for all who have the one in force, except those who leave.
async fn wrap(
    reader: &Reader,
    datanet: &DatanetResponse,
    key: &DatanetKey,
    leaving_nodes: &[u64],
    leaving_developers: &[String],
) -> Result<Wrapped> {
    let mut nodes = Vec::new();
    for grant in reader.key_grants(datanet.datanet_id).await? {
        if grant.key == datanet.key {
            let node = reader.node(grant.node_id).await?;
            nodes.push(NodeReader { grant, status: node.status, recipient: node.age_recipient });
        }
    }
    let accesses = reader.accesses(datanet.datanet_id).await?;
    let mut leaving: BTreeSet<String> =
        leaving_nodes.iter().map(|node_id| format!("node {node_id}")).collect();
    leaving.extend(leaving_developers.iter().cloned());
    let bonded = !reader.datanet_config().await?.params.developer_bond.is_zero();
    wrap_for(datanet, key, nodes, accesses, leaving, bonded)
}

/// Sorts readers into those who stay, with the key wrapped for each, and those who leave. Who has a key before the
/// one in force has left already and is not let in again; nor, where access is `bonded`, is a developer without a bond.
fn wrap_for(
    datanet: &DatanetResponse,
    key: &DatanetKey,
    nodes: Vec<NodeReader>,
    accesses: Vec<DeveloperAccess>,
    mut leaving: BTreeSet<String>,
    bonded: bool,
) -> Result<Wrapped> {
    let mut wrapped = Wrapped::default();
    for NodeReader { grant, status, recipient } in nodes {
        let name = format!("node {}", grant.node_id);
        if grant.key != datanet.key {
            continue;
        }
        if leaving.remove(&name) {
            wrapped.left.push((name, "as you said".into()));
        } else if status != NodeStatus::Bonded {
            wrapped.left.push((name, "it left the network".into()));
        } else {
            match wrap_key(key, &recipient) {
                Ok(bytes) => wrapped.nodes.push((grant.node_id, bytes.into())),
                Err(e) => wrapped.left.push((name, e.to_string())),
            }
        }
    }
    for DeveloperAccess { developer, access } in accesses {
        if access.wrapped.is_none() || access.key != datanet.key {
            continue;
        }
        if leaving.remove(&developer) {
            wrapped.left.push((developer, "as you said".into()));
        } else if bonded && access.bond.is_zero() {
            wrapped.left.push((developer, "it has no bond at stake any more".into()));
        } else {
            match wrap_key(key, &access.recipient) {
                Ok(bytes) => wrapped.developers.push((developer, bytes.into())),
                Err(e) => wrapped.left.push((developer, e.to_string())),
            }
        }
    }
    match leaving.is_empty() {
        true => Ok(wrapped),
        false => Err(CliError::new(
            Class::Refused,
            "E-CLI-097",
            format!(
                "{} has not the key in force of datanet {}",
                leaving.into_iter().collect::<Vec<_>>().join(", "),
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

#[cfg(test)]
mod tests {
    use cosmwasm_std::{HexBinary, Uint128};
    use openledger_store::unwrap_key;
    use openledger_types::formats::Uses;
    use openledger_types::msg::datanet::{Access, Policy};

    use super::*;

    /// Datanet 4, whose key was rotated twice.
    fn datanet() -> DatanetResponse {
        DatanetResponse {
            datanet_id: 4,
            owner: "openledger1owner".into(),
            name: "sealed".into(),
            description: String::new(),
            visibility: Visibility::Sealed,
            license: "MIT".into(),
            recipient: DatanetKey::generate().recipient(),
            key: 2,
            public_identity: None,
            min_data_bps: 0,
            floor_per_token: Uint128::zero(),
            policy: Policy::Open {},
            uses: Uses::ALL,
            training_price: Uint128::zero(),
            pending_owner: None,
            withdrawals: 0,
            contributions: 0,
            bytes: 0,
            latest_version: 0,
            leaves: 0,
            legacy_leaves: 0,
        }
    }

    fn node(node_id: u64, key: u32, status: NodeStatus, recipient: String) -> NodeReader {
        NodeReader { grant: KeyGrant { node_id, key }, status, recipient }
    }

    fn developer(name: &str, key: u32, wrapped: bool, recipient: String) -> DeveloperAccess {
        let access = Access {
            recipient,
            paid: Uint128::zero(),
            bond: Uint128::from(u32::from(name != "slashed")),
            bought_at: 1,
            wrapped: wrapped.then(|| HexBinary::from(&[1])),
            key,
            leaves_at: 9,
        };
        DeveloperAccess { developer: name.into(), access }
    }

    fn leaving(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rule_d6_a_new_key_is_wrapped_for_who_stays_and_nobody_else() {
        let (key, stays, dev) = (DatanetKey::generate(), DatanetKey::generate(), DatanetKey::generate());
        let some = || DatanetKey::generate().recipient();
        let nodes = vec![
            node(9, 2, NodeStatus::Bonded, some()),
            node(3, 2, NodeStatus::Bonded, stays.recipient()),
            node(5, 2, NodeStatus::Unbonding, some()),
            node(6, 1, NodeStatus::Bonded, some()),
            node(7, 2, NodeStatus::Bonded, "age1".into()),
        ];
        let accesses = vec![
            developer("zoe", 2, true, dev.recipient()),
            developer("ann", 2, true, dev.recipient()),
            developer("bob", 2, true, some()),
            developer("old", 1, true, some()),
            developer("slashed", 2, true, some()),
            developer("new", 0, false, some()),
        ];
        let out = wrap_for(&datanet(), &key, nodes, accesses, leaving(&["node 9", "bob"]), true).unwrap();
        assert_eq!(out.nodes.iter().map(|n| n.0).collect::<Vec<_>>(), [3]);
        let names: Vec<&str> = out.developers.iter().map(|d| d.0.as_str()).collect();
        assert_eq!(names, ["zoe", "ann"]);
        let left: Vec<&str> = out.left.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(left, ["node 9", "node 5", "node 7", "bob", "slashed"]);
        assert_eq!(unwrap_key(&stays, &out.nodes[0].1).unwrap().recipient(), key.recipient());
        for entry in &out.developers {
            assert_eq!(unwrap_key(&dev, &entry.1).unwrap().recipient(), key.recipient());
        }
    }

    #[test]
    fn who_is_to_leave_must_have_the_key_in_force() {
        let key = DatanetKey::generate();
        for name in ["node 6", "node 77", "nobody"] {
            let nodes = vec![node(6, 1, NodeStatus::Bonded, key.recipient())];
            let refused =
                wrap_for(&datanet(), &key, nodes, Vec::new(), leaving(&[name]), true).err().unwrap();
            assert_eq!(refused.code, "E-CLI-097");
            assert!(refused.message.contains(name), "{}", refused.message);
        }
    }
}

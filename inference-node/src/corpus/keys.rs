//! The keys of datanets, as far as a reader has them.

use std::collections::BTreeMap;

use openledger_store::{DatanetKey, Keyring, StoreError};
use openledger_types::formats::ContributionFacts;
use openledger_types::merkle::Hash;

use super::{refuse, DatanetView};
use crate::fault::{Class, Fault, Result};

/// Where the keys of datanets come from. Public datanets need none.
#[derive(Clone, Default)]
pub struct Identities {
    /// age identities held here, by datanet, the newest that is held: those of an owner, or of a developer
    /// who was given one.
    pub own: BTreeMap<u64, DatanetKey>,
    /// A node and its age identity, to which grants on chain are wrapped.
    pub node: Option<(u64, DatanetKey)>,
}

/// What opens a datanet's blobs.
pub(super) struct Keys {
    ring: Keyring,
    /// Number of the newest key here.
    held: u32,
    /// Number of the key in force.
    in_force: u32,
}

impl Keys {
    /// Opens a contribution's blob.
    ///
    /// # Errors
    /// `E-CORPUS-002` when it was sealed for a key that this reader was not given, `-003` when it does not
    /// open although all keys are here.
    pub fn open(&self, facts: &ContributionFacts, content_root: &Hash, blob: &[u8]) -> Result<Vec<u8>> {
        let id = facts.contribution_id;
        self.ring.open(facts.datanet_id, content_root, blob).map_err(|e| match e {
            StoreError::Decrypt if self.held < self.in_force => missing(format!(
                "contribution {id} does not open with key {} of datanet {} or one before it, and key {} is in \
                 force",
                self.held, facts.datanet_id, self.in_force
            )),
            e => refuse("E-CORPUS-003", format!("contribution {id}: its blob does not open: {e}")),
        })
    }
}

/// A key that is not here yet.
fn missing(what: String) -> Fault {
    let advice =
        "Ask the datanet's owner for the key (`openledger datanet grant` for a node, `datanet access \
                  grant` for a developer).";
    Fault::new(Class::Unavailable, "E-CORPUS-002", what, advice).retryable()
}

/// The keys of a datanet: the newest that is here, and those before it, which its rotations left on chain.
///
/// # Errors
/// `E-CORPUS-002` without a key, or with one that is not the datanet's; `E-CLIENT-…` from the chain.
pub(super) async fn of_datanet(
    view: &dyn DatanetView,
    datanet_id: u64,
    identities: &Identities,
) -> Result<Keys> {
    let mut datanet = view.datanet(datanet_id).await?;
    let newest = match (identities.own.get(&datanet_id), &datanet.public_identity) {
        (Some(own), _) => own.clone(),
        (None, Some(public)) => public
            .parse()
            .map_err(|e| refuse("E-CORPUS-002", format!("the public key of datanet {datanet_id}: {e}")))?,
        (None, None) => granted(view, datanet_id, identities).await?,
    };
    let recipient = newest.recipient();
    if recipient != datanet.recipient {
        // The key may be of a rotation between the two answers of the chain.
        datanet = view.datanet(datanet_id).await?;
    }
    if datanet.key == 0 && recipient == datanet.recipient {
        return Ok(Keys { ring: newest.into(), held: 0, in_force: 0 });
    }
    let past = view.past_keys(datanet_id).await?;
    let held = match recipient == datanet.recipient {
        // Not the length of the list: a rotation may have come in between.
        true => usize::try_from(datanet.key).ok(),
        false => past.iter().position(|key| key.recipient == recipient),
    };
    let held = held.ok_or_else(|| {
        missing(format!(
            "what is here as the key of datanet {datanet_id} is none of its {} keys",
            past.len() + 1
        ))
    })?;
    if past.len() < held {
        return Err(missing(format!("the chain has not told all past keys of datanet {datanet_id}")));
    }
    let links: Vec<openledger_store::PastKey> = past
        .iter()
        .take(held)
        .map(|key| openledger_store::PastKey {
            recipient: key.recipient.clone(),
            wrapped: key.wrapped.to_vec(),
        })
        .collect();
    let ring = Keyring::unwind(newest, &links)
        .map_err(|e| refuse("E-CORPUS-002", format!("keys of datanet {datanet_id}: {e}")))?;
    let in_force = u32::try_from(past.len()).unwrap_or(u32::MAX).max(datanet.key);
    Ok(Keys { ring, held: u32::try_from(held).unwrap_or(u32::MAX), in_force })
}

/// The key that was wrapped for the node here.
async fn granted(view: &dyn DatanetView, datanet_id: u64, identities: &Identities) -> Result<DatanetKey> {
    let none = |why: &str| missing(format!("datanet {datanet_id} is not public and {why}"));
    let Some((node_id, identity)) = &identities.node else {
        return Err(none("there is no node identity here"));
    };
    let wrapped = view.key_grant(datanet_id, *node_id).await?;
    let wrapped = wrapped.ok_or_else(|| none(&format!("node {node_id} has no grant")))?;
    openledger_store::unwrap_key(identity, &wrapped)
        .map_err(|e| none(&format!("its grant does not open: {e}")))
}

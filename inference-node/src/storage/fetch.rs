//! The bytes of a fragment: from this store, from a holder of the same bytes, or made anew from the pack,
//! which comes from the contributions' blobs or from enough other fragments. Nothing is kept, and nothing
//! accepted, before it has the root that stands on chain.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use openledger_store::{fragment_root, fragments, restore};
use openledger_types::formats::{hash32, BlobRef};
use openledger_types::merkle::Hash;
use openledger_types::msg::node_registry::{NodeResponse, NodeStatus};
use openledger_types::msg::storage::ObjectResponse;

use super::view::StorageView;
use crate::corpus::{HttpBlobs, SILENT};
use crate::fault::{Class, Fault, Result};
use crate::serve::{blocking, lock, root_of, store_fault, Store};

/// A node that took a connection and then stayed silent, or sent too slowly, is not asked again for this long: every
/// wait for it is one that a keeper does not have for what falls due.
const REST: Duration = Duration::from_secs(120);

/// Nodes that were silent, and since when.
#[derive(Default)]
pub(super) struct Silent(Mutex<HashMap<u64, Instant>>);

impl Silent {
    fn note(&self, node_id: u64, fault: &Fault) {
        tracing::debug!(code = fault.code, "{}", fault.what);
        if fault.code == SILENT {
            let mut silent = lock(&self.0);
            silent.retain(|_, since| since.elapsed() < REST);
            silent.insert(node_id, Instant::now());
        }
    }

    fn has(&self, node_id: u64) -> bool {
        lock(&self.0).get(&node_id).is_some_and(|since| since.elapsed() < REST)
    }
}

/// Where bytes are looked for.
pub(super) struct Sources<'a> {
    /// Number of this node.
    pub node_id: u64,
    /// This node's store.
    pub store: &'a Store,
    /// The chain.
    pub view: &'a dyn StorageView,
    /// All nodes.
    pub nodes: &'a [NodeResponse],
    /// Nodes that are left alone for a while.
    pub silent: &'a Silent,
}

/// The fragment of a pack that belongs into a slot, checked against the root on chain.
///
/// # Errors
/// `E-STORAGE-002` when the roots on chain are not those of the pack's fragments.
pub fn fragment_of(object: &ObjectResponse, slot: u8, pack: &[u8]) -> Result<Vec<u8>> {
    let mut all = fragments(pack, object.coding).map_err(store_fault)?;
    let at = if all.len() == 1 { 0 } else { usize::from(slot) };
    let root = root_of_slot(object, slot)?;
    match all.get(at) {
        Some(bytes) if fragment_root(bytes) == root => Ok(all.swap_remove(at)),
        _ => Err(Fault::new(
            Class::Conflict,
            "E-STORAGE-002",
            format!("object {} was placed with roots that are not its fragments'", object.object_id),
            "It is not accepted; its datanet's owner should retire it and place it again.",
        )),
    }
}

/// The root on chain of a slot's fragment.
pub(super) fn root_of_slot(object: &ObjectResponse, slot: u8) -> Result<Hash> {
    let root = match object.roots.as_slice() {
        [one] => Some(one),
        many => many.get(usize::from(slot)),
    };
    root.and_then(|root| hash32("root", root).ok()).ok_or_else(|| {
        Fault::new(
            Class::Internal,
            "E-STORAGE-001",
            format!("object {} has no root for slot {slot}", object.object_id),
            "Use a node of the release that the contracts have.",
        )
    })
}

impl Sources<'_> {
    /// Whether the fragment is in this store.
    pub async fn has(&self, root: Hash) -> Result<bool> {
        let store = self.store.clone();
        blocking(move || store.has(&root).map_err(store_fault)).await
    }

    /// Makes sure that the fragment is in this store; says whether it was not.
    pub async fn ensure(&self, object: &ObjectResponse, slot: u8) -> Result<bool> {
        let root = root_of_slot(object, slot)?;
        if self.has(root).await? {
            return Ok(false);
        }
        let bytes = match self.copy(object, slot, &root).await {
            Some(bytes) => bytes,
            None => {
                let pack = self.pack(object).await?;
                let object = object.clone();
                blocking(move || fragment_of(&object, slot, &pack)).await?
            }
        };
        let store = self.store.clone();
        blocking(move || store.put(&root, &bytes).map_err(store_fault)).await?;
        Ok(true)
    }

    /// The fragment as another node keeps it: any holder of a whole copy, or the slot's own.
    async fn copy(&self, object: &ObjectResponse, slot: u8, root: &Hash) -> Option<Vec<u8>> {
        let len = object.coding.fragment_len(object.len);
        for (number, place) in (0u8..).zip(&object.slots) {
            let same = object.roots.len() == 1 || number == slot;
            let Some(holder) = place.holder.filter(|_| same) else { continue };
            let Some(peer) = self.peer(holder) else { continue };
            match peer.fragment(root, len).await {
                Ok(bytes) => return Some(bytes),
                Err(fault) => self.silent.note(holder, &fault),
            }
        }
        None
    }

    /// The pack: the blobs as contributors uploaded them, else out of other nodes' fragments.
    async fn pack(&self, object: &ObjectResponse) -> Result<Vec<u8>> {
        let mut blobs = Vec::with_capacity(object.contributions.len());
        for id in &object.contributions {
            let found = self.view.contribution_of(*id).await?;
            blobs.push(found.map(|found| found.facts.blob).ok_or_else(|| missing(object))?);
        }
        match self.pack_of_blobs(&blobs).await? {
            Some(pack) => Ok(pack),
            None => self.pack_of_fragments(object, &blobs).await,
        }
    }

    async fn pack_of_blobs(&self, blobs: &[BlobRef]) -> Result<Option<Vec<u8>>> {
        let mut pack = Vec::new();
        // Whoever had the last one is asked first.
        let mut peers: Vec<(u64, HttpBlobs)> =
            self.serving().filter_map(|node| Some((node.node_id, self.http(node)?))).collect();
        'blobs: for blob in blobs {
            let (store, root) = (self.store.clone(), root_of(blob)?);
            if let Some(bytes) = blocking(move || store.get(&root).map_err(store_fault)).await? {
                pack.extend_from_slice(&bytes);
                continue;
            }
            for at in 0..peers.len() {
                let Some((node_id, peer)) = peers.get(at) else { break };
                if self.silent.has(*node_id) {
                    continue;
                }
                match peer.get(blob).await {
                    Ok(bytes) => {
                        pack.extend_from_slice(&bytes);
                        peers.swap(0, at);
                        continue 'blobs;
                    }
                    Err(fault) => self.silent.note(*node_id, &fault),
                }
            }
            return Ok(None);
        }
        Ok(Some(pack))
    }

    async fn pack_of_fragments(&self, object: &ObjectResponse, blobs: &[BlobRef]) -> Result<Vec<u8>> {
        let len = object.coding.fragment_len(object.len);
        let mut found: Vec<(u8, Vec<u8>)> = Vec::new();
        for (slot, place) in (0u8..).zip(&object.slots) {
            if found.len() == usize::from(object.coding.data) {
                break;
            }
            let root = root_of_slot(object, slot)?;
            let store = self.store.clone();
            if let Some(bytes) = blocking(move || store.get(&root).map_err(store_fault)).await? {
                found.push((slot, bytes));
                continue;
            }
            let Some(holder) = place.holder else { continue };
            let Some(peer) = self.peer(holder) else { continue };
            match peer.fragment(&root, len).await {
                Ok(bytes) => found.push((slot, bytes)),
                Err(fault) => self.silent.note(holder, &fault),
            }
        }
        if found.len() < usize::from(object.coding.data) {
            return Err(missing(object));
        }
        let (len, coding) = (object.len, object.coding);
        let pack = blocking(move || restore(len, coding, &found).map_err(store_fault)).await?;
        match is_pack(&pack, blobs) {
            true => Ok(pack),
            false => Err(missing(object)),
        }
    }

    /// Nodes that may have blobs, but for this one.
    fn serving(&self) -> impl Iterator<Item = &NodeResponse> {
        let own = self.node_id;
        self.nodes.iter().filter(move |node| node.node_id != own && node.status == NodeStatus::Bonded)
    }

    fn peer(&self, node_id: u64) -> Option<HttpBlobs> {
        let node = self.nodes.iter().find(|node| node.node_id == node_id && node_id != self.node_id)?;
        if self.silent.has(node_id) {
            return None;
        }
        self.http(node)
    }

    fn http(&self, node: &NodeResponse) -> Option<HttpBlobs> {
        HttpBlobs::new(&node.endpoint).ok().map(|peer| peer.attempts(1))
    }
}

/// Whether a pack is these blobs, one after the other.
fn is_pack(pack: &[u8], blobs: &[BlobRef]) -> bool {
    let mut rest = pack;
    for blob in blobs {
        let Some((bytes, after)) = usize::try_from(blob.len).ok().and_then(|len| rest.split_at_checked(len))
        else {
            return false;
        };
        if BlobRef::of(bytes) != *blob {
            return false;
        }
        rest = after;
    }
    rest.is_empty()
}

fn missing(object: &ObjectResponse) -> Fault {
    Fault::unavailable(
        "E-STORAGE-003",
        format!("object {}: neither its blobs nor enough of its fragments can be had", object.object_id),
        "It is tried again in the next round; see whether the nodes that hold it are reachable.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_attack_a_silent_holder_is_asked_once_and_then_left_alone() {
        let silent = Silent::default();
        silent.note(1, &Fault::unavailable(SILENT, "x", ""));
        // A node that is not there is said so at once: asking it costs nothing.
        silent.note(2, &Fault::unavailable("E-CORPUS-010", "x", ""));
        assert!(silent.has(1) && !silent.has(2));
        if let Some(before) = Instant::now().checked_sub(REST) {
            lock(&silent.0).insert(1, before);
            assert!(!silent.has(1), "after a while it is asked again");
        }
    }
}

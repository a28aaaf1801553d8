//! The keeper's loop. Each round reads the contracts, then does what is due, the most urgent first: answer
//! the draw, take fragments, name nodes for vacant slots, draw, report misses, end what is over, claim.
//!
//! Nothing is remembered between rounds: the contracts say what this node keeps, and the store has the
//! bytes. A message that another node sent first is refused and costs nothing but the question.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

use cosmwasm_std::Binary;
use openledger_store::fragment_leaf;
use openledger_types::formats::hash32;
use openledger_types::merkle::{write_nodes, Hash};
use openledger_types::msg::datanet::ContributionStatus;
use openledger_types::msg::node_registry::{NodeResponse, NodeStatus};
use openledger_types::msg::storage::{
    Answer, ChallengeResponse, ConfigResponse, DrawResponse, ExecuteMsg, HoldingResponse, ObjectResponse,
    StorerResponse, StorerState, MAX_SLOTS,
};

use super::assign;
use super::fetch::{Silent, Sources};
use super::view::StorageView;
use crate::fault::{Class, Fault, Result};
use crate::serve::{blocking, store_fault, Posting, Store};

/// Objects for which nodes are named in one round: what is named must be accepted in time.
const NOMINATIONS: usize = 4;

/// Numbers that an operator may set.
#[derive(Debug, Clone)]
pub struct KeepSettings {
    /// KiB that the node offers; 0 to leave.
    pub capacity: u64,
    /// Pause between two rounds.
    pub tick: Duration,
    /// Least pay for which a claim is sent, in base units.
    pub least_claim: u128,
}

/// The loop of a node with the role `storage`.
pub struct Keeper {
    node_id: u64,
    store: Store,
    view: Arc<dyn StorageView>,
    settings: KeepSettings,
    /// First height at which space is offered again: a node that was nominated and could not take what it
    /// was nominated for leaves the next ones to others for a while.
    offer_from: AtomicU64,
    /// Rounds so far.
    rounds: AtomicUsize,
    /// Nodes that are not asked for a while.
    silent: Silent,
}

/// What a round reads first.
struct Seen {
    height: u64,
    config: ConfigResponse,
    draw: DrawResponse,
    nodes: Vec<NodeResponse>,
    objects: Vec<ObjectResponse>,
    storers: Vec<StorerResponse>,
    holdings: Vec<HoldingResponse>,
}

impl Seen {
    fn storer(&self, node_id: u64) -> Option<&StorerResponse> {
        self.storers.iter().find(|storer| storer.node_id == node_id)
    }

    fn live(&self) -> impl Iterator<Item = &ObjectResponse> {
        self.objects.iter().filter(|object| object.retired_at.is_none())
    }
}

impl Keeper {
    /// Keeps fragments in the name of node `node_id`, in this store.
    pub fn new(node_id: u64, store: Store, view: Arc<dyn StorageView>, settings: KeepSettings) -> Self {
        Keeper {
            node_id,
            store,
            view,
            settings,
            offer_from: AtomicU64::new(0),
            rounds: AtomicUsize::new(0),
            silent: Silent::default(),
        }
    }

    /// Pause between two rounds.
    pub fn tick(&self) -> Duration {
        self.settings.tick
    }

    /// One round. What cannot be done is returned and keeps nothing else from being done.
    pub async fn round(&self) -> Vec<Fault> {
        let seen = match self.look().await {
            Ok(seen) => seen,
            Err(fault) => return vec![fault],
        };
        let mut faults = Vec::new();
        for done in [
            self.prove(&seen).await,
            self.offer(&seen).await,
            self.take(&seen).await,
            self.nominate(&seen).await,
            self.draw(&seen).await,
            self.report(&seen).await,
            self.end(&seen).await,
            self.erase(&seen).await,
            self.claim(&seen).await,
        ] {
            faults.extend(done.err());
        }
        faults
    }

    async fn look(&self) -> Result<Seen> {
        let known = self.view.storers().await?;
        let enrolled = known.iter().any(|storer| storer.node_id == self.node_id);
        Ok(Seen {
            height: self.view.tip().await?,
            config: self.view.storage_config().await?,
            draw: self.view.draw().await?,
            nodes: self.view.registered().await?,
            objects: self.view.objects().await?,
            storers: known,
            holdings: if enrolled { self.view.holdings(self.node_id).await? } else { Vec::new() },
        })
    }

    /// Sends a message; what the contract refuses was done by another node, or is not due.
    async fn say(&self, msg: &ExecuteMsg) -> Result<bool> {
        match self.view.say(msg).await? {
            Posting::Done { tx } => {
                tracing::debug!(tx, ?msg, "storage");
                Ok(true)
            }
            Posting::Refused { reason } => {
                tracing::debug!(reason, ?msg, "storage: refused");
                Ok(false)
            }
            Posting::Open { reason } => Err(Fault::unavailable(
                "E-STORAGE-004",
                format!("a message to the storage contract may not have been taken: {reason}"),
                "The chain is asked again in the next round; see whether the hot address has coins for gas.",
            )),
        }
    }

    fn sources<'a>(&'a self, seen: &'a Seen) -> Sources<'a> {
        Sources {
            node_id: self.node_id,
            store: &self.store,
            view: self.view.as_ref(),
            nodes: &seen.nodes,
            silent: &self.silent,
        }
    }

    /// Answers the draw that waits.
    async fn prove(&self, seen: &Seen) -> Result<()> {
        if seen.storer(self.node_id).is_none() {
            return Ok(());
        }
        let Some(due) = self.view.challenge(self.node_id).await? else { return Ok(()) };
        match (due.draw, due.until) {
            (Some(draw), Some(until)) if draw == seen.draw.number && seen.height < until => {}
            _ => return Ok(()),
        }
        let answers = self.answers(seen, &due).await?;
        let node_id = self.node_id;
        if self.say(&ExecuteMsg::Prove { node_id, answers }).await? {
            tracing::info!(draw = due.draw, samples = due.samples.len(), "storage proved");
        }
        Ok(())
    }

    async fn answers(&self, seen: &Seen, due: &ChallengeResponse) -> Result<Vec<Answer>> {
        let mut answers = Vec::with_capacity(due.samples.len());
        for sample in &due.samples {
            if !sample.live {
                answers.push(Answer { chunk: Binary::default(), path: Binary::default() });
                continue;
            }
            let holding = seen.holdings.iter().find(|holding| holding.position == sample.position);
            let root = holding.and_then(|holding| hash32("root", &holding.root).ok());
            let lost = || {
                Fault::new(
                    Class::Internal,
                    "E-STORAGE-005",
                    format!("a fragment of object {} is missing or damaged here", sample.object_id),
                    "It is fetched again; if this repeats, check the disk.",
                )
                .retryable()
            };
            let root = root.ok_or_else(lost)?;
            let (store, leaf) = (self.store.clone(), sample.leaf);
            let read = move || {
                let bytes = match store.get(&root) {
                    Ok(bytes) => bytes,
                    Err(openledger_store::StoreError::Damaged { .. }) => None,
                    Err(error) => return Err(store_fault(error)),
                };
                Ok(bytes.and_then(|bytes| {
                    let (chunk, path) = fragment_leaf(&bytes, leaf)?;
                    Some(Answer { chunk: chunk.into(), path: write_nodes(&path).into() })
                }))
            };
            match blocking(read.clone()).await? {
                Some(answer) => answers.push(answer),
                None => {
                    let object = seen.objects.iter().find(|object| object.object_id == sample.object_id);
                    self.repair(seen, object.ok_or_else(lost)?, sample.slot, root).await?;
                    answers.push(blocking(read).await?.ok_or_else(lost)?);
                }
            }
        }
        Ok(answers)
    }

    /// Fetches a fragment anew that this node should have.
    async fn repair(&self, seen: &Seen, object: &ObjectResponse, slot: u8, root: Hash) -> Result<()> {
        let store = self.store.clone();
        blocking(move || store.delete(&root).map_err(store_fault)).await?;
        self.sources(seen).ensure(object, slot).await?;
        Ok(())
    }

    /// Offers the space that the operator set, or leaves.
    async fn offer(&self, seen: &Seen) -> Result<()> {
        let (node_id, capacity) = (self.node_id, self.settings.capacity);
        let known = seen.storer(node_id);
        let Some(own) = seen.nodes.iter().find(|node| node.node_id == node_id) else { return Ok(()) };
        if capacity == 0 {
            if known.is_some_and(|storer| storer.state == StorerState::Active) {
                self.say(&ExecuteMsg::Leave { node_id }).await?;
            }
            return Ok(());
        }
        let may = own.status == NodeStatus::Bonded && own.jailed_until.is_none();
        let as_set =
            known.is_some_and(|storer| storer.state == StorerState::Active && storer.capacity == capacity);
        if may && !as_set && seen.height >= self.offer_from.load(Ordering::Relaxed) {
            self.rest(seen);
            self.say(&ExecuteMsg::Enroll { node_id, capacity }).await?;
        }
        Ok(())
    }

    /// Two windows of acceptance pass before this node offers space again.
    fn rest(&self, seen: &Seen) {
        let pause = seen.config.params.accept_blocks.saturating_mul(2);
        self.offer_from.store(seen.height.saturating_add(pause), Ordering::Relaxed);
    }

    /// Fetches what this node was nominated for and accepts what is here and due.
    async fn take(&self, seen: &Seen) -> Result<()> {
        let sources = self.sources(seen);
        let mut slots = Vec::new();
        let mut trouble = None;
        for object in seen.live() {
            let nominated = assign::nominated(object, self.node_id, seen.height, &seen.config.params);
            for (slot, due) in nominated {
                match sources.ensure(object, slot).await {
                    Ok(_) if due => slots.push((object.object_id, slot)),
                    Ok(_) => {}
                    Err(fault) => {
                        let full = fault.code == "E-STORE-010";
                        trouble = Some(fault);
                        if full {
                            return self.refuse_more(seen, trouble).await;
                        }
                    }
                }
            }
        }
        let node_id = self.node_id;
        for slots in slots.chunks(MAX_SLOTS) {
            // One by one when together they are refused: one of them may have been taken over.
            if !self.say(&ExecuteMsg::Accept { node_id, slots: slots.to_vec() }).await? && slots.len() > 1 {
                for slot in slots {
                    self.say(&ExecuteMsg::Accept { node_id, slots: vec![*slot] }).await?;
                }
            }
        }
        trouble.map_or(Ok(()), Err)
    }

    /// The disk is full: offers no more than what is kept, so that nobody counts on this node.
    async fn refuse_more(&self, seen: &Seen, why: Option<Fault>) -> Result<()> {
        self.rest(seen);
        if let Some(storer) = seen.storer(self.node_id) {
            if storer.capacity > storer.kept {
                let (node_id, capacity) = (self.node_id, storer.kept);
                self.say(&ExecuteMsg::Enroll { node_id, capacity }).await?;
            }
        }
        why.map_or(Ok(()), Err)
    }

    /// Names the best nodes for vacant slots, and this one where it is better than who was named.
    async fn nominate(&self, seen: &Seen) -> Result<()> {
        let params = &seen.config.params;
        let mut sent = 0;
        for object in seen.live() {
            if sent == NOMINATIONS {
                break;
            }
            let object_id = object.object_id;
            let nominees = assign::nominations(object, &seen.storers, seen.height, params);
            if !nominees.is_empty() {
                sent += usize::from(self.say(&ExecuteMsg::Nominate { object_id, nominees }).await?);
            } else if let Some(slot) =
                assign::takeover(object, &seen.storers, self.node_id, seen.height, params)
            {
                let nominees = vec![(slot, self.node_id)];
                self.say(&ExecuteMsg::Nominate { object_id, nominees }).await?;
            }
        }
        Ok(())
    }

    /// Draws when it is time and something is kept.
    async fn draw(&self, seen: &Seen) -> Result<()> {
        if seen.height >= seen.draw.next_from && seen.holdings.iter().any(|holding| holding.live) {
            self.say(&ExecuteMsg::Draw {}).await?;
        }
        Ok(())
    }

    /// Reports nodes that did not answer a draw, and frees what nodes gave up that are out.
    async fn report(&self, seen: &Seen) -> Result<()> {
        let late = seen.height > seen.draw.height.saturating_add(seen.config.params.answer_blocks);
        for storer in seen.storers.iter().filter(|storer| storer.node_id != self.node_id) {
            let node_id = storer.node_id;
            if storer.kept == 0 {
                continue;
            }
            let behind = seen.draw.number.saturating_sub(storer.settled_draw);
            if storer.state != StorerState::Out && (behind > 1 || (behind == 1 && late)) {
                self.say(&ExecuteMsg::ReportMiss { node_id }).await?;
            }
            let over = match storer.state {
                StorerState::Active => false,
                StorerState::Leaving { until } => seen.height >= until,
                StorerState::Out => true,
            };
            if over {
                let held = self.view.holdings(node_id).await?;
                let live: Vec<u64> = held.iter().filter(|h| h.live).map(|h| h.position).collect();
                if let Some(positions) = live.chunks(MAX_SLOTS).next() {
                    self.say(&ExecuteMsg::Vacate { node_id, positions: positions.to_vec() }).await?;
                }
            }
            let gone = seen.nodes.iter().find(|node| node.node_id == node_id);
            let listed = gone.is_some_and(|node| node.status == NodeStatus::Bonded);
            if !listed && storer.state == StorerState::Active {
                self.say(&ExecuteMsg::Delist { node_id }).await?;
            }
        }
        Ok(())
    }

    /// Ends objects that this node keeps whose deposit is used up or of which something was withdrawn.
    async fn end(&self, seen: &Seen) -> Result<()> {
        let mut dry: BTreeSet<u64> = BTreeSet::new();
        let mut asked: BTreeSet<u64> = BTreeSet::new();
        let round = self.rounds.fetch_add(1, Ordering::Relaxed);
        for object in seen.live() {
            if !object.slots.iter().any(|slot| slot.holder == Some(self.node_id)) {
                continue;
            }
            let object_id = object.object_id;
            if asked.insert(object.datanet_id) {
                let account = self.view.account(object.datanet_id).await?;
                if account.dry_at.is_some_and(|height| height < seen.height) {
                    dry.insert(object.datanet_id);
                }
            }
            // One contribution a round: all of them are looked at within as many rounds as there are.
            let at = round.checked_rem(object.contributions.len()).unwrap_or_default();
            let mut withdrawn = object.contributions.get(at).copied();
            if let Some(id) = withdrawn {
                let found = self.view.contribution_of(id).await?;
                let gone = found.is_some_and(|found| found.status == ContributionStatus::Withdrawn);
                withdrawn = withdrawn.filter(|_| gone);
            }
            if withdrawn.is_some() || dry.contains(&object.datanet_id) {
                self.say(&ExecuteMsg::Retire { object_id, contribution_id: withdrawn }).await?;
            }
        }
        Ok(())
    }

    /// Erases the bytes of fragments that this node keeps no more. With them goes the only copy of the
    /// content keys that stand inside sealed blobs.
    async fn erase(&self, seen: &Seen) -> Result<()> {
        let root_of = |holding: &HoldingResponse| hash32("root", &holding.root).ok();
        let kept: BTreeSet<Hash> = seen.holdings.iter().filter(|h| h.live).filter_map(root_of).collect();
        let mut over = Vec::new();
        for holding in seen.holdings.iter().filter(|holding| !holding.live) {
            over.push(holding.position);
            let Some(root) = root_of(holding).filter(|root| !kept.contains(root)) else { continue };
            let store = self.store.clone();
            if blocking(move || store.delete(&root).map_err(store_fault)).await? {
                tracing::info!(object = holding.object_id, slot = holding.slot, "fragment erased");
            }
        }
        let node_id = self.node_id;
        if let Some(positions) = over.chunks(MAX_SLOTS).next() {
            self.say(&ExecuteMsg::Sweep { node_id, positions: positions.to_vec() }).await?;
        }
        Ok(())
    }

    /// Claims what was earned, when it is worth a transaction.
    async fn claim(&self, seen: &Seen) -> Result<()> {
        let node_id = self.node_id;
        let mut earning: Vec<&HoldingResponse> =
            seen.holdings.iter().filter(|holding| !holding.earned.is_zero()).collect();
        earning.sort_by_key(|holding| std::cmp::Reverse(holding.earned));
        earning.truncate(MAX_SLOTS);
        let sum = earning.iter().fold(0u128, |sum, h| sum.saturating_add(h.earned.u128()));
        if sum >= self.settings.least_claim && !earning.is_empty() {
            let positions = earning.iter().map(|holding| holding.position).collect();
            if self.say(&ExecuteMsg::Claim { node_id, positions }).await? {
                tracing::info!(amount = sum, "storage pay claimed");
            }
        }
        Ok(())
    }
}

//! `Reveal`: leaves of a commit become contributions (PROTOCOL D1, D2).

use cosmwasm_std::{DepsMut, Env, Event, MessageInfo, Response, Storage, Uint128};
use openledger_contract::{payment, text, CommonError};
use openledger_merkle::{verify_inclusion, Hash, Tree};
use openledger_types::formats::{commit_leaf, hash32, Priority};
use openledger_types::msg::datanet::{ContributionStatus, Documents, Policy, RevealItem};

use crate::execute::create::next;
use crate::execute::edit::check_title;
use crate::execute::{plus, priority_now};
use crate::queue::{self, Run};
use crate::records::{self, Contribution, Record};
use crate::state::{
    self, slot, Commit, Datanet, BY_MATCH, COMMITS, CONTRIBUTION_COUNT, FATES, OPEN_COMMITS, PARAMS, RUNS,
    STATS, TOTALS,
};
use crate::ContractError;

/// Most leaves of one message.
pub const MAX_ITEMS: usize = 64;

/// Most bytes of a text or a blob. Bounds the sum over a datanet far below 64 bits.
pub const MAX_BYTES: u64 = 1 << 32;

/// Leaves of a block that may be opened under one path.
const BLOCK: u32 = 64;

/// Opens leaves. Within the commit's time they take its priority and their bonds stay at stake; later
/// they take the priority of this transaction and their bonds are forfeited.
pub fn reveal(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    commit_id: u64,
    Documents(items): Documents,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let mut commit = state::commit(deps.storage, commit_id)?;
    if commit.owner != info.sender {
        return Err(CommonError::Unauthorized { role: "who committed" }.into());
    }
    if commit.ended {
        return Err(ContractError::CommitEnded { commit_id });
    }
    if !(1..=MAX_ITEMS).contains(&items.len()) {
        return Err(CommonError::BadField { field: "items", rule: "1 to 64 leaves" }.into());
    }
    if commit.acceptance_blocks == 0 {
        commit.acceptance_blocks = PARAMS.load(deps.storage)?.acceptance_blocks;
    }
    let late = env.block.height > commit.expires;
    let priority = if late { priority_now(&env) } else { commit.priority };
    let datanet = state::datanet(deps.storage, commit.datanet_id)?;
    let first = next(CONTRIBUTION_COUNT.load(deps.storage)?)?;
    let batch = Batch {
        commit_id,
        first,
        priority,
        late: late.then_some(priority),
        accepted_at: plus(env.block.height, commit.acceptance_blocks)?,
        proposed: matches!(datanet.policy, Policy::Curated { .. }),
    };
    check_leaves(&items, commit_id, &commit)?;

    let mut stats = state::stats(deps.storage, commit.datanet_id)?;
    let opened = items.len() as u32;
    let mut records = Vec::with_capacity(items.len());
    let mut last = first.saturating_sub(1);
    let mut response = Response::new().add_attribute("action", "reveal");
    for item in items {
        let index = item.index;
        if commit.is_opened(index) {
            return Err(ContractError::AlreadyRevealed { commit_id, index });
        }
        last = next(last)?;
        let record = batch.record(deps.storage, item, &datanet)?;
        let replaced = batch.claim_match(deps.storage, index, last, &record.match_hash, &commit)?;
        commit.open(index);
        stats.bytes = plus(stats.bytes, record.content_len)?;
        records.push(record);
        response = response.add_event(
            Event::new("contribution_revealed")
                .add_attribute("contribution_id", last.to_string())
                .add_attribute("datanet_id", commit.datanet_id.to_string())
                .add_attribute("commit_id", commit_id.to_string())
                .add_attribute("index", index.to_string())
                .add_attribute("contributor", &commit.owner),
        );
        if let Some(replaced) = replaced {
            response = response.add_event(
                Event::new("contribution_duplicate")
                    .add_attribute("contribution_id", replaced.to_string())
                    .add_attribute("duplicate_of", last.to_string()),
            );
        }
    }
    records::save(deps.storage, first, &records);
    RUNS.save(deps.storage, (commit.datanet_id, last), &first)?;
    if !batch.proposed {
        queue::push(deps.storage, commit.datanet_id, &Run { priority, first, last })?;
    }

    let amount = commit.bond.checked_mul(Uint128::from(opened))?;
    let mut totals = TOTALS.load(deps.storage)?;
    totals.held = totals.held.checked_sub(amount)?;
    if late {
        totals.treasury = totals.treasury.checked_add(amount)?;
    } else {
        totals.staked = totals.staked.checked_add(amount)?;
        commit.staked = commit.staked.saturating_add(opened);
        commit.last_reveal = env.block.height;
    }
    commit.revealed = commit.revealed.saturating_add(opened);
    stats.contributions = plus(stats.contributions, u64::from(opened))?;
    if commit.unopened() == 0 {
        OPEN_COMMITS.remove(deps.storage, (commit.datanet_id, slot(commit.priority, commit_id)));
    }
    TOTALS.save(deps.storage, &totals)?;
    CONTRIBUTION_COUNT.save(deps.storage, &last)?;
    STATS.save(deps.storage, commit.datanet_id, &stats)?;
    COMMITS.save(deps.storage, commit_id, &commit)?;
    Ok(response.add_attribute("late", late.to_string()))
}

/// What the contributions of one message share.
struct Batch {
    commit_id: u64,
    /// Number of the first.
    first: u64,
    priority: Priority,
    /// The priority again, when it is not the commit's.
    late: Option<Priority>,
    accepted_at: u64,
    proposed: bool,
}

impl Batch {
    /// The record of an opened leaf.
    fn record(
        &self,
        storage: &dyn Storage,
        item: RevealItem,
        datanet: &Datanet,
    ) -> Result<Record, ContractError> {
        check_item(&item)?;
        let cluster = match item.near_duplicate_of {
            Some(of) => Some(self.cluster(storage, item.index, of)?),
            None => None,
        };
        Ok(Record {
            commit_id: self.commit_id,
            accepted_at: self.accepted_at,
            late: self.late,
            proposed: self.proposed,
            uses: item.uses.unwrap_or(datanet.uses),
            content_root: item.content_root,
            match_root: item.match_root,
            match_hash: item.match_hash,
            blob_root: item.blob_root,
            content_len: item.content_len,
            match_len: item.match_len,
            blob_len: item.blob_len,
            license: item.license.filter(|license| *license != datanet.license),
            media: item.media,
            title: item.title,
            cluster,
        })
    }

    /// The root of the cluster that a leaf claims to belong to: an earlier commit's, on any datanet.
    fn cluster(&self, storage: &dyn Storage, index: u32, of: u64) -> Result<u64, ContractError> {
        let not_earlier = ContractError::NotEarlier { index, contribution_id: of };
        if of >= self.first || records::load(storage, of)?.facts.priority >= self.priority {
            return Err(not_earlier);
        }
        records::cluster(storage, of)
    }

    /// Gives the match text to the contribution unless one of an earlier or equal priority holds it; a
    /// later holder becomes its duplicate (D2). Leaves of a version stay in it: sealed roots never
    /// change. Returns the contribution that lost the text.
    fn claim_match(
        &self,
        storage: &mut dyn Storage,
        index: u32,
        contribution_id: u64,
        match_hash: &Hash,
        commit: &Commit,
    ) -> Result<Option<u64>, ContractError> {
        let holder = BY_MATCH.may_load(storage, match_hash)?;
        let mut replaced = None;
        if let Some(holder_id) = holder {
            let taken = ContractError::MatchTaken { index, contribution_id: holder_id };
            if holder_id >= self.first {
                return Err(taken);
            }
            let old = records::load(storage, holder_id)?;
            let mut fate = records::fate(storage, &old)?;
            if !is_given_up(&old, &fate, commit.owner.as_str()) {
                if old.facts.priority <= self.priority {
                    return Err(taken);
                }
                if fate.status == ContributionStatus::Accepted {
                    queue::remove(storage, old.facts.datanet_id, old.facts.priority, holder_id)?;
                }
                fate.status = ContributionStatus::Duplicate;
                fate.duplicate_of = Some(contribution_id);
                FATES.save(storage, holder_id, &fate)?;
                replaced = Some(holder_id);
            }
        }
        BY_MATCH.save(storage, match_hash, &contribution_id)?;
        Ok(replaced)
    }
}

/// Whether the holder of a text no longer keeps others from it: it was found guilty, or it left before
/// any version took it and the same contributor gives it anew. Nobody else can take a text that its
/// contributor withdrew or that curators did not want.
fn is_given_up(old: &Contribution, fate: &state::Fate, contributor: &str) -> bool {
    match fate.status {
        ContributionStatus::Rejected if fate.convicted => true,
        ContributionStatus::Rejected | ContributionStatus::Withdrawn => {
            fate.position.is_none() && old.facts.contributor == contributor
        }
        _ => false,
    }
}

/// Refuses leaves that this owner did not commit at their positions. A whole block may come with one
/// path, that of its root: the tree over the roots of blocks has the shape of a tree over leaves.
fn check_leaves(items: &[RevealItem], commit_id: u64, commit: &Commit) -> Result<(), ContractError> {
    let root = hash32("root", &commit.root)?;
    let leaf = |item: &RevealItem| commit_leaf(&item.salt, commit.owner.as_str(), &item.raw_hash);
    let fits = |item: &RevealItem, leaf: &Hash, index: u32, size: u32, path: &[Hash]| match verify_inclusion(
        leaf,
        u64::from(index),
        u64::from(size),
        path,
        &root,
    ) {
        true => Ok(()),
        false => Err(ContractError::NotCommitted { commit_id, index: item.index }),
    };
    if let [first, rest @ ..] = items {
        if !rest.is_empty() && rest.iter().all(|item| item.path.is_empty()) {
            let len = commit.count.saturating_sub(first.index).min(BLOCK);
            let whole = first.index % BLOCK == 0 && items.len() as u32 == len;
            if let Some(stray) =
                items.iter().zip(first.index..).find(|(item, at)| !whole || item.index != *at)
            {
                return Err(ContractError::NotCommitted { commit_id, index: stray.0.index });
            }
            let leaves = items.iter().map(leaf).collect();
            let missing = ContractError::NotCommitted { commit_id, index: first.index };
            let block = Tree::new(leaves).ok_or(missing)?.root();
            let (index, size) = (first.index / BLOCK, commit.count.div_ceil(BLOCK));
            return fits(first, &block, index, size, &first.path);
        }
    }
    items.iter().try_for_each(|item| fits(item, &leaf(item), item.index, commit.count, &item.path))
}

/// Refuses fields of a wrong form.
fn check_item(item: &RevealItem) -> Result<(), ContractError> {
    for (field, len) in
        [("content_len", item.content_len), ("match_len", item.match_len), ("blob_len", item.blob_len)]
    {
        if !(1..=MAX_BYTES).contains(&len) {
            return Err(CommonError::BadField { field, rule: "1 to 4,294,967,296 bytes" }.into());
        }
    }
    text::media(&item.media)?;
    if let Some(license) = &item.license {
        text::license(license)?;
    }
    check_title(&item.title)?;
    Ok(())
}

//! `Reveal`: leaves of a commit become contributions (PROTOCOL D1, D2).

use cosmwasm_std::{DepsMut, Env, Event, MessageInfo, Response, Storage, Uint128, Uint64};
use openledger_contract::{payment, text, CommonError};
use openledger_merkle::{verify_inclusion, Hash};
use openledger_types::formats::{commit_leaf, hash32, hash_path, ContributionFacts, Priority};
use openledger_types::msg::datanet::{ContributionStatus, RevealItem};

use crate::execute::create::next;
use crate::execute::priority_now;
use crate::state::{
    self, slot, Contribution, Fate, BONDS, BY_DATANET, BY_MATCH, COMMITS, CONTRIBUTIONS, CONTRIBUTION_COUNT,
    FATES, OPEN_COMMITS, PENDING, STATS, TOTALS,
};
use crate::ContractError;

/// Most leaves of one message.
pub const MAX_ITEMS: usize = 64;

/// Most bytes of a text or a blob. Bounds the sum over a datanet far below 64 bits.
pub const MAX_BYTES: u64 = 1 << 32;

/// Opens leaves. Within the commit's time they take its priority and their bonds return; later they
/// take the priority of this transaction and their bonds are forfeited.
pub fn reveal(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    commit_id: u64,
    items: Vec<RevealItem>,
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
    let late = env.block.height > commit.expires;
    let priority = if late { priority_now(&env) } else { commit.priority };
    let root = hash32("root", &commit.root)?;
    let license = state::datanet(deps.storage, commit.datanet_id)?.license;
    let mut stats = state::stats(deps.storage, commit.datanet_id)?;
    let mut contribution_id = CONTRIBUTION_COUNT.load(deps.storage)?;
    let opened = Uint128::from(items.len() as u128);
    let mut response = Response::new().add_attribute("action", "reveal");

    for item in items {
        let index = item.index;
        if commit.is_opened(index) {
            return Err(ContractError::AlreadyRevealed { commit_id, index });
        }
        check_leaf(&item, commit_id, commit.owner.as_str(), commit.count, &root)?;
        check_item(&item)?;
        contribution_id = next(contribution_id)?;
        let contribution = contribution(item, &license, &commit, contribution_id, priority);
        let replaced = claim_match(deps.storage, index, contribution_id, &contribution)?;

        commit.open(index);
        commit.revealed = commit.revealed.saturating_add(1);
        stats.contributions = next(stats.contributions)?;
        let bytes = Uint64::new(contribution.facts.content_len);
        stats.bytes = Uint64::new(stats.bytes).checked_add(bytes)?.u64();
        CONTRIBUTIONS.save(deps.storage, contribution_id, &contribution)?;
        BY_DATANET.save(deps.storage, (commit.datanet_id, contribution_id), &())?;
        PENDING.save(deps.storage, (commit.datanet_id, slot(priority, contribution_id)), &contribution_id)?;
        response = response.add_event(
            Event::new("contribution_revealed")
                .add_attribute("contribution_id", contribution_id.to_string())
                .add_attribute("datanet_id", commit.datanet_id.to_string())
                .add_attribute("commit_id", commit_id.to_string())
                .add_attribute("index", index.to_string())
                .add_attribute("contributor", &commit.owner),
        );
        if let Some(replaced) = replaced {
            response = response.add_event(
                Event::new("contribution_duplicate")
                    .add_attribute("contribution_id", replaced.to_string())
                    .add_attribute("duplicate_of", contribution_id.to_string()),
            );
        }
    }

    let amount = commit.bond.checked_mul(opened)?;
    let mut totals = TOTALS.load(deps.storage)?;
    totals.held = totals.held.checked_sub(amount)?;
    if late {
        totals.treasury = totals.treasury.checked_add(amount)?;
    } else {
        totals.withdrawable = totals.withdrawable.checked_add(amount)?;
        let free = BONDS.may_load(deps.storage, &commit.owner)?.unwrap_or_default();
        BONDS.save(deps.storage, &commit.owner, &free.checked_add(amount)?)?;
    }
    if commit.unopened() == 0 {
        OPEN_COMMITS.remove(deps.storage, (commit.datanet_id, slot(commit.priority, commit_id)));
    }
    TOTALS.save(deps.storage, &totals)?;
    CONTRIBUTION_COUNT.save(deps.storage, &contribution_id)?;
    STATS.save(deps.storage, commit.datanet_id, &stats)?;
    COMMITS.save(deps.storage, commit_id, &commit)?;
    Ok(response.add_attribute("late", late.to_string()))
}

/// The record of an opened leaf.
fn contribution(
    item: RevealItem,
    license: &str,
    commit: &state::Commit,
    contribution_id: u64,
    priority: Priority,
) -> Contribution {
    Contribution {
        facts: ContributionFacts {
            datanet_id: commit.datanet_id,
            contribution_id,
            contributor: commit.owner.to_string(),
            priority,
            content_root: item.content_root,
            content_len: item.content_len,
            match_root: item.match_root,
            match_len: item.match_len,
            match_hash: item.match_hash,
            blob: item.blob,
            media: item.media,
            license: item.license.unwrap_or_else(|| license.to_string()),
            uses: openledger_types::formats::Uses::ALL,
        },
        title: item.title,
    }
}

/// Refuses a leaf that this owner did not commit at this position.
fn check_leaf(
    item: &RevealItem,
    commit_id: u64,
    owner: &str,
    count: u32,
    root: &Hash,
) -> Result<(), ContractError> {
    let salt = hash32("salt", &item.salt)?;
    let raw_hash = hash32("raw_hash", &item.raw_hash)?;
    let path = hash_path("path", &item.path)?;
    let leaf = commit_leaf(&salt, owner, &raw_hash);
    match verify_inclusion(&leaf, u64::from(item.index), u64::from(count), &path, root) {
        true => Ok(()),
        false => Err(ContractError::NotCommitted { commit_id, index: item.index }),
    }
}

/// Refuses fields of a wrong form.
fn check_item(item: &RevealItem) -> Result<(), ContractError> {
    hash32("content_root", &item.content_root)?;
    hash32("match_root", &item.match_root)?;
    hash32("match_hash", &item.match_hash)?;
    hash32("blob.root", &item.blob.root)?;
    for (field, len) in
        [("content_len", item.content_len), ("match_len", item.match_len), ("blob.len", item.blob.len)]
    {
        if !(1..=MAX_BYTES).contains(&len) {
            return Err(CommonError::BadField { field, rule: "1 to 4,294,967,296 bytes" }.into());
        }
    }
    text::media(&item.media)?;
    if let Some(license) = &item.license {
        text::license(license)?;
    }
    text::line("title", &item.title, 0, 128, "a line of at most 128 bytes")?;
    Ok(())
}

/// Gives the match text to the contribution unless one of an earlier or equal priority holds it; a
/// later holder becomes its duplicate (D2). Leaves of a version stay in it: sealed roots never
/// change. Returns the contribution that lost the text.
fn claim_match(
    storage: &mut dyn Storage,
    index: u32,
    contribution_id: u64,
    new: &Contribution,
) -> Result<Option<u64>, ContractError> {
    let key = new.facts.match_hash.as_slice();
    let holder = BY_MATCH.may_load(storage, key)?;
    if let Some(holder_id) = holder {
        let old = state::contribution(storage, holder_id)?;
        if old.facts.priority <= new.facts.priority {
            return Err(ContractError::MatchTaken { index, contribution_id: holder_id });
        }
        PENDING.remove(storage, (old.facts.datanet_id, slot(old.facts.priority, holder_id)));
        let fate = Fate {
            status: ContributionStatus::Duplicate,
            duplicate_of: Some(contribution_id),
            ..state::fate(storage, holder_id)?
        };
        FATES.save(storage, holder_id, &fate)?;
    }
    BY_MATCH.save(storage, key, &contribution_id)?;
    Ok(holder)
}

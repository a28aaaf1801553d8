//! `HoldContribution` and `ConvictContribution`: what the referee says of contributions.

use cosmwasm_std::{DepsMut, Env, Event, MessageInfo, Response, Storage, Uint128};
use openledger_contract::{payment, text};
use openledger_types::msg::datanet::ContributionStatus;

use crate::execute::{admin, slash, withdraw};
use crate::records::{self, Contribution};
use crate::state::{self, Fate, Totals, CLUSTERS, COMMITS, FATES, PARAMS, TOTALS, VOTES};
use crate::{queue, ContractError};

/// Takes a challenged contribution out of the queue and keeps its bond, or lets both go.
pub fn hold_contribution(
    deps: DepsMut,
    info: MessageInfo,
    contribution_id: u64,
    open: bool,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    admin::assert_referee(deps.storage, &info.sender)?;
    let contribution = records::load(deps.storage, contribution_id)?;
    let mut fate = records::fate(deps.storage, &contribution)?;
    let facts = &contribution.facts;
    if fate.challenged != open {
        fate.challenged = open;
        if fate.status == ContributionStatus::Accepted {
            match open {
                true => queue::remove(deps.storage, facts.datanet_id, facts.priority, contribution_id)?,
                false => queue::insert(deps.storage, facts.datanet_id, facts.priority, contribution_id)?,
            }
        }
        match open {
            true => keep_bond(deps.storage, &contribution, &mut fate)?,
            false => free_bond(deps.storage, &contribution, &mut fate)?,
        }
        FATES.save(deps.storage, contribution_id, &fate)?;
    }
    Ok(Response::new().add_attribute("action", "hold_contribution").add_event(
        Event::new(if open { "contribution_challenged" } else { "contribution_cleared" })
            .add_attribute("contribution_id", contribution_id.to_string()),
    ))
}

/// Carries out a verdict of guilt: the contribution is rejected, or a duplicate of the original;
/// versions that hold it keep it, but it counts as withdrawn from now on, so that it earns no longer
/// than the grace of a withdrawal.
pub fn convict_contribution(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    contribution_id: u64,
    copied_of: Option<u64>,
    reason: String,
    finder: String,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    admin::assert_referee(deps.storage, &info.sender)?;
    text::line("reason", &reason, 0, 256, "a line of at most 256 bytes")?;
    let finder_addr = deps.api.addr_validate(&finder)?;
    let contribution = records::load(deps.storage, contribution_id)?;
    let mut fate = records::fate(deps.storage, &contribution)?;
    let params = PARAMS.load(deps.storage)?;
    let mut totals = TOTALS.load(deps.storage)?;

    if fate.status == ContributionStatus::Accepted {
        let facts = &contribution.facts;
        queue::remove(deps.storage, facts.datanet_id, facts.priority, contribution_id)?;
    }
    VOTES.remove(deps.storage, contribution_id);
    let slashed = take_bond(deps.storage, &contribution, &mut fate, &mut totals)?;
    let burned = slash::divide(deps.storage, &params, &mut totals, slashed, Some(&finder_addr))?;
    // A verdict on what is not there, or on a copy of itself, still is one: it must not get stuck.
    let original = copied_of.filter(|id| *id != contribution_id && records::load(deps.storage, *id).is_ok());
    recluster(deps.storage, contribution_id, original)?;
    fate.status = match original {
        Some(_) => ContributionStatus::Duplicate,
        None => ContributionStatus::Rejected,
    };
    fate.duplicate_of = original;
    fate.reason = Some(reason);
    fate.challenged = false;
    fate.convicted = true;
    withdraw::log(deps.storage, env.block.height, &contribution, &mut fate)?;

    FATES.save(deps.storage, contribution_id, &fate)?;
    TOTALS.save(deps.storage, &totals)?;
    let response = Response::new().add_attribute("action", "convict_contribution").add_event(
        Event::new("contribution_convicted")
            .add_attribute("contribution_id", contribution_id.to_string())
            .add_attribute("finder", finder_addr)
            .add_attribute("slashed", slashed)
            .add_attribute("burned", burned),
    );
    Ok(match slash::burn(&params, burned) {
        Some(message) => response.add_message(message),
        None => response,
    })
}

/// Puts a contribution into the cluster of the original, or into one of its own. An original that
/// claimed to repeat it becomes the first of the cluster: pointers never form a ring.
fn recluster(
    storage: &mut dyn Storage,
    contribution_id: u64,
    original: Option<u64>,
) -> Result<(), ContractError> {
    CLUSTERS.save(storage, contribution_id, &contribution_id)?;
    let Some(original) = original else { return Ok(()) };
    let mut root = records::cluster(storage, original)?;
    if root == contribution_id {
        CLUSTERS.save(storage, original, &original)?;
        root = original;
    }
    Ok(CLUSTERS.save(storage, contribution_id, &root)?)
}

/// Marks the bond of a challenged contribution, when it is still at stake, as one that stays.
fn keep_bond(
    storage: &mut dyn Storage,
    contribution: &Contribution,
    fate: &mut Fate,
) -> Result<(), ContractError> {
    let Some(commit_id) = contribution.commit_id.filter(|_| contribution.bonded && !fate.slashed) else {
        return Ok(());
    };
    let mut commit = state::commit(storage, commit_id)?;
    if !commit.released {
        fate.bond_kept = true;
        commit.challenged = commit.challenged.saturating_add(1);
        COMMITS.save(storage, commit_id, &commit)?;
    }
    Ok(())
}

/// Ends what [`keep_bond`] began; a bond whose neighbours were returned meanwhile follows them.
fn free_bond(
    storage: &mut dyn Storage,
    contribution: &Contribution,
    fate: &mut Fate,
) -> Result<(), ContractError> {
    let Some(commit_id) = contribution.commit_id.filter(|_| fate.bond_kept) else { return Ok(()) };
    let mut commit = state::commit(storage, commit_id)?;
    fate.bond_kept = false;
    commit.challenged = commit.challenged.saturating_sub(1);
    if commit.released {
        let mut totals = TOTALS.load(storage)?;
        commit.staked = commit.staked.saturating_sub(1);
        totals.staked = totals.staked.checked_sub(commit.bond)?;
        state::credit(storage, &mut totals, &commit.owner, commit.bond)?;
        TOTALS.save(storage, &totals)?;
    }
    Ok(COMMITS.save(storage, commit_id, &commit)?)
}

/// Takes the bond of a contribution, when it is still at stake, out of what is staked.
pub(crate) fn take_bond(
    storage: &mut dyn Storage,
    contribution: &Contribution,
    fate: &mut Fate,
    totals: &mut Totals,
) -> Result<Uint128, ContractError> {
    let Some(commit_id) = contribution.commit_id.filter(|_| contribution.bonded && !fate.slashed) else {
        return Ok(Uint128::zero());
    };
    let mut commit = state::commit(storage, commit_id)?;
    if commit.released && !fate.bond_kept {
        return Ok(Uint128::zero());
    }
    if fate.bond_kept {
        fate.bond_kept = false;
        commit.challenged = commit.challenged.saturating_sub(1);
    }
    fate.slashed = true;
    commit.staked = commit.staked.saturating_sub(1);
    commit.slashed = commit.slashed.saturating_add(1);
    totals.staked = totals.staked.checked_sub(commit.bond)?;
    COMMITS.save(storage, commit_id, &commit)?;
    Ok(commit.bond)
}

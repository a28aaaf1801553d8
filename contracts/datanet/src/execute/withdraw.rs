//! `Withdraw` (PROTOCOL D4): what no version holds leaves at once, the rest is written to the log of
//! withdrawals that every later version commits.

use cosmwasm_std::{DepsMut, Env, Event, HexBinary, MessageInfo, Response, Storage};
use openledger_contract::{payment, CommonError};
use openledger_merkle::{Frontier, Hash};
use openledger_types::formats::{hash_path, withdrawal_leaf};
use openledger_types::msg::datanet::{ContributionStatus, LogRoot, Withdrawal};

use crate::execute::check_ids;
use crate::records::{self, Contribution, Reader};
use crate::state::{self, Fate, Log, FATES, LOST, VOTES, WITHDRAWALS, WITHDRAWAL_LOGS};
use crate::{queue, ContractError};

/// Takes contributions of the sender back.
pub fn withdraw(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    contribution_ids: Vec<u64>,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    check_ids(&contribution_ids)?;
    let mut reader = Reader::default();
    let mut response = Response::new().add_attribute("action", "withdraw");
    for id in contribution_ids {
        let contribution = reader.load(deps.storage, id)?;
        if contribution.facts.contributor != info.sender.as_str() {
            return Err(CommonError::Unauthorized { role: "the contributor" }.into());
        }
        let mut fate = records::fate(deps.storage, &contribution)?;
        let facts = &contribution.facts;
        let sealed = fate.position.is_some();
        match fate.status {
            ContributionStatus::Accepted => {
                queue::remove(deps.storage, facts.datanet_id, facts.priority, id)?;
            }
            ContributionStatus::Proposed => VOTES.remove(deps.storage, id),
            ContributionStatus::Sealed => {}
            ContributionStatus::Duplicate if sealed && fate.withdrawn_at.is_none() => {}
            _ => return Err(ContractError::AlreadyGone { contribution_id: id }),
        }
        fate.status = ContributionStatus::Withdrawn;
        fate.withdrawn_at = Some(env.block.height);
        if sealed {
            append(deps.storage, env.block.height, &contribution, &fate)?;
        }
        FATES.save(deps.storage, id, &fate)?;
        response = response.add_event(
            Event::new("contribution_withdrawn")
                .add_attribute("contribution_id", id.to_string())
                .add_attribute("datanet_id", facts.datanet_id.to_string())
                .add_attribute("sealed", sealed.to_string()),
        );
    }
    Ok(response)
}

/// Writes a sealed contribution, which a verdict takes out, to the log of withdrawals once.
pub(crate) fn log(
    storage: &mut dyn Storage,
    height: u64,
    contribution: &Contribution,
    fate: &mut Fate,
) -> Result<(), ContractError> {
    if fate.position.is_some() && fate.withdrawn_at.is_none() {
        fate.withdrawn_at = Some(height);
        append(storage, height, contribution, fate)?;
    }
    Ok(())
}

/// Appends an entry to the log and counts a loss for every version from the first that holds it.
fn append(
    storage: &mut dyn Storage,
    height: u64,
    contribution: &Contribution,
    fate: &Fate,
) -> Result<(), ContractError> {
    let (datanet_id, contribution_id) = (contribution.facts.datanet_id, contribution.facts.contribution_id);
    let stored = WITHDRAWAL_LOGS.may_load(storage, datanet_id)?.unwrap_or_default();
    let position = stored.size;
    let mut log = frontier(datanet_id, &stored)?;
    log.push(withdrawal_leaf(datanet_id, contribution_id, height))
        .ok_or(ContractError::BrokenLog { datanet_id })?;
    let peaks = log.peaks().iter().map(HexBinary::from).collect();
    WITHDRAWAL_LOGS.save(storage, datanet_id, &Log { size: log.size(), peaks, legacy: None })?;
    WITHDRAWALS.save(storage, (datanet_id, position), &Withdrawal { contribution_id, height })?;
    match fate.version {
        Some(version) => count_loss(storage, datanet_id, version),
        None => Ok(()),
    }
}

/// A log as it is stored.
pub(crate) fn frontier(datanet_id: u64, stored: &Log) -> Result<Frontier<Hash>, ContractError> {
    let peaks = hash_path("peaks", &stored.peaks)?;
    Frontier::from_parts(stored.size, peaks).ok_or(ContractError::BrokenLog { datanet_id })
}

/// Size and root of the log of withdrawals.
pub(crate) fn log_root(storage: &dyn Storage, datanet_id: u64) -> Result<LogRoot, ContractError> {
    let stored = WITHDRAWAL_LOGS.may_load(storage, datanet_id)?.unwrap_or_default();
    let log = frontier(datanet_id, &stored)?;
    let root = log.root().ok_or(ContractError::BrokenLog { datanet_id })?;
    Ok(LogRoot { size: log.size(), root: HexBinary::from(&root) })
}

/// The lowest bit of a version: how many versions its entry of the index counts.
fn span(version: u32) -> u32 {
    version & version.wrapping_neg()
}

/// Begins the entry of a version that is being sealed, from those of its predecessors that it counts.
/// A seal in progress may have taken contributions that are lost already; they are in its own entry.
pub(crate) fn begin_losses(
    storage: &mut dyn Storage,
    datanet_id: u64,
    version: u32,
) -> Result<(), ContractError> {
    let from = version.saturating_sub(span(version));
    let mut lost = LOST.may_load(storage, (datanet_id, version))?.unwrap_or_default();
    let mut at = version.saturating_sub(1);
    while at > from {
        lost = lost.saturating_add(LOST.may_load(storage, (datanet_id, at))?.unwrap_or_default());
        at = at.saturating_sub(span(at));
    }
    match lost {
        0 => Ok(()),
        _ => Ok(LOST.save(storage, (datanet_id, version), &lost)?),
    }
}

/// Counts a loss in every entry up to the newest version that counts `version`.
fn count_loss(storage: &mut dyn Storage, datanet_id: u64, version: u32) -> Result<(), ContractError> {
    // While the version is not complete its entry stands alone until `begin_losses`.
    let latest = state::stats(storage, datanet_id)?.latest_version.max(version);
    let mut at = version;
    while at <= latest && at > 0 {
        let lost = LOST.may_load(storage, (datanet_id, at))?.unwrap_or_default();
        LOST.save(storage, (datanet_id, at), &lost.saturating_add(1))?;
        let Some(next) = at.checked_add(span(at)) else { break };
        at = next;
    }
    Ok(())
}

/// Contributions up to a version that are gone.
pub(crate) fn losses(storage: &dyn Storage, datanet_id: u64, version: u32) -> Result<u64, ContractError> {
    let mut lost = 0u64;
    let mut at = version;
    while at > 0 {
        lost = lost.saturating_add(LOST.may_load(storage, (datanet_id, at))?.unwrap_or_default());
        at = at.saturating_sub(span(at));
    }
    Ok(lost)
}

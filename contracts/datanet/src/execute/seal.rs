//! `Seal`: a version is what was accepted up to a height, in the order of commits (PROTOCOL D1, D5).

use cosmwasm_std::{DepsMut, Env, Event, HexBinary, MessageInfo, Order, Response, Storage};
use cw_storage_plus::Bound;
use openledger_contract::{payment, CommonError};
use openledger_merkle::{Frontier, Hash};
use openledger_types::formats::{Priority, VersionRef};
use openledger_types::msg::datanet::{ContributionStatus, VersionResponse};

use crate::execute::{priority_now, withdraw};
use crate::records::{Contribution, Reader};
use crate::state::{self, slot, Fate, Log, FATES, LEAVES, LOGS, OPEN_COMMITS, SEALS, STATS, VERSIONS};
use crate::{queue, records, ContractError};

/// Most contributions that one message takes.
pub const MAX_TAKEN: u32 = 256;

/// Most expired commits that one message passes over.
pub const MAX_EXPIRED: usize = 256;

/// Most runs of the queue that are checked for their time of acceptance before a seal begins; later
/// ones are checked when they are taken.
const MAX_CHECKED: usize = 256;

/// Takes the next contributions into the version tree; once none is left, the version exists.
pub fn seal(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    datanet_id: u64,
    up_to: Option<u64>,
    limit: Option<u32>,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let datanet = state::owned_datanet(deps.storage, datanet_id, &info.sender)?;
    let limit = limit.unwrap_or(MAX_TAKEN);
    if !(1..=MAX_TAKEN).contains(&limit) {
        return Err(CommonError::BadField { field: "limit", rule: "1 to 256 contributions" }.into());
    }
    let last = last_priority(deps.storage, &env, datanet_id, up_to)?;
    let (ids, more) = queue::take(deps.storage, datanet_id, last, limit as usize)?;

    let mut stats = state::stats(deps.storage, datanet_id)?;
    let version = stats.latest_version.checked_add(1).ok_or(ContractError::BrokenLog { datanet_id })?;
    let log = append(deps.storage, env.block.height, datanet_id, version, &ids)?;
    let response = Response::new()
        .add_attribute("action", "seal")
        .add_attribute("datanet_id", datanet_id.to_string())
        .add_attribute("taken", ids.len().to_string())
        .add_attribute("complete", (!more).to_string());
    if more {
        SEALS.save(deps.storage, datanet_id, &last)?;
        return Ok(response);
    }

    let root = log.root().ok_or(ContractError::BrokenLog { datanet_id })?;
    let sealed = VersionResponse {
        version: VersionRef { datanet_id, version, root: HexBinary::from(&root), size: log.size() },
        sealed_at: env.block.height,
        min_data_bps: datanet.min_data_bps,
        floor_per_token: datanet.floor_per_token,
        training_price: datanet.training_price,
        withdrawals: withdraw::log_root(deps.storage, datanet_id)?,
    };
    withdraw::begin_losses(deps.storage, datanet_id, version)?;
    stats.latest_version = version;
    SEALS.remove(deps.storage, datanet_id);
    VERSIONS.save(deps.storage, (datanet_id, version), &sealed)?;
    STATS.save(deps.storage, datanet_id, &stats)?;
    Ok(response.add_event(
        Event::new("version_sealed")
            .add_attribute("datanet_id", datanet_id.to_string())
            .add_attribute("version", version.to_string())
            .add_attribute("root", sealed.version.root.to_hex())
            .add_attribute("size", sealed.version.size.to_string()),
    ))
}

/// The last priority that this seal takes: that of the seal in progress, else a new one, which is
/// refused while a commit that could still fill an earlier place is open, or when nothing is new.
fn last_priority(
    storage: &dyn Storage,
    env: &Env,
    datanet_id: u64,
    up_to: Option<u64>,
) -> Result<Priority, ContractError> {
    if let Some(last) = SEALS.may_load(storage, datanet_id)? {
        return match up_to {
            Some(height) if height != last.height => {
                Err(ContractError::SealInProgress { up_to: last.height })
            }
            _ => Ok(last),
        };
    }
    let now = priority_now(env);
    let last = match up_to.unwrap_or(now.height) {
        height if height > now.height => {
            return Err(CommonError::BadField { field: "up_to", rule: "a height that has been" }.into())
        }
        height if height == now.height => now,
        height => Priority { height, tx_index: u32::MAX },
    };
    refuse_open_commits(storage, datanet_id, last, now.height)?;
    let runs = queue::runs(storage, datanet_id, last, MAX_CHECKED)?;
    if runs.is_empty() && !has_new_withdrawals(storage, datanet_id)? {
        return Err(ContractError::EmptyVersion { datanet_id, up_to: last.height });
    }
    let mut reader = Reader::default();
    for run in runs {
        refuse_unaccepted(&reader.load(storage, run.first)?, now.height)?;
    }
    Ok(last)
}

/// Whether contributions were withdrawn since the newest version, which a new one would say.
fn has_new_withdrawals(storage: &dyn Storage, datanet_id: u64) -> Result<bool, ContractError> {
    match state::stats(storage, datanet_id)?.latest_version {
        0 => Ok(false),
        latest => {
            let known = state::version(storage, datanet_id, latest)?.withdrawals.size;
            Ok(withdraw::log_root(storage, datanet_id)?.size > known)
        }
    }
}

/// Refuses a contribution that can still be challenged before a version takes it.
fn refuse_unaccepted(contribution: &Contribution, now: u64) -> Result<(), ContractError> {
    let Contribution { facts, accepted_at, .. } = contribution;
    match *accepted_at > now {
        true => Err(ContractError::NotAccepted {
            contribution_id: facts.contribution_id,
            accepted_at: *accepted_at,
            before: facts.priority.height,
        }),
        false => Ok(()),
    }
}

/// Refuses while a commit of the datanet up to `last` may still be revealed with its priority (D1).
fn refuse_open_commits(
    storage: &dyn Storage,
    datanet_id: u64,
    last: Priority,
    now: u64,
) -> Result<(), ContractError> {
    let end = Bound::inclusive(slot(last, u64::MAX));
    let mut first = None;
    let open = OPEN_COMMITS.prefix(datanet_id).range(storage, None, Some(end), Order::Ascending);
    for (passed, entry) in open.take(MAX_EXPIRED + 1).enumerate() {
        let ((_, (_, commit_id)), expires) = entry?;
        if expires >= now {
            return Err(ContractError::OpenCommit { commit_id, expires });
        }
        let first = *first.get_or_insert(commit_id);
        if passed == MAX_EXPIRED {
            return Err(ContractError::TooManyExpired { bound: MAX_EXPIRED, commit_id: first });
        }
    }
    Ok(())
}

/// Appends contributions to the version tree and returns it.
fn append(
    storage: &mut dyn Storage,
    now: u64,
    datanet_id: u64,
    version: u32,
    ids: &[u64],
) -> Result<Frontier<Hash>, ContractError> {
    let broken = || ContractError::BrokenLog { datanet_id };
    let stored = LOGS.may_load(storage, datanet_id)?.unwrap_or_default();
    let mut log = withdraw::frontier(datanet_id, &stored)?;
    let mut reader = Reader::default();
    for contribution_id in ids {
        let contribution = reader.load(storage, *contribution_id)?;
        refuse_unaccepted(&contribution, now)?;
        let position = log.size();
        log.push(contribution.facts.leaf()).ok_or_else(broken)?;
        let fate = Fate {
            status: ContributionStatus::Sealed,
            version: Some(version),
            position: Some(position),
            ..records::fate(storage, &contribution)?
        };
        LEAVES.save(storage, (datanet_id, position), contribution_id)?;
        FATES.save(storage, *contribution_id, &fate)?;
    }
    let peaks = log.peaks().iter().map(HexBinary::from).collect();
    let legacy = Some(stored.legacy.unwrap_or(stored.size));
    LOGS.save(storage, datanet_id, &Log { size: log.size(), peaks, legacy })?;
    Ok(log)
}

/// The version tree of a datanet: its leaves so far, and how many of them, the first ones, have the
/// form of the first release.
pub(crate) fn leaves(storage: &dyn Storage, datanet_id: u64) -> Result<(u64, u64), ContractError> {
    let log = LOGS.may_load(storage, datanet_id)?.unwrap_or_default();
    Ok((log.size, log.legacy.unwrap_or(log.size)))
}

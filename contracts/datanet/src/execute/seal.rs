//! `Seal`: a version is what was accepted up to a height, in the order of commits (PROTOCOL D1, D5).

use cosmwasm_std::{DepsMut, Env, Event, HexBinary, MessageInfo, Order, Response, Storage};
use cw_storage_plus::Bound;
use openledger_contract::{payment, CommonError};
use openledger_merkle::{Frontier, Hash};
use openledger_types::formats::{hash_path, Priority, VersionRef};
use openledger_types::msg::datanet::{ContributionStatus, VersionResponse};

use crate::execute::priority_now;
use crate::state::{
    self, slot, Fate, Log, FATES, LEAVES, LOGS, OPEN_COMMITS, PENDING, SEALS, STATS, VERSIONS,
};
use crate::ContractError;

/// Most contributions that one message takes.
pub const MAX_TAKEN: u32 = 256;

/// Most expired commits that one message passes over.
pub const MAX_EXPIRED: usize = 256;

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
    let datanet = state::datanet(deps.storage, datanet_id)?;
    if datanet.owner != info.sender {
        return Err(CommonError::Unauthorized { role: "the datanet's owner" }.into());
    }
    let limit = limit.unwrap_or(MAX_TAKEN);
    if !(1..=MAX_TAKEN).contains(&limit) {
        return Err(CommonError::BadField { field: "limit", rule: "1 to 256 contributions" }.into());
    }
    let last = last_priority(deps.storage, &env, datanet_id, up_to)?;
    let (ids, more) = pending(deps.storage, datanet_id, last, limit as usize)?;

    let mut stats = state::stats(deps.storage, datanet_id)?;
    let version = stats.latest_version.checked_add(1).ok_or(ContractError::BrokenLog { datanet_id })?;
    let log = take(deps.storage, datanet_id, version, &ids)?;
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
        training_price: cosmwasm_std::Uint128::zero(),
        withdrawals: Default::default(),
    };
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
    let (ids, _) = pending(storage, datanet_id, last, 1)?;
    match ids.is_empty() {
        true => Err(ContractError::EmptyVersion { datanet_id, up_to: last.height }),
        false => Ok(last),
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

/// At most `limit` contributions up to `last`, and whether there are more.
fn pending(
    storage: &dyn Storage,
    datanet_id: u64,
    last: Priority,
    limit: usize,
) -> Result<(Vec<u64>, bool), ContractError> {
    let end = Bound::inclusive(slot(last, u64::MAX));
    let mut ids: Vec<u64> = PENDING
        .prefix(datanet_id)
        .range(storage, None, Some(end), Order::Ascending)
        .take(limit.saturating_add(1))
        .map(|entry| entry.map(|(_, id)| id))
        .collect::<Result<_, _>>()?;
    let more = ids.len() > limit;
    ids.truncate(limit);
    Ok((ids, more))
}

/// Appends contributions to the version tree and returns it.
fn take(
    storage: &mut dyn Storage,
    datanet_id: u64,
    version: u32,
    ids: &[u64],
) -> Result<Frontier<Hash>, ContractError> {
    let broken = || ContractError::BrokenLog { datanet_id };
    let stored = LOGS.may_load(storage, datanet_id)?.unwrap_or_default();
    let peaks = hash_path("peaks", &stored.peaks)?;
    let mut log = Frontier::from_parts(stored.size, peaks).ok_or_else(broken)?;
    for contribution_id in ids {
        let facts = state::contribution(storage, *contribution_id)?.facts;
        let position = log.size();
        log.push(facts.leaf()).ok_or_else(broken)?;
        let fate = Fate {
            status: ContributionStatus::Sealed,
            duplicate_of: None,
            version: Some(version),
            position: Some(position),
        };
        PENDING.remove(storage, (datanet_id, slot(facts.priority, *contribution_id)));
        LEAVES.save(storage, (datanet_id, position), contribution_id)?;
        FATES.save(storage, *contribution_id, &fate)?;
    }
    let peaks = log.peaks().iter().map(HexBinary::from).collect();
    LOGS.save(storage, datanet_id, &Log { size: log.size(), peaks })?;
    Ok(log)
}

/// Leaves taken into a datanet's version tree so far.
pub(crate) fn leaves(storage: &dyn Storage, datanet_id: u64) -> Result<u64, ContractError> {
    Ok(LOGS.may_load(storage, datanet_id)?.unwrap_or_default().size)
}

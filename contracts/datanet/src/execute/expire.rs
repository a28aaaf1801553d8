//! `ExpireCommit`.

use cosmwasm_std::{DepsMut, Env, Event, MessageInfo, Response, Uint128};
use openledger_contract::payment;

use crate::state::{self, slot, COMMITS, OPEN_COMMITS, TOTALS};
use crate::ContractError;

/// Ends a commit whose time is over; bonds of leaves that were not opened go to the treasury.
pub fn expire_commit(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    commit_id: u64,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let mut commit = state::commit(deps.storage, commit_id)?;
    if commit.ended {
        return Err(ContractError::CommitEnded { commit_id });
    }
    if commit.unopened() == 0 {
        return Err(ContractError::CommitComplete { commit_id });
    }
    if env.block.height <= commit.expires {
        return Err(ContractError::NotExpired { commit_id, expires: commit.expires });
    }
    let forfeited = commit.bond.checked_mul(Uint128::from(commit.unopened()))?;
    let mut totals = TOTALS.load(deps.storage)?;
    totals.held = totals.held.checked_sub(forfeited)?;
    totals.treasury = totals.treasury.checked_add(forfeited)?;
    commit.ended = true;

    TOTALS.save(deps.storage, &totals)?;
    OPEN_COMMITS.remove(deps.storage, (commit.datanet_id, slot(commit.priority, commit_id)));
    COMMITS.save(deps.storage, commit_id, &commit)?;
    Ok(Response::new().add_attribute("action", "expire_commit").add_event(
        Event::new("commit_ended")
            .add_attribute("commit_id", commit_id.to_string())
            .add_attribute("datanet_id", commit.datanet_id.to_string())
            .add_attribute("forfeited", forfeited),
    ))
}

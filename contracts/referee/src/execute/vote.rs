//! `CommitVote` and `RevealVote` (PROTOCOL F3): votes are committed before they are said.

use cosmwasm_std::{DepsMut, Env, Event, HexBinary, MessageInfo, Response};
use openledger_contract::payment;
use openledger_types::formats::{hash32, vote_commitment};
use openledger_types::msg::node_registry::RecordedWork;

use crate::state::{self, Docket, Vote, CONTRACTS, DOCKETS, JURIES, VOTES};
use crate::{weight, ContractError};

/// Commits a vote in the first half of the dispute.
pub fn commit_vote(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    case_id: u64,
    auditor: u64,
    commitment: HexBinary,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    CONTRACTS.load(deps.storage)?.auditor_of(&deps.querier, auditor, info.sender.as_str())?;
    let docket = running(deps.storage, case_id)?;
    if env.block.height > docket.commit_until {
        return Err(ContractError::CommitOver { case_id, until: docket.commit_until });
    }
    hash32("commitment", &commitment)?;
    let jury = JURIES.load(deps.storage, case_id)?;
    if weight::of(&jury, auditor).is_zero() {
        return Err(ContractError::NoWeight { auditor });
    }
    if VOTES.has(deps.storage, (case_id, auditor)) {
        return Err(ContractError::AlreadyVoted { auditor });
    }

    VOTES.save(deps.storage, (case_id, auditor), &Vote { commitment, revealed: false })?;
    Ok(Response::new().add_attribute("action", "commit_vote").add_event(
        Event::new("vote_committed")
            .add_attribute("case_id", case_id.to_string())
            .add_attribute("auditor", auditor.to_string()),
    ))
}

/// What an auditor says when it reveals.
pub struct Opened {
    /// Case.
    pub case_id: u64,
    /// The auditor's node.
    pub auditor: u64,
    /// The vote.
    pub guilty: bool,
    /// Its salt (32 bytes).
    pub salt: HexBinary,
}

/// Reveals a vote in the second half of the dispute. A vote that is not revealed counts for nothing; it
/// is not cut, because silence releases the accused anyway.
pub fn reveal_vote(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    opened: Opened,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let Opened { case_id, auditor, guilty, salt } = opened;
    let contracts = CONTRACTS.load(deps.storage)?;
    contracts.auditor_of(&deps.querier, auditor, info.sender.as_str())?;
    let mut docket = running(deps.storage, case_id)?;
    let from = state::after(docket.commit_until, 1)?;
    if !(from..=docket.reveal_until).contains(&env.block.height) {
        return Err(ContractError::NotRevealTime { case_id, from, until: docket.reveal_until });
    }
    let mut vote =
        VOTES.may_load(deps.storage, (case_id, auditor))?.ok_or(ContractError::NoVote { auditor })?;
    if vote.revealed {
        return Err(ContractError::AlreadyRevealed { auditor });
    }
    let salt = hash32("salt", &salt)?;
    let referee = env.contract.address.as_str();
    let commitment = vote_commitment(&env.block.chain_id, referee, case_id, auditor, guilty, &salt);
    if vote.commitment.as_slice() != commitment {
        return Err(ContractError::WrongOpening {});
    }
    let jury = JURIES.load(deps.storage, case_id)?;
    let counted = weight::counted(deps.storage, &deps.querier, &contracts, &jury, auditor)?;
    match guilty {
        true => docket.guilty = docket.guilty.checked_add(counted)?,
        false => docket.not_guilty = docket.not_guilty.checked_add(counted)?,
    }
    docket.silent = docket.silent.checked_sub(weight::of(&jury, auditor))?;
    vote.revealed = true;

    VOTES.save(deps.storage, (case_id, auditor), &vote)?;
    DOCKETS.save(deps.storage, case_id, &docket)?;
    let work = RecordedWork { audits: 1, ..RecordedWork::default() };
    Ok(Response::new()
        .add_attribute("action", "reveal_vote")
        .add_event(
            Event::new("vote_revealed")
                .add_attribute("case_id", case_id.to_string())
                .add_attribute("auditor", auditor.to_string())
                .add_attribute("guilty", guilty.to_string())
                .add_attribute("weight", counted),
        )
        .add_message(contracts.record(auditor, work)?))
}

/// The docket of a case that has not ended.
pub(crate) fn running(storage: &dyn cosmwasm_std::Storage, case_id: u64) -> Result<Docket, ContractError> {
    let docket = state::docket(storage, case_id)?;
    match docket.verdict {
        None => Ok(docket),
        Some(verdict) => Err(ContractError::CaseEnded { case_id, verdict }),
    }
}

//! `UpdateCurators` and `Curate`: a quorum of curators decides what a curated datanet takes.

use cosmwasm_std::{Addr, Api, DepsMut, Event, MessageInfo, Response, Uint128};
use openledger_contract::lists::is_rising;
use openledger_contract::{payment, text, CommonError};
use openledger_types::msg::datanet::{ContributionStatus, Policy, MAX_CURATORS};

use crate::execute::{check_ids, slash, verdict};
use crate::records::{self, Reader};
use crate::state::{self, Votes, DATANETS, FATES, PARAMS, TOTALS, VOTES};
use crate::{queue, ContractError};

/// Refuses curators who could not decide.
pub(crate) fn check_curators(api: &dyn Api, curators: &[String], quorum: u8) -> Result<(), ContractError> {
    let rising = is_rising(curators, |curator| curator);
    if !(1..=MAX_CURATORS).contains(&curators.len()) || !rising {
        let rule = "1 to 16 addresses, sorted, without repeats";
        return Err(CommonError::BadField { field: "curators", rule }.into());
    }
    if !(1..=curators.len()).contains(&usize::from(quorum)) {
        let rule = "1 to the number of curators";
        return Err(CommonError::BadField { field: "quorum", rule }.into());
    }
    for curator in curators {
        api.addr_validate(curator)?;
    }
    Ok(())
}

/// Changes curators and quorum; votes that were cast stand.
pub fn update_curators(
    deps: DepsMut,
    info: MessageInfo,
    datanet_id: u64,
    curators: Vec<String>,
    quorum: u8,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let mut datanet = state::owned_datanet(deps.storage, datanet_id, &info.sender)?;
    if matches!(datanet.policy, Policy::Open {}) {
        return Err(ContractError::NotCurated { datanet_id });
    }
    check_curators(deps.api, &curators, quorum)?;
    datanet.policy = Policy::Curated { curators, quorum };

    DATANETS.save(deps.storage, datanet_id, &datanet)?;
    Ok(Response::new().add_attribute("action", "update_curators").add_event(
        Event::new("curators_changed")
            .add_attribute("datanet_id", datanet_id.to_string())
            .add_attribute("quorum", quorum.to_string()),
    ))
}

/// Casts the sender's vote; a later one replaces an earlier one. The vote that completes a quorum
/// decides. Curators find nothing for themselves: of a bond that the whole quorum slashes, the
/// finder's part goes to the treasury.
pub fn curate(
    deps: DepsMut,
    info: MessageInfo,
    contribution_ids: Vec<u64>,
    approve: bool,
    reason: String,
    slash: bool,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    check_ids(&contribution_ids)?;
    let least = usize::from(!approve);
    text::line("reason", &reason, least, 256, "a line of at most 256 bytes, not empty for a rejection")?;
    if approve && slash {
        return Err(CommonError::BadField { field: "slash", rule: "false with an approval" }.into());
    }
    let params = PARAMS.load(deps.storage)?;
    let mut totals = TOTALS.load(deps.storage)?;
    let mut burned = Uint128::zero();
    let mut response = Response::new().add_attribute("action", "curate");
    let mut reader = Reader::default();
    let mut policy: Option<(u64, Vec<String>, u8)> = None;

    for id in contribution_ids {
        let contribution = reader.load(deps.storage, id)?;
        let datanet_id = contribution.facts.datanet_id;
        let (curators, quorum) = match policy.take() {
            Some((known, curators, quorum)) if known == datanet_id => (curators, quorum),
            _ => match state::datanet(deps.storage, datanet_id)?.policy {
                Policy::Curated { curators, quorum } => (curators, quorum),
                Policy::Open {} => return Err(ContractError::NotCurated { datanet_id }),
            },
        };
        if !curators.iter().any(|curator| curator == info.sender.as_str()) {
            return Err(CommonError::Unauthorized { role: "a curator of the datanet" }.into());
        }
        policy = Some((datanet_id, curators, quorum));
        let mut fate = records::fate(deps.storage, &contribution)?;
        if fate.status != ContributionStatus::Proposed || fate.challenged {
            return Err(ContractError::NotWaiting { contribution_id: id });
        }
        let votes = cast(VOTES.may_load(deps.storage, id)?.unwrap_or_default(), &info.sender, approve, slash);
        let quorum = usize::from(quorum);
        let decided = if approve { votes.approvals.len() } else { votes.rejections.len() } >= quorum;
        if !decided {
            VOTES.save(deps.storage, id, &votes)?;
            continue;
        }
        VOTES.remove(deps.storage, id);
        let mut slashed = Uint128::zero();
        if approve {
            fate.status = ContributionStatus::Accepted;
            queue::insert(deps.storage, datanet_id, contribution.facts.priority, id)?;
        } else {
            fate.status = ContributionStatus::Rejected;
            fate.reason = Some(reason.clone());
            if votes.rejections.iter().filter(|(_, slash)| *slash).count() >= quorum {
                slashed = verdict::take_bond(deps.storage, &contribution, &mut fate, &mut totals)?;
                let part = slash::divide(deps.storage, &params, &mut totals, slashed, None)?;
                burned = burned.checked_add(part)?;
                fate.convicted = true;
            }
        }
        FATES.save(deps.storage, id, &fate)?;
        response = response.add_event(
            Event::new(if approve { "contribution_approved" } else { "contribution_rejected" })
                .add_attribute("contribution_id", id.to_string())
                .add_attribute("datanet_id", datanet_id.to_string())
                .add_attribute("slashed", slashed),
        );
    }

    TOTALS.save(deps.storage, &totals)?;
    Ok(match slash::burn(&params, burned) {
        Some(message) => response.add_message(message),
        None => response,
    })
}

/// The votes with the sender's in place of an earlier one.
fn cast(mut votes: Votes, sender: &Addr, approve: bool, slash: bool) -> Votes {
    votes.approvals.retain(|curator| curator != sender);
    votes.rejections.retain(|(curator, _)| curator != sender);
    match approve {
        true => votes.approvals.push(sender.clone()),
        false => votes.rejections.push((sender.clone(), slash)),
    }
    votes
}

//! Bounties for missing topics, which anyone funds and the datanet's owner awards.

use cosmwasm_std::{DepsMut, Env, Event, MessageInfo, Response, Uint128};
use openledger_contract::{params, pause, payment, text};
use openledger_types::msg::datanet::ContributionStatus;

use crate::execute::create::next;
use crate::execute::{plus, priority_now};
use crate::state::{self, Bounty, BOUNTIES, BOUNTIES_OF, BOUNTY_COUNT, FUNDERS, PARAMS, POTS, TOTALS};
use crate::{records, ContractError};

/// Promises coins for data on a topic.
pub fn fund_bounty(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    datanet_id: u64,
    topic: String,
    blocks: u64,
) -> Result<Response, ContractError> {
    let denom = PARAMS.load(deps.storage)?.denom;
    let amount = Uint128::new(payment::must_pay(&info, &denom)?);
    pause::assert_running(deps.storage)?;
    state::datanet(deps.storage, datanet_id)?;
    text::line("topic", &topic, 1, 256, "a line of 1 to 256 bytes")?;
    params::blocks("blocks", blocks)?;
    let bounty_id = next(BOUNTY_COUNT.may_load(deps.storage)?.unwrap_or_default())?;
    let mut pots = state::pots(deps.storage)?;
    pots.bounties = pots.bounties.checked_add(amount)?;
    let bounty = Bounty {
        datanet_id,
        topic,
        founder: info.sender,
        shared: false,
        funded: amount,
        awarded: Uint128::zero(),
        returned: Uint128::zero(),
        left: Uint128::zero(),
        created: priority_now(&env),
        expires: plus(env.block.height, blocks)?,
    };

    BOUNTY_COUNT.save(deps.storage, &bounty_id)?;
    BOUNTIES.save(deps.storage, bounty_id, &bounty)?;
    BOUNTIES_OF.save(deps.storage, (datanet_id, bounty_id), &())?;
    FUNDERS.save(deps.storage, (bounty_id, &bounty.founder), &amount)?;
    POTS.save(deps.storage, &pots)?;
    Ok(Response::new().add_attribute("action", "fund_bounty").add_event(
        Event::new("bounty_funded")
            .add_attribute("bounty_id", bounty_id.to_string())
            .add_attribute("datanet_id", datanet_id.to_string())
            .add_attribute("funder", bounty.founder)
            .add_attribute("amount", amount)
            .add_attribute("expires", bounty.expires.to_string()),
    ))
}

/// Adds to a bounty that has not expired.
pub fn add_to_bounty(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    bounty_id: u64,
) -> Result<Response, ContractError> {
    let denom = PARAMS.load(deps.storage)?.denom;
    let amount = Uint128::new(payment::must_pay(&info, &denom)?);
    let mut bounty = state::bounty(deps.storage, bounty_id)?;
    assert_open(&env, bounty_id, &bounty)?;
    bounty.funded = bounty.funded.checked_add(amount)?;
    bounty.shared |= bounty.founder != info.sender;
    let mut pots = state::pots(deps.storage)?;
    pots.bounties = pots.bounties.checked_add(amount)?;
    let before = FUNDERS.may_load(deps.storage, (bounty_id, &info.sender))?.unwrap_or_default();

    FUNDERS.save(deps.storage, (bounty_id, &info.sender), &before.checked_add(amount)?)?;
    BOUNTIES.save(deps.storage, bounty_id, &bounty)?;
    POTS.save(deps.storage, &pots)?;
    Ok(Response::new().add_attribute("action", "add_to_bounty").add_event(
        Event::new("bounty_funded")
            .add_attribute("bounty_id", bounty_id.to_string())
            .add_attribute("funder", info.sender)
            .add_attribute("amount", amount),
    ))
}

/// Gives a part to the contributor of a contribution that was accepted and committed after the
/// promise. The datanet's owner may not give others' coins to oneself.
pub fn award_bounty(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    bounty_id: u64,
    contribution_id: u64,
    amount: Uint128,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let mut bounty = state::bounty(deps.storage, bounty_id)?;
    let datanet = state::owned_datanet(deps.storage, bounty.datanet_id, &info.sender)?;
    params::positive("amount", amount)?;
    assert_open(&env, bounty_id, &bounty)?;
    let contribution = records::load(deps.storage, contribution_id)?;
    let fate = records::fate(deps.storage, &contribution)?;
    let facts = &contribution.facts;
    let accepted = match fate.status {
        ContributionStatus::Sealed => true,
        ContributionStatus::Accepted => contribution.accepted_at <= env.block.height,
        _ => false,
    };
    if facts.datanet_id != bounty.datanet_id || !accepted || fate.challenged {
        return Err(ContractError::NotAwardable { contribution_id, rule: "an accepted one of its datanet" });
    }
    if facts.priority <= bounty.created {
        return Err(ContractError::NotAwardable { contribution_id, rule: "committed after the bounty" });
    }
    let own = facts.contributor == datanet.owner.as_str();
    if own && (bounty.shared || bounty.founder != datanet.owner) {
        return Err(ContractError::NotAwardable {
            contribution_id,
            rule: "of somebody else, because others promised the coins",
        });
    }
    bounty.awarded = bounty.awarded.checked_add(amount)?;
    if bounty.awarded > bounty.funded {
        let available = bounty.funded.saturating_sub(bounty.awarded.saturating_sub(amount)).u128();
        return Err(ContractError::BountyTooSmall { available });
    }
    let to = deps.api.addr_validate(&facts.contributor)?;
    let mut pots = state::pots(deps.storage)?;
    let mut totals = TOTALS.load(deps.storage)?;
    pots.bounties = pots.bounties.checked_sub(amount)?;

    state::credit(deps.storage, &mut totals, &to, amount)?;
    BOUNTIES.save(deps.storage, bounty_id, &bounty)?;
    POTS.save(deps.storage, &pots)?;
    TOTALS.save(deps.storage, &totals)?;
    Ok(Response::new().add_attribute("action", "award_bounty").add_event(
        Event::new("bounty_awarded")
            .add_attribute("bounty_id", bounty_id.to_string())
            .add_attribute("contribution_id", contribution_id.to_string())
            .add_attribute("contributor", to)
            .add_attribute("amount", amount),
    ))
}

/// Credits the sender's part of what an expired bounty did not award, once, rounded down; with the
/// last funder the remainder goes to the treasury.
pub fn leave_bounty(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    bounty_id: u64,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let mut bounty = state::bounty(deps.storage, bounty_id)?;
    if env.block.height < bounty.expires {
        return Err(ContractError::BountyOpen { bounty_id, expires: bounty.expires });
    }
    let own = FUNDERS
        .may_load(deps.storage, (bounty_id, &info.sender))?
        .ok_or(ContractError::NotAFunder { bounty_id })?;
    let rest = bounty.funded.checked_sub(bounty.awarded)?;
    let part = rest.multiply_ratio(own, bounty.funded);
    let mut pots = state::pots(deps.storage)?;
    let mut totals = TOTALS.load(deps.storage)?;
    pots.bounties = pots.bounties.checked_sub(part)?;
    bounty.returned = bounty.returned.checked_add(part)?;
    bounty.left = bounty.left.checked_add(own)?;
    if bounty.left == bounty.funded {
        let remainder = rest.checked_sub(bounty.returned)?;
        pots.bounties = pots.bounties.checked_sub(remainder)?;
        totals.treasury = totals.treasury.checked_add(remainder)?;
        bounty.returned = rest;
    }

    FUNDERS.remove(deps.storage, (bounty_id, &info.sender));
    state::credit(deps.storage, &mut totals, &info.sender, part)?;
    BOUNTIES.save(deps.storage, bounty_id, &bounty)?;
    POTS.save(deps.storage, &pots)?;
    TOTALS.save(deps.storage, &totals)?;
    Ok(Response::new().add_attribute("action", "leave_bounty").add_event(
        Event::new("bounty_left")
            .add_attribute("bounty_id", bounty_id.to_string())
            .add_attribute("funder", info.sender)
            .add_attribute("amount", part),
    ))
}

fn assert_open(env: &Env, bounty_id: u64, bounty: &Bounty) -> Result<(), ContractError> {
    match env.block.height < bounty.expires {
        true => Ok(()),
        false => Err(ContractError::BountyExpired { bounty_id, expires: bounty.expires }),
    }
}

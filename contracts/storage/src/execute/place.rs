//! `Place`: a pack of blobs becomes an object that nodes are to keep.

use cosmwasm_std::{DepsMut, Env, Event, HexBinary, MessageInfo, Response, Uint128};
use openledger_contract::{pause, payment, CommonError};
use openledger_types::formats::{hash32, pack_id, placement_seed, Coding};
use openledger_types::msg::datanet::ContributionResponse;
use openledger_types::msg::storage::{MAX_PACK, MAX_PACK_BYTES};

use crate::error::{ContractError, ContractResult};
use crate::state::{
    Object, Slot, ACCOUNTS, CONTRACTS, OBJECTS, OBJECT_COUNT, OBJECT_OF, OPERATOR_COUNT, PARAMS,
};
use crate::{accounts, peers, settle, state};

/// Places a pack. Which bytes it holds follows from what the datanet contract says of the contributions;
/// that the roots are of its fragments is checked by every node before it accepts one.
pub fn place(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    datanet_id: u64,
    contributions: Vec<u64>,
    roots: Vec<HexBinary>,
) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    pause::assert_running(deps.storage)?;
    let params = PARAMS.load(deps.storage)?;
    let coding =
        Coding::for_operators(OPERATOR_COUNT.load(deps.storage)?).ok_or(ContractError::NoStorers {})?;
    if roots.len() != coding.roots() {
        let rule = "one root for whole copies, else one for each of 8 fragments: see coding of the config";
        return Err(ContractError::BadList { list: "roots", rule });
    }
    for root in &roots {
        hash32("roots", root)?;
    }
    let parts = neighbours(&deps, datanet_id, &contributions)?;
    authorize(&deps, &info, datanet_id, &parts)?;
    let len = parts.iter().fold(0u64, |sum, part| sum.saturating_add(part.facts.blob.len));
    if !(1..=MAX_PACK_BYTES).contains(&len) {
        return Err(ContractError::BadSize { bytes: len, most: MAX_PACK_BYTES });
    }
    let object_id = OBJECT_COUNT.load(deps.storage)?.saturating_add(1);
    for contribution_id in &contributions {
        if let Some(before) = OBJECT_OF.may_load(deps.storage, *contribution_id)? {
            if state::object(deps.storage, before)?.retired_at.is_none() {
                let contribution_id = *contribution_id;
                return Err(ContractError::AlreadyPlaced { contribution_id, object_id: before });
            }
        }
        OBJECT_OF.save(deps.storage, *contribution_id, &object_id)?;
    }
    let leaves = coding.fragment_leaves(len);
    let account = accounts::load(deps.storage, datanet_id, env.block.height)?;
    let price = account.price.unwrap_or(params.default_price);
    let rate = settle::rate(leaves, price)?.checked_mul(Uint128::from(coding.total))?;
    let lasts = account.free_atoms()?.checked_div(account.rate.checked_add(rate)?)?.u128();
    if lasts < u128::from(params.notice_blocks) {
        return Err(ContractError::RunsOut { lasts, needed: params.notice_blocks });
    }
    let pack = pack_id(datanet_id, parts.iter().map(|p| (p.facts.contribution_id, &p.facts.blob)));
    let (chain_id, contract) = (&env.block.chain_id, env.contract.address.as_str());
    let (height, nanos) = (env.block.height, env.block.time.nanos());
    let seed = placement_seed(chain_id, contract, object_id, &pack, height, nanos);
    let object = Object {
        datanet_id,
        contributions,
        pack: HexBinary::from(&pack),
        len,
        coding,
        leaves,
        roots,
        price,
        placed_at: height,
        seed: HexBinary::from(&seed),
        slots: (0..coding.total).map(|_| Slot::default()).collect(),
        retired_at: None,
    };

    ACCOUNTS.save(deps.storage, datanet_id, &account)?;
    OBJECTS.save(deps.storage, object_id, &object)?;
    OBJECT_COUNT.save(deps.storage, &object_id)?;
    Ok(Response::new().add_attribute("action", "place").add_event(
        Event::new("object_placed")
            .add_attribute("object_id", object_id.to_string())
            .add_attribute("datanet_id", datanet_id.to_string())
            .add_attribute("pack", object.pack.to_hex())
            .add_attribute("len", len.to_string())
            .add_attribute("slots", object.slots.len().to_string()),
    ))
}

/// The contributions as their datanet knows them, all to be kept.
fn neighbours(
    deps: &DepsMut,
    datanet_id: u64,
    contributions: &[u64],
) -> ContractResult<Vec<ContributionResponse>> {
    let rising = contributions.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
    let first = contributions.first().copied().unwrap_or_default();
    if !(1..=MAX_PACK).contains(&contributions.len()) || !rising || first == 0 {
        return Err(ContractError::BadList { list: "contributions", rule: "1 to 30, rising" });
    }
    let last = contributions.last().copied().unwrap_or_default();
    let span = last.saturating_sub(first).saturating_add(1).min(MAX_PACK as u64);
    let limit = u32::try_from(span).unwrap_or(MAX_PACK as u32);
    let found = CONTRACTS.load(deps.storage)?.contributions(&deps.querier, datanet_id, first, limit)?;
    let mut found = found.into_iter();
    contributions
        .iter()
        .map(|contribution_id| {
            found
                .find(|one| one.facts.contribution_id == *contribution_id)
                .filter(peers::is_kept)
                .ok_or(ContractError::NotKept { contribution_id: *contribution_id, count: limit })
        })
        .collect()
}

/// Refuses everyone but the datanet's owner and the contributor of everything: a stranger could block
/// contributions with roots that nobody accepts.
fn authorize(
    deps: &DepsMut,
    info: &MessageInfo,
    datanet_id: u64,
    parts: &[ContributionResponse],
) -> ContractResult<()> {
    let sender = info.sender.as_str();
    if parts.iter().all(|part| part.facts.contributor == sender) {
        return Ok(());
    }
    match CONTRACTS.load(deps.storage)?.datanet(&deps.querier, datanet_id)?.owner == sender {
        true => Ok(()),
        false => {
            Err(CommonError::Unauthorized { role: "the datanet's owner or the contributor of all" }.into())
        }
    }
}

//! `Draw`, `Prove` and `ReportMiss`: nodes show that they have what they keep.
//!
//! The beacon is a chain of hashes over the heights and times of the blocks in which draws are made: it is
//! known to nobody before its block, and no word of a message goes into it. docs/storage.md says what a
//! validator could bend.

use cosmwasm_std::{Binary, DepsMut, Env, Event, HexBinary, MessageInfo, Response, Storage};
use openledger_contract::payment;
use openledger_types::formats::{hash32, storage_beacon, FRAGMENT_CHUNK};
use openledger_types::merkle::{leaf_hash, read_nodes, verify_inclusion, Hash, ZERO_HASH};
use openledger_types::msg::storage::{Answer, Params};

use crate::error::{ContractError, ContractResult};
use crate::execute::enroll::put_out;
use crate::samples::{self, Sampled};
use crate::settle;
use crate::state::{self, Draw, Holding, Storer, CONTRACTS, DRAWS, DRAW_COUNT, PARAMS, STORERS};

/// A draw that a node has to answer.
struct Waiting {
    params: Params,
    storer: Storer,
    number: u64,
    newest: u64,
    draw: Draw,
}

/// The oldest draw that waits for a node; an error when none does.
fn waiting(storage: &dyn Storage, node_id: u64) -> ContractResult<Waiting> {
    let params = PARAMS.load(storage)?;
    let newest = DRAW_COUNT.load(storage)?;
    let storer = state::storer(storage, node_id)?;
    let number = samples::waiting(&storer, newest).ok_or(ContractError::NothingDue { node_id })?;
    let draw = samples::draw(storage, number)?;
    Ok(Waiting { params, storer, number, newest, draw })
}

/// Draws the next beacon.
pub fn draw(deps: DepsMut, env: Env, info: MessageInfo) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    let params = PARAMS.load(deps.storage)?;
    let before = DRAW_COUNT.load(deps.storage)?;
    let beacon = match before {
        0 => ZERO_HASH,
        before => {
            let last = samples::draw(deps.storage, before)?;
            let from = last.height.saturating_add(params.epoch_blocks);
            if env.block.height < from {
                return Err(ContractError::NotNow { what: "the next draw", from, to: u64::MAX });
            }
            hash32("beacon", &last.beacon)?
        }
    };
    let number = before.saturating_add(1);
    let (chain_id, contract) = (&env.block.chain_id, env.contract.address.as_str());
    let (height, nanos) = (env.block.height, env.block.time.nanos());
    let beacon = HexBinary::from(&storage_beacon(chain_id, contract, &beacon, number, height, nanos));

    DRAWS.save(deps.storage, number, &Draw { height, beacon: beacon.clone() })?;
    DRAW_COUNT.save(deps.storage, &number)?;
    Ok(Response::new().add_attribute("action", "draw").add_event(
        Event::new("storage_drawn")
            .add_attribute("draw", number.to_string())
            .add_attribute("beacon", beacon.to_hex())
            .add_attribute("until", height.saturating_add(params.answer_blocks).to_string()),
    ))
}

/// Takes a node's answers to the newest draw.
pub fn prove(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    node_id: u64,
    answers: Vec<Answer>,
) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    let Waiting { params, mut storer, number, newest, draw } = waiting(deps.storage, node_id)?;
    let to = draw.height.saturating_add(params.answer_blocks);
    if number < newest || env.block.height > to {
        return Err(ContractError::NotNow { what: "answers to the draw that waits", from: draw.height, to });
    }
    let samples = samples::samples(deps.storage, node_id, &storer, &draw, params.samples)?;
    if answers.len() != samples.len() {
        return Err(ContractError::BadList { list: "answers", rule: "one for each sample" });
    }
    let mut proven = 0u32;
    for (number, (sample, answer)) in (0..).zip(samples.iter().zip(&answers)) {
        if !sample.holding.live {
            continue;
        }
        if !shows(&sample.holding, sample.leaf, answer) {
            return Err(ContractError::BadAnswer { number });
        }
        proven = proven.saturating_add(1);
    }
    storer.proven_blocks = storer.proven_blocks.saturating_add(draw.height.saturating_sub(storer.mark));
    storer.mark = storer.mark.max(draw.height);
    storer.settled_draw = number;
    storer.misses = 0;

    STORERS.save(deps.storage, node_id, &storer)?;
    Ok(Response::new().add_attribute("action", "prove").add_event(
        Event::new("storage_proven")
            .add_attribute("node_id", node_id.to_string())
            .add_attribute("draw", number.to_string())
            .add_attribute("leaves", proven.to_string()),
    ))
}

/// Whether an answer is the sampled leaf: its length, its place, its root.
fn shows(holding: &Holding, leaf: u64, answer: &Answer) -> bool {
    let Answer { chunk, path } = answer;
    let start = leaf.saturating_mul(FRAGMENT_CHUNK as u64);
    let expected = holding.len.saturating_sub(start).min(FRAGMENT_CHUNK as u64);
    if chunk.len() as u64 != expected {
        return false;
    }
    let (Ok(path), Ok(root)) = (read(path), hash32("root", &holding.root)) else { return false };
    verify_inclusion(&leaf_hash(chunk), leaf, holding.leaves, &path, &root)
}

fn read(path: &Binary) -> Result<Vec<Hash>, ()> {
    read_nodes(path).map_err(|_| ())
}

/// Takes notice of a draw that a node did not answer in time.
pub fn report_miss(deps: DepsMut, env: Env, info: MessageInfo, node_id: u64) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    let Waiting { params, mut storer, number, draw, .. } = waiting(deps.storage, node_id)?;
    let late = draw.height.saturating_add(params.answer_blocks).saturating_add(1);
    if env.block.height < late {
        return Err(ContractError::NotNow { what: "the report of a miss", from: late, to: u64::MAX });
    }
    let mut event = Event::new("storage_missed")
        .add_attribute("node_id", node_id.to_string())
        .add_attribute("draw", number.to_string());
    for Sampled { position, .. } in samples::samples(deps.storage, node_id, &storer, &draw, params.samples)? {
        // Two samples may fall on one fragment: as it is now, not as it was sampled.
        let holding = state::holding(deps.storage, node_id, position)?;
        if holding.live {
            let place = (node_id, position);
            let ended = settle::vacate(deps.storage, place, holding, &mut storer, env.block.height)?;
            event = event.add_attribute("vacant", format!("{}/{}", ended.object_id, ended.slot));
        }
    }
    storer.mark = storer.mark.max(draw.height);
    storer.settled_draw = number;
    storer.misses = storer.misses.saturating_add(1);
    if storer.misses >= params.max_misses {
        put_out(deps.storage, &mut storer)?;
        event = event.add_attribute("out", "true");
    }
    STORERS.save(deps.storage, node_id, &storer)?;
    let contracts = CONTRACTS.load(deps.storage)?;
    let cut = contracts.slash(node_id, params.miss_cut_bps, info.sender.as_str(), "storage not proved")?;
    Ok(Response::new().add_attribute("action", "report_miss").add_event(event).add_message(cut))
}

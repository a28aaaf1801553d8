//! `DemandChunk`, `AnswerDemand` and `ExpireDemand` (PROTOCOL L6).
//!
//! Demands are accepted as long as the root waits, up to its last block, and hold it until they end.
//! A chunk is demanded once per root, so that all demands together delay it by at most
//! (chunks of both blobs) × `demand_blocks`, and each costs a bond that whoever shows the chunk earns.

use cosmwasm_std::{Binary, DepsMut, Env, Event, MessageInfo, Response, Uint128};
use openledger_contract::payment;
use openledger_merkle::{leaf_hash, verify_inclusion, BLOB_CHUNK};
use openledger_types::formats::{hash32, BlobRef};
use openledger_types::msg::escrow::{EpochResponse, ExecuteMsg as EscrowMsg, RootStatus};
use openledger_types::msg::referee::{BlobKind, DemandStatus};
use openledger_types::packed::HashPath;

use super::attest::RootKey;
use crate::state::{self, Demand, CONTRACTS, DEMANDED, DEMANDS, DEMAND_COUNT, PARAMS, ROOTS, TOTALS};
use crate::ContractError;

/// Demands a chunk and holds the root until it is shown or its time is over.
pub fn demand_chunk(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    key: RootKey,
    blob: BlobKind,
    index: u64,
) -> Result<Response, ContractError> {
    let params = PARAMS.load(deps.storage)?;
    let bond = Uint128::new(payment::must_pay(&info, &params.denom)?);
    if bond != params.demand_bond {
        return Err(ContractError::WrongBond { expected: params.demand_bond, sent: bond });
    }
    let contracts = CONTRACTS.load(deps.storage)?;
    let RootKey { node_id, denom, epoch: number } = key;
    let epoch = contracts.epoch(&deps.querier, node_id, &denom, number)?;
    if epoch.status != RootStatus::Pending {
        return Err(ContractError::NotPending { status: epoch.status });
    }
    let chunks = chunks_of(blob_of(&epoch, blob));
    if index >= chunks {
        return Err(ContractError::NoChunk { index, chunks });
    }
    let mut root = state::root(deps.storage, node_id, &denom, number)?;
    if let Some(demand_id) = DEMANDED.may_load(deps.storage, (root.id, code(blob), index))? {
        return Err(ContractError::AlreadyDemanded { demand_id });
    }
    if root.demands >= params.max_demands {
        return Err(ContractError::TooManyDemands { max: params.max_demands });
    }
    root.demands = root.demands.saturating_add(1);
    let until = state::after(env.block.height, params.demand_blocks)?;
    let mut totals = TOTALS.load(deps.storage)?;
    totals.demand_bonds = totals.demand_bonds.checked_add(bond)?;
    let hold = EscrowMsg::HoldRoot { node_id, denom: denom.clone(), epoch: number, open: true };
    let demand_id = state::next(deps.storage, &DEMAND_COUNT)?;
    let event = Event::new("chunk_demanded")
        .add_attribute("demand_id", demand_id.to_string())
        .add_attribute("demander", &info.sender)
        .add_attribute("node_id", node_id.to_string())
        .add_attribute("denom", &denom)
        .add_attribute("epoch", number.to_string())
        .add_attribute("blob", name(blob))
        .add_attribute("index", index.to_string())
        .add_attribute("until", until.to_string());

    TOTALS.save(deps.storage, &totals)?;
    ROOTS.save(deps.storage, (node_id, &denom, number), &root)?;
    DEMANDED.save(deps.storage, (root.id, code(blob), index), &demand_id)?;
    let status = DemandStatus::Open;
    let demander = info.sender;
    let demand = Demand { demander, node_id, denom, epoch: number, blob, index, bond, until, status };
    DEMANDS.save(deps.storage, demand_id, &demand)?;
    Ok(Response::new()
        .add_attribute("action", "demand_chunk")
        .add_event(event)
        .add_message(contracts.tell_escrow(&hold)?))
}

/// Shows a demanded chunk; the demand's bond is the sender's.
pub fn answer_demand(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    demand_id: u64,
    chunk: Binary,
    path: HashPath,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let mut demand = open_demand(&deps, demand_id)?;
    if env.block.height > demand.until {
        return Err(ContractError::DemandOver { demand_id, until: demand.until });
    }
    let contracts = CONTRACTS.load(deps.storage)?;
    let epoch = contracts.epoch(&deps.querier, demand.node_id, &demand.denom, demand.epoch)?;
    if epoch.status != RootStatus::Pending {
        return Err(ContractError::NotPending { status: epoch.status });
    }
    check_chunk(blob_of(&epoch, demand.blob), demand.index, &chunk, &path)?;
    let Demand { node_id, epoch: number, bond, .. } = demand;
    let close = EscrowMsg::HoldRoot { node_id, denom: demand.denom.clone(), epoch: number, open: false };
    demand.status = DemandStatus::Answered;

    settle(deps.storage, &demand, &info.sender)?;
    DEMANDS.save(deps.storage, demand_id, &demand)?;
    Ok(Response::new()
        .add_attribute("action", "answer_demand")
        .add_event(
            Event::new("chunk_shown")
                .add_attribute("demand_id", demand_id.to_string())
                .add_attribute("answerer", &info.sender)
                .add_attribute("bond", bond),
        )
        .add_message(contracts.tell_escrow(&close)?))
}

/// Ends a demand that was not answered: the root is void and the node cut. Where the root is void
/// already, the demand has lost its object and the bond returns.
pub fn expire_demand(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    demand_id: u64,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let mut demand = open_demand(&deps, demand_id)?;
    let contracts = CONTRACTS.load(deps.storage)?;
    let epoch = contracts.epoch(&deps.querier, demand.node_id, &demand.denom, demand.epoch)?;
    let pending = epoch.status == RootStatus::Pending;
    if pending && env.block.height <= demand.until {
        return Err(ContractError::DemandRuns { demand_id, until: demand.until });
    }
    demand.status = if pending { DemandStatus::Expired } else { DemandStatus::Moot };
    let messages = if pending {
        let reason = format!("chunk {} of the {} was not shown", demand.index, name(demand.blob));
        let Demand { node_id, denom, epoch, .. } = demand.clone();
        let void = EscrowMsg::VoidRoot { node_id, denom, epoch, reason: reason.clone() };
        let bps = PARAMS.load(deps.storage)?.withheld_cut_bps;
        vec![contracts.tell_escrow(&void)?, contracts.slash(node_id, bps, demand.demander.as_str(), &reason)?]
    } else {
        vec![]
    };

    settle(deps.storage, &demand, &demand.demander)?;
    DEMANDS.save(deps.storage, demand_id, &demand)?;
    Ok(Response::new()
        .add_attribute("action", "expire_demand")
        .add_event(
            Event::new("demand_ended")
                .add_attribute("demand_id", demand_id.to_string())
                .add_attribute("void", pending.to_string())
                .add_attribute("demander", &demand.demander)
                .add_attribute("bond", demand.bond),
        )
        .add_messages(messages))
}

fn open_demand(deps: &DepsMut, demand_id: u64) -> Result<Demand, ContractError> {
    let demand = state::demand(deps.storage, demand_id)?;
    match demand.status {
        DemandStatus::Open => Ok(demand),
        status => Err(ContractError::DemandEnded { demand_id, status }),
    }
}

/// Moves a demand's bond to a balance and takes it from the open ones of its root.
fn settle(
    storage: &mut dyn cosmwasm_std::Storage,
    demand: &Demand,
    to: &cosmwasm_std::Addr,
) -> Result<(), ContractError> {
    let mut totals = TOTALS.load(storage)?;
    totals.demand_bonds = totals.demand_bonds.checked_sub(demand.bond)?;
    totals.withdrawable = totals.withdrawable.checked_add(demand.bond)?;
    TOTALS.save(storage, &totals)?;
    state::credit(storage, to, demand.bond)?;
    let mut root = state::root(storage, demand.node_id, &demand.denom, demand.epoch)?;
    root.demands = root.demands.saturating_sub(1);
    ROOTS.save(storage, (demand.node_id, &demand.denom, demand.epoch), &root)?;
    Ok(())
}

/// Refuses bytes that are not chunk `index` of the blob.
fn check_chunk(blob: &BlobRef, index: u64, chunk: &[u8], path: &HashPath) -> Result<(), ContractError> {
    let size = BLOB_CHUNK as u64;
    let expected = blob.len.saturating_sub(index.saturating_mul(size)).min(size);
    let actual = chunk.len() as u64;
    if actual != expected {
        return Err(ContractError::ChunkLength { index, expected, actual });
    }
    let root = hash32("root", &blob.root)?;
    match verify_inclusion(&leaf_hash(chunk), index, chunks_of(blob), path, &root) {
        true => Ok(()),
        false => Err(ContractError::BadPath { what: "chunk" }),
    }
}

fn blob_of(epoch: &EpochResponse, blob: BlobKind) -> &BlobRef {
    match blob {
        BlobKind::Leaves => &epoch.commit.leaves_blob,
        BlobKind::Receipts => &epoch.commit.receipts_blob,
    }
}

fn chunks_of(blob: &BlobRef) -> u64 {
    blob.len.div_ceil(BLOB_CHUNK as u64)
}

fn code(blob: BlobKind) -> u8 {
    match blob {
        BlobKind::Leaves => 0,
        BlobKind::Receipts => 1,
    }
}

fn name(blob: BlobKind) -> &'static str {
    match blob {
        BlobKind::Leaves => "leaves",
        BlobKind::Receipts => "receipts",
    }
}

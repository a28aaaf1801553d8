//! `CommitSeed`, `RevealSeed` and `ReportSeed` (PROTOCOL F4): which receipts an auditor checks follows
//! from a seed that it committed before the period and reveals after it.

use cosmwasm_std::{DepsMut, Env, Event, HexBinary, MessageInfo, Response, Uint64};
use openledger_contract::payment;
use openledger_types::formats::{hash32, seed_commitment};

use crate::state::{Seed, CONTRACTS, PARAMS, SEEDS};
use crate::{weight, ContractError};

/// Commits a seed for the next period. The heights of its reveal are fixed now, whatever the owner
/// changes later.
pub fn commit_seed(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    auditor: u64,
    period: u64,
    commitment: HexBinary,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let contracts = CONTRACTS.load(deps.storage)?;
    contracts.auditor_of(&deps.querier, auditor, info.sender.as_str())?;
    let blocks = Uint64::new(PARAMS.load(deps.storage)?.seed_blocks);
    let present = Uint64::new(env.block.height).checked_div(blocks).map_err(cosmwasm_std::StdError::from)?;
    let next = present.checked_add(Uint64::one())?;
    if period != next.u64() {
        return Err(ContractError::WrongPeriod { next: next.u64() });
    }
    hash32("commitment", &commitment)?;
    weight::now(deps.storage, &deps.querier, &contracts, auditor)?;
    if SEEDS.has(deps.storage, (auditor, period)) {
        return Err(ContractError::SeedCommitted { auditor, period });
    }
    let from = next.checked_add(Uint64::one())?.checked_mul(blocks)?;
    let until = from.checked_add(blocks)?.checked_sub(Uint64::one())?.u64();
    let seed = Seed { commitment, from: from.u64(), until, seed: None, reported: false };

    SEEDS.save(deps.storage, (auditor, period), &seed)?;
    Ok(Response::new().add_attribute("action", "commit_seed").add_event(
        Event::new("seed_committed")
            .add_attribute("auditor", auditor.to_string())
            .add_attribute("period", period.to_string())
            .add_attribute("reveal_from", seed.from.to_string())
            .add_attribute("reveal_until", until.to_string()),
    ))
}

/// Reveals a seed within the period after the one that it was for.
pub fn reveal_seed(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    auditor: u64,
    period: u64,
    seed: HexBinary,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    CONTRACTS.load(deps.storage)?.auditor_of(&deps.querier, auditor, info.sender.as_str())?;
    let mut committed = load(&deps, auditor, period)?;
    let Seed { from, until, .. } = committed;
    if !(from..=until).contains(&env.block.height) {
        return Err(ContractError::NotSeedTime { from, until });
    }
    let bytes = hash32("seed", &seed)?;
    let referee = env.contract.address.as_str();
    let commitment = seed_commitment(&env.block.chain_id, referee, auditor, period, &bytes);
    if committed.commitment.as_slice() != commitment {
        return Err(ContractError::WrongOpening {});
    }
    committed.seed = Some(seed.clone());

    SEEDS.save(deps.storage, (auditor, period), &committed)?;
    Ok(Response::new().add_attribute("action", "reveal_seed").add_event(
        Event::new("seed_revealed")
            .add_attribute("auditor", auditor.to_string())
            .add_attribute("period", period.to_string())
            .add_attribute("seed", seed.to_hex()),
    ))
}

/// Cuts an auditor whose seed stayed secret; the sender is its finder.
pub fn report_seed(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    auditor: u64,
    period: u64,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let mut committed = load(&deps, auditor, period)?;
    if committed.seed.is_some() || committed.reported || env.block.height <= committed.until {
        return Err(ContractError::NotSilent { until: committed.until });
    }
    committed.reported = true;
    let contracts = CONTRACTS.load(deps.storage)?;
    let bps = PARAMS.load(deps.storage)?.seed_cut_bps;
    let reason = format!("did not reveal its seed of period {period}");

    SEEDS.save(deps.storage, (auditor, period), &committed)?;
    Ok(Response::new()
        .add_attribute("action", "report_seed")
        .add_event(
            Event::new("seed_reported")
                .add_attribute("auditor", auditor.to_string())
                .add_attribute("period", period.to_string())
                .add_attribute("finder", &info.sender),
        )
        .add_message(contracts.slash(auditor, bps, info.sender.as_str(), &reason)?))
}

fn load(deps: &DepsMut, auditor: u64, period: u64) -> Result<Seed, ContractError> {
    SEEDS.may_load(deps.storage, (auditor, period))?.ok_or(ContractError::NoSeed { auditor, period })
}

//! Questions.

use cosmwasm_std::{to_json_binary, Binary, Deps, Env, HexBinary, Order, Uint128};
use cw_storage_plus::Bound;
use openledger_contract::{invariants, ownership, paging, pause};
use openledger_types::formats::{Coding, PRICE_UNIT};
use openledger_types::merkle::ZERO_HASH;
use openledger_types::msg::common::InvariantsResponse;
use openledger_types::msg::storage::{
    self as msg, AccountResponse, BalanceResponse, ChallengeResponse, ConfigResponse, DrawResponse,
    FunderResponse, HoldingResponse, HoldingsResponse, ObjectOfResponse, ObjectResponse, ObjectsResponse,
    QueryMsg, Sample, StorerResponse, StorersResponse,
};

use crate::error::ContractResult;
use crate::execute::fund;
use crate::state::{
    self, Contracts, Holding, Object, Storer, BALANCES, CONTRACTS, DEPOSITS, DRAW_COUNT, EARNED, FUNDERS,
    HOLDINGS, OBJECTS, OBJECT_OF, OPERATOR_COUNT, PARAMS, STORERS, WITHDRAWABLE,
};
use crate::{accounts, samples, settle};

/// Blocks of a price.
const MILLION: Uint128 = Uint128::new(1_000_000);

/// Answers a question.
pub fn answer(deps: Deps, env: Env, msg: QueryMsg) -> ContractResult<Binary> {
    Ok(match msg {
        QueryMsg::Config {} => to_json_binary(&config(deps)?),
        QueryMsg::Ownership {} => to_json_binary(&ownership::query(deps.storage)?),
        QueryMsg::Account { datanet_id } => to_json_binary(&account(deps, &env, datanet_id)?),
        QueryMsg::Funder { datanet_id, address } => {
            to_json_binary(&funder(deps, &env, datanet_id, &address)?)
        }
        QueryMsg::Object { object_id } => {
            to_json_binary(&object_response(object_id, state::object(deps.storage, object_id)?))
        }
        QueryMsg::Objects { start_after, limit } => {
            let objects = OBJECTS
                .range(deps.storage, start_after.map(Bound::exclusive), None, Order::Ascending)
                .take(paging::limit(limit))
                .map(|entry| entry.map(|(object_id, object)| object_response(object_id, object)))
                .collect::<Result<_, _>>()?;
            to_json_binary(&ObjectsResponse { objects })
        }
        QueryMsg::ObjectOf { contribution_id } => to_json_binary(&ObjectOfResponse {
            object_id: OBJECT_OF.may_load(deps.storage, contribution_id)?,
        }),
        QueryMsg::Storer { node_id } => {
            to_json_binary(&storer_response(deps, node_id, state::storer(deps.storage, node_id)?)?)
        }
        QueryMsg::Storers { start_after, limit } => {
            let storers = STORERS
                .range(deps.storage, start_after.map(Bound::exclusive), None, Order::Ascending)
                .take(paging::limit(limit))
                .map(|entry| {
                    let (node_id, storer) = entry?;
                    storer_response(deps, node_id, storer)
                })
                .collect::<ContractResult<_>>()?;
            to_json_binary(&StorersResponse { storers })
        }
        QueryMsg::Holdings { node_id, start_after, limit } => {
            to_json_binary(&holdings(deps, &env, node_id, start_after, limit)?)
        }
        QueryMsg::Draw {} => to_json_binary(&draw(deps)?),
        QueryMsg::Challenge { node_id } => to_json_binary(&challenge(deps, node_id)?),
        QueryMsg::Balance { address } => {
            let address = deps.api.addr_validate(&address)?;
            let withdrawable = BALANCES.may_load(deps.storage, &address)?.unwrap_or_default();
            to_json_binary(&BalanceResponse { withdrawable })
        }
        QueryMsg::Invariants {} => to_json_binary(&conservation(deps, &env)?),
    }?)
}

fn config(deps: Deps) -> ContractResult<ConfigResponse> {
    let Contracts { datanet, node_registry } = CONTRACTS.load(deps.storage)?;
    let operators = OPERATOR_COUNT.load(deps.storage)?;
    Ok(ConfigResponse {
        datanet: datanet.into_string(),
        node_registry: node_registry.into_string(),
        params: PARAMS.load(deps.storage)?,
        paused: pause::is_paused(deps.storage)?,
        operators,
        coding: Coding::for_operators(operators),
    })
}

/// Atoms as base units, rounded up.
fn whole(atoms: Uint128) -> Uint128 {
    Uint128::new(atoms.u128().div_ceil(PRICE_UNIT))
}

fn account(deps: Deps, env: &Env, datanet_id: u64) -> ContractResult<AccountResponse> {
    let account = accounts::load(deps.storage, datanet_id, env.block.height)?;
    let lasts = account.lasts()?.map(|blocks| u64::try_from(blocks).unwrap_or(u64::MAX));
    let dry_at = match lasts {
        Some(0) => Some(account.funded_to),
        Some(blocks) => Some(env.block.height.saturating_add(blocks)),
        None => None,
    };
    Ok(AccountResponse {
        deposit: account.deposit,
        reserved: whole(account.reserved),
        price: account.price.unwrap_or(PARAMS.load(deps.storage)?.default_price),
        per_million_blocks: whole(account.rate.checked_mul(MILLION)?),
        dry_at,
    })
}

fn funder(deps: Deps, env: &Env, datanet_id: u64, address: &str) -> ContractResult<FunderResponse> {
    let address = deps.api.addr_validate(address)?;
    let account = accounts::load(deps.storage, datanet_id, env.block.height)?;
    let known = FUNDERS.may_load(deps.storage, (datanet_id, &address))?;
    let exit_from = known.as_ref().and_then(|funder| funder.exit_from);
    Ok(FunderResponse { value: account.value(fund::current(known, &account))?, exit_from })
}

fn object_response(object_id: u64, object: Object) -> ObjectResponse {
    let slots = object
        .slots
        .into_iter()
        .map(|slot| msg::Slot {
            holder: slot.holder.map(|(node, _)| node),
            position: slot.holder.map(|(_, position)| position),
            nominee: slot.nominee.map(|(node, _)| node),
            nominated_at: slot.nominee.map(|(_, height)| height),
        })
        .collect();
    ObjectResponse {
        object_id,
        datanet_id: object.datanet_id,
        contributions: object.contributions,
        pack: object.pack,
        len: object.len,
        coding: object.coding,
        leaves: object.leaves,
        roots: object.roots,
        price: object.price,
        placed_at: object.placed_at,
        seed: object.seed,
        slots,
        retired_at: object.retired_at,
    }
}

fn storer_response(deps: Deps, node_id: u64, storer: Storer) -> ContractResult<StorerResponse> {
    Ok(StorerResponse {
        earned: EARNED.may_load(deps.storage, &storer.operator)?.unwrap_or_default(),
        node_id,
        operator: storer.operator.into_string(),
        state: storer.state,
        capacity: storer.capacity,
        kept: storer.kept,
        pending: storer.pending,
        drawn_from: storer.drawn_from,
        positions: storer.positions,
        proven_blocks: storer.proven_blocks,
        settled_draw: storer.settled_draw,
        misses: storer.misses,
        per_million_blocks: storer.rate.checked_mul(MILLION)?.checked_div(Uint128::new(PRICE_UNIT))?,
    })
}

fn holdings(
    deps: Deps,
    env: &Env,
    node_id: u64,
    start_after: Option<u64>,
    limit: Option<u32>,
) -> ContractResult<HoldingsResponse> {
    let storer = state::storer(deps.storage, node_id)?;
    let one = |position: u64, holding: Holding| -> ContractResult<HoldingResponse> {
        let earned = match holding.live {
            true => {
                let account = accounts::load(deps.storage, holding.datanet_id, env.block.height)?;
                settle::due(&holding, &storer, &account, false)?.pay
            }
            false => Uint128::zero(),
        };
        let Holding { object_id, slot, leaves, root, live, .. } = holding;
        Ok(HoldingResponse { position, object_id, slot, leaves, root, live, earned })
    };
    let holdings = HOLDINGS
        .prefix(node_id)
        .range(deps.storage, start_after.map(Bound::exclusive), None, Order::Ascending)
        .take(paging::limit(limit))
        .map(|entry| {
            let (position, holding) = entry?;
            one(position, holding)
        })
        .collect::<ContractResult<_>>()?;
    Ok(HoldingsResponse { holdings })
}

fn draw(deps: Deps) -> ContractResult<DrawResponse> {
    let number = DRAW_COUNT.load(deps.storage)?;
    Ok(match number {
        0 => DrawResponse { number, height: 0, beacon: HexBinary::from(&ZERO_HASH), next_from: 0 },
        number => {
            let draw = samples::draw(deps.storage, number)?;
            let next_from = draw.height.saturating_add(PARAMS.load(deps.storage)?.epoch_blocks);
            DrawResponse { number, height: draw.height, beacon: draw.beacon, next_from }
        }
    })
}

fn challenge(deps: Deps, node_id: u64) -> ContractResult<ChallengeResponse> {
    let storer = state::storer(deps.storage, node_id)?;
    let Some(number) = samples::waiting(&storer, DRAW_COUNT.load(deps.storage)?) else {
        return Ok(ChallengeResponse { draw: None, until: None, samples: vec![] });
    };
    let params = PARAMS.load(deps.storage)?;
    let draw = samples::draw(deps.storage, number)?;
    let samples = samples::samples(deps.storage, node_id, &storer, &draw, params.samples)?;
    Ok(ChallengeResponse {
        draw: Some(number),
        until: Some(draw.height.saturating_add(params.answer_blocks)),
        samples: samples
            .into_iter()
            .map(|sampled| Sample {
                position: sampled.position,
                object_id: sampled.holding.object_id,
                slot: sampled.holding.slot,
                leaf: sampled.leaf,
                live: sampled.holding.live,
            })
            .collect(),
    })
}

fn conservation(deps: Deps, env: &Env) -> ContractResult<InvariantsResponse> {
    let denom = PARAMS.load(deps.storage)?.denom;
    let terms =
        [("deposits", DEPOSITS.load(deps.storage)?), ("withdrawable", WITHDRAWABLE.load(deps.storage)?)];
    let equation = invariants::equation(&deps.querier, &env.contract.address, &denom, &terms)?;
    let broken = match equation.holds {
        true => vec![],
        false => vec![format!("the contract owes more {denom} than it holds")],
    };
    Ok(InvariantsResponse { holds: equation.holds, denoms: vec![equation], broken })
}

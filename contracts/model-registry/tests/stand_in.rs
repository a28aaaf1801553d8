//! A datanet contract of a few lines, so that these tests rest on its messages only: it answers
//! `Version` and `VersionHealth` from what a test laid into its storage, and writes down every
//! `UseAccess` of a developer who has access.

use cosmwasm_std::{
    to_json_binary, Addr, Binary, Deps, DepsMut, Empty, Env, HexBinary, MessageInfo, Response, StdError,
    StdResult, Uint128,
};
use cw_multi_test::{Contract, ContractWrapper};
use cw_storage_plus::{Item, Map};
use openledger_testing::World;
use openledger_types::formats::VersionRef;
use openledger_types::msg::datanet::{ExecuteMsg, LogRoot, QueryMsg, VersionHealthResponse, VersionResponse};

const VERSIONS: Map<(u64, u32), VersionResponse> = Map::new("versions");
const LOST: Map<(u64, u32), u64> = Map::new("lost");
const ACCESS: Map<(u64, &str), bool> = Map::new("access");
const USED: Item<Vec<(Addr, ExecuteMsg)>> = Item::new("used");

/// Its code.
pub fn code() -> Box<dyn Contract<Empty>> {
    Box::new(ContractWrapper::new(execute, instantiate, query))
}

fn instantiate(deps: DepsMut, _: Env, _: MessageInfo, _: Empty) -> StdResult<Response> {
    USED.save(deps.storage, &vec![])?;
    Ok(Response::new())
}

fn execute(deps: DepsMut, _: Env, info: MessageInfo, msg: ExecuteMsg) -> StdResult<Response> {
    let ExecuteMsg::UseAccess { datanet_id, developer, .. } = &msg else {
        return Err(StdError::msg("the stand-in only takes UseAccess"));
    };
    if !ACCESS.has(deps.storage, (*datanet_id, developer)) || !info.funds.is_empty() {
        return Err(StdError::msg("no paid access"));
    }
    ACCESS.remove(deps.storage, (*datanet_id, developer));
    USED.update(deps.storage, |mut used| -> StdResult<_> {
        used.push((info.sender, msg));
        Ok(used)
    })?;
    Ok(Response::new())
}

fn query(deps: Deps, _: Env, msg: QueryMsg) -> StdResult<Binary> {
    match msg {
        QueryMsg::Version { datanet_id, version } => {
            to_json_binary(&VERSIONS.load(deps.storage, (datanet_id, version))?)
        }
        QueryMsg::VersionHealth { datanet_id, version } => {
            let size = VERSIONS.load(deps.storage, (datanet_id, version))?.version.size;
            let lost = LOST.may_load(deps.storage, (datanet_id, version))?.unwrap_or_default();
            to_json_binary(&VersionHealthResponse { size, lost })
        }
        _ => Err(StdError::msg("the stand-in does not answer this")),
    }
}

/// A sealed version of three contributions.
pub fn sealed(
    datanet_id: u64,
    version: u32,
    (min_data_bps, floor, training_price): (u16, u128, u128),
) -> VersionResponse {
    VersionResponse {
        version: VersionRef { datanet_id, version, root: HexBinary::from([datanet_id as u8; 32]), size: 3 },
        sealed_at: 900,
        min_data_bps,
        floor_per_token: Uint128::new(floor),
        training_price: Uint128::new(training_price),
        withdrawals: LogRoot::default(),
    }
}

/// Lets it answer with a version, under the number that it is asked for.
pub fn lay_version(world: &mut World, asked: (u64, u32), answer: &VersionResponse) {
    let datanet = world.datanet.clone();
    let mut storage = world.app.contract_storage_mut(&datanet);
    VERSIONS.save(&mut *storage, asked, answer).unwrap();
}

/// Lets contributions of a version be gone.
pub fn lose(world: &mut World, version: (u64, u32), lost: u64) {
    let datanet = world.datanet.clone();
    let mut storage = world.app.contract_storage_mut(&datanet);
    LOST.save(&mut *storage, version, &lost).unwrap();
}

/// Gives a developer paid access for one registration.
pub fn grant(world: &mut World, datanet_id: u64, developer: &Addr) {
    let datanet = world.datanet.clone();
    let mut storage = world.app.contract_storage_mut(&datanet);
    ACCESS.save(&mut *storage, (datanet_id, developer.as_str()), &true).unwrap();
}

/// Every `UseAccess` so far with who sent it.
pub fn used(world: &World) -> Vec<(Addr, ExecuteMsg)> {
    let storage = world.app.contract_storage(&world.datanet);
    USED.load(&*storage).unwrap()
}

//! Stand-ins for escrow, node registry and datanet contract. They answer from what tests write into
//! their storage, keep the rules that the referee relies on, and remember what they were told.

use cosmwasm_std::{
    to_json_binary, Addr, Binary, Deps, DepsMut, Empty, Env, MessageInfo, Order, Response, StdError,
    StdResult, Storage, Uint128,
};
use cw_multi_test::{Contract, ContractWrapper};
use cw_storage_plus::{Bound, Item, Map};
use openledger_types::msg::datanet::{self, ContributionResponse, ContributionStatus, ContributionsResponse};
use openledger_types::msg::escrow::{self, EpochResponse, RootStatus};
use openledger_types::msg::node_registry::{
    self, AuditWeightResponse, Auditor, AuditorsResponse, NodeResponse,
};
use serde::de::DeserializeOwned;
use serde::Serialize;

/// The only address that is believed.
pub const REFEREE: Item<Addr> = Item::new("referee");
/// What was told, in order. Key: number.
const TOLD: Map<u64, Binary> = Map::new("told");
/// Key: (node, denom, epoch).
pub const EPOCHS: Map<(u64, &str, u64), EpochResponse> = Map::new("epochs");
/// Root of held receipts, until decided. Key: case.
pub const HELD: Map<u64, (u64, String, u64)> = Map::new("held");
/// Key: node.
pub const NODES: Map<u64, NodeResponse> = Map::new("nodes");
/// Audit weight. Key: node.
pub const WEIGHTS: Map<u64, Uint128> = Map::new("weights");
/// Key: contribution.
pub const CONTRIBUTIONS: Map<u64, ContributionResponse> = Map::new("contributions");
/// Parameters of the datanet contract.
pub const DATA_PARAMS: Item<datanet::Params> = Item::new("data_params");

fn no(text: &str) -> StdError {
    StdError::msg(text)
}

fn remember<M: Serialize>(storage: &mut dyn Storage, info: &MessageInfo, msg: &M) -> StdResult<()> {
    if REFEREE.load(storage)? != info.sender || !info.funds.is_empty() {
        return Err(no("only the referee, without coins"));
    }
    let last = TOLD.keys(storage, None, None, Order::Descending).next().transpose()?;
    TOLD.save(storage, last.unwrap_or(0) + 1, &to_json_binary(msg)?)
}

/// What a stand-in was told.
pub fn told<M: DeserializeOwned>(storage: &dyn Storage) -> Vec<M> {
    TOLD.range(storage, None, None, Order::Ascending)
        .map(|entry| cosmwasm_std::from_json(entry.unwrap().1).unwrap())
        .collect()
}

fn setup(_: DepsMut, _: Env, _: MessageInfo, _: Empty) -> StdResult<Response> {
    Ok(Response::new())
}

fn pending(storage: &dyn Storage, node_id: u64, denom: &str, epoch: u64) -> StdResult<EpochResponse> {
    let found = EPOCHS.load(storage, (node_id, denom, epoch))?;
    match found.status {
        RootStatus::Pending => Ok(found),
        _ => Err(no("the root is not pending")),
    }
}

fn escrow_execute(deps: DepsMut, _: Env, info: MessageInfo, msg: escrow::ExecuteMsg) -> StdResult<Response> {
    use escrow::ExecuteMsg as M;
    remember(deps.storage, &info, &msg)?;
    let storage = deps.storage;
    match msg {
        M::Attest { node_id, denom, epoch } => {
            let mut found = pending(storage, node_id, &denom, epoch)?;
            if found.attested {
                return Err(no("attested twice"));
            }
            found.attested = true;
            EPOCHS.save(storage, (node_id, &denom, epoch), &found)?;
        }
        M::HoldRoot { node_id, denom, epoch, open } => {
            let mut found = pending(storage, node_id, &denom, epoch)?;
            found.holds = if open { found.holds + 1 } else { found.holds - 1 };
            EPOCHS.save(storage, (node_id, &denom, epoch), &found)?;
        }
        M::VoidRoot { node_id, denom, epoch, reason } => {
            let mut found = pending(storage, node_id, &denom, epoch)?;
            assert!(reason.len() <= 128);
            found.status = RootStatus::Void;
            found.void_reason = Some(reason);
            EPOCHS.save(storage, (node_id, &denom, epoch), &found)?;
        }
        M::HoldReceipts { case_id, node_id, denom, epoch, .. } => {
            pending(storage, node_id, &denom, epoch)?;
            HELD.save(storage, case_id, &(node_id, denom, epoch))?;
        }
        M::DecideReceipts { case_id, guilty } => {
            let (node_id, denom, epoch) = HELD.load(storage, case_id)?;
            HELD.remove(storage, case_id);
            let mut found = EPOCHS.load(storage, (node_id, &denom, epoch))?;
            if guilty && found.status == RootStatus::Pending {
                found.status = RootStatus::Void;
                EPOCHS.save(storage, (node_id, &denom, epoch), &found)?;
            }
        }
        M::PayAudit { node_id, denom, epoch, amount, .. } => {
            let mut found = EPOCHS.load(storage, (node_id, &denom, epoch))?;
            found.audit_paid += amount;
            if found.audit_paid > found.audit {
                return Err(no("more than the audit part"));
            }
            EPOCHS.save(storage, (node_id, &denom, epoch), &found)?;
        }
        _ => return Err(no("not of the referee")),
    }
    Ok(Response::new())
}

fn escrow_query(deps: Deps, _: Env, msg: escrow::QueryMsg) -> StdResult<Binary> {
    match msg {
        escrow::QueryMsg::Epoch { node_id, denom, epoch } => {
            to_json_binary(&EPOCHS.load(deps.storage, (node_id, &denom, epoch))?)
        }
        _ => Err(no("not asked")),
    }
}

fn nodes_execute(
    deps: DepsMut,
    _: Env,
    info: MessageInfo,
    msg: node_registry::ExecuteMsg,
) -> StdResult<Response> {
    use node_registry::ExecuteMsg as M;
    remember(deps.storage, &info, &msg)?;
    match msg {
        M::Slash { node_id, bps, reason, .. } | M::PlanCut { node_id, bps, reason, .. } => {
            assert!(reason.len() <= 128 && (1..=10_000).contains(&bps));
            NODES.load(deps.storage, node_id)?;
        }
        M::RecordWork { node_id, .. } => {
            NODES.load(deps.storage, node_id)?;
        }
        M::Freeze { node_id, open } => {
            let mut node = NODES.load(deps.storage, node_id)?;
            node.open_cases = if open { node.open_cases + 1 } else { node.open_cases - 1 };
            NODES.save(deps.storage, node_id, &node)?;
        }
        _ => return Err(no("not of the referee")),
    }
    Ok(Response::new())
}

fn nodes_query(deps: Deps, _: Env, msg: node_registry::QueryMsg) -> StdResult<Binary> {
    match msg {
        node_registry::QueryMsg::Node { node_id } => to_json_binary(&NODES.load(deps.storage, node_id)?),
        node_registry::QueryMsg::AuditWeight { node_id } => {
            let weight = WEIGHTS.may_load(deps.storage, node_id)?.unwrap_or_default();
            to_json_binary(&AuditWeightResponse { weight })
        }
        node_registry::QueryMsg::Auditors {} => {
            let auditors = WEIGHTS
                .range(deps.storage, None, None, Order::Ascending)
                .map(|entry| {
                    let (node_id, weight) = entry?;
                    let NodeResponse { operator, hot_addr, .. } = NODES.load(deps.storage, node_id)?;
                    Ok(Auditor { node_id, operator, hot_addr, weight })
                })
                .collect::<StdResult<Vec<_>>>()?;
            let auditors = auditors.into_iter().filter(|auditor| !auditor.weight.is_zero()).collect();
            to_json_binary(&AuditorsResponse { auditors })
        }
        _ => Err(no("not asked")),
    }
}

fn datanet_execute(
    deps: DepsMut,
    _: Env,
    info: MessageInfo,
    msg: datanet::ExecuteMsg,
) -> StdResult<Response> {
    use datanet::ExecuteMsg as M;
    remember(deps.storage, &info, &msg)?;
    let (id, status) = match msg {
        M::HoldContribution { contribution_id, open: true } => {
            (contribution_id, ContributionStatus::Challenged)
        }
        M::HoldContribution { contribution_id, open: false } => {
            (contribution_id, ContributionStatus::Accepted)
        }
        M::ConvictContribution { contribution_id, reason, .. } => {
            assert!(reason.len() <= 256);
            (contribution_id, ContributionStatus::Rejected)
        }
        _ => return Err(no("not of the referee")),
    };
    let mut found = CONTRIBUTIONS.load(deps.storage, id)?;
    found.status = status;
    CONTRIBUTIONS.save(deps.storage, id, &found)?;
    Ok(Response::new())
}

fn datanet_query(deps: Deps, _: Env, msg: datanet::QueryMsg) -> StdResult<Binary> {
    match msg {
        datanet::QueryMsg::Config {} => to_json_binary(&datanet::ConfigResponse {
            params: DATA_PARAMS.load(deps.storage)?,
            paused: false,
        }),
        datanet::QueryMsg::Contribution { contribution_id } => {
            to_json_binary(&CONTRIBUTIONS.load(deps.storage, contribution_id)?)
        }
        datanet::QueryMsg::Contributions { datanet_id, start_after, limit } => {
            let contributions = CONTRIBUTIONS
                .range(deps.storage, start_after.map(Bound::exclusive), None, Order::Ascending)
                .map(|entry| entry.map(|(_, found)| found))
                .collect::<StdResult<Vec<_>>>()?
                .into_iter()
                .filter(|found| found.facts.datanet_id == datanet_id)
                .take(limit.unwrap_or(10) as usize)
                .collect();
            to_json_binary(&ContributionsResponse { contributions })
        }
        _ => Err(no("not asked")),
    }
}

/// The escrow's stand-in.
pub fn escrow() -> Box<dyn Contract<Empty>> {
    Box::new(ContractWrapper::new(escrow_execute, setup, escrow_query))
}

/// The node registry's stand-in.
pub fn nodes() -> Box<dyn Contract<Empty>> {
    Box::new(ContractWrapper::new(nodes_execute, setup, nodes_query))
}

/// The datanet contract's stand-in.
pub fn datanet() -> Box<dyn Contract<Empty>> {
    Box::new(ContractWrapper::new(datanet_execute, setup, datanet_query))
}

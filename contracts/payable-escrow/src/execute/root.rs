//! What the referee says of roots that are not final (L6, L7, F1).

use cosmwasm_std::{Addr, Deps, DepsMut, Env, Event, HexBinary, MessageInfo, Response, Storage};
use openledger_contract::{payment, CommonError};
use openledger_merkle::ZERO_HASH;
use openledger_types::faults::{Conviction, SessionFacts};
use openledger_types::msg::escrow::RootStatus;

use crate::error::{ContractError, ContractResult};
use crate::execute::session;
use crate::settle::load_pin;
use crate::state::{Pending, Voided, CONNECTED, LOGS, PENDING};
use crate::{registry, roots};

/// Most bytes of a reason.
const MAX_REASON: usize = 128;

/// Refuses everyone but the referee, and coins.
pub fn assert_referee(deps: Deps, info: &MessageInfo) -> ContractResult<()> {
    payment::nonpayable(info)?;
    let referee: Option<Addr> = CONNECTED.may_load(deps.storage)?.map(|connected| connected.referee);
    if referee.as_ref() != Some(&info.sender) {
        return Err(CommonError::Unauthorized { role: "the referee" }.into());
    }
    Ok(())
}

/// `Attest`.
pub fn attest(
    deps: DepsMut,
    info: MessageInfo,
    node_id: u64,
    denom: String,
    epoch: u64,
) -> ContractResult<Response> {
    assert_referee(deps.as_ref(), &info)?;
    let mut pending = roots::waiting(deps.storage, node_id, &denom, epoch)?;
    pending.attested = true;
    // A root of the first release was promised all its windows.
    if pending.early_at == 0 {
        pending.early_at = pending.final_at;
    }
    PENDING.save(deps.storage, node_id, &pending)?;
    Ok(respond("attest", node_id, epoch).add_attribute("final_at", pending.early_at.to_string()))
}

/// `HoldRoot`. A demand that ends after its root is gone changes nothing and is no error: its bond
/// must come free.
pub fn hold(
    deps: DepsMut,
    info: MessageInfo,
    node_id: u64,
    denom: String,
    epoch: u64,
    open: bool,
) -> ContractResult<Response> {
    assert_referee(deps.as_ref(), &info)?;
    let response = respond("hold_root", node_id, epoch).add_attribute("open", open.to_string());
    let mut pending = match roots::waiting(deps.storage, node_id, &denom, epoch) {
        Err(ContractError::RootNotWaiting { .. }) if !open => return Ok(response),
        found => found?,
    };
    pending.holds = if open {
        pending.holds.checked_add(1).ok_or(CommonError::AmountTooLarge {})?
    } else {
        pending.holds.saturating_sub(1)
    };
    PENDING.save(deps.storage, node_id, &pending)?;
    Ok(response.add_attribute("holds", pending.holds.to_string()))
}

/// `VoidRoot`. A root that is void already stays so.
pub fn void_root(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    (node_id, denom, epoch): (u64, String, u64),
    reason: String,
) -> ContractResult<Response> {
    assert_referee(deps.as_ref(), &info)?;
    if reason.len() > MAX_REASON {
        return Err(CommonError::BadField { field: "reason", rule: "at most 128 bytes" }.into());
    }
    roots::load(deps.storage, &env, (node_id, &denom, epoch))?;
    if roots::status(deps.storage, (node_id, &denom, epoch))? == RootStatus::Final {
        return Err(ContractError::RootNotWaiting { node_id, epoch });
    }
    let event = void_if_waiting(deps.storage, &env, (node_id, &denom, epoch), &reason)?;
    Ok(respond("void_root", node_id, epoch).add_events(event))
}

/// `Convict`. Confirms that the statement a proof rests on is true, to the bit.
pub fn convict(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    conviction: Conviction,
) -> ContractResult<Response> {
    assert_referee(deps.as_ref(), &info)?;
    let Conviction { node_id, denom, root, session, fault } = conviction;
    let differs = |what| Err(ContractError::ConvictionDiffers { what });
    if root.is_none() && session.is_none() {
        return differs("statement: it states nothing");
    }
    if let Some((session_id, hash)) = session {
        let facts = facts(deps.as_ref(), session_id, node_id)?;
        if facts.denom != denom || hash.as_slice() != facts.hash() {
            return differs("session's facts");
        }
    }
    let mut response = respond("convict", node_id, root.as_ref().map_or(0, |(epoch, _)| *epoch))
        .add_attribute("fault", &fault);
    if let Some((epoch, hash)) = root {
        let commit = roots::load(deps.storage, &env, (node_id, &denom, epoch))?.commit;
        if hash.as_slice() != commit.hash() {
            return differs("commitment");
        }
        if roots::is_old(deps.storage, (node_id, &denom, epoch)) {
            return differs("release: roots of the first one are in another order");
        }
        let reason: String = fault.chars().take(MAX_REASON / 4).collect();
        let event = void_if_waiting(deps.storage, &env, (node_id, &denom, epoch), &reason)?;
        response = response.add_events(event);
    }
    Ok(response)
}

/// Voids a root if it waits.
fn void_if_waiting(
    storage: &mut dyn Storage,
    env: &Env,
    (node_id, denom, epoch): (u64, &str, u64),
    reason: &str,
) -> ContractResult<Option<Event>> {
    let mut pending = match roots::waiting(storage, node_id, denom, epoch) {
        Err(ContractError::RootNotWaiting { .. }) => return Ok(None),
        found => found?,
    };
    let event = void(&mut pending, env, node_id, reason);
    PENDING.save(storage, node_id, &pending)?;
    Ok(Some(event))
}

/// Marks a root as void; the caller saves it.
pub fn void(pending: &mut Pending, env: &Env, node_id: u64, reason: &str) -> Event {
    pending.void = Some(Voided { at: env.block.height, reason: reason.to_string() });
    pending.voids = pending.voids.saturating_add(1);
    Event::new("root_void")
        .add_attribute("node_id", node_id.to_string())
        .add_attribute("denom", &pending.denom)
        .add_attribute("epoch", pending.epoch.to_string())
        .add_attribute("reason", reason)
}

/// What a one-step proof must state of a session and a node.
pub fn facts(deps: Deps, session_id: u64, node_id: u64) -> ContractResult<SessionFacts> {
    let session = session::load(deps.storage, session_id)?;
    let pin = load_pin(deps.storage, session_id, node_id)?;
    let log = LOGS.load(deps.storage, (session_id, node_id))?;
    let (price_in, price_out) = pin.prices(&session);
    let settled_epoch = match log.epoch {
        0 => 0,
        origin => roots::newest(deps.storage, node_id, &session.denom, origin)?,
    };
    Ok(SessionFacts {
        session_id,
        node_id,
        node_key: pin.node_key,
        denom: session.denom,
        model_id: session.model_id,
        model_version: session.model_version,
        datanets_hash: match session.datanets_hash.is_empty() {
            true => HexBinary::from(&ZERO_HASH),
            false => session.datanets_hash,
        },
        price_in,
        price_out,
        min_fee: session.min_fee,
        floor_per_token: session.floor_per_token,
        data_bps: session.split.data,
        opened_at: session.opened_at,
        log: log.log,
        settled_from: log.from,
        settled_epoch,
    })
}

fn respond(action: &str, node_id: u64, epoch: u64) -> Response {
    Response::new()
        .add_attribute("action", action)
        .add_attribute("node_id", node_id.to_string())
        .add_attribute("epoch", epoch.to_string())
}

/// Names the contracts that are believed.
pub fn connect(
    deps: DepsMut,
    info: MessageInfo,
    datanet: String,
    referee: String,
) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    openledger_contract::ownership::assert_owner(deps.storage, &info.sender)?;
    let connected = believe(deps, &datanet, &referee)?;
    Ok(Response::new()
        .add_attribute("action", "connect")
        .add_attribute("datanet", connected.datanet)
        .add_attribute("referee", connected.referee))
}

/// Writes down which contracts are believed; also at instantiation, when the node registry is there
/// already: the bonds' denom is asked once, here.
pub(crate) fn believe(
    deps: DepsMut,
    datanet: &str,
    referee: &str,
) -> ContractResult<crate::state::Connected> {
    let connected = crate::state::Connected {
        datanet: deps.api.addr_validate(datanet)?,
        referee: deps.api.addr_validate(referee)?,
        bond_denom: registry::bond_denom(deps.as_ref())?,
    };
    CONNECTED.save(deps.storage, &connected)?;
    Ok(connected)
}

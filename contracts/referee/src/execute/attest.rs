//! `Attest`, `ReportMisses` and `Resume` (PROTOCOL L6).
//!
//! A window begins with a snapshot of all weight, taken by the first attestation or report. Nobody is
//! counted as missing in a window that began before its weight was known. A window ends without a
//! quorum when auditors were silent or have left: once every miss of it is counted, the next one begins
//! with the weight of then, so that neither keeps a root from ever being attested.

use cosmwasm_std::{DepsMut, Env, Event, MessageInfo, QuerierWrapper, Response, Storage, Uint128, WasmMsg};
use openledger_contract::lists::is_rising;
use openledger_contract::{payment, CommonError};
use openledger_types::msg::escrow::{ExecuteMsg as EscrowMsg, RootStatus};
use openledger_types::msg::node_registry::RecordedWork;
use openledger_types::msg::referee::{Params, MAX_REPORTED};

use crate::state::{
    self, Attested, Contracts, Root, Round, Standing, ATTESTED, CONTRACTS, PARAMS, REPORTED, ROOTS,
    SNAPSHOTS, STANDINGS,
};
use crate::{weight, ContractError};

/// Which root.
pub struct RootKey {
    /// Node whose root it is.
    pub node_id: u64,
    /// Denom.
    pub denom: String,
    /// Epoch.
    pub epoch: u64,
}

impl RootKey {
    fn parts(&self) -> (u64, &str, u64) {
        (self.node_id, &self.denom, self.epoch)
    }
}

/// Counts an auditor's word that it holds both blobs of a root; tells the escrow at the quorum.
pub fn attest(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    auditor: u64,
    key: RootKey,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let contracts = CONTRACTS.load(deps.storage)?;
    let own = contracts.auditor_of(&deps.querier, auditor, info.sender.as_str())?;
    let epoch = contracts.epoch(&deps.querier, key.node_id, &key.denom, key.epoch)?;
    if epoch.status != RootStatus::Pending {
        return Err(ContractError::NotPending { status: epoch.status });
    }
    let operator = contracts.node(&deps.querier, key.node_id)?.operator;
    if own.operator == operator {
        return Err(ContractError::OwnRoot { node_id: key.node_id });
    }
    let params = PARAMS.load(deps.storage)?;
    let now = env.block.height;
    let mut root = state::root(deps.storage, key.node_id, &key.denom, key.epoch)?;
    if ATTESTED.has(deps.storage, (root.id, auditor)) {
        return Err(ContractError::AlreadyAttested { auditor });
    }
    let mut round = match root.round.take() {
        Some(round) => round,
        None => begin(deps.storage, &deps.querier, &contracts, &params, now, &root, &operator)?,
    };
    let weights = SNAPSHOTS.load(deps.storage, root.id)?;
    let counted = weight::counted(deps.storage, &deps.querier, &contracts, &weights, auditor)?;
    round.attested = round.attested.checked_add(counted)?;
    if now <= round.until {
        round.missing = round.missing.saturating_sub(1);
    }
    root.round = Some(round);
    let told = tell_quorum(&mut root, &contracts, &params, &key)?;

    ATTESTED.save(deps.storage, (root.id, auditor), &Attested { weight: counted, at: now, paid: false })?;
    STANDINGS.remove(deps.storage, auditor);
    ROOTS.save(deps.storage, key.parts(), &root)?;
    let work = RecordedWork { audits: 1, ..RecordedWork::default() };
    Ok(Response::new()
        .add_attribute("action", "attest")
        .add_event(
            Event::new("root_attestation")
                .add_attribute("auditor", auditor.to_string())
                .add_attribute("node_id", key.node_id.to_string())
                .add_attribute("denom", &key.denom)
                .add_attribute("epoch", key.epoch.to_string())
                .add_attribute("weight", counted)
                .add_attribute("quorum", root.attested.to_string()),
        )
        .add_messages(told)
        .add_message(contracts.record(auditor, work)?))
}

/// Counts misses of auditors in a window that is over, suspends who missed too many, and begins the next
/// window when all are counted and the root is still not attested.
pub fn report_misses(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    key: RootKey,
    auditors: Vec<u64>,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let rising = is_rising(&auditors, |auditor| *auditor);
    if auditors.len() > MAX_REPORTED || !rising {
        return Err(
            CommonError::BadField { field: "auditors", rule: "at most 32, rising, without repeats" }.into()
        );
    }
    let contracts = CONTRACTS.load(deps.storage)?;
    let epoch = contracts.epoch(&deps.querier, key.node_id, &key.denom, key.epoch)?;
    match epoch.status {
        RootStatus::Pending | RootStatus::Final => {}
        status => return Err(ContractError::RootVoid { status }),
    }
    let params = PARAMS.load(deps.storage)?;
    let now = env.block.height;
    let mut root = state::root(deps.storage, key.node_id, &key.denom, key.epoch)?;
    if root.demands > 0 {
        // What is demanded may be withheld: then the auditors were right not to attest.
        return Err(ContractError::DemandOpen {});
    }
    let pending = epoch.status == RootStatus::Pending;
    let mut messages = Vec::new();
    let mut begun = root.round.is_none();
    match root.round.take() {
        None if !pending => return Err(ContractError::NoWindow {}),
        None => {
            let operator = contracts.node(&deps.querier, key.node_id)?.operator;
            root.round =
                Some(begin(deps.storage, &deps.querier, &contracts, &params, now, &root, &operator)?);
        }
        Some(mut round) => {
            if now <= round.until {
                return Err(ContractError::WindowOpen { until: round.until });
            }
            let closed = round.missing == 0 && pending && !root.attested;
            if auditors.is_empty() && !closed {
                return Err(ContractError::NothingToReport {});
            }
            let weights = SNAPSHOTS.load(deps.storage, root.id)?;
            for auditor in &auditors {
                count_miss(deps.storage, root.id, &mut round, &weights, *auditor)?;
                messages.extend(missed(deps.storage, &contracts, &params, *auditor, info.sender.as_str())?);
            }
            let again = round.missing == 0 && pending && !root.attested;
            root.round = Some(round);
            if again {
                let operator = contracts.node(&deps.querier, key.node_id)?.operator;
                root.round =
                    Some(begin(deps.storage, &deps.querier, &contracts, &params, now, &root, &operator)?);
                begun = true;
            }
        }
    }
    if pending {
        messages.extend(tell_quorum(&mut root, &contracts, &params, &key)?);
    }

    ROOTS.save(deps.storage, key.parts(), &root)?;
    Ok(Response::new()
        .add_attribute("action", "report_misses")
        .add_event(
            Event::new("misses_reported")
                .add_attribute("node_id", key.node_id.to_string())
                .add_attribute("denom", &key.denom)
                .add_attribute("epoch", key.epoch.to_string())
                .add_attribute("misses", auditors.len().to_string())
                .add_attribute("window_begun", begun.to_string()),
        )
        .add_messages(messages))
}

/// Gives an auditor its weight back, from the next snapshot on.
pub fn resume(deps: DepsMut, info: MessageInfo, auditor: u64) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let node = CONTRACTS.load(deps.storage)?.node(&deps.querier, auditor)?;
    if node.operator != info.sender.as_str() {
        return Err(CommonError::Unauthorized { role: "the auditor's operator" }.into());
    }
    if !STANDINGS.may_load(deps.storage, auditor)?.is_some_and(|standing| standing.suspended) {
        return Err(ContractError::NotSuspended { auditor });
    }

    STANDINGS.remove(deps.storage, auditor);
    Ok(Response::new()
        .add_attribute("action", "resume")
        .add_event(Event::new("auditor_resumed").add_attribute("auditor", auditor.to_string())))
}

/// Begins a window: takes a snapshot and counts what was attested before with the weight of now.
fn begin(
    storage: &mut dyn Storage,
    querier: &QuerierWrapper,
    contracts: &Contracts,
    params: &Params,
    now: u64,
    root: &Root,
    operator: &str,
) -> Result<Round, ContractError> {
    let weights = weight::snapshot(storage, querier, contracts, &[operator])?;
    let mut attested = Uint128::zero();
    let mut still = 0u32;
    for (auditor, _) in SNAPSHOTS.may_load(storage, root.id)?.unwrap_or_default() {
        let Some(mut word) = ATTESTED.may_load(storage, (root.id, auditor))? else { continue };
        let weight = weight::of(&weights, auditor);
        if weight.is_zero() {
            // Whoever comes back attests again.
            ATTESTED.remove(storage, (root.id, auditor));
            continue;
        }
        attested = attested.checked_add(weight)?;
        still = still.saturating_add(1);
        if weight != word.weight {
            word.weight = weight;
            ATTESTED.save(storage, (root.id, auditor), &word)?;
        }
    }
    SNAPSHOTS.save(storage, root.id, &weights)?;
    let number = root.round.as_ref().map_or(0, |round| round.number).saturating_add(1);
    let members = u32::try_from(weights.len()).unwrap_or(u32::MAX);
    Ok(Round {
        number,
        until: state::after(now, params.availability_blocks)?,
        eligible: weight::total(&weights)?,
        attested,
        missing: members.saturating_sub(still),
    })
}

/// Marks a miss of the newest window as counted; refuses one that is none.
fn count_miss(
    storage: &mut dyn Storage,
    root_id: u64,
    round: &mut Round,
    weights: &[(u64, Uint128)],
    auditor: u64,
) -> Result<(), ContractError> {
    let in_time = ATTESTED.may_load(storage, (root_id, auditor))?.is_some_and(|word| word.at <= round.until);
    let counted =
        REPORTED.may_load(storage, (root_id, auditor))?.is_some_and(|number| number >= round.number);
    if in_time || counted || weight::of(weights, auditor).is_zero() {
        return Err(ContractError::NotMissed { auditor });
    }
    round.missing = round.missing.saturating_sub(1);
    REPORTED.save(storage, (root_id, auditor), &round.number)?;
    Ok(())
}

/// One more root missed in a row; the last one that is allowed costs weight and bond.
fn missed(
    storage: &mut dyn Storage,
    contracts: &Contracts,
    params: &Params,
    auditor: u64,
    finder: &str,
) -> Result<Vec<WasmMsg>, ContractError> {
    let mut standing = STANDINGS.may_load(storage, auditor)?.unwrap_or_default();
    let work = RecordedWork { misses: 1, ..RecordedWork::default() };
    let mut messages = vec![contracts.record(auditor, work)?];
    if !standing.suspended {
        let missed = standing.missed.saturating_add(1);
        standing = Standing { missed, suspended: missed >= params.missed_roots };
        STANDINGS.save(storage, auditor, &standing)?;
        if standing.suspended {
            let reason = format!("left {missed} roots in a row unattested");
            messages.push(contracts.slash(auditor, params.missed_cut_bps, finder, &reason)?);
        }
    }
    Ok(messages)
}

/// The message to the escrow when the quorum is reached for the first time.
fn tell_quorum(
    root: &mut Root,
    contracts: &Contracts,
    params: &Params,
    key: &RootKey,
) -> Result<Option<WasmMsg>, ContractError> {
    let quorum = root
        .round
        .as_ref()
        .is_some_and(|round| weight::is_quorum(round.attested, round.eligible, params.quorum_bps));
    if root.attested || !quorum {
        return Ok(None);
    }
    root.attested = true;
    let RootKey { node_id, denom, epoch } = key;
    let msg = EscrowMsg::Attest { node_id: *node_id, denom: denom.clone(), epoch: *epoch };
    Ok(Some(contracts.tell_escrow(&msg)?))
}

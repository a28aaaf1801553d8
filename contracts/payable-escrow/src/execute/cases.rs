//! Receipts that auditors vote on (F2), and what auditors are paid (F4).

use cosmwasm_std::{DepsMut, Env, Event, HexBinary, MessageInfo, OverflowError, Response, Storage, Uint128};
use openledger_contract::CommonError;
use openledger_merkle::verify_inclusion;
use openledger_types::formats::{hash32, receipt_leaf};
use openledger_types::msg::escrow::{HeldReceipt, RootStatus, MAX_HELD};

use crate::error::{ContractError, ContractResult};
use crate::execute::root::{assert_referee, void};
use crate::execute::session;
use crate::settle::load_pin;
use crate::state::{
    Cited, HeldCase, NodePin, Pending, Session, Worth, CASES, CITED, CITED_RECEIPTS, FUNDS, HOLDS, LOGS,
    OUTCOMES, PENDING, PURSES,
};
use crate::{book, money, roots};

/// `HoldReceipts`.
pub fn hold(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    case_id: u64,
    (node_id, denom, epoch): (u64, String, u64),
    receipts: Vec<HeldReceipt>,
) -> ContractResult<Response> {
    assert_referee(deps.as_ref(), &info)?;
    if receipts.is_empty() || receipts.len() > MAX_HELD {
        return Err(ContractError::BadBatch { list: "receipts", reason: "give 1 to 16" });
    }
    if CASES.has(deps.storage, case_id) {
        return Err(ContractError::CaseExists { case_id });
    }
    let mut pending = roots::waiting(deps.storage, node_id, &denom, epoch)?;
    let commit = roots::load(deps.storage, &env, (node_id, &denom, epoch))?.commit;
    let root = commit.receipts.node()?;
    let (fees, data) = (pending.fees, pending.data);
    pending.covered = Some(pending.covered());
    let mut cited = Vec::with_capacity(receipts.len());
    let mut leaves = Vec::with_capacity(receipts.len());
    for (position, receipt) in receipts.iter().enumerate() {
        let refuse = |reason| Err(ContractError::ReceiptNotHeld { position, reason });
        let id = hash32("receipt_id", &receipt.receipt_id)?;
        let leaf = receipt_leaf(&id, receipt.session_id, receipt.sequence, receipt.fee.u128());
        if !verify_inclusion(&leaf, receipt.index, commit.receipts.count, &receipt.path, &root) {
            return refuse("it is not in the receipts tree");
        }
        // What stands on a leaf names it, not the receipt's id alone, which a node may list more than once.
        let leaf = leaf.hash;
        let known = HOLDS.may_load(deps.storage, &leaf)?;
        if known.is_none() && CITED_RECEIPTS.has(deps.storage, &id) {
            return refuse("a case has held it");
        }
        let parties = parties(deps.storage, receipt.session_id, node_id)?;
        let log = LOGS.load(deps.storage, (receipt.session_id, node_id))?;
        let settled = log.epoch == pending.origin() && parties.session.denom == denom;
        if !settled || receipt.sequence <= log.from || receipt.sequence > log.log.count {
            return refuse("its session did not settle it in this epoch");
        }
        let mut hold = known.unwrap_or_default();
        if hold.taken {
            return refuse("a verdict took its fee");
        }
        if hold.cases.contains(&case_id) {
            return refuse("the case names it twice");
        }
        let is_held = !hold.cases.is_empty();
        hold.cases.push(case_id);
        HOLDS.save(deps.storage, &leaf, &hold)?;
        leaves.push(HexBinary::from(&leaf));
        cited.push((receipt.session_id, receipt.fee));
        if is_held {
            // By another case: its fee is out of the root until the last of them is decided.
            continue;
        }
        let key = (receipt.session_id, node_id, pending.origin());
        let mut of = match CITED.may_load(deps.storage, key)? {
            Some(of) => of,
            None => {
                let fees = log.log.sum.checked_sub(log.before)?;
                Cited { fees, out: Uint128::zero(), away: Uint128::zero() }
            }
        };
        let old = of.fees.checked_sub(of.out)?;
        let Ok(new) = old.checked_sub(receipt.fee) else {
            return refuse("its fee exceeds what its session settled");
        };
        of.out = of.out.checked_add(receipt.fee)?;
        CITED.save(deps.storage, key, &of)?;
        book::rebook(&mut pending, &parties.session, &parties.pin.operator, (old, new))?;
    }
    let held = Worth { fees: fees.checked_sub(pending.fees)?, data: data.saturating_sub(pending.data) };
    pending.cases = pending.cases.checked_add(1).ok_or(CommonError::AmountTooLarge {})?;
    PENDING.save(deps.storage, node_id, &pending)?;
    money::update(deps.storage, &denom, |counters| {
        money::shift(&mut counters.pending, &mut counters.held, held.fees)
    })?;
    let response = Response::new()
        .add_attribute("action", "hold_receipts")
        .add_attribute("case_id", case_id.to_string())
        .add_attribute("node_id", node_id.to_string())
        .add_attribute("epoch", epoch.to_string())
        .add_attribute("fees", format!("{}{denom}", held.fees));
    let origin = pending.origin();
    let case = HeldCase { node_id, denom, origin, receipts: cited, leaves, held, decided: false };
    CASES.save(deps.storage, case_id, &case)?;
    Ok(response)
}

/// `DecideReceipts`. Where the coins go depends on the root: a case may outlive it.
pub fn decide(
    mut deps: DepsMut,
    env: Env,
    info: MessageInfo,
    case_id: u64,
    guilty: bool,
) -> ContractResult<Response> {
    assert_referee(deps.as_ref(), &info)?;
    let mut case = CASES.may_load(deps.storage, case_id)?.ok_or(ContractError::CaseNotFound { case_id })?;
    if case.decided {
        return Err(ContractError::CaseDecided { case_id });
    }
    let root = PENDING.may_load(deps.storage, case.node_id)?;
    let root = root.filter(|root| root.covers(&case.denom, case.origin));
    let before_finality = root.is_some();
    let moving = settle_holds(deps.storage, case_id, &case, guilty)?;
    let event = match root {
        Some(pending) => decide_before(&mut deps, &env, (&case, &moving), pending, guilty)?,
        None => decide_after(&mut deps, (&case, &moving), guilty)?,
    };
    let response = Response::new()
        .add_attribute("action", "decide_receipts")
        .add_attribute("case_id", case_id.to_string())
        .add_attribute("guilty", guilty.to_string())
        .add_attribute("before_finality", before_finality.to_string())
        .add_attribute("fees", format!("{}{}", case.held.fees, case.denom))
        .add_events(event);
    case.held = Worth::default();
    case.decided = true;
    CASES.save(deps.storage, case_id, &case)?;
    Ok(response)
}

/// Takes a case's name from its receipts. Gives those, as (session, fee), whose fees move by this verdict: of guilt all
/// whose fee no other verdict has taken; else those that no other case holds, and the next of them holds the rest.
fn settle_holds(
    storage: &mut dyn Storage,
    case_id: u64,
    case: &HeldCase,
    guilty: bool,
) -> ContractResult<Vec<(u64, Uint128)>> {
    let mut moving = Vec::with_capacity(case.receipts.len());
    for (position, (session_id, fee)) in case.receipts.iter().enumerate() {
        let Some(leaf) = case.leaves.get(position) else {
            moving.push((*session_id, *fee));
            continue;
        };
        let mut hold = HOLDS.load(storage, leaf.as_slice())?;
        let holder = hold.cases.first().copied();
        hold.cases.retain(|open| *open != case_id);
        let next = hold.cases.first().copied();
        match (guilty, hold.taken) {
            (true, false) => {
                hold.taken = true;
                moving.push((*session_id, *fee));
                if let Some(holder) = holder.filter(|holder| *holder != case_id) {
                    shift_hold(storage, holder, *session_id, *fee, Uint128::checked_sub)?;
                }
            }
            (false, false) => match next {
                None => moving.push((*session_id, *fee)),
                Some(next) if holder == Some(case_id) => {
                    shift_hold(storage, next, *session_id, *fee, Uint128::checked_add)?;
                }
                Some(_) => {}
            },
            (_, true) => {}
        }
        match hold.cases.is_empty() && !hold.taken {
            true => HOLDS.remove(storage, leaf.as_slice()),
            false => HOLDS.save(storage, leaf.as_slice(), &hold)?,
        }
    }
    Ok(moving)
}

/// Counts a receipt into what a case holds, or out of it. The data's part of one receipt may differ by a unit from what
/// the root lost with it.
fn shift_hold(
    storage: &mut dyn Storage,
    case_id: u64,
    session_id: u64,
    fee: Uint128,
    shift: fn(Uint128, Uint128) -> Result<Uint128, OverflowError>,
) -> ContractResult<()> {
    let mut case = CASES.load(storage, case_id)?;
    let data = book::parts(&session::load(storage, session_id)?, fee)?.data.into();
    case.held.fees = shift(case.held.fees, fee)?;
    case.held.data = shift(case.held.data, data).unwrap_or_default();
    CASES.save(storage, case_id, &case)?;
    Ok(())
}

/// While the root is not final: released fees go back into it, those of a verdict to the session, and
/// the root is void because it pays for them.
fn decide_before(
    deps: &mut DepsMut,
    env: &Env,
    (case, moving): (&HeldCase, &[(u64, Uint128)]),
    mut pending: Pending,
    guilty: bool,
) -> ContractResult<Option<Event>> {
    let node_id = case.node_id;
    let mut covered = pending.covered();
    let (mut released, mut escrowed, mut accrued) = (Uint128::zero(), Uint128::zero(), Uint128::zero());
    for (session_id, fee) in moving {
        let Parties { session, pin } = parties(deps.storage, *session_id, node_id)?;
        let key = (*session_id, node_id, case.origin);
        let mut of = CITED.load(deps.storage, key)?;
        if guilty {
            let old = of.fees.checked_sub(of.away)?;
            let new = old.checked_sub(*fee)?;
            of.away = of.away.checked_add(*fee)?;
            let mut purse = PURSES.load(deps.storage, *session_id)?;
            let (before, after) = (book::parts(&session, old)?.data, book::parts(&session, new)?.data);
            covered.fees = covered.fees.checked_sub(*fee)?;
            covered.data = covered.data.checked_add(after.into())?.checked_sub(before.into())?;
            book::repay(&mut purse, &session, (old, new))?;
            if purse.closed {
                purse.refunded = purse.refunded.checked_add(*fee)?;
                money::credit(deps.storage, &session.owner, &session.denom, *fee)?;
                accrued = accrued.checked_add(*fee)?;
            } else {
                escrowed = escrowed.checked_add(*fee)?;
            }
            PURSES.save(deps.storage, *session_id, &purse)?;
            pending.struck = pending.struck.saturating_add(1);
        } else {
            let old = of.fees.checked_sub(of.out)?;
            let new = old.checked_add(*fee)?;
            of.out = of.out.checked_sub(*fee)?;
            book::rebook(&mut pending, &session, &pin.operator, (old, new))?;
            released = released.checked_add(*fee)?;
        }
        CITED.save(deps.storage, key, &of)?;
    }
    pending.covered = Some(covered);
    pending.cases = pending.cases.saturating_sub(1);
    let event = match guilty && !moving.is_empty() && pending.void.is_none() {
        true => Some(void(&mut pending, env, node_id, "a verdict on its receipts")),
        false => None,
    };
    PENDING.save(deps.storage, node_id, &pending)?;
    money::update(deps.storage, &case.denom, |counters| {
        money::shift(&mut counters.held, &mut counters.pending, released)?;
        money::shift(&mut counters.held, &mut counters.escrowed, escrowed)?;
        money::shift(&mut counters.held, &mut counters.accrued, accrued)
    })?;
    Ok(event)
}

/// After finality the ledger has promised the data's part; the rest goes to those who would have had
/// it, or back to the payer.
fn decide_after(
    deps: &mut DepsMut,
    (case, moving): (&HeldCase, &[(u64, Uint128)]),
    guilty: bool,
) -> ContractResult<Option<Event>> {
    let denom = case.denom.as_str();
    let (mut data, mut accrued, mut treasury) = (Uint128::zero(), Uint128::zero(), Uint128::zero());
    for (session_id, fee) in moving {
        let Parties { session, pin } = parties(deps.storage, *session_id, case.node_id)?;
        let key = (*session_id, case.node_id, case.origin);
        let mut of = CITED.load(deps.storage, key)?;
        let old = of.fees.checked_sub(of.out)?;
        of.out = of.out.checked_sub(*fee)?;
        CITED.save(deps.storage, key, &of)?;
        let late = book::late(&session, &pin.operator, (old, old.checked_add(*fee)?))?;
        data = data.checked_add(late.data)?;
        if guilty {
            let back = fee.checked_sub(late.data)?;
            money::credit(deps.storage, &session.owner, denom, back)?;
            accrued = accrued.checked_add(back)?;
        } else {
            accrued = accrued.checked_add(money::credit_all(deps.storage, &late.payees, denom)?)?;
            treasury = treasury.checked_add(late.protocol)?;
        }
    }
    let mut funds = FUNDS.may_load(deps.storage, (case.node_id, denom))?.unwrap_or_default();
    funds.funded = funds.funded.checked_add(data)?;
    FUNDS.save(deps.storage, (case.node_id, denom), &funds)?;
    money::update(deps.storage, denom, |counters| {
        money::shift(&mut counters.held, &mut counters.ledgers, data)?;
        money::shift(&mut counters.held, &mut counters.accrued, accrued)?;
        money::shift(&mut counters.held, &mut counters.treasury, treasury)
    })?;
    Ok(None)
}

/// `PayAudit`.
pub fn pay_audit(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    (node_id, denom, epoch): (u64, String, u64),
    to: String,
    amount: Uint128,
) -> ContractResult<Response> {
    assert_referee(deps.as_ref(), &info)?;
    let to_addr = deps.api.addr_validate(&to)?;
    if amount.is_zero() {
        return Err(CommonError::BadParam { name: "amount", rule: "at least 1" }.into());
    }
    roots::load(deps.storage, &env, (node_id, &denom, epoch))?;
    let place = (node_id, denom.as_str(), epoch);
    let outcome = OUTCOMES.may_load(deps.storage, place)?;
    let Some(mut outcome) = outcome.filter(|outcome| outcome.status == RootStatus::Final) else {
        return Err(ContractError::RootNotFinal { node_id, epoch });
    };
    let left = outcome.audit.saturating_sub(outcome.paid);
    if amount > left {
        return Err(ContractError::AuditSpent { left });
    }
    outcome.paid = outcome.paid.checked_add(amount)?;
    OUTCOMES.save(deps.storage, place, &outcome)?;
    money::credit(deps.storage, &to_addr, &denom, amount)?;
    money::update(deps.storage, &denom, |counters| {
        money::shift(&mut counters.audits, &mut counters.accrued, amount)
    })?;
    Ok(Response::new()
        .add_attribute("action", "pay_audit")
        .add_attribute("node_id", node_id.to_string())
        .add_attribute("epoch", epoch.to_string())
        .add_attribute("to", to_addr)
        .add_attribute("amount", format!("{amount}{denom}")))
}

/// A session and one of its nodes.
struct Parties {
    session: Session,
    pin: NodePin,
}

fn parties(storage: &dyn Storage, session_id: u64, node_id: u64) -> ContractResult<Parties> {
    Ok(Parties { session: session::load(storage, session_id)?, pin: load_pin(storage, session_id, node_id)? })
}

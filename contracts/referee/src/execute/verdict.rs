//! `Conclude` (PROTOCOL F2, F3): a quorum decides; silence and a missing quorum release.

use cosmwasm_std::{
    coin, Addr, BankMsg, CosmosMsg, DepsMut, Env, Event, MessageInfo, Response, Storage, Uint128,
};
use openledger_contract::payment;
use openledger_types::msg::datanet::ExecuteMsg as DatanetMsg;
use openledger_types::msg::escrow::ExecuteMsg as EscrowMsg;
use openledger_types::msg::node_registry::{ExecuteMsg as NodeMsg, RecordedWork};
use openledger_types::msg::referee::{ContributionClaim, ReceiptFault, Subject, Verdict};

use super::vote::running;
use crate::state::{
    self, Case, Contracts, Docket, ARBITRATED, CASES, CLAIM_HOLDERS, CONTRACTS, CONTRIBUTION_CASES, DOCKETS,
    OPEN_CLAIMS, OPEN_RECEIPTS, PARAMS, RECEIPT_CASES, REFUTED, TOTALS,
};
use crate::{weight, ContractError};

/// Ends a case whose time is over, or whose whole jury has revealed.
pub fn conclude(deps: DepsMut, env: Env, info: MessageInfo, case_id: u64) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let docket = running(deps.storage, case_id)?;
    if env.block.height <= docket.reveal_until {
        if ARBITRATED.has(deps.storage, case_id) {
            return Err(ContractError::Arbitrated { case_id, until: docket.reveal_until });
        }
        if !docket.silent.is_zero() {
            return Err(ContractError::CaseRuns { case_id, until: docket.reveal_until });
        }
    }
    ARBITRATED.remove(deps.storage, case_id);
    let verdict = match decide(&docket) {
        Verdict::Undecided if REFUTED.has(deps.storage, case_id) => Verdict::NotGuilty,
        verdict => verdict,
    };
    end(deps, case_id, docket, verdict, "conclude")
}

/// Carries a verdict out: releases or convicts, settles the bond.
pub(crate) fn end(
    deps: DepsMut,
    case_id: u64,
    mut docket: Docket,
    verdict: Verdict,
    action: &str,
) -> Result<Response, ContractError> {
    let case = CASES.may_load(deps.storage, case_id)?.ok_or(ContractError::CaseNotFound { case_id })?;
    let contracts = CONTRACTS.load(deps.storage)?;
    docket.verdict = Some(verdict);
    let closing = close(deps.storage, case_id, &case.subject, verdict)?;
    let mut messages = match &case.subject {
        Subject::Receipts { .. } => on_receipts(&contracts, case_id, &case, verdict, &closing)?,
        Subject::Contribution { contribution_id, claim } => {
            on_contribution(&contracts, *contribution_id, claim, &case.challenger, &closing)?
        }
    };
    let burned = settle_bond(deps.storage, &case, verdict)?;
    if !burned.is_zero() {
        let denom = PARAMS.load(deps.storage)?.denom;
        messages.push(BankMsg::Burn { amount: vec![coin(burned.u128(), denom)] }.into());
    }

    DOCKETS.save(deps.storage, case_id, &docket)?;
    Ok(Response::new()
        .add_attribute("action", action)
        .add_event(
            Event::new("case_ended")
                .add_attribute("case_id", case_id.to_string())
                .add_attribute("verdict", name(verdict))
                .add_attribute("guilty", docket.guilty)
                .add_attribute("not_guilty", docket.not_guilty)
                .add_attribute("eligible", docket.eligible)
                .add_attribute("burned", burned),
        )
        .add_messages(messages))
}

/// Both sides cannot reach a quorum of more than half.
fn decide(docket: &Docket) -> Verdict {
    let reached = |side| weight::is_quorum(side, docket.eligible, docket.quorum_bps);
    match (reached(docket.guilty), reached(docket.not_guilty)) {
        (true, _) => Verdict::Guilty,
        (_, true) => Verdict::NotGuilty,
        _ => Verdict::Undecided,
    }
}

/// Releases or convicts receipts; a guilty node's cut is planned, so that the owner may veto it (F3).
fn on_receipts(
    contracts: &Contracts,
    case_id: u64,
    case: &Case,
    verdict: Verdict,
    closing: &Closing,
) -> Result<Vec<CosmosMsg>, ContractError> {
    let mut messages: Vec<CosmosMsg> = Vec::new();
    let Subject::Receipts { node_id, kind, .. } = &case.subject else { return Ok(messages) };
    let guilty = verdict == Verdict::Guilty;
    if case.held {
        messages.push(contracts.tell_escrow(&EscrowMsg::DecideReceipts { case_id, guilty })?.into());
    }
    if closing.convicts {
        let plan = NodeMsg::PlanCut {
            node_id: *node_id,
            bps: case.cut_bps,
            finder: Some(case.challenger.to_string()),
            reason: format!("case {case_id}: {}", fault_name(*kind)),
        };
        let work = RecordedWork { faults: 1, ..RecordedWork::default() };
        messages.push(contracts.tell_nodes(&plan)?.into());
        messages.push(contracts.record(*node_id, work)?.into());
    }
    let thaw = NodeMsg::Freeze { node_id: *node_id, open: false };
    messages.push(contracts.tell_nodes(&thaw)?.into());
    Ok(messages)
}

/// Releases or convicts a contribution; neither when another case has convicted it, or keeps it out.
fn on_contribution(
    contracts: &Contracts,
    contribution_id: u64,
    claim: &ContributionClaim,
    challenger: &Addr,
    closing: &Closing,
) -> Result<Vec<CosmosMsg>, ContractError> {
    let msg = match closing {
        Closing { convicts: true, .. } => DatanetMsg::ConvictContribution {
            contribution_id,
            copied_of: match claim {
                ContributionClaim::Copied { of } => Some(*of),
                _ => None,
            },
            reason: claim_name(claim).to_string(),
            finder: challenger.to_string(),
        },
        Closing { releases: true, .. } => DatanetMsg::HoldContribution { contribution_id, open: false },
        _ => return Ok(vec![]),
    };
    Ok(vec![contracts.tell_datanet(&msg)?.into()])
}

/// What the end of a case means for its subject.
struct Closing {
    /// It is found guilty now, and was not before: one fault is punished once, by whatever kinds it is accused.
    convicts: bool,
    /// It was never found guilty, and this case kept it out of versions.
    releases: bool,
}

/// Takes a case's name from its subject, so that what was not found guilty can be challenged again, with new evidence
/// and another bond.
fn close(
    storage: &mut dyn Storage,
    case_id: u64,
    subject: &Subject,
    verdict: Verdict,
) -> Result<Closing, ContractError> {
    let guilty = verdict == Verdict::Guilty;
    // A case of an earlier release stands where only guilt does now.
    let mut closing = Closing { convicts: false, releases: false };
    match subject {
        Subject::Receipts { receipts, kind, .. } => {
            for receipt in receipts {
                let id = receipt.receipt_id.as_slice();
                OPEN_RECEIPTS.remove(storage, (id, state::kind_number(*kind)));
                let decided = RECEIPT_CASES.may_load(storage, id)?.filter(|by| *by != case_id);
                match (guilty, decided) {
                    (true, None) => {
                        RECEIPT_CASES.save(storage, id, &case_id)?;
                        closing.convicts = true;
                    }
                    (false, None) => RECEIPT_CASES.remove(storage, id),
                    (_, Some(_)) => {}
                }
            }
        }
        Subject::Contribution { contribution_id, claim } => {
            OPEN_CLAIMS.remove(storage, state::claim_key(*contribution_id, claim));
            // A case of an earlier release holds it without an entry.
            let holder = CLAIM_HOLDERS.may_load(storage, *contribution_id)?;
            let is_holder = holder.is_none_or(|holder| holder == case_id);
            if is_holder {
                CLAIM_HOLDERS.remove(storage, *contribution_id);
            }
            let decided = CONTRIBUTION_CASES.may_load(storage, *contribution_id)?.filter(|by| *by != case_id);
            match (guilty, decided) {
                (true, None) => {
                    CONTRIBUTION_CASES.save(storage, *contribution_id, &case_id)?;
                    closing.convicts = true;
                }
                (false, None) => {
                    CONTRIBUTION_CASES.remove(storage, *contribution_id);
                    closing.releases = is_holder;
                }
                (_, Some(_)) => {}
            }
        }
    }
    Ok(closing)
}

/// Returns the bond, or forfeits it when a quorum said not guilty: `floor(bond / 2)` is burned, the rest
/// is the accused's. Whoever accused itself gets nothing: the rest is then the treasury's. Gives what is
/// to be burned.
fn settle_bond(storage: &mut dyn Storage, case: &Case, verdict: Verdict) -> Result<Uint128, ContractError> {
    let mut totals = TOTALS.load(storage)?;
    totals.case_bonds = totals.case_bonds.checked_sub(case.bond)?;
    let burned = match verdict {
        Verdict::NotGuilty => Uint128::new(case.bond.u128() / 2),
        Verdict::Guilty | Verdict::Undecided => Uint128::zero(),
    };
    let rest = case.bond.checked_sub(burned)?;
    let to = match verdict {
        Verdict::Guilty | Verdict::Undecided => Some(&case.challenger),
        Verdict::NotGuilty if case.accused == case.challenger => None,
        Verdict::NotGuilty => Some(&case.accused),
    };
    match to {
        Some(to) => {
            totals.withdrawable = totals.withdrawable.checked_add(rest)?;
            state::credit(storage, to, rest)?;
        }
        None => totals.treasury = totals.treasury.checked_add(rest)?,
    }
    TOTALS.save(storage, &totals)?;
    Ok(burned)
}

fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Guilty => "guilty",
        Verdict::NotGuilty => "not_guilty",
        Verdict::Undecided => "undecided",
    }
}

fn fault_name(kind: ReceiptFault) -> &'static str {
    match kind {
        ReceiptFault::Output => "the answer is not the model's",
        ReceiptFault::MissingSource => "a source that the answer repeats is missing",
        ReceiptFault::Influence => "shares of influence do not follow from the signature",
        ReceiptFault::NoEvidence => "too much is declared without evidence",
    }
}

fn claim_name(claim: &ContributionClaim) -> &'static str {
    match claim {
        ContributionClaim::Copied { .. } => "it copies or nearly repeats an earlier contribution",
        ContributionClaim::WrongCluster {} => "it does not nearly repeat what it claims to repeat",
        ContributionClaim::FalseMatchRoot {} => "its match root is not that of its content",
        ContributionClaim::Unlicensed {} => "its contributor may not license it",
        ContributionClaim::Poisoned {} => "it was made to harm models",
    }
}

//! `OpenCase` (PROTOCOL F2): a bonded accusation that auditors vote on.

use cosmwasm_std::{Addr, DepsMut, Env, Event, MessageInfo, QuerierWrapper, Response, Uint128, WasmMsg};
use openledger_contract::lists::is_rising;
use openledger_contract::{payment, text, CommonError};
use openledger_merkle::verify_inclusion;
use openledger_types::formats::{hash32, receipt_leaf, SumRoot};
use openledger_types::money::bps_ceil;
use openledger_types::msg::datanet::ExecuteMsg as DatanetMsg;
use openledger_types::msg::escrow::{ExecuteMsg as EscrowMsg, HeldReceipt, RootStatus, MAX_HELD};
use openledger_types::msg::node_registry::{ExecuteMsg as NodeMsg, NodeStatus};
use openledger_types::msg::referee::{ContributionClaim, Params, ReceiptFault, Subject};
use openledger_types::packed::SumPath;

use crate::state::{
    self, Case, Contracts, Docket, CASES, CASE_COUNT, CLAIM_HOLDERS, CONTRACTS, CONTRIBUTION_CASES, DOCKETS,
    JURIES, OPEN_CLAIMS, OPEN_RECEIPTS, PARAMS, RECEIPT_CASES, TOTALS,
};
use crate::{weight, ContractError};

/// What opening a case about a subject means.
struct Opening {
    /// Operator of the node, or contributor.
    accused: String,
    /// Whether the escrow holds the receipts.
    held: bool,
    /// Least bond.
    least: Uint128,
    /// What the other contracts are told.
    messages: Vec<WasmMsg>,
}

/// Opens a case: takes the bond, snapshots the jury, holds what it is about.
pub fn open_case(
    mut deps: DepsMut,
    env: Env,
    info: MessageInfo,
    subject: Subject,
    reason: String,
) -> Result<Response, ContractError> {
    let params = PARAMS.load(deps.storage)?;
    let bond = Uint128::new(payment::must_pay(&info, &params.denom)?);
    text::paragraph("reason", &reason, 1_024, "at most 1,024 bytes: where the evidence is")?;
    let contracts = CONTRACTS.load(deps.storage)?;
    let case_id = state::next(deps.storage, &CASE_COUNT)?;
    let opening = match &subject {
        Subject::Receipts { .. } => open_receipts(&mut deps, &env, &contracts, &params, case_id, &subject)?,
        Subject::Contribution { contribution_id, claim } => {
            open_contribution(&mut deps, &contracts, &params, case_id, *contribution_id, claim)?
        }
    };
    let Opening { accused, held, least, messages } = opening;
    if bond < least {
        return Err(ContractError::BondTooSmall { least, sent: bond });
    }
    let interested = [accused.as_str(), info.sender.as_str()];
    let jury = weight::snapshot(deps.storage, &deps.querier, &contracts, &interested)?;
    let eligible = weight::total(&jury)?;
    if eligible.is_zero() {
        return Err(ContractError::NoJury {});
    }
    let opened_at = env.block.height;
    let half = params.dispute_blocks / 2;
    let docket = Docket {
        opened_at,
        commit_until: state::after(opened_at, half)?,
        reveal_until: state::after(opened_at, params.dispute_blocks)?,
        quorum_bps: params.quorum_bps,
        eligible,
        silent: eligible,
        guilty: Uint128::zero(),
        not_guilty: Uint128::zero(),
        verdict: None,
    };
    let mut totals = TOTALS.load(deps.storage)?;
    totals.case_bonds = totals.case_bonds.checked_add(bond)?;
    let event = Event::new("case_opened")
        .add_attribute("case_id", case_id.to_string())
        .add_attribute("challenger", &info.sender)
        .add_attribute("accused", &accused)
        .add_attribute("bond", bond)
        .add_attribute("held", held.to_string())
        .add_attribute("eligible", eligible)
        .add_attribute("commit_until", docket.commit_until.to_string())
        .add_attribute("reveal_until", docket.reveal_until.to_string());

    TOTALS.save(deps.storage, &totals)?;
    JURIES.save(deps.storage, case_id, &jury)?;
    DOCKETS.save(deps.storage, case_id, &docket)?;
    let case = Case {
        challenger: info.sender,
        subject: without_paths(subject),
        reason,
        bond,
        accused: Addr::unchecked(accused),
        held,
        cut_bps: params.voted_cut_bps,
    };
    CASES.save(deps.storage, case_id, &case)?;
    Ok(Response::new().add_attribute("action", "open_case").add_event(event).add_messages(messages))
}

/// Checks receipts and takes them into the case. While the root waits, the escrow holds them and checks
/// that they stand in it; of a final root they are proved here, and only the bonds are at stake.
fn open_receipts(
    deps: &mut DepsMut,
    env: &Env,
    contracts: &Contracts,
    params: &Params,
    case_id: u64,
    subject: &Subject,
) -> Result<Opening, ContractError> {
    let Subject::Receipts { node_id, denom, epoch, kind, receipts } = subject else {
        return Err(CommonError::BadField { field: "subject", rule: "receipts" }.into());
    };
    let rising = is_rising(receipts, |receipt| receipt.index);
    if receipts.is_empty() || receipts.len() > MAX_HELD || !rising {
        let rule = "1 to 16, in the order of their positions, without repeats";
        return Err(CommonError::BadField { field: "receipts", rule }.into());
    }
    // One verdict is about all that is cited: an answer that nobody can compute would save the others beside it.
    if *kind == ReceiptFault::Output && receipts.len() > 1 {
        return Err(
            CommonError::BadField { field: "receipts", rule: "one: an answer is judged alone" }.into()
        );
    }
    let found = contracts.epoch(&deps.querier, *node_id, denom, *epoch)?;
    let held = match found.status {
        RootStatus::Pending => true,
        RootStatus::Final => false,
        status => return Err(ContractError::RootVoid { status }),
    };
    let node = contracts.node(&deps.querier, *node_id)?;
    // Otherwise one case after the other could keep the bond of who has left for ever.
    let is_free = node.status == NodeStatus::Left
        || node.unbonds_at.is_some_and(|unbonds_at| unbonds_at <= env.block.height);
    if !held && is_free {
        return Err(ContractError::BondIsFree { node_id: *node_id });
    }
    let mut fees = Uint128::zero();
    for receipt in receipts {
        let receipt_id = hash32("receipt_id", &receipt.receipt_id)?;
        if !held {
            check_receipt(receipt, &found.commit.receipts)?;
        }
        let key = (receipt_id.as_slice(), state::kind_number(*kind));
        let decided = RECEIPT_CASES.may_load(deps.storage, &receipt_id)?;
        if let Some(case_id) = decided.or(OPEN_RECEIPTS.may_load(deps.storage, key)?) {
            return Err(ContractError::CaseExists { case_id });
        }
        OPEN_RECEIPTS.save(deps.storage, key, &case_id)?;
        fees = fees.checked_add(receipt.fee)?;
    }
    let mut messages = Vec::new();
    if held {
        messages.push(contracts.tell_escrow(&EscrowMsg::HoldReceipts {
            case_id,
            node_id: *node_id,
            denom: denom.clone(),
            epoch: *epoch,
            receipts: receipts.clone(),
        })?);
    }
    messages.push(contracts.tell_nodes(&NodeMsg::Freeze { node_id: *node_id, open: true })?);
    // Base units of two denoms cannot be compared: of fees in another one only the least bond is asked.
    let part = match *denom == params.denom {
        true => Uint128::new(bps_ceil(fees.u128(), params.case_bond_bps)),
        false => Uint128::zero(),
    };
    Ok(Opening { accused: node.operator, held, least: params.case_bond.max(part), messages })
}

/// Takes a contribution into the case and keeps it out of versions until the end.
fn open_contribution(
    deps: &mut DepsMut,
    contracts: &Contracts,
    params: &Params,
    case_id: u64,
    contribution_id: u64,
    claim: &ContributionClaim,
) -> Result<Opening, ContractError> {
    let found = contracts.contribution(&deps.querier, contribution_id)?;
    if let ContributionClaim::Copied { of } = claim {
        check_original(&deps.querier, contracts, &found, *of)?;
    }
    let key = state::claim_key(contribution_id, claim);
    let decided = CONTRIBUTION_CASES.may_load(deps.storage, contribution_id)?;
    if let Some(case_id) = decided.or(OPEN_CLAIMS.may_load(deps.storage, key)?) {
        return Err(ContractError::CaseExists { case_id });
    }
    OPEN_CLAIMS.save(deps.storage, key, &case_id)?;
    let mut messages = Vec::new();
    if !CLAIM_HOLDERS.has(deps.storage, contribution_id) {
        CLAIM_HOLDERS.save(deps.storage, contribution_id, &case_id)?;
        messages.push(contracts.tell_datanet(&DatanetMsg::HoldContribution { contribution_id, open: true })?);
    }
    Ok(Opening { accused: found.facts.contributor, held: false, least: params.case_bond, messages })
}

/// Refuses an original that was committed later: otherwise a copy could accuse what it copied (D2).
fn check_original(
    querier: &QuerierWrapper,
    contracts: &Contracts,
    accused: &openledger_types::msg::datanet::ContributionResponse,
    of: u64,
) -> Result<(), ContractError> {
    let contribution_id = accused.facts.contribution_id;
    let earlier = of != contribution_id
        && (contracts.contribution(querier, of)?.facts.priority, of)
            < (accused.facts.priority, contribution_id);
    match earlier {
        true => Ok(()),
        false => Err(ContractError::NotEarlier { contribution_id, of }),
    }
}

/// Refuses a receipt that does not stand in the tree where it is said to stand.
fn check_receipt(receipt: &HeldReceipt, tree: &SumRoot) -> Result<(), ContractError> {
    let HeldReceipt { receipt_id, session_id, sequence, fee, index, path } = receipt;
    let receipt_id = hash32("receipt_id", receipt_id)?;
    let leaf = receipt_leaf(&receipt_id, *session_id, *sequence, fee.u128());
    match verify_inclusion(&leaf, *index, tree.count, path, &tree.node()?) {
        true => Ok(()),
        false => Err(ContractError::BadPath { what: "receipt" }),
    }
}

/// The subject as it is kept: paths are long and were checked.
fn without_paths(mut subject: Subject) -> Subject {
    if let Subject::Receipts { receipts, .. } = &mut subject {
        for receipt in receipts {
            receipt.path = SumPath::default();
        }
    }
    subject
}

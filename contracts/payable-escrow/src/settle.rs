//! One settlement: from vouchers and receipts to what a session owes (S1, S2). The work does not
//! depend on the number of acknowledged answers: they enter as the peaks of their log.

use cosmwasm_std::{Addr, Api, DepsMut, Env, Storage, Uint128};
use openledger_merkle::{verify_consistency, Frontier, Hash, SumNode};
use openledger_types::faults::datanets_hash;
use openledger_types::formats::{hash32, seed, Receipt, SignedReceipt, SignedVoucher, SumRoot, Voucher};
use openledger_types::money::answer_fee;
use openledger_types::msg::escrow::{PendingReceipt, Settlement};
use openledger_types::signature::is_canonical;

use crate::book;
use crate::error::{ContractError, ContractResult};
use crate::execute::session::{self, refund_from};
use crate::state::{NodePin, Session, SessionLog, LOGS, PINS, PURSES};

/// What a settlement moved.
pub struct Settled {
    /// New fees, in base units.
    pub fees: Uint128,
    /// New receipts.
    pub receipts: u64,
    /// The session.
    pub session: Session,
    /// The node as it pins it.
    pub pin: NodePin,
}

/// What every document of a settlement must name.
struct Domain<'a> {
    chain_id: &'a str,
    contract: &'a str,
    session_id: u64,
    node_id: u64,
    session: &'a Session,
}

/// Checks a settlement and books it to the session; the caller moves the counters.
// Else it is inlined into `post`, which then has more locals than the chain allows (100).
#[inline(never)]
pub fn settle(
    deps: &mut DepsMut,
    env: &Env,
    sender: &Addr,
    (node_id, denom, epoch): (u64, &str, u64),
    settlement: &Settlement,
) -> ContractResult<Settled> {
    let session_id = settlement.session_id;
    let session = session::load(deps.storage, session_id)?;
    if session.denom != denom {
        return Err(ContractError::WrongDomain { document: "session", field: "denom" });
    }
    let pin = load_pin(deps.storage, session_id, node_id)?;
    if *sender != pin.operator && pin.hot.as_ref() != Some(sender) {
        return Err(openledger_contract::CommonError::Unauthorized {
            role: "the node's operator or hot address",
        }
        .into());
    }
    let mut purse = PURSES.load(deps.storage, session_id)?;
    if purse.closed {
        return Err(ContractError::SessionClosed {});
    }
    if purse.close_requested_at.is_some_and(|asked| env.block.height >= refund_from(&session, asked)) {
        return Err(ContractError::GraceOver {});
    }

    let domain = Domain {
        chain_id: &env.block.chain_id,
        contract: env.contract.address.as_str(),
        session_id,
        node_id,
        session: &session,
    };
    let frontier = acknowledged_log(deps.api, &domain, settlement)?;
    let frontier = append_pending(deps.api, env, &domain, &pin, frontier, &settlement.pending)?;
    let root = frontier.root().ok_or(ContractError::WrongPeaks {})?;
    let total = Uint128::new(root.sum);

    let mut log = LOGS.load(deps.storage, (session_id, node_id))?;
    if total > log.cap {
        return Err(ContractError::AboveCap { total });
    }
    let settled = log.log.sum;
    let fees = total.checked_sub(settled).unwrap_or_default();
    if fees.is_zero() {
        return Err(ContractError::NothingNew { settled });
    }
    // S2: without this a node could settle two histories of one session.
    if !verify_consistency(log.log.count, &log.log.node()?, frontier.size(), &root, &settlement.consistency) {
        return Err(ContractError::NotAnExtension {});
    }
    let receipts = frontier.size().checked_sub(log.log.count).ok_or(ContractError::NotAnExtension {})?;
    let least = session.min_fee.checked_mul(Uint128::from(receipts))?;
    if fees < least {
        return Err(ContractError::FeesTooSmall { receipts, least });
    }

    book::repay(&mut purse, &session, (Uint128::zero(), fees))?;
    // Caps bound this already; the session's own coins are checked again where they leave it.
    session::unspent(&purse)?;
    log = SessionLog {
        cap: log.cap,
        from: log.log.count,
        before: settled,
        log: SumRoot::new(root, frontier.size()),
        settled_at: env.block.height,
        epoch,
    };
    PURSES.save(deps.storage, session_id, &purse)?;
    LOGS.save(deps.storage, (session_id, node_id), &log)?;
    Ok(Settled { fees, receipts, session, pin })
}

/// A node as a session pins it, or the typed refusal.
pub fn load_pin(storage: &dyn Storage, session_id: u64, node_id: u64) -> ContractResult<NodePin> {
    PINS.may_load(storage, (session_id, node_id))?
        .ok_or(ContractError::NodeNotInSession { session_id, node_id })
}

/// The log that the client acknowledged, rebuilt from its peaks.
fn acknowledged_log(
    api: &dyn Api,
    domain: &Domain,
    settlement: &Settlement,
) -> ContractResult<Frontier<SumNode>> {
    check_voucher(api, domain, &settlement.voucher)?;
    let voucher = &settlement.voucher.voucher;
    let acknowledged = &voucher.acknowledged;
    let peaks = &settlement.acknowledged_peaks.0;
    let frontier =
        Frontier::from_parts(acknowledged.count, peaks.clone()).ok_or(ContractError::WrongPeaks {})?;
    if frontier.root() != Some(acknowledged.node()?) {
        return Err(ContractError::WrongPeaks {});
    }
    if voucher.sequence < acknowledged.count {
        return Err(ContractError::WrongAcknowledgement {});
    }
    if acknowledged.sum > voucher.cumulative_max {
        return Err(ContractError::AboveVoucher { total: acknowledged.sum });
    }
    Ok(frontier)
}

/// The log with the receipts that the client has asked for and not acknowledged, at most k.
fn append_pending(
    api: &dyn Api,
    env: &Env,
    domain: &Domain,
    pin: &NodePin,
    mut frontier: Frontier<SumNode>,
    pending: &[PendingReceipt],
) -> ContractResult<Frontier<SumNode>> {
    let most = domain.session.in_flight;
    if pending.len() > most as usize {
        return Err(ContractError::TooManyPending { most });
    }
    let acknowledged = frontier.root().ok_or(ContractError::WrongPeaks {})?;
    let mut total = Uint128::new(acknowledged.sum);
    for PendingReceipt { voucher, receipt } in pending {
        check_voucher(api, domain, voucher)?;
        let asked = &voucher.voucher;
        let answer = &receipt.receipt;
        let expected = frontier.size().saturating_add(1);
        for found in [asked.sequence, answer.sequence] {
            if found != expected {
                return Err(ContractError::WrongSequence { expected, found });
            }
        }
        if asked.is_acknowledgement() || asked.request_hash != answer.request_hash {
            return Err(ContractError::RequestMismatch {});
        }
        check_receipt(api, env, domain, pin, receipt)?;
        total = total.checked_add(answer.fee)?;
        if total > asked.cumulative_max {
            return Err(ContractError::AboveVoucher { total });
        }
        frontier.push(answer.leaf()).ok_or(ContractError::WrongPeaks {})?;
    }
    Ok(frontier)
}

/// A voucher is for this session and node, and its session key signed it.
fn check_voucher(api: &dyn Api, domain: &Domain, signed: &SignedVoucher) -> ContractResult<()> {
    let voucher: &Voucher = &signed.voucher;
    voucher.validate()?;
    let differs = [
        ("chain", voucher.chain_id != domain.chain_id),
        ("contract", voucher.contract != domain.contract),
        ("session", voucher.session_id != domain.session_id),
        ("node", voucher.node_id != domain.node_id),
        ("denom", voucher.denom != domain.session.denom),
    ];
    refuse_other("voucher", &differs)?;
    check_signature(api, "voucher", &voucher.digest(), &signed.signature, &domain.session.session_key)
}

/// A receipt is for this session and node, says what its request and the pinned terms demand, and
/// the pinned node key signed it.
fn check_receipt(
    api: &dyn Api,
    env: &Env,
    domain: &Domain,
    pin: &NodePin,
    signed: &SignedReceipt,
) -> ContractResult<()> {
    let receipt: &Receipt = &signed.receipt;
    let session = domain.session;
    receipt.validate()?;
    let differs = [
        ("chain", receipt.chain_id != domain.chain_id),
        ("contract", receipt.contract != domain.contract),
        ("session", receipt.session_id != domain.session_id),
        ("node", receipt.node_id != domain.node_id),
        ("model", receipt.model_id != session.model_id),
        ("model version", receipt.model_version != session.model_version),
        // Sessions of the first release pinned none.
        (
            "datanets",
            !session.datanets_hash.is_empty()
                && session.datanets_hash.as_slice() != datanets_hash(&receipt.datanets),
        ),
    ];
    refuse_other("receipt", &differs)?;
    // D4 asks for a height after the previous settlement. With several requests in flight a receipt
    // can be older than a settlement that went without it, so only the opening bounds it here.
    if receipt.height < session.opened_at || receipt.height > env.block.height {
        return Err(ContractError::WrongHeight {});
    }
    let request = hash32("request_hash", &receipt.request_hash)?;
    let derived = seed(&request, domain.session_id, domain.node_id, receipt.sequence);
    if receipt.seed.as_slice() != derived {
        return Err(ContractError::WrongSeed {});
    }
    let (price_in, price_out) = pin.prices(session);
    let expected = answer_fee(
        receipt.tokens_in,
        receipt.tokens_out,
        price_in.u128(),
        price_out.u128(),
        session.min_fee.u128(),
    )
    .map(Uint128::new)
    .ok_or(openledger_contract::CommonError::AmountTooLarge {})?;
    if receipt.fee != expected {
        return Err(ContractError::WrongFee { expected });
    }
    check_signature(api, "receipt", &receipt.digest(), &signed.signature, &pin.node_key)
}

fn refuse_other(document: &'static str, differs: &[(&'static str, bool)]) -> ContractResult<()> {
    match differs.iter().find(|(_, differs)| *differs) {
        Some((field, _)) => Err(ContractError::WrongDomain { document, field }),
        None => Ok(()),
    }
}

/// A canonical signature by `key`. A key that is not on the curve verifies nothing.
pub fn check_signature(
    api: &dyn Api,
    document: &'static str,
    digest: &Hash,
    signature: &[u8],
    key: &[u8],
) -> ContractResult<()> {
    if is_canonical(signature) && api.secp256k1_verify(digest, signature, key).unwrap_or(false) {
        return Ok(());
    }
    Err(ContractError::BadSignature { document })
}

//! Faults of one receipt that its node signed.

use openledger_merkle::ZERO_HASH;

use super::{datanets_hash, Court, FaultError, SessionFacts, Stated, Verdict};
use crate::formats::{hash32, seed, Receipt, SignedReceipt};
use crate::money::answer_fee;
use crate::signature::is_canonical;

/// The session that a receipt is for, once the receipt is known to be its node's.
pub(super) fn signed<'a>(
    court: &Court,
    stated: &'a Stated,
    signed: &SignedReceipt,
) -> Result<&'a SessionFacts, FaultError> {
    let facts = stated.session.as_ref().ok_or(FaultError::NotStated("session"))?;
    let receipt = &signed.receipt;
    let differs = [
        ("chain", receipt.chain_id != court.chain_id),
        ("contract", receipt.contract != court.escrow),
        ("session", receipt.session_id != facts.session_id),
        ("node", receipt.node_id != facts.node_id),
    ];
    if let Some((field, _)) = differs.iter().find(|(_, differs)| *differs) {
        return Err(FaultError::WrongDomain { document: "receipt", field });
    }
    let canonical = is_canonical(&signed.signature);
    if canonical && (court.verify)(&receipt.digest(), &signed.signature, &facts.node_key) {
        return Ok(facts);
    }
    Err(FaultError::BadSignature)
}

/// Whether a receipt says something else than its request and the pinned terms demand, or has a
/// form that no receipt has.
pub(super) fn breaks_terms(receipt: &Receipt, facts: &SessionFacts) -> bool {
    let Ok(request) = hash32("request_hash", &receipt.request_hash) else { return true };
    let expected = seed(&request, facts.session_id, facts.node_id, receipt.sequence);
    let fee = answer_fee(
        receipt.tokens_in,
        receipt.tokens_out,
        facts.price_in.u128(),
        facts.price_out.u128(),
        facts.min_fee.u128(),
    );
    // The first release pinned no datanets: what such a session rests on is not told here.
    let pinned = facts.datanets_hash.as_slice();
    let other_datanets = pinned != ZERO_HASH && pinned != datanets_hash(&receipt.datanets);
    receipt.validate().is_err()
        || (receipt.model_id, receipt.model_version) != (facts.model_id, facts.model_version)
        || other_datanets
        || receipt.height < facts.opened_at
        || receipt.sequence == 0
        || receipt.seed.as_slice() != expected
        || fee != Some(receipt.fee.u128())
}

/// A receipt that does not follow from the pinned terms.
pub(super) fn arithmetic(receipt: &Receipt, facts: &SessionFacts) -> Verdict {
    if breaks_terms(receipt, facts) {
        return Ok(());
    }
    Err(FaultError::NoFault("the receipt follows from its request and the pinned terms"))
}

/// A fee below floor x tokens of the answer (D5).
pub(super) fn below_floor(receipt: &Receipt, facts: &SessionFacts) -> Verdict {
    let floor = facts.floor_per_token.u128().checked_mul(u128::from(receipt.tokens_out));
    // A floor above every amount is above this fee too.
    if floor.is_none_or(|floor| receipt.fee.u128() < floor) {
        return Ok(());
    }
    Err(FaultError::NoFault("the fee reaches the floor"))
}

/// A contribution that the receipt pays; whether it may be cited is asked elsewhere.
pub(super) fn citation(receipt: &Receipt, contribution_id: u64) -> Verdict {
    if receipt.shares.iter().any(|share| share.contribution_id == contribution_id) {
        return Ok(());
    }
    Err(FaultError::NoFault("the receipt has no share of this contribution"))
}

/// Two receipts of one session, node and sequence (S2). Both are known to be signed.
pub(super) fn equivocation(first: &Receipt, second: &Receipt) -> Verdict {
    if first.sequence != second.sequence {
        return Err(FaultError::NoFault("the receipts answer different requests"));
    }
    if first.digest() == second.digest() {
        return Err(FaultError::NoFault("both are the same receipt"));
    }
    Ok(())
}

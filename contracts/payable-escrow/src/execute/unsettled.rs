//! Receipts that a node signed and never settled (S4).

use cosmwasm_std::{DepsMut, Env, MessageInfo, Response, Storage};
use openledger_contract::payment;
use openledger_types::formats::SignedReceipt;

use crate::error::{ContractError, ContractResult};
use crate::execute::abandoned::slash;
use crate::execute::session::{self, refund_from};
use crate::settle::{check_signature, load_pin};
use crate::state::{LOGS, NODES, PENDING, PURSES, UNSETTLED};

/// `ProveUnsettled`.
pub fn prove(deps: DepsMut, env: Env, info: MessageInfo, signed: SignedReceipt) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    let receipt = &signed.receipt;
    let (session_id, node_id) = (receipt.session_id, receipt.node_id);
    let session = session::load(deps.storage, session_id)?;
    let pin = load_pin(deps.storage, session_id, node_id)?;
    let refuse = |reason| Err(ContractError::NotUnsettled { reason });
    if receipt.chain_id != env.block.chain_id || receipt.contract != env.contract.address.as_str() {
        return refuse("the receipt is for another chain or contract");
    }
    receipt.validate()?;
    check_signature(deps.api, "receipt", &receipt.digest(), &signed.signature, &pin.node_key)?;
    if UNSETTLED.has(deps.storage, (session_id, node_id)) {
        return refuse("the node was convicted of it already");
    }
    if receipt.sequence <= LOGS.load(deps.storage, (session_id, node_id))?.log.count {
        return refuse("it was settled");
    }
    let purse = PURSES.load(deps.storage, session_id)?;
    let Some(asked) = purse.close_requested_at else {
        return refuse("the session goes on");
    };
    let end = refund_from(&session, asked);
    if env.block.height < end {
        return refuse("the grace runs: the node may still settle");
    }
    if !could_settle(deps.storage, node_id, asked, end)? {
        return refuse("the node was not free to settle it for a quarter of the grace");
    }
    UNSETTLED.save(deps.storage, (session_id, node_id), &true)?;
    let slash = slash(deps.storage, node_id, info.sender, "left receipts unsettled")?;
    Ok(Response::new()
        .add_attribute("action", "prove_unsettled")
        .add_attribute("session_id", session_id.to_string())
        .add_attribute("node_id", node_id.to_string())
        .add_attribute("sequence", receipt.sequence.to_string())
        .add_message(slash))
}

/// Part of the grace that a node must have been free without a break before it is guilty of not settling.
const FREE_PART: u64 = 4;

/// Whether it is known that the node was free to post throughout a quarter of the grace, `asked..end`, before it posted
/// without the session. A node has one unfinished root (L2), whose windows can be longer than the grace, and a root holds
/// a bounded number of sessions: one that ends under a root, or with more others than a root holds, or shortly before or
/// after a root, would convict the most honest node, which acts on the blocks that it has seen. What was before the newest
/// finished root is forgotten, in the node's favour: a finder has the time of a whole root.
fn could_settle(storage: &dyn Storage, node_id: u64, asked: u64, end: u64) -> ContractResult<bool> {
    let book = NODES.may_load(storage, node_id)?.unwrap_or_default();
    let posted = PENDING.may_load(storage, node_id)?.map(|root| root.posted_at);
    let from = book.freed.max(asked);
    let until = posted.unwrap_or(end).min(end);
    let least = (end.saturating_sub(asked) / FREE_PART).max(1);
    Ok(until.saturating_sub(from) >= least)
}

//! Disputing an answer of the class exact: a case with its bond, then every move until the arbiter has decided by
//! arithmetic (PROTOCOL F2).

use std::path::Path;
use std::time::Duration;

use openledger_client::contracts::Reader;
use openledger_client::{Coin, Signer};
use openledger_dispute::play;
use openledger_dispute::tree::most_moves;
use openledger_node::audit;
use openledger_node::dispute::{is_bound, Computation};
use openledger_node::engine::{CONFIG_FILE, MANIFEST_FILE};
use openledger_types::api::AnswerBundle;
use openledger_types::formats::SignedReceipt;
use openledger_types::msg::arbiter::{DisputeResponse, ExecuteMsg, Outcome, Turn};
use openledger_types::msg::referee::{self, ReceiptFault, Subject};
use serde::Serialize;

use crate::context::Context;
use crate::error::{Class, CliError, Result};
use crate::model::blocking;
use crate::{progress, verify};

/// Longest wait for one block.
const BLOCK: Duration = Duration::from_secs(60);

/// How a dispute went.
#[derive(Clone, Debug, Serialize)]
pub struct Disputed {
    /// The referee's case.
    pub case_id: u64,
    /// The accused node.
    pub node_id: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Slots of the answer's trace.
    pub slots: u64,
    /// Moves that this side made.
    pub picks: u32,
    /// Transactions that this side sent, in order.
    pub txs: Vec<String>,
}

/// Disputes one answer: computes it again with the model on record, opens a case about it and leads the node to the
/// first value that is not the one that follows. A call that was cut off goes on where the dispute stands.
///
/// # Errors
/// `E-CLI-087` when the answer is right, which would cost the bond; of chain, node or disk, and what the contracts
/// refuse.
pub async fn dispute(
    ctx: &Context,
    signer: &Signer,
    bundle: &AnswerBundle,
    node: &str,
    cache_dir: &Path,
) -> Result<Disputed> {
    let receipt = &bundle.receipt.receipt;
    let reader = ctx.reader().await?;
    let arbiter = reader.arbiter()?.to_string();
    if is_bound(bundle) {
        return contest(&reader, signer, bundle, &arbiter).await;
    }
    let prepared = verify::prepare(ctx, receipt.model_id, receipt.model_version, node, cache_dir).await?;
    let bar = progress::bar(ctx, 1, "computing the answer again");
    let (model, again) = (prepared.model().clone(), bundle.clone());
    let own = blocking(move || Computation::new(&model, &again)).await?;
    bar.finish_and_clear();
    let mut txs = Vec::new();
    let case_id = match running(&reader, signer, bundle).await? {
        Some(case_id) => case_id,
        None => {
            if own.holds() {
                return Err(CliError::new(
                    Class::Refused,
                    "E-CLI-087",
                    "tokens and hidden vectors of this answer are those that its model gives",
                    "do not dispute it: the bond would be lost",
                ));
            }
            accuse(ctx, &reader, signer, &prepared, bundle, &mut txs).await?
        }
    };
    let opened = match reader.dispute(case_id).await {
        Ok(_) => true,
        Err(openledger_client::Error::Contract { .. } | openledger_client::Error::NotFound(_)) => false,
        Err(error) => return Err(error.into()),
    };
    if !opened {
        let file = |name: &str| {
            let path = cache_dir.join(name);
            std::fs::read(&path).map_err(|e| CliError::file(&path, e))
        };
        let statement = own.trace.statement();
        let msg = ExecuteMsg::Open {
            case_id,
            receipt: receipt.clone(),
            manifest: file(MANIFEST_FILE)?.into(),
            config: file(CONFIG_FILE)?.into(),
            prompt: statement.prompt.clone(),
            repetition_milli: statement.repetition_milli,
        };
        txs.push(signer.execute(&arbiter, &msg, &[]).await?.hash);
    }
    let layout = own.trace.layout();
    let moves = most_moves(layout.slots(), layout.most_units());
    let bar = progress::bar(ctx, moves, "leading the node to the value that is wrong");
    let mut picks = 0;
    let found = loop {
        let found = reader.dispute(case_id).await?;
        if found.turn == Turn::Over {
            break found;
        }
        match next(&found, &own, signer, reader.chain().latest_height().await?)? {
            Some(msg) => {
                picks += u32::from(matches!(msg, ExecuteMsg::Pick { .. }));
                txs.push(signer.execute(&arbiter, &msg, &[]).await?.hash);
                bar.inc(1);
            }
            None => {
                let height = reader.chain().latest_height().await?;
                reader.chain().wait_for_height(height + 1, BLOCK).await?;
            }
        }
    };
    bar.finish_and_clear();
    let outcome = found.outcome.unwrap_or(Outcome::Lapsed);
    Ok(Disputed { case_id, node_id: found.node_id, outcome, slots: layout.slots(), picks, txs })
}

/// Gives the case about an answer that a schema bound back to the votes, where the node has taken it to the arbiter.
async fn contest(reader: &Reader, signer: &Signer, bundle: &AnswerBundle, arbiter: &str) -> Result<Disputed> {
    let bound = || refused("a schema bound this answer, of which the arbiter knows nothing".into());
    let case_id = running(reader, signer, bundle).await?.ok_or_else(bound)?;
    let found = reader.dispute(case_id).await.map_err(|_| bound())?;
    if !found.by_node || found.turn == Turn::Over {
        return Err(bound());
    }
    let sent = signer.execute(arbiter, &ExecuteMsg::Contest { case_id }, &[]).await?;
    let outcome = Outcome::Contested;
    Ok(Disputed { case_id, node_id: found.node_id, outcome, slots: 0, picks: 0, txs: vec![sent.hash] })
}

/// The challenger's message, if one is due: its pick, or the end of a dispute whose other side is silent.
fn next(
    found: &DisputeResponse,
    own: &Computation,
    signer: &Signer,
    height: u64,
) -> Result<Option<ExecuteMsg>> {
    let case_id = found.case_id;
    if height > found.until {
        return Ok(Some(ExecuteMsg::Expire { case_id }));
    }
    if found.turn != Turn::Pick || found.challenger != signer.address() {
        return Ok(None);
    }
    let pick = play::challenger(found, &own.trace).map_err(|error| refused(error.to_string()))?;
    match pick {
        Some(pick) => Ok(Some(pick)),
        None => Err(refused("the node shows the values that follow: nothing is left to dispute".into())),
    }
}

/// The case about this answer that this challenger has opened and that runs.
async fn running(reader: &Reader, signer: &Signer, bundle: &AnswerBundle) -> Result<Option<u64>> {
    let id = bundle.receipt.receipt.digest();
    let is_ours = |case: &referee::CaseResponse| {
        let about = matches!(&case.subject, Subject::Receipts { kind: ReceiptFault::Output, receipts, .. }
            if receipts.iter().any(|receipt| receipt.receipt_id.as_slice() == id));
        about && case.verdict.is_none() && case.challenger == signer.address()
    };
    // Page by page, the newest last: a court that has had many cases is not read into memory whole.
    let mut start_after = None;
    loop {
        let page = reader.cases_after(start_after).await?;
        if let Some(case) = page.iter().find(|case| is_ours(case)) {
            return Ok(Some(case.case_id));
        }
        start_after = match page.last() {
            Some(last) => Some(last.case_id),
            None => return Ok(None),
        };
    }
}

/// Opens a case about the answer, with the bond that the referee asks; its number.
async fn accuse(
    ctx: &Context,
    reader: &Reader,
    signer: &Signer,
    prepared: &verify::Prepared,
    bundle: &AnswerBundle,
    txs: &mut Vec<String>,
) -> Result<u64> {
    let receipt = &bundle.receipt.receipt;
    let denom = reader.session(receipt.session_id).await?.denom;
    let unsettled = || {
        CliError::new(
            Class::Refused,
            "E-CLI-088",
            "no epoch of the node's holds this receipt",
            "wait until the node has settled it; if it never does, that is a fault of its own (`RequestClose`)",
        )
    };
    let last = reader.ledger(receipt.node_id, &denom).await?.epoch;
    let mut held = None;
    for epoch in (1..=last).rev() {
        let receipts = prepared.receipts(ctx, reader, receipt.node_id, &denom, epoch).await?;
        let same = |signed: &SignedReceipt| signed.receipt.digest() == receipt.digest();
        if let Some(index) = receipts.iter().position(same) {
            held = Some((epoch, audit::held(&receipts, index).ok_or_else(unsettled)?));
            break;
        }
    }
    let (epoch, held) = held.ok_or_else(unsettled)?;
    let params = reader.referee_config().await?.params;
    let bond = audit::case_bond(&params, &denom, receipt.fee);
    let msg = referee::ExecuteMsg::OpenCase {
        subject: Subject::Receipts {
            node_id: receipt.node_id,
            denom,
            epoch,
            kind: ReceiptFault::Output,
            receipts: vec![held],
        },
        reason: format!("receipt {}", hex::encode(receipt.digest())),
    };
    let address = &reader.contracts().referee;
    let done = signer.execute(address, &msg, &[Coin::new(bond.u128(), &params.denom)]).await?;
    let case_id = done.contract_number(address, "case_id");
    txs.push(done.hash);
    case_id.ok_or_else(|| refused("the referee told no case".into()))
}

fn refused(message: String) -> CliError {
    CliError::new(
        Class::Refused,
        "E-CLI-089",
        message,
        "leave the case to the auditors' votes; the bond depends on them",
    )
}

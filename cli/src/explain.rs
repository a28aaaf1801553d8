//! Why somebody is paid: an answer's shares by layer and by span, and an account's earnings down to the
//! words that were quoted.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use openledger_attribution::influence::Signature;
use openledger_attribution::{Credits, RunKind, Trace};
use openledger_node::attribution::{Asked, Attribution};
use openledger_node::ledger::parse_ledger;
use openledger_node::request::{self, Endpoint};
use openledger_types::api::AnswerBundle;
use openledger_types::formats::{Account, Share, BPS};
use openledger_types::merkle::Hash;
use openledger_types::money::divide_answer;
use openledger_types::msg::escrow::RootStatus;
use serde::Serialize;

use crate::context::Context;
use crate::error::{Class, CliError, Result};
use crate::{node_http, show};

/// What one contribution earns of an answer, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Contribution.
    pub contribution_id: u64,
    /// Contributor.
    pub contributor: String,
    /// Share in basis points.
    pub bps: u16,
    /// Of it, for what the contributor's data did to the model.
    pub influence_bps: u16,
    /// Of it, for the answer's own words: its phrases and its vocabulary.
    pub wording_bps: u16,
    /// Words of the answer that stand in the contribution.
    pub quoted_words: usize,
}

/// A stretch of the answer with one fate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stretch {
    /// Bytes of the answer, as it was written.
    pub range: Range<usize>,
    /// What it is.
    pub kind: RunKind,
    /// Words.
    pub words: usize,
    /// Contributions that have it, ascending.
    pub contributions: Vec<u64>,
}

/// An answer explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// What was asked.
    pub prompt: String,
    /// Name of the attribution scheme.
    pub scheme: String,
    /// Weights of influence, vocabulary and wording.
    pub weights: (u32, u32, u32),
    /// Who earns, the largest share first.
    pub parts: Vec<Part>,
    /// Basis points without evidence.
    pub no_evidence_bps: u16,
    /// The whole answer, stretch by stretch.
    pub stretches: Vec<Stretch>,
}

/// Explains an answer from its bundle and the indexes of its model. It computes the shares again; whether
/// they are the receipt's is for the verifier to say.
///
/// `barred` contributions are not cited, see [`crate::verify::barred`].
///
/// # Errors
/// Class verification when the bundle cannot be read.
pub fn explain(
    attribution: &Attribution,
    bundle: &AnswerBundle,
    barred: &BTreeSet<u64>,
) -> Result<Explained> {
    let unreadable = |what: String| {
        CliError::new(
            Class::Verification,
            "E-CLI-069",
            format!("the answer cannot be explained: {what}"),
            "fetch it again from its node, or verify it first",
        )
    };
    let endpoint = Endpoint::of(&bundle.endpoint).map_err(|e| unreadable(e.to_string()))?;
    let asked = request::parse(endpoint, &bundle.body).map_err(|e| unreadable(e.to_string()))?;
    let seed = Hash::try_from(bundle.receipt.receipt.seed.as_slice());
    let seed = seed.map_err(|_| unreadable("its seed has not 32 bytes".into()))?;
    let signature = Signature::parse(&bundle.signature).map_err(|e| unreadable(e.to_string()))?;
    let answered =
        Asked { prompt: &asked.prompt, prompt_tokens: &[], answer: &bundle.answer, tokens: &bundle.tokens };
    let trace = attribution.evidence(&answered, &signature, &seed, barred);
    let weights = attribution.weights();
    let by_words = attribution.by_words(&trace);
    let owner = |id: u64| attribution.index().document(id).map(|d| d.contributor.clone()).unwrap_or_default();
    let mut parts: Vec<Part> = trace
        .shares
        .iter()
        .map(|share| {
            let id = share.contribution_id;
            let credit = |credits: &Credits| credits.contributions.get(&id).copied().unwrap_or(0);
            let (all, by_span) = match weights.influence {
                // With one layer credits are in another unit, and wording is all there is.
                0 => (1, 1),
                _ => (credit(&trace.total).max(1), credit(&by_words)),
            };
            let wording_bps = (u128::from(share.bps) * by_span.min(all) / all) as u16;
            Part {
                contribution_id: id,
                contributor: owner(id),
                bps: share.bps,
                influence_bps: share.bps - wording_bps,
                wording_bps,
                quoted_words: quoted(&trace, id),
            }
        })
        .collect();
    parts.sort_by_key(|part| (std::cmp::Reverse(part.bps), part.contribution_id));
    let stretches = trace
        .runs
        .iter()
        .zip(trace.original_ranges(&bundle.answer))
        .map(|(run, range)| Stretch {
            range,
            kind: run.kind,
            words: run.tokens,
            contributions: run.payees.iter().map(|p| p.contribution_id).collect(),
        })
        .collect();
    Ok(Explained {
        prompt: asked.prompt.clone(),
        scheme: attribution.scheme().into(),
        weights: (weights.influence, weights.lexical, weights.span),
        parts,
        no_evidence_bps: trace.no_evidence_bps,
        stretches,
    })
}

fn quoted(trace: &Trace, contribution_id: u64) -> usize {
    let runs = trace.runs.iter().filter(|r| r.payees.iter().any(|p| p.contribution_id == contribution_id));
    runs.map(|run| run.tokens).sum()
}

/// What each contribution gets of the answer's data part, in base units.
pub fn amounts(bundle: &AnswerBundle, data_bps: u16) -> BTreeMap<u64, u128> {
    let receipt = &bundle.receipt.receipt;
    let seed = receipt.seed.as_slice().try_into().unwrap_or_default();
    let data_bps = data_bps.min(BPS);
    let division = divide_answer(receipt.fee.u128(), data_bps, &receipt.shares, receipt.no_evidence, &seed);
    division.amounts.into_iter().collect()
}

/// The words of an answer that stand in a contribution, as the bundle's evidence says, in order.
pub fn quotations(bundle: &AnswerBundle, contribution_id: u64) -> Vec<String> {
    let text = openledger_ingest::match_text(&bundle.answer);
    let of = bundle.evidence.iter().filter(|piece| piece.contribution_id == contribution_id);
    of.filter_map(|piece| {
        let start = usize::try_from(piece.answer_start).ok()?;
        let end = start.checked_add(usize::try_from(piece.len).ok()?)?;
        text.get(start..end).map(str::to_string)
    })
    .collect()
}

/// One amount that an answer earned for an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Earned {
    /// Node.
    pub node_id: u64,
    /// Epoch that settled it.
    pub epoch: u64,
    /// Receipt's id.
    pub receipt_id: String,
    /// Contribution.
    pub contribution_id: u64,
    /// Base units.
    pub amount: u128,
    /// Denom.
    pub denom: String,
    /// Share of the answer's data part in basis points, when the node gives the answer.
    pub bps: Option<u16>,
    /// On what it rests: `quoted` or `influence`.
    pub evidence: Option<&'static str>,
    /// The words that the answer quotes.
    pub quotations: Vec<String>,
    /// Why the answer is not shown, when it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The newest amounts that final ledgers owe an account, at most `most`, each with the answer that earned it
/// and the words that it quotes. Amounts come from the ledgers that the chain committed to, words from the
/// nodes; an answer that is not the one that was settled is not shown.
///
/// # Errors
/// When the chain cannot be reached.
pub async fn earned(ctx: &Context, address: &str, most: usize) -> Result<Vec<Earned>> {
    let reader = ctx.reader().await?;
    let account = Account::Contributor(address.to_string());
    let mut found = Vec::new();
    for (node_id, denom) in crate::earnings::places(&reader).await? {
        let endpoint = reader.node(node_id).await?.endpoint.trim_end_matches('/').to_string();
        for epoch in (1..=reader.ledger(node_id, &denom).await?.epoch).rev() {
            if found.len() >= most {
                return Ok(found);
            }
            let state = reader.epoch(node_id, &denom, epoch).await?;
            if state.status != RootStatus::Final {
                continue;
            }
            let blob = &state.commit.leaves_blob;
            let Ok(bytes) = node_http::blob_of(ctx, &reader, node_id, blob).await else { continue };
            let ledger = parse_ledger(&bytes, blob, &state.commit.ledger)?;
            let details =
                ledger.leaves.into_iter().filter(|e| e.leaf.account == account).flat_map(|e| e.details);
            for detail in details.take(most - found.len()) {
                let id = detail.receipt_id.to_hex();
                let mut earned = Earned {
                    node_id,
                    epoch,
                    receipt_id: id.clone(),
                    contribution_id: detail.contribution_id,
                    amount: detail.amount.u128(),
                    denom: denom.clone(),
                    bps: None,
                    evidence: None,
                    quotations: Vec::new(),
                    problem: None,
                };
                let url = format!("{endpoint}/v1/receipts/{id}");
                match node_http::get_json::<AnswerBundle>(&ctx.http, &url).await {
                    Ok(bundle) if hex::encode(bundle.receipt.receipt.digest()) == id => {
                        let of = |s: &&Share| s.contribution_id == detail.contribution_id;
                        earned.bps = bundle.receipt.receipt.shares.iter().find(of).map(|s| s.bps);
                        earned.evidence = Some(show::kind_of_evidence(&bundle, detail.contribution_id));
                        earned.quotations = quotations(&bundle, detail.contribution_id);
                    }
                    Ok(_) => earned.problem = Some("the node gives another receipt".into()),
                    Err(error) => earned.problem = Some(error.message),
                }
                found.push(earned);
            }
        }
    }
    Ok(found)
}

//! Use counters: proving on chain how often a contribution was trained on and how many answers rest on
//! it. They move no money; anyone may prove them.

use std::collections::BTreeSet;

use cosmwasm_std::Uint128;
use openledger_client::contracts::Reader;
use openledger_client::Signer;
use openledger_node::ledger::{parse_ledger, use_proof, UseProof};
use openledger_node::train::RECEIPT_FILE;
use openledger_types::formats::{training_leaf, Account, BlobRef, Manifest, SumRoot};
use openledger_types::merkle::{verify_inclusion, SumNode};
use openledger_types::msg::datanet::{ContributionResponse, TrainingItem};
use openledger_types::msg::escrow::{self, RootStatus, UsageResponse};
use openledger_types::msg::model_registry::{self, ModelVersionResponse, TrainingUsageResponse};
use serde::Serialize;

use crate::context::Context;
use crate::error::{CliError, Result};
use crate::model::parse_training;
use crate::{earnings, node_http};

/// What became of a proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Proved {
    /// The transaction that counted it.
    Counted(String),
    /// It holds; nothing was sent.
    Holds,
    /// It was counted before, or the contract says why not.
    Refused(String),
}

/// Answers of one epoch that rest on a contribution.
#[derive(Clone, Debug, Serialize)]
pub struct AnswerUses {
    /// Node.
    pub node_id: u64,
    /// Denom.
    pub denom: String,
    /// Epoch.
    pub epoch: u64,
    /// Answers.
    pub answers: u64,
    /// What they paid for it, in base units.
    pub amount: Uint128,
    /// What became of the proof.
    pub proved: Proved,
}

/// How often the training of one model version saw a contribution.
#[derive(Clone, Debug, Serialize)]
pub struct TrainingUses {
    /// Model.
    pub model_id: u64,
    /// Version.
    pub version: u32,
    /// Times.
    pub times_seen: u64,
    /// What became of the proof.
    pub proved: Proved,
}

/// Everything that was found and counted of a contribution.
#[derive(Clone, Debug, Serialize)]
pub struct Usage {
    /// Contribution.
    pub contribution_id: u64,
    /// Its contributor.
    pub contributor: String,
    /// By epoch.
    pub answers: Vec<AnswerUses>,
    /// By model version.
    pub training: Vec<TrainingUses>,
    /// Answers counted on chain so far.
    pub answers_counted: UsageResponse,
    /// Training uses counted on chain so far.
    pub training_counted: TrainingUsageResponse,
    /// Documents that could not be had.
    pub problems: Vec<String>,
}

/// What the chain has counted, without proving anything.
///
/// # Errors
/// When there is no such contribution or the chain cannot be reached.
pub async fn show(ctx: &Context, contribution_id: u64) -> Result<Usage> {
    let reader = ctx.reader().await?;
    let source = reader.contribution(contribution_id).await?;
    counted(&reader, &source, Vec::new(), Vec::new(), Vec::new()).await
}

/// Finds the uses of a contribution in all final ledgers and training receipts, checks each proof, and
/// sends it; without a `signer` it only checks.
///
/// # Errors
/// When there is no such contribution or the chain cannot be reached. A node that gives no document is
/// named in the result.
pub async fn prove(ctx: &Context, signer: Option<&Signer>, contribution_id: u64) -> Result<Usage> {
    let reader = ctx.reader().await?;
    let source = reader.contribution(contribution_id).await?;
    let mut problems = Vec::new();
    let answers = prove_answers(ctx, &reader, signer, &source, &mut problems).await?;
    let training = prove_training(ctx, &reader, signer, &source, &mut problems).await?;
    counted(&reader, &source, answers, training, problems).await
}

async fn counted(
    reader: &Reader,
    source: &ContributionResponse,
    answers: Vec<AnswerUses>,
    training: Vec<TrainingUses>,
    problems: Vec<String>,
) -> Result<Usage> {
    let contribution_id = source.facts.contribution_id;
    Ok(Usage {
        contribution_id,
        contributor: source.facts.contributor.clone(),
        answers,
        training,
        answers_counted: reader.usage(contribution_id).await?,
        training_counted: reader.training_usage(contribution_id).await?,
        problems,
    })
}

async fn prove_answers(
    ctx: &Context,
    reader: &Reader,
    signer: Option<&Signer>,
    source: &ContributionResponse,
    problems: &mut Vec<String>,
) -> Result<Vec<AnswerUses>> {
    let account = Account::Contributor(source.facts.contributor.clone());
    let mut found = Vec::new();
    for (node_id, denom) in earnings::places(reader).await? {
        let ledger = reader.ledger(node_id, &denom).await?;
        // The contract counts epochs in rising order only.
        for epoch in 1..=ledger.epoch {
            let state = reader.epoch(node_id, &denom, epoch).await?;
            if state.status != RootStatus::Final {
                continue;
            }
            let (blob, root) = (&state.commit.leaves_blob, &state.commit.ledger);
            let bytes = match node_http::blob_of(ctx, reader, node_id, blob).await {
                Ok(bytes) => bytes,
                Err(error) => {
                    problems.push(format!("epoch {epoch} of node {node_id}: {}", error.message));
                    continue;
                }
            };
            let blob = parse_ledger(&bytes, blob, root)?;
            let Some(proof) = use_proof(&blob, &account, source.facts.contribution_id)? else { continue };
            check_use(&proof, root)?;
            let amount = proof.details.iter().map(|item| item.detail.amount.u128()).sum();
            found.push(AnswerUses {
                node_id,
                denom: denom.clone(),
                epoch,
                answers: proof.details.len() as u64,
                amount: Uint128::new(amount),
                proved: match signer {
                    None => Proved::Holds,
                    Some(signer) => {
                        let msg = escrow::ExecuteMsg::ProveUses {
                            node_id,
                            denom: denom.clone(),
                            epoch,
                            contribution_id: source.facts.contribution_id,
                            leaf: proof.leaf,
                            index: proof.index,
                            path: proof.path,
                            details: proof.details,
                        };
                        send(signer, &reader.contracts().payable_escrow, &msg).await?
                    }
                },
            });
        }
    }
    Ok(found)
}

/// Holds a proof against the ledger's root, as the contract will.
fn check_use(proof: &UseProof, root: &SumRoot) -> Result<()> {
    let detail = &proof.leaf.detail;
    let holds = included(&proof.leaf.leaf(), proof.index, root, &proof.path)?
        && proof
            .details
            .iter()
            .map(|item| included(&item.detail.leaf(), item.index, detail, &item.path))
            .collect::<Result<Vec<bool>>>()?
            .into_iter()
            .all(|holds| holds);
    unless_broken(holds)
}

fn included(leaf: &SumNode, index: u64, root: &SumRoot, path: &[SumNode]) -> Result<bool> {
    let malformed = |e: openledger_types::formats::FormatError| CliError::usage(e.to_string());
    let node = root.node().map_err(malformed)?;
    Ok(verify_inclusion(leaf, index, root.count, path, &node))
}

fn unless_broken(holds: bool) -> Result<()> {
    match holds {
        true => Ok(()),
        false => Err(CliError::new(
            crate::error::Class::Verification,
            "E-CLI-048",
            "a proof of use does not lead to its root",
            "report this with the contribution's number; nothing was sent",
        )),
    }
}

async fn prove_training(
    ctx: &Context,
    reader: &Reader,
    signer: Option<&Signer>,
    source: &ContributionResponse,
    problems: &mut Vec<String>,
) -> Result<Vec<TrainingUses>> {
    let id = source.facts.contribution_id;
    let known: BTreeSet<(u64, u32)> =
        reader.training_usage(id).await?.entries.iter().map(|e| (e.model_id, e.version)).collect();
    let mut found = Vec::new();
    for model in reader.models().await? {
        for version in 1..=model.latest_version {
            let info = reader.model_version(model.model_id, version).await?;
            let Some(root) = training_root_of(&info, source) else { continue };
            let item = match training_item(ctx, reader, &info, source).await {
                Ok(Some(item)) if item.times_seen > 0 => item,
                // In the version, but training drew none of its tokens.
                Ok(_) => continue,
                Err(error) => {
                    problems.push(format!("model {}:{version}: {}", model.model_id, error.message));
                    continue;
                }
            };
            let leaf = training_leaf(item.contribution_id, item.times_seen);
            unless_broken(included(&leaf, item.index, root, &item.path)?)?;
            let times_seen = item.times_seen;
            let proved = match signer {
                _ if known.contains(&(model.model_id, version)) => Proved::Refused("counted before".into()),
                None => Proved::Holds,
                Some(signer) => {
                    let msg = model_registry::ExecuteMsg::ProveTraining {
                        model_id: model.model_id,
                        version,
                        datanet_id: source.facts.datanet_id,
                        items: vec![item],
                    };
                    send(signer, &reader.contracts().model_registry, &msg).await?
                }
            };
            found.push(TrainingUses { model_id: model.model_id, version, times_seen, proved });
        }
    }
    Ok(found)
}

/// The root of the training counts of a contribution's datanet, when the version rests on it.
fn training_root_of<'a>(
    info: &'a ModelVersionResponse,
    source: &ContributionResponse,
) -> Option<&'a SumRoot> {
    let position = source.position?;
    let at =
        info.datanets.iter().position(|d| d.datanet_id == source.facts.datanet_id && position < d.size)?;
    info.training.get(at)
}

/// A contribution's training count with its path, from the public files of the model.
async fn training_item(
    ctx: &Context,
    reader: &Reader,
    info: &ModelVersionResponse,
    source: &ContributionResponse,
) -> Result<Option<TrainingItem>> {
    let bytes = any_blob(ctx, reader, &info.manifest).await?;
    let manifest: Manifest =
        serde_json::from_slice(&bytes).map_err(|e| CliError::usage(format!("its manifest: {e}")))?;
    let file = manifest.files.iter().find(|file| file.name == RECEIPT_FILE);
    let file = file.ok_or_else(|| CliError::usage("its manifest names no training receipt"))?;
    let receipt = parse_training(&manifest, &any_blob(ctx, reader, &file.blob).await?)?;
    let of = receipt.training.iter().find(|of| of.datanet_id == source.facts.datanet_id);
    let items = of.map(|of| of.items()).transpose()?.unwrap_or_default();
    Ok(items.into_iter().find(|item| item.contribution_id == source.facts.contribution_id))
}

/// A blob from whichever node keeps it; the one of `--node` first.
pub(crate) async fn any_blob(ctx: &Context, reader: &Reader, blob: &BlobRef) -> Result<Vec<u8>> {
    if let Ok(url) = ctx.node_url() {
        if let Ok(bytes) = node_http::get_blob(&ctx.http, &url, &blob.root.to_hex()).await {
            if BlobRef::of(&bytes) == *blob {
                return Ok(bytes);
            }
        }
    }
    node_http::blob_of(ctx, reader, 0, blob).await
}

/// Sends a proof. What the contract refuses was counted before, or is said.
async fn send<T: Serialize>(signer: &Signer, contract: &str, msg: &T) -> Result<Proved> {
    match signer.execute(contract, msg, &[]).await {
        Ok(done) => Ok(Proved::Counted(done.hash)),
        Err(openledger_client::Error::Contract { message, .. }) => Ok(Proved::Refused(message)),
        Err(error) => Err(error.into()),
    }
}

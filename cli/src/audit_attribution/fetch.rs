//! Everything that an audit needs, from chain and node, and the audit itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use openledger_node::engine::TOKENIZER_FILE;
use openledger_node::train::{Document, Rerun};
use serde::Serialize;

use super::{audit, drawn, page, Question, Report, Subject};
use crate::context::{make_private_dir, write_json, write_private, Context};
use crate::error::{Class, CliError, Result};
use crate::model::{blocking, load_corpus, training_receipt};
use crate::verify::{self, Prepared};
use crate::{progress, show};

/// Folders below that of an audit.
const MODEL_DIR: &str = "fetched-model";
const TRAININGS_DIR: &str = "trainings";
/// Names of what an audit writes.
const REPORT_FILE: &str = "report.json";
const PAGE_FILE: &str = "report.html";

/// What to audit.
#[derive(Clone, Debug)]
pub struct AuditArgs {
    /// Model.
    pub model_id: u64,
    /// Version, the newest unless told.
    pub version: Option<u32>,
    /// Node that is asked for the model and its data.
    pub node: String,
    /// Answers by file or receipt's id; all of this model that this home folder keeps, when empty.
    pub answers: Vec<String>,
    /// Texts that the model has not seen.
    pub heldout: Vec<String>,
    /// Most questions.
    pub questions: usize,
    /// Most contributors left out; all when absent.
    pub contributors: Option<usize>,
    /// By what contributors are drawn; the manifest's hash when absent.
    pub seed: Option<String>,
    /// Folder for the report and finished trainings.
    pub out: Option<PathBuf>,
    /// Bytes that a step of training may take.
    pub memory: u64,
    /// Say what it would cost, and stop.
    pub plan: bool,
}

/// What an audit costs.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cost {
    /// Trainings, the whole one included.
    pub trainings: u64,
    /// Steps of each.
    pub steps: u64,
    /// Tokens of each.
    pub tokens: u64,
    /// Seconds that one took its developer.
    pub seconds: f64,
    /// Questions.
    pub questions: u64,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// What it costs.
    pub cost: Cost,
    /// The report; none of a plan.
    pub report: Option<Report>,
    /// Where it lies.
    pub folder: PathBuf,
}

/// Audits a model version. `told` hears the cost before anything is trained.
///
/// # Errors
/// Of chain, node and disk; class verification when the model is not what the chain says; usage when there is no
/// question; and those of training. A run that was stopped goes on when it is started again.
pub async fn run(ctx: &Context, args: AuditArgs, told: &dyn Fn(&Cost)) -> Result<Outcome> {
    let reader = ctx.reader().await?;
    let version = match args.version {
        Some(version) => version,
        None => reader.model(args.model_id).await?.latest_version,
    };
    let folder = args
        .out
        .clone()
        .unwrap_or_else(|| ctx.home.join("audits").join(format!("{}-{version}", args.model_id)));
    make_private_dir(&folder)?;
    let cache = folder.join(MODEL_DIR);
    if cache.exists() {
        std::fs::remove_dir_all(&cache).map_err(|e| CliError::file(&cache, e))?;
    }
    let prepared = verify::prepare(ctx, args.model_id, version, &args.node, &cache).await?;
    let receipt = training_receipt(&cache, prepared.model().manifest())?;
    Rerun::check(&receipt, prepared.model().config(), args.memory)?;
    let tokenizer_path = cache.join(TOKENIZER_FILE);
    let tokenizer = std::fs::read(&tokenizer_path).map_err(|e| CliError::file(&tokenizer_path, e))?;
    // What is needed is in memory; the folder would only cost space.
    let _ = std::fs::remove_dir_all(&cache);
    let mut docs = load_corpus(ctx, &reader, &prepared.version.datanets, &args.node).await?;
    docs.retain(|doc| !prepared.index().is_left_out(doc.facts.contribution_id));
    let questions = questions(ctx, &prepared, &args).await?;
    let seed = args.seed.unwrap_or_else(|| hex::encode(prepared.model().manifest_hash()));
    let owners: BTreeMap<u64, String> =
        docs.iter().map(|doc| (doc.facts.contribution_id, doc.facts.contributor.clone())).collect();

    let cancel = Arc::new(AtomicBool::new(false));
    let stop = {
        let cancel = cancel.clone();
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                cancel.store(true, Ordering::Relaxed);
            }
        })
    };
    let most = args.contributors;
    let cost = Cost {
        trainings: 1 + most.unwrap_or(usize::MAX).min(count(&owners)) as u64,
        steps: receipt.steps,
        tokens: receipt.tokens_seen,
        seconds: receipt.seconds,
        questions: questions.len() as u64,
    };
    told(&cost);
    if args.plan {
        stop.abort();
        return Ok(Outcome { cost, report: None, folder });
    }
    let bar = progress::bar(ctx, cost.trainings * cost.steps, "training again");
    let trainings = folder.join(TRAININGS_DIR);
    let done = blocking(move || {
        let documents: Vec<Document> = docs
            .iter()
            .map(|doc| Document {
                contribution_id: doc.facts.contribution_id,
                datanet_id: doc.facts.datanet_id,
                text: &doc.content,
            })
            .collect();
        let subject = Subject {
            model: prepared.model(),
            attribution: prepared.attribution(),
            receipt: &receipt,
            tokenizer: &tokenizer,
            documents: &documents,
            owners: &owners,
            memory: args.memory,
        };
        let chosen = drawn(&subject, most, &seed);
        let mut shown =
            |training: u64, _: u64, step: u64, steps: u64| bar.set_position(training * steps + step);
        let found = audit(&subject, questions, &chosen, &seed, &trainings, &mut shown, &cancel);
        bar.finish_and_clear();
        Ok(found)
    })
    .await;
    stop.abort();
    let report = Report { model_id: args.model_id, model_version: version, ..done?? };
    write_json(&folder.join(REPORT_FILE), &report)?;
    write_private(&folder.join(PAGE_FILE), page(&report).as_bytes())?;
    Ok(Outcome { cost, report: Some(report), folder })
}

fn count(owners: &BTreeMap<u64, String>) -> usize {
    owners.values().collect::<std::collections::BTreeSet<_>>().len()
}

/// Answers that were paid and verify, then held-out texts, at most as many as asked for.
async fn questions(ctx: &Context, prepared: &Prepared, args: &AuditArgs) -> Result<Vec<Question>> {
    let mut found = Vec::new();
    for bundle in verify::kept_bundles(ctx, &args.answers).await? {
        if found.len() >= args.questions {
            break;
        }
        let receipt = &bundle.receipt.receipt;
        if (receipt.model_id, receipt.model_version) != (args.model_id, prepared.version.version) {
            continue;
        }
        let verified = prepared.verify(ctx, &bundle).await?;
        if !verified.holds {
            return Err(CliError::new(
                Class::Verification,
                "E-CLI-067",
                format!("answer {} does not verify", show::clean(&verified.receipt_id)),
                "leave it out: `openledger verify` says what is wrong with it",
            ));
        }
        found.push(Question {
            id: verified.receipt_id,
            paid: true,
            prompt: prepared.prompt(&bundle)?.1,
            answer: bundle.tokens.clone(),
            shares: receipt.shares.iter().map(|share| (share.contribution_id, share.bps)).collect(),
        });
    }
    let (model, attribution) = (prepared.model().clone(), prepared.shared_attribution());
    let texts: Vec<String> =
        args.heldout.iter().take(args.questions.saturating_sub(found.len())).cloned().collect();
    let heldout = blocking(move || {
        Ok(texts.iter().map(|text| Question::heldout(&model, &attribution, text)).collect::<Result<Vec<_>>>())
    })
    .await??;
    found.extend(heldout);
    if found.is_empty() {
        return Err(CliError::usage(
            "there is no question: name answers of this model, or texts that it has not seen (--heldout PATH)",
        ));
    }
    Ok(found)
}

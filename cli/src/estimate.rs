//! What a draft would be worth, found on its author's machine before anybody else sees it: what cleaning does to it,
//! what it repeats, how much of it is new, and what it would have earned on questions that were really paid for.
//!
//! Questions come from answer files: those that this home folder keeps, and those that their payers hand out. No node
//! publishes anybody's questions.

use std::collections::{BTreeMap, BTreeSet};

use openledger_attribution::{Answer, Document, Index, Layers, Method, RunKind, GROUNDED_WORDS};
use openledger_ingest::{Deduplicator, Media, Options, Report, Run};
use openledger_node::attribution::{with_documents, Asked, Attribution, Source};
use openledger_node::corpus::CorpusDoc;
use openledger_node::engine::Model;
use openledger_types::merkle::Hash;
use openledger_types::msg::escrow::UsageResponse;
use serde::Serialize;

use crate::audit_attribution::{figure, Figure};
use crate::context::Context;
use crate::contribute;
use crate::error::{Class, CliError, Result};
use crate::model::{blocking, load_corpus};
use crate::verify;

/// Contributor of drafts in an index.
const AUTHOR: &str = "draft";
/// Contributions named as similar to a draft.
const SIMILAR: usize = 3;
/// Words of a run from which on it makes a contribution similar.
const SIMILAR_WORDS: usize = 5;

/// What to estimate.
#[derive(Clone, Debug)]
pub struct EstimateArgs {
    /// Datanet that the drafts are meant for.
    pub datanet_id: u64,
    /// Model that rests on it, with a version if not the newest; without one nothing is said of earnings.
    pub model: Option<(u64, Option<u32>)>,
    /// Answers of that model by file or receipt's id; those that this home folder keeps, when none is named.
    pub answers: Vec<String>,
    /// Node that is asked for data and model.
    pub node: String,
}

/// A cleaned draft.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Name of its file.
    pub name: String,
    /// Content text: what would be trained on.
    pub content: String,
    /// Match text.
    pub match_text: String,
}

/// A contribution that has words of a draft.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Similar {
    /// Contribution.
    pub contribution_id: u64,
    /// Words of the draft in runs of five and more that stand there first.
    pub words: u64,
    /// What the chain has counted of it.
    pub counted: Option<UsageResponse>,
}

/// One draft held against the data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Wording {
    /// Name.
    pub name: String,
    /// What it repeats so far that it would be left out: a contribution, or an earlier draft by name.
    pub duplicate_of: Option<String>,
    /// Part of its words, weighted by how rare they are, in no run of three that the data has; basis points.
    pub novelty_bps: u16,
    /// Contributions with most of its words.
    pub similar: Vec<Similar>,
}

/// What the drafts would have been paid on questions that were.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Earnings {
    /// Questions.
    pub questions: u64,
    /// Of them, how many would pay a draft.
    pub uses: u64,
    /// Part of the data's money that would go to the drafts.
    pub share: Figure,
    /// Base units a question.
    pub per_question: Figure,
}

/// Everything found of the drafts.
#[derive(Clone, Debug, Serialize)]
pub struct Estimate {
    /// What cleaning found, refused and masked.
    pub report: Report,
    /// Drafts whose text the chain already holds: (name, contribution).
    pub on_chain: Vec<(String, u64)>,
    /// The others, against the data.
    pub drafts: Vec<Wording>,
    /// What they would have earned; none without a model or without questions.
    pub earnings: Option<Earnings>,
    /// Denom of earnings.
    pub denom: String,
}

/// A question that was paid for.
#[derive(Clone, Debug)]
pub struct Paid {
    /// Prompt.
    pub prompt: String,
    /// Its tokens.
    pub prompt_tokens: Vec<u32>,
    /// Answer.
    pub answer: String,
    /// Its tokens.
    pub tokens: Vec<u32>,
    /// The data's part of the fee, in base units.
    pub data: u128,
}

/// Indexes the drafts behind the documents and says what each repeats. Draft `i` gets the contribution number
/// `first + i` for the second value.
///
/// # Errors
/// When the texts cannot be indexed.
pub fn wording(
    documents: Vec<Document>,
    drafts: &[Draft],
) -> std::result::Result<(Vec<Wording>, u64, Index), openledger_attribution::Error> {
    let first = documents.iter().map(|d| d.contribution_id).max().unwrap_or(0) + 1;
    let own = (first..).zip(drafts).map(|(contribution_id, draft)| Document {
        contribution_id,
        contributor: AUTHOR.into(),
        priority: (u64::MAX, 0),
        match_text: draft.match_text.clone(),
    });
    let with = Index::build(documents.iter().cloned().chain(own).collect())?;
    let without = Index::build(documents)?;
    let repeats = |contribution_id: u64| {
        let copy = with.duplicates().iter().find(|copy| copy.contribution_id == contribution_id)?;
        let draft = copy.of.checked_sub(first).and_then(|i| drafts.get(usize::try_from(i).ok()?));
        Some(draft.map_or_else(|| format!("contribution {}", copy.of), |draft| draft.name.clone()))
    };
    let found = (first..)
        .zip(drafts)
        .map(|(contribution_id, draft)| {
            let (novelty_bps, similar) = held_against(&without, &draft.match_text);
            let duplicate_of = repeats(contribution_id);
            Wording { name: draft.name.clone(), duplicate_of, novelty_bps, similar }
        })
        .collect();
    Ok((found, first, with))
}

/// The novelty of a text in basis points, and which contributions have most of its words.
fn held_against(index: &Index, text: &str) -> (u16, Vec<Similar>) {
    let trace = index.trace("", text, &Hash::default());
    let (mut all, mut known) = (0u128, 0u128);
    let mut words: BTreeMap<u64, u64> = BTreeMap::new();
    for run in &trace.runs {
        all += run.weight;
        if run.kind == RunKind::Copy || run.matched >= GROUNDED_WORDS {
            known += run.weight;
        }
        if run.kind == RunKind::Copy || run.matched >= SIMILAR_WORDS {
            for payee in &run.payees {
                *words.entry(payee.contribution_id).or_default() += run.tokens as u64;
            }
        }
    }
    let novelty = ((all - known) * 10_000).checked_div(all).unwrap_or(0);
    let mut similar: Vec<Similar> = words
        .into_iter()
        .map(|(contribution_id, words)| Similar { contribution_id, words, counted: None })
        .collect();
    similar.sort_by_key(|one| (std::cmp::Reverse(one.words), one.contribution_id));
    similar.truncate(SIMILAR);
    (u16::try_from(novelty).unwrap_or(10_000), similar)
}

/// What the drafts would be paid for these questions, if the model's data held them and the model were the same: a first
/// order estimate, for the model has not learned from them. `index` holds the drafts, from number `first` on.
///
/// # Errors
/// Those of the model; class verification when its influence index is not one of these data.
pub fn earnings(
    model: &Model,
    attribution: &Attribution,
    index: Index,
    first: u64,
    drafts: &[Draft],
    questions: &[Paid],
) -> Result<Option<Earnings>> {
    let method: Box<dyn Method> = match attribution.influence() {
        None => Box::new(index),
        Some(influence) => {
            let kept: Vec<Source> = (first..)
                .zip(drafts)
                .filter(|(id, _)| index.document(*id).is_some())
                .map(|(contribution_id, draft)| Source { contribution_id, text: &draft.content })
                .collect();
            let influence = with_documents(model, influence, &kept)?;
            let weights = attribution.weights();
            let layers = Layers::of_scheme(attribution.scheme(), index, influence, weights);
            Box::new(layers.map_err(|e| {
                CliError::new(
                    Class::Verification,
                    "E-CLI-095",
                    format!("the drafts cannot be attributed beside the model's data: {e}"),
                    "do not use this model: its influence index is not one of its data",
                )
            })?)
        }
    };
    let (mut shares, mut amounts, mut uses) = (Vec::new(), Vec::new(), 0);
    for question in questions {
        let asked = Asked {
            prompt: &question.prompt,
            prompt_tokens: &question.prompt_tokens,
            answer: &question.answer,
            tokens: &question.tokens,
        };
        let found = method.evidence(&Answer {
            prompt: &question.prompt,
            text: &question.answer,
            signature: &attribution.sign(model, &asked)?,
            seed: &Hash::default(),
            barred: &BTreeSet::new(),
        });
        let own = found.shares.iter().filter(|share| share.contribution_id >= first);
        let bps: u128 = own.map(|share| u128::from(share.bps)).sum();
        uses += u64::from(bps > 0);
        shares.push(bps as f64 / 10_000.0);
        amounts.push((question.data.saturating_mul(bps) / 10_000) as f64);
    }
    let questions = questions.len() as u64;
    Ok(figure(&shares).zip(figure(&amounts)).map(|(share, per_question)| Earnings {
        questions,
        uses,
        share,
        per_question,
    }))
}

/// Cleans drafts and says what they would be worth. Nothing of them leaves this machine but the hash of each match text,
/// by which the chain is asked for an exact copy.
///
/// # Errors
/// Of chain, node and disk; usage when the datanet has no version, or the model does not rest on it.
pub async fn run(
    ctx: &Context,
    documents: impl IntoIterator<Item = contribute::Document>,
    args: EstimateArgs,
) -> Result<Estimate> {
    let reader = ctx.reader().await?;
    let options = Options { media: Media::Auto, ..Options::default() };
    let mut cleaning = Run::new(options, Deduplicator::new(Vec::<Hash>::new()));
    let (mut drafts, mut on_chain) = (Vec::new(), Vec::new());
    for document in documents {
        let Some(cleaned) = cleaning.document(&document.name, &document.bytes) else { continue };
        match reader.by_match_hash(&cleaned.match_hash).await? {
            Some(id) => on_chain.push((document.name, id)),
            None => drafts.push(Draft {
                name: document.name,
                content: cleaned.content,
                match_text: cleaned.match_text,
            }),
        }
    }
    let report = cleaning.finish();
    let fetched = ctx.home.join(format!("estimate-{}", std::process::id()));
    let prepared = match args.model {
        None => None,
        Some((model_id, version)) => {
            let version = match version {
                Some(version) => version,
                None => reader.model(model_id).await?.latest_version,
            };
            let prepared = verify::prepare(ctx, model_id, version, &args.node, &fetched).await;
            // Weights are in memory; the folder would only cost space.
            let _ = std::fs::remove_dir_all(&fetched);
            Some(prepared?)
        }
    };
    let versions = match &prepared {
        Some(prepared) => prepared.version.datanets.clone(),
        None => {
            let datanet = reader.datanet(args.datanet_id).await?;
            vec![reader.version(args.datanet_id, datanet.latest_version).await?.version]
        }
    };
    if versions.iter().all(|version| version.datanet_id != args.datanet_id) {
        return Err(CliError::usage(format!("the model does not rest on datanet {}", args.datanet_id)));
    }
    let docs = load_corpus(ctx, &reader, &versions, &args.node).await?;
    let questions = match &prepared {
        Some(prepared) => paid(ctx, prepared, &args.answers).await?,
        None => Vec::new(),
    };
    let denom = prepared.as_ref().map(|prepared| prepared.version.denom.clone()).unwrap_or_default();
    let (mut drafts, earnings) = blocking(move || {
        let texts = docs.into_iter().map(text).collect();
        Ok(held(texts, &drafts, prepared.as_ref(), &questions))
    })
    .await??;
    for similar in drafts.iter_mut().flat_map(|draft| &mut draft.similar) {
        similar.counted = Some(reader.usage(similar.contribution_id).await?);
    }
    Ok(Estimate { report, on_chain, drafts, earnings, denom })
}

/// Both parts of the estimate, from texts, model and questions that were fetched.
fn held(
    texts: Vec<Document>,
    drafts: &[Draft],
    prepared: Option<&verify::Prepared>,
    questions: &[Paid],
) -> Result<(Vec<Wording>, Option<Earnings>)> {
    let (found, first, index) = wording(texts, drafts).map_err(|e| CliError::usage(e.to_string()))?;
    let earned = match prepared {
        Some(known) => earnings(known.model(), known.attribution(), index, first, drafts, questions)?,
        None => None,
    };
    Ok((found, earned))
}

fn text(doc: CorpusDoc) -> Document {
    Document {
        contribution_id: doc.facts.contribution_id,
        contributor: doc.facts.contributor,
        priority: (doc.facts.priority.height, doc.facts.priority.tx_index),
        match_text: doc.match_text,
    }
}

/// Answers of the model that verify, as questions.
async fn paid(ctx: &Context, prepared: &verify::Prepared, names: &[String]) -> Result<Vec<Paid>> {
    let mut found = Vec::new();
    for bundle in verify::kept_bundles(ctx, names).await? {
        let receipt = &bundle.receipt.receipt;
        let of = (prepared.version.model_id, prepared.version.version);
        if (receipt.model_id, receipt.model_version) != of || !prepared.verify(ctx, &bundle).await?.holds {
            continue;
        }
        let (prompt, prompt_tokens) = prepared.prompt(&bundle)?;
        let data = u128::from(prepared.version.split.data);
        found.push(Paid {
            prompt,
            prompt_tokens,
            answer: bundle.answer.clone(),
            tokens: bundle.tokens.clone(),
            data: receipt.fee.u128().saturating_mul(data) / 10_000,
        });
    }
    Ok(found)
}

//! E1, influence: a model is trained again without some of the documents, and what that does to the loss on
//! a question is compared with what each method says (LDS; Park et al., arXiv 2303.14186). Every training is
//! kept under the hash of its recipe, so an interrupted run goes on where it was.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use openledger_attribution::influence::{Builder, InfluenceIndex, Passage, Raw, Signature, Statistics};
use openledger_attribution::{Answer, Document, Index, Layers, Method, Weights};
use openledger_node::train::{Experiment, Recipe, Retrained};
use serde_json::json;

use super::corpus::{generated, Doc, Numbers};
use super::stats::{interval, mean, spearman};
use super::{peer_scores, Settings};
use crate::report::Metric;

const SEED: [u8; 32] = [5; 32];
/// Dimensions of projected gradients.
const PROJECTED: usize = 192;

/// Sizes of a run.
struct Size {
    contributors: usize,
    each: usize,
    queries: usize,
    subsets: usize,
    recipe: Recipe,
}

impl Size {
    fn of(settings: &Settings) -> Self {
        let recipe = Recipe {
            name: "attribution".into(),
            vocab: 512,
            dim: 64,
            layers: 2,
            heads: 2,
            ffn: 128,
            context: 64,
            batch: 16,
            shards: 1,
            seconds: None,
            learning_rate: 3e-3,
            warmup: 20,
            ..Recipe::default()
        };
        match settings.quick {
            true => Size {
                contributors: 12,
                each: 10,
                queries: 24,
                subsets: 12,
                recipe: Recipe { vocab: 384, dim: 32, ffn: 64, steps: Some(120), ..recipe },
            },
            false => Size {
                contributors: 24,
                each: 16,
                queries: 60,
                subsets: 100,
                recipe: Recipe { steps: Some(600), ..recipe },
            },
        }
    }
}

/// Scores of a method: one row a query, one column a document.
type Scores = Vec<Vec<f64>>;

/// A training that leaves documents out, and the loss on every query after it.
struct Ground {
    keep: Vec<bool>,
    losses: Vec<f64>,
}

pub fn measure(settings: &Settings) -> Result<Vec<Metric>> {
    let size = Size::of(settings);
    let all = generated(size.contributors, size.each + 2, 6, 41);
    // The last two of each contributor are held out as questions.
    let held = |i: usize| i % (size.each + 2) >= size.each;
    let docs: Vec<Doc> = all.iter().enumerate().filter(|(i, _)| !held(*i)).map(|(_, d)| d.clone()).collect();
    let asked: Vec<Doc> = all.iter().enumerate().filter(|(i, _)| held(*i)).map(|(_, d)| d.clone()).collect();
    let texts: Vec<String> = docs.iter().map(|d| d.text.clone()).collect();
    let experiment = Experiment::new(&size.recipe, &texts)?;
    let queries: Vec<Vec<u32>> =
        asked.iter().take(size.queries).map(|d| Ok(experiment.passage(&d.text)?)).collect::<Result<_>>()?;
    let model = experiment.train(&vec![true; docs.len()])?;

    let mut numbers = Numbers(2);
    let mut drawn = |part: u64| -> Result<Vec<Ground>> {
        (0..size.subsets)
            .map(|_| {
                let keep = docs.iter().map(|_| numbers.below(10) >= part).collect();
                ground(settings, &experiment, &queries, keep)
            })
            .collect()
    };
    let (half, tenth) = (drawn(5)?, drawn(1)?);
    let without: Vec<Ground> = (0..size.contributors)
        .map(|c| ground(settings, &experiment, &queries, docs.iter().map(|d| d.contributor != c).collect()))
        .collect::<Result<_>>()?;
    let whole = ground(settings, &experiment, &queries, vec![true; docs.len()])?;

    let exchange = json!({
        "documents": experiment.passages().iter().map(|p| experiment.decode(p)).collect::<Vec<_>>(),
        "queries": queries.iter().map(|p| experiment.decode(p)).collect::<Vec<_>>(),
    });
    std::fs::write(settings.exchange.join("influence.in.json"), serde_json::to_vec(&exchange)?)?;

    let index = layers(&experiment, &model, &docs)?;
    let mut methods: BTreeMap<&str, Scores> = BTreeMap::new();
    let (influence, span) = layer_scores(&experiment, &model, &index, &queries)?;
    methods.insert("mix", mixed(&influence, &span));
    methods.insert("rkf16_int8", influence);
    methods.insert("span", span);
    methods.extend(gradients(&experiment, &model, &queries)?);
    if let Some(scores) = peer_scores(&settings.exchange, "influence.bm25") {
        methods.insert("bm25", scores);
    }
    let mut metrics = Vec::new();
    for (part, grounds) in [(50, &half), (10, &tenth)] {
        let ours = lds(&methods["mix"], grounds);
        for (name, scores) in &methods {
            let found = lds(scores, grounds);
            let [low, high] = interval(&found);
            let mut metric = Metric::of(&format!("lds{part}_{name}"), "LDS", vec![mean(&found)]);
            metric.spread = [low, high];
            metrics.push(metric);
            if *name != "mix" {
                let differences: Vec<f64> = ours.iter().zip(&found).map(|(a, b)| a - b).collect();
                let mut metric =
                    Metric::of(&format!("lds{part}_mix_less_{name}"), "LDS", vec![mean(&differences)]);
                metric.spread = interval(&differences);
                metrics.push(metric);
            }
        }
    }
    metrics.extend(contributors(&experiment, &index, &model, &queries, &docs, &whole, &without)?);
    Ok(metrics)
}

/// The losses on all queries after training on what is kept, from the cache where they lie in it.
fn ground(
    settings: &Settings,
    experiment: &Experiment,
    queries: &[Vec<u32>],
    keep: Vec<bool>,
) -> Result<Ground> {
    let path = settings.cache.join(format!("{}-{}.json", experiment.fingerprint(&keep), queries.len()));
    if let Some(losses) = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
        return Ok(Ground { keep, losses });
    }
    let model = experiment.train(&keep)?;
    let losses: Vec<f64> = queries.iter().map(|q| Ok(f64::from(model.loss(q)?))).collect::<Result<_>>()?;
    let part = path.with_extension("part");
    std::fs::write(&part, serde_json::to_vec(&losses)?)?;
    std::fs::rename(&part, &path).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(Ground { keep, losses })
}

/// By query: rank correlation over the subsets of what is predicted and what happened.
fn lds(scores: &Scores, grounds: &[Ground]) -> Vec<f64> {
    scores
        .iter()
        .enumerate()
        .map(|(query, row)| {
            let predicted: Vec<f64> = grounds
                .iter()
                .map(|g| row.iter().zip(&g.keep).filter(|(_, kept)| **kept).map(|(s, _)| s).sum())
                .collect();
            let happened: Vec<f64> = grounds.iter().map(|g| -g.losses[query]).collect();
            spearman(&predicted, &happened)
        })
        .collect()
}

fn labels(passage: &[u32]) -> Vec<Option<u32>> {
    passage.iter().skip(1).map(|token| Some(*token)).collect()
}

/// Both layers over the documents, as a node has them.
pub(super) fn layers(experiment: &Experiment, model: &Retrained, docs: &[Doc]) -> Result<Layers> {
    let vocabulary = experiment.vocabulary();
    let mut statistics = Statistics::new(model.width(), vocabulary);
    for passage in experiment.passages() {
        let found = model.positions(passage)?;
        statistics.add(&Passage { hidden: &found.hidden, logits: &found.logits, labels: &labels(passage) });
    }
    let builder = statistics.builder();
    let segments = |builder: &Builder, passage: &Vec<u32>| -> Result<Vec<Raw>> {
        let found = model.positions(passage)?;
        let labels = labels(passage);
        Ok(builder.segments(&Passage { hidden: &found.hidden, logits: &found.logits, labels: &labels }))
    };
    let sample: Vec<Raw> = experiment
        .passages()
        .iter()
        .map(|passage| segments(&builder, passage))
        .collect::<Result<Vec<_>>>()?
        .concat();
    let builder = builder.calibrated(&sample);
    let mut raw: BTreeMap<u64, Raw> = BTreeMap::new();
    for (id, passage) in (1u64..).zip(experiment.passages()) {
        let mut sum = Raw::new();
        builder.add(&mut sum, &segments(&builder, passage)?);
        raw.insert(id, sum);
    }
    let documents = (1u64..)
        .zip(experiment.passages())
        .zip(docs)
        .map(|((id, passage), doc)| Document {
            contribution_id: id,
            contributor: format!("contributor{}", doc.contributor),
            priority: (id, 0),
            match_text: openledger_ingest::match_text(&experiment.decode(passage)),
        })
        .collect();
    let index = Index::build(documents)?;
    // A passage that turns out to be a copy once it is cut earns nothing.
    raw.retain(|id, _| index.document(*id).is_some());
    let influence: InfluenceIndex = builder.index(&raw);
    Ok(Layers::new(index, influence, Weights::default())?)
}

pub(super) fn signature(index: &Layers, model: &Retrained, query: &[u32]) -> Result<Signature> {
    let found = model.positions(query)?;
    let builder = Builder::of(index.influence().context("the method has an influence index")?);
    let labels = labels(query);
    Ok(builder.signature(&Passage { hidden: &found.hidden, logits: &found.logits, labels: &labels }))
}

/// Scores of each layer by document.
fn layer_scores(
    experiment: &Experiment,
    model: &Retrained,
    index: &Layers,
    queries: &[Vec<u32>],
) -> Result<(Scores, Scores)> {
    let (mut influence, mut span) = (Scores::new(), Scores::new());
    for query in queries {
        let signature = signature(index, model, query)?;
        let found = index.influence().context("the method has an influence index")?.influence(&signature);
        let by_id: BTreeMap<u64, i64> = found.documents.into_iter().collect();
        let all = 1..=experiment.passages().len() as u64;
        influence.push(all.map(|id| by_id.get(&id).map_or(0.0, |i| *i as f64)).collect());
        let trace = index.index().trace("", &experiment.decode(query), &SEED);
        let credit = |id: u64| trace.credits.get(&id).map_or(0.0, |c| *c as f64);
        span.push((1..=experiment.passages().len() as u64).map(credit).collect());
    }
    Ok((influence, span))
}

/// 0.7 and 0.3 of the layers, each as a part of what is above 0.
fn mixed(influence: &Scores, span: &Scores) -> Scores {
    let whole = |row: &[f64]| row.iter().map(|s| s.max(0.0)).sum::<f64>().max(f64::MIN_POSITIVE);
    influence
        .iter()
        .zip(span)
        .map(|(b, a)| {
            let (all_b, all_a) = (whole(b), whole(a));
            b.iter().zip(a).map(|(b, a)| 0.7 * b / all_b + 0.3 * a / all_a).collect()
        })
        .collect()
}

/// Products of whole gradients, plain (TracIn with one checkpoint) and projected with the inverse of the
/// Gauss-Newton matrix (TRAK with one model).
fn gradients(
    experiment: &Experiment,
    model: &Retrained,
    queries: &[Vec<u32>],
) -> Result<Vec<(&'static str, Scores)>> {
    let of = |passages: &[Vec<u32>]| -> Result<Vec<Vec<f32>>> {
        passages.iter().map(|p| Ok(model.gradient(p)?)).collect()
    };
    let (documents, asked) = (of(experiment.passages())?, of(queries)?);
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(x * y)).sum::<f64>();
    let plain = asked.iter().map(|q| documents.iter().map(|d| dot(q, d)).collect()).collect();
    let project = |gradient: &Vec<f32>| -> Vec<f64> {
        let mut signs = Numbers(99);
        let mut sums = vec![0.0; PROJECTED];
        for value in gradient {
            for chunk in sums.chunks_mut(64) {
                let bits = signs.below(u64::MAX);
                for (k, sum) in chunk.iter_mut().enumerate() {
                    *sum += if bits >> k & 1 == 0 { f64::from(*value) } else { -f64::from(*value) };
                }
            }
        }
        sums
    };
    let features: Vec<Vec<f64>> = documents.iter().map(project).collect();
    let questions: Vec<Vec<f64>> = asked.iter().map(project).collect();
    let mut matrix = vec![vec![0.0; PROJECTED]; PROJECTED];
    for row in &features {
        for (line, x) in matrix.iter_mut().zip(row) {
            line.iter_mut().zip(row).for_each(|(sum, y)| *sum += x * y);
        }
    }
    let trace: f64 = matrix.iter().enumerate().map(|(i, line)| line[i]).sum();
    for (i, line) in matrix.iter_mut().enumerate() {
        line[i] += 0.1 * trace / PROJECTED as f64;
    }
    let solved: Vec<Vec<f64>> = questions.iter().map(|q| solve(matrix.clone(), q.clone())).collect();
    let trak = solved
        .iter()
        .map(|q| features.iter().map(|d| q.iter().zip(d).map(|(x, y)| x * y).sum()).collect())
        .collect();
    Ok(vec![("grad_dot", plain), ("trak1_own", trak)])
}

/// Solves a symmetric positive system by elimination.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let n = right.len();
    for i in 0..n {
        let pivot = matrix[i].clone();
        for row in i + 1..n {
            let factor = matrix[row][i] / pivot[i];
            matrix[row].iter_mut().zip(&pivot).skip(i).for_each(|(x, p)| *x -= factor * p);
            right[row] -= factor * right[i];
        }
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|k| matrix[i][k] * right[k]).sum();
        right[i] = (right[i] - known) / matrix[i][i];
    }
    right
}

/// Shares as they are paid against leaving each contributor out: whether the first is the right one, rank
/// correlation, and half the sum of the differences.
fn contributors(
    experiment: &Experiment,
    index: &Layers,
    model: &Retrained,
    queries: &[Vec<u32>],
    docs: &[Doc],
    whole: &Ground,
    without: &[Ground],
) -> Result<Vec<Metric>> {
    let (mut top, mut rho, mut tv) = (Vec::new(), Vec::new(), Vec::new());
    for (number, query) in queries.iter().enumerate() {
        let signature = signature(index, model, query)?;
        let text = experiment.decode(query);
        let found = index.evidence(&Answer {
            prompt: "",
            text: &text,
            signature: &signature,
            seed: &SEED,
            barred: &BTreeSet::new(),
        });
        let mut paid = vec![0.0; without.len()];
        for share in &found.shares {
            paid[docs[share.contribution_id as usize - 1].contributor] += f64::from(share.bps) / 10_000.0;
        }
        let harm: Vec<f64> = without.iter().map(|g| g.losses[number] - whole.losses[number]).collect();
        let largest =
            |values: &[f64]| (0..values.len()).max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap_or(0);
        top.push(f64::from(u8::from(largest(&paid) == largest(&harm))));
        rho.push(spearman(&paid, &harm));
        let part = |values: &[f64]| -> Vec<f64> {
            let all = values.iter().map(|v| v.max(0.0)).sum::<f64>().max(f64::MIN_POSITIVE);
            values.iter().map(|v| v.max(0.0) / all).collect()
        };
        let (a, b) = (part(&paid), part(&harm));
        tv.push(a.iter().zip(&b).map(|(x, y)| (x - y).abs()).sum::<f64>() / 2.0);
    }
    let figure = |name: &str, values: Vec<f64>| {
        let spread = interval(&values);
        Metric { spread, ..Metric::of(name, "", vec![mean(&values)]) }
    };
    Ok(vec![figure("top1", top), figure("rho", rho), figure("tv", tv)])
}

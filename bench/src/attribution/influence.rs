//! E1, influence: a model is trained again without some of the documents, and what that does to the loss on
//! a question is compared with what each method says (LDS; Park et al., arXiv 2303.14186).

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use openledger_attribution::influence::{Builder, InfluenceIndex, Passage, Raw, Signature, Statistics};
use openledger_attribution::{Answer, Credits, Document, Index, Layers, Method, Weights, GROUNDED_WORDS};
use openledger_node::train::{Experiment, Retrained};
use serde_json::json;

use super::corpus::{Doc, Numbers};
use super::ground::{lds, worlds, Scores, World};
use super::rivals::gradients;
use super::stats::{interval, mean, spearman};
use super::{peer_scores, Settings};
use crate::report::Metric;

const SEED: [u8; 32] = [5; 32];

pub fn measure(settings: &Settings) -> Result<Vec<Metric>> {
    let mut metrics = Vec::new();
    for world in worlds(settings)? {
        metrics.extend(compare(settings, &world)?);
    }
    Ok(metrics)
}

fn compare(settings: &Settings, world: &World) -> Result<Vec<Metric>> {
    let World { name: corpus, docs, experiment, model, queries, .. } = world;
    let exchange = json!({
        "documents": experiment.passages().iter().map(|p| experiment.decode(p)).collect::<Vec<_>>(),
        "queries": queries.iter().map(|p| experiment.decode(p)).collect::<Vec<_>>(),
    });
    let file = settings.exchange.join(format!("influence_{corpus}.in.json"));
    std::fs::write(file, serde_json::to_vec(&exchange)?)?;
    let index = layers(experiment, model, docs)?;
    let mut methods: BTreeMap<&str, Scores> = BTreeMap::new();
    let layers = layer_scores(world, &index)?;
    let (fitted, weights) = fit(world, &layers);
    methods.insert("mix", mixed(&layers, Weights::default()));
    methods.insert("fitted", fitted);
    for (name, scores) in ["rkf16_int8", "vocabulary", "phrases"].into_iter().zip(layers) {
        methods.insert(name, scores);
    }
    methods.extend(gradients(experiment, model, queries)?);
    if let Some(scores) = peer_scores(&settings.exchange, &format!("influence_{corpus}.bm25")) {
        methods.insert("bm25", scores);
    }
    let parts = [("influence", weights.influence), ("lexical", weights.lexical), ("span", weights.span)];
    let mut metrics: Vec<Metric> = parts
        .iter()
        .map(|(name, weight)| {
            Metric::of(&format!("weight_{corpus}_{name}"), "of 10", vec![f64::from(*weight)])
        })
        .collect();
    for (part, grounds) in [(50, &world.half), (10, &world.tenth)] {
        // Judged are the questions that no weight was fitted by.
        let judged = |scores: &Scores| lds(scores, grounds).split_off(world.calibration);
        let ours = judged(&methods["mix"]);
        for (name, scores) in &methods {
            let found = judged(scores);
            let [low, high] = interval(&found);
            let mut metric = Metric::of(&format!("lds{part}_{corpus}_{name}"), "LDS", vec![mean(&found)]);
            metric.spread = [low, high];
            metrics.push(metric);
            if *name != "mix" {
                let differences: Vec<f64> = ours.iter().zip(&found).map(|(a, b)| a - b).collect();
                let name = format!("lds{part}_{corpus}_mix_less_{name}");
                let mut metric = Metric::of(&name, "LDS", vec![mean(&differences)]);
                metric.spread = interval(&differences);
                metrics.push(metric);
            }
        }
    }
    metrics.extend(contributors(world, &index)?);
    metrics.push(off_domain(world, &index)?);
    Ok(metrics)
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

/// Scores of the layers, influence, vocabulary and wording, by document: in the two layers that share by
/// contributor each document is one of its own.
fn layer_scores(world: &World, index: &Layers) -> Result<[Scores; 3]> {
    let World { experiment, model, queries, .. } = world;
    let documents = index
        .index()
        .documents()
        .iter()
        .map(|document| Document { contributor: document.contribution_id.to_string(), ..document.clone() });
    let texts = Index::build(documents.collect())?;
    let all = 1..=experiment.passages().len() as u64;
    let by_document = |credits: &Credits| -> Vec<f64> {
        all.clone().map(|id| credits.contributions.get(&id).map_or(0.0, |c| *c as f64)).collect()
    };
    let [mut influence, mut vocabulary, mut wording]: [Scores; 3] = Default::default();
    for query in queries {
        let signature = signature(index, model, query)?;
        let found = index.influence().context("the method has an influence index")?.influence(&signature);
        let by_id: BTreeMap<u64, i64> = found.documents.into_iter().collect();
        influence.push(all.clone().map(|id| by_id.get(&id).map_or(0.0, |i| *i as f64)).collect());
        let trace = texts.trace("", &experiment.decode(query), &SEED);
        vocabulary.push(by_document(&texts.vocabulary(&trace)));
        wording.push(by_document(&trace.phrase_credits(GROUNDED_WORDS)));
    }
    Ok([influence, vocabulary, wording])
}

/// The layers in these weights, each as a part of the sum of its magnitudes.
fn mixed(layers: &[Scores; 3], weights: Weights) -> Scores {
    let weights = [weights.influence, weights.lexical, weights.span].map(f64::from);
    let mut sums: Scores = layers[0].iter().map(|row| vec![0.0; row.len()]).collect();
    for (scores, weight) in layers.iter().zip(weights) {
        for (sum, row) in sums.iter_mut().zip(scores) {
            let whole = row.iter().map(|s| s.abs()).sum::<f64>().max(f64::MIN_POSITIVE);
            sum.iter_mut().zip(row).for_each(|(sum, s)| *sum += weight * s / whole);
        }
    }
    sums
}

/// The weights, in tenths, whose mix agrees best with training again on the questions for calibration, a
/// half and a tenth left out taken together.
fn fit(world: &World, layers: &[Scores; 3]) -> (Scores, Weights) {
    let mut best = (f64::MIN, Scores::new(), Weights::default());
    for influence in 0..=10u32 {
        for lexical in 0..=10 - influence {
            let weights = Weights { influence, lexical, span: 10 - influence - lexical };
            let scores = mixed(layers, weights);
            let calibration: Scores = scores[..world.calibration].to_vec();
            let found = mean(&lds(&calibration, &world.half)) + mean(&lds(&calibration, &world.tenth));
            if found > best.0 {
                best = (found, scores, weights);
            }
        }
    }
    (best.1, best.2)
}

/// What contributors are paid for texts of which the data knows nothing: words in random order, of nobody
/// and of everybody.
fn off_domain(world: &World, index: &Layers) -> Result<Metric> {
    let mut numbers = Numbers(31);
    let words: Vec<&str> = world.docs.iter().flat_map(|d| d.text.split_whitespace()).collect();
    let mut paid = Vec::new();
    for number in 0..20 {
        let word = |numbers: &mut Numbers| match number % 2 {
            0 => format!("xo{}", numbers.below(100_000)),
            _ => words[numbers.below(words.len() as u64) as usize].to_string(),
        };
        let text = (0..80).map(|_| word(&mut numbers)).collect::<Vec<_>>().join(" ");
        let passage = world.experiment.passage(&text)?;
        let signature = signature(index, &world.model, &passage)?;
        let text = world.experiment.decode(&passage);
        let answer =
            Answer { prompt: "", text: &text, signature: &signature, seed: &SEED, barred: &BTreeSet::new() };
        paid.push(f64::from(10_000 - index.evidence(&answer).no_evidence_bps) / 100.0);
    }
    let worst = paid.iter().copied().fold(0.0, f64::max);
    let name = format!("off_domain_paid_{}", world.name);
    Ok(Metric { spread: [0.0, worst], ..Metric::of(&name, "%", vec![mean(&paid)]) })
}

/// Shares as they are paid against leaving each contributor out: whether the first is the right one, rank
/// correlation, and half the sum of the differences.
fn contributors(world: &World, index: &Layers) -> Result<Vec<Metric>> {
    let World { experiment, model, queries, docs, whole, without, .. } = world;
    let (mut top, mut rho, mut tv) = (Vec::new(), Vec::new(), Vec::new());
    for (number, query) in queries.iter().enumerate().skip(world.calibration) {
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
        Metric { spread, ..Metric::of(&format!("{name}_{}", world.name), "", vec![mean(&values)]) }
    };
    Ok(vec![figure("top1", top), figure("rho", rho), figure("tv", tv)])
}

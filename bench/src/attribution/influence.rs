//! E1, influence: a model is trained again without some of the documents, and what that does to the loss on
//! a question is compared with what each method says (LDS; Park et al., arXiv 2303.14186).

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use openledger_attribution::calibration::{lds, mixed, parts, spearman, Scores};
use openledger_attribution::influence::{Builder, InfluenceIndex, Passage, Raw, Signature, Statistics};
use openledger_attribution::{Answer, Document, Index, Layers, Method, Weights, GROUNDED_WORDS};
use openledger_node::train::{Experiment, Retrained};

use super::corpus::{Doc, Numbers};
use super::exchange;
use super::ground::{worlds, World};
use super::methods::{alternatives, fit, Choice};
use super::rivals::gradients;
use super::stats::{interval, mean};
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

/// Methods of this repository that libraries have as well, each with the library's name for its scores: ours is
/// right only where both agree.
const PARITY: [(&str, &str); 2] = [("ekfac_own", "kronfluence_ekfac"), ("trak1_own", "dattri_trak1")];
/// Scores that peers write, where they are installed.
const PEERS: [&str; 7] = [
    "bm25",
    "kronfluence_ekfac",
    "kronfluence_ekfac_all",
    "dattri_trak1",
    "dattri_trak10",
    "dattri_logra",
    "dattri_datainf",
];

fn compare(settings: &Settings, world: &World) -> Result<Vec<Metric>> {
    let World { name: corpus, docs, experiment, model, queries, .. } = world;
    exchange::write(&settings.exchange, &settings.cache, world)?;
    let index = layers(experiment, model, docs)?;
    let mut methods: BTreeMap<&str, Scores> = BTreeMap::new();
    let [influence, vocabulary, phrases] = layer_scores(world, &index)?;
    methods.insert("mix", mixed([&influence, &vocabulary, &phrases], Weights::default()));
    let alternatives = alternatives(world)?;
    let texts = [vocabulary.clone(), phrases.clone()];
    let readout = fit(world, "rkf16_int8", &influence, &texts);
    let candidates = alternatives.iter().filter(|(name, _)| name.ends_with("_int8"));
    let fitted: Vec<Choice> = std::iter::once(readout.clone())
        .chain(candidates.map(|(name, scores)| fit(world, name, scores, &texts)))
        .collect();
    // Of equals the readout, which is exact and needs no backward pass.
    let chosen = fitted.iter().fold(&readout, |best, next| if next.lds > best.lds { next } else { best });
    methods.insert("fitted", readout.scores.clone());
    methods.insert("chosen", chosen.scores.clone());
    for (name, scores) in
        ["rkf16_int8", "vocabulary", "phrases"].into_iter().zip([influence, vocabulary, phrases])
    {
        methods.insert(name, scores);
    }
    methods.extend(alternatives);
    methods.extend(gradients(experiment, model, queries)?);
    for peer in PEERS {
        if let Some(scores) = peer_scores(&settings.exchange, &format!("influence_{corpus}.{peer}")) {
            methods.insert(peer, scores);
        }
    }
    let mut metrics = Vec::new();
    for choice in &fitted {
        let mark = if choice.method == chosen.method { "chosen" } else { "fitted" };
        let Weights { influence, lexical, span } = choice.weights;
        let named = |part: &str| format!("{mark}_{corpus}_{}_{part}", choice.method);
        for (part, weight) in [("influence", influence), ("lexical", lexical), ("span", span)] {
            metrics.push(Metric::of(&named(part), "of 10", vec![f64::from(weight)]));
        }
        metrics.push(Metric::of(&named("calibration"), "LDS", vec![choice.lds]));
    }
    for (part, grounds) in [(50, &world.half), (10, &world.tenth)] {
        // Judged are the questions that no weight was fitted by.
        let judged = |scores: &Scores| lds(scores, grounds).split_off(world.calibration);
        let difference = |name: &str, a: &[f64], b: &[f64]| {
            let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
            let spread = interval(&differences);
            Metric { spread, ..Metric::of(name, "LDS", vec![mean(&differences)]) }
        };
        let ours = judged(&methods["mix"]);
        for (name, scores) in &methods {
            let found = judged(scores);
            let spread = interval(&found);
            let metric = Metric::of(&format!("lds{part}_{corpus}_{name}"), "LDS", vec![mean(&found)]);
            metrics.push(Metric { spread, ..metric });
            if *name != "mix" {
                metrics.push(difference(&format!("lds{part}_{corpus}_mix_less_{name}"), &ours, &found));
            }
        }
        for (own, library) in PARITY {
            if let Some(theirs) = methods.get(library) {
                let name = format!("parity{part}_{corpus}_{own}_less_{library}");
                metrics.push(difference(&name, &judged(&methods[own]), &judged(theirs)));
            }
        }
    }
    metrics.extend(contributors(world, &index)?);
    metrics.push(off_domain(world, &index)?);
    Ok(metrics)
}

pub(super) fn labels(passage: &[u32]) -> Vec<Option<u32>> {
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
    let [mut influence, mut vocabulary, mut wording]: [Scores; 3] = Default::default();
    for query in queries {
        let signature = signature(index, model, query)?;
        let found = index.influence().context("the method has an influence index")?.influence(&signature);
        let by_id: BTreeMap<u64, i64> = found.documents.into_iter().collect();
        influence.push(all.clone().map(|id| by_id.get(&id).map_or(0.0, |i| *i as f64)).collect());
        let trace = texts.trace("", &experiment.decode(query), &SEED);
        vocabulary.push(parts(&texts.vocabulary(&trace), *all.end()));
        wording.push(parts(&trace.phrase_credits(GROUNDED_WORDS), *all.end()));
    }
    Ok([influence, vocabulary, wording])
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

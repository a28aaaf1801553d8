//! E1, influence: a model is trained again without some of the documents, and what that does to the loss on
//! a question is compared with what each method says (LDS; Park et al., arXiv 2303.14186).

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use openledger_attribution::calibration::{lds, mixed, parts, Outcome, Scores};
use openledger_attribution::influence::{Builder, InfluenceIndex, Passage, Raw, Signature, Statistics};
use openledger_attribution::{Answer, Document, Index, Layers, Method, Weights, GROUNDED_WORDS};
use openledger_node::train::{Experiment, Retrained};

use super::contributors::{self, Judgement};
use super::corpus::{Doc, Numbers};
use super::ground::{worlds, World};
use super::methods::{alternatives, fit, Choice};
use super::questions::Kind;
use super::rivals::gradients;
use super::stats::{interval, mean};
use super::{ceiling, exchange, peer_scores, serving_mix, tail_patch, Settings};
use crate::report::Metric;

pub(super) const SEED: [u8; 32] = [5; 32];

pub fn measure(settings: &Settings) -> Result<Vec<Metric>> {
    let worlds = worlds(settings)?;
    let (mut metrics, mut judged): (Vec<Metric>, Vec<Judged>) = Default::default();
    for world in &worlds {
        let found = compare(settings, world, &mut metrics)?;
        metrics.extend(found.figures(&world.name));
        judged.push(found);
    }
    let mut corpora: Vec<&str> = worlds.iter().map(|world| world.corpus).collect();
    corpora.dedup();
    for corpus in corpora {
        let of = |world: &&World| world.corpus == corpus;
        let seeds: Vec<&World> = worlds.iter().filter(of).collect();
        if seeds.len() > 1 {
            let found = judged.iter().zip(&worlds).filter(|(_, world)| of(world)).map(|(judged, _)| judged);
            metrics.extend(Judged::pooled(found).figures(&format!("{corpus}_all")));
            metrics.extend(ceiling::measure(corpus, &seeds));
        }
    }
    Ok(metrics)
}

/// Methods of this repository that libraries have as well, each with the library's name for its scores: ours is
/// right only where both agree.
const PARITY: [(&str, &str); 2] = [("ekfac_own", "kronfluence_ekfac"), ("trak1_own", "dattri_trak1")];
/// Scores that peers write, where they are installed.
const PEERS: [&str; 8] = [
    "bm25",
    "kronfluence_ekfac",
    "kronfluence_ekfac_all",
    "dattri_trak1",
    "dattri_trak10",
    "dattri_logra",
    "dattri_datainf",
    "bergson_trackstar",
];
/// What a model is paid by without calibration, and with it: each is held against all other methods.
const DEPLOYED: [&str; 2] = ["mix", "fitted"];

/// What was found on the questions that no weight was fitted by, of one model or of several of one corpus.
#[derive(Default)]
pub(super) struct Judged {
    /// By what is left out, in percent, and method, the LDS of every question.
    lds: BTreeMap<(&'static str, String), Vec<f64>>,
    /// By method, and as it is paid, how leaving a contributor out was foreseen for every question.
    contributors: BTreeMap<String, Vec<Judgement>>,
    /// By method, how much one step on its ten first documents lowers the loss on every question.
    tail_patch: BTreeMap<String, Vec<f64>>,
    /// By question its kind.
    kinds: Vec<Kind>,
}

impl Judged {
    pub(super) fn new(world: &World) -> Self {
        Judged { kinds: world.kinds[world.calibration..].to_vec(), ..Judged::default() }
    }

    /// The LDS of every method against trainings that left `part` out; nothing where there are none.
    pub(super) fn add_lds(
        &mut self,
        world: &World,
        part: &'static str,
        outcomes: &[Outcome],
        methods: &BTreeMap<&'static str, Scores>,
    ) {
        for (method, scores) in methods.iter().filter(|_| !outcomes.is_empty()) {
            let found = lds(scores, outcomes).split_off(world.calibration);
            self.lds.insert((part, method.to_string()), found);
        }
    }

    fn pooled<'a>(all: impl Iterator<Item = &'a Judged>) -> Self {
        let mut pooled = Judged::default();
        for one in all {
            one.lds.iter().for_each(|(k, v)| pooled.lds.entry(k.clone()).or_default().extend(v));
            for (method, found) in &one.contributors {
                pooled.contributors.entry(method.clone()).or_default().extend_from_slice(found);
            }
            for (method, found) in &one.tail_patch {
                pooled.tail_patch.entry(method.clone()).or_default().extend(found);
            }
            pooled.kinds.extend(&one.kinds);
        }
        // Half of the documents are left out for the first seed alone.
        let questions = pooled.kinds.len();
        pooled.lds.retain(|_, found| found.len() == questions);
        pooled.tail_patch.retain(|_, found| found.len() == questions);
        pooled.contributors.retain(|_, found| found.len() == questions);
        pooled
    }

    pub(super) fn figures(&self, name: &str) -> Vec<Metric> {
        let mut metrics = Vec::new();
        for ((part, method), found) in &self.lds {
            metrics.push(figure(&format!("lds{part}_{name}_{method}"), "LDS", found));
            for (kind, kind_name) in Kind::ALL {
                let of_kind = self.of(kind, found);
                metrics.push(figure(&format!("lds{part}_{name}_{method}_{kind_name}"), "LDS", &of_kind));
            }
            for ours in DEPLOYED.iter().filter(|ours| *ours != method) {
                let Some(own) = self.lds.get(&(part, ours.to_string())) else { continue };
                metrics.push(difference(&format!("lds{part}_{name}_{ours}_less_{method}"), own, found));
            }
        }
        for (own, library) in PARITY {
            for ((part, _), own_found) in self.lds.iter().filter(|((_, method), _)| method == own) {
                if let Some(theirs) = self.lds.get(&(part, library.to_string())) {
                    let name = format!("parity{part}_{name}_{own}_less_{library}");
                    metrics.push(difference(&name, own_found, theirs));
                }
            }
        }
        for (method, found) in &self.contributors {
            metrics.extend(contributors::figures(&format!("{name}_{method}"), found));
            for (kind, kind_name) in Kind::ALL {
                let of_kind = self.of(kind, found);
                metrics.extend(contributors::figures(&format!("{name}_{method}_{kind_name}"), &of_kind));
            }
        }
        for (method, found) in &self.tail_patch {
            metrics.push(figure(&format!("tail_patch_{name}_{method}"), "nats a token", found));
        }
        metrics
    }

    /// What was found on questions of one kind.
    fn of<T: Clone>(&self, kind: Kind, found: &[T]) -> Vec<T> {
        found.iter().zip(&self.kinds).filter(|(_, k)| **k == kind).map(|(f, _)| f.clone()).collect()
    }
}

/// A mean with its interval.
pub(super) fn figure(name: &str, unit: &'static str, found: &[f64]) -> Metric {
    Metric { spread: interval(found), ..Metric::of(name, unit, vec![mean(found)]) }
}

/// The mean of the differences, question by question.
fn difference(name: &str, a: &[f64], b: &[f64]) -> Metric {
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    figure(name, "LDS", &differences)
}

/// Scores of every method on one model, and what was chosen among those it can be registered with.
pub(super) struct Scored {
    pub methods: BTreeMap<&'static str, Scores>,
    /// Those with weights fitted on the questions for calibration.
    fitted: Vec<Choice>,
    /// The method of the best of them.
    chosen: &'static str,
    /// Layers as a node has them.
    index: Layers,
    /// Gradient of the loss on each passage.
    gradients: Vec<Vec<f32>>,
}

/// Scores all methods on a model; those of peers where they lie in the exchange folder, into which it writes what peers
/// read.
///
/// # Errors
/// Those of the model, or when the folder cannot be written.
pub(super) fn scored(settings: &Settings, world: &World) -> Result<Scored> {
    let World { name, docs, experiment, model, queries, .. } = world;
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
    let of = |passages: &[Vec<u32>]| -> Result<Vec<Vec<f32>>> {
        passages.iter().map(|passage| Ok(model.gradient(passage)?)).collect()
    };
    let documents = of(experiment.passages())?;
    methods.extend(gradients(&documents, &of(queries)?));
    for peer in PEERS {
        if let Some(scores) = peer_scores(&settings.exchange, &format!("influence_{name}.{peer}")) {
            methods.insert(peer, scores);
        }
    }
    Ok(Scored { methods, chosen: chosen.method, fitted, index, gradients: documents })
}

fn compare(settings: &Settings, world: &World, metrics: &mut Vec<Metric>) -> Result<Judged> {
    let World { name, docs, queries, .. } = world;
    let Scored { methods, fitted, chosen, index, gradients } = scored(settings, world)?;
    for choice in &fitted {
        let mark = if choice.method == chosen { "chosen" } else { "fitted" };
        let Weights { influence, lexical, span } = choice.weights;
        let named = |part: &str| format!("{mark}_{name}_{}_{part}", choice.method);
        for (part, weight) in [("influence", influence), ("lexical", lexical), ("span", span)] {
            metrics.push(Metric::of(&named(part), "of 10", vec![f64::from(weight)]));
        }
        metrics.push(Metric::of(&named("calibration"), "LDS", vec![choice.lds]));
    }
    let mut judged = Judged::new(world);
    for (part, outcomes) in [("50", &world.half), ("10", &world.tenth)] {
        judged.add_lds(world, part, outcomes, &methods);
    }
    for (method, scores) in &methods {
        judged.contributors.insert(method.to_string(), contributors::by_scores(world, scores));
        judged.tail_patch.insert(method.to_string(), tail_patch::measure(world, &gradients, scores)?);
    }
    let random = tail_patch::at_random(docs.len(), queries.len());
    judged.tail_patch.insert("random".into(), tail_patch::measure(world, &gradients, &random)?);
    judged.contributors.insert("paid".into(), contributors::as_paid(world, &index)?);
    metrics.push(contributors::paid_apart(world)?);
    metrics.push(off_domain(world, &index)?);
    metrics.extend(serving_mix::measure(world)?);
    Ok(judged)
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
        let by_id: BTreeMap<u64, i128> = index.influences(&signature).into_iter().collect();
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

//! What a contributor gains by cheating, with the model trained again on what the attack leaves: the
//! coalition's part of the shares with the attack over that without.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use openledger_attribution::{Answer, Document, Index, Method};
use openledger_node::train::{Experiment, Recipe};

use super::corpus::{generated, Doc, Numbers};
use super::influence::{layers, signature};
use super::stats::mean;
use super::Settings;
use crate::report::Metric;

const SEED: [u8; 32] = [8; 32];
/// Seed of the corpus.
const CORPUS: u64 = 61;
/// The contributor who cheats, and the one who is copied.
const ATTACKER: usize = 0;
const VICTIM: usize = 1;

/// What the attacks with new documents are to be held against: as many of its own kind.
const HONEST: &str = "no_attack_20_own_documents";

/// Documents with what an attack adds; who has a number from `first` on belongs to the coalition.
type Attack = fn(&mut Vec<Doc>, usize);

pub fn measure(settings: &Settings) -> Result<Vec<Metric>> {
    let (contributors, each) = if settings.quick { (10, 8) } else { (24, 16) };
    let recipe = Recipe {
        name: "attacks".into(),
        vocab: 384,
        dim: 32,
        layers: 2,
        heads: 2,
        ffn: 64,
        context: 64,
        batch: 16,
        shards: 1,
        seconds: None,
        steps: Some(if settings.quick { 100 } else { 400 }),
        learning_rate: 3e-3,
        warmup: 20,
        ..Recipe::default()
    };
    let all = generated(contributors, each + 1, 6, CORPUS);
    let (mut docs, mut queries) = (Vec::new(), Vec::new());
    for (i, doc) in all.into_iter().enumerate() {
        if i % (each + 1) == each {
            queries.push(doc.text)
        } else {
            docs.push(doc)
        }
    }
    let (honest, harmless) = paid(&recipe, &docs, contributors, &queries)?;
    let attacks: [(&str, Attack); 11] = [
        ("own_documents_4_times", |docs, first| clones(docs, first, ATTACKER, 4, false)),
        ("own_documents_16_owners", |docs, first| clones(docs, first, ATTACKER, 16, true)),
        ("victim_copied", |docs, first| clones(docs, first, VICTIM, 1, true)),
        ("victim_copied_10_percent_new", |docs, first| near(docs, first, 10)),
        ("victim_copied_30_percent_new", |docs, first| near(docs, first, 30)),
        ("stuffed_words", |docs, first| stuffed(docs, first, 96, 1)),
        ("stuffed_words_between_new_ones", between),
        ("stuffed_pairs_of_words", |docs, first| stuffed(docs, first, 96, 2)),
        ("stuffed_runs_of_four_words", |docs, first| stuffed(docs, first, 96, 4)),
        ("outliers", outliers),
        (HONEST, more),
    ];
    let (mut metrics, mut gains, mut copies) = (Vec::new(), Vec::new(), Vec::new());
    for (name, attack) in attacks {
        let mut cheated = docs.clone();
        attack(&mut cheated, contributors);
        let (earned, loss) = paid(&recipe, &cheated, contributors, &queries)?;
        let gain = earned / honest.max(1e-9);
        if name.starts_with("own") || name == "victim_copied" {
            copies.push(gain);
        }
        if name != HONEST {
            gains.push(gain);
        }
        metrics.push(Metric::of(&format!("gain_{name}"), "times", vec![gain]));
        metrics.push(Metric::of(&format!("loss_after_{name}"), "nats a token", vec![loss - harmless]));
    }
    gains.sort_by(f64::total_cmp);
    let largest = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    metrics.push(Metric::of("clone_gain_max", "times", vec![largest(&copies)]));
    metrics.push(Metric::of("attack_inflation_max", "times", vec![largest(&gains)]));
    metrics.push(Metric::of("attack_gain_median", "times", vec![gains[gains.len() / 2]]));
    Ok(metrics)
}

/// The coalition's part of the queries' shares after training on what is not left out, and the loss on them.
fn paid(recipe: &Recipe, docs: &[Doc], contributors: usize, queries: &[String]) -> Result<(f64, f64)> {
    let all = (1u64..).zip(docs).map(|(id, doc)| Document {
        contribution_id: id,
        contributor: doc.contributor.to_string(),
        priority: (id, 0),
        match_text: openledger_ingest::match_text(&doc.text),
    });
    let texts = Index::build(all.collect())?;
    let kept: Vec<Doc> =
        (1u64..).zip(docs).filter(|(id, _)| !texts.is_left_out(*id)).map(|(_, d)| d.clone()).collect();
    let texts: Vec<String> = kept.iter().map(|d| d.text.clone()).collect();
    let experiment = Experiment::new(recipe, &texts)?;
    let model = experiment.train(&vec![true; kept.len()])?;
    let index = layers(&experiment, &model, &kept)?;
    let owners: BTreeMap<u64, usize> = (1u64..).zip(kept.iter().map(|d| d.contributor)).collect();
    let found = queries
        .iter()
        .map(|query| {
            let passage = experiment.passage(query)?;
            let (text, barred) = (experiment.decode(&passage), BTreeSet::new());
            let signature = signature(&index, &model, &passage)?;
            let answer =
                Answer { prompt: "", text: &text, signature: &signature, seed: &SEED, barred: &barred };
            let found = index.evidence(&answer);
            let ours = found.shares.iter().filter(|share| {
                owners.get(&share.contribution_id).is_some_and(|c| *c == ATTACKER || *c >= contributors)
            });
            Ok((ours.map(|share| f64::from(share.bps)).sum::<f64>(), f64::from(model.loss(&passage)?)))
        })
        .collect::<Result<Vec<_>>>()?;
    let (shares, losses): (Vec<f64>, Vec<f64>) = found.into_iter().unzip();
    Ok((mean(&shares), mean(&losses)))
}

fn clones(docs: &mut Vec<Doc>, first: usize, of: usize, times: usize, owners: bool) {
    let own: Vec<Doc> = docs.iter().filter(|d| d.contributor == of).cloned().collect();
    for copy in 0..times {
        let contributor = if owners { first + copy } else { ATTACKER };
        docs.extend(own.iter().map(|d| Doc { contributor, text: d.text.clone() }));
    }
}

/// The victim's documents with so many of a hundred words swapped.
fn near(docs: &mut Vec<Doc>, first: usize, percent: u64) {
    let mut numbers = Numbers(percent);
    let own: Vec<Doc> = docs.iter().filter(|d| d.contributor == VICTIM).cloned().collect();
    docs.extend(own.iter().map(|doc| {
        let words = doc.text.split(' ').map(|word| match numbers.below(100) < percent {
            true => format!("zor{}", numbers.below(900)),
            false => word.to_string(),
        });
        Doc { contributor: first, text: words.collect::<Vec<_>>().join(" ") }
    }));
}

/// Twenty documents of `length` of everybody's words in runs of `run` words, the runs in random order.
fn stuffed(docs: &mut Vec<Doc>, first: usize, length: usize, run: usize) {
    let mut numbers = Numbers(5);
    let words: Vec<String> =
        docs.iter().flat_map(|d| d.text.split(' ').map(str::to_string).collect::<Vec<_>>()).collect();
    for _ in 0..20 {
        let text: Vec<&str> = (0..length / run)
            .map(|_| numbers.below((words.len() - run) as u64) as usize)
            .flat_map(|at| words[at..at + run].iter().map(String::as_str))
            .collect();
        docs.push(Doc { contributor: first, text: text.join(" ") });
    }
}

/// The same of single words with a word of nobody behind each, so that no two neighbours are known.
fn between(docs: &mut Vec<Doc>, first: usize) {
    let (mut numbers, before) = (Numbers(9), docs.len());
    stuffed(docs, first, 48, 1);
    for doc in docs.iter_mut().skip(before) {
        let text = doc.text.split(' ').map(|word| format!("{word} zor{}", numbers.below(1_000_000)));
        doc.text = text.collect::<Vec<_>>().join(" ");
    }
}

/// Further documents of the contributor's own vocabulary.
fn more(docs: &mut Vec<Doc>, first: usize) {
    let before = docs.iter().filter(|d| d.contributor == ATTACKER).count() + 1;
    let own = generated(1, before + 20, 6, CORPUS).into_iter().skip(before);
    docs.extend(own.map(|doc| Doc { contributor: first, ..doc }));
}

/// Documents of what no model expects.
fn outliers(docs: &mut Vec<Doc>, first: usize) {
    let mut numbers = Numbers(6);
    for _ in 0..8 {
        let text: Vec<String> = (0..90).map(|_| format!("q{}x", numbers.below(1_000_000))).collect();
        docs.push(Doc { contributor: first, text: text.join(" ") });
    }
}

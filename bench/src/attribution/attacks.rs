//! What a contributor gains by cheating, with the model trained again on what the attack leaves: the
//! coalition's part of the shares with the attack over that without.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use openledger::audit_attribution::{standings, Verdict};
use openledger_attribution::{Answer, Document, Index, Layers, Method};
use openledger_node::train::{Experiment, Recipe, Retrained};

use super::attackers::{candidates, APART, ATTACKER, ATTACKS, CORPUS, HELD, HONEST, HONEST_OF_ALL, VICTIM};
use super::corpus::{generated, Doc};
use super::influence::{layers, signature};
use super::questions::answers;
use super::stats::mean;
use super::Settings;
use crate::report::Metric;

const SEED: [u8; 32] = [8; 32];

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
    let all = generated(contributors, each + HELD, 6, CORPUS);
    let (mut docs, mut queries, mut held): (Vec<_>, Vec<_>, Vec<_>) = Default::default();
    for (i, doc) in all.into_iter().enumerate() {
        match (i % (each + HELD)).checked_sub(each) {
            None => docs.push(doc),
            Some(turn) => {
                held.push(doc.text.clone());
                if turn == 0 {
                    queries.push(doc.text);
                }
            }
        }
    }
    let honest = Pay::of(&Trained::on(&recipe, &docs)?, contributors, &queries)?;
    let (mut metrics, mut gains, mut copies) = (Vec::new(), Vec::new(), Vec::new());
    let mut cheated: Vec<(&str, Vec<Doc>)> = ATTACKS
        .iter()
        .map(|(name, attack)| {
            let mut cheated = docs.clone();
            attack(&mut cheated, contributors);
            (*name, cheated)
        })
        .collect();
    cheated.push((SHADOW, shadow(&recipe, &docs, contributors)?));
    for (name, cheated) in cheated {
        let trained = Trained::on(&recipe, &cheated)?;
        let found = Pay::of(&trained, contributors, &queries)?;
        if (name.starts_with("stuffed") && !name.ends_with("owners")) || [HONEST, SHADOW].contains(&name) {
            metrics.extend(audited(&trained, name, contributors, &held)?);
        }
        let gain = found.coalition / honest.coalition.max(1e-9);
        if (name.starts_with("own") && name != APART) || name == "victim_copied" {
            copies.push(gain);
        }
        if ![HONEST, HONEST_OF_ALL].contains(&name) {
            gains.push(gain);
        }
        metrics.push(Metric::of(&format!("gain_{name}"), "times", vec![gain]));
        metrics.push(Metric::of(
            &format!("loss_after_{name}"),
            "nats a token",
            vec![found.loss - honest.loss],
        ));
        if name.starts_with("victim") {
            let lost = 100.0 * (1.0 - found.victim / honest.victim.max(1e-9));
            metrics.push(Metric::of(&format!("victim_lost_{name}"), "%", vec![lost]));
        }
    }
    gains.sort_by(f64::total_cmp);
    let largest = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    metrics.push(Metric::of("clone_gain_max", "times", vec![largest(&copies)]));
    metrics.push(Metric::of("attack_inflation_max", "times", vec![largest(&gains)]));
    metrics.push(Metric::of("attack_gain_median", "times", vec![gains[gains.len() / 2]]));
    Ok(metrics)
}

/// The attack by a model of one's own.
const SHADOW: &str = "stuffed_pairs_chosen_by_a_shadow_model";

/// Of many stuffed documents the twenty that a model of the attacker's own, trained on the public data, says have most
/// influence on what it writes itself (attack 9).
fn shadow(recipe: &Recipe, docs: &[Doc], first: usize) -> Result<Vec<Doc>> {
    let drawn = candidates(docs, first);
    let all: Vec<Doc> = docs.iter().chain(&drawn).cloned().collect();
    let texts: Vec<String> = all.iter().map(|doc| doc.text.clone()).collect();
    let experiment = Experiment::new(recipe, &texts)?;
    let model = experiment.train(&(0..all.len()).map(|i| i < docs.len()).collect::<Vec<_>>())?;
    let index = layers(&experiment, &model, &all)?;
    let mut influence: BTreeMap<u64, f64> = BTreeMap::new();
    for answer in answers(&experiment, &model, docs.iter().map(|doc| doc.text.as_str()))? {
        let signature = signature(&index, &model, &answer)?;
        let found = index.influence().map(|index| index.influence(&signature).documents).unwrap_or_default();
        let whole = found.iter().map(|(_, i)| i.abs() as f64).sum::<f64>().max(1.0);
        for (id, i) in found {
            *influence.entry(id).or_default() += i as f64 / whole;
        }
    }
    let mut best: Vec<(f64, &Doc)> = (docs.len() as u64 + 1..)
        .zip(&drawn)
        .filter_map(|(id, doc)| Some((*influence.get(&id)?, doc)))
        .collect();
    best.sort_by(|a, b| b.0.total_cmp(&a.0));
    Ok(docs.iter().chain(best.into_iter().take(20).map(|(_, doc)| doc)).cloned().collect())
}

/// A model trained on what is not left out, with its index.
struct Trained {
    kept: Vec<Doc>,
    experiment: Experiment,
    model: Retrained,
    index: Layers,
}

impl Trained {
    fn on(recipe: &Recipe, docs: &[Doc]) -> Result<Self> {
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
        Ok(Trained { kept, experiment, model, index })
    }

    /// Basis points by contributor for a text.
    fn shares(&self, passage: &[u32]) -> Result<Vec<f64>> {
        let (text, barred) = (self.experiment.decode(passage), BTreeSet::new());
        let signature = signature(&self.index, &self.model, passage)?;
        let answer = Answer { prompt: "", text: &text, signature: &signature, seed: &SEED, barred: &barred };
        let mut paid = vec![0.0; self.contributors()];
        for share in &self.index.evidence(&answer).shares {
            paid[self.kept[share.contribution_id as usize - 1].contributor] += f64::from(share.bps);
        }
        Ok(paid)
    }

    fn contributors(&self) -> usize {
        self.kept.iter().map(|doc| doc.contributor + 1).max().unwrap_or(0)
    }
}

/// What the queries pay, in basis points of each, and the loss on them, nats a token.
struct Pay {
    coalition: f64,
    victim: f64,
    loss: f64,
}

impl Pay {
    fn of(trained: &Trained, contributors: usize, queries: &[String]) -> Result<Self> {
        let (mut coalition, mut victim, mut losses): (Vec<f64>, Vec<f64>, Vec<f64>) = Default::default();
        for query in queries {
            let passage = trained.experiment.passage(query)?;
            let shares = trained.shares(&passage)?;
            let ours = shares.iter().enumerate().filter(|(c, _)| *c == ATTACKER || *c >= contributors);
            coalition.push(ours.map(|(_, bps)| bps).sum());
            victim.push(shares.get(VICTIM).copied().unwrap_or(0.0));
            losses.push(f64::from(trained.model.loss(&passage)?));
        }
        Ok(Pay { coalition: mean(&coalition), victim: mean(&victim), loss: mean(&losses) })
    }
}

/// What the audit by training again says after an attack (`openledger audit-attribution` takes the same verdict from
/// the same figures): how much more the newcomer `first` is paid than its absence changes, as a part of all pay,
/// whether it is named, and how many honest contributors are. Questions are held-out texts: what so small a model writes
/// says no more than chance does and pays nobody.
fn audited(trained: &Trained, name: &str, first: usize, held: &[String]) -> Result<Vec<Metric>> {
    let Trained { kept, experiment, model, .. } = trained;
    let answers: Vec<Vec<u32>> =
        held.iter().map(|text| Ok(experiment.passage(text)?)).collect::<Result<_>>()?;
    let paid: Vec<Vec<f64>> = answers.iter().map(|answer| trained.shares(answer)).collect::<Result<_>>()?;
    let losses = |model: &Retrained| -> Result<Vec<f64>> {
        answers.iter().map(|answer| Ok(f64::from(model.loss(answer)?))).collect()
    };
    let whole = losses(model)?;
    let without = (0..trained.contributors())
        .map(|c| losses(&experiment.train(&kept.iter().map(|d| d.contributor != c).collect::<Vec<_>>())?))
        .collect::<Result<Vec<_>>>()?;
    let changed: Vec<Vec<f64>> = whole
        .iter()
        .enumerate()
        .map(|(number, loss)| without.iter().map(|losses| losses[number] - loss).collect())
        .collect();
    let standings = standings(&paid, &changed);
    let Some(newcomer) = standings.get(first) else { return Ok(Vec::new()) };
    let excess = Metric {
        spread: [newcomer.excess.low, newcomer.excess.high],
        ..Metric::of(&format!("audit_{name}_excess"), "of all pay", vec![newcomer.excess.mean])
    };
    let found = f64::from(u8::from(newcomer.verdict == Verdict::Favoured));
    let honest = standings.iter().take(first).filter(|one| one.verdict == Verdict::Favoured).count();
    let accused = Metric::of(&format!("audit_{name}_honest_named"), "", vec![honest as f64]);
    Ok(vec![excess, Metric::of(&format!("audit_{name}_named"), "", vec![found]), accused])
}

//! What leaving a contributor out does to an answer, beside what the contributor is paid for it or scored.

use std::collections::BTreeSet;

use anyhow::Result;
use openledger::audit_attribution::{agreement, Figure};
use openledger_attribution::calibration::Scores;
use openledger_attribution::{Answer, Layers, Method};

use super::ground::World;
use super::influence::{figure, signature, SEED};
use crate::report::Metric;

/// One question: by contributor what is paid or scored, and by how much the loss rises without the contributor.
#[derive(Clone, Debug)]
pub struct Judgement {
    pub has: Vec<f64>,
    pub harm: Vec<f64>,
}

/// The judged questions by a method's scores: a contributor has the sum of its documents'.
pub fn by_scores(world: &World, scores: &Scores) -> Vec<Judgement> {
    let rows = scores.iter().enumerate().skip(world.calibration);
    rows.map(|(number, row)| {
        let mut has = vec![0.0; world.without.len()];
        row.iter().zip(&world.docs).for_each(|(score, doc)| has[doc.contributor] += score);
        Judgement { has, harm: world.harm(number) }
    })
    .collect()
}

/// The judged questions by the shares that are paid, as parts of the whole.
///
/// # Errors
/// Those of the model.
pub fn as_paid(world: &World, index: &Layers) -> Result<Vec<Judgement>> {
    let questions = world.queries.iter().enumerate().skip(world.calibration);
    questions
        .map(|(number, query)| {
            let signature = signature(index, &world.model, query)?;
            let found = index.evidence(&Answer {
                prompt: "",
                text: &world.experiment.decode(query),
                signature: &signature,
                seed: &SEED,
                barred: &BTreeSet::new(),
            });
            let mut has = vec![0.0; world.without.len()];
            for share in &found.shares {
                let document = share.contribution_id as usize - 1;
                has[world.docs[document].contributor] += f64::from(share.bps) / 10_000.0;
            }
            Ok(Judgement { has, harm: world.harm(number) })
        })
        .collect()
}

/// The figures of `openledger audit-attribution`, by the same code: questions for which nobody has anything are passed
/// over. How much contributors have of the whole is told of what is paid alone, scores have no whole.
pub fn figures(name: &str, found: &[Judgement]) -> Vec<Metric> {
    let (has, harm): (Vec<_>, Vec<_>) = found.iter().map(|one| (one.has.clone(), one.harm.clone())).unzip();
    let Some(agreement) = agreement(&has, &harm) else { return Vec::new() };
    let metric = |what: &str, figure: Figure| {
        let spread = [figure.low, figure.high];
        Metric { spread, ..Metric::of(&format!("{what}_{name}"), "", vec![figure.mean]) }
    };
    let mut figures = vec![
        metric("top1", agreement.top1),
        metric("rho", agreement.rho),
        metric("tv", agreement.total_variation),
    ];
    if name.contains("_paid") {
        let given: Vec<f64> = has.iter().map(|row| row.iter().sum()).collect();
        figures.push(figure(&format!("given_{name}"), "", &given));
    }
    figures
}

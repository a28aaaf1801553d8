//! What leaving a contributor out does to an answer, beside what the contributor is paid for it or scored.

use std::collections::BTreeSet;

use anyhow::Result;
use openledger::audit_attribution::{agreement, Figure};
use openledger_attribution::calibration::Scores;
use openledger_attribution::{Answer, Layers, Method};
use openledger_types::formats::Share;

use super::corpus::Doc;
use super::ground::World;
use super::influence::{figure, layers, signature, SEED};
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
    let questions = paid(world, index)?.into_iter().enumerate();
    Ok(questions
        .map(|(number, shares)| {
            let mut has = vec![0.0; world.without.len()];
            for share in &shares {
                let document = share.contribution_id as usize - 1;
                has[world.docs[document].contributor] += f64::from(share.bps) / 10_000.0;
            }
            Judgement { has, harm: world.harm(world.calibration + number) }
        })
        .collect())
}

/// The shares of the judged questions.
fn paid(world: &World, index: &Layers) -> Result<Vec<Vec<Share>>> {
    let questions = world.queries.iter().skip(world.calibration);
    questions
        .map(|query| {
            let signature = signature(index, &world.model, query)?;
            let found = index.evidence(&Answer {
                prompt: "",
                text: &world.experiment.decode(query),
                signature: &signature,
                seed: &SEED,
                barred: &BTreeSet::new(),
            });
            Ok(found.shares)
        })
        .collect()
}

/// What part of the judged questions is paid out where every document is of a contributor of its own: a receipt has room for
/// 64 of them.
///
/// # Errors
/// Those of the model.
pub fn paid_apart(world: &World) -> Result<Metric> {
    let apart = world.docs.iter().enumerate();
    let apart: Vec<Doc> = apart.map(|(contributor, doc)| Doc { contributor, ..doc.clone() }).collect();
    let index = layers(&world.experiment, &world.model, &apart)?;
    let paid: Vec<f64> = paid(world, &index)?
        .into_iter()
        .map(|shares| shares.iter().map(|share| f64::from(share.bps) / 10_000.0).sum())
        .collect();
    Ok(figure(&format!("given_{}_apart", world.name), "", &paid))
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

//! E7, tail patch (Chang et al., arXiv 2410.17413): one step of training on the documents that a method puts first, and
//! what it does to the question. A second opinion that needs no training again; it favours products of gradients,
//! of which the step is made.

use anyhow::Result;
use openledger_attribution::calibration::Scores;

use super::corpus::Numbers;
use super::ground::World;

/// Documents that a step is made of.
const FIRST: usize = 10;
/// Length of the step: times the mean gradient of the documents.
const RATE: f32 = 0.1;

/// By judged question, how much lower its loss is after the step, nats a token. `documents` are their gradients.
///
/// # Errors
/// Those of the model.
pub fn measure(world: &World, documents: &[Vec<f32>], scores: &Scores) -> Result<Vec<f64>> {
    let questions = world.queries.iter().zip(scores).skip(world.calibration);
    questions
        .map(|(query, row)| {
            let mut order: Vec<usize> = (0..row.len()).collect();
            order.sort_by(|a, b| row[*b].total_cmp(&row[*a]));
            let first: Vec<&[f32]> = order.iter().take(FIRST).map(|i| documents[*i].as_slice()).collect();
            let before = f64::from(world.model.loss(query)?);
            Ok(before - f64::from(world.model.stepped(&first, RATE)?.loss(query)?))
        })
        .collect()
}

/// Scores that say nothing.
pub fn at_random(documents: usize, questions: usize) -> Scores {
    let mut numbers = Numbers(37);
    (0..questions).map(|_| (0..documents).map(|_| numbers.below(1 << 20) as f64).collect()).collect()
}

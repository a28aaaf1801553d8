//! E1 against the mean of several seeds. The LDS of Park et al. asks what a document does in expectation over first weights and
//! order; one training a subset adds their noise to the truth, which no method can foresee (see [`super::ceiling`]).

use anyhow::Result;
use openledger_attribution::calibration::Outcome;

use super::ceiling::agree;
use super::ground::{averaged, World};
use super::influence::{figure, scored, Judged, Scored};
use super::stats::mean;
use super::Settings;
use crate::report::Metric;

pub fn measure(settings: &Settings) -> Result<Vec<Metric>> {
    let mut metrics = Vec::new();
    for world in averaged(settings)? {
        let Scored { methods, .. } = scored(settings, &world)?;
        let mut judged = Judged::new(&world);
        judged.add_lds(&world, "50_mean", &world.half_mean(), &methods);
        metrics.extend(judged.figures(&world.name));
        metrics.push(agreement(&world));
    }
    Ok(metrics)
}

/// How far two seeds agree about the loss on a question over the halves, the mean of all pairs of seeds.
fn agreement(world: &World) -> Metric {
    let seeds: Vec<&[Outcome]> =
        std::iter::once(&world.half).chain(&world.half_again).map(Vec::as_slice).collect();
    let pairs: Vec<(usize, usize)> = (0..seeds.len()).flat_map(|a| (0..a).map(move |b| (a, b))).collect();
    let judged = world.calibration..world.kinds.len();
    let found: Vec<f64> = judged
        .map(|question| {
            let pair = |(a, b): &(usize, usize)| agree(seeds[*a], seeds[*b], question);
            // Pairs share seeds, so a question counts once in the interval.
            mean(&pairs.iter().map(pair).collect::<Vec<_>>())
        })
        .collect();
    figure(&format!("ceiling50_{}", world.name), "LDS", &found)
}

//! What was paid held against what training again shows: ranks, distances, intervals. Pure.

use openledger_attribution::calibration::spearman;
use serde::{Deserialize, Serialize};

/// Draws of a bootstrap.
const DRAWS: usize = 2_000;
/// Deviations from the median beyond which a contributor is paid unlike the others, in units of the median deviation.
const DEVIATIONS: f64 = 3.0;
/// Least median deviation, as a part of all pay: below it contributors differ by the noise of training.
const LEAST_DEVIATION: f64 = 0.02;

/// A mean with its 95 % interval over questions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Mean.
    pub mean: f64,
    /// 2.5 % of the means of draws with repetition are below.
    pub low: f64,
    /// 2.5 % are above.
    pub high: f64,
}

/// How well pay predicts what leaving a contributor out changes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Part of the questions on which the contributor who is paid most is the one whose absence harms most.
    pub top1: Figure,
    /// Spearman's rank correlation of pay and harm over contributors.
    pub rho: Figure,
    /// Half the sum of the differences between the parts of the pay and the parts of the harm, 0 to 1.
    pub total_variation: Figure,
}

/// How a contributor's pay compares with that of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As the others.
    Fair,
    /// Paid more than the absence changes, by more than the others are.
    Favoured,
    /// Paid less, by more than the others are.
    Neglected,
}

/// One contributor over all questions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Mean part of what is paid to the contributors audited.
    pub paid: f64,
    /// Mean part of the harm that their absences do.
    pub changed: f64,
    /// The first less the second.
    pub excess: Figure,
    /// What follows from it.
    pub verdict: Verdict,
}

/// What is above 0, as parts of its sum; zeros where nothing is.
pub fn parts(values: &[f64]) -> Vec<f64> {
    let all: f64 = values.iter().map(|value| value.max(0.0)).sum();
    values.iter().map(|value| if all > 0.0 { value.max(0.0) / all } else { 0.0 }).collect()
}

/// Agreement over questions. `paid` and `changed` have a row a question with a column a contributor: basis points
/// paid, and by how much the loss on the answer rises without the contributor. Questions that pay nobody say
/// nothing and are passed over; `None` when all are.
pub fn agreement(paid: &[Vec<f64>], changed: &[Vec<f64>]) -> Option<Agreement> {
    let (mut top, mut rho, mut distance) = (Vec::new(), Vec::new(), Vec::new());
    for (paid, changed) in said(paid, changed) {
        top.push(f64::from(u8::from(largest(paid) == largest(changed))));
        rho.push(spearman(paid, changed));
        let differences = parts(paid).into_iter().zip(parts(changed)).map(|(a, b)| (a - b).abs());
        distance.push(differences.sum::<f64>() / 2.0);
    }
    Some(Agreement { top1: figure(&top)?, rho: figure(&rho)?, total_variation: figure(&distance)? })
}

/// Every contributor over the same questions, in their order; none when all questions pay nobody.
///
/// Favoured is who is above, with the whole interval of the excess, the median of all by three median deviations
/// (at least 0.02 each); neglected who is as far below.
pub fn standings(paid: &[Vec<f64>], changed: &[Vec<f64>]) -> Vec<Standing> {
    let rows: Vec<Row> = said(paid, changed).map(|(p, c)| (parts(p), parts(c))).collect();
    let count = rows.first().map_or(0, |(paid, _)| paid.len());
    let column = |of: &dyn Fn(&Row) -> f64| -> Vec<f64> { rows.iter().map(of).collect() };
    let at = |row: &[f64], c: usize| row.get(c).copied().unwrap_or(0.0);
    let mut found: Vec<Standing> = (0..count)
        .filter_map(|c| {
            Some(Standing {
                paid: mean(&column(&|(paid, _)| at(paid, c))),
                changed: mean(&column(&|(_, changed)| at(changed, c))),
                excess: figure(&column(&|(paid, changed)| at(paid, c) - at(changed, c)))?,
                verdict: Verdict::Fair,
            })
        })
        .collect();
    let excesses: Vec<f64> = found.iter().map(|standing| standing.excess.mean).collect();
    let middle = median(&excesses);
    let deviations: Vec<f64> = excesses.iter().map(|excess| (excess - middle).abs()).collect();
    let margin = DEVIATIONS * median(&deviations).max(LEAST_DEVIATION);
    for standing in &mut found {
        if standing.excess.low > middle + margin {
            standing.verdict = Verdict::Favoured;
        } else if standing.excess.high < middle - margin {
            standing.verdict = Verdict::Neglected;
        }
    }
    found
}

/// What a question pays to each contributor, and what each changed, as parts.
type Row = (Vec<f64>, Vec<f64>);

/// The questions that pay somebody.
fn said<'a>(
    paid: &'a [Vec<f64>],
    changed: &'a [Vec<f64>],
) -> impl Iterator<Item = (&'a Vec<f64>, &'a Vec<f64>)> {
    paid.iter().zip(changed).filter(|(paid, _)| paid.iter().any(|part| *part > 0.0))
}

fn largest(values: &[f64]) -> Option<usize> {
    (0..values.len()).max_by(|a, b| values[*a].total_cmp(&values[*b]))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

/// The mean with its interval, by draws that are the same on every run; `None` of nothing.
pub fn figure(values: &[f64]) -> Option<Figure> {
    let count = values.len() as u64;
    let mut state = 17u64;
    // SplitMix64.
    let mut draw = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % count.max(1)) as usize
    };
    values.first()?;
    let mut means: Vec<f64> =
        (0..DRAWS).map(|_| (0..count).map(|_| values[draw()]).sum::<f64>() / count as f64).collect();
    means.sort_by(f64::total_cmp);
    Some(Figure { mean: mean(values), low: means[DRAWS / 40], high: means[DRAWS - 1 - DRAWS / 40] })
}

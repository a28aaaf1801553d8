//! How far two trainings that differ by their seed alone agree about the same held-out questions: what happens when a
//! document is missing depends on first weights and order too, and no method that does not know them can foresee
//! that part.

use openledger_attribution::calibration::{spearman, Outcome};

use super::contributors::{self, Judgement};
use super::ground::World;
use super::influence::figure;
use super::questions::Kind;
use crate::report::Metric;

/// Rank correlation of the losses on a question over the subsets that both seeds were trained on, the first of each.
pub fn agree(one: &[Outcome], other: &[Outcome], question: usize) -> f64 {
    let losses = one.iter().zip(other).map(|(one, other)| (one.losses[question], other.losses[question]));
    let (one, other): (Vec<f64>, Vec<f64>) = losses.unzip();
    spearman(&one, &other)
}

/// Over all pairs of seeds of a corpus: the rank correlation of the losses over the same subsets of nine tenths, and what
/// leaving each contributor out does with one seed as a forecast for the other.
pub fn measure(corpus: &str, seeds: &[&World]) -> Vec<Metric> {
    let (mut agreement, mut foreseen) = (Vec::new(), Vec::new());
    for (number, one) in seeds.iter().enumerate() {
        for other in seeds.iter().skip(number + 1) {
            let judged = one.calibration..one.kinds.len();
            for question in judged.filter(|question| one.kinds[*question] == Kind::Held) {
                agreement.push(agree(&one.tenth, &other.tenth, question));
                foreseen.push(Judgement { has: one.harm(question), harm: other.harm(question) });
            }
        }
    }
    let mut metrics = vec![figure(&format!("ceiling10_{corpus}"), "LDS", &agreement)];
    metrics.extend(contributors::figures(&format!("ceiling_{corpus}"), &foreseen));
    metrics
}

//! How well scores agree with training again, and weights by it.
//!
//! The linear datamodeling score (LDS; Park et al., arXiv 2303.14186) of a question is the rank correlation, over
//! trainings on subsets of the documents, of the sum of the kept documents' scores and what the training made of
//! the question. Floating point: it decides which weights a manifest states, never a share.

use crate::{Credits, Weights};

/// Scores of a method: one row a question, one column a document; above 0 where the document helped.
pub type Scores = Vec<Vec<f64>>;

/// A training that left documents out.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// By document, whether it was trained on.
    pub keep: Vec<bool>,
    /// By question, the loss after it, nats a token.
    pub losses: Vec<f64>,
}

/// LDS by question.
pub fn lds(scores: &Scores, outcomes: &[Outcome]) -> Vec<f64> {
    scores
        .iter()
        .enumerate()
        .map(|(question, row)| {
            let predicted: Vec<f64> = outcomes
                .iter()
                .map(|o| row.iter().zip(&o.keep).filter(|(_, kept)| **kept).map(|(s, _)| s).sum())
                .collect();
            let happened: Vec<f64> =
                outcomes.iter().map(|o| -o.losses.get(question).copied().unwrap_or(0.0)).collect();
            spearman(&predicted, &happened)
        })
        .collect()
}

/// Mean LDS of the questions from `from` to `to`, every set of outcomes alike.
pub fn mean_lds(scores: &Scores, outcomes: &[&[Outcome]], from: usize, to: usize) -> f64 {
    let of = |outcomes: &&[Outcome]| {
        let found = lds(scores, outcomes);
        let part = found.get(from..to.min(found.len())).unwrap_or(&[]);
        part.iter().sum::<f64>() / part.len().max(1) as f64
    };
    outcomes.iter().map(of).sum::<f64>() / outcomes.len().max(1) as f64
}

/// Parts of a layer's whole that its credits give to the documents 1 to `documents`, as shares are made of it: what has
/// no evidence is in the whole.
pub fn parts(credits: &Credits, documents: u64) -> Vec<f64> {
    let whole = (credits.total() as f64).max(1.0);
    (1..=documents).map(|id| credits.contributions.get(&id).map_or(0.0, |c| *c as f64 / whole)).collect()
}

/// Scores of influence, vocabulary and phrases in these weights. Influence is a part of the sum of its magnitudes; the
/// others are parts of their layers' wholes already ([`parts`]).
pub fn mixed([influence, vocabulary, phrases]: [&Scores; 3], weights: Weights) -> Scores {
    let [of_influence, of_vocabulary, of_phrases] =
        [weights.influence, weights.lexical, weights.span].map(f64::from);
    let rows = influence.iter().zip(vocabulary).zip(phrases);
    rows.map(|((influence, vocabulary), phrases)| {
        let whole = influence.iter().map(|s| s.abs()).sum::<f64>().max(f64::MIN_POSITIVE);
        let documents = influence.iter().zip(vocabulary).zip(phrases);
        documents.map(|((i, v), p)| of_influence * i / whole + of_vocabulary * v + of_phrases * p).collect()
    })
    .collect()
}

/// The weights of a sum of `total` whose mix agrees best with the outcomes on the first `questions`, and that mean
/// LDS. Vocabulary and phrases weigh at least `least`. Of equals the one with more influence, then more vocabulary.
pub fn fit(
    layers: [&Scores; 3],
    outcomes: &[&[Outcome]],
    questions: usize,
    total: u32,
    least: u32,
) -> (Weights, f64) {
    let mut best = (Weights::default(), f64::NEG_INFINITY);
    for influence in (0..=total.saturating_sub(2 * least)).rev() {
        let rest = total - influence;
        for lexical in (least..=rest.saturating_sub(least)).rev() {
            let weights = Weights { influence, lexical, span: rest - lexical };
            let found = mean_lds(&mixed(layers, weights), outcomes, 0, questions);
            if found > best.1 {
                best = (weights, found);
            }
        }
    }
    best
}

/// Ranks from 0, the mean rank for equals.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut at = 0;
    while at < order.len() {
        let mut end = at + 1;
        while end < order.len() && values[order[end]] == values[order[at]] {
            end += 1;
        }
        let mean = (at + end - 1) as f64 / 2.0;
        order[at..end].iter().for_each(|i| ranks[*i] = mean);
        at = end;
    }
    ranks
}

/// Spearman's rank correlation; 0 where one side is constant.
pub fn spearman(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let n = a.len().max(1) as f64;
    let mean = (n - 1.0) / 2.0;
    let product: f64 = a.iter().zip(&b).map(|(x, y)| (x - mean) * (y - mean)).sum();
    let size = |v: &[f64]| v.iter().map(|x| (x - mean).powi(2)).sum::<f64>().sqrt();
    let norm = size(&a) * size(&b);
    if norm > 0.0 {
        product / norm
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlations_know_order_and_ties() {
        let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(near(spearman(&[1.0, 2.0, 3.0], &[10.0, 20.0, 90.0]), 1.0));
        assert!(near(spearman(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), -1.0));
        assert_eq!(spearman(&[1.0, 1.0, 1.0], &[3.0, 2.0, 1.0]), 0.0);
        assert_eq!(ranks(&[5.0, 5.0, 1.0]), [1.5, 1.5, 0.0]);
    }

    /// Every subset of four documents of which each lowers the loss on a question by its effect.
    fn outcomes(effects: &Scores) -> Vec<Outcome> {
        (0..16u32)
            .map(|set| {
                let keep: Vec<bool> = (0..4).map(|i| set >> i & 1 == 1).collect();
                let loss = |row: &Vec<f64>| -> f64 {
                    5.0 - row.iter().zip(&keep).filter(|(_, k)| **k).map(|(e, _)| e).sum::<f64>()
                };
                Outcome { losses: effects.iter().map(loss).collect(), keep }
            })
            .collect()
    }

    #[test]
    fn the_true_effects_score_one_and_their_opposite_less_one() {
        let effects = vec![vec![1.0, 2.0, 4.0, 8.0], vec![8.0, -1.0, 3.0, 0.5]];
        let outcomes = outcomes(&effects);
        let opposite: Scores = effects.iter().map(|row| row.iter().map(|e| -e).collect()).collect();
        assert!(lds(&effects, &outcomes).iter().all(|l| (l - 1.0).abs() < 1e-12));
        assert!(lds(&opposite, &outcomes).iter().all(|l| (l + 1.0).abs() < 1e-12));
    }

    #[test]
    fn what_has_no_evidence_is_part_of_the_whole() {
        let credits = Credits { contributions: [(1, 30), (3, 10)].into(), no_evidence: 60 };
        assert_eq!(parts(&credits, 3), [0.3, 0.0, 0.1]);
        assert_eq!(parts(&Credits::default(), 2), [0.0, 0.0]);
    }

    #[test]
    fn the_layer_that_predicts_gets_all_the_weight_that_is_free() {
        let unit = |rows: [[f64; 4]; 2]| -> Scores {
            rows.map(|row| row.map(|x| x / row.iter().map(|x| x.abs()).sum::<f64>()).to_vec()).to_vec()
        };
        let effects = unit([[1.0, 2.0, 4.0, 8.0], [8.0, -1.0, 3.0, 0.5]]);
        let outcomes = outcomes(&effects);
        let wrong = unit([[8.0, 4.0, 2.0, 1.0], [-8.0, 1.0, -3.0, -0.5]]);
        let fitted = |layers: [&Scores; 3], least| fit(layers, &[outcomes.as_slice()], 2, 10, least).0;
        assert_eq!(fitted([&effects, &wrong, &wrong], 1), Weights { influence: 8, lexical: 1, span: 1 });
        assert_eq!(fitted([&effects, &wrong, &wrong], 0), Weights { influence: 10, lexical: 0, span: 0 });
        assert!(fitted([&wrong, &effects, &wrong], 0).lexical > 5);
    }
}

//! What a model would gain by being served together with its data: at every token the model's distribution mixed with
//! that of the tokens that follow the longest match of the text so far in the data (the unbounded n-gram of infini-gram,
//! Liu et al., arXiv 2401.17377). What the data gives would be its cause and not an estimate of it. Nodes do not serve
//! so (docs/adr/0042).

use std::collections::HashMap;

use anyhow::Result;

use super::ground::World;
use super::influence::figure;
use super::questions::Kind;
use crate::report::Metric;

/// Longest match that is asked for.
const LONGEST: usize = 16;
/// Parts of one that weights are counted in.
const PARTS: u32 = 16;

/// How often tokens follow each context in the data.
struct Follows<'a>(HashMap<&'a [u32], HashMap<u32, u32>>);

impl<'a> Follows<'a> {
    fn of(passages: &'a [Vec<u32>]) -> Self {
        let mut follows: HashMap<&[u32], HashMap<u32, u32>> = HashMap::new();
        for passage in passages {
            for (at, token) in passage.iter().enumerate().skip(1) {
                for len in 0..=at.min(LONGEST) {
                    *follows.entry(&passage[at - len..at]).or_default().entry(*token).or_default() += 1;
                }
            }
        }
        Follows(follows)
    }

    /// Tokens of the longest match of the end of `context`, and the part of its occurrences that `token` follows.
    fn after(&self, context: &[u32], token: u32) -> (usize, f64) {
        for len in (0..=context.len().min(LONGEST)).rev() {
            if let Some(counts) = self.0.get(&context[context.len() - len..]) {
                let all: u32 = counts.values().sum();
                return (len, f64::from(counts.get(&token).copied().unwrap_or(0)) / f64::from(all.max(1)));
            }
        }
        (0, 0.0)
    }
}

/// A token of a text: its probability by the model and by the data, and the match's length.
#[derive(Clone, Copy)]
struct Token {
    model: f64,
    data: f64,
    matched: usize,
}

impl Token {
    fn mixed(&self, weight: f64) -> f64 {
        (1.0 - weight) * self.model + weight * self.data
    }
}

fn loss(tokens: &[Token], weights: &[f64]) -> f64 {
    let sum: f64 = tokens.iter().map(|token| -token.mixed(weights[token.matched]).ln()).sum();
    sum / tokens.len().max(1) as f64
}

/// The weight of the data by length of the match that fits these tokens best; a longer match has no smaller one.
fn fitted(tokens: &[Token]) -> Vec<f64> {
    let mut least = 0;
    (0..=LONGEST)
        .map(|matched| {
            let of: Vec<Token> = tokens.iter().filter(|token| token.matched == matched).copied().collect();
            // Never all of it: a token that the data does not have there must stay possible.
            let found = (least..PARTS)
                .map(|part| f64::from(part) / f64::from(PARTS))
                .map(|weight| (weight, of.iter().map(|token| -token.mixed(weight).ln()).sum::<f64>()))
                .fold((f64::from(least) / f64::from(PARTS), f64::INFINITY), |best, next| {
                    match next.1 < best.1 {
                        true => next,
                        false => best,
                    }
                });
            least = (found.0 * f64::from(PARTS)) as u32;
            found.0
        })
        .collect()
}

/// Loss on the held-out texts by the model alone and by the mix, nats a token, and the part of the probability that is
/// the data's. Weights are fitted on the questions for calibration.
///
/// # Errors
/// Those of the model.
pub fn measure(world: &World) -> Result<Vec<Metric>> {
    let follows = Follows::of(world.experiment.passages());
    let read = |passage: &[u32]| -> Result<Vec<Token>> {
        let logits = world.model.positions(passage)?.logits;
        let vocabulary = world.experiment.vocabulary();
        let rows = logits.chunks_exact(vocabulary).zip(1..);
        Ok(rows
            .map(|(row, at)| {
                let (matched, data) = follows.after(&passage[..at], passage[at]);
                Token { model: probability(row, passage[at]), data, matched }
            })
            .collect())
    };
    let (mut fit, mut judged) = (Vec::new(), Vec::new());
    let held = world.queries.iter().enumerate().filter(|(number, _)| world.kinds[*number] == Kind::Held);
    for (number, passage) in held {
        let tokens = read(passage)?;
        match number < world.calibration {
            true => fit.extend(tokens),
            false => judged.push(tokens),
        }
    }
    let weights = fitted(&fit);
    let alone: Vec<f64> = judged.iter().map(|tokens| loss(tokens, &[0.0; LONGEST + 1])).collect();
    let mixed: Vec<f64> = judged.iter().map(|tokens| loss(tokens, &weights)).collect();
    let responsible: Vec<f64> = judged
        .iter()
        .flatten()
        .map(|token| weights[token.matched] * token.data / token.mixed(weights[token.matched]))
        .collect();
    let name = &world.name;
    Ok(vec![
        figure(&format!("served_alone_{name}"), "nats a token", &alone),
        figure(&format!("served_with_data_{name}"), "nats a token", &mixed),
        figure(&format!("served_from_data_{name}"), "of all", &responsible),
    ])
}

fn probability(logits: &[f32], token: u32) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from(logit - largest).exp()).sum();
    f64::from(logits[token as usize] - largest).exp() / sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_match_gives_the_next_token() {
        let passages = vec![vec![0, 1, 2, 3], vec![0, 1, 2, 4], vec![0, 5, 2, 9]];
        let follows = Follows::of(&passages);
        assert_eq!(follows.after(&[7, 1, 2], 3), (2, 0.5));
        assert_eq!(follows.after(&[0, 5, 2], 9), (3, 1.0));
        // Nothing matches but the empty context: of nine tokens one is a 4.
        assert_eq!(follows.after(&[8], 4), (0, 1.0 / 9.0));
    }

    #[test]
    fn data_that_knows_better_gets_weight_and_long_matches_no_less() {
        let token = |data: f64, matched: usize| Token { model: 0.2, data, matched };
        let weights = fitted(&[token(0.0, 0), token(0.9, 2), token(0.9, 2), token(0.0, 3)]);
        assert_eq!(weights[0], 0.0);
        assert!(weights[2] > 0.9 && weights[3] >= weights[2], "{weights:?}");
        assert!(loss(&[token(0.9, 2)], &weights) < loss(&[token(0.9, 2)], &[0.0; LONGEST + 1]));
    }
}

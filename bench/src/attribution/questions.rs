//! What is asked about influence: held-out texts, and texts that the model itself wrote. Who writes earns by the
//! second kind; the first shows what training did to texts of others.

use anyhow::Result;
use openledger_node::train::{Experiment, Retrained};

use super::corpus::{Doc, Numbers};

/// Whose words a question is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A held-out text.
    Held,
    /// A text that the model wrote behind the first tokens of a held-out one.
    Written,
}

impl Kind {
    /// Both, with the names that figures have.
    pub const ALL: [(Kind, &'static str); 2] = [(Kind::Held, "held"), (Kind::Written, "written")];
}

/// Tokens of the held-out text that a written one begins with.
const OPENING: usize = 8;

/// A question for each held-out text: its own words or what the model writes behind its beginning, in turn, so that
/// each contributor has both kinds. With each its tokens, the start of a text before them.
///
/// # Errors
/// Those of the model.
pub fn questions(
    experiment: &Experiment,
    model: &Retrained,
    asked: &[(usize, Doc)],
) -> Result<Vec<(Kind, Vec<u32>)>> {
    let mut numbers = Numbers(29);
    asked
        .iter()
        .map(|(turn, doc)| {
            let passage = experiment.passage(&doc.text)?;
            Ok(match (turn + doc.contributor) % 2 {
                0 => (Kind::Held, passage),
                _ => (Kind::Written, written(model, &passage, &mut numbers)?),
            })
        })
        .collect()
}

/// What the model writes behind the beginning of each of the texts.
///
/// # Errors
/// Those of the model.
pub fn answers<'a>(
    experiment: &Experiment,
    model: &Retrained,
    texts: impl Iterator<Item = &'a str>,
) -> Result<Vec<Vec<u32>>> {
    let mut numbers = Numbers(31);
    texts.map(|text| written(model, &experiment.passage(text)?, &mut numbers)).collect()
}

/// As many tokens as `passage` has, the first ones taken from it, the others drawn as the model weighs them
/// (temperature 1).
fn written(model: &Retrained, passage: &[u32], numbers: &mut Numbers) -> Result<Vec<u32>> {
    let mut text: Vec<u32> = passage.iter().copied().take(1 + OPENING).collect();
    while text.len() < passage.len() {
        // The last token of a passage is a label alone, so any stands for the one that is looked for.
        let logits = model.positions(&[text.as_slice(), &[0]].concat())?.logits;
        let last = &logits[logits.len() - logits.len() / text.len()..];
        text.push(drawn(last, numbers));
    }
    Ok(text)
}

/// A token by its probability; the start of a text, token 0, is none of one.
fn drawn(logits: &[f32], numbers: &mut Numbers) -> u32 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f64> = logits.iter().map(|logit| f64::from(logit - largest).exp()).collect();
    let whole: f64 = weights.iter().skip(1).sum();
    let mut left = whole * numbers.below(1 << 32) as f64 / f64::from(u32::MAX);
    let mut token = 1;
    for (number, weight) in (0..).zip(&weights).skip(1) {
        token = number;
        left -= weight;
        if left < 0.0 {
            break;
        }
    }
    token
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_drawn_by_their_probability_and_never_the_start_of_a_text() {
        let mut numbers = Numbers(1);
        // Weights 9 (token 0, left out), 1 and 3.
        let logits = [9f32.ln(), 0.0, 3f32.ln()];
        let mut counts = [0u32; 3];
        (0..4_000).for_each(|_| counts[drawn(&logits, &mut numbers) as usize] += 1);
        assert_eq!(counts[0], 0);
        assert!((900..1_100).contains(&counts[1]), "{counts:?}");
    }
}

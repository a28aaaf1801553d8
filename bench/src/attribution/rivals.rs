//! Other methods of influence on the same model: products of whole gradients, and projected ones.

use anyhow::Result;
use openledger_node::train::{Experiment, Retrained};

use super::corpus::Numbers;
use super::ground::Scores;

/// Dimensions of projected gradients.
const PROJECTED: usize = 192;

/// Products of whole gradients, plain (TracIn with one checkpoint) and projected with the inverse of the
/// Gauss-Newton matrix (TRAK with one model).
pub fn gradients(
    experiment: &Experiment,
    model: &Retrained,
    queries: &[Vec<u32>],
) -> Result<Vec<(&'static str, Scores)>> {
    let of = |passages: &[Vec<u32>]| -> Result<Vec<Vec<f32>>> {
        passages.iter().map(|p| Ok(model.gradient(p)?)).collect()
    };
    let (documents, asked) = (of(experiment.passages())?, of(queries)?);
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(x * y)).sum::<f64>();
    let plain = asked.iter().map(|q| documents.iter().map(|d| dot(q, d)).collect()).collect();
    let project = |gradient: &Vec<f32>| -> Vec<f64> {
        let mut signs = Numbers(99);
        let mut sums = vec![0.0; PROJECTED];
        for value in gradient {
            for chunk in sums.chunks_mut(64) {
                let bits = signs.below(u64::MAX);
                for (k, sum) in chunk.iter_mut().enumerate() {
                    *sum += if bits >> k & 1 == 0 { f64::from(*value) } else { -f64::from(*value) };
                }
            }
        }
        sums
    };
    let features: Vec<Vec<f64>> = documents.iter().map(project).collect();
    let questions: Vec<Vec<f64>> = asked.iter().map(project).collect();
    let mut matrix = vec![vec![0.0; PROJECTED]; PROJECTED];
    for row in &features {
        for (line, x) in matrix.iter_mut().zip(row) {
            line.iter_mut().zip(row).for_each(|(sum, y)| *sum += x * y);
        }
    }
    let trace: f64 = matrix.iter().enumerate().map(|(i, line)| line[i]).sum();
    for (i, line) in matrix.iter_mut().enumerate() {
        line[i] += 0.1 * trace / PROJECTED as f64;
    }
    let solved: Vec<Vec<f64>> = questions.iter().map(|q| solve(matrix.clone(), q.clone())).collect();
    let trak = solved
        .iter()
        .map(|q| features.iter().map(|d| q.iter().zip(d).map(|(x, y)| x * y).sum()).collect())
        .collect();
    Ok(vec![("grad_dot", plain), ("trak1_own", trak)])
}

/// Solves a symmetric positive system by elimination.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let n = right.len();
    for i in 0..n {
        let pivot = matrix[i].clone();
        for row in i + 1..n {
            let factor = matrix[row][i] / pivot[i];
            matrix[row].iter_mut().zip(&pivot).skip(i).for_each(|(x, p)| *x -= factor * p);
            right[row] -= factor * right[i];
        }
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|k| matrix[i][k] * right[k]).sum();
        right[i] = (right[i] - known) / matrix[i][i];
    }
    right
}

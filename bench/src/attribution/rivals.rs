//! Other methods of influence on the same model: products of whole gradients, and one-model TRAK.

use openledger_attribution::calibration::Scores;

/// Damping of TRAK's matrix, as a part of its mean squared gradient. Peers are given the same.
const DAMP: f64 = 0.1;

/// Products of whole gradients, plain (TracIn with one checkpoint) and with the inverse of the Gauss-Newton matrix
/// between them (TRAK with one model; Park et al., arXiv 2303.14186). TRAK projects gradients, so that this matrix
/// fits memory; here the documents are few, so it is solved in their span, which is the limit of ever more
/// projections: with `K` the products of the documents' gradients and `k` a question's, `(K + d · mean(diag K) I)⁻¹ k`.
pub fn gradients(documents: &[Vec<f32>], asked: &[Vec<f32>]) -> Vec<(&'static str, Scores)> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(x * y)).sum::<f64>();
    let products = |rows: &[Vec<f32>]| -> Scores {
        rows.iter().map(|q| documents.iter().map(|d| dot(q, d)).collect()).collect()
    };
    let (plain, mut matrix) = (products(asked), products(documents));
    let count = matrix.len();
    let trace: f64 = matrix.iter().enumerate().map(|(i, line)| line[i]).sum();
    for (i, line) in matrix.iter_mut().enumerate() {
        line[i] += DAMP * trace / count.max(1) as f64;
    }
    let trak = solve(matrix, plain.clone());
    vec![("grad_dot", plain), ("trak1_own", trak)]
}

/// Solves a symmetric positive system for many right sides by elimination.
fn solve(mut matrix: Vec<Vec<f64>>, mut rights: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let n = matrix.len();
    for i in 0..n {
        let pivot = matrix[i].clone();
        for row in i + 1..n {
            let factor = matrix[row][i] / pivot[i];
            matrix[row].iter_mut().zip(&pivot).skip(i).for_each(|(x, p)| *x -= factor * p);
            rights.iter_mut().for_each(|right| right[row] -= factor * right[i]);
        }
    }
    for right in &mut rights {
        for i in (0..n).rev() {
            let known: f64 = (i + 1..n).map(|k| matrix[i][k] * right[k]).sum();
            right[i] = (right[i] - known) / matrix[i][i];
        }
    }
    rights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_solved_for_every_right_side() {
        let matrix = vec![vec![4.0, 1.0, 0.5], vec![1.0, 3.0, 0.2], vec![0.5, 0.2, 2.0]];
        let rights = vec![vec![1.0, 2.0, 3.0], vec![-1.0, 0.0, 5.0]];
        for (x, b) in solve(matrix.clone(), rights.clone()).iter().zip(&rights) {
            for (line, b) in matrix.iter().zip(b) {
                let ax: f64 = line.iter().zip(x).map(|(a, x)| a * x).sum();
                assert!((ax - b).abs() < 1e-12);
            }
        }
    }
}

//! Projected gradients after LoGra (Choe et al., arXiv 2405.13954): inputs and errors of each linear layer of the
//! last block are projected before their outer product is taken, and the projected derivatives are whitened by their
//! damped second moments. A low-rank adapter's derivative is of the same form, so adapters are served as well.
//!
//! Projections are signs drawn from a seed, so a verifier needs the seed and the whitening alone. A slot is a layer
//! and a projection of the errors, its row the [`RANK`] projections of the inputs. The head is left to the readout's
//! scheme: its projected rows say little that its tokens do not say better.

use super::linear::{fit, row, LinearPass, Pass, RowMethod};
use super::{Raw, RANK};
use crate::near::mix;

/// Scheme of these rows: slots are projections of the errors, [`RANK`] for each layer of the last block.
pub const LOGRA: &str = "logra16-int8/1";
/// Damping of the second moments, as a part of their mean in the layer.
const DAMP: f64 = 0.1;
/// Entries of a layer's projected derivative.
const ENTRIES: usize = RANK * RANK;

/// Projected gradients of the linear layers before the head.
#[derive(Clone, Debug)]
pub struct Logra {
    seed: u64,
    shapes: Vec<(usize, usize)>,
    /// Of every layer: until [`Logra::whitened`] sums of outer products, then their root's lower triangle.
    moments: Vec<Vec<f64>>,
    passages: f64,
}

/// A sign drawn for an entry of a projection.
fn sign(seed: u64, layer: usize, side: u64, entry: usize) -> f64 {
    let number = mix(mix(seed ^ side).wrapping_add((layer as u64) << 40).wrapping_add(entry as u64));
    if number & 1 == 0 {
        1.0
    } else {
        -1.0
    }
}

impl Logra {
    /// For layers of these shapes, (width, outputs) each, the head last; projections follow from the seed.
    pub fn new(seed: u64, shapes: &[(usize, usize)]) -> Self {
        let block = shapes.len().saturating_sub(1);
        Logra {
            seed,
            shapes: shapes.to_vec(),
            moments: vec![vec![0.0; ENTRIES * ENTRIES]; block],
            passages: 0.0,
        }
    }

    /// Projected derivative of a layer, [`RANK`] projections of the errors × as many of the inputs.
    fn projected(&self, number: usize, layer: &LinearPass) -> Vec<f64> {
        let project = |values: &[f32], side: u64| -> [f64; RANK] {
            let len = values.len();
            std::array::from_fn(|k| {
                let signed = values
                    .iter()
                    .enumerate()
                    .map(|(i, x)| f64::from(*x) * sign(self.seed, number, side, k * len + i));
                signed.sum::<f64>() / (len.max(1) as f64).sqrt()
            })
        };
        let mut sum = vec![0.0; ENTRIES];
        for (input, error) in layer.positions() {
            let (input, error) = (project(input, 1), project(error, 2));
            for (line, e) in sum.chunks_exact_mut(RANK).zip(error) {
                line.iter_mut().zip(input).for_each(|(sum, x)| *sum += e * x);
            }
        }
        sum
    }

    /// Adds a passage to the second moments; one of other shapes is left out.
    pub fn add(&mut self, layers: &[LinearPass]) {
        if !fit(layers, &self.shapes) {
            return;
        }
        let projected: Vec<Vec<f64>> =
            layers.iter().take(self.moments.len()).enumerate().map(|(i, l)| self.projected(i, l)).collect();
        for (moments, projected) in self.moments.iter_mut().zip(&projected) {
            for (line, x) in moments.chunks_exact_mut(ENTRIES).zip(projected) {
                line.iter_mut().zip(projected).for_each(|(sum, y)| *sum += x * y);
            }
        }
        self.passages += 1.0;
    }

    /// Ends the addition of passages: from here on rows are whitened.
    #[must_use]
    pub fn whitened(mut self) -> Self {
        let n = self.passages.max(1.0);
        for moments in &mut self.moments {
            let trace: f64 = (0..ENTRIES).map(|i| moments[i * ENTRIES + i]).sum();
            let damping = DAMP * trace / ENTRIES as f64;
            (0..ENTRIES).for_each(|i| moments[i * ENTRIES + i] += damping);
            moments.iter_mut().for_each(|x| *x /= n);
            root(moments, ENTRIES);
        }
        self
    }
}

/// Replaces a positive matrix by the lower triangle of its Cholesky root; columns without a positive pivot become
/// zero.
fn root(matrix: &mut [f64], n: usize) {
    for i in 0..n {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| matrix[i * n + k] * matrix[j * n + k]).sum();
            let rest = matrix[i * n + j] - known;
            matrix[i * n + j] = match (i == j, matrix[j * n + j]) {
                (true, _) => rest.max(0.0).sqrt(),
                (false, pivot) if pivot > 0.0 => rest / pivot,
                _ => 0.0,
            };
        }
    }
}

/// Solves `L x = b` in place; entries without a pivot become zero.
fn solve(root: &[f64], b: &mut [f64]) {
    let n = b.len();
    for i in 0..n {
        let known: f64 = (0..i).map(|k| root[i * n + k] * b[k]).sum();
        let pivot = root[i * n + i];
        b[i] = if pivot > 0.0 { (b[i] - known) / pivot } else { 0.0 };
    }
}

impl RowMethod for Logra {
    fn scheme(&self) -> &'static str {
        LOGRA
    }

    fn slots(&self) -> usize {
        self.moments.len() * RANK
    }

    fn rows(&self, pass: &Pass<'_>) -> Raw {
        let mut rows = Raw::new();
        if !fit(pass.layers, &self.shapes) {
            return rows;
        }
        for (number, moments) in self.moments.iter().enumerate() {
            let mut projected = self.projected(number, &pass.layers[number]);
            solve(moments, &mut projected);
            for (k, line) in projected.chunks_exact(RANK).enumerate() {
                row(&mut rows, number * RANK + k).copy_from_slice(line);
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_and_its_solution_invert_the_matrix() {
        // 4 × 4, positive: products of the solutions are products through the inverse.
        let matrix = [4.0, 1.0, 0.5, 0.0, 1.0, 3.0, 0.2, 0.1, 0.5, 0.2, 2.0, 0.3, 0.0, 0.1, 0.3, 1.0];
        let mut lower = matrix;
        root(&mut lower, 4);
        let x = [1.0, -2.0, 0.5, 3.0];
        // b = M x, so bᵀ M⁻¹ b = xᵀ M x.
        let b: Vec<f64> = (0..4).map(|i| (0..4).map(|j| matrix[i * 4 + j] * x[j]).sum()).collect();
        let quadratic: f64 = b.iter().zip(x).map(|(b, x)| b * x).sum();
        let mut solved = b.clone();
        solve(&lower, &mut solved);
        assert!((solved.iter().map(|s| s * s).sum::<f64>() - quadratic).abs() < 1e-9);
    }

    #[test]
    fn projections_follow_from_the_seed_and_signs_are_even() {
        let ones = (0..10_000).filter(|i| sign(5, 1, 2, *i) > 0.0).count();
        assert!((4_700..5_300).contains(&ones), "{ones}");
        let layer = |seed: u64| {
            let shapes = [(6, 4), (4, 9)];
            let inputs = (0..12).map(|i| i as f32).collect();
            let layer = LinearPass { inputs, errors: vec![1.0; 8], width: 6, outputs: 4 };
            Logra::new(seed, &shapes).projected(0, &layer)
        };
        assert_eq!(layer(7), layer(7));
        assert_ne!(layer(7), layer(8));
    }
}

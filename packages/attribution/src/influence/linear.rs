//! What a backward pass through linear layers leaves behind, and the trait of all ways to make rows of it.

use super::readout::Passage;
use super::{Raw, RANK, SEGMENT};

/// What a linear layer `y = W x` read at the positions of a passage, and the derivative of the passage's loss
/// (the sum over its tokens, nats) by what it wrote. The derivative by `W` is the sum over positions of
/// `error · inputᵀ`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinearPass {
    /// Positions × [`LinearPass::width`].
    pub inputs: Vec<f32>,
    /// Positions × [`LinearPass::outputs`].
    pub errors: Vec<f32>,
    /// Numbers read at a position.
    pub width: usize,
    /// Numbers written at a position.
    pub outputs: usize,
}

impl LinearPass {
    /// Inputs and errors, position by position.
    pub fn positions(&self) -> impl Iterator<Item = (&[f32], &[f32])> {
        self.inputs.chunks_exact(self.width.max(1)).zip(self.errors.chunks_exact(self.outputs.max(1)))
    }

    /// Derivative by the weights, outputs × width.
    pub fn gradient(&self) -> Vec<f64> {
        let mut sum = vec![0.0; self.outputs * self.width];
        for (input, error) in self.positions() {
            for (row, e) in sum.chunks_exact_mut(self.width).zip(error) {
                let e = f64::from(*e);
                row.iter_mut().zip(input).for_each(|(sum, x)| *sum += e * f64::from(*x));
            }
        }
        sum
    }

    /// The part of some positions, cut off at the end.
    fn part(&self, from: usize, to: usize) -> Self {
        let cut = |values: &[f32], width: usize| -> Vec<f32> {
            let end = (to * width).min(values.len());
            values.get(from * width..end).unwrap_or(&[]).to_vec()
        };
        LinearPass {
            inputs: cut(&self.inputs, self.width),
            errors: cut(&self.errors, self.outputs),
            width: self.width,
            outputs: self.outputs,
        }
    }
}

/// What a model computes over a passage, forward and backward.
#[derive(Clone, Copy, Debug)]
pub struct Pass<'a> {
    /// At the output layer, forward.
    pub passage: Passage<'a>,
    /// At the linear layers of the last block and at the head, backward; empty for methods that need none. All
    /// passes of a model have the same layers in the same order, the head last.
    pub layers: &'a [LinearPass],
}

/// A method of influence: how rows are made of a pass. Products of rows are influences, whatever the method,
/// so index, signature and shares are the same for all.
pub trait RowMethod: Sync {
    /// Name of the scheme in manifest and receipt.
    fn scheme(&self) -> &'static str;
    /// Number of slots that a row can have.
    fn slots(&self) -> usize;
    /// Rows of a passage, not cut or rounded. A pass of another shape than the method's has none.
    fn rows(&self, pass: &Pass<'_>) -> Raw;

    /// Rows of the segments of a passage, [`SEGMENT`] positions each. An error at one position is a matter of its
    /// own token and of those that attend to it, so a segment has the derivative of the whole passage's loss by
    /// what the layers did at its positions.
    fn segments(&self, pass: &Pass<'_>) -> Vec<Raw> {
        let positions = pass.passage.labels.len();
        let width = pass.passage.hidden.len().checked_div(positions).unwrap_or(0);
        let vocabulary = pass.passage.logits.len().checked_div(positions).unwrap_or(0);
        (0..positions)
            .step_by(SEGMENT)
            .map(|from| {
                let to = (from + SEGMENT).min(positions);
                let layers: Vec<LinearPass> = pass.layers.iter().map(|l| l.part(from, to)).collect();
                let passage = Passage {
                    hidden: &pass.passage.hidden[from * width..to * width],
                    logits: &pass.passage.logits[from * vocabulary..to * vocabulary],
                    labels: &pass.passage.labels[from..to],
                };
                self.rows(&Pass { passage, layers: &layers })
            })
            .collect()
    }
}

/// The row at `slot`, zeros where there was none.
pub(super) fn row(rows: &mut Raw, slot: usize) -> &mut [f64; RANK] {
    rows.entry(slot as u32).or_insert([0.0; RANK])
}

/// Whether the layers have these shapes, (width, outputs) each, and as many inputs as errors.
pub(super) fn fit(layers: &[LinearPass], shapes: &[(usize, usize)]) -> bool {
    layers.len() == shapes.len()
        && layers.iter().zip(shapes).all(|(layer, shape)| {
            (layer.width, layer.outputs) == *shape
                && layer.inputs.len() * layer.outputs == layer.errors.len() * layer.width
        })
}

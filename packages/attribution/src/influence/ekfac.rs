//! EK-FAC of the last block and the head (George et al., arXiv 1806.03884; for influence Grosse et al., arXiv
//! 2308.03296): the inverse curvature of a linear layer, diagonal in the eigenbases of the second moments of its
//! inputs and of its errors.
//!
//! With `G` the derivative by a layer's weights, `U` and `V` the eigenvectors of `E[x xᵀ]` and `E[e eᵀ]` over
//! positions, and `λ = E[(Vᵀ G U)²]` over passages entry by entry, the influence is
//! `Σ (Vᵀ G₁ U)(Vᵀ G₂ U) / (λ + d · mean(λ))`. Labels are those of the data (the empirical Fisher). A row is one
//! direction of the errors, its entries the [`RANK`](super::RANK) leading directions of the inputs, each divided by the root of
//! its curvature, so that products of rows are the truncated sum.
//!
//! The head's errors have as many directions as the vocabulary has tokens; rows keep the tokens themselves for
//! directions and, like the readout's, those that occur as labels alone.

use super::linear::{fit, row, LinearPass, Pass, RowMethod};
use super::whiten::{top_eigenvectors, Symmetric};
use super::Raw;

/// Scheme of these rows: slots are directions of the errors of the layers, one layer after the other, then the
/// tokens of the vocabulary.
pub const EKFAC: &str = "ekfac16-int8/1";
/// Damping of the curvature, as a part of its mean in the layer.
const DAMP: f64 = 0.1;

/// Second moments of inputs and errors of every layer.
#[derive(Clone, Debug)]
pub struct Factors {
    shapes: Vec<(usize, usize)>,
    inputs: Vec<Vec<f64>>,
    /// None where each output is a direction.
    errors: Vec<Option<Vec<f64>>>,
    positions: f64,
}

impl Factors {
    /// For layers of these shapes, (width, outputs) each, the head last. With `tokens` the head's errors stay as they
    /// are, one direction a token; without, they are turned like all others, which takes memory with the square and
    /// time with the cube of the vocabulary.
    pub fn new(shapes: &[(usize, usize)], tokens: bool) -> Self {
        let head = shapes.len().saturating_sub(1);
        let turned = |number: usize| number != head || !tokens;
        let errors = shapes.iter().enumerate();
        Factors {
            shapes: shapes.to_vec(),
            inputs: shapes.iter().map(|(width, _)| vec![0.0; width * width]).collect(),
            errors: errors.map(|(i, (_, outputs))| turned(i).then(|| vec![0.0; outputs * outputs])).collect(),
            positions: 0.0,
        }
    }

    /// Adds a passage; one of other shapes is left out.
    pub fn add(&mut self, layers: &[LinearPass]) {
        if !fit(layers, &self.shapes) {
            return;
        }
        for ((layer, inputs), errors) in layers.iter().zip(&mut self.inputs).zip(&mut self.errors) {
            for (input, error) in layer.positions() {
                add_outer(inputs, input);
                if let Some(errors) = errors {
                    add_outer(errors, error);
                }
            }
        }
        let positions = layers.first().map_or(0, |l| l.inputs.len().checked_div(l.width).unwrap_or(0));
        self.positions += positions as f64;
    }

    /// The eigenbases.
    pub fn bases(&self) -> Ekfac {
        let n = self.positions.max(1.0);
        let basis = |sums: &[f64], size: usize| -> Vec<f64> {
            let values = sums.iter().map(|x| x / n).collect();
            top_eigenvectors(&Symmetric { size, values }, size).into_iter().flat_map(|(_, v)| v).collect()
        };
        let sums = self.inputs.iter().zip(&self.errors);
        let layers = self.shapes.iter().zip(sums).map(|((width, outputs), (inputs, errors))| Layer {
            width: *width,
            outputs: *outputs,
            inputs: basis(inputs, *width),
            errors: errors.as_ref().map(|errors| basis(errors, *outputs)),
            curvature: vec![0.0; width * outputs],
        });
        Ekfac { layers: layers.collect(), passages: 0.0 }
    }
}

fn add_outer(sums: &mut [f64], values: &[f32]) {
    for (line, x) in sums.chunks_exact_mut(values.len().max(1)).zip(values) {
        let x = f64::from(*x);
        line.iter_mut().zip(values).for_each(|(sum, y)| *sum += x * f64::from(*y));
    }
}

/// Bases and curvature of one layer.
#[derive(Clone, Debug)]
struct Layer {
    width: usize,
    outputs: usize,
    /// Directions of the inputs, width × width, the largest second moment first.
    inputs: Vec<f64>,
    /// Directions of the errors, outputs × outputs; none where each output is one.
    errors: Option<Vec<f64>>,
    /// Sum over passages of the squares of what [`Layer::turned`] gives.
    curvature: Vec<f64>,
}

impl Layer {
    /// `Vᵀ G U`, outputs × width.
    fn turned(&self, layer: &LinearPass) -> Vec<f64> {
        let gradient = layer.gradient();
        let left = match &self.errors {
            None => gradient,
            Some(errors) => product(errors, &gradient, self.outputs, self.width),
        };
        let mut turned = Vec::with_capacity(left.len());
        for line in left.chunks_exact(self.width.max(1)) {
            turned.extend(self.inputs.chunks_exact(self.width.max(1)).map(|u| dot(u, line)));
        }
        turned
    }

    /// Damped curvature of every entry, given the passages it was added up over.
    fn damped(&self, passages: f64) -> Vec<f64> {
        let mean = self.curvature.iter().sum::<f64>() / self.curvature.len().max(1) as f64;
        self.curvature.iter().map(|sum| (sum + DAMP * mean) / passages.max(1.0)).collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// `A B` for A `rows` × `rows` and B `rows` × `columns`.
fn product(a: &[f64], b: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    let mut out = vec![0.0; rows * columns];
    for (line, factors) in out.chunks_exact_mut(columns.max(1)).zip(a.chunks_exact(rows.max(1))) {
        for (factor, source) in factors.iter().zip(b.chunks_exact(columns.max(1))) {
            line.iter_mut().zip(source).for_each(|(sum, x)| *sum += factor * x);
        }
    }
    out
}

/// EK-FAC of some linear layers.
#[derive(Clone, Debug)]
pub struct Ekfac {
    layers: Vec<Layer>,
    passages: f64,
}

impl Ekfac {
    fn shapes(&self) -> Vec<(usize, usize)> {
        self.layers.iter().map(|l| (l.width, l.outputs)).collect()
    }

    /// Adds a passage to the curvature; one of other shapes is left out.
    pub fn add(&mut self, layers: &[LinearPass]) {
        if !fit(layers, &self.shapes()) {
            return;
        }
        for (ours, layer) in self.layers.iter_mut().zip(layers) {
            let turned = ours.turned(layer);
            ours.curvature.iter_mut().zip(turned).for_each(|(sum, x)| *sum += x * x);
        }
        self.passages += 1.0;
    }

    /// The derivative of a passage whose plain products are its influences, all entries of all layers: nothing
    /// cut, nothing rounded. Empty for other shapes.
    pub fn whitened(&self, layers: &[LinearPass]) -> Vec<f64> {
        if !fit(layers, &self.shapes()) {
            return Vec::new();
        }
        let parts = self.layers.iter().zip(layers).map(|(ours, layer)| self.whitened_layer(ours, layer));
        parts.collect::<Vec<_>>().concat()
    }

    fn whitened_layer(&self, ours: &Layer, layer: &LinearPass) -> Vec<f64> {
        let damped = ours.damped(self.passages);
        let divide = |(x, c): (f64, f64)| if c > 0.0 { x / c.sqrt() } else { 0.0 };
        ours.turned(layer).into_iter().zip(damped).map(divide).collect()
    }
}

impl RowMethod for Ekfac {
    fn scheme(&self) -> &'static str {
        EKFAC
    }

    fn slots(&self) -> usize {
        self.layers.iter().map(|layer| layer.outputs).sum()
    }

    fn rows(&self, pass: &Pass<'_>) -> Raw {
        let mut rows = Raw::new();
        if !fit(pass.layers, &self.shapes()) {
            return rows;
        }
        let labels: std::collections::BTreeSet<usize> =
            pass.passage.labels.iter().flatten().map(|label| *label as usize).collect();
        let mut first = 0;
        for (ours, layer) in self.layers.iter().zip(pass.layers) {
            let whitened = self.whitened_layer(ours, layer);
            for (output, line) in whitened.chunks_exact(ours.width.max(1)).enumerate() {
                if ours.errors.is_some() || labels.contains(&output) {
                    row(&mut rows, first + output).iter_mut().zip(line).for_each(|(to, x)| *to = *x);
                }
            }
            first += ours.outputs;
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::influence::Passage;

    /// Passages of two layers with numbers that repeat.
    fn passes(count: usize) -> Vec<Vec<LinearPass>> {
        let mut state = 3u64;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 33) as f64 / (1u64 << 31) as f64 - 0.5) as f32
        };
        let mut layer = |width: usize, outputs: usize| LinearPass {
            inputs: (0..5 * width).map(|_| next()).collect(),
            errors: (0..5 * outputs).map(|_| next()).collect(),
            width,
            outputs,
        };
        (0..count).map(|_| vec![layer(6, 4), layer(4, 9)]).collect()
    }

    fn fitted(passes: &[Vec<LinearPass>], tokens: bool) -> Ekfac {
        let mut factors = Factors::new(&[(6, 4), (4, 9)], tokens);
        passes.iter().for_each(|pass| factors.add(pass));
        let mut ekfac = factors.bases();
        passes.iter().for_each(|pass| ekfac.add(pass));
        ekfac
    }

    #[test]
    fn turning_keeps_norms_and_curvature_is_the_mean_square() {
        let passes = passes(20);
        let ekfac = fitted(&passes, false);
        for (ours, layer) in ekfac.layers.iter().zip(&passes[0]) {
            let (before, after) = (layer.gradient(), ours.turned(layer));
            assert!((dot(&before, &before) - dot(&after, &after)).abs() < 1e-9);
        }
        // Without damping the whitened squares of a layer's entries have a mean of one each over the passages.
        let squares: f64 = passes.iter().map(|p| ekfac.whitened(p)).map(|w| dot(&w, &w)).sum();
        let entries = (6 * 4 + 4 * 9) as f64 * 20.0;
        assert!(squares < entries && squares > 0.8 * entries, "{squares} of {entries}");
    }

    #[test]
    fn products_of_rows_are_the_sum_where_nothing_is_cut() {
        let passes = passes(12);
        let ekfac = fitted(&passes, true);
        // Every token is a label, and no layer is wider than a row: nothing is left out.
        let labels: Vec<Option<u32>> = (0..9).map(Some).collect();
        let rows = |layers: &[LinearPass]| {
            let passage = Passage { hidden: &[], logits: &[], labels: &labels };
            ekfac.rows(&Pass { passage, layers })
        };
        let (a, b) = (rows(&passes[0]), rows(&passes[1]));
        let by_rows: f64 = a.iter().filter_map(|(slot, x)| Some(dot(x, b.get(slot)?))).sum();
        let whole = dot(&ekfac.whitened(&passes[0]), &ekfac.whitened(&passes[1]));
        assert!((by_rows - whole).abs() < 1e-9, "{by_rows} {whole}");
        assert_eq!(ekfac.slots(), 13);
    }

    #[test]
    fn other_shapes_have_no_rows() {
        let mut ekfac = fitted(&passes(3), true);
        let foreign = vec![LinearPass { inputs: vec![1.0; 3], errors: vec![1.0; 2], width: 3, outputs: 2 }];
        let passage = Passage { hidden: &[], logits: &[], labels: &[] };
        assert!(ekfac.rows(&Pass { passage, layers: &foreign }).is_empty());
        assert!(ekfac.whitened(&foreign).is_empty());
        ekfac.add(&foreign);
        assert_eq!(ekfac.passages, 3.0);
    }
}

//! From hidden vectors and probabilities to rows: the readout's K-FAC influence.
//!
//! With `h_t` the hidden vector that the output layer reads at position `t`, `p_t` the probabilities and
//! `y_t` the token that follows:
//!
//! - `A = E[h hᵀ] + d_a · tr/D · I`, `W = diag(e_k^-1/2) U_kᵀ` of its [`RANK`] largest eigenvalues;
//! - `s_v = E[p_t(v)(1 - p_t(v))]`, `g_v = (s_v + d_s · mean(s))^-1/2`, both over a sample of positions;
//! - row of token `v`: `u[v] = g_v · Σ_t W h_t (p_t(v) - 1[y_t = v])` for the tokens that occur.
//!
//! A document is the sum of its segments of [`SEGMENT`] positions, each cut to the same norm: an odd
//! passage cannot outweigh the rest, and a document that is split into many is cut no otherwise.

use std::collections::BTreeMap;

use openledger_numerics::exp_f32;

use super::linear::{Pass, RowMethod};
use super::scale::Scale;
use super::whiten::{top_eigenvectors, Symmetric};
use super::{InfluenceIndex, Parameters, Signature, RANK, READOUT};

/// Positions of a segment.
pub const SEGMENT: usize = 64;
/// Damping of the hidden vectors' second moments, as a part of their mean.
const DAMP_HIDDEN: f64 = 1.0;
/// Damping of the probabilities' variances, as a part of their mean.
const DAMP_LABELS: f64 = 0.1;

/// Rows before they are rounded, by slot.
pub type Raw = BTreeMap<u32, [f64; RANK]>;

/// What a model computes over a passage: the only thing that is asked of an engine.
#[derive(Clone, Copy, Debug)]
pub struct Passage<'a> {
    /// Hidden vectors that the output layer reads, positions × width.
    pub hidden: &'a [f32],
    /// Logits, positions × vocabulary.
    pub logits: &'a [f32],
    /// The token that follows each position; none where it is not to count.
    pub labels: &'a [Option<u32>],
}

impl Passage<'_> {
    fn width(&self) -> usize {
        self.hidden.len().checked_div(self.labels.len()).unwrap_or(0)
    }

    fn vocabulary(&self) -> usize {
        self.logits.len().checked_div(self.labels.len()).unwrap_or(0)
    }
}

/// Second moments of hidden vectors and variances of probabilities, over a sample of positions.
#[derive(Clone, Debug)]
pub struct Statistics {
    width: usize,
    positions: f64,
    moments: Vec<f64>,
    variances: Vec<f64>,
}

impl Statistics {
    /// For a model of this width and vocabulary.
    pub fn new(width: usize, vocabulary: usize) -> Self {
        let (moments, variances) = (vec![0.0; width * width], vec![0.0; vocabulary]);
        Statistics { width, positions: 0.0, moments, variances }
    }

    /// Adds a passage; one of another shape is left out.
    pub fn add(&mut self, passage: &Passage<'_>) {
        let (width, vocabulary) = (self.width, self.variances.len());
        if passage.width() != width || passage.vocabulary() != vocabulary {
            return;
        }
        for (h, logits) in passage.hidden.chunks_exact(width).zip(passage.logits.chunks_exact(vocabulary)) {
            for (row, x) in self.moments.chunks_exact_mut(width).zip(h) {
                let x = f64::from(*x);
                row.iter_mut().zip(h).for_each(|(sum, y)| *sum += x * f64::from(*y));
            }
            let (largest, sum) = softmax_scale(logits);
            for (variance, logit) in self.variances.iter_mut().zip(logits) {
                let p = f64::from(exp_f32(logit - largest)) / sum;
                *variance += p * (1.0 - p);
            }
            self.positions += 1.0;
        }
    }

    /// Adds the sums of another sample.
    pub fn merge(&mut self, other: &Statistics) {
        self.positions += other.positions;
        self.moments.iter_mut().zip(&other.moments).for_each(|(sum, x)| *sum += x);
        self.variances.iter_mut().zip(&other.variances).for_each(|(sum, x)| *sum += x);
    }

    /// Projection and gains, without clip and scale, which follow from the documents' rows.
    pub fn builder(&self) -> Builder {
        let n = self.positions.max(1.0);
        let width = self.width;
        let mut values: Vec<f64> = self.moments.iter().map(|sum| sum / n).collect();
        let trace: f64 = (0..width).map(|i| values[i * width + i]).sum();
        let damping = DAMP_HIDDEN * trace / width.max(1) as f64;
        (0..width).for_each(|i| values[i * width + i] += damping);
        let mut projection = Vec::with_capacity(RANK * width);
        for (value, vector) in top_eigenvectors(&Symmetric { size: width, values }, RANK) {
            let factor = if value > 0.0 { value.sqrt().recip() } else { 0.0 };
            projection.extend(vector.iter().map(|x| (x * factor) as f32));
        }
        projection.resize(RANK * width, 0.0);
        let mean = self.variances.iter().sum::<f64>() / n / self.variances.len().max(1) as f64;
        let gain = |sum: &f64| {
            let damped = sum / n + DAMP_LABELS * mean;
            if damped > 0.0 {
                damped.sqrt().recip() as f32
            } else {
                0.0
            }
        };
        let gains: Vec<f32> = self.variances.iter().map(gain).collect();
        Builder {
            parameters: Parameters {
                width,
                slots: gains.len(),
                projection,
                gains,
                clip: f32::MAX,
                scale: 1.0,
            },
        }
    }
}

/// Largest logit and the sum of all exponentials relative to it.
fn softmax_scale(logits: &[f32]) -> (f32, f64) {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    // In eight sums that the processor can work on side by side; their order is fixed.
    let mut sums = [0f32; 8];
    let mut chunks = logits.chunks_exact(8);
    for chunk in &mut chunks {
        for (sum, logit) in sums.iter_mut().zip(chunk) {
            *sum += exp_f32(logit - largest);
        }
    }
    let rest: f32 = chunks.remainder().iter().map(|logit| exp_f32(logit - largest)).sum();
    (largest, sums.iter().map(|s| f64::from(*s)).sum::<f64>() + f64::from(rest))
}

/// Makes rows of documents and answers.
#[derive(Clone, Debug)]
pub struct Builder {
    parameters: Parameters,
}

impl Builder {
    /// With the parameters of an index, to check it or to sign answers.
    pub fn of(index: &InfluenceIndex) -> Self {
        Builder { parameters: index.parameters.clone() }
    }

    /// Signature of an answer.
    pub fn signature(&self, passage: &Passage<'_>) -> Signature {
        Signature::quantise(&self.rows(passage))
    }

    /// Rows of the segments of a passage of a document, none of them cut yet.
    pub fn segments(&self, passage: &Passage<'_>) -> Vec<Raw> {
        let (width, vocabulary) = (passage.width(), passage.vocabulary());
        let mut segments = Vec::new();
        for (number, labels) in passage.labels.chunks(SEGMENT).enumerate() {
            let (from, len) = (number * SEGMENT, labels.len());
            let hidden = &passage.hidden[from * width..(from + len) * width];
            let logits = &passage.logits[from * vocabulary..(from + len) * vocabulary];
            segments.push(self.rows(&Passage { hidden, logits, labels }));
        }
        segments
    }

    /// Adds segments to the rows of a document, each cut to the norm of the parameters.
    pub fn add(&self, sum: &mut Raw, segments: &[Raw]) {
        Scale { clip: self.parameters.clip, unit: self.parameters.scale }.add(sum, segments);
    }

    /// Sets clip and scale by a sample of segments.
    #[must_use]
    pub fn calibrated(mut self, sample: &[Raw]) -> Self {
        let scale = Scale::of(sample);
        (self.parameters.clip, self.parameters.scale) = (scale.clip, scale.unit);
        self
    }

    /// The index over the documents' rows, each added up by [`Builder::add`].
    pub fn index(self, documents: &BTreeMap<u64, Raw>) -> InfluenceIndex {
        InfluenceIndex::new(READOUT, self.parameters, documents)
    }

    /// Rows of one passage. A passage of another shape than the parameters' has none.
    fn rows(&self, passage: &Passage<'_>) -> Raw {
        let p = &self.parameters;
        let (width, vocabulary) = (p.width, p.slots);
        let mut rows = Raw::new();
        if passage.width() != width || passage.vocabulary() != vocabulary {
            return rows;
        }
        let mut labels: Vec<u32> = passage.labels.iter().flatten().copied().collect();
        labels.sort_unstable();
        labels.dedup();
        labels.retain(|label| (*label as usize) < vocabulary);
        let mut sums = vec![[0f64; RANK]; labels.len()];
        let positions = passage.hidden.chunks_exact(width).zip(passage.logits.chunks_exact(vocabulary));
        for ((h, logits), label) in positions.zip(passage.labels) {
            let Some(label) = label else { continue };
            let mut z = [0f64; RANK];
            for (value, direction) in z.iter_mut().zip(p.projection.chunks_exact(width)) {
                *value = direction.iter().zip(h).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
            }
            let (largest, sum) = softmax_scale(logits);
            for (slot, total) in labels.iter().zip(&mut sums) {
                let probability = f64::from(exp_f32(logits[*slot as usize] - largest)) / sum;
                let error = probability - f64::from(u8::from(slot == label));
                total.iter_mut().zip(&z).for_each(|(t, z)| *t += z * error);
            }
        }
        for (slot, sum) in labels.into_iter().zip(sums) {
            let gain = f64::from(p.gains[slot as usize]);
            rows.insert(slot, sum.map(|x| x * gain));
        }
        rows
    }
}

impl RowMethod for Builder {
    fn scheme(&self) -> &'static str {
        READOUT
    }

    fn slots(&self) -> usize {
        self.parameters.slots
    }

    fn rows(&self, pass: &Pass<'_>) -> Raw {
        Builder::rows(self, &pass.passage)
    }
}

//! How the values of a slot follow from earlier ones: the law that docs/numerics.md states, one slot at a
//! time. Both parties make their traces with it, and the contract computes one unit by it.

use std::ops::Range;

use openledger_exact::sampler::Sampler;
use openledger_numerics::{quantize_block, rms_norm, rope, rope_row, row_dot, silu_mul, Path, BLOCK};
use openledger_types::formats::{hidden_digest, WINDOW};

use crate::attention;
use crate::layout::{Layout, Op, Place, Statement};
use crate::tree::{canonical, unit_leaf, Target, UNIT};
use crate::DisputeError;

/// One row of int8 weights.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizedRow {
    /// One scale a block of 32.
    pub scales: Vec<f32>,
    /// The values, padded with 0 to whole blocks.
    pub values: Vec<i8>,
}

/// Where a step reads from: a whole trace, or what was opened of one.
pub trait Source {
    /// All values of a slot.
    ///
    /// # Errors
    /// When it is not at hand.
    fn slot(&mut self, slot: u64) -> Result<Vec<f32>, DisputeError>;

    /// One unit of a slot.
    ///
    /// # Errors
    /// When it is not at hand.
    fn unit(&mut self, slot: u64, unit: u64) -> Result<Vec<f32>, DisputeError>;

    /// A row of the int8 tensor with this number in the layout.
    ///
    /// # Errors
    /// When it is not at hand.
    fn row(&mut self, tensor: usize, row: usize) -> Result<QuantizedRow, DisputeError>;

    /// The f32 vector with this number in the layout.
    ///
    /// # Errors
    /// When it is not at hand.
    fn vector(&mut self, tensor: usize) -> Result<Vec<f32>, DisputeError>;
}

/// What one step is about.
pub(crate) struct Step<'a> {
    pub layout: &'a Layout,
    pub position: usize,
    pub layer: usize,
    /// Units that are wanted.
    pub units: Range<u64>,
}

impl Step<'_> {
    /// The slot of another vector of the same layer and position.
    pub(crate) fn near(&self, op: Op) -> u64 {
        self.layout.slot(self.position, Place::Layer(self.layer, op))
    }

    /// The values that are wanted, of a slot of `len` values.
    fn wanted(&self, len: usize) -> Range<usize> {
        let at = |unit: u64| (unit as usize).saturating_mul(UNIT).min(len);
        at(self.units.start)..at(self.units.end)
    }

    /// What enters the layer.
    fn before(&self) -> u64 {
        match self.layer.checked_sub(1) {
            None => self.layout.slot(self.position, Place::Embedding),
            Some(layer) => self.layout.slot(self.position, Place::Layer(layer, Op::After)),
        }
    }

    fn tensor(&self, part: &str) -> Result<usize, DisputeError> {
        let name = format!("model.layers.{}.{part}.weight", self.layer);
        self.layout.tensor(&name).ok_or(DisputeError::OutsideTrace)
    }
}

/// Values of the units `units` of a slot, one after the other.
///
/// # Errors
/// When there is no such place, or `source` lacks what the step reads.
pub fn compute(
    layout: &Layout,
    statement: &Statement,
    slot: u64,
    units: Range<u64>,
    source: &mut dyn Source,
) -> Result<Vec<f32>, DisputeError> {
    let (position, place) = layout.place(slot)?;
    let len = layout.len(slot)?;
    if units.end > layout.units(slot)? || units.is_empty() {
        return Err(DisputeError::OutsideTrace);
    }
    let layer = if let Place::Layer(layer, _) = place { layer } else { 0 };
    let step = Step { layout, position, layer, units };
    let wanted = step.wanted(len);
    let global = |name: &str| layout.tensor(name).ok_or(DisputeError::OutsideTrace);
    let cut = |values: Vec<f32>| values.get(wanted.clone()).map(<[f32]>::to_vec).unwrap_or_default();
    let mut values = match place {
        Place::Embedding => {
            let token = layout.input(statement, position).ok_or(DisputeError::OutsideTrace)?;
            let row = source.row(global("model.embed_tokens.weight")?, token as usize)?;
            let blocks = row.scales.iter().zip(row.values.chunks(BLOCK));
            cut(blocks.flat_map(|(scale, q)| q.iter().map(move |q| scale * f32::from(*q))).collect())
        }
        Place::Hidden => {
            let last = layout.config.num_hidden_layers - 1;
            let x = source.slot(layout.slot(position, Place::Layer(last, Op::After)))?;
            cut(normed(layout, &x, &source.vector(global("model.norm.weight")?)?))
        }
        Place::Logits => {
            let hidden = layout.slot(position, Place::Hidden);
            let head = layout.tensor("lm_head.weight");
            product(head.map_or_else(|| global("model.embed_tokens.weight"), Ok)?, hidden, wanted, source)?
        }
        Place::Token => vec![drawn(layout, statement, position, source)?],
        Place::Digest => {
            let first = layout.prompt - 1 + position * WINDOW;
            let mut vectors = Vec::new();
            for position in first..(first + WINDOW).min(layout.prompt - 1 + layout.answer) {
                vectors.extend(source.slot(layout.slot(position, Place::Hidden))?);
            }
            cut(hidden_digest(&vectors).iter().map(|byte| f32::from(*byte)).collect())
        }
        Place::Layer(_, op) => match op {
            Op::Norm1 => {
                let x = source.slot(step.before())?;
                cut(normed(layout, &x, &source.vector(step.tensor("input_layernorm")?)?))
            }
            Op::Query => product(step.tensor("self_attn.q_proj")?, step.near(Op::Norm1), wanted, source)?,
            Op::Key => product(step.tensor("self_attn.k_proj")?, step.near(Op::Norm1), wanted, source)?,
            Op::Value => product(step.tensor("self_attn.v_proj")?, step.near(Op::Norm1), wanted, source)?,
            Op::TurnedQuery => cut(turned(&step, Op::Query, "self_attn.q_norm", source)?),
            Op::TurnedKey => cut(turned(&step, Op::Key, "self_attn.k_norm", source)?),
            Op::Scores => attention::scores(&step, source)?,
            Op::Weights => attention::weights(&step, source)?,
            Op::Sums => cut(attention::sums(&step, source)?),
            Op::Partial => attention::partial(&step, source)?,
            Op::Mixed => attention::mixed(&step, wanted, source)?,
            Op::Output => product(step.tensor("self_attn.o_proj")?, step.near(Op::Mixed), wanted, source)?,
            Op::Middle => sum(step.before(), step.near(Op::Output), &step, source)?,
            Op::Norm2 => {
                let x = source.slot(step.near(Op::Middle))?;
                cut(normed(layout, &x, &source.vector(step.tensor("post_attention_layernorm")?)?))
            }
            Op::Gate => product(step.tensor("mlp.gate_proj")?, step.near(Op::Norm2), wanted, source)?,
            Op::Up => product(step.tensor("mlp.up_proj")?, step.near(Op::Norm2), wanted, source)?,
            Op::Gated => {
                let mut gate = units_of(step.near(Op::Gate), &step, source)?;
                silu_mul(Path::SCALAR, &mut gate, &units_of(step.near(Op::Up), &step, source)?);
                gate
            }
            Op::Down => product(step.tensor("mlp.down_proj")?, step.near(Op::Gated), wanted, source)?,
            Op::After => sum(step.near(Op::Middle), step.near(Op::Down), &step, source)?,
        },
    };
    values.iter_mut().for_each(|x| *x = canonical(*x));
    Ok(values)
}

/// Whether the unit at the end of a descent is what follows from `source`, and where it is a token or a
/// digest, also what the statement says.
///
/// # Errors
/// When `source` lacks what the step reads.
pub fn holds(
    layout: &Layout,
    statement: &Statement,
    target: &Target,
    source: &mut dyn Source,
) -> Result<bool, DisputeError> {
    let Target { slot, unit, leaf } = *target;
    let values = compute(layout, statement, slot, unit..unit + 1, source)?;
    Ok(unit_leaf(&values) == leaf && is_stated(layout, statement, slot, unit, &values)?)
}

/// Whether values of a unit are those of the statement, where it says them.
pub(crate) fn is_stated(
    layout: &Layout,
    statement: &Statement,
    slot: u64,
    unit: u64,
    values: &[f32],
) -> Result<bool, DisputeError> {
    let (position, place) = layout.place(slot)?;
    Ok(match place {
        Place::Token => {
            let at = position + 1 - layout.prompt;
            statement.answer.get(at).is_some_and(|token| values == [*token as f32])
        }
        Place::Digest => {
            let digest = statement.digests.get(position).copied().unwrap_or_default();
            let stated = digest.chunks(UNIT).nth(unit as usize).unwrap_or(&[]);
            values.iter().copied().eq(stated.iter().map(|byte| f32::from(*byte)))
        }
        _ => true,
    })
}

/// RMSNorm.
fn normed(layout: &Layout, x: &[f32], weight: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    rms_norm(Path::SCALAR, x, weight, layout.config.rms_norm_eps as f32, &mut out);
    out
}

/// The rows `rows` of an int8 matrix times the quantised vector in `input`.
fn product(
    tensor: usize,
    input: u64,
    rows: Range<usize>,
    source: &mut dyn Source,
) -> Result<Vec<f32>, DisputeError> {
    let x = source.slot(input)?;
    let (mut scales, mut values) = (Vec::new(), Vec::new());
    for block in x.chunks(BLOCK) {
        let mut q = [0i8; BLOCK];
        scales.push(quantize_block(block, &mut q));
        values.extend(q);
    }
    rows.map(|row| {
        let QuantizedRow { scales: weight_scales, values: weights } = source.row(tensor, row)?;
        Ok(row_dot(&weights, &weight_scales, &values, &scales))
    })
    .collect()
}

/// Every head of a vector after its norm, where the architecture has one, and its rotation.
fn turned(step: &Step, op: Op, norm: &str, source: &mut dyn Source) -> Result<Vec<f32>, DisputeError> {
    let config = &step.layout.config;
    let mut heads = source.slot(step.near(op))?;
    let norm = match config.has_head_norms() {
        true => Some(source.vector(step.tensor(norm)?)?),
        false => None,
    };
    let table = rope_row(step.position, config.head_dim(), config.rope_theta);
    for head in heads.chunks_exact_mut(config.head_dim().max(1)) {
        if let Some(norm) = &norm {
            let plain = head.to_vec();
            rms_norm(Path::SCALAR, &plain, norm, config.rms_norm_eps as f32, head);
        }
        rope(Path::SCALAR, head, &table);
    }
    Ok(heads)
}

/// The wanted units of another slot of the same length.
fn units_of(slot: u64, step: &Step, source: &mut dyn Source) -> Result<Vec<f32>, DisputeError> {
    let mut values = Vec::new();
    for unit in step.units.clone() {
        values.extend(source.unit(slot, unit)?);
    }
    Ok(values)
}

/// The sum of two vectors.
fn sum(a: u64, b: u64, step: &Step, source: &mut dyn Source) -> Result<Vec<f32>, DisputeError> {
    let mut out = units_of(a, step, source)?;
    openledger_numerics::add(Path::SCALAR, &mut out, &units_of(b, step, source)?);
    Ok(out)
}

/// The token that the sampler draws.
fn drawn(
    layout: &Layout,
    statement: &Statement,
    position: usize,
    source: &mut dyn Source,
) -> Result<f32, DisputeError> {
    let logits = source.slot(layout.slot(position, Place::Logits))?;
    let at = position + 1 - layout.prompt;
    let sampler = sampler(statement)?;
    let before = statement.answer.get(..at).unwrap_or(&[]);
    let logits = sampler.penalised(&logits, &[&statement.prompt, before]);
    Ok(sampler.draw(&logits, at as u64).map_or(-1.0, |token| token as f32))
}

/// The sampler of a statement.
///
/// # Errors
/// When a value is outside its range.
pub fn sampler(statement: &Statement) -> Result<Sampler, DisputeError> {
    Sampler::new(statement.seed, &statement.decoding)
        .and_then(|sampler| sampler.with_penalty(statement.repetition_milli))
        .map_err(|_| DisputeError::Statement("decoding or repetition penalty is outside its range"))
}

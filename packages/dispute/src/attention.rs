//! The steps of attention. Keys and values count in half precision, as the node's cache keeps them; every
//! order is that of `openledger_numerics::attend`.

use std::ops::Range;

use openledger_numerics::{f16_to_f32, f32_to_f16, softmax, sqrt_f32, write_key, Path, TILE};

use crate::layout::{Op, Place};
use crate::step::{Source, Step};
use crate::tree::UNIT;
use crate::DisputeError;

/// Positions of a tile that `step`'s position sees.
fn seen(step: &Step, tile: usize) -> Range<usize> {
    tile * TILE..((tile + 1) * TILE).min(step.position + 1)
}

/// The key and value head that a query head reads.
fn shared(step: &Step, head: usize) -> usize {
    let config = &step.layout.config;
    head / (config.num_attention_heads / config.kv_heads().max(1)).max(1)
}

/// A vector of this layer at the positions of a tile; remembered, as units of all heads read the same.
fn rows(
    step: &Step,
    op: Op,
    tile: usize,
    known: &mut Vec<Vec<Vec<f32>>>,
    source: &mut dyn Source,
) -> Result<(), DisputeError> {
    if known.len() <= tile {
        known.resize(tile + 1, Vec::new());
    }
    if known[tile].is_empty() {
        for position in seen(step, tile) {
            known[tile].push(source.slot(step.layout.slot(position, Place::Layer(step.layer, op)))?);
        }
    }
    Ok(())
}

/// One tile of scores a unit: unit = head × tiles + tile.
pub(crate) fn scores(step: &Step, source: &mut dyn Source) -> Result<Vec<f32>, DisputeError> {
    let width = step.layout.config.head_dim();
    let tiles = step.layout.tiles(step.position);
    let scale = 1.0 / sqrt_f32(width as f32);
    let queries = source.slot(step.near(Op::TurnedQuery))?;
    let (mut known, mut out) = (Vec::new(), Vec::new());
    for unit in step.units.clone() {
        let (head, tile) = (unit as usize / tiles, unit as usize % tiles);
        rows(step, Op::TurnedKey, tile, &mut known, source)?;
        let from = shared(step, head) * width;
        let mut keys = vec![0u16; width * TILE];
        for (slot, key) in known[tile].iter().enumerate() {
            write_key(&mut keys, slot, key.get(from..from + width).ok_or(DisputeError::OutsideTrace)?);
        }
        let query = queries.get(head * width..(head + 1) * width).ok_or(DisputeError::OutsideTrace)?;
        let mut scores = [0f32; TILE];
        openledger_numerics::scores(Path::SCALAR, query, width, &keys, scale, &mut scores);
        scores.iter_mut().skip(seen(step, tile).len()).for_each(|score| *score = 0.0);
        out.extend(scores);
    }
    Ok(out)
}

/// One head after softmax, padded with 0, and its sum.
fn softened(step: &Step, head: usize, scores: &[f32]) -> Result<(Vec<f32>, f32), DisputeError> {
    let padded = step.layout.tiles(step.position) * TILE;
    let mut row = scores.get(head * padded..(head + 1) * padded).ok_or(DisputeError::OutsideTrace)?.to_vec();
    let sum = softmax(Path::SCALAR, row.get_mut(..=step.position).ok_or(DisputeError::OutsideTrace)?);
    Ok((row, sum))
}

/// One tile of weights a unit, in the order of the scores.
pub(crate) fn weights(step: &Step, source: &mut dyn Source) -> Result<Vec<f32>, DisputeError> {
    let tiles = step.layout.tiles(step.position);
    let scores = source.slot(step.near(Op::Scores))?;
    let (mut out, mut row, mut of) = (Vec::new(), Vec::new(), None);
    for unit in step.units.clone() {
        let (head, tile) = (unit as usize / tiles, unit as usize % tiles);
        if of != Some(head) {
            (row, of) = (softened(step, head, &scores)?.0, Some(head));
        }
        out.extend(row.iter().skip(tile * TILE).take(TILE));
    }
    Ok(out)
}

/// The sum of each head's weights.
pub(crate) fn sums(step: &Step, source: &mut dyn Source) -> Result<Vec<f32>, DisputeError> {
    let scores = source.slot(step.near(Op::Scores))?;
    (0..step.layout.config.num_attention_heads).map(|head| Ok(softened(step, head, &scores)?.1)).collect()
}

/// Sixteen columns of the weighted values up to the end of a tile: unit = tile × units of a tile + columns.
pub(crate) fn partial(step: &Step, source: &mut dyn Source) -> Result<Vec<f32>, DisputeError> {
    let (layout, width) = (step.layout, step.layout.config.head_dim());
    let (slot, a_tile) = (step.near(Op::Partial), layout.partial_units());
    let tiles = layout.tiles(step.position);
    let mut known = Vec::new();
    let mut out: Vec<f32> = Vec::new();
    for unit in step.units.clone() {
        let (tile, part) = (unit as usize / a_tile, unit as usize % a_tile);
        rows(step, Op::Value, tile, &mut known, source)?;
        // What the tile before left, where there is one: of this very pass, if it made it.
        let before = (unit - step.units.start).checked_sub(a_tile as u64).map(|i| i as usize * UNIT);
        let mut sums = match (tile, before) {
            (0, _) => vec![0.0; UNIT],
            (_, Some(at)) => out.get(at..at + UNIT).map(<[f32]>::to_vec).unwrap_or_default(),
            (_, None) => source.unit(slot, unit - a_tile as u64)?,
        };
        let mut weights: Option<(usize, Vec<f32>)> = None;
        for (i, sum) in sums.iter_mut().enumerate() {
            let column = part * UNIT + i;
            if column >= layout.queries() {
                break;
            }
            let head = column / width;
            if weights.as_ref().is_none_or(|(of, _)| *of != head) {
                weights = Some((head, source.unit(step.near(Op::Weights), (head * tiles + tile) as u64)?));
            }
            let from = shared(step, head) * width + column % width;
            let weights = weights.as_ref().map_or(&[][..], |(_, weights)| weights);
            for (weight, value) in weights.iter().zip(&known[tile]) {
                let value = value.get(from).ok_or(DisputeError::OutsideTrace)?;
                *sum += weight * f16_to_f32(f32_to_f16(*value));
            }
        }
        out.extend(sums);
    }
    Ok(out)
}

/// The weighted values over the sum of the weights.
pub(crate) fn mixed(
    step: &Step,
    wanted: Range<usize>,
    source: &mut dyn Source,
) -> Result<Vec<f32>, DisputeError> {
    let (layout, width) = (step.layout, step.layout.config.head_dim());
    let last = (layout.tiles(step.position) - 1) * layout.partial_units();
    let sums = source.slot(step.near(Op::Sums))?;
    let mut values = Vec::new();
    for unit in step.units.clone() {
        values.extend(source.unit(step.near(Op::Partial), last as u64 + unit)?);
    }
    let columns = values.into_iter().zip(wanted);
    columns.map(|(value, i)| Ok(value / sums.get(i / width).ok_or(DisputeError::OutsideTrace)?)).collect()
}

//! The methods of influence that a model can be registered with, and the choice among them by questions for
//! calibration.

use std::collections::BTreeMap;

use anyhow::Result;
use openledger_attribution::calibration::{self, mixed, Scores};
use openledger_attribution::influence::{
    Ekfac, Factors, InfluenceIndex, LinearPass, Logra, Parameters, Pass, Passage, Raw, RowMethod, Scale,
    Signature, RANK,
};
use openledger_attribution::Weights;
use openledger_node::attribution::Positions;

use super::ground::World;
use super::influence::labels;

/// Seed of the projections.
const SEED: u64 = 11;

/// A text as a model reads it, forward and backward.
struct Read {
    found: Positions,
    labels: Vec<Option<u32>>,
    layers: Vec<LinearPass>,
}

impl Read {
    fn of(world: &World, passage: &[u32]) -> Result<Self> {
        let labels = labels(passage);
        Ok(Read { found: world.model.positions(passage)?, labels, layers: world.model.linear(passage)? })
    }

    fn pass(&self) -> Pass<'_> {
        let Positions { hidden, logits } = &self.found;
        Pass { passage: Passage { hidden, logits, labels: &self.labels }, layers: &self.layers }
    }
}

/// Scores of the alternatives to the readout: rows rounded to bytes, as a node would use them (`ekfac16_int8`,
/// `logra16_int8`), and EK-FAC of the last block and the head with nothing cut, turned or rounded off
/// (`ekfac_own`), which is what libraries compute.
///
/// # Errors
/// Those of the model.
pub fn alternatives(world: &World) -> Result<Vec<(&'static str, Scores)>> {
    let read = |passages: &[Vec<u32>]| -> Result<Vec<Read>> {
        passages.iter().map(|passage| Read::of(world, passage)).collect()
    };
    let (documents, queries) = (read(world.experiment.passages())?, read(&world.queries)?);
    let Some(first) = documents.first() else { return Ok(Vec::new()) };
    let shapes: Vec<(usize, usize)> = first.layers.iter().map(|l| (l.width, l.outputs)).collect();
    let fitted = |tokens: bool| -> Ekfac {
        let mut factors = Factors::new(&shapes, tokens);
        documents.iter().for_each(|d| factors.add(&d.layers));
        let mut ekfac = factors.bases();
        documents.iter().for_each(|d| ekfac.add(&d.layers));
        ekfac
    };
    let whole = fitted(false);
    let turned: Vec<Vec<f64>> = documents.iter().map(|d| whole.whitened(&d.layers)).collect();
    let own = queries.iter().map(|query| {
        let query = whole.whitened(&query.layers);
        turned.iter().map(|d| query.iter().zip(d).map(|(x, y)| x * y).sum()).collect()
    });
    let mut logra = Logra::new(SEED, &shapes);
    documents.iter().for_each(|d| logra.add(&d.layers));
    Ok(vec![
        ("ekfac_own", own.collect()),
        ("ekfac16_int8", rounded(&fitted(true), &documents, &queries)),
        ("logra16_int8", rounded(&logra.whitened(), &documents, &queries)),
    ])
}

/// Scores of a method by rows that are cut and rounded.
fn rounded(method: &dyn RowMethod, documents: &[Read], queries: &[Read]) -> Scores {
    let segments: Vec<Vec<Raw>> = documents.iter().map(|d| method.segments(&d.pass())).collect();
    let scale = Scale::of(&segments.concat());
    let raw: BTreeMap<u64, Raw> = (1u64..)
        .zip(&segments)
        .map(|(id, segments)| {
            let mut sum = Raw::new();
            scale.add(&mut sum, segments);
            (id, sum)
        })
        .collect();
    // Of the parameters the index uses the scale alone; what rows are made with is the method's.
    let slots = method.slots();
    let parameters = Parameters {
        width: 1,
        slots,
        projection: vec![0.0; RANK],
        gains: vec![1.0; slots],
        clip: scale.clip,
        scale: scale.unit,
    };
    let index = InfluenceIndex::new(method.scheme(), parameters, &raw);
    queries
        .iter()
        .map(|query| {
            let signature = Signature::quantise(&method.rows(&query.pass()));
            let found: BTreeMap<u64, i64> = index.influence(&signature).documents.into_iter().collect();
            raw.keys().map(|id| found.get(id).map_or(0.0, |i| *i as f64)).collect()
        })
        .collect()
}

/// A method of influence with weights of the layers, and how well the mix agrees with training again.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Name of the method.
    pub method: &'static str,
    /// Weights of the layers, in tenths.
    pub weights: Weights,
    /// Scores of the mix.
    pub scores: Scores,
    /// Mean LDS on the questions for calibration, a half and a tenth left out taken together.
    pub lds: f64,
}

/// The weights, in tenths, with which a method agrees best with training again on the questions for calibration.
pub fn fit(world: &World, method: &'static str, influence: &Scores, texts: &[Scores; 2]) -> Choice {
    let layers = [influence, &texts[0], &texts[1]];
    let outcomes: Vec<&[_]> = [world.half.as_slice(), world.tenth.as_slice()]
        .into_iter()
        .filter(|outcomes| !outcomes.is_empty())
        .collect();
    let (weights, lds) = calibration::fit(layers, &outcomes, world.calibration, 10, 0);
    Choice { method, weights, scores: mixed(layers, weights), lds }
}

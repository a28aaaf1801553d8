//! Both layers together: whose data an answer rests on by influence and by wording.

use std::collections::{BTreeMap, BTreeSet};

use openledger_merkle::Hash;
use openledger_types::formats::InfluenceParams;

use crate::influence::{InfluenceIndex, Signature};
use crate::shares::{shares, Shares};
use crate::trace::{RunKind, Trace};
use crate::{Error, Index};

/// Name of the attribution scheme with the span layer alone, as it stands in manifests.
pub const SPAN_ONLY: &str = "span/1";

/// Name of the scheme with the readout's influence beside it.
pub const TWO_LAYERS: &str = "rkf16-span/1";

/// Unit into which each layer is divided before layers are weighted.
const UNIT: u128 = 1 << 32;

/// What contributions are credited with, in a unit of the layer's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credits {
    /// By contribution.
    pub contributions: BTreeMap<u64, u128>,
    /// Credit that has no evidence.
    pub no_evidence: u128,
}

impl Credits {
    /// The same with the credit of `barred` contributions among what has no evidence.
    fn without(mut self, barred: &BTreeSet<u64>) -> Self {
        for id in barred {
            let credit = self.contributions.remove(id).unwrap_or(0);
            self.no_evidence = self.no_evidence.saturating_add(credit);
        }
        self
    }

    fn total(&self) -> u128 {
        self.contributions.values().copied().fold(self.no_evidence, u128::saturating_add)
    }
}

/// Weights of the layers, committed in the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights {
    /// Of the influence layer.
    pub influence: u32,
    /// Of the span layer.
    pub span: u32,
}

impl Default for Weights {
    /// 7 to 3, the best of the pilot's calibration queries.
    fn default() -> Self {
        Weights { influence: 7, span: 3 }
    }
}

impl Weights {
    /// The weights of a manifest.
    ///
    /// # Errors
    /// [`Error::Weights`] when both are 0 or one is above 10,000.
    pub fn of(params: &InfluenceParams) -> Result<Self, Error> {
        let weights = Weights { influence: params.influence_weight, span: params.span_weight };
        let (largest, smallest) = (weights.influence.max(weights.span), weights.influence.min(weights.span));
        match largest == 0 || largest > 10_000 {
            true => Err(Error::Weights(largest, smallest)),
            false => Ok(weights),
        }
    }
}

/// Adds up the layers: each is a whole of 2^32 units of which a contribution has the floor of its part,
/// times the layer's weight. What is left, and a layer without any credit, has no evidence.
///
/// `masked` of `words` (in any unit) of the answer echo the prompt: that part of the influence layer
/// has no evidence either. The span layer counts its own.
pub fn combine(influence: &Credits, span: &Credits, weights: Weights, masked: u128, words: u128) -> Credits {
    let mut sum: BTreeMap<u64, u128> = BTreeMap::new();
    let mut given = 0u128;
    let heard = match words {
        0 => UNIT,
        words => UNIT * words.saturating_sub(masked) / words,
    };
    for (layer, weight, whole) in [(influence, weights.influence, heard), (span, weights.span, UNIT)] {
        let total = layer.total();
        if total == 0 {
            continue;
        }
        // Totals that could overflow are compared in coarser units.
        let shift = u128::BITS.saturating_sub(total.leading_zeros()).saturating_sub(90);
        for (contribution_id, credit) in &layer.contributions {
            let part = u128::from(weight) * ((credit >> shift) * whole / (total >> shift).max(1));
            *sum.entry(*contribution_id).or_default() += part;
            given += part;
        }
    }
    let all = u128::from(weights.influence) * UNIT + u128::from(weights.span) * UNIT;
    sum.retain(|_, credit| *credit > 0);
    Credits { contributions: sum, no_evidence: all.saturating_sub(given) }
}

/// An answer to be attributed.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// What was asked.
    pub prompt: &'a str,
    /// What was answered.
    pub text: &'a str,
    /// The answer's influence signature; empty where the scheme has none.
    pub signature: &'a Signature,
    /// The receipt's seed, which breaks ties.
    pub seed: &'a Hash,
    /// Contributions that may not be cited: withdrawn and past the grace, or never licensed for answers.
    /// Their credit has no evidence (PROTOCOL D4).
    pub barred: &'a BTreeSet<u64>,
}

/// A method of attribution. Which one is best depends on the model: it is chosen at registration and
/// committed in the manifest.
pub trait Method: Send + Sync {
    /// Name of the scheme, as it stands in the manifest.
    fn scheme(&self) -> &'static str;

    /// The index over the texts: every method shows wording, whatever it pays for.
    fn index(&self) -> &Index;

    /// The influence index, of methods that have one.
    fn influence(&self) -> Option<&InfluenceIndex> {
        None
    }

    /// Weights of the layers; of one alone everything.
    fn weights(&self) -> Weights {
        Weights { influence: 0, span: 1 }
    }

    /// Credits of an answer whose words were followed in the index, before they become shares.
    fn credits(&self, trace: &Trace, signature: &Signature) -> Credits;

    /// What the answer rests on, with shares and evidence.
    fn evidence(&self, answer: &Answer<'_>) -> Trace {
        let mut trace = self.index().follow(answer.prompt, answer.text);
        trace.total = self.credits(&trace, answer.signature).without(answer.barred);
        let Shares { shares, no_evidence } = self.shares(&trace.total, answer.seed);
        trace.settle(self.index(), shares, no_evidence);
        trace
    }

    /// Basis points of credits.
    fn shares(&self, credits: &Credits, seed: &Hash) -> Shares {
        shares(&credits.contributions, credits.no_evidence, seed)
    }
}

/// The span layer alone.
impl Method for Index {
    fn scheme(&self) -> &'static str {
        SPAN_ONLY
    }

    fn index(&self) -> &Index {
        self
    }

    fn credits(&self, trace: &Trace, _: &Signature) -> Credits {
        trace.span_credits()
    }
}

/// Influence beside wording.
#[derive(Debug)]
pub struct Layers {
    index: Index,
    influence: InfluenceIndex,
    weights: Weights,
}

impl Layers {
    /// Puts an influence index beside the index over the same documents.
    ///
    /// # Errors
    /// [`Error::ForeignDocument`] when the influence index holds a contribution that is not indexed:
    /// unknown, or a duplicate, which earns nothing.
    pub fn new(index: Index, influence: InfluenceIndex, weights: Weights) -> Result<Self, Error> {
        match influence.documents().iter().find(|(id, _)| index.document(*id).is_none()) {
            Some((id, _)) => Err(Error::ForeignDocument(*id)),
            None => Ok(Layers { index, influence, weights }),
        }
    }

    /// The influence layer's own credits.
    pub fn influence_credits(&self, signature: &Signature) -> Credits {
        self.influence.influence(signature).credits(|id| self.owner(id))
    }

    /// The contributor of a document.
    pub fn owner(&self, contribution_id: u64) -> Option<&str> {
        self.index.document(contribution_id).map(|document| document.contributor.as_str())
    }
}

impl Method for Layers {
    fn scheme(&self) -> &'static str {
        TWO_LAYERS
    }

    fn index(&self) -> &Index {
        &self.index
    }

    fn influence(&self) -> Option<&InfluenceIndex> {
        Some(&self.influence)
    }

    fn weights(&self) -> Weights {
        self.weights
    }

    fn credits(&self, trace: &Trace, signature: &Signature) -> Credits {
        let influence = self.influence_credits(signature);
        let words = trace.runs.iter().map(|run| run.weight).sum();
        let echo = trace.runs.iter().filter(|run| run.kind == RunKind::Echo);
        let masked = echo.map(|run| run.weight).sum();
        combine(&influence, &trace.span_credits(), self.weights, masked, words)
    }
}

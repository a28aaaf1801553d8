//! Both layers together: whose data an answer rests on by influence and by wording.

use std::collections::{BTreeMap, BTreeSet};

use openledger_merkle::Hash;
use openledger_types::formats::{InfluenceParams, BPS};

use crate::influence::{InfluenceIndex, Signature};
use crate::shares::{shares, Shares};
use crate::trace::{Grounding, Trace, GROUNDED_WORDS};
use crate::{Error, Index};

/// Name of the attribution scheme with the span layer alone, as it stands in manifests.
pub const SPAN_ONLY: &str = "span/1";

/// Name of the scheme with the readout's influence beside it.
pub const TWO_LAYERS: &str = "rkf16-span/1";

/// Name of the scheme with the readout's influence, the answer's vocabulary and its wording, in which a
/// contributor's influence counts above a noise floor. New models have [`THREE_LAYERS`].
pub const THREE_LAYERS_FLOORED: &str = "rkf16-lex-span/1";

/// Name of the scheme with the readout's influence less a part of the average, the answer's vocabulary and its
/// wording.
pub const THREE_LAYERS: &str = "rkf16-lex-span/2";

/// Part of an answer's words, one in so many, that must be grounded for its influence and vocabulary to
/// count in full; of an answer of which the data knows less they count in proportion.
const GROUNDED_PART: u128 = 4;

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

    pub(crate) fn total(&self) -> u128 {
        self.contributions.values().copied().fold(self.no_evidence, u128::saturating_add)
    }
}

/// Weights of the layers, committed in the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights {
    /// Of the influence layer.
    pub influence: u32,
    /// Of the vocabulary layer; 0 in the schemes without one.
    pub lexical: u32,
    /// Of the span layer.
    pub span: u32,
}

impl Default for Weights {
    /// 8, 1 and 1: near what calibration questions chose (docs/attribution.md), phrases not left out.
    fn default() -> Self {
        Weights { influence: 8, lexical: 1, span: 1 }
    }
}

impl Weights {
    /// The weights of a manifest.
    ///
    /// # Errors
    /// [`Error::Weights`] when all are 0 or one is above 10,000.
    pub fn of(params: &InfluenceParams) -> Result<Self, Error> {
        let weights = Weights {
            influence: params.influence_weight,
            lexical: params.lexical_weight,
            span: params.span_weight,
        };
        let all = [weights.influence, weights.lexical, weights.span];
        match all.iter().all(|w| *w == 0) || all.iter().any(|w| *w > 10_000) {
            true => Err(Error::Weights(all)),
            false => Ok(weights),
        }
    }

    /// The scheme of new models with these weights.
    pub fn scheme(&self) -> &'static str {
        match self.lexical {
            0 => TWO_LAYERS,
            _ => THREE_LAYERS,
        }
    }

    /// The scheme of this name, if these weights can belong to it.
    fn of_scheme(&self, name: &str) -> Option<&'static str> {
        [TWO_LAYERS, THREE_LAYERS_FLOORED, THREE_LAYERS]
            .into_iter()
            .find(|known| *known == name && (*known == TWO_LAYERS) == (self.lexical == 0))
    }
}

/// A layer's credits, its weight, and the part of 2^32 that the layer may give.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// What it found.
    pub credits: &'a Credits,
    /// Its weight.
    pub weight: u32,
    /// At most 2^32.
    pub whole: u128,
}

/// Adds up the layers: each is a whole of 2^32 units of which a contribution has the floor of its part,
/// times the layer's weight. What is left, and a layer without any credit, has no evidence.
pub fn combine(layers: &[Layer<'_>]) -> Credits {
    let mut sum: BTreeMap<u64, u128> = BTreeMap::new();
    let (mut given, mut all) = (0u128, 0u128);
    for Layer { credits, weight, whole } in layers {
        all += u128::from(*weight) * UNIT;
        let total = credits.total();
        if total == 0 {
            continue;
        }
        // Totals that could overflow are compared in coarser units.
        let shift = u128::BITS.saturating_sub(total.leading_zeros()).saturating_sub(90);
        for (contribution_id, credit) in &credits.contributions {
            let part =
                u128::from(*weight) * ((credit >> shift) * (*whole).min(UNIT) / (total >> shift).max(1));
            *sum.entry(*contribution_id).or_default() += part;
            given += part;
        }
    }
    sum.retain(|_, credit| *credit > 0);
    Credits { contributions: sum, no_evidence: all.saturating_sub(given) }
}

/// `part` of `all` in units of 2^32, rounded down; everything where there is nothing.
fn part_of(part: u128, all: u128) -> u128 {
    // Weights of at most 2^16 words are far below 2^64 each.
    UNIT.saturating_mul(part.min(all)).checked_div(all).unwrap_or(UNIT)
}

/// What the influence of an answer may give: the part of its words that does not repeat the prompt.
pub fn heard(words: &Grounding) -> u128 {
    part_of(words.words.saturating_sub(words.echo), words.words)
}

/// The same of an answer of whose own words a quarter and `chance` (basis points) more are known to the data;
/// of others it falls in proportion, to nothing where no more is grounded than chance alone grounds.
pub fn grounded(words: &Grounding, chance: u16) -> u128 {
    let own = words.words.saturating_sub(words.echo);
    let by_chance = own.saturating_mul(chance.into()).div_ceil(BPS.into());
    let known = words.grounded.saturating_sub(by_chance);
    part_of(own.min(known.saturating_mul(GROUNDED_PART)), words.words)
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
        Weights { influence: 0, lexical: 0, span: 1 }
    }

    /// Credits of an answer whose words were followed in the index, before they become shares.
    fn credits(&self, trace: &Trace, signature: &Signature) -> Credits;

    /// The part of these credits that rests on the answer's own words, in the same unit.
    fn by_words(&self, trace: &Trace) -> Credits {
        trace.span_credits()
    }

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
    scheme: &'static str,
    /// Bytes of match text of each document of the influence index.
    sizes: Vec<u64>,
    /// See [`Index::chance`].
    chance: u16,
}

impl Layers {
    /// Puts an influence index beside the index over the same documents, to pay as new models do.
    ///
    /// # Errors
    /// Those of [`Layers::of_scheme`].
    pub fn new(index: Index, influence: InfluenceIndex, weights: Weights) -> Result<Self, Error> {
        Self::of_scheme(weights.scheme(), index, influence, weights)
    }

    /// The same, to pay by a scheme that an earlier model may have.
    ///
    /// # Errors
    /// [`Error::Weights`] when the weights are those of another scheme; [`Error::ForeignDocument`] when the influence
    /// index holds a contribution that is not indexed: unknown, or a duplicate, which earns nothing;
    /// [`Error::MissingDocument`] when it leaves one out that is.
    pub fn of_scheme(
        scheme: &str,
        index: Index,
        influence: InfluenceIndex,
        weights: Weights,
    ) -> Result<Self, Error> {
        let Weights { influence: first, lexical, span } = weights;
        let scheme = weights.of_scheme(scheme).ok_or(Error::Weights([first, lexical, span]))?;
        let held = influence.documents();
        if let Some((id, _)) = held.iter().find(|(id, _)| index.document(*id).is_none()) {
            return Err(Error::ForeignDocument(*id));
        }
        let is_held = |id: u64| held.binary_search_by_key(&id, |(held, _)| *held).is_ok();
        if let Some(missing) = index.documents().iter().find(|d| !is_held(d.contribution_id)) {
            return Err(Error::MissingDocument(missing.contribution_id));
        }
        let size = |id: u64| index.document(id).map_or(0, |document| document.match_text.len() as u64);
        let sizes = held.iter().map(|(id, _)| size(*id)).collect();
        let chance = if weights.lexical == 0 { 0 } else { index.chance() };
        Ok(Layers { index, influence, weights, scheme, sizes, chance })
    }

    /// Basis points of an answer that chance alone grounds ([`Index::chance`]); 0 in the schemes that
    /// do not ask.
    pub fn chance(&self) -> u16 {
        self.chance
    }

    /// The influence layer's own credits.
    pub fn influence_credits(&self, signature: &Signature) -> Credits {
        let found = self.influence.influence(signature);
        match self.scheme {
            THREE_LAYERS => found.credits(&self.sizes, |id| self.owner(id)),
            _ => found.credits_above_floor(|id| self.owner(id)),
        }
    }

    /// What new models pay every document's influence by, before owners are added up.
    pub fn influences(&self, signature: &Signature) -> Vec<(u64, i128)> {
        self.influence.influence(signature).less_average(&self.sizes)
    }

    /// The contributor of a document.
    pub fn owner(&self, contribution_id: u64) -> Option<&str> {
        self.index.document(contribution_id).map(|document| document.contributor.as_str())
    }
}

impl Method for Layers {
    fn scheme(&self) -> &'static str {
        self.scheme
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
        self.combined(&self.influence_credits(signature), trace)
    }

    fn by_words(&self, trace: &Trace) -> Credits {
        self.combined(&Credits::default(), trace)
    }
}

impl Layers {
    fn combined(&self, influence: &Credits, trace: &Trace) -> Credits {
        let Weights { influence: first, lexical, span } = self.weights;
        let words = trace.grounding();
        if lexical == 0 {
            let wording = trace.span_credits();
            return combine(&[
                Layer { credits: influence, weight: first, whole: heard(&words) },
                Layer { credits: &wording, weight: span, whole: UNIT },
            ]);
        }
        let whole = grounded(&words, self.chance);
        // Of an answer that says no more than chance does, copies alone count.
        let least = if whole == 0 { usize::MAX } else { GROUNDED_WORDS };
        let (vocabulary, wording) = (self.index.vocabulary(trace), trace.phrase_credits(least));
        combine(&[
            Layer { credits: influence, weight: first, whole },
            Layer { credits: &vocabulary, weight: lexical, whole },
            Layer { credits: &wording, weight: span, whole: UNIT },
        ])
    }
}

//! An answer's signature, and whose data it rests on.

use std::collections::BTreeSet;
use std::ops::Range;

use openledger_attribution::influence::{Builder, InfluenceIndex, Passage, Signature, READOUT};
use openledger_attribution::{
    echoes, Answer, Credits, Index, Layers, Method, Trace, Weights, SPAN_ONLY, THREE_LAYERS,
    THREE_LAYERS_FLOORED, TWO_LAYERS,
};
use openledger_types::formats::Manifest;
use openledger_types::merkle::{Hash, ZERO_HASH};

use super::Readout;
use crate::engine::{Error, Model, Result};

/// How the answers of one model version are attributed.
pub struct Attribution {
    method: Box<dyn Method>,
    /// What signs answers, with the schemes that have signatures.
    signer: Option<Builder>,
}

impl Attribution {
    /// By wording alone.
    pub fn spans(index: Index) -> Self {
        Attribution { method: Box::new(index), signer: None }
    }

    /// As the manifest says. `influence` is the file of the influence index, where the manifest names one.
    ///
    /// # Errors
    /// `E-MODEL-009` when the scheme is unknown or the file is not what the manifest commits.
    pub fn open(manifest: &Manifest, index: Index, influence: Option<&[u8]>) -> Result<Self> {
        let refuse = |what: String| {
            Error::new(
                "E-MODEL-009",
                format!("the attribution of this model cannot be computed: {what}"),
                "Do not serve this model; ask its developer for a version whose manifest is right.",
            )
        };
        match (manifest.attribution.as_str(), &manifest.influence, influence) {
            (SPAN_ONLY, None, _) => Ok(Self::spans(index)),
            (scheme @ (TWO_LAYERS | THREE_LAYERS_FLOORED | THREE_LAYERS), Some(params), Some(bytes)) => {
                let found = InfluenceIndex::parse(bytes).map_err(|e| refuse(e.to_string()))?;
                if params.index_root.as_slice() != found.root() || found.scheme() != READOUT {
                    return Err(refuse("the influence index has another root or scheme".into()));
                }
                let weights = Weights::of(params).map_err(|e| refuse(e.to_string()))?;
                let signer = Builder::of(&found);
                let layers = Layers::of_scheme(scheme, index, found, weights);
                let layers = layers.map_err(|e| refuse(e.to_string()))?;
                if params.chance_bps != layers.chance() {
                    return Err(refuse(format!(
                        "chance grounds {} basis points in its texts, not {}",
                        layers.chance(),
                        params.chance_bps
                    )));
                }
                Ok(Attribution { method: Box::new(layers), signer: Some(signer) })
            }
            (TWO_LAYERS | THREE_LAYERS_FLOORED | THREE_LAYERS, _, _) => {
                Err(refuse("the influence index is missing".into()))
            }
            (other, ..) => Err(refuse(format!("the scheme {other:?} is not known here"))),
        }
    }

    /// Name of the scheme, as the manifest states it.
    pub fn scheme(&self) -> &'static str {
        self.method.scheme()
    }

    /// The index over the texts.
    pub fn index(&self) -> &Index {
        self.method.index()
    }

    /// The influence index, where the scheme has one.
    pub fn influence(&self) -> Option<&InfluenceIndex> {
        self.method.influence()
    }

    /// Weights of the layers.
    pub fn weights(&self) -> Weights {
        self.method.weights()
    }

    /// The part of an answer's credit that rests on its own words, in the unit of the whole.
    pub fn by_words(&self, trace: &Trace) -> Credits {
        self.method.by_words(trace)
    }

    /// Scheme of signatures, as receipts state it.
    pub fn signature_scheme(&self) -> &'static str {
        if self.signer.is_some() {
            READOUT
        } else {
            "none"
        }
    }

    /// Root of a signature, as receipts state it.
    pub fn signature_root(&self, signature: &Signature) -> Hash {
        if self.signer.is_some() {
            signature.root(READOUT)
        } else {
            ZERO_HASH
        }
    }

    /// Signs an answer: one pass over prompt and answer. Empty where the scheme has no signatures.
    ///
    /// # Errors
    /// Those of the model.
    pub fn sign(&self, model: &Model, asked: &Asked<'_>) -> Result<Signature> {
        let Some(signer) = &self.signer else { return Ok(Signature::default()) };
        let bytes = |token: u32| model.tokenizer().bytes(token).len();
        signature(model, signer, asked, bytes)
    }

    /// What an answer rests on, from its signature. Integers only: whoever has the same texts and index
    /// finds the same to the last bit.
    /// The credit of `barred` contributions has no evidence.
    pub fn evidence(
        &self,
        asked: &Asked<'_>,
        signature: &Signature,
        seed: &Hash,
        barred: &BTreeSet<u64>,
    ) -> Trace {
        self.method.evidence(&Answer { prompt: asked.prompt, text: asked.answer, signature, seed, barred })
    }
}

/// A prompt and its answer, as texts and as tokens.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Prompt.
    pub prompt: &'a str,
    /// Tokens of the prompt.
    pub prompt_tokens: &'a [u32],
    /// Answer.
    pub answer: &'a str,
    /// Tokens of the answer.
    pub tokens: &'a [u32],
}

/// The signature of an answer. `bytes` says how many bytes of text a token stands for; 0 is a token that
/// marks an end, which is no label. Tokens whose text echoes the prompt are no labels either.
///
/// # Errors
/// Those of the model.
pub fn signature(
    model: &dyn Readout,
    signer: &Builder,
    asked: &Asked<'_>,
    bytes: impl Fn(u32) -> usize,
) -> Result<Signature> {
    if asked.tokens.is_empty() || asked.prompt_tokens.is_empty() {
        return Ok(Signature::default());
    }
    let masked = echoes(asked.prompt, asked.answer);
    let mut at = 0;
    let labels: Vec<Option<u32>> = asked
        .tokens
        .iter()
        .map(|token| {
            let range = at..at + bytes(*token);
            at = range.end;
            (!range.is_empty() && !overlaps(&masked, &range)).then_some(*token)
        })
        .collect();
    // The last token is chosen, never read.
    let mut input = asked.prompt_tokens.to_vec();
    input.extend(asked.tokens.iter().take(asked.tokens.len() - 1));
    let found = model.positions(&input, asked.prompt_tokens.len() - 1)?;
    Ok(signer.signature(&Passage { hidden: &found.hidden, logits: &found.logits, labels: &labels }))
}

/// Whether any of the ranges, ascending, overlaps this one.
fn overlaps(ranges: &[Range<usize>], range: &Range<usize>) -> bool {
    let next = ranges.partition_point(|masked| masked.end <= range.start);
    ranges.get(next).is_some_and(|masked| masked.start < range.end)
}

//! Documents become one stream of tokens, the stream becomes sequences in a fixed order.

use std::collections::{BTreeMap, BTreeSet};

use openledger_types::merkle::Hash;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use tokenizers::models::bpe::{BpeTrainer, BPE};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, TokenizerBuilder};

use super::recipe::Recipe;
use crate::engine::ops::NO_TARGET;
use crate::engine::{byte_alphabet, Error, Result, Tokenizer};

/// Text that separates documents, as a token.
pub const END_OF_TEXT: &str = "<|endoftext|>";

/// A document of a contribution.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a> {
    /// Contribution that it belongs to.
    pub contribution_id: u64,
    /// Datanet of the contribution.
    pub datanet_id: u64,
    /// Its content text.
    pub text: &'a str,
}

/// Hash over the documents in their order: ids, lengths and texts.
pub(crate) fn documents_hash(documents: &[Document]) -> Hash {
    let mut hasher = Sha256::new();
    for document in documents {
        hasher.update(document.contribution_id.to_be_bytes());
        hasher.update((document.text.len() as u64).to_be_bytes());
        hasher.update(document.text.as_bytes());
    }
    hasher.finalize().into()
}

/// Trains a byte-level BPE on at most `recipe.tokenizer_bytes` of text, taken evenly from all
/// documents, and returns `tokenizer.json`.
pub(crate) fn train_tokenizer(recipe: &Recipe, documents: &[Document]) -> Result<Vec<u8>> {
    let failed = |e: tokenizers::Error| {
        Error::new(
            "E-TRAIN-002",
            format!("the tokenizer cannot be trained: {e}"),
            "Check that the documents hold text.",
        )
    };
    let total: usize = documents.iter().map(|d| d.text.len()).sum();
    let share = recipe.tokenizer_bytes as f64 / total.max(1) as f64;
    let sample: Vec<&str> = documents
        .iter()
        .map(|d| {
            let mut end = d.text.len().min((d.text.len() as f64 * share).ceil() as usize);
            while !d.text.is_char_boundary(end) {
                end -= 1;
            }
            d.text.get(..end).unwrap_or("")
        })
        .collect();
    let mut trainer = BpeTrainer::builder()
        .vocab_size(recipe.vocab)
        .show_progress(false)
        .special_tokens(vec![AddedToken::from(END_OF_TEXT, true)])
        .initial_alphabet(byte_alphabet().into_iter().collect())
        .max_token_length(Some(32))
        .build();
    let mut tokenizer = TokenizerBuilder::new()
        .with_model(BPE::default())
        .with_normalizer(None::<tokenizers::NormalizerWrapper>)
        .with_pre_tokenizer(Some(ByteLevel::new(false, false, true)))
        .with_post_processor(None::<tokenizers::PostProcessorWrapper>)
        .with_decoder(Some(ByteLevel::new(false, false, true)))
        .build()
        .map_err(failed)?;
    tokenizer.train(&mut trainer, sample.into_iter()).map_err(failed)?;
    Ok(tokenizer.to_string(false).map_err(failed)?.into_bytes())
}

/// The id of [`END_OF_TEXT`]: the first special token is the first of the vocabulary.
pub(crate) const END_OF_TEXT_ID: u32 = 0;

/// All documents as one stream: each begins with the end-of-text token.
#[derive(Clone)]
pub(crate) struct Corpus {
    tokens: Vec<u32>,
    /// First token of each document.
    starts: Vec<usize>,
    contributions: Vec<u64>,
    context: usize,
    seed: u64,
    /// Order of the sequences of the pass that was asked for last.
    order: (u64, Vec<u32>),
}

impl Corpus {
    pub(crate) fn new(recipe: &Recipe, tokenizer: &Tokenizer, documents: &[Document]) -> Result<Self> {
        Self::separated(recipe, tokenizer, documents, END_OF_TEXT_ID)
    }

    /// The same with another token before each document.
    pub(crate) fn separated(
        recipe: &Recipe,
        tokenizer: &Tokenizer,
        documents: &[Document],
        separator: u32,
    ) -> Result<Self> {
        let encoded: Vec<Vec<u32>> =
            documents.par_iter().map(|d| tokenizer.encode(d.text)).collect::<Result<_>>()?;
        let mut tokens = Vec::with_capacity(encoded.iter().map(|e| e.len() + 1).sum::<usize>() + 1);
        let (mut starts, mut contributions) = (Vec::new(), Vec::new());
        for (document, ids) in documents.iter().zip(encoded) {
            starts.push(tokens.len());
            contributions.push(document.contribution_id);
            tokens.push(separator);
            tokens.extend(ids);
        }
        tokens.push(separator);
        let mut corpus = Corpus {
            tokens,
            starts,
            contributions,
            context: recipe.context,
            seed: recipe.seed,
            order: (u64::MAX, Vec::new()),
        };
        if corpus.per_pass() < recipe.batch {
            return Err(Error::new(
                "E-TRAIN-003",
                format!(
                    "{} tokens are too few for one step of {} sequences",
                    corpus.tokens.len(),
                    recipe.batch
                ),
                "Add documents, or make the batch or the context smaller.",
            ));
        }
        corpus.shuffle(0);
        Ok(corpus)
    }

    /// Tokens in all.
    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Sequences of one pass over the data. One context is left out, so that every pass can begin at
    /// another token.
    fn per_pass(&self) -> usize {
        (self.tokens.len() / self.context).saturating_sub(1)
    }

    /// First tokens and order of pass `pass`, drawn from ChaCha8 keyed by the seed, stream `pass`.
    fn shuffle(&mut self, pass: u64) {
        if self.order.0 == pass {
            return;
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(pass);
        let n = self.per_pass();
        let mut order: Vec<u32> = (0..n as u32).collect();
        for i in (1..n).rev() {
            order.swap(i, (rng.next_u64() % (i as u64 + 1)) as usize);
        }
        self.order = (pass, order);
    }

    /// First token of sequence `index` of the run.
    fn start(&mut self, index: u64) -> usize {
        let n = self.per_pass() as u64;
        let pass = index / n;
        self.shuffle(pass);
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ 0x0ff5_e700);
        rng.set_stream(pass);
        let offset = (rng.next_u64() % self.context as u64) as usize;
        let place = self.order.1.get((index % n) as usize).copied().unwrap_or(0);
        place as usize * self.context + offset
    }

    /// Leaves contributions out, and with them nothing but what they teach: every sequence stays where it is. Their
    /// tokens, and the end of text behind them, become [`NO_TARGET`], which is read as an end of text.
    pub(crate) fn leave_out(&mut self, contributions: &BTreeSet<u64>) {
        let last = self.tokens.len().saturating_sub(1);
        let ends = self.starts.iter().skip(1).copied().chain([last]);
        for ((start, end), contribution) in self.starts.iter().zip(ends).zip(&self.contributions) {
            if contributions.contains(contribution) {
                if let Some(own) = self.tokens.get_mut(start + 1..=end) {
                    own.fill(NO_TARGET);
                }
            }
        }
    }

    /// Inputs and targets of sequence `index`.
    pub(crate) fn sequence(&mut self, index: u64) -> (&[u32], &[u32]) {
        let start = self.start(index);
        let all = self.tokens.get(start..=start + self.context).unwrap_or(&[]);
        (all.get(..self.context).unwrap_or(&[]), all.get(1..).unwrap_or(&[]))
    }

    /// How many of the first `sequences` sequences held at least one token of each contribution that was
    /// seen at all: a short run may end before it has come to every document.
    pub(crate) fn uses(&mut self, sequences: u64) -> BTreeMap<u64, u64> {
        let mut uses: BTreeMap<u64, u64> = BTreeMap::new();
        let mut seen: Vec<u64> = Vec::new();
        for index in 0..sequences {
            let start = self.start(index);
            let first = self.starts.partition_point(|s| *s <= start).saturating_sub(1);
            let last = self.starts.partition_point(|s| *s <= start + self.context);
            seen.clear();
            seen.extend(self.contributions.get(first..last).unwrap_or(&[]));
            seen.sort_unstable();
            seen.dedup();
            for id in &seen {
                *uses.entry(*id).or_default() += 1;
            }
        }
        uses
    }
}

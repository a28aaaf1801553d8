//! Which tokens may follow in an answer that a schema binds: part of the sampler `gumbel-chacha8/4`.
//!
//! A token may follow when the answer so far with the token's bytes behind it begins a text of the schema,
//! and the token that ends a text when the answer is a whole one. Which texts those are is written in
//! docs/numerics.md, "Bound answers". Integers only: whoever replays finds the same masks.

mod state;

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::schema::Schema;
use state::{begin, step, State};

/// Masks kept for one answer: within a text or a list the same few come again and again.
const KEPT: usize = 32;

/// The tokens of a model in the order of their bytes.
#[derive(Debug)]
pub struct Vocabulary {
    size: usize,
    end: u32,
    /// Each with its bytes and how many of these it shares with the one before.
    tokens: Vec<(u32, Vec<u8>, usize)>,
    /// Where each token stands among them.
    places: HashMap<u32, usize>,
}

impl Vocabulary {
    /// The tokens below `size`, whose bytes `bytes` gives (none for control tokens); `end` ends a text.
    pub fn new<'a>(size: usize, end: u32, bytes: impl Fn(u32) -> &'a [u8]) -> Self {
        let mut ids: Vec<u32> = (0..size as u32).filter(|id| *id != end && !bytes(*id).is_empty()).collect();
        ids.sort_by_key(|id| bytes(*id));
        let (mut tokens, mut before): (Vec<_>, &[u8]) = (Vec::with_capacity(ids.len()), &[]);
        for id in ids {
            let own = bytes(id);
            let shared = before.iter().zip(own).take_while(|(a, b)| a == b).count();
            tokens.push((id, own.to_vec(), shared));
            before = own;
        }
        let places = tokens.iter().enumerate().map(|(at, (id, ..))| (*id, at)).collect();
        Vocabulary { size, end, tokens, places }
    }

    fn bytes(&self, token: u32) -> &[u8] {
        let place = self.places.get(&token).and_then(|at| self.tokens.get(*at));
        place.map_or(&[], |(_, bytes, _)| bytes)
    }
}

/// A set of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask(Vec<u64>);

impl Mask {
    /// No token of a vocabulary of `size`.
    pub fn none(size: usize) -> Self {
        Mask(vec![0; size.div_ceil(64)])
    }

    /// Lets `token` through.
    pub fn allow(&mut self, token: u32) {
        if let Some(word) = self.0.get_mut(token as usize / 64) {
            *word |= 1 << (token % 64);
        }
    }

    /// Whether `token` is let through.
    pub fn has(&self, token: u32) -> bool {
        self.0.get(token as usize / 64).is_some_and(|word| word >> (token % 64) & 1 == 1)
    }

    /// Whether no token is.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }
}

/// An answer bound by a schema, followed token by token.
pub struct Constraint {
    schema: Arc<Schema>,
    vocabulary: Arc<Vocabulary>,
    states: Vec<State>,
    masks: HashMap<Vec<State>, Arc<Mask>>,
}

impl Constraint {
    /// At the beginning of an answer.
    pub fn new(schema: Arc<Schema>, vocabulary: Arc<Vocabulary>) -> Self {
        let mut states = begin(&schema);
        for byte in schema.begun.bytes() {
            states = step(&schema, &states, byte);
        }
        Constraint { schema, vocabulary, states, masks: HashMap::new() }
    }

    /// The tokens that may follow.
    ///
    /// # Errors
    /// `E-GEN-009` when no token of the vocabulary goes on, which cannot be where each byte has a token.
    pub fn mask(&mut self) -> Result<Arc<Mask>> {
        if let Some(mask) = self.masks.get(&self.states) {
            return Ok(mask.clone());
        }
        let mask = self.allowed();
        if mask.is_empty() {
            return Err(Error::new(
                "E-GEN-009",
                "no token of this model goes on with an answer of this schema",
                "Ask without the schema, or a model whose vocabulary has every byte.",
            ));
        }
        let mask = Arc::new(mask);
        if self.masks.len() >= KEPT {
            self.masks.clear();
        }
        self.masks.insert(self.states.clone(), mask.clone());
        Ok(mask)
    }

    /// Goes on with `token`; false where it was not let through, and from then on.
    pub fn take(&mut self, token: u32) -> bool {
        if token == self.vocabulary.end {
            let whole = self.is_whole();
            self.states.clear();
            return whole;
        }
        let bytes = self.vocabulary.bytes(token);
        let mut states = if bytes.is_empty() { Vec::new() } else { std::mem::take(&mut self.states) };
        for byte in bytes {
            states = step(&self.schema, &states, *byte);
        }
        self.states = states;
        !self.states.is_empty()
    }

    /// Whether the answer so far is a whole text of the schema.
    pub fn is_whole(&self) -> bool {
        self.states.iter().any(State::is_end)
    }

    fn allowed(&self) -> Mask {
        let mut mask = Mask::none(self.vocabulary.size);
        if self.is_whole() {
            mask.allow(self.vocabulary.end);
        }
        // The states after each byte of the token before; no states from the first byte on that goes nowhere.
        let mut path: Vec<Vec<State>> = vec![self.states.clone()];
        for (id, bytes, shared) in &self.vocabulary.tokens {
            path.truncate(shared + 1);
            for byte in bytes.iter().skip(path.len() - 1) {
                let next = match path.last() {
                    Some(states) if !states.is_empty() => step(&self.schema, states, *byte),
                    _ => break,
                };
                path.push(next);
            }
            if path.len() == bytes.len() + 1 && path.last().is_some_and(|states| !states.is_empty()) {
                mask.allow(*id);
            }
        }
        mask
    }
}

/// Whether a text of the schema begins with these bytes.
pub(crate) fn may_begin(schema: &Schema, bytes: &[u8]) -> bool {
    let mut states = begin(schema);
    for byte in bytes {
        states = step(schema, &states, *byte);
    }
    !states.is_empty()
}

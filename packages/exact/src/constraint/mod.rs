//! Which tokens may follow in an answer that a schema binds: part of the sampler `gumbel-chacha8/4`.
//!
//! A token may follow when the answer so far with the token's bytes behind it begins a text of the schema,
//! and the token that ends a text when the answer is a whole one. Which texts those are is written in
//! docs/numerics.md, "Bound answers". Integers only: whoever replays finds the same masks.

mod state;
mod text;
mod vocabulary;

pub use vocabulary::{Mask, Vocabulary};

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::schema::Schema;
use state::{begin, step, State};

/// Masks kept for one answer: within a text or a list the same few come again and again.
const KEPT: usize = 32;

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

    /// The tokens that may follow. Within texts with bounds each mask is another, and costs little (`text`).
    ///
    /// # Errors
    /// `E-GEN-009` when no token of the vocabulary goes on, which cannot be where each byte has a token.
    pub fn mask(&mut self) -> Result<Arc<Mask>> {
        if let Some(mask) = self.masks.get(&self.states) {
            return Ok(mask.clone());
        }
        let counted = self.states.iter().any(State::is_counted);
        let mask = text::mask(&self.schema, &self.vocabulary, &self.states).unwrap_or_else(|| self.allowed());
        if mask.is_empty() {
            return Err(Error::new(
                "E-GEN-009",
                "no token of this model goes on with an answer of this schema",
                "Ask without the schema, or a model whose vocabulary has every byte.",
            ));
        }
        let mask = Arc::new(mask);
        if counted {
            return Ok(mask);
        }
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
        let next =
            |states: &Vec<State>, byte, _| Some(step(&self.schema, states, byte)).filter(|s| !s.is_empty());
        self.vocabulary.walk(self.states.clone(), next, |token, _, _| mask.allow(token));
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

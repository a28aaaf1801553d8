//! Where which value of a trace lies.
//!
//! A slot is one vector. For each position that is read: the embedding, then [`OPS`] slots for each layer.
//! From the last position of the prompt on also the hidden vector that the output head reads, the logits and
//! the token drawn. After all positions one slot for each window of 32 tokens of the answer.

use openledger_exact::config::ModelConfig;
use openledger_merkle::Hash;
use openledger_numerics::{BLOCK, TILE};
use openledger_types::formats::{Decoding, WINDOW};

use crate::tree::UNIT;
use crate::DisputeError;

/// What both sides say of an answer before they dispute how it was computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Tokens of the prompt, with the one that starts a text.
    pub prompt: Vec<u32>,
    /// Tokens of the answer, as its windows commit to them.
    pub answer: Vec<u32>,
    /// Digest of each window's hidden vectors, as the window commits to it.
    pub digests: Vec<Hash>,
    /// How tokens are chosen.
    pub decoding: Decoding,
    /// Repetition penalty in thousandths.
    pub repetition_milli: u32,
    /// Seed of the sampler (PROTOCOL S5).
    pub seed: Hash,
}

/// A vector of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Op {
    /// Norm before attention.
    Norm1,
    /// Queries before their norm and rotation.
    Query,
    /// Keys before their norm and rotation.
    Key,
    /// Values.
    Value,
    /// Queries as attention reads them.
    TurnedQuery,
    /// Keys as attention reads them.
    TurnedKey,
    /// For each head the scores of all positions, padded with 0 to whole tiles.
    Scores,
    /// The same after softmax, not yet divided by their sum.
    Weights,
    /// For each head that sum.
    Sums,
    /// For each tile the sums of weighted values up to its end, padded with 0 to whole units.
    Partial,
    /// What attention gives.
    Mixed,
    /// Its output projection.
    Output,
    /// The residual stream after it.
    Middle,
    /// Norm before the feed-forward block.
    Norm2,
    /// Gate.
    Gate,
    /// The gate's other half.
    Up,
    /// Their product after the activation.
    Gated,
    /// Back to the stream's width.
    Down,
    /// The residual stream after the layer.
    After,
}

/// The vectors of a layer in order.
pub const OPS: [Op; 19] = [
    Op::Norm1,
    Op::Query,
    Op::Key,
    Op::Value,
    Op::TurnedQuery,
    Op::TurnedKey,
    Op::Scores,
    Op::Weights,
    Op::Sums,
    Op::Partial,
    Op::Mixed,
    Op::Output,
    Op::Middle,
    Op::Norm2,
    Op::Gate,
    Op::Up,
    Op::Gated,
    Op::Down,
    Op::After,
];

/// What a slot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The embedding of the token at a position.
    Embedding,
    /// A vector of a layer.
    Layer(usize, Op),
    /// The vector that the output head reads.
    Hidden,
    /// The logits.
    Logits,
    /// The token drawn, as a number; -1 where a logit is not finite.
    Token,
    /// The digest of a window, byte by byte; the position is the window's number.
    Digest,
}

/// A tensor of the model in the tree of its weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorAt {
    /// Name.
    pub name: String,
    /// Leaf of its first row.
    pub first: u64,
    /// Rows; 1 for a vector.
    pub rows: usize,
    /// Values of a row.
    pub columns: usize,
    /// Whether it is kept in int8.
    pub quantized: bool,
}

/// The places of one answer's trace.
#[derive(Debug, Clone)]
pub struct Layout {
    pub(crate) config: ModelConfig,
    pub(crate) tensors: Vec<TensorAt>,
    pub(crate) prompt: usize,
    pub(crate) answer: usize,
    /// Leaves of the tree of weights.
    pub weight_rows: u64,
}

impl Layout {
    /// The places of an answer of `answer` tokens to a prompt of `prompt`, computed by a network of the shape
    /// `config`, which has been validated.
    ///
    /// # Errors
    /// When one of them is empty, or both are longer than the context.
    pub fn sized(config: &ModelConfig, prompt: usize, answer: usize) -> Result<Self, DisputeError> {
        let fits = prompt.checked_add(answer).is_some_and(|all| all <= config.max_position_embeddings);
        if prompt == 0 || answer == 0 || !fits {
            let what = "prompt or answer is empty, or together longer than the context";
            return Err(DisputeError::Statement(what));
        }
        let mut tensors = Vec::new();
        let mut first = 0;
        for (name, shape) in config.tensors() {
            let (rows, columns, quantized) = match shape[..] {
                [rows, columns] => (rows, columns, true),
                [columns] => (1, columns, false),
                _ => continue,
            };
            tensors.push(TensorAt { name, first, rows, columns, quantized });
            first += rows as u64;
        }
        Ok(Layout { config: config.clone(), tensors, prompt, answer, weight_rows: first })
    }

    /// The places of `statement`.
    ///
    /// # Errors
    /// When the statement does not fit the shape or itself.
    pub fn new(config: &ModelConfig, statement: &Statement) -> Result<Self, DisputeError> {
        let layout = Layout::sized(config, statement.prompt.len(), statement.answer.len())?;
        let refuse = |what| Err(DisputeError::Statement(what));
        if layout.answer > statement.decoding.max_tokens as usize {
            return refuse("the answer is longer than what was asked for");
        }
        let known = |ids: &[u32]| ids.iter().all(|id| (*id as usize) < config.vocab_size);
        if !known(&statement.prompt) || !known(&statement.answer) {
            return refuse("a token is outside the vocabulary");
        }
        if statement.digests.len() != layout.windows() {
            return refuse("there is not one digest a window");
        }
        crate::step::sampler(statement)?;
        Ok(layout)
    }

    /// Slots of a position before the first that is read for the answer.
    fn plain(&self) -> u64 {
        1 + (self.config.num_hidden_layers * OPS.len()) as u64
    }

    /// Positions before the first that is read for the answer.
    fn unread(&self) -> u64 {
        (self.prompt - 1) as u64
    }

    /// Slots of the trace.
    pub fn slots(&self) -> u64 {
        self.unread() * self.plain() + self.answer as u64 * (self.plain() + 3) + self.windows() as u64
    }

    /// Windows of the answer.
    pub fn windows(&self) -> usize {
        self.answer.div_ceil(WINDOW)
    }

    /// Position, or window, and content of a slot.
    ///
    /// # Errors
    /// When there is no such slot.
    pub fn place(&self, slot: u64) -> Result<(usize, Place), DisputeError> {
        let before = self.unread() * self.plain();
        let (position, within) = match slot.checked_sub(before) {
            None => (slot / self.plain(), slot % self.plain()),
            Some(rest) if rest / (self.plain() + 3) < self.answer as u64 => {
                (self.unread() + rest / (self.plain() + 3), rest % (self.plain() + 3))
            }
            Some(rest) => {
                let window = rest - self.answer as u64 * (self.plain() + 3);
                return match window < self.windows() as u64 {
                    true => Ok((window as usize, Place::Digest)),
                    false => Err(DisputeError::OutsideTrace),
                };
            }
        };
        let place = match (within, within.checked_sub(self.plain())) {
            (0, _) => Place::Embedding,
            (_, Some(0)) => Place::Hidden,
            (_, Some(1)) => Place::Logits,
            (_, Some(_)) => Place::Token,
            (_, None) => {
                let at = within as usize - 1;
                let op = OPS.get(at % OPS.len()).copied().ok_or(DisputeError::OutsideTrace)?;
                Place::Layer(at / OPS.len(), op)
            }
        };
        Ok((position as usize, place))
    }

    /// The slot of a content at a position, or window.
    pub fn slot(&self, position: usize, place: Place) -> u64 {
        let position = position as u64;
        let read = position.saturating_sub(self.unread());
        let start = (position - read) * self.plain() + read * (self.plain() + 3);
        match place {
            Place::Embedding => start,
            Place::Layer(layer, op) => start + 1 + (layer * OPS.len() + op as usize) as u64,
            Place::Hidden => start + self.plain(),
            Place::Logits => start + self.plain() + 1,
            Place::Token => start + self.plain() + 2,
            Place::Digest => self.slots() - self.windows() as u64 + position,
        }
    }

    /// The last position that is read.
    pub fn last(&self) -> usize {
        self.prompt + self.answer - 2
    }

    /// Tiles of keys that a position sees.
    pub(crate) fn tiles(&self, position: usize) -> usize {
        (position + 1).div_ceil(TILE)
    }

    /// Width of all heads' queries.
    pub(crate) fn queries(&self) -> usize {
        self.config.num_attention_heads * self.config.head_dim()
    }

    /// Width of all heads' keys.
    pub(crate) fn keys(&self) -> usize {
        self.config.kv_heads() * self.config.head_dim()
    }

    /// Units of one tile of [`Op::Partial`].
    pub(crate) fn partial_units(&self) -> usize {
        self.queries().div_ceil(UNIT)
    }

    /// Values of a slot.
    ///
    /// # Errors
    /// When there is no such slot.
    pub fn len(&self, slot: u64) -> Result<usize, DisputeError> {
        let (position, place) = self.place(slot)?;
        let config = &self.config;
        Ok(match place {
            Place::Embedding | Place::Hidden => config.hidden_size,
            Place::Logits => config.vocab_size,
            Place::Token => 1,
            Place::Digest => 32,
            Place::Layer(_, op) => match op {
                Op::Norm1 | Op::Norm2 | Op::Output | Op::Middle | Op::Down | Op::After => config.hidden_size,
                Op::Query | Op::TurnedQuery | Op::Mixed => self.queries(),
                Op::Key | Op::TurnedKey | Op::Value => self.keys(),
                Op::Scores | Op::Weights => config.num_attention_heads * self.tiles(position) * TILE,
                Op::Sums => config.num_attention_heads,
                Op::Partial => self.tiles(position) * self.partial_units() * UNIT,
                Op::Gate | Op::Up | Op::Gated => config.intermediate_size,
            },
        })
    }

    /// Units of a slot.
    ///
    /// # Errors
    /// When there is no such slot.
    pub fn units(&self, slot: u64) -> Result<u64, DisputeError> {
        Ok(self.len(slot)?.div_ceil(UNIT) as u64)
    }

    /// The most units that a slot of the trace has.
    pub fn most_units(&self) -> u64 {
        let last = self.last();
        let slots = [
            Place::Logits,
            Place::Layer(0, Op::Gate),
            Place::Layer(0, Op::Partial),
            Place::Layer(0, Op::Scores),
        ];
        let lengths = slots.map(|place| self.units(self.slot(last, place)).unwrap_or(1));
        lengths.into_iter().max().unwrap_or(1).max(self.config.hidden_size.div_ceil(UNIT) as u64)
    }

    /// Bytes, from above, of the longest message that a step needs: what it opens, the tokens and the digests, as
    /// JSON.
    pub fn most_bytes(&self) -> u64 {
        let config = &self.config;
        let (hidden, width) = (config.hidden_size, config.head_dim());
        let last = self.last();
        let depth = |leaves: u64| u64::from(u64::BITS - leaves.leading_zeros());
        // Values and path in base64, with names, numbers and what a packed path says of itself.
        let opened = |bytes: usize, hashes: u64| (bytes as u64 + 32 * hashes).div_ceil(3) * 4 + 200;
        let slot = |len: usize| opened(4 * len, depth(self.slots()));
        let unit = opened(4 * UNIT, depth(self.slots()) + depth(self.most_units()));
        let vector = |len: usize| opened(4 * len, depth(self.weight_rows));
        let row = |columns: usize| opened(columns.div_ceil(BLOCK) * (BLOCK + 4), depth(self.weight_rows));
        let product = |columns: usize| slot(columns) + UNIT as u64 * row(columns);
        let scores = config.num_attention_heads * self.tiles(last) * TILE;
        let steps = [
            slot(hidden.max(self.queries())) + vector(hidden.max(width)),
            product(hidden),
            product(self.queries()),
            product(config.intermediate_size),
            slot(self.queries()) + TILE as u64 * slot(self.keys()),
            slot(scores),
            TILE as u64 * slot(self.keys()) + (1 + UNIT as u64) * unit,
            slot(config.num_attention_heads) + unit,
            slot(config.vocab_size),
            WINDOW as u64 * slot(hidden),
        ];
        let tokens = (self.prompt + self.answer) as u64 * (u64::from(config.vocab_size.ilog10()) + 2);
        let digests = (self.windows() as u64 * 32).div_ceil(3) * 4;
        steps.into_iter().max().unwrap_or(0) + tokens + digests + 200
    }

    /// The token that is read at a position.
    pub(crate) fn input(&self, statement: &Statement, position: usize) -> Option<u32> {
        let next = position.checked_sub(self.prompt);
        next.map_or(statement.prompt.get(position), |i| statement.answer.get(i)).copied()
    }

    /// A tensor by its name.
    pub(crate) fn tensor(&self, name: &str) -> Option<usize> {
        self.tensors.binary_search_by(|tensor| tensor.name.as_str().cmp(name)).ok()
    }
}

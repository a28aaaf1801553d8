//! Attribution of answers, where models and texts meet: the influence index is made from a pass over a
//! model's documents, an answer is signed by a pass over itself, and both are computed again by whoever
//! checks them.
//!
//! Of an engine only [`Readout`] is asked. Everything from the signature on is `openledger-attribution`.

mod build;
mod sign;

pub use build::{build, check_documents, with_documents, Source, INFLUENCE_FILE};
pub use sign::{signature, Asked, Attribution};

use openledger_attribution::influence::Agreement;
use openledger_types::formats::NumericClass;

use crate::engine::{Model, Result};

/// What a model computes at the positions of a text.
pub struct Positions {
    /// Hidden vectors that the output layer reads, positions × width.
    pub hidden: Vec<f32>,
    /// Logits, positions × vocabulary.
    pub logits: Vec<f32>,
}

/// The only thing that attribution asks of an engine: one pass over a text that is known.
pub trait Readout: Sync {
    /// Numbers in a hidden vector.
    fn width(&self) -> usize;
    /// Tokens in the vocabulary.
    fn vocabulary(&self) -> usize;
    /// Most tokens of one pass.
    fn window(&self) -> usize;
    /// Tokens of a document, without any that mark its ends.
    ///
    /// # Errors
    /// When the tokenizer fails.
    fn document_tokens(&self, text: &str) -> Result<Vec<u32>>;
    /// The token that stands before a document.
    fn start_token(&self) -> u32;
    /// How closely another pass over the same text must agree.
    fn agreement(&self) -> Agreement;
    /// Vectors and logits at the positions from `from` on, after reading all of `tokens`.
    ///
    /// # Errors
    /// When the tokens do not fit the model.
    fn positions(&self, tokens: &[u32], from: usize) -> Result<Positions>;
}

impl Readout for Model {
    fn width(&self) -> usize {
        self.config().hidden_size
    }

    fn vocabulary(&self) -> usize {
        self.config().vocab_size
    }

    fn window(&self) -> usize {
        self.context()
    }

    fn document_tokens(&self, text: &str) -> Result<Vec<u32>> {
        self.encode(text)
    }

    fn start_token(&self) -> u32 {
        self.config().bos_token_id.unwrap_or(self.config().eos_token_id)
    }

    fn agreement(&self) -> Agreement {
        match self.manifest().numeric_class {
            NumericClass::Exact => Agreement::Equal,
            _ => Agreement::LastPlace,
        }
    }

    fn positions(&self, tokens: &[u32], from: usize) -> Result<Positions> {
        let mut found = Positions { hidden: Vec::new(), logits: Vec::new() };
        self.teacher_forced(tokens, from, &mut |position| {
            found.hidden.extend_from_slice(position.hidden);
            found.logits.extend_from_slice(position.logits);
        })?;
        Ok(found)
    }
}

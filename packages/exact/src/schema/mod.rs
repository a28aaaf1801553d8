//! JSON schemas that bind an answer (docs/numerics.md, "Bound answers"): read, held to what can be
//! enforced, and turned into shapes that [`crate::constraint`] follows byte by byte.
//!
//! Every keyword is either enforced, or says nothing about a value, or is refused by name: an answer that is
//! finished validates against the schema that was asked for. Masks may let through fewer texts than a
//! schema: members come in the order of `properties`, others than those listed are not written.

mod json;
mod read;

pub(crate) use json::quoted;
pub use json::Json;

use crate::constraint;
use crate::error::{Error, Result};

/// Most objects and arrays within one another, in an answer and in a schema.
pub const MAX_DEPTH: u16 = 64;
/// Most schemas within a schema, and most shapes that they may come to.
pub const MAX_SHAPES: usize = 4_096;
/// Most values of an enum, and most members of an object.
pub const MAX_LIST: usize = 1_024;
/// Most alternatives of one value, after alternatives of alternatives are counted in.
pub const MAX_ALTERNATIVES: usize = 32;
/// Most values of all enums and consts together: each byte of an answer is held against them.
pub const MAX_WORDS: usize = 1_024;
/// Most bytes that an answer may go on from.
pub const MAX_BEGUN: usize = 16 << 10;

/// A number of a shape in its schema.
pub(crate) type Id = u32;

/// What a value may be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    /// One of these texts, bytes as they are written.
    Words(Vec<Vec<u8>>),
    /// A text of `min` to `max` characters.
    Text { min: u32, max: u32 },
    /// A number; without fraction and exponent when `whole`.
    Number { whole: bool },
    /// An object with these members in this order.
    Object(Vec<Member>),
    /// An object with members of any names, all of one shape.
    Map(Id),
    /// An array of `min` to `max` items of one shape.
    List { items: Id, min: u32, max: u32 },
    /// One of these, none of which is itself such a choice once the schema is read.
    Any(Vec<Id>),
}

/// A member of an object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Member {
    /// The name as it is written, with its quotes.
    pub name: Vec<u8>,
    /// What its value may be.
    pub shape: Id,
    /// Whether it may not be left out.
    pub required: bool,
}

/// A schema that answers can be bound by.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    pub(crate) shapes: Vec<Shape>,
    /// For each shape the fewest objects and arrays within one another of any of its values.
    pub(crate) depths: Vec<u16>,
    pub(crate) root: Id,
    /// What of the answer is written already, by whoever asked.
    pub(crate) begun: String,
}

/// Code of a schema that is refused.
const CODE: &str = "E-GEN-008";

pub(crate) fn refuse(what: impl Into<String>) -> Error {
    Error::new(
        CODE,
        format!("the schema is refused: {}", what.into()),
        "docs/api.md lists what a schema may say.",
    )
}

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    /// `E-GEN-008` for one that is too large or too deep, that no finite value meets, or that uses a keyword
    /// which is not enforced.
    pub fn read(json: &Json) -> Result<Self> {
        read::read(json)
    }

    /// The schema of any object.
    pub fn any_object() -> Self {
        read::any_object()
    }

    /// The same for an answer that goes on after `begun`.
    ///
    /// # Errors
    /// `E-GEN-008` when no text that begins so meets the schema.
    pub fn after(mut self, begun: &str) -> Result<Self> {
        if begun.len() > MAX_BEGUN {
            return Err(refuse(format!("it goes on from more than {MAX_BEGUN} bytes")));
        }
        if !constraint::may_begin(&self, begun.as_bytes()) {
            return Err(refuse("what the answer goes on from does not meet it"));
        }
        self.begun = begun.into();
        Ok(self)
    }

    pub(crate) fn shape(&self, id: Id) -> Option<&Shape> {
        self.shapes.get(id as usize)
    }

    /// Whether a value of this shape fits where `depth` objects and arrays are open.
    pub(crate) fn fits(&self, id: Id, depth: u16) -> bool {
        self.depths.get(id as usize).is_some_and(|least| depth.saturating_add(*least) <= MAX_DEPTH)
    }
}

//! Layer B, readout influence: which documents pushed the model towards the tokens of an answer.
//!
//! At the output layer the derivative of a token's loss is the outer product of the hidden vector and
//! the prediction error. Whitened by the factors of its curvature (K-FAC of the readout; Martens and
//! Grosse, arXiv 1503.05671) and cut to [`RANK`] dimensions, a text's derivative is one short row for each
//! token that it writes: its [`Signature`]. The influence of a document on an answer is the sum of
//! products of the rows that both have.
//!
//! - `readout`, `whiten`: from hidden vectors and probabilities to rows. The only floating point; what
//!   comes out is checked within one unit of the last place ([`Signature::distance`]).
//! - [`Signature`]: an answer's rows, committed in the receipt.
//! - [`InfluenceIndex`]: the rows of a model's documents as postings by slot, committed in the manifest.
//! - `score`: the products, what is taken from them and who is credited. Integers only.
//!
//! What a slot is and how rows are made is the scheme's matter ([`RowMethod`]), so other methods of influence use
//! the same formats, products and shares: [`Ekfac`] of the last block and head, and [`Logra`], projected gradients
//! of the last block. Both need a backward pass, and their rows can be checked within the tolerance of
//! [`Agreement::LastPlace`] alone; the readout's are equal to the bit in the class `exact`.

mod codec;
mod ekfac;
mod index;
mod linear;
mod logra;
mod readout;
mod scale;
mod score;
mod signature;
mod whiten;

pub use ekfac::{Ekfac, Factors, EKFAC};
pub use index::{InfluenceIndex, Parameters, MAX_EXPONENT};
pub use linear::{LinearPass, Pass, RowMethod};
pub use logra::{Logra, LOGRA};
pub use openledger_types::formats::{Row, RANK};
pub use readout::{Builder, Passage, Raw, Statistics, SEGMENT};
pub use scale::Scale;
pub(crate) use score::noise_floor;
pub use score::Influence;
pub use signature::{Agreement, Distance, Signature};
pub use whiten::{top_eigenvectors, Symmetric};

/// Scheme of the readout's rows in a receipt: slots are tokens of the model's vocabulary.
pub const READOUT: &str = "rkf16-int8/1";

//! The whole computation of an answer, as a dispute before the arbiter is about it (PROTOCOL F2). Pure.

use openledger_dispute::layout::{Layout, Statement};
use openledger_dispute::trace::{Rows, Trace};
use openledger_types::api::AnswerBundle;
use openledger_types::merkle::Hash;

use crate::engine::Model;
use crate::fault::{Class, Fault, Result};
use crate::request::{parse, Endpoint};

/// Code of the refusal of an answer that no dispute can be about.
pub const NO_DISPUTE: &str = "E-DISPUTE-001";

/// Bytes of a digest in the trace of the class exact.
const DIGEST: usize = 32;

/// Every value of an answer's computation, and the weights that it was computed with.
pub struct Computation {
    /// The values.
    pub trace: Trace,
    /// The weights, row by row.
    pub rows: Rows,
}

impl Computation {
    /// Computes the answer of `bundle` again with the weights of `model`, for the tokens and digests that its
    /// receipt commits to. It takes the time of reading prompt and answer one token at a time on one core, and the
    /// memory of all values.
    ///
    /// # Errors
    /// `E-DISPUTE-001` for an answer that no dispute can be about.
    pub fn new(model: &Model, bundle: &AnswerBundle) -> Result<Self> {
        let receipt = &bundle.receipt.receipt;
        let weights = model.exact_weights().ok_or_else(|| refuse("the model is not of the class exact"))?;
        if model.adapter_root().is_some() {
            return Err(refuse("the model has an adapter, whose products the arbiter does not recompute"));
        }
        let mut asked = parse(Endpoint::of(&bundle.endpoint)?, &bundle.body)?;
        if asked.schema.is_some() {
            return Err(refuse("a schema bound its tokens, of which the arbiter knows nothing"));
        }
        let prompt = model.read(&mut asked)?;
        let digests = bundle.trace.chunks(DIGEST).map(Hash::try_from).collect::<std::result::Result<_, _>>();
        let statement = Statement {
            prompt,
            answer: bundle.tokens.clone(),
            digests: digests.map_err(|_| refuse("the trace does not divide into digests"))?,
            decoding: receipt.decoding,
            repetition_milli: asked.repetition_milli,
            seed: Hash::try_from(receipt.seed.as_slice()).map_err(|_| refuse("its seed has not 32 bytes"))?,
        };
        let layout = Layout::new(model.config(), &statement).map_err(refuse)?;
        let rows = Rows::new(weights);
        let trace = Trace::new(layout, statement, &rows).map_err(refuse)?;
        Ok(Computation { trace, rows })
    }

    /// Whether tokens and digests of the receipt are those that follow from the weights.
    pub fn holds(&self) -> bool {
        self.trace.is_true()
    }
}

/// Whether a schema bound the tokens of an answer. The arbiter draws without: whoever is taken there over such an
/// answer contests, and the auditors vote.
pub fn is_bound(bundle: &AnswerBundle) -> bool {
    let asked = Endpoint::of(&bundle.endpoint).and_then(|endpoint| parse(endpoint, &bundle.body));
    asked.is_ok_and(|asked| asked.schema.is_some())
}

fn refuse(what: impl std::fmt::Display) -> Fault {
    Fault::new(
        Class::Invalid,
        NO_DISPUTE,
        format!("no dispute can be about this answer: {what}"),
        "Leave the case to the auditors' votes.",
    )
}

//! Auditing: whether the roots of other nodes are right and their blobs are there (PROTOCOL L6, F1),
//! and answering those who doubt one's own.
//!
//! - [`check`]: recomputes an epoch from its documents; pure.
//! - [`Auditor`]: the loop of a node with the role `audit`: fetch, check, compute again what its secret
//!   seed draws, keep a copy, attest; demand what is withheld.
//! - [`Responder`]: the loop of a serving node: shows on chain what is demanded of it.
//! - [`Challenger`]: the loop of an auditor that opens cases about answers that it computed differently, and leads
//!   the accused to the value that is wrong.
//! - [`Juror`]: the loop of an auditor that votes in the cases of others.
//! - [`Defender`]: the loop of a serving node: makes its moves in disputes about its answers.
//! - [`RefereeView`]: the contracts as both see them, behind a trait so that they run in tests without
//!   a chain.

mod cases;
mod challenge;
mod check;
mod defend;
mod juror;
mod prove;
mod respond;
mod root;
mod round;
mod sample;
mod view;

pub use challenge::{case_bond, held, Challenger};
pub use check::{check, Books, Finding};
pub use defend::{ArbiterView, Defender};
pub use juror::Juror;
pub use respond::Responder;
pub use round::{AuditSettings, Auditor};
pub use sample::rate_bps;
pub use view::RefereeView;

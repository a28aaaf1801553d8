//! Cleans documents on their contributor's own machine, before any other machine sees a byte
//! (PROTOCOL D1): [`clean`] turns raw bytes into *content text* (stored and trained on) and *match
//! text* (compared only, D2) with their roots, or into a [`Refusal`] that says what to do; [`Run`]
//! does so for many documents, drops exact duplicates and writes the [`Report`] that is read before
//! signing.
//!
//! Pure: no files, no network, no clock, no threads, so that the same code runs in a web page. The
//! same bytes and options give the same result on every machine; the Unicode versions that this
//! rests on are [`NORMALIZATION_VERSION`], [`WORD_BREAK_VERSION`] and the tables in this crate.

mod align;
mod case_table;
mod clean;
mod confusables;
mod decode;
mod dedup;
mod entities;
mod html;
mod language;
mod match_text;
mod media;
mod personal;
mod quality;
mod refusal;
mod report;
mod secrets;
mod words;

pub use align::{align, Alignment};
pub use clean::{clean, match_hash, Cleaned, Options, MAX_DOCUMENT_BYTES, MAX_MATCH_BYTES};
pub use dedup::{Deduplicator, Seen};
pub use match_text::match_text;
pub use media::Media;
pub use personal::PersonalData;
pub use quality::{Quality, QualityNote};
pub use refusal::Refusal;
pub use report::{DocumentReport, DuplicateOf, RefusedReport, Report, Run, Totals};
pub use secrets::{find_secret, Secret, SecretKind};
pub use words::{match_words, NORMALIZATION_VERSION, WORD_BREAK_VERSION};

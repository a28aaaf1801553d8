//! Tests of ingest, a module for each subject.

mod cleaning;
mod labelled;
mod matching;
mod reporting;
mod secrets;

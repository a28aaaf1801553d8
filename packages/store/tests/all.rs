//! Tests of the store, a module for each subject.

mod fragments;
mod sealing;
mod storing;

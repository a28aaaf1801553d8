//! Tests of the store, a module for each subject.

mod sealing;
mod storing;

//! Tests of the store, a module for each subject.

mod bucket;
mod fragments;
mod keyring;
mod s3;
mod sealing;
mod stores;
mod storing;

//! Messages, one file a topic.

pub mod admin;
pub mod arbitrate;
pub mod attest;
pub mod case;
pub mod demand;
pub mod fault;
pub mod money;
pub mod seed;
pub mod verdict;
pub mod vote;

//! Models: who made them, which sealed data they rest on, what an answer costs and how the fee is
//! divided (PROTOCOL D5, S3).
//!
//! A version never changes once registered; sessions pin what they need from it. The contract holds
//! no coins and refuses any that are sent with a message.

pub mod contract;
pub mod error;
pub mod execute;
pub mod query;
pub mod state;

pub use error::ContractError;

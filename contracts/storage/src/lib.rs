//! The storage contract: datanets' encrypted blobs are kept by many nodes, which prove it and are paid
//! for it from the datanets' deposits, never by inflation (PROTOCOL I3).
//!
//! What is kept, by whom and at what price stands here; the bytes never do. Money has three rules, each
//! in one file: a deposit pays per block for what is kept as long as it lasts (`accounts`), a node has
//! earned the blocks that its proofs cover (`storers`), and a fragment is paid the lesser of both
//! (`settle`). docs/storage.md tells the whole story.

mod accounts;
pub mod contract;
mod error;
mod execute;
mod fenwick;
mod peers;
mod query;
mod samples;
mod settle;
pub mod state;

pub use error::ContractError;

openledger_contract::entry_points!(
    contract,
    openledger_types::msg::storage::ExecuteMsg,
    openledger_types::msg::storage::QueryMsg,
    crate::ContractError
);

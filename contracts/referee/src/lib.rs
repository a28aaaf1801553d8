//! The referee: who checks, what is found, who decides (PROTOCOL F1-F4, L6).

pub mod contract;
pub mod error;
pub mod state;

pub use error::ContractError;

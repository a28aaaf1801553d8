//! The arbiter (PROTOCOL F2): either side of a case about an answer of the exact class may have it decided by
//! arithmetic. The dispute is narrowed to one unit of the answer's computation, which the contract computes
//! again; `openledger_dispute` has the game and the arithmetic, docs/adr/0023 why it is sound.
//!
//! It holds no coins: the bonds are the case's, in the referee, and the node's, in the node registry. There is
//! no pause: challenging never stops (A1).

pub mod contract;
pub mod error;
pub mod execute;
pub mod query;
pub mod state;

pub use error::ContractError;

openledger_contract::entry_points!(
    contract,
    openledger_types::msg::arbiter::ExecuteMsg,
    openledger_types::msg::arbiter::QueryMsg,
    crate::ContractError
);

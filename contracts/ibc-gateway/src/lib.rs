//! The IBC gateway: the way of earnings to accounts of other chains, and of coins from there into
//! sessions.
//!
//! It holds only what it drew from the escrow for a payout, what came back, and what was paid in. An
//! account opts in by a preference that it sets itself; anyone may then flush its earnings to the address
//! that it named. A payer of another chain is an account, too: one without a key, whose address follows
//! from channel and refund address, and whose preference is fixed to them. So what a pay-in leaves unused
//! goes back by the same machine that pays contributors.
//!
//! Coins on the way are with the chain's transfer module, not here: the gateway's balance covers *accrued*
//! and *bounties*; *in flight* and *unresolved* are counted beside it. INVARIANTS.md has the formulas.
//!
//! The callbacks never fail: the chain would keep the coins' movement and drop the bookkeeping.

mod account;
pub mod contract;
mod error;
mod escrow;
mod execute;
mod ibc_destination;
mod ibc_source;
mod money;
mod payout;
mod proto;
mod query;
mod reply;
pub mod state;

pub use error::ContractError;

openledger_contract::entry_points!(
    contract,
    openledger_types::msg::gateway::ExecuteMsg,
    openledger_types::msg::gateway::QueryMsg,
    crate::ContractError
);

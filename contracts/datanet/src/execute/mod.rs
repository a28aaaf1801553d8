//! Messages, one file a topic.

pub mod admin;
pub mod bonds;
pub mod commit;
pub mod create;
pub mod expire;
pub mod keys;
pub mod reveal;
pub mod seal;

use cosmwasm_std::Env;
use openledger_types::formats::Priority;

/// The place of the transaction that is being carried out in the chain-wide order (D2).
pub(crate) fn priority_now(env: &Env) -> Priority {
    Priority {
        height: env.block.height,
        tx_index: env.transaction.as_ref().map_or(0, |transaction| transaction.index),
    }
}

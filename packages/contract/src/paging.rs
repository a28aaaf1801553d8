//! Bounds of list queries (convention C8).

use openledger_types::msg::common::{DEFAULT_LIMIT, MAX_LIMIT};

/// Entries to return: what was asked, 10 by default, at most 30.
pub fn limit(asked: Option<u32>) -> usize {
    capped(asked, MAX_LIMIT)
}

/// Entries to return under another ceiling.
pub fn capped(asked: Option<u32>, ceiling: u32) -> usize {
    asked.unwrap_or(DEFAULT_LIMIT).min(ceiling) as usize
}

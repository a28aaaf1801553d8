//! What the tests share: a referee among stand-ins for the contracts that it asks and tells.

mod peers;
mod suite;

pub use suite::*;

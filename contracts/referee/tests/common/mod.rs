//! What the tests share: a referee among stand-ins for the contracts that it asks and tells.

mod peers;
mod roots;
mod suite;

pub use roots::*;
pub use suite::*;

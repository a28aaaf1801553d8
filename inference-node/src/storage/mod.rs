//! The storage role: a node keeps fragments of datanets' encrypted blobs, proves them, is paid for them,
//! and makes anew what other holders lost (PROTOCOL I3, docs/storage.md).
//!
//! - [`assign`]: who should keep what; pure.
//! - `fetch`: the bytes of a fragment, from whoever has them, checked before they are kept.
//! - [`Keeper`]: the loop.
//! - [`StorageView`]: the chain behind a trait.

pub mod assign;
mod fetch;
mod keeper;
mod view;

pub use fetch::fragment_of;
pub use keeper::{KeepSettings, Keeper};
pub use view::StorageView;

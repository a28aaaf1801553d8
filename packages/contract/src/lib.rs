//! What every contract of OpenLedger needs and none should write twice.

mod error;
pub mod migration;
pub mod ownership;
pub mod paging;
pub mod pause;
pub mod payment;

pub use error::CommonError;

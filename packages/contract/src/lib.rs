//! What every contract of OpenLedger needs and none should write twice.

mod error;
pub mod invariants;
pub mod lean;
pub mod lists;
pub mod migration;
pub mod ownership;
pub mod packs;
pub mod paging;
pub mod params;
pub mod pause;
pub mod payment;
pub mod text;
pub mod validator;

pub use error::CommonError;

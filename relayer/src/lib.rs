//! The OpenLedger relayer as a library.
//!
//! Data flows one way: [`packet`] reads events and knows no network, clock or file; [`scan`] fetches
//! blocks in order and hands their packets on; [`cursor`] remembers how far that went; [`health`]
//! looks at an endpoint; [`config`] says which chains there are.

pub mod config;
pub mod cursor;
pub mod error;
pub mod health;
pub mod packet;
pub mod scan;

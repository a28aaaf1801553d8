//! The OpenLedger relayer as a library.
//!
//! Data flows one way: [`packet`] reads events and [`core`] decides what is due, both without network,
//! clock or file; [`chain`] asks and tells the chains; [`link`] opens a path, [`relay`] serves it.
//! [`scan`] fetches blocks in order, [`cursor`] and [`store`] remember on disk; [`health`] looks at an
//! endpoint; [`keeper`] serves the contract that pays contributors; [`config`] says which chains there are.

pub mod chain;
pub mod config;
pub mod core;
pub mod cursor;
pub mod error;
pub mod health;
pub mod keeper;
pub mod keys;
pub mod link;
pub mod packet;
pub mod relay;
pub mod rest;
pub mod scan;
pub mod store;
pub mod submit;
pub mod telemetry;

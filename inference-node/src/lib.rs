//! The inference node of OpenLedger as a library: models, training, serving, receipts, settlement.

pub mod engine;
pub mod train;

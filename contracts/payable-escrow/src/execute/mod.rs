//! Handlers, by what they are about.

pub mod abandoned;
pub mod admin;
pub mod cases;
pub mod claim;
pub mod commons;
pub mod epoch;
pub mod finality;
pub mod gateway;
pub mod root;
pub mod session;
pub mod unsettled;
pub mod uses;
pub mod withdraw;

//! The command line of OpenLedger as a library: one function a command, typed in and out. The binary
//! only parses and prints.

pub mod ask;
pub mod audit_attribution;
pub mod check;
pub mod choose;
pub mod context;
pub mod contribute;
pub mod data_rights;
pub mod datanet;
pub mod demo;
pub mod deploy;
pub mod dispute;
pub mod earnings;
pub mod error;
pub mod estimate;
pub mod events;
pub mod explain;
pub mod gateway;
pub mod html;
pub mod keys;
pub mod model;
pub mod model_files;
pub mod network;
pub mod node;
pub mod node_http;
pub mod payer;
pub mod payout;
pub mod progress;
pub mod readers;
pub mod session;
pub mod show;
pub mod storage;
mod table;
pub mod training_pay;
pub mod usage;
pub mod verify;

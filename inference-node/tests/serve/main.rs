//! The server against a chain in memory that checks settlements by the escrow's rules.

mod adapters;
mod answers;
mod audit;
mod blobs;
mod disk;
mod disputes;
mod openapi;
mod payment;
mod restart;
mod settlement;
mod support;
mod upgrade;
mod watching;

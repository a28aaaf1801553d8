//! State of earlier releases, converted step by step. What only gained fields is read with their
//! defaults and needs no step.

pub mod v0_1_0;

//! One-step proofs: an honest node is never convicted, a cheat always.

mod guilty;
mod innocent;
mod packed;
mod receipts;
mod shapes;
mod story;

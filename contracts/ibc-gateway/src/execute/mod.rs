//! Handlers, by what they are about.

pub mod admin;
pub mod close;
pub mod flush;
pub mod preference;
pub mod unresolved;
pub mod withdraw;

//! The protocol's rules that one message alone does not show.

mod attacks;
mod ledgers;
mod logs;
mod state;
mod vouchers;

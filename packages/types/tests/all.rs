//! Frozen vectors of every hashed or signed format, the money maths under random input, and one-step
//! proofs of faults; what sources must not contain.

mod faults;
mod money;
mod packed;
mod sources;
mod vectors;

//! Frozen vectors of every hashed or signed format, the money maths under random input, and one-step
//! proofs of faults.

mod faults;
mod money;
mod packed;
mod vectors;

//! Frozen vectors of every hashed or signed format, and the money maths under random input.

mod money;
mod vectors;

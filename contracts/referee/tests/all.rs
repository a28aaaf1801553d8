//! Tests of the referee.

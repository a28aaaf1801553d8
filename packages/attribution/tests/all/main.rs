//! Tests of the span trace through its public interface.

mod attacks;
mod evidence;
mod hostile;
mod layer_attacks;
mod layers;
mod oracle;
mod properties;
mod support;

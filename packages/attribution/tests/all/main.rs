//! Tests of the span trace through its public interface.

mod attacks;
mod evidence;
mod hostile;
mod layers;
mod oracle;
mod properties;
mod support;

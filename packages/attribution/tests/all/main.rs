//! Tests of the span trace through its public interface.

mod attacks;
mod evidence;
mod hostile;
mod oracle;
mod properties;
mod support;

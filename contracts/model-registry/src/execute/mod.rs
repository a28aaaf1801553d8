//! Messages, one file a topic.

pub mod admin;
pub mod model;
pub mod version;

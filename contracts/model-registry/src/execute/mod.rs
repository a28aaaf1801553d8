//! Messages, one file a topic.

pub mod admin;
pub mod lineage;
pub mod model;
pub mod notice;
pub mod training;
pub mod version;

//! What integration tests share.

pub mod exporter;

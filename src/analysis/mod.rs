//! PURE. Frames to meaning: intervals between two readings, and what was highest lately.
//!
//! Imports `sample` and `topology`.

pub mod flags;
pub mod forecast;
pub mod interval;
pub mod migrations;
pub mod peaks;
pub mod rules;
pub mod verdicts;

//! PURE. Frames to meaning: intervals between two readings, what was highest lately, and what pages draw of it.
//!
//! Imports `sample` and `topology`.

pub mod flags;
pub mod forecast;
pub mod interval;
pub mod migrations;
pub mod peaks;
pub mod rules;
pub mod strips;
pub mod verdicts;

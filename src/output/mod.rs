//! PURE. Meaning becomes text: the exposition and its sinks, what a client asked for, and the page.
//!
//! Imports `sample`, `source` (for the names of metrics) and `analysis`.

pub mod api;
pub mod evacuation;
pub mod explain;
pub mod exposition;
pub mod flags;
pub mod forecast;
pub mod gzip;
mod line;
pub mod migrations;
pub mod negotiation;
pub mod outlook;
pub mod page;
pub mod recorded;
pub mod sink;
pub mod units;
pub mod verdicts;

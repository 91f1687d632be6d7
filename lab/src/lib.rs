//! Real live migrations on one machine, with known faults, beside which miglink is judged: `cargo xtask lab`.
//!
//! A scenario file says what moves and how (`scenario`). The lab builds two hosts out of namespaces (`world`, `host`),
//! starts hypervisors with a tiny guest (`guest`, `pair`), starts miglink on both (`exporter`), lets faults happen
//! (`faults`), and compares what QEMU's own events say (`truth`) with what miglink says (`check`). What it makes is
//! written down first and removed at the end, or by the next run (`made`).

pub mod accuracy;
pub mod causes;
pub mod check;
pub mod cli;
pub mod clock;
pub mod demo;
pub mod exporter;
pub mod exposition;
pub mod faults;
pub mod forecast;
pub mod guest;
pub mod host;
pub mod made;
pub mod monitor;
pub mod names;
pub mod pair;
pub mod proxy;
pub mod report;
pub mod run;
pub mod said;
pub mod scenario;
pub mod setting;
pub mod shell;
pub mod stop;
pub mod traffic;
pub mod truth;
pub mod units;
pub mod world;

/// Begins the message of what cannot be done on this machine.
pub const SKIPPED: &str = "SKIPPED:";

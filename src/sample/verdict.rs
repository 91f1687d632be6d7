//! What limited one migration, phase by phase, in words that travel with the frame: pages and JSON tell them.

use super::subject::Key;

/// One cause's part of a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The cause's name, as in the metrics.
    pub cause: &'static str,
    /// How long it limited the migration.
    pub seconds: f64,
    /// That as a share of the time, 0 to 1.
    pub share: f64,
    /// The numbers that prove it, as of the last time that it did.
    pub evidence: String,
}

/// One phase.
#[derive(Debug, Clone, PartialEq)]
pub struct PhaseVerdict {
    /// The phase's name, as in the metrics.
    pub phase: &'static str,
    /// The causes that took any of it, the largest part first.
    pub parts: Vec<Part>,
}

/// One migration.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Which, as in the tables of migrations.
    pub migration: Key,
    /// What leads now; `None` once it has ended.
    pub now: Option<Part>,
    /// The phases that were judged, in their order.
    pub phases: Vec<PhaseVerdict>,
}

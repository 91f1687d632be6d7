//! One run's results, as they are written.

use super::case::Case;
use super::measured::Measured;
use super::predict::Prediction;
use super::said::Said;
use serde::Serialize;

/// A run.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// The kind and the number, as `--rerun` takes it.
    pub id: String,
    /// The seed.
    pub seed: u64,
    /// What was drawn.
    pub summary: String,
    /// Whether miglink was told of the guest.
    pub has_profile: bool,
    /// Why there is no result.
    pub error: Option<String>,
    /// What was there and what happened.
    pub measured: Option<Measured>,
    /// What miglink said before, told the guest's pace as it was then.
    pub before: Option<Prediction>,
    /// What it said, told the pace that the guest had while it moved.
    pub informed: Option<Prediction>,
    /// Why it said nothing before.
    pub unpredicted: Option<String>,
    /// What it said meanwhile.
    pub said: Vec<Said>,
}

impl Run {
    /// Of a case that has not run yet.
    pub fn of(case: &Case) -> Self {
        Self {
            id: case.id(),
            seed: case.seed,
            summary: case.plan.summary(),
            has_profile: case.has_profile(),
            error: None,
            measured: None,
            before: None,
            informed: None,
            unpredicted: None,
            said: Vec::new(),
        }
    }
}

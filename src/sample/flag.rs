//! What was found of links that no migration runs over now: which would slow one down, by what factor, and what mends it.

use super::subject::Key;
use std::sync::Arc;

/// What one cause is on one link.
#[derive(Debug, Clone, PartialEq)]
pub enum Flagged {
    /// A migration over this link is slower than it would be.
    Slows {
        /// By what factor, at least 1: the time that it takes, over the time that it would take.
        ratio: f64,
        /// The numbers.
        evidence: String,
        /// Commands for this very link that mend it; empty where no command of this host can.
        mend: Vec<String>,
    },
    /// It is not; with the numbers.
    Fine(String),
    /// Nobody can tell; what is missing.
    Unknown(&'static str),
}

/// One cause on one link.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Which link.
    pub key: Key,
    /// Its name.
    pub device: String,
    /// The cause's name in metrics.
    pub cause: &'static str,
    /// What it is there.
    pub result: Flagged,
}

impl Finding {
    /// By what factor it slows a migration; `None` if it does not.
    pub fn ratio(&self) -> Option<f64> {
        match &self.result {
            Flagged::Slows { ratio, .. } => Some(*ratio),
            Flagged::Fine(_) | Flagged::Unknown(_) => None,
        }
    }
}

/// All that was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Findings {
    /// The links that were judged.
    pub judged: Arc<[Key]>,
    /// What slows migrations, worst first; what is fine or unknown only where it was asked for.
    pub list: Vec<Finding>,
}

//! What a scenario expects miglink to find.

use crate::units::Span;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// All of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// How the migration ends.
    pub result: Outcome,
    /// What limits the copy of memory, from when to when.
    #[serde(default)]
    pub memory_copy: Vec<Stretch>,
    /// What limits the pause.
    pub state_transfer: Option<Causes>,
    /// Of these links of the source, what would slow the next migration's copy once this one is over: all of it.
    #[serde(default)]
    pub flags: BTreeMap<String, BTreeSet<String>>,
}

/// How a migration ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The guest runs at the destination.
    Completed,
    /// It was called off.
    Cancelled,
    /// It broke off.
    Failed,
}

impl Outcome {
    /// QEMU's word, which is also the label's value.
    pub fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

/// What limits during a stretch of time.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stretch {
    /// Its beginning; the migration's if left out.
    pub from: Option<Span>,
    /// Its end; the phase's if left out.
    pub until: Option<Span>,
    /// Any of these is right.
    pub causes: Vec<String>,
}

/// Causes, any of which is right.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Causes {
    /// Their names.
    pub causes: Vec<String>,
}

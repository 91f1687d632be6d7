//! One source as the agent keeps it: itself, its plan, and its last reading.

use super::schedule::Plan;
use crate::sample::block::Block;
use crate::sample::continuity::Continuity;
use crate::sample::frame::{Outcome, SourceReport};
use crate::sample::monotonic::Monotonic;
use crate::source::contract::{Fact, Reading, Source, SourceError, SourceInfo};
use std::sync::Arc;
use std::time::Duration;

/// One source and what is remembered of it.
pub struct Slot {
    /// Its description.
    pub info: &'static SourceInfo,
    /// Itself, while nobody reads it.
    pub source: Option<Box<dyn Source>>,
    /// When it is due.
    pub plan: Plan,
    /// When it was sent to be read; `None` while it is here.
    pub away_since: Option<Monotonic>,
    /// How it did.
    pub report: SourceReport,
    /// The last reading. Kept for the next one to go on from, even while it must not be shown.
    pub(super) blocks: Vec<Arc<Block>>,
    /// When its blocks were last known to hold.
    pub(super) confirmed: Monotonic,
    /// Whether they may be shown.
    pub(super) shown: bool,
    continuity: Vec<Continuity>,
    /// What it knows for the descriptions of links.
    pub(super) facts: Vec<Fact>,
    /// Counts up when its facts change.
    pub(super) facts_generation: u64,
}

impl Slot {
    /// A source that was not opened yet.
    pub fn new(info: &'static SourceInfo) -> Self {
        let report = SourceReport { source: info.name, outcome: Outcome::Pending, took: Duration::ZERO };
        let plan = Plan::new(info.pace);
        Self {
            info,
            source: None,
            plan,
            away_since: None,
            report,
            blocks: Vec::new(),
            confirmed: Monotonic::default(),
            shown: false,
            continuity: Vec::new(),
            facts: Vec::new(),
            facts_generation: 0,
        }
    }

    fn set_facts(&mut self, facts: Vec<Fact>) {
        if self.facts != facts {
            self.facts = facts;
            self.facts_generation += 1;
        }
    }

    /// Its values must not be shown until it answers again.
    pub fn hide(&mut self, outcome: Outcome) {
        self.shown = false;
        self.report.outcome = outcome;
    }

    /// Takes in a reading; its counters go on from the reading before.
    pub(super) fn take(&mut self, reading: Reading) {
        self.report.outcome =
            if reading.problems.is_empty() { Outcome::Read } else { Outcome::Partly(reading.problems) };
        self.shown = true;
        if reading.unchanged {
            return;
        }
        self.set_facts(reading.facts);
        self.continuity.resize_with(reading.blocks.len(), Continuity::default);
        let mut before = std::mem::take(&mut self.blocks).into_iter();
        for (mut block, continuity) in reading.blocks.into_iter().zip(&mut self.continuity) {
            continuity.carry_on(before.next().as_deref(), &mut block);
            self.blocks.push(Arc::new(block));
        }
    }

    /// It failed: says so instead of its values.
    pub(super) fn fail(&mut self, error: &SourceError) {
        self.set_facts(Vec::new());
        self.hide(match error {
            SourceError::Absent(reason) => Outcome::Absent(reason.clone()),
            other => Outcome::Failed(other.to_string()),
        });
    }
}

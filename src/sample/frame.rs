//! One tick: when it was, and the newest block of every source.

use super::block::Block;
use super::flag::Findings;
use super::footing::Footing;
use super::link::Links;
use super::monotonic::Monotonic;
use super::outlook::Outlook;
use super::strip::Strips;
use super::verdict::Verdict;
use std::sync::Arc;
use std::time::Duration;

/// How a source did when it was last asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Not asked yet.
    Pending,
    /// It answered in full.
    Read,
    /// It answered, and could not tell everything: the reasons, shortened to a few.
    Partly(Vec<String>),
    /// What it reads does not exist on this host.
    Absent(String),
    /// It failed.
    Failed(String),
    /// It has not come back within its deadline.
    Stuck(Duration),
}

/// One source's report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceReport {
    /// The source's name.
    pub source: &'static str,
    /// How it did.
    pub outcome: Outcome,
    /// How long the last finished reading took.
    pub took: Duration,
}

/// One tick.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// Nanoseconds since 1970, UTC.
    pub wall_ns: u64,
    /// The same moment on the monotonic clock.
    pub monotonic: Monotonic,
    /// The links of that moment.
    pub links: Arc<Links>,
    /// The newest block of every source that has a fresh one.
    pub blocks: Vec<Arc<Block>>,
    /// Bytes a second received and sent by each link between the last two readings, for pages. Not exported:
    /// Prometheus computes its own rates.
    pub rates: Option<Arc<Block>>,
    /// Which links would slow a migration; the metrics of it are a block.
    pub flags: Arc<Findings>,
    /// What the capacities of links are made of, for those that connections can end on.
    pub footings: Arc<[Arc<Footing>]>,
    /// What limited each migration.
    pub verdicts: Vec<Verdict>,
    /// How each running migration is expected to go on, and how good that was.
    pub outlooks: Vec<Outlook>,
    /// What pages draw of the last minutes.
    pub strips: Strips,
    /// How every source did.
    pub reports: Vec<SourceReport>,
}

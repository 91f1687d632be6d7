//! What was there and what happened: everything that a model of migrations needs to be checked without running one.

use super::plan::{Plan, PAYLOAD};
use crate::traffic::Others;
use crate::truth::Truth;
use serde::Serialize;

/// One line of `--record`. Sizes are bytes, rates bytes a second of payload, times seconds.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// The kind and the number of the run.
    pub id: String,
    /// The seed.
    pub seed: u64,
    /// By which door miglink saw it; `libvirt` is driven by libvirt, all others by QMP.
    pub watch: &'static str,
    /// The guest's memory, ROMs included, as QEMU sent it.
    pub memory: u64,
    /// Share of zero pages, as QEMU counted them.
    pub zero_share: f64,
    /// What the guest wrote again and again.
    pub working_set: u64,
    /// In which order.
    pub pattern: &'static str,
    /// How fast, by the guest's own count, in the second before the migration.
    pub dirty_rate_before: f64,
    /// The same from then until it stopped.
    pub dirty_rate: f64,
    /// What the link gives.
    pub link_rate: f64,
    /// What others took of it.
    pub others_rate: f64,
    /// The hypervisor's own limit.
    pub cap: Option<u64>,
    /// The longest pause that it was allowed.
    pub downtime_limit: f64,
    /// How it ended.
    pub result: String,
    /// From the start of its setup until the guest ran at the destination, or until its end.
    pub total: f64,
    /// From the guest's stop to its run.
    pub pause: Option<f64>,
    /// QEMU's own figures.
    pub qemu: Qemu,
}

/// QEMU's own figures.
#[derive(Debug, Clone, Serialize)]
pub struct Qemu {
    /// The whole, as the source counts it.
    pub total_time: Option<f64>,
    /// The pause, as the source counts it.
    pub downtime: Option<f64>,
    /// Until memory is sent.
    pub setup_time: Option<f64>,
    /// How many times dirty pages were collected.
    pub iterations: Option<u64>,
    /// Bytes in all.
    pub transferred: Option<u64>,
    /// Of these, before the pause.
    pub precopy_bytes: Option<u64>,
    /// Of these, memory in the pause.
    pub downtime_bytes: Option<u64>,
    /// Pages that were sent whole.
    pub normal_pages: Option<u64>,
    /// Pages that were zero.
    pub zero_pages: Option<u64>,
}

/// The guest's pace: before, and until it stopped.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Bytes a second.
    pub before: f64,
    /// Bytes a second.
    pub during: f64,
}

impl Measured {
    /// Puts it together; `None` if the migration did not begin or did not end.
    pub fn of(
        id: &str,
        seed: u64,
        plan: &Plan,
        truth: &Truth,
        pace: Pace,
        others: &[Others],
    ) -> Option<Self> {
        let end = truth.resume_at.or(truth.ended_at)?;
        let zero = truth.zero_pages.unwrap_or_default() as f64 * 4096.0;
        let memory = plan.memory << 20;
        Some(Self {
            id: id.to_owned(),
            seed,
            watch: plan.watch,
            memory,
            zero_share: truth.zero_pages.map_or(plan.zero_share(), |_| zero / memory as f64),
            working_set: plan.working_set << 20,
            pattern: if plan.random { "random" } else { "sweep" },
            dirty_rate_before: pace.before,
            dirty_rate: pace.during,
            link_rate: plan.link_kbit() as f64 * 125.0 * PAYLOAD,
            others_rate: rate(others),
            cap: plan.cap.map(|cap| cap << 10),
            downtime_limit: plan.downtime_limit as f64 / 1e3,
            result: truth.result.clone(),
            total: end - truth.setup_at?,
            pause: truth.pause,
            qemu: Qemu::of(truth),
        })
    }

    /// It came to its end.
    pub fn completed(&self) -> bool {
        self.result == "completed"
    }
}

/// Bytes a second of all others.
fn rate(others: &[Others]) -> f64 {
    // The sum of none would be -0.
    others
        .iter()
        .map(|one| one.bytes as f64 / (one.until - one.from).max(1e-3))
        .fold(0.0, |sum, rate| sum + rate)
}

impl Qemu {
    fn of(truth: &Truth) -> Self {
        Self {
            total_time: truth.total_time,
            downtime: truth.downtime,
            setup_time: truth.setup_time,
            iterations: truth.iterations,
            transferred: truth.transferred_bytes,
            precopy_bytes: truth.precopy_bytes,
            downtime_bytes: truth.downtime_bytes,
            normal_pages: truth.normal_pages,
            zero_pages: truth.zero_pages,
        }
    }
}

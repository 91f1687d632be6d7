//! What is drawn of a run: the guest, the way, the limits. Its scenario is in the words of scenario files.

use std::fmt::Write;

/// Bytes of payload in each byte that a shaper counts: MTU 1500 with IPv4 and TCP's time stamps, and Ethernet's header.
pub const PAYLOAD: f64 = 1448.0 / 1514.0;

/// One run's parameters. Sizes are MiB, rates KiB a second of payload, times milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The guest's memory.
    pub memory: u64,
    /// How many of sixteen pages outside of its working set are zero.
    pub zeros: u64,
    /// What it writes again and again.
    pub working_set: u64,
    /// How fast.
    pub dirty_rate: u64,
    /// Whether it writes by chance, not from one end to the other.
    pub random: bool,
    /// What the link gives.
    pub link: u64,
    /// What others are to take of it.
    pub others: u64,
    /// The hypervisor's own limit.
    pub cap: Option<u64>,
    /// The longest pause that it may plan.
    pub downtime_limit: u64,
    /// By which door miglink sees it.
    pub watch: &'static str,
    /// When it is called off.
    pub stop_after: u64,
}

impl Plan {
    /// The scenario file.
    pub fn text(&self, name: &str) -> String {
        // The guest's first MiB is not written.
        let dirty = self.working_set + 1;
        let pattern = if self.random { "random" } else { "sweep" };
        let cap = self.cap.map_or(String::new(), |cap| format!("max_bandwidth: {cap}KiB/s, "));
        let (fill, zeros) = (self.memory - 1, self.zeros);
        let mut text = format!("name: \"{name}\"\n");
        writeln!(
            text,
            "vm: {{memory: {}MiB, fill: {fill}MiB, dirty: {dirty}MiB, dirty_rate: {}KiB/s, pattern: {pattern}, zeros: {zeros}}}",
            self.memory, self.dirty_rate
        )
        .ok();
        writeln!(text, "watch: {}", self.watch).ok();
        writeln!(text, "migrate: {{{cap}downtime_limit: {}ms}}", self.downtime_limit).ok();
        writeln!(text, "path: {{rate: {}kbit}}", self.link_kbit()).ok();
        if self.others > 0 {
            writeln!(text, "faults:\n  - {{kind: competing_traffic, rate: {}KiB/s}}", self.others).ok();
        }
        writeln!(text, "stop_after: {}ms\nexpect: {{result: completed}}", self.stop_after).ok();
        text
    }

    /// Share of pages that are zero.
    pub fn zero_share(&self) -> f64 {
        // The first and the last MiB are not filled, and neither is among what is left zero on purpose.
        let between = (self.memory - 2 - self.working_set) as f64 * self.zeros as f64 / 16.0;
        (between + 2.0) / self.memory as f64
    }

    /// The shaper's rate, with headers.
    pub fn link_kbit(&self) -> u64 {
        (self.link as f64 * 1024.0 * 8.0 / PAYLOAD / 1e3).round() as u64
    }

    /// In one line.
    pub fn summary(&self) -> String {
        let mut text = format!(
            "{} MiB, {:.0} % zero, {} MiB at {:.1} MiB/s {}, link {:.1} MiB/s, limit {} ms, {}",
            self.memory,
            self.zero_share() * 100.0,
            self.working_set,
            self.dirty_rate as f64 / 1024.0,
            if self.random { "by chance" } else { "in turn" },
            self.link as f64 / 1024.0,
            self.downtime_limit,
            self.watch
        );
        if let Some(cap) = self.cap {
            write!(text, ", cap {:.1} MiB/s", cap as f64 / 1024.0).ok();
        }
        if self.others > 0 {
            write!(text, ", others {:.1} MiB/s", self.others as f64 / 1024.0).ok();
        }
        text
    }
}

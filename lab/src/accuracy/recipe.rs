//! What a family fills in: the scenario of a variant, in the words of scenario files.

use std::fmt::Write;

/// A scenario in the making. Times are milliseconds after the migration's start, sizes MiB.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// How much of the guest's memory holds something.
    pub fill: u64,
    /// Its working set.
    pub dirty: u64,
    /// MiB a second that it dirties; `None`: as fast as it can.
    pub dirty_rate: Option<u64>,
    /// By which door miglink sees it.
    pub watch: &'static str,
    /// Keys of `migrate`.
    pub migrate: Vec<String>,
    /// Keys of `path`.
    pub path: Vec<String>,
    /// The link that miglink is told is meant for migrations.
    pub dedicated: Option<&'static str>,
    /// Faults.
    pub faults: Vec<String>,
    /// When it is called off; `None`: it is let go to its end.
    pub stop_after: Option<u64>,
    /// From when to when which causes are real, the one that was made first.
    pub truth: Vec<(Option<u64>, Option<u64>, Vec<&'static str>)>,
}

/// Most memory that a guest of the lab may have, less what holds nothing.
const MOST: u64 = 2000;
/// Least that a guest has to hold for its working set to fit.
const LEAST: u64 = 24;

impl Recipe {
    /// A quiet guest that QEMU's monitor tells of, called off after some time, and no truth yet.
    pub fn new(stop_after: u64) -> Self {
        Self {
            fill: LEAST,
            dirty: 8,
            dirty_rate: Some(1),
            watch: "qmp",
            migrate: Vec::new(),
            path: Vec::new(),
            dedicated: None,
            faults: Vec::new(),
            stop_after: Some(stop_after),
            truth: Vec::new(),
        }
    }

    /// Gives the guest memory for as long as it is to last at a rate in megabits a second, and some more: what limits it
    /// must go on until it is called off.
    #[must_use]
    pub fn enough_for(mut self, mbit: u64) -> Self {
        let seconds = self.stop_after.unwrap_or(0) as f64 / 1e3;
        self.fill = ((mbit as f64 / 8.388 * seconds * 1.25) as u64 + 16).clamp(LEAST, MOST);
        self
    }

    /// A key of `migrate`.
    #[must_use]
    pub fn migrate(mut self, key: impl Into<String>) -> Self {
        self.migrate.push(key.into());
        self
    }

    /// A key of `path`.
    #[must_use]
    pub fn path(mut self, key: impl Into<String>) -> Self {
        self.path.push(key.into());
        self
    }

    /// A fault, without its braces.
    #[must_use]
    pub fn fault(mut self, fault: impl Into<String>) -> Self {
        self.faults.push(fault.into());
        self
    }

    /// A kernel setting of a host.
    #[must_use]
    pub fn sysctl(self, side: &str, name: &str, value: &str) -> Self {
        self.fault(format!("kind: sysctl, side: {side}, set: {{{name}: \"{value}\"}}"))
    }

    /// These causes are real all the time.
    #[must_use]
    pub fn always(self, causes: &[&'static str]) -> Self {
        self.between(None, None, causes)
    }

    /// These causes are real from one time to another; from the start and to the end if left out.
    #[must_use]
    pub fn between(mut self, from: Option<u64>, until: Option<u64>, causes: &[&'static str]) -> Self {
        self.truth.push((from, until, causes.to_vec()));
        self
    }

    /// The scenario file.
    pub fn text(&self, name: &str) -> String {
        let mut text = format!("name: \"{name}\"\n");
        let rate = self.dirty_rate.map_or(String::new(), |rate| format!(", dirty_rate: {rate}MiB/s"));
        let (memory, fill, dirty) = (self.fill + 16, self.fill, self.dirty);
        writeln!(text, "vm: {{memory: {memory}MiB, fill: {fill}MiB, dirty: {dirty}MiB{rate}}}").ok();
        writeln!(text, "watch: {}", self.watch).ok();
        for (key, values) in [("migrate", &self.migrate), ("path", &self.path)] {
            if !values.is_empty() {
                writeln!(text, "{key}: {{{}}}", values.join(", ")).ok();
            }
        }
        if let Some(link) = self.dedicated {
            writeln!(text, "dedicated: [{link}]").ok();
        }
        if !self.faults.is_empty() {
            text.push_str("faults:\n");
            for fault in &self.faults {
                writeln!(text, "  - {{{fault}}}").ok();
            }
        }
        if let Some(stop) = self.stop_after {
            writeln!(text, "stop_after: {stop}ms").ok();
        }
        let result = if self.stop_after.is_some() { "cancelled" } else { "completed" };
        writeln!(text, "expect:\n  result: {result}\n  memory_copy:").ok();
        for (from, until, causes) in &self.truth {
            let time =
                |key: &str, at: &Option<u64>| at.map_or(String::new(), |at| format!("{key}: {at}ms, "));
            let (from, until) = (time("from", from), time("until", until));
            writeln!(text, "    - {{{from}{until}causes: [{}]}}", causes.join(", ")).ok();
        }
        text
    }
}

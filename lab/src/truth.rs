//! What really happened to a migration: QEMU's own events and its last answer.

use crate::monitor::Monitor;
use crate::pair::Guest;
use crate::scenario::Scenario;
use serde::Serialize;
use serde_json::{json, Value};

/// One guest's migration. Times of day are in seconds since 1970, lengths in seconds.
#[derive(Debug, Clone, Serialize, Default)]
pub struct Truth {
    /// The guest's name.
    pub vm: String,
    /// How it ended, in QEMU's word; empty if it did not.
    pub result: String,
    /// Why it failed, in the words of whoever says it.
    pub error: Option<String>,
    /// When connections were made.
    pub setup_at: Option<f64>,
    /// When memory began to be copied.
    pub active_at: Option<f64>,
    /// When the last state began to be moved.
    pub device_at: Option<f64>,
    /// When the change to post-copy came.
    pub postcopy_at: Option<f64>,
    /// When the guest stopped at the source.
    pub stop_at: Option<f64>,
    /// When it ran at the destination.
    pub resume_at: Option<f64>,
    /// When QEMU called it ended.
    pub ended_at: Option<f64>,
    /// From the guest's stop at the source to its run at the destination.
    pub pause: Option<f64>,
    /// QEMU's own count of bytes.
    pub transferred_bytes: Option<u64>,
    /// QEMU's own measure of the pause.
    pub downtime: Option<f64>,
    /// QEMU's own measure of all of it.
    pub total_time: Option<f64>,
    /// QEMU's own measure of the setup.
    pub setup_time: Option<f64>,
    /// How many times dirty pages were collected.
    pub iterations: Option<u64>,
    /// Bytes that were sent before the pause.
    pub precopy_bytes: Option<u64>,
    /// Bytes of memory that were sent in the pause.
    pub downtime_bytes: Option<u64>,
    /// Pages that were sent whole.
    pub normal_pages: Option<u64>,
    /// Pages that were zero.
    pub zero_pages: Option<u64>,
    /// Bytes a second that the guest dirtied before, as measured.
    pub dirty_rate: Option<f64>,
    /// Bytes a second that it was asked to dirty.
    pub dirty_rate_asked: Option<u64>,
}

/// Words of a migration's end.
const ENDS: [&str; 3] = ["completed", "failed", "cancelled"];

/// How it ended at the source, by its events; `None` while it goes on.
pub fn ended(source: &Monitor) -> Option<(String, f64)> {
    let of_end = |name: &str| ENDS.into_iter().find(|end| name.strip_prefix("MIGRATION/") == Some(end));
    source.events().iter().find_map(|event| of_end(&event.name).map(|end| (end.to_owned(), event.at)))
}

/// Asks for QEMU's last answer, which libvirt leaves no long time for.
pub fn last_answer(guest: &mut Guest) -> Value {
    guest.source.ask("query-migrate", &json!({})).unwrap_or_default()
}

impl Truth {
    /// Puts it together, after the end.
    pub fn of(guest: &Guest, answer: &Value, scenario: &Scenario) -> Self {
        let at = |name: &str| guest.source.time_of(name);
        let end = ended(&guest.source);
        let completed = end.as_ref().is_some_and(|(word, _)| word == "completed");
        let (stop_at, resume_at) = match (completed, &guest.destination) {
            (true, Some(destination)) => (at("STOP"), destination.time_of("RESUME")),
            _ => (at("STOP"), None),
        };
        // A hypervisor that has died says no more.
        let unsaid = if guest.source.is_gone() { "failed".to_owned() } else { String::new() };
        let seconds = |key: &str| answer[key].as_f64().map(|ms| ms / 1e3);
        Self {
            vm: guest.name.clone(),
            result: end.as_ref().map_or(unsaid, |(word, _)| word.clone()),
            error: answer["error-desc"].as_str().map(str::to_owned),
            setup_at: at("MIGRATION/setup"),
            active_at: at("MIGRATION/active"),
            device_at: at("MIGRATION/device"),
            postcopy_at: at("MIGRATION/postcopy-active"),
            stop_at,
            resume_at,
            ended_at: end.map(|(_, at)| at),
            pause: stop_at.zip(resume_at).map(|(stop, resume)| resume - stop),
            transferred_bytes: answer["ram"]["transferred"].as_u64(),
            downtime: seconds("downtime"),
            total_time: seconds("total-time"),
            setup_time: seconds("setup-time"),
            iterations: answer["ram"]["dirty-sync-count"].as_u64(),
            precopy_bytes: answer["ram"]["precopy-bytes"].as_u64(),
            downtime_bytes: answer["ram"]["downtime-bytes"].as_u64(),
            normal_pages: answer["ram"]["normal"].as_u64(),
            zero_pages: answer["ram"]["duplicate"].as_u64(),
            dirty_rate: guest.dirty_rate,
            dirty_rate_asked: scenario.vm.dirty_rate.and_then(crate::units::Rate::bytes),
        }
    }

    /// The length of a phase, by its name in miglink, in seconds.
    pub fn phase(&self, name: &str) -> Option<f64> {
        let (start, end) = match name {
            "setup" => (self.setup_at, self.active_at),
            "memory_copy" => (self.active_at, self.stop_at.or(self.ended_at)),
            "state_transfer" => (self.stop_at, self.resume_at),
            "postcopy" => (self.postcopy_at, self.ended_at),
            _ => (None, None),
        };
        start.zip(end).map(|(start, end)| end - start)
    }

    /// From its start to its end.
    pub fn length(&self) -> Option<f64> {
        self.setup_at.zip(self.ended_at).map(|(start, end)| end - start)
    }
}

//! What QEMU 4 to 11 answer to the four questions, in this program's words (qapi/migration.json, qapi/run-state.json).
//! A field that is missing, of another type or of another sign is left out; it costs nobody else's value.

use crate::sample::migration::{Direction, Limits, Progress, RunState, Status};
use crate::source::transport::qmp::message::shortened;
use serde_json::Value;
use std::time::Duration;

/// From here on a bandwidth limit is none: libvirt sets 9223372036853727232, QEMU knows up to `SIZE_MAX`, and no link
/// carries a pebibyte a second.
const UNLIMITED: u64 = 1 << 50;

/// Names of capabilities that are kept at most; QEMU 11 has 26.
const MOST_CAPABILITIES: usize = 64;

/// The answer to `query-migrate`.
pub fn progress(answer: &Value) -> Progress {
    let memory = answer.get("ram").unwrap_or(&Value::Null);
    Progress {
        status: answer.get("status").and_then(Value::as_str).map_or(Status::None, status),
        direction: direction(answer),
        total_time: millis(answer, "total-time"),
        setup_time: millis(answer, "setup-time"),
        expected_downtime: millis(answer, "expected-downtime"),
        downtime: millis(answer, "downtime"),
        memory_total: number(memory, "total"),
        transferred: number(memory, "transferred"),
        // Since 11.1 what devices have to send counts too, in a field of its own; before, memory is all that is told.
        remaining: number(answer, "remaining").or_else(|| number(memory, "remaining")),
        normal_bytes: number(memory, "normal-bytes"),
        zero_pages: number(memory, "duplicate"),
        page_size: number(memory, "page-size"),
        dirty_pages_per_second: number(memory, "dirty-pages-rate"),
        iterations: number(memory, "dirty-sync-count"),
        throughput: throughput(memory),
        precopy_bytes: number(memory, "precopy-bytes"),
        downtime_bytes: number(memory, "downtime-bytes"),
        postcopy_bytes: number(memory, "postcopy-bytes"),
        multifd_bytes: number(memory, "multifd-bytes"),
        postcopy_requests: number(memory, "postcopy-requests"),
        throttle_percent: number(answer, "cpu-throttle-percentage"),
        error: answer.get("error-desc").and_then(Value::as_str).map(shortened),
    }
}

/// Only the side that sends has figures of its memory, only the side that listens an address
/// (`fill_source_migration_info`, `fill_destination_migration_info`).
fn direction(answer: &Value) -> Option<Direction> {
    if answer.get("ram").is_some_and(Value::is_object) {
        return Some(Direction::Outgoing);
    }
    answer.get("socket-address").map(|_| Direction::Incoming)
}

/// A word of `MigrationStatus`.
pub fn status(word: &str) -> Status {
    match word {
        "none" => Status::None,
        "setup" => Status::Setup,
        "active" => Status::Active,
        "pre-switchover" => Status::PreSwitchover,
        "device" => Status::Device,
        "postcopy-active" => Status::Postcopy,
        "postcopy-paused" | "postcopy-recover" | "postcopy-recover-setup" => Status::PostcopyPaused,
        "cancelling" => Status::Cancelling,
        "cancelled" => Status::Cancelled,
        "failed" => Status::Failed,
        "completed" => Status::Completed,
        _ => Status::Other,
    }
}

/// QEMU's `mbps` is 10^6 bits a second.
fn throughput(memory: &Value) -> Option<f64> {
    let mbps = memory.get("mbps")?.as_f64()?;
    (mbps.is_finite() && mbps >= 0.0).then_some(mbps * 125_000.0)
}

/// The answer to `query-status`; `None` if it names no state.
pub fn run_state(answer: &Value) -> Option<RunState> {
    Some(match answer.get("status")?.as_str()? {
        "running" => RunState::Running,
        "inmigrate" => RunState::Incoming,
        "finish-migrate" => RunState::Finishing,
        "postmigrate" => RunState::Left,
        _ => RunState::Stopped,
    })
}

/// The answers to `query-migrate-parameters` and `query-migrate-capabilities`, each `Null` where there is none.
pub fn limits(parameters: &Value, capabilities: &Value) -> Limits {
    let capabilities = capabilities_on(capabilities);
    Limits {
        max_bandwidth: number(parameters, "max-bandwidth").map(bandwidth),
        downtime_limit: millis(parameters, "downtime-limit"),
        max_postcopy_bandwidth: number(parameters, "max-postcopy-bandwidth").map(bandwidth),
        // Here 0 says that QEMU measures it itself.
        switchover_bandwidth: number(parameters, "avail-switchover-bandwidth").filter(|bytes| *bytes > 0),
        multifd_channels: number(parameters, "multifd-channels"),
        compression: compression(parameters, capabilities.as_deref()),
        tls: match parameters.get("tls-creds") {
            Some(Value::String(name)) => Some(!name.is_empty()),
            Some(Value::Null) => Some(false),
            _ => None,
        },
        capabilities,
    }
}

/// Bytes a second; 0 is no limit (`RATE_LIMIT_DISABLED`).
fn bandwidth(bytes: u64) -> u64 {
    if bytes == 0 || bytes >= UNLIMITED {
        u64::MAX
    } else {
        bytes
    }
}

fn capabilities_on(answer: &Value) -> Option<Vec<String>> {
    let is_on = |entry: &&Value| entry.get("state").and_then(Value::as_bool) == Some(true);
    let names = answer.as_array()?.iter().filter(is_on);
    let names = names.filter_map(|entry| entry.get("capability")?.as_str().map(shortened));
    Some(names.take(MOST_CAPABILITIES).collect())
}

/// The method is a parameter of multifd, and is there also while multifd is off; the old ways are capabilities
/// (`compress` until QEMU 9.0, always zlib).
fn compression(parameters: &Value, capabilities: Option<&[String]>) -> Option<String> {
    let method = parameters.get("multifd-compression").and_then(Value::as_str).map(shortened);
    let Some(capabilities) = capabilities else { return method };
    let is_on = |name: &str| capabilities.iter().any(|capability| capability == name);
    if is_on("multifd") {
        return method;
    }
    let old = [("compress", "zlib"), ("xbzrle", "xbzrle")].into_iter().find(|(name, _)| is_on(name));
    Some(old.map_or("none", |(_, method)| method).to_owned())
}

fn number(object: &Value, name: &str) -> Option<u64> {
    object.get(name)?.as_u64()
}

fn millis(object: &Value, name: &str) -> Option<Duration> {
    number(object, name).map(Duration::from_millis)
}

#[cfg(test)]
mod tests;

//! Figures of a migration in the words and units of people.

use crate::output::migrations::Row;
use crate::output::units;
use std::time::Duration;

/// What stands where nothing is known.
pub const NOTHING: &str = "–";

/// A value, or the sign that there is none.
pub(super) fn or_nothing(value: Option<f64>, write: impl Fn(f64) -> String) -> String {
    value.map_or(NOTHING.into(), write)
}

/// A time.
pub(super) fn seconds(seconds: f64) -> String {
    // A clock that was set may have made it negative.
    Duration::try_from_secs_f64(seconds).map_or(NOTHING.into(), units::duration)
}

/// A moment of the day, UTC.
pub(super) fn time_of_day(seconds: f64) -> String {
    units::time_of_day((seconds * 1e9) as u64)
}

/// The hypervisor, and what it does with the bytes: `qemu, tls, zstd`.
pub(super) fn kind(of: &Row<'_>) -> String {
    let tls = of.label("tls").filter(|tls| tls == "yes").map(|_| "tls".to_owned());
    let compression = of.label("compression").filter(|name| name != "none");
    [of.label("hypervisor"), tls, compression].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The link, and the wire beneath it: `vmbr0 → ens3f0`.
pub(super) fn links(of: &Row<'_>) -> String {
    match (of.label("device"), of.label("wire")) {
        (Some(device), Some(wire)) if device != wire => format!("{device} → {wire}"),
        (device, wire) => device.or(wire).unwrap_or(NOTHING.into()),
    }
}

/// How many connections carry it.
pub(super) fn channels(of: &Row<'_>) -> String {
    match of.label("channels").as_deref() {
        None => String::new(),
        Some("1") => "1 connection".into(),
        Some(channels) => format!("{channels} connections"),
    }
}

/// How long a phase has lasted.
pub(super) fn phase_seconds(of: &Row<'_>, phase: &str) -> f64 {
    of.labelled("phase_seconds", Some(phase)).unwrap_or_default()
}

/// How long it took until now or its end, without the making of connections.
pub(super) fn length(of: &Row<'_>) -> f64 {
    ["memory_copy", "state_transfer", "postcopy"].iter().map(|phase| phase_seconds(of, phase)).sum()
}

/// From its first sign until now or its end.
pub(super) fn took(of: &Row<'_>) -> f64 {
    length(of) + phase_seconds(of, "setup")
}

/// Where it goes, or where it comes from.
pub(super) fn route(of: &Row<'_>) -> String {
    let preposition = if of.label("direction").as_deref() == Some("incoming") { "from" } else { "to" };
    of.label("peer").map_or(NOTHING.into(), |peer| format!("{preposition} {peer}"))
}

/// Percent of the memory that has nothing left to send, rounded down, and the bytes that are left.
pub(super) fn progress(of: &Row<'_>) -> Option<(f64, f64)> {
    let (all, left) = (of.number("memory_bytes")?, of.number("remaining_bytes")?);
    Some(((100.0 * (1.0 - left / all.max(1.0))).clamp(0.0, 100.0).floor(), left))
}

/// QEMU says 0 before the second iteration, when nobody has measured it, and after the end.
pub(super) fn dirty(of: &Row<'_>) -> Option<f64> {
    let rate = of.number("dirty_bytes_per_second");
    let is_measured = of.is_on() && of.number("iterations").is_some_and(|iterations| iterations > 1.0);
    rate.filter(|rate| *rate > 0.0 || is_measured)
}

/// How much the hypervisor slows the guest down.
pub(super) fn throttle(of: &Row<'_>) -> String {
    let ratio = of.number("throttle_ratio").filter(|ratio| *ratio > 0.0);
    ratio.map_or(String::new(), |ratio| format!("guest slowed by {:.0} %", ratio * 100.0))
}

#[cfg(test)]
mod tests {
    use super::{channels, dirty, kind, links, progress, route, took};
    use crate::output::migrations::rows;
    use crate::output::migrations::testing::{finished, frame, running};

    #[test]
    fn a_migration_reads_well() {
        let frame = frame(&[running(1, "db", 88), finished(2, "old", 10, 30)]);
        let [on, over] = rows(&frame)[..] else { panic!("two") };
        assert_eq!((route(&on), links(&on)), ("to 10.0.0.2".into(), "vmbr0 → ens3f0".into()));
        assert_eq!((kind(&on), channels(&on)), (String::new(), String::new()));
        assert_eq!(progress(&on), Some((75.0, 134_217_728.0)));
        assert_eq!(dirty(&on), None, "nobody has measured it yet");
        assert_eq!((took(&on), took(&over)), (12.0, 20.0));
    }
}

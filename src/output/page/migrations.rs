//! The page's migrations: one row each in the words and units of people.

use super::NOTHING;
use crate::output::migrations::{self, Row};
use crate::output::{outlook, units, verdicts};
use crate::sample::frame::Frame;
use std::time::Duration;

/// One migration on the page. Small texts stand under the large ones.
pub(super) struct MigrationRow {
    pub vm: String,
    pub kind: String,
    pub peer: String,
    pub direction: String,
    pub links: String,
    pub channels: String,
    pub state: String,
    pub class: &'static str,
    pub times: String,
    /// Percent of the guest's memory that is at the other end.
    pub percent: Option<f64>,
    pub left: String,
    /// When it will end, and the range, or what would make it end.
    pub outlook: String,
    pub outlook_range: String,
    pub transferred: String,
    pub memory: String,
    pub throughput: String,
    pub limit: String,
    pub dirty: String,
    pub throttle: String,
    pub iterations: String,
    pub pause: String,
    pub pause_class: &'static str,
    pub pause_limit: String,
    pub cause: String,
    pub evidence: String,
    pub command: String,
}

/// All of a frame, and whether one of them goes on.
pub(super) fn rows(frame: &Frame) -> (Vec<MigrationRow>, bool) {
    let rows = migrations::rows(frame);
    let any_is_on = rows.iter().any(Row::is_on);
    (rows.iter().map(|of| row(frame, of)).collect(), any_is_on)
}

fn row(frame: &Frame, of: &Row<'_>) -> MigrationRow {
    let direction = of.label("direction").unwrap_or_default();
    let preposition = if direction == "incoming" { "from" } else { "to" };
    let peer = of.label("peer").map_or(NOTHING.into(), |peer| format!("{preposition} {peer}"));
    let (state, class, times) = state(of);
    let (percent, left) = progress(of);
    let (throughput, limit) = throughput(of);
    let (pause, pause_class, pause_limit) = pause(of);
    let (cause, evidence, command) = cause(frame, of);
    let key = of.info.0.subjects.keys()[of.info.1];
    let (outlook, outlook_range) = outlook::of(frame, key).map(outlook::words).unwrap_or_default();
    MigrationRow {
        vm: of.label("vm").unwrap_or(NOTHING.into()),
        kind: kind(of),
        peer,
        direction,
        links: links(of),
        channels: channels(of),
        state,
        class,
        times,
        percent,
        left,
        outlook,
        outlook_range,
        transferred: or_nothing(of.number("transferred_bytes_total"), units::bytes),
        memory: of
            .number("memory_bytes")
            .map_or(String::new(), |all| format!("memory {}", units::bytes(all))),
        throughput,
        limit,
        dirty: or_nothing(dirty(of), units::bits_per_second),
        throttle: throttle(of),
        iterations: or_nothing(of.number("iterations"), units::count),
        pause,
        pause_class,
        pause_limit,
        cause,
        evidence,
        command,
    }
}

fn or_nothing(value: Option<f64>, write: impl Fn(f64) -> String) -> String {
    value.map_or(NOTHING.into(), write)
}

fn seconds(seconds: f64) -> String {
    // A clock that was set may have made it negative.
    Duration::try_from_secs_f64(seconds).map_or(NOTHING.into(), units::duration)
}

fn time_of_day(seconds: f64) -> String {
    units::time_of_day((seconds * 1e9) as u64)
}

/// The hypervisor, and what it does with the bytes: `qemu, tls, zstd`.
fn kind(of: &Row<'_>) -> String {
    let tls = of.label("tls").filter(|tls| tls == "yes").map(|_| "tls".to_owned());
    let compression = of.label("compression").filter(|name| name != "none");
    [of.label("hypervisor"), tls, compression].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The link, and the wire beneath it: `vmbr0 → ens3f0`.
fn links(of: &Row<'_>) -> String {
    match (of.label("device"), of.label("wire")) {
        (Some(device), Some(wire)) if device != wire => format!("{device} → {wire}"),
        (device, wire) => device.or(wire).unwrap_or(NOTHING.into()),
    }
}

fn channels(of: &Row<'_>) -> String {
    match of.label("channels").as_deref() {
        None => String::new(),
        Some("1") => "1 connection".into(),
        Some(channels) => format!("{channels} connections"),
    }
}

fn phase_seconds(of: &Row<'_>, phase: &str) -> f64 {
    of.labelled("phase_seconds", Some(phase)).unwrap_or_default()
}

/// How long it took until now or its end, without the making of connections.
fn length(of: &Row<'_>) -> f64 {
    ["memory_copy", "state_transfer", "postcopy"].iter().map(|phase| phase_seconds(of, phase)).sum()
}

/// The phase or the result, its class, and how long.
fn state(of: &Row<'_>) -> (String, &'static str, String) {
    let whole = length(of) + phase_seconds(of, "setup");
    let Some(end) = of.number("end_time_seconds") else {
        let phase = of.state("phase").unwrap_or_default();
        let now = phase_seconds(of, phase);
        let in_all = if whole - now < 1.0 { String::new() } else { format!(", {} in all", seconds(whole)) };
        return (phase.replace('_', " "), "", format!("for {}{in_all}", seconds(now)));
    };
    let result = of.state("result").unwrap_or(NOTHING);
    let class = match result {
        "completed" => "good",
        "failed" => "bad",
        _ => "soft",
    };
    (result.into(), class, format!("at {} after {}", time_of_day(end), seconds(whole)))
}

/// Percent of the memory that has nothing left to send, rounded down, and what is left.
fn progress(of: &Row<'_>) -> (Option<f64>, String) {
    let (Some(all), Some(left)) = (of.number("memory_bytes"), of.number("remaining_bytes")) else {
        return (None, String::new());
    };
    let percent = (100.0 * (1.0 - left / all.max(1.0))).clamp(0.0, 100.0).floor();
    let left = if left > 0.0 { format!("{} left", units::bytes(left)) } else { String::new() };
    (Some(percent), left)
}

/// The rate now and the limit; after the end, the mean.
fn throughput(of: &Row<'_>) -> (String, String) {
    let limit = of.number("bandwidth_limit_bytes_per_second");
    let limit = limit.map(|limit| format!("limit {}", units::bits_per_second(limit)));
    if of.is_on() {
        let now = of.number("throughput_bytes_per_second");
        return (or_nothing(now, units::bits_per_second), limit.unwrap_or_default());
    }
    let mean = of.number("transferred_bytes_total").filter(|_| length(of) > 0.0).map(|all| all / length(of));
    let word = mean.map(|_| "mean".to_owned());
    (
        or_nothing(mean, units::bits_per_second),
        [word, limit].into_iter().flatten().collect::<Vec<_>>().join(", "),
    )
}

/// QEMU says 0 before the second iteration, when nobody has measured it, and after the end.
fn dirty(of: &Row<'_>) -> Option<f64> {
    let rate = of.number("dirty_bytes_per_second");
    let is_measured = of.is_on() && of.number("iterations").is_some_and(|iterations| iterations > 1.0);
    rate.filter(|rate| *rate > 0.0 || is_measured)
}

fn throttle(of: &Row<'_>) -> String {
    let ratio = of.number("throttle_ratio").filter(|ratio| *ratio > 0.0);
    ratio.map_or(String::new(), |ratio| format!("guest slowed by {:.0} %", ratio * 100.0))
}

/// The pause that was, or the one that is expected, and what is allowed.
fn pause(of: &Row<'_>) -> (String, &'static str, String) {
    let allowed = of.number("downtime_limit_seconds");
    let (was, expected) = (of.number("guest_downtime_seconds"), of.number("expected_downtime_seconds"));
    let Some(pause) = was.or(expected) else { return (NOTHING.into(), "", String::new()) };
    let word = if was.is_some() { None } else { Some("expected".to_owned()) };
    let class = if allowed.is_some_and(|allowed| pause > allowed) { "bad" } else { "" };
    let small = [word, allowed.map(|allowed| format!("{} allowed", seconds(allowed)))];
    (seconds(pause), class, small.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// What limits it now, or limited it most, with its share, its evidence, and the first command.
fn cause(frame: &Frame, of: &Row<'_>) -> (String, String, String) {
    let leading = verdicts::of(frame, of).and_then(|verdict| verdicts::leading(verdict));
    let Some(part) = leading else { return (NOTHING.into(), String::new(), String::new()) };
    let cause = format!("{} ({:.0} %)", part.cause.replace('_', " "), part.share * 100.0);
    let command = verdicts::explain(part, of).commands.into_iter().next().unwrap_or_default();
    (cause, part.evidence.clone(), command)
}

#[cfg(test)]
mod tests {
    use super::rows;
    use crate::output::migrations::testing::{finished, frame, running};
    use crate::output::page;
    use crate::sample::frame::Frame;
    use crate::sample::verdict::{Part, Verdict};
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    #[test]
    fn a_running_migration_reads_well() {
        let (rows, is_on) = rows(&frame(&[running(1, "db", 88)]));
        let row = &rows[0];
        assert!(is_on);
        assert_eq!((&*row.peer, &*row.links), ("to 10.0.0.2", "vmbr0 → ens3f0"));
        assert_eq!((&*row.state, &*row.times), ("memory copy", "for 12 s"));
        assert_eq!((row.percent, &*row.left), (Some(75.0), "128 MiB left"));
        assert_eq!((&*row.transferred, &*row.memory), ("384 MiB", "memory 512 MiB"));
        assert_eq!((&*row.dirty, &*row.pause), ("–", "–"), "nobody has measured these yet");
    }

    #[test]
    fn a_finished_migration_reads_well() {
        let (rows, is_on) = rows(&frame(&[finished(1, "db", 10, 30)]));
        let row = &rows[0];
        assert!(!is_on);
        assert_eq!((&*row.state, row.class, &*row.times), ("completed", "good", "at 15:03:09 after 20 s"));
        assert_eq!((&*row.throughput, &*row.limit), ("161 Mbit/s", "mean"));
        assert_eq!((&*row.pause, row.pause_class, &*row.pause_limit), ("419 ms", "bad", "300 ms allowed"));
    }

    #[test]
    fn the_leading_cause_stands_with_its_evidence_and_a_command() {
        let evidence = "ens3f0: 48 of 50 MB/s used".into();
        let part = Part { cause: "ring_overflow", seconds: 1.0, share: 0.8, evidence };
        let verdict = Verdict { migration: 1, now: Some(part), phases: Vec::new() };
        let frame = Frame { verdicts: vec![verdict], ..frame(&[running(1, "db", 88)]) };
        let page = page::render(&frame, "/metrics");
        for shown in ["ring overflow (80 %)", "ens3f0: 48 of 50 MB/s used", "ethtool -g ens3f0"] {
            assert!(page.contains(shown), "{shown}");
        }
    }

    #[test]
    fn the_page_asks_again_sooner_while_a_migration_is_on() {
        let page = |entries: &[_]| page::render(&frame(entries), "/metrics");
        let (none, on, over) = (page(&[]), page(&[running(1, "a", 90)]), page(&[finished(1, "a", 10, 20)]));
        let every = |text: &str, seconds: u8| text.contains(&format!("content=\"{seconds}\""));
        assert!(every(&none, 5) && every(&on, 2) && every(&over, 5));
        assert!(!none.contains("<h2>Migrations") && on.contains("<h2>Migrations"));
    }

    /// Reads back what a browser shows of escaped text.
    fn shown(html: &str) -> String {
        let entities = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
        entities.iter().fold(html.to_owned(), |text, (entity, character)| text.replace(entity, character))
    }

    proptest! {
        #[test]
        fn a_guest_cannot_write_the_page(vm in "(.|[<>&\"'/=]|<script>|</b>){1,40}") {
            let page = page::render(&frame(&[running(1, &vm, 90)]), "/metrics");
            let (_, rest) = page.split_once("<b class=\"name\">").unwrap();
            let (name, _) = rest.split_once("</b>").unwrap();
            prop_assert!(!name.contains(['<', '>', '"', '\'']));
            prop_assert_eq!(shown(name), vm);
            prop_assert!(!page.contains("<script"));
        }
    }
}

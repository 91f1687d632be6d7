//! Compares what miglink said with what really happened.

use crate::exporter::Timeline;
use crate::exposition::Selector;
use crate::names;
use crate::scenario::expect::Outcome;
use crate::scenario::fault::Side;
use crate::scenario::{Scenario, Watch};
use crate::truth::Truth;
use serde::Serialize;
use std::collections::BTreeSet;

/// How a comparison came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As expected.
    Ok,
    /// Not.
    Failed,
    /// Nobody can tell yet.
    NotJudged,
}

/// One comparison.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// Of what.
    pub what: String,
    /// What is right.
    pub expected: String,
    /// What there was.
    pub found: String,
    /// How that is.
    pub verdict: Verdict,
}

/// How far miglink's bytes may be off QEMU's.
const BYTES: f64 = 0.01;
/// How far its pause may be off, in seconds, with and without events.
const PAUSE: f64 = 0.020;
const PAUSE_WITHOUT_EVENTS: f64 = 0.060;

impl Check {
    fn new(what: String, expected: impl Into<String>, found: impl Into<String>, right: bool) -> Self {
        let verdict = if right { Verdict::Ok } else { Verdict::Failed };
        Self { what, expected: expected.into(), found: found.into(), verdict }
    }
}

/// What really happened against what the scenario expects of it.
pub fn scenario(scenario: &Scenario, truths: &[Truth]) -> Vec<Check> {
    let expected = scenario.expect.result.word();
    let result = |truth: &Truth| {
        Check::new(format!("{}: QEMU's result", truth.vm), expected, &truth.result, truth.result == expected)
    };
    truths.iter().map(result).collect()
}

/// What miglink said on both hosts, source first.
pub fn exporters(scenario: &Scenario, truths: &[Truth], timelines: &[Timeline; 2]) -> Vec<Check> {
    let mut checks = Vec::new();
    for (side, timeline) in Side::BOTH.into_iter().zip(timelines) {
        checks.push(results(scenario, side, timeline));
        for truth in truths {
            checks.extend(guest(scenario, truth, side, timeline));
        }
    }
    checks.extend(truths.iter().map(|truth| uuid(truth, timelines)));
    checks.extend(flags(scenario, &timelines[0]));
    checks
}

/// What would slow the next migration, of the links that the scenario names, by the last scrape.
fn flags(scenario: &Scenario, source: &Timeline) -> Vec<Check> {
    let samples = source.0.last().map(|scrape| &*scrape.samples).unwrap_or_default();
    let check = |(device, wanted): (&String, &BTreeSet<String>)| {
        let selector = Selector::new(names::SLOWS, &[("device", device), ("phase", "memory_copy")]);
        let told = samples.iter().filter(|sample| selector.matches(sample));
        let (mut any, mut found) = (false, BTreeSet::new());
        for sample in told {
            any = true;
            if same(sample.value, 1.0) {
                found.insert(sample.label("cause").to_owned());
            }
        }
        let words = |causes: &BTreeSet<String>| causes.iter().cloned().collect::<Vec<_>>().join(", ");
        Check::new(format!("flags of {device}"), words(wanted), words(&found), any && found == *wanted)
    };
    scenario.expect.flags.iter().map(check).collect()
}

/// The counted ends: as many as there were guests, all of the right kind.
fn results(scenario: &Scenario, side: Side, timeline: &Timeline) -> Check {
    let ends = ["completed", "cancelled", "failed"];
    // Where a guest was to go, nobody says whether its coming was called off or broke off.
    let right = |end: &str| match (scenario.expect.result, side) {
        (Outcome::Completed, _) => end == "completed",
        (expected, Side::Source) => end == expected.word(),
        (_, Side::Destination) => end != "completed",
    };
    let counts = ends.map(|end| {
        (end, timeline.growth(names::MIGRATIONS, &[("direction", side.direction()), ("result", end)]))
    });
    let good: f64 = counts.iter().filter(|(end, _)| right(end)).map(|(_, count)| count).sum();
    let all: f64 = counts.iter().map(|(_, count)| count).sum();
    let wanted = f64::from(scenario.count);
    let words: Vec<&str> = ends.into_iter().filter(|end| right(end)).collect();
    let found: Vec<String> = counts
        .iter()
        .filter(|(_, count)| *count != 0.0)
        .map(|(end, count)| format!("{count} {end}"))
        .collect();
    let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
    let is_right = same(good, wanted) && same(all, wanted);
    Check::new(
        format!("{} result", side.direction()),
        format!("{wanted} {}", words.join(" or ")),
        found,
        is_right,
    )
}

/// Both hosts call the guest by one UUID, by which their series are joined.
fn uuid(truth: &Truth, timelines: &[Timeline; 2]) -> Check {
    let [source, destination] = [0, 1].map(|at: usize| {
        let labels = [("vm", truth.vm.as_str()), ("direction", Side::BOTH[at].direction())];
        timelines[at].label(names::INFO, &labels, names::UUID).unwrap_or_default()
    });
    let is_one = !source.is_empty() && source == destination;
    let found = if is_one { source } else { format!("'{source}' and '{destination}'") };
    Check::new(format!("{} UUID", truth.vm), "the same on both hosts", found, is_one)
}

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() < 0.5
}

fn guest(scenario: &Scenario, truth: &Truth, side: Side, timeline: &Timeline) -> Vec<Check> {
    let labels = [("vm", truth.vm.as_str()), ("direction", side.direction())];
    let what = |of: &str| format!("{} {} {of}", truth.vm, side.direction());
    let mut checks = vec![link(scenario, timeline, &labels, what("link"))];
    let completed = truth.result == "completed";
    if let (Some(bytes), true) = (truth.transferred_bytes, completed) {
        let found = timeline.last(names::TRANSFERRED, &labels);
        let right = found.is_some_and(|found| (found / bytes as f64 - 1.0).abs() <= BYTES);
        let told = found.map_or("no series".into(), |found| format!("{found:.0}"));
        checks.extend(
            told_or_owed(side, found).then(|| Check::new(what("bytes"), bytes.to_string(), told, right)),
        );
    }
    checks.extend(link_bytes(scenario, truth, timeline, &labels, what("bytes on the link")));
    checks.extend(pause(scenario, truth, timeline.last(names::PAUSE, &labels), side, what("pause")));
    checks
}

/// The third count of the same bytes: what went over the link meanwhile, with headers, and nothing else where the
/// scenario has no other traffic. It is read every 100 ms, so the first and the last tenth may be missing.
fn link_bytes(
    scenario: &Scenario,
    truth: &Truth,
    timeline: &Timeline,
    labels: &[(&str, &str)],
    what: String,
) -> Option<Check> {
    let by = |who| {
        let mut labels = labels.to_vec();
        labels.push(("by", who));
        timeline.last(names::CARRIED, &labels)
    };
    let (sockets, link) = (by("sockets")?, by("link")?);
    let long = truth.total_time.is_some_and(|time| time >= 2.0);
    let alone = long && scenario.faults.is_empty() && scenario.count == 1 && scenario.path.router.is_none();
    let right = alone.then_some(0.8..1.1)?.contains(&(link / sockets));
    Some(Check::new(what, format!("80 to 110 % of {sockets:.0}"), format!("{link:.0}"), right))
}

/// The link: the device that the flow leaves by, or what lies beneath that.
fn link(scenario: &Scenario, timeline: &Timeline, labels: &[(&str, &str)], what: String) -> Check {
    let expected = scenario.link().name();
    let label = |name| timeline.label(names::INFO, labels, name);
    let (device, wire) = (label("device"), label(names::WIRE).filter(|wire| !wire.is_empty()));
    let right = wire.as_ref().or(device.as_ref()).is_some_and(|link| link == expected);
    let found = match (device, wire) {
        (Some(device), Some(wire)) if device != wire => format!("{device} over {wire}"),
        (Some(device), _) => device,
        (None, _) => "no series".into(),
    };
    Check::new(what, expected, found, right)
}

/// The pause, as QEMU measures it: until it has given its last bytes to the socket. The guest runs a little later, by
/// the destination's clock, and nobody tells the source when.
fn pause(scenario: &Scenario, truth: &Truth, found: Option<f64>, side: Side, what: String) -> Option<Check> {
    let real = truth.pause?;
    let measured = truth.downtime.unwrap_or(real);
    let tolerance = if scenario.watch.has_events() { PAUSE } else { PAUSE_WITHOUT_EVENTS };
    let owed = scenario.watch != Watch::Flow && told_or_owed(side, found);
    let told = found.map_or("no series".into(), |found| format!("{:.0} ms", found * 1e3));
    let expected = format!("{:.0} ms (until the guest ran: {:.0} ms)", measured * 1e3, real * 1e3);
    let is_right = found.is_some_and(|found| (found - measured).abs() <= tolerance);
    (owed || found.is_some()).then(|| Check::new(what, expected, told, is_right))
}

/// The source owes every number; the destination's must be right where it tells one.
fn told_or_owed(side: Side, found: Option<f64>) -> bool {
    side == Side::Source || found.is_some()
}

#[cfg(test)]
mod tests {
    use super::{exporters, Verdict};
    use crate::exporter::{Scrape, Timeline};
    use crate::exposition::parse;
    use crate::scenario::Scenario;
    use crate::truth::Truth;

    const SCENARIO: &str =
        "name: a\nvm: {memory: 64MiB, dirty: 8MiB}\nwatch: qmp\nexpect: {result: completed}\n";

    fn timeline(direction: &str, bytes: u32, pause: &str) -> Timeline {
        let labels = format!("vm=\"guest1\",direction=\"{direction}\"");
        let text = format!(
            "miglink_migration_info{{{labels},device=\"mig0\",uuid=\"a-1\"}} 1\n\
             miglink_migrations_total{{direction=\"{direction}\",result=\"completed\"}} 1\n\
             miglink_migration_transferred_bytes_total{{{labels}}} {bytes}\n\
             miglink_migration_guest_downtime_seconds{{{labels}}} {pause}\n"
        );
        let first = Scrape { at: 0.0, samples: Vec::new() };
        Timeline(vec![first, Scrape { at: 1.0, samples: parse(&text).unwrap() }])
    }

    fn judge(bytes: u32, pause: &str) -> Vec<String> {
        let truth = Truth {
            vm: "guest1".into(),
            result: "completed".into(),
            transferred_bytes: Some(100_000),
            pause: Some(0.3),
            ..Truth::default()
        };
        let timelines = [timeline("outgoing", bytes, pause), timeline("incoming", 100_000, "0.3")];
        let checks = exporters(&Scenario::parse(SCENARIO).unwrap(), &[truth], &timelines);
        assert!(checks.len() >= 8);
        checks.into_iter().filter(|check| check.verdict == Verdict::Failed).map(|check| check.what).collect()
    }

    #[test]
    fn numbers_are_held_to_their_tolerances() {
        assert!(judge(100_500, "0.35").is_empty());
        assert_eq!(judge(102_000, "0.35"), ["guest1 outgoing bytes"]);
        assert_eq!(judge(100_000, "0.40"), ["guest1 outgoing pause"]);
    }

    #[test]
    fn silence_is_a_failure() {
        let truth = Truth { vm: "guest1".into(), result: "completed".into(), ..Truth::default() };
        let silent = [Timeline::default(), Timeline::default()];
        let checks = exporters(&Scenario::parse(SCENARIO).unwrap(), &[truth], &silent);
        assert!(checks.iter().all(|check| check.verdict == Verdict::Failed), "{checks:?}");
    }
}

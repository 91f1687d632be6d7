//! Compares the causes that miglink found with those that the scenario makes.

use crate::check::{Check, Verdict};
use crate::exporter::{Scrape, Timeline};
use crate::exposition::Sample;
use crate::names;
use crate::scenario::expect::Causes;
use crate::scenario::Scenario;
use crate::truth::Truth;
use std::collections::BTreeMap;

/// A verdict may take two seconds; half of that is the time until a frame is scraped. So much of a stretch's beginning
/// is not held against it.
const SETTLES: f64 = 1.5;
/// Less than this was accounted: too short to judge.
const SHORT: f64 = 0.4;

/// A check for every stretch of every guest, at the source.
pub fn check(scenario: &Scenario, truths: &[Truth], source: &Timeline) -> Vec<Check> {
    let mut checks = Vec::new();
    for truth in truths {
        let (Some(begin), Some(end)) = (truth.active_at.or(truth.setup_at), truth.stop_at.or(truth.ended_at))
        else {
            continue;
        };
        for stretch in &scenario.expect.memory_copy {
            let from = stretch.from.map_or(begin, |span| begin + span.0.as_secs_f64()) + SETTLES;
            let until = stretch.until.map_or(end, |span| (begin + span.0.as_secs_f64()).min(end));
            // A frame is up to a second old when it is scraped; where the cause changes, the next one's time must not count.
            let late = if stretch.until.is_some() { 0.3 } else { 1.0 };
            let window = (from.min(until), until + late);
            checks.push(judge(truth, "memory_copy", &stretch.causes, source, window));
        }
        if let Some(Causes { causes }) = &scenario.expect.state_transfer {
            checks.push(judge(truth, "state_transfer", causes, source, (end, f64::MAX)));
        }
    }
    checks
}

fn judge(
    truth: &Truth,
    phase: &str,
    expected: &[String],
    source: &Timeline,
    (from, until): (f64, f64),
) -> Check {
    let at = |time: f64| source.0.iter().rev().find(|scrape| scrape.at <= time);
    let before = at(from).map(|scrape| seconds(scrape, &truth.vm, phase)).unwrap_or_default();
    let after = at(until).map(|scrape| seconds(scrape, &truth.vm, phase)).unwrap_or_default();
    let mut grown: Vec<(String, f64)> = after
        .into_iter()
        .map(|(cause, now)| (cause.clone(), now - before.get(&cause).unwrap_or(&0.0)))
        .collect();
    grown.sort_by(|a, b| b.1.total_cmp(&a.1));
    let sum: f64 = grown.iter().map(|(_, seconds)| seconds).sum();
    let told = grown.iter().filter(|(_, seconds)| *seconds > 0.05 * sum);
    let found: Vec<String> =
        told.map(|(cause, seconds)| format!("{cause} {:.0} %", seconds / sum * 100.0)).collect();
    let right = grown.first().is_some_and(|(cause, _)| expected.contains(cause));
    let verdict = match (sum > SHORT, right) {
        (false, _) => Verdict::NotJudged,
        (true, true) => Verdict::Ok,
        (true, false) => Verdict::Failed,
    };
    let found = if sum > SHORT { found.join(", ") } else { "too short to judge".into() };
    let what = format!("{} {phase} limited by", truth.vm);
    Check { what, expected: expected.join(" or "), found, verdict }
}

/// Seconds by cause in a scrape.
fn seconds(scrape: &Scrape, vm: &str, phase: &str) -> BTreeMap<String, f64> {
    let wanted = [("vm", vm), ("direction", "outgoing"), ("phase", phase)];
    let own = scrape.samples.iter().filter(|sample| {
        sample.name == names::LIMITED
            && wanted.iter().all(|(name, value)| label(sample, name) == Some(*value))
    });
    own.filter_map(|sample| Some((label(sample, "cause")?.to_owned(), sample.value))).collect()
}

fn label<'a>(sample: &'a Sample, name: &str) -> Option<&'a str> {
    sample.labels.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

//! What miglink said of one run, stretch by stretch: read from its counters of seconds by cause, beside the truth.
//!
//! Its frames are at most a second apart, so that is the resolution of its counters. A counter belongs to the time of its
//! frame, not of the scrape; between two frames it is taken to have grown evenly.

use crate::exporter::{Scrape, Timeline};
use crate::exposition::Selector;
use crate::names;
use crate::scenario::expect::Stretch;
use serde::Serialize;
use std::collections::BTreeMap;

/// What miglink calls what it cannot prove.
pub const UNKNOWN: &str = "unknown";
/// A leading cause that stands for less than this is no alarm (seconds). A frame's pace may be 50 ms short of a second.
const HELD: f64 = 0.95;
/// A stretch that turned out shorter than this (seconds) is not judged: miglink looks at windows of a second.
const SHORTEST: f64 = 1.5;

/// One stretch of a run. Times are seconds after the copy of memory began.
#[derive(Debug, Clone, Serialize)]
pub struct Judged {
    /// Its beginning.
    pub from: f64,
    /// Its end.
    pub until: f64,
    /// What was real, the one that was made first.
    pub truth: Vec<String>,
    /// Seconds by cause that miglink accounted in it.
    pub found: BTreeMap<String, f64>,
    /// Bytes a second that the hypervisor said it sent: shows whether the world was what the truth says.
    pub rate: Option<f64>,
    /// The cause with most seconds; none if nothing was accounted.
    pub leading: Option<String>,
    /// From its beginning until a scrape named a true cause as the leading one, in seconds; none if that never came, or if
    /// the same cause was real before.
    pub verdict_after: Option<f64>,
    /// Whether another cause, or none, was real before: only then `verdict_after` can be told.
    pub is_onset: bool,
}

/// A cause that led and was not real.
#[derive(Debug, Clone, Serialize)]
pub struct Alarm {
    /// Which.
    pub cause: String,
    /// When its first frame was made, in seconds after the copy of memory began.
    pub at: f64,
    /// Until a frame named another, or the end, in seconds.
    pub held: f64,
}

/// All of a run.
#[derive(Debug, Clone, Serialize, Default)]
pub struct Found {
    /// Seconds that memory was copied.
    pub length: f64,
    /// Its stretches, without those that were too short.
    pub stretches: Vec<Judged>,
    /// How many were too short.
    pub too_short: usize,
    /// The share of the link that others took while they were there, as the lab measured it.
    pub others: Option<f64>,
    /// Leading causes that nothing had made real at any time of the run, held for a second or longer.
    pub alarms: Vec<Alarm>,
}

/// One frame.
#[derive(Debug, Clone)]
struct Point {
    /// When it was made.
    made: f64,
    /// When it was first scraped.
    scraped: f64,
    seconds: BTreeMap<String, f64>,
    leading: Option<String>,
    bytes: Option<f64>,
}

/// Reads it out of the source's scrapes. `begin` and `end` are those of the copy of memory, in seconds since 1970.
pub fn read(stretches: &[Stretch], vm: &str, (begin, end): (f64, f64), source: &Timeline) -> Found {
    let points = points(vm, source);
    let mut found = Found { length: end - begin, ..Found::default() };
    let mut before: &[String] = &[];
    for stretch in stretches {
        let at = |span: Option<crate::units::Span>, other: f64| {
            span.map_or(other, |span| (begin + span.0.as_secs_f64()).min(end))
        };
        let (from, until) = (at(stretch.from, begin), at(stretch.until, end));
        let is_onset = !stretch.causes.iter().any(|cause| before.contains(cause));
        before = &stretch.causes;
        if until - from < SHORTEST {
            found.too_short += 1;
            continue;
        }
        found.stretches.push(judge(stretch, &points, begin, (from, until), is_onset));
    }
    found.alarms = alarms(stretches, &points, (begin, end));
    found
}

fn judge(
    stretch: &Stretch,
    points: &[Point],
    begin: f64,
    (from, until): (f64, f64),
    is_onset: bool,
) -> Judged {
    let (before, after) = (seconds_at(points, begin, from), seconds_at(points, begin, until));
    let grown = after.into_iter().map(|(cause, now)| {
        let seconds = now - before.get(&cause).unwrap_or(&0.0);
        (cause, seconds)
    });
    let found: BTreeMap<String, f64> = grown.filter(|(_, seconds)| *seconds > 0.001).collect();
    let leading = found.iter().max_by(|a, b| a.1.total_cmp(b.1)).map(|(cause, _)| cause.clone());
    let names_it = |point: &&Point| {
        (from..=until + 1.0).contains(&point.scraped)
            && point.leading.as_ref().is_some_and(|cause| stretch.causes.contains(cause))
    };
    let verdict_after = points.iter().find(names_it).map(|point| point.scraped - from);
    Judged {
        from: from - begin,
        until: until - begin,
        truth: stretch.causes.clone(),
        found,
        rate: rate(points, from, until),
        leading,
        verdict_after: verdict_after.filter(|_| is_onset),
        is_onset,
    }
}

/// Each frame once, as it was first scraped.
fn points(vm: &str, source: &Timeline) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::new();
    for scrape in &source.0 {
        let made = Selector::new(names::FRAME, &[]).sum(&scrape.samples).unwrap_or(scrape.at);
        if points.last().is_none_or(|last| last.made < made) {
            points.push(Point {
                made,
                scraped: scrape.at,
                seconds: seconds(scrape, vm),
                leading: leading(scrape, vm),
                bytes: Selector::new(names::TRANSFERRED, &[("vm", vm), ("direction", "outgoing")])
                    .sum(&scrape.samples),
            });
        }
    }
    points
}

fn seconds(scrape: &Scrape, vm: &str) -> BTreeMap<String, f64> {
    let labels = [("vm", vm), ("direction", "outgoing"), ("phase", "memory_copy")];
    let own = Selector::new(names::LIMITED, &labels);
    let samples = scrape.samples.iter().filter(|sample| own.matches(sample));
    samples.map(|sample| (sample.label("cause").to_owned(), sample.value)).collect()
}

fn leading(scrape: &Scrape, vm: &str) -> Option<String> {
    let own = Selector::new(names::LEADING, &[("vm", vm), ("direction", "outgoing")]);
    let mut now = scrape.samples.iter().filter(|sample| own.matches(sample) && sample.value > 0.5);
    now.next().map(|sample| sample.label("cause").to_owned())
}

/// Seconds by cause at a time; zero when the copy begins.
fn seconds_at(points: &[Point], begin: f64, at: f64) -> BTreeMap<String, f64> {
    let none = BTreeMap::new();
    let (mut left, mut right) = ((begin, &none), None);
    for point in points.iter().filter(|point| point.made > begin) {
        if point.made > at {
            right = Some((point.made, &point.seconds));
            break;
        }
        // An ended migration's series go some time; what was said stays said.
        if !point.seconds.is_empty() {
            left = (point.made, &point.seconds);
        }
    }
    let Some(right) = right.filter(|(_, seconds)| !seconds.is_empty()) else { return left.1.clone() };
    let part = (at - left.0) / (right.0 - left.0);
    let between = right.1.iter().map(|(cause, now)| {
        let before = left.1.get(cause).copied().unwrap_or(0.0);
        (cause.clone(), before + (now - before) * part)
    });
    between.collect()
}

/// Between the first and the last frame of a stretch.
fn rate(points: &[Point], from: f64, until: f64) -> Option<f64> {
    let told = points.iter().filter(|point| (from..=until).contains(&point.made));
    let told: Vec<(f64, f64)> = told.filter_map(|point| Some((point.made, point.bytes?))).collect();
    let ((start, first), (end, last)) = (told.first()?, told.last()?);
    (end > start).then(|| (last - first) / (end - start))
}

fn alarms(stretches: &[Stretch], points: &[Point], (begin, end): (f64, f64)) -> Vec<Alarm> {
    let is_wrong =
        |cause: &String| cause != UNKNOWN && !stretches.iter().any(|stretch| stretch.causes.contains(cause));
    let mut alarms = Vec::new();
    let mut now: Option<(String, f64)> = None;
    for point in points.iter().filter(|point| point.made > begin && point.made < end) {
        if now.as_ref().map(|(cause, _)| cause) == point.leading.as_ref() {
            continue;
        }
        let next = point.leading.clone().map(|cause| (cause, point.made));
        alarms.extend(std::mem::replace(&mut now, next).map(|(cause, since)| (cause, since, point.made)));
    }
    alarms.extend(now.map(|(cause, since)| (cause, since, end)));
    let held = alarms.into_iter().map(|(cause, since, until)| Alarm {
        cause,
        at: since - begin,
        held: until - since,
    });
    held.filter(|alarm| is_wrong(&alarm.cause) && alarm.held >= HELD).collect()
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::exporter::{Scrape, Timeline};
    use crate::exposition::parse;
    use crate::scenario::expect::Stretch;
    use crate::units::Span;
    use std::time::Duration;

    /// Frames a second apart: seconds of `a` and `b`, and the leading cause.
    fn timeline(frames: &[(f64, f64, &str)]) -> Timeline {
        let scrape = |(second, (a, b, leading)): (usize, &(f64, f64, &str))| {
            let labels = "vm=\"g\",direction=\"outgoing\"";
            let limited = |cause: &str, value: f64| {
                format!("miglink_migration_limited_seconds_total{{{labels},phase=\"memory_copy\",cause=\"{cause}\"}} {value}\n")
            };
            let leads = format!("miglink_migration_leading_cause{{{labels},cause=\"{leading}\"}} 1\n");
            let made = format!("miglink_frame_timestamp_seconds {}\n", 100 + second);
            let text = [limited("a", *a), limited("b", *b), leads, made].concat();
            // Two scrapes a frame.
            [0.1, 0.6].map(|late| Scrape { at: 100.0 + second as f64 + late, samples: parse(&text).unwrap() })
        };
        Timeline(frames.iter().enumerate().flat_map(scrape).collect())
    }

    fn stretch(from: u64, until: u64, causes: &[&str]) -> Stretch {
        let span = |seconds| Some(Span(Duration::from_secs(seconds)));
        Stretch {
            from: span(from),
            until: span(until),
            causes: causes.iter().map(|cause| (*cause).to_owned()).collect(),
        }
    }

    #[test]
    fn each_stretch_has_its_own_seconds_and_its_own_delay() {
        let source = timeline(&[
            (0.0, 0.0, "unknown"),
            (1.0, 0.0, "a"),
            (2.0, 0.0, "a"),
            (2.5, 0.5, "a"),
            (2.5, 1.5, "b"),
            (2.5, 2.5, "b"),
        ]);
        let truth = [stretch(0, 2, &["a"]), stretch(2, 5, &["b"])];
        let found = read(&truth, "g", (100.0, 105.0), &source);
        let [first, second] = &found.stretches[..] else { panic!("{found:?}") };
        assert_eq!(first.leading.as_deref(), Some("a"));
        assert!((first.found["a"] - 2.0).abs() < 1e-9 && !first.found.contains_key("b"));
        assert_eq!(second.leading.as_deref(), Some("b"));
        assert!((second.found["b"] - 2.5).abs() < 1e-9 && (second.found["a"] - 0.5).abs() < 1e-9);
        // Its frame was made at 104, and scraped a tenth later.
        assert!((second.verdict_after.unwrap() - 2.1).abs() < 1e-6, "{second:?}");
        assert!(found.alarms.is_empty());
    }

    #[test]
    fn between_two_frames_a_counter_grows_evenly() {
        let source = timeline(&[(0.0, 0.0, "a"), (1.0, 0.0, "a"), (1.0, 1.0, "b"), (1.0, 2.0, "b")]);
        let from = Stretch { from: Some(Span(Duration::from_millis(1500))), ..stretch(0, 3, &["b"]) };
        let found = read(&[from], "g", (100.0, 103.0), &source);
        assert!((found.stretches[0].found["b"] - 1.5).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn a_wrong_cause_is_an_alarm_when_it_stands_for_a_second() {
        let source = timeline(&[(0.0, 0.0, "a"), (0.0, 1.0, "b"), (1.0, 1.0, "a"), (1.0, 1.0, "unknown")]);
        let found = read(&[stretch(0, 4, &["a"])], "g", (99.5, 104.0), &source);
        let [alarm] = &found.alarms[..] else { panic!("{found:?}") };
        assert_eq!(alarm.cause, "b");
        assert!((alarm.at - 1.5).abs() < 1e-6 && (alarm.held - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_stretch_that_came_out_short_is_not_judged() {
        let found =
            read(&[stretch(0, 2, &["a"]), stretch(2, 9, &["b"])], "g", (100.0, 103.0), &timeline(&[]));
        assert_eq!((found.stretches.len(), found.too_short), (1, 1));
        assert_eq!(found.stretches[0].leading, None, "silence is no verdict");
    }
}

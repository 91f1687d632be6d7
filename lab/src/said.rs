//! What miglink said of one guest's migration on one host, kept beside the truth for people and machines to compare.

use crate::exporter::Timeline;
use crate::exposition::{Sample, Selector};
use crate::names;
use crate::scenario::fault::Side;
use crate::truth::Truth;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// One guest on one host. What was never said is `None` or empty.
#[derive(Debug, Clone, Serialize)]
pub struct Said {
    /// The guest's name.
    pub vm: String,
    /// `outgoing` or `incoming`.
    pub direction: &'static str,
    /// Labels of the migration's description, as they were last.
    pub info: BTreeMap<String, String>,
    /// When the first series of it was seen, in seconds since 1970.
    pub first_seen: Option<f64>,
    /// Its bytes.
    pub transferred_bytes: Option<f64>,
    /// Its pause, in seconds.
    pub pause: Option<f64>,
    /// All pauses of this direction on this host.
    pub pause_sum: Option<f64>,
    /// Seconds in each phase.
    pub phases: BTreeMap<String, f64>,
}

impl Said {
    /// Reads it out of a host's scrapes.
    pub fn of(truth: &Truth, side: Side, timeline: &Timeline) -> Self {
        let direction = side.direction();
        let labels = [("vm", truth.vm.as_str()), ("direction", direction)];
        let info = Selector::new(names::INFO, &labels);
        let seen =
            |wanted: &Selector| timeline.0.iter().find(|s| s.samples.iter().any(|s| wanted.matches(s)));
        Self {
            vm: truth.vm.clone(),
            direction,
            info: newest(timeline, &info)
                .into_iter()
                .flat_map(|sample| sample.labels.iter().cloned())
                .collect(),
            first_seen: seen(&info).map(|scrape| scrape.at),
            transferred_bytes: timeline.last(names::TRANSFERRED, &labels),
            pause: timeline.last(names::PAUSE, &labels),
            pause_sum: timeline.last(names::PAUSE_SUM, &[("direction", direction)]),
            phases: phases(timeline, &labels),
        }
    }

    /// One line, with the truth of the phases that it names; `None` if nothing was said.
    pub fn line(&self, truth: &Truth) -> Option<String> {
        let first = self.first_seen?;
        let mut line = format!("miglink, {}:", self.direction);
        let late = truth.setup_at.map_or(0.0, |start| first - start);
        write!(line, " seen after {late:.1} s").ok();
        for (phase, seconds) in &self.phases {
            write!(line, ", {phase} {seconds:.2} s").ok();
            if let Some(real) = truth.phase(phase) {
                write!(line, " (was {real:.2} s)").ok();
            }
        }
        Some(line)
    }
}

fn newest<'a>(timeline: &'a Timeline, selector: &Selector) -> Option<&'a Sample> {
    timeline.0.iter().rev().find_map(|scrape| scrape.samples.iter().find(|sample| selector.matches(sample)))
}

/// The last scrape that has phases tells them all.
fn phases(timeline: &Timeline, labels: &[(&str, &str)]) -> BTreeMap<String, f64> {
    let selector = Selector::new(names::PHASE_SECONDS, labels);
    let has = |samples: &[Sample]| samples.iter().any(|sample| selector.matches(sample));
    let last = timeline.0.iter().rev().find(|scrape| has(&scrape.samples));
    let samples =
        last.into_iter().flat_map(|scrape| &scrape.samples).filter(|sample| selector.matches(sample));
    samples.map(|sample| (sample.label("phase").to_owned(), sample.value)).collect()
}

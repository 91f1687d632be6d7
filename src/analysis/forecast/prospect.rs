//! What is to be expected of one guest over one link: time, pause, their range, what it would need, what would help.

use super::capacity::{self, Capacity};
use super::model::{self, Forecast, Position};
use super::needs::{self, Needs};
use super::question::Question;
use super::way::{UNSURE, UNSURE_PAUSE};
use super::what_if::{self, Row};
use crate::sample::footing::Footing;

/// One link's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Prospect {
    /// The link; none for a way that is given.
    pub device: Option<String>,
    /// What it gives.
    pub capacity: Capacity,
    /// What it takes; none if the capacity is not known.
    pub expected: Option<Expected>,
    /// What would save time, the most first.
    pub what_if: Vec<Row>,
}

/// A forecast and its range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// As a rule.
    pub usual: Forecast,
    /// The shortest of each: others send as they mostly do, and the model's steps fall well.
    pub best: Times,
    /// The longest of each: others send much, and the model's steps fall badly.
    pub worst: Times,
    /// What would make it converge.
    pub needs: Needs,
}

/// Seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Times {
    /// From its start to its end; infinite if it never ends.
    pub total: f64,
    /// Memory copy.
    pub copy: f64,
    /// The guest stands still.
    pub pause: f64,
}

impl Times {
    fn of(forecast: &Forecast) -> Self {
        Self { total: forecast.total(), copy: forecast.copy, pause: forecast.pause }
    }

    /// With a pause longer by so many seconds, but no shorter than nothing.
    fn paused(self, seconds: f64) -> Self {
        Self { pause: (self.pause + seconds).max(0.0), ..self }
    }

    fn fold(self, other: Self, choose: fn(f64, f64) -> f64) -> Self {
        Self {
            total: choose(self.total, other.total),
            copy: choose(self.copy, other.copy),
            pause: choose(self.pause, other.pause),
        }
    }
}

/// Where the rest falls below the threshold within a step: anywhere, so these are the tenth and the ninetieth percentile. Were
/// it at the very start of every step, no guest that writes anything would ever end.
const OVERSHOOT: [f64; 2] = [0.1, 0.9];

/// The answer for a link, or for a way that is given.
pub fn of(link: Option<&Footing>, question: &Question) -> Prospect {
    let capacity = capacity::of(link, question.bandwidth, question.cap, question.traffic);
    let expected = capacity.link.map(|rates| expect(question, rates));
    let what_if = expected.map_or(Vec::new(), |expected| what_if::of(link, question, &capacity, &expected));
    Prospect { device: link.map(|link| link.device.to_string()), capacity, expected, what_if }
}

/// What is expected at these rates of the link: while others send much, and as they mostly do.
pub fn expect(question: &Question, [busy, usual]: [f64; 2]) -> Expected {
    let Question { workload, conduct, .. } = question;
    let way = question.way(usual);
    let middle = model::before(workload, &way, conduct);
    let at = |rate: f64, times: f64, overshoot: f64| {
        let start = Position { remaining: workload.memory, since: 0.0, first: true, throttle: 0.0 };
        let forecast = model::from(start, workload, &question.way(rate).faster(times), conduct, overshoot);
        Times::of(&Forecast { copy: forecast.copy + conduct.setup, ..forecast })
    };
    let ends = [(busy, 1.0 - UNSURE), (usual, 1.0 + UNSURE)];
    let corners = ends.map(|(rate, times)| OVERSHOOT.map(|part| at(rate, times, part)));
    let fold = |choose| corners.iter().flatten().fold(Times::of(&middle), |all, one| all.fold(*one, choose));
    Expected {
        usual: middle,
        best: fold(f64::min).paused(-UNSURE_PAUSE),
        worst: fold(f64::max).paused(UNSURE_PAUSE),
        needs: needs::of(workload, &way, conduct),
    }
}

/// The best link first: those that end soonest, then those that never end, then those of which nothing is known.
pub fn rank(list: &mut [Prospect]) {
    let total = |prospect: &Prospect| prospect.expected.map_or(f64::INFINITY, |is| is.usual.total());
    let rate = |prospect: &Prospect| prospect.capacity.value().unwrap_or(0.0);
    list.sort_by(|a, b| {
        let by_time = total(a).total_cmp(&total(b));
        by_time.then_with(|| rate(b).total_cmp(&rate(a))).then_with(|| a.device.cmp(&b.device))
    });
}

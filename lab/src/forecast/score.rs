//! Compares what was said with what happened.

use super::measured::Measured;
use super::predict::Prediction;
use super::run::Run;
use super::said::Said;
use crate::accuracy::count::{quantile, share};
use serde::Serialize;

/// A forecast that is older than this when its turn comes counts as none, in seconds.
const STALE: f64 = 2.0;

/// When a forecast was made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// Before, with the pace that the guest turned out to have.
    Informed,
    /// Before, with the pace that it had in the second before.
    Before,
    /// When this part of the whole time had passed.
    At(f64),
}

/// Where forecasts are judged.
pub const STAGES: [(&str, When); 5] = [
    ("before", When::Informed),
    ("before, pace as measured then", When::Before),
    ("25 %", When::At(0.25)),
    ("50 %", When::At(0.5)),
    ("75 %", When::At(0.75)),
];
/// Which runs: all, those of which miglink was told the guest, those of which it was not.
pub const HALVES: [(&str, Option<bool>); 3] =
    [("all", None), ("with profile", Some(true)), ("without", Some(false))];

/// All of it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Score {
    /// Runs that ended by themselves.
    pub completed: usize,
    /// Runs that were called off.
    pub called_off: usize,
    /// Runs in which the lab broke.
    pub broken: usize,
    /// By stage and half.
    pub errors: Vec<Errors>,
    /// By half.
    pub endings: Vec<Endings>,
}

/// How far forecasts were off, of the runs that ended by themselves.
#[derive(Debug, Clone, Serialize)]
pub struct Errors {
    /// When they were made.
    pub stage: &'static str,
    /// Of which runs.
    pub half: &'static str,
    /// How many runs.
    pub runs: usize,
    /// How many had a forecast of the whole time.
    pub said: usize,
    /// Relative error of the whole time.
    pub total_median: Option<f64>,
    /// The same of which nine tenths are better.
    pub total_p90: Option<f64>,
    /// Share of whole times that lie between the forecast's tenth and ninetieth percentiles.
    pub total_within: Option<f64>,
    /// Error of the pause, seconds.
    pub pause_median: Option<f64>,
    /// The same of which nine tenths are better.
    pub pause_p90: Option<f64>,
    /// Share of pauses that lie between the forecast's tenth and ninetieth percentiles.
    pub pause_within: Option<f64>,
    /// Runs, ended or called off, whose end or endlessness was forecast.
    pub converging_said: usize,
    /// Rightly.
    pub converging_right: usize,
}

/// Whether ends and endlessness were told, at any time of a run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Endings {
    /// Of which runs.
    pub half: &'static str,
    /// Runs that ended by themselves and were called hopeless at some time.
    pub wrongly_hopeless: Vec<String>,
    /// Runs that never ended.
    pub endless: usize,
    /// Of these, said so in flight.
    pub told: usize,
    /// When, in seconds: the median.
    pub told_after: Option<f64>,
    /// Of these, called converging at some time in flight.
    pub wrongly_hopeful: Vec<String>,
}

/// One forecast.
#[derive(Debug, Clone, Copy, Default)]
struct Forecast {
    total: Option<f64>,
    total_range: Option<(f64, f64)>,
    pause: Option<f64>,
    pause_range: Option<(f64, f64)>,
    converging: Option<bool>,
}

/// Counts.
pub fn score(runs: &[Run]) -> Score {
    let results = || runs.iter().filter_map(|run| run.measured.as_ref());
    let completed = results().filter(|measured| measured.completed()).count();
    let mut score = Score {
        completed,
        called_off: results().count() - completed,
        broken: runs.len() - results().count(),
        ..Score::default()
    };
    for half in HALVES {
        let of: Vec<(&Run, &Measured)> = runs
            .iter()
            .filter(|run| half.1.is_none_or(|has| run.has_profile == has))
            .filter_map(|run| Some((run, run.measured.as_ref()?)))
            .collect();
        for stage in STAGES {
            score.errors.push(errors(stage, half.0, &of));
        }
        score.endings.push(endings(half.0, &of));
    }
    score
}

fn errors((stage, when): (&'static str, When), half: &'static str, runs: &[(&Run, &Measured)]) -> Errors {
    let all: Vec<(Forecast, &Measured)> =
        runs.iter().map(|(run, measured)| (at_stage(run, measured, when), *measured)).collect();
    let ended: Vec<_> = all.iter().filter(|(_, measured)| measured.completed()).collect();
    let totals: Vec<f64> =
        ended.iter().filter_map(|(said, was)| Some((said.total? / was.total - 1.0).abs())).collect();
    let pauses: Vec<f64> =
        ended.iter().filter_map(|(said, was)| Some((said.pause? - was.pause?).abs())).collect();
    let inside = |range: Option<(f64, f64)>, value: Option<f64>| {
        range.zip(value).map(|((low, high), value)| (low..=high).contains(&value))
    };
    let within = |found: Vec<bool>| share(found.iter().filter(|is| **is).count(), found.len());
    let told = all.iter().filter_map(|(said, was)| Some(said.converging? == was.completed()));
    let told: Vec<bool> = told.collect();
    Errors {
        stage,
        half,
        runs: ended.len(),
        said: totals.len(),
        total_median: quantile(&totals, 0.5),
        total_p90: quantile(&totals, 0.9),
        total_within: within(
            ended.iter().filter_map(|(s, was)| inside(s.total_range, Some(was.total))).collect(),
        ),
        pause_median: quantile(&pauses, 0.5),
        pause_p90: quantile(&pauses, 0.9),
        pause_within: within(ended.iter().filter_map(|(s, was)| inside(s.pause_range, was.pause)).collect()),
        converging_said: told.len(),
        converging_right: told.iter().filter(|right| **right).count(),
    }
}

/// What was said before, or last when a part of the whole time had passed. Migrations that were called off have no whole
/// time; theirs is that until then.
fn at_stage(run: &Run, measured: &Measured, when: When) -> Forecast {
    let part = match when {
        When::Informed => return before(run.informed.as_ref()),
        When::Before => return before(run.before.as_ref()),
        When::At(part) => part,
    };
    let time = part * measured.total;
    let fresh = |said: &&Said| (time - STALE..=time).contains(&said.at);
    let Some(said) = run.said.iter().rev().find(fresh) else { return Forecast::default() };
    let later = |remaining: Option<f64>| remaining.map(|remaining| said.at + remaining);
    Forecast {
        total: later(said.remaining.middle),
        total_range: later(said.remaining.p10).zip(later(said.remaining.p90)),
        pause: said.pause.middle,
        pause_range: said.pause.p10.zip(said.pause.p90),
        converging: said.converging,
    }
}

fn before(said: Option<&Prediction>) -> Forecast {
    let Some(said) = said else { return Forecast::default() };
    Forecast {
        total: said.total.middle,
        total_range: said.total.p10.zip(said.total.p90),
        pause: said.pause.middle,
        pause_range: said.pause.p10.zip(said.pause.p90),
        converging: said.converges,
    }
}

fn endings(half: &'static str, runs: &[(&Run, &Measured)]) -> Endings {
    let mut endings = Endings { half, ..Endings::default() };
    let mut after = Vec::new();
    for (run, measured) in runs {
        let first = |wanted: bool| run.said.iter().find(|said| said.converging == Some(wanted));
        if measured.completed() {
            endings.wrongly_hopeless.extend(first(false).map(|_| run.id.clone()));
            continue;
        }
        endings.endless += 1;
        after.extend(first(false).map(|said| said.at));
        endings.wrongly_hopeful.extend(first(true).map(|_| run.id.clone()));
    }
    (endings.told, endings.told_after) = (after.len(), quantile(&after, 0.5));
    endings
}

//! How often miglink was right, counted over runs.

use super::count::{interval, quantile, share};
use super::families::HEALTHY;
use super::found::{Found, Judged, UNKNOWN};
use serde::Serialize;
use std::collections::BTreeMap;

/// One variant and what came out.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// Its family.
    pub family: String,
    /// Its number in the family.
    pub number: u32,
    /// What it was made of.
    pub seed: u64,
    /// What is special about it.
    pub summary: String,
    /// How often it was run: more than once where the lab itself broke.
    pub tries: u32,
    /// How long all of it took, in seconds.
    pub took: f64,
    /// Programs that were ready to run on this machine in the last minute (load average), at its end.
    pub load: Option<f64>,
    /// What miglink said; none if the lab broke each time.
    pub found: Option<Found>,
    /// Why not.
    pub error: Option<String>,
}

/// One cause.
#[derive(Debug, Clone, Serialize, Default, PartialEq)]
pub struct OfCause {
    /// Stretches in which it was what was made.
    pub stretches: usize,
    /// Those of them whose leading cause was a true one.
    pub right: usize,
    /// Stretches, healthy ones too, in which miglink had it leading.
    pub named: usize,
    /// Those of them in which it was true.
    pub named_rightly: usize,
    /// `named_rightly` of `named`.
    pub precision: Option<f64>,
    /// `right` of `stretches`.
    pub recall: Option<f64>,
    /// Onsets of it.
    pub onsets: usize,
    /// Seconds from onset to verdict, where one came.
    pub verdicts: Vec<f64>,
    /// Their median.
    pub verdict_median: Option<f64>,
    /// Their 95th percentile.
    pub verdict_p95: Option<f64>,
    /// Seconds in which it alone was real.
    pub real_seconds: f64,
    /// Seconds that miglink accounted to it in these.
    pub seconds_in: f64,
    /// Seconds that miglink accounted to it where it was not real.
    pub seconds_outside: f64,
}

/// Runs in which nothing was wrong.
#[derive(Debug, Clone, Serialize, Default, PartialEq)]
pub struct Quiet {
    /// How many.
    pub runs: usize,
    /// Their time of copying memory, in hours.
    pub hours: f64,
    /// Wrong causes that led for a second or longer.
    pub alarms: usize,
    /// Runs that had any.
    pub runs_with_alarms: usize,
    /// Alarms in an hour of copying.
    pub alarms_per_hour: Option<f64>,
}

/// All of it.
#[derive(Debug, Clone, Serialize, Default, PartialEq)]
pub struct Score {
    /// Runs that came to an end.
    pub runs: usize,
    /// Runs in which the lab broke each time; they are in no other number.
    pub broken: usize,
    /// Runs that had to be made again, once or more, because the lab broke.
    pub made_again: usize,
    /// Stretches that came out too short to judge.
    pub too_short: usize,
    /// Stretches with a fault.
    pub stretches: usize,
    /// Those whose leading cause was a true one.
    pub right: usize,
    /// `right` of `stretches`.
    pub accuracy: Option<f64>,
    /// Between which values that lies with 95 %.
    pub accuracy_interval: Option<(f64, f64)>,
    /// The mean of all causes' recalls: links that are full before and after a fault make many easy stretches of one cause,
    /// which count for no more than the others here.
    pub balanced: Option<f64>,
    /// Causes that led for a second or longer and that nothing made real at any time of the run, in all runs.
    pub alarms: usize,
    /// The time of copying memory of all runs, in hours.
    pub hours: f64,
    /// Stretches by truth, then by leading cause. Healthy ones stand under `healthy`.
    pub matrix: BTreeMap<String, BTreeMap<String, usize>>,
    /// By cause.
    pub causes: BTreeMap<String, OfCause>,
    /// Where nothing was wrong.
    pub healthy: Quiet,
}

/// The column of a stretch in which miglink accounted nothing.
pub const NOTHING: &str = "(nothing)";

impl Run {
    /// As `--rerun` takes it.
    pub fn id(&self) -> String {
        format!("{}:{}", self.family, self.number)
    }

    /// Whether every stretch was right; none if it was not judged.
    pub fn is_right(&self) -> Option<bool> {
        let found = self.found.as_ref().filter(|found| !found.stretches.is_empty())?;
        if self.family.starts_with(HEALTHY) {
            return Some(found.alarms.is_empty());
        }
        Some(found.stretches.iter().all(is_right))
    }
}

/// Whether a stretch's leading cause was a true one.
pub fn is_right(stretch: &Judged) -> bool {
    stretch.leading.as_ref().is_some_and(|leading| stretch.truth.contains(leading))
}

/// Counts.
pub fn score(runs: &[Run]) -> Score {
    let mut score = Score { made_again: runs.iter().filter(|run| run.tries > 1).count(), ..Score::default() };
    for run in runs {
        let Some(found) = &run.found else {
            score.broken += 1;
            continue;
        };
        score.runs += 1;
        score.too_short += found.too_short;
        score.alarms += found.alarms.len();
        score.hours += found.length / 3600.0;
        let healthy = run.family.starts_with(HEALTHY);
        if healthy {
            score.healthy.note(found);
        }
        found.stretches.iter().for_each(|stretch| score.note(stretch, healthy));
    }
    score.finish();
    score
}

impl Quiet {
    fn note(&mut self, found: &Found) {
        self.runs += 1;
        self.hours += found.length / 3600.0;
        self.alarms += found.alarms.len();
        self.runs_with_alarms += usize::from(!found.alarms.is_empty());
        self.alarms_per_hour = (self.hours > 0.0).then(|| self.alarms as f64 / self.hours);
    }
}

impl Score {
    fn note(&mut self, stretch: &Judged, healthy: bool) {
        let leading = stretch.leading.as_deref().unwrap_or(NOTHING);
        let row = if healthy { HEALTHY.to_owned() } else { stretch.truth.join(" or ") };
        *self.matrix.entry(row).or_default().entry(leading.to_owned()).or_default() += 1;
        let right = is_right(stretch);
        let named = self.causes.entry(leading.to_owned()).or_default();
        named.named += 1;
        named.named_rightly += usize::from(right);
        for (cause, seconds) in stretch.found.iter().filter(|(cause, _)| !stretch.truth.contains(cause)) {
            self.causes.entry(cause.clone()).or_default().seconds_outside += seconds;
        }
        if healthy {
            return;
        }
        self.stretches += 1;
        self.right += usize::from(right);
        let Some(made) = stretch.truth.first() else { return };
        let of = self.causes.entry(made.clone()).or_default();
        of.stretches += 1;
        of.right += usize::from(right);
        of.onsets += usize::from(stretch.is_onset);
        of.verdicts.extend(stretch.verdict_after);
        if stretch.truth.len() == 1 {
            of.real_seconds += stretch.until - stretch.from;
            of.seconds_in += stretch.found.get(made).copied().unwrap_or_default();
        }
    }

    fn finish(&mut self) {
        self.accuracy = share(self.right, self.stretches);
        self.accuracy_interval = interval(self.right, self.stretches);
        // Neither is a cause that could be right; the matrix has them.
        self.causes.retain(|cause, _| cause != NOTHING && cause != UNKNOWN);
        for of in self.causes.values_mut() {
            of.precision = share(of.named_rightly, of.named);
            of.recall = share(of.right, of.stretches);
            of.verdict_median = quantile(&of.verdicts, 0.5);
            of.verdict_p95 = quantile(&of.verdicts, 0.95);
        }
        let recalls: Vec<f64> = self.causes.values().filter_map(|of| of.recall).collect();
        self.balanced = (!recalls.is_empty()).then(|| recalls.iter().sum::<f64>() / recalls.len() as f64);
    }

    /// All delays of verdicts.
    pub fn verdicts(&self) -> Vec<f64> {
        self.causes.values().flat_map(|of| of.verdicts.iter().copied()).collect()
    }

    /// All onsets.
    pub fn onsets(&self) -> usize {
        self.causes.values().map(|of| of.onsets).sum()
    }
}

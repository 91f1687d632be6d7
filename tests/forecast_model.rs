//! The model of migrations against real ones that were recorded (tests/data/forecast): a change that makes it worse fails.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use miglink::analysis::forecast::model::{before, Forecast};
use miglink::analysis::forecast::way::{Conduct, Way};
use miglink::analysis::forecast::workload::{Dirtying, Pattern, Workload};
use std::fs;
use std::path::Path;

/// A line of what `cargo xtask forecast --record` writes, as far as the model needs it.
#[derive(Debug, serde::Deserialize)]
struct Recorded {
    id: String,
    seed: u64,
    memory: f64,
    zero_share: f64,
    working_set: f64,
    pattern: String,
    dirty_rate_before: f64,
    dirty_rate: f64,
    link_rate: f64,
    others_rate: f64,
    cap: Option<f64>,
    downtime_limit: f64,
    result: String,
    total: f64,
    pause: Option<f64>,
    qemu: Qemu,
}

#[derive(Debug, serde::Deserialize)]
struct Qemu {
    precopy_bytes: Option<f64>,
    downtime_bytes: Option<f64>,
}

/// A migration whose sender kept the path less busy than this, or whose guest's pace changed by more than the next, was made by a
/// machine that had no time for it: nobody could have known.
const BUSY: f64 = 0.97;
const STEADY: f64 = 0.15;

impl Recorded {
    fn completed(&self) -> bool {
        self.result == "completed"
    }

    fn way(&self) -> Way {
        Way::of(self.link_rate - self.others_rate, self.cap)
    }

    fn forecast(&self) -> Forecast {
        let pattern = if self.pattern == "sweep" { Pattern::Sweep } else { Pattern::Random };
        let dirtying = Dirtying { rate: self.dirty_rate, working_set: self.working_set, pattern };
        let workload = Workload { memory: self.memory, zero_share: self.zero_share, dirtying };
        let conduct = Conduct { downtime_limit: self.downtime_limit, ..Conduct::default() };
        assert!(workload.check().is_ok() && conduct.check().is_ok(), "{self:?}");
        before(&workload, &self.way(), &conduct)
    }

    /// The machine had time for it.
    fn is_steady(&self) -> bool {
        let way = self.way();
        let sent = self.qemu.precopy_bytes.zip(self.qemu.downtime_bytes);
        let busy = sent.map(|(copy, pause)| (copy / way.copy + pause / way.pause) / self.total);
        let change = (self.dirty_rate_before / self.dirty_rate - 1.0).abs();
        let writes = self.dirty_rate > 0.02 * way.copy;
        busy.is_none_or(|busy| busy > BUSY) && (change < STEADY || !writes)
    }
}

fn recorded() -> Vec<Recorded> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/forecast");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let lines = files.iter().map(|path| fs::read_to_string(path).unwrap());
    let read =
        |text: String| text.lines().map(|l| serde_json::from_str(l).unwrap()).collect::<Vec<Recorded>>();
    lines.flat_map(read).collect()
}

/// The value that this share of them does not exceed.
fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((share * sorted.len() as f64).ceil() as usize).max(1) - 1]
}

/// Writes a table of all, as they come: `cargo test --test forecast_model -- --nocapture`.
fn tell(rows: &[(f64, f64, &Recorded, Forecast)]) {
    for (total, pause, was, said) in rows {
        println!(
            "{:>2} {:<10} total {:>6.2} s, forecast {:>6.2} {:>+6.1} %  pause {:>4.0} ms {:>+5.0}  {} {:.1} of {:.1} MB/s",
            was.seed,
            was.id,
            was.total,
            said.total(),
            total * 100.0,
            was.pause.unwrap_or_default() * 1e3,
            pause * 1e3,
            was.pattern,
            was.dirty_rate / 1e6,
            was.way().copy / 1e6
        );
    }
}

/// Errors of those that ended, worst first: relative of the whole time, seconds of the pause.
fn errors<'a>(runs: &[&'a Recorded]) -> Vec<(f64, f64, &'a Recorded, Forecast)> {
    let ended = runs.iter().filter(|run| run.completed());
    let mut rows: Vec<_> = ended
        .map(|run| {
            let said = run.forecast();
            (said.total() / run.total - 1.0, said.pause - run.pause.unwrap(), *run, said)
        })
        .collect();
    rows.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()));
    rows
}

/// Median and ninetieth percentile of both errors.
fn sums(what: &str, rows: &[(f64, f64, &Recorded, Forecast)]) -> [f64; 4] {
    let totals: Vec<f64> = rows.iter().map(|row| row.0.abs()).collect();
    let pauses: Vec<f64> = rows.iter().map(|row| row.1.abs()).collect();
    let [total, total_p90] = [0.5, 0.9].map(|share| quantile(&totals, share));
    let [pause, pause_p90] = [0.5, 0.9].map(|share| quantile(&pauses, share));
    println!(
        "{what}: {} ended; total {:.1} % (p90 {:.1}), pause {:.0} ms (p90 {:.0})",
        rows.len(),
        total * 100.0,
        total_p90 * 100.0,
        pause * 1e3,
        pause_p90 * 1e3
    );
    [total, total_p90, pause, pause_p90]
}

#[test]
fn recorded_migrations_are_forecast() {
    let all = recorded();
    let all: Vec<&Recorded> = all.iter().collect();
    let steady: Vec<&Recorded> = all.iter().copied().filter(|run| run.is_steady()).collect();
    assert!(steady.len() >= 40, "{} of {}", steady.len(), all.len());
    for run in &all {
        let said = run.forecast();
        assert!(said.converges || !run.completed(), "called hopeless: {run:?} {said:?}");
    }
    let rows = errors(&steady);
    tell(&rows);
    // What holds for the model as it is, and a little more.
    let [total, total_p90, pause, pause_p90] = sums("steady", &rows);
    assert!(total < 0.01 && total_p90 < 0.06, "{total} {total_p90}");
    assert!(pause < 0.03 && pause_p90 < 0.08, "{pause} {pause_p90}");
    let [_, total_p90, _, pause_p90] = sums("all", &errors(&all));
    assert!(total_p90 < 0.1 && pause_p90 < 0.15, "{total_p90} {pause_p90}");
}

/// Called off while it still copied: the model knows that it would not have ended.
#[test]
fn recorded_migrations_that_did_not_end_are_told() {
    let all = recorded();
    let endless: Vec<_> = all.iter().filter(|run| !run.completed()).collect();
    let missed: Vec<_> = endless.iter().filter(|run| run.forecast().converges).map(|run| &run.id).collect();
    assert!(endless.len() >= 9 && missed.is_empty(), "{missed:?} of {}", endless.len());
}

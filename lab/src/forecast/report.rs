//! What a person reads of a score.

use super::run::Run;
use super::score::{Endings, Errors, Score};
use crate::SKIPPED;
use std::fmt::Write;

/// One run in a line.
pub fn line(run: &Run) -> String {
    let Some(was) = &run.measured else {
        let error = run.error.as_deref().unwrap_or("no result");
        let word = if error.contains(SKIPPED) { "" } else { "BROKEN " };
        return format!("{:<10}{word}{error}", run.id);
    };
    let pause = was.pause.map_or("-".into(), |pause| format!("{:.0} ms", pause * 1e3));
    let mut text = format!("{:<10}{:<10}{:>5.1} s, pause {pause}", run.id, was.result, was.total);
    if let Some(said) = &run.informed {
        let total = said.total.middle.map_or("no end".into(), |total| format!("{total:.1} s"));
        write!(text, "; before: {total}, pause {}", seconds(said.pause.middle)).ok();
    }
    if let Some(error) = &run.unpredicted {
        write!(text, "; before: {error}").ok();
    }
    write!(text, "; {} forecasts in flight", run.said.len()).ok();
    text
}

/// Everything.
pub fn text(score: &Score, runs: &[Run]) -> String {
    let mut text = headline(score);
    text.push_str(&errors(score));
    for endings in &score.endings {
        writeln!(text, "{}: {}", endings.half, self::endings(endings)).ok();
    }
    text.push_str(&worst(runs));
    text
}

/// The sums.
pub fn headline(score: &Score) -> String {
    format!(
        "{} migrations ended by themselves, {} were called off, {} given up because the lab broke\n",
        score.completed, score.called_off, score.broken
    )
}

fn errors(score: &Score) -> String {
    let mut text = format!(
        "\n{:<14}{:<31}{:>6}{:>6}{:>13}{:>8}{:>8}{:>14}{:>9}{:>8}{:>13}\n",
        "runs",
        "made",
        "ended",
        "said",
        "total median",
        "p90",
        "within",
        "pause median",
        "p90",
        "within",
        "end right"
    );
    for row in &score.errors {
        let cells = cells(row);
        writeln!(
            text,
            "{:<14}{:<31}{:>6}{:>6}{:>13}{:>8}{:>8}{:>14}{:>9}{:>8}{:>13}",
            row.half,
            row.stage,
            row.runs,
            row.said,
            cells[0],
            cells[1],
            cells[2],
            cells[3],
            cells[4],
            cells[5],
            cells[6]
        )
        .ok();
    }
    text.push('\n');
    text
}

/// Errors as words: total median, p90, within, pause median, p90, within, convergence.
pub fn cells(row: &Errors) -> [String; 7] {
    let percent = |value: Option<f64>| value.map_or("-".into(), |value| format!("{:.1} %", value * 100.0));
    let right = if row.converging_said == 0 {
        "-".to_owned()
    } else {
        format!("{} of {}", row.converging_right, row.converging_said)
    };
    [
        percent(row.total_median),
        percent(row.total_p90),
        percent(row.total_within),
        seconds(row.pause_median),
        seconds(row.pause_p90),
        percent(row.pause_within),
        right,
    ]
}

/// A time of milliseconds.
fn seconds(value: Option<f64>) -> String {
    value.map_or("-".into(), |value| format!("{:.0} ms", value * 1e3))
}

/// What was told of ends, in flight.
pub fn endings(endings: &Endings) -> String {
    let list = |ids: &[String]| {
        if ids.is_empty() {
            "none".to_owned()
        } else {
            format!("{} ({})", ids.len(), ids.join(", "))
        }
    };
    let after = endings.told_after.map_or(String::new(), |after| format!(", after {after:.1} s (median)"));
    format!(
        "of {} endless ones {} were told so in flight{after}; {} were called converging at some time; ended, and called \
         hopeless at some time: {}",
        endings.endless,
        endings.told,
        list(&endings.wrongly_hopeful),
        list(&endings.wrongly_hopeless)
    )
}

/// How many runs are named.
const NAMED: usize = 8;

/// Where the forecasts made before err most.
fn worst(runs: &[Run]) -> String {
    let error = |run: &Run| {
        let was = run.measured.as_ref().filter(|was| was.completed())?;
        Some((run.informed.as_ref()?.total.middle? / was.total - 1.0).abs())
    };
    let mut all: Vec<(f64, &Run)> = runs.iter().filter_map(|run| Some((error(run)?, run))).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut text = String::from("\nfurthest off before (run one again with --rerun):\n");
    for (error, run) in all.into_iter().take(NAMED) {
        writeln!(text, "  {:>6.1} %  {}  {}", error * 100.0, line(run), run.summary).ok();
    }
    text
}

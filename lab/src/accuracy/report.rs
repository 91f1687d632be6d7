//! What a person reads of a score.

use super::found::Judged;
use super::score::{is_right, Quiet, Run, Score};
use std::collections::BTreeSet;
use std::fmt::Write;

/// A stretch in a few words: what was true, and what was found in percent of what was accounted.
pub fn stretch(stretch: &Judged) -> String {
    let sum: f64 = stretch.found.values().sum();
    let mut found: Vec<_> = stretch.found.iter().filter(|(_, seconds)| **seconds >= 0.05 * sum).collect();
    found.sort_by(|a, b| b.1.total_cmp(a.1));
    let found: Vec<String> =
        found.iter().map(|(cause, seconds)| format!("{cause} {:.0} %", *seconds / sum * 100.0)).collect();
    let found = if found.is_empty() { "nothing".to_owned() } else { found.join(", ") };
    let found = stretch.rate.map_or(found.clone(), |rate| format!("{found} at {:.1} MB/s", rate / 1e6));
    let (truth, late) = (stretch.truth.join(" or "), stretch.verdict_after);
    let late = late.map_or(String::new(), |late| format!(" after {late:.1} s"));
    if is_right(stretch) {
        format!("{found}{late}")
    } else {
        format!("was {truth}, found {found}{late}")
    }
}

/// Everything.
pub fn text(score: &Score, runs: &[Run]) -> String {
    let mut text = headline(score);
    text.push_str(&matrix(score));
    text.push_str(&by_cause(score));
    let wrong: Vec<&Run> = runs.iter().filter(|run| run.is_right() == Some(false)).collect();
    if !wrong.is_empty() {
        text.push_str("\nwrong (run one again with --rerun):\n");
    }
    for run in wrong {
        writeln!(text, "  {} seed {}  {}", run.id(), run.seed, run.summary).ok();
        for judged in run.found.iter().flat_map(|found| &found.stretches) {
            writeln!(text, "    {:.1} to {:.1} s: {}", judged.from, judged.until, stretch(judged)).ok();
        }
        for alarm in run.found.iter().flat_map(|found| &found.alarms) {
            writeln!(text, "    {} led from {:.1} s for {:.1} s", alarm.cause, alarm.at, alarm.held).ok();
        }
    }
    text
}

/// The sums.
pub fn headline(score: &Score) -> String {
    let mut text = String::new();
    let percent = |value: Option<f64>| value.map_or("-".into(), |value| format!("{:.1} %", value * 100.0));
    let (low, high) = score.accuracy_interval.unwrap_or((0.0, 1.0));
    writeln!(
        text,
        "{} of {} stretches with a fault have a true cause leading: {} (95 %: {:.0} to {:.0} %); mean over causes: {}",
        score.right,
        score.stretches,
        percent(score.accuracy),
        low * 100.0,
        high * 100.0,
        percent(score.balanced)
    )
    .ok();
    let quiet = &score.healthy;
    writeln!(
        text,
        "{} healthy runs, {:.3} h of copying: {} false alarms in {} of them, {} in an hour; in all runs {} in {:.3} h",
        quiet.runs,
        quiet.hours,
        quiet.alarms,
        quiet.runs_with_alarms,
        rate(quiet),
        score.alarms,
        score.hours
    )
    .ok();
    let verdicts = score.verdicts();
    let time = |share| super::count::quantile(&verdicts, share).map_or("-".into(), |s| format!("{s:.1} s"));
    writeln!(
        text,
        "time to verdict: median {}, 95th percentile {}, none in {} of {} onsets (scrapes are 0.2 s apart)",
        time(0.5),
        time(0.95),
        score.onsets() - verdicts.len(),
        score.onsets()
    )
    .ok();
    writeln!(
        text,
        "{} runs; {} made again because the lab broke, {} given up; {} stretches too short to judge",
        score.runs, score.made_again, score.broken, score.too_short
    )
    .ok();
    text
}

/// Alarms in an hour. None in a short time is not none in an hour: with 95 % there are at most three in that time (the
/// rule of three).
fn rate(quiet: &Quiet) -> String {
    match quiet.alarms_per_hour {
        Some(_) if quiet.alarms == 0 => format!("at most {:.0} (95 %)", 3.0 / quiet.hours),
        Some(rate) => format!("{rate:.0}"),
        None => "-".into(),
    }
}

fn matrix(score: &Score) -> String {
    let columns: BTreeSet<&String> = score.matrix.values().flat_map(|row| row.keys()).collect();
    let mut text = String::from("\nwhat was true, and what led (stretches):\n");
    for (truth, row) in &score.matrix {
        let cells: Vec<String> = columns
            .iter()
            .filter_map(|cause| Some((cause, row.get(*cause)?)))
            .map(|(cause, count)| format!("{cause} {count}"))
            .collect();
        writeln!(text, "  {truth:<34} {}", cells.join(", ")).ok();
    }
    text
}

fn by_cause(score: &Score) -> String {
    let mut text = format!(
        "\n{:<18}{:>9}{:>8}{:>8}{:>11}{:>9}{:>7}{:>11}{:>11}\n",
        "cause", "stretches", "recall", "named", "precision", "median", "p95", "seconds in", "elsewhere"
    );
    for (cause, of) in &score.causes {
        let percent =
            |value: Option<f64>| value.map_or("-".into(), |value| format!("{:.0} %", value * 100.0));
        let time = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.1}"));
        let inside = (of.real_seconds > 0.0).then(|| of.seconds_in / of.real_seconds);
        writeln!(
            text,
            "{cause:<18}{:>9}{:>8}{:>8}{:>11}{:>9}{:>7}{:>11}{:>9.1} s",
            of.stretches,
            percent(of.recall),
            of.named,
            percent(of.precision),
            time(of.verdict_median),
            time(of.verdict_p95),
            percent(inside),
            of.seconds_outside
        )
        .ok();
    }
    text
}

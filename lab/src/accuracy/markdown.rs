//! The results as a page of the documentation.

use super::families::{FAMILIES, NOT_MADE};
use super::machine::Machine;
use super::report;
use super::score::{Run, Score};
use super::HELD_OUT;
use std::collections::BTreeSet;
use std::fmt::Write;

/// The page. `command` is what was typed.
pub fn page(command: &str, seed: u64, machine: &Machine, score: &Score, runs: &[Run]) -> String {
    let kind = if seed >= HELD_OUT { "held out: no rule was changed because of it" } else { "of tuning" };
    let mut text = format!(
        "# Accuracy\n\n\
         Real live migrations of emulated guests between two hosts made of namespaces, with faults of known kind and time; what\n\
         miglink named is read from `miglink_migration_limited_seconds_total` and `miglink_migration_leading_cause` of the source.\n\n\
         * Command: `{command}`, seed {seed} ({kind})\n* {}\n\n## In short\n\n",
        machine.line()
    );
    for line in report::headline(score).lines() {
        writeln!(text, "* {line}").ok();
    }
    text.push_str(&matrix(score));
    text.push_str(&causes(score));
    text.push_str(&wrong(runs));
    text.push_str(MEANING);
    text.push_str("\n## What is made\n\n| family | what is made real |\n|---|---|\n");
    for family in FAMILIES {
        writeln!(text, "| {} | {} |", family.name, family.made).ok();
    }
    text.push_str("\n## What is not judged on real migrations\n\n| cause | why, and what it is judged on |\n|---|---|\n");
    for (cause, why) in NOT_MADE {
        writeln!(text, "| {cause} | {why} |").ok();
    }
    text
}

/// How to read the numbers.
const MEANING: &str = "\n## How it is counted\n\n\
* A stretch is a part of a run in which the causes that are real do not change. It is right if the cause that miglink accounted most\n  \
seconds to is one of them. Nothing at a stretch's beginning is left out, so what a verdict takes to change counts against it.\n\
* Where two causes limit at once, either is right; the row of the matrix names both.\n\
* Recall of a cause: right stretches of those in which it was made. Precision: of the stretches in which it led, healthy ones too, those in\n  \
which it was true.\n\
* A false alarm is a cause that led for a second or longer in a healthy run and that nothing had made real there; `unknown` is none.\n\
* Time to verdict: from the fault's time to the first scrape in which a true cause leads. miglink makes a frame a second, and another\n  \
within a quarter of a second when the leading cause changes; scrapes are 0.2 s apart.\n\
* Seconds in: what miglink accounted to a cause, of the seconds in which it alone was real. Elsewhere: what it accounted to it where it was not.\n\
* Truths were checked by hand on single variants, by taking the fault away: the same migration went from 13 to 26 MB/s without its loss, from\n  \
8 to 24 without the small send buffer, from 17 to 41 and from 19 to 80 without the small receive window; BBR went no slower with the loss\n  \
that path_congestion's variants have than without. What other traffic really took of a link is measured in each run and corrects the truth.\n\
* A run in which the lab itself broke is made again, up to three times, and counted above. A wrong verdict is never run again.\n";

fn matrix(score: &Score) -> String {
    let columns: BTreeSet<&String> = score.matrix.values().flat_map(|row| row.keys()).collect();
    let mut text = String::from("\n## What was true (rows) and what led (columns), in stretches\n\n| |");
    for cause in &columns {
        write!(text, " {cause} |").ok();
    }
    write!(text, "\n|---|{}\n", "---|".repeat(columns.len())).ok();
    for (truth, row) in &score.matrix {
        write!(text, "| {truth} |").ok();
        for cause in &columns {
            let cell = row.get(*cause).map_or(String::new(), ToString::to_string);
            write!(text, " {cell} |").ok();
        }
        text.push('\n');
    }
    text
}

fn causes(score: &Score) -> String {
    let mut text = String::from(
        "\n## By cause\n\n| cause | stretches | recall | led | precision | time to verdict, median | 95th percentile | onsets without one | seconds in | elsewhere |\n|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (cause, of) in &score.causes {
        let percent =
            |value: Option<f64>| value.map_or(String::new(), |value| format!("{:.0} %", value * 100.0));
        let time = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.1} s"));
        let inside = (of.real_seconds > 0.0).then(|| of.seconds_in / of.real_seconds);
        writeln!(
            text,
            "| {cause} | {} | {} | {} | {} | {} | {} | {} of {} | {} | {:.1} s |",
            of.stretches,
            percent(of.recall),
            of.named,
            percent(of.precision),
            time(of.verdict_median),
            time(of.verdict_p95),
            of.onsets - of.verdicts.len(),
            of.onsets,
            percent(inside),
            of.seconds_outside
        )
        .ok();
    }
    text
}

fn wrong(runs: &[Run]) -> String {
    let told = |run: &Run| {
        let found = run.found.as_ref()?;
        let stretches: Vec<String> = found.stretches.iter().map(report::stretch).collect();
        Some(format!("* `--seed {} --rerun {}`: {}\n", run.seed, run.id(), stretches.join("; ")))
    };
    let lines: String = runs.iter().filter(|run| run.is_right() == Some(false)).filter_map(told).collect();
    let lines = if lines.is_empty() { "None.\n".to_owned() } else { lines };
    format!("\n## Wrong runs\n\n{lines}")
}

//! What a person reads of a run.

use crate::check::{Check, Verdict};
use crate::exporter::Timeline;
use crate::run::Outcomes;
use crate::truth::Truth;
use anyhow::{Context, Result};
use serde_json::{json, Value};
use std::fmt::Write;
use std::path::Path;

/// A scenario's lines.
pub fn text(outcomes: &Outcomes) -> String {
    let mut text = String::new();
    for truth in &outcomes.truths {
        writeln!(text, "  {}", line(truth)).ok();
        for said in outcomes.said.iter().filter(|said| said.vm == truth.vm) {
            if let Some(line) = said.line(truth) {
                writeln!(text, "    {line}").ok();
            }
        }
    }
    for check in &outcomes.checks {
        writeln!(text, "  {}", judged(check)).ok();
    }
    text
}

/// What happened to one guest, in one line.
pub fn line(truth: &Truth) -> String {
    let mut line =
        format!("{}: {}", truth.vm, if truth.result.is_empty() { "no end" } else { &truth.result });
    let mut add = |value: Option<String>| {
        if let Some(value) = value {
            line.push_str(", ");
            line.push_str(&value);
        }
    };
    add(truth.length().map(|seconds| format!("{seconds:.2} s")));
    let qemu = truth.downtime.map_or(String::new(), |downtime| format!(" (QEMU: {:.0} ms)", downtime * 1e3));
    add(truth.pause.map(|pause| format!("pause {:.0} ms{qemu}", pause * 1e3)));
    add(truth.transferred_bytes.map(|bytes| format!("{:.1} MB", bytes as f64 / 1e6)));
    add(truth.iterations.map(|iterations| format!("{iterations} iterations")));
    add(truth.dirty_rate.map(|rate| {
        let asked = truth
            .dirty_rate_asked
            .map_or("flat out".into(), |asked| format!("{:.1} asked", asked as f64 / 1e6));
        format!("guest dirties {:.1} MB/s ({asked})", rate / 1e6)
    }));
    add(truth.error.clone());
    line
}

fn judged(check: &Check) -> String {
    let word = match check.verdict {
        Verdict::Ok => "ok",
        Verdict::Failed => "FAILED",
        Verdict::NotJudged => "-",
    };
    format!("{word:<7}{:<32} expected {:<24} found {}", check.what, check.expected, check.found)
}

/// Writes what was scraped, for people who look into a failure.
pub fn write_timelines(folder: &Path, timelines: &[Timeline]) -> Result<()> {
    for (name, timeline) in ["source.json", "destination.json"].into_iter().zip(timelines) {
        let scrapes: Vec<Value> = timeline
            .0
            .iter()
            .map(|scrape| {
                let samples: Vec<String> = scrape.samples.iter().map(ToString::to_string).collect();
                json!({"at": scrape.at, "samples": samples})
            })
            .collect();
        let text = serde_json::to_string_pretty(&scrapes).context("a timeline")?;
        std::fs::write(folder.join(name), text).context("a timeline")?;
    }
    Ok(())
}

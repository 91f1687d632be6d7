//! What `miglink predict` says of a guest before it moves.

use super::plan::Plan;
use crate::host::{Host, LINK};
use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;

/// A forecast made before. Times are seconds; those of one that never ends are missing.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Prediction {
    /// Bytes a second of payload that miglink found the link to give.
    pub capacity: Option<f64>,
    /// Whether it ends.
    pub converges: Option<bool>,
    /// All of it: the middle, and where it lies with 80 %.
    pub total: Range,
    /// The pause.
    pub pause: Range,
}

/// A value that is not known for sure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Range {
    /// A tenth lies below.
    pub p10: Option<f64>,
    /// The expected one.
    pub middle: Option<f64>,
    /// A tenth lies above.
    pub p90: Option<f64>,
}

/// Asks on the source host, over its shaped link, of a guest that dirties so many bytes a second.
///
/// # Errors
/// When miglink refuses, or says what cannot be understood.
pub fn ask(host: &Host, miglink: &Path, plan: &Plan, dirty_rate: f64) -> Result<Prediction> {
    let mut command = host.command(miglink);
    command.arg("predict").args(words(plan, dirty_rate));
    let output = command.stdin(Stdio::null()).output().context("miglink predict")?;
    // Its exit code says whether the guest would arrive; of what it cannot tell there is no JSON.
    let value: Value = serde_json::from_slice(&output.stdout).with_context(|| {
        format!("miglink predict said: {}", String::from_utf8_lossy(&output.stderr).trim())
    })?;
    read(&value)
}

/// The command's words.
pub fn words(plan: &Plan, dirty_rate: f64) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = |flag: &str, value: String| words.extend([format!("--{flag}"), value]);
    word("memory", format!("{}MiB", plan.memory));
    word("zero", format!("{:.1}%", plan.zero_share() * 100.0));
    word("dirty-rate", format!("{dirty_rate:.0}B/s"));
    word("working-set", format!("{}MiB", plan.working_set));
    word("dirty-pattern", if plan.random { "random" } else { "sweep" }.to_owned());
    word("downtime-limit", format!("{}ms", plan.downtime_limit));
    if let Some(cap) = plan.cap {
        word("max-bandwidth", format!("{cap}KiB/s"));
    }
    word("link", LINK.to_owned());
    word("output", "json".to_owned());
    words
}

/// Reads what it said of the link.
pub fn read(said: &Value) -> Result<Prediction> {
    let links = said["links"].as_array().context("no links")?;
    let link = links.iter().find(|link| link["device"] == LINK).with_context(|| format!("no {LINK}"))?;
    let forecast = &link["forecast"];
    let range = |key: &str| Range {
        p10: forecast["p10"][key].as_f64(),
        middle: forecast[key].as_f64(),
        p90: forecast["p90"][key].as_f64(),
    };
    Ok(Prediction {
        capacity: link["capacity_bytes_per_second"]["value"].as_f64(),
        converges: forecast["converges"].as_bool(),
        total: range("total_seconds"),
        pause: range("pause_seconds"),
    })
}

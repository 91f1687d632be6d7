//! What miglink says of a running migration, asked again and again.

use super::predict::Range;
use crate::clock;
use crate::exporter;
use crate::host::Host;
use crate::stop::Stop;
use crate::traffic::enter;
use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two questions.
const INTERVAL: Duration = Duration::from_millis(250);

/// One answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Said {
    /// When, in seconds since 1970.
    pub at: f64,
    /// Seconds from then to the end.
    pub remaining: Range,
    /// Seconds of pause.
    pub pause: Range,
    /// Whether it will end, as far as is known.
    pub converging: Option<bool>,
}

/// Asks until it is dropped.
#[derive(Debug)]
pub struct Listener {
    said: Arc<Mutex<Vec<Said>>>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Begins to ask the miglink of a host.
    pub fn start(host: &Host) -> Result<Self> {
        let (said, stop, network) = (Arc::<Mutex<Vec<Said>>>::default(), Stop::default(), host.network()?);
        let (kept, until) = (Arc::clone(&said), stop.clone());
        let thread = std::thread::spawn(move || listen(&network, &kept, &until));
        Ok(Self { said, stop, thread: Some(thread) })
    }

    /// What it said so far.
    pub fn said(&self) -> Vec<Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.set();
        self.thread.take().map(JoinHandle::join);
    }
}

fn listen(network: &File, kept: &Mutex<Vec<Said>>, stop: &Stop) {
    if let Err(error) = enter(network) {
        eprintln!("lab: {error:#}");
        return;
    }
    while !stop.is_set() {
        let (start, at) = (clock::now(), clock::wall());
        // Nothing is said before the first frame with the migration, nor without a forecast in it.
        if let Some(said) = ask(at).ok().flatten() {
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(said);
        }
        clock::sleep(INTERVAL.saturating_sub(clock::since(start)));
    }
}

fn ask(at: f64) -> Result<Option<Said>> {
    let text = exporter::get("/api/v1/migrations")?;
    Ok(read(&serde_json::from_str(&text).context("JSON")?, at))
}

/// The forecast of the outgoing migration that runs; none if there is no such, or nothing is said of it.
pub fn read(body: &Value, at: f64) -> Option<Said> {
    let mut all = body["migrations"].as_array()?.iter();
    let running = all.find(|m| m["direction"] == "outgoing" && m["migration_result"].is_null())?;
    let forecast = running.get("forecast").filter(|forecast| forecast.is_object())?;
    // A least time, told while the guest's dirty rate is not known, is no forecast.
    let known = forecast["at_least"] != true;
    let range = |key: &str| {
        let number = |part: &str| forecast[key][part].as_f64().filter(|_| known);
        Range { p10: number("p10"), middle: number("p50"), p90: number("p90") }
    };
    Some(Said {
        // What is shown is as old as its frame.
        at: body["timestamp_seconds"].as_f64().unwrap_or(at),
        remaining: range("remaining_seconds"),
        pause: range("pause_seconds"),
        converging: forecast["converging"].as_bool(),
    })
}

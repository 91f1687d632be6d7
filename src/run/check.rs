//! `miglink check`: reads this host for some seconds, as the agent does, and says which of its links would slow a migration.

use super::agent::Agent;
use super::arguments::{Check, Output, PhaseName};
use super::config::Config;
use super::process::Process;
use crate::analysis::flags::survey::Manner;
use crate::analysis::migrations::migration::Phase;
use crate::output::flags::{json_of, table, Wanted};
use crate::sample::flag::Findings;
use crate::sample::frame::{Frame, Outcome};
use crate::source::contract::Roots;
use crate::source::{links, SOURCES};
use anyhow::{anyhow, bail, Context};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Between two readings: rates are over a second.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long the first frame is waited for: the longest deadline of a source, and some.
const FIRST: Duration = Duration::from_secs(10);

/// Prints what was found; says whether anything would slow a migration.
pub fn run(arguments: &Check) -> anyhow::Result<bool> {
    let config = match &arguments.config_file {
        Some(file) => Config::read(file)?,
        None => Config::default(),
    };
    let roots = Roots { proc: arguments.procfs.clone(), sys: arguments.sysfs.clone() };
    let (frame, seconds) = sample(&config, roots, arguments.time)?;
    let text = say(arguments, &frame, seconds)?;
    // A reader that has enough (head, grep -q) is no failure.
    std::io::stdout().write_all(text.0.as_bytes()).ok();
    Ok(text.1)
}

/// Reads this host for some time, as the agent does; gives the last frame and the time that it was read for.
pub fn sample(config: &Config, roots: Roots, time: Duration) -> anyhow::Result<(Arc<Frame>, f64)> {
    let mut settings = config.settings()?;
    settings.manner = Manner::at_once();
    let totals = Process::new()?.totals.clone();
    let mut agent = Agent::start(SOURCES, roots, settings, INTERVAL, (totals, None))
        .context("cannot start the sampling threads")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .context("cannot start a timer")?;
    let looked = runtime.block_on(look(agent.frames.clone(), time));
    agent.stop();
    let (frame, seconds) = looked?;
    let report = frame.reports.iter().find(|report| report.source == links::SOURCE.name);
    if let Some(Outcome::Failed(reason)) = report.map(|report| &report.outcome) {
        bail!("cannot read this host's links: {reason}");
    }
    Ok((frame, seconds))
}

/// Waits until frames have come for this long; gives the last one and the time between the first one and it.
async fn look(mut frames: watch::Receiver<Arc<Frame>>, time: Duration) -> anyhow::Result<(Arc<Frame>, f64)> {
    let first = tokio::time::timeout(FIRST, frames.wait_for(|frame| frame.wall_ns != 0)).await;
    let began = first.map_err(|_| anyhow!("this host did not answer within {FIRST:?}"))??.monotonic;
    // A tick comes up to a quarter of a second late.
    let enough = |frame: &Arc<Frame>| frame.monotonic.since(began) + INTERVAL / 2 >= time;
    let last = tokio::time::timeout(time + FIRST, frames.wait_for(enough)).await;
    let last = Arc::clone(&*last.map_err(|_| anyhow!("this host stopped answering"))??);
    let seconds = last.monotonic.since(began).as_secs_f64();
    Ok((last, seconds))
}

/// The answer as text, and whether anything would slow a migration.
fn say(arguments: &Check, frame: &Frame, seconds: f64) -> anyhow::Result<(String, bool)> {
    let exported = frame.links.exported().iter().map(|link| link.name.as_str());
    let devices: Vec<&str> =
        exported.filter(|name| arguments.link.as_deref().is_none_or(|wanted| wanted == *name)).collect();
    if let (Some(wanted), true) = (&arguments.link, devices.is_empty()) {
        let known: Vec<&str> = frame.links.exported().iter().map(|link| link.name.as_str()).collect();
        let hidden = frame.links.all().iter().any(|link| link.name == *wanted);
        let why = if hidden {
            "cannot carry a migration (it has no address and carries no link that has one)"
        } else {
            "does not exist"
        };
        bail!(
            "{wanted} {why}; the links here are: {}",
            if known.is_empty() { "none".into() } else { known.join(", ") }
        );
    }
    let phase = arguments.phase.map(|phase| match phase {
        PhaseName::MemoryCopy => Phase::MemoryCopy,
        PhaseName::StateTransfer => Phase::StateTransfer,
    });
    let wanted = Wanted { device: arguments.link.as_deref(), phase, verbose: arguments.verbose };
    let found: &Findings = &frame.flags;
    let is_slow = !wanted.slow(found).is_empty();
    Ok(match arguments.output {
        Output::Table => (table(found, wanted, devices.len(), seconds), is_slow),
        Output::Json => (format!("{:#}\n", json_of(found, wanted, &devices, seconds)), is_slow),
    })
}

//! Runs variants, one after the other, and says how far it is.

use super::found;
use super::score::Run;
use super::variant::Variant;
use super::{machine, measured};
use crate::run::{observe, Observed, Options};
use crate::stop::Stop;
use crate::{clock, SKIPPED};
use anyhow::{ensure, Context, Result};

/// How often a variant is run at most, when the lab itself breaks. A wrong verdict is never run again.
const TRIES: u32 = 3;

/// Runs them until the last, or until it is told to stop; what is done is given back in both cases.
pub fn run_all(variants: &[Variant], options: &Options, stop: &Stop) -> Vec<Run> {
    let (start, mut runs) = (clock::now(), Vec::new());
    for variant in variants {
        let Some(run) = run_one(variant, options, stop) else { break };
        runs.push(run);
        let (done, passed) = (runs.len(), clock::since(start).as_secs_f64());
        let left = passed / done as f64 * (variants.len() - done) as f64;
        if let Some(run) = runs.last() {
            let minutes = (left / 60.0).ceil();
            eprintln!("{done:>4} of {}, about {minutes:.0} min left  {}", variants.len(), line(run));
        }
    }
    runs
}

/// One variant; none if it was told to stop.
fn run_one(variant: &Variant, options: &Options, stop: &Stop) -> Option<Run> {
    let start = clock::now();
    let mut run = Run {
        family: variant.family.name.to_owned(),
        number: variant.number,
        seed: variant.seed,
        summary: variant.summary(),
        tries: 0,
        took: 0.0,
        load: None,
        found: None,
        error: None,
    };
    while run.found.is_none() && run.tries < TRIES {
        run.tries += 1;
        let once = clock::now();
        let outcome =
            observe(&variant.scenario, options, stop).and_then(|observed| judge(variant, &observed));
        if stop.is_set() {
            return None;
        }
        run.took = clock::since(once).as_secs_f64();
        match outcome {
            Ok(found) => (run.found, run.error) = (Some(found), None),
            Err(error) => run.error = Some(format!("{error:#}")),
        }
        // What cannot be done here cannot be done the next time either.
        if run.error.as_ref().is_some_and(|error| error.contains(SKIPPED)) {
            break;
        }
    }
    run.load = machine::load();
    if run.tries > 1 {
        eprintln!("     {} took {:.0} s in all", variant.id(), clock::since(start).as_secs_f64());
    }
    Some(run)
}

/// What miglink said of it.
///
/// # Errors
/// When the world was not what the variant says: no migration, or another end.
fn judge(variant: &Variant, observed: &Observed) -> Result<found::Found> {
    let truth = observed.truths.first().context("no guest")?;
    let (begin, end) = (truth.active_at.or(truth.setup_at), truth.stop_at.or(truth.ended_at));
    let (begin, end) = begin.zip(end).context("the migration did not begin, or did not end")?;
    ensure!(
        truth.result != "failed",
        "the migration failed: {}",
        truth.error.as_deref().unwrap_or("no reason")
    );
    let source = observed.timelines.first().context("no miglink")?;
    let link = variant.scenario.path.rate.bytes();
    let others = link.and_then(|link| measured::share(&observed.others, link as f64));
    let stretches = measured::corrected(&variant.scenario.expect.memory_copy, others);
    let found = found::read(&stretches, &truth.vm, (begin, end), source);
    Ok(found::Found { others, ..found })
}

/// One line of a run.
fn line(run: &Run) -> String {
    let word = match (run.is_right(), &run.error) {
        (_, Some(error)) if error.contains(SKIPPED) => "SKIPPED",
        (_, Some(_)) => "BROKEN",
        (Some(true), None) => "ok",
        (Some(false), None) => "WRONG",
        (None, None) => "short",
    };
    let said: Vec<String> = match (&run.found, &run.error) {
        (_, Some(error)) => vec![error.clone()],
        (Some(found), None) => found.stretches.iter().map(super::report::stretch).collect(),
        (None, None) => Vec::new(),
    };
    let others = run.found.as_ref().and_then(|found| found.others);
    let others = others.map_or(String::new(), |share| format!(" (others took {:.0} %)", share * 100.0));
    format!("{word:<8}{:<20}{:>4.0} s  {}{others}", run.id(), run.took, said.join("; "))
}

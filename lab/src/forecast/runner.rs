//! Runs cases, one after the other, and says how far it is.

use super::case::Case;
use super::measured::{Measured, Pace};
use super::plan::Plan;
use super::predict::Prediction;
use super::run::Run;
use super::said::{Listener, Said};
use super::{predict, report};
use crate::guest::PAGE;
use crate::pair::Guest;
use crate::run::{Lab, Options};
use crate::stop::Stop;
use crate::truth::Truth;
use crate::{clock, shell, SKIPPED};
use anyhow::{ensure, Context, Result};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How often a case is run at most, when the lab itself breaks. A wrong forecast is never made again.
const TRIES: u32 = 3;
/// How long the guest's pace is measured before.
const WATCHED: Duration = Duration::from_secs(1);

/// What the miglink under test can be asked.
#[derive(Debug, Clone, Copy)]
pub struct Abilities {
    /// It has `predict`.
    pub predict: bool,
    /// Its configuration takes profiles of a guest.
    pub profiles: bool,
}

impl Abilities {
    /// Looks, with the profile that any of the cases would have.
    pub fn of(miglink: &Path, folder: &Path, plan: &Plan) -> Result<Self> {
        let can = |words: &[&std::ffi::OsStr]| shell::finish(Command::new(miglink).args(words)).is_ok();
        let file = folder.join(format!("miglink-lab-profile-{}.yml", std::process::id()));
        std::fs::write(&file, profile("guest1", plan)).context("a configuration")?;
        let abilities = Self {
            predict: can(&["predict".as_ref(), "--help".as_ref()]),
            profiles: can(&["config".as_ref(), "check".as_ref(), file.as_os_str()]),
        };
        std::fs::remove_file(&file).context("a configuration")?;
        Ok(abilities)
    }
}

/// A guest of this plan in miglink's configuration, with what a user would know of its migration.
fn profile(vm: &str, plan: &Plan) -> String {
    let cap = plan.cap.map_or(String::new(), |cap| format!(", max_bandwidth: {cap}KiB/s"));
    format!(
        "forecast: {{profiles: [{{name: lab, vm: \"{vm}\", memory: {}MiB, zero: {:.1}%, dirty_rate: {}KiB/s, \
         working_set: {}MiB, dirty_pattern: {}, downtime_limit: {}ms{cap}}}]}}\n",
        plan.memory,
        plan.zero_share() * 100.0,
        plan.dirty_rate,
        plan.working_set,
        if plan.random { "random" } else { "sweep" },
        plan.downtime_limit,
    )
}

/// Runs them until the last, or until it is told to stop; `each` gets every result.
pub fn run_all(
    cases: &[Case],
    miglink: &Path,
    abilities: Abilities,
    stop: &Stop,
    mut each: impl FnMut(&Run) -> Result<()>,
) -> Result<Vec<Run>> {
    let (start, mut runs) = (clock::now(), Vec::new());
    for case in cases {
        let Some(run) = run_one(case, miglink, abilities, stop) else { break };
        each(&run)?;
        runs.push(run);
        let (done, passed) = (runs.len(), clock::since(start).as_secs_f64());
        let minutes = (passed / done as f64 * (cases.len() - done) as f64 / 60.0).ceil();
        if let Some(run) = runs.last() {
            eprintln!("{done:>4} of {}, about {minutes:.0} min left  {}", cases.len(), report::line(run));
        }
    }
    Ok(runs)
}

/// One case; none if it was told to stop.
fn run_one(case: &Case, miglink: &Path, abilities: Abilities, stop: &Stop) -> Option<Run> {
    let mut run = Run::of(case);
    for _ in 0..TRIES {
        let outcome = try_one(case, miglink, abilities, stop, &mut run);
        if stop.is_set() {
            return None;
        }
        run.error = outcome.err().map(|error| format!("{error:#}"));
        // What cannot be done here cannot be done the next time either.
        if run.error.as_ref().is_none_or(|error| error.contains(SKIPPED)) {
            break;
        }
    }
    Some(run)
}

fn try_one(case: &Case, miglink: &Path, abilities: Abilities, stop: &Stop, run: &mut Run) -> Result<()> {
    let plan = &case.plan;
    let mut options = Options { miglink: Some(miglink.to_owned()), brief: true, ..Options::default() };
    run.has_profile = case.has_profile() && abilities.profiles;
    if run.has_profile {
        options.configuration = profile("guest1|vm", plan);
    }
    let mut lab = Lab::start(&case.scenario, &options, stop)?;
    // Others are there before, or nobody could know of them.
    lab.begin()?;
    let first = Count::read(guest(&mut lab)?)?;
    clock::sleep(WATCHED);
    let before = Count::read(guest(&mut lab)?)?.rate(&first, 0.0);
    if abilities.predict {
        (run.before, run.unpredicted) = answer(predict::ask(&lab.hosts[0], miglink, plan, before));
    }
    let listener = Listener::start(&lab.hosts[0])?;
    let begin = Count::read(guest(&mut lab)?)?;
    let truths = lab.migrate(stop, |_| ())?;
    let (said, others) = (listener.said(), lab.others());
    let truth = truths.first().context("no guest")?;
    ensure!(
        truth.result != "failed",
        "the migration failed: {}",
        truth.error.as_deref().unwrap_or("no reason")
    );
    let during = during(guest(&mut lab)?, &begin, truth)?;
    if abilities.predict {
        // Its pace may have changed; what it really was can be known only now. The link is idle again.
        (run.informed, _) = answer(predict::ask(&lab.hosts[0], miglink, plan, during));
    }
    let measured = Measured::of(&case.id(), case.seed, plan, truth, Pace { before, during }, &others);
    run.measured = Some(measured.context("the migration did not begin, or did not end")?);
    let start = truth.setup_at.unwrap_or_default();
    run.said = said.into_iter().map(|said| Said { at: said.at - start, ..said }).collect();
    Ok(())
}

fn answer(asked: Result<Prediction>) -> (Option<Prediction>, Option<String>) {
    match asked {
        Ok(prediction) => (Some(prediction), None),
        Err(error) => (None, Some(format!("{error:#}"))),
    }
}

fn guest(lab: &mut Lab) -> Result<&mut Guest> {
    lab.pair().guests.first_mut().context("no guest")
}

/// How many pages a guest had written when.
struct Count {
    at: f64,
    pages: u32,
}

impl Count {
    fn read(guest: &mut Guest) -> Result<Self> {
        let before = clock::wall();
        let pages = guest.writes()?;
        Ok(Self { at: f64::midpoint(before, clock::wall()), pages })
    }

    /// Bytes a second since an earlier count, without the seconds in which it stood still.
    fn rate(&self, since: &Self, still: f64) -> f64 {
        let bytes = f64::from(self.pages.wrapping_sub(since.pages)) * PAGE as f64;
        bytes / (self.at - since.at - still).max(1e-3)
    }
}

/// The guest's pace from the beginning until it stopped.
fn during(guest: &mut Guest, begin: &Count, truth: &Truth) -> Result<f64> {
    let gone = guest.source.is_gone();
    let count = Count::read(guest)?;
    let still = match (truth.stop_at, gone) {
        // The source's memory is as it was at the stop; the destination's guest runs on.
        (Some(stop), false) => count.at - stop,
        (Some(_), true) => truth.pause.unwrap_or_default(),
        (None, _) => 0.0,
    };
    Ok(count.rate(begin, still))
}

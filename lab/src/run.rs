//! One scenario from beginning to end.

use crate::causes;
use crate::check::{self, Check, Verdict};
use crate::exporter::{Exporter, Timeline};
use crate::faults::{Faults, Stage};
use crate::host::Host;
use crate::made::Made;
use crate::pair::{libvirt, qemu, Pair};
use crate::said::Said;
use crate::scenario::expect::Outcome;
use crate::scenario::fault::Side;
use crate::scenario::{Scenario, Watch};
use crate::stop::Stop;
use crate::traffic::Others;
use crate::truth::{self, Truth};
use crate::world::World;
use crate::{clock, names, report};
use anyhow::{bail, Context, Result};
use serde::Serialize;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// How a run is done.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The binary under test; without it, the lab is alone.
    pub miglink: Option<PathBuf>,
    /// Whether the run's folder stays, with logs and what was scraped.
    pub keep: bool,
    /// For many runs: a miglink on the source alone, and nothing is measured beforehand.
    pub brief: bool,
    /// More for the configuration of each miglink: whole sections.
    pub configuration: String,
}

/// What came out.
#[derive(Debug, Serialize)]
pub struct Outcomes {
    /// The scenario's name.
    pub name: String,
    /// What really happened to each guest.
    pub truths: Vec<Truth>,
    /// What miglink said of each guest, first on the source, then on the destination.
    pub said: Vec<Said>,
    /// The comparisons.
    pub checks: Vec<Check>,
}

impl Outcomes {
    /// Whether no comparison failed.
    pub fn is_right(&self) -> bool {
        self.checks.iter().all(|check| check.verdict != Verdict::Failed)
    }
}

/// A scenario's hosts, guests and exporters, ready to migrate. Fields are dropped in this order.
pub struct Lab {
    /// A miglink on each host, or none.
    pub exporters: Vec<Exporter>,
    pair: Pair,
    faults: Faults,
    /// Source and destination.
    pub hosts: [Host; 2],
    world: World,
    scenario: Scenario,
    made: Made,
}

/// What happened, and what miglinks said meanwhile.
#[derive(Debug)]
pub struct Observed {
    /// What really happened to each guest.
    pub truths: Vec<Truth>,
    /// What each miglink said, the source's first.
    pub timelines: Vec<Timeline>,
    /// What other traffic really moved.
    pub others: Vec<Others>,
}

/// How long miglink may take to tell of an end; libvirt tells it up to three seconds after.
const SETTLE: Duration = Duration::from_secs(6);

/// Runs a scenario.
///
/// # Errors
/// When it cannot be done here (the message begins with `SKIPPED:`), or the machine or a hypervisor fails.
pub fn run(scenario: &Scenario, options: &Options, stop: &Stop) -> Result<Outcomes> {
    let Observed { truths, timelines, .. } = observe(scenario, options, stop)?;
    let (mut checks, mut said) = (check::scenario(scenario, &truths), Vec::new());
    if let Ok(both) = <[Timeline; 2]>::try_from(timelines) {
        checks.extend(check::exporters(scenario, &truths, &both));
        checks.extend(causes::check(scenario, &truths, &both[0]));
        for (side, timeline) in Side::BOTH.into_iter().zip(&both) {
            said.extend(truths.iter().map(|truth| Said::of(truth, side, timeline)));
        }
    }
    Ok(Outcomes { name: scenario.name.clone(), truths, said, checks })
}

/// Runs a scenario and compares nothing.
///
/// # Errors
/// As [`run`].
pub fn observe(scenario: &Scenario, options: &Options, stop: &Stop) -> Result<Observed> {
    let mut lab = Lab::start(scenario, options, stop)?;
    let truths = lab.migrate(stop, |_| ())?;
    let others = lab.others();
    lab.settle(stop)?;
    let timelines: Vec<Timeline> = lab.exporters.iter().map(Exporter::timeline).collect();
    if options.keep {
        report::write_timelines(lab.made.folder(), &timelines)?;
    }
    Ok(Observed { truths, timelines, others })
}

impl Lab {
    /// Builds everything up to the migration.
    pub fn start(scenario: &Scenario, options: &Options, stop: &Stop) -> Result<Self> {
        let by_libvirt = scenario.watch.by_libvirt();
        if by_libvirt {
            libvirt::check_installed()?;
        }
        let made = Made::new(options.keep)?;
        let world = World::make(&made, scenario)?;
        let host = |side| -> Result<Host> {
            let setup = if by_libvirt { libvirt::prepare(&made, &world, side)? } else { String::new() };
            let mut host = Host::start(&made, side, &world.host(side), &setup, stop)?;
            host.pod = world.pod_of(side);
            Ok(host)
        };
        let hosts = [host(Side::Source)?, host(Side::Destination)?];
        let faults = Faults::new(scenario);
        faults.settings(&hosts)?;
        let start = if by_libvirt { libvirt::start } else { qemu::start };
        let mut pair = start(&made, &world, &hosts, scenario, stop)?;
        pair.hold_monitors(scenario.watch == Watch::Flow)?;
        let mut exporters = Vec::new();
        if let Some(binary) = &options.miglink {
            for host in hosts.iter().take(if options.brief { 1 } else { 2 }) {
                let own = qemu::miglink_configuration(host, scenario);
                let configuration = format!("{own}{}", options.configuration);
                exporters.push(Exporter::start(&made, host, binary, &configuration, stop)?);
            }
        }
        if scenario.vm.dirty_rate.is_some() && !options.brief {
            pair.measure(scenario.vm.dirty)?;
        }
        Ok(Self { exporters, pair, faults, hosts, world, scenario: scenario.clone(), made })
    }

    /// The guests and who drives them.
    pub fn pair(&mut self) -> &mut Pair {
        &mut self.pair
    }

    /// What other traffic really moved up to now.
    pub fn others(&self) -> Vec<Others> {
        self.faults.others()
    }

    /// Lets begin what is there from the start; [`Lab::migrate`] does it otherwise.
    pub fn begin(&mut self) -> Result<()> {
        let (made, world, hosts) = (&self.made, &self.world, &self.hosts);
        self.faults.from_the_start(&mut Stage { made, world, hosts, pair: &mut self.pair })
    }

    /// Migrates all guests to the end; `each` is called again and again meanwhile.
    pub fn migrate(&mut self, stop: &Stop, mut each: impl FnMut(&[Exporter])) -> Result<Vec<Truth>> {
        self.begin()?;
        let pair = &mut self.pair;
        let mut stage = Stage { made: &self.made, world: &self.world, hosts: &self.hosts, pair };
        stage.pair.migrate(&self.scenario)?;
        let start = clock::now();
        let mut answers = vec![None; stage.pair.guests.len()];
        let mut orders = Orders::new(&self.scenario);
        while answers.iter().any(Option::is_none) {
            stop.check()?;
            let passed = clock::since(start);
            if passed > self.scenario.limit() {
                bail!("the migration did not end within {:.0} s", passed.as_secs_f64());
            }
            self.faults.due(passed, &mut stage)?;
            orders.due(passed, stage.pair)?;
            stage.pair.look_for_destinations();
            take_answers(stage.pair, &mut answers)?;
            each(&self.exporters);
            clock::sleep(Duration::from_millis(5));
        }
        self.truths(&answers, stop)
    }

    /// The truth of each guest, when the destination's guests have had their time to run.
    fn truths(&mut self, answers: &[Option<Value>], stop: &Stop) -> Result<Vec<Truth>> {
        let completed = self.scenario.expect.result == Outcome::Completed;
        let runs = |pair: &Pair| {
            let mut destinations = pair.guests.iter().map(|guest| guest.destination.as_ref());
            destinations.all(|destination| destination.is_some_and(|d| d.time_of("RESUME").is_some()))
        };
        let limit = clock::now() + Duration::from_secs(5);
        while completed && !runs(&self.pair) && clock::now() < limit {
            stop.check()?;
            clock::sleep(Duration::from_millis(10));
        }
        let guests = self.pair.guests.iter().zip(answers);
        let empty = Value::Null;
        let truth = |(guest, answer): (_, &Option<Value>)| {
            Truth::of(guest, answer.as_ref().unwrap_or(&empty), &self.scenario)
        };
        Ok(guests.map(truth).collect())
    }

    /// Waits until both miglinks have counted the end of every migration, or their time is over.
    pub fn settle(&self, stop: &Stop) -> Result<()> {
        let limit = clock::now() + SETTLE;
        let counted = |(side, exporter): (Side, &Exporter)| {
            let count = exporter.newest(names::MIGRATIONS, &[("direction", side.direction())]);
            count.is_some_and(|count| count >= f64::from(self.scenario.count))
        };
        while clock::now() < limit && !Side::BOTH.into_iter().zip(&self.exporters).all(counted) {
            stop.check()?;
            clock::sleep(Duration::from_millis(50));
        }
        // One more scrape has what comes with the count.
        if !self.exporters.is_empty() {
            clock::sleep(Duration::from_millis(500));
        }
        Ok(())
    }
}

/// What the administrator does at a time: changes to post-copy, gives up.
struct Orders {
    postcopy: Option<Duration>,
    cancel: Option<Duration>,
}

impl Orders {
    fn new(scenario: &Scenario) -> Self {
        let postcopy = scenario.migrate.postcopy_after.map(|after| after.0);
        Self { postcopy, cancel: scenario.stop_after.map(|after| after.0) }
    }

    fn due(&mut self, passed: Duration, pair: &mut Pair) -> Result<()> {
        if self.postcopy.take_if(|at| *at <= passed).is_some() {
            pair.postcopy().context("migrate.postcopy_after")?;
        }
        if self.cancel.take_if(|at| *at <= passed).is_some() {
            pair.cancel().context("stop_after")?;
        }
        Ok(())
    }
}

/// Asks guests whose migration has just ended. One whose hypervisor is gone has nothing to say.
fn take_answers(pair: &mut Pair, answers: &mut [Option<Value>]) -> Result<()> {
    for (guest, answer) in pair.guests.iter_mut().zip(&mut *answers) {
        if answer.is_none() && (truth::ended(&guest.source).is_some() || guest.source.is_gone()) {
            let last = truth::last_answer(guest);
            // QEMU says `completed` a moment before it has computed the times; it is asked again.
            let premature = last["status"] == "completed" && last["total-time"].as_u64() == Some(0);
            let unset = last["status"] == "completed" && last["downtime"].as_u64() == Some(0);
            *answer = Some(last).filter(|_| guest.source.is_gone() || !(premature || unset));
        }
    }
    let begun = pair.guests.iter().any(|guest| guest.source.time_of("MIGRATION/setup").is_some());
    match pair.complaint() {
        Some(complaint) if !begun => bail!("virsh migrate: {complaint}"),
        _ => Ok(()),
    }
}

//! Lets the faults of a scenario happen at their times.

use crate::host::Host;
use crate::made::Made;
use crate::pair::Pair;
use crate::scenario::fault::{Fault, Side};
use crate::scenario::Scenario;
use crate::setting;
use crate::traffic::{Others, Traffic};
use crate::units::Percent;
use crate::world::{shape, World};
use anyhow::{ensure, Context, Result};
use rustix::process::{kill_process, Pid, Signal};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a fault may touch.
#[derive(Debug)]
pub struct Stage<'a> {
    /// The run's list of what was made.
    pub made: &'a Made,
    /// The path.
    pub world: &'a World,
    /// Source and destination.
    pub hosts: &'a [Host; 2],
    /// The guests.
    pub pair: &'a mut Pair,
}

/// One change that is due at a time after the start.
#[derive(Debug)]
struct Change {
    at: Duration,
    fault: usize,
    begins: bool,
}

/// What is still to happen, soonest first, and what goes on.
#[derive(Debug)]
pub struct Faults {
    list: Vec<Fault>,
    changes: Vec<Change>,
    traffic: Vec<(usize, Traffic)>,
    others: Vec<Others>,
    begun: bool,
}

impl Faults {
    /// The plan of a scenario.
    pub fn new(scenario: &Scenario) -> Self {
        let mut changes = Vec::new();
        for (fault, (at, until)) in scenario.faults.iter().map(Fault::times).enumerate() {
            changes.extend(at.map(|at| Change { at: at.0, fault, begins: true }));
            changes.extend(until.map(|until| Change { at: until.0, fault, begins: false }));
        }
        changes.sort_by_key(|change| change.at);
        Self { list: scenario.faults.clone(), changes, traffic: Vec::new(), others: Vec::new(), begun: false }
    }

    /// Kernel settings, which sockets take up when they are opened: before hypervisors start.
    pub fn settings(&self, hosts: &[Host; 2]) -> Result<()> {
        for fault in &self.list {
            if let Fault::Sysctl { side, set } = fault {
                set.iter().try_for_each(|(name, value)| host(hosts, *side).sysctl(name, &value.0))?;
            }
        }
        Ok(())
    }

    /// What is there from the start; the second time nothing happens.
    pub fn from_the_start(&mut self, stage: &mut Stage) -> Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        for fault in 0..self.list.len() {
            if self.list[fault].times().0.is_none() {
                self.begin(fault, stage)?;
            }
        }
        Ok(())
    }

    /// What others moved: those that have ended, and those that go on, up to now.
    pub fn others(&self) -> Vec<Others> {
        let on = self.traffic.iter().map(|(_, traffic)| traffic.moved());
        self.others.iter().copied().chain(on).collect()
    }

    /// What is due by now.
    pub fn due(&mut self, passed: Duration, stage: &mut Stage) -> Result<()> {
        while self.changes.first().is_some_and(|change| change.at <= passed) {
            let change = self.changes.remove(0);
            if change.begins {
                self.begin(change.fault, stage)?;
            } else {
                self.end(change.fault, stage)?;
            }
        }
        Ok(())
    }

    fn begin(&mut self, number: usize, stage: &mut Stage) -> Result<()> {
        match &self.list[number] {
            Fault::CompetingTraffic { streams, port, rate, .. } => {
                let [from, to] = stage.hosts;
                let address = stage.world.address(Side::Destination);
                self.traffic.push((number, Traffic::start([from, to], address, *port, *streams, *rate)?));
                Ok(())
            }
            Fault::Sysctl { .. } => Ok(()),
            Fault::CpuQuota { side, percent, .. } => quota(stage.made, host(stage.hosts, *side), *percent),
            Fault::MaxBandwidth { value, .. } => stage.pair.max_bandwidth(*value),
            Fault::BusyMonitor { .. } => stage.pair.hold_monitors(true),
            Fault::Loss { percent, .. } => {
                let (namespace, link) = stage.world.last_hop();
                shape::lose(&namespace, link, *percent)
            }
            Fault::SmallBacklog { packets, .. } => stage.made.setting(setting::BACKLOG, &packets.to_string()),
            Fault::Freeze { side, .. } => signal(host(stage.hosts, *side), Signal::STOP),
            Fault::Cancel { .. } => stage.pair.cancel(),
            Fault::Kill { who, .. } => signal(host(stage.hosts, *who), Signal::KILL),
        }
    }

    fn end(&mut self, number: usize, stage: &mut Stage) -> Result<()> {
        match &self.list[number] {
            Fault::CompetingTraffic { .. } => {
                let ended = self.traffic.iter().filter(|(fault, _)| *fault == number);
                self.others.extend(ended.map(|(_, traffic)| traffic.moved()));
                self.traffic.retain(|(fault, _)| *fault != number);
            }
            Fault::BusyMonitor { .. } => stage.pair.hold_monitors(false)?,
            Fault::Loss { .. } => shape::lose_nothing(&stage.world.last_hop().0)?,
            Fault::SmallBacklog { .. } => stage.made.put_back(setting::BACKLOG)?,
            Fault::Freeze { side, .. } => signal(host(stage.hosts, *side), Signal::CONT)?,
            _ => {}
        }
        Ok(())
    }
}

fn host(hosts: &[Host; 2], side: Side) -> &Host {
    &hosts[usize::from(side == Side::Destination)]
}

/// A signal to a host's hypervisors.
fn signal(host: &Host, signal: Signal) -> Result<()> {
    let processes = Pair::processes(host);
    ensure!(!processes.is_empty(), "no hypervisor to signal on the {:?}", host.side);
    for pid in processes {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).context("a process number")?;
        kill_process(pid, signal).context("a signal")?;
    }
    Ok(())
}

/// A control group that gives a host's hypervisors a share of one CPU.
fn quota(made: &Made, host: &Host, share: Percent) -> Result<()> {
    const PERIOD: u64 = 20_000;
    let quota = (PERIOD as f64 * share.0 / 100.0).max(1000.0) as u64;
    let (group, files) = control_group(&host.namespace)?;
    made.folder_outside(&group)?;
    fs::create_dir_all(&group).with_context(|| group.display().to_string())?;
    if files {
        fs::write(group.join("cpu.cfs_period_us"), PERIOD.to_string()).context("a CPU period")?;
        fs::write(group.join("cpu.cfs_quota_us"), quota.to_string()).context("a CPU quota")?;
    } else {
        fs::write(group.join("cpu.max"), format!("{quota} {PERIOD}")).context("a CPU quota")?;
    }
    for pid in Pair::processes(host) {
        fs::write(group.join("cgroup.procs"), pid.to_string()).context("a control group")?;
    }
    Ok(())
}

/// Where a control group for CPU time goes; whether it is of the old kind (cgroup v1).
fn control_group(name: &str) -> Result<(PathBuf, bool)> {
    let old = Path::new("/sys/fs/cgroup/cpu");
    if old.join("cpu.cfs_quota_us").exists() || old.join("cgroup.procs").exists() {
        return Ok((old.join(name), true));
    }
    let new = Path::new("/sys/fs/cgroup");
    let given = fs::read_to_string(new.join("cgroup.subtree_control")).unwrap_or_default();
    ensure!(given.contains("cpu"), "{} cpu_quota: this machine gives no CPU control groups", crate::SKIPPED);
    Ok((new.join(name), false))
}

//! The measurement, in namespaces of our own: the figures go out as JSON.

use super::figures::{Crowd, Moving, Others, Run};
use super::peer::allow_many_descriptors;
use super::watch::{count, Miglink};
use super::world::{self, Ports, World};
use super::{sockets, Plan};
use anyhow::{bail, ensure, Context, Result};
use clap::Args;
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::sync::mpsc::{channel, RecvTimeoutError};
use std::thread::{self, sleep};
use std::time::Duration;

/// Until whatever happens once has happened: the first readings, the first look at new processes.
const SETTLE: Duration = Duration::from_secs(7);

/// What to measure here.
#[derive(Args, Clone)]
pub struct Arguments {
    #[command(flatten)]
    plan: Plan,
    /// miglink's binary
    #[arg(long)]
    binary: PathBuf,
}

/// Measures and prints. Ends when the standard input ends, because who asked is gone then.
pub fn run(arguments: Arguments) -> Result<()> {
    ensure!(std::process::id() == 1, "this runs as the first process of namespaces of its own");
    let (end, ended) = channel();
    let gone = end.clone();
    thread::spawn(move || {
        let read = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = gone.send(read.map_err(Into::into).and_then(|_| bail!("called off")));
    });
    thread::spawn(move || {
        let _ = end.send(measure(&arguments));
    });
    match ended.recv_timeout(Duration::from_secs(3600)) {
        Ok(run) => println!("{}", serde_json::to_string(&run?)?),
        Err(RecvTimeoutError::Timeout) => bail!("it takes longer than an hour"),
        Err(RecvTimeoutError::Disconnected) => bail!("the measurement broke off"),
    }
    Ok(())
}

fn measure(arguments: &Arguments) -> Result<Run> {
    let plan = &arguments.plan;
    let most = plan.guests.iter().max().copied().unwrap_or(0).max(1);
    ensure!(most <= 110, "ports of migrations are good for 110 guests");
    allow_many_descriptors()?;
    let world = World::new(&std::env::current_exe()?, most)?;
    let bench = Bench { world, arguments };
    let mut crowds = Vec::new();
    for guests in &plan.guests {
        crowds.push(bench.crowd(*guests).with_context(|| format!("{guests} guests"))?);
    }
    Ok(Run {
        kernel_release: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
        cpus: thread::available_parallelism()?.get(),
        crowds,
        others: bench.others()?,
    })
}

struct Bench<'a> {
    world: World,
    arguments: &'a Arguments,
}

impl Bench<'_> {
    fn watched(&self) -> Duration {
        Duration::from_secs(self.arguments.plan.seconds)
    }

    fn crowd(&self, number: usize) -> Result<Crowd> {
        eprintln!("  {number} guests");
        let mut guests = world::guests(number)?;
        let miglink = Miglink::start(&self.arguments.binary)?;
        sleep(SETTLE);
        let idle = miglink.watch(self.watched())?;
        if guests.is_empty() {
            return Ok(Crowd { guests: number, idle, moving: None });
        }
        for guest in &mut guests {
            guest.begin()?;
            // Not all at one moment: streams that send in step come and go in step.
            sleep(Duration::from_millis(10));
        }
        sleep(SETTLE);
        let watch = miglink.watch(self.watched())?;
        let text = miglink.scrape()?;
        let shown = count(&text, "miglink_migration_phase", "phase=\"memory_copy\"");
        let told = count(&text, "miglink_migration_remaining_bytes", "");
        if shown != number || told != number {
            eprintln!("  only {shown} shown, {told} told; miglink says: {}", miglink.log());
        }
        Ok(Crowd { guests: number, idle, moving: Some(Moving { watch, shown, told }) })
    }

    fn others(&self) -> Result<Vec<Others>> {
        let (connections, processes) = (self.arguments.plan.connections, self.arguments.plan.processes);
        let mut found = vec![self.beside("nobody", 0, || Ok(()))?];
        if connections > 0 {
            // Ports of migrations are not among these.
            let apart = Ports { low: 20_000, high: 32_767 };
            let crowd = || self.world.connections(connections, apart);
            found.push(self.beside("connections, ports apart", connections, crowd)?);
            // net.ipv4.ip_local_port_range as it comes.
            let among = Ports { low: 32_768, high: 60_999 };
            let crowd = || self.world.connections(connections, among);
            found.push(self.beside("connections, any ports", connections, crowd)?);
        }
        if processes > 0 {
            found.push(self.beside("processes", processes, || world::processes(processes))?);
        }
        Ok(found)
    }

    /// One guest that does not move, beside others.
    fn beside<T>(&self, what: &str, number: usize, others: impl Fn() -> Result<T>) -> Result<Others> {
        eprintln!("  one guest beside {what}");
        let _guest = world::guests(1)?;
        let _others = others().with_context(|| what.to_owned())?;
        let miglink = Miglink::start(&self.arguments.binary)?;
        sleep(SETTLE);
        let watch = miglink.watch(self.watched())?;
        drop(miglink);
        let [filtered, unfiltered] = sockets::measure()?;
        Ok(Others { what: what.to_owned(), number, watch, filtered, unfiltered })
    }
}

//! Starts an exporter, scrapes it a number of times, and says what that cost.

use super::figures::{Exporter, Scrape, Spread};
use super::http::{Answer, Client};
use super::meter::{self, ColdCaches, Cpu, Memory};
use anyhow::{bail, ensure, Context, Result};
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::Duration;

/// How long an exporter may take until it serves every link.
const START: Duration = Duration::from_secs(90);
/// What an exporter still does once the body is sent (closing files, collecting garbage) belongs to the scrape.
const AFTERWORK: Duration = Duration::from_millis(50);
/// Between start and the first measurement, and between the last scrape and the idle time.
const SETTLE: Duration = Duration::from_secs(3);

/// How an exporter is measured.
pub struct Task<'a> {
    /// Its name, for messages and the log.
    pub name: &'a str,
    /// How it is started.
    pub command: Command,
    /// The port it listens on.
    pub port: u16,
    /// It serves everything once it has this many series.
    pub least_series: usize,
    /// Scrapes of each kind.
    pub repetitions: usize,
    /// Time before each scrape, so that none finds what the one before it has left.
    pub pause: Duration,
    /// How long it is watched while nobody scrapes.
    pub idle: Duration,
    /// Where its log goes.
    pub scratch: &'a Path,
}

/// A port of the loopback that nobody listens on.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Runs and measures an exporter, and stops it.
pub fn measure(mut task: Task) -> Result<Exporter> {
    let log = task.scratch.join(format!("{}.log", task.name));
    let output = File::create(&log)?;
    task.command.stdout(output.try_clone()?).stderr(output);
    let child = task
        .command
        .spawn()
        .with_context(|| format!("{} does not start", task.command.get_program().display()))?;
    let mut running = Running { child, log };
    let mut client = running.wait_until_it_serves(&task)?;
    sleep(SETTLE);
    eprintln!("  {}: {} scrapes plain and gzip", task.name, task.repetitions);
    let [plain, gzip] = running.scrapes(&mut client, &task)?;
    let memory = Memory::of(running.pid())?;
    let idle = running.idle(task.idle)?;
    let command = format!("{:?}", task.command).replace('"', "");
    Ok(Exporter { command, plain, gzip, resident: memory.resident, resident_peak: memory.peak, idle })
}

/// A process that is killed when it is dropped.
struct Running {
    child: Child,
    log: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    fn pid(&self) -> u32 {
        self.child.id()
    }

    fn wait_until_it_serves(&mut self, task: &Task) -> Result<Client> {
        let start = meter::now();
        let mut problem = anyhow::anyhow!("it was not asked");
        while start.elapsed() < START {
            sleep(Duration::from_millis(200));
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status}: {}", task.name, self.log_tail());
            }
            match served_series(task.port) {
                Ok((client, series)) if series >= task.least_series => return Ok(client),
                Ok((_, series)) => {
                    problem = anyhow::anyhow!("it serves {series} of {} series", task.least_series);
                }
                Err(error) => problem = error,
            }
        }
        bail!("{} does not serve within {START:?}: {problem:#}; {}", task.name, self.log_tail())
    }

    fn log_tail(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }

    /// Plain and gzip in turn, so that what else the machine does meets both alike.
    fn scrapes(&self, client: &mut Client, task: &Task) -> Result<[Scrape; 2]> {
        let mut caches = ColdCaches::new();
        let mut series = [Series::default(), Series::default()];
        for _ in 0..task.repetitions {
            for (gzip, series) in [false, true].into_iter().zip(&mut series) {
                sleep(task.pause);
                caches.forget();
                let before = Cpu::of(self.pid())?;
                let start = meter::now();
                series.last = Some(client.scrape(gzip)?);
                series.wall.push(start.elapsed().as_secs_f64());
                sleep(AFTERWORK);
                series.cpu.push(Cpu::of(self.pid())?.since(&before));
            }
        }
        let [plain, gzip] = series;
        let (plain, gzip) = (plain.sum_up()?, gzip.sum_up()?);
        // Series of one device may come or go between two scrapes; more is a body that is cut short.
        let differ = plain.series.abs_diff(gzip.series);
        ensure!(differ <= plain.series / 1000, "plain has {} series, gzip {}", plain.series, gzip.series);
        Ok([plain, gzip])
    }

    /// The lower of two whole watches: what else runs on the machine makes a figure larger, never smaller, and each
    /// watch is long enough to hold all that is read rarely.
    fn idle(&self, duration: Duration) -> Result<f64> {
        sleep(SETTLE);
        Ok(self.watch(duration)?.min(self.watch(duration)?))
    }

    fn watch(&self, duration: Duration) -> Result<f64> {
        let (before, start) = (Cpu::of(self.pid())?, meter::now());
        sleep(duration);
        Ok(Cpu::of(self.pid())?.since(&before) / start.elapsed().as_secs_f64())
    }
}

fn served_series(port: u16) -> Result<(Client, usize)> {
    let mut client = Client::connect(port)?;
    let series = client.scrape(false)?.series()?;
    Ok((client, series))
}

#[derive(Default)]
struct Series {
    cpu: Vec<f64>,
    wall: Vec<f64>,
    last: Option<Answer>,
}

impl Series {
    fn sum_up(self) -> Result<Scrape> {
        let answer = self.last.context("nothing was scraped")?;
        let series = answer.series()?;
        Ok(Scrape {
            cpu: Spread::of(self.cpu)?,
            wall: Spread::of(self.wall)?,
            bytes: answer.body.len(),
            series,
        })
    }
}

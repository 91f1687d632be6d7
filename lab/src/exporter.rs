//! The exporter under test: a miglink on each host, scraped five times a second, and what it said when.

use crate::exposition::{self, Sample, Selector};
use crate::host::Host;
use crate::made::Made;
use crate::stop::Stop;
use crate::traffic::enter;
use crate::{clock, names};
use anyhow::{ensure, Context, Result};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Where each miglink listens, in its own namespace.
pub const ADDRESS: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 10063);
/// Between scrapes.
const INTERVAL: Duration = Duration::from_millis(200);

/// One scrape's samples.
#[derive(Debug, Clone)]
pub struct Scrape {
    /// When it was asked for, in seconds since 1970.
    pub at: f64,
    /// What the lab keeps of it.
    pub samples: Vec<Sample>,
}

/// All scrapes of one host, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Timeline(pub Vec<Scrape>);

/// A running miglink.
#[derive(Debug)]
pub struct Exporter {
    timeline: Arc<Mutex<Timeline>>,
    stop: Stop,
    scraper: Option<std::thread::JoinHandle<()>>,
}

impl Exporter {
    /// Starts it on a host and waits for its first answer. Without a configuration it gets none.
    pub fn start(made: &Made, host: &Host, binary: &Path, configuration: &str, stop: &Stop) -> Result<Self> {
        let mut command = host.command(binary);
        command.arg(format!("--web.listen-address={}:{}", ADDRESS.0, ADDRESS.1));
        command.env("STATE_DIRECTORY", host.folder.join("recording"));
        if !configuration.is_empty() {
            let path = host.folder.join("miglink.yml");
            fs::write(&path, configuration).context("miglink's configuration")?;
            command.arg("--config.file").arg(path);
        }
        host.spawn(made, &mut command, "miglink.log", stop)?;
        let (timeline, own_stop) = (Arc::new(Mutex::new(Timeline::default())), Stop::default());
        let (kept, until, network) = (Arc::clone(&timeline), own_stop.clone(), host.network()?);
        let scraper = std::thread::spawn(move || scrape_all(&network, &kept, &until));
        let exporter = Self { timeline, stop: own_stop, scraper: Some(scraper) };
        clock::wait("miglink's first answer", Duration::from_secs(10), stop, || {
            Ok((!exporter.timeline().0.is_empty()).then_some(()))
        })
        .with_context(|| host.log("miglink.log"))?;
        Ok(exporter)
    }

    /// What it said so far.
    pub fn timeline(&self) -> Timeline {
        self.timeline.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The newest scrape.
    pub fn newest_scrape(&self) -> Option<Scrape> {
        self.timeline.lock().unwrap_or_else(PoisonError::into_inner).0.last().cloned()
    }

    /// The newest value of a sum.
    pub fn newest(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let timeline = self.timeline.lock().unwrap_or_else(PoisonError::into_inner);
        Selector::new(name, labels).sum(&timeline.0.last()?.samples)
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.stop.set();
        self.scraper.take().map(std::thread::JoinHandle::join);
    }
}

impl Timeline {
    /// A series' last value, whenever that was: an ended migration's series go some time.
    pub fn last(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let selector = Selector::new(name, labels);
        self.0.iter().rev().find_map(|scrape| selector.sum(&scrape.samples))
    }

    /// How much a counter has grown since the first scrape; one that was not there was zero.
    pub fn growth(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let selector = Selector::new(name, labels);
        let first = self.0.first().and_then(|scrape| selector.sum(&scrape.samples));
        self.last(name, labels).unwrap_or_default() - first.unwrap_or_default()
    }

    /// The last value of a label of a series.
    pub fn label(&self, name: &str, labels: &[(&str, &str)], label: &str) -> Option<String> {
        let selector = Selector::new(name, labels);
        let found =
            self.0.iter().rev().find_map(|scrape| scrape.samples.iter().find(|s| selector.matches(s)));
        found.map(|sample| sample.label(label).to_owned())
    }
}

fn scrape_all(network: &File, kept: &Mutex<Timeline>, stop: &Stop) {
    if let Err(error) = enter(network) {
        eprintln!("lab: {error:#}");
        return;
    }
    while !stop.is_set() {
        let (start, at) = (clock::now(), clock::wall());
        // Before it listens, and when it is gone, there is nothing to keep.
        if let Ok(samples) = get("/metrics").and_then(|text| exposition::parse(&text)) {
            let wanted = |s: &Sample| names::KEPT.iter().any(|name| s.name.starts_with(name));
            let scrape = Scrape { at, samples: samples.into_iter().filter(wanted).collect() };
            kept.lock().unwrap_or_else(PoisonError::into_inner).0.push(scrape);
        }
        clock::sleep(INTERVAL.saturating_sub(clock::since(start)));
    }
}

/// The body of an answer with status 200, asked in this thread's network namespace.
pub fn get(path: &str) -> Result<String> {
    let address = SocketAddr::from(ADDRESS);
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    // HTTP/1.0: the answer comes in one piece and ends with the connection.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: lab\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").context("no head")?;
    ensure!(head.lines().next().is_some_and(|line| line.contains(" 200")), "{head}");
    Ok(body.to_owned())
}

/// The binary to test: what was named, else the newest build beside this program, release first.
///
/// # Errors
/// When there is none; with the command that builds it.
pub fn binary(named: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(path) = named {
        ensure!(path.is_file(), "{} is not there", path.display());
        return path.canonicalize().context("miglink's path");
    }
    let this = std::env::current_exe().context("this program's path")?;
    let target = this.parent().and_then(Path::parent).context("the target folder")?;
    let built = ["release", "debug"].map(|profile| target.join(profile).join("miglink"));
    let found = built.into_iter().find(|path| path.is_file());
    found.context("miglink is not built; run: cargo build --release")
}

//! `cargo xtask demo`: one real, slow migration to look at, with miglink's page and metrics and what it says each
//! second.

use crate::exporter::{binary, Exporter, Scrape};
use crate::exposition::Selector;
use crate::proxy::Proxy;
use crate::run::{Lab, Options};
use crate::scenario::fault::Side;
use crate::scenario::Scenario;
use crate::stop::Stop;
use crate::{clock, names, report};
use anyhow::{ensure, Context, Result};
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// What migrates.
const SCENARIO: &str = include_str!("../demo.yaml");

/// Flags of `demo`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Another migration to show: a scenario file
    pub scenario: Option<PathBuf>,
    /// Port of the source host's page on this machine; the destination's is the next
    #[arg(long, default_value_t = 10063)]
    pub port: u16,
    /// Seconds that the pages stay after the end
    #[arg(long, default_value_t = 20)]
    pub linger: u64,
    /// The miglink to show; without it: target/release/miglink, else target/debug/miglink
    #[arg(long, env = "MIGLINK", value_name = "PATH")]
    pub miglink: Option<PathBuf>,
}

/// Shows it.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    ensure!(rustix::process::geteuid().is_root(), "a host made of namespaces needs root");
    let stop = Stop::on_signals()?;
    match show(arguments, &stop) {
        Err(_) if stop.is_set() => println!("stopped; everything is removed"),
        Err(error) => return Err(error),
        Ok(()) => println!("everything is removed"),
    }
    Ok(ExitCode::SUCCESS)
}

fn show(arguments: &Arguments, stop: &Stop) -> Result<()> {
    let scenario = match &arguments.scenario {
        Some(file) => {
            Scenario::parse(&std::fs::read_to_string(file).with_context(|| file.display().to_string())?)
        }
        None => Scenario::parse(SCENARIO),
    };
    let scenario = scenario.context("the scenario")?;
    let options = Options { miglink: Some(binary(arguments.miglink.clone())?), ..Options::default() };
    println!("building two hosts and a guest of {} MiB …", scenario.vm.memory.mib());
    let mut lab = Lab::start(&scenario, &options, stop)?;
    let mut proxies = Vec::new();
    for (host, port) in lab.hosts.iter().zip(arguments.port..) {
        let proxy = Proxy::start(host, port)?;
        println!("{:<12} http://{}/   http://{}/metrics", word(host.side), proxy.address, proxy.address);
        proxies.push(proxy);
    }
    println!("the guest moves; miglink on the source says:");
    let (start, mut next) = (clock::now(), Duration::ZERO);
    let truths = lab.migrate(stop, |exporters| {
        let passed = clock::since(start);
        if passed >= next {
            next += Duration::from_secs(1);
            println!(
                "{:>5.0} s  {}",
                passed.as_secs_f64(),
                exporters.first().map_or(String::new(), progress)
            );
        }
    })?;
    lab.settle(stop)?;
    for truth in &truths {
        println!("QEMU says: {}", report::line(truth));
    }
    println!("the pages stay for {} s; Ctrl-C ends it", arguments.linger);
    let end = clock::now() + Duration::from_secs(arguments.linger);
    while clock::now() < end && !stop.is_set() {
        clock::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn word(side: Side) -> &'static str {
    match side {
        Side::Source => "source",
        Side::Destination => "destination",
    }
}

/// One line of what miglink says of the migration now.
fn progress(exporter: &Exporter) -> String {
    let Some(scrape) = exporter.newest_scrape() else { return "nothing yet".into() };
    let outgoing = [("direction", Side::Source.direction())];
    let value = |name| Selector::new(name, &outgoing).sum(&scrape.samples);
    let Some(phase) = phase(&scrape) else { return "no migration".into() };
    let mut line = format!("{phase:<15}");
    for (what, name, unit) in [
        ("sent", names::TRANSFERRED, "MB"),
        ("left", names::REMAINING, "MB"),
        ("at", names::THROUGHPUT, "MB/s"),
    ] {
        if let Some(value) = value(name) {
            write!(line, "  {what} {:>6.1} {unit}", value / 1e6).ok();
        }
    }
    line
}

/// The phase that has a 1.
fn phase(scrape: &Scrape) -> Option<&str> {
    let selector = Selector::new(names::PHASE, &[("direction", Side::Source.direction())]);
    let mut now = scrape.samples.iter().filter(|sample| selector.matches(sample) && sample.value > 0.5);
    now.next().map(|sample| sample.label("phase"))
}

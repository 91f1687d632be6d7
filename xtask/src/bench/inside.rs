//! One size, measured by a process that lives in the size's namespace: the figures go out as JSON.

use super::exporter::{self, free_port, Task};
use super::figures::{Exporter, Size};
use super::{kernel, traffic};
use anyhow::{Context, Result};
use clap::Args;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The user without rights on every Linux.
const NOBODY: u32 = 65534;
/// All links are exported, as node_exporter does it; by itself miglink leaves links of guests out.
const CONFIGURATION: &str = "links: {include: [\".*\"]}\n";
/// What comes closest to our content: link attributes and statistics over netlink, softnet, TCP and IP, qdiscs.
const LEANEST: [&str; 7] = [
    "--collector.disable-defaults",
    "--collector.netclass",
    "--collector.netclass.netlink",
    "--collector.netclass_rtnl.with-stats",
    "--collector.softnet",
    "--collector.netstat",
    "--collector.qdisc",
];

/// What to measure here.
#[derive(Args)]
pub struct Arguments {
    /// How many links this namespace has
    #[arg(long)]
    links: usize,
    /// miglink's binary
    #[arg(long)]
    miglink: PathBuf,
    /// node_exporter's binary, where it is to be measured
    #[arg(long)]
    node_exporter: Option<PathBuf>,
    /// A folder that everyone may read
    #[arg(long)]
    scratch: PathBuf,
    /// How long miglink is watched while nobody scrapes
    #[arg(long)]
    idle_seconds: u64,
}

/// Measures and prints.
pub fn run(arguments: &Arguments) -> Result<()> {
    let frames = traffic::send_over_every_link()?;
    eprintln!("  {frames} frames sent; kernel: dumps hot, cold, once a second");
    let kernel = kernel::measure().context("raw dumps")?;
    let miglink = told(miglink(arguments));
    let node = |name, flags: &[&str]| {
        let binary = arguments.node_exporter.as_deref()?;
        told(node_exporter(arguments, name, binary, flags))
    };
    let node_leanest = node("node_exporter-leanest", &LEANEST);
    let node_default = node("node_exporter-default", &[]);
    let size = Size { links: arguments.links, kernel, miglink, node_leanest, node_default };
    println!("{}", serde_json::to_string(&size)?);
    Ok(())
}

/// One exporter that does not run leaves the others to be measured; its budgets do not hold then.
fn told(result: Result<Exporter>) -> Option<Exporter> {
    result.inspect_err(|error| eprintln!("  NOT MEASURED: {error:#}")).ok()
}

fn miglink(arguments: &Arguments) -> Result<Exporter> {
    let (configuration, port) = (arguments.scratch.join("miglink.yaml"), free_port()?);
    fs::write(&configuration, CONFIGURATION)?;
    let mut command = Command::new(&arguments.miglink);
    command.arg("--config.file").arg(configuration).arg(listen(port));
    command.env("STATE_DIRECTORY", arguments.scratch.join("recording"));
    exporter::measure(Task {
        name: "miglink",
        command,
        port,
        least_series: 10 * arguments.links,
        repetitions: 15,
        // Longer than a tick: a scrape by Prometheus always finds a frame that was never served.
        pause: Duration::from_millis(1_100),
        idle: Duration::from_secs(arguments.idle_seconds),
        scratch: &arguments.scratch,
    })
}

fn node_exporter(arguments: &Arguments, name: &str, binary: &Path, flags: &[&str]) -> Result<Exporter> {
    let port = free_port()?;
    let mut command = Command::new(binary);
    command.args(flags).arg(listen(port)).arg("--log.level=error").uid(NOBODY).gid(NOBODY);
    exporter::measure(Task {
        name,
        command,
        port,
        least_series: 10 * arguments.links,
        // A scrape takes 0.3 to 1 ms a link.
        repetitions: (20_000 / arguments.links.max(1)).clamp(3, 15),
        // It collects anew for every scrape.
        pause: Duration::ZERO,
        idle: Duration::from_secs(2),
        scratch: &arguments.scratch,
    })
}

fn listen(port: u16) -> String {
    format!("--web.listen-address=127.0.0.1:{port}")
}

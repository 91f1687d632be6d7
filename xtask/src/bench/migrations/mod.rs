//! `cargo xtask bench migrations`: the command. Builds, has it measured in namespaces of its own, and shows what came out.
//!
//! `inside` measures, with `world` (namespaces, a veth pair, processes), `watch` (a running miglink) and `sockets` (raw
//! dumps); `guest` and `monitor` are a simulated hypervisor, `peer` its far end, `crowd` the connections of others. Then
//! `table` and `budget` over the `figures`.

mod budget;
pub mod crowd;
mod figures;
pub mod guest;
pub mod inside;
mod monitor;
pub mod peer;
mod sockets;
mod table;
mod watch;
mod world;

use super::programs::Programs;
use crate::apt;
use anyhow::{bail, ensure, Context, Result};
use clap::Args;
use figures::Run;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

/// What is measured.
#[derive(Args, Clone)]
pub struct Plan {
    /// Numbers of guests: first none of them moves, then all of them
    #[arg(long, value_delimiter = ',', default_values_t = [0, 1, 10, 100])]
    guests: Vec<usize>,
    /// Connections of others; 0 leaves this out
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Processes of others; 0 leaves this out
    #[arg(long, default_value_t = 2_000)]
    processes: usize,
    /// How long miglink is watched, twice, in each case
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    seconds: u64,
}

/// What `bench migrations` can be told.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    plan: Plan,
    /// Write the figures here too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure this miglink instead of building it
    #[arg(long, value_name = "BINARY")]
    miglink: Option<PathBuf>,
    /// Exit with 1 if a budget is broken
    #[arg(long)]
    check: bool,
}

/// Runs the benchmark.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    ensure!(rustix::process::geteuid().is_root(), "namespaces are made by root only");
    if Command::new("ip").arg("-Version").output().is_err() {
        apt::ensure(&["iproute2"])?;
    }
    let run = measure(&Programs::build(arguments.miglink.as_deref())?, &arguments.plan)?;
    if let Some(path) = &arguments.json {
        let json = serde_json::to_string_pretty(&run)?;
        fs::write(path, json + "\n").with_context(|| path.display().to_string())?;
    }
    println!("{}", table::of(&run));
    let verdicts = budget::judge(&run);
    for verdict in &verdicts {
        println!("{verdict}");
    }
    let broken = arguments.check && verdicts.iter().any(|verdict| !verdict.holds());
    Ok(if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The process inside is the first of its namespaces and ends when its standard input does, which the kernel sees to
/// however we end; with it ends everything in them.
fn measure(programs: &Programs, plan: &Plan) -> Result<Run> {
    let list = |numbers: &[usize]| numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    let mut inside = Command::new("unshare");
    inside.args(["--net", "--pid", "--mount", "--mount-proc", "--fork", "--kill-child"]);
    inside.arg(&programs.xtask).args(["bench", "migrations-inside", "--guests", &list(&plan.guests)]);
    inside.args(["--connections", &plan.connections.to_string()]);
    inside.args(["--processes", &plan.processes.to_string(), "--seconds", &plan.seconds.to_string()]);
    inside.arg("--binary").arg(&programs.miglink);
    let mut child = inside.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("unshare")?;
    let _until_the_end = child.stdin.take();
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("measuring ended with {}", output.status);
    }
    serde_json::from_slice(&output.stdout).context("the figures from inside")
}

//! `cargo xtask bench scale`: the command. Builds, makes a namespace for each size, has it measured from inside, and
//! shows what came out.

use super::figures::{Run, Size};
use super::namespace::Namespace;
use super::programs::Programs;
use super::{budget, node_exporter, table};
use crate::apt;
use anyhow::{bail, ensure, Context, Result};
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// What `bench scale` can be told.
#[derive(Args)]
pub struct Arguments {
    /// Numbers of links to measure
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1_000, 10_000])]
    links: Vec<usize>,
    /// Write the figures here too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure this miglink instead of building it
    #[arg(long, value_name = "BINARY")]
    miglink: Option<PathBuf>,
    /// Leave node_exporter out, which takes most of the time
    #[arg(long)]
    skip_node_exporter: bool,
    /// Compare with this node_exporter instead of Debian's newest
    #[arg(long, value_name = "BINARY", conflicts_with = "skip_node_exporter")]
    node_exporter: Option<PathBuf>,
    /// How long miglink is watched, twice, while nobody scrapes; the attributes of links are read every 60 s
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    idle_seconds: u64,
    /// Exit with 1 if a budget is broken
    #[arg(long)]
    check: bool,
}

/// Runs the benchmark.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    ensure!(rustix::process::geteuid().is_root(), "network namespaces are made by root only");
    if Command::new("ip").arg("-Version").output().is_err() {
        apt::ensure(&["iproute2"])?;
    }
    let programs = Programs::build(arguments.miglink.as_deref())?;
    let node_exporter = match &arguments.node_exporter {
        Some(binary) => Some(binary.clone()),
        None if arguments.skip_node_exporter => None,
        None => Some(node_exporter::fetch()?),
    };
    let version = node_exporter.as_deref().map(node_exporter::version).transpose()?;
    let mut sizes = Vec::new();
    for links in &arguments.links {
        sizes.push(measure(*links, &programs, node_exporter.as_deref(), arguments.idle_seconds)?);
    }
    let run = Run {
        kernel_release: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
        cpus: std::thread::available_parallelism()?.get(),
        node_exporter: version,
        sizes,
    };
    finish(&run, arguments)
}

fn finish(run: &Run, arguments: &Arguments) -> Result<ExitCode> {
    if let Some(path) = &arguments.json {
        let json = serde_json::to_string_pretty(run)?;
        fs::write(path, json + "\n").with_context(|| path.display().to_string())?;
    }
    println!("{}", table::of(run));
    let verdicts = budget::judge(&run.sizes, !arguments.skip_node_exporter);
    for verdict in &verdicts {
        println!("{verdict}");
    }
    if arguments.check && verdicts.iter().any(|verdict| !verdict.holds()) {
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(
    links: usize,
    programs: &Programs,
    node_exporter: Option<&Path>,
    idle_seconds: u64,
) -> Result<Size> {
    eprintln!("{links} links: making them");
    let namespace = Namespace::with_links(links)?;
    let mut inside = namespace.command(&programs.xtask);
    inside.args(["bench", "scale-inside", "--links", &links.to_string()]);
    inside.args(["--idle-seconds", &idle_seconds.to_string()]);
    inside.arg("--miglink").arg(&programs.miglink).arg("--scratch").arg(namespace.scratch());
    if let Some(binary) = node_exporter {
        // It runs as a user who may not look into the cache.
        let copy = namespace.scratch().join("node_exporter");
        fs::copy(binary, &copy)?;
        inside.arg("--node-exporter").arg(copy);
    }
    let output = inside.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("{links} links: measuring ended with {}", output.status);
    }
    serde_json::from_slice(&output.stdout).context("the figures from inside")
}

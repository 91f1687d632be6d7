//! `cargo xtask vm`: runs miglink on Debian's stock kernel with real NIC drivers and compares what it says with
//! `ip`, `tc`, `ethtool` and sysfs, which network namespaces of a development machine cannot do.
//!
//! `lab` makes the guest out of `kernel` and `initramfs` (a `cpio`) and boots it in a `machine`, once for each
//! `scene`. What comes out goes through `judge`: `compare` holds `exposition` against `tools` and `settings` by its
//! tables, `expect` reads what the scene's script expects; `report` prints the rows.

mod classes;
mod compare;
mod cpio;
mod expect;
mod initramfs;
mod judge;
mod kernel;
mod lab;
mod machine;
mod report;
mod scene;
mod settings;
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use self::lab::Lab;
use self::scene::Scene;

/// Arguments of the task.
#[derive(clap::Args)]
pub struct Args {
    /// Scenes to run; all without any.
    scenes: Vec<String>,
    /// The miglink program to run in the guest; built in release mode without it.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Keeps each scene's console and results, and all rows, here.
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Judges again what --keep has kept in this directory, without booting.
    #[arg(long, conflicts_with_all = ["binary", "keep"])]
    replay: Option<PathBuf>,
    /// Prints every row, not only those that fail.
    #[arg(long)]
    rows: bool,
    /// Lists the scenes.
    #[arg(long)]
    list: bool,
    /// Machines that run at once; each keeps two cores busy. Half of the cores without it.
    #[arg(long)]
    jobs: Option<usize>,
    /// Seconds after which a scene's machine is stopped.
    #[arg(long, default_value_t = 300)]
    timeout: u64,
}

/// Runs the scenes and prints a row for each comparison.
///
/// # Errors
/// When nothing can be run or judged at all; a comparison or a scene that fails is an exit code of 1.
pub fn run(args: &Args) -> Result<ExitCode> {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("vm");
    let scenes = scene::select(&scripts.join("scenes"), &args.scenes)?;
    if args.list {
        for scene in &scenes {
            println!("{:10} {}", scene.name, scene.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let work = tempfile::tempdir().context("temporary directory")?;
    let dir = args.replay.as_deref().or(args.keep.as_deref()).unwrap_or(work.path());
    if args.replay.is_none() {
        let lab = Lab::prepare(args.binary.clone(), &scripts, Duration::from_secs(args.timeout))?;
        boot_all(&lab, &scenes, dir, args.jobs.unwrap_or_else(jobs));
    }
    let mut rows = Vec::new();
    for scene in &scenes {
        let out = dir.join(&scene.name).join("out");
        rows.extend(judge::judge(&scene.name, &out).with_context(|| format!("scene {}", scene.name))?);
    }
    if args.keep.is_some() {
        fs::write(dir.join("rows"), report::all(&rows)).context("writing rows")?;
    }
    print!("{}", if args.rows { report::all(&rows) } else { report::summary(&rows) });
    Ok(if rows.iter().all(|row| row.ok) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Boots every scene. One that cannot be run fails when it is judged; it does not keep the others from running.
fn boot_all(lab: &Lab, scenes: &[Scene], dir: &Path, jobs: usize) {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(scene) = scenes.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = lab.run(scene, &dir.join(&scene.name)) {
                eprintln!("{}: {error:#}", scene.name);
            }
        }
    };
    thread::scope(|scope| (0..jobs.max(1)).for_each(|_| drop(scope.spawn(work))));
}

fn jobs() -> usize {
    thread::available_parallelism().map_or(1, |cores| cores.get() / 2)
}

//! `cargo xtask vm`: runs miglink on Debian's stock kernel with real NIC drivers and compares what it says with
//! `ip`, `tc`, `ethtool` and sysfs, which network namespaces of a development machine cannot do.

mod compare;
mod cpio;
mod expect;
mod exposition;
mod initramfs;
mod kernel;
mod machine;
mod report;
mod rules;
mod scene;
mod tools;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{ensure, Context, Result};

use self::compare::Snapshot;
use self::kernel::Kernel;
use self::machine::{Boot, Nic};
use self::report::Row;
use self::scene::Scene;
use crate::apt;

const PACKAGES: &[&str] = &[
    "qemu-system-x86",
    "busybox-static",
    "kmod",
    "xz-utils",
    "ethtool",
    "iproute2",
    "rdma-core",
    "ibverbs-providers",
    "ibverbs-utils",
];

/// Arguments of the task.
#[derive(clap::Args)]
pub struct Args {
    /// Scenes to run; all without any.
    scenes: Vec<String>,
    /// The miglink program to run in the guest; built in release mode without it.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Keeps each scene's console, results and rows here.
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
    /// Seconds after which a scene's machine is stopped.
    #[arg(long, default_value_t = 240)]
    timeout: u64,
}

/// Runs the scenes and prints a row for each comparison.
///
/// # Errors
/// When a scene cannot be run at all; a comparison that fails is an exit code of 1.
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
        boot_all(args, &scenes, &scripts, dir)?;
    }
    let mut rows = Vec::new();
    for scene in &scenes {
        rows.extend(judge(&scene.name, &dir.join(&scene.name).join("out"))?);
    }
    if args.keep.is_some() {
        fs::write(dir.join("rows"), report::all(&rows)).context("writing rows")?;
    }
    print!("{}", if args.rows { report::all(&rows) } else { report::summary(&rows) });
    Ok(if rows.iter().all(|row| row.ok) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One machine after the other: an emulated machine fills two cores.
fn boot_all(args: &Args, scenes: &[Scene], scripts: &Path, dir: &Path) -> Result<()> {
    apt::ensure(PACKAGES)?;
    let kernel = Kernel::fetch()?;
    let binary = args.binary.clone().map_or_else(build, Ok)?;
    let shared = initramfs::shared(&kernel, &binary, scripts)?;
    eprintln!("Linux {}, file system of {} MB", kernel.version(), shared.len() >> 20);
    let nics = machine::nics()?;
    for scene in scenes {
        let timeout = Duration::from_secs(args.timeout);
        boot(scene, &dir.join(&scene.name), &kernel, &shared, &nics, timeout)?;
    }
    Ok(())
}

fn boot(
    scene: &Scene,
    dir: &Path,
    kernel: &Kernel,
    shared: &[u8],
    nics: &[Nic],
    timeout: Duration,
) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
    let dir = &dir.canonicalize()?;
    let initramfs = dir.join("initramfs");
    fs::write(&initramfs, [shared, &initramfs::scene(scene, nics)?].concat())
        .context("writing the file system")?;
    let boot = Boot { image: &kernel.image(), initramfs: &initramfs, nics, dir, timeout };
    let ended =
        machine::run(&boot, &mut |text, at| eprintln!("{:6.1}s {}: {text}", at.as_secs_f64(), scene.name))?;
    fs::remove_file(&initramfs).context("removing the file system")?;
    let out = dir.join("out");
    fs::create_dir_all(&out)?;
    let tar = Command::new("tar").arg("-xf").arg(dir.join("results.tar")).arg("-C").arg(&out).status();
    ensure!(tar.context("tar")?.success(), "{}: no results; see its console.log with --keep", scene.name);
    eprintln!("{:6.1}s {}: ended with {:?}", ended.took.as_secs_f64(), scene.name, ended.status);
    Ok(())
}

/// All rows of a scene that has run. How its script ended is a row too: a scene that stopped half way is not right.
fn judge(scene: &str, out: &Path) -> Result<Vec<Row>> {
    let status = fs::read_to_string(out.join("status")).unwrap_or_else(|_| "none".to_owned());
    let status = status.trim();
    let mut rows = vec![Row {
        scene: scene.to_owned(),
        snapshot: "end".to_owned(),
        metric: "exit status of the script".to_owned(),
        subject: "scene".to_owned(),
        miglink: status.to_owned(),
        tool: "0".to_owned(),
        ok: status == "0",
    }];
    let mut snapshots = Vec::new();
    for entry in fs::read_dir(out).with_context(|| format!("reading {}", out.display()))? {
        let dir = entry?.path();
        if dir.join("after/sysfs").exists() {
            snapshots.push(Snapshot::load(&dir)?);
        }
    }
    for snapshot in &snapshots {
        rows.extend(snapshot.rows(scene)?);
    }
    let expectations = fs::read_to_string(out.join("expect")).unwrap_or_default();
    for line in expectations.lines() {
        rows.push(expect::judge(line, scene, &snapshots)?);
    }
    Ok(rows)
}

/// Builds miglink as it is released and says where it is.
fn build() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "--bin", "miglink"])
        .current_dir(&root)
        .status()
        .context("starting cargo")?;
    ensure!(status.success(), "miglink does not build");
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join("release/miglink"))
}

//! All that is prepared once for a run, and one scene's boot: its file system in, its results out.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{ensure, Context, Result};

use super::initramfs;
use super::kernel::Kernel;
use super::machine::{self, Boot, Nic};
use super::scene::Scene;
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

/// What all scenes of a run share.
pub struct Lab {
    kernel: Kernel,
    shared: Vec<u8>,
    nics: Vec<Nic>,
    timeout: Duration,
}

impl Lab {
    /// Installs what is missing, fetches the kernel, builds miglink unless `binary` is given, packs the guest.
    pub fn prepare(binary: Option<PathBuf>, scripts: &Path, timeout: Duration) -> Result<Self> {
        apt::ensure(PACKAGES)?;
        let kernel = Kernel::fetch()?;
        let binary = binary.map_or_else(build, Ok)?;
        let shared = initramfs::shared(&kernel, &binary, scripts)?;
        eprintln!("Linux {}, file system of {} MB", kernel.version(), shared.len() >> 20);
        Ok(Self { kernel, shared, nics: machine::nics()?, timeout })
    }

    /// Boots one scene; `console.log` and `out/` are in `dir` afterwards.
    ///
    /// # Errors
    /// When the machine does not start, is stopped for the time it took, or sends no results.
    pub fn run(&self, scene: &Scene, dir: &Path) -> Result<()> {
        let out = dir.join("out");
        if out.exists() {
            fs::remove_dir_all(&out).with_context(|| format!("removing {}", out.display()))?;
        }
        fs::create_dir_all(&out).with_context(|| format!("creating {}", out.display()))?;
        let work = tempfile::tempdir().context("temporary directory")?;
        let initramfs = work.path().join("initramfs");
        let content = [self.shared.as_slice(), &initramfs::scene(scene, &self.nics)?].concat();
        fs::write(&initramfs, content).context("writing the guest's file system")?;
        let boot = Boot {
            image: &self.kernel.image(),
            initramfs: &initramfs,
            nics: &self.nics,
            console: &dir.join("console.log"),
            messages: &dir.join("qemu.log"),
            results: &work.path().join("results.tar"),
            monitor: &work.path().join("monitor"),
            timeout: self.timeout,
        };
        let started = machine::run(&boot, &mut |text, at| {
            eprintln!("{:6.1}s {}: {text}", at.as_secs_f64(), scene.name);
        });
        // What came out of a machine that was stopped is still worth a look.
        let unpacked = Command::new("tar").arg("-xf").arg(boot.results).arg("-C").arg(&out).status();
        started?;
        let messages = fs::read_to_string(boot.messages).unwrap_or_default();
        ensure!(unpacked.context("starting tar")?.success(), "no results; QEMU says: {}", messages.trim());
        Ok(())
    }
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

//! Debian's stock kernel: fetched once with apt, unpacked into a cache, its modules listed in load order.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{bail, ensure, Context, Result};

/// The package that names the newest 6.12 kernel package.
const META_PACKAGE: &str = "linux-image-6.12-amd64";

/// An unpacked kernel package.
pub struct Kernel {
    root: PathBuf,
    version: String,
}

/// One module: its file name without compression, and where the compressed file is.
pub struct Module {
    /// For example `e1000e.ko`.
    pub name: String,
    /// The file in the cache.
    pub path: PathBuf,
}

impl Kernel {
    /// The kernel from the cache, or from apt the first time (about 100 MB).
    pub fn fetch() -> Result<Self> {
        ensure!(env::consts::ARCH == "x86_64", "the driver VM is an amd64 machine; this one is not");
        let cache = cache_dir()?;
        fs::create_dir_all(&cache).with_context(|| format!("creating {}", cache.display()))?;
        let package = newest_package()?;
        let root = cache.join(&package);
        if !root.exists() {
            download(&package, &cache, &root)?;
        }
        let version = only_entry(&root.join("lib/modules"))?;
        if !root.join("lib/modules").join(&version).join("modules.dep").exists() {
            run(Command::new("/sbin/depmod").arg("-b").arg(&root).arg(&version))?;
        }
        Ok(Self { root, version })
    }

    /// The bootable image.
    pub fn image(&self) -> PathBuf {
        self.root.join("boot").join(format!("vmlinuz-{}", self.version))
    }

    /// Its release, as `uname -r` says it.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The modules `names` and what they depend on, each once, in the order in which they load.
    pub fn modules(&self, names: &[&str]) -> Result<Vec<Module>> {
        let mut modules: Vec<Module> = Vec::new();
        for name in names {
            let depends = run(Command::new("/sbin/modprobe").arg("-d").arg(&self.root).args([
                "-S",
                &self.version,
                "--show-depends",
                name,
            ]))?;
            for path in depends.lines().filter_map(insmod_path) {
                if !modules.iter().any(|module| module.path == path) {
                    modules.push(Module { name: module_name(&path), path });
                }
            }
        }
        Ok(modules)
    }
}

/// The path of a line `insmod PATH`; a built-in has another first word.
fn insmod_path(line: &str) -> Option<PathBuf> {
    line.strip_prefix("insmod ").and_then(|rest| rest.split_whitespace().next()).map(PathBuf::from)
}

fn module_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.trim_end_matches(".xz").to_owned()
}

fn cache_dir() -> Result<PathBuf> {
    if let Some(dir) = env::var_os("MIGLINK_CACHE") {
        return Ok(PathBuf::from(dir).join("kernel"));
    }
    let base = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let base = base.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    Ok(base.context("neither MIGLINK_CACHE, XDG_CACHE_HOME nor HOME is set")?.join("miglink/kernel"))
}

fn newest_package() -> Result<String> {
    let depends = run(Command::new("apt-cache").args(["depends", META_PACKAGE]))?;
    let package = depends.lines().find_map(|line| line.trim().strip_prefix("Depends: "));
    package.map(str::to_owned).with_context(|| {
        format!("apt does not know {META_PACKAGE}: is this Debian 12 or newer, and has apt-get update run?")
    })
}

/// Unpacks beside the final place and moves it there whole: a stopped download leaves no half kernel.
fn download(package: &str, cache: &Path, root: &Path) -> Result<()> {
    eprintln!("fetching {package} (about 100 MB, once)");
    let work = tempfile::tempdir_in(cache).context("temporary directory in the cache")?;
    run(Command::new("apt-get").args(["download", "-q", package]).current_dir(work.path()))?;
    let archive = work.path().join(only_entry(work.path())?);
    let unpacked = work.path().join("unpacked");
    run(Command::new("dpkg").arg("-x").arg(&archive).arg(&unpacked))?;
    fs::rename(&unpacked, root).with_context(|| format!("moving the kernel to {}", root.display()))
}

fn only_entry(dir: &Path) -> Result<String> {
    let mut entries = fs::read_dir(dir).with_context(|| format!("reading {}", dir.display()))?;
    let entry = entries.next().with_context(|| format!("{} is empty", dir.display()))??;
    Ok(entry.file_name().to_string_lossy().into_owned())
}

fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("starting {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

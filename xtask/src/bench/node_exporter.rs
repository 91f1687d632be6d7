//! Fetches Debian's node_exporter into a folder of ours, without installing it: the host's own suite may have one
//! that is years old, and a comparison is fair only with the newest.

use anyhow::{bail, ensure, Context, Result};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SUITE: &str = "forky";
const MIRROR: &str = "http://deb.debian.org/debian";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const PACKAGE: &str = "prometheus-node-exporter";

/// The binary of the suite's newest version, from the cache or fetched now.
pub fn fetch() -> Result<PathBuf> {
    let folder = cache()?.join(format!("{PACKAGE}-{SUITE}"));
    let binary = folder.join("usr/bin").join(PACKAGE);
    if !binary.exists() {
        eprintln!("fetching {PACKAGE} of Debian {SUITE} into {}", folder.display());
        let apt = tempfile::tempdir()?;
        unpack(&download(apt.path())?, &folder)?;
    }
    Ok(binary)
}

/// The first line a binary says of its version.
pub fn version(binary: &Path) -> Result<String> {
    let output =
        Command::new(binary).arg("--version").output().with_context(|| binary.display().to_string())?;
    ensure!(
        output.status.success(),
        "{} --version: {}",
        binary.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let text = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned())
}

/// `MIGLINK_CACHE`, or `miglink` in the user's cache folder.
fn cache() -> Result<PathBuf> {
    if let Some(folder) = env::var_os("MIGLINK_CACHE") {
        return Ok(folder.into());
    }
    let caches = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let caches = caches.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
    Ok(caches.context("neither MIGLINK_CACHE nor XDG_CACHE_HOME nor HOME is set")?.join("miglink"))
}

/// Has the ordinary apt client work with lists and archives of its own, beside the system's.
fn download(folder: &Path) -> Result<PathBuf> {
    for part in ["lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(folder.join(part))?;
    }
    fs::write(folder.join("sources.list"), format!("deb [signed-by={KEYRING}] {MIRROR} {SUITE} main\n"))?;
    apt_get(folder, &["update"])?;
    apt_get(folder, &["download", &format!("{PACKAGE}/{SUITE}")])?;
    let files = fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let mut packages = files.filter(|path| path.extension().is_some_and(|extension| extension == "deb"));
    packages.next().context("apt-get downloaded no package")
}

fn apt_get(folder: &Path, arguments: &[&str]) -> Result<()> {
    let at = |name: &str| folder.join(name).display().to_string();
    let options = [
        format!("Dir::Etc::sourcelist={}", at("sources.list")),
        "Dir::Etc::sourceparts=/dev/null".to_owned(),
        format!("Dir::State::lists={}", at("lists")),
        format!("Dir::Cache={}", at("cache")),
        "APT::Sandbox::User=root".to_owned(),
    ];
    let mut command = Command::new("apt-get");
    command.current_dir(folder).args(options.iter().flat_map(|option| ["-o", option])).args(arguments);
    let output =
        command.output().context("apt-get does not start: give --node-exporter or --skip-node-exporter")?;
    if !output.status.success() {
        bail!("apt-get {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// Unpacks beside the folder first, so that an interrupted run leaves nothing that looks complete.
fn unpack(package: &Path, folder: &Path) -> Result<()> {
    let unfinished = folder.with_extension("unfinished");
    fs::create_dir_all(&unfinished)?;
    let status = Command::new("dpkg").arg("-x").arg(package).arg(&unfinished).status().context("dpkg")?;
    ensure!(status.success(), "dpkg -x {}: {status}", package.display());
    fs::rename(&unfinished, folder)?;
    Ok(())
}

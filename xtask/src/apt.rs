//! Debian packages that a task needs: installed when missing and root, named when not.

use std::process::{Command, Stdio};

use anyhow::{bail, Context, Result};

/// Makes sure that every package is installed.
///
/// # Errors
/// When some are missing and this user may not install them, or apt fails; the message has the command to run.
pub fn ensure(packages: &[&str]) -> Result<()> {
    let missing: Vec<&str> = packages.iter().copied().filter(|package| !installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let by_hand = format!("apt-get install --no-install-recommends {}", missing.join(" "));
    if !root() {
        bail!("packages are missing and only root may install them: {by_hand}");
    }
    eprintln!("installing {}", missing.join(" "));
    // The package lists of a fresh container are empty or old: a first failure is answered by an update.
    if install(&missing)? || (update()? && install(&missing)?) {
        return Ok(());
    }
    bail!("apt cannot install what is missing; try: apt-get update && {by_hand}")
}

/// Whether this process is root.
pub fn root() -> bool {
    rustix::process::geteuid().is_root()
}

fn installed(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["-W", "-f=${db:Status-Status}", package])
        .stderr(Stdio::null())
        .output()
        .is_ok_and(|query| query.stdout == b"installed")
}

fn install(packages: &[&str]) -> Result<bool> {
    quiet(Command::new("apt-get").args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages))
}

fn update() -> Result<bool> {
    quiet(Command::new("apt-get").args(["update", "-qq"]))
}

fn quiet(command: &mut Command) -> Result<bool> {
    let status = command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .context("apt-get")?;
    Ok(status.success())
}

//! Installs what a task needs and the host lacks, where that is a matter of one apt command.

use anyhow::{bail, Context, Result};
use std::process::{Command, Stdio};

/// Makes sure that Debian packages are installed. Only root can install; anybody else is told the command.
pub fn ensure(packages: &[&str]) -> Result<()> {
    let missing: Vec<_> = packages.iter().copied().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let command = format!("apt-get install --yes --no-install-recommends {}", missing.join(" "));
    if !rustix::process::geteuid().is_root() {
        bail!("packages are missing; as root: {command}");
    }
    eprintln!("{command}");
    let status = Command::new("sh")
        .args([
            "-c",
            &format!("apt-get update --quiet=2 && DEBIAN_FRONTEND=noninteractive {command} --quiet=2"),
        ])
        .stdout(Stdio::null())
        .status()
        .context("apt-get does not start: this needs Debian or Ubuntu, or the packages by hand")?;
    if !status.success() {
        bail!("`{command}` ended with {status}");
    }
    Ok(())
}

fn is_installed(package: &str) -> bool {
    let query =
        Command::new("dpkg-query").args(["--show", "--showformat=${db:Status-Status}", package]).output();
    query.is_ok_and(|answer| answer.stdout == b"installed")
}

//! Programs that are run to their end, and what they said when they failed.

use anyhow::{bail, Context, Result};
use std::process::{Command, Stdio};

/// Runs a line of words without quoting.
///
/// # Errors
/// When it fails; with what it said.
pub fn run(line: &str) -> Result<String> {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().context("no command")?);
    finish(command.args(words))
}

/// Runs a prepared command.
///
/// # Errors
/// When it fails; with what it said.
pub fn finish(command: &mut Command) -> Result<String> {
    let name = format!("{command:?}").replace('"', "");
    let output = command.stdin(Stdio::null()).output().with_context(|| name.clone())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = if said.trim().is_empty() { String::from_utf8_lossy(&output.stdout) } else { said };
        bail!("{name}: {}", said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program is there.
pub fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.into_iter().any(|folder| folder.join(program).is_file())
}

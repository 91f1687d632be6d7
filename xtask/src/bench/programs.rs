//! What is measured, and what measures: both built with optimisation, for the kernel's dumps are walked by the latter.

use anyhow::{ensure, Context, Result};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Both binaries.
pub struct Programs {
    /// What is measured.
    pub miglink: PathBuf,
    /// What measures.
    pub xtask: PathBuf,
}

impl Programs {
    /// Builds them; measures `miglink` instead of what was built, where one is given.
    pub fn build(miglink: Option<&Path>) -> Result<Self> {
        eprintln!("building for release");
        let ours: &[&str] = if miglink.is_some() { &[] } else { &["--package", "miglink"] };
        let output = Command::new(env!("CARGO"))
            .args(["build", "--release", "--package", "xtask"])
            .args(ours)
            .args(["--quiet", "--message-format", "json-render-diagnostics"])
            .stderr(Stdio::inherit())
            .output()
            .context("cargo")?;
        ensure!(output.status.success(), "the build failed");
        let messages = String::from_utf8(output.stdout)?;
        let miglink = match miglink {
            Some(binary) => binary.canonicalize().with_context(|| binary.display().to_string())?,
            None => executable(&messages, "miglink")?,
        };
        Ok(Self { miglink, xtask: executable(&messages, "xtask")? })
    }
}

/// Finds a binary in what cargo tells of a build.
fn executable(messages: &str, name: &str) -> Result<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut paths = messages.filter_map(|message| {
        let path = message["executable"].as_str()?;
        (message["target"]["name"] == name).then(|| PathBuf::from(path))
    });
    paths.next().with_context(|| format!("cargo built no {name}"))
}

#[cfg(test)]
mod tests {
    use super::executable;

    #[test]
    fn a_binary_is_found_in_cargos_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"miglink"},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"miglink"},"executable":"/t/release/miglink"}"#,
        );
        assert_eq!(executable(messages, "miglink").unwrap().to_str(), Some("/t/release/miglink"));
        assert!(executable(messages, "xtask").is_err());
    }
}

//! `cargo xtask test`: installs what the tests need, then runs every check, one after the other.
//!
//! Root gets everything. An ordinary user gets a user namespace of their own where the kernel allows it; what truly
//! needs root is then reported as skipped, never as passed.

use crate::apt;
use anyhow::{Context, Result};
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

/// Debian packages of the tests: real tools to compare with, and real servers to be read by.
const PACKAGES: [&str; 10] = [
    "ethtool",
    "iproute2",
    "iputils-ping",
    "procps",
    "prometheus",
    "curl",
    "libvirt-daemon",
    "libvirt-daemon-driver-qemu",
    "libvirt-clients",
    "qemu-system-x86",
];
/// What a test prints when it cannot run here (tests/support).
const SKIPPED: &str = "SKIPPED";

/// Flags of `test`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Leave out the emulated machine with real NIC drivers (about five minutes)
    #[arg(long)]
    no_vm: bool,
    /// Only the steps whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

/// One check.
struct Step {
    name: &'static str,
    /// A program and its arguments.
    command: Vec<String>,
    /// Only root can do it.
    root: bool,
}

/// How a step ended.
enum End {
    Passed,
    Failed,
    Skipped(String),
}

/// Runs all steps; fails if one failed.
#[allow(clippy::disallowed_methods, reason = "people want to know how long a step took")]
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    if let Err(error) = apt::ensure(&PACKAGES) {
        eprintln!("{error:#}; tests that need them are skipped");
    }
    let wanted = |step: &Step| arguments.only.as_ref().is_none_or(|only| step.name.contains(only.as_str()));
    let mut ends = Vec::new();
    for step in steps(arguments).into_iter().filter(wanted) {
        eprintln!("== {}", step.name);
        let start = Instant::now();
        let end = perform(&step)?;
        eprintln!("== {}: {} in {:.0} s", step.name, word(&end), start.elapsed().as_secs_f64());
        ends.push((step.name, end));
    }
    Ok(report(&ends))
}

fn steps(arguments: &Arguments) -> Vec<Step> {
    let cargo = |name, words: &str| step(name, &format!("cargo {words}"), false);
    let mut steps = vec![
        cargo("format", "fmt --all -- --check"),
        cargo("lints", "clippy --workspace --all-targets --locked -- -D warnings"),
        cargo("documentation", "doc --workspace --no-deps --locked --document-private-items"),
        cargo("tests", "test --workspace --locked --no-fail-fast -- --show-output"),
        step("dependencies", "cargo deny --locked check bans licenses sources", false),
        cargo("release build", "build --release --locked"),
    ];
    steps.push(step(
        "migrations",
        "cargo run --quiet --package xtask -- lab run --tries 2 tests/scenarios",
        true,
    ));
    steps.push(step("page in a browser", "cargo run --quiet --package xtask -- page", true));
    if !arguments.no_vm {
        steps.push(step("driver VM", "cargo run --quiet --package xtask -- vm", true));
    }
    steps
}

fn step(name: &'static str, line: &str, root: bool) -> Step {
    Step { name, command: line.split(' ').map(str::to_owned).collect(), root }
}

fn perform(step: &Step) -> Result<End> {
    if step.root && !apt::root() {
        return Ok(End::Skipped("needs root".into()));
    }
    if step.name == "dependencies" && !has_cargo_deny()? {
        return Ok(End::Failed);
    }
    let words = if step.name == "tests" { in_a_namespace(&step.command) } else { step.command.clone() };
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env("RUSTDOCFLAGS", "-D warnings").stdin(Stdio::null());
    if step.name != "tests" {
        // An emulated machine is late when this one is busy, and then reads a value after it has moved on. What is
        // wrong is wrong twice.
        let tries = if step.name == "driver VM" { 2 } else { 1 };
        for _ in 0..tries {
            if command.status()?.success() {
                return Ok(End::Passed);
            }
        }
        return Ok(End::Failed);
    }
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().context("the tests' output")?;
    let skipped = show_tests(BufReader::new(output))?;
    if !child.wait()?.success() {
        return Ok(End::Failed);
    }
    Ok(if skipped.is_empty() { End::Passed } else { End::Skipped(skipped.join("; ")) })
}

/// Shows what the tests print, without what passing ones printed; gives the reasons of skipped ones.
fn show_tests(output: impl BufRead) -> Result<Vec<String>> {
    let (mut skipped, mut of_passing) = (Vec::new(), false);
    for line in output.lines() {
        let line = line?;
        match line.as_str() {
            "successes:" => of_passing = true,
            "failures:" => of_passing = false,
            text if text.starts_with("test result:") => of_passing = false,
            text if text.starts_with(SKIPPED) => skipped.push(text.to_owned()),
            _ => {}
        }
        if !of_passing || line.starts_with(SKIPPED) {
            println!("{line}");
        }
    }
    Ok(skipped)
}

/// The command in a user namespace in which this user is root, if the kernel allows one and we are not root anyway.
fn in_a_namespace(command: &[String]) -> Vec<String> {
    let enter = ["unshare", "--user", "--map-root-user", "--net", "--mount"];
    let allowed = || Command::new(enter[0]).args(&enter[1..]).arg("true").stderr(Stdio::null()).status();
    if apt::root() || !allowed().is_ok_and(|status| status.success()) {
        return command.to_vec();
    }
    // `ip netns` keeps its namespaces in /run, and /sys must be of the new network namespace.
    let prepare =
        "mount -t tmpfs tmpfs /run && mount -t sysfs sysfs /sys && ip link set lo up && exec \"$@\"";
    let words = enter.iter().copied().chain(["sh", "-c", prepare, "sh"]).map(str::to_owned);
    words.chain(command.iter().cloned()).collect()
}

/// cargo-deny is no part of Rust; it is built once into cargo's own folder.
fn has_cargo_deny() -> Result<bool> {
    let mut ask = Command::new("cargo");
    if ask.args(["deny", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status()?.success() {
        return Ok(true);
    }
    eprintln!("building cargo-deny (some minutes, once)");
    let build = ["install", "--quiet", "--locked", "cargo-deny", "--version", "^0.20"];
    Ok(Command::new("cargo").args(build).status()?.success())
}

fn word(end: &End) -> &'static str {
    match end {
        End::Passed => "passed",
        End::Failed => "FAILED",
        End::Skipped(_) => "passed in part, some skipped",
    }
}

fn report(ends: &[(&str, End)]) -> ExitCode {
    let mut failed = 0;
    for (name, end) in ends {
        match end {
            End::Passed => println!("{name}: passed"),
            End::Skipped(reason) => println!("{name}: in part; {reason}"),
            End::Failed => {
                failed += 1;
                println!("{name}: FAILED");
            }
        }
    }
    ExitCode::from(u8::from(failed > 0))
}

//! `cargo xtask lab`, `accuracy`, `forecast` and `demo`: install what the lab needs, then hand over to it.

use crate::apt;
use anyhow::{ensure, Result};
use lab::accuracy::command as accuracy;
use lab::cli::{self, Command};
use lab::demo;
use lab::exporter::binary;
use lab::forecast::command as forecast;
use std::process::{Command as Process, ExitCode};

/// Hypervisor, libvirt, and what shapes and breaks a path.
const PACKAGES: [&str; 7] = [
    "ethtool",
    "iproute2",
    "libvirt-clients",
    "libvirt-daemon",
    "libvirt-daemon-driver-qemu",
    "nftables",
    "qemu-system-x86",
];

/// Runs the lab's command.
pub fn run(command: &Command) -> Result<ExitCode> {
    if let (Command::Run(_), Err(error)) = (command, apt::ensure(&PACKAGES)) {
        eprintln!("{error:#}; scenarios that need them are skipped");
    }
    cli::perform(command)
}

/// Judges miglink over many migrations.
pub fn accuracy(arguments: &accuracy::Arguments) -> Result<ExitCode> {
    if arguments.list.is_none() {
        apt::ensure(&PACKAGES)?;
    }
    accuracy::run(arguments)
}

/// Compares forecasts with what happens.
pub fn forecast(arguments: &forecast::Arguments) -> Result<ExitCode> {
    if !arguments.list {
        apt::ensure(&PACKAGES)?;
    }
    forecast::run(arguments)
}

/// Shows one migration; it needs no libvirt.
pub fn demo(arguments: &demo::Arguments) -> Result<ExitCode> {
    apt::ensure(&["iproute2", "qemu-system-x86"])?;
    if arguments.miglink.is_none() && binary(None).is_err() {
        eprintln!("building miglink (once)");
        ensure!(
            Process::new("cargo").args(["build", "--release"]).status()?.success(),
            "miglink does not build"
        );
    }
    demo::run(arguments)
}

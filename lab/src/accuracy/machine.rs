//! What machine the runs were made on: part of every result.

use serde::Serialize;
use std::fs;
use std::process::Command;

/// What matters for a figure.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// The kernel's release.
    pub kernel: String,
    /// QEMU's version.
    pub qemu: String,
    /// Processors.
    pub processors: usize,
    /// The kernel's default congestion control.
    pub congestion_control: String,
}

impl Machine {
    /// Looks.
    pub fn read() -> Self {
        let file = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let qemu = Command::new("qemu-system-x86_64").arg("--version").output();
        let said =
            qemu.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        let version = said.split_whitespace().skip_while(|word| *word != "version").nth(1);
        Self {
            kernel: file("/proc/sys/kernel/osrelease"),
            qemu: version.unwrap_or("not installed").to_owned(),
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            congestion_control: file("/proc/sys/net/ipv4/tcp_congestion_control"),
        }
    }

    /// In one line.
    pub fn line(&self) -> String {
        format!(
            "Linux {}, QEMU {} (emulation), {} processors, congestion control {}",
            self.kernel, self.qemu, self.processors, self.congestion_control
        )
    }
}

/// The load average of the last minute.
pub fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

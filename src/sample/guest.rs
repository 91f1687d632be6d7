//! The hypervisor processes of this host, and which of their guests are being followed because they move.

use super::link::Index;
use super::subject::Key;
use std::path::PathBuf;

/// What kind of process carries the guest or its migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Hypervisor {
    /// QEMU, KVM or not.
    #[default]
    Qemu,
    /// Cloud Hypervisor.
    CloudHypervisor,
    /// A program that carries other processes' migrations: ssh, virt-handler, libvirtd for tunnelled ones.
    Proxy,
}

impl Hypervisor {
    /// Its label value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Qemu => "qemu",
            Self::CloudHypervisor => "cloud-hypervisor",
            Self::Proxy => "proxy",
        }
    }
}

/// A monitor socket of a process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Monitor {
    /// Where it is, seen from this process (through `/proc/PID/root` where the hypervisor has another root).
    pub path: PathBuf,
    /// The configuration gives it to us alone: it may be held.
    pub exclusive: bool,
}

/// One hypervisor process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Process {
    /// Never used again, unlike the process id.
    pub key: Key,
    /// The process id.
    pub pid: u32,
    /// When it started, in clock ticks since boot; with the pid, its identity.
    pub start_ticks: u64,
    /// Which hypervisor.
    pub hypervisor: Hypervisor,
    /// The guest's name; of a process without one, its command and pid.
    pub name: String,
    /// The guest's UUID, lower case with hyphens, where the command line tells it.
    pub uuid: Option<String>,
    /// The guest's memory in bytes, where the command line tells it.
    pub memory: Option<u64>,
    /// The inode of its network namespace.
    pub namespace: u64,
    /// It was started to take in a migration (`-incoming`).
    pub incoming: bool,
    /// Its QMP sockets.
    pub monitors: Vec<Monitor>,
}

/// Why and how closely a guest is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The process's key.
    pub key: Key,
    /// The guest stands still for the switchover: every millisecond counts.
    pub paused: bool,
}

/// All hypervisor processes, and the guests that move now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Followed {
    /// Counts up when the processes change.
    pub generation: u64,
    /// The processes, by pid.
    pub processes: Vec<Process>,
    /// Those whose migration is on, or ended a moment ago and owes its last figures; by key.
    pub wanted: Vec<Wanted>,
    /// The links of this namespace that their flows pass.
    pub links: Vec<Index>,
}

impl Followed {
    /// A process by its key.
    pub fn process(&self, key: Key) -> Option<&Process> {
        self.processes.iter().find(|process| process.key == key)
    }
}

//! A thread that takes part in a migration, of a hypervisor or of the kernel.

use super::subject::Key;
use std::sync::Arc;

/// What a thread does for a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The process's first thread: at a destination it takes the memory in.
    Main,
    /// Sends or receives the memory, or runs the migration.
    Migration,
    /// Sends or receives one multifd channel.
    Multifd,
    /// Compresses or decompresses.
    Compression,
    /// Runs a virtual CPU.
    Vcpu,
    /// The kernel's half of a guest's network card.
    Vhost,
    /// The kernel's network processing of one CPU.
    Softirq,
    /// None of these, or without a name of its own.
    Other,
}

impl Role {
    /// Its label value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Migration => "migration",
            Self::Multifd => "multifd",
            Self::Compression => "compression",
            Self::Vcpu => "vcpu",
            Self::Vhost => "vhost",
            Self::Softirq => "softirq",
            Self::Other => "other",
        }
    }
}

/// One thread. Its numbers are in the `threads` source's table, in a row with the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// Never used again.
    pub key: Key,
    /// The hypervisor process that it works for; `None` for the kernel's own.
    pub process: Option<Key>,
    /// Its id.
    pub tid: u32,
    /// What it does.
    pub role: Role,
    /// Its name; shared, because every reading of a migration keeps it.
    pub name: Arc<str>,
}

//! What one run measured. Base units throughout (seconds, bytes), because `--json` writes it as it stands.

use crate::bench::figures::Spread;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A whole run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Run {
    /// The kernel's release.
    pub kernel_release: String,
    /// How many CPUs there are.
    pub cpus: usize,
    /// One entry a number of guests.
    pub crowds: Vec<Crowd>,
    /// What others on the host cost: one guest that does not move, and what each entry says.
    pub others: Vec<Others>,
}

/// So many guests.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Crowd {
    /// How many.
    pub guests: usize,
    /// While none of them moves.
    pub idle: Watch,
    /// While all of them move; absent without guests.
    pub moving: Option<Moving>,
}

/// All guests of a crowd move.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Moving {
    /// What it cost.
    pub watch: Watch,
    /// How many miglink showed in their copy of memory.
    pub shown: usize,
    /// Of how many it showed what only their monitors tell.
    pub told: usize,
}

/// What miglink took while it was watched.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Watch {
    /// CPU seconds a second.
    pub cpu: f64,
    /// The same by the name of the thread.
    pub threads: BTreeMap<String, f64>,
    /// Resident memory at the end, bytes.
    pub resident: u64,
    /// The most it ever was, bytes.
    pub resident_peak: u64,
}

/// Others on the host.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Others {
    /// Who.
    pub what: String,
    /// How many of them.
    pub number: usize,
    /// What miglink took.
    pub watch: Watch,
    /// Connections of both families on ports of migrations, as one look for new ones lists them.
    pub filtered: Dump,
    /// All connections of both families.
    pub unfiltered: Dump,
}

/// One kind of raw dump, CPU seconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Dump {
    /// Sockets of one dump.
    pub sockets: usize,
    /// In a loop.
    pub hot: Spread,
    /// Once a second, as miglink does it.
    pub timed: Spread,
}

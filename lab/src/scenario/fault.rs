//! What goes wrong in a scenario, and when. Times count from the start of the migration.

use super::Scenario;
use crate::units::{Percent, Rate, Span, Text};
use anyhow::{ensure, Result};
use serde::Deserialize;
use std::collections::BTreeMap;

/// One of the two hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Where the guest leaves.
    Source,
    /// Where it goes.
    Destination,
}

impl Side {
    /// Both, the source first.
    pub const BOTH: [Self; 2] = [Self::Source, Self::Destination];

    /// Short, for names of namespaces and folders.
    pub fn short(self) -> &'static str {
        match self {
            Self::Source => "src",
            Self::Destination => "dst",
        }
    }

    /// Which way the guest moves, seen from there.
    pub fn direction(self) -> &'static str {
        match self {
            Self::Source => "outgoing",
            Self::Destination => "incoming",
        }
    }
}

/// One fault.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// TCP streams from source to destination beside the migration.
    CompetingTraffic {
        /// From then on; from the start if left out.
        at: Option<Span>,
        /// Until then; to the end if left out.
        until: Option<Span>,
        /// How many.
        #[serde(default = "one")]
        streams: u8,
        /// To which port.
        #[serde(default = "iperf")]
        port: u16,
        /// How fast each goes; as fast as it can if left out.
        #[serde(default)]
        rate: Rate,
    },
    /// Kernel settings of a host, set before the hypervisors start.
    Sysctl {
        /// Where.
        side: Side,
        /// Names (under `net.`) and values.
        set: BTreeMap<String, Text>,
    },
    /// The hypervisor gets this share of one CPU.
    CpuQuota {
        /// Where.
        side: Side,
        /// Of one CPU.
        percent: Percent,
        /// From then on; from the start if left out.
        at: Option<Span>,
    },
    /// The hypervisor's limit is changed.
    MaxBandwidth {
        /// When.
        at: Span,
        /// To what.
        value: Rate,
    },
    /// Somebody else holds the monitor that miglink would use.
    BusyMonitor {
        /// From then on; from the start if left out.
        at: Option<Span>,
        /// Until then; to the end if left out.
        until: Option<Span>,
    },
    /// Packets are lost at random on the way to the destination.
    Loss {
        /// How many.
        percent: Percent,
        /// From then on; from the start if left out.
        at: Option<Span>,
        /// Until then; to the end if left out.
        until: Option<Span>,
    },
    /// Few packets may wait for a CPU between a driver and the protocols (net.core.netdev_max_backlog). The whole machine
    /// has one such number, so everything on it suffers meanwhile; it is put back at the end.
    SmallBacklog {
        /// How many.
        packets: u16,
        /// From then on; from the start if left out.
        at: Option<Span>,
        /// Until then; to the end if left out.
        until: Option<Span>,
    },
    /// The hypervisor is stopped (SIGSTOP) for a while.
    Freeze {
        /// Where.
        side: Side,
        /// From then on.
        at: Span,
        /// Until then.
        until: Span,
    },
    /// The migration is called off.
    Cancel {
        /// When.
        at: Span,
    },
    /// The hypervisor is killed.
    Kill {
        /// Which.
        who: Side,
        /// When.
        at: Span,
    },
}

impl Fault {
    /// When it begins and when it ends; no beginning: with the migration, no end: with the scenario.
    pub fn times(&self) -> (Option<Span>, Option<Span>) {
        match self {
            Self::CompetingTraffic { at, until, .. }
            | Self::BusyMonitor { at, until }
            | Self::Loss { at, until, .. }
            | Self::SmallBacklog { at, until, .. } => (*at, *until),
            Self::Sysctl { .. } => (None, None),
            Self::CpuQuota { at, .. } => (*at, None),
            Self::MaxBandwidth { at, .. } | Self::Cancel { at } | Self::Kill { at, .. } => (Some(*at), None),
            Self::Freeze { at, until, .. } => (Some(*at), Some(*until)),
        }
    }

    /// What is wrong with it in this scenario.
    pub(super) fn check(&self, scenario: &Scenario) -> Result<()> {
        if let (at, Some(until)) = self.times() {
            ensure!(at.is_none_or(|at| at < until), "faults: one ends (until) before it begins (at)");
        }
        if let Self::Sysctl { set, .. } = self {
            let other = set.keys().find(|name| !name.starts_with("net."));
            ensure!(other.is_none(), "faults: a namespace has sysctls of net. only, not {other:?}");
        }
        if let Self::Loss { .. } = self {
            ensure!(
                scenario.link() == super::Link::Mig0,
                "faults: loss is on the first link, not on path.second"
            );
        }
        if let Self::BusyMonitor { .. } = self {
            let has_own = matches!(scenario.watch, super::Watch::Qmp);
            ensure!(
                has_own,
                "faults: busy_monitor needs watch: qmp (libvirt and flow hold every monitor anyway)"
            );
        }
        Ok(())
    }
}

fn one() -> u8 {
    1
}

fn iperf() -> u16 {
    5201
}

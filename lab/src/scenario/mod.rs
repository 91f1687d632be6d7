//! A scenario: one YAML file that says which guest moves how, over which path, with which faults, and what is expected.
//! Unknown keys are errors; every error names file, line and mend.

pub mod expect;
pub mod fault;
#[cfg(test)]
mod tests;

use crate::units::{Percent, Rate, Size, Span};
use anyhow::{ensure, Context, Result};
use expect::Expect;
use fault::Fault;
use serde::{de, Deserialize, Deserializer};
use std::fmt;
use std::time::Duration;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What people call it.
    pub name: String,
    /// The guest.
    pub vm: Vm,
    /// How many guests move at once.
    #[serde(default = "one")]
    pub count: u16,
    /// How miglink may watch, and so who drives the migration.
    pub watch: Watch,
    /// Whether the hypervisor lives in a network namespace of its own on its host, and how that is connected.
    #[serde(default, deserialize_with = "attachment")]
    pub namespaced: Option<Attachment>,
    /// How it is migrated.
    #[serde(default)]
    pub migrate: Migrate,
    /// What lies between the two hosts.
    #[serde(default)]
    pub path: Path,
    /// The hosts' links that miglink is told are meant for migrations (its `dedicated`); none: it is told nothing.
    #[serde(default)]
    pub dedicated: Vec<Link>,
    /// What goes wrong.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// A migration that must not end by itself is called off then.
    pub stop_after: Option<Span>,
    /// What is to be found.
    pub expect: Expect,
}

/// The guest.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vm {
    /// Its memory.
    pub memory: Size,
    /// How much of it holds something; without it, all but 16 MiB.
    pub fill: Option<Size>,
    /// Its working set.
    pub dirty: Size,
    /// How fast it dirties that; without it, as fast as it can.
    pub dirty_rate: Option<Rate>,
    /// In which order.
    #[serde(default)]
    pub pattern: Pattern,
    /// How many of sixteen pages stay zero above the working set.
    #[serde(default)]
    pub zeros: u8,
}

/// In which order a guest writes its working set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// From one end to the other, and again.
    #[default]
    Sweep,
    /// By chance.
    Random,
}

/// By which door miglink may see the migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Watch {
    /// A monitor that is free, found on the command line, asked and left.
    Qmp,
    /// A monitor that is miglink's alone: it has events.
    QmpExclusive,
    /// libvirt's read-only socket; virsh moves the guest's state.
    Libvirt,
    /// The same, and libvirtd talks to libvirtd.
    LibvirtP2p,
    /// Every monitor is busy: sockets and threads tell what they can.
    Flow,
}

/// How a hypervisor's own network namespace is connected to its host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attachment {
    /// A bridge that has the host's link as a port (`true`, `bridge`).
    Bridge,
    /// The host forwards packets (`routed`).
    Routed,
}

/// How it is migrated.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Migrate {
    /// The hypervisor's own limit.
    pub max_bandwidth: Rate,
    /// The longest pause that it may plan; without it, its default.
    pub downtime_limit: Option<Span>,
    /// Channels beside the main one; 0: no multifd.
    pub multifd: u8,
    /// How memory is compressed.
    pub compression: Compression,
    /// Whether the guest is slowed down when it dirties too fast.
    pub auto_converge: bool,
    /// When it changes to post-copy.
    #[serde(deserialize_with = "never_or_span")]
    pub postcopy_after: Option<Span>,
}

/// How memory is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// By the multifd threads, with zlib.
    Zlib,
    /// By the multifd threads, with zstd.
    Zstd,
    /// Differences of pages sent before.
    Xbzrle,
}

/// What lies between the two hosts.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Path {
    /// Rate of the hosts' own links.
    pub rate: Rate,
    /// Their MTU; without it, 1500.
    pub mtu: Option<u16>,
    /// A router between them.
    pub router: Option<Router>,
    /// How the hosts' senders react to the network; without it, as this machine does.
    pub congestion_control: Option<CongestionControl>,
    /// A second link between the hosts, `mig1`, with addresses of its own.
    pub second: Option<Second>,
}

/// A second link between the two hosts.
#[derive(Debug, Clone, Copy, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Second {
    /// Its rate.
    pub rate: Rate,
    /// Whether the migration goes over it, and not over the first.
    pub used: bool,
}

/// A host's link, as scenarios name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// The first.
    Mig0,
    /// The second.
    Mig1,
}

impl Link {
    /// Its name on every host.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mig0 => "mig0",
            Self::Mig1 => "mig1",
        }
    }
}

/// A congestion control that every kernel of the lab has. Which one a flow uses decides what loss does to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CongestionControl {
    /// Linux' own default: loss halves it, nearly.
    Cubic,
    /// The classic: loss halves it.
    Reno,
    /// It goes by measured rate and bears some loss.
    Bbr,
}

impl CongestionControl {
    /// Its name in the kernel.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cubic => "cubic",
            Self::Reno => "reno",
            Self::Bbr => "bbr",
        }
    }
}

/// A router between the hosts, and its port towards the destination.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Router {
    /// Its rate.
    pub rate: Rate,
    /// Bytes that it holds before it drops; without it, 256 KiB.
    pub queue: Option<Size>,
    /// Delay each way.
    pub delay: Option<Span>,
    /// Packets lost at random.
    pub loss: Option<Percent>,
}

impl Scenario {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or is wrong; the message names the file, the line and what is known there.
    pub fn read(file: &std::path::Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        Self::parse(&text).with_context(|| file.display().to_string())
    }

    /// Reads a text.
    pub fn parse(text: &str) -> Result<Self> {
        let scenario: Self = serde_yaml::from_str(text)?;
        scenario.check()?;
        Ok(scenario)
    }

    /// What no single key tells.
    fn check(&self) -> Result<()> {
        let (memory, fill) = (self.vm.memory.mib(), self.fill().mib());
        ensure!((8..=2048).contains(&memory), "vm.memory: from 8MiB to 2048MiB, not {memory}MiB");
        ensure!(fill < memory && fill > 1, "vm.fill: at least 2MiB and less than vm.memory");
        ensure!((2..=fill).contains(&self.vm.dirty.mib()), "vm.dirty: from 2MiB to vm.fill");
        ensure!(self.vm.zeros < 16, "vm.zeros: less than 16 of 16, not {}", self.vm.zeros);
        ensure!((1..=4).contains(&self.count), "count: from 1 to 4 guests, not {}", self.count);
        let needs_multifd = matches!(self.migrate.compression, Compression::Zlib | Compression::Zstd);
        ensure!(
            !needs_multifd || self.migrate.multifd > 0,
            "migrate.compression: zlib and zstd are done by multifd; set migrate.multifd too"
        );
        let direct = self.namespaced.is_none() || self.path.router.is_none();
        ensure!(direct, "namespaced: not together with path.router");
        ensure!(
            self.namespaced.is_none() || self.path.congestion_control.is_none(),
            "path.congestion_control: not together with namespaced, whose routes are others"
        );
        ensure!(
            self.path.second.is_none() || self.namespaced.is_none(),
            "path.second: not together with namespaced, whose hypervisors have one link"
        );
        ensure!(
            self.path.second.is_some() || !self.dedicated.contains(&Link::Mig1),
            "dedicated: there is no mig1; set path.second too"
        );
        let plain = self.namespaced.is_none() && self.count == 1;
        ensure!(
            plain || !self.watch.by_libvirt(),
            "watch: libvirt moves one guest, in its host's own namespace"
        );
        self.faults.iter().try_for_each(|fault| fault.check(self))
    }

    /// How much memory holds something.
    pub fn fill(&self) -> Size {
        self.vm.fill.unwrap_or(Size(self.vm.memory.0.saturating_sub(16 << 20)))
    }

    /// The link that the migration goes over.
    pub fn link(&self) -> Link {
        if self.path.second.is_some_and(|second| second.used) {
            Link::Mig1
        } else {
            Link::Mig0
        }
    }

    /// The longest that it may take before the lab gives up.
    pub fn limit(&self) -> Duration {
        self.stop_after.map_or(Duration::from_secs(60), |stop| stop.0 + Duration::from_secs(20))
    }
}

impl Watch {
    /// Whether libvirt drives it.
    pub fn by_libvirt(self) -> bool {
        matches!(self, Self::Libvirt | Self::LibvirtP2p)
    }

    /// Whether QEMU tells miglink when the guest stops, rather than being asked. libvirt tells too, by a measure and a
    /// clock of its own.
    pub fn has_events(self) -> bool {
        self == Self::QmpExclusive
    }
}

fn one() -> u16 {
    1
}

fn never_or_span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Span>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text == "never" {
        return Ok(None);
    }
    Span::try_from(text).map(Some).map_err(|error| de::Error::custom(format!("{error}, or never")))
}

fn attachment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Attachment>, D::Error> {
    deserializer.deserialize_any(AttachmentWords)
}

/// `namespaced` is a boolean or a word.
struct AttachmentWords;

impl de::Visitor<'_> for AttachmentWords {
    type Value = Option<Attachment>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false, bridge or routed")
    }

    fn visit_bool<E: de::Error>(self, yes: bool) -> Result<Self::Value, E> {
        Ok(yes.then_some(Attachment::Bridge))
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Self::Value, E> {
        match word {
            "bridge" => Ok(Some(Attachment::Bridge)),
            "routed" => Ok(Some(Attachment::Routed)),
            _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
        }
    }
}

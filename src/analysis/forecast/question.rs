//! What somebody wants to know: which guest, by which rules, over what.

use super::way::{Conduct, Way};
use super::workload::{impossible, within, Impossible, Workload};

/// A guest that may move.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question {
    /// The guest.
    pub workload: Workload,
    /// What the hypervisor keeps to.
    pub conduct: Conduct,
    /// The hypervisor's limit, bytes a second; none if it has none.
    pub cap: Option<f64>,
    /// What the way carries, payload in bytes a second, where that is known better than from the link.
    pub bandwidth: Option<f64>,
    /// How it goes over the link.
    pub traffic: Traffic,
}

/// How migrations go over a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Connections that carry memory.
    pub channels: u32,
    /// Migrations that share the link.
    pub concurrent: u32,
    /// What the sender does to each byte.
    pub transport: Transport,
}

/// What the sender does to each byte.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Transport {
    /// Sends it.
    #[default]
    Plain,
    /// Encrypts it.
    Tls,
    /// Compresses it.
    Compressed,
    /// Leaves it to the hardware.
    Rdma,
}

impl Default for Traffic {
    fn default() -> Self {
        Self { channels: 1, concurrent: 1, transport: Transport::Plain }
    }
}

/// More connections than this QEMU does not take (`multifd-channels`).
const MOST_CHANNELS: u32 = 255;

impl Question {
    /// Refuses what cannot be.
    ///
    /// # Errors
    /// An impossible guest or conduct, a limit or bandwidth of nothing, no connection or more than 255.
    pub fn check(&self) -> Result<(), Impossible> {
        self.workload.check()?;
        self.conduct.check()?;
        for (what, rate) in [("the bandwidth limit", self.cap), ("the bandwidth", self.bandwidth)] {
            within(what, rate.unwrap_or(1.0), (1.0, 1e15), "give a rate above 0, or leave it out")?;
        }
        let Traffic { channels, concurrent, .. } = self.traffic;
        if channels == 0 || channels > MOST_CHANNELS {
            return Err(impossible("the number of channels", channels, "QEMU takes 1 to 255"));
        }
        if concurrent == 0 || concurrent > 1000 {
            return Err(impossible("the number of concurrent migrations", concurrent, "give 1 to 1000"));
        }
        Ok(())
    }

    /// The way over a link that gives so much.
    pub fn way(&self, link: f64) -> Way {
        Way::of(link.max(1.0), self.cap)
    }
}

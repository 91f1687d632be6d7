//! What one run measured. Base units throughout (seconds, bytes), because `--json` writes it as it stands.

use anyhow::{bail, Result};
use serde::{Deserialize, Serialize};

/// A whole run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Run {
    /// The kernel's release.
    pub kernel_release: String,
    /// How many CPUs there are: the kernel sums per-CPU counters, so its cost grows with them.
    pub cpus: usize,
    /// What node_exporter says of its version; absent if it was skipped.
    pub node_exporter: Option<String>,
    /// One entry a number of links.
    pub sizes: Vec<Size>,
}

/// One number of links.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Size {
    /// How many network devices the namespace has, without its loopback.
    pub links: usize,
    /// The raw dumps.
    pub kernel: Kernel,
    /// Ours; absent if it did not run.
    pub miglink: Option<Exporter>,
    /// node_exporter with what comes closest to our content; absent if it was skipped.
    pub node_leanest: Option<Exporter>,
    /// node_exporter as it comes; absent if it was skipped.
    pub node_default: Option<Exporter>,
}

/// What the kernel itself takes to tell the counters.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Kernel {
    /// `RTM_GETSTATS` with `IFLA_STATS_LINK_64`: 25 counters of every device.
    pub counters: Dump,
    /// `RTM_GETQDISC`: every qdisc with its statistics.
    pub qdiscs: Dump,
    /// Both, one after the other, once a second.
    pub both: Spread,
}

/// One kind of dump, CPU seconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Dump {
    /// Messages of one dump.
    pub messages: usize,
    /// Bytes of one dump.
    pub bytes: usize,
    /// In a loop.
    pub hot: Spread,
    /// After other memory went through the caches.
    pub cold: Spread,
    /// Once a second, as a sampler does it.
    pub timed: Spread,
}

/// A running exporter.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Exporter {
    /// Its command line.
    pub command: String,
    /// Scraped without compression.
    pub plain: Scrape,
    /// Scraped with gzip, as Prometheus does.
    pub gzip: Scrape,
    /// Resident memory after the scrapes, bytes.
    pub resident: u64,
    /// The most it ever was, bytes.
    pub resident_peak: u64,
    /// CPU seconds a second while nobody scrapes.
    pub idle: f64,
}

/// Scrapes of one kind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Scrape {
    /// The exporter's CPU seconds a scrape, kernel work of its system calls included.
    pub cpu: Spread,
    /// Seconds from the request to the body's last byte.
    pub wall: Spread,
    /// Bytes of the body as sent.
    pub bytes: usize,
    /// Lines with a value.
    pub series: usize,
}

/// Repeated measurements of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The lowest.
    pub least: f64,
    /// The highest.
    pub most: f64,
    /// How many there are.
    pub repetitions: usize,
}

impl Spread {
    /// Sums up measurements; an error if there are none.
    pub fn of(mut values: Vec<f64>) -> Result<Self> {
        values.sort_by(f64::total_cmp);
        let (Some(least), Some(most)) = (values.first(), values.last()) else {
            bail!("nothing was measured")
        };
        Ok(Self { median: values[values.len() / 2], least: *least, most: *most, repetitions: values.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn a_spread_is_median_and_extremes() {
        let spread = Spread::of(vec![3.0, 9.0, 1.0]).unwrap();
        assert_eq!(spread, Spread { median: 3.0, least: 1.0, most: 9.0, repetitions: 3 });
        assert!(Spread::of(Vec::new()).is_err());
    }
}

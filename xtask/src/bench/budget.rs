//! The budgets of the exporter: which hold, and by how much. All are ratios on one machine or shares of a core, so
//! that they mean the same everywhere.

use super::figures::{Exporter, Size};
use std::fmt;

/// A scrape may cost this many times what the kernel takes to tell the counters…
const SCRAPE_PER_DUMP: f64 = 1.5;
/// …and this much for each series, seconds.
const SCRAPE_PER_SERIES: f64 = 30e-9;
/// By how much a scrape is to be cheaper than node_exporter's leanest, with gzip.
const CHEAPER: f64 = 50.0;

/// Budgets that depend on the number of links: idle share of a core, resident memory in bytes.
const BY_LINKS: [(usize, f64, u64); 2] = [(1_000, 0.0015, 16 << 20), (10_000, 0.01, 32 << 20)];

/// One budget of one size.
pub struct Verdict {
    links: usize,
    budget: String,
    figure: String,
    holds: bool,
}

impl Verdict {
    /// Whether the budget holds; one that was not measured does not.
    pub fn holds(&self) -> bool {
        self.holds
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.holds { "holds " } else { "BROKEN" };
        write!(f, "{word} {:>6} links: {}: {}", self.links, self.budget, self.figure)
    }
}

/// Judges every budget of every size; those against node_exporter only if it was to be measured.
pub fn judge(sizes: &[Size], with_node_exporter: bool) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for size in sizes {
        let Some(miglink) = &size.miglink else {
            verdicts.push(not_measured(size, "miglink"));
            continue;
        };
        verdicts.push(scrape(size, miglink));
        for (links, idle, memory) in BY_LINKS {
            if links == size.links {
                verdicts.push(idle_share(size, miglink, idle));
                verdicts.push(resident(size, miglink, memory));
                if with_node_exporter {
                    verdicts.push(cheaper(size, miglink));
                }
            }
        }
    }
    verdicts
}

fn scrape(size: &Size, miglink: &Exporter) -> Verdict {
    let allowed = SCRAPE_PER_DUMP * size.kernel.both.median + SCRAPE_PER_SERIES * miglink.plain.series as f64;
    let cpu = miglink.plain.cpu.median;
    Verdict {
        links: size.links,
        budget: format!(
            "CPU of a plain scrape at most 1.5 x both dumps + 30 ns a series = {:.2} ms",
            allowed * 1e3
        ),
        figure: format!("{:.2} ms", cpu * 1e3),
        holds: cpu <= allowed,
    }
}

fn idle_share(size: &Size, miglink: &Exporter, allowed: f64) -> Verdict {
    Verdict {
        links: size.links,
        budget: format!("idle at 1 Hz at most {:.2} % of a core", allowed * 100.0),
        figure: format!("{:.3} %", miglink.idle * 100.0),
        holds: miglink.idle <= allowed,
    }
}

fn resident(size: &Size, miglink: &Exporter, allowed: u64) -> Verdict {
    Verdict {
        links: size.links,
        budget: format!("resident at most {} MiB", allowed >> 20),
        figure: format!("{:.1} MiB", miglink.resident as f64 / f64::from(1 << 20)),
        holds: miglink.resident <= allowed,
    }
}

fn cheaper(size: &Size, miglink: &Exporter) -> Verdict {
    let Some(node) = &size.node_leanest else { return not_measured(size, "node_exporter") };
    let ratio = node.gzip.cpu.median / miglink.gzip.cpu.median;
    Verdict {
        links: size.links,
        budget: format!("CPU of a gzip scrape at least {CHEAPER} times under node_exporter's leanest"),
        figure: format!("{ratio:.0} times"),
        holds: ratio >= CHEAPER,
    }
}

fn not_measured(size: &Size, what: &str) -> Verdict {
    Verdict { links: size.links, budget: what.to_owned(), figure: "not measured".to_owned(), holds: false }
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::bench::figures::{Dump, Exporter, Kernel, Scrape, Size, Spread};

    fn spread(median: f64) -> Spread {
        Spread { median, least: median, most: median, repetitions: 1 }
    }

    fn exporter(cpu: f64, series: usize, resident: u64, idle: f64) -> Exporter {
        let scrape = Scrape { cpu: spread(cpu), wall: spread(cpu), bytes: 1, series };
        let (plain, gzip) = (scrape.clone(), scrape);
        Exporter { command: String::new(), plain, gzip, resident, resident_peak: resident, idle }
    }

    fn size(miglink: Option<Exporter>, node: Option<Exporter>) -> Size {
        let dump = |median| Dump {
            messages: 1,
            bytes: 1,
            hot: spread(median),
            cold: spread(median),
            timed: spread(median),
        };
        let kernel = Kernel { counters: dump(0.001), qdiscs: dump(0.001), both: spread(0.002) };
        Size { links: 1_000, kernel, miglink, node_leanest: node, node_default: None }
    }

    fn holding(size: Size, with_node_exporter: bool) -> Vec<bool> {
        judge(&[size], with_node_exporter).iter().map(super::Verdict::holds).collect()
    }

    #[test]
    fn each_budget_breaks_by_itself() {
        let node = || Some(exporter(0.2, 1, 1, 0.0));
        let ours = |cpu, resident, idle| Some(exporter(cpu, 10_000, resident, idle));
        assert_eq!(holding(size(ours(0.0032, 16 << 20, 0.0015), node()), true), [true; 4]);
        assert_eq!(holding(size(ours(0.0034, 1, 0.0), node()), true), [false, true, true, true]);
        assert_eq!(holding(size(ours(0.001, 17 << 20, 0.0), node()), true), [true, true, false, true]);
        assert_eq!(holding(size(ours(0.001, 1, 0.002), node()), true), [true, false, true, true]);
        let near = Some(exporter(0.04, 1, 1, 0.0));
        assert_eq!(holding(size(ours(0.001, 1, 0.0), near), true), [true, true, true, false]);
    }

    #[test]
    fn what_was_not_measured_does_not_hold() {
        assert_eq!(holding(size(None, None), true), [false]);
        let ours = || Some(exporter(0.001, 10_000, 1, 0.0));
        assert_eq!(holding(size(ours(), None), true), [true, true, true, false]);
        assert_eq!(holding(size(ours(), None), false), [true; 3]);
    }
}

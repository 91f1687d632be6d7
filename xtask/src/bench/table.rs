//! The figures for people: a row a figure, a column a size.

use super::figures::{Dump, Exporter, Run, Scrape, Size, Spread};
use std::fmt::Write;

/// A row: what it is, and how it reads for one size.
type Row = (&'static str, fn(&Size) -> Option<String>);
type Section = (&'static str, &'static [Row]);

/// How often Prometheus scrapes by default here, seconds.
const SCRAPE_INTERVAL: f64 = 15.0;

const SECTIONS: &[Section] = &[
    ("Kernel, raw dumps, CPU ms: median (least to most)", KERNEL),
    ("miglink", MIGLINK),
    ("node_exporter, leanest with the same content", LEANEST),
    ("node_exporter, default", DEFAULT),
    ("Ratios of CPU medians", RATIOS),
];

const KERNEL: &[Row] = &[
    ("RTM_GETSTATS LINK_64, hot", |s| Some(milliseconds(s.kernel.counters.hot))),
    ("RTM_GETSTATS LINK_64, cold", |s| Some(milliseconds(s.kernel.counters.cold))),
    ("RTM_GETSTATS LINK_64, at 1 Hz", |s| Some(milliseconds(s.kernel.counters.timed))),
    ("RTM_GETQDISC, hot", |s| Some(milliseconds(s.kernel.qdiscs.hot))),
    ("RTM_GETQDISC, cold", |s| Some(milliseconds(s.kernel.qdiscs.cold))),
    ("RTM_GETQDISC, at 1 Hz", |s| Some(milliseconds(s.kernel.qdiscs.timed))),
    ("both, at 1 Hz", |s| Some(milliseconds(s.kernel.both))),
    ("messages, KiB of both", |s| Some(both_sizes(&s.kernel.counters, &s.kernel.qdiscs))),
];

const MIGLINK: &[Row] = &[
    ("idle at 1 Hz, % of a core", |s| Some(format!("{:.3}", s.miglink.as_ref()?.idle * 100.0))),
    ("tick, CPU ms", |s| Some(three_digits(s.miglink.as_ref()?.idle * 1e3))),
    ("scrape plain, CPU ms", |s| cpu(&s.miglink.as_ref()?.plain)),
    ("scrape gzip, CPU ms", |s| cpu(&s.miglink.as_ref()?.gzip)),
    ("scrape plain, wall ms", |s| Some(milliseconds(s.miglink.as_ref()?.plain.wall))),
    ("scrape gzip, wall ms", |s| Some(milliseconds(s.miglink.as_ref()?.gzip.wall))),
    ("series; KB plain, gzip", |s| sizes(s.miglink.as_ref()?)),
    ("resident MiB (peak)", |s| memory(s.miglink.as_ref()?)),
];

const LEANEST: &[Row] = &[
    ("scrape plain, CPU ms", |s| cpu(&s.node_leanest.as_ref()?.plain)),
    ("scrape gzip, CPU ms", |s| cpu(&s.node_leanest.as_ref()?.gzip)),
    ("scrape gzip, wall ms", |s| Some(milliseconds(s.node_leanest.as_ref()?.gzip.wall))),
    ("series; KB plain, gzip", |s| sizes(s.node_leanest.as_ref()?)),
    ("resident MiB (peak)", |s| memory(s.node_leanest.as_ref()?)),
];

const DEFAULT: &[Row] = &[
    ("scrape plain, CPU ms", |s| cpu(&s.node_default.as_ref()?.plain)),
    ("scrape gzip, CPU ms", |s| cpu(&s.node_default.as_ref()?.gzip)),
    ("scrape gzip, wall ms", |s| Some(milliseconds(s.node_default.as_ref()?.gzip.wall))),
    ("series; KB plain, gzip", |s| sizes(s.node_default.as_ref()?)),
    ("resident MiB (peak)", |s| memory(s.node_default.as_ref()?)),
];

const RATIOS: &[Row] = &[
    ("miglink scrape plain / both dumps", |s| {
        ratio(s.miglink.as_ref()?.plain.cpu.median, s.kernel.both.median)
    }),
    ("miglink scrape gzip / both dumps", |s| {
        ratio(s.miglink.as_ref()?.gzip.cpu.median, s.kernel.both.median)
    }),
    ("miglink tick / both dumps", |s| ratio(s.miglink.as_ref()?.idle, s.kernel.both.median)),
    ("leanest / miglink, scrape plain", |s| {
        ratio(s.node_leanest.as_ref()?.plain.cpu.median, s.miglink.as_ref()?.plain.cpu.median)
    }),
    ("leanest / miglink, scrape gzip", |s| {
        ratio(s.node_leanest.as_ref()?.gzip.cpu.median, s.miglink.as_ref()?.gzip.cpu.median)
    }),
    ("default / miglink, scrape gzip", |s| {
        ratio(s.node_default.as_ref()?.gzip.cpu.median, s.miglink.as_ref()?.gzip.cpu.median)
    }),
    ("leanest / miglink, scrape gzip, a series", |s| {
        let a_series = |exporter: &Exporter| exporter.gzip.cpu.median / exporter.gzip.series as f64;
        ratio(a_series(s.node_leanest.as_ref()?), a_series(s.miglink.as_ref()?))
    }),
    // node_exporter samples when it is scraped, miglink every second: this is what a host pays for each in all.
    ("leanest / miglink, all CPU at a scrape every 15 s", |s| {
        let ours = s.miglink.as_ref()?;
        let ours = ours.idle * SCRAPE_INTERVAL + ours.gzip.cpu.median;
        let leanest = s.node_leanest.as_ref()?;
        ratio(leanest.idle * SCRAPE_INTERVAL + leanest.gzip.cpu.median, ours)
    }),
];

/// The table as text.
pub fn of(run: &Run) -> String {
    let mut text = format!("Linux {}, {} CPUs", run.kernel_release, run.cpus);
    if let Some(version) = &run.node_exporter {
        text = format!("{text}; {version}");
    }
    text.push('\n');
    for (title, rows) in SECTIONS {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{title:<50}");
        for size in &run.sizes {
            let _ = write!(text, "{:>28}", format!("{} links", size.links));
        }
        for (name, figure) in *rows {
            let _ = write!(text, "\n  {name:<48}");
            for size in &run.sizes {
                let _ = write!(text, "{:>28}", figure(size).unwrap_or_else(|| "-".to_owned()));
            }
        }
        text.push('\n');
    }
    text
}

fn milliseconds(spread: Spread) -> String {
    let figures = [spread.median, spread.least, spread.most].map(|seconds| three_digits(seconds * 1e3));
    format!("{} ({} to {})", figures[0], figures[1], figures[2])
}

// Rows are made of figures that may be absent, so all of these give an Option.
#[allow(clippy::unnecessary_wraps)]
fn cpu(scrape: &Scrape) -> Option<String> {
    Some(milliseconds(scrape.cpu))
}

#[allow(clippy::unnecessary_wraps)]
fn sizes(exporter: &Exporter) -> Option<String> {
    let (plain, gzip) = (exporter.plain.bytes, exporter.gzip.bytes);
    Some(format!("{}; {}, {}", exporter.plain.series, plain / 1000, gzip / 1000))
}

#[allow(clippy::unnecessary_wraps)]
fn memory(exporter: &Exporter) -> Option<String> {
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    Some(format!("{:.1} ({:.1})", mebibytes(exporter.resident), mebibytes(exporter.resident_peak)))
}

fn ratio(numerator: f64, denominator: f64) -> Option<String> {
    (denominator > 0.0).then(|| three_digits(numerator / denominator))
}

/// A figure with as many decimals as make three digits; more would pretend.
fn three_digits(figure: f64) -> String {
    match figure {
        _ if figure < 1.0 => format!("{figure:.3}"),
        _ if figure < 10.0 => format!("{figure:.2}"),
        _ if figure < 100.0 => format!("{figure:.1}"),
        _ => format!("{figure:.0}"),
    }
}

fn both_sizes(counters: &Dump, qdiscs: &Dump) -> String {
    format!("{}, {}", counters.messages + qdiscs.messages, (counters.bytes + qdiscs.bytes) / 1024)
}

#[cfg(test)]
mod tests {
    use super::{ratio, three_digits};

    #[test]
    fn figures_have_three_digits() {
        let figures = [0.1234, 2.0, 33.33, 4_567.8].map(three_digits);
        assert_eq!(figures, ["0.123", "2.00", "33.3", "4568"]);
        assert_eq!((ratio(1.0, 4.0).as_deref(), ratio(1.0, 0.0)), (Some("0.250"), None));
    }
}

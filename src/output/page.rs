//! The page at `/`: migrations, this host's links and how the sources do, for a person. `templates/page.html` is its face.

mod flags;
mod migrations;

use super::units;
use crate::analysis::peaks;
use crate::sample::block::Block;
use crate::sample::cell::Cell;
use crate::sample::frame::{Frame, Outcome, SourceReport};
use crate::sample::link::Link;
use crate::sample::metric::{Form, Metric};
use crate::sample::subject::Key;
use crate::source::{driver_statistics, link_counters, link_modes, rings, SOURCES};
use askama::Template;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Links on the page; a host with more has them in its metrics.
const MOST: usize = 500;
/// What stands where nothing is known.
const NOTHING: &str = "–";
/// Seconds until the page asks again, and while a migration is on.
const REFRESH: [u8; 2] = [5, 2];

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    version: &'static str,
    metrics_path: &'a str,
    sampled: String,
    refresh: u8,
    migrations: Vec<migrations::MigrationRow>,
    flags: Vec<flags::FlagRow<'a>>,
    judged: usize,
    known: usize,
    more: usize,
    links: Vec<LinkRow<'a>>,
    sources: Vec<SourceRow>,
}

struct LinkRow<'a> {
    name: &'a str,
    what: String,
    up: bool,
    speed: String,
    receiving: String,
    receive_peaks: String,
    sending: String,
    transmit_peaks: String,
    receive_ring: String,
    transmit_ring: String,
    overflows: String,
    missed: String,
    drops: String,
    carrier_changes: String,
}

struct SourceRow {
    name: &'static str,
    word: &'static str,
    class: &'static str,
    took: String,
    reason: String,
}

/// The page for the newest frame.
pub fn render(now: &Frame, metrics_path: &str) -> String {
    let view = View::new(now);
    let exported = now.links.exported();
    let (migrations, any_is_on) = migrations::rows(now);
    let page = Page {
        version: env!("CARGO_PKG_VERSION"),
        metrics_path,
        sampled: units::time_of_day(now.wall_ns),
        refresh: REFRESH[usize::from(any_is_on)],
        migrations,
        flags: flags::rows(now),
        judged: now.flags.judged.len(),
        known: now.links.all().len(),
        more: exported.len().saturating_sub(MOST),
        links: exported.iter().take(MOST).map(|link| view.row(link)).collect(),
        sources: now.reports.iter().map(source_row).collect(),
    };
    page.render().unwrap_or_else(|error| format!("The page could not be made: {error}"))
}

/// A frame with an index of its rows.
struct View<'a> {
    now: &'a Frame,
    /// For each block of the frame, the rows of the links on the page.
    rows: Vec<HashMap<Key, usize>>,
}

impl<'a> View<'a> {
    fn new(now: &'a Frame) -> Self {
        let shown: HashSet<Key> = now.links.exported().iter().take(MOST).map(|link| link.key).collect();
        let index = |block: &Arc<Block>| {
            let keys = block.subjects.keys().iter().enumerate();
            keys.filter(|(_, key)| shown.contains(key)).map(|(row, key)| (*key, row)).collect()
        };
        Self { now, rows: now.blocks.iter().map(index).collect() }
    }

    /// The place of a metric's column in the frame, and a link's row there.
    fn place(
        &self,
        metric: &'static Metric,
        label: Option<&str>,
        key: Key,
    ) -> Option<(&'a Block, usize, usize)> {
        self.now.blocks.iter().zip(&self.rows).find_map(|(block, rows)| {
            let wanted =
                |c: &crate::sample::metric::Column| *c.metric == *metric && c.label.map(|l| l.1) == label;
            Some((block.as_ref(), block.columns.iter().position(wanted)?, *rows.get(&key)?))
        })
    }

    fn value(&self, metric: &'static Metric, label: Option<&str>, key: Key) -> Option<f64> {
        let (block, column, row) = self.place(metric, label, key)?;
        let cell: Cell = block.cell(column, row);
        match metric.form {
            Form::Integer => cell.as_integer().map(|integer| integer as f64),
            Form::Float => cell.as_float(),
        }
    }

    fn count(&self, metric: &'static Metric, key: Key) -> String {
        self.value(metric, None, key).map_or(NOTHING.into(), units::count)
    }

    /// The rates that are kept for pages, received (0) or sent (1).
    fn rate(&self, column: usize, link: &Link) -> String {
        let rate = self.now.rates.as_ref().and_then(|rates| {
            let row = rates.subjects.row_of(link.key)?;
            rates.cell(column, row).as_float()
        });
        rate.map_or(NOTHING.into(), units::bits_per_second)
    }

    fn peaks(&self, metric: &'static Metric, key: Key) -> String {
        let peak =
            |window| self.value(metric, Some(window), key).map_or(NOTHING.into(), units::bits_per_second);
        format!("{} · {}", peak("1s"), peak("100ms"))
    }

    fn ring(&self, ring: &str, key: Key) -> String {
        match self.value(&rings::ENTRIES, Some(ring), key) {
            Some(now) => {
                let most =
                    self.value(&rings::ENTRIES_MAX, Some(ring), key).map_or(NOTHING.into(), units::count);
                format!("{} / {most}", units::count(now))
            }
            None => NOTHING.into(),
        }
    }

    fn row(&self, link: &'a Link) -> LinkRow<'a> {
        let key = link.key;
        let speed = self.value(&link_modes::SPEED, None, key);
        let drops =
            [&link_counters::RECEIVE_DROPS, &link_counters::TRANSMIT_DROPS].map(|m| self.count(m, key));
        LinkRow {
            name: &link.name,
            what: what(link),
            up: link.oper_up,
            speed: speed.map_or(NOTHING.into(), units::bits_per_second),
            receiving: self.rate(0, link),
            receive_peaks: self.peaks(&peaks::RECEIVE_PEAK, key),
            sending: self.rate(1, link),
            transmit_peaks: self.peaks(&peaks::TRANSMIT_PEAK, key),
            receive_ring: self.ring("rx", key),
            transmit_ring: self.ring("tx", key),
            overflows: self.count(&driver_statistics::RING_OVERFLOWS, key),
            missed: self.count(&link_counters::MISSED, key),
            drops: drops.join(" · "),
            carrier_changes: link.carrier_changes.map_or(NOTHING.into(), |n| units::count(n as f64)),
        }
    }
}

/// What a link is, in a few words: `physical, ice · 0000:3b:00.0`, `vlan, addressed`.
fn what(link: &Link) -> String {
    let role = Some(link.role.word()).filter(|role| *role != link.kind);
    let parts = [Some(&*link.kind), Some(link.hardware().driver.as_str()), role].into_iter().flatten();
    let said: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    let pci = &link.hardware().pci;
    let place = if pci.is_empty() { String::new() } else { format!(" · {pci}") };
    said.join(", ") + &place
}

fn help(source: &str) -> &'static str {
    SOURCES.iter().find(|info| info.name == source).map_or("", |info| info.help)
}

fn source_row(report: &SourceReport) -> SourceRow {
    let (word, class, reason) = match &report.outcome {
        Outcome::Pending => ("not asked yet", "soft", String::new()),
        Outcome::Read => ("read", "good", help(report.source).to_owned()),
        Outcome::Partly(problems) => ("read in part", "bad", problems.join("; ")),
        Outcome::Absent(reason) => ("not on this host", "soft", reason.clone()),
        Outcome::Failed(reason) => ("failed", "bad", reason.clone()),
        Outcome::Stuck(since) => ("stuck", "bad", format!("no answer for {:.0} s", since.as_secs_f64())),
    };
    SourceRow { name: report.source, word, class, took: units::duration(report.took), reason }
}

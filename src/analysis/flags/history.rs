//! What happened of late: by how much counters have grown, and what others have moved over links. Increases are those of the
//! newest tables over a base that moves on, so that they are known at once.

use super::base::Base;
use super::tables::{is_by_link, Tables};
use super::usage::{Usage, RATES};
use crate::sample::block::Block;
use crate::sample::metric::Metric;
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::Key;
use crate::source::{
    driver_statistics, ethernet_statistics, fec, link_counters, pause, rdma::fields as rdma, softnet,
};
use crate::topology::description;
use std::time::Duration;

/// How many parts are kept: with parts of ten seconds, five minutes.
pub const PARTS: u32 = 30;
/// A counter that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Counter {
    /// Bytes received; kept as a rate.
    ReceiveBytes,
    /// Bytes sent; kept as a rate.
    TransmitBytes,
    /// Packets received.
    Packets,
    /// Frames with a wrong check sum.
    CrcErrors,
    /// Packets that found no buffer, as the kernel counts.
    Missed,
    /// Comings and goings of the carrier.
    CarrierChanges,
    /// The same as `Missed` as the driver counts.
    RingOverflows,
    /// Pause frames received.
    PausesReceived,
    /// Pause frames sent.
    PausesSent,
    /// Blocks that could not be mended.
    Uncorrectable,
    /// Frames with a wrong check sum, as the port counts.
    FcsErrors,
    /// Frames that were too long.
    TooLong,
    /// RDMA: notifications that slowed the port down.
    Notifications,
    /// RDMA: packets that found no work request.
    OutOfBuffer,
    /// RDMA: packets missing at the other end.
    SequenceErrors,
    /// RDMA: timers that ran out.
    Timeouts,
    /// RDMA: packets received.
    RdmaReceived,
    /// RDMA: packets sent.
    RdmaSent,
    /// Packets dropped from a CPU's backlog.
    BacklogDrops,
    /// Packets that a CPU took.
    Processed,
    /// Packets steered to a CPU.
    Steered,
}

/// In the order of `Counter`.
static METRICS: [&Metric; 21] = [
    &link_counters::RECEIVE_BYTES,
    &link_counters::TRANSMIT_BYTES,
    &link_counters::RECEIVE_PACKETS,
    &link_counters::CRC_ERRORS,
    &link_counters::MISSED,
    &description::CARRIER_CHANGES,
    &driver_statistics::RING_OVERFLOWS,
    &pause::RECEIVED,
    &pause::SENT,
    &fec::UNCORRECTABLE_BLOCKS,
    &ethernet_statistics::FCS_ERRORS,
    &ethernet_statistics::TOO_LONG,
    &rdma::CNP_HANDLED,
    &rdma::OUT_OF_BUFFER,
    &rdma::SEQUENCE_ERRORS,
    &rdma::ACK_TIMEOUTS,
    &rdma::RECEIVE_PACKETS,
    &rdma::TRANSMIT_PACKETS,
    &softnet::DROPPED,
    &softnet::PROCESSED,
    &softnet::RECEIVED_RPS,
];
/// Those that only say how much was moved; every other counter is an event: when it grows, something has happened.
const TRAFFIC: [Counter; 7] = [
    Counter::ReceiveBytes,
    Counter::TransmitBytes,
    Counter::Packets,
    Counter::RdmaReceived,
    Counter::RdmaSent,
    Counter::Processed,
    Counter::Steered,
];

/// Whether an increase of this metric is news.
pub fn is_event(metric: &Metric) -> bool {
    let at = METRICS.iter().position(|counter| std::ptr::eq(*counter, metric));
    at.is_some_and(|at| TRAFFIC.iter().all(|traffic| *traffic as usize != at))
}

/// What is to be told after a part.
#[derive(Debug, Default)]
pub struct News {
    /// The first part is over: from now on rates are known.
    pub first: bool,
    /// The places of links whose traffic has changed, or whose old events are forgotten.
    pub places: Vec<usize>,
    /// The places of links that others move something over.
    pub busy: Vec<usize>,
}

/// What happened of late.
#[derive(Debug)]
pub struct History {
    /// The length of a part.
    step: Duration,
    noted: Option<Monotonic>,
    now: Monotonic,
    /// Parts since the start.
    part: u32,
    /// When the older and the newer of the bases were taken.
    taken: [Monotonic; 2],
    /// Values to count from, in the order of `Counter`; none for rates.
    bases: Vec<Base>,
    usage: Usage,
}

impl History {
    /// Nothing has happened yet.
    pub fn new(step: Duration) -> Self {
        let bases = METRICS.iter().map(|_| Base::default()).collect();
        let usage = Usage::default();
        Self {
            step,
            noted: None,
            now: Monotonic::default(),
            part: 0,
            taken: Default::default(),
            bases,
            usage,
        }
    }

    /// The time over which increases are counted: from half to the whole of all parts, once so much has passed.
    pub fn time(&self) -> Duration {
        self.now.since(self.taken[0])
    }

    /// The time over which rates are known: all parts, once so much has passed.
    pub fn watched(&self) -> Duration {
        self.step * self.part.saturating_sub(1).min(PARTS)
    }

    /// Rows or tables are others: values go with their keys.
    pub fn follow(&mut self, tables: &Tables) {
        for (metric, base) in METRICS.iter().zip(&mut self.bases).skip(RATES) {
            match tables.column(metric, None) {
                Some((block, column)) => base.follow(block, column),
                None => *base = Base::default(),
            }
        }
    }

    /// Takes in the tables; where a part is over, says of which links something is to be told. `leave_out` are the
    /// links that migrations run over: their bytes are not others'.
    pub fn note(&mut self, tables: &Tables, leave_out: &[Key], now: Monotonic) -> Option<News> {
        self.now = now;
        // A quarter of a part of slack: ticks come a little early and a little late.
        if self.noted.is_some_and(|noted| now.since(noted) + self.step / 4 < self.step) {
            return None;
        }
        let mut news = News { first: self.part == 1, ..News::default() };
        if self.noted.is_none() {
            self.taken = [now; 2];
        }
        self.noted = Some(now);
        self.part += 1;
        self.usage.begin(self.part);
        for (counter, metric) in METRICS.iter().enumerate().take(RATES) {
            if let Some((table, column)) = tables.find(metric, None) {
                self.usage.note(counter, table, column, leave_out, &mut news);
            }
        }
        let is_over = self.part > 1 && (self.part - 1).is_multiple_of(PARTS / 2);
        for (metric, base) in METRICS.iter().zip(&mut self.bases).skip(RATES) {
            let Some((table, column)) = tables.find(metric, None) else { continue };
            base.fill(&table.block, column);
            if is_over {
                if is_event(metric) && is_by_link(&table.block) {
                    news.places.extend(table.places(|row| base.moves(row)));
                }
                base.turn(&table.block, column);
            }
        }
        if is_over {
            self.taken = [self.taken[1], now];
        }
        Some(news)
    }

    /// How much a link's counter has grown; `None` where the link has no such counter.
    pub fn sum(&self, tables: &Tables, counter: Counter, place: usize) -> Option<u64> {
        let (table, column) = tables.find(METRICS[counter as usize], None)?;
        self.grown(&table.block, column, counter, table.row(place)?)
    }

    /// How much the counter of a row of another table has grown.
    pub fn sum_at(&self, tables: &Tables, counter: Counter, row: usize) -> Option<u64> {
        let (block, column) = tables.column(METRICS[counter as usize], None)?;
        self.grown(block, column, counter, row)
    }

    /// The same of all rows.
    pub fn total(&self, tables: &Tables, counter: Counter) -> u64 {
        let Some((block, column)) = tables.column(METRICS[counter as usize], None) else { return 0 };
        (0..block.rows()).filter_map(|row| self.grown(block, column, counter, row)).sum()
    }

    fn grown(&self, block: &Block, column: usize, counter: Counter, row: usize) -> Option<u64> {
        let now = block.cell(column, row).as_integer()?;
        Some(self.bases[counter as usize].of(row).map_or(0, |base| now.saturating_sub(base)))
    }

    /// The 95th percentile and the median of a rate of others, bytes a second; `None` before the first part is over.
    pub fn percentiles(&self, counter: Counter, key: Key) -> Option<(f64, f64)> {
        self.usage.percentiles(counter as usize, key)
    }
}

#[cfg(test)]
mod tests {
    use super::{is_event, Counter, History, METRICS, PARTS};
    use crate::analysis::flags::tables::Tables;
    use crate::sample::block::Block;
    use crate::sample::cell::Cell;
    use crate::sample::link::{Link, Links};
    use crate::sample::metric::Column;
    use crate::sample::monotonic::Monotonic;
    use crate::source::link_counters::{self, MISSED, RECEIVE_BYTES};
    use std::sync::Arc;
    use std::time::Duration;

    static COLUMNS: [Column; 2] = [Column::of(&RECEIVE_BYTES), Column::of(&MISSED)];

    struct Host {
        links: Links,
        tables: Tables,
        history: History,
    }

    impl Host {
        fn new() -> Self {
            Self {
                links: links(&[7, 8]),
                tables: Tables::default(),
                history: History::new(Duration::from_secs(10)),
            }
        }

        /// Notes these values of link 7; gives the places that are news.
        fn note(&mut self, second: u64, bytes: u64, missed: u64, leave_out: &[u64]) -> Vec<usize> {
            let at = Monotonic(Duration::from_secs(second));
            let source = link_counters::SOURCE.name;
            let mut block = Block::new(source, at, &COLUMNS, Arc::clone(self.links.subjects()));
            let row = self.links.all().iter().position(|link| link.key == 7).expect("link 7");
            block.set_row(row, [Cell::integer(bytes), Cell::integer(missed)]);
            if self.tables.refresh(&[Arc::new(block)], &self.links).rows {
                self.history.follow(&self.tables);
            }
            self.history.note(&self.tables, leave_out, at).map_or(vec![], |news| news.places)
        }

        fn missed(&self, place: usize) -> Option<u64> {
            self.history.sum(&self.tables, Counter::Missed, place)
        }
    }

    fn links(keys: &[u64]) -> Links {
        let link = |key: &u64| Link { key: *key, name: format!("v{key}"), exported: true, ..Link::default() };
        Links::new(1, keys.iter().map(link).collect(), None)
    }

    #[test]
    fn counters_grow_from_a_base_that_moves_on() {
        let mut host = Host::new();
        host.note(10, 0, 5, &[]);
        assert_eq!((host.missed(0), host.missed(1)), (Some(0), None), "a gap is no 0");
        host.note(11, 0, 8, &[]);
        assert_eq!(host.missed(0), Some(3), "at once");
        host.links = links(&[3, 7]);
        host.note(12, 0, 9, &[]);
        assert_eq!((host.missed(0), host.missed(1)), (None, Some(4)), "values go with their keys");
        assert_eq!(host.history.total(&host.tables, Counter::Missed), 4);
        let part = |host: &mut Host, part: u64| host.note(10 + part * 10, 0, 9, &[]);
        assert!((1..15).all(|at| part(&mut host, at).is_empty()) && host.missed(1) == Some(4));
        assert!(part(&mut host, 15).is_empty(), "both bases were of the start");
        assert_eq!((host.missed(1), host.history.time().as_secs()), (Some(4), 150));
        assert!((16..30).all(|at| part(&mut host, at).is_empty()) && host.missed(1) == Some(4));
        assert_eq!((part(&mut host, 30), host.missed(1)), (vec![1], Some(0)), "long ago, which is news");
        assert_eq!(host.history.time().as_secs(), 150);
    }

    #[test]
    fn rates_of_the_last_parts() {
        let mut host = Host::new();
        host.note(10, 0, 5, &[]);
        assert_eq!(host.history.percentiles(Counter::ReceiveBytes, 7), None);
        for part in 2..=5 {
            let news = host.note(part * 10, part << 30, 5, &[]);
            assert_eq!(news, if part < 4 { vec![0] } else { vec![] }, "what comes and what changes");
            host.note(part * 10 + 1, u64::MAX >> 20, 5, &[]);
        }
        let (p95, median) = host.history.percentiles(Counter::ReceiveBytes, 7).expect("rates");
        assert!(p95 > 2e8 && (1.0e8..1.1e8).contains(&median), "{p95} {median}");
        assert_eq!(host.history.percentiles(Counter::ReceiveBytes, 8), Some((0.0, 0.0)));
        let quiet: Vec<usize> =
            (6..=6 + u64::from(PARTS)).flat_map(|part| host.note(part * 10, 5 << 30, 5, &[])).collect();
        assert_eq!(host.history.percentiles(Counter::ReceiveBytes, 7), Some((0.0, 0.0)), "long ago");
        assert_eq!(quiet, [0], "when it stopped");
    }

    #[test]
    fn migrations_are_not_others() {
        let mut host = Host::new();
        host.note(10, 0, 0, &[]);
        host.note(20, 10 << 30, 3, &[7]);
        assert_eq!(host.history.percentiles(Counter::ReceiveBytes, 7), Some((0.0, 0.0)));
        assert_eq!(host.missed(0), Some(3));
    }

    #[test]
    fn every_counter_has_its_metric() {
        assert_eq!(Counter::Steered as usize + 1, METRICS.len());
        assert_eq!(METRICS[Counter::TooLong as usize].name, "link_receive_too_long_errors_total");
        assert_eq!(METRICS[Counter::BacklogDrops as usize].name, "softnet_dropped_total");
        assert!(is_event(&MISSED) && !is_event(&RECEIVE_BYTES) && !is_event(&link_counters::RECEIVE_PACKETS));
    }
}

//! What happened of late: increases of counters by parts of some seconds. Only what has happened takes memory, so ten thousand
//! quiet links take no more than their last values.

use super::tables::Tables;
use crate::sample::cell::Cell;
use crate::sample::metric::Metric;
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::{Key, Subjects};
use crate::source::{
    driver_statistics, ethernet_statistics, fec, link_counters, pause, rdma::fields as rdma, softnet,
};
use crate::topology::description;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How many parts are kept: with parts of ten seconds, five minutes.
pub const PARTS: u32 = 30;
/// Bytes a second below which nobody is disturbed: 8 Mbit/s, less than a hundredth of any link that carries migrations.
const CHATTER: f64 = 1e6;

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
/// The counters of bytes come first.
const RATES: usize = 2;
/// Bytes are kept by the KiB: 32 bits last for 400 GB/s over ten seconds.
const BYTES_SHIFT: u32 = 10;
/// What stands for a gap; a counter that is there by chance loses one part.
const GAP: u32 = u32::MAX;

/// What happened of late.
#[derive(Debug)]
pub struct History {
    /// The length of a part.
    step: Duration,
    began: Option<Monotonic>,
    noted: Option<Monotonic>,
    part: u32,
    last: Vec<Last>,
    recent: HashMap<(usize, Key), VecDeque<(u32, f32)>>,
}

/// A counter's last values.
#[derive(Debug, Default)]
struct Last {
    read_at: Monotonic,
    subjects: Arc<Subjects>,
    values: Vec<u32>,
}

impl History {
    /// Nothing has happened yet.
    pub fn new(step: Duration) -> Self {
        let last = METRICS.iter().map(|_| Last::default()).collect();
        Self { step, began: None, noted: None, part: 0, last, recent: HashMap::new() }
    }

    /// The time that is remembered.
    pub fn time(&self) -> Duration {
        let (Some(began), Some(noted)) = (self.began, self.noted) else { return Duration::ZERO };
        noted.since(began).min(self.step * PARTS)
    }

    /// Takes in the tables if a part is over. `leave_out` are the links that migrations run over: their bytes are not others'.
    /// Says whether it did.
    pub fn note(&mut self, tables: &Tables, leave_out: &[Key], now: Monotonic) -> bool {
        // A quarter of a part of slack: ticks come a little early and a little late.
        if self.noted.is_some_and(|noted| now.since(noted) + self.step / 4 < self.step) {
            return false;
        }
        self.began.get_or_insert(now);
        self.noted = Some(now);
        self.part += 1;
        let oldest = self.part.saturating_sub(PARTS);
        self.recent.retain(|_, parts| {
            while parts.front().is_some_and(|(part, _)| *part <= oldest) {
                parts.pop_front();
            }
            !parts.is_empty()
        });
        for counter in 0..METRICS.len() {
            self.note_counter(counter, tables, leave_out);
        }
        true
    }

    /// What something other than traffic has happened on in the last part.
    pub fn news(&self) -> HashSet<Key> {
        let is_new = |parts: &VecDeque<(u32, f32)>| parts.back().is_some_and(|(part, _)| *part == self.part);
        let of_links = (Counter::CrcErrors as usize)..=(Counter::TooLong as usize);
        let new =
            self.recent.iter().filter(|((counter, _), parts)| of_links.contains(counter) && is_new(parts));
        new.map(|((_, key), _)| *key).collect()
    }

    fn note_counter(&mut self, counter: usize, tables: &Tables, leave_out: &[Key]) {
        let last = &mut self.last[counter];
        let Some((block, column)) = tables.column(METRICS[counter], None) else {
            *last = Last::default();
            return;
        };
        let shift = if counter < RATES { BYTES_SHIFT } else { 0 };
        let rows = block.subjects.exported();
        let values = || block.column(column)[..rows].iter().map(|bits| short(*bits, shift));
        if !Arc::ptr_eq(&last.subjects, &block.subjects) {
            last.move_rows(&block.subjects);
        }
        let seconds = block.read_at.since(last.read_at).as_secs_f64();
        let known = last.values.len().min(rows);
        for (row, value) in values().enumerate().take(known) {
            let before = last.values[row];
            if before == value || before == GAP || value == GAP || seconds <= 0.0 {
                continue;
            }
            let grown = f64::from(value.wrapping_sub(before)) * f64::from(1u32 << shift);
            let amount = if counter < RATES { grown / seconds } else { grown };
            let key = block.subjects.keys()[row];
            if counter < RATES && (amount < CHATTER || leave_out.contains(&key)) {
                continue;
            }
            self.recent.entry((counter, key)).or_default().push_back((self.part, amount as f32));
        }
        last.values.clear();
        last.values.extend(values());
        last.read_at = block.read_at;
    }

    /// How much a counter has grown.
    pub fn sum(&self, counter: Counter, key: Key) -> u64 {
        let parts = self.recent.get(&(counter as usize, key));
        parts.map_or(0.0, |parts| parts.iter().map(|(_, amount)| f64::from(*amount)).sum()) as u64
    }

    /// The same of all rows.
    pub fn total(&self, counter: Counter) -> u64 {
        let of_counter = self.recent.iter().filter(|((of, _), _)| *of == counter as usize);
        of_counter.flat_map(|(_, parts)| parts).map(|(_, amount)| f64::from(*amount)).sum::<f64>() as u64
    }

    /// The 95th percentile and the median of a rate; `None` before the first part is over.
    pub fn percentiles(&self, counter: Counter, key: Key) -> Option<(f64, f64)> {
        let known = self.part.saturating_sub(1).min(PARTS) as usize;
        if known == 0 {
            return None;
        }
        let parts = self.recent.get(&(counter as usize, key));
        let mut rates: Vec<f32> = parts.into_iter().flatten().map(|(_, rate)| *rate).collect();
        rates.resize(rates.len().max(known), 0.0);
        rates.sort_by(|a, b| b.total_cmp(a));
        Some((f64::from(rates[rates.len() / 20]), f64::from(rates[rates.len() / 2])))
    }
}

fn short(bits: u64, shift: u32) -> u32 {
    Cell::from_bits(bits).as_integer().map_or(GAP, |value| (value >> shift) as u32)
}

impl Last {
    /// The rows are others: values go with their keys.
    fn move_rows(&mut self, subjects: &Arc<Subjects>) {
        let keys = self.subjects.keys().iter().zip(&self.values);
        let known: HashMap<Key, u32> = keys.map(|(key, value)| (*key, *value)).collect();
        let exported = &subjects.keys()[..subjects.exported()];
        self.values = exported.iter().map(|key| known.get(key).copied().unwrap_or(GAP)).collect();
        self.subjects = Arc::clone(subjects);
    }
}

#[cfg(test)]
mod tests {
    use super::{Counter, History, METRICS, PARTS};
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
            let link = |key, name: &str| Link { key, name: name.into(), exported: true, ..Link::default() };
            let links = Links::new(1, vec![link(7, "a"), link(8, "b")], None);
            let history = History::new(Duration::from_secs(10));
            Self { links, tables: Tables::default(), history }
        }

        fn note(&mut self, second: u64, bytes: u64, missed: u64, leave_out: &[u64]) {
            let at = Monotonic(Duration::from_secs(second));
            let source = link_counters::SOURCE.name;
            let mut block = Block::new(source, at, &COLUMNS, Arc::clone(self.links.subjects()));
            block.set_row(0, [Cell::integer(bytes), Cell::integer(missed)]);
            self.tables.refresh(&[Arc::new(block)], &self.links);
            self.history.note(&self.tables, leave_out, at);
        }
    }

    #[test]
    fn counters_and_rates_of_the_last_parts() {
        let mut host = Host::new();
        host.note(10, 0, 5, &[]);
        assert_eq!(host.history.percentiles(Counter::ReceiveBytes, 7), None);
        for part in 2..=5 {
            host.note(part * 10, part << 30, 5 + part, &[]);
            host.note(part * 10 + 1, u64::MAX >> 20, 5 + part, &[]);
        }
        assert_eq!(host.history.sum(Counter::Missed, 7), 5);
        assert_eq!((host.history.sum(Counter::Missed, 8), host.history.total(Counter::Missed)), (0, 5));
        let (p95, median) = host.history.percentiles(Counter::ReceiveBytes, 7).expect("rates");
        assert!(p95 > 2e8 && (1.0e8..1.1e8).contains(&median), "{p95} {median}");
        assert_eq!(host.history.percentiles(Counter::ReceiveBytes, 8), Some((0.0, 0.0)));
        for part in 6..=6 + u64::from(PARTS) {
            host.note(part * 10, 5 << 30, 10, &[]);
        }
        assert_eq!(host.history.sum(Counter::Missed, 7), 0, "long ago");
        assert_eq!(host.history.time(), Duration::from_secs(300));
        assert!(host.history.recent.is_empty());
    }

    #[test]
    fn migrations_are_not_others() {
        let mut host = Host::new();
        host.note(10, 0, 0, &[]);
        host.note(20, 10 << 30, 3, &[7]);
        assert_eq!(host.history.percentiles(Counter::ReceiveBytes, 7), Some((0.0, 0.0)));
        assert_eq!(host.history.sum(Counter::Missed, 7), 3);
    }

    #[test]
    fn every_counter_has_its_metric() {
        assert_eq!(Counter::Steered as usize + 1, METRICS.len());
        assert_eq!(METRICS[Counter::TooLong as usize].name, "link_receive_too_long_errors_total");
        assert_eq!(METRICS[Counter::BacklogDrops as usize].name, "softnet_dropped_total");
    }
}

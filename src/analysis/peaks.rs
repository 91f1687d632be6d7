//! The highest rates of the last minute, so that a burst between two scrapes is not averaged away.
//!
//! A minute is kept as seven parts of ten seconds, of which the newest is still filling: a peak is shown for at least
//! 60 and at most 70 seconds.

use super::interval;
use crate::sample::block::Block;
use crate::sample::cell::{Cell, Gap};
use crate::sample::metric::{Column, Metric, Unit};
use crate::sample::subject::{Key, Subjects};
use std::collections::HashMap;
use std::sync::Arc;

/// The source that peaks are counted to in `collect[]`.
pub const SOURCE: &str = "peaks";

/// The highest receive rates of the last minute.
pub static RECEIVE_PEAK: Metric = Metric::gauge(
    "link_receive_peak_bytes_per_second",
    "Highest rate of the last 60 to 70 seconds, averaged over the window; 100ms for physical links only.",
    Unit::BytesPerSecond,
)
.float();
/// The highest transmit rates of the last minute.
pub static TRANSMIT_PEAK: Metric = Metric::gauge(
    "link_transmit_peak_bytes_per_second",
    "Highest rate of the last 60 to 70 seconds, averaged over the window; 100ms for physical links only.",
    Unit::BytesPerSecond,
)
.float();

/// The columns of the peaks.
pub static COLUMNS: [Column; 4] = [
    Column::labelled(&RECEIVE_PEAK, "window", "1s"),
    Column::labelled(&RECEIVE_PEAK, "window", "100ms"),
    Column::labelled(&TRANSMIT_PEAK, "window", "1s"),
    Column::labelled(&TRANSMIT_PEAK, "window", "100ms"),
];

/// The peaks of all links over a second, and of the followed wires over 100 ms, as a table.
pub fn block(seconds: &Peaks<2>, bursts: &Peaks<2>) -> Option<Block> {
    let before = seconds.before.as_ref()?;
    let mut block = Block::new(SOURCE, before.read_at, &COLUMNS, Arc::clone(&before.subjects));
    for (counter, column) in [(0, 0), (1, 2)] {
        for (slot, rate) in block.column_mut(column).iter_mut().zip(seconds.highest(counter)) {
            *slot = cell(rate).bits();
        }
    }
    let wires = bursts.before.iter().flat_map(|before| before.subjects.keys()).enumerate();
    for (row, key) in wires {
        if let Some(at) = block.subjects.row_of(*key) {
            block.set(1, at, bursts.peak(0, row));
            block.set(3, at, bursts.peak(1, row));
        }
    }
    Some(block)
}

/// The columns of the rates between the last two readings, which pages show.
static RATE_COLUMNS: [Column; 2] = [Column::of(&RECEIVE_PEAK), Column::of(&TRANSMIT_PEAK)];

/// The rates of the last interval as a table, received before sent.
pub fn rates(seconds: &Peaks<2>) -> Option<Block> {
    let before = seconds.before.as_ref()?;
    let mut block = Block::new(SOURCE, before.read_at, &RATE_COLUMNS, Arc::clone(&before.subjects));
    for (column, rates) in seconds.latest.iter().enumerate() {
        for (slot, rate) in block.column_mut(column).iter_mut().zip(rates) {
            *slot = cell(*rate).bits();
        }
    }
    Some(block)
}

fn cell(rate: f32) -> Cell {
    if rate < 0.0 {
        return Cell::gap(Gap::New);
    }
    Cell::float(f64::from(rate))
}

const PARTS: usize = 7;
const PART_SECONDS: u64 = 10;

/// Peaks of some counters of one block, a row each. `COUNTERS` are the columns' places in that block.
#[derive(Debug)]
pub struct Peaks<const COUNTERS: usize> {
    columns: [usize; COUNTERS],
    before: Option<Arc<Block>>,
    /// For each counter and part the highest rate of every row, bytes a second; negative where none is known.
    parts: [[Vec<f32>; PARTS]; COUNTERS],
    /// The rates of the last interval.
    latest: [Vec<f32>; COUNTERS],
    part: u64,
}

const NONE: f32 = -1.0;

impl<const COUNTERS: usize> Peaks<COUNTERS> {
    /// Watches these columns.
    pub fn new(columns: [usize; COUNTERS]) -> Self {
        let parts = std::array::from_fn(|_| std::array::from_fn(|_| Vec::new()));
        Self { columns, before: None, parts, latest: std::array::from_fn(|_| Vec::new()), part: 0 }
    }

    /// Takes a new reading.
    pub fn note(&mut self, now: &Arc<Block>) {
        let part = now.read_at.0.as_secs() / PART_SECONDS;
        if self.before.as_ref().is_none_or(|before| !Arc::ptr_eq(&before.subjects, &now.subjects)) {
            self.move_rows(&now.subjects);
        }
        for _ in self.part..part.min(self.part + PARTS as u64) {
            self.part += 1;
            let place = (self.part % PARTS as u64) as usize;
            self.parts.iter_mut().for_each(|parts| parts[place].fill(NONE));
        }
        self.part = part;
        self.latest.iter_mut().for_each(|rates| {
            rates.clear();
            rates.resize(now.rows(), NONE);
        });
        if let Some(before) = self.before.replace(Arc::clone(now)) {
            if Arc::ptr_eq(&before.subjects, &now.subjects) {
                self.raise(&before, now);
            }
        }
    }

    fn raise(&mut self, before: &Block, now: &Block) {
        let Some(seconds) = interval::seconds(before, now) else { return };
        let place = (self.part % PARTS as u64) as usize;
        for (counter, column) in self.columns.into_iter().enumerate() {
            let highest = &mut self.parts[counter][place];
            let latest = &mut self.latest[counter];
            for (row, (old, new)) in before.column(column).iter().zip(now.column(column)).enumerate() {
                // Most links of a host with thousands are idle.
                if old == new && Cell::from_bits(*new).is_value() && now.breaks.is_empty() {
                    latest[row] = 0.0;
                    highest[row] = highest[row].max(0.0);
                    continue;
                }
                let continuous = now.is_continuous(column, row);
                let grown = interval::increase(Cell::from_bits(*old), Cell::from_bits(*new), continuous);
                latest[row] = grown.map_or(NONE, |bytes| (bytes as f64 / seconds) as f32);
                highest[row] = highest[row].max(latest[row]);
            }
        }
    }

    /// The links have changed: rows move, new ones begin without a peak.
    fn move_rows(&mut self, subjects: &Arc<Subjects>) {
        let old: HashMap<Key, usize> = self
            .before
            .iter()
            .flat_map(|before| before.subjects.keys().iter().enumerate())
            .map(|(row, key)| (*key, row))
            .collect();
        for part in self.parts.iter_mut().flatten() {
            let moved =
                subjects.keys().iter().map(|key| old.get(key).map_or(NONE, |row| part[*row])).collect();
            *part = moved;
        }
    }

    /// The highest rate of one counter in one row; a gap until two readings are there.
    pub fn peak(&self, counter: usize, row: usize) -> Cell {
        cell(self.parts[counter].iter().filter_map(|part| part.get(row)).fold(NONE, |a, b| a.max(*b)))
    }

    /// The rates of the last interval in the row of a link, bytes a second, NaN where one is not known; `None` of a link that
    /// is not there.
    pub fn latest(&self, key: Key) -> Option<[f32; COUNTERS]> {
        let row = self.before.as_ref()?.subjects.row_of(key)?;
        let rate = |counter: usize| self.latest[counter].get(row).copied().filter(|rate| *rate >= 0.0);
        Some(std::array::from_fn(|counter| rate(counter).unwrap_or(f32::NAN)))
    }

    /// The highest rates of all rows, a part at a time because that is how they lie in memory.
    fn highest(&self, counter: usize) -> Vec<f32> {
        let mut highest = self.parts[counter][0].clone();
        for part in &self.parts[counter][1..] {
            highest.iter_mut().zip(part).for_each(|(high, rate)| *high = high.max(*rate));
        }
        highest
    }
}

#[cfg(test)]
mod tests {
    use super::Peaks;
    use crate::sample::block::Block;
    use crate::sample::cell::Cell;
    use crate::sample::metric::{Column, Metric, Unit};
    use crate::sample::monotonic::Monotonic;
    use crate::sample::subject::{Subjects, SubjectsBuilder};
    use std::sync::Arc;
    use std::time::Duration;

    static BYTES: Metric = Metric::counter("bytes_total", "Bytes.", Unit::Bytes);
    static COLUMNS: [Column; 1] = [Column::of(&BYTES)];

    fn list(keys: &[u64]) -> Arc<Subjects> {
        let mut list = SubjectsBuilder::default();
        for key in keys {
            list.row(*key);
        }
        Arc::new(list.build())
    }

    fn note(peaks: &mut Peaks<1>, subjects: &Arc<Subjects>, second: u64, bytes: &[u64]) {
        let at = Monotonic(Duration::from_secs(second));
        let mut block = Block::new("test", at, &COLUMNS, Arc::clone(subjects));
        for (row, value) in bytes.iter().enumerate() {
            block.set(0, row, Cell::integer(*value));
        }
        peaks.note(&Arc::new(block));
    }

    #[test]
    fn a_burst_is_shown_for_a_minute_and_then_goes() {
        let (subjects, mut peaks) = (list(&[1]), Peaks::new([0]));
        note(&mut peaks, &subjects, 0, &[0]);
        assert_eq!(peaks.peak(0, 0).as_float(), None);
        note(&mut peaks, &subjects, 1, &[5000]);
        for second in 2..=60 {
            note(&mut peaks, &subjects, second, &[5000]);
            assert_eq!(peaks.peak(0, 0).as_float(), Some(5000.0), "second {second}");
        }
        for second in 61..=70 {
            note(&mut peaks, &subjects, second, &[5000]);
        }
        assert_eq!(peaks.peak(0, 0).as_float(), Some(0.0));
    }

    #[test]
    fn rows_keep_their_peaks_when_links_come_and_go() {
        let (subjects, mut peaks) = (list(&[1, 2]), Peaks::new([0]));
        note(&mut peaks, &subjects, 0, &[0, 0]);
        note(&mut peaks, &subjects, 1, &[100, 700]);
        let fewer = list(&[3, 2]);
        note(&mut peaks, &fewer, 2, &[9, 700]);
        assert_eq!((peaks.peak(0, 0).as_float(), peaks.peak(0, 1).as_float()), (None, Some(700.0)));
    }

    #[test]
    fn a_long_silence_forgets_everything() {
        let (subjects, mut peaks) = (list(&[1]), Peaks::new([0]));
        note(&mut peaks, &subjects, 0, &[0]);
        note(&mut peaks, &subjects, 1, &[100]);
        note(&mut peaks, &subjects, 1000, &[100]);
        assert_eq!(peaks.peak(0, 0).as_float(), Some(0.0));
    }
}

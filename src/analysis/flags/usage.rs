//! What others have moved over links: rates of the last parts. Only links that something is moved over take memory beside
//! their last values.

use super::history::{News, PARTS};
use super::tables::{moved, Table, NONE};
use crate::sample::cell::Cell;
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::{Key, Subjects};
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes received and sent.
pub const RATES: usize = 2;
/// Bytes a second below which nobody is disturbed: 8 Mbit/s, less than a hundredth of any link that carries migrations.
const CHATTER: f32 = 1e6;
/// Bytes are kept by the KiB: 32 bits last for 400 GB/s over ten seconds.
const SHIFT: u32 = 10;
/// What stands for a gap; a counter that is there by chance loses one part.
const GAP: u32 = u32::MAX;
/// A rate that differs by more than this factor from the one that was told last is news (our choice).
const NEWS: f32 = 1.25;

/// The rates of all links.
#[derive(Debug, Default)]
pub struct Usage {
    part: u32,
    last: [Last; RATES],
    busy: HashMap<Key, Busy>,
}

/// A counter's last values.
#[derive(Debug, Default)]
struct Last {
    read_at: Monotonic,
    subjects: Arc<Subjects>,
    values: Vec<u32>,
}

/// A link that others move something over.
#[derive(Debug, Default)]
struct Busy {
    /// Its place when it moved something last.
    place: usize,
    ways: [Rates; RATES],
}

/// The rates of one link, one way.
#[derive(Debug, Clone, Copy, Default)]
struct Rates {
    /// Of each part the upper half of a 32-bit float, which is of the same order and precise to 0.8 %; 0 for less than chatter.
    parts: [u16; PARTS as usize],
    /// What was told last, bytes a second.
    told: f32,
}

impl Usage {
    /// A part begins: the rates of the oldest are forgotten.
    pub fn begin(&mut self, part: u32) {
        self.part = part;
        let at = place(part);
        self.busy.retain(|_, busy| {
            busy.ways.iter_mut().for_each(|rates| rates.parts[at] = 0);
            busy.ways.iter().any(|rates| rates.parts.iter().any(|rate| *rate > 0))
        });
    }

    /// Takes in the bytes of a part.
    pub fn note(&mut self, way: usize, table: &Table, column: usize, leave_out: &[Key], news: &mut News) {
        let (block, last) = (&table.block, &mut self.last[way]);
        if !Arc::ptr_eq(&last.subjects, &block.subjects) {
            last.move_rows(&block.subjects);
        }
        let seconds = block.read_at.since(last.read_at).as_secs_f64() as f32;
        let cells = &block.column(column)[..last.values.len()];
        let keys = block.subjects.keys();
        for (row, (cell, last)) in cells.iter().zip(&mut last.values).enumerate() {
            let now = short(*cell);
            let before = std::mem::replace(last, now);
            if before == now || before == GAP || now == GAP || seconds <= 0.0 {
                continue;
            }
            let rate = now.wrapping_sub(before) as f32 * (1u32 << SHIFT) as f32 / seconds;
            if rate >= CHATTER && !leave_out.contains(&keys[row]) {
                let busy = self.busy.entry(keys[row]).or_default();
                busy.ways[way].parts[place(self.part)] = (rate.to_bits() >> 16) as u16;
                busy.place = table.place(row).unwrap_or(usize::MAX);
            }
        }
        last.read_at = block.read_at;
        self.tell(way, table, news);
    }

    /// Says which links are busy, and whose rate is another than was told.
    fn tell(&mut self, way: usize, table: &Table, news: &mut News) {
        let keys = table.block.subjects.keys();
        for (key, busy) in &mut self.busy {
            if table.row(busy.place).is_none_or(|row| keys[row] != *key) {
                continue;
            }
            let rates = &mut busy.ways[way];
            let rate = long(rates.parts[place(self.part)]);
            if rate > rates.told * NEWS || rate * NEWS < rates.told {
                rates.told = rate;
                news.places.push(busy.place);
            }
            if way == 0 {
                news.busy.push(busy.place);
            }
        }
    }

    /// The 95th percentile and the median, bytes a second; `None` before the first part is over.
    pub fn percentiles(&self, way: usize, key: Key) -> Option<(f64, f64)> {
        let known = self.part.saturating_sub(1).min(PARTS) as usize;
        if known == 0 {
            return None;
        }
        let Some(busy) = self.busy.get(&key) else { return Some((0.0, 0.0)) };
        let mut rates = busy.ways[way].parts;
        rates.sort_unstable_by(|a, b| b.cmp(a));
        Some((f64::from(long(rates[known / 20])), f64::from(long(rates[known / 2]))))
    }
}

fn place(part: u32) -> usize {
    (part % PARTS) as usize
}

fn long(rate: u16) -> f32 {
    f32::from_bits(u32::from(rate) << 16)
}

fn short(bits: u64) -> u32 {
    Cell::from_bits(bits).as_integer().map_or(GAP, |value| (value >> SHIFT) as u32)
}

impl Last {
    /// The rows are others: values go with their keys.
    fn move_rows(&mut self, subjects: &Arc<Subjects>) {
        let exported = &subjects.keys()[..subjects.exported()];
        let rows = moved(self.subjects.keys(), exported);
        let value = |row: u32| self.values.get(row as usize).copied().unwrap_or(GAP);
        self.values = rows.into_iter().map(|row| if row == NONE { GAP } else { value(row) }).collect();
        self.subjects = Arc::clone(subjects);
    }
}

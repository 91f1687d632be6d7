//! A frame with an index: the values of the links that are on a page.

use crate::analysis::forecast::profiles;
use crate::analysis::peaks;
use crate::sample::block::Block;
use crate::sample::cell::Cell;
use crate::sample::frame::Frame;
use crate::sample::link::Link;
use crate::sample::metric::{Form, Metric};
use crate::sample::subject::Key;
use crate::source::{driver_statistics, link_counters, link_modes, rings};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What a page shows of links.
static WANTED: [&Metric; 10] = [
    &profiles::CAPACITY,
    &peaks::RECEIVE_PEAK,
    &peaks::TRANSMIT_PEAK,
    &link_counters::RECEIVE_DROPS,
    &link_counters::TRANSMIT_DROPS,
    &link_counters::MISSED,
    &link_modes::SPEED,
    &rings::ENTRIES,
    &rings::ENTRIES_MAX,
    &driver_statistics::RING_OVERFLOWS,
];

/// A frame with an index of its rows.
pub struct View<'a> {
    /// The frame.
    pub now: &'a Frame,
    /// The blocks with anything of links that a page shows, and there the rows of the links that are on it.
    blocks: Vec<(&'a Block, HashMap<Key, usize>)>,
}

impl<'a> View<'a> {
    /// A view of these links, and of those that migrations take.
    pub fn new(now: &'a Frame, shown: &HashSet<Key>) -> Self {
        let index = |block: &'a Arc<Block>| {
            let keys = block.subjects.keys().iter().enumerate();
            let rows = keys.filter(|(_, key)| shown.contains(key)).map(|(row, key)| (*key, row)).collect();
            (block.as_ref(), rows)
        };
        let is_wanted = |block: &&Arc<Block>| {
            block.columns.iter().any(|column| WANTED.iter().any(|wanted| *column.metric == **wanted))
        };
        Self { now, blocks: now.blocks.iter().filter(is_wanted).map(index).collect() }
    }

    /// A link by its name.
    pub fn link(&self, name: &str) -> Option<&'a Link> {
        self.now.links.all().iter().find(|link| link.name == name)
    }

    /// A figure of a link.
    pub fn value(&self, metric: &'static Metric, label: Option<&str>, key: Key) -> Option<f64> {
        self.blocks.iter().find_map(|(block, rows)| {
            let wanted =
                |c: &crate::sample::metric::Column| *c.metric == *metric && c.label.map(|l| l.1) == label;
            let cell: Cell = block.cell(block.columns.iter().position(wanted)?, *rows.get(&key)?);
            match metric.form {
                Form::Integer => cell.as_integer().map(|integer| integer as f64),
                Form::Float => cell.as_float(),
            }
        })
    }

    /// What a link carries, bytes a second: its payload where that is known, otherwise its speed.
    pub fn capacity(&self, link: &Link) -> Option<f64> {
        let speed = || self.value(&link_modes::SPEED, None, link.key).filter(|_| link.has_real_speed());
        self.value(&profiles::CAPACITY, None, link.key).or_else(speed)
    }

    /// The rates of the last interval, received and sent.
    pub fn rates(&self, key: Key) -> [Option<f64>; 2] {
        let row = self.now.rates.as_ref().and_then(|rates| Some((rates, rates.subjects.row_of(key)?)));
        [0, 1].map(|column| row.and_then(|(rates, row)| rates.cell(column, row).as_float()))
    }
}

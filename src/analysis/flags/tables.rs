//! The newest tables of a frame, found by link: `place` is a link's row among the exported ones.

use crate::sample::block::Block;
use crate::sample::link::Links;
use crate::sample::metric::{Form, Metric};
use crate::sample::subject::{Key, Subjects};
use crate::source::{
    bonding, driver_statistics, ethernet_statistics, fec, flows, link_counters, link_modes, pause, pcie,
    qdiscs, rdma, rings, softnet, sysctls,
};
use crate::topology::description;
use std::collections::HashMap;
use std::sync::Arc;

/// The tables that flags look at.
const WATCHED: [&str; 15] = [
    description::SOURCE,
    bonding::SOURCE.name,
    driver_statistics::SOURCE.name,
    ethernet_statistics::SOURCE.name,
    fec::SOURCE.name,
    flows::SOURCE.name,
    link_counters::SOURCE.name,
    link_modes::SOURCE.name,
    pause::SOURCE.name,
    pcie::SOURCE.name,
    qdiscs::SOURCE.name,
    rdma::SOURCE.name,
    rings::SOURCE.name,
    softnet::SOURCE.name,
    sysctls::SOURCE.name,
];
/// Those whose rows are links; the keys of the others are of other things.
const BY_LINK: [&str; 10] = [
    description::SOURCE,
    bonding::SOURCE.name,
    driver_statistics::SOURCE.name,
    ethernet_statistics::SOURCE.name,
    fec::SOURCE.name,
    link_counters::SOURCE.name,
    link_modes::SOURCE.name,
    pause::SOURCE.name,
    pcie::SOURCE.name,
    rings::SOURCE.name,
];
/// Those that are settings, so that a new value is news.
const SETTINGS: [&str; 5] = [
    bonding::SOURCE.name,
    link_modes::SOURCE.name,
    pcie::SOURCE.name,
    rings::SOURCE.name,
    sysctls::SOURCE.name,
];
/// No row.
const NONE: u32 = u32::MAX;

/// The newest tables.
#[derive(Debug, Default)]
pub struct Tables {
    list: Vec<Table>,
    links: Arc<Subjects>,
}

#[derive(Debug)]
struct Table {
    block: Arc<Block>,
    /// The row of each link; `None` where the rows are the links' own, in their order.
    rows: Option<Vec<u32>>,
}

impl Table {
    /// The row of a link.
    fn row(&self, place: usize) -> Option<usize> {
        let row = match &self.rows {
            None => place,
            Some(rows) => rows.get(place).copied().filter(|row| *row != NONE)? as usize,
        };
        (row < self.block.rows()).then_some(row)
    }
}

/// What is new in the tables.
#[derive(Debug, Default)]
pub struct Changes {
    /// Links with other settings than before.
    pub links: Vec<usize>,
    /// A setting of the host.
    pub host: bool,
}

impl Tables {
    /// Takes over the tables of a frame.
    pub fn refresh(&mut self, blocks: &[Arc<Block>], links: &Links) -> Changes {
        let mut changes = Changes::default();
        let same_links = Arc::ptr_eq(&self.links, links.subjects());
        let mut before = std::mem::take(&mut self.list);
        self.links = Arc::clone(links.subjects());
        for block in blocks.iter().filter(|block| WATCHED.contains(&block.source)) {
            let same = |table: &Table| std::ptr::eq(table.block.columns, block.columns);
            let old = before.iter().position(same).map(|at| before.swap_remove(at));
            let table = match old {
                Some(old) if same_links && Arc::ptr_eq(&old.block.subjects, &block.subjects) => {
                    note_changes(&old, block, &mut changes);
                    Table { block: Arc::clone(block), rows: old.rows }
                }
                Some(_) | None => {
                    changes.host |= block.source == sysctls::SOURCE.name;
                    Table { block: Arc::clone(block), rows: rows_of(block, links) }
                }
            };
            self.list.push(table);
        }
        changes
    }

    /// The tables of a source.
    pub fn of<'a>(&'a self, source: &'a str) -> impl Iterator<Item = &'a Block> {
        self.list.iter().map(|table| table.block.as_ref()).filter(move |block| block.source == source)
    }

    /// The table that has a metric, and the column.
    pub fn column(&self, metric: &'static Metric, label: Option<&str>) -> Option<(&Arc<Block>, usize)> {
        self.find(metric, label).map(|(table, column)| (&table.block, column))
    }

    fn find(&self, metric: &'static Metric, label: Option<&str>) -> Option<(&Table, usize)> {
        self.list.iter().find_map(|table| {
            let columns = table.block.columns;
            let wanted = columns.iter().position(|column| {
                std::ptr::eq(column.metric, metric) && column.label.map(|(_, value)| value) == label
            });
            Some((table, wanted?))
        })
    }

    /// A link's integer.
    pub fn number(&self, metric: &'static Metric, label: Option<&str>, place: usize) -> Option<u64> {
        let (table, column) = self.find(metric, label)?;
        debug_assert_eq!(metric.form, Form::Integer);
        table.block.cell(column, table.row(place)?).as_integer()
    }

    /// A label of the link's row in the table that has this metric.
    pub fn label(&self, metric: &'static Metric, place: usize, name: &str) -> Option<String> {
        let (table, _) = self.find(metric, None)?;
        table.block.subjects.label(table.row(place)?, name)
    }

    /// An integer of the whole host.
    pub fn of_host(&self, metric: &'static Metric, label: Option<&str>) -> Option<u64> {
        let (block, column) = self.column(metric, label)?;
        (block.rows() > 0).then(|| block.cell(column, 0).as_integer())?
    }
}

/// The rows of the exported links in a block.
fn rows_of(block: &Block, links: &Links) -> Option<Vec<u32>> {
    if Arc::ptr_eq(&block.subjects, links.subjects()) || !is_by_link(block) {
        return None;
    }
    let keys = block.subjects.keys().iter().enumerate();
    let rows: HashMap<Key, u32> = keys.map(|(row, key)| (*key, row as u32)).collect();
    Some(links.exported().iter().map(|link| rows.get(&link.key).copied().unwrap_or(NONE)).collect())
}

fn is_by_link(block: &Block) -> bool {
    BY_LINK.contains(&block.source)
}

/// Which links have other settings in a new block with the same rows.
fn note_changes(old: &Table, new: &Arc<Block>, changes: &mut Changes) {
    if Arc::ptr_eq(&old.block, new) || !SETTINGS.contains(&new.source) {
        return;
    }
    for column in 0..new.columns.len() {
        let (before, now) = (old.block.column(column), new.column(column));
        if before == now {
            continue;
        }
        if !is_by_link(new) {
            changes.host = true;
            continue;
        }
        let differs = |row: usize| before.get(row) != now.get(row);
        match &old.rows {
            None => changes.links.extend((0..new.subjects.exported()).filter(|row| differs(*row))),
            Some(rows) => {
                let of_links =
                    rows.iter().enumerate().filter(|(_, row)| **row != NONE && differs(**row as usize));
                changes.links.extend(of_links.map(|(place, _)| place));
            }
        }
    }
}

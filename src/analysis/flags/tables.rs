//! The newest tables of a frame, found by link: `place` is a link's row among the exported ones.

use super::changes::{Changes, Watched};
use crate::sample::block::Block;
use crate::sample::link::Links;
use crate::sample::metric::{Column, Form, Metric};
use crate::sample::subject::{Key, Subjects};
use crate::source::{
    bonding, driver_statistics, ethernet_statistics, fec, flows, link_counters, link_modes, pause, pcie,
    qdiscs, rdma, rings, softnet, storage, sysctls,
};
use crate::topology::description;
use std::collections::HashMap;
use std::sync::Arc;

/// The tables that flags look at.
const WATCHED: [&str; 16] = [
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
    storage::SOURCE.name,
    sysctls::SOURCE.name,
];
/// Those whose rows are links; the keys of the others are of other things.
const BY_LINK: [&str; 9] = [
    description::SOURCE,
    driver_statistics::SOURCE.name,
    ethernet_statistics::SOURCE.name,
    fec::SOURCE.name,
    link_counters::SOURCE.name,
    link_modes::SOURCE.name,
    pause::SOURCE.name,
    pcie::SOURCE.name,
    rings::SOURCE.name,
];
/// No row.
pub const NONE: u32 = u32::MAX;

/// The newest tables.
#[derive(Debug, Default)]
pub struct Tables {
    list: Vec<Table>,
    /// The columns of each block of the frame.
    layout: Vec<&'static [Column]>,
    links: Arc<Subjects>,
}

/// A table.
#[derive(Debug)]
pub struct Table {
    /// The newest.
    pub block: Arc<Block>,
    /// Its place in the frame.
    at: usize,
    /// The row of each link; `None` where the rows are those of the links, in their order.
    rows: Option<Vec<u32>>,
    /// What of it is compared with the block before.
    pub watched: Watched,
}

impl Table {
    /// The row of a link.
    pub fn row(&self, place: usize) -> Option<usize> {
        let row = match &self.rows {
            None => place,
            Some(rows) => rows.get(place).copied().filter(|row| *row != NONE)? as usize,
        };
        (row < self.block.rows()).then_some(row)
    }

    /// The link of a row.
    pub fn place(&self, row: usize) -> Option<usize> {
        match &self.rows {
            None => Some(row),
            Some(rows) => rows.iter().position(|of_link| *of_link as usize == row),
        }
    }

    /// The links of rows, in their order of places.
    pub fn places<'a>(&'a self, is_wanted: impl Fn(usize) -> bool + 'a) -> impl Iterator<Item = usize> + 'a {
        let count = self.rows.as_ref().map_or(self.block.subjects.exported(), Vec::len);
        (0..count).filter(move |place| self.row(*place).is_some_and(&is_wanted))
    }
}

impl Tables {
    /// Takes over the tables of a frame. Where the same tables come in the same places, as at nearly every tick, only pointers are
    /// compared, and cells of what was read anew.
    pub fn refresh(&mut self, blocks: &[Arc<Block>], links: &Links) -> Changes {
        let mut changes = Changes::default();
        let same_layout = self.layout.len() == blocks.len()
            && self.layout.iter().zip(blocks).all(|(columns, block)| std::ptr::eq(*columns, block.columns));
        let same_links = Arc::ptr_eq(&self.links, links.subjects());
        if same_layout && same_links {
            for table in &mut self.list {
                take_over(table, &blocks[table.at], links, &mut changes);
            }
            return changes;
        }
        self.links = Arc::clone(links.subjects());
        changes.rows = true;
        let mut before = std::mem::take(&mut self.list);
        self.layout = blocks.iter().map(|block| block.columns).collect();
        for (at, block) in blocks.iter().enumerate().filter(|(_, block)| WATCHED.contains(&block.source)) {
            let same = |table: &Table| std::ptr::eq(table.block.columns, block.columns);
            let table = match before.iter().position(same).map(|at| before.swap_remove(at)) {
                Some(old) => {
                    let rows = rows_of(block, links);
                    let mut table = Table { at, rows, ..old };
                    take_over(&mut table, block, links, &mut changes);
                    table
                }
                None => {
                    let watched = Watched::of(block);
                    changes.appeared(watched.kind);
                    Table { block: Arc::clone(block), at, rows: rows_of(block, links), watched }
                }
            };
            self.list.push(table);
        }
        // What is no longer told is no longer known.
        before.iter().for_each(|table| changes.appeared(table.watched.kind));
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

    /// The same with the rows of links.
    pub fn find(&self, metric: &'static Metric, label: Option<&str>) -> Option<(&Table, usize)> {
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
    let exported = &links.subjects().keys()[..links.exported().len()];
    if block.subjects.keys().starts_with(exported) {
        return None;
    }
    Some(moved(block.subjects.keys(), exported))
}

/// Whether the rows of a table are links.
pub fn is_by_link(block: &Block) -> bool {
    BY_LINK.contains(&block.source)
}

/// Puts a newer block into a table.
fn take_over(table: &mut Table, block: &Arc<Block>, links: &Links, changes: &mut Changes) {
    if Arc::ptr_eq(&table.block, block) {
        return;
    }
    let old = std::mem::replace(&mut table.block, Arc::clone(block));
    if !Arc::ptr_eq(&old.subjects, &block.subjects) {
        table.rows = rows_of(block, links);
        changes.rows = true;
    }
    changes.note(&old, table);
}

/// Where the rows of `new` were in `old`; both have nearly the same order, and a key that is larger than all was not there.
pub fn moved(old: &[Key], new: &[Key]) -> Vec<u32> {
    /// So many rows are looked through before a map is made.
    const NEAR: usize = 64;
    let largest = old.iter().max().copied();
    let mut map: Option<HashMap<Key, u32>> = None;
    let mut next = 0;
    let mut place = |key: &Key| {
        if largest.is_none_or(|largest| *key > largest) {
            return NONE;
        }
        let near = old.get(next..).unwrap_or_default().iter().take(NEAR).position(|known| known == key);
        let found = near.map_or_else(
            || {
                let rows = || old.iter().enumerate().map(|(row, key)| (*key, row as u32)).collect();
                map.get_or_insert_with(rows).get(key).copied().unwrap_or(NONE)
            },
            |steps| (next + steps) as u32,
        );
        next = if found == NONE { next } else { found as usize + 1 };
        found
    };
    new.iter().map(&mut place).collect()
}

#[cfg(test)]
mod tests {
    use super::{moved, NONE};

    #[test]
    fn rows_are_found_by_their_keys() {
        assert_eq!(moved(&[5, 3, 9, 7], &[5, 11, 3, 7, 9, 4]), [0, NONE, 1, 3, 2, NONE]);
        assert_eq!(moved(&[], &[1]), [NONE]);
        let many: Vec<u64> = (0..200).collect();
        let back: Vec<u64> = (0..200).rev().collect();
        assert_eq!(moved(&many, &back), (0..200).rev().collect::<Vec<u32>>());
    }
}

//! Values of one counter to count from: an older and a newer one for each row, so that an increase is of half to all of the
//! time that is remembered. Where all rows have one value, as counters of errors mostly have, it is kept once.

use super::tables::{moved, NONE};
use crate::sample::block::Block;
use crate::sample::cell::{Cell, Gap};
use crate::sample::subject::Subjects;
use std::sync::Arc;

/// The values of one counter.
#[derive(Debug, Default)]
pub struct Base {
    subjects: Arc<Subjects>,
    older: Values,
    newer: Values,
}

/// Cells of one column.
#[derive(Debug, Clone, PartialEq)]
enum Values {
    All(Cell),
    Each(Box<[u64]>),
}

impl Default for Values {
    fn default() -> Self {
        Self::All(Cell::gap(Gap::NotRead))
    }
}

impl Values {
    fn of_cells(cells: &[u64]) -> Self {
        match cells.first() {
            Some(first) if cells.iter().all(|cell| cell == first) => Self::All(Cell::from_bits(*first)),
            Some(_) => Self::Each(cells.into()),
            None => Self::default(),
        }
    }

    fn get(&self, row: usize) -> Cell {
        match self {
            Self::All(cell) => *cell,
            Self::Each(cells) => cells.get(row).copied().map_or(Cell::gap(Gap::NotRead), Cell::from_bits),
        }
    }

    fn has_gaps(&self) -> bool {
        match self {
            Self::All(cell) => !cell.is_value(),
            Self::Each(cells) => cells.iter().any(|cell| !Cell::from_bits(*cell).is_value()),
        }
    }

    /// These values at other rows, and the present ones where there are none.
    fn filled(&self, now: &[u64], from: impl Fn(usize) -> Option<usize>) -> Self {
        let known = |row| from(row).map(|old| self.get(old)).filter(|cell| cell.is_value());
        let cells = now.iter().enumerate().map(|(row, now)| known(row).map_or(*now, Cell::bits));
        Self::of_cells(&cells.collect::<Vec<_>>())
    }
}

impl Base {
    /// The rows may be others: values go with their keys, and a new row counts from now on.
    pub fn follow(&mut self, block: &Block, column: usize) {
        if Arc::ptr_eq(&self.subjects, &block.subjects) {
            return;
        }
        let rows = moved(self.subjects.keys(), block.subjects.keys());
        let from = |row: usize| Some(rows[row]).filter(|old| *old != NONE).map(|old| old as usize);
        let now = block.column(column);
        (self.older, self.newer) = (self.older.filled(now, from), self.newer.filled(now, from));
        self.subjects = Arc::clone(&block.subjects);
    }

    /// What was not there before counts from now on.
    pub fn fill(&mut self, block: &Block, column: usize) {
        let now = block.column(column);
        for values in [&mut self.older, &mut self.newer] {
            if values.has_gaps() && now.iter().any(|cell| Cell::from_bits(*cell).is_value()) {
                *values = values.filled(now, Some);
            }
        }
    }

    /// Whether a row counts from another value after `turn`.
    pub fn moves(&self, row: usize) -> bool {
        self.older.get(row) != self.newer.get(row)
    }

    /// The newer values are the older ones from now on.
    pub fn turn(&mut self, block: &Block, column: usize) {
        self.older = std::mem::replace(&mut self.newer, Values::of_cells(block.column(column)));
    }

    /// The value that a row counts from.
    pub fn of(&self, row: usize) -> Option<u64> {
        self.older.get(row).as_integer()
    }
}

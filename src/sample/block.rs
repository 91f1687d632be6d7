//! One source's table at one moment: columns are metrics, rows are subjects, cells stand column by column.
//!
//! Column-major, because what is done most often is done a column at a time: a scrape writes a family, an interval
//! subtracts a counter, the recorder packs a series. `benches/vocabulary.rs` has the measurement.

use super::cell::{Cell, Gap};
use super::metric::Column;
use super::monotonic::Monotonic;
use super::subject::Subjects;
use std::sync::Arc;

/// A counter that went back in this reading: the interval that ends here is unknown for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Break {
    /// Which column.
    pub column: u32,
    /// Which row.
    pub row: u32,
}

/// One source's table.
#[derive(Debug, Clone)]
pub struct Block {
    /// The source's name.
    pub source: &'static str,
    /// When the source was read.
    pub read_at: Monotonic,
    /// The metrics.
    pub columns: &'static [Column],
    /// The rows.
    pub subjects: Arc<Subjects>,
    /// Cells whose continuity with the reading before is broken; nearly always empty.
    pub breaks: Vec<Break>,
    /// A column each, in memory of its own: columns of one length follow one another in the same places, where whole
    /// tables of ten thousand links would leave holes of megabytes.
    cells: Box<[Vec<u64>]>,
}

impl Block {
    /// A block of gaps (`Gap::NotRead`) for a source to fill.
    pub fn new(
        source: &'static str,
        read_at: Monotonic,
        columns: &'static [Column],
        subjects: Arc<Subjects>,
    ) -> Self {
        let cells = columns.iter().map(|_| vec![Cell::gap(Gap::NotRead).bits(); subjects.len()]).collect();
        Self { source, read_at, columns, subjects, breaks: Vec::new(), cells }
    }

    /// One block of one row, for a source that speaks of the whole host.
    pub fn of_host(
        source: &'static str,
        read_at: Monotonic,
        columns: &'static [Column],
        subjects: &Arc<Subjects>,
        cells: Vec<Cell>,
    ) -> Self {
        debug_assert_eq!((subjects.len(), columns.len()), (1, cells.len()));
        let cells = cells.into_iter().map(|cell| vec![cell.bits()]).collect();
        Self { source, read_at, columns, subjects: Arc::clone(subjects), breaks: Vec::new(), cells }
    }

    /// The same with fewer rows, in the same order: those of the subjects that are still among `subjects`.
    #[must_use]
    pub fn narrowed(&self, subjects: Arc<Subjects>) -> Self {
        let mut wanted = subjects.keys().iter().peekable();
        let rows: Vec<usize> = (0..self.rows())
            .filter(|row| wanted.next_if(|key| **key == self.subjects.keys()[*row]).is_some())
            .collect();
        debug_assert_eq!(rows.len(), subjects.len(), "rows were taken away, and nothing else");
        let cells = self.cells.iter().map(|column| rows.iter().map(|row| column[*row]).collect()).collect();
        Self { subjects, breaks: Vec::new(), cells, ..*self }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.subjects.len()
    }

    /// One value.
    pub fn cell(&self, column: usize, row: usize) -> Cell {
        Cell::from_bits(self.cells[column][row])
    }

    /// Sets one value.
    pub fn set(&mut self, column: usize, row: usize, cell: Cell) {
        self.cells[column][row] = cell.bits();
    }

    /// Fills a row's cells from its first column on.
    pub fn set_row(&mut self, row: usize, cells: impl IntoIterator<Item = Cell>) {
        for (cell, column) in cells.into_iter().zip(&mut self.cells) {
            column[row] = cell.bits();
        }
    }

    /// One column's bits, a row each.
    pub fn column(&self, column: usize) -> &[u64] {
        &self.cells[column]
    }

    /// One column's bits, to be changed.
    pub fn column_mut(&mut self, column: usize) -> &mut [u64] {
        &mut self.cells[column]
    }

    /// Whether the interval that ends in this cell is known.
    pub fn is_continuous(&self, column: usize, row: usize) -> bool {
        self.breaks.is_empty() || !self.breaks.contains(&Break { column: column as u32, row: row as u32 })
    }
}

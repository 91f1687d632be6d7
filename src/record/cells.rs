//! The cells of a table on the wire, a column at a time: by how much each differs from the reading before.
//!
//! Most cells of most readings are as before, so columns and groups of rows that are say so with one bit. Of the others the
//! number of bits of the difference is told, which depends on how many it had the time before; the bits themselves nobody
//! can foresee. Floats are compared by their bits as well: near ones have near bits.

use super::coder::{Bit, Wire};
use crate::sample::metric::{Form, Kind, Metric};

/// Rows that share a bit.
const GROUP: usize = 32;
/// How many bits a difference can have, and none.
const CLASSES: usize = 65;
/// Kinds of columns, and cells that have no reading before.
const KINDS: usize = 4;
const ABSOLUTE: usize = 3;

/// What is known of all cells.
#[derive(Debug, Clone)]
pub struct Cells {
    lengths: Vec<[Bit; 64]>,
}

impl Default for Cells {
    fn default() -> Self {
        Self { lengths: vec![[Bit::default(); 64]; KINDS * CLASSES] }
    }
}

/// What is known of one column.
#[derive(Debug, Clone, Default)]
pub struct Track {
    changed: Bit,
    groups: [Bit; 2],
    cells: [Bit; 2],
    negative: Bit,
    /// How many bits each cell's difference had the last time; empty if all had none.
    classes: Vec<u8>,
}

/// The reading before: its cells, and which of its rows each row was; in place if the rows are the same.
#[derive(Debug, Clone, Copy)]
pub struct Base<'a> {
    /// Its cells; none if there is no reading before.
    pub cells: &'a [u64],
    /// Its row of each row of now.
    pub rows: Option<&'a [u32]>,
}

impl Base<'_> {
    fn at(&self, row: usize) -> Option<u64> {
        match self.rows {
            None => self.cells.get(row).copied(),
            Some(rows) => self.cells.get(rows[row] as usize).copied(),
        }
    }

    /// What was a row's before is its own.
    fn follow(&self, classes: &mut Vec<u8>) {
        let Some(rows) = self.rows else { return };
        if !classes.is_empty() {
            *classes =
                rows.iter().map(|row| classes.get(*row as usize).copied().unwrap_or_default()).collect();
        }
    }
}

fn kind(metric: &Metric) -> usize {
    match (metric.form, metric.kind) {
        (Form::Float, _) => 2,
        (Form::Integer, Kind::Counter) => 0,
        (Form::Integer, _) => 1,
    }
}

impl Cells {
    /// Writes a column.
    pub fn write(
        &mut self,
        wire: &mut impl Wire,
        track: &mut Track,
        (metric, base): (&Metric, Base<'_>),
        cells: &[u64],
    ) {
        let differs = base.rows.is_some() || cells != base.cells;
        if wire.bit(&mut track.changed, differs) {
            self.groups(wire, track, (kind(metric), base), Side::Write(cells));
        } else {
            track.classes.clear();
        }
    }

    /// Reads a column into `cells`.
    pub fn read(
        &mut self,
        wire: &mut impl Wire,
        track: &mut Track,
        (metric, base): (&Metric, Base<'_>),
        cells: &mut [u64],
    ) {
        if wire.bit(&mut track.changed, false) {
            self.groups(wire, track, (kind(metric), base), Side::Read(cells));
        } else if base.rows.is_none() && base.cells.len() == cells.len() {
            track.classes.clear();
            cells.copy_from_slice(base.cells);
        } else {
            wire.refuse();
        }
    }

    fn groups(&mut self, wire: &mut impl Wire, track: &mut Track, of: (usize, Base<'_>), mut side: Side<'_>) {
        let rows = side.rows();
        of.1.follow(&mut track.classes);
        track.classes.resize(rows, 0);
        let mut before = Before { cell: 0, changed: false };
        for start in (0..rows).step_by(GROUP) {
            let group = start..rows.min(start + GROUP);
            let changed = side.differs(group.clone(), of.1, before.cell);
            before.changed = wire.bit(&mut track.groups[usize::from(before.changed)], changed);
            if !before.changed {
                track.classes[group.clone()].fill(0);
                before.cell = side.keep(group, of.1, before.cell);
                continue;
            }
            for row in group {
                let (base, kind) = match of.1.at(row) {
                    Some(cell) => (cell, of.0),
                    // A row that is new is like the one above it more often than it is 0.
                    None => (before.cell, ABSOLUTE),
                };
                let given = side.given(row).wrapping_sub(base) as i64;
                let difference = self.cell(wire, track, (row, kind), given);
                before.cell = side.take(row, base.wrapping_add(difference as u64));
            }
        }
    }

    fn cell(
        &mut self,
        wire: &mut impl Wire,
        track: &mut Track,
        (row, kind): (usize, usize),
        difference: i64,
    ) -> i64 {
        let class = track.classes[row];
        if !wire.bit(&mut track.cells[usize::from(class > 0)], difference != 0) {
            track.classes[row] = 0;
            return 0;
        }
        let negative = wire.bit(&mut track.negative, difference < 0);
        let size = difference.unsigned_abs();
        let known = &mut self.lengths[kind * CLASSES + usize::from(class)];
        let length = wire.length(known, size.checked_ilog2().unwrap_or(0));
        let size = 1 << length | wire.raw(length, size & !(1 << length));
        track.classes[row] = length as u8 + 1;
        if negative {
            (size as i64).wrapping_neg()
        } else {
            size as i64
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Before {
    cell: u64,
    changed: bool,
}

/// The column of now: given, or to be found out.
enum Side<'a> {
    Write(&'a [u64]),
    Read(&'a mut [u64]),
}

impl Side<'_> {
    fn rows(&self) -> usize {
        match self {
            Self::Write(cells) => cells.len(),
            Self::Read(cells) => cells.len(),
        }
    }

    fn given(&self, row: usize) -> u64 {
        match self {
            Self::Write(cells) => cells[row],
            Self::Read(_) => 0,
        }
    }

    fn take(&mut self, row: usize, cell: u64) -> u64 {
        match self {
            Self::Write(cells) => cells[row],
            Self::Read(cells) => {
                cells[row] = cell;
                cell
            }
        }
    }

    /// A group of rows is as before; gives its last cell.
    fn keep(&mut self, group: std::ops::Range<usize>, base: Base<'_>, before: u64) -> u64 {
        match self {
            Self::Write(cells) => cells[group.end - 1],
            Self::Read(_) => group.fold(before, |before, row| self.take(row, base.at(row).unwrap_or(before))),
        }
    }

    fn differs(&self, group: std::ops::Range<usize>, base: Base<'_>, mut before: u64) -> bool {
        let Self::Write(cells) = self else { return false };
        group.into_iter().any(|row| {
            let expected = base.at(row).unwrap_or(before);
            before = cells[row];
            expected != before
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::coder::{Decoder, Encoder};
    use super::{Base, Cells, Track};
    use crate::sample::metric::{Metric, Unit};
    use proptest::prelude::{any, prop_assert, prop_assert_eq, prop_oneof, proptest, Strategy};

    static METRIC: Metric = Metric::counter("a_total", "A.", Unit::None);

    fn any_cell() -> impl Strategy<Value = u64> {
        prop_oneof![4 => 0..3_u64, 1 => any::<u64>(), 1 => u64::MAX - 15..=u64::MAX]
    }

    type Step = (Vec<u64>, Option<Vec<u32>>);

    /// Columns one after the other, some with other rows than the one before.
    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = (proptest::collection::vec(any_cell(), 0..100), any::<bool>(), 0..9_u32);
        proptest::collection::vec(step, 1..6).prop_map(|steps| {
            let mut before = 0;
            let steps = steps.into_iter().map(|(mut cells, same, turn)| {
                let rows = if same {
                    cells.resize(before, 7);
                    None
                } else {
                    let from = |row: usize| if row.is_multiple_of(5) { u32::MAX } else { row as u32 * turn };
                    Some((0..cells.len()).map(from).collect())
                };
                before = cells.len();
                (cells, rows)
            });
            steps.collect()
        })
    }

    proptest! {
        #[test]
        fn cells_come_back(steps in steps()) {
            let (mut encoder, mut known, mut track, mut bytes) =
                (Encoder::default(), Cells::default(), Track::default(), Vec::new());
            let mut old: &[u64] = &[];
            for (cells, rows) in &steps {
                let base = Base { cells: old, rows: rows.as_deref() };
                known.write(&mut encoder, &mut track, (&METRIC, base), cells);
                old = cells;
            }
            encoder.finish(&mut bytes);
            let (mut decoder, mut known, mut track) =
                (Decoder::new(&bytes).unwrap(), Cells::default(), Track::default());
            let mut old = Vec::new();
            for (cells, rows) in &steps {
                let mut read = vec![1; cells.len()];
                let base = Base { cells: &old, rows: rows.as_deref() };
                known.read(&mut decoder, &mut track, (&METRIC, base), &mut read);
                prop_assert_eq!(&read, cells);
                old = read;
            }
            prop_assert!(decoder.is_sound());
        }
    }
}

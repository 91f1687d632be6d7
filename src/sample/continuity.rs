//! Keeps counters honest from one reading to the next: they never go back, and where the kernel's own counter did,
//! the interval is marked as broken instead of being guessed.
//!
//! A driver's counter goes back when the device is reset, when a 32-bit counter wraps, and when a driver sums
//! per-queue values while they change. A wrap is undone. In the other cases the exported value stays where it was
//! and grows on from there, so what happened in the one unknown interval is lost rather than invented.

use super::block::{Block, Break};
use super::cell::Cell;
use super::metric::{Column, Form, Kind, Width};
use super::subject::Key;
use std::collections::HashMap;
use std::sync::Arc;

const WRAP: u64 = 1 << 32;

/// What is remembered of one source's counters between two readings.
#[derive(Debug, Default)]
pub struct Continuity {
    /// What to add to a raw counter, for the few that ever went back.
    offsets: HashMap<(Key, u32), u64>,
}

impl Continuity {
    /// Makes `now` go on from `before`, the reading before it (as this function left it).
    pub fn carry_on(&mut self, before: Option<&Block>, now: &mut Block) {
        if !self.offsets.is_empty() {
            self.forget_the_gone(now);
            self.add_offsets(now);
        }
        let Some(before) = before else { return };
        let rows = matching_rows(before, now);
        for (index, column) in now.columns.iter().enumerate() {
            if column.metric.kind == Kind::Counter {
                for row in rows.went_back(before.column(index), now.column(index)) {
                    let old = Cell::from_bits(before.column(index)[rows.before(row)]);
                    self.mend(old, now, column, index, row);
                }
            }
        }
    }

    fn forget_the_gone(&mut self, now: &Block) {
        let keys = now.subjects.keys();
        self.offsets.retain(|(key, _), _| keys.contains(key));
    }

    fn add_offsets(&self, now: &mut Block) {
        let subjects = Arc::clone(&now.subjects);
        for ((key, column), offset) in &self.offsets {
            if let Some(row) = subjects.row_of(*key) {
                let form = now.columns[*column as usize].metric.form;
                let slot = &mut now.column_mut(*column as usize)[row];
                if Cell::from_bits(*slot).is_value() {
                    *slot = add(form, *slot, *offset);
                }
            }
        }
    }

    /// Mends one cell that is lower than before.
    fn mend(&mut self, old: Cell, now: &mut Block, column: &Column, index: usize, row: usize) {
        let new = now.cell(index, row);
        if !old.is_value() || !new.is_value() {
            return;
        }
        let (form, offset) =
            (column.metric.form, self.offsets.entry((now.subjects.keys()[row], index as u32)));
        let offset = offset.or_insert(zero(form));
        if column.metric.width == Width::Bits32 && wrapped(old.bits(), new.bits()) {
            *offset = add(form, *offset, WRAP);
            now.set(index, row, Cell::integer(new.bits() + WRAP));
            return;
        }
        *offset = add(form, *offset, difference(form, old.bits(), new.bits()));
        now.set(index, row, old);
        now.breaks.push(Break { column: index as u32, row: row as u32 });
    }
}

/// Whether a 32-bit counter went through its end rather than back: then it has grown by a small part of its range.
/// A reset from near the end cannot be told from that; from anywhere else it can.
fn wrapped(old: u64, new: u64) -> bool {
    let lost = old - new;
    lost <= WRAP && WRAP - lost < WRAP / 8
}

const fn zero(form: Form) -> u64 {
    match form {
        Form::Integer => 0,
        Form::Float => 0f64.to_bits(),
    }
}

fn add(form: Form, left: u64, right: u64) -> u64 {
    match form {
        Form::Integer => left.wrapping_add(right),
        Form::Float => (f64::from_bits(left) + f64::from_bits(right)).to_bits(),
    }
}

fn difference(form: Form, old: u64, new: u64) -> u64 {
    match form {
        Form::Integer => old - new,
        Form::Float => (f64::from_bits(old) - f64::from_bits(new)).to_bits(),
    }
}

/// Which row of the block before each row was.
enum Rows {
    Same,
    Moved(Vec<u32>),
}

const NONE: u32 = u32::MAX;

impl Rows {
    fn before(&self, row: usize) -> usize {
        match self {
            Self::Same => row,
            Self::Moved(map) => map[row] as usize,
        }
    }

    /// The rows whose value is lower than it was.
    fn went_back(&self, before: &[u64], now: &[u64]) -> Vec<usize> {
        match self {
            Self::Same if may_have_gone_back(before, now) => {
                (0..now.len()).filter(|row| now[*row] < before[*row]).collect()
            }
            Self::Same => Vec::new(),
            Self::Moved(map) => (0..now.len())
                .filter(|row| map[*row] != NONE && now[*row] < before[map[*row] as usize])
                .collect(),
        }
    }
}

/// Whether some value may be lower than it was: a difference below zero has its highest bit set, and so has one to a
/// gap. One pass of subtractions, because comparisons of 64 bits are no vector instruction on every x86-64.
fn may_have_gone_back(before: &[u64], now: &[u64]) -> bool {
    let differences = before.iter().zip(now).map(|(before, now)| now.wrapping_sub(*before));
    differences.fold(0, |all, difference| all | difference) >> 63 != 0
}

fn matching_rows(before: &Block, now: &Block) -> Rows {
    if Arc::ptr_eq(&before.subjects, &now.subjects) {
        return Rows::Same;
    }
    let old: HashMap<Key, u32> =
        before.subjects.keys().iter().enumerate().map(|(row, key)| (*key, row as u32)).collect();
    Rows::Moved(now.subjects.keys().iter().map(|key| old.get(key).copied().unwrap_or(NONE)).collect())
}

#[cfg(test)]
mod tests {
    use super::{Continuity, WRAP};
    use crate::sample::block::Block;
    use crate::sample::cell::{Cell, Gap};
    use crate::sample::metric::{Column, Metric, Unit};
    use crate::sample::monotonic::Monotonic;
    use crate::sample::subject::{Subjects, SubjectsBuilder};
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
    use std::sync::Arc;

    const LONG: Metric = Metric::counter("long_total", "Long.", Unit::None);
    const SHORT: Metric = Metric::counter("short_total", "Short.", Unit::None).wraps_at_32_bits();
    const LEVEL: Metric = Metric::gauge("level", "Level.", Unit::None);
    const TIME: Metric = Metric::counter("time_seconds_total", "Time.", Unit::Seconds).float();
    static FLOATS: [Column; 1] = [Column::of(&TIME)];
    static COLUMNS: [Column; 3] = [Column::of(&LONG), Column::of(&SHORT), Column::of(&LEVEL)];

    fn list(keys: &[u64]) -> Arc<Subjects> {
        let mut list = SubjectsBuilder::default();
        for key in keys {
            list.row(*key);
        }
        Arc::new(list.build())
    }

    fn block(subjects: &Arc<Subjects>, rows: &[[u64; 3]]) -> Block {
        let mut block = Block::new("test", Monotonic::default(), &COLUMNS, Arc::clone(subjects));
        for (row, cells) in rows.iter().enumerate() {
            block.set_row(row, cells.map(Cell::integer));
        }
        block
    }

    #[test]
    fn a_reset_keeps_the_value_and_breaks_one_interval() {
        let (subjects, mut continuity) = (list(&[1]), Continuity::default());
        let first = block(&subjects, &[[100, 0, 9]]);
        let mut second = block(&subjects, &[[5, 0, 3]]);
        continuity.carry_on(Some(&first), &mut second);
        assert_eq!(second.cell(0, 0).as_integer(), Some(100));
        assert!(!second.is_continuous(0, 0));
        assert_eq!(second.cell(2, 0).as_integer(), Some(3), "a gauge may go anywhere");
        let mut third = block(&subjects, &[[12, 0, 3]]);
        continuity.carry_on(Some(&second), &mut third);
        assert_eq!(third.cell(0, 0).as_integer(), Some(107));
        assert!(third.is_continuous(0, 0));
    }

    #[test]
    fn floats_go_on_as_integers_do() {
        let (subjects, mut continuity) = (list(&[1]), Continuity::default());
        let reading = |seconds: f64| {
            let mut block = Block::new("test", Monotonic::default(), &FLOATS, Arc::clone(&subjects));
            block.set(0, 0, Cell::float(seconds));
            block
        };
        let first = reading(7.5);
        let mut second = reading(0.25);
        continuity.carry_on(Some(&first), &mut second);
        assert_eq!((second.cell(0, 0).as_float(), second.is_continuous(0, 0)), (Some(7.5), false));
        let mut third = reading(1.25);
        continuity.carry_on(Some(&second), &mut third);
        assert_eq!((third.cell(0, 0).as_float(), third.is_continuous(0, 0)), (Some(8.5), true));
    }

    #[test]
    fn a_reset_of_a_32_bit_counter_is_no_wrap() {
        let (subjects, mut continuity) = (list(&[1]), Continuity::default());
        let first = block(&subjects, &[[0, WRAP / 4 * 3, 0]]);
        let mut second = block(&subjects, &[[0, 10, 0]]);
        continuity.carry_on(Some(&first), &mut second);
        assert_eq!(second.cell(1, 0).as_integer(), Some(WRAP / 4 * 3));
        assert!(!second.is_continuous(1, 0));
    }

    #[test]
    fn a_32_bit_wrap_is_undone_without_a_break() {
        let (subjects, mut continuity) = (list(&[1]), Continuity::default());
        let first = block(&subjects, &[[0, WRAP - 10, 0]]);
        let mut second = block(&subjects, &[[0, 15, 0]]);
        continuity.carry_on(Some(&first), &mut second);
        assert_eq!(second.cell(1, 0).as_integer(), Some(WRAP + 15));
        assert!(second.breaks.is_empty());
    }

    #[test]
    fn a_replaced_link_starts_anew_and_a_moved_row_goes_on() {
        let mut continuity = Continuity::default();
        let first = block(&list(&[1, 2]), &[[100, 0, 0], [200, 0, 0]]);
        let mut second = block(&list(&[3, 2, 1]), &[[1, 0, 0], [210, 0, 0], [40, 0, 0]]);
        continuity.carry_on(Some(&first), &mut second);
        let cells: Vec<_> = (0..3).map(|row| second.cell(0, row).as_integer()).collect();
        assert_eq!(cells, [Some(1), Some(210), Some(100)]);
    }

    #[test]
    fn gaps_are_left_alone() {
        let (subjects, mut continuity) = (list(&[1]), Continuity::default());
        let mut first = block(&subjects, &[[0, 0, 0]]);
        first.set(0, 0, Cell::gap(Gap::Failed));
        let mut second = block(&subjects, &[[7, 0, 0]]);
        continuity.carry_on(Some(&first), &mut second);
        assert_eq!(second.cell(0, 0).as_integer(), Some(7));
        assert!(second.breaks.is_empty());
    }

    proptest! {
        #[test]
        fn counters_never_go_back(readings in proptest::collection::vec((any::<u32>(), any::<u32>()), 1..60)) {
            let (subjects, mut continuity) = (list(&[1]), Continuity::default());
            let mut before: Option<Block> = None;
            for (long, short) in readings {
                let mut now = block(&subjects, &[[u64::from(long), u64::from(short), 0]]);
                continuity.carry_on(before.as_ref(), &mut now);
                if let Some(before) = &before {
                    prop_assert!(now.cell(0, 0).as_integer() >= before.cell(0, 0).as_integer());
                    prop_assert!(now.cell(1, 0).as_integer() >= before.cell(1, 0).as_integer());
                }
                before = Some(now);
            }
        }

        #[test]
        fn increases_outside_breaks_are_exact(steps in proptest::collection::vec((0u64..1000, any::<bool>()), 1..60)) {
            let (subjects, mut continuity) = (list(&[1]), Continuity::default());
            let (mut raw, mut expected, mut before) = (0u64, 0u64, None::<Block>);
            for (step, reset) in steps {
                let lost = reset && raw > 0;
                raw = if lost { 0 } else { raw + step };
                expected += if lost { 0 } else { step };
                let mut now = block(&subjects, &[[raw, 0, 0]]);
                continuity.carry_on(before.as_ref(), &mut now);
                prop_assert_eq!(now.cell(0, 0).as_integer(), Some(expected));
                prop_assert_eq!(now.is_continuous(0, 0), !lost);
                before = Some(now);
            }
        }
    }
}

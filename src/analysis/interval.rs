//! Two readings of one source: increases and rates. `None` where the interval is not known.

use crate::sample::block::Block;
use crate::sample::cell::Cell;

/// The seconds between two readings; `None` if no time has passed.
pub fn seconds(before: &Block, now: &Block) -> Option<f64> {
    let seconds = now.read_at.since(before.read_at).as_secs_f64();
    (seconds > 0.0).then_some(seconds)
}

/// How much an integer counter grew; `None` on a gap at either end, on a break, or if it went back.
pub fn increase(before: Cell, now: Cell, continuous: bool) -> Option<u64> {
    if !continuous {
        return None;
    }
    now.as_integer()?.checked_sub(before.as_integer()?)
}

/// An integer counter's growth a second in one row of both blocks, which must share their subjects.
pub fn rate(before: &Block, now: &Block, column: usize, row: usize) -> Option<f64> {
    let continuous = now.is_continuous(column, row);
    let grown = increase(before.cell(column, row), now.cell(column, row), continuous)?;
    Some(grown as f64 / seconds(before, now)?)
}

#[cfg(test)]
mod tests {
    use super::rate;
    use crate::sample::block::{Block, Break};
    use crate::sample::cell::{Cell, Gap};
    use crate::sample::metric::{Column, Metric, Unit};
    use crate::sample::monotonic::Monotonic;
    use crate::sample::subject::Subjects;
    use std::time::Duration;

    static BYTES: Metric = Metric::counter("bytes_total", "Bytes.", Unit::Bytes);
    static COLUMNS: [Column; 1] = [Column::of(&BYTES)];

    fn block(milliseconds: u64, cell: Cell) -> Block {
        let at = Monotonic(Duration::from_millis(milliseconds));
        Block::of_host("test", at, &COLUMNS, &Subjects::host(), vec![cell])
    }

    #[test]
    fn a_rate_needs_two_values_and_time_between_them() {
        let first = block(1000, Cell::integer(500));
        assert_eq!(rate(&first, &block(1500, Cell::integer(750)), 0, 0), Some(500.0));
        assert_eq!(rate(&first, &block(1000, Cell::integer(750)), 0, 0), None);
        assert_eq!(rate(&first, &block(1500, Cell::gap(Gap::Failed)), 0, 0), None);
        assert_eq!(rate(&first, &block(1500, Cell::integer(499)), 0, 0), None);
        let mut broken = block(1500, Cell::integer(500));
        broken.breaks.push(Break { column: 0, row: 0 });
        assert_eq!(rate(&first, &broken, 0, 0), None);
    }
}

//! What a block of 10,000 rows x 40 columns costs to make, to compare and to walk, and what the same table costs when
//! it is held row by row: the ground for `sample::block`'s choice. `cargo bench --bench vocabulary`
//!
//! Each operation is measured twice: `hot`, in a loop, and `cold`, after 96 MiB of other memory went through the
//! caches, which is how a sampler at 1 Hz finds them. Rows come in one by one, as the kernel's dumps bring them.

use criterion::{BatchSize, Criterion};
use miglink::sample::block::Block;
use miglink::sample::cell::Cell;
use miglink::sample::continuity::Continuity;
use miglink::sample::metric::{Column, Kind, Metric, Unit};
use miglink::sample::monotonic::Monotonic;
use miglink::sample::subject::{Subjects, SubjectsBuilder};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const ROWS: usize = 10_000;
const COLUMNS: usize = 40;
/// Rows that are gathered before they are written column by column: eight values of 8 bytes fill a cache line.
const TILE: usize = 8;

static COUNTER: Metric = Metric::counter("a_total", "A counter.", Unit::Bytes);
static GAUGE: Metric = Metric::gauge("level", "A gauge.", Unit::None);
/// Three of four are counters, about as in the table of links.
static LAYOUT: [Column; COLUMNS] = {
    let mut layout = [Column::of(&COUNTER); COLUMNS];
    let mut at = 3;
    while at < COLUMNS {
        layout[at] = Column::of(&GAUGE);
        at += 4;
    }
    layout
};

type Row = [u64; COLUMNS];

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    make(&mut criterion);
    diff(&mut criterion);
    continuity(&mut criterion);
    walk(&mut criterion);
    criterion.final_summary();
}

/// From rows that come in one by one to a table.
fn make(criterion: &mut Criterion) {
    let (list, rows) = (subjects(0), readings(0));
    measure(criterion, "make/columns", || column_major(&list, &rows).rows());
    measure(criterion, "make/columns_tiled", || column_major_tiled(&list, &rows).rows());
    measure(criterion, "make/rows", || row_major(&rows).len());
}

/// The rate of every counter, from two readings.
fn diff(criterion: &mut Criterion) {
    let (list, before, now) = (subjects(0), readings(0), readings(1));
    let blocks = [column_major(&list, &before), column_major(&list, &now)];
    let mut rates = vec![0.0; ROWS * COLUMNS];
    measure(criterion, "diff/columns", || {
        for (column, rates) in rates.chunks_exact_mut(ROWS).enumerate() {
            if LAYOUT[column].metric.kind == Kind::Counter {
                let pairs = blocks[0].column(column).iter().zip(blocks[1].column(column));
                for ((before, now), rate) in pairs.zip(rates) {
                    *rate = rate_of(*before, *now);
                }
            }
        }
        rates.len()
    });
    let tables = [row_major(&before), row_major(&now)];
    measure(criterion, "diff/rows", || {
        let pairs = tables[0].chunks_exact(COLUMNS).zip(tables[1].chunks_exact(COLUMNS));
        for ((before, now), rates) in pairs.zip(rates.chunks_exact_mut(COLUMNS)) {
            for column in 0..COLUMNS {
                if LAYOUT[column].metric.kind == Kind::Counter {
                    rates[column] = rate_of(before[column], now[column]);
                }
            }
        }
        rates.len()
    });
}

/// The pass that keeps counters from going back; nothing went back, as nearly always.
fn continuity(criterion: &mut Criterion) {
    let (list, before, now) = (subjects(0), readings(0), readings(1));
    let first = column_major(&list, &before);
    let mut same = column_major(&list, &now);
    measure(criterion, "continuity/columns", || {
        Continuity::default().carry_on(Some(&first), &mut same);
        same.breaks.len()
    });
    let mut moved = column_major(&subjects(1), &now);
    measure(criterion, "continuity/columns_new_subjects", || {
        Continuity::default().carry_on(Some(&first), &mut moved);
        moved.breaks.len()
    });
    let tables = [row_major(&before), row_major(&now)];
    measure(criterion, "continuity/rows", || {
        let pairs = tables[0].chunks_exact(COLUMNS).zip(tables[1].chunks_exact(COLUMNS));
        pairs.filter(|(before, now)| any_counter_is_lower(before, now)).count()
    });
}

/// A scrape's way through the table: one family after the other, a line a row.
fn walk(criterion: &mut Criterion) {
    let (list, rows) = (subjects(0), readings(0));
    let (block, table) = (column_major(&list, &rows), row_major(&rows));
    measure(criterion, "sum_each_column/columns", || {
        (0..COLUMNS).map(|column| sum(block.column(column).iter())).fold(0, u64::wrapping_add)
    });
    measure(criterion, "sum_each_column/rows", || {
        (0..COLUMNS).map(|column| sum(column_of(&table, column))).fold(0, u64::wrapping_add)
    });
    let mut text = Vec::with_capacity(ROWS * COLUMNS * 64);
    measure(criterion, "write_families/columns", || {
        text.clear();
        (0..COLUMNS).for_each(|column| write_family(&mut text, &list, block.column(column).iter()));
        text.len()
    });
    measure(criterion, "write_families/rows", || {
        text.clear();
        (0..COLUMNS).for_each(|column| write_family(&mut text, &list, column_of(&table, column)));
        text.len()
    });
}

/// One operation, hot and cold.
fn measure<T>(criterion: &mut Criterion, name: &str, mut operation: impl FnMut() -> T) {
    criterion.bench_function(&format!("{name}/hot"), |bencher| bencher.iter(|| black_box(operation())));
    let mut elsewhere = vec![0_u8; 96 << 20];
    criterion.bench_function(&format!("{name}/cold"), |bencher| {
        bencher.iter_batched(
            || elsewhere.iter_mut().step_by(64).for_each(|byte| *byte = byte.wrapping_add(1)),
            |()| black_box(operation()),
            BatchSize::PerIteration,
        );
    });
}

/// 10,000 links; another `first` key leaves one out at the front and brings one at the end, so that every row moves.
fn subjects(first: u64) -> Arc<Subjects> {
    let mut list = SubjectsBuilder::default();
    for key in first..first + ROWS as u64 {
        list.row(key).label("device", &format!("tap{key:05}i0"));
    }
    Arc::new(list.build())
}

/// The `tick`th reading: counters of different sizes that grow from tick to tick.
fn readings(tick: u64) -> Vec<Row> {
    let value = |row: u64, column: u64| (row * 7919 + 1) * (1 << (column % 32)) + tick * (row * column + 1);
    (0..ROWS as u64).map(|row| std::array::from_fn(|column| value(row, column as u64))).collect()
}

fn column_major(list: &Arc<Subjects>, rows: &[Row]) -> Block {
    let mut block = Block::new("bench", Monotonic::default(), &LAYOUT, Arc::clone(list));
    for (row, cells) in black_box(rows).iter().enumerate() {
        block.set_row(row, cells.iter().map(|value| Cell::integer(*value)));
    }
    block
}

/// The same with a few rows gathered first, so that whole cache lines are written.
fn column_major_tiled(list: &Arc<Subjects>, rows: &[Row]) -> Block {
    let mut block = Block::new("bench", Monotonic::default(), &LAYOUT, Arc::clone(list));
    for (tile, rows) in black_box(rows).chunks(TILE).enumerate() {
        for column in 0..COLUMNS {
            let slots = &mut block.column_mut(column)[tile * TILE..];
            for (slot, row) in slots.iter_mut().zip(rows) {
                *slot = Cell::integer(row[column]).bits();
            }
        }
    }
    block
}

fn row_major(rows: &[Row]) -> Vec<u64> {
    let mut cells = Vec::with_capacity(ROWS * COLUMNS);
    for row in black_box(rows) {
        cells.extend(row.iter().map(|value| Cell::integer(*value).bits()));
    }
    cells
}

fn column_of(table: &[u64], column: usize) -> impl Iterator<Item = &u64> {
    table[column..].iter().step_by(COLUMNS)
}

fn rate_of(before: u64, now: u64) -> f64 {
    let known = Cell::from_bits(before).is_value() && Cell::from_bits(now).is_value() && now >= before;
    if known {
        return now.wrapping_sub(before) as f64;
    }
    f64::NAN
}

fn any_counter_is_lower(before: &[u64], now: &[u64]) -> bool {
    let lower = |column: usize| LAYOUT[column].metric.kind == Kind::Counter && now[column] < before[column];
    (0..COLUMNS).fold(false, |any, column| any | lower(column))
}

fn sum<'a>(values: impl Iterator<Item = &'a u64>) -> u64 {
    values.fold(0, |sum, value| sum.wrapping_add(*value))
}

fn write_family<'a>(text: &mut Vec<u8>, list: &Subjects, values: impl Iterator<Item = &'a u64>) {
    let mut digits = itoa::Buffer::new();
    for (row, value) in values.enumerate() {
        text.extend_from_slice(b"miglink_link_receive_bytes_total{");
        text.extend_from_slice(list.labels(row).as_bytes());
        text.extend_from_slice(b"} ");
        text.extend_from_slice(digits.format(*value).as_bytes());
        text.push(b'\n');
    }
}

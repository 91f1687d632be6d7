//! What the agent says of itself: its version, and when the frame was made.

use super::state::SELF;
use crate::sample::block::Block;
use crate::sample::cell::Cell;
use crate::sample::metric::{Column, Metric, Unit};
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::{Subjects, SubjectsBuilder};
use std::sync::Arc;

/// When the frame was made.
pub static TIMESTAMP: Metric = Metric::gauge(
    "frame_timestamp_seconds",
    "When the values of this scrape were put together; they are sampled before the scrape, not by it.",
    Unit::Seconds,
)
.float();
/// What runs here.
pub static BUILD: Metric = Metric::info("build_info", "The version that runs here.");

static TIMESTAMP_COLUMNS: [Column; 1] = [Column::of(&TIMESTAMP)];
static BUILD_COLUMNS: [Column; 1] = [Column::of(&BUILD)];
/// The tables of this file, for the lists of metrics.
pub static TABLES: [&[Column]; 2] = [&TIMESTAMP_COLUMNS, &BUILD_COLUMNS];

/// When the frame was made, as a table.
pub fn timestamp(now: Monotonic, wall_ns: u64) -> Block {
    let seconds = Cell::float(wall_ns as f64 / 1e9);
    Block::of_host(SELF, now, &TIMESTAMP_COLUMNS, &Subjects::host(), vec![seconds])
}

/// The version, as a table.
pub fn build_info() -> Block {
    let mut list = SubjectsBuilder::default();
    list.row(0).label("version", env!("CARGO_PKG_VERSION"));
    let mut block = Block::new(SELF, Monotonic::default(), &BUILD_COLUMNS, Arc::new(list.build()));
    block.set(0, 0, Cell::integer(1));
    block
}

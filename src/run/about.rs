//! What the agent tells of itself in every frame: its version, and when the frame was made.

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

/// The column of the moment.
pub static TIMESTAMP_COLUMNS: [Column; 1] = [Column::of(&TIMESTAMP)];
/// The column of the version.
pub static BUILD_COLUMNS: [Column; 1] = [Column::of(&BUILD)];

/// The table of the frame's moment.
pub fn timestamp(now: Monotonic, wall_ns: u64) -> Block {
    let seconds = Cell::float(wall_ns as f64 / 1e9);
    Block::of_host(SELF, now, &TIMESTAMP_COLUMNS, &Subjects::host(), vec![seconds])
}

/// The table of the version.
pub fn build_info() -> Block {
    let mut list = SubjectsBuilder::default();
    list.row(0).label("version", env!("CARGO_PKG_VERSION"));
    let mut block = Block::new(SELF, Monotonic::default(), &BUILD_COLUMNS, Arc::new(list.build()));
    block.set(0, 0, Cell::integer(1));
    block
}

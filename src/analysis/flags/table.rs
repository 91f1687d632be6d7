//! The table of flags: a row for each link and phase, a column for each cause, and the factor.

use super::survey::Judged;
use super::FLAGS;
use crate::analysis::migrations::migration::Phase;
use crate::sample::block::Block;
use crate::sample::cell::Cell;
use crate::sample::flag::Finding;
use crate::sample::link::Link;
use crate::sample::metric::{Column, Metric, Unit};
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::{Key, Subjects, SubjectsBuilder};
use std::collections::HashMap;
use std::sync::Arc;

/// The source that flags are counted to in `collect[]`.
pub const SOURCE: &str = "flags";

/// Whether a cause slows.
pub static SLOWS: Metric = Metric::gauge(
    "link_slows_migration",
    "1 if this cause would slow this phase of a migration over the link, 0 if it would not; absent if nobody can tell.",
    Unit::None,
);
/// By what factor.
pub static RATIO: Metric = Metric::gauge(
    "link_slowdown_ratio",
    "How much longer this phase of a migration over the link would take than it could: the factor of the worst cause, because the \
     narrowest of several limits is the one that holds; 1 if nothing slows it.",
    Unit::Ratio,
)
.float();

/// The phases that are told of.
const TOLD: [Phase; 2] = [Phase::MemoryCopy, Phase::StateTransfer];
/// On a host that shows more links than this, only those that would slow a migration have rows.
const MOST: usize = 1000;
const COUNT: usize = FLAGS_COUNT + 1;
const FLAGS_COUNT: usize = 16;

/// A column for each cause, in the order of the flags, and the factor.
static COLUMNS: [Column; COUNT] = {
    let mut columns = [Column::of(&RATIO); COUNT];
    let mut at = 0;
    while at < FLAGS_COUNT {
        columns[at] = Column::labelled(&SLOWS, "cause", FLAGS[at].cause);
        at += 1;
    }
    columns
};

/// The tables of this file, for the lists of metrics.
pub static TABLES: [&[Column]; 1] = [&COLUMNS];

/// The table of the links that were judged; `None` if none was. `before` lends its rows if they are the same.
pub(super) fn block(
    links: &[Link],
    judged: &[Judged],
    found: &HashMap<Key, Vec<Finding>>,
    before: Option<&Block>,
    now: Monotonic,
) -> Option<Block> {
    let shown =
        |judged: &Judged| if links.len() > MOST { judged.slows > 0 } else { judged.slows | judged.fine > 0 };
    let rows: Vec<(&Link, Judged)> =
        links.iter().zip(judged.iter().copied()).filter(|(_, judged)| shown(judged)).collect();
    let keys = || rows.iter().flat_map(|(link, _)| (0..TOLD.len()).map(|at| key_of(link, at)));
    let same = before.map(|block| &block.subjects).filter(|old| old.keys().iter().copied().eq(keys()));
    let subjects = same.map_or_else(|| subjects(&rows), Arc::clone);
    let mut block = Block::new(SOURCE, now, &COLUMNS, subjects);
    for (place, (link, judged)) in rows.iter().enumerate() {
        let found = found.get(&link.key).map_or(&[][..], Vec::as_slice);
        for (at, phase) in TOLD.iter().enumerate() {
            fill(&mut block, place * TOLD.len() + at, *phase, *judged, found);
        }
    }
    (block.rows() > 0).then_some(block)
}

/// A link that is renamed has another key, so a key stands for its labels.
fn key_of(link: &Link, phase: usize) -> Key {
    link.key * TOLD.len() as u64 + phase as u64
}

fn subjects(rows: &[(&Link, Judged)]) -> Arc<Subjects> {
    let mut subjects = SubjectsBuilder::default();
    for (link, _) in rows {
        for (at, phase) in TOLD.iter().enumerate() {
            subjects.row(key_of(link, at)).label("device", &link.name).label("phase", phase.name());
        }
    }
    Arc::new(subjects.build())
}

fn fill(block: &mut Block, row: usize, phase: Phase, judged: Judged, found: &[Finding]) {
    let mut worst: f64 = 1.0;
    for (at, flag) in FLAGS.iter().enumerate().filter(|(_, flag)| flag.phases.contains(&phase)) {
        let (slows, fine) = (judged.slows >> at & 1, judged.fine >> at & 1);
        if slows + fine > 0 {
            block.set(at, row, Cell::integer(u64::from(slows)));
        }
        let of_flag = found.iter().filter(|finding| finding.cause == flag.cause);
        worst = of_flag.filter_map(Finding::ratio).fold(worst, f64::max);
    }
    block.set(FLAGS_COUNT, row, Cell::float(worst));
}

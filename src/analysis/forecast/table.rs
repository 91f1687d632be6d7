//! The forecasts as metrics: a row for each migration that is shown.

use crate::analysis::migrations::entry::Entry;
use crate::analysis::migrations::migration::Phase;
use crate::analysis::migrations::table::SOURCE;
use crate::sample::block::Block;
use crate::sample::cell::{Cell, Gap};
use crate::sample::metric::{Column, Metric, Unit};
use crate::sample::monotonic::Monotonic;
use crate::sample::outlook::{Outlook, Range};
use crate::sample::subject::SubjectsBuilder;
use std::sync::Arc;

static FORECAST: Metric = Metric::gauge(
    "migration_forecast_seconds",
    "Time that the migration's phase will still take, as it goes now; missing if that is not known, or never ends.",
    Unit::Seconds,
)
.float();
static LOW: Metric = Metric::gauge(
    "migration_forecast_low_seconds",
    "The same if it goes well: one of ten is shorter.",
    Unit::Seconds,
)
.float();
static HIGH: Metric = Metric::gauge(
    "migration_forecast_high_seconds",
    "The same if it goes badly: one of ten is longer.",
    Unit::Seconds,
)
.float();
static CONVERGING: Metric = Metric::gauge(
    "migration_converging",
    "Whether the migration ends as it goes now: 0 only where it is proven that it does not, missing while nobody can know.",
    Unit::None,
);
static ERROR: Metric = Metric::gauge(
    "migration_forecast_error_ratio",
    "Of a completed migration: the whole time as it was forecast at a part of it (0: before), less the true one, by the true one.",
    Unit::Ratio,
)
.float();
static PAUSE_ERROR: Metric = Metric::gauge(
    "migration_forecast_pause_error_seconds",
    "Of a completed migration: the pause as it was forecast at a part of its time (0: before), less the true one.",
    Unit::Seconds,
)
.float();

const fn phase(metric: &'static Metric, phase: Phase) -> Column {
    Column::labelled(metric, "phase", phase.name())
}

/// Parts of a migration's time at which forecasts are judged, as they are labelled; 0 is before it.
const PARTS: [(&str, f64); 4] = [("0", 0.0), ("0.25", 0.25), ("0.5", 0.5), ("0.75", 0.75)];

const fn part(metric: &'static Metric, at: usize) -> Column {
    Column::labelled(metric, "at", PARTS[at].0)
}

static COLUMNS: [Column; 15] = [
    phase(&FORECAST, Phase::MemoryCopy),
    phase(&FORECAST, Phase::StateTransfer),
    phase(&LOW, Phase::MemoryCopy),
    phase(&LOW, Phase::StateTransfer),
    phase(&HIGH, Phase::MemoryCopy),
    phase(&HIGH, Phase::StateTransfer),
    Column::of(&CONVERGING),
    part(&ERROR, 0),
    part(&ERROR, 1),
    part(&ERROR, 2),
    part(&ERROR, 3),
    part(&PAUSE_ERROR, 0),
    part(&PAUSE_ERROR, 1),
    part(&PAUSE_ERROR, 2),
    part(&PAUSE_ERROR, 3),
];

/// The table of this file, for the lists of metrics.
pub static TABLES: [&[Column]; 1] = [&COLUMNS];

/// The table; none without outlooks.
pub fn block(shown: &[&Entry], outlooks: &[Outlook], now: Monotonic) -> Option<Block> {
    let mut list = SubjectsBuilder::default();
    let mut rows = Vec::new();
    for entry in shown {
        let migration = &entry.migration;
        let Some(outlook) = outlooks.iter().find(|outlook| outlook.migration == migration.key) else {
            continue;
        };
        list.row(migration.key).label("vm", &migration.vm).label("direction", migration.direction.name());
        rows.push(outlook);
    }
    if rows.is_empty() {
        return None;
    }
    let mut block = Block::new(SOURCE, now, &COLUMNS, Arc::new(list.build()));
    for (row, outlook) in rows.into_iter().enumerate() {
        block.set_row(row, cells(outlook));
    }
    Some(block)
}

fn cells(outlook: &Outlook) -> Vec<Cell> {
    let float = |value: Option<f64>| value.map_or(Cell::gap(Gap::NotRead), Cell::float);
    // A lower bound is no forecast: it is shown as the low end only.
    let sure = |range: Option<Range>| range.filter(|_| !outlook.at_least);
    let phases = [outlook.copy, outlook.pause];
    let mut cells: Vec<Cell> = phases.map(|range| float(sure(range).map(|range| range.p50))).to_vec();
    cells.extend(phases.map(|range| float(range.map(|range| range.p10))));
    cells.extend(phases.map(|range| float(sure(range).map(|range| range.p90))));
    cells.push(Cell::integer_or(outlook.converging.map(u64::from), Gap::NotRead));
    let score = |at: f64| outlook.scores.iter().find(|score| (score.at - at).abs() < 1e-9);
    cells.extend(PARTS.map(|(_, at)| float(score(at).map(|score| score.total_error))));
    cells.extend(PARTS.map(|(_, at)| float(score(at).and_then(|score| score.pause_error))));
    cells
}

//! The table of causes: seconds that each limited each phase of each migration, and the one that leads now.

use super::course::Courses;
use crate::analysis::migrations::entry::Entry;
use crate::analysis::migrations::migration::{Phase, PHASES};
use crate::analysis::migrations::table::SOURCE;
use crate::analysis::rules::contract::Rule;
use crate::analysis::rules::{RULES, UNKNOWN};
use crate::sample::block::Block;
use crate::sample::cell::{Cell, Gap};
use crate::sample::metric::{Column, Metric, Unit};
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::SubjectsBuilder;
use std::sync::Arc;

/// Seconds by cause.
pub static LIMITED: Metric = Metric::counter(
    "migration_limited_seconds_total",
    "Time that each cause limited the migration; what is not proven counts as unknown.",
    Unit::Seconds,
)
.float();
/// The leading cause.
pub static LEADING: Metric = Metric::gauge(
    "migration_leading_cause",
    "1 for the cause that held most of the last second.",
    Unit::None,
);

/// How many causes there are, `unknown` with them.
const COUNT: usize = 25;

/// A column for each cause, in the order of the rules, `unknown` last.
const fn columns(metric: &'static Metric, rules: &[&Rule]) -> [Column; COUNT] {
    assert!(rules.len() + 1 == COUNT, "COUNT is the number of rules and one");
    let mut columns = [Column::labelled(metric, "cause", UNKNOWN); COUNT];
    let mut at = 0;
    while at < rules.len() {
        columns[at] = Column::labelled(metric, "cause", rules[at].cause);
        at += 1;
    }
    columns
}

static LIMITED_COLUMNS: [Column; COUNT] = columns(&LIMITED, RULES);
static LEADING_COLUMNS: [Column; COUNT] = columns(&LEADING, RULES);

/// The tables of this file, for the lists of metrics.
pub static TABLES: [&[Column]; 2] = [&LIMITED_COLUMNS, &LEADING_COLUMNS];

/// The causes, in the order of the columns.
fn causes() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|rule| rule.cause).chain([UNKNOWN])
}

/// Phases that are judged.
pub const JUDGED: [Phase; 3] = [Phase::MemoryCopy, Phase::StateTransfer, Phase::Postcopy];

/// Both tables; none if nothing was judged.
pub fn blocks(shown: &[&Entry], courses: &Courses, now: Monotonic) -> Vec<Block> {
    let mut rows = Vec::new();
    let (mut of_phases, mut of_guests) = (SubjectsBuilder::default(), SubjectsBuilder::default());
    let mut leading = Vec::new();
    for entry in shown {
        let migration = &entry.migration;
        let Some(course) = courses.of(migration.key) else { continue };
        for phase in JUDGED {
            let place = PHASES.iter().position(|known| *known == phase).unwrap_or(0);
            let cells: Vec<Cell> = causes()
                .map(|cause| {
                    course
                        .ledger
                        .seconds
                        .get(&(place, cause))
                        .map_or(Cell::gap(Gap::NotRead), |s| Cell::float(*s))
                })
                .collect();
            if cells.iter().any(|cell| cell.is_value()) {
                let key = migration.key * PHASES.len() as u64 + place as u64;
                let row = of_phases.row(key).label("vm", &migration.vm);
                row.label("direction", migration.direction.name()).label("phase", phase.name());
                rows.push(cells);
            }
        }
        if let Some(leads) = course.leading.as_ref().filter(|_| migration.is_on()) {
            of_guests
                .row(migration.key)
                .label("vm", &migration.vm)
                .label("direction", migration.direction.name());
            leading.push(leads.cause);
        }
    }
    let mut limited = Block::new(SOURCE, now, &LIMITED_COLUMNS, Arc::new(of_phases.build()));
    rows.into_iter().enumerate().for_each(|(row, cells)| limited.set_row(row, cells));
    let mut leads = Block::new(SOURCE, now, &LEADING_COLUMNS, Arc::new(of_guests.build()));
    for (row, cause) in leading.into_iter().enumerate() {
        leads.set_row(row, causes().map(|known| Cell::integer(u64::from(known == cause))));
    }
    [limited, leads].into_iter().filter(|block| block.rows() > 0).collect()
}

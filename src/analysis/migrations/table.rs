//! The tables of migrations: one row for each guest and direction, the newest migration of each.

use super::entry::Entry;
use super::migration::{Phase, OUTCOMES, PHASES};
use crate::sample::block::Block;
use crate::sample::cell::{Cell, Gap};
use crate::sample::metric::{Column, Metric, Unit};
use crate::sample::migration::Direction;
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::{Subjects, SubjectsBuilder};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// The source that these tables are counted to in `collect[]`.
pub const SOURCE: &str = "migrations";

macro_rules! metrics {
    ($($id:ident $kind:ident $name:literal $unit:ident $form:ident $help:literal;)*) => {
        $(static $id: Metric = metrics!(@$form Metric::$kind($name, $help, Unit::$unit));)*
    };
    (@integer $metric:expr) => { $metric };
    (@float $metric:expr) => { $metric.float() };
}

metrics! {
    PHASE gauge "migration_phase" None integer "Which phase the migration is in; none after its end.";
    PHASE_SECONDS gauge "migration_phase_seconds" Seconds float
        "How long each phase has lasted; at the end by the hypervisor's own measure where it gives one.";
    RESULT gauge "migration_result" None integer "How the migration ended; all 0 while it goes on.";
    START gauge "migration_start_time_seconds" Seconds float "When it began, since 1970, UTC.";
    END gauge "migration_end_time_seconds" Seconds float "When it ended, since 1970, UTC; missing while it goes on.";
    MEMORY gauge "migration_memory_bytes" Bytes integer "The guest's memory.";
    TRANSFERRED counter "migration_transferred_bytes_total" Bytes integer
        "Bytes sent or received: as the hypervisor tells, otherwise as its sockets count.";
    REMAINING gauge "migration_remaining_bytes" Bytes integer "Memory that is still to be sent.";
    THROUGHPUT gauge "migration_throughput_bytes_per_second" BytesPerSecond float
        "Rate over the last second: of its sockets, otherwise as the hypervisor tells.";
    DIRTY gauge "migration_dirty_bytes_per_second" BytesPerSecond integer
        "How fast the guest dirtied memory, as of the last iteration.";
    ITERATIONS gauge "migration_iterations" None integer "How many times the dirty memory was collected.";
    BANDWIDTH_LIMIT gauge "migration_bandwidth_limit_bytes_per_second" BytesPerSecond integer
        "The hypervisor's own limit; missing if there is none or it is not told.";
    DOWNTIME_LIMIT gauge "migration_downtime_limit_seconds" Seconds float "The longest pause that is allowed.";
    EXPECTED_DOWNTIME gauge "migration_expected_downtime_seconds" Seconds float
        "The pause that the hypervisor expects now.";
    DOWNTIME gauge "migration_guest_downtime_seconds" Seconds float "How long the guest stood still, as its hypervisor measures it: QEMU until its last bytes are in the socket, a moment before the guest runs again.";
    THROTTLE gauge "migration_throttle_ratio" Ratio float "How much the guest is slowed down so that it converges.";
    CARRIED counter "migration_carried_bytes_total" Bytes integer
        "The same bytes by whoever counts them, as a check of one by the other.";
}

/// What a migration is.
pub static INFO: Metric = Metric::info(
    "migration_info",
    "A migration: who moves, over which link of this host down to which wire, to or from whom.",
);

static INFO_COLUMNS: [Column; 1] = [Column::of(&INFO)];

const fn phase(metric: &'static Metric, at: usize) -> Column {
    Column::labelled(metric, "phase", PHASES[at].name())
}

const fn result(at: usize) -> Column {
    Column::labelled(&RESULT, "result", OUTCOMES[at].name())
}

static COLUMNS: [Column; 27] = [
    phase(&PHASE, 0),
    phase(&PHASE, 1),
    phase(&PHASE, 2),
    phase(&PHASE, 3),
    phase(&PHASE_SECONDS, 0),
    phase(&PHASE_SECONDS, 1),
    phase(&PHASE_SECONDS, 2),
    phase(&PHASE_SECONDS, 3),
    result(0),
    result(1),
    result(2),
    Column::of(&START),
    Column::of(&END),
    Column::of(&MEMORY),
    Column::of(&TRANSFERRED),
    Column::of(&REMAINING),
    Column::of(&THROUGHPUT),
    Column::of(&DIRTY),
    Column::of(&ITERATIONS),
    Column::of(&BANDWIDTH_LIMIT),
    Column::of(&DOWNTIME_LIMIT),
    Column::of(&EXPECTED_DOWNTIME),
    Column::of(&DOWNTIME),
    Column::of(&THROTTLE),
    Column::labelled(&CARRIED, "by", "hypervisor"),
    Column::labelled(&CARRIED, "by", "sockets"),
    Column::labelled(&CARRIED, "by", "link"),
];

/// The tables of this file, for the lists of metrics.
pub static TABLES: [&[Column]; 2] = [&INFO_COLUMNS, &COLUMNS];

/// A moment on both clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moment {
    /// The one that never jumps.
    pub monotonic: Monotonic,
    /// Nanoseconds since 1970.
    pub wall_ns: u64,
}

impl Moment {
    /// Another moment as seconds since 1970.
    fn wall(&self, at: Monotonic) -> f64 {
        let ago = self.monotonic.since(at).as_secs_f64() - at.since(self.monotonic).as_secs_f64();
        self.wall_ns as f64 / 1e9 - ago
    }

    /// A moment of the wall clock on the clock that never jumps.
    pub fn monotonic_of(&self, wall_ns: u64) -> Monotonic {
        let ago = Duration::from_nanos(self.wall_ns.saturating_sub(wall_ns));
        let ahead = Duration::from_nanos(wall_ns.saturating_sub(self.wall_ns));
        Monotonic((self.monotonic.0 + ahead).saturating_sub(ago))
    }
}

/// The newest migration of each guest and direction.
pub fn shown(entries: &[Entry]) -> Vec<&Entry> {
    let mut seen = HashSet::new();
    let newest = entries.iter().rev().filter(|entry| entry.migration.confirmed);
    let mut shown: Vec<_> =
        newest.filter(|e| seen.insert((e.migration.vm.as_str(), e.migration.direction))).collect();
    shown.reverse();
    shown
}

/// Both tables; none if there is no migration.
pub fn blocks(entries: &[Entry], now: Moment) -> Vec<Block> {
    let shown = shown(entries);
    if shown.is_empty() {
        return Vec::new();
    }
    let mut info = Block::new(SOURCE, now.monotonic, &INFO_COLUMNS, Arc::new(subjects(&shown, true)));
    info.column_mut(0).fill(Cell::integer(1).bits());
    let mut figures = Block::new(SOURCE, now.monotonic, &COLUMNS, Arc::new(subjects(&shown, false)));
    for (row, entry) in shown.iter().enumerate() {
        figures.set_row(row, cells(entry, now));
    }
    vec![info, figures]
}

fn subjects(shown: &[&Entry], with_all: bool) -> Subjects {
    let mut list = SubjectsBuilder::default();
    for entry in shown {
        let migration = &entry.migration;
        list.row(migration.key).label("vm", &migration.vm).label("direction", migration.direction.name());
        if !with_all {
            continue;
        }
        list.label("uuid", migration.uuid.as_deref().unwrap_or(""));
        list.label("hypervisor", migration.hypervisor).label("device", &migration.path.device);
        list.label("wire", &migration.path.wire).label("peer", &migration.peer);
        let channels = migration.channels;
        list.label("transport", if channels > 0 { "tcp" } else { "" });
        list.label("channels", &if channels > 0 { channels.to_string() } else { String::new() });
        list.label("compression", migration.limits.compression.as_deref().unwrap_or(""));
        let tls = migration.limits.tls.map_or("", |tls| if tls { "yes" } else { "no" });
        list.label("tls", tls);
    }
    list.build()
}

fn cells(entry: &Entry, now: Moment) -> Vec<Cell> {
    let migration = &entry.migration;
    let flag = |is: bool| Cell::integer(u64::from(is));
    let integer = |value: Option<u64>| Cell::integer_or(value, Gap::NotRead);
    let float = |value: Option<f64>| value.map_or(Cell::gap(Gap::NotRead), Cell::float);
    let seconds = |value: Option<Duration>| float(value.map(|time| time.as_secs_f64()));
    let (progress, limits) = (&migration.progress, &migration.limits);
    // Limits are kept by the side that sends; the receiving hypervisor's own mean nothing.
    let leaves = migration.direction == Direction::Outgoing;
    let mut cells: Vec<Cell> =
        PHASES.iter().map(|phase| flag(migration.is_on() && migration.phase == *phase)).collect();
    let spent = |phase: &Phase| Cell::float(migration.spent(*phase, now.monotonic).as_secs_f64());
    cells.extend(PHASES.iter().map(spent));
    cells.extend(OUTCOMES.map(|outcome| flag(migration.ended.is_some_and(|(ended, _)| ended == outcome))));
    let sockets = Some(entry.traffic.sum()).filter(|sum| *sum > 0);
    let rate = entry.traffic.rate().or(progress.throughput).filter(|_| migration.is_on());
    let dirty =
        progress.dirty_pages_per_second.map(|pages| pages.saturating_mul(progress.page_size.unwrap_or(4096)));
    cells.extend([
        Cell::float(now.wall(migration.began)),
        float(migration.ended.map(|(_, at)| now.wall(at))),
        integer(progress.memory_total),
        integer(entry.transferred()),
        integer(progress.remaining),
        float(rate),
        integer(dirty),
        integer(progress.iterations),
        integer(limits.max_bandwidth.filter(|limit| *limit != u64::MAX && leaves)),
        seconds(limits.downtime_limit.filter(|_| leaves)),
        seconds(progress.expected_downtime.filter(|_| migration.is_on())),
        seconds(migration.pause),
        float(progress.throttle_percent.map(|percent| percent as f64 / 100.0)),
        integer(progress.transferred),
        integer(sockets),
        integer(entry.link_bytes),
    ]);
    cells
}

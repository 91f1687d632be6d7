//! What outlives a migration: how many there were, how long they took, and how much they carried over which link.
//! Kept in the registry of the `prometheus` crate.

use crate::analysis::migrations::migration::{Migration, OUTCOMES, PHASES};
use crate::analysis::migrations::tracker::News;
use crate::sample::migration::Direction;
use crate::sample::monotonic::Monotonic;
use prometheus::{CounterVec, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

/// Seconds: from a small guest on a fast link to one that hardly converges.
const LENGTHS: [f64; 12] = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 7200.0];
/// Seconds: the usual limit of 0.3 in the middle.
const PAUSES: [f64; 12] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0];

/// The names, for the lists of metrics.
pub const NAMES: [&str; 5] = [
    "miglink_migrations_total",
    "miglink_migration_bytes_total",
    "miglink_migration_duration_seconds",
    "miglink_migration_downtime_seconds",
    "miglink_limited_seconds_total",
];

/// Counters and histograms over all migrations.
#[derive(Debug, Clone)]
pub struct Totals {
    migrations: IntCounterVec,
    bytes: IntCounterVec,
    lengths: HistogramVec,
    pauses: HistogramVec,
    limited: CounterVec,
}

impl Totals {
    /// Makes and registers them; what can be counted starts at 0, so that the first migration is an increase.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter =
            |name: &str, help: &str, labels: &[&str]| IntCounterVec::new(Opts::new(name, help), labels);
        let histogram = |name: &str, help: &str, labels: &[&str], buckets: &[f64]| {
            HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels)
        };
        let totals = Self {
            migrations: counter(
                NAMES[0],
                "Migrations that ended, by direction and result.",
                &["direction", "result"],
            )?,
            bytes: counter(
                NAMES[1],
                "Bytes that migrations carried over a link, as their sockets count.",
                &["device", "direction"],
            )?,
            lengths: histogram(
                NAMES[2],
                "How long each phase of completed migrations lasted.",
                &["direction", "phase"],
                &LENGTHS,
            )?,
            pauses: histogram(
                NAMES[3],
                "How long guests stood still in completed migrations.",
                &["direction"],
                &PAUSES,
            )?,
            limited: CounterVec::new(
                Opts::new(
                    "miglink_limited_seconds_total",
                    "Time that each cause limited migrations over a link.",
                ),
                &["device", "direction", "phase", "cause"],
            )?,
        };
        for direction in [Direction::Outgoing, Direction::Incoming].map(Direction::name) {
            for outcome in OUTCOMES {
                totals.migrations.with_label_values(&[direction, outcome.name()]);
            }
            totals.pauses.with_label_values(&[direction]);
        }
        registry.register(Box::new(totals.migrations.clone()))?;
        registry.register(Box::new(totals.bytes.clone()))?;
        registry.register(Box::new(totals.lengths.clone()))?;
        registry.register(Box::new(totals.pauses.clone()))?;
        registry.register(Box::new(totals.limited.clone()))?;
        Ok(totals)
    }

    /// Counts time that a cause took: device, direction, phase, cause.
    pub fn count_limited(&self, labels: [&str; 4], seconds: f64) {
        self.limited.with_label_values(&labels).inc_by(seconds);
    }

    /// Counts what happened.
    pub fn count(&self, news: &News, now: Monotonic) {
        match news {
            News::Began(_) => {}
            News::Carried { device, direction, bytes } => {
                if !device.is_empty() {
                    self.bytes.with_label_values(&[device, direction.name()]).inc_by(*bytes);
                }
            }
            News::Ended(migration) => self.count_end(migration, now),
        }
    }

    fn count_end(&self, migration: &Migration, now: Monotonic) {
        let Some((outcome, _)) = migration.ended else { return };
        let direction = migration.direction.name();
        self.migrations.with_label_values(&[direction, outcome.name()]).inc();
        if outcome != crate::analysis::migrations::migration::Outcome::Completed {
            return;
        }
        for phase in PHASES {
            let spent = migration.spent(phase, now);
            // A phase that was not gone through, or could not be seen, is no observation of 0.
            if !spent.is_zero() {
                self.lengths.with_label_values(&[direction, phase.name()]).observe(spent.as_secs_f64());
            }
        }
        if let Some(pause) = migration.pause {
            self.pauses.with_label_values(&[direction]).observe(pause.as_secs_f64());
        }
    }
}

//! All that was read of one migration at a moment: its connections, its threads, the links on its way and beside it.

use super::surroundings::{About, Surroundings};
use crate::analysis::migrations::entry::Entry;
use crate::sample::block::Block;
use crate::sample::link::{Index, Links};
use crate::sample::migration::Direction;
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::Key;
use crate::sample::thread::{Role, Thread};
use crate::source::transport::sock_diag::tcp_info::{Figure, COUNT};
use std::sync::Arc;

/// One connection at a moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Flow {
    /// Which.
    pub key: Key,
    pub(super) figures: [u64; COUNT],
}

impl Flow {
    /// One of its figures; 0 if the kernel does not tell it.
    pub const fn get(&self, figure: Figure) -> u64 {
        self.figures[figure as usize]
    }

    /// How much a count has grown since then.
    pub fn grown(&self, before: &Self, figure: Figure) -> u64 {
        self.get(figure).saturating_sub(before.get(figure))
    }
}

/// One thread at a moment.
#[derive(Debug, Clone)]
pub struct Work {
    /// Which.
    pub key: Key,
    /// Its name.
    pub name: Arc<str>,
    /// What it does.
    pub role: Role,
    /// Nanoseconds running and waiting.
    pub times: [u64; 2],
}

/// A migration at a moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// When.
    pub at: Monotonic,
    /// Its connections.
    pub flows: Vec<Flow>,
    /// The threads that move it.
    pub threads: Vec<Work>,
    /// The links on its way.
    pub links: Vec<(Index, About)>,
    /// Physical links beside it.
    pub others: Vec<(Index, About)>,
    /// Packets dropped from the CPUs' backlogs.
    pub softnet_dropped: Option<u64>,
    /// Milliseconds that processors idled, and when that was read.
    pub idle: Option<(Monotonic, u64)>,
    /// Bytes moved, as the hypervisor tells.
    pub told: Option<u64>,
}

impl Snapshot {
    /// Bytes that its connections have carried its way.
    pub fn carried(&self, direction: Direction) -> u64 {
        self.flows.iter().map(|flow| flow.get(along(direction))).sum()
    }

    /// Reads it off the tables.
    pub fn take(
        entry: &Entry,
        flows: &Block,
        threads: impl Iterator<Item = Work>,
        (around, links): (&Surroundings, &Links),
        now: Monotonic,
    ) -> Self {
        let rows = entry.flows.iter().filter_map(|key| Some((flows.subjects.row_of(*key)?, key)));
        // The table has a column for each figure, in their order.
        let read = |row| std::array::from_fn(|figure| flows.cell(figure, row).as_integer().unwrap_or(0));
        let about = |indices: &[Index]| {
            let about = |index: &Index| {
                let mut about = around.link(*index);
                about.facts.carrier_changes = links.get(*index).and_then(|link| link.carrier_changes);
                (*index, about)
            };
            indices.iter().map(about).collect()
        };
        Self {
            at: now,
            flows: rows.map(|(row, key)| Flow { key: *key, figures: read(row) }).collect(),
            threads: threads.collect(),
            links: about(&entry.migration.path.links),
            others: about(around.others()),
            softnet_dropped: around.softnet_dropped,
            idle: around.idle,
            told: entry.migration.progress.transferred,
        }
    }
}

/// What counts the bytes that a connection carries a migration's way.
pub const fn along(direction: Direction) -> Figure {
    match direction {
        Direction::Outgoing => Figure::BytesAcked,
        Direction::Incoming => Figure::BytesReceived,
    }
}

/// Whether a thread moves this migration.
pub fn works_for(entry: &Entry, thread: &Thread) -> bool {
    thread.process.is_some()
        && thread.process == entry.migration.process
        && match entry.migration.direction {
            Direction::Outgoing => matches!(thread.role, Role::Migration | Role::Multifd | Role::Compression),
            Direction::Incoming => !matches!(thread.role, Role::Vcpu | Role::Vhost | Role::Softirq),
        }
}

//! What is new in the tables of a frame: which links have other settings, and on which something was counted that matters. Only
//! blocks that were read anew are compared, a column at a time, so that a tick in which nothing happened costs next to nothing.

use super::history::is_event;
use super::tables::{is_by_link, moved, Table, NONE};
use crate::sample::block::Block;
use crate::sample::metric::{Column, Metric};
use crate::source::storage::lately;
use crate::source::{bonding, link_modes, pcie, qdiscs, rdma, rings, softnet, sysctls};
use crate::topology::description;
use std::sync::Arc;

/// Tables of links that are settings, so that any new value is news.
const SETTINGS: [&str; 3] = [link_modes::SOURCE.name, pcie::SOURCE.name, rings::SOURCE.name];
/// What holds queues to a rate.
const RATES: [&Metric; 3] = [&qdiscs::RATE, &qdiscs::FLOW_RATE, &qdiscs::CLASS_CEIL];

/// What a table is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Queueing disciplines.
    Queues,
    /// Bonds, teams and their members.
    Bonds,
    /// RDMA ports.
    Ports,
    /// CPUs' backlogs.
    Backlogs,
    /// What storage connections move.
    Storage,
    /// Settings of the host.
    Host,
    /// Descriptions of links.
    Labels,
    /// Settings of links.
    Settings,
    /// Counters of links.
    Counters,
    /// Nothing that flags are told of.
    Other,
}

/// The columns of a table that are compared from one block to the next.
#[derive(Debug)]
pub struct Watched {
    /// What it is about.
    pub kind: Kind,
    columns: Box<[usize]>,
}

impl Watched {
    /// Of a block of a source.
    pub fn of(block: &Block) -> Self {
        let every: fn(&Column) -> bool = |_| true;
        let (kind, is_watched) = match block.source {
            source if source == qdiscs::SOURCE.name => (Kind::Queues, is_rate as fn(&Column) -> bool),
            source if source == bonding::SOURCE.name => (Kind::Bonds, is_of_a_bond as _),
            source if source == rdma::SOURCE.name => (Kind::Ports, is_of_a_port as _),
            source if source == softnet::SOURCE.name => (Kind::Backlogs, is_count as _),
            source if source == sysctls::SOURCE.name => (Kind::Host, every),
            source if SETTINGS.contains(&source) => (Kind::Settings, every),
            _ if std::ptr::eq(block.columns, &raw const lately::COLUMNS) => (Kind::Storage, every),
            _ if std::ptr::eq(block.columns, &raw const description::INFO_COLUMNS) => (Kind::Labels, every),
            _ if is_by_link(block) => (Kind::Counters, is_count as _),
            _ => (Kind::Other, every),
        };
        let columns = block.columns.iter().enumerate().filter(|(_, column)| is_watched(column));
        Self { kind, columns: columns.map(|(at, _)| at).collect() }
    }
}

/// What is new.
#[derive(Debug, Default)]
pub struct Changes {
    /// The places of links that have other settings, or that something happened on.
    pub links: Vec<usize>,
    /// Rows or tables are others than before.
    pub rows: bool,
    /// What else has changed; `Host` concerns every link.
    pub kinds: Vec<Kind>,
}

impl Changes {
    /// A table that was not there before, or is no longer.
    pub fn appeared(&mut self, kind: Kind) {
        self.rows = true;
        self.kinds.push(match kind {
            Kind::Backlogs | Kind::Storage | Kind::Host | Kind::Labels | Kind::Settings | Kind::Counters => {
                Kind::Host
            }
            Kind::Queues | Kind::Bonds | Kind::Ports | Kind::Other => kind,
        });
    }

    /// A table with a newer block.
    pub fn note(&mut self, old: &Block, table: &Table) {
        let (new, watched) = (&table.block, &table.watched);
        let same_rows = Arc::ptr_eq(&old.subjects, &new.subjects);
        match watched.kind {
            Kind::Queues | Kind::Bonds | Kind::Ports | Kind::Backlogs | Kind::Storage | Kind::Host => {
                if !same_rows || watched.columns.iter().any(|at| old.column(*at) != new.column(*at)) {
                    self.kinds.push(watched.kind);
                }
            }
            Kind::Labels => self.note_labels(old, table),
            Kind::Settings | Kind::Counters if same_rows => {
                for at in &watched.columns {
                    let (before, now) = (old.column(*at), new.column(*at));
                    if before != now {
                        self.links.extend(table.places(|row| before[row] != now[row]));
                    }
                }
            }
            Kind::Settings => self.note_moved(old, table),
            // What counters count from goes with their rows.
            Kind::Counters | Kind::Other => {}
        }
    }

    /// Settings whose rows are others.
    fn note_moved(&mut self, old: &Block, table: &Table) {
        let new = &table.block;
        let rows = moved(old.subjects.keys(), new.subjects.keys());
        let is_same = |at: usize, row: usize| match rows[row] {
            NONE => false,
            before => old.cell(at, before as usize) == new.cell(at, row),
        };
        self.links.extend(table.places(|row| (0..new.columns.len()).any(|at| !is_same(at, row))));
    }

    /// The descriptions of links are labels; those of new links need no word, because new links are judged anyway.
    fn note_labels(&mut self, old: &Block, table: &Table) {
        let new = &table.block;
        if !Arc::ptr_eq(&old.subjects, &new.subjects) && old.subjects.keys() == new.subjects.keys() {
            self.links.extend(table.places(|row| old.subjects.labels(row) != new.subjects.labels(row)));
        }
    }
}

fn is_rate(column: &Column) -> bool {
    RATES.iter().any(|rate| std::ptr::eq(*rate, column.metric))
}

fn is_count(column: &Column) -> bool {
    is_event(column.metric)
}

fn is_of_a_bond(column: &Column) -> bool {
    !std::ptr::eq(column.metric, &raw const bonding::FAILURES)
}

fn is_of_a_port(column: &Column) -> bool {
    let states = [&rdma::fields::ACTIVE, &rdma::fields::RATE];
    is_event(column.metric) || states.iter().any(|metric| std::ptr::eq(*metric, column.metric))
}

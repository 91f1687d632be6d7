//! Joins what all sources tell into migrations: flow to process to guest, hypervisor's words to the same guest.
//!
//! A first sign makes an entry: a connection of a hypervisor process on a port of migrations, or a hypervisor's word.
//! It counts as a migration once a hypervisor says so, or its traffic leaves no doubt; what is denied is dropped.

use super::entry::{Entry, LAST_WORD};
use super::migration::{Migration, Phase};
use super::traffic::{carried, Carried};
use crate::sample::block::Block;
use crate::sample::flow::Flow;
use crate::sample::guest::{Followed, Process, Wanted};
use crate::sample::link::Links;
use crate::sample::migration::Direction;
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::Key;
use crate::sample::thread::{Role, Thread};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// How long a hypervisor may deny a migration before its flow is taken for something else.
const DENIED: Duration = Duration::from_secs(2);
/// Finished migrations that are kept at most.
const MOST_FINISHED: usize = 256;
/// What happened, for those who count.
#[derive(Debug, Clone)]
pub enum News {
    /// A migration was found.
    Began(Box<Migration>),
    /// Bytes went over a device.
    Carried {
        /// The link's name.
        device: String,
        /// Which way.
        direction: Direction,
        /// How many.
        bytes: u64,
    },
    /// A migration has ended.
    Ended(Box<Migration>),
}

/// All migrations of this host.
#[derive(Debug, Default)]
pub struct Tracker {
    pub(super) processes: Vec<Process>,
    /// Their keys.
    there: HashSet<Key>,
    generation: u64,
    pub(super) entries: Vec<Entry>,
    flows: Arc<Vec<Flow>>,
    /// The process of each thread that is a virtual CPU.
    vcpus: HashMap<Key, Key>,
    /// Nanoseconds that the virtual CPUs of each process have run.
    ran: HashMap<Key, u64>,
    /// Guests that run here: another incoming migration is not to be expected.
    pub(super) running: HashSet<Key>,
    /// Flows that are no migration.
    pub(super) rejected: HashSet<Key>,
    /// Flows that ended before anybody knew whose they were, and until when their owner is looked for.
    pub(super) orphans: Vec<(Flow, Carried, Monotonic)>,
    pub(super) news: Vec<News>,
    last_key: Key,
}

impl Tracker {
    /// All that are followed or kept, in the order of their beginning.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What happened since the last time.
    pub fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// Takes in the list of processes.
    pub fn processes(&mut self, list: Vec<Process>, now: Monotonic) {
        for entry in self.entries.iter_mut().filter(|entry| entry.migration.is_on()) {
            let Some(key) = entry.migration.process else { continue };
            if list.iter().all(|process| process.key != key) {
                entry.process_gone(self.ran.get(&key).copied(), now);
            }
        }
        self.running.retain(|key| list.iter().any(|process| process.key == *key));
        self.there = list.iter().map(|process| process.key).collect();
        self.processes = list;
        self.generation += 1;
    }

    /// Takes in the flows and their table.
    pub fn flows(&mut self, changed: Option<Arc<Vec<Flow>>>, block: &Block, links: &Links, now: Monotonic) {
        if let Some(flows) = changed {
            self.flows = flows;
            let flows = &self.flows;
            self.rejected.retain(|key| flows.iter().any(|flow| flow.key == *key));
        }
        let flows = Arc::clone(&self.flows);
        let bytes = carried(&flows, block);
        for flow in flows.iter() {
            let bytes = bytes.get(&flow.key).copied().unwrap_or_default();
            match flow.owner {
                Some(owner) => self.flow(flow, owner, bytes, links, now),
                None => self.orphan(flow, bytes, links, now),
            }
        }
        let by_key = flows.iter().map(|flow| (flow.key, flow)).collect();
        for entry in &mut self.entries {
            entry.settle(&by_key, now);
        }
    }

    pub(super) fn begin(&mut self, process: &Process, direction: Direction, began: Monotonic) -> usize {
        let mut entry = self.entry(process.name.clone(), direction, began);
        entry.belongs_to(process);
        self.entries.push(entry);
        self.entries.len() - 1
    }

    pub(super) fn entry(&mut self, vm: String, direction: Direction, began: Monotonic) -> Entry {
        self.last_key += 1;
        Entry::new(Migration::new(self.last_key, vm, direction, began))
    }

    /// Takes in the threads and their table.
    pub fn threads(&mut self, changed: Option<&Arc<Vec<Thread>>>, block: Option<&Block>) {
        if let Some(threads) = changed {
            let vcpus = threads.iter().filter(|thread| thread.role == Role::Vcpu);
            self.vcpus = vcpus.filter_map(|thread| Some((thread.key, thread.process?))).collect();
        }
        let Some(block) = block else { return };
        self.ran.clear();
        for (row, key) in block.subjects.keys().iter().enumerate() {
            if let Some(process) = self.vcpus.get(key) {
                *self.ran.entry(*process).or_default() += block.cell(0, row).as_integer().unwrap_or(0);
            }
        }
    }

    /// Ends what has ended without a word, and forgets what is old. To be called often.
    pub fn tick(&mut self, now: Monotonic, keep: Duration) {
        for entry in self.entries.iter_mut().filter(|entry| entry.migration.is_on()) {
            let ran = entry.migration.process.and_then(|process| self.ran.get(&process).copied());
            entry.judge(ran, now);
        }
        let denied = |entry: &Entry| {
            !entry.migration.confirmed
                && (entry.denied.is_some_and(|since| now.since(since) >= DENIED)
                    || entry.closed.is_some_and(|at| now.since(at) > LAST_WORD)
                    || !entry.migration.is_on())
        };
        self.forget(denied);
        self.orphans.retain(|(.., until)| now < *until);
        for entry in self.entries.iter_mut().filter(|entry| !entry.reported && entry.owes_nothing(now)) {
            entry.reported = true;
            self.news.push(News::Ended(Box::new(entry.migration.clone())));
        }
        let finished = self.entries.iter().filter(|entry| entry.reported).count();
        let mut surplus = finished.saturating_sub(MOST_FINISHED);
        self.forget(|entry| {
            let old = entry.migration.ended.is_some_and(|(_, at)| now.since(at) > keep);
            let goes = entry.reported && (surplus > 0 || old);
            surplus -= usize::from(goes && surplus > 0);
            goes
        });
    }

    /// Drops entries; what is still seen of their flows makes no new ones.
    fn forget(&mut self, mut which: impl FnMut(&Entry) -> bool) {
        let rejected = &mut self.rejected;
        self.entries.retain(|entry| {
            let goes = which(entry);
            if goes {
                rejected.extend(&entry.flows);
            }
            !goes
        });
    }

    /// A migration is told of once it is certain.
    pub(super) fn announce(&mut self, place: usize) {
        let entry = &mut self.entries[place];
        if !entry.migration.confirmed || entry.announced {
            return;
        }
        entry.announced = true;
        let (migration, bytes) = (entry.migration.clone(), entry.traffic.sum());
        let (device, direction) = (migration.path.device.clone(), migration.direction);
        self.news.push(News::Began(Box::new(migration)));
        if bytes > 0 {
            self.news.push(News::Carried { device, direction, bytes });
        }
    }

    /// Takes in the byte counts of links: what went over a migration's link meanwhile.
    pub fn links(&mut self, block: &Block, links: &Links, columns: [usize; 2]) {
        for entry in self.entries.iter_mut().filter(|entry| entry.migration.is_on()) {
            let [received, sent] = columns;
            let column = if entry.migration.direction == Direction::Outgoing { sent } else { received };
            entry
                .count_links(links, |link| block.cell(column, block.subjects.row_of(link.key)?).as_integer());
        }
    }

    /// What the sources should follow now; the same as before if nothing is different.
    pub fn followed(&self, before: &Arc<Followed>, now: Monotonic) -> Arc<Followed> {
        let (wanted, links) = (self.wanted(now), self.followed_links());
        let same = before.generation == self.generation && before.wanted == wanted && before.links == links;
        if same {
            return Arc::clone(before);
        }
        Arc::new(Followed { generation: self.generation, processes: self.processes.clone(), wanted, links })
    }

    fn followed_links(&self) -> Vec<crate::sample::link::Index> {
        let on = self.entries.iter().filter(|entry| entry.migration.is_on());
        let paths = on.map(|entry| &entry.migration.path);
        let mut links: Vec<_> = paths.flat_map(|path| path.links.iter().copied()).collect();
        links.sort_unstable();
        links.dedup();
        links
    }

    /// The guests that must be looked at closely.
    fn wanted(&self, now: Monotonic) -> Vec<Wanted> {
        let mut wanted: Vec<Wanted> = Vec::new();
        for entry in &self.entries {
            let Some(key) = entry.migration.process else { continue };
            if self.there.contains(&key) && (entry.migration.is_on() || !entry.owes_nothing(now)) {
                let paused = entry.migration.is_on() && entry.migration.phase == Phase::StateTransfer;
                wanted.push(Wanted { key, paused });
            }
        }
        for (flow, ..) in &self.orphans {
            let there = self.processes.iter().filter(|process| process.namespace == flow.namespace);
            wanted.extend(there.map(|process| Wanted { key: process.key, paused: false }));
        }
        wanted.sort_by_key(|guest| (guest.key, !guest.paused));
        wanted.dedup_by_key(|guest| guest.key);
        wanted
    }
}

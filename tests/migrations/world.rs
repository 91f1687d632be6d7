//! A host as the tracker sees it: processes, flows, threads and words, read in steps of 20 ms as the agent reads them.
//! After every step the laws that hold for any sequence of signs are checked.

use crate::laws::Laws;
use miglink::analysis::migrations::table::{self, Moment};
use miglink::analysis::migrations::tracker::{News, Tracker};
use miglink::sample::block::Block;
use miglink::sample::cell::Cell;
use miglink::sample::flow::Flow;
use miglink::sample::guest::{Followed, Process};
use miglink::sample::link::{Link, Links};
use miglink::sample::migration::{Guest, Speaker, Told, What};
use miglink::sample::monotonic::Monotonic;
use miglink::sample::subject::{Key, SubjectsBuilder};
use miglink::sample::thread::{Role, Thread};
use miglink::source::flows::columns::{column, COLUMNS};
use miglink::source::threads;
use miglink::source::transport::sock_diag::tcp_info::Figure;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Between two steps.
pub const STEP: u64 = 20;

/// Milliseconds as a moment.
pub fn at(millis: u64) -> Monotonic {
    Monotonic(Duration::from_millis(millis))
}

/// What a flow's socket counts, and how fast it goes on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Count {
    /// Bytes sent.
    pub sent: u64,
    /// Bytes received.
    pub received: u64,
    /// Milliseconds of sending.
    pub busy: u64,
    /// Bytes that it sends a second.
    pub sends: u64,
    /// Bytes that it receives a second.
    pub receives: u64,
}

/// The host.
pub struct World {
    /// What is tested.
    pub tracker: Tracker,
    /// Milliseconds since the beginning.
    pub now: u64,
    /// The processes that run.
    pub processes: Vec<Process>,
    /// The connections, those that closed lately too.
    pub flows: Vec<Flow>,
    /// What they carried.
    pub counts: HashMap<Key, Count>,
    /// Processes whose guests run, and how long they have, nanoseconds.
    pub running: HashMap<Key, u64>,
    /// Processes whose guests run now.
    pub runs: Vec<Key>,
    /// Processes that have ended, whether it was noticed or not.
    pub dead: Vec<Key>,
    /// What is followed.
    pub followed: Arc<Followed>,
    /// How long finished ones stay.
    pub keep: Duration,
    /// What was told of beginnings and ends, in order.
    pub news: Vec<News>,
    /// The tables of the last step.
    pub blocks: Vec<Block>,
    links: Links,
    known_flows: Vec<Flow>,
    known_threads: Vec<Key>,
    laws: Laws,
}

impl World {
    /// A host with `eth0`, `eth1` and nothing that runs.
    pub fn new() -> Self {
        let link = |index, name: &str| Link {
            index,
            key: Key::from(index),
            name: name.into(),
            kind: "physical".into(),
            oper_up: true,
            ..Link::default()
        };
        Self {
            tracker: Tracker::default(),
            now: 0,
            processes: Vec::new(),
            flows: Vec::new(),
            counts: HashMap::new(),
            running: HashMap::new(),
            runs: Vec::new(),
            dead: Vec::new(),
            followed: Arc::default(),
            keep: Duration::from_secs(900),
            news: Vec::new(),
            blocks: Vec::new(),
            links: Links::new(1, vec![link(1, "eth0"), link(2, "eth1")], None),
            known_flows: Vec::new(),
            known_threads: Vec::new(),
            laws: Laws::default(),
        }
    }

    /// The list of processes was read.
    pub fn list(&mut self) {
        self.tracker.processes(self.processes.clone(), at(self.now));
        self.tick();
    }

    /// Something was told; `own` is the event's own time.
    pub fn tell(&mut self, guest: Guest, by: Speaker, what: What, own: Option<u64>) {
        let now = at(self.now);
        self.tracker.told(&Told { guest, by, at: now, what }, own.map_or(now, at));
        self.tick();
    }

    /// A flow is gone; its last row stands for three seconds.
    pub fn close(&mut self, key: Key) {
        let now = at(self.now);
        self.flows.iter_mut().filter(|flow| flow.key == key).for_each(|flow| flow.closed = Some(now));
        self.counts.entry(key).and_modify(|count| (count.sends, count.receives) = (0, 0));
    }

    /// 20 ms pass, and everything is read.
    pub fn step(&mut self) {
        self.step_to(self.now + STEP);
    }

    /// As much time passes, up to 20 ms, and everything is read.
    pub fn step_to(&mut self, until: u64) {
        let passed = (until - self.now).min(STEP);
        self.now += passed;
        for count in self.counts.values_mut() {
            count.sent += count.sends * passed / 1000;
            count.received += count.receives * passed / 1000;
            count.busy += if count.sends > 0 { passed } else { 0 };
        }
        for key in &self.runs {
            *self.running.entry(*key).or_default() += passed * 500_000;
        }
        self.read_flows();
        self.read_threads();
        self.tick();
    }

    fn read_flows(&mut self) {
        let now = at(self.now);
        self.flows
            .retain(|flow| flow.closed.is_none_or(|closed| now.since(closed) <= Duration::from_secs(3)));
        for flow in self.flows.iter_mut().filter(|flow| flow.closed.is_some_and(|closed| closed < now)) {
            flow.outlived |= flow.owner.is_some_and(|owner| !self.dead.contains(&owner));
        }
        let mut list = SubjectsBuilder::default();
        for flow in &self.flows {
            list.row(flow.key);
        }
        let mut block = Block::new("flows", now, &COLUMNS, Arc::new(list.build()));
        for (row, flow) in self.flows.iter().enumerate() {
            let count = self.counts.get(&flow.key).copied().unwrap_or_default();
            block.set(column(Figure::BytesAcked), row, Cell::integer(count.sent));
            block.set(column(Figure::BytesReceived), row, Cell::integer(count.received));
            block.set(column(Figure::BusyTime), row, Cell::integer(count.busy * 1000));
        }
        let changed = (self.flows != self.known_flows).then(|| Arc::new(self.flows.clone()));
        self.known_flows.clone_from(&self.flows);
        self.tracker.flows(changed, &block, &self.links, now);
    }

    /// The threads of those that are followed are read, as long as their processes are there.
    fn read_threads(&mut self) {
        let wanted: Vec<Key> = self.followed.wanted.iter().map(|guest| guest.key).collect();
        let thread = |key: &Key| Thread {
            key: *key,
            process: Some(*key),
            tid: *key as u32,
            role: Role::Vcpu,
            name: "CPU 0/KVM".into(),
        };
        let changed = (wanted != self.known_threads).then(|| Arc::new(wanted.iter().map(thread).collect()));
        self.known_threads.clone_from(&wanted);
        let mut list = SubjectsBuilder::default();
        for key in &wanted {
            list.row(*key);
        }
        let mut block = Block::new("threads", at(self.now), &threads::COLUMNS, Arc::new(list.build()));
        for (row, key) in wanted.iter().enumerate() {
            if let Some(time) = self.running.get(key) {
                block.set(0, row, Cell::integer(*time));
            }
        }
        self.tracker.threads(changed.as_ref(), (!wanted.is_empty()).then_some(&block));
    }

    fn tick(&mut self) {
        let now = at(self.now);
        self.tracker.tick(now, self.keep);
        self.followed = self.tracker.followed(&self.followed, now);
        let news = self.tracker.take_news();
        self.blocks = table::blocks(self.tracker.entries(), self.moment());
        self.laws.hold(self.tracker.entries(), &news, &self.blocks, &self.followed, now);
        self.news.extend(news);
    }

    /// Both clocks; the wall clock began with the story.
    pub fn moment(&self) -> Moment {
        Moment { monotonic: at(self.now), wall_ns: self.now * 1_000_000 }
    }
}

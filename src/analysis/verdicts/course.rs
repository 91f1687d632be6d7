//! Each migration's readings over the last second, made into windows, judged, and summed up by phase and cause.

use super::account::{divide, Share};
use super::surroundings::Surroundings;
use crate::analysis::migrations::entry::Entry;
use crate::analysis::migrations::migration::{Phase, PHASES};
use crate::analysis::rules::window::{FlowWindow, LinkWindow, ThreadWindow, Window};
use crate::sample::block::Block;
use crate::sample::link::{Index, Links};
use crate::sample::migration::Direction;
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::Key;
use crate::sample::thread::{Role, Thread};
use crate::source::flows::columns::column;
use crate::source::transport::sock_diag::tcp_info::Figure;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// A window's length: the kernel's chronographs tick every 4 ms, a cap's pattern repeats every 100 ms.
const WINDOW: Duration = Duration::from_secs(1);
/// Between two judgements.
const STEP: Duration = Duration::from_millis(250);
/// The shortest window that is judged.
const SHORTEST: Duration = Duration::from_millis(180);
/// A cause leads when it held more than this of the last `LEAD`; so one odd step changes nothing.
const LEAD: Duration = Duration::from_millis(1500);

/// One flow at a moment, by the order of `FIGURES`.
type FlowReading = (Key, [u64; FIGURES.len()]);
const FIGURES: [Figure; 17] = [
    Figure::BytesAcked,
    Figure::BytesReceived,
    Figure::BusyTime,
    Figure::RwndLimited,
    Figure::SndbufLimited,
    Figure::BytesSent,
    Figure::BytesRetrans,
    Figure::Rtt,
    Figure::MinRtt,
    Figure::SndWnd,
    Figure::SndCwnd,
    Figure::SndMss,
    Figure::Sndbuf,
    Figure::NotsentBytes,
    Figure::RmemAlloc,
    Figure::Rcvbuf,
    Figure::TotalRetrans,
];

/// All that was read of one migration at a moment.
#[derive(Debug, Clone)]
struct Snapshot {
    at: Monotonic,
    flows: Vec<FlowReading>,
    threads: Vec<(Key, String, [u64; 2])>,
    links: Vec<(Index, super::surroundings::About)>,
    softnet_dropped: Option<u64>,
}

/// One migration's course.
#[derive(Debug, Default)]
pub struct Course {
    recent: VecDeque<Snapshot>,
    judged: Option<Monotonic>,
    /// Seconds by phase (its place in `PHASES`) and cause.
    pub seconds: BTreeMap<(usize, &'static str), f64>,
    lately: VecDeque<(Monotonic, Vec<Share>)>,
    /// The leading cause and its evidence.
    pub leading: Option<Share>,
}

/// Seconds that a cause has just taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// Of which migration.
    pub migration: Key,
    /// In which phase.
    pub phase: Phase,
    /// The cause.
    pub cause: &'static str,
    /// How long.
    pub seconds: f64,
}

/// All courses.
#[derive(Debug, Default)]
pub struct Courses {
    /// What else is known of the host.
    pub surroundings: Surroundings,
    by_migration: HashMap<Key, Course>,
    /// Another cause leads somewhere, since this was last taken away.
    pub changed: bool,
    threads: Arc<Vec<Thread>>,
    times: Vec<(Key, [u64; 2])>,
}

impl Courses {
    /// A migration's course.
    pub fn of(&self, migration: Key) -> Option<&Course> {
        self.by_migration.get(&migration)
    }

    /// Takes in the threads and their table.
    pub fn threads(&mut self, changed: Option<&Arc<Vec<Thread>>>, block: Option<&Block>) {
        if let Some(threads) = changed {
            self.threads = Arc::clone(threads);
        }
        let Some(block) = block else { return };
        let rows = block.subjects.keys().iter().enumerate();
        let time = |row, column| block.cell(column, row).as_integer();
        self.times = rows.filter_map(|(row, key)| Some((*key, [time(row, 0)?, time(row, 1)?]))).collect();
    }

    /// After the flows were read: notes and judges every migration that is on. Gives the seconds that were accounted.
    pub fn go_on(&mut self, entries: &[Entry], flows: &Block, links: &Links, now: Monotonic) -> Vec<Taken> {
        self.by_migration.retain(|key, _| entries.iter().any(|entry| entry.migration.key == *key));
        let mut taken = Vec::new();
        // Once its connections are gone it is over, though nobody has said so yet.
        let goes_on =
            |entry: &&Entry| entry.migration.is_on() && entry.migration.confirmed && entry.closed.is_none();
        for entry in entries.iter().filter(goes_on) {
            let snapshot = self.snapshot(entry, flows, now);
            let course = self.by_migration.entry(entry.migration.key).or_default();
            course.note(snapshot);
            let migration = &entry.migration;
            let before = course.leading_cause();
            for (cause, seconds) in course.judge(entry, links, now) {
                taken.push(Taken { migration: migration.key, phase: migration.phase, cause, seconds });
            }
            self.changed |= course.leading_cause() != before;
        }
        taken
    }

    fn snapshot(&self, entry: &Entry, flows: &Block, now: Monotonic) -> Snapshot {
        let rows = flows.subjects.keys().iter().enumerate().filter(|(_, key)| entry.flows.contains(key));
        let read = |row| FIGURES.map(|figure| flows.cell(column(figure), row).as_integer().unwrap_or(0));
        let works = |thread: &&Thread| {
            thread.process.is_some()
                && thread.process == entry.migration.process
                && match entry.migration.direction {
                    Direction::Outgoing => {
                        matches!(thread.role, Role::Migration | Role::Multifd | Role::Compression)
                    }
                    Direction::Incoming => !matches!(thread.role, Role::Vcpu | Role::Vhost | Role::Softirq),
                }
        };
        let time = |key| self.times.iter().find(|(known, _)| *known == key).map(|(_, times)| *times);
        let threads = self.threads.iter().filter(works);
        let path = &entry.migration.path.links;
        Snapshot {
            at: now,
            flows: rows.map(|(row, key)| (*key, read(row))).collect(),
            threads: threads.filter_map(|t| Some((t.key, t.name.clone(), time(t.key)?))).collect(),
            links: path.iter().map(|index| (*index, self.surroundings.link(*index))).collect(),
            softnet_dropped: self.surroundings.softnet_dropped,
        }
    }
}

impl Course {
    fn note(&mut self, snapshot: Snapshot) {
        let now = snapshot.at;
        self.recent.push_back(snapshot);
        while self.recent.get(1).is_some_and(|second| now.since(second.at) >= WINDOW) {
            self.recent.pop_front();
        }
    }

    fn leading_cause(&self) -> Option<&'static str> {
        self.leading.as_ref().map(|share| share.cause)
    }

    /// Judges the last window if a step has passed; gives the seconds of the step by cause.
    fn judge(&mut self, entry: &Entry, links: &Links, now: Monotonic) -> Vec<(&'static str, f64)> {
        let since = self.judged.unwrap_or(entry.migration.began.max(Monotonic(now.0.saturating_sub(WINDOW))));
        let step = now.since(since);
        let Some(window) = self.window(entry, links).filter(|_| step >= STEP) else { return Vec::new() };
        self.judged = Some(now);
        let shares = divide(&window);
        let phase = PHASES.iter().position(|phase| *phase == entry.migration.phase).unwrap_or(0);
        let seconds: Vec<_> =
            shares.iter().map(|share| (share.cause, share.share * step.as_secs_f64())).collect();
        for (cause, seconds) in &seconds {
            *self.seconds.entry((phase, cause)).or_default() += seconds;
        }
        self.lately.push_back((now, shares));
        while self.lately.front().is_some_and(|(at, _)| now.since(*at) >= LEAD) {
            self.lately.pop_front();
        }
        self.lead();
        seconds
    }

    fn lead(&mut self) {
        let mut sums: BTreeMap<&str, (f64, &Share)> = BTreeMap::new();
        for share in self.lately.iter().flat_map(|(_, shares)| shares) {
            let sum = sums.entry(share.cause).or_insert((0.0, share));
            *sum = (sum.0 + share.share, share);
        }
        let steps = self.lately.len().max(1) as f64;
        let best = sums.values().max_by(|a, b| a.0.total_cmp(&b.0));
        self.leading = best.map(|(sum, share)| Share { share: sum / steps, ..(*share).clone() });
    }

    fn window(&self, entry: &Entry, links: &Links) -> Option<Window> {
        let (first, last) = (self.recent.front()?, self.recent.back()?);
        let time = last.at.since(first.at);
        if time < SHORTEST {
            return None;
        }
        let migration = &entry.migration;
        let progress = &migration.progress;
        let dirty = progress.dirty_pages_per_second.zip(progress.iterations);
        let page = progress.page_size.unwrap_or(4096);
        Some(Window {
            time,
            phase: migration.phase,
            direction: migration.direction,
            flow: self.flow(first, last, migration.direction),
            thread: busiest(first, last),
            cap: migration.limits.max_bandwidth,
            dirty: dirty.map(|(pages, iterations)| ((pages * page) as f64, iterations)),
            links: links_of(first, last, migration.direction, links),
            softnet_dropped: last
                .softnet_dropped
                .zip(first.softnet_dropped)
                .map(|(now, before)| now.saturating_sub(before)),
        })
    }

    /// The connections together: what adds up is added, shares are weighed by the bytes that each carried.
    fn flow(&self, first: &Snapshot, last: &Snapshot, direction: Direction) -> Option<FlowWindow> {
        let time = last.at.since(first.at).as_secs_f64();
        let along = usize::from(direction == Direction::Incoming);
        let mut sum = FlowWindow { min_rtt: Duration::MAX, ..FlowWindow::default() };
        let pairs: Vec<_> = last
            .flows
            .iter()
            .filter_map(|(key, now)| {
                let before = first.flows.iter().find(|(known, _)| known == key)?;
                Some((before.1, *now))
            })
            .collect();
        let grown = |pair: &([u64; 17], [u64; 17]), at: usize| pair.1[at].saturating_sub(pair.0[at]) as f64;
        let bytes: f64 = pairs.iter().map(|pair| grown(pair, along)).sum();
        let sent: f64 = pairs.iter().map(|pair| grown(pair, 5)).sum();
        for pair in &pairs {
            // A migration that stands still has no bytes to weigh by: then all connections weigh the same.
            let weight = if bytes > 0.0 { grown(pair, along) / bytes } else { 1.0 / pairs.len() as f64 };
            let share = |at| (grown(pair, at) / 1e6 / time).min(1.0) * weight;
            let now = &pair.1;
            sum.rate += grown(pair, along) / time;
            sum.busy += share(2);
            sum.window_limited += share(3);
            sum.buffer_limited += share(4);
            sum.repeated += if sent > 0.0 { grown(pair, 6) / sent } else { 0.0 };
            sum.rtt = sum.rtt.max(Duration::from_micros(now[7]));
            sum.min_rtt = sum.min_rtt.min(Duration::from_micros(now[8]));
            sum.congestion_window += now[10] * now[11];
            sum.segment = sum.segment.max(now[11]);
            sum.send_buffer += now[12];
            sum.unsent += now[13];
            sum.receive_queue = sum.receive_queue.max(now[14] as f64 / now[15].max(1) as f64);
            sum.connections += 1;
        }
        sum.peer_window = self.peer_window();
        sum.variation = self.variation(along);
        (sum.connections > 0).then_some(sum)
    }

    /// How much the rate varied between the readings: standard deviation over mean.
    fn variation(&self, along: usize) -> f64 {
        let sum = |snapshot: &Snapshot| snapshot.flows.iter().map(|(_, now)| now[along]).sum::<u64>();
        let pairs = self.recent.iter().zip(self.recent.iter().skip(1));
        let rates: Vec<f64> = pairs
            .map(|(before, now)| {
                let time = now.at.since(before.at).as_secs_f64().max(1e-6);
                sum(now).saturating_sub(sum(before)) as f64 / time
            })
            .collect();
        let mean = rates.iter().sum::<f64>() / rates.len().max(1) as f64;
        let square = rates.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / rates.len().max(1) as f64;
        if mean > 0.0 {
            square.sqrt() / mean
        } else {
            0.0
        }
    }

    /// Smallest and largest window of the peers in these readings.
    fn peer_window(&self) -> (u64, u64) {
        let sums =
            self.recent.iter().map(|snapshot| snapshot.flows.iter().map(|(_, now)| now[9]).sum::<u64>());
        let (smallest, largest) = sums.fold((u64::MAX, 0), |(low, high), sum| (low.min(sum), high.max(sum)));
        (smallest.min(largest), largest)
    }
}

fn busiest(first: &Snapshot, last: &Snapshot) -> Option<ThreadWindow> {
    let time = last.at.since(first.at).as_nanos() as f64;
    let threads = last.threads.iter().filter_map(|(key, name, now)| {
        let (.., before) = first.threads.iter().find(|(known, ..)| known == key)?;
        let share = |at: usize| (now[at].saturating_sub(before[at]) as f64 / time).min(1.0);
        Some(ThreadWindow { name: name.clone(), running: share(0), waiting: share(1) })
    });
    threads.max_by(|a, b| (a.running + a.waiting).total_cmp(&(b.running + b.waiting)))
}

fn links_of(first: &Snapshot, last: &Snapshot, direction: Direction, links: &Links) -> Vec<LinkWindow> {
    let time = last.at.since(first.at).as_secs_f64();
    let along = usize::from(direction == Direction::Outgoing);
    let of = |(index, now): &(Index, super::surroundings::About)| {
        let (_, before) = first.links.iter().find(|(known, _)| known == index)?;
        let grown = |now: Option<u64>, before: Option<u64>| Some(now?.saturating_sub(before?));
        let bytes = grown(now.bytes.map(|bytes| bytes[along]), before.bytes.map(|bytes| bytes[along]))?;
        // A shaper holds what leaves by its link.
        let shaper = now.shaper.filter(|_| direction == Direction::Outgoing);
        Some(LinkWindow {
            name: links.get(*index).map(|link| link.name.clone()).unwrap_or_default(),
            rate: bytes as f64 / time,
            speed: now.speed.map(|speed| speed as f64),
            shaped: shaper.map(|shaper| shaper.rate as f64),
            held_back: shaper.is_some_and(|shaper| shaper.held_back == Some(true)),
            unseen: !links.get(*index).is_some_and(|link| link.exported)
                || shaper.is_some_and(|shaper| shaper.held_back.is_none()),
            backlog: shaper.and_then(|shaper| shaper.backlog),
            ring_overflows: grown(now.ring_overflows, before.ring_overflows),
        })
    };
    last.links.iter().filter_map(of).collect()
}

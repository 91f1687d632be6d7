//! Each migration's readings over the last second, made into windows, judged, and summed up by phase and cause.

use super::account::{divide, Share};
use super::ledger::{Booked, Ledger};
use super::measure;
use super::snapshot::{works_for, Snapshot, Work};
use super::surroundings::Surroundings;
use crate::analysis::migrations::entry::{Entry, PLAIN};
use crate::analysis::migrations::migration::{Migration, Phase};
use crate::analysis::rules::window::{Meant, Window};
use crate::analysis::rules::UNKNOWN;
use crate::sample::block::Block;
use crate::sample::link::{Index, Links};
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::Key;
use crate::sample::thread::{Role, Thread};
use crate::topology::roles::Patterns;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// A window's length: the kernel's chronographs tick every 4 ms, a cap's pattern repeats every 100 ms.
const WINDOW: Duration = Duration::from_secs(1);
/// Between two judgements.
const STEP: Duration = Duration::from_millis(250);
/// The shortest window that is judged.
const SHORTEST: Duration = Duration::from_millis(180);
/// The same while the guest stands still: it is read fifty times a second then, and often it is over in 0.3 s.
const SHORTEST_OF_PAUSE: Duration = Duration::from_millis(60);
/// A migration is given this long for its facts to come in (libvirt makes a connection before QEMU has it; a shaper shows
/// what it holds back at its second reading): until then nothing is judged that would be unknown, and the first judgement
/// speaks for that time too. A verdict is owed within two seconds.
const PATIENCE: Duration = Duration::from_millis(1500);
/// The cause leads that held most of the judgements of so much time. Each is of a second already, so of two one odd step changes
/// nothing, and four would be a quarter of a second later (a verdict is owed within two).
const LEAD: Duration = Duration::from_millis(500);

/// One migration's course.
#[derive(Debug, Default)]
pub struct Course {
    recent: VecDeque<Snapshot>,
    phase: Phase,
    /// When it was first looked at.
    seen: Option<Monotonic>,
    judged: Option<Monotonic>,
    /// Seconds by phase and cause.
    pub ledger: Ledger,
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
    /// Links that are meant for migrations.
    pub dedicated: Patterns,
    by_migration: HashMap<Key, Course>,
    /// Another cause leads somewhere, since this was last taken away.
    pub changed: bool,
    /// By the process that they work for.
    threads: HashMap<Key, Vec<Thread>>,
    times: HashMap<Key, [u64; 2]>,
}

impl Courses {
    /// A migration's course.
    pub fn of(&self, migration: Key) -> Option<&Course> {
        self.by_migration.get(&migration)
    }

    /// Takes in the threads and their table.
    pub fn threads(&mut self, changed: Option<&Arc<Vec<Thread>>>, block: Option<&Block>) {
        if let Some(threads) = changed {
            self.threads.clear();
            for (process, thread) in threads.iter().filter_map(|thread| Some((thread.process?, thread))) {
                self.threads.entry(process).or_default().push(thread.clone());
            }
        }
        let Some(block) = block else { return };
        let rows = block.subjects.keys().iter().enumerate();
        let time = |row, column| block.cell(column, row).as_integer();
        self.times = rows.filter_map(|(row, key)| Some((*key, [time(row, 0)?, time(row, 1)?]))).collect();
    }

    /// After the flows were read: notes and judges every migration that is on. Gives the seconds that were accounted.
    pub fn go_on(&mut self, entries: &[Entry], flows: &Block, links: &Links, now: Monotonic) -> Vec<Taken> {
        let keys: HashSet<Key> = entries.iter().map(|entry| entry.migration.key).collect();
        self.by_migration.retain(|key, _| keys.contains(key));
        let mut taken = Vec::new();
        for entry in entries.iter().filter(|entry| entry.migration.is_on()) {
            let booked = self.follow(entry, flows, links, now);
            taken.extend(named(entry.migration.key, booked));
        }
        taken
    }

    /// Books what is left of those that have ended.
    pub fn finish(&mut self, entries: &[Entry]) -> Vec<Taken> {
        let mut taken = Vec::new();
        for entry in entries.iter().filter(|entry| !entry.migration.is_on()) {
            let migration = &entry.migration;
            if let Some(course) = self.by_migration.get_mut(&migration.key) {
                taken.extend(named(migration.key, course.ledger.finish(migration.stopped_at())));
            }
        }
        taken
    }

    /// Notes and judges one that is on.
    fn follow(&mut self, entry: &Entry, flows: &Block, links: &Links, now: Monotonic) -> Booked {
        let migration = &entry.migration;
        // Once its connections are gone it is over, though nobody has said so yet.
        if entry.closed.is_some() {
            return Vec::new();
        }
        let snapshot = self.snapshot(entry, flows, links, now);
        let course = self.by_migration.entry(migration.key).or_default();
        if !migration.confirmed {
            // Its readings are of use once it is.
            course.note(snapshot);
            return Vec::new();
        }
        let before = course.leading_cause();
        course.change_phase(entry, links, &self.dedicated);
        course.note(snapshot);
        let step = if migration.phase == Phase::StateTransfer { SHORTEST_OF_PAUSE } else { STEP };
        course.judge(entry, links, &self.dedicated, now, step);
        self.changed |= course.leading_cause() != before;
        course.ledger.settle(entry.sure_until(now), now)
    }

    fn snapshot(&self, entry: &Entry, flows: &Block, links: &Links, now: Monotonic) -> Snapshot {
        let of_process = entry.migration.process.and_then(|process| self.threads.get(&process));
        let its = of_process.into_iter().flatten().filter(|thread| works_for(entry, thread));
        let threads = its.filter_map(|thread| {
            let (key, name, role) = (thread.key, Arc::clone(&thread.name), thread.role);
            Some(Work { key, name, role, times: *self.times.get(&key)? })
        });
        Snapshot::take(entry, flows, threads, (&self.surroundings, links), now)
    }
}

impl Course {
    fn note(&mut self, snapshot: Snapshot) {
        let now = snapshot.at;
        self.seen.get_or_insert(now);
        // Before its connections are known nothing can be said of them: a window begins with them.
        if !snapshot.flows.is_empty() && self.recent.back().is_some_and(|before| before.flows.is_empty()) {
            self.recent.clear();
        }
        self.recent.push_back(snapshot);
        while self.recent.get(1).is_some_and(|second| now.since(second.at) >= WINDOW) {
            self.recent.pop_front();
        }
    }

    fn leading_cause(&self) -> Option<&'static str> {
        self.leading.as_ref().map(|share| share.cause)
    }

    /// If another phase has begun: judges what is left of the one before, and begins anew. What limits the pause must not
    /// be told from the copy's last second.
    fn change_phase(&mut self, entry: &Entry, links: &Links, dedicated: &Patterns) {
        let (now, last) = (entry.migration.phase, self.recent.back().map(|last| last.at));
        if now == self.phase {
            return;
        }
        if (self.phase, now) == (Phase::Setup, Phase::MemoryCopy) && self.judged.is_none() {
            // It is told after it was seen: connections that have carried memory have not been setting up.
            self.phase = now;
            while self.recent.len() > 1 && self.recent[0].carried(entry.migration.direction) <= PLAIN / 8 {
                self.recent.pop_front();
            }
            return;
        }
        if let Some(last) = last {
            self.judge(entry, links, dedicated, last, Duration::from_millis(1));
        }
        self.phase = now;
        let beginning = self.recent.pop_back();
        self.recent.clear();
        self.recent.extend(beginning);
    }

    /// Judges the last window if a step has passed.
    fn judge(&mut self, entry: &Entry, links: &Links, dedicated: &Patterns, now: Monotonic, least: Duration) {
        let seen = self.seen.unwrap_or(now);
        let earliest = entry.migration.began.max(Monotonic(seen.0.saturating_sub(WINDOW)));
        let since = self.judged.unwrap_or(earliest);
        let step = now.since(since);
        if step < least {
            return;
        }
        let Some(window) = self.window(entry, links, dedicated) else { return };
        let shares = divide(&window);
        let known: f64 = shares.iter().filter(|share| share.cause != UNKNOWN).map(|share| share.share).sum();
        if self.judged.is_none() && known < 0.5 && now.since(seen) < PATIENCE {
            return;
        }
        self.judged = Some(now);
        self.ledger.note((since, now), self.phase, shares.clone());
        self.lately.push_back((now, shares));
        while self.lately.front().is_some_and(|(at, _)| now.since(*at) >= LEAD) {
            self.lately.pop_front();
        }
        self.lead();
    }

    /// The time that the leading cause is of.
    pub fn lately(&self) -> Duration {
        let first = self.lately.front().zip(self.lately.back());
        first.map_or(Duration::ZERO, |((first, _), (last, _))| last.since(*first) + STEP)
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

    fn window(&self, entry: &Entry, links: &Links, dedicated: &Patterns) -> Option<Window> {
        let (first, last) = (self.recent.front()?, self.recent.back()?);
        let time = last.at.since(first.at);
        if time < shortest(self.phase) {
            return None;
        }
        let Migration { progress, limits, direction, path, .. } = &entry.migration;
        let dirty = progress.dirty_pages_per_second.zip(progress.iterations);
        let page = progress.page_size.unwrap_or(4096);
        let compression = limits.compression.as_ref().map(|method| method != "none");
        let compresses =
            |role| role == Role::Compression || (role == Role::Multifd && compression == Some(true));
        let grown = |now: Option<u64>, before: Option<u64>| Some(now?.saturating_sub(before?));
        Some(Window {
            time,
            phase: self.phase,
            direction: *direction,
            flow: measure::flow(&self.recent, *direction),
            thread: measure::busiest(&self.recent, |_| true),
            threads: measure::together(&self.recent),
            compressor: measure::busiest(&self.recent, compresses),
            compression,
            tls: limits.tls,
            idle_processors: measure::idle_processors(first, last),
            cap: limits.max_bandwidth,
            told: grown(last.told, first.told).map(|bytes| bytes as f64 / time.as_secs_f64()),
            dirty: dirty.map(|(pages, iterations)| ((pages * page) as f64, iterations)),
            links: measure::links_of(&self.recent, |seen| &seen.links, *direction, links),
            others: measure::links_of(&self.recent, |seen| &seen.others, *direction, links),
            meant: meant(&path.links, links, dedicated),
            softnet_dropped: grown(last.softnet_dropped, first.softnet_dropped),
        })
    }
}

fn named(migration: Key, booked: Booked) -> impl Iterator<Item = Taken> {
    booked.into_iter().map(move |(phase, cause, seconds)| Taken { migration, phase, cause, seconds })
}

fn shortest(phase: Phase) -> Duration {
    if phase == Phase::StateTransfer {
        SHORTEST_OF_PAUSE
    } else {
        SHORTEST
    }
}

/// The links that the configuration means for migrations; `None` if it names none, or the way is not known.
fn meant(way: &[Index], links: &Links, dedicated: &Patterns) -> Option<Meant> {
    if dedicated.is_empty() || way.is_empty() {
        return None;
    }
    let meant = || links.all().iter().filter(|link| dedicated.matches(&link.name));
    let up = meant().filter(|link| link.oper_up).map(|link| link.name.clone());
    Some(Meant { taken: meant().any(|link| way.contains(&link.index)), up: up.collect() })
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::{Flow, Snapshot};
    use super::super::surroundings::About;
    use super::{Course, PATIENCE, SHORTEST, STEP};
    use crate::analysis::migrations::entry::Entry;
    use crate::analysis::migrations::migration::{Migration, Phase};
    use crate::sample::link::{Link, Links};
    use crate::sample::migration::Direction;
    use crate::sample::monotonic::Monotonic;
    use crate::source::transport::sock_diag::tcp_info::Figure;
    use crate::topology::roles::Patterns;
    use std::time::Duration;

    fn at(milliseconds: u64) -> Monotonic {
        Monotonic(Duration::from_millis(milliseconds))
    }

    fn snapshot(milliseconds: u64, flows: &[u64]) -> Snapshot {
        let flows = flows.iter().map(|key| Flow { key: *key, ..Flow::default() }).collect();
        Snapshot { at: at(milliseconds), flows, ..Snapshot::default() }
    }

    #[test]
    fn a_window_begins_with_the_connections() {
        let mut course = Course::default();
        for (time, flows) in [(0, &[][..]), (300, &[]), (600, &[7]), (700, &[7])] {
            course.note(snapshot(time, flows));
        }
        assert_eq!(course.recent.front().map(|first| first.at), Some(at(600)));
        assert!(SHORTEST > Duration::from_millis(100), "and is not judged at once");
    }

    #[test]
    fn a_link_counts_from_the_reading_on_that_knows_it() {
        let entry = Entry::new(Migration::new(1, "a".into(), Direction::Outgoing, at(0)));
        let mut course = Course::default();
        let links = Links::new(1, vec![Link { index: 3, name: "eth0".into(), ..Link::default() }], None);
        for (time, bytes) in [(0, None), (100, None), (200, Some(5)), (300, Some(7)), (400, Some(9))] {
            let mut seen = snapshot(time, &[7]);
            let bytes = bytes.map(|megabytes| (at(time), [0, megabytes * 1_000_000]));
            seen.links.extend((time > 0).then(|| (3, About { bytes, ..About::default() })));
            course.note(seen);
        }
        let window = course.window(&entry, &links, &Patterns::default()).expect("long enough");
        assert_eq!(window.links.iter().map(|link| link.rate).collect::<Vec<_>>(), [2e7]);
    }

    #[test]
    fn what_was_seen_of_the_copy_before_it_was_told_counts() {
        let mut entry = Entry::new(Migration::new(1, "a".into(), Direction::Outgoing, at(0)));
        let (mut course, links, none) = (Course::default(), Links::default(), Patterns::default());
        for time in 1..6 {
            let mut seen = snapshot(time * 100, &[7]);
            seen.flows[0].figures[Figure::BytesAcked as usize] = (time - 1) << 20;
            course.note(seen);
        }
        entry.migration.enter(Phase::MemoryCopy, at(500));
        course.change_phase(&entry, &links, &none);
        assert_eq!(
            course.recent.front().map(|first| first.at),
            Some(at(200)),
            "nothing was carried at first"
        );
        assert!(course.ledger.settle(at(500), at(500)).is_empty(), "and nothing was judged of the setup");
    }

    #[test]
    fn what_is_not_known_yet_is_judged_later_and_not_lost() {
        let entry = Entry::new(Migration::new(1, "a".into(), Direction::Outgoing, at(0)));
        let (mut course, links, none) = (Course::default(), Links::default(), Patterns::default());
        let mut accounted = Vec::new();
        for step in 0..30 {
            course.note(snapshot(step * 100, &[]));
            course.judge(&entry, &links, &none, at(step * 100), STEP);
            let booked = course.ledger.settle(at(step * 100), at(step * 100));
            accounted.extend(booked.iter().map(|(_, cause, seconds)| (step * 100, *cause, *seconds)));
        }
        let (first, cause, _) = accounted[0];
        assert!(Duration::from_millis(first) >= PATIENCE && cause == "unknown", "{accounted:?}");
        let sum: f64 = accounted.iter().map(|(_, _, seconds)| seconds).sum();
        assert!((sum - 2.9).abs() < 0.3, "{sum}");
    }
}

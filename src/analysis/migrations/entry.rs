//! One migration with all that is remembered to follow it: its flows, and who said what of it.

use super::ending::Traces;
use super::migration::{Migration, Phase};
use super::traffic::{Carried, Traffic};
use crate::sample::flow::Flow;
use crate::sample::guest::Process;
use crate::sample::link::{Index, Link, Links};
use crate::sample::migration::{Event, Progress, Status, What};
use crate::sample::monotonic::Monotonic;
use crate::sample::ports;
use crate::sample::subject::Key;
use crate::topology::path;
use std::collections::HashMap;
use std::time::Duration;

/// A flow on a port of migrations that carried this much one way is one, if no hypervisor says otherwise.
pub const PLAIN: u64 = 2 << 20;
/// The same on any other port that is not of storage or a console (facts: 64 MiB or 100 Mb/s, one way 20 to 1).
pub const PLAIN_ELSEWHERE: u64 = 64 << 20;
/// QEMU's own limit of the pause (migration/options.c).
const USUAL_LIMIT: Duration = Duration::from_millis(300);
/// What remains is far from the end if it is so many times what fits into the pause: rates vary.
const FAR: f64 = 2.0;
/// How long a hypervisor is waited for after the last flow has ended.
pub const LAST_WORD: Duration = Duration::from_secs(3);
/// How long a hypervisor that can be asked is waited for before traffic alone tells.
const FIRST_WORD: Duration = Duration::from_secs(1);
/// A final figure and a flow are of one migration when their bytes differ by less than a tenth.
const SAME: f64 = 0.1;

/// QEMU says `completed` a moment before it has computed the times (migration.c: `migration_completion` sets the
/// state, `migration_calculate_complete` the times). Such an answer is no last word.
fn is_premature(progress: &Progress) -> bool {
    let total = progress.total_time.unwrap_or(Duration::MAX);
    let parts = progress.setup_time.unwrap_or_default() + progress.downtime.unwrap_or_default();
    progress.status == Status::Completed && (total.is_zero() || total < parts)
}

/// So many bytes tell which member of a bond they took.
const TELLING: u64 = 4 << 20;

/// The one member whose count grew as the flow's did; none if the flow is spread, or others carry as much.
fn busiest(before: &[(Index, u64)], now: &[(Index, u64)], bytes: u64) -> Option<Index> {
    let grown = now.iter().filter(|(index, count)| {
        let old = before.iter().find(|(known, _)| known == index);
        // The readings of flow and link lie up to a tenth of a second apart.
        old.is_some_and(|(_, old)| count.saturating_sub(*old) >= bytes / 2)
    });
    let grown: Vec<Index> = grown.map(|(index, _)| *index).collect();
    if let [only] = grown[..] {
        Some(only)
    } else {
        None
    }
}

/// Whether two counts of bytes are of one migration.
pub fn is_same(carried: u64, transferred: u64) -> bool {
    (carried as f64 / transferred.max(1) as f64 - 1.0).abs() < SAME
}

/// One migration and what is remembered to follow it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What is told of it.
    pub migration: Migration,
    /// What its sockets carried.
    pub traffic: Traffic,
    /// What went over its link meanwhile, everybody's bytes and all headers.
    pub link_bytes: Option<u64>,
    link_count: Option<u64>,
    /// The counts of a bond's members when the flows were at this count.
    members: Option<(u64, Vec<(Index, u64)>)>,
    /// Its flows.
    pub flows: Vec<Key>,
    /// Since when no flow is open.
    pub closed: Option<Monotonic>,
    /// What tells of its end where no hypervisor does.
    pub(super) traces: Traces,
    /// What its sockets had carried when a hypervisor first told its own count: that may be less.
    carried_before: u64,
    /// Since when a hypervisor says that there is none.
    pub denied: Option<Monotonic>,
    /// The hypervisor has told the last figures.
    pub final_word: bool,
    /// It was told of.
    pub announced: bool,
    /// Its end was told of.
    pub reported: bool,
}

impl Entry {
    /// An entry that has just shown its first sign.
    pub fn new(migration: Migration) -> Self {
        Self {
            migration,
            traffic: Traffic::default(),
            link_bytes: None,
            link_count: None,
            members: None,
            flows: Vec::new(),
            closed: None,
            traces: Traces::default(),
            carried_before: 0,
            denied: None,
            final_word: false,
            announced: false,
            reported: false,
        }
    }

    /// Its guest is found among the processes.
    pub fn belongs_to(&mut self, process: &Process) {
        let migration = &mut self.migration;
        migration.process = Some(process.key);
        migration.hypervisor = process.hypervisor.name();
        migration.uuid = process.uuid.clone().or(migration.uuid.take());
        migration.progress.memory_total = migration.progress.memory_total.or(process.memory);
        self.traces.may_speak = !process.monitors.is_empty();
    }

    /// A flow is its.
    pub fn attach(&mut self, flow: &Flow, links: &Links) {
        if !self.flows.contains(&flow.key) {
            self.flows.push(flow.key);
            self.closed = None;
        }
        let migration = &mut self.migration;
        if migration.peer.is_empty() {
            migration.peer = flow.peer.ip().to_string();
        }
        if migration.path.device.is_empty() || migration.path.links.is_empty() {
            if let Some(egress) = &flow.egress {
                migration.path = path::of(egress, links);
            }
        }
    }

    /// Takes in the counts of the links on its way; `count` tells a link's.
    pub fn count_links(&mut self, links: &Links, count: impl Fn(&Link) -> Option<u64>) {
        let path = &self.migration.path;
        // A bridge counts what is for this host only, not what it passes on: the wire's count is the one, unless it is
        // not known yet which wire.
        let counted = if path.members.is_empty() { path.links.last() } else { path.links.first() };
        if let Some(now) = counted.and_then(|index| count(links.get(*index)?)) {
            let grown = self.link_count.map_or(0, |before| now.saturating_sub(before));
            self.link_bytes = Some(self.link_bytes.unwrap_or(0) + grown);
            self.link_count = Some(now);
        }
        if path.members.is_empty() {
            return;
        }
        let now: Vec<(Index, u64)> =
            path.members.iter().filter_map(|index| Some((*index, count(links.get(*index)?)?))).collect();
        let sum = self.traffic.sum();
        match &self.members {
            Some((at, before)) if sum - at >= TELLING => {
                let taken = busiest(before, &now, sum - at).and_then(|index| links.get(index));
                if let Some(member) = taken {
                    self.migration.path.takes(member);
                }
                self.members = Some((sum, now));
            }
            Some(_) => {}
            None => self.members = Some((sum, now)),
        }
    }

    /// After all flows were noted: how many are open, and how fast they are.
    pub fn settle(&mut self, flows: &HashMap<Key, &Flow>, now: Monotonic) {
        if self.flows.is_empty() {
            return;
        }
        let own = || self.flows.iter().filter_map(|key| flows.get(key));
        let open = own().filter(|flow| flow.closed.is_none()).count();
        let last = own().filter_map(|flow| flow.closed).max();
        self.traces.outlived = open == 0 && (self.traces.outlived || own().any(|flow| flow.outlived));
        self.migration.channels = self.migration.channels.max(open);
        self.traffic.mark(now);
        match (open, self.closed) {
            (0, None) => self.closed = Some(last.unwrap_or(now)),
            (0, Some(_)) => {}
            _ => self.closed = None,
        }
        if self.migration.phase == Phase::Setup && !self.migration.told && self.traffic.sum() > PLAIN / 8 {
            let began = self.migration.began;
            self.migration.enter(Phase::MemoryCopy, began);
        }
    }

    /// Without a hypervisor's word, traffic alone must leave no doubt. One that has a monitor is given a moment to deny.
    pub fn confirm_by_traffic(&mut self, flow: &Flow, bytes: Carried, now: Monotonic) {
        let waits = self.traces.may_speak && now.since(self.migration.began) < FIRST_WORD;
        if self.denied.is_some() || waits || !self.migration.is_on() {
            return;
        }
        let usual = ports::is_migration(flow.service_port()) || flow.accepted;
        let enough = if usual { PLAIN } else { PLAIN_ELSEWHERE };
        let Some(direction) = bytes.one_way().filter(|_| bytes.sum() >= enough) else { return };
        if direction != self.migration.direction {
            self.migration.direction = direction;
            self.traffic = Traffic::default();
            self.traffic.note(flow.key, bytes.along(direction));
        }
        self.migration.confirmed = true;
    }

    /// Until when it is known which phase it was in: where a hypervisor has spoken, until its last word, or longer if that was
    /// far from the copy's end (one that is stopped, or waits for a disk, says nothing for seconds).
    pub fn sure_until(&self, now: Monotonic) -> Monotonic {
        match self.traces.spoke {
            Some(spoke) if !self.is_far_from_its_end() => spoke,
            _ => now,
        }
    }

    /// Whether the guest cannot have been stopped since the last word: QEMU stops it once what remains fits into the pause that
    /// is allowed at the rate of late (migration/migration.c), and so much has not been carried since. Somebody may switch to
    /// post-copy at any time.
    fn is_far_from_its_end(&self) -> bool {
        let Migration { phase, progress, limits, .. } = &self.migration;
        let postcopy = limits.capabilities.iter().flatten().any(|name| name == "postcopy-ram");
        let Some(remaining) = progress.remaining.filter(|_| *phase == Phase::MemoryCopy && !postcopy) else {
            return false;
        };
        let rate = self.traffic.rate().unwrap_or(0.0).max(progress.throughput.unwrap_or(0.0));
        let fits = rate * limits.downtime_limit.unwrap_or(USUAL_LIMIT).as_secs_f64();
        let left = remaining.saturating_sub(self.traffic.sum().saturating_sub(self.traces.carried)) as f64;
        fits > 0.0 && left > FAR * fits
    }

    /// Takes in a hypervisor's word.
    pub fn hear(&mut self, what: &What, at: Monotonic) {
        if self.migration.confirmed && self.migration.progress.transferred.is_none() {
            self.carried_before = self.traffic.sum();
        }
        match what {
            What::Progress(progress) if progress.status == Status::None => {
                self.denied = self.denied.or(Some(at));
                return;
            }
            What::Progress(progress) => {
                self.denied = None;
                if is_premature(progress) {
                    self.traces.completing = true;
                    return;
                }
                self.final_word |= progress.status.is_final();
                if progress.status.is_running() {
                    self.traces.spoke = Some(at);
                    self.traces.carried = self.traffic.sum();
                }
            }
            What::Event { event: Event::Completed(_), .. } => self.final_word = true,
            What::Unavailable(_) => self.traces.may_speak = false,
            _ => {}
        }
        self.migration.hear(what, at);
    }

    /// Whether a last word is of the migration before this one: this one has just been found by its flow, and that one's
    /// state stands until this one's is told; or the word is older than this one.
    pub fn is_stale(&self, what: &What, at: Monotonic) -> bool {
        let Some(status) = last_word(what) else { return false };
        if matches!(what, What::Event { .. }) && at < self.migration.began {
            return true;
        }
        if self.migration.told {
            return false;
        }
        let transferred = match what {
            What::Progress(progress) if status == Status::Completed => progress.transferred,
            _ => None,
        };
        // Its bytes are not these bytes.
        self.closed.is_none() || transferred.is_some_and(|count| !is_same(self.traffic.sum(), count))
    }

    /// Bytes moved: as the hypervisor tells, otherwise as its sockets count. Never goes back.
    pub fn transferred(&self) -> Option<u64> {
        let told = self.migration.progress.transferred.map(|count| count.max(self.carried_before));
        told.or(Some(self.traffic.sum()).filter(|sum| *sum > 0))
    }
}

/// The status that a word ends a migration with, if it is such a word of a monitor.
fn last_word(what: &What) -> Option<Status> {
    let status = match what {
        What::Progress(progress) => progress.status,
        What::Event { event: Event::Status(status), .. } => *status,
        _ => return None,
    };
    Some(status).filter(|status| status.is_final())
}

#[cfg(test)]
mod tests {
    use super::{busiest, Entry};
    use crate::analysis::migrations::migration::{Migration, Phase};
    use crate::sample::migration::{Direction, Progress, Status, What};
    use crate::sample::monotonic::Monotonic;
    use std::time::Duration;

    #[test]
    fn a_silent_hypervisor_cannot_have_stopped_a_guest_that_was_far_from_it() {
        let at = |seconds| Monotonic(Duration::from_secs(seconds));
        let silent = |remaining: u64, carried_since: u64| {
            let mut entry = Entry::new(Migration::new(1, "a".into(), Direction::Outgoing, at(0)));
            entry.migration.confirmed = true;
            entry.migration.enter(Phase::MemoryCopy, at(0));
            entry.traffic.note(1, 100_000_000);
            let (remaining, throughput) = (Some(remaining), Some(10e6));
            let word = Progress { status: Status::Active, remaining, throughput, ..Progress::default() };
            entry.hear(&What::Progress(Box::new(word)), at(10));
            entry.traffic.note(1, 100_000_000 + carried_since);
            entry.sure_until(at(13))
        };
        // 0.3 s at 10 MB/s are 3 MB.
        assert_eq!(silent(50_000_000, 0), at(13));
        assert_eq!(silent(50_000_000, 45_000_000), at(10), "it may have ended since");
        assert_eq!(silent(5_000_000, 0), at(10), "too near to say");
    }

    #[test]
    fn the_member_that_grows_with_the_flow_is_taken() {
        let before = [(1, 100), (2, 100)];
        assert_eq!(busiest(&before, &[(1, 180), (2, 100_100)], 100_000), Some(2));
        assert_eq!(busiest(&before, &[(1, 100_100), (2, 100_100)], 100_000), None, "others carry as much");
        assert_eq!(busiest(&before, &[(1, 40_100), (2, 40_100)], 100_000), None, "spread");
    }
}

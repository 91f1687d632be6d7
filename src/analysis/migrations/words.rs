//! What hypervisors say, joined to the migrations that it is about: a word of one that is on makes an entry, last
//! figures find the one that has ended.

use super::entry::{is_same, Entry, LAST_WORD};
use super::migration::Outcome;
use super::tracker::Tracker;
use crate::sample::guest::Process;
use crate::sample::link::Links;
use crate::sample::migration::{Direction, Event, Guest, Progress, RunState, Status, Told, What};
use crate::sample::monotonic::Monotonic;
use std::time::Duration;

impl Tracker {
    /// Takes in what a hypervisor told; `at` is its own time of an event, or when it came.
    pub fn told(&mut self, told: &Told, at: Monotonic) {
        if let (Guest::Process(key), What::Run(RunState::Running)) = (&told.guest, &told.what) {
            let arrives = self.entries.iter().any(|entry| {
                entry.migration.process == Some(*key)
                    && entry.migration.is_on()
                    && entry.migration.direction == Direction::Incoming
            });
            if !arrives {
                self.running.insert(*key);
            }
        }
        let Some(place) = self.place_of(&told.guest, &told.what, at) else { return };
        let entry = &mut self.entries[place];
        if let Guest::Domain { uuid, .. } = &told.guest {
            entry.migration.uuid.get_or_insert_with(|| uuid.clone());
        }
        entry.hear(&told.what, at);
        if let (Some((Outcome::Completed, _)), Direction::Incoming, Some(process)) =
            (entry.migration.ended, entry.migration.direction, entry.migration.process)
        {
            self.running.insert(process);
        }
        self.announce(place);
    }

    /// The entry that a hypervisor's word is about; a word of a migration that is on makes one.
    fn place_of(&mut self, guest: &Guest, what: &What, at: Monotonic) -> Option<usize> {
        let process = self.process_of(guest).cloned();
        let last = self.last_of(process.as_ref(), guest, self.entries.len());
        if let Some(place) = last.filter(|place| self.entries[*place].migration.is_on()) {
            if !self.entries[place].is_stale(what, at) {
                return Some(place);
            }
            let before = self.last_of(process.as_ref(), guest, place);
            return before.filter(|place| self.awaits(*place, what, at));
        }
        if let Some(place) = last {
            if self.awaits(place, what, at) {
                return Some(place);
            }
            if self.entries[place].migration.ended.is_some_and(|(_, ended)| is_of_before(what, at, ended)) {
                return None;
            }
        }
        let awaited = process.as_ref().is_some_and(|p| p.incoming && !self.running.contains(&p.key));
        match (starts(what, awaited), what) {
            // QEMU 8.1 and later say `setup` for as long as they listen for a migration to come.
            (Some(Direction::Incoming), _) if is_setup(what) && matches!(guest, Guest::Process(_)) => None,
            (Some(direction), _) => self.begin_by_word(process.as_ref(), guest, direction, at),
            (None, What::Progress(progress)) => self.adopt(process.as_ref()?, progress),
            _ => None,
        }
    }

    /// The newest entry of a guest among the first ones.
    fn last_of(&self, process: Option<&Process>, guest: &Guest, among: usize) -> Option<usize> {
        let of_guest = |entry: &Entry| match (process, guest) {
            (Some(process), _) if entry.migration.process.is_some() => {
                entry.migration.process == Some(process.key)
            }
            (Some(process), _) => entry.migration.vm == process.name,
            (None, Guest::Domain { name, .. }) => entry.migration.vm == *name,
            (None, Guest::Process(_)) => false,
        };
        self.entries[..among].iter().rposition(of_guest)
    }

    /// Whether this is the last word that a migration still owes after its end.
    fn awaits(&self, place: usize, what: &What, at: Monotonic) -> bool {
        let entry = &self.entries[place];
        let is_last = match what {
            What::Progress(progress) => progress.status.is_final(),
            What::Event { event, .. } => matches!(event, Event::Completed(_)),
            _ => false,
        };
        let owes = entry.migration.ended.is_some_and(|(_, ended)| at.since(ended) < LAST_WORD);
        is_last && owes && !entry.final_word
    }

    fn begin_by_word(
        &mut self,
        process: Option<&Process>,
        guest: &Guest,
        direction: Direction,
        at: Monotonic,
    ) -> Option<usize> {
        match (process, guest) {
            (Some(process), _) => Some(self.begin(process, direction, at)),
            (None, Guest::Domain { name, .. }) => {
                let mut entry = self.entry(name.clone(), direction, at);
                entry.migration.hypervisor = "libvirt";
                self.entries.push(entry);
                Some(self.entries.len() - 1)
            }
            (None, Guest::Process(_)) => None,
        }
    }

    /// Final figures of a migration that nobody saw, and a flow of as many bytes that nobody owned: they are one.
    fn adopt(&mut self, process: &Process, progress: &Progress) -> Option<usize> {
        let transferred = progress.transferred.filter(|_| progress.status == Status::Completed)?;
        let at = self.orphans.iter().position(|(flow, bytes, _)| {
            flow.namespace == process.namespace && is_same(bytes.along(Direction::Outgoing), transferred)
        })?;
        let (flow, bytes, _) = self.orphans.swap_remove(at);
        self.rejected.insert(flow.key);
        let ended = flow.closed.unwrap_or(flow.opened);
        let began = Monotonic(ended.0.saturating_sub(progress.total_time.unwrap_or_default()));
        let place = self.begin(process, Direction::Outgoing, began);
        let entry = &mut self.entries[place];
        entry.attach(&flow, &Links::default());
        entry.traffic.note(flow.key, bytes.sent);
        entry.closed = Some(ended);
        Some(place)
    }

    fn process_of(&self, guest: &Guest) -> Option<&Process> {
        match guest {
            Guest::Process(key) => self.processes.iter().find(|process| process.key == *key),
            Guest::Domain { uuid, name } => {
                let by_uuid = self.processes.iter().find(|process| process.uuid.as_ref() == Some(uuid));
                by_uuid.or_else(|| self.processes.iter().find(|process| process.name == *name))
            }
        }
    }
}

/// Whether a word is of a migration that ended at this time: it was said before, or of a job that began before. One
/// door may say for a moment that it goes on when another has told the end.
fn is_of_before(what: &What, at: Monotonic, ended: Monotonic) -> bool {
    let length = match what {
        What::Progress(progress) => progress.total_time.unwrap_or_default(),
        // Last figures without a length are not of one that nobody has seen begin.
        What::Event { event: Event::Completed(progress), .. } => progress.total_time.unwrap_or(LAST_WORD),
        _ => Duration::ZERO,
    };
    let began = Monotonic(at.0.saturating_sub(length));
    began < ended
}

fn is_setup(what: &What) -> bool {
    match what {
        What::Progress(progress) => progress.status == Status::Setup,
        What::Event { event, .. } => *event == Event::Status(Status::Setup),
        _ => false,
    }
}

/// Whether a word says that a migration is on, and which way.
fn starts(what: &What, awaits: bool) -> Option<Direction> {
    let usual = if awaits { Direction::Incoming } else { Direction::Outgoing };
    match what {
        What::Progress(progress) if progress.status.is_running() => Some(progress.direction.unwrap_or(usual)),
        What::Event { event: Event::Status(status), .. } if status.is_running() => Some(usual),
        What::Event { event: Event::Iteration(_), .. } => Some(Direction::Outgoing),
        What::Event { event: Event::Arriving, .. } => Some(Direction::Incoming),
        What::Event { event: Event::Completed(progress), .. } => Some(progress.direction.unwrap_or(usual)),
        _ => None,
    }
}

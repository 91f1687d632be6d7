//! One migration: a state machine that is fed with whatever its guest has (a monitor, libvirt, flows alone) and tells
//! phases with their times, bytes, the pause and the result.
//!
//! Words of the hypervisor that carry their own time (events, the final figures) beat what was seen between two
//! readings; what nobody told is missing, not guessed.

use crate::sample::migration::{Direction, Limits, Progress};
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::Key;
use crate::topology::path::Path;
use std::time::Duration;

/// A part of a migration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// Connections are made.
    #[default]
    Setup,
    /// Memory is copied, the guest runs.
    MemoryCopy,
    /// The guest stands still and the rest is moved.
    StateTransfer,
    /// The guest runs at the destination and its memory follows.
    Postcopy,
}

/// All phases, in their order.
pub const PHASES: [Phase; 4] = [Phase::Setup, Phase::MemoryCopy, Phase::StateTransfer, Phase::Postcopy];

impl Phase {
    /// Its label value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::MemoryCopy => "memory_copy",
            Self::StateTransfer => "state_transfer",
            Self::Postcopy => "postcopy",
        }
    }
}

/// How a migration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The guest runs at the destination.
    Completed,
    /// It did not work out.
    Failed,
    /// Somebody called it off.
    Cancelled,
}

/// All outcomes.
pub const OUTCOMES: [Outcome; 3] = [Outcome::Completed, Outcome::Failed, Outcome::Cancelled];

impl Outcome {
    /// Its label value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One migration, from its first sign on.
#[derive(Debug, Clone)]
pub struct Migration {
    /// Never used again.
    pub key: Key,
    /// The guest's name.
    pub vm: String,
    /// The guest's UUID, lower case with hyphens: the same on both hosts.
    pub uuid: Option<String>,
    /// Its process on this host, if it has one here.
    pub process: Option<Key>,
    /// Which hypervisor.
    pub hypervisor: &'static str,
    /// Which way.
    pub direction: Direction,
    /// When it began.
    pub began: Monotonic,
    /// How it ended, and when.
    pub ended: Option<(Outcome, Monotonic)>,
    /// Where it stands; after the end, where it ended.
    pub phase: Phase,
    since: Monotonic,
    spent: [Duration; 4],
    /// What the hypervisor told last, newer words over older ones.
    pub progress: Progress,
    /// What it keeps to.
    pub limits: Limits,
    /// How long the guest stood still, by events or by the hypervisor's own measure.
    pub pause: Option<Duration>,
    pub(super) stopped: Option<Monotonic>,
    /// When the guest went on here, at the destination.
    pub resumed: Option<Monotonic>,
    /// A hypervisor said that it is on, or its traffic leaves no doubt.
    pub confirmed: bool,
    /// A hypervisor told of it itself.
    pub told: bool,
    /// The flow's way through this host.
    pub path: Path,
    /// The far end's address.
    pub peer: String,
    /// How many connections it had at most at once.
    pub channels: usize,
}

impl Migration {
    /// A migration that has just shown its first sign.
    pub fn new(key: Key, vm: String, direction: Direction, began: Monotonic) -> Self {
        Self {
            key,
            vm,
            uuid: None,
            process: None,
            hypervisor: "",
            direction,
            began,
            ended: None,
            phase: Phase::Setup,
            since: began,
            spent: [Duration::ZERO; 4],
            progress: Progress::default(),
            limits: Limits::default(),
            pause: None,
            stopped: None,
            resumed: None,
            confirmed: false,
            told: false,
            path: Path::default(),
            peer: String::new(),
            channels: 0,
        }
    }

    /// Whether it is still going on.
    pub fn is_on(&self) -> bool {
        self.ended.is_none()
    }

    /// How long a phase has lasted until now.
    pub fn spent(&self, phase: Phase, now: Monotonic) -> Duration {
        let running =
            if self.is_on() && self.phase == phase { now.since(self.since) } else { Duration::ZERO };
        self.spent[phase as usize] + running
    }

    /// From its beginning to its end or now.
    pub fn length(&self, now: Monotonic) -> Duration {
        PHASES.iter().map(|phase| self.spent(*phase, now)).sum()
    }

    /// It goes over to another phase. Time does not run back: an event may be told after what followed it was seen.
    pub fn enter(&mut self, phase: Phase, at: Monotonic) {
        if self.phase == phase || !self.is_on() {
            return;
        }
        self.spent[self.phase as usize] += at.since(self.since);
        self.since = self.since.max(at);
        self.phase = phase;
    }

    /// It is found to have begun before it was seen.
    pub fn began_earlier(&mut self, at: Monotonic) {
        if at >= self.began {
            return;
        }
        if self.since == self.began {
            self.since = at;
        } else {
            self.spent[Phase::Setup as usize] += self.began.since(at);
        }
        self.began = at;
    }

    /// When the guest stopped here for good, by the lengths of its phases, which are exact where the end is seen late;
    /// `None` before the end, or where it did not stop.
    pub fn stopped_at(&self) -> Option<Monotonic> {
        let [setup, copy, pause, _] = self.spent;
        self.ended.filter(|_| !pause.is_zero()).map(|_| Monotonic(self.began.0 + setup + copy))
    }

    /// It is over.
    pub fn end(&mut self, outcome: Outcome, at: Monotonic) {
        if !self.is_on() {
            return;
        }
        // A guest that went on before the end was seen had arrived then, unless its memory followed.
        let arrived = self.resumed.filter(|_| outcome == Outcome::Completed && self.phase != Phase::Postcopy);
        let at = arrived.map_or(at, |resumed| resumed.min(at)).max(self.since);
        self.spent[self.phase as usize] += at.since(self.since);
        self.ended = Some((outcome, at));
        if let Some(stopped) = self.stopped.take().filter(|_| outcome == Outcome::Completed) {
            self.pause = self.pause.or(Some(at.since(stopped)));
        }
        self.take_final_figures();
    }

    /// The hypervisor's own measure at the end is exact where ours lies between two readings.
    pub(super) fn take_final_figures(&mut self) {
        let Progress { total_time, setup_time, downtime, .. } = self.progress;
        self.pause = downtime.or(self.pause);
        let completed = self.ended.is_some_and(|(outcome, _)| outcome == Outcome::Completed);
        let (Some(total), Some(setup), Some(downtime), true) = (total_time, setup_time, downtime, completed)
        else {
            return;
        };
        // Parts that are longer than the whole are not taken for parts.
        let Some(rest) = total.checked_sub(setup + downtime) else { return };
        let postcopy = self.spent[Phase::Postcopy as usize].min(rest);
        self.spent = [setup, rest.saturating_sub(postcopy), downtime, postcopy];
    }
}

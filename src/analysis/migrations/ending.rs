//! How a migration ends that no hypervisor ends: by its flows, its process, and what its guest does afterwards.

use super::entry::{Entry, LAST_WORD};
use super::migration::{Outcome, Phase};
use crate::sample::migration::{Direction, Status};
use crate::sample::monotonic::Monotonic;
use std::time::Duration;

/// How long a connection's last figures may be on their way after its end.
const LAST_FIGURES: Duration = Duration::from_millis(150);
/// Without a hypervisor's word: when the guest's processors are looked at after the last flow has ended.
const LOOK: [Duration; 2] = [Duration::from_millis(300), Duration::from_millis(1500)];
/// A guest that ran less than this between the two looks stands still. A stopped one runs not at all.
const STILL: u64 = 1_000_000;

/// What tells of a migration, of its end above all, where no hypervisor does.
#[derive(Debug, Clone, Copy, Default)]
pub struct Traces {
    /// Its process was seen alive after its last flow had ended.
    pub outlived: bool,
    /// The time its virtual CPUs had run at the first look after that.
    pub ran: Option<u64>,
    /// When a hypervisor last said that it goes on.
    pub spoke: Option<Monotonic>,
    /// Bytes that its flows had carried then.
    pub carried: u64,
    /// A hypervisor said that it is completed, before it had figures.
    pub completing: bool,
    /// Its hypervisor can be asked.
    pub may_speak: bool,
}

impl Entry {
    /// Its process has ended; `ran` is how long its virtual CPUs had run.
    pub fn process_gone(&mut self, ran: Option<u64>, now: Monotonic) {
        let at = self.last_sign().unwrap_or(now);
        // A manager ends the source's process when the guest runs elsewhere: the flows have ended before it. One that
        // dies in the copy takes its flows with it.
        let finished = self.traces.completing || self.migration.phase == Phase::StateTransfer;
        let moved = self.closed.is_some()
            && (self.traces.outlived && self.went_on(ran) != Some(true) || finished)
            && self.migration.direction == Direction::Outgoing;
        let outcome = if moved { Outcome::Completed } else { Outcome::Failed };
        self.migration.end(outcome, at);
    }

    /// When the last bytes went, or the last flow was gone: a connection outlives its last byte by its farewell.
    fn last_sign(&self) -> Option<Monotonic> {
        match (self.closed, self.traffic.grew()) {
            (Some(closed), Some(grew)) => Some(closed.min(grew)),
            (closed, grew) => closed.or(grew),
        }
    }

    /// Whether the guest ran here after the first look; `None` if that cannot be seen.
    fn went_on(&self, ran: Option<u64>) -> Option<bool> {
        Some(ran?.saturating_sub(self.traces.ran?) > STILL)
    }

    /// Ends a migration whose flows have ended and whose hypervisor says nothing.
    pub fn judge(&mut self, ran: Option<u64>, now: Monotonic) {
        let Some(closed) = self.closed else { return };
        let quiet = now.since(closed.max(self.traces.spoke.unwrap_or(closed)));
        let arrived = self.migration.resumed.is_some();
        let patience = match (arrived, self.migration.told) {
            (true, _) => LOOK[0],
            (false, true) => LAST_WORD,
            (false, false) => LOOK[1],
        };
        if now.since(closed) >= LOOK[0] && self.traces.ran.is_none() {
            self.traces.ran = ran;
        }
        // Post-copy that lost its connection waits for another, however long.
        let waits = self.migration.progress.status == Status::PostcopyPaused;
        if quiet < patience || waits || !self.migration.confirmed {
            return;
        }
        let outcome = match (self.migration.direction, self.went_on(ran)) {
            _ if arrived || self.traces.completing => Outcome::Completed,
            (Direction::Outgoing, Some(true)) | (Direction::Incoming, Some(false)) => Outcome::Failed,
            _ => Outcome::Completed,
        };
        self.migration.end(outcome, self.last_sign().unwrap_or(closed));
    }

    /// Nothing more is to be heard of it.
    pub fn owes_nothing(&self, now: Monotonic) -> bool {
        self.migration.ended.is_some_and(|(_, ended)| {
            let said = self.final_word || !self.migration.told;
            // The kernel tells the last figures of a connection a moment after it is gone.
            let counted =
                self.flows.is_empty() || self.closed.is_some_and(|at| now.since(at) >= LAST_FIGURES);
            said && counted || now.since(ended) >= LAST_WORD
        })
    }
}

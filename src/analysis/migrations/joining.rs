//! Which migration a flow is of: its guest's that is on, a new one, or none.

use super::entry::{LAST_WORD, PLAIN, PLAIN_ELSEWHERE};
use super::tracker::{News, Tracker};
use super::traffic::Carried;
use crate::sample::flow::Flow;
use crate::sample::guest::{Hypervisor, Process};
use crate::sample::link::Links;
use crate::sample::migration::Direction;
use crate::sample::monotonic::Monotonic;
use crate::sample::ports;
use crate::sample::subject::Key;

impl Tracker {
    pub(super) fn flow(&mut self, flow: &Flow, owner: Key, bytes: Carried, links: &Links, now: Monotonic) {
        let known = self.entries.iter().position(|entry| entry.flows.contains(&flow.key));
        let place = known.or_else(|| self.place_for(flow, owner, bytes, now));
        let Some(place) = place else { return };
        let entry = &mut self.entries[place];
        entry.attach(flow, links);
        entry.migration.began_earlier(Monotonic(now.0.saturating_sub(bytes.busy)));
        let direction = entry.migration.direction;
        let new = entry.traffic.note(flow.key, bytes.along(direction));
        if !entry.migration.confirmed {
            entry.confirm_by_traffic(flow, bytes, now);
        } else if new > 0 {
            let device = entry.migration.path.device.clone();
            self.news.push(News::Carried { device, direction, bytes: new });
        }
        self.announce(place);
    }

    /// The entry of a flow that belongs to none yet: its guest's migration, or a new one. `None` if it is none.
    fn place_for(&mut self, flow: &Flow, owner: Key, bytes: Carried, now: Monotonic) -> Option<usize> {
        let port = flow.service_port();
        if self.rejected.contains(&flow.key) || ports::is_storage(port) || ports::is_console(port) {
            return None;
        }
        let process = self.processes.iter().find(|process| process.key == owner)?.clone();
        if let Some(at) = self.on(&process) {
            self.entries[at].belongs_to(&process);
            return Some(at);
        }
        let usual =
            ports::is_migration(flow.local.port()) || ports::is_migration(flow.peer.port()) || flow.accepted;
        let large = bytes.sum() >= PLAIN_ELSEWHERE && bytes.one_way().is_some();
        let expected = usual && process.hypervisor != Hypervisor::Proxy && flow.closed.is_none();
        if !expected && !large {
            return None;
        }
        Some(self.begin(&process, self.direction(flow, &process, bytes), flow.opened.min(now)))
    }

    /// Which way a flow's guest moves.
    fn direction(&self, flow: &Flow, process: &Process, bytes: Carried) -> Direction {
        let awaits = process.incoming && !self.running.contains(&process.key);
        let by_port = ports::is_migration(flow.local.port()) && !ports::is_migration(flow.peer.port());
        let first =
            if awaits || flow.accepted || by_port { Direction::Incoming } else { Direction::Outgoing };
        bytes.one_way().filter(|_| bytes.sum() >= PLAIN).unwrap_or(first)
    }

    /// The migration of a process that is on.
    fn on(&self, process: &Process) -> Option<usize> {
        self.entries.iter().position(|entry| {
            let migration = &entry.migration;
            let same = migration.process == Some(process.key)
                || migration.process.is_none() && migration.vm == process.name;
            migration.is_on() && same
        })
    }

    /// A flow that ended before it was seen: whose was it? All guests of its namespace are asked.
    pub(super) fn orphan(&mut self, flow: &Flow, bytes: Carried, links: &Links, now: Monotonic) {
        if let Some(adopted) = self.entries.iter_mut().find(|entry| entry.flows.contains(&flow.key)) {
            adopted.attach(flow, links);
            return;
        }
        let known = self.orphans.iter().any(|(orphan, ..)| orphan.key == flow.key);
        if known || self.rejected.contains(&flow.key) || bytes.one_way().is_none() {
            return;
        }
        self.orphans.push((flow.clone(), bytes, Monotonic(now.0 + LAST_WORD)));
    }
}

//! All guests of one libvirt daemon: which of them are followed, and which is asked next.

use super::guest::{Answer, Guest, Question};
use crate::sample::guest::{Followed, Process};
use crate::sample::migration::{Guest as Name, Speaker, Told, Unavailable, What};
use crate::sample::monotonic::Monotonic;
use crate::source::transport::libvirt::notice::{self, Notice};
use crate::source::transport::libvirt::procedure::{Domain, Refusal, Uuid};
use std::collections::BTreeMap;
use std::time::Duration;

/// Domains that are known at most; libvirt's own limit of a list.
const MOST: usize = 16_384;
/// How often a guest that is followed is looked at even if nothing is due.
const LOOK: Duration = Duration::from_millis(200);
/// How often all is looked at even if no guest is followed.
const REST: Duration = Duration::from_secs(2);

/// A guest that the agent asks for.
#[derive(Debug, Clone)]
struct Wanted {
    uuid: Option<String>,
    name: String,
    paused: bool,
    /// The daemon has it.
    known: bool,
    /// What was told of it while the daemon never said whose it is.
    told: Option<Unavailable>,
}

impl Wanted {
    fn of(process: &Process, paused: bool) -> Self {
        Self { uuid: process.uuid.clone(), name: process.name.clone(), paused, known: false, told: None }
    }

    /// By its UUID; by its name only where the UUID is not known.
    fn is(&self, uuid: &str, name: &str) -> bool {
        self.uuid.as_ref().map_or(self.name == name, |own| own == uuid)
    }
}

/// What is known of a daemon's guests. It outlives connections.
#[derive(Debug, Default)]
pub struct Watch {
    domains: BTreeMap<Uuid, Domain>,
    guests: BTreeMap<Uuid, Guest>,
    wanted: Vec<Wanted>,
    listed: bool,
    list_is_old: bool,
    connected: bool,
    down: Option<Unavailable>,
    told: Vec<Told>,
}

impl Watch {
    /// Which guests the agent asks for.
    pub fn want(&mut self, followed: &Followed, now: Monotonic) {
        let processes = followed.wanted.iter().filter_map(|wanted| {
            followed.process(wanted.key).map(|process| Wanted::of(process, wanted.paused))
        });
        let mut wanted: Vec<Wanted> = processes.collect();
        for new in &mut wanted {
            new.told = self
                .wanted
                .iter()
                .find(|old| old.uuid == new.uuid && old.name == new.name)
                .and_then(|o| o.told);
        }
        self.wanted = wanted;
        self.match_wanted(now);
        self.list_is_old |= self.wanted.iter().any(|wanted| !wanted.known);
        self.say_down(now);
    }

    /// Whether the agent asks for a guest, or one moves.
    pub fn is_needed(&self) -> bool {
        !self.wanted.is_empty() || !self.guests.is_empty()
    }

    fn match_wanted(&mut self, now: Monotonic) {
        for wanted in &mut self.wanted {
            wanted.known = false;
        }
        let mut unwanted: Vec<Uuid> = self.guests.keys().copied().collect();
        let domains = if self.wanted.is_empty() { None } else { Some(self.domains.values()) };
        for domain in domains.into_iter().flatten() {
            let text = domain.uuid_text();
            let Some(wanted) = self.wanted.iter_mut().find(|w| w.is(&text, &domain.name)) else { continue };
            wanted.known = true;
            unwanted.retain(|uuid| *uuid != domain.uuid);
            let guest = self.guests.entry(domain.uuid).or_insert_with(|| Guest::new(domain.clone(), now));
            guest.want(true, wanted.paused, now);
        }
        for uuid in unwanted {
            if let Some(guest) = self.guests.get_mut(&uuid) {
                guest.want(false, false, now);
            }
        }
        self.forget();
    }

    fn forget(&mut self) {
        let told = &mut self.told;
        for guest in self.guests.values_mut() {
            told.append(&mut guest.take_told());
        }
        self.guests.retain(|_, guest| guest.is_followed());
    }

    /// All domains that run.
    pub fn list(&mut self, domains: Vec<Domain>, now: Monotonic) {
        self.domains = domains.into_iter().take(MOST).map(|domain| (domain.uuid, domain)).collect();
        self.listed = true;
        self.match_wanted(now);
    }

    /// Whether the list should be read again; asking takes it back.
    pub fn take_list_is_old(&mut self) -> bool {
        std::mem::take(&mut self.list_is_old)
    }

    /// There is a connection: all that is known is looked at again.
    pub fn connected(&mut self, now: Monotonic) {
        (self.connected, self.down) = (true, None);
        self.list_is_old = true;
        for wanted in &mut self.wanted {
            wanted.told = None;
        }
        for guest in self.guests.values_mut() {
            guest.connected(now);
        }
    }

    /// There is none (any more). What was known is not forgotten.
    pub fn disconnected(&mut self, why: Unavailable, now: Monotonic) {
        (self.connected, self.down) = (false, Some(why));
        for guest in self.guests.values_mut() {
            guest.disconnected();
        }
        self.say_down(now);
    }

    /// Whether there is a connection.
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// Tells it of every guest that is followed, and of wanted ones that may be this daemon's.
    fn say_down(&mut self, now: Monotonic) {
        let Some(why) = self.down else { return };
        self.tell_all(why, now);
        if self.listed {
            return;
        }
        for wanted in self.wanted.iter_mut().filter(|wanted| wanted.told != Some(why)) {
            let Some(uuid) = wanted.uuid.clone() else { continue };
            wanted.told = Some(why);
            let guest = Name::Domain { uuid, name: wanted.name.clone() };
            self.told.push(Told { guest, by: Speaker::Libvirt, at: now, what: What::Unavailable(why) });
        }
    }

    /// Tells of every guest that libvirt cannot be asked; of each once until it answers.
    pub fn tell_all(&mut self, why: Unavailable, now: Monotonic) {
        for guest in self.guests.values_mut() {
            guest.tell_unavailable(why, now);
        }
    }

    /// The next question, of the guest that has waited longest; it counts as asked.
    pub fn question(&mut self, now: Monotonic) -> Option<(Domain, Question)> {
        let due = |guest: &Guest| guest.due().filter(|due| *due <= now);
        let guests = self.guests.values_mut().filter_map(|guest| due(guest).map(|due| (due, guest)));
        let (_, guest) = guests.min_by_key(|(due, _)| *due)?;
        let question = guest.question(now);
        Some((guest.domain().clone(), question))
    }

    /// How long nothing is due.
    pub fn rest(&self, now: Monotonic) -> Duration {
        let most = if self.guests.is_empty() { REST } else { LOOK };
        let due = self.guests.values().filter_map(Guest::due).min();
        due.map_or(most, |due| due.since(now).min(most))
    }

    /// A question was answered.
    pub fn answer(&mut self, of: Uuid, question: Question, answer: Result<Answer, Refusal>, now: Monotonic) {
        if let Some(guest) = self.guests.get_mut(&of) {
            guest.answer(question, answer, now);
        }
    }

    /// Something happened to a domain.
    pub fn notice(&mut self, notice: Notice, now: Monotonic) {
        let Notice { domain, what } = notice;
        self.list_is_old |= matches!(what, notice::What::Lifecycle(..));
        let uuid = domain.uuid;
        if self.domains.len() < MOST || self.domains.contains_key(&uuid) {
            self.domains.insert(uuid, domain.clone());
        }
        if self.guests.len() < MOST || self.guests.contains_key(&uuid) {
            self.guests.entry(uuid).or_insert_with(|| Guest::new(domain, now)).notice(&what, now);
        }
        self.forget();
    }

    /// What only time tells.
    pub fn tick(&mut self, now: Monotonic) {
        for guest in self.guests.values_mut() {
            guest.tick(now);
        }
    }

    /// What was told since the last time.
    pub fn take_told(&mut self) -> Vec<Told> {
        self.forget();
        std::mem::take(&mut self.told)
    }
}

#[cfg(test)]
mod tests;

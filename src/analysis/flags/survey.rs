//! Judges links when something has happened on them, and keeps what was found. Links that nothing has happened on have their turn
//! now and then, so ten thousand idle links cost little more than a few.

use super::changes::{Changes, Kind};
use super::contract::Flagged;
use super::footings::Footings;
use super::gather::{Around, Host, Passed};
use super::history::{Counter, History};
pub use super::manner::Manner;
use super::round_trips::note_round_trips;
use super::shapers::Shapers;
use super::softnet_backlog::OWN;
use super::storage_usage::by_link;
use super::tables::{moved, Tables};
use super::{table, FLAGS};
use crate::analysis::migrations::entry::Entry;
use crate::sample::block::Block;
use crate::sample::flag::{Finding, Findings};
use crate::sample::link::{Index, Link, Links};
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::Key;
use crate::topology::roles::Patterns;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// A link that is new is judged at so many ticks, because what belongs to it is read by and by.
const YOUNG: u8 = 3;
/// Between two turns of links that nothing has happened on.
const TURN: Duration = Duration::from_secs(5);
/// Turns in which all links come once that are slow or that others move something over, because a median moves on by itself: two minutes.
const LIVELY: usize = 24;
/// The same of all links, in case that a change was missed: an hour.
const QUIET: usize = 720;

/// What was found of one link, a bit for each flag.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Judged {
    /// It slows migrations.
    pub slows: u16,
    /// It does not.
    pub fine: u16,
    /// At how many of the next ticks it is judged before its turn.
    due: u8,
    /// Others move something over it.
    busy: bool,
}

/// What was found of all links.
#[derive(Debug)]
pub struct Survey {
    manner: Manner,
    links: Arc<Links>,
    tables: Tables,
    history: History,
    shapers: Shapers,
    round_trips: HashMap<Key, Duration>,
    /// The migrations of late.
    passed: Vec<Passed>,
    /// The names of links that are meant for migrations.
    dedicated: Patterns,
    /// A row for each exported link.
    judged: Vec<Judged>,
    /// The places of those that are due; one that is there twice is judged once.
    due: VecDeque<u32>,
    turned: Monotonic,
    /// Where the next turns begin: of the lively ones, and of all.
    next: [usize; 2],
    found: HashMap<Key, Vec<Finding>>,
    /// Something of the table has changed.
    changed: bool,
    /// The words of a finding have.
    reworded: bool,
    findings: Arc<Findings>,
    block: Option<Arc<Block>>,
    /// What the links' capacities are made of.
    pub footings: Footings,
}

impl Survey {
    /// Nothing is known yet.
    pub fn new(manner: Manner) -> Self {
        Self {
            manner,
            links: Arc::default(),
            tables: Tables::default(),
            history: History::new(manner.step),
            shapers: Shapers::default(),
            round_trips: HashMap::new(),
            passed: Vec::new(),
            dedicated: Patterns::default(),
            judged: Vec::new(),
            due: VecDeque::new(),
            turned: Monotonic::default(),
            next: [0; 2],
            found: HashMap::new(),
            changed: false,
            reworded: false,
            findings: Arc::default(),
            block: None,
            footings: Footings::default(),
        }
    }

    /// Other links are meant for migrations from now on.
    pub fn dedicate(&mut self, dedicated: Patterns) {
        self.dedicated = dedicated;
        self.mark_where(|_, _| true);
    }

    /// Takes in the tables of a new frame, and judges the links that it concerns. `entries` are the migrations of late.
    pub fn go_on(&mut self, blocks: &[Arc<Block>], links: &Arc<Links>, entries: &[Entry], now: Monotonic) {
        if !Arc::ptr_eq(&self.links, links) {
            self.relink(links);
        }
        let changes = self.tables.refresh(blocks, links);
        if changes.rows {
            self.history.follow(&self.tables);
        }
        self.note_migrations(entries);
        self.note_part(entries, now);
        self.mark_changes(&changes);
        self.take_turns(now);
        if !self.due.is_empty() {
            self.judge();
        }
        if self.changed || self.reworded {
            self.publish(now);
        }
        self.footings.publish(&self.links, now, self.manner.all);
    }

    /// The links are others: rows go with their keys, and what is new or has changed is due, with what stands on it.
    fn relink(&mut self, links: &Arc<Links>) {
        let before = moved(self.links.subjects().keys(), links.subjects().keys());
        let old = |place: usize| self.links.all().get(before[place] as usize);
        let has_changed: Vec<bool> =
            links.all().iter().enumerate().map(|(place, link)| old(place) != Some(link)).collect();
        let changed = |index: Option<Index>| {
            index.and_then(|index| links.row(index)).is_some_and(|place| has_changed[place])
        };
        let masters: HashSet<Index> = (0..has_changed.len())
            .filter(|place| has_changed[*place])
            .flat_map(|place| [links.all()[place].master, old(place).and_then(|link| link.master)])
            .flatten()
            .collect();
        let judged = links.exported().iter().enumerate().map(|(place, link)| {
            let known = self.judged.get(before[place] as usize).copied();
            let mut judged = known.unwrap_or_default();
            let waited = judged.due > 0;
            if known.is_none() || has_changed[place] || changed(link.lower) || masters.contains(&link.index) {
                judged.due = YOUNG;
            }
            (judged, waited)
        });
        let (judged, waited): (Vec<Judged>, Vec<bool>) = judged.unzip();
        let (old, new): (Vec<usize>, Vec<usize>) =
            (0..judged.len()).filter(|place| judged[*place].due > 0).partition(|place| waited[*place]);
        self.due = new.into_iter().chain(old).map(|place| place as u32).collect();
        self.judged = judged;
        if !self.found.is_empty() || !self.round_trips.is_empty() {
            let keys: HashSet<Key> = links.exported().iter().map(|link| link.key).collect();
            self.found.retain(|key, _| keys.contains(key));
            self.round_trips.retain(|key, _| keys.contains(key));
        }
        self.links = Arc::clone(links);
        self.footings.keep(links);
        self.changed = true;
    }

    /// A link is judged next.
    fn mark(&mut self, place: usize) {
        if let Some(judged) = self.judged.get_mut(place) {
            judged.due = judged.due.max(1);
            self.due.push_front(place as u32);
        }
    }

    /// Links are judged after those that are due already.
    fn mark_where(&mut self, is_meant: impl Fn(&Self, usize) -> bool) {
        for place in 0..self.judged.len() {
            if self.judged[place].due == 0 && is_meant(self, place) {
                self.judged[place].due = 1;
                self.due.push_back(place as u32);
            }
        }
    }

    fn mark_changes(&mut self, changes: &Changes) {
        changes.links.iter().for_each(|place| self.mark(*place));
        if changes.kinds.contains(&Kind::Queues) {
            let names: HashSet<String> = self.shapers.refresh(&self.tables).into_iter().collect();
            if !names.is_empty() {
                self.mark_where(|survey, place| names.contains(&survey.links.all()[place].name));
            }
        }
        if changes.kinds.contains(&Kind::Bonds) {
            let is_bond = |link: &Link| matches!(&*link.kind, "bond" | "team");
            self.mark_where(|survey, place| is_bond(&survey.links.all()[place]));
        }
        if changes.kinds.contains(&Kind::Ports) {
            let names = super::gather::rdma_devices(&self.tables);
            self.mark_where(|survey, place| names.contains(&survey.links.all()[place].name));
        }
        if changes.kinds.contains(&Kind::Storage) {
            let found = by_link(&self.tables, &self.links).unwrap_or_default();
            self.mark_where(|survey, place| found.contains_key(&survey.links.all()[place].index));
        }
        if changes.kinds.contains(&Kind::Backlogs) {
            let processed = self.history.total(&self.tables, Counter::Processed);
            self.mark_where(|survey, place| {
                let packets = survey.history.sum(&survey.tables, Counter::Packets, place);
                packets.is_some_and(|packets| packets as f64 >= OWN * processed as f64)
            });
        }
        if changes.kinds.contains(&Kind::Host) || self.manner.all {
            self.mark_where(|_, _| true);
        }
    }

    /// Keeps the migrations of late; a new one, or other words about it, concern its links.
    fn note_migrations(&mut self, entries: &[Entry]) {
        let confirmed =
            || entries.iter().map(|entry| &entry.migration).filter(|migration| migration.confirmed);
        let same = confirmed().count() == self.passed.len()
            && confirmed().zip(&self.passed).all(|(migration, passed)| passed.is_of(migration));
        if !same {
            let now: Vec<Passed> = confirmed().map(Passed::of).collect();
            let before = std::mem::replace(&mut self.passed, now);
            let both = before.iter().chain(&self.passed).flat_map(|passed| &passed.links);
            let places: Vec<usize> = both.filter_map(|index| self.links.row(*index)).collect();
            places.into_iter().for_each(|place| self.mark(place));
        }
        note_round_trips(&mut self.round_trips, &self.tables, &self.links, entries);
    }

    /// After a part of the history: links whose traffic has changed are due.
    fn note_part(&mut self, entries: &[Entry], now: Monotonic) {
        let migrating = entries.iter().filter(|entry| entry.migration.is_on());
        let indices = migrating.flat_map(|entry| &entry.migration.path.links);
        let keys: Vec<Key> =
            indices.filter_map(|index| self.links.get(*index)).map(|link| link.key).collect();
        let Some(news) = self.history.note(&self.tables, &keys, now) else { return };
        news.places.iter().for_each(|place| self.mark(*place));
        if news.first {
            self.mark_where(|_, _| true);
        }
        self.judged.iter_mut().for_each(|judged| judged.busy = false);
        for place in news.busy {
            if let Some(judged) = self.judged.get_mut(place) {
                judged.busy = true;
            }
        }
    }

    /// Now and then a few links are due that nothing has happened on.
    fn take_turns(&mut self, now: Monotonic) {
        if now.since(self.turned) < TURN || self.judged.is_empty() {
            return;
        }
        self.turned = now;
        let is_lively = |judged: &Judged| judged.busy || judged.slows > 0;
        let lively = self.judged.iter().filter(|judged| is_lively(judged)).count();
        self.take_turn(0, lively.div_ceil(LIVELY), is_lively);
        self.take_turn(1, self.judged.len().div_ceil(QUIET), |_| true);
    }

    /// Lets the next so many links be due.
    fn take_turn(&mut self, turn: usize, most: usize, is_meant: impl Fn(&Judged) -> bool) {
        let (count, begin) = (self.judged.len(), self.next[turn]);
        let mut left = most;
        for place in (0..count).map(|step| (begin + step) % count) {
            if left == 0 {
                break;
            }
            if is_meant(&self.judged[place]) {
                self.mark(place);
                self.next[turn] = place + 1;
                left -= 1;
            }
        }
    }

    /// Judges what is due.
    fn judge(&mut self) {
        let around = Around {
            links: &self.links,
            tables: &self.tables,
            history: &self.history,
            shapers: &self.shapers,
            passed: &self.passed,
            round_trips: &self.round_trips,
            dedicated: &self.dedicated,
            storage: by_link(&self.tables, &self.links),
            host: Host::of(&self.tables, &self.history),
        };
        let mut left = self.due.len().min(self.manner.changed);
        let mut again = Vec::new();
        while left > 0 {
            let Some(place) = self.due.pop_front().map(|place| place as usize) else { break };
            if self.judged[place].due == 0 {
                continue;
            }
            left -= 1;
            let link = &self.links.all()[place];
            let (judged, found) = judge_link(&around, place, self.manner.all, &mut self.footings);
            let old = &mut self.judged[place];
            let other_result = (judged.slows, judged.fine) != (old.slows, old.fine);
            *old = Judged { due: old.due.saturating_sub(1), busy: old.busy, ..judged };
            if old.due > 0 {
                again.push(place);
            }
            let known = self.found.get(&link.key).map_or(&[][..], Vec::as_slice);
            let ratios = |list: &[Finding]| list.iter().map(Finding::ratio).collect::<Vec<_>>();
            if known != found.as_slice() {
                self.reworded = true;
                self.changed |= ratios(known) != ratios(&found);
            }
            self.changed |= other_result;
            if found.is_empty() {
                self.found.remove(&link.key);
            } else {
                self.found.insert(link.key, found);
            }
        }
        self.due.extend(again.into_iter().map(|place| place as u32));
        if self.due.is_empty() {
            // A host of many new links has had many at once.
            self.due.shrink_to(64);
        }
    }

    fn publish(&mut self, now: Monotonic) {
        let mut list: Vec<Finding> = self.found.values().flatten().cloned().collect();
        let worst = |finding: &Finding| finding.ratio().unwrap_or(0.0);
        list.sort_by(|a, b| {
            worst(b).total_cmp(&worst(a)).then_with(|| (&a.device, a.cause).cmp(&(&b.device, b.cause)))
        });
        let mut judged = Arc::clone(&self.findings.judged);
        if self.changed {
            let links = self.links.exported();
            let known = links.iter().zip(&self.judged).filter(|(_, judged)| judged.slows | judged.fine > 0);
            judged = known.map(|(link, _)| link.key).collect();
            let before = self.block.as_deref();
            self.block = table::block(links, &self.judged, &self.found, before, now).map(Arc::new);
        }
        self.findings = Arc::new(Findings { judged, list });
        (self.changed, self.reworded) = (false, false);
    }

    /// What was found so far, worst first.
    pub fn findings(&self) -> &Arc<Findings> {
        &self.findings
    }

    /// The same as a table; `None` before anything was judged.
    pub fn block(&self) -> Option<&Arc<Block>> {
        self.block.as_ref()
    }
}

/// What the flags say of a link: of one that is down nothing.
fn judge_link(
    around: &Around<'_>,
    place: usize,
    all: bool,
    footings: &mut Footings,
) -> (Judged, Vec<Finding>) {
    let link = &around.links.all()[place];
    let (mut judged, mut found) = (Judged::default(), Vec::new());
    if !link.admin_up || !link.oper_up {
        footings.forget(link.key);
        return (judged, found);
    }
    let state = around.state(place);
    footings.note(link, &state);
    for (bit, flag) in FLAGS.iter().enumerate() {
        let result = (flag.judge)(&state);
        match &result {
            Flagged::Slows { .. } => judged.slows |= 1 << bit,
            Flagged::Fine(_) => judged.fine |= 1 << bit,
            Flagged::Unknown(_) => {}
        }
        if all || matches!(result, Flagged::Slows { .. }) {
            found.push(Finding { key: link.key, device: link.name.clone(), cause: flag.cause, result });
        }
    }
    (judged, found)
}

#[cfg(test)]
mod tests;

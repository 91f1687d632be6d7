//! Judges links by and by, and keeps what was found: those whose settings or counters have changed at once, a few of the others at
//! every tick in turn. So ten thousand idle links cost no more than a few.

use super::contract::Flagged;
use super::gather::{Around, Host, Passed};
use super::history::History;
use super::shapers::Shapers;
use super::state::Seen;
use super::tables::{Changes, Tables};
use super::{table, FLAGS};
use crate::analysis::migrations::entry::Entry;
use crate::sample::block::Block;
use crate::sample::flag::{Finding, Findings};
use crate::sample::link::{Link, Links};
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::Key;
use crate::source::flows;
use crate::source::flows::columns::column;
use crate::source::transport::sock_diag::tcp_info::Figure;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// How the survey goes about.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// The length of a part of the history, of which there are thirty.
    pub step: Duration,
    /// Changed links that are judged in one tick at most.
    pub changed: usize,
    /// Links that are judged in one tick at least, in turn.
    pub in_turn: usize,
    /// Keeps what is fine and what is unknown, too.
    pub all: bool,
}

impl Default for Manner {
    /// An agent's: a link costs about 5 us, so twenty a tick are a ten-thousandth of a core (CHANGELOG.md).
    fn default() -> Self {
        Self { step: Duration::from_secs(10), changed: 200, in_turn: 20, all: false }
    }
}

impl Manner {
    /// Of a host that is looked at for some seconds: every link at every tick.
    pub fn at_once() -> Self {
        Self { step: Duration::from_secs(1), changed: usize::MAX, in_turn: usize::MAX, all: true }
    }
}

/// A link that is new is judged at so many ticks, because what belongs to it is read by and by.
const YOUNG: u8 = 3;

/// What was found of one link, a bit for each flag.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Judged {
    /// It slows migrations.
    pub slows: u16,
    /// It does not.
    pub fine: u16,
    /// At how many of the next ticks it is judged before its turn.
    due: u8,
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
    /// A row for each exported link.
    judged: Vec<Judged>,
    found: HashMap<Key, Vec<Finding>>,
    next: usize,
    changed: bool,
    findings: Arc<Findings>,
    block: Option<Arc<Block>>,
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
            judged: Vec::new(),
            found: HashMap::new(),
            next: 0,
            changed: false,
            findings: Arc::default(),
            block: None,
        }
    }

    /// Takes in the tables of a new frame, and judges some links. `entries` are the migrations of late.
    pub fn go_on(&mut self, blocks: &[Arc<Block>], links: &Arc<Links>, entries: &[Entry], now: Monotonic) {
        if !Arc::ptr_eq(&self.links, links) {
            self.relink(links);
        }
        let changes = self.tables.refresh(blocks, links);
        self.mark(&changes);
        let migrating = entries.iter().filter(|entry| entry.migration.is_on());
        let indices = migrating.flat_map(|entry| &entry.migration.path.links);
        let keys: Vec<Key> = indices.filter_map(|index| links.get(*index)).map(|link| link.key).collect();
        if self.history.note(&self.tables, &keys, now) {
            self.note_shapers();
        }
        self.note_round_trips(entries);
        let passed = passed(entries);
        self.judge(&passed);
        if self.changed {
            self.publish(now);
        }
    }

    /// The links are others: rows go with their keys, and what is new or has changed is due.
    fn relink(&mut self, links: &Arc<Links>) {
        let before: HashMap<Key, (&Link, Judged)> = self
            .links
            .exported()
            .iter()
            .zip(&self.judged)
            .map(|(link, judged)| (link.key, (link, *judged)))
            .collect();
        let judged: Vec<Judged> = links
            .exported()
            .iter()
            .map(|link| match before.get(&link.key) {
                Some((old, judged)) if *old == link => *judged,
                Some((_, judged)) => Judged { due: YOUNG, ..*judged },
                None => Judged { due: YOUNG, ..Judged::default() },
            })
            .collect();
        if !self.found.is_empty() || !self.round_trips.is_empty() {
            let keys: HashSet<Key> = links.exported().iter().map(|link| link.key).collect();
            self.found.retain(|key, _| keys.contains(key));
            self.round_trips.retain(|key, _| keys.contains(key));
        }
        self.judged = judged;
        self.links = Arc::clone(links);
        self.changed = true;
    }

    fn mark(&mut self, changes: &Changes) {
        for place in &changes.links {
            if let Some(judged) = self.judged.get_mut(*place) {
                judged.due = judged.due.max(1);
            }
        }
        if changes.host {
            self.judged.iter_mut().for_each(|judged| judged.due = judged.due.max(1));
        }
    }

    /// After a part of the history: links with other shapers, and links that something has happened on, are due.
    fn note_shapers(&mut self) {
        let names = self.shapers.refresh(&self.tables);
        let news = self.history.news();
        if names.is_empty() && news.is_empty() && self.found.is_empty() {
            return;
        }
        for (link, judged) in self.links.exported().iter().zip(&mut self.judged) {
            if news.contains(&link.key) || names.contains(&link.name) || self.found.contains_key(&link.key) {
                judged.due = judged.due.max(1);
            }
        }
    }

    /// Keeps the shortest round trip of each link's migrations.
    fn note_round_trips(&mut self, entries: &[Entry]) {
        if entries.iter().all(|entry| entry.flows.is_empty()) {
            return;
        }
        let Some(block) = self.tables.of(flows::SOURCE.name).next() else { return };
        let shortest = |flow: &Key| {
            let row = block.subjects.row_of(*flow)?;
            block.cell(column(Figure::MinRtt), row).as_integer().filter(|microseconds| *microseconds > 0)
        };
        for entry in entries {
            let Some(microseconds) = entry.flows.iter().filter_map(shortest).min() else { continue };
            let round_trip = Duration::from_micros(microseconds);
            for link in entry.migration.path.links.iter().filter_map(|index| self.links.get(*index)) {
                let known = self.round_trips.entry(link.key).or_insert(round_trip);
                *known = round_trip.min(*known);
            }
        }
    }

    /// Judges what is due, and fills up with links in turn.
    fn judge(&mut self, passed: &[Passed]) {
        let count = self.judged.len();
        let due = self.judged.iter().enumerate().filter(|(_, judged)| judged.due > 0).map(|(place, _)| place);
        let mut places: Vec<usize> = due.take(self.manner.changed).collect();
        let in_turn = self.manner.in_turn.min(count).saturating_sub(places.len());
        let turn =
            (0..count).map(|step| (self.next + step) % count).filter(|place| self.judged[*place].due == 0);
        places.extend(turn.take(in_turn));
        self.next = (self.next + in_turn) % count.max(1);
        let around = Around {
            links: &self.links,
            tables: &self.tables,
            history: &self.history,
            shapers: &self.shapers,
            passed,
            round_trips: &self.round_trips,
            host: Host::of(&self.tables, &self.history),
        };
        for place in places {
            let link = &self.links.all()[place];
            let (mut judged, found) = judge_link(&around, place, self.manner.all);
            let old = &mut self.judged[place];
            judged.due = old.due.saturating_sub(1);
            self.changed |= (judged.slows, judged.fine) != (old.slows, old.fine);
            *old = judged;
            self.changed |= self.found.get(&link.key).map_or(&[][..], Vec::as_slice) != found.as_slice();
            if found.is_empty() {
                self.found.remove(&link.key);
            } else {
                self.found.insert(link.key, found);
            }
        }
    }

    fn publish(&mut self, now: Monotonic) {
        let links = self.links.exported().iter().zip(&self.judged);
        let judged =
            links.filter(|(_, judged)| judged.slows | judged.fine > 0).map(|(link, _)| link.key).collect();
        let mut list: Vec<Finding> = self.found.values().flatten().cloned().collect();
        let worst = |finding: &Finding| finding.ratio().unwrap_or(0.0);
        list.sort_by(|a, b| {
            worst(b).total_cmp(&worst(a)).then_with(|| (&a.device, a.cause).cmp(&(&b.device, b.cause)))
        });
        self.block = table::block(self.links.exported(), &self.judged, &self.found, now).map(Arc::new);
        self.findings = Arc::new(Findings { judged, list });
        self.changed = false;
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
fn judge_link(around: &Around<'_>, place: usize, all: bool) -> (Judged, Vec<Finding>) {
    let link = &around.links.all()[place];
    let (mut judged, mut found) = (Judged::default(), Vec::new());
    if !link.admin_up || !link.oper_up {
        return (judged, found);
    }
    let state = around.state(place);
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

/// The migrations of late, newest first.
fn passed(entries: &[Entry]) -> Vec<Passed> {
    let mut migrations: Vec<_> =
        entries.iter().map(|entry| &entry.migration).filter(|migration| migration.confirmed).collect();
    migrations.sort_by_key(|migration| std::cmp::Reverse(migration.began));
    let passed = migrations.into_iter().map(|migration| Passed {
        links: migration.path.links.clone(),
        seen: Seen {
            vm: migration.vm.clone(),
            peer: migration.peer.clone(),
            cap: migration.limits.max_bandwidth,
            channels: migration.channels,
        },
    });
    passed.collect()
}

#[cfg(test)]
mod tests {
    use super::{Manner, Survey};
    use crate::analysis::flags::table::SLOWS;
    use crate::sample::link::{Link, Links};
    use crate::sample::monotonic::Monotonic;
    use std::sync::Arc;
    use std::time::Duration;

    /// Bridges over a wire of this MTU, and the wire itself; all judged by their MTUs alone.
    fn links(bridges: u32, mtu: u32) -> Vec<Link> {
        let link = |index: u32, name: String, kind: &'static str| Link {
            key: index.into(),
            index,
            name,
            kind: kind.into(),
            mtu: 1500,
            admin_up: true,
            oper_up: true,
            exported: true,
            ..Link::default()
        };
        let wire = Link { mtu, ..link(1, "wire".into(), "physical") };
        let vlan = |index| Link { lower: Some(1), ..link(index, format!("up{index:04}"), "vlan") };
        std::iter::once(wire).chain((2..2 + bridges).map(vlan)).collect()
    }

    struct Host {
        survey: Survey,
        links: Arc<Links>,
        second: u64,
    }

    impl Host {
        fn new(list: Vec<Link>) -> Self {
            let links = Arc::new(Links::new(1, list, None));
            Self {
                survey: Survey::new(Manner { changed: 10, in_turn: 4, ..Manner::default() }),
                links,
                second: 0,
            }
        }

        /// A tick later: how many links were judged so far, and how many are slow.
        fn tick(&mut self) -> (usize, usize) {
            self.second += 1;
            self.survey.go_on(&[], &self.links, &[], Monotonic(Duration::from_secs(self.second)));
            (self.survey.findings().judged.len(), self.survey.findings().list.len())
        }

        fn relink(&mut self, list: Vec<Link>) {
            self.links = Arc::new(Links::new(2, list, Some(&self.links)));
        }
    }

    #[test]
    fn links_are_judged_by_and_by_and_at_once_when_they_change() {
        let mut host = Host::new(links(23, 1500));
        assert_eq!(host.tick(), (10, 0), "as many as one tick may");
        let ticks = std::iter::repeat_with(|| host.tick()).take(7).last();
        assert_eq!(ticks, Some((24, 0)));
        let mut changed = links(23, 1500);
        changed[20].mtu = 9000;
        host.relink(changed.clone());
        assert_eq!(host.tick(), (24, 1), "the one that has changed");
        assert_eq!(host.survey.findings().list[0].device, changed[20].name);
        changed[20].oper_up = false;
        host.relink(changed.clone());
        assert_eq!(host.tick(), (23, 0), "a link that is down is not judged");
        changed[20].oper_up = true;
        host.relink(changed.clone());
        assert_eq!(host.tick(), (24, 1));
        changed.remove(20);
        host.relink(changed);
        assert_eq!(host.tick(), (23, 0), "it is gone");
    }

    #[test]
    fn what_stands_on_a_changed_link_is_judged_in_its_turn() {
        let mut host = Host::new(links(5, 1500));
        (0..5).for_each(|_| _ = host.tick());
        host.relink(links(5, 1400));
        let slow: Vec<usize> = (0..6).map(|_| host.tick().1).collect();
        assert_eq!(slow.last(), Some(&5), "{slow:?}");
    }

    #[test]
    fn a_host_of_many_links_shows_the_slow_ones_only() {
        let mut list = links(1200, 1500);
        list[7].mtu = 9000;
        let mut host = Host::new(list);
        host.survey.manner = Manner::at_once();
        host.tick();
        let block = host.survey.block().expect("a table");
        assert_eq!(block.rows(), 2, "a row for each phase");
        let column = block.columns.iter().position(|column| column.label == Some(("cause", "mtu_mismatch")));
        let column = column.expect("a column");
        assert!(std::ptr::eq(block.columns[column].metric, &raw const SLOWS));
        assert_eq!(block.cell(column, 0).as_integer(), Some(1));
        assert_eq!(block.subjects.label(1, "phase").as_deref(), Some("state_transfer"));
    }
}

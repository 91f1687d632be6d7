//! Keeps the strips that pages draw: of every migration, and and of those links that somebody will want to look at.
//!
//! A link's strip is 2.4 kB. 32 of them are copied once a second, because the frame before still holds them: what that
//! costs does not grow with the links of the host.

use super::migrations::entry::Entry;
use super::peaks::Peaks;
use super::verdicts::course::Taken;
use crate::sample::flag::Findings;
use crate::sample::link::{Index, Link, Links, Role};
use crate::sample::migration::Direction;
use crate::sample::monotonic::Monotonic;
use crate::sample::strip::{LinkStrip, MigrationStrip, Strips};
use crate::sample::subject::Key;
use std::sync::Arc;
use std::time::Duration;

/// Links that have a strip, and migrations, at most (our choice: more plots than that nobody looks at).
const MOST: usize = 32;
/// How often it is looked again which links those are.
const CHOICE: Duration = Duration::from_secs(10);
/// A migration that has gone on for longer when it is found has a strip from then on.
const LATE: Duration = Duration::from_secs(5);
/// How much less than a migration its wire may seem to carry, because the two are not counted at the same moment (our choice).
const BEHIND: f32 = 0.9;

/// What is known of the host's links at a tick.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The links.
    pub links: &'a Links,
    /// The links that migrations pass now.
    pub followed: &'a [Index],
    /// What was found of links.
    pub flags: &'a Findings,
    /// Their rates: received, sent.
    pub rates: &'a Peaks<2>,
}

/// Keeps the strips.
#[derive(Debug, Default)]
pub struct Keeper {
    strips: Strips,
    /// When the links were chosen, and for which ones of migrations.
    chosen: Option<(Monotonic, Vec<Index>)>,
}

impl Keeper {
    /// The strips as they are now; they are shared, not copied.
    pub fn strips(&self) -> Strips {
        self.strips.clone()
    }

    /// Causes took time of migrations.
    pub fn take(&mut self, taken: &[Taken]) {
        for taken in taken {
            let mut strips = self.strips.migrations.iter_mut();
            if let Some(strip) = strips.find(|strip| strip.migration == taken.migration) {
                Arc::make_mut(strip).take(taken.cause, taken.seconds as f32);
            }
        }
    }

    /// Looks at the migrations: new ones get a strip, points that are complete are added, forgotten ones go.
    pub fn follow(&mut self, entries: &[Entry], around: Surroundings<'_>, now: Monotonic) {
        if entries.is_empty() && self.strips.migrations.is_empty() {
            return;
        }
        let known = |key| entries.iter().any(|entry| entry.migration.key == key);
        self.strips.migrations.retain(|strip| known(strip.migration));
        self.begin(entries, now);
        for strip in &mut self.strips.migrations {
            if let Some(entry) = entries.iter().find(|entry| entry.migration.key == strip.migration) {
                go_on(strip, entry, around, now);
            }
        }
    }

    /// Gives new migrations a strip; where there are too many, the oldest that has ended loses its own.
    fn begin(&mut self, entries: &[Entry], now: Monotonic) {
        let strips = &mut self.strips.migrations;
        let has_ended =
            |key| entries.iter().any(|entry| entry.migration.key == key && !entry.migration.is_on());
        for entry in entries {
            let migration = &entry.migration;
            let is_known = strips.iter().any(|strip| strip.migration == migration.key);
            if is_known || !migration.is_on() || !migration.confirmed {
                continue;
            }
            if strips.len() >= MOST {
                let Some(place) = strips.iter().position(|strip| has_ended(strip.migration)) else { return };
                strips.remove(place);
            }
            // Of one that was found late, the time before is not known.
            let began = migration.began.max(Monotonic(now.0.saturating_sub(LATE)));
            strips.push(Arc::new(MigrationStrip::new(migration.key, began)));
        }
    }

    /// A tick of this length has passed: adds a point to every link's strip.
    pub fn tick(&mut self, around: Surroundings<'_>, step: Duration, now: Monotonic) {
        let is_old = self
            .chosen
            .as_ref()
            .is_none_or(|(at, followed)| now.since(*at) >= CHOICE || followed != around.followed);
        if is_old {
            self.choose(around, step);
            self.chosen = Some((now, around.followed.to_vec()));
        }
        for strip in &mut self.strips.links {
            let rates = around.rates.latest(strip.key).unwrap_or([f32::NAN; 2]);
            Arc::make_mut(strip).push(rates);
        }
    }

    fn choose(&mut self, around: Surroundings<'_>, step: Duration) {
        let mut old = std::mem::take(&mut self.strips.links);
        for key in worth(around) {
            let kept = old.iter().position(|strip| strip.key == key && strip.step == step);
            let strip =
                kept.map_or_else(|| Arc::new(LinkStrip::new(key, step)), |place| old.swap_remove(place));
            self.strips.links.push(strip);
        }
    }
}

/// Adds the points that are complete.
fn go_on(strip: &mut Arc<MigrationStrip>, entry: &Entry, around: Surroundings<'_>, now: Monotonic) {
    let migration = &entry.migration;
    if !migration.is_on() {
        if strip.has_rest() {
            Arc::make_mut(strip).push(f32::NAN, f32::NAN);
        }
        return;
    }
    while strip.due() <= now {
        let strip = Arc::make_mut(strip);
        // What lies behind, because this program was held up, is not known.
        if strip.due().0 + strip.step <= now.0 {
            strip.push(f32::NAN, f32::NAN);
            continue;
        }
        let rate = entry.traffic.rate().or(migration.progress.throughput);
        let rate = rate.map_or(f32::NAN, |rate| rate as f32);
        strip.push(rate, wire(entry, around, rate));
    }
}

/// All traffic of the wire that a migration takes, its way.
fn wire(entry: &Entry, around: Surroundings<'_>, rate: f32) -> f32 {
    let migration = &entry.migration;
    let way = usize::from(migration.direction == Direction::Outgoing);
    let last = migration.path.links.last().and_then(|index| around.links.get(*index));
    // Of a bond whose member is not known, one member's traffic would be a wrong number.
    let link = last.filter(|_| migration.path.members.is_empty());
    let all = link.and_then(|link| around.rates.latest(link.key)).map_or(f32::NAN, |rates| rates[way]);
    // Links are counted once a second: less than a part of it is of the time before the migration.
    if all < rate * BEHIND {
        return f32::NAN;
    }
    all
}

/// The links that are worth a strip: those of migrations, those that would slow one, hardware, and the others.
fn worth(around: Surroundings<'_>) -> Vec<Key> {
    let shown = around.links.exported();
    let of_migrations = around.followed.iter().filter_map(|index| Some(around.links.get(*index)?.key));
    let slow =
        around.flags.list.iter().filter(|finding| finding.ratio().is_some()).map(|finding| finding.key);
    let up = |link: &&Link| link.oper_up && link.role != Role::Loopback;
    let hardware = shown.iter().filter(up).filter(|link| link.role == Role::Physical).map(|link| link.key);
    let others = shown.iter().filter(up).map(|link| link.key);
    let mut chosen = Vec::with_capacity(MOST);
    for key in of_migrations.chain(slow).chain(hardware).chain(others) {
        if chosen.len() == MOST {
            break;
        }
        if !chosen.contains(&key) {
            chosen.push(key);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::{Keeper, Surroundings, MOST};
    use crate::analysis::migrations::entry::Entry;
    use crate::analysis::migrations::migration::{Migration, Outcome, Phase};
    use crate::analysis::peaks::Peaks;
    use crate::analysis::verdicts::course::Taken;
    use crate::sample::block::Block;
    use crate::sample::cell::Cell;
    use crate::sample::flag::{Finding, Findings, Flagged};
    use crate::sample::link::{Link, Links, Role};
    use crate::sample::metric::{Column, Metric, Unit};
    use crate::sample::migration::Direction;
    use crate::sample::monotonic::Monotonic;
    use std::sync::Arc;
    use std::time::Duration;

    static BYTES: Metric = Metric::counter("bytes_total", "Bytes.", Unit::Bytes);
    static COLUMNS: [Column; 2] = [Column::of(&BYTES), Column::of(&BYTES)];

    fn at(milliseconds: u64) -> Monotonic {
        Monotonic(Duration::from_millis(milliseconds))
    }

    fn links(count: u64) -> Links {
        let link = |key: u64| Link {
            key,
            index: key as u32,
            name: format!("eth{key:03}"),
            exported: true,
            oper_up: true,
            role: Role::Physical,
            ..Link::default()
        };
        Links::new(1, (1..=count).map(link).collect(), None)
    }

    /// Rates after two readings a second apart: every link receives 10 and sends 100.
    fn rates(links: &Links) -> Peaks<2> {
        let mut peaks = Peaks::new([0, 1]);
        for second in 0..2 {
            let mut block = Block::new("test", at(second * 1000), &COLUMNS, Arc::clone(links.subjects()));
            block.column_mut(0).fill(Cell::integer(second * 10).bits());
            block.column_mut(1).fill(Cell::integer(second * 100).bits());
            peaks.note(&Arc::new(block));
        }
        peaks
    }

    fn entry(key: u64, began: u64) -> Entry {
        let mut migration = Migration::new(key, format!("vm{key}"), Direction::Outgoing, at(began));
        migration.confirmed = true;
        migration.path.links = vec![2];
        migration.progress.throughput = Some(90.0);
        Entry::new(migration)
    }

    #[test]
    fn the_links_that_matter_have_strips() {
        let links = links(100);
        let slow = Flagged::Slows { ratio: 2.0, evidence: String::new(), mend: Vec::new() };
        let finding = Finding { key: 99, device: "eth099".into(), cause: "ring_overflow", result: slow };
        let flags = Findings { judged: [].into(), list: vec![finding] };
        let peaks = rates(&links);
        let mut keeper = Keeper::default();
        let around = |followed| Surroundings { links: &links, followed, flags: &flags, rates: &peaks };
        keeper.tick(around(&[100]), Duration::from_secs(1), at(1000));
        let strips = keeper.strips();
        let keys: Vec<_> = strips.links.iter().map(|strip| strip.key).collect();
        assert_eq!((keys.len(), &keys[..3]), (MOST, &[100, 99, 1][..]));
        assert_eq!(strips.link(99).expect("flagged").points, [[10.0, 100.0]]);
        // The migration is over: its link has no strip any more, the others go on.
        keeper.tick(around(&[]), Duration::from_secs(1), at(2000));
        assert!(keeper.strips().link(100).is_none());
        assert_eq!(keeper.strips().link(99).expect("flagged").points.len(), 2);
        assert_eq!(strips.link(99).expect("flagged").points.len(), 1, "a frame keeps what it was made of");
    }

    #[test]
    fn a_migration_is_followed_from_its_beginning_to_its_end() {
        let (links, flags) = (links(3), Findings::default());
        let peaks = rates(&links);
        let around = Surroundings { links: &links, followed: &[2], flags: &flags, rates: &peaks };
        let mut keeper = Keeper::default();
        let mut entries = vec![entry(7, 1000)];
        let taken = Taken { migration: 7, phase: Phase::MemoryCopy, cause: "link_shared", seconds: 0.4 };
        for tenth in 10..31 {
            keeper.follow(&entries, around, at(tenth * 100));
            if tenth % 5 == 0 {
                keeper.take(std::slice::from_ref(&taken));
            }
        }
        entries[0].migration.end(Outcome::Completed, at(3100));
        keeper.follow(&entries, around, at(3200));
        let strips = keeper.strips();
        let strip = strips.migration(7).expect("followed");
        assert_eq!((&strip.rate[..4], &strip.wire[..4]), (&[90.0; 4][..], &[100.0; 4][..]));
        assert_eq!(strip.causes, [("link_shared", vec![0.4; 5])]);
        assert!(strip.rate[4].is_nan(), "it was over");
        keeper.follow(&[], around, at(4000));
        assert!(keeper.strips().migrations.is_empty());
    }

    #[test]
    fn what_passed_while_nobody_looked_is_not_known() {
        let (links, flags) = (links(3), Findings::default());
        let peaks = rates(&links);
        let around = Surroundings { links: &links, followed: &[2], flags: &flags, rates: &peaks };
        let mut keeper = Keeper::default();
        let entries = [entry(7, 1000)];
        keeper.follow(&entries, around, at(1000));
        keeper.follow(&entries, around, at(2600));
        let strips = keeper.strips();
        let rate = &strips.migration(7).expect("followed").rate;
        assert!(rate[0].is_nan() && rate[1].is_nan() && rate[2..] == [90.0], "{rate:?}");
    }

    #[test]
    fn a_hundred_migrations_are_bounded_and_those_that_are_over_make_room() {
        let (links, flags) = (links(3), Findings::default());
        let peaks = rates(&links);
        let around = Surroundings { links: &links, followed: &[2], flags: &flags, rates: &peaks };
        let mut keeper = Keeper::default();
        let mut entries: Vec<_> = (1..=100).map(|key| entry(key, 1000)).collect();
        keeper.follow(&entries, around, at(1000));
        assert_eq!(keeper.strips().migrations.len(), MOST);
        entries[4].migration.end(Outcome::Completed, at(1500));
        keeper.follow(&entries, around, at(1600));
        let keys: Vec<_> = keeper.strips().migrations.iter().map(|strip| strip.migration).collect();
        assert!(keys.len() == MOST && !keys.contains(&5) && keys.contains(&(MOST as u64 + 1)), "{keys:?}");
    }
}

//! A migration's forecast while it runs: the model, from where it stands, at the rate of late, with what has been seen of
//! its guest.
//!
//! That it will not end is told only once it is proven: rounds have left as much as those before them (`Dirtied::stands_still`),
//! and even at the best rate of late with a tenth more, and a tenth less dirtied, it would not.

use super::dirtied::{Dirtied, Waits};
use super::known::{downtime_limit, way, zero_share, Beside, Known};
use super::model::{Forecast, MIDDLE};
use super::needs;
use super::pace::Pace;
use super::score::{scores, Told};
use super::way::{Way, UNSURE, UNSURE_PAUSE};
use super::workload::Workload;
use crate::analysis::migrations::entry::Entry;
use crate::analysis::migrations::migration::{Migration, Phase};
use crate::sample::migration::Direction;
use crate::sample::monotonic::Monotonic;
use crate::sample::outlook::{Needed, Outlook, Range, Score};
use crate::sample::subject::Key;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Where within a step the rest falls below the threshold: the tenth and the ninetieth percentile of anywhere.
const EARLY: f64 = 0.1;
const LATE: f64 = 0.9;
/// Even with so much more of rate, and less of dirtying, it must not end before that is said.
const MARGIN: f64 = 0.1;
/// Tellings in a row that must agree that it never ends; a frame is made every second.
const SURE: u32 = 2;
/// One that is found later than this was not forecast before: its own traffic is among that of others by then.
const BEGINNING: Duration = Duration::from_secs(2);
/// Forecasts that are kept for the score at most: more than an hour of them.
const MOST_TOLD: usize = 4096;
/// Guests that are remembered at most; a host has a few hundred.
const MOST_REMEMBERED: usize = 4096;

/// One migration's forecasts.
#[derive(Debug, Clone, Default)]
pub struct Journey {
    pace: Pace,
    dirtied: Dirtied,
    hopeless: u32,
    /// What was forecast before it began.
    before: Option<Told>,
    told: Vec<Told>,
    last: Option<Outlook>,
    scores: Option<Vec<Score>>,
    /// What was seen of its guest is kept for the next time.
    remembered: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Journeys {
    by_migration: HashMap<Key, Journey>,
    /// How guests wrote when they moved last, by name.
    remembered: HashMap<String, Workload>,
}

impl Journeys {
    /// Takes in how far they are. To be called at every reading.
    pub fn note(&mut self, entries: &[Entry], now: Monotonic) {
        let keys: HashSet<Key> = entries.iter().map(|entry| entry.migration.key).collect();
        self.by_migration.retain(|key, _| keys.contains(key));
        self.remember(entries);
        let leaves = |entry: &&Entry| {
            entry.migration.direction == Direction::Outgoing
                && entry.migration.confirmed
                && entry.migration.is_on()
        };
        for entry in entries.iter().filter(leaves) {
            self.by_migration.entry(entry.migration.key).or_default().note(entry, now);
        }
    }

    /// A guest that moves again writes as it did the last time, until there is better to know.
    fn remember(&mut self, entries: &[Entry]) {
        for entry in entries.iter().filter(|entry| !entry.migration.is_on()) {
            let Some(journey) = self.by_migration.get_mut(&entry.migration.key) else { continue };
            // Once: the fit is dear beside a reading.
            if std::mem::replace(&mut journey.remembered, true) {
                continue;
            }
            let seen = journey.dirtied.dirtying(None);
            let Some((dirtying, memory)) = seen.zip(entry.migration.progress.memory_total) else { continue };
            if self.remembered.len() >= MOST_REMEMBERED {
                self.remembered.clear();
            }
            let zero_share = zero_share(&entry.migration, None);
            let guest = Workload { memory: memory as f64, zero_share, dirtying };
            self.remembered.insert(entry.migration.vm.clone(), guest);
        }
    }

    /// How those that are shown go on, and how good that was for those that have ended.
    pub fn outlooks<'a>(
        &mut self,
        shown: &[&Entry],
        beside: impl Fn(&Migration) -> Beside<'a>,
        now: Monotonic,
    ) -> Vec<Outlook> {
        let of = |entry: &&Entry| {
            let journey = self.by_migration.get_mut(&entry.migration.key)?;
            let beside = beside(&entry.migration);
            let described = beside.known.or(beside.profile.map(|question| &question.workload));
            let known = described.or(self.remembered.get(&entry.migration.vm));
            Some(journey.outlook(entry, Beside { known, ..beside }, now))
        };
        shown.iter().filter_map(of).collect()
    }
}

impl Journey {
    fn note(&mut self, entry: &Entry, now: Monotonic) {
        let migration = &entry.migration;
        if migration.phase != Phase::MemoryCopy {
            return;
        }
        if let Some(rate) = entry.traffic.rate().or(migration.progress.throughput).filter(|rate| *rate > 0.0)
        {
            self.pace.note(rate, now);
        }
        let limit = downtime_limit(migration, Beside::default());
        let pace = &self.pace;
        let waits = || pace.now().map_or(Waits::default(), |rate| Waits::of(rate.p50, limit));
        self.dirtied.note(&migration.progress, waits, now);
    }

    fn outlook(&mut self, entry: &Entry, beside: Beside<'_>, now: Monotonic) -> Outlook {
        let migration = &entry.migration;
        let nothing = || nothing(migration.key);
        if migration.is_on() {
            if let Some(times) = beside.before.filter(|_| migration.length(now) <= BEGINNING) {
                let held = beside.link.map_or(0.0, |link| way(link, migration, beside).held());
                self.before.get_or_insert_with(|| Told::before(times, held, migration));
            }
            let Some(outlook) = self.ahead(entry, beside, now) else { return nothing() };
            let held = self.pace.now().map_or(0.0, |rate| way(rate.p50, migration, beside).held());
            self.told.extend(Told::of(&outlook, migration, held, now));
            if self.told.len() > MOST_TOLD {
                // One that lasts for days keeps every second.
                let mut keeps = false;
                self.told.retain(|_| {
                    keeps = !keeps;
                    keeps
                });
            }
            self.last = Some(outlook.clone());
            return outlook;
        }
        let scores = self.scores.get_or_insert_with(|| scores(self.before, &self.told, migration));
        Outlook { scores: scores.clone(), ..nothing() }
    }

    fn ahead(&mut self, entry: &Entry, beside: Beside<'_>, now: Monotonic) -> Option<Outlook> {
        let migration = &entry.migration;
        match migration.phase {
            Phase::Setup => return None,
            // What was told of the pause before it began stands: nobody answers in it.
            Phase::StateTransfer => {
                let zero = Range::default();
                return self.last.clone().map(|last| Outlook { copy: Some(zero), needed: None, ..last });
            }
            Phase::Postcopy => return self.following(migration),
            Phase::MemoryCopy => {}
        }
        let rate = self.pace.now()?;
        let known = Known::of(entry, &self.dirtied, beside, now)?;
        let at = |rate: f64, overshoot: f64| known.plays(&way(rate, migration, beside), overshoot);
        let (fast, slow) = (rate.p90.max(rate.p50 * (1.0 + UNSURE)), rate.p10.min(rate.p50 * (1.0 - UNSURE)));
        let mut runs = [at(fast, LATE)?, at(rate.p50, MIDDLE)?, at(slow, EARLY)?];
        runs[0].pause = (runs[0].pause - UNSURE_PAUSE).max(0.0);
        runs[2].pause += UNSURE_PAUSE;
        let converging = self.converging(&known, &runs[1], rate, |rate| way(rate, migration, beside));
        let needs = needs::of(&known.workload, &way(rate.p50, migration, beside), &known.conduct);
        let needed =
            Needed { rate: needs.rate, downtime_limit: needs.downtime_limit, throttle: needs.throttle };
        Some(Outlook {
            migration: migration.key,
            copy: range(&runs, |run| run.copy),
            // Of one that does not end there is no pause to tell.
            pause: range(&runs, |run| run.pause).filter(|_| runs[1].converges),
            converging,
            at_least: known.blind,
            needed: (converging == Some(false)).then_some(needed),
            scores: Vec::new(),
        })
    }

    /// Whether it ends. `false` only when it is proven and was found before, `true` only with a margin.
    fn converging(
        &mut self,
        known: &Known,
        middle: &Forecast,
        rate: Range,
        way: impl Fn(f64) -> Way,
    ) -> Option<bool> {
        let ends_at = |dirtied: f64, rate: f64| {
            known.with_dirtied(dirtied).plays(&way(rate), LATE).is_none_or(|run| run.converges)
        };
        let ends = middle.converges
            || known.postcopy
            || self.dirtied.count() < 2
            || !self.dirtied.stands_still()
            || ends_at(1.0 - MARGIN, rate.p90 * (1.0 + MARGIN));
        self.hopeless = if ends { 0 } else { self.hopeless + 1 };
        // One window of writing is a guess, which is not enough to say so; nor is what might as well not end.
        let surely = || known.sure && ends_at(1.0 + MARGIN, rate.p10);
        match (ends, middle.converges && surely()) {
            (false, _) if self.hopeless >= SURE => Some(false),
            (_, true) => Some(true),
            _ => None,
        }
    }

    /// After the switch to post-copy its memory only has to follow.
    fn following(&self, migration: &Migration) -> Option<Outlook> {
        let (rate, remaining) = (self.pace.now()?, migration.progress.remaining? as f64);
        let time = |rate: f64| remaining / rate;
        Some(Outlook {
            copy: Some(Range { p10: time(rate.p90), p50: time(rate.p50), p90: time(rate.p10) }),
            converging: Some(true),
            ..nothing(migration.key)
        })
    }
}

fn range(runs: &[Forecast; 3], of: fn(&Forecast) -> f64) -> Option<Range> {
    let mut numbers = [of(&runs[0]), of(&runs[1]), of(&runs[2])];
    let p50 = numbers[1];
    if !p50.is_finite() {
        return None;
    }
    numbers.sort_by(f64::total_cmp);
    // A slow end that never comes has no number: the middle is the best that is known.
    let high = if numbers[2].is_finite() { numbers[2] } else { numbers[1].max(p50) };
    Some(Range { p10: numbers[0].min(p50), p50, p90: high.max(p50) })
}

fn nothing(migration: Key) -> Outlook {
    Outlook {
        migration,
        copy: None,
        pause: None,
        converging: None,
        at_least: false,
        needed: None,
        scores: Vec::new(),
    }
}

//! A migration's forecast while it runs: the model, from where it stands, at the rate of late, with what has been seen of
//! its guest.
//!
//! That it will not end is told only once it is proven: rounds have left as much as those before them (`Dirtied::stands_still`),
//! and even at the best rate of late with a tenth more, and a tenth less dirtied, it would not.

use super::dirtied::Dirtied;
use super::model::{self, Forecast, Position, MIDDLE};
use super::needs;
use super::pace::Pace;
use super::score::{scores, Told};
use super::way::{Conduct, Way, PAGE_OVERHEAD, STEP, UNSURE, UNSURE_PAUSE, ZERO_PAGE};
use super::workload::{Dirtying, Workload};
use crate::analysis::migrations::entry::Entry;
use crate::analysis::migrations::migration::{Migration, Phase};
use crate::sample::migration::Direction;
use crate::sample::monotonic::Monotonic;
use crate::sample::outlook::{Needed, Outlook, Range, Score};
use crate::sample::subject::Key;
use std::collections::{HashMap, HashSet};

/// Where within a step the rest falls below the threshold: the tenth and the ninetieth percentile of anywhere.
const EARLY: f64 = 0.1;
const LATE: f64 = 0.9;
/// Even with so much more of rate, and less of dirtying, it must not end before that is said.
const MARGIN: f64 = 0.1;
/// Tellings in a row that must agree that it never ends; a frame is made every second.
const SURE: u32 = 2;
/// A hypervisor's own limit holds the rate if it comes this near to it.
const AT_CAP: f64 = 0.9;
/// Forecasts that are kept for the score at most: more than an hour of them.
const MOST_TOLD: usize = 4096;
/// Guests that are remembered at most; a host has a few hundred.
const MOST_REMEMBERED: usize = 4096;
/// What a limited migration's pause is sent at where no link's rate is known: 10 Gbit/s, as nearly all hosts have.
const USUAL_LINK: f64 = 1.25e9;

/// One migration's forecasts.
#[derive(Debug, Clone, Default)]
pub struct Journey {
    pace: Pace,
    dirtied: Dirtied,
    hopeless: u32,
    told: Vec<Told>,
    last: Option<Outlook>,
    scores: Option<Vec<Score>>,
    /// What was seen of its guest is kept for the next time.
    remembered: bool,
}

/// What is known beside the migration itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside<'a> {
    /// The guest, if somebody has described it.
    pub known: Option<&'a Workload>,
    /// Bytes of payload a second that the narrowest link on the way can carry, as far as that is known.
    pub link: Option<f64>,
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
            let known = beside.known.or(self.remembered.get(&entry.migration.vm));
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
        let limit = migration
            .limits
            .downtime_limit
            .map_or(Conduct::default().downtime_limit, |limit| limit.as_secs_f64());
        let pace = &self.pace;
        let rest = || pace.now().map_or(0.0, |rate| rate.p50 * (limit - MIDDLE * STEP).max(0.0));
        self.dirtied.note(&migration.progress, rest, now);
    }

    fn outlook(&mut self, entry: &Entry, beside: Beside<'_>, now: Monotonic) -> Outlook {
        let migration = &entry.migration;
        let nothing = || nothing(migration.key);
        if migration.is_on() {
            let Some(outlook) = self.ahead(entry, beside, now) else { return nothing() };
            let held = self.pace.now().map_or(0.0, |rate| way(rate.p50, migration, beside.link).held());
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
        let scores = self.scores.get_or_insert_with(|| scores(&self.told, migration));
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
        let known = Known::of(entry, self, beside, now)?;
        let at = |rate: f64, overshoot: f64| {
            let way = way(rate, migration, beside.link);
            model::from(known.position, &known.workload, &way, &known.conduct, overshoot)
        };
        let (fast, slow) = (rate.p90.max(rate.p50 * (1.0 + UNSURE)), rate.p10.min(rate.p50 * (1.0 - UNSURE)));
        let mut runs = [at(fast, LATE), at(rate.p50, MIDDLE), at(slow, EARLY)];
        runs[0].pause = (runs[0].pause - UNSURE_PAUSE).max(0.0);
        runs[2].pause += UNSURE_PAUSE;
        let converging = self.converging(&known, &runs[1], way(rate.p90, migration, beside.link));
        let needs = needs::of(&known.workload, &way(rate.p50, migration, beside.link), &known.conduct);
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

    /// Whether it ends. `false` only when it is proven and was found before.
    fn converging(&mut self, known: &Known, middle: &Forecast, best: Way) -> Option<bool> {
        let hopeful =
            Dirtying { rate: known.workload.dirtying.rate * (1.0 - MARGIN), ..known.workload.dirtying };
        let workload = Workload { dirtying: hopeful, ..known.workload };
        let best = Way { copy: best.copy * (1.0 + MARGIN), ..best };
        let ends = middle.converges
            || known.postcopy
            || self.dirtied.count() < 2
            || !self.dirtied.stands_still()
            || model::from(known.position, &workload, &best, &known.conduct, LATE).converges;
        self.hopeless = if ends { 0 } else { self.hopeless + 1 };
        // One window of writing is a guess, which is not enough to say so.
        match (ends, middle.converges && known.sure) {
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

/// All that the model needs of a running migration.
struct Known {
    position: Position,
    workload: Workload,
    conduct: Conduct,
    /// Nothing is known of the guest's writing.
    blind: bool,
    /// It is described, or was seen twice.
    sure: bool,
    /// Post-copy is allowed: somebody may switch to it at any time.
    postcopy: bool,
}

impl Known {
    /// `None` without the guest's memory.
    fn of(entry: &Entry, journey: &Journey, beside: Beside<'_>, now: Monotonic) -> Option<Self> {
        let (migration, progress) = (&entry.migration, &entry.migration.progress);
        let memory = progress.memory_total? as f64;
        let (since, first) = journey.dirtied.position(now);
        let told = progress.remaining.map(|remaining| remaining as f64);
        // Without a hypervisor's word what was carried is memory sent once, as far as the guest is known; if it is more,
        // nothing is known.
        let carried = |guest: &Workload| {
            let wire = (1.0 - guest.zero_share) * PAGE_OVERHEAD + guest.zero_share * ZERO_PAGE;
            memory - entry.traffic.sum() as f64 / wire
        };
        let remaining = told.or_else(|| beside.known.map(carried))?;
        let dirtying = journey.dirtied.dirtying(beside.known);
        let blind = dirtying.is_none();
        let dirtying = dirtying.unwrap_or(Dirtying::NONE);
        let capable = |name: &str| {
            migration.limits.capabilities.as_ref().is_some_and(|all| all.iter().any(|known| known == name))
        };
        let conduct = Conduct {
            downtime_limit: migration
                .limits
                .downtime_limit
                .map_or(Conduct::default().downtime_limit, |limit| limit.as_secs_f64()),
            auto_converge: capable("auto-converge"),
            ..Conduct::default()
        };
        let throttle = progress.throttle_percent.unwrap_or(0) as f64 / 100.0;
        // What was seen is of a guest that is slowed down already; the model slows it down further.
        let full = Dirtying { rate: dirtying.rate / (1.0 - throttle).max(0.01), ..dirtying };
        (remaining > 0.0).then(|| Self {
            position: Position { remaining, since, first, throttle },
            workload: Workload { memory, zero_share: zero_share(migration, beside.known), dirtying: full },
            conduct,
            blind,
            sure: beside.known.is_some() || journey.dirtied.count() >= 2,
            postcopy: capable("postcopy-ram"),
        })
    }
}

/// The share of zero pages in what is still to be sent for the first time.
fn zero_share(migration: &Migration, known: Option<&Workload>) -> f64 {
    let progress = &migration.progress;
    let page = progress.page_size.unwrap_or(4096) as f64;
    let zero = progress.zero_pages.unwrap_or(0) as f64 * page;
    let seen = zero + progress.normal_bytes.unwrap_or(0) as f64;
    let left = progress.remaining.unwrap_or(0) as f64;
    match known {
        Some(known) if progress.remaining.is_none() => known.zero_share,
        Some(known) if left > 0.0 => ((known.zero_share * known.memory - zero) / left).clamp(0.0, 1.0),
        _ if seen > 0.0 => zero / seen,
        _ => 0.0,
    }
}

/// Of a rate that was seen; if it is the hypervisor's own limit, the pause is sent at the link's.
fn way(rate: f64, migration: &Migration, link: Option<f64>) -> Way {
    let cap = migration.limits.max_bandwidth.filter(|cap| *cap != u64::MAX).map(|cap| cap as f64);
    match cap.filter(|cap| rate >= AT_CAP * cap) {
        Some(cap) => {
            let link = link.unwrap_or(USUAL_LINK).max(cap);
            Way { copy: rate, ..Way::of(link, Some(rate.min(link * 0.999))) }
        }
        None => Way::of(rate, None),
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

//! What a hypervisor tells of dirtied memory, made into windows: within so much time, so many different bytes.
//!
//! QEMU tells a rate at each collection of dirty pages, over the time since the last telling, which is at least a second
//! (`migration_update_rates` and `migration_bitmap_sync` in migration/ram.c): a product of both is what was dirtied. Short
//! rounds fall into one telling together.

use super::model::MIDDLE;
use super::way::STEP;
use super::workload::{Dirtying, Pattern, Workload};
use crate::sample::migration::Progress;
use crate::sample::monotonic::Monotonic;
use std::collections::VecDeque;

/// So many windows are kept, and the longest beside them, because it shows most of the working set.
const KEPT: usize = 10;
/// Windows whose lengths differ by less tell nothing of the working set.
const DIFFERENT: f64 = 1.3;
/// So many times what fits into the pause each of the last rounds must leave: by luck what is dirtied is among what waits
/// anyway, above all of a guest that sweeps (tests/forecast has ends by luck up to 2.4).
const FAR_TOO_MUCH: f64 = 3.0;
/// QEMU tells a new rate when dirty pages are collected a second or more after the last time; readings lie a tenth apart.
const SECOND: f64 = 1.1;
/// So many rounds in a row must leave as much as those before.
const ROUNDS: usize = 3;
/// As much, but for what was sent between a collection and the reading after it.
const NO_LESS: f64 = 0.97;
/// How much less each window counts than the one after it: a guest changes.
const FADING: f64 = 0.8;
/// A sweep is believed if it fits the windows twice as well as chance does: most guests write here and there.
const CLEARLY: f64 = 0.5;
/// A known guest's windows differ by less than this part from what is expected of it, as measured: the time of a window is
/// known to a tenth of a second.
const ODD: f64 = 0.1;
/// Two windows in a row that differ by more than this part from the others are a guest that has changed.
const CHANGED: f64 = 0.25;
/// Of a single window nobody knows how much of its working set it shows. It is taken to show 72 % of it (a window of
/// `1.26 W/d`), between one that shows all and one that shows little.
const FULLNESS: f64 = 1.26;

/// What waits to be sent when dirty pages are collected, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Waits {
    /// On average: the last step before it is sent beyond the threshold.
    pub rest: f64,
    /// At most: what fits into the pause.
    pub threshold: f64,
}

impl Waits {
    /// At this rate, bytes a second, and under this limit of the pause, seconds.
    pub fn of(rate: f64, limit: f64) -> Self {
        Self { rest: rate * (limit - MIDDLE * STEP).max(0.0), threshold: rate * limit }
    }
}

/// What was told of a time. Pages that waited to be sent anyway are not counted by QEMU.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Window {
    /// Seconds.
    time: f64,
    /// Bytes that were dirtied and did not wait to be sent.
    bytes: f64,
    /// What waited when they were counted.
    waits: Waits,
    /// All memory was sent for the first time: what waited was of all memory.
    first: bool,
}

/// Windows of one migration.
#[derive(Debug, Clone, Default)]
pub struct Dirtied {
    /// The newest last.
    windows: VecDeque<Window>,
    /// When the last window ended, and which iteration and rate were told then.
    told: Option<(Monotonic, u64, Option<u64>)>,
    /// When dirty pages were last collected.
    collected: Option<Monotonic>,
    iteration: u64,
    /// Bytes that the rounds after the first had to send, as far as they were seen; the newest last.
    left: VecDeque<u64>,
}

impl Dirtied {
    /// Takes in what the hypervisor says now.
    pub fn note(&mut self, progress: &Progress, waits: impl FnOnce() -> Waits, now: Monotonic) {
        let Some(iteration) = progress.iterations else { return };
        let rate = progress.dirty_pages_per_second;
        let Some((since, first, before)) = self.told else {
            // The first collection comes before the first page; of what was before nobody knows.
            (self.told, self.collected, self.iteration) =
                (Some((now, iteration, rate)), Some(now), iteration);
            return;
        };
        let collected = iteration != self.iteration;
        self.note_left(progress.remaining.filter(|_| iteration > 1), collected);
        if collected {
            (self.collected, self.iteration) = (Some(now), iteration);
        }
        let time = now.since(since).as_secs_f64();
        let is_new = rate != before || (collected && time >= SECOND);
        if let Some(rate) = rate.filter(|_| is_new && iteration > first) {
            let rounds = (iteration - first) as f64;
            let bytes = (rate * progress.page_size.unwrap_or(4096)) as f64 * time / rounds;
            self.add(Window { time: time / rounds, bytes, waits: waits(), first: first <= 1 });
            self.told = Some((now, iteration, Some(rate)));
        }
    }

    /// The most that was seen of a round is what it had to send.
    fn note_left(&mut self, remaining: Option<u64>, collected: bool) {
        let Some(remaining) = remaining else { return };
        match self.left.back_mut().filter(|_| !collected) {
            Some(most) => *most = remaining.max(*most),
            None => self.left.push_back(remaining),
        }
        if self.left.len() > 2 * ROUNDS {
            self.left.pop_front();
        }
    }

    fn add(&mut self, window: Window) {
        self.windows.push_back(window);
        if self.windows.len() > KEPT {
            let longest = self.windows[0].time >= self.windows[1].time;
            self.windows.remove(usize::from(longest));
        }
    }

    /// Seconds since dirty pages were last collected, and whether all memory is still sent for the first time.
    pub fn position(&self, now: Monotonic) -> (f64, bool) {
        (self.collected.map_or(0.0, |at| now.since(at).as_secs_f64()), self.iteration <= 1)
    }

    /// Whether the last rounds left as much as the ones before, and so many times what fits into the pause, so that what follows
    /// will as well: a round that leaves no less than it began with is followed by others that do not either, as long as the
    /// guest and the rate stay the same.
    pub fn stands_still(&self) -> bool {
        let left: Vec<u64> = self.left.iter().copied().collect();
        let Some((late, early)) = left.len().checked_sub(ROUNDS).map(|at| (&left[at..], &left[..at])) else {
            return false;
        };
        let least = |some: &[u64]| some.iter().copied().min().unwrap_or(u64::MAX);
        let fits = self.windows.back().map_or(f64::MAX, |window| window.waits.threshold);
        let much = least(&left) as f64 >= fits * FAR_TOO_MUCH;
        much && early.len() >= ROUNDS - 1 && least(late) as f64 >= least(early) as f64 * NO_LESS
    }

    /// How many windows there are.
    pub fn count(&self) -> usize {
        self.windows.len()
    }

    /// How the guest dirties memory, as far as it can be told; what is known of it beforehand gives the shape. `None` if
    /// nothing is known.
    pub fn dirtying(&self, known: Option<&Workload>) -> Option<Dirtying> {
        let known = known.map(|known| known.dirtying);
        let Some(last) = self.windows.back().copied() else { return known };
        if let Some(likely) = known.and_then(|known| self.alike(known)) {
            return Some(likely);
        }
        let lengths = self.windows.iter().map(|window| window.time);
        let (short, long) =
            lengths.fold((f64::MAX, 0.0), |(a, b): (f64, f64), time| (a.min(time), b.max(time)));
        if long < short * DIFFERENT || last.bytes <= 0.0 {
            return Some(alone(last));
        }
        Some(self.fitted())
    }

    /// A guest that is known, as much faster or slower and larger or smaller as the windows say. It keeps its order unless the
    /// other one fits clearly better. `None` if there is nothing to compare.
    fn alike(&self, known: Dirtying) -> Option<Dirtying> {
        let other = match known.pattern {
            Pattern::Random => Pattern::Sweep,
            Pattern::Sweep => Pattern::Random,
        };
        let (guest, error) = self.scaled(known)?;
        let turned = self.scaled(Dirtying { pattern: other, ..known });
        let better = |turned: &(Dirtying, f64)| error > ODD * ODD && turned.1 < error * CLEARLY * CLEARLY;
        Some(turned.filter(better).map_or(guest, |(guest, _)| guest))
    }

    /// A guest of the same order, and how badly it fits (the mean square of the parts by which windows differ).
    fn scaled(&self, known: Dirtying) -> Option<(Dirtying, f64)> {
        let parts =
            |window: &Window| Some((window.bytes, window.fresh(&known))).filter(|parts| parts.1 > 0.0);
        let all: Vec<(f64, f64)> = self.windows.iter().filter_map(parts).collect();
        let sum =
            |some: &[(f64, f64)]| some.iter().fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
        let ratio = |some: &[(f64, f64)]| Some(sum(some)).filter(|sum| sum.1 > 0.0).map(|sum| sum.0 / sum.1);
        let mut more = ratio(&all)?;
        // Long windows are measured better than short ones; but a guest may change.
        if let [.., before, last] = all[..] {
            let (one, two) = (before.0 / before.1 / more - 1.0, last.0 / last.1 / more - 1.0);
            if one * two > 0.0 && one.abs() > CHANGED && two.abs() > CHANGED {
                more = ratio(&[before, last])?;
            }
        }
        let off = all.iter().map(|(was, expected)| (was / expected / more.max(1e-9) - 1.0).powi(2));
        let error = off.sum::<f64>() / all.len() as f64;
        Some((Dirtying { rate: known.rate * more, working_set: known.working_set * more, ..known }, error))
    }

    /// What fits the windows best. The ratio of rate and working set is searched, the size follows from it.
    fn fitted(&self) -> Dirtying {
        let longest = self.windows.iter().fold(0.0, |most: f64, window| most.max(window.time));
        let shortest = self.windows.iter().fold(longest, |least: f64, window| least.min(window.time));
        let best = |pattern: Pattern| {
            let ratios = (0..=80).map(|step| {
                let turns = 0.02 / longest * (6.0 * longest / 0.02 / shortest).powf(f64::from(step) / 80.0);
                self.sized(Dirtying { rate: turns, working_set: 1.0, pattern })
            });
            ratios.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((Dirtying::NONE, f64::MAX))
        };
        let (random, sweep) = (best(Pattern::Random), best(Pattern::Sweep));
        if sweep.1 < random.1 * CLEARLY {
            sweep.0
        } else {
            random.0
        }
    }

    /// A guest of this shape in the size that fits best, and how badly it does: the mean square of what it differs by, in
    /// parts of the window.
    fn sized(&self, shape: Dirtying) -> (Dirtying, f64) {
        let weighed = || {
            let ages = self.windows.iter().rev().enumerate();
            ages.map(|(age, window)| (FADING.powf(age as f64), *window))
        };
        let (mut over, mut under) = (0.0, 0.0);
        for (weight, window) in weighed().filter(|(_, window)| window.bytes > 0.0) {
            let part = shape.within(window.time) / window.with_rest(&shape);
            (over, under) = (over + weight * part, under + weight * part * part);
        }
        let size = if under > 0.0 { over / under } else { 0.0 };
        let guest = Dirtying { rate: shape.rate * size, working_set: shape.working_set * size, ..shape };
        let off = |window: &Window| window.fresh(&guest) / window.bytes.max(1.0) - 1.0;
        let error = weighed().map(|(weight, window)| weight * off(&window).powi(2));
        (guest, error.sum())
    }
}

impl Window {
    /// What would have been told of this guest.
    fn fresh(&self, guest: &Dirtying) -> f64 {
        let dirtied = guest.within(self.time);
        match guest.pattern {
            _ if self.first => dirtied,
            Pattern::Random => dirtied * (1.0 - self.waits.rest / guest.working_set).max(0.0),
            Pattern::Sweep => dirtied.min((guest.working_set - self.waits.rest).max(0.0)),
        }
    }

    /// What was told, and what was not because it waited anyway, if the guest is of this shape, in any size.
    fn with_rest(&self, shape: &Dirtying) -> f64 {
        let full = shape.within(self.time) / shape.working_set;
        let unseen = match shape.pattern {
            _ if self.first => 0.0,
            Pattern::Random => self.waits.rest * full,
            Pattern::Sweep if full >= 1.0 => self.waits.rest,
            Pattern::Sweep => 0.0,
        };
        self.bytes + unseen
    }
}

/// Of one window.
fn alone(window: Window) -> Dirtying {
    if window.bytes <= 0.0 {
        return Dirtying::NONE;
    }
    let waited = if window.first { 0.0 } else { window.waits.rest };
    let working_set = window.bytes / -(-FULLNESS).exp_m1() + waited;
    Dirtying { rate: FULLNESS * working_set / window.time, working_set, ..Dirtying::NONE }
}

#[cfg(test)]
mod tests {
    use super::{Dirtied, Waits};
    use crate::analysis::forecast::workload::{Dirtying, Pattern, Workload};
    use crate::sample::migration::Progress;
    use crate::sample::monotonic::Monotonic;
    use std::time::Duration;

    fn at(milliseconds: u64) -> Monotonic {
        Monotonic(Duration::from_millis(milliseconds))
    }

    fn progress(iteration: u64, pages: u64) -> Progress {
        let dirty = (iteration > 1).then_some(pages);
        Progress { iterations: Some(iteration), dirty_pages_per_second: dirty, ..Progress::default() }
    }

    #[test]
    fn rounds_become_windows_that_give_the_guest_back() {
        let guest = Dirtying { rate: 50e6, working_set: 60e6, pattern: Pattern::Random };
        let pages = |seconds: f64| (guest.within(seconds) / seconds / 4096.0) as u64;
        let mut dirtied = Dirtied::default();
        dirtied.note(&progress(1, 0), Waits::default, at(0));
        assert!(dirtied.dirtying(None).is_none() && dirtied.position(at(500)) == (0.5, true));
        dirtied.note(&progress(1, 0), Waits::default, at(3900));
        dirtied.note(&progress(2, pages(4.0)), Waits::default, at(4000));
        let alone = dirtied.dirtying(None).expect("a window");
        assert!((alone.within(4.0) / guest.within(4.0) - 1.0).abs() < 0.01, "{alone:?}");
        dirtied.note(&progress(2, pages(4.0)), Waits::default, at(4500));
        dirtied.note(&progress(3, pages(1.2)), Waits::default, at(5200));
        let found = dirtied.dirtying(None).expect("two windows");
        assert!(
            (found.rate / 50e6 - 1.0).abs() < 0.03 && (found.working_set / 60e6 - 1.0).abs() < 0.03,
            "{found:?}"
        );
        assert!(!dirtied.position(at(5300)).1);
    }

    #[test]
    fn what_is_known_beforehand_gives_the_shape_and_the_windows_the_size() {
        let known = Dirtying { rate: 10e6, working_set: 20e6, pattern: Pattern::Sweep };
        let known = Workload { memory: 1e9, zero_share: 0.0, dirtying: known };
        let mut dirtied = Dirtied::default();
        assert_eq!(dirtied.dirtying(Some(&known)), Some(known.dirtying));
        dirtied.note(&progress(1, 0), Waits::default, at(0));
        dirtied.note(&progress(2, (40e6 / 4.0 / 4096.0) as u64), Waits::default, at(4000));
        let found = dirtied.dirtying(Some(&known)).expect("known");
        assert!((found.rate / 20e6 - 1.0).abs() < 0.01 && (found.working_set / 40e6 - 1.0).abs() < 0.01);
    }

    #[test]
    fn short_rounds_share_a_window() {
        let mut dirtied = Dirtied::default();
        dirtied.note(&progress(1, 0), Waits::default, at(0));
        dirtied.note(&progress(2, 1000), Waits::default, at(2000));
        for (time, iteration) in [(2100, 3), (2500, 5), (2900, 7)] {
            dirtied.note(&progress(iteration, 1000), Waits::default, at(time));
        }
        assert_eq!(dirtied.count(), 1);
        dirtied.note(&progress(8, 500), Waits::default, at(3200));
        assert_eq!(dirtied.windows.back().map(|window| (window.time * 1000.0).round()), Some(200.0));
    }
}

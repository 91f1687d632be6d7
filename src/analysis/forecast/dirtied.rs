//! What a hypervisor tells of dirtied memory, made into windows: within so much time, so many different bytes.
//!
//! QEMU tells a rate at each collection of dirty pages, over the time since the last telling, which is at least a second
//! (`migration_update_rates` and `migration_bitmap_sync` in migration/ram.c): a product of both is what was dirtied. Short
//! rounds fall into one telling together.

use super::workload::{Dirtying, Workload};
use crate::sample::migration::Progress;
use crate::sample::monotonic::Monotonic;
use std::collections::VecDeque;

/// So many windows are kept: a guest changes.
const KEPT: usize = 6;
/// Windows whose lengths differ by less tell nothing of the working set.
const DIFFERENT: f64 = 1.3;
/// Of a single window nobody knows how much of its working set it shows. It is taken to show 72 % of it (a window of
/// `1.26 W/d`), between one that shows all and one that shows little.
const FULLNESS: f64 = 1.26;

/// Windows of one migration.
#[derive(Debug, Clone, Default)]
pub struct Dirtied {
    /// Seconds, and bytes dirtied within them; the newest last.
    windows: VecDeque<(f64, f64)>,
    /// When the last window ended, and which iteration and rate were told then.
    told: Option<(Monotonic, u64, Option<u64>)>,
    /// When dirty pages were last collected.
    collected: Option<Monotonic>,
    iteration: u64,
}

impl Dirtied {
    /// Takes in what the hypervisor says now.
    pub fn note(&mut self, progress: &Progress, now: Monotonic) {
        let Some(iteration) = progress.iterations else { return };
        let rate = progress.dirty_pages_per_second;
        let Some((since, first, before)) = self.told else {
            // The first collection comes before the first page; of what was before nobody knows.
            (self.told, self.collected, self.iteration) =
                (Some((now, iteration, rate)), Some(now), iteration);
            return;
        };
        if iteration == self.iteration && rate == before {
            return;
        }
        if iteration != self.iteration {
            (self.collected, self.iteration) = (Some(now), iteration);
        }
        let (time, rounds) = (now.since(since).as_secs_f64(), iteration.saturating_sub(first).max(1) as f64);
        let is_new = rate != before || time >= 1.2;
        if let Some(rate) = rate.filter(|_| is_new && iteration > first) {
            let bytes = (rate * progress.page_size.unwrap_or(4096)) as f64 * time;
            self.windows.push_back((time / rounds, bytes / rounds));
            if self.windows.len() > KEPT {
                self.windows.pop_front();
            }
            self.told = Some((now, iteration, Some(rate)));
        }
    }

    /// Seconds since dirty pages were last collected, and whether all memory is still sent for the first time.
    pub fn position(&self, now: Monotonic) -> (f64, bool) {
        (self.collected.map_or(0.0, |at| now.since(at).as_secs_f64()), self.iteration <= 1)
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
        if let Some(known) = known {
            let expected = known.within(last.0);
            if expected > 0.0 {
                let more = last.1 / expected;
                return Some(Dirtying {
                    rate: known.rate * more,
                    working_set: known.working_set * more,
                    ..known
                });
            }
        }
        let different = |window: &&(f64, f64)| window.0 > last.0 * DIFFERENT || window.0 * DIFFERENT < last.0;
        let other = self.windows.iter().rev().find(different);
        let fitted = other.and_then(|other| Dirtying::of_windows(*other, last));
        Some(fitted.unwrap_or_else(|| alone(last)))
    }
}

/// Of one window.
fn alone((time, bytes): (f64, f64)) -> Dirtying {
    if bytes <= 0.0 {
        return Dirtying::NONE;
    }
    let working_set = bytes / -(-FULLNESS).exp_m1();
    Dirtying { rate: FULLNESS * working_set / time, working_set, ..Dirtying::NONE }
}

#[cfg(test)]
mod tests {
    use super::Dirtied;
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
        dirtied.note(&progress(1, 0), at(0));
        assert!(dirtied.dirtying(None).is_none() && dirtied.position(at(500)) == (0.5, true));
        dirtied.note(&progress(1, 0), at(3900));
        dirtied.note(&progress(2, pages(4.0)), at(4000));
        let alone = dirtied.dirtying(None).expect("a window");
        assert!((alone.within(4.0) / guest.within(4.0) - 1.0).abs() < 0.01, "{alone:?}");
        dirtied.note(&progress(2, pages(4.0)), at(4500));
        dirtied.note(&progress(3, pages(1.2)), at(5200));
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
        dirtied.note(&progress(1, 0), at(0));
        dirtied.note(&progress(2, (40e6 / 4.0 / 4096.0) as u64), at(4000));
        let found = dirtied.dirtying(Some(&known)).expect("known");
        assert!((found.rate / 20e6 - 1.0).abs() < 0.01 && (found.working_set / 40e6 - 1.0).abs() < 0.01);
    }

    #[test]
    fn short_rounds_share_a_window() {
        let mut dirtied = Dirtied::default();
        dirtied.note(&progress(1, 0), at(0));
        dirtied.note(&progress(2, 1000), at(2000));
        for (time, iteration) in [(2100, 3), (2500, 5), (2900, 7)] {
            dirtied.note(&progress(iteration, 1000), at(time));
        }
        assert_eq!(dirtied.count(), 1);
        dirtied.note(&progress(8, 500), at(3200));
        assert_eq!(dirtied.windows.back().map(|(time, _)| (time * 1000.0).round()), Some(200.0));
    }
}

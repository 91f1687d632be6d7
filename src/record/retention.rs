//! Which files go: the oldest ones, by age and by the size of all.

use crate::sample::monotonic::Monotonic;
use std::time::Duration;

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// No longer than this; `None` for ever.
    pub time: Option<Duration>,
    /// No more bytes than this together.
    pub size: Option<u64>,
}

/// A file as far as its fate depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Seconds since 1970 of its end.
    pub ended: u64,
    /// Bytes.
    pub size: u64,
}

impl Retention {
    /// How many of the oldest files go. `by_age` says whether the clock can be believed; the last file, which is being
    /// written, always stays.
    pub fn surplus(&self, files: &[Stored], now: u64, by_age: bool) -> usize {
        let old = |file: &Stored| {
            by_age && self.time.is_some_and(|time| now.saturating_sub(file.ended) > time.as_secs())
        };
        let mut sum: u64 = files.iter().map(|file| file.size).sum();
        let mut surplus = 0;
        let finished = &files[..files.len().saturating_sub(1)];
        for file in finished {
            if !(old(file) || self.size.is_some_and(|most| sum > most)) {
                break;
            }
            sum -= file.size;
            surplus += 1;
        }
        surplus
    }
}

/// How long the clock must have run straight, after it was set, before files are taken for old by it.
const STRAIGHT: Duration = Duration::from_secs(3600);
/// A clock that is corrected by less is not set.
const SET: Duration = Duration::from_secs(60);

/// Whether the clock can be believed: a clock that is a year ahead for a minute must not cost a year's recordings.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trust {
    offset: Option<i128>,
    set: Option<Monotonic>,
}

impl Trust {
    /// Takes note of both clocks; says whether the one can be believed.
    pub fn note(&mut self, wall_ns: u64, now: Monotonic) -> bool {
        let offset = i128::from(wall_ns) - now.0.as_nanos() as i128;
        if self.offset.is_some_and(|before| before.abs_diff(offset) > SET.as_nanos()) {
            self.set = Some(now);
        }
        self.offset = Some(offset);
        self.set.is_none_or(|set| now.since(set) >= STRAIGHT)
    }

    /// The clock is to be doubted from now on for a while.
    pub fn doubt(&mut self, now: Monotonic) {
        self.set = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::{Retention, Stored, Trust};
    use crate::sample::monotonic::Monotonic;
    use std::time::Duration;

    const HOUR: u64 = 3600;

    fn files(count: u64) -> Vec<Stored> {
        (0..count).map(|at| Stored { ended: (at + 1) * HOUR, size: 10 }).collect()
    }

    #[test]
    fn the_oldest_go() {
        let keep = Retention { time: Some(Duration::from_secs(3 * HOUR)), size: None };
        assert_eq!(keep.surplus(&files(10), 10 * HOUR, true), 6);
        assert_eq!(keep.surplus(&files(10), 10 * HOUR, false), 0, "the clock is not believed");
        assert_eq!(keep.surplus(&files(10), 0, true), 0, "the clock is behind");
        assert_eq!(keep.surplus(&files(10), 1000 * HOUR, true), 9, "the one that is written stays");
        let keep = Retention { size: Some(35), ..keep };
        assert_eq!(keep.surplus(&files(10), 10 * HOUR, false), 7);
        assert_eq!(Retention { time: None, size: Some(1) }.surplus(&files(1), 0, true), 0);
        assert_eq!(Retention { time: None, size: Some(1) }.surplus(&[], 0, true), 0);
    }

    #[test]
    fn a_clock_that_was_set_is_doubted_for_an_hour() {
        let mut trust = Trust::default();
        let at = |seconds| Monotonic(Duration::from_secs(seconds));
        let wall = |seconds: u64| seconds * 1_000_000_000;
        assert!(trust.note(wall(1_000_000), at(0)));
        assert!(trust.note(wall(1_000_101), at(100)), "a correction");
        assert!(!trust.note(wall(9_000_000), at(200)), "set");
        assert!(!trust.note(wall(9_000_000 + HOUR - 1), at(200 + HOUR - 1)));
        assert!(!trust.note(wall(1_005_000), at(3700)), "set back");
        assert!(trust.note(wall(1_005_000 + HOUR), at(3700 + HOUR)));
    }
}

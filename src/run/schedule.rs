//! When each source is due. Pure: the time is an argument.

use crate::sample::monotonic::Monotonic;
use crate::source::contract::Pace;
use std::time::Duration;

/// What is counted may take one thousandth of a core for each source that is not read at every tick.
const THOUSANDTH: u32 = 1000;
/// Attributes are followed by the kernel's events, and read again only to be sure: a ten-thousandth.
const TEN_THOUSANDTH: u32 = 10_000;
/// From this pace on a source is one of attributes.
const ATTRIBUTES: Duration = Duration::from_secs(60);
/// Links that change all the time must not make their attributes take more than half a percent of a core.
const ON_CHANGE: u32 = 200;
/// A source that cannot be opened is tried again after this long, then after twice as long, up to the longest.
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_secs(300);

/// What is read closely while a migration is on may take four thousandths of a core for each such source: a hundred
/// migrations are followed less closely than one.
const CLOSE: u32 = 250;

/// What the host is like now, as far as it decides what is due.
#[derive(Debug, Clone, Copy, Default)]
pub struct Occasion {
    /// Of the links.
    pub generation: u64,
    /// Of the hypervisor processes.
    pub guests: u64,
    /// There are any.
    pub has_guests: bool,
    /// The process id that was given out last; `None` if it is not known.
    pub newest_process: Option<u32>,
    /// There is a physical link.
    pub hardware: bool,
    /// A migration is followed, with this much time between two readings.
    pub close: Option<Duration>,
}

/// One source's plan.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pace: Pace,
    last: Option<Monotonic>,
    took: Duration,
    rest: Duration,
    generation: u64,
    guests: u64,
    newest_process: Option<u32>,
    outdated: bool,
    failures: u32,
}

impl Plan {
    /// A source that was never read: due at once.
    pub fn new(pace: Pace) -> Self {
        let (took, rest) = (Duration::ZERO, Duration::ZERO);
        let (newest_process, outdated) = (None, false);
        Self { pace, last: None, took, rest, generation: 0, guests: 0, newest_process, outdated, failures: 0 }
    }

    /// Whether it is due now, when the links are of this generation.
    pub fn is_due(&self, now: Monotonic, occasion: Occasion) -> bool {
        let Some(last) = self.last else { return true };
        if self.failures > 0 && matches!(self.pace, Pace::Change(_) | Pace::Near | Pace::Started) {
            return now.since(last) >= self.retry();
        }
        match self.pace {
            Pace::Fast => true,
            Pace::Tick => self.has_rested(now, last, occasion),
            Pace::HardwareTick => occasion.hardware || self.generation != occasion.generation,
            Pace::Started => {
                let started = occasion.newest_process.is_none_or(|id| self.newest_process != Some(id));
                let rested = now.since(last) + SLACK >= self.rest;
                now.since(last) + SLACK >= self.stretched(SECOND) && (started || rested)
            }
            Pace::Migration | Pace::Lookout if self.guests != occasion.guests => true,
            // Without a hypervisor there is nothing to hear; a new one is looked at as soon as it is found.
            Pace::Migration | Pace::Lookout if !occasion.has_guests => now.since(last) >= QUIET,
            Pace::Migration | Pace::Lookout | Pace::Background => {
                let (slack, pause) = self.followed(occasion.close);
                now.since(last) + slack >= pause
            }
            Pace::Near if occasion.close.is_some() => {
                now.since(last) + NEAR / 4 >= NEAR.max(self.took * CLOSE)
            }
            Pace::Change(_) | Pace::Near if self.outdated || self.generation != occasion.generation => {
                now.since(last) >= self.took * ON_CHANGE
            }
            // Half a tick of slack: a source of one second must be due at the next tick, not at the one after it.
            Pace::Near => {
                now.since(last) + SLACK >= self.stretched(SECOND) && self.has_rested(now, last, occasion)
            }
            Pace::Change(every) => {
                now.since(last) + SLACK >= self.stretched(every) && self.has_rested(now, last, occasion)
            }
        }
    }

    /// Of what follows migrations: the time between two readings, and how much of it may be missing.
    fn followed(&self, close: Option<Duration>) -> (Duration, Duration) {
        match (close, self.pace) {
            (Some(every), _) => (every / 4, every.max(self.took * CLOSE)),
            (None, Pace::Lookout) => (LOOKOUT / 4, LOOKOUT.max(self.took * THOUSANDTH)),
            (None, Pace::Background) => (SLACK, self.asked()),
            (None, _) => (SLACK, SECOND.max(self.took * THOUSANDTH)),
        }
    }

    /// The rest that a source asked for; one that wants to be read every second does so for a moment only.
    fn asked(&self) -> Duration {
        let share = if self.rest > SECOND { TEN_THOUSANDTH } else { ON_CHANGE };
        self.rest.max(self.took * share)
    }

    /// Whether it was left alone for as long as it asked for, or there is a reason not to.
    fn has_rested(&self, now: Monotonic, last: Monotonic, occasion: Occasion) -> bool {
        let reason = occasion.close.is_some() || self.generation != occasion.generation;
        reason || now.since(last) + SLACK >= self.rest
    }

    /// A pace that fits what a reading costs.
    fn stretched(&self, every: Duration) -> Duration {
        every.max(self.took * if every >= ATTRIBUTES { TEN_THOUSANDTH } else { THOUSANDTH })
    }

    /// It is being read, knowing as much as was known on this occasion.
    pub fn sent(&mut self, occasion: Occasion) {
        (self.guests, self.newest_process) = (occasion.guests, occasion.newest_process);
        self.outdated = false;
    }

    /// Another source has seen that what it said no longer holds: it is read again as if links had changed.
    pub fn outdate(&mut self) {
        self.outdated = true;
    }

    /// It was read, or it failed.
    pub fn done(&mut self, at: Monotonic, took: Duration, generation: u64, succeeded: bool) {
        // It rises to twice at most, because one reading that was disturbed says nothing of the cost, and falls slowly,
        // because dear readings may take turns with cheap ones.
        self.took = match took {
            _ if self.last.is_none() => took,
            dearer if dearer > self.took => dearer.min(self.took * 2),
            cheaper => (self.took + cheaper) / 2,
        };
        self.last = Some(at);
        self.generation = generation;
        self.failures = if succeeded { 0 } else { self.failures.saturating_add(1) };
    }

    /// It was read, and asks to be left alone for a while.
    pub fn rest(&mut self, rest: Duration) {
        self.rest = rest;
    }

    /// When a source that failed, or that could not be opened, is tried again.
    fn retry(&self) -> Duration {
        LONGEST_RETRY.min(FIRST_RETRY * 2u32.saturating_pow(self.failures.saturating_sub(1).min(10)))
    }

    /// Whether a source that could not be opened should be tried again now.
    pub fn may_open(&self, now: Monotonic) -> bool {
        self.failures == 0 || self.last.is_none_or(|last| now.since(last) >= self.retry())
    }

    /// Whether what this source said then is still good: until three readings were missed.
    pub fn is_fresh(&self, then: Monotonic, now: Monotonic, tick: Duration, deadline: Duration) -> bool {
        let expected = match self.pace {
            Pace::Fast | Pace::Tick | Pace::HardwareTick => tick.max(self.rest),
            Pace::Migration | Pace::Lookout => tick.max(self.took * THOUSANDTH),
            Pace::Background => tick.max(self.asked()),
            Pace::Near | Pace::Started => self.stretched(SECOND).max(self.rest),
            Pace::Change(every) => self.stretched(every).max(self.rest),
        };
        now.since(then) <= expected * 3 + deadline
    }
}

const SLACK: Duration = Duration::from_millis(500);
/// Between two looks whether a migration begins: a verdict is owed within two seconds of its first byte, and a quarter of
/// a second is what a look costs least at (a reading that finds nothing opened takes 0.03 ms, a wake-up as much).
pub const LOOKOUT: Duration = Duration::from_millis(250);
/// A host without hypervisors is looked at this often by what follows them.
const QUIET: Duration = Duration::from_secs(10);
/// Between two readings of what holds links back, while a migration is followed: twice within the half second after
/// which a verdict may change.
const NEAR: Duration = Duration::from_millis(250);
const SECOND: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::{Occasion, Plan};
    use crate::sample::monotonic::Monotonic;
    use crate::source::contract::Pace;
    use std::time::Duration;

    fn at(milliseconds: u64) -> Monotonic {
        Monotonic(Duration::from_millis(milliseconds))
    }

    fn links(generation: u64) -> Occasion {
        Occasion { generation, ..Occasion::default() }
    }

    #[test]
    fn a_dear_source_is_read_less_often() {
        let mut plan = Plan::new(Pace::Change(Duration::from_secs(1)));
        assert!(plan.is_due(at(0), links(1)));
        plan.done(at(0), Duration::from_micros(100), 1, true);
        assert!(plan.is_due(at(1000), links(1)), "100 us a second is a ten-thousandth");
        plan.done(at(1000), Duration::from_millis(20), 1, true);
        plan.done(at(2000), Duration::from_millis(20), 1, true);
        assert!(!plan.is_due(at(2300), links(1)), "the cost is still rising to its true value");
        for second in 3..9 {
            plan.done(at(second * 1000), Duration::from_millis(20), 1, true);
        }
        assert!(!plan.is_due(at(27_000), links(1)));
        assert!(plan.is_due(at(28_000), links(1)), "20 ms every 20 s is a thousandth");
    }

    #[test]
    fn a_change_of_links_is_followed_at_once() {
        let mut plan = Plan::new(Pace::Change(Duration::from_secs(60)));
        plan.done(at(0), Duration::from_millis(1), 1, true);
        assert!(!plan.is_due(at(1000), links(1)));
        assert!(plan.is_due(at(1000), links(2)));
    }

    #[test]
    fn what_no_longer_holds_is_read_again() {
        let mut plan = Plan::new(Pace::Change(Duration::from_secs(60)));
        plan.done(at(0), Duration::from_millis(1), 1, true);
        plan.sent(links(1));
        plan.outdate();
        plan.done(at(500), Duration::from_millis(1), 1, true);
        assert!(plan.is_due(at(1000), links(1)), "told while it was being read");
        plan.sent(links(1));
        plan.done(at(1000), Duration::from_millis(1), 1, true);
        assert!(!plan.is_due(at(2000), links(1)));
    }

    #[test]
    fn what_holds_links_back_is_looked_at_more_often_while_a_migration_is_on() {
        let close = Occasion { close: Some(Duration::from_millis(100)), ..links(1) };
        let mut plan = Plan::new(Pace::Near);
        plan.done(at(0), Duration::from_micros(100), 1, true);
        assert!(!plan.is_due(at(300), links(1)) && plan.is_due(at(1000), links(1)));
        assert!(!plan.is_due(at(100), close) && plan.is_due(at(200), close));
        plan.done(at(200), Duration::from_millis(4), 1, true);
        for time in 1..9 {
            plan.done(at(200 + time * 1000), Duration::from_millis(4), 1, true);
        }
        assert!(!plan.is_due(at(8900), close), "4 ms four times a second would be too dear");
        assert!(plan.is_due(at(9200), close));
    }

    #[test]
    fn processes_are_listed_when_one_was_started() {
        let newest = |id| Occasion { newest_process: id, ..links(1) };
        let mut plan = Plan::new(Pace::Started);
        assert!(plan.is_due(at(0), newest(Some(7))), "once, to know");
        plan.sent(newest(Some(7)));
        plan.done(at(0), Duration::from_micros(100), 1, true);
        plan.rest(Duration::from_secs(30));
        assert!(!plan.is_due(at(1000), newest(Some(7))) && plan.is_due(at(1000), newest(Some(8))));
        assert!(!plan.is_due(at(400), newest(Some(8))), "not more than once a second");
        assert!(plan.is_due(at(1000), newest(None)), "nobody knows");
        assert!(plan.is_due(at(30_000), newest(Some(7))), "now and then in any case");
        plan.rest(Duration::ZERO);
        assert!(plan.is_due(at(1000), newest(Some(7))), "it has something to look at again");
    }

    #[test]
    fn a_source_that_sees_nothing_rests() {
        let close = Occasion { close: Some(Duration::from_millis(100)), ..links(1) };
        let mut plan = Plan::new(Pace::Change(Duration::from_secs(1)));
        plan.done(at(0), Duration::ZERO, 1, true);
        plan.rest(Duration::from_secs(4));
        assert!(!plan.is_due(at(3000), links(1)) && plan.is_due(at(4000), links(1)));
        assert!(plan.is_due(at(1000), close), "a migration is on");
        assert!(plan.is_due(at(1000), links(2)), "other links");
        assert!(plan.is_fresh(at(0), at(9000), Duration::from_secs(1), Duration::from_secs(1)));
    }

    #[test]
    fn a_failure_is_tried_again_with_patience() {
        let mut plan = Plan::new(Pace::Change(Duration::from_secs(1)));
        plan.done(at(0), Duration::ZERO, 1, false);
        assert!(!plan.is_due(at(4000), links(1)));
        assert!(plan.is_due(at(5000), links(1)));
        plan.done(at(5000), Duration::ZERO, 1, false);
        assert!(!plan.may_open(at(14_000)));
        assert!(plan.may_open(at(15_000)));
    }

    #[test]
    fn hardware_is_asked_where_there_is_some() {
        let mut plan = Plan::new(Pace::HardwareTick);
        assert!(plan.is_due(at(0), links(1)), "once, to know");
        plan.done(at(0), Duration::ZERO, 1, true);
        assert!(!plan.is_due(at(1000), links(1)));
        assert!(plan.is_due(at(1000), links(2)));
        assert!(plan.is_due(at(1000), Occasion { hardware: true, ..links(1) }));
    }

    #[test]
    fn a_migration_is_followed_as_closely_as_it_may_cost() {
        let idle = Occasion { has_guests: true, ..links(1) };
        let close = Occasion { close: Some(Duration::from_millis(100)), ..idle };
        let mut plan = Plan::new(Pace::Migration);
        plan.done(at(0), Duration::from_micros(100), 1, true);
        assert!(!plan.is_due(at(100), idle) && plan.is_due(at(1000), idle));
        assert!(!plan.is_due(at(1000), links(1)), "no hypervisor");
        assert!(plan.is_due(at(1000), Occasion { guests: 7, ..links(1) }), "a new one");
        assert!(plan.is_due(at(100), close));
        plan.done(at(100), Duration::from_millis(2), 1, true);
        for time in 2..6 {
            plan.done(at(time * 100), Duration::from_millis(2), 1, true);
        }
        assert!(!plan.is_due(at(800), close), "2 ms ten times a second would be two hundredths");
        assert!(plan.is_due(at(1000), close));
    }

    #[test]
    fn a_beginning_is_looked_out_for_four_times_a_second() {
        let idle = Occasion { has_guests: true, ..links(1) };
        let mut plan = Plan::new(Pace::Lookout);
        plan.done(at(0), Duration::from_micros(50), 1, true);
        assert!(!plan.is_due(at(100), idle) && plan.is_due(at(240), idle));
        assert!(!plan.is_due(at(1000), links(1)), "no hypervisor");
        assert!(plan.is_due(at(100), Occasion { close: Some(Duration::from_millis(100)), ..idle }));
        plan.done(at(250), Duration::from_micros(500), 1, true);
        for time in 1..9 {
            plan.done(at(250 + time * 500), Duration::from_micros(500), 1, true);
        }
        assert!(!plan.is_due(at(4500), idle) && plan.is_due(at(4750), idle), "half a millisecond is dear");
    }

    #[test]
    fn what_is_in_the_background_takes_a_ten_thousandth() {
        let close = Occasion { close: Some(Duration::from_millis(100)), ..links(1) };
        let mut plan = Plan::new(Pace::Background);
        plan.done(at(0), Duration::from_millis(4), 1, true);
        plan.rest(Duration::from_secs(1));
        assert!(!plan.is_due(at(400), links(1)) && plan.is_due(at(1000), links(1)), "a second look soon");
        plan.done(at(1000), Duration::from_millis(4), 1, true);
        plan.rest(Duration::from_secs(30));
        assert!(!plan.is_due(at(31_000), links(1)) && plan.is_due(at(41_000), links(1)));
        assert!(plan.is_due(at(2000), close));
        let second = Duration::from_secs(1);
        assert!(plan.is_fresh(at(1000), at(120_000), second, second));
    }

    #[test]
    fn dear_readings_among_cheap_ones_count() {
        let idle = Occasion { has_guests: true, ..links(1) };
        let close = Occasion { close: Some(Duration::from_millis(100)), ..idle };
        let mut plan = Plan::new(Pace::Migration);
        let (mut spent, mut readings) = (Duration::ZERO, 0);
        for tick in (0..100_000).step_by(100) {
            if plan.is_due(at(tick), close) {
                let took = Duration::from_micros(if readings % 3 == 0 { 3000 } else { 500 });
                plan.done(at(tick), took, 1, true);
                (spent, readings) = (spent + took, readings + 1);
            }
        }
        assert!(spent < Duration::from_millis(500), "100 s: {spent:?}");
        assert!(spent > Duration::from_millis(300), "{spent:?}");
    }

    #[test]
    fn old_blocks_are_dropped() {
        let plan = Plan::new(Pace::Tick);
        let (tick, deadline) = (Duration::from_secs(1), Duration::from_secs(1));
        assert!(plan.is_fresh(at(0), at(4000), tick, deadline));
        assert!(!plan.is_fresh(at(0), at(4001), tick, deadline));
    }
}

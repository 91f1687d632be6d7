//! When a guest's monitors are asked, and what: how often, by which of them, and how long one that failed is left
//! alone. Pure; time is an argument.

use super::dialogue::Scope;
use crate::sample::guest::{Monitor, Process};
use crate::sample::migration::{Status, Unavailable};
use crate::sample::monotonic::Monotonic;
use std::path::PathBuf;
use std::time::Duration;

/// How long a monitor is left alone after it failed; doubles up to `LONGEST_BACKOFF`.
pub const FIRST_BACKOFF: Duration = Duration::from_millis(250);

/// The longest that a failing monitor is left alone.
pub const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

/// QEMU answers nothing while it saves the devices' state (it holds its lock); it is asked again soon.
const PAUSED_BACKOFF: Duration = Duration::from_millis(100);

/// How often the limits are asked again: somebody may change them at any time, and a verdict is owed within two seconds.
const LIMITS: Duration = Duration::from_millis(500);

/// The same where many guests move, who are visited every second or two: not at every visit.
const LIMITS_OF_MANY: Duration = Duration::from_secs(3);

/// From here on guests are many.
const MANY: usize = 20;

/// Beyond six guests at once each is asked less often: a visit costs about sixty microseconds here, and about a hundred
/// with what is done with the answers; all of them together may take seven thousandths of a core.
const EACH: Duration = Duration::from_millis(15);

/// A tick that comes a little early is still a tick.
const JITTER: Duration = Duration::from_millis(5);

/// How long a monitor that has answered before is given, from its greeting on: another client never waits longer.
pub const PATIENCE: Duration = Duration::from_millis(40);

/// How long one that was silent is given: its other clients wait for it as well, and it is asked seldom.
pub const LONG_PATIENCE: Duration = Duration::from_millis(100);

/// What is to be asked now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// By which monitor.
    pub path: PathBuf,
    /// It is held by us.
    pub held: bool,
    /// What.
    pub scope: Scope,
    /// How long an answer is waited for.
    pub patience: Duration,
    /// It may be taken: look before connecting.
    pub look_first: bool,
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// By which monitor.
    pub path: PathBuf,
    /// The migration's status, if it was told.
    pub status: Option<Status>,
    /// All was answered, or why not.
    pub result: Result<(), Unavailable>,
}

/// One followed guest.
#[derive(Debug, Default)]
pub struct Course {
    doors: Vec<Door>,
    asking: bool,
    asked: Option<Monotonic>,
    limits: Option<Monotonic>,
    status: Option<Status>,
    told: Option<Unavailable>,
}

#[derive(Debug, Clone)]
struct Door {
    path: PathBuf,
    held: bool,
    /// The last visit was answered.
    answers: bool,
    failure: Option<Failure>,
}

#[derive(Debug, Clone, Copy)]
struct Failure {
    why: Unavailable,
    backoff: Duration,
    until: Monotonic,
}

impl Course {
    /// Takes over the monitors of a process. One that is ours alone makes the others superfluous.
    pub fn follow(&mut self, process: &Process) {
        let exclusive = process.monitors.iter().any(|monitor| monitor.exclusive);
        let used = process.monitors.iter().filter(|monitor| monitor.exclusive == exclusive);
        let old = std::mem::take(&mut self.doors);
        let door = |monitor: &Monitor| {
            let known = old.iter().find(|door| door.path == monitor.path && door.held == monitor.exclusive);
            let new = || Door {
                path: monitor.path.clone(),
                held: monitor.exclusive,
                answers: false,
                failure: None,
            };
            known.cloned().unwrap_or_else(new)
        };
        self.doors = used.map(door).collect();
    }

    /// What is to be asked now, if something is, where `crowd` guests are followed. It then counts as being asked until
    /// `done`.
    pub fn next(&mut self, now: Monotonic, paused: bool, crowd: usize) -> Option<Ask> {
        if self.asking {
            return None;
        }
        let rests = |door: &&Door| door.failure.is_none_or(|failure| failure.until <= now);
        // One that answers goes before one that did not.
        let door = self.doors.iter().filter(rests).min_by_key(|door| door.failure.is_some())?;
        if self.asked.is_some_and(|asked| now.since(asked) + JITTER < pace(door.held, paused, crowd)) {
            return None;
        }
        let every = if crowd < MANY { LIMITS } else { LIMITS_OF_MANY };
        let limits = self.limits.is_none_or(|asked| now.since(asked) + JITTER >= every);
        let scope = Scope { negotiate: !door.held, progress: true, limits };
        let silent = door.failure.is_some_and(|failure| failure.why == Unavailable::Silent);
        let ask = Ask {
            path: door.path.clone(),
            held: door.held,
            scope,
            patience: if silent { LONG_PATIENCE } else { PATIENCE },
            look_first: !door.answers,
        };
        self.asking = true;
        self.asked = Some(now);
        if limits {
            self.limits = Some(now);
        }
        Some(ask)
    }

    /// Takes in how it went; gives why the guest cannot be asked at all, when that changes.
    pub fn done(&mut self, now: Monotonic, paused: bool, outcome: &Outcome) -> Option<Unavailable> {
        self.asking = false;
        let changed = self.status.is_some() && outcome.status.is_some() && outcome.status != self.status;
        self.status = outcome.status.or(self.status);
        if changed || outcome.result.is_err() {
            self.limits = None;
        }
        let door = self.doors.iter_mut().find(|door| door.path == outcome.path)?;
        door.answers = outcome.result.is_ok();
        let Err(why) = outcome.result else {
            (door.failure, self.told) = (None, None);
            return None;
        };
        if door.held {
            // Who holds it opens it again and tells why it is not open.
            return None;
        }
        door.failure = Some(after(door.failure, why, now, paused));
        if self.told == Some(why) || self.doors.iter().any(|door| door.failure.is_none()) {
            return None;
        }
        self.told = Some(why);
        self.told
    }

    /// The question could not be put; it counts as asked.
    pub fn give_up(&mut self) {
        self.asking = false;
        self.limits = None;
    }
}

/// A monitor that is not ours is asked seldom enough that others find it free. A guest that stands still is one of
/// few, and does not do so for long.
fn pace(held: bool, paused: bool, crowd: usize) -> Duration {
    match (held, paused) {
        (_, false) => {
            Duration::from_millis(100).max(EACH.saturating_mul(u32::try_from(crowd).unwrap_or(u32::MAX)))
        }
        (false, true) => Duration::from_millis(50),
        (true, true) => Duration::from_millis(20),
    }
}

fn after(before: Option<Failure>, why: Unavailable, now: Monotonic, paused: bool) -> Failure {
    let backoff = match before {
        _ if paused && why == Unavailable::Silent => PAUSED_BACKOFF,
        Some(before) => (before.backoff * 2).clamp(FIRST_BACKOFF, LONGEST_BACKOFF),
        None => FIRST_BACKOFF,
    };
    Failure { why, backoff, until: Monotonic(now.0 + backoff) }
}

#[cfg(test)]
mod tests {
    use super::{Ask, Course, Outcome, LONGEST_BACKOFF, LONG_PATIENCE};
    use crate::sample::guest::{Monitor, Process};
    use crate::sample::migration::{Status, Unavailable};
    use crate::sample::monotonic::Monotonic;
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    fn at(millis: u64) -> Monotonic {
        Monotonic(Duration::from_millis(millis))
    }

    fn course(monitors: &[(&str, bool)]) -> Course {
        let monitors =
            monitors.iter().map(|(path, exclusive)| Monitor { path: path.into(), exclusive: *exclusive });
        let mut course = Course::default();
        course.follow(&Process { monitors: monitors.collect(), ..Process::default() });
        course
    }

    fn outcome(ask: &Ask, status: Status, result: Result<(), Unavailable>) -> Outcome {
        Outcome { path: ask.path.clone(), status: result.is_ok().then_some(status), result }
    }

    fn answered(course: &mut Course, now: u64, paused: bool) -> Option<Ask> {
        let ask = course.next(at(now), paused, 1)?;
        assert_eq!(course.done(at(now), paused, &outcome(&ask, Status::Active, Ok(()))), None);
        Some(ask)
    }

    #[test]
    fn a_borrowed_monitor_is_asked_ten_times_a_second_and_twenty_times_in_the_pause() {
        let mut course = course(&[("/a", false)]);
        let running = (0..100).filter(|tick| answered(&mut course, tick * 10, false).is_some()).count();
        assert_eq!(running, 10);
        let paused = (100..200).filter(|tick| answered(&mut course, tick * 10, true).is_some()).count();
        assert_eq!(paused, 20);
    }

    #[test]
    fn a_crowd_is_asked_less_often() {
        let mut course = course(&[("/a", false)]);
        let mut times = 0;
        for tick in 0..80 {
            if let Some(ask) = course.next(at(tick * 100), false, 100) {
                course.done(at(tick * 100), false, &outcome(&ask, Status::Active, Ok(())));
                times += 1;
            }
        }
        assert_eq!(times, 6);
    }

    #[test]
    fn limits_are_asked_first_then_twice_a_second_and_when_the_status_changes() {
        let mut course = course(&[("/a", false)]);
        let limits: Vec<u64> = (0..50)
            .map(|tick| tick * 100)
            .filter(|now| answered(&mut course, *now, false).is_some_and(|ask| ask.scope.limits))
            .collect();
        assert_eq!(limits, [0, 500, 1000, 1500, 2000, 2500, 3000, 3500, 4000, 4500]);
        let ask = course.next(at(5000), false, 1).expect("due");
        course.done(at(5000), false, &outcome(&ask, Status::Device, Ok(())));
        assert!(course.next(at(5100), false, 1).expect("due").scope.limits);
    }

    #[test]
    fn a_busy_monitor_is_left_alone_longer_and_longer_and_told_of_once() {
        let mut course = course(&[("/a", false)]);
        let (mut tries, mut told) = (Vec::new(), 0);
        for now in (0..20_000).step_by(50) {
            if let Some(ask) = course.next(at(now), false, 1) {
                assert!(ask.look_first);
                tries.push(now);
                let outcome = outcome(&ask, Status::None, Err(Unavailable::Busy));
                told += usize::from(course.done(at(now), false, &outcome).is_some());
            }
        }
        assert_eq!(tries, [0, 250, 750, 1750, 3750, 7750, 12_750, 17_750]);
        assert_eq!(LONGEST_BACKOFF, Duration::from_secs(5));
        assert_eq!(told, 1);
        assert!(answered(&mut course, 30_000, false).is_some_and(|ask| ask.look_first && ask.scope.limits));
        assert!(answered(&mut course, 30_100, false).is_some_and(|ask| !ask.look_first));
    }

    #[test]
    fn silence_in_the_pause_is_expected() {
        let mut course = course(&[("/a", false)]);
        for now in [0, 100, 200] {
            let ask = course.next(at(now), true, 1).expect("due");
            assert_eq!(ask.patience == LONG_PATIENCE, now > 0);
            course.done(at(now), true, &outcome(&ask, Status::None, Err(Unavailable::Silent)));
        }
    }

    #[test]
    fn the_next_monitor_is_tried_before_the_guest_counts_as_unavailable() {
        let mut course = course(&[("/a", false), ("/b", false)]);
        let ask = course.next(at(0), false, 1).expect("due");
        assert_eq!(ask.path, PathBuf::from("/a"));
        assert_eq!(course.done(at(0), false, &outcome(&ask, Status::None, Err(Unavailable::Busy))), None);
        for now in [100, 400] {
            assert_eq!(answered(&mut course, now, false).map(|ask| ask.path), Some("/b".into()));
        }
    }

    #[test]
    fn one_that_is_ours_is_used_alone_and_more_often() {
        let mut course = course(&[("/a", false), ("/mine", true)]);
        let asks: Vec<Ask> = (0..10).filter_map(|tick| answered(&mut course, tick * 20, true)).collect();
        assert_eq!(asks.len(), 10);
        assert!(asks
            .iter()
            .all(|ask| ask.held && !ask.scope.negotiate && ask.path.as_path() == Path::new("/mine")));
    }

    #[test]
    fn nobody_is_asked_twice_at_once() {
        let mut course = course(&[("/a", false)]);
        let ask = course.next(at(0), false, 1).expect("due");
        assert_eq!(course.next(at(10_000), false, 1), None);
        course.done(at(10_000), false, &outcome(&ask, Status::Active, Ok(())));
        assert!(course.next(at(10_000), false, 1).is_some());
    }
}

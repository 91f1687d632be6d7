//! One guest that is followed: when it is asked for what, and what the answers mean.
//!
//! libvirt's job statistics exist on the source only; a host that receives answers with an error that says so. A
//! migration that is called off leaves no record anywhere: it must be inferred from a job that is gone while the
//! guest runs on.

use crate::sample::migration::{Direction, Event, Guest as Name, Progress, Speaker, Status, Told};
use crate::sample::migration::{Unavailable, What};
use crate::sample::monotonic::Monotonic;
use crate::source::transport::libvirt::procedure::{Domain, Job};
use std::time::Duration;

mod answers;
mod events;

/// While it moves.
const CLOSELY: Duration = Duration::from_millis(100);
/// While it stands still for the switchover.
const PAUSED: Duration = Duration::from_millis(50);
/// While it is received: there are no figures, only the end is waited for.
const RECEIVING: Duration = Duration::from_millis(200);
/// While somebody says it moves and libvirt has no job.
const IDLE: Duration = Duration::from_millis(500);
/// While another job keeps it busy, or libvirt refuses.
const RARELY: Duration = Duration::from_secs(1);
/// How often the allowed pause is asked.
const LIMITS: Duration = Duration::from_secs(5);
/// How long the events of an end may come after the job is gone, and a job after its first event.
const GRACE: Duration = Duration::from_secs(5);
/// A call that hangs so long while the daemon lives is told: it is more than the lock of a guest that is leaving,
/// which takes a little over a second.
const HANGING: Duration = Duration::from_secs(3);

/// What can be asked of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// How far its job is.
    Job,
    /// How its last job was.
    LastJob,
    /// Whether it runs.
    State,
    /// How long it may pause. Takes its job lock: never asked while it is received.
    Limits,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// To [`Question::Job`] and [`Question::LastJob`].
    Job(Job),
    /// To [`Question::State`]: `virDomainState` and reason.
    State(i32, i32),
    /// To [`Question::Limits`]: milliseconds.
    MaxDowntime(u64),
}

/// What it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing that is known.
    Idle,
    /// It is saved, dumped, backed up…
    OtherJob,
    /// It leaves.
    Leaving,
    /// It comes.
    Coming,
}

/// What is known of the job that it has.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a thing that libvirt said, in whatever order")]
struct Course {
    /// It was seen by an answer, not only by events.
    seen: bool,
    /// The guest was stopped for it.
    stopped: bool,
    /// The guest goes on at the destination, which is here.
    resumed: bool,
    /// The rest of its memory follows it.
    postcopy: bool,
    /// libvirt said that the guest is here and all of its memory is.
    arrived: bool,
    /// Its last figures were told.
    completed: bool,
    /// The connection was lost: events may be missing.
    missed: bool,
    /// Since when it is gone and its end is not told.
    ending: Option<Monotonic>,
}

/// A guest that is followed.
#[derive(Debug)]
pub struct Guest {
    domain: Domain,
    /// The agent asks for it.
    wanted: bool,
    /// The agent says that it stands still.
    paused: bool,
    /// An event said that it moves.
    noted: Option<Monotonic>,
    stage: Stage,
    next: Question,
    due: Monotonic,
    asked: Option<(Question, Monotonic)>,
    limits_due: Monotonic,
    course: Course,
    /// An iteration that may be a migration's; what the job is shall be known first.
    iteration: Option<(u64, Monotonic)>,
    unavailable: Option<Unavailable>,
    told: Vec<Told>,
}

impl Guest {
    /// One of which nothing is known yet.
    pub fn new(domain: Domain, now: Monotonic) -> Self {
        Self {
            domain,
            wanted: false,
            paused: false,
            noted: None,
            stage: Stage::Idle,
            next: Question::Job,
            due: now,
            asked: None,
            limits_due: now,
            course: Course::default(),
            iteration: None,
            unavailable: None,
            told: Vec::new(),
        }
    }

    /// Which domain it is.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Whether the agent asks for it, and whether it stands still.
    pub fn want(&mut self, wanted: bool, paused: bool, now: Monotonic) {
        if (wanted && !self.wanted) || (paused && !self.paused) {
            self.due = self.due.min(now);
        }
        (self.wanted, self.paused) = (wanted, paused);
    }

    /// Whether there is still a reason to follow it.
    pub fn is_followed(&self) -> bool {
        self.wanted || self.noted.is_some() || matches!(self.stage, Stage::Leaving | Stage::Coming)
    }

    /// What was told since the last time.
    pub fn take_told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    fn say(&mut self, at: Monotonic, what: What) {
        let guest = Name::Domain { uuid: self.domain.uuid_text(), name: self.domain.name.clone() };
        self.told.push(Told { guest, by: Speaker::Libvirt, at, what });
    }

    fn say_event(&mut self, at: Monotonic, event: Event) {
        self.say(at, What::Event { event, wall_ns: None });
    }

    /// Its status without figures.
    fn say_status(&mut self, at: Monotonic, status: Status) {
        let progress = Progress { status, direction: self.direction(), ..Progress::default() };
        self.say(at, What::Progress(Box::new(progress)));
    }

    fn direction(&self) -> Option<Direction> {
        match self.stage {
            Stage::Leaving => Some(Direction::Outgoing),
            Stage::Coming => Some(Direction::Incoming),
            Stage::Idle | Stage::OtherJob => None,
        }
    }

    /// When it is to be asked again; `None` while an answer is missing.
    pub fn due(&self) -> Option<Monotonic> {
        self.asked.is_none().then_some(self.due)
    }

    /// What is to be asked now; it counts as asked.
    pub fn question(&mut self, now: Monotonic) -> Question {
        let limits = self.stage == Stage::Leaving
            && self.course.seen
            && !self.course.stopped
            && self.next == Question::Job;
        let question = if limits && now >= self.limits_due {
            // The next question follows at once.
            self.limits_due = Monotonic(now.0 + LIMITS);
            Question::Limits
        } else {
            self.due = Monotonic(now.0 + self.interval());
            self.next
        };
        self.asked = Some((question, now));
        question
    }

    fn interval(&self) -> Duration {
        let still = self.paused || (self.course.stopped && !self.course.resumed && !self.course.postcopy);
        match self.stage {
            _ if self.course.ending.is_some() => RECEIVING,
            Stage::Leaving if still => PAUSED,
            Stage::Leaving => CLOSELY,
            Stage::Coming => RECEIVING,
            Stage::OtherJob => RARELY,
            Stage::Idle if self.noted.is_some() => CLOSELY,
            Stage::Idle => IDLE,
        }
    }

    fn begin(&mut self, stage: Stage, now: Monotonic) {
        if self.stage != stage {
            self.reset();
            self.stage = stage;
            // It was asked at the pace of what it did before.
            self.due = self.due.min(Monotonic(now.0 + self.interval()));
        }
    }

    /// Nothing is known of a job.
    fn reset(&mut self) {
        self.stage = Stage::Idle;
        self.next = Question::Job;
        self.course = Course::default();
    }

    /// The job is over and its end is told.
    fn end(&mut self) {
        self.reset();
        (self.noted, self.iteration) = (None, None);
    }

    fn other_job(&mut self) {
        self.end();
        self.stage = Stage::OtherJob;
    }

    /// What only time tells.
    pub fn tick(&mut self, now: Monotonic) {
        if self.course.ending.is_some_and(|since| now.since(since) > GRACE) {
            self.end_without_record(now);
        }
        if self.asked.is_some_and(|(_, since)| now.since(since) > HANGING) {
            self.tell_unavailable(Unavailable::Silent, now);
        }
    }

    /// libvirt cannot be asked; said once until it answers again.
    pub fn tell_unavailable(&mut self, why: Unavailable, now: Monotonic) {
        if self.unavailable != Some(why) {
            self.unavailable = Some(why);
            self.say(now, What::Unavailable(why));
        }
    }

    /// The connection is gone; what was asked will not be answered. What is known stays.
    pub fn disconnected(&mut self) {
        self.asked = None;
        self.course.missed = true;
    }

    /// There is a new connection.
    pub fn connected(&mut self, now: Monotonic) {
        (self.asked, self.due) = (None, now);
    }
}

#[cfg(test)]
mod tests;

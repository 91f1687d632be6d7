//! One guest that is followed: when it is asked for what, and what the answers mean.
//!
//! libvirt's job statistics exist on the source only; a host that receives answers with an error that says so. A
//! migration that is called off leaves no record anywhere: it must be inferred from a job that is gone while the
//! guest runs on.

use super::words::{self, Operation};
use crate::sample::migration::{Direction, Event, Guest as Name, Limits, Progress, Speaker, Status, Told};
use crate::sample::migration::{Unavailable, What};
use crate::sample::monotonic::Monotonic;
use crate::source::transport::libvirt::procedure::{Domain, Job, Refusal};
use std::time::Duration;

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

/// `VIR_ERR_NO_DOMAIN`.
const NO_DOMAIN: i32 = 42;
/// `VIR_ERR_OPERATION_INVALID`: here, it does not run.
const NOT_RUNNING: i32 = 55;
/// `VIR_ERR_OPERATION_UNSUPPORTED`: statistics are on the source only.
const ONLY_AT_SOURCE: i32 = 84;
/// Refusals that say how things are.
const KNOWN: [i32; 3] = [NO_DOMAIN, NOT_RUNNING, ONLY_AT_SOURCE];

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
    /// Its job was seen by an answer, not only by events.
    seen: bool,
    stopped: bool,
    resumed: bool,
    postcopy: bool,
    completed: bool,
    /// An iteration that may be a migration's; what the job is shall be known first.
    iteration: Option<(u64, Monotonic)>,
    /// The connection was lost during the job: events may be missing.
    missed: bool,
    /// Since when the job is gone and its end is not told.
    ending: Option<Monotonic>,
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
            seen: false,
            stopped: false,
            resumed: false,
            postcopy: false,
            completed: false,
            iteration: None,
            missed: false,
            ending: None,
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
        let limits = self.stage == Stage::Leaving && self.seen && !self.stopped && self.next == Question::Job;
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
        let still = self.paused || (self.stopped && !self.resumed && !self.postcopy);
        match self.stage {
            _ if self.ending.is_some() => RECEIVING,
            Stage::Leaving if still => PAUSED,
            Stage::Leaving => CLOSELY,
            Stage::Coming => RECEIVING,
            Stage::OtherJob => RARELY,
            Stage::Idle if self.noted.is_some() => CLOSELY,
            Stage::Idle => IDLE,
        }
    }

    /// A question was answered, in time or late.
    pub fn answer(&mut self, question: Question, answer: Result<Answer, Refusal>, now: Monotonic) {
        self.asked = None;
        if answer.as_ref().err().is_none_or(|refusal| KNOWN.contains(&refusal.code)) {
            self.unavailable = None;
        }
        match (question, answer) {
            (Question::Limits, Ok(Answer::MaxDowntime(limit))) => {
                let downtime_limit = Some(Duration::from_millis(limit));
                self.say(now, What::Limits(Box::new(Limits { downtime_limit, ..Limits::default() })));
            }
            (Question::Job, Ok(Answer::Job(job))) => self.job(&job, now),
            (Question::LastJob, Ok(Answer::Job(job))) => self.last_job(&job, now),
            (Question::State, Ok(Answer::State(state, reason))) => self.state(state, reason, now),
            // Without it nothing is lost but the limit.
            (Question::Limits, _) | (_, Ok(_)) => {}
            (_, Err(refusal)) => self.refused(question, &refusal, now),
        }
    }

    fn job(&mut self, job: &Job, now: Monotonic) {
        if !matches!(job.kind, 1..=5) {
            return self.no_job(now);
        }
        match words::operation(&job.parameters) {
            Operation::Other => return self.other_job(),
            Operation::Migration(Direction::Incoming) => self.begin(Stage::Coming, now),
            // libvirt has statistics of migrations on the source only.
            Operation::Migration(Direction::Outgoing) | Operation::Unsaid => self.begin(Stage::Leaving, now),
        }
        (self.seen, self.ending) = (true, None);
        if let Some((count, at)) = self.iteration.take() {
            self.say_event(at, Event::Iteration(count));
        }
        let status = self.status(job);
        let progress = words::progress(&job.parameters, self.direction(), status);
        self.say(now, What::Progress(Box::new(progress)));
    }

    /// What the job's type and the events say together.
    fn status(&self, job: &Job) -> Status {
        let moved = job.parameters.iter().any(|(name, _)| name == "memory_page_size" || name == "setup_time");
        match job.kind {
            4 => Status::Failed,
            5 => Status::Cancelled,
            _ if self.postcopy => Status::Postcopy,
            // A job that is asked for while it goes on says `completed` before the other side has agreed.
            _ if self.stopped || job.kind == 3 => Status::Device,
            // The first second's answers have zeros only: the destination's process is being started.
            _ if !moved => Status::Setup,
            _ => Status::Active,
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
        (self.seen, self.stopped, self.resumed, self.postcopy) = (false, false, false, false);
        (self.completed, self.missed, self.ending) = (false, false, None);
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

    /// libvirt says that the guest has no job.
    fn no_job(&mut self, now: Monotonic) {
        match self.stage {
            Stage::Idle | Stage::OtherJob => {
                self.stage = Stage::Idle;
                if self.noted.is_some_and(|at| now.since(at) > GRACE) {
                    self.end();
                }
            }
            // It is asked for once more: whether the guest runs on decides what became of it.
            Stage::Leaving => self.look_again(Question::State, now),
            Stage::Coming => {
                // It may have been announced before its job has begun.
                if self.seen || self.resumed || self.noted.is_some_and(|at| now.since(at) > GRACE) {
                    self.look_again(Question::LastJob, now);
                }
            }
        }
    }

    fn look_again(&mut self, question: Question, now: Monotonic) {
        if self.ending.is_none() {
            self.due = now;
        }
        self.ending.get_or_insert(now);
        self.next = question;
    }

    fn state(&mut self, state: i32, reason: i32, now: Monotonic) {
        /// `VIR_DOMAIN_PAUSED`, and its reasons that belong to a migration: `MIGRATION`, `STARTING_UP`, `POSTCOPY`
        /// and `POSTCOPY_FAILED`.
        const PAUSED: i32 = 3;
        let moving = state == PAUSED && matches!(reason, 2 | 11..=13);
        // 1 running, 2 blocked, 7 suspended by the guest's own power management.
        if matches!(state, 1 | 2 | 7) || (state == PAUSED && !moving) {
            if !self.completed {
                self.say_status(now, Status::Cancelled);
            }
            self.end();
        }
        // The next answer may be another job's, or the job may be back (it was only between two phases).
        self.next = Question::Job;
    }

    fn last_job(&mut self, job: &Job, now: Monotonic) {
        let same = match words::operation(&job.parameters) {
            Operation::Migration(direction) => self.direction() == Some(direction),
            Operation::Unsaid => true,
            Operation::Other => false,
        };
        if job.kind == 3 && same && !self.completed {
            let progress = words::progress(&job.parameters, self.direction(), Status::Completed);
            self.say_event(now, Event::Completed(Box::new(progress)));
            self.end();
        }
    }

    fn refused(&mut self, question: Question, refusal: &Refusal, now: Monotonic) {
        match refusal.code {
            ONLY_AT_SOURCE => {
                self.begin(Stage::Coming, now);
                if !self.seen {
                    self.say_status(now, Status::Active);
                }
                (self.seen, self.ending) = (true, None);
            }
            // It left, or it was ended: an event says so before or soon after. If events were missed, its last
            // record may still be there.
            NOT_RUNNING if self.missed && question != Question::LastJob => {
                self.look_again(Question::LastJob, now)
            }
            NO_DOMAIN | NOT_RUNNING if self.stage == Stage::Idle => self.noted = None,
            NO_DOMAIN | NOT_RUNNING => {
                self.ending.get_or_insert(now);
            }
            _ => {
                self.due = Monotonic(now.0 + RARELY);
                self.tell_unavailable(Unavailable::Refused, now);
            }
        }
    }

    /// What only time tells.
    pub fn tick(&mut self, now: Monotonic) {
        if self.ending.is_some_and(|since| now.since(since) > GRACE) {
            // How it ended is not known.
            if !self.completed {
                self.say_status(now, Status::None);
            }
            self.end();
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
        self.missed = true;
    }

    /// There is a new connection.
    pub fn connected(&mut self, now: Monotonic) {
        (self.asked, self.due) = (None, now);
    }
}

#[cfg(test)]
mod tests;

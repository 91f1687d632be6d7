//! What libvirt's answers mean for one guest.

use super::{Answer, Guest, Question, Stage, GRACE, RARELY};
use crate::sample::migration::{Direction, Event, Limits, Progress, Status, Unavailable, What};
use crate::sample::monotonic::Monotonic;
use crate::source::libvirt::words::{self, Operation};
use crate::source::transport::libvirt::procedure::{Job, Refusal};
use std::time::Duration;

/// `VIR_ERR_NO_DOMAIN`.
const NO_DOMAIN: i32 = 42;
/// `VIR_ERR_OPERATION_INVALID`: here, it does not run.
const NOT_RUNNING: i32 = 55;
/// `VIR_ERR_OPERATION_UNSUPPORTED`: statistics are on the source only.
const ONLY_AT_SOURCE: i32 = 84;
/// Refusals that say how things are.
const KNOWN: [i32; 3] = [NO_DOMAIN, NOT_RUNNING, ONLY_AT_SOURCE];

impl Guest {
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
        // For a moment after it was called off a job is `failed` (4) or `cancelled` (5), with zeros for figures. Which
        // of the two is chance, so it counts as gone; `completed` (3) counts only for what was followed.
        let goes_on = matches!(job.kind, 1 | 2) || (job.kind == 3 && self.direction().is_some());
        if !goes_on {
            return self.no_job(now);
        }
        match words::operation(&job.parameters) {
            Operation::Other => return self.other_job(),
            Operation::Migration(Direction::Incoming) => self.begin(Stage::Coming, now),
            // libvirt has statistics of migrations on the source only.
            Operation::Migration(Direction::Outgoing) | Operation::Unsaid => self.begin(Stage::Leaving, now),
        }
        (self.course.seen, self.course.ending) = (true, None);
        if let Some((count, at)) = self.iteration.take() {
            self.say_event(at, Event::Iteration(count));
        }
        let status = self.status(job);
        let mut progress = words::progress(&job.parameters, self.direction(), status);
        if status == Status::Setup {
            // Zeros that nobody has counted.
            let (direction, total_time) = (progress.direction, progress.total_time);
            progress = Progress { status, direction, total_time, ..Progress::default() };
        }
        self.say(now, What::Progress(Box::new(progress)));
    }

    /// What the job's type and the events say together.
    fn status(&self, job: &Job) -> Status {
        let moved = job.parameters.iter().any(|(name, _)| name == "memory_page_size" || name == "setup_time");
        match job.kind {
            _ if self.course.postcopy => Status::Postcopy,
            // A job that is asked for while it goes on says `completed` before the other side has agreed.
            _ if self.course.stopped || job.kind == 3 => Status::Device,
            // The first second's answers have zeros only: the destination's process is being started.
            _ if !moved => Status::Setup,
            _ => Status::Active,
        }
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
                if self.course.seen
                    || self.course.resumed
                    || self.noted.is_some_and(|at| now.since(at) > GRACE)
                {
                    self.look_again(Question::LastJob, now);
                }
            }
        }
    }

    fn look_again(&mut self, question: Question, now: Monotonic) {
        if self.course.ending.is_none() {
            self.due = now;
        }
        self.course.ending.get_or_insert(now);
        self.next = question;
    }

    fn state(&mut self, state: i32, reason: i32, now: Monotonic) {
        /// `VIR_DOMAIN_PAUSED`, and its reasons that belong to a migration: `MIGRATION`, `STARTING_UP`, `POSTCOPY`
        /// and `POSTCOPY_FAILED`.
        const PAUSED: i32 = 3;
        let moving = state == PAUSED && matches!(reason, 2 | 11..=13);
        // 1 running, 2 blocked, 7 suspended by the guest's own power management.
        if matches!(state, 1 | 2 | 7) || (state == PAUSED && !moving) {
            if !self.course.completed {
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
        if job.kind == 3 && same && !self.course.completed {
            let progress = words::progress(&job.parameters, self.direction(), Status::Completed);
            self.say_event(now, Event::Completed(Box::new(progress)));
            self.end();
        } else if self.course.arrived && self.course.postcopy {
            // Of post-copy the destination keeps no record.
            self.end_without_record(now);
        }
    }

    /// The job is gone and there are no last figures.
    pub(super) fn end_without_record(&mut self, now: Monotonic) {
        let status = if self.course.arrived { Status::Completed } else { Status::None };
        let progress = Box::new(Progress { status, direction: self.direction(), ..Progress::default() });
        if self.course.arrived {
            self.say_event(now, Event::Completed(progress));
        } else if !self.course.completed {
            // How it ended is not known.
            self.say(now, What::Progress(progress));
        }
        self.end();
    }

    fn refused(&mut self, question: Question, refusal: &Refusal, now: Monotonic) {
        match refusal.code {
            ONLY_AT_SOURCE => {
                self.begin(Stage::Coming, now);
                if !self.course.seen {
                    self.say_status(now, Status::Active);
                }
                (self.course.seen, self.course.ending) = (true, None);
            }
            // It left, or it was ended: an event says so before or soon after. If events were missed, its last
            // record may still be there.
            NOT_RUNNING if self.course.missed && question != Question::LastJob => {
                self.look_again(Question::LastJob, now);
            }
            NO_DOMAIN | NOT_RUNNING if self.stage == Stage::Idle => self.noted = None,
            NO_DOMAIN | NOT_RUNNING => {
                self.course.ending.get_or_insert(now);
            }
            _ => {
                self.due = Monotonic(now.0 + RARELY);
                self.tell_unavailable(Unavailable::Refused, now);
            }
        }
    }
}

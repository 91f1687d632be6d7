//! What libvirt's events mean for one guest. Numbers are `virDomainEventType` and its details.

use super::{Guest, Stage};
use crate::sample::migration::{Direction, Event, Status};
use crate::sample::monotonic::Monotonic;
use crate::source::libvirt::words::{self, Operation};
use crate::source::transport::libvirt::notice;
use crate::source::transport::libvirt::xdr::Parameters;

impl Guest {
    /// Something happened to it.
    pub fn notice(&mut self, what: &notice::What, at: Monotonic) {
        match what {
            notice::What::Lifecycle(event, detail) => self.lifecycle(*event, *detail, at),
            notice::What::Iteration(count) => self.collected(u64::try_from(*count).unwrap_or(0), at),
            notice::What::JobCompleted(parameters) => self.job_completed(parameters, at),
        }
    }

    fn lifecycle(&mut self, event: i32, detail: i32, at: Monotonic) {
        match (event, detail) {
            // STARTED, MIGRATED.
            (2, 1) => {
                self.end();
                self.moves(Stage::Coming, at);
                self.say_event(at, Event::Arriving);
            }
            // SUSPENDED, MIGRATED.
            (3, 1) if self.stage != Stage::Coming => {
                self.moves(Stage::Leaving, at);
                self.stands_still(at);
            }
            // SUSPENDED, POSTCOPY.
            (3, 7) => {
                self.moves(Stage::Leaving, at);
                self.stands_still(at);
                self.follows_by_postcopy(Status::Postcopy, at);
            }
            // SUSPENDED, POSTCOPY_FAILED.
            (3, 8) => self.follows_by_postcopy(Status::PostcopyPaused, at),
            // RESUMED, MIGRATED: at the destination, or at the source after a failure.
            (4, 1) => {
                self.goes_on(at);
                self.course.arrived = self.stage == Stage::Coming;
            }
            // RESUMED, POSTCOPY.
            (4, 3) => {
                self.moves(Stage::Coming, at);
                self.goes_on(at);
                self.follows_by_postcopy(Status::Postcopy, at);
            }
            // RESUMED, POSTCOPY_FAILED.
            (4, 4) => {
                self.goes_on(at);
                self.follows_by_postcopy(Status::PostcopyPaused, at);
            }
            // STOPPED, MIGRATED.
            (5, 3) => {
                self.say_event(at, Event::Left);
                self.end();
            }
            (5, _) => self.ended(at),
            _ => {}
        }
    }

    fn moves(&mut self, stage: Stage, at: Monotonic) {
        self.begin(stage, at);
        self.noted.get_or_insert(at);
        self.due = self.due.min(at);
    }

    fn stands_still(&mut self, at: Monotonic) {
        if !self.course.stopped {
            self.course.stopped = true;
            self.say_event(at, Event::Stopped);
        }
    }

    fn goes_on(&mut self, at: Monotonic) {
        // After post-copy libvirt says it twice; the guest has run since the first time.
        if !self.course.resumed {
            self.say_event(at, Event::Resumed);
        }
        self.course.resumed = self.stage == Stage::Coming;
        self.course.stopped = false;
        self.due = self.due.min(at);
    }

    fn follows_by_postcopy(&mut self, status: Status, at: Monotonic) {
        self.course.postcopy = true;
        self.say_event(at, Event::Status(status));
    }

    /// The guest is gone from this host and did not move away.
    fn ended(&mut self, at: Monotonic) {
        match self.stage {
            Stage::Coming if !self.course.resumed => self.say_event(at, Event::Failed),
            Stage::Leaving if !self.course.completed => self.say_status(at, Status::Failed),
            _ => {}
        }
        self.end();
    }

    fn collected(&mut self, count: u64, at: Monotonic) {
        match self.stage {
            Stage::Leaving if self.course.seen => self.say_event(at, Event::Iteration(count)),
            // A save or a dump has iterations, too: first its job is looked at.
            Stage::Idle | Stage::Leaving => {
                self.iteration = Some((count, at));
                self.noted.get_or_insert(at);
                self.due = self.due.min(at);
            }
            Stage::OtherJob | Stage::Coming => {}
        }
    }

    fn job_completed(&mut self, parameters: &Parameters, at: Monotonic) {
        let direction = match words::operation(parameters) {
            Operation::Migration(direction) => direction,
            // Before 3.3.0 there was no such event; a job without its kind is taken for what was seen.
            Operation::Unsaid => self.direction().unwrap_or(Direction::Outgoing),
            Operation::Other => return,
        };
        if !self.course.completed {
            let progress = words::progress(parameters, Some(direction), Status::Completed);
            self.say_event(at, Event::Completed(Box::new(progress)));
        }
        self.course.completed = true;
    }
}

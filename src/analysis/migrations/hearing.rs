//! What a hypervisor's words change in a migration: its phase, its figures, its end.

use super::migration::{Migration, Outcome, Phase};
use crate::sample::migration::{Direction, Event, Progress, RunState, Status, What};
use crate::sample::monotonic::Monotonic;

impl Migration {
    /// Takes in what a hypervisor told at a moment; `at` is the event's own time where it has one.
    pub fn hear(&mut self, what: &What, at: Monotonic) {
        match what {
            What::Progress(progress) => self.hear_progress(progress, at),
            What::Limits(limits) => self.limits = (**limits).clone(),
            What::Run(state) => self.hear_run_state(*state, at),
            What::Event { event, .. } => self.hear_event(event, at),
            What::Unavailable(_) => {}
        }
    }

    fn hear_progress(&mut self, progress: &Progress, at: Monotonic) {
        if progress.status == Status::None {
            return;
        }
        self.told = true;
        merge(&mut self.progress, progress);
        if !self.is_on() {
            // The last figures of a flow-only end, told late.
            if progress.status == Status::Completed {
                self.take_final_figures();
            }
            return;
        }
        self.confirmed = true;
        if let Some(total) = progress.total_time.filter(|_| progress.status.is_running()) {
            self.began_earlier(Monotonic(at.0.saturating_sub(total)));
        }
        self.hear_status(progress.status, at);
    }

    fn hear_status(&mut self, status: Status, at: Monotonic) {
        match status {
            Status::Setup => self.enter(Phase::Setup, at),
            Status::Active if self.stopped.is_none() => self.enter(Phase::MemoryCopy, at),
            Status::PreSwitchover | Status::Device => self.enter(Phase::StateTransfer, at),
            Status::Postcopy | Status::PostcopyPaused => self.enter(Phase::Postcopy, at),
            Status::Completed => self.end(Outcome::Completed, at),
            Status::Failed => self.end(Outcome::Failed, at),
            Status::Cancelled => self.end(Outcome::Cancelled, at),
            Status::None | Status::Other | Status::Active | Status::Cancelling => {}
        }
    }

    fn hear_run_state(&mut self, state: RunState, at: Monotonic) {
        match (state, self.direction) {
            (RunState::Finishing, Direction::Outgoing) => self.enter(Phase::StateTransfer, at),
            (RunState::Running, Direction::Incoming) if self.confirmed => {
                self.hear_event(&Event::Resumed, at);
            }
            _ => {}
        }
    }

    fn hear_event(&mut self, event: &Event, at: Monotonic) {
        match (event, self.direction) {
            (Event::Stopped, Direction::Outgoing) => {
                self.stopped = Some(at);
                self.enter(Phase::StateTransfer, at);
            }
            // Told late: it has been stopped again since.
            (Event::Resumed, Direction::Outgoing) if self.stopped.is_some_and(|stopped| at < stopped) => {}
            // The guest goes on here: this switchover did not happen.
            (Event::Resumed, Direction::Outgoing) => {
                self.stopped = None;
                if self.phase == Phase::StateTransfer {
                    self.enter(Phase::MemoryCopy, at);
                }
            }
            // Its memory may still follow: only a further word, or the end of its flows, says that it is over.
            (Event::Resumed, Direction::Incoming) => {
                self.resumed = self.resumed.or(Some(at));
                if self.progress.status == Status::Postcopy {
                    self.enter(Phase::Postcopy, at);
                }
            }
            (Event::Status(status), _) => {
                self.told = true;
                self.confirmed |= status.is_running();
                if *status == Status::Postcopy {
                    if let Some(stopped) = self.stopped.take() {
                        self.pause = Some(at.since(stopped));
                    }
                }
                self.progress.status = *status;
                self.hear_status(*status, at);
            }
            (Event::Iteration(number), _) => {
                self.told = true;
                self.confirmed = true;
                self.progress.iterations = Some(*number);
                if self.phase == Phase::Setup {
                    self.enter(Phase::MemoryCopy, at);
                }
            }
            (Event::Completed(progress), _) => {
                self.told = true;
                merge(&mut self.progress, progress);
                self.confirmed = true;
                self.end(Outcome::Completed, at);
                self.take_final_figures();
            }
            (Event::Arriving, _) => self.told = true,
            (Event::Left, Direction::Outgoing) => self.end(Outcome::Completed, at),
            (Event::Failed, _) => self.end(Outcome::Failed, at),
            (Event::Stopped | Event::Left, Direction::Incoming) => {}
        }
    }
}

/// Newer words over older ones; what is not said now stays as it was said before.
fn merge(known: &mut Progress, new: &Progress) {
    macro_rules! newer {
        ($($field:ident),*) => { $(if new.$field.is_some() { known.$field.clone_from(&new.$field); })* };
    }
    known.status = new.status;
    newer!(
        direction,
        total_time,
        setup_time,
        expected_downtime,
        downtime,
        memory_total,
        remaining,
        normal_bytes,
        zero_pages,
        page_size,
        dirty_pages_per_second,
        iterations,
        throughput,
        precopy_bytes,
        downtime_bytes,
        postcopy_bytes,
        multifd_bytes,
        postcopy_requests,
        throttle_percent,
        error
    );
    // Whoever tells it, it does not go back.
    known.transferred = known.transferred.max(new.transferred);
    if new.status == Status::Completed {
        known.remaining = new.remaining.or(Some(0));
    }
}

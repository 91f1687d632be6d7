//! Where a frame goes when it is made: to those who look at it, and into the recording.

use super::clock::Clock;
use super::recorder::Recorder;
use super::state::State;
use crate::sample::frame::Frame;
use crate::sample::monotonic::Monotonic;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Those who get frames.
#[derive(Debug)]
pub struct Show {
    publish: watch::Sender<Arc<Frame>>,
    recorder: Option<Recorder>,
    /// When a tick was recorded last.
    recorded: Monotonic,
}

impl Show {
    /// Nothing was shown yet.
    pub fn new(publish: watch::Sender<Arc<Frame>>, recorder: Option<Recorder>) -> Self {
        Self { publish, recorder, recorded: Monotonic::default() }
    }

    /// The frame that was shown last.
    pub fn last(&self) -> watch::Ref<'_, Arc<Frame>> {
        self.publish.borrow()
    }

    /// Shows a frame, and has it recorded.
    pub fn show(&mut self, frame: Frame, state: &State) {
        let frame = Arc::new(frame);
        self.recorded = frame.monotonic;
        if let Some(recorder) = &self.recorder {
            recorder.take(state.tick(&frame, false));
        }
        self.publish.send_replace(frame);
    }

    /// Has what was read closely recorded, between two frames; `every` is the pace of that.
    pub fn record_fast(&mut self, every: Option<Duration>, state: &State, clock: Clock) {
        let (Some(recorder), Some(every)) = (&self.recorder, every) else { return };
        let now = clock.now();
        // Half of the pace as slack: readings come when they come.
        if now.since(self.recorded) + every / 2 < every {
            return;
        }
        self.recorded = now;
        let frame = state.fast_frame(&self.publish.borrow(), now, clock.wall_ns());
        recorder.take(state.tick(&Arc::new(frame), true));
    }
}

//! The flight recorder as the agent sees it: ticks are handed over and never waited for. A thread of its own writes them; if
//! the disk is slow or stuck, ticks are left out and counted.

mod keeper;
pub mod metrics;
mod migrations;

use super::clock::Clock;
use super::config::storage::Recording;
use crate::record::tick::Tick;
use keeper::Keeper;
use metrics::Metrics;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{sync_channel, Receiver, RecvTimeoutError, SyncSender};
use std::sync::Arc;
use std::time::Duration;

/// Ticks that may wait. Fast ones share nearly all of their tables with others; of whole ones each may have tables of its own,
/// and ten thousand links' take megabytes, so fewer of them may wait.
const WAITING: usize = 64;
const WHOLE_WAITING: usize = 3;
/// How often the thread looks after what is due without a tick.
const CARE: Duration = Duration::from_secs(1);
/// How long a stop waits for the last ticks to be written: a disk may be stuck.
const LAST: Duration = Duration::from_secs(5);

enum Message {
    Tick(Tick),
    Configure(Option<Recording>, String),
    Stop,
}

/// A running recorder.
#[derive(Debug, Clone)]
pub struct Recorder {
    messages: SyncSender<Message>,
    /// Whole ticks that wait.
    whole: Arc<AtomicUsize>,
    /// Ticks are being left out.
    behind: Arc<AtomicBool>,
    metrics: Metrics,
}

/// Waits for the recorder's thread.
#[derive(Debug)]
pub struct Ending(Receiver<()>);

impl Recorder {
    /// Starts the thread. `recording` says what is recorded; `configuration` is the text in force.
    pub fn start(
        recording: Option<Recording>,
        configuration: String,
        metrics: Metrics,
        proc: &Path,
    ) -> std::io::Result<(Self, Ending)> {
        let (messages, inbox) = sync_channel(WAITING);
        let (ended, ending) = sync_channel::<()>(1);
        let whole = Arc::new(AtomicUsize::new(0));
        let (counted, clock) = (Arc::clone(&whole), Clock::default());
        let mut keeper = Keeper::new(recording, configuration, metrics.clone(), proc);
        std::thread::Builder::new().name("recorder".into()).stack_size(2 << 20).spawn(move || {
            run(&mut keeper, &inbox, &counted, clock);
            keeper.stop();
            // Nobody waits any more if the process is ending in a hurry.
            ended.send(()).ok();
        })?;
        Ok((Self { messages, whole, behind: Arc::default(), metrics }, Ending(ending)))
    }

    /// Hands a tick over; leaves it out if too many wait.
    pub fn take(&self, tick: Tick) {
        let is_whole = !tick.fast;
        // Counted before it is handed over, or the thread could be done with it first.
        let before = self.whole.fetch_add(usize::from(is_whole), Ordering::Relaxed);
        let is_full = is_whole && before >= WHOLE_WAITING;
        let is_left_out = is_full || self.messages.try_send(Message::Tick(tick)).is_err();
        if is_left_out {
            self.whole.fetch_sub(usize::from(is_whole), Ordering::Relaxed);
            self.metrics.dropped.inc();
        }
        // One that fits in between says nothing yet; a whole one does.
        if (is_left_out || is_whole) && self.behind.swap(is_left_out, Ordering::Relaxed) != is_left_out {
            if is_left_out {
                tracing::warn!(
                    "the disk does not keep up: frames are left out of the recording; exporting goes on"
                );
            } else {
                tracing::info!("the disk keeps up again: frames are recorded");
            }
        }
    }

    /// Takes up a new configuration.
    pub fn configure(&self, recording: Option<Recording>, text: String) {
        if self.messages.try_send(Message::Configure(recording, text)).is_err() {
            tracing::warn!("the recorder is busy and keeps its old configuration; reload again");
        }
    }

    /// Ends the recording in order, if the disk lets it.
    pub fn stop(self, ending: &Ending) {
        // If the channel is full, the disk is stuck, and what waits cannot be written.
        if self.messages.try_send(Message::Stop).is_ok() && ending.0.recv_timeout(LAST).is_err() {
            tracing::warn!(
                "the recording could not be finished within {LAST:?}; its last seconds may be missing"
            );
        }
    }
}

fn run(keeper: &mut Keeper, inbox: &Receiver<Message>, whole: &AtomicUsize, clock: Clock) {
    loop {
        match inbox.recv_timeout(CARE) {
            Ok(Message::Tick(tick)) => {
                keeper.take(&tick, clock.now());
                if !tick.fast {
                    whole.fetch_sub(1, Ordering::Relaxed);
                }
            }
            Ok(Message::Configure(recording, text)) => keeper.configure(recording, text),
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
        }
        keeper.care(clock.now());
    }
}

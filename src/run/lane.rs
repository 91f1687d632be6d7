//! A lane: a thread that reads sources one after the other. If one does not come back, another thread takes the lane
//! over, so that a driver that hangs holds up nobody but itself.
//!
//! Ownership is the lock: a source travels to the thread with its job and comes back with its reading. Finished
//! readings wait in a list, and the agent is woken when the lane has no more to do, not for each of them.

use super::clock::Clock;
use super::config::Settings;
use crate::source::contract::{Context, Pace, Reading, Source, SourceError, SourceInfo};
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A source to read.
pub struct Job {
    /// Its place in the agent's list.
    pub place: usize,
    /// Its description.
    pub info: &'static SourceInfo,
    /// Itself; `None` if it must be opened first, which may hang as well as reading.
    pub source: Option<Box<dyn Source>>,
    /// What it is given.
    pub context: Context,
}

/// A source that was read.
pub struct Done {
    /// Its place in the agent's list.
    pub place: usize,
    /// Its pace.
    pub pace: Pace,
    /// Itself, for the next time; `None` if it could not be opened, or panicked and is lost.
    pub source: Option<Box<dyn Source>>,
    /// What it said.
    pub result: Result<Reading, SourceError>,
    /// How long it took.
    pub took: Duration,
    /// How much processor time of this thread it took: what it costs, where `took` also counts waiting.
    pub cost: Duration,
}

/// A queue of jobs and the threads that serve it.
pub struct Lane {
    name: &'static str,
    jobs: Sender<Job>,
    queue: Arc<Mutex<Receiver<Job>>>,
    finished: Finished,
    wake: Sender<Message>,
    clock: Clock,
    threads: usize,
}

/// Readings that the agent has not taken yet.
pub type Finished = Arc<Mutex<Vec<Done>>>;

/// What the agent hears.
pub enum Message {
    /// Readings have been finished.
    Wake,
    /// Take up a new configuration.
    Configure(Box<Settings>),
    /// End.
    Stop,
}

/// A lane never needs more threads than there are sources that can hang; this bounds a fault that nobody foresaw.
const MOST_THREADS: usize = 32;

impl Lane {
    /// Makes a lane with one thread; its results go to `finished`.
    pub fn new(
        name: &'static str,
        clock: Clock,
        finished: Finished,
        wake: Sender<Message>,
    ) -> std::io::Result<Self> {
        let (jobs, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        let mut lane = Self { name, jobs, queue, finished, wake, clock, threads: 0 };
        lane.add_thread()?;
        Ok(lane)
    }

    /// Puts a job in the queue. Gives it back if no thread is left to take it.
    pub fn send(&self, job: Job) -> Result<(), Box<Job>> {
        self.jobs.send(job).map_err(|refused| Box::new(refused.0))
    }

    /// Takes the lane over if all its threads hang. A thread that comes back goes on serving the queue; two threads
    /// on a lane do no harm.
    pub fn take_over(&mut self, hanging: usize) -> std::io::Result<()> {
        if hanging < self.threads {
            return Ok(());
        }
        if self.threads >= MOST_THREADS {
            return Err(std::io::Error::other(format!("{hanging} threads of the lane {} hang", self.name)));
        }
        self.add_thread()
    }

    fn add_thread(&mut self) -> std::io::Result<()> {
        let (queue, finished, wake, clock) =
            (Arc::clone(&self.queue), Arc::clone(&self.finished), self.wake.clone(), self.clock);
        std::thread::Builder::new().name(self.name.into()).stack_size(512 * 1024).spawn(move || {
            let mut news = false;
            while let Some(job) = next(&queue, &wake, &mut news) {
                let is_first = job.source.is_none();
                let done = perform(job, clock);
                news |= is_first || done.is_news();
                finished.lock().unwrap_or_else(PoisonError::into_inner).push(done);
            }
        })?;
        self.threads += 1;
        Ok(())
    }
}

impl Done {
    /// Whether the agent must hear of it now. A frame waits for what belongs to the tick; of the rest, a reading like
    /// the one before can wait for the next tick: on an idle host a hand-over costs more than most readings.
    fn is_news(&self) -> bool {
        let unchanged = self.result.as_ref().is_ok_and(Reading::is_nothing_new);
        !unchanged || matches!(self.pace, Pace::Fast | Pace::Tick | Pace::HardwareTick)
    }
}

/// The next job; if there is none yet, wakes the agent for the news before it waits. `None` once the agent has ended.
fn next(queue: &Mutex<Receiver<Job>>, wake: &Sender<Message>, news: &mut bool) -> Option<Job> {
    let queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
    match queue.try_recv() {
        Ok(job) => Some(job),
        Err(_) => {
            if std::mem::take(news) {
                wake.send(Message::Wake).ok()?;
            }
            queue.recv().ok()
        }
    }
}

/// Opens a source if need be, and reads it. One that panics is a bug of ours; it is reported, and the others go on.
fn perform(job: Job, clock: Clock) -> Done {
    let (place, pace) = (job.place, job.info.pace);
    let (start, spent) = (clock.now(), Clock::thread());
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || open_and_read(job)));
    let (took, cost) = (clock.now().since(start), Clock::thread().saturating_sub(spent));
    let (source, result) = result.unwrap_or_else(|_| {
        let error = std::io::Error::other("it panicked; this is a bug of miglink, please report it");
        (None, Err(SourceError::Io { what: "reading".into(), error }))
    });
    Done { place, pace, source, result, took, cost }
}

fn open_and_read(job: Job) -> (Option<Box<dyn Source>>, Result<Reading, SourceError>) {
    let opened = job.source.map_or_else(|| (job.info.open)(&job.context.roots), Ok);
    match opened {
        Ok(mut source) => {
            let result = source.read(&job.context);
            (Some(source), result)
        }
        Err(error) => (None, Err(error)),
    }
}

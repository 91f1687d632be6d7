//! The agent's tick: sends sources to be read when they are due, takes their readings in, makes a frame a second.
//!
//! A tick has two steps. First the links are asked for changes, so that a new link has its row; then all that is due
//! is read. The frame is made when all of the tick's readings are in, or after a grace: a late one goes into the
//! next frame, and a stuck one into none.

use super::clock::Clock;
use super::config::Settings;
use super::lane::{Done, Finished, Job, Lane, Message};
use super::news::{self, News};
use super::state::State;
use crate::sample::frame::{Frame, Outcome};
use crate::sample::monotonic::Monotonic;
use crate::source::contract::{Context, Doors, Lane as LaneName, Now, Pace, Roots, SourceError, SourceInfo};
use crate::source::links;
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How long a frame waits for its readings.
const GRACE: Duration = Duration::from_millis(250);
/// Time between two readings of the wires.
const FAST: Duration = Duration::from_millis(100);

/// A running agent.
#[derive(Debug)]
pub struct Agent {
    messages: Sender<Message>,
    thread: Option<std::thread::JoinHandle<()>>,
    /// The newest frame.
    pub frames: watch::Receiver<Arc<Frame>>,
}

impl Agent {
    /// Starts the agent's thread and its lanes.
    pub fn start(
        sources: &'static [&'static SourceInfo],
        roots: Roots,
        settings: Settings,
        interval: Duration,
    ) -> std::io::Result<Self> {
        let (messages, inbox) = channel();
        let clock = Clock::default();
        let (publish, frames) = watch::channel(Arc::default());
        let finished = Finished::default();
        let lanes = [
            Lane::new("counters", clock, Arc::clone(&finished), messages.clone())?,
            Lane::new("attributes", clock, Arc::clone(&finished), messages.clone())?,
        ];
        let state = State::new(sources, settings.selection, interval);
        let (roots, tick, next_fast) = (Arc::new(roots), Tick::default(), Monotonic::default());
        let mut ticker = Ticker {
            state,
            lanes,
            finished,
            clock,
            roots,
            now: Now::new(move || clock.now()),
            doors: Arc::new(settings.doors),
            interval,
            publish,
            tick,
            next_fast,
            news: News::default(),
        };
        let thread = std::thread::Builder::new().name("agent".into()).spawn(move || ticker.run(&inbox))?;
        Ok(Self { messages, thread: Some(thread), frames })
    }

    /// Takes up a new configuration.
    pub fn configure(&self, settings: Settings) {
        // The agent ends only with the process, or by `stop`; either way nobody needs the settings any more.
        self.messages.send(Message::Configure(settings)).ok();
    }

    /// Ends the agent. Threads that hang in the kernel are left behind.
    pub fn stop(&mut self) {
        self.messages.send(Message::Stop).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// One tick in progress.
#[derive(Debug, Default)]
struct Tick {
    began: Monotonic,
    step: Step,
}

#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
enum Step {
    /// Waiting for the links.
    #[default]
    Links,
    /// Waiting for the counters.
    Counters,
    /// Waiting for the rest that belongs to the tick.
    Rest,
    /// The frame is out.
    Idle,
}

struct Ticker {
    state: State,
    lanes: [Lane; 2],
    finished: Finished,
    clock: Clock,
    roots: Arc<Roots>,
    now: Now,
    doors: Arc<Doors>,
    interval: Duration,
    publish: watch::Sender<Arc<Frame>>,
    tick: Tick,
    next_fast: Monotonic,
    news: News,
}

impl Ticker {
    fn run(&mut self, inbox: &Receiver<Message>) {
        self.begin_tick(self.clock.now());
        loop {
            let wait = self.next_wake().since(self.clock.now());
            match inbox.recv_timeout(wait) {
                Ok(Message::Wake) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Message::Configure(settings)) => self.state.select(settings.selection),
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
            let finished = std::mem::take(&mut *self.finished.lock().unwrap_or_else(PoisonError::into_inner));
            finished.into_iter().for_each(|done| self.take(done));
            self.go_on();
        }
    }

    fn next_wake(&self) -> Monotonic {
        let wait = if self.tick.step == Step::Idle { self.interval } else { GRACE };
        let next = Monotonic(self.tick.began.0 + wait);
        if self.state.has_wires {
            return next.min(self.next_fast);
        }
        next
    }

    /// Takes the tick as far as it can go now.
    fn go_on(&mut self) {
        let now = self.clock.now();
        let late = now.since(self.tick.began) >= GRACE;
        if self.tick.step == Step::Links && (late || !self.is_away(|info| std::ptr::eq(info, &links::SOURCE)))
        {
            let is_counter = |info: &SourceInfo| info.lane == LaneName::Counters && info.pace != Pace::Fast;
            self.send_due(now, |info| is_counter(info) && !std::ptr::eq(info, &links::SOURCE));
            self.tick.step = Step::Counters;
        }
        // The lanes take turns: both would wait for the same lock in the kernel, and burn a core while they do.
        if self.tick.step == Step::Counters && (late || !self.is_away(|info| info.lane == LaneName::Counters))
        {
            self.send_due(now, |info| info.lane == LaneName::Attributes);
            self.tick.step = Step::Rest;
        }
        // Attributes may take long; a frame waits for the counters, and at start for a first word of everything.
        let first = self.publish.borrow().wall_ns == 0;
        let awaited = |info: &SourceInfo| info.pace == Pace::Tick || (first && info.pace != Pace::Fast);
        if self.tick.step == Step::Rest && (late || !self.is_away(awaited)) {
            self.tick.step = Step::Idle;
            self.notice_stuck(now);
            let frame = self.state.frame(now, self.clock.wall_ns());
            if first {
                news::tell_what_is_shown(&frame);
            }
            self.publish.send_replace(Arc::new(frame));
        }
        if now >= self.next_fast && self.state.has_wires {
            self.send_due(now, |info| info.pace == Pace::Fast);
            self.next_fast = Monotonic(now.0 + FAST);
        }
        if self.tick.step == Step::Idle && now.since(self.tick.began) >= self.interval {
            self.begin_tick(now);
        }
    }

    fn begin_tick(&mut self, now: Monotonic) {
        // Ticks keep to their grid, so that rates are of equal intervals; after a pause of the machine a new grid begins.
        let on_grid = Monotonic(self.tick.began.0 + self.interval);
        let began = if now.since(on_grid) < self.interval / 2 && on_grid <= now { on_grid } else { now };
        self.tick = Tick { began, step: Step::Links };
        self.send_due(now, |info| std::ptr::eq(info, &links::SOURCE));
    }

    fn is_away(&self, which: impl Fn(&'static SourceInfo) -> bool) -> bool {
        self.state.slots.iter().any(|slot| slot.away_since.is_some() && which(slot.info))
    }

    /// Sends what is due to its lane.
    fn send_due(&mut self, now: Monotonic, which: impl Fn(&'static SourceInfo) -> bool) {
        for place in 0..self.state.slots.len() {
            let slot = &mut self.state.slots[place];
            let due = slot.plan.is_due(now, self.state.links.generation);
            if slot.away_since.is_some()
                || !which(slot.info)
                || !due
                || (slot.source.is_none() && !slot.plan.may_open(now))
            {
                continue;
            }
            self.send(place, now);
        }
    }

    fn send(&mut self, place: usize, now: Monotonic) {
        let context = Context {
            now,
            clock: self.now.clone(),
            links: Arc::clone(&self.state.links),
            followed: Arc::clone(&self.state.followed),
            doors: Arc::clone(&self.doors),
            roots: Arc::clone(&self.roots),
        };
        let slot = &mut self.state.slots[place];
        let lane = &self.lanes[lane_of(slot.info)];
        match lane.send(Job { place, info: slot.info, source: slot.source.take(), context }) {
            Ok(()) => slot.away_since = Some(now),
            Err(job) => slot.source = job.source,
        }
    }

    fn take(&mut self, done: Done) {
        let slot = &mut self.state.slots[done.place];
        let sent = slot.away_since.take().unwrap_or_default();
        slot.source = done.source;
        self.conclude(done.place, sent, done.took, done.result);
    }

    /// A source answered or failed: remembers it, and says in the log what is new.
    fn conclude(
        &mut self,
        place: usize,
        sent: Monotonic,
        took: Duration,
        result: Result<crate::source::contract::Reading, SourceError>,
    ) {
        let before = self.state.slots[place].report.outcome.clone();
        let generation = self.state.links.generation;
        let succeeded = result.is_ok();
        self.state.take(place, sent, result, took);
        let slot = &mut self.state.slots[place];
        slot.plan.done(sent, took, generation, succeeded);
        if slot.report.outcome != before {
            self.news.tell(slot.info.name, &slot.report.outcome, sent);
        }
    }

    /// Marks sources that have not come back in time, and gives their lanes threads that do not hang.
    fn notice_stuck(&mut self, now: Monotonic) {
        let mut hanging = [0; 2];
        for slot in &mut self.state.slots {
            let Some(away) = slot.away_since.map(|since| now.since(since)) else { continue };
            if away < slot.info.deadline {
                continue;
            }
            hanging[lane_of(slot.info)] += 1;
            if !matches!(slot.report.outcome, Outcome::Stuck(_)) {
                tracing::warn!(
                    source = slot.info.name,
                    "has not answered for {away:.1?}; its values are missing"
                );
            }
            slot.hide(Outcome::Stuck(away));
        }
        for (lane, hanging) in self.lanes.iter_mut().zip(hanging).filter(|(_, hanging)| *hanging > 0) {
            if let Err(error) = lane.take_over(hanging) {
                tracing::error!("sources are no longer read: {error}");
            }
        }
    }
}

/// The place of a source's lane.
fn lane_of(info: &SourceInfo) -> usize {
    usize::from(info.lane == LaneName::Attributes)
}

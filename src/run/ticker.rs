//! The agent's tick: sends sources to be read when they are due, takes their readings in, makes a frame a second.
//!
//! A tick begins with the links and the counters, on one lane; what else is due follows. The frame is made when all
//! of the tick's readings are in, or after a grace: a late one goes into the next frame, and a stuck one into none.
//! Beside the ticks, wires are read ten times a second, and all that a migration touches as closely as it needs.

use super::clock::Clock;
use super::config::{Paces, Settings};
use super::lane::{Done, Finished, Job, Lane, Message};
use super::news::{self, News};
use super::schedule::{Occasion, LOOKOUT};
use super::show::Show;
use super::state::State;
use super::totals::Totals;
use crate::analysis::migrations::table::Moment;
use crate::analysis::migrations::tracker;
use crate::sample::frame::Outcome;
use crate::sample::monotonic::Monotonic;
use crate::source::contract::{Context, Doors, Lane as LaneName, Now, Pace, Roots, SourceInfo};
use crate::source::links;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// Up to so many guests that move, another leading cause makes a frame at once; of more, some cause changes all the time.
const FEW: usize = 10;
/// How long a frame waits for its readings.
const GRACE: Duration = Duration::from_millis(250);
/// Time between two readings of the wires.
const FAST: Duration = Duration::from_millis(100);
/// Beyond forty guests that move at once all of them are read less often, at the least four times a second, so that they
/// take no more than a fiftieth of a core together (measured with a hundred: `cargo xtask bench migrations`).
const EACH: Duration = Duration::from_micros(2500);
const SLOWEST: Duration = Duration::from_millis(250);

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

/// The lanes, in the order of `lane_of`.
const LANES: [&str; 4] = ["counters", "attributes", "migrations", "hypervisors"];

/// What the agent's thread does.
pub struct Ticker {
    state: State,
    lanes: Vec<Lane>,
    finished: Finished,
    clock: Clock,
    roots: Arc<Roots>,
    now: Now,
    doors: Arc<Doors>,
    interval: Duration,
    show: Show,
    tick: Tick,
    next_fast: Monotonic,
    next_close: Monotonic,
    next_lookout: Monotonic,
    paces: Paces,
    /// The generation of hypervisor processes that was last acted upon.
    guests: u64,
    totals: Totals,
    news: News,
}

impl Ticker {
    /// Makes the lanes. Nothing is read before `run`.
    pub fn new(
        sources: &'static [&'static SourceInfo],
        roots: Roots,
        settings: Settings,
        interval: Duration,
        show: Show,
        messages: &Sender<Message>,
        totals: Totals,
    ) -> std::io::Result<Self> {
        let (clock, finished) = (Clock::default(), Finished::default());
        let lanes = LANES
            .iter()
            .map(|name| Lane::new(name, clock, Arc::clone(&finished), messages.clone()))
            .collect::<Result<_, _>>()?;
        let Settings { selection, doors, keep, paces, dedicated, manner, profiles } = settings;
        let mut state = State::new(sources, selection, interval, keep, manner);
        state.dedicate(dedicated);
        state.profiles.configure(profiles);
        Ok(Self {
            state,
            lanes,
            finished,
            clock,
            roots: Arc::new(roots),
            now: Now::new(move || clock.now()),
            doors: Arc::new(doors),
            interval,
            show,
            tick: Tick::default(),
            next_fast: Monotonic::default(),
            next_close: Monotonic::default(),
            next_lookout: Monotonic::default(),
            paces,
            guests: 0,
            totals,
            news: News::default(),
        })
    }

    /// Ticks until it is told to stop.
    pub fn run(&mut self, inbox: &Receiver<Message>) {
        self.begin_tick(self.clock.now());
        loop {
            let wait = self.next_wake().since(self.clock.now());
            match inbox.recv_timeout(wait) {
                Ok(Message::Wake) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Message::Configure(settings)) => self.configure(*settings),
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
            let finished = std::mem::take(&mut *self.finished.lock().unwrap_or_else(PoisonError::into_inner));
            finished.into_iter().for_each(|done| self.take(done));
            self.go_on();
            self.show.record_fast(self.close(), &self.state, self.clock);
        }
    }

    fn configure(&mut self, settings: Settings) {
        self.doors = Arc::new(settings.doors);
        self.paces = settings.paces;
        self.state.keep = settings.keep;
        self.state.dedicate(settings.dedicated);
        self.state.profiles.configure(settings.profiles);
        self.state.select(settings.selection);
    }

    fn next_wake(&self) -> Monotonic {
        let wait = if self.tick.step == Step::Idle { self.interval } else { GRACE };
        let mut next = Monotonic(self.tick.began.0 + wait);
        if self.state.has_bursts() {
            next = next.min(self.next_fast);
        }
        if self.close().is_some() {
            next = next.min(self.next_close);
        } else if self.state.has_guests() {
            next = next.min(self.next_lookout);
        }
        next
    }

    /// Time between two readings of what moves; `None` if nothing does.
    fn close(&self) -> Option<Duration> {
        let wanted = &self.state.followed.wanted;
        if wanted.is_empty() {
            return None;
        }
        let paused = wanted.iter().any(|guest| guest.paused);
        let crowd = EACH.saturating_mul(u32::try_from(wanted.len()).unwrap_or(u32::MAX)).min(SLOWEST);
        Some(if paused { self.paces.pause } else { self.paces.fast.max(crowd) })
    }

    fn occasion(&self) -> Occasion {
        Occasion {
            generation: self.state.links.generation,
            guests: self.state.followed.generation,
            has_guests: self.state.has_guests(),
            newest_process: self.state.newest_process,
            hardware: self.state.has_hardware,
            close: self.close(),
        }
    }

    /// Takes the tick as far as it can go now.
    fn go_on(&mut self) {
        let now = self.clock.now();
        let late = now.since(self.tick.began) >= GRACE;
        if self.tick.step == Step::Links && (late || !self.is_away(is_links)) {
            self.send_due(now, is_counter);
            self.tick.step = Step::Counters;
        }
        // The lanes take turns: both would wait for the same lock in the kernel, and burn a core while they do.
        if self.tick.step == Step::Counters && (late || !self.is_away(|info| info.lane == LaneName::Counters))
        {
            self.send_due(now, |info| {
                matches!(info.lane, LaneName::Attributes | LaneName::Migrations | LaneName::Hypervisors)
            });
            self.tick.step = Step::Rest;
        }
        self.finish_tick(now, late);
        if now >= self.next_fast && self.state.has_bursts() {
            self.send_due(now, |info| info.pace == Pace::Fast);
            self.next_fast = Monotonic(now.0 + self.close().map_or(FAST, |close| close.min(FAST)));
        }
        // New guests have their connections looked for at once: from then on none of them can end unheard.
        if self.guests != self.state.followed.generation {
            self.guests = self.state.followed.generation;
            self.send_due(now, |info| matches!(info.pace, Pace::Migration | Pace::Lookout));
        }
        self.look_out(now);
        if self.tick.step == Step::Idle && now.since(self.tick.began) >= self.interval {
            self.begin_tick(now);
        }
    }

    /// Follows closely what moves, or looks out for what may begin to.
    fn look_out(&mut self, now: Monotonic) {
        match self.close() {
            Some(every) if now >= self.next_close => {
                let close = [Pace::Migration, Pace::Lookout, Pace::Background, Pace::Near];
                self.send_due(now, |info| close.contains(&info.pace));
                self.next_close = Monotonic(now.0 + every);
            }
            None if now >= self.next_lookout && self.state.has_guests() => {
                self.send_due(now, |info| info.pace == Pace::Lookout);
                self.next_lookout = Monotonic(now.0 + LOOKOUT);
            }
            _ => {}
        }
    }

    /// Makes the frame when all that it waits for is in.
    fn finish_tick(&mut self, now: Monotonic, late: bool) {
        // Attributes may take long; a frame waits for the counters, and at start for a first word of everything.
        let first = self.show.last().wall_ns == 0;
        let awaited = |info: &SourceInfo| {
            matches!(info.pace, Pace::Tick | Pace::HardwareTick) || (first && info.pace != Pace::Fast)
        };
        if self.tick.step != Step::Rest || (!late && self.is_away(awaited)) {
            return;
        }
        self.tick.step = Step::Idle;
        self.notice_stuck(now);
        self.state.follow(now);
        self.tell_news(Moment { monotonic: now, wall_ns: self.clock.wall_ns() });
        let frame = self.state.frame(now, self.clock.wall_ns());
        if first {
            news::tell_what_is_shown(&frame);
        }
        self.show.show(frame, &self.state);
    }

    fn begin_tick(&mut self, now: Monotonic) {
        // Ticks keep to their grid, so that rates are of equal intervals; after a pause of the machine a new grid begins.
        let on_grid = Monotonic(self.tick.began.0 + self.interval);
        let began = if now.since(on_grid) < self.interval / 2 && on_grid <= now { on_grid } else { now };
        self.tick = Tick { began, step: Step::Links };
        self.send_due(now, is_links);
        // The counters go right behind, on the same lane: a link that has just come has its row at the next tick.
        // At start there are no rows yet, so they wait.
        if self.state.links.generation > 0 {
            self.send_due(now, is_counter);
            self.tick.step = Step::Counters;
        }
    }

    fn is_away(&self, which: impl Fn(&'static SourceInfo) -> bool) -> bool {
        self.state.slots.iter().any(|slot| slot.away_since.is_some() && which(slot.info))
    }

    /// Sends what is due to its lane.
    fn send_due(&mut self, now: Monotonic, which: impl Fn(&'static SourceInfo) -> bool) {
        let occasion = self.occasion();
        for place in 0..self.state.slots.len() {
            let slot = &mut self.state.slots[place];
            let due = slot.plan.is_due(now, occasion);
            if slot.away_since.is_some()
                || !which(slot.info)
                || !due
                || (slot.source.is_none() && !slot.plan.may_open(now))
            {
                continue;
            }
            self.send(place, now, occasion);
        }
    }

    fn send(&mut self, place: usize, now: Monotonic, occasion: Occasion) {
        let context = Context {
            now,
            clock: self.now.clone(),
            links: Arc::clone(&self.state.links),
            followed: Arc::clone(&self.state.followed),
            newest_process: self.state.newest_process,
            doors: Arc::clone(&self.doors),
            roots: Arc::clone(&self.roots),
        };
        let slot = &mut self.state.slots[place];
        let lane = &self.lanes[lane_of(slot.info)];
        match lane.send(Job { place, info: slot.info, source: slot.source.take(), context }) {
            Ok(()) => {
                slot.away_since = Some(now);
                slot.plan.sent(occasion);
            }
            Err(job) => slot.source = job.source,
        }
    }

    fn take(&mut self, mut done: Done) {
        let slot = &mut self.state.slots[done.place];
        let sent = slot.away_since.take().unwrap_or_default();
        let Done { source, .. } = &mut done;
        slot.source = source.take();
        self.conclude(sent, done);
    }

    /// A source answered or failed: remembers it, and says in the log what is new.
    fn conclude(&mut self, sent: Monotonic, done: Done) {
        let Done { place, result, took, cost, .. } = done;
        let before = self.state.slots[place].report.outcome.clone();
        let generation = self.state.links.generation;
        let (succeeded, rest) =
            (result.is_ok(), result.as_ref().map_or(Duration::ZERO, |reading| reading.rest));
        let now = Moment { monotonic: self.clock.now(), wall_ns: self.clock.wall_ns() };
        self.state.take(place, sent, result, took, now);
        self.tell_news(now);
        let slot = &mut self.state.slots[place];
        slot.plan.done(sent, cost, generation, succeeded);
        slot.plan.rest(rest);
        if slot.report.outcome != before {
            self.news.tell(slot.info.name, &slot.report.outcome, sent);
        }
    }

    /// Counts and logs what happened to migrations.
    fn tell_news(&mut self, now: Moment) {
        for (device, direction, phase, cause, seconds) in self.state.take_limited() {
            self.totals.count_limited([&device, direction, phase, cause], seconds);
        }
        let mut turning_point = false;
        for news in self.state.take_news() {
            self.totals.count(&news, now.monotonic);
            news::tell_migration(&news, now.monotonic);
            turning_point |= !matches!(news, tracker::News::Carried { .. });
        }
        // Another cause is shown soon too; but where many guests move, some cause changes all the time.
        let age = now.monotonic.since(self.show.last().monotonic);
        let soon = if self.state.followed.wanted.len() > FEW { self.interval } else { GRACE };
        if age >= soon {
            turning_point |= std::mem::take(&mut self.state.courses.changed);
        }
        // What began or ended is shown at once, together with the totals that count it.
        if turning_point && self.show.last().wall_ns != 0 {
            let frame = self.state.frame(now.monotonic, now.wall_ns);
            self.show.show(frame, &self.state);
        }
    }

    /// Marks sources that have not come back in time, and gives their lanes threads that do not hang.
    fn notice_stuck(&mut self, now: Monotonic) {
        let mut hanging = [0; LANES.len()];
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
    match info.lane {
        LaneName::Counters => 0,
        LaneName::Attributes => 1,
        LaneName::Migrations => 2,
        LaneName::Hypervisors => 3,
    }
}

fn is_links(info: &'static SourceInfo) -> bool {
    std::ptr::eq(info, &raw const links::SOURCE)
}

fn is_counter(info: &'static SourceInfo) -> bool {
    info.lane == LaneName::Counters && info.pace != Pace::Fast && !is_links(info)
}

//! What the agent remembers between ticks: every source's newest blocks, and the frame made of them.

mod frames;

use super::own;
use super::signs::Signs;
use super::slot::Slot;
use crate::analysis::flags::survey::{Manner, Survey};
use crate::analysis::flags::table as flags;
use crate::analysis::forecast::in_flight::Journeys;
use crate::analysis::forecast::profiles::{self, LinkForecasts};
use crate::analysis::forecast::table as forecast;
use crate::analysis::migrations::entry::Entry;
use crate::analysis::migrations::table::{self, Moment};
use crate::analysis::migrations::tracker::{News, Tracker};
use crate::analysis::peaks::{self, Peaks};
use crate::analysis::strips::{self, Keeper};
use crate::analysis::verdicts::course::{Courses, Taken};
use crate::analysis::verdicts::surroundings::Said;
use crate::analysis::verdicts::table as verdicts;
use crate::sample::block::Block;
use crate::sample::continuity::Continuity;
use crate::sample::flow::Flow;
use crate::sample::guest::Followed;
use crate::sample::link::{Links, Role};
use crate::sample::metric::{Column, Metric, Unit};
use crate::sample::migration::What;
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::{Subjects, SubjectsBuilder};
use crate::sample::thread::Thread;
use crate::source::contract::{Reading, SourceError, SourceInfo};
use crate::source::{flows, link_bursts, link_counters, started, threads};
use crate::topology::roles::{self, Patterns, Selection};
use std::sync::Arc;
use std::time::Duration;

/// Whether a source answered.
pub static SUCCESS: Metric =
    Metric::gauge("source_success", "Whether the source answered when it was last asked.", Unit::None);
/// How long it took.
pub static DURATION: Metric =
    Metric::gauge("source_duration_seconds", "How long the source's last reading took.", Unit::Seconds)
        .float();
/// Self-description's source name in `collect[]`.
pub const SELF: &str = "self";

static SOURCE_COLUMNS: [Column; 2] = [Column::of(&SUCCESS), Column::of(&DURATION)];
/// The tables that the agent makes itself, for the lists of metrics.
pub static TABLES: [&[Column]; 12] = [
    &SOURCE_COLUMNS,
    own::TABLES[0],
    own::TABLES[1],
    &peaks::COLUMNS,
    table::TABLES[0],
    table::TABLES[1],
    verdicts::TABLES[0],
    verdicts::TABLES[1],
    flags::TABLES[0],
    forecast::TABLES[0],
    profiles::TABLES[0],
    profiles::TABLES[1],
];

/// All that the agent remembers.
pub struct State {
    /// The sources.
    pub slots: Vec<Slot>,
    /// The links as last told, with roles.
    pub links: Arc<Links>,
    /// The hypervisor processes, and the guests that move.
    pub followed: Arc<Followed>,
    /// The process id that was given out last; `None` if it is not known.
    pub newest_process: Option<u32>,
    /// Whether there are links whose bursts are followed.
    has_wires: bool,
    /// Whether there is a physical link.
    pub has_hardware: bool,
    selection: Selection,
    /// How long a finished migration is shown.
    pub keep: Duration,
    tick: Duration,
    tracker: Tracker,
    /// What limits the migrations.
    pub courses: Courses,
    taken: Vec<Taken>,
    journeys: Journeys,
    survey: Survey,
    /// Forecasts of links.
    pub profiles: LinkForecasts,
    strips: Keeper,
    peaks: Peaks<2>,
    bursts: Peaks<2>,
    link_blocks: Vec<Arc<Block>>,
    link_continuity: Continuity,
    /// The generations of links and facts that the descriptions were made of.
    described: Option<(u64, u64)>,
    build: Arc<Block>,
    sources: Arc<Subjects>,
    /// The flows and threads that the rows of their tables are.
    flows: Arc<Vec<Flow>>,
    threads: Arc<Vec<Thread>>,
}

impl State {
    /// A state before the first reading.
    pub fn new(
        sources: &[&'static SourceInfo],
        selection: Selection,
        tick: Duration,
        keep: Duration,
        manner: Manner,
    ) -> Self {
        let mut list = SubjectsBuilder::default();
        for (key, info) in sources.iter().enumerate() {
            list.row(key as u64).label("source", info.name);
        }
        Self {
            slots: sources.iter().map(|info| Slot::new(info)).collect(),
            links: Arc::default(),
            followed: Arc::default(),
            newest_process: None,
            has_wires: false,
            has_hardware: false,
            selection,
            keep,
            tick,
            tracker: Tracker::default(),
            courses: Courses::default(),
            taken: Vec::new(),
            journeys: Journeys::default(),
            survey: Survey::new(manner),
            profiles: LinkForecasts::default(),
            strips: Keeper::default(),
            peaks: Peaks::new(link_counters::BYTE_COLUMNS),
            bursts: Peaks::new([0, 1]),
            link_blocks: Vec::new(),
            link_continuity: Continuity::default(),
            described: None,
            build: Arc::new(own::build_info()),
            sources: Arc::new(list.build()),
            flows: Arc::default(),
            threads: Arc::default(),
        }
    }

    /// Shows other links from now on.
    pub fn select(&mut self, selection: Selection) {
        self.selection = selection;
        let list = self.links.all().to_vec();
        self.set_links(list);
    }

    /// Other links are meant for migrations from now on.
    pub fn dedicate(&mut self, dedicated: Patterns) {
        self.survey.dedicate(dedicated.clone());
        self.courses.dedicated = dedicated;
    }

    /// Takes in what a source said when it was asked. `now` is when the answer is taken in.
    pub fn take(
        &mut self,
        place: usize,
        asked: Monotonic,
        result: Result<Reading, SourceError>,
        took: Duration,
        now: Moment,
    ) {
        let slot = &mut self.slots[place];
        slot.report.took = took;
        if slot.info.name == started::SOURCE.name {
            self.newest_process = result.as_ref().ok().and_then(|reading| reading.newest_process);
        }
        match result {
            Ok(mut reading) => {
                slot.confirmed = asked;
                if reading.is_nothing_new() {
                    slot.take(reading);
                    return;
                }
                let links = reading.links.take();
                let (signs, outdated) = (Signs::of(&mut reading), reading.outdates);
                slot.take(reading);
                if let Some(other) = self.slots.iter_mut().find(|slot| Some(slot.info.name) == outdated) {
                    other.plan.outdate();
                }
                self.note_blocks(place);
                if let Some(list) = links {
                    self.set_links(list);
                }
                self.note_signs(place, signs, now);
            }
            Err(error) => slot.fail(&error),
        }
    }

    fn note_blocks(&mut self, place: usize) {
        self.note_surroundings(place);
        let Some(block) = self.slots[place].blocks.first() else { return };
        match block.source {
            source if source == link_counters::SOURCE.name => {
                self.peaks.note(block);
                let around = around(&self.links, &self.followed, &self.survey, &self.peaks);
                self.strips.tick(around, self.tick, block.read_at);
            }
            source if source == link_bursts::SOURCE.name => {
                self.bursts.note(block);
                self.tracker.links(block, &self.links, [0, 1]);
            }
            _ => {}
        }
    }

    fn note_surroundings(&mut self, place: usize) {
        let Slot { info, blocks, facts, .. } = &self.slots[place];
        let said = Said { source: info.name, blocks, facts };
        self.courses.surroundings.note(said, &self.links, &self.followed);
    }

    /// What belongs to migrations goes to their tracker, at the moment of its reading.
    fn note_signs(&mut self, place: usize, signs: Signs, now: Moment) {
        let (at, block) = (now.monotonic, self.slots[place].blocks.first());
        let of_migrations = signs.processes.is_some()
            || !signs.told.is_empty()
            || [flows::SOURCE.name, threads::SOURCE.name].contains(&self.slots[place].info.name);
        if !of_migrations {
            return;
        }
        if let Some(flows) = &signs.flows {
            self.flows = Arc::clone(flows);
        }
        if let Some(threads) = &signs.threads {
            self.threads = Arc::clone(threads);
        }
        if let Some(list) = signs.processes {
            self.tracker.processes(list, at);
        }
        match (self.slots[place].info.name, block) {
            (name, Some(block)) if name == flows::SOURCE.name && !signs.unchanged => {
                self.tracker.flows(signs.flows, block, &self.links, block.read_at);
                let entries = self.tracker.entries();
                self.taken.extend(self.courses.go_on(entries, block, &self.links, block.read_at));
            }
            (name, block) if name == threads::SOURCE.name => {
                self.courses.threads(signs.threads.as_ref(), block.map(Arc::as_ref));
                self.tracker.threads(signs.threads.as_ref(), block.map(Arc::as_ref));
            }
            _ => {}
        }
        for told in &signs.told {
            let at = match told.what {
                What::Event { wall_ns: Some(wall_ns), .. } => now.monotonic_of(wall_ns),
                _ => told.at,
            };
            self.tracker.told(told, at);
        }
        self.follow(at);
    }

    /// Lets the tracker go on, and takes over what it wants followed.
    pub fn follow(&mut self, now: Monotonic) {
        self.tracker.tick(now, self.keep);
        self.journeys.note(self.tracker.entries(), now);
        self.taken.extend(self.courses.finish(self.tracker.entries()));
        let around = around(&self.links, &self.followed, &self.survey, &self.peaks);
        self.strips.follow(self.tracker.entries(), around, now);
        let before = std::mem::take(&mut self.followed);
        self.followed = self.tracker.followed(&before, now);
        if self.followed.links != before.links || self.followed.wanted.is_empty() != before.wanted.is_empty()
        {
            (0..self.slots.len()).for_each(|place| self.note_surroundings(place));
        }
    }

    /// The time that causes have taken since the last time: device, direction, phase, cause, seconds.
    pub fn take_limited(&mut self) -> Vec<(String, &'static str, &'static str, &'static str, f64)> {
        let (entries, taken) = (self.tracker.entries(), std::mem::take(&mut self.taken));
        self.strips.take(&taken);
        let migration =
            |key| entries.iter().map(|entry| &entry.migration).find(|migration| migration.key == key);
        let named = taken.into_iter().filter_map(|taken| {
            let of = migration(taken.migration)?;
            let (device, direction) = (of.path.device.clone(), of.direction.name());
            Some((device, direction, taken.phase.name(), taken.cause, taken.seconds))
        });
        named.collect()
    }

    /// What happened to migrations since the last time.
    pub fn take_news(&mut self) -> Vec<News> {
        self.tracker.take_news()
    }

    fn set_links(&mut self, mut list: Vec<crate::sample::link::Link>) {
        roles::assign(&mut list, &self.selection);
        self.links = Arc::new(Links::new(self.links.generation + 1, list, Some(&self.links)));
        self.has_hardware = self.links.all().iter().any(|link| link.role == Role::Physical);
        self.has_wires = self.links.exported().iter().any(link_bursts::is_followed);
    }

    /// Whether there is a hypervisor, or a migration of one that this host's /proc does not show.
    pub fn has_guests(&self) -> bool {
        let is_on = |entry: &Entry| entry.migration.is_on();
        !self.followed.processes.is_empty() || self.tracker.entries().iter().any(is_on)
    }

    /// Whether there are links whose bursts are to be read.
    pub fn has_bursts(&self) -> bool {
        self.has_wires || !self.followed.links.is_empty()
    }
}

/// What the strips of pages are made of.
fn around<'a>(
    links: &'a Links,
    followed: &'a Followed,
    survey: &'a Survey,
    rates: &'a Peaks<2>,
) -> strips::Surroundings<'a> {
    strips::Surroundings { links, followed: &followed.links, flags: survey.findings(), rates }
}

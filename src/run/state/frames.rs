//! The frames that are made of what the agent remembers: one a tick, and in between the ones that are only recorded.

use super::{State, SELF, SOURCE_COLUMNS};
use crate::analysis::forecast::known::Beside;
use crate::analysis::forecast::table as forecast;
use crate::analysis::migrations::migration::Migration;
use crate::analysis::migrations::table::{self, Moment};
use crate::analysis::peaks;
use crate::analysis::verdicts::{table as verdicts, told};
use crate::record::tick::Tick;
use crate::run::own;
use crate::sample::block::Block;
use crate::sample::cell::Cell;
use crate::sample::frame::{Frame, Outcome};
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::Key;
use crate::topology::description;
use std::sync::Arc;

impl State {
    /// Puts the newest fresh blocks together.
    pub fn frame(&mut self, now: Monotonic, wall_ns: u64) -> Frame {
        self.describe_links(now);
        let mut blocks = vec![
            Arc::clone(&self.build),
            Arc::new(own::timestamp(now, wall_ns)),
            Arc::new(self.sources(now)),
        ];
        blocks.extend(self.link_blocks.iter().cloned());
        for slot in self.slots.iter().filter(|slot| slot.shown) {
            if slot.plan.is_fresh(slot.confirmed, now, self.tick, slot.info.deadline) {
                blocks.extend(slot.blocks.iter().cloned());
            }
        }
        blocks.extend(peaks::block(&self.peaks, &self.bursts).map(Arc::new));
        let moment = Moment { monotonic: now, wall_ns };
        blocks.extend(table::blocks(self.tracker.entries(), moment).into_iter().map(Arc::new));
        let shown = table::shown(self.tracker.entries());
        blocks.extend(verdicts::blocks(&shown, &self.courses, now).into_iter().map(Arc::new));
        self.survey.go_on(&blocks, &self.links, self.tracker.entries(), now);
        blocks.extend(self.survey.block().cloned());
        let flags = Arc::clone(self.survey.findings());
        let surroundings = &self.courses.surroundings;
        let beside = |migration: &Migration| Beside {
            link: surroundings.payload(&migration.path.links),
            profile: self.profiles.guest(&migration.vm),
            known: None,
            before: self.profiles.times_of(&migration.vm, &migration.path.device),
        };
        let outlooks = self.journeys.outlooks(&shown, beside, now);
        blocks.extend(forecast::block(&shown, &outlooks, now).map(Arc::new));
        let footings = Arc::clone(self.survey.footings.list());
        blocks.extend(self.profiles.blocks(&footings, now).iter().cloned());
        let verdicts = told::verdicts(&shown, &self.courses);
        let reports = self.slots.iter().map(|slot| slot.report.clone()).collect();
        let rates = peaks::rates(&self.peaks).map(Arc::new);
        let links = Arc::clone(&self.links);
        let strips = self.strips.strips();
        let monotonic = now;
        Frame {
            wall_ns,
            monotonic,
            links,
            blocks,
            rates,
            flags,
            footings,
            verdicts,
            outlooks,
            strips,
            reports,
        }
    }

    /// What is recorded of a frame.
    pub fn tick(&self, frame: &Arc<Frame>, fast: bool) -> Tick {
        let (flows, threads) = (Arc::clone(&self.flows), Arc::clone(&self.threads));
        Tick { fast, frame: Arc::clone(frame), flows, threads, followed: Arc::clone(&self.followed) }
    }

    /// The last frame with what was read since: it costs little, and is recorded only.
    pub fn fast_frame(&self, last: &Frame, now: Monotonic, wall_ns: u64) -> Frame {
        let moment = Moment { monotonic: now, wall_ns };
        let shown = table::shown(self.tracker.entries());
        let made = table::blocks(self.tracker.entries(), moment).into_iter();
        let made = made.chain(verdicts::blocks(&shown, &self.courses, now)).map(Arc::new);
        let fresh = self.slots.iter().filter(|slot| slot.shown).flat_map(|slot| slot.blocks.iter().cloned());
        let mut frame = Frame { wall_ns, monotonic: now, links: Arc::clone(&self.links), ..last.clone() };
        let mut taken = vec![false; frame.blocks.len()];
        for block in fresh.chain(made) {
            let is_it = |at: &usize| {
                let old = &frame.blocks[*at];
                !taken[*at] && std::ptr::eq(old.columns, block.columns) && old.source == block.source
            };
            if let Some(at) = (0..taken.len()).find(is_it) {
                (taken[at], frame.blocks[at]) = (true, block);
            }
        }
        frame.verdicts = told::verdicts(&shown, &self.courses);
        frame
    }

    /// Remakes the descriptions of links when links or facts have changed.
    fn describe_links(&mut self, now: Monotonic) {
        let facts_generation = self.slots.iter().map(|slot| slot.facts_generation).sum();
        if self.described == Some((self.links.generation, facts_generation)) {
            return;
        }
        let count = self.slots.iter().map(|slot| slot.facts.len()).sum();
        let mut facts: Vec<(Key, &'static str, &str)> = Vec::with_capacity(count);
        facts.extend(self.slots.iter().flat_map(|slot| &slot.facts).map(|f| (f.key, f.label, &*f.value)));
        // A stable sort: labels of one link stand in the order of the sources.
        facts.sort_by_key(|(key, ..)| *key);
        let mut attributes = description::attributes(&self.links, now);
        self.link_continuity.carry_on(self.link_blocks.last().map(Arc::as_ref), &mut attributes);
        self.link_blocks = vec![Arc::new(description::info(&self.links, &facts, now)), Arc::new(attributes)];
        self.described = Some((self.links.generation, facts_generation));
    }

    fn sources(&self, now: Monotonic) -> Block {
        let mut block = Block::new(SELF, now, &SOURCE_COLUMNS, Arc::clone(&self.sources));
        for (row, slot) in self.slots.iter().enumerate() {
            let success = match slot.report.outcome {
                Outcome::Read | Outcome::Partly(_) => 1,
                Outcome::Failed(_) | Outcome::Stuck(_) => 0,
                // What does not exist on this host neither succeeds nor fails.
                Outcome::Absent(_) | Outcome::Pending => continue,
            };
            let took = slot.report.took.as_secs_f64();
            block.set_row(row, [Cell::integer(success), Cell::float(took)]);
        }
        block
    }
}

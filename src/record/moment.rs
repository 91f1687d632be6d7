//! One tick in bytes and back: a key tick stands alone, the others are told by how they differ from the tick before.
//!
//! Writer and reader remember the same: the tick before, whose tables are shared and not copied, and what they have learnt
//! since the last key tick. A table that was not read again costs a bit or two.

use super::coder::{Bit, Decoder, Encoder, Number, Wire};
use super::flat::{Fields, Flat, Flats};
use super::lists::Lists;
use super::schema::Schemas;
use super::tables::Tables;
use super::things;
use super::tick::Tick;
use crate::sample::frame::Frame;
use crate::sample::guest::Followed;
use crate::sample::link::{Link, Links};
use crate::sample::monotonic::Monotonic;
use std::sync::Arc;
use std::time::Duration;

/// The parts beside the tables: verdicts, outlooks, reports, flows, threads, processes.
const SECTIONS: usize = 6;

/// What is known, learnt since the last key tick.
#[derive(Debug, Clone, Default)]
struct Known {
    fast: Bit,
    wall: Number,
    monotonic: Number,
    new_links: Bit,
    generation: Number,
    links: Lists,
    link_parts: Flats,
    sections: [Flats; SECTIONS],
}

/// What both sides remember.
#[derive(Debug, Default)]
pub struct Memory {
    before: Tick,
    sections: [Flat; SECTIONS],
    tables: Tables,
    known: Known,
    encoder: Encoder,
}

/// Why a tick could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Its bytes do not read as a tick.
    #[error("does not read as a frame")]
    Garbled,
    /// It has a table whose meaning was not told.
    #[error("has a table that the file does not describe")]
    Undescribed,
}

impl Memory {
    /// Forgets all but the memory that it holds: the next tick is a key tick.
    pub fn forget(&mut self) {
        let encoder = std::mem::take(&mut self.encoder);
        *self = Self { encoder, ..Self::default() };
    }

    /// Writes a tick behind `out`. Every table's schema must be among `schemas`.
    pub fn write(&mut self, tick: &Tick, schemas: &Schemas, out: &mut Vec<u8>) {
        let mut encoder = std::mem::take(&mut self.encoder);
        self.head(&mut encoder, tick);
        self.write_links(&mut encoder, &tick.frame.links);
        self.tables.write(&mut encoder, &tick.frame, &self.before.frame, schemas);
        self.sections(&mut encoder, tick);
        encoder.finish(out);
        self.encoder = encoder;
        self.before = tick.clone();
    }

    /// Gives back memory beyond this many bytes.
    pub fn shrink(&mut self, most: usize) {
        self.encoder.shrink(most);
    }

    /// Reads what `write` tells. After an error, what follows cannot be read until the next key tick.
    pub fn read(&mut self, bytes: &[u8], schemas: &Schemas) -> Result<Tick, Unreadable> {
        let mut decoder = Decoder::new(bytes).ok_or(Unreadable::Garbled)?;
        let (fast, wall_ns, monotonic) = self.head(&mut decoder, &Tick::default());
        let links = self.read_links(&mut decoder);
        let mut frame = Frame { wall_ns, monotonic, links, ..Frame::default() };
        self.tables.read(&mut decoder, &mut frame, &self.before.frame, schemas)?;
        let mut tick = Tick { fast, ..Tick::default() };
        self.sections(&mut decoder, &tick);
        if !decoder.is_sound() {
            return Err(Unreadable::Garbled);
        }
        self.put_together(&mut tick, &mut frame).ok_or(Unreadable::Garbled)?;
        tick.frame = Arc::new(frame);
        self.before = tick.clone();
        Ok(tick)
    }

    /// The parts beside the tables; what is the same is shared, as it was when it was recorded.
    fn put_together(&self, tick: &mut Tick, frame: &mut Frame) -> Option<()> {
        let [verdicts, outlooks, reports, flows, threads, followed] = &self.sections;
        frame.verdicts = listed(verdicts, &things::NO_VERDICT, things::verdict)?;
        frame.outlooks = listed(outlooks, &things::NO_OUTLOOK, things::outlook)?;
        frame.reports = listed(reports, &things::NO_REPORT, things::report)?;
        tick.flows = shared(listed(flows, &things::NO_FLOW, things::flow)?, &self.before.flows);
        tick.threads = shared(listed(threads, &things::no_thread(), things::thread)?, &self.before.threads);
        let blank = Followed::default();
        let followed = match followed.is_empty() {
            true => blank,
            false => Fields::together(followed.clone(), &blank, things::followed)?,
        };
        tick.followed = shared(followed, &self.before.followed);
        Some(())
    }

    fn head(&mut self, wire: &mut impl Wire, tick: &Tick) -> (bool, u64, Monotonic) {
        let (known, before) = (&mut self.known, &self.before.frame);
        let fast = wire.bit(&mut known.fast, tick.fast);
        let nanoseconds = |time: Monotonic| time.0.as_nanos() as u64;
        let earlier = nanoseconds(before.monotonic);
        let passed = nanoseconds(tick.frame.monotonic).wrapping_sub(earlier);
        let passed = wire.signed(&mut known.monotonic, passed as i64) as u64;
        // Both clocks go on by the same, but for their corrections.
        let expected = before.wall_ns.wrapping_add(passed);
        let off = wire.signed(&mut known.wall, tick.frame.wall_ns.wrapping_sub(expected) as i64);
        let monotonic = Monotonic(Duration::from_nanos(earlier.wrapping_add(passed)));
        (fast, expected.wrapping_add(off as u64), monotonic)
    }

    fn write_links(&mut self, wire: &mut Encoder, links: &Arc<Links>) {
        let (known, old) = (&mut self.known, &self.before.frame.links);
        if !wire.bit(&mut known.new_links, !Arc::ptr_eq(links, old)) {
            return;
        }
        wire.signed(&mut known.generation, links.generation.wrapping_sub(old.generation) as i64);
        let parts = &mut known.link_parts;
        let key = |link: &Link| link.key;
        known.links.write_things(wire, (links.all(), old.all()), key, |wire, new, old| {
            let (new, old) = (Fields::apart(new, things::link), Fields::apart(old, things::link));
            parts.flat(wire, &new, &old);
        });
    }

    fn read_links(&mut self, wire: &mut Decoder<'_>) -> Arc<Links> {
        let (known, old) = (&mut self.known, &self.before.frame.links);
        if !wire.bit(&mut known.new_links, false) {
            return Arc::clone(old);
        }
        let generation = old.generation.wrapping_add(wire.signed(&mut known.generation, 0) as u64);
        let parts = &mut known.link_parts;
        let list = known.links.read_things(wire, old.all(), |wire, old: &Link| {
            let told = parts.flat(wire, &Flat::default(), &Fields::apart(old, things::link));
            Fields::together(told, &Link::default(), things::link).unwrap_or_else(|| {
                wire.refuse();
                Link::default()
            })
        });
        Arc::new(Links::new(generation, list, Some(old)))
    }

    fn sections(&mut self, wire: &mut impl Wire, tick: &Tick) {
        for (place, known) in self.known.sections.iter_mut().enumerate() {
            let old = &self.sections[place];
            let new = take_apart(place, tick, &self.before);
            let told = known.flat(wire, new.as_ref().unwrap_or(old), old);
            self.sections[place] = told;
        }
    }
}

/// One of the parts beside the tables; `None` if it is that of the tick before.
fn take_apart(place: usize, tick: &Tick, before: &Tick) -> Option<Flat> {
    let Frame { verdicts, outlooks, reports, .. } = &*tick.frame;
    match place {
        0 => Some(flattened(verdicts, &things::NO_VERDICT, things::verdict)),
        1 => Some(flattened(outlooks, &things::NO_OUTLOOK, things::outlook)),
        2 => Some(flattened(reports, &things::NO_REPORT, things::report)),
        3 if !Arc::ptr_eq(&tick.flows, &before.flows) => {
            Some(flattened(&tick.flows, &things::NO_FLOW, things::flow))
        }
        4 if !Arc::ptr_eq(&tick.threads, &before.threads) => {
            Some(flattened(&tick.threads, &things::no_thread(), things::thread))
        }
        5 if !Arc::ptr_eq(&tick.followed, &before.followed) => {
            Some(Fields::apart(&*tick.followed, things::followed))
        }
        _ => None,
    }
}

fn flattened<T>(list: &[T], blank: &T, each: impl Fn(&mut Fields, &T) -> T) -> Flat {
    let mut fields = Fields::default();
    fields.list(list, blank, each);
    fields.into_flat()
}

fn listed<T>(flat: &Flat, blank: &T, each: impl Fn(&mut Fields, &T) -> T) -> Option<Vec<T>> {
    if flat.is_empty() {
        return Some(Vec::new());
    }
    Fields::all(flat.clone(), blank, each)
}

fn shared<T: PartialEq>(new: T, old: &Arc<T>) -> Arc<T> {
    if new == **old {
        Arc::clone(old)
    } else {
        Arc::new(new)
    }
}

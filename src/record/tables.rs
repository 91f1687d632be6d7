//! A frame's tables on the wire. A table that was not read again is the table of the tick before and costs a fraction of a
//! bit; one that was is told by its cells' differences; one that is new is told in full.

use super::cells::{Base, Cells, Track};
use super::coder::{Decoder, Encoder, Number, Wire};
use super::lists::{self, Lists};
use super::moment::Unreadable;
use super::schema::{Schema, Schemas};
use crate::sample::block::{Block, Break};
use crate::sample::frame::Frame;
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::Subjects;
use std::sync::Arc;
use std::time::Duration;

/// No frame has more tables, nor more cells: 128 MiB of them.
const MOST_BLOCKS: usize = 4096;
const MOST_CELLS: usize = 1 << 24;

/// How a table is told: it is the one that was expected in its place, or that one read again; the same of another one of
/// the tick before; or it was not there.
const SAME: u64 = 0;
const CHANGED: u64 = 1;
const SAME_OTHER: u64 = 2;
const CHANGED_OTHER: u64 = 3;
const NEW: u64 = 4;

/// Where a table's subjects are: with the table before, with the links, with an earlier table, or here.
const OF_BASE: u64 = 0;
const OF_LINKS: u64 = 1;
const OF_EARLIER: u64 = 2;
const TOLD: u64 = 3;

/// What is known of one table.
#[derive(Debug, Clone, Default)]
struct TableTrack {
    columns: Vec<Track>,
    mode: u64,
}

/// What is known of all tables, learnt since the last key tick.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    tracks: Vec<TableTrack>,
    blocks: Number,
    /// By how the table that is expected was told the last time.
    modes: [Number; 5],
    place: Number,
    read_at: Number,
    subjects: Number,
    earlier: Number,
    breaks: Number,
    lists: Lists,
    cells: Cells,
}

/// How a table is told, and of which table of the tick before.
#[derive(Debug, Clone, Copy)]
struct Way {
    mode: u64,
    from: usize,
}

impl Way {
    /// The way that a writer takes.
    fn of(block: &Arc<Block>, before: &[Arc<Block>], expected: usize) -> Self {
        let same = |at: &usize| before.get(*at).is_some_and(|old| Arc::ptr_eq(old, block));
        let alike = |at: &usize| {
            before
                .get(*at)
                .is_some_and(|old| std::ptr::eq(old.columns, block.columns) && old.source == block.source)
        };
        let any = || 0..before.len();
        if same(&expected) {
            Self { mode: SAME, from: expected }
        } else if let Some(from) = any().find(same) {
            Self { mode: SAME_OTHER, from }
        } else if alike(&expected) {
            Self { mode: CHANGED, from: expected }
        } else if let Some(from) = any().find(alike) {
            Self { mode: CHANGED_OTHER, from }
        } else {
            Self { mode: NEW, from: expected }
        }
    }
}

impl Tables {
    /// Tells the way of a table; gives it, and the track that goes on.
    fn way(
        &mut self,
        wire: &mut impl Wire,
        way: Way,
        tracks: &mut [TableTrack],
        expected: usize,
    ) -> (Way, TableTrack) {
        let last = tracks.get(expected).map_or(NEW, |track| track.mode);
        let mode = wire.number(&mut self.modes[last.min(NEW) as usize], way.mode);
        let mut from = expected;
        if mode == SAME_OTHER || mode == CHANGED_OTHER {
            from = wire.count(&mut self.place, way.from, MOST_BLOCKS);
        }
        let track = tracks.get_mut(from).filter(|_| mode != NEW);
        let mut track = track.map(std::mem::take).unwrap_or_default();
        track.mode = mode;
        (Way { mode, from }, track)
    }

    /// Writes a frame's tables.
    pub fn write(&mut self, wire: &mut Encoder, frame: &Frame, before: &Frame, schemas: &Schemas) {
        wire.number(&mut self.blocks, frame.blocks.len() as u64);
        let (mut tracks, mut expected) = (std::mem::take(&mut self.tracks), 0);
        for (place, block) in frame.blocks.iter().enumerate() {
            let way = Way::of(block, &before.blocks, expected);
            let (way, mut track) = self.way(wire, way, &mut tracks, expected);
            let base = before.blocks.get(way.from).filter(|_| way.mode != NEW);
            if way.mode == NEW {
                let schema = Schema { source: block.source, columns: block.columns };
                wire.raw(32, u64::from(schemas.mark(schema).unwrap_or(0)));
            } else {
                expected = way.from + 1;
            }
            if way.mode == NEW || way.mode == CHANGED || way.mode == CHANGED_OTHER {
                let rows = self.write_subjects(wire, block, base, (frame, place));
                let at = expected_time(frame, before, base.map(Arc::as_ref));
                wire.signed(&mut self.read_at, nanoseconds(block.read_at).wrapping_sub(at) as i64);
                self.write_breaks(wire, &block.breaks);
                track.columns.resize_with(block.columns.len(), Track::default);
                for (at, column) in block.columns.iter().enumerate() {
                    let base =
                        Base { cells: base.map_or(&[], |base| base.column(at)), rows: rows.as_deref() };
                    let track = &mut track.columns[at];
                    self.cells.write(wire, track, (column.metric, base), block.column(at));
                }
            }
            self.tracks.push(track);
        }
    }

    /// Reads what `write` tells into `frame`, which has its time and links.
    pub fn read(
        &mut self,
        wire: &mut Decoder<'_>,
        frame: &mut Frame,
        before: &Frame,
        schemas: &Schemas,
    ) -> Result<(), Unreadable> {
        let count = wire.count(&mut self.blocks, 0, MOST_BLOCKS);
        let (mut tracks, mut expected, mut cells) = (std::mem::take(&mut self.tracks), 0, 0);
        for _ in 0..count {
            let nothing = Way { mode: SAME, from: 0 };
            let (way, mut track) = self.way(wire, nothing, &mut tracks, expected);
            let base = if way.mode == NEW { None } else { before.blocks.get(way.from) };
            let block = match (base, way.mode) {
                (Some(base), SAME | SAME_OTHER) => Arc::clone(base),
                (Some(_), CHANGED | CHANGED_OTHER) | (None, NEW) => {
                    let block = self.read_table(wire, &mut track, base, (frame, before, schemas))?;
                    cells += block.rows() * block.columns.len();
                    Arc::new(block)
                }
                _ => return Err(Unreadable::Garbled),
            };
            if cells > MOST_CELLS || !wire.is_sound() {
                return Err(Unreadable::Garbled);
            }
            if way.mode != NEW {
                expected = way.from + 1;
            }
            frame.blocks.push(block);
            self.tracks.push(track);
        }
        Ok(())
    }

    /// Reads a table that was read again, or is new.
    fn read_table(
        &mut self,
        wire: &mut Decoder<'_>,
        track: &mut TableTrack,
        base: Option<&Arc<Block>>,
        (frame, before, schemas): (&Frame, &Frame, &Schemas),
    ) -> Result<Block, Unreadable> {
        let Schema { source, columns } = match base {
            Some(base) => Schema { source: base.source, columns: base.columns },
            None => schemas.get(wire.raw(32, 0) as u32).ok_or(Unreadable::Undescribed)?,
        };
        let (subjects, rows) = self.read_subjects(wire, base, frame).ok_or(Unreadable::Garbled)?;
        if subjects.len() * columns.len() > MOST_CELLS || !wire.is_sound() {
            return Err(Unreadable::Garbled);
        }
        let base = base.map(Arc::as_ref);
        let at = expected_time(frame, before, base);
        let at = at.wrapping_add(wire.signed(&mut self.read_at, 0) as u64);
        let mut block = Block::new(source, Monotonic(Duration::from_nanos(at)), columns, subjects);
        block.breaks = self.read_breaks(wire);
        self.read_cells(wire, track, (base, rows.as_deref()), &mut block);
        Ok(block)
    }

    fn read_cells(
        &mut self,
        wire: &mut Decoder<'_>,
        track: &mut TableTrack,
        (base, rows): (Option<&Block>, Option<&[u32]>),
        block: &mut Block,
    ) {
        track.columns.resize_with(block.columns.len(), Track::default);
        for (at, column) in block.columns.iter().enumerate() {
            let base = Base { cells: base.map_or(&[], |base| base.column(at)), rows };
            let track = &mut track.columns[at];
            self.cells.read(wire, track, (column.metric, base), block.column_mut(at));
        }
    }

    /// Tells a table's subjects; gives the row of the table before of each of its rows, if they are others.
    fn write_subjects(
        &mut self,
        wire: &mut Encoder,
        block: &Block,
        base: Option<&Arc<Block>>,
        (frame, place): (&Frame, usize),
    ) -> Option<Vec<u32>> {
        let new = &block.subjects;
        let is = |known: &Arc<Subjects>| Arc::ptr_eq(known, new) || known == new;
        if base.is_some_and(|base| is(&base.subjects)) {
            wire.number(&mut self.subjects, OF_BASE);
            return None;
        }
        let nobody = Subjects::default();
        let old = base.map_or(&nobody, |base| &base.subjects);
        if is(frame.links.subjects()) {
            wire.number(&mut self.subjects, OF_LINKS);
            return Some(lists::rows(new, old));
        }
        if let Some(earlier) = frame.blocks[..place].iter().position(|block| is(&block.subjects)) {
            wire.number(&mut self.subjects, OF_EARLIER);
            wire.number(&mut self.earlier, earlier as u64);
            return Some(lists::rows(new, old));
        }
        wire.number(&mut self.subjects, TOLD);
        Some(self.lists.write(wire, new, old))
    }

    fn read_subjects(
        &mut self,
        wire: &mut Decoder<'_>,
        base: Option<&Arc<Block>>,
        frame: &Frame,
    ) -> Option<(Arc<Subjects>, Option<Vec<u32>>)> {
        let nobody = Subjects::default();
        let old = base.map_or(&nobody, |base| &base.subjects);
        let new = match wire.number(&mut self.subjects, 0) {
            OF_BASE => return Some((Arc::clone(&base?.subjects), None)),
            OF_LINKS => Arc::clone(frame.links.subjects()),
            OF_EARLIER => {
                let place = wire.count(&mut self.earlier, 0, MOST_BLOCKS);
                Arc::clone(&frame.blocks.get(place)?.subjects)
            }
            TOLD => {
                let (new, rows) = self.lists.read(wire, old);
                return Some((Arc::new(new), Some(rows)));
            }
            _ => return None,
        };
        let rows = lists::rows(&new, old);
        Some((new, Some(rows)))
    }

    fn write_breaks(&mut self, wire: &mut Encoder, breaks: &[Break]) {
        wire.number(&mut self.breaks, breaks.len() as u64);
        for Break { column, row } in breaks {
            wire.raw(32, u64::from(*column));
            wire.raw(32, u64::from(*row));
        }
    }

    fn read_breaks(&mut self, wire: &mut Decoder<'_>) -> Vec<Break> {
        let count = wire.count(&mut self.breaks, 0, MOST_CELLS);
        let mut breaks = Vec::new();
        for _ in 0..count {
            if !wire.is_sound() {
                break;
            }
            breaks.push(Break { column: wire.raw(32, 0) as u32, row: wire.raw(32, 0) as u32 });
        }
        breaks
    }
}

fn nanoseconds(time: Monotonic) -> u64 {
    time.0.as_nanos() as u64
}

/// When a table is expected to have been read: as long after the table before as the frame is after the frame before, or
/// at the frame's own time.
fn expected_time(frame: &Frame, before: &Frame, base: Option<&Block>) -> u64 {
    let now = nanoseconds(frame.monotonic);
    match base {
        Some(base) => now.wrapping_sub(nanoseconds(before.monotonic)).wrapping_add(nanoseconds(base.read_at)),
        None => now,
    }
}

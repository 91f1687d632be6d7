//! One file of frames as a sequence of records: the opening, tables' meanings before their first use, ticks, the seal.

use super::envelope::{self, Kind, MAGIC};
use super::moment::{Memory, Unreadable};
use super::schema::{self, Schema, Schemas};
use super::tick::Tick;
use crate::sample::monotonic::Monotonic;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Between two ticks that stand alone: damage costs no more than this, and a reader need not read more to begin. One costs
/// as much as some hundred others where many links are idle.
const KEYS: Duration = Duration::from_secs(120);
/// A file of frames ends after this time, or at this size.
const LONGEST: Duration = Duration::from_secs(3600);
const LARGEST: u64 = 32 << 20;
/// The clock was set if it went on by so much more or less than time did; the file ends, so that time runs straight in each.
const JUMP: Duration = Duration::from_secs(2);
/// Memory that is kept for the next tick.
const KEPT: usize = 128 << 10;

/// Who writes a file of frames.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// The program's version.
    pub version: String,
    /// The host's name.
    pub host: String,
    /// The kernel's id of this boot.
    pub boot_id: String,
    /// Counts up from file to file.
    pub sequence: u64,
    /// When it begins, nanoseconds since 1970.
    pub wall_ns: u64,
}

/// How a file was finished.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// Ticks in it.
    pub ticks: u64,
    /// Cells of them that hold a value: samples.
    pub samples: u64,
}

/// Makes a file's bytes.
#[derive(Debug)]
pub struct Writer {
    memory: Memory,
    schemas: Schemas,
    opened: u64,
    first: Option<(u64, Monotonic)>,
    key: Option<Monotonic>,
    last: u64,
    /// What was written so far.
    pub seal: Seal,
}

impl Writer {
    /// Begins a file behind `out`.
    pub fn new(opening: &Opening, out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(&MAGIC);
        envelope::add(out, Kind::Opening, 0, |out| json(out, opening));
        Self {
            memory: Memory::default(),
            schemas: Schemas::default(),
            opened: opening.wall_ns,
            first: None,
            key: None,
            last: 0,
            seal: Seal::default(),
        }
    }

    /// Whether a tick belongs into another file: this one, of `length` bytes, is full, or the clock was set.
    pub fn is_over(&self, tick: &Tick, length: u64) -> bool {
        let Some((wall, monotonic)) = self.first else { return false };
        let passed = tick.frame.monotonic.since(monotonic);
        let by_clock = Duration::from_nanos(tick.frame.wall_ns.saturating_sub(wall));
        let is_set = tick.frame.wall_ns < wall || by_clock.abs_diff(passed) > JUMP;
        passed >= LONGEST || length >= LARGEST || is_set
    }

    /// Writes a tick behind `out`.
    pub fn add(&mut self, tick: &Tick, out: &mut Vec<u8>) {
        let now = tick.frame.monotonic;
        self.first.get_or_insert((tick.frame.wall_ns, now));
        let is_key = self.key.is_none_or(|key| now.since(key) >= KEYS);
        if is_key {
            self.memory.forget();
            self.key = Some(now);
        }
        self.describe(tick, out);
        let time = (tick.frame.wall_ns.saturating_sub(self.opened) / 1_000_000) as u32;
        let kind = if is_key { Kind::Key } else { Kind::Tick };
        let (memory, schemas) = (&mut self.memory, &self.schemas);
        envelope::add(out, kind, time, |out| memory.write(tick, schemas, out));
        self.memory.shrink(KEPT);
        self.last = tick.frame.wall_ns;
        self.seal.ticks += 1;
    }

    /// Tells the meaning of tables that are new.
    fn describe(&mut self, tick: &Tick, out: &mut Vec<u8>) {
        for block in &tick.frame.blocks {
            let schema = Schema { source: block.source, columns: block.columns };
            if self.schemas.mark(schema).is_none() {
                let described = schema::write(schema);
                self.schemas.add(schema, &described);
                envelope::add(out, Kind::Schema, 0, |out| out.extend_from_slice(&described));
            }
        }
    }

    /// Finishes the file.
    pub fn finish(&self, out: &mut Vec<u8>) {
        let time = (self.last.saturating_sub(self.opened) / 1_000_000) as u32;
        envelope::add(out, Kind::Seal, time, |out| json(out, &self.seal));
    }
}

fn json(out: &mut Vec<u8>, value: &impl Serialize) {
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok(), "writing to a Vec cannot fail, and all names are strings");
}

/// Makes ticks of a file's records again.
#[derive(Debug, Default)]
pub struct Reader {
    memory: Memory,
    /// What tables mean; it may be carried over to the next file.
    pub schemas: Schemas,
    /// The tick before was read, so one that is told by its difference can be.
    follows: bool,
}

impl Reader {
    /// Some records are missing here: what follows cannot be read until the next tick that stands alone.
    pub fn lose(&mut self) {
        self.follows = false;
    }

    /// Takes in a record; gives the tick that it is, if it is one that can be read.
    pub fn take(&mut self, kind: Kind, payload: &[u8]) -> Result<Option<Tick>, Unreadable> {
        match kind {
            Kind::Schema => {
                let schema = schema::read(payload).ok_or(Unreadable::Garbled)?;
                self.schemas.add(schema, payload);
                Ok(None)
            }
            Kind::Key => {
                self.memory.forget();
                self.follows = true;
                self.tick(payload)
            }
            Kind::Tick if self.follows => self.tick(payload),
            Kind::Tick | Kind::Opening | Kind::Seal | Kind::Other => Ok(None),
        }
    }

    fn tick(&mut self, payload: &[u8]) -> Result<Option<Tick>, Unreadable> {
        let tick = self.memory.read(payload, &self.schemas);
        self.follows = tick.is_ok();
        tick.map(Some)
    }
}

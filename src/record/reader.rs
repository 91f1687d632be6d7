//! SHELL. A recording as those see it who read it: what migrations there were, and the ticks of any stretch of time, in
//! order. It reads beside the writer, without the lock; damage is told of, and costs no more than what it hit.

use super::envelope::{Head, Kind, HEAD, MAGIC};
use super::migration::{self, MigrationRecord};
use super::moment::Unreadable;
use super::names::{self, MIGRATIONS};
use super::segment::Reader;
use super::store::{frames_files, io, FramesFile, StoreError};
use super::tick::Tick;
use std::fs::{self, File};
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A recording.
#[derive(Debug, Clone)]
pub struct Recording {
    folder: PathBuf,
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// What is the matter.
    pub what: String,
}

/// The end of a file of which the last record is not whole: its writer died, or is just writing.
pub const TORN: &str = "ends in the middle of a record";

impl Recording {
    /// A recording in a folder. Nothing is read yet.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The records of all migrations, by their beginning, and those that cannot be read.
    pub fn migrations(&self) -> Result<(Vec<MigrationRecord>, Vec<Damage>), StoreError> {
        let folder = self.folder.join(MIGRATIONS);
        let (mut records, mut damage) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(&folder).map_err(io("list", &folder))? {
            let path = entry.map_err(io("list", &folder))?.path();
            if path.extension().is_none_or(|ending| ending != "json") {
                continue;
            }
            let text = match fs::read_to_string(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => Err(error.to_string()),
                Ok(text) => migration::read(&text),
            };
            match text {
                Ok(record) => records.push(record),
                Err(what) => damage.push(Damage { path, offset: 0, what }),
            }
        }
        records.sort_by(|a, b| a.id.cmp(&b.id));
        Ok((records, damage))
    }

    /// The ticks whose wall-clock time, nanoseconds since 1970, is within `range`, in the order in which they were recorded.
    pub fn ticks(&self, range: Range<u64>) -> Result<Ticks, StoreError> {
        let files = frames_files(&self.folder)?;
        let (start, end) = (range.start / 1_000_000_000, range.end.div_ceil(1_000_000_000));
        let within = |at: usize| {
            // A file ends where the next one begins, if the clock was not set back in between.
            let next = files.get(at + 1).map_or(u64::MAX, |next| next.began);
            files[at].began < end && (next < files[at].began || next >= start)
        };
        let wanted: Vec<usize> = (0..files.len()).filter(|at| within(*at)).rev().collect();
        Ok(Ticks { files, wanted, range, open: None, reader: Reader::default(), damage: Vec::new() })
    }
}

/// Ticks, one after the other. A file is read record by record, so this needs no more memory than a frame or two.
#[derive(Debug)]
pub struct Ticks {
    files: Vec<FramesFile>,
    /// Places of the files that are still to be read, the last one first.
    wanted: Vec<usize>,
    range: Range<u64>,
    open: Option<Open>,
    reader: Reader,
    /// What could not be read so far.
    pub damage: Vec<Damage>,
}

#[derive(Debug)]
struct Open {
    place: usize,
    file: BufReader<File>,
    offset: u64,
    payload: Vec<u8>,
}

impl Iterator for Ticks {
    type Item = Tick;

    fn next(&mut self) -> Option<Tick> {
        loop {
            let Some(mut open) = self.open.take() else {
                let place = self.wanted.pop()?;
                match self.begin(place) {
                    Ok(open) => self.open = Some(open),
                    Err(error) => self.note(place, 0, error.to_string()),
                }
                continue;
            };
            let Some(kind) = self.record(&mut open) else { continue };
            let tick = self.take(kind, &open);
            self.open = Some(open);
            let Some(tick) = tick else { continue };
            let wall = tick.frame.wall_ns;
            if wall >= self.range.end {
                self.open = None;
            } else if wall >= self.range.start {
                return Some(tick);
            }
        }
    }
}

impl Ticks {
    fn note(&mut self, place: usize, offset: u64, what: impl Into<String>) {
        self.damage.push(Damage { path: self.files[place].path.clone(), offset, what: what.into() });
    }

    /// Opens a file at the last tick that stands alone before the range.
    fn begin(&mut self, place: usize) -> std::io::Result<Open> {
        self.reader.lose();
        let mut file = BufReader::with_capacity(64 << 10, File::open(&self.files[place].path)?);
        let mut magic = [0; MAGIC.len()];
        file.read_exact(&mut magic)?;
        if magic != MAGIC {
            let what = if magic[..7] == MAGIC[..7] {
                format!("is of version {} of the format, which this program does not know", magic[7])
            } else {
                "is no recording".into()
            };
            return Err(std::io::Error::other(what));
        }
        let mut open = Open { place, file, offset: MAGIC.len() as u64, payload: Vec::new() };
        let before = self.range.start.saturating_sub(self.files[place].began * 1_000_000_000) / 1_000_000;
        if before > 0 {
            self.skip(&mut open, before)?;
        }
        Ok(open)
    }

    /// Goes on to the last key at least a second before `until` (milliseconds since the file's beginning), and takes note of
    /// what tables mean on the way.
    fn skip(&mut self, open: &mut Open, until: u64) -> std::io::Result<()> {
        let first = open.offset;
        let mut key = first;
        while let Some((head, bytes)) = open.head()? {
            if head.kind == Kind::Schema {
                open.fill(head)?;
                if head.is_sound(&bytes, &open.payload) {
                    self.reader.take(head.kind, &open.payload).ok();
                }
                open.offset += (HEAD + open.payload.len()) as u64;
                continue;
            }
            if u64::from(head.time) + 1000 >= until && matches!(head.kind, Kind::Key | Kind::Tick) {
                break;
            }
            if head.kind == Kind::Key {
                key = open.offset;
            }
            open.file.seek_relative(i64::from(head.length))?;
            open.offset += HEAD as u64 + u64::from(head.length);
        }
        open.offset = key;
        open.file.seek(SeekFrom::Start(key))?;
        Ok(())
    }

    /// The next record; `None` at the end of the file, which is then closed.
    fn record(&mut self, open: &mut Open) -> Option<Kind> {
        match open.record() {
            Ok(Found::Record(kind)) => Some(kind),
            Ok(Found::End) => None,
            Ok(Found::Torn) => {
                self.note(open.place, open.offset, TORN);
                None
            }
            Ok(Found::Damaged(next)) => {
                self.reader.lose();
                self.note(open.place, open.offset, "a record is damaged");
                open.offset = next;
                match open.file.seek(SeekFrom::Start(next)) {
                    Ok(_) => self.record(open),
                    Err(error) => {
                        self.note(open.place, next, error.to_string());
                        None
                    }
                }
            }
            Err(error) => {
                self.note(open.place, open.offset, error.to_string());
                None
            }
        }
    }

    fn take(&mut self, kind: Kind, open: &Open) -> Option<Tick> {
        let mut taken = self.reader.take(kind, &open.payload);
        if taken.as_ref().is_err_and(|error| *error == Unreadable::Undescribed) && kind == Kind::Key {
            // The description may be damaged here; other files have it too.
            self.borrow_schemas(open.place);
            taken = self.reader.take(kind, &open.payload);
        }
        match taken {
            Ok(tick) => tick,
            Err(error) => {
                self.note(open.place, open.offset, format!("a record {error}"));
                None
            }
        }
    }

    fn borrow_schemas(&mut self, place: usize) {
        let neighbours = [place.checked_sub(1), Some(place + 1)];
        for neighbour in neighbours.into_iter().flatten().filter(|at| *at < self.files.len()) {
            let Ok(file) = File::open(&self.files[neighbour].path) else { continue };
            let mut file = BufReader::new(file);
            if file.seek(SeekFrom::Start(MAGIC.len() as u64)).is_err() {
                continue;
            }
            let mut open = Open { place: neighbour, file, offset: MAGIC.len() as u64, payload: Vec::new() };
            while let Ok(Some((head, bytes))) = open.head() {
                let passed = if head.kind == Kind::Schema {
                    open.fill(head).map(|()| {
                        if head.is_sound(&bytes, &open.payload) {
                            self.reader.take(head.kind, &open.payload).ok();
                        }
                    })
                } else {
                    open.file.seek_relative(i64::from(head.length))
                };
                if passed.is_err() {
                    break;
                }
            }
        }
    }
}

enum Found {
    Record(Kind),
    End,
    /// The file ends within a record.
    Torn,
    /// There is damage; the next sound record is here.
    Damaged(u64),
}

impl Open {
    /// The head at the present place; `None` if there is none that can be read.
    fn head(&mut self) -> std::io::Result<Option<(Head, [u8; HEAD])>> {
        let mut bytes = [0; HEAD];
        match self.file.read_exact(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
            Ok(()) => Ok(Head::read(&bytes).map(|head| (head, bytes))),
        }
    }

    fn fill(&mut self, head: Head) -> std::io::Result<()> {
        self.payload.clear();
        self.file.by_ref().take(u64::from(head.length)).read_to_end(&mut self.payload)?;
        Ok(())
    }

    /// Reads the next record into `payload`.
    fn record(&mut self) -> std::io::Result<Found> {
        if let Some((head, bytes)) = self.head()? {
            self.fill(head)?;
            if head.is_sound(&bytes, &self.payload) {
                self.offset += (HEAD + self.payload.len()) as u64;
                return Ok(Found::Record(head.kind));
            }
        }
        self.resume()
    }

    /// Looks for the next sound record behind damage.
    fn resume(&mut self) -> std::io::Result<Found> {
        self.file.seek(SeekFrom::Start(self.offset))?;
        let mut rest = Vec::new();
        self.file.read_to_end(&mut rest)?;
        if rest.is_empty() {
            return Ok(Found::End);
        }
        let is_sound = |at: usize| {
            let head = rest[at..].first_chunk::<HEAD>()?;
            let read = Head::read(head)?;
            let payload = rest.get(at + HEAD..at + HEAD + read.length as usize)?;
            read.is_sound(head, payload).then_some(at)
        };
        Ok(match (1..rest.len()).find_map(is_sound) {
            Some(at) => Found::Damaged(self.offset + at as u64),
            None => Found::Torn,
        })
    }
}

/// What `names` makes of moments, for those who print them.
pub fn moment(wall_ns: u64) -> String {
    names::moment(wall_ns)
}

//! What a source is: how it is described, what it is given, what it answers, and how it fails.

use crate::sample::block::Block;
use crate::sample::flow::Flow;
use crate::sample::guest::{Followed, Process};
use crate::sample::link::{Link, Links};
use crate::sample::metric::Column;
use crate::sample::migration::Told;
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::Key;
use crate::sample::thread::Thread;
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Where the kernel's file systems are mounted; a captured tree in tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    /// `/proc`.
    pub proc: PathBuf,
    /// `/sys`.
    pub sys: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self { proc: "/proc".into(), sys: "/sys".into() }
    }
}

/// The clock, for sources that hear things between their readings.
#[derive(Clone)]
pub struct Now(Arc<dyn Fn() -> Monotonic + Send + Sync>);

impl Now {
    /// A clock.
    pub fn new(clock: impl Fn() -> Monotonic + Send + Sync + 'static) -> Self {
        Self(Arc::new(clock))
    }

    /// What it shows.
    pub fn get(&self) -> Monotonic {
        (self.0)()
    }
}

impl Default for Now {
    fn default() -> Self {
        Self::new(Monotonic::default)
    }
}

impl std::fmt::Debug for Now {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Now")
    }
}

/// By which doors hypervisors are reached, beside those that are found (`migrations` in the configuration).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Doors {
    /// QMP sockets: a path with `*` and `?`, and whether it is given to us alone.
    pub qmp: Vec<(String, bool)>,
    /// libvirt's read-only sockets; where it is empty, the usual places are looked at.
    pub libvirt: Vec<PathBuf>,
    /// Commands of processes that carry other processes' migrations.
    pub proxies: Vec<String>,
}

/// What a source is given for one reading.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// When the reading began.
    pub now: Monotonic,
    /// The clock that `now` is of.
    pub clock: Now,
    /// The links as the `links` source last told them.
    pub links: Arc<Links>,
    /// The hypervisor processes, and the guests that move now.
    pub followed: Arc<Followed>,
    /// The process id that was given out last; `None` if it is not known.
    pub newest_process: Option<u32>,
    /// By which doors hypervisors are reached.
    pub doors: Arc<Doors>,
    /// Where to look for files.
    pub roots: Arc<Roots>,
}

/// One label of `link_info` that a source knows of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Which link.
    pub key: Key,
    /// The label's name.
    pub label: &'static str,
    /// The label's value.
    pub value: Cow<'static, str>,
}

/// What a source answers.
#[derive(Debug, Default)]
pub struct Reading {
    /// Its tables.
    pub blocks: Vec<Block>,
    /// The links of the namespace, from the `links` source, if they changed.
    pub links: Option<Vec<Link>>,
    /// What it knows for `link_info`.
    pub facts: Vec<Fact>,
    /// The process id that was given out last, from the `started` source.
    pub newest_process: Option<u32>,
    /// The hypervisor processes, from the `processes` source, if they changed.
    pub processes: Option<Vec<Process>>,
    /// The flows of hypervisor processes, from the `flows` source, if any of them changed but for its numbers.
    pub flows: Option<Arc<Vec<Flow>>>,
    /// The threads of guests that move, from the `threads` source, if there are others than before.
    pub threads: Option<Arc<Vec<Thread>>>,
    /// What hypervisors told of their migrations, in the order in which it came.
    pub told: Vec<Told>,
    /// What it could not tell, a sentence each. The rest of the reading stands.
    pub problems: Vec<String>,
    /// Nothing has changed since the last reading: its blocks stay good.
    pub unchanged: bool,
    /// It need not be asked again for this long, unless links change or a migration is followed.
    pub rest: Duration,
    /// The name of another source whose last reading no longer holds, and of which the kernel sends no event.
    pub outdates: Option<&'static str>,
}

impl Reading {
    /// A reading of one table without problems.
    pub fn of(block: Block) -> Self {
        Self { blocks: vec![block], ..Self::default() }
    }

    /// The last reading still stands.
    pub fn unchanged() -> Self {
        Self { unchanged: true, ..Self::default() }
    }

    /// The last reading still stands, and nobody has said a word.
    pub fn is_nothing_new(&self) -> bool {
        self.unchanged && self.links.is_none() && self.processes.is_none() && self.told.is_empty()
    }
}

/// Reads one kind of thing, again and again, with its descriptors and buffers kept.
pub trait Source: Send {
    /// Reads it now.
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError>;
}

/// How often a source is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Ten times a second, while there is a link to follow.
    Fast,
    /// At every tick: counters.
    Tick,
    /// At every tick, while there is a physical link: counters that only hardware has.
    HardwareTick,
    /// While a migration is followed: ten times a second, and fifty times while a guest stands still; otherwise at
    /// every tick.
    Migration,
    /// The same, but four times a second while there is a hypervisor and nothing moves yet: what shows a migration first.
    Lookout,
    /// While a migration is followed like `Migration`; otherwise when the source asks for it (`Reading::rest`), and never
    /// so often that it takes more than a ten-thousandth of a core.
    Background,
    /// Every second, and four times a second while a migration is followed: what holds links back.
    Near,
    /// Every second in which a process was started, less often where a reading is dear, and when it has rested for as long
    /// as it asked for.
    Started,
    /// At start, when links change, and at least this often; less often where a reading is so dear that it would
    /// take more than a thousandth of a core.
    Change(Duration),
}

/// Which thread a source is read on. A driver that hangs holds up its own lane only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Counters and what else never asks a driver to talk to its hardware.
    Counters,
    /// Attributes and driver statistics: they may wait for firmware or for the kernel's RTNL lock.
    Attributes,
    /// What is read closely while a migration is on: flows and threads.
    Migrations,
    /// Hypervisors, which may not answer.
    Hypervisors,
}

/// A source described once. One static a source, listed in `SOURCES`.
#[derive(Debug)]
pub struct SourceInfo {
    /// Its name in `collect[]`, `source_success` and the log; also its file's name.
    pub name: &'static str,
    /// One sentence: what it reads.
    pub help: &'static str,
    /// What it needs beyond an ordinary user, or empty.
    pub privilege: &'static str,
    /// How often.
    pub pace: Pace,
    /// Where.
    pub lane: Lane,
    /// How long a reading may take before it counts as stuck.
    pub deadline: Duration,
    /// The columns of all its tables.
    pub tables: &'static [&'static [Column]],
    /// Makes it ready. `Absent` and `Denied` are told once; the rest is tried again.
    pub open: fn(&Roots) -> Result<Box<dyn Source>, SourceError>,
}

/// Why a source cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// What it reads does not exist on this host; not a fault.
    #[error("not here: {0}")]
    Absent(String),
    /// This user may not read it.
    #[error("not permitted: {what} (needs {needs})")]
    Denied {
        /// What was refused.
        what: String,
        /// What would be needed.
        needs: &'static str,
    },
    /// Reading it failed.
    #[error("{what}: {error}")]
    Io {
        /// A path, or what was asked of the kernel.
        what: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// It does not read as it should.
    #[error("{what}, line {line}: {problem}")]
    Format {
        /// The path.
        what: String,
        /// The line, from 1; 0 where there are no lines.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// The kernel was asked by netlink and did not answer as it should.
    #[error("{what}: {error}")]
    Netlink {
        /// What was asked.
        what: &'static str,
        /// What came instead.
        error: super::transport::netlink::NetlinkError,
    },
}

/// Reads a whole file; a missing one is `Absent`, a refused one `Denied`.
pub fn read_file(path: &Path) -> Result<String, SourceError> {
    std::fs::read_to_string(path).map_err(|error| file_error(path, error))
}

/// Says what a failed file means to a source.
pub fn file_error(path: &Path, error: std::io::Error) -> SourceError {
    let what = path.display().to_string();
    match error.kind() {
        std::io::ErrorKind::NotFound => SourceError::Absent(format!("no {what}")),
        std::io::ErrorKind::PermissionDenied => SourceError::Denied { what, needs: "read access" },
        _ => SourceError::Io { what, error },
    }
}

/// A file of /proc or /sys that is read at every tick: opened once, read from its start each time.
#[derive(Debug)]
pub struct KeptFile {
    path: PathBuf,
    file: std::fs::File,
    buffer: Vec<u8>,
}

impl KeptFile {
    /// Opens it.
    pub fn open(path: PathBuf) -> Result<Self, SourceError> {
        let file = std::fs::File::open(&path).map_err(|error| file_error(&path, error))?;
        Ok(Self { path, file, buffer: Vec::new() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its text now.
    pub fn read(&mut self) -> Result<&str, SourceError> {
        if self.buffer.is_empty() {
            self.buffer.resize(4096, 0);
        }
        let mut length = 0;
        loop {
            if length == self.buffer.len() {
                self.buffer.resize(length * 2, 0);
            }
            match self.read_at(length)? {
                0 => return self.text(length),
                got => length += got,
            }
        }
    }

    /// Its text now, of a file that the kernel makes in one piece (a process's `schedstat`, `comm`): one system call,
    /// because what does not fill the buffer is all.
    pub fn read_piece(&mut self) -> Result<&str, SourceError> {
        if self.buffer.is_empty() {
            self.buffer.resize(128, 0);
        }
        loop {
            let length = self.read_at(0)?;
            if length < self.buffer.len() {
                return self.text(length);
            }
            self.buffer.resize(length * 2, 0);
        }
    }

    /// Whether there is anything in it now: a process that has ended has no command line.
    pub fn has_content(&self) -> bool {
        use std::os::unix::fs::FileExt;
        self.file.read_at(&mut [0], 0).is_ok_and(|length| length > 0)
    }

    fn read_at(&mut self, offset: usize) -> Result<usize, SourceError> {
        use std::os::unix::fs::FileExt;
        let read = self.file.read_at(&mut self.buffer[offset..], offset as u64);
        read.map_err(|error| file_error(&self.path, error))
    }

    fn text(&self, length: usize) -> Result<&str, SourceError> {
        std::str::from_utf8(&self.buffer[..length]).map_err(|error| SourceError::Format {
            what: self.path.display().to_string(),
            line: 0,
            problem: format!("not UTF-8: {error}"),
        })
    }
}

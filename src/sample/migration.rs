//! What a hypervisor tells of a migration, whichever hypervisor and by whichever door: one vocabulary for QMP,
//! libvirt and what comes later. Every value is optional, because every version leaves some out.

use super::monotonic::Monotonic;
use super::subject::Key;
use std::time::Duration;

/// Which way the guest moves, seen from this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// It leaves.
    Outgoing,
    /// It comes.
    Incoming,
}

impl Direction {
    /// Its label value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Outgoing => "outgoing",
            Self::Incoming => "incoming",
        }
    }
}

/// Where a migration stands, in the words of QEMU's `MigrationStatus` (qapi/migration.json).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// There was none, or it is not said.
    #[default]
    None,
    /// Connections are being made.
    Setup,
    /// Memory is copied while the guest runs (`active`).
    Active,
    /// The guest is stopped and the management is asked (`pre-switchover`).
    PreSwitchover,
    /// The guest is stopped and its last state is moved (`device`).
    Device,
    /// The guest runs at the destination and its memory follows (`postcopy-active`).
    Postcopy,
    /// Post-copy lost its connection (`postcopy-paused`, `postcopy-recover`).
    PostcopyPaused,
    /// It is being called off (`cancelling`).
    Cancelling,
    /// It was called off.
    Cancelled,
    /// It failed.
    Failed,
    /// It is done.
    Completed,
    /// A word that this program does not know, or one that says nothing of its progress (`wait-unplug`, `colo`).
    Other,
}

impl Status {
    /// Whether it has ended.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Cancelled | Self::Failed | Self::Completed)
    }

    /// Whether it is going on.
    pub fn is_running(self) -> bool {
        !matches!(self, Self::None) && !self.is_final()
    }
}

/// How far a migration is: one answer to `query-migrate` or to libvirt's job statistics.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Progress {
    /// Where it stands.
    pub status: Status,
    /// Which way, where the hypervisor says it.
    pub direction: Option<Direction>,
    /// Since its start; at the end, its whole length.
    pub total_time: Option<Duration>,
    /// From its start to the first memory.
    pub setup_time: Option<Duration>,
    /// The pause that the hypervisor expects now.
    pub expected_downtime: Option<Duration>,
    /// The pause that it was, as the hypervisor measured it; only at the end.
    pub downtime: Option<Duration>,
    /// Bytes of guest memory.
    pub memory_total: Option<u64>,
    /// Bytes sent so far, headers and repeats included.
    pub transferred: Option<u64>,
    /// Bytes of memory that are still to be sent.
    pub remaining: Option<u64>,
    /// Bytes of pages sent in full.
    pub normal_bytes: Option<u64>,
    /// Pages sent as one byte (all zero).
    pub zero_pages: Option<u64>,
    /// Bytes a page.
    pub page_size: Option<u64>,
    /// Pages that the guest dirtied a second, as of the last iteration's start.
    pub dirty_pages_per_second: Option<u64>,
    /// How many times the dirty pages were collected.
    pub iterations: Option<u64>,
    /// Bytes a second, as the hypervisor sees it.
    pub throughput: Option<f64>,
    /// Bytes sent while the guest ran here (QEMU 7.1 and later).
    pub precopy_bytes: Option<u64>,
    /// Bytes sent while the guest was stopped.
    pub downtime_bytes: Option<u64>,
    /// Bytes sent after the guest ran at the destination.
    pub postcopy_bytes: Option<u64>,
    /// Bytes that went by multifd channels.
    pub multifd_bytes: Option<u64>,
    /// Pages that the destination asked for.
    pub postcopy_requests: Option<u64>,
    /// How much the guest is slowed down, percent (auto-converge).
    pub throttle_percent: Option<u64>,
    /// Why it failed, in the hypervisor's words.
    pub error: Option<String>,
}

/// What the hypervisor was told to keep to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Limits {
    /// Bytes a second at most; `None` if it is not said, `u64::MAX` if there is no limit.
    pub max_bandwidth: Option<u64>,
    /// The longest pause allowed.
    pub downtime_limit: Option<Duration>,
    /// Bytes a second at most after the switch to post-copy.
    pub max_postcopy_bandwidth: Option<u64>,
    /// Bytes a second that the hypervisor is told the switchover will have.
    pub switchover_bandwidth: Option<u64>,
    /// How many multifd channels there would be.
    pub multifd_channels: Option<u64>,
    /// The compression of multifd, or of the old way.
    pub compression: Option<String>,
    /// Whether the connection is encrypted.
    pub tls: Option<bool>,
    /// The capabilities that are on (`multifd`, `postcopy-ram`, `auto-converge`…).
    pub capabilities: Option<Vec<String>>,
}

/// Whether the guest runs, in the words of QEMU's `RunState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// It runs.
    Running,
    /// It waits for a migration to come (`inmigrate`).
    Incoming,
    /// It is stopped for the end of a migration (`finish-migrate`).
    Finishing,
    /// It has left (`postmigrate`).
    Left,
    /// It is stopped for any other reason, or in a state unknown to this program.
    Stopped,
}

/// Something that happened at a moment.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The guest was stopped.
    Stopped,
    /// The guest goes on.
    Resumed,
    /// The dirty pages were collected for this time.
    Iteration(u64),
    /// The status changed.
    Status(Status),
    /// The guest was taken in for a migration to come.
    Arriving,
    /// It is over, and these are its last figures.
    Completed(Box<Progress>),
    /// The guest is gone from this host, moved away.
    Left,
    /// It did not work out, and the guest (at the destination) is given up.
    Failed,
}

/// Why a hypervisor cannot be asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unavailable {
    /// Somebody else holds the monitor; it is theirs.
    Busy,
    /// The socket is gone.
    Gone,
    /// This user may not.
    Denied,
    /// It did not answer in time.
    Silent,
    /// It answered what no hypervisor answers.
    Garbage,
    /// It refused.
    Refused,
}

impl Unavailable {
    /// A sentence for people.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Busy => "another client holds the monitor",
            Self::Gone => "the socket is gone",
            Self::Denied => "this user may not open the socket",
            Self::Silent => "no answer within the deadline",
            Self::Garbage => "the answer does not read as the protocol",
            Self::Refused => "the hypervisor refused the question",
        }
    }
}

/// What was told.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// How far it is.
    Progress(Box<Progress>),
    /// What it keeps to.
    Limits(Box<Limits>),
    /// Whether the guest runs.
    Run(RunState),
    /// Something happened. `wall_ns` is the hypervisor's own time stamp, nanoseconds since 1970, where it gives one.
    Event {
        /// What.
        event: Event,
        /// When, by the hypervisor's clock.
        wall_ns: Option<u64>,
    },
    /// It could not be asked.
    Unavailable(Unavailable),
}

/// Which guest.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Guest {
    /// By its process on this host.
    Process(Key),
    /// By what its manager calls it.
    Domain {
        /// Lower case, with hyphens.
        uuid: String,
        /// Its name.
        name: String,
    },
}

/// Who told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Speaker {
    /// QEMU by its monitor.
    Qmp,
    /// libvirt by its read-only socket.
    Libvirt,
}

/// One thing told of one guest.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Of whom.
    pub guest: Guest,
    /// By whom.
    pub by: Speaker,
    /// When it came in.
    pub at: Monotonic,
    /// What.
    pub what: What,
}

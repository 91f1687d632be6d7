//! What is known of one migration over one short window of time, about a second: numbers ready for the rules.

use super::wire::Wire;
use crate::analysis::migrations::migration::Phase;
use crate::sample::migration::Direction;
use crate::sample::thread::Role;
use std::sync::Arc;
use std::time::Duration;

/// One window.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Its length.
    pub time: Duration,
    /// Where the migration stood at its end.
    pub phase: Phase,
    /// Which way the guest moves.
    pub direction: Direction,
    /// Its connections; `None` if there are none to be seen.
    pub flow: Option<FlowWindow>,
    /// The busiest thread that sends or takes in; `None` if threads cannot be seen.
    pub thread: Option<ThreadWindow>,
    /// All threads that send or take in, together; more than one processor's time where they work side by side.
    pub threads: Option<ThreadWindow>,
    /// The busiest thread that compresses; `None` if none does, or none can be seen.
    pub compressor: Option<ThreadWindow>,
    /// Whether memory is compressed; `None` if it is not told.
    pub compression: Option<bool>,
    /// Whether the connection is encrypted; `None` if it is not told.
    pub tls: Option<bool>,
    /// How many of this host's processors were idle, on average.
    pub idle_processors: Option<f64>,
    /// Bytes a second as the hypervisor tells.
    pub told: Option<f64>,
    /// The hypervisor's limit, bytes a second; `u64::MAX` if it has none, `None` if it is not told.
    pub cap: Option<u64>,
    /// Bytes a second that the guest dirties, and after how many iterations that was found.
    pub dirty: Option<(f64, u64)>,
    /// The links on its way, from the one that its packets leave by down to the wire.
    pub links: Vec<LinkWindow>,
    /// Physical links of this host that it does not take.
    pub others: Vec<LinkWindow>,
    /// The links that the configuration means for migrations; `None` if it names none.
    pub meant: Option<Meant>,
    /// Packets that this host's CPUs dropped because their backlog was full.
    pub softnet_dropped: Option<u64>,
}

/// All connections of a migration together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FlowWindow {
    /// Bytes a second that arrived.
    pub rate: f64,
    /// Bytes a second that were given to the network, also those that were sent again.
    pub sent: f64,
    /// Share of the time with something to send or unacknowledged (busiest connection).
    pub busy: f64,
    /// Share of the time that the peer's window stopped it, as the kernel counts.
    pub window_limited: f64,
    /// Share of the time that the send buffer stopped it, as the kernel counts.
    pub buffer_limited: f64,
    /// Smoothed round-trip time.
    pub rtt: Duration,
    /// The shortest of late.
    pub min_rtt: Duration,
    /// The peer's window, bytes: smallest and largest of the window's readings.
    pub peer_window: (u64, u64),
    /// The congestion window, bytes.
    pub congestion_window: u64,
    /// Bytes a segment.
    pub segment: u64,
    /// The send buffer, bytes.
    pub send_buffer: u64,
    /// Bytes that waited to be sent for the first time.
    pub unsent: u64,
    /// Share of the bytes that were sent again.
    pub repeated: f64,
    /// How much the rate varied between readings: standard deviation over mean.
    pub variation: f64,
    /// How full the receive buffer is, as a share; at a destination.
    pub receive_queue: f64,
    /// How many connections.
    pub connections: usize,
}

/// A thread.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ThreadWindow {
    /// Its name.
    pub name: Arc<str>,
    /// What it does.
    pub role: Option<Role>,
    /// Share of the time on a processor.
    pub running: f64,
    /// Share of the time ready to run without one, also by a quota.
    pub waiting: f64,
}

/// A link on the way.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LinkWindow {
    /// Its name.
    pub name: String,
    /// Bytes a second that everybody moved over it in the migration's direction, headers included.
    pub rate: f64,
    /// What its driver says that it runs at, bytes a second.
    pub speed: Option<f64>,
    /// What a queueing discipline of this host holds it to, bytes a second.
    pub shaped: Option<f64>,
    /// That discipline held packets back when it was last looked at.
    pub held_back: bool,
    /// Bytes that wait in it.
    pub backlog: Option<u64>,
    /// Its queueing disciplines were not looked at, or only once so far.
    pub unseen: bool,
    /// Packets that the receive ring could not take.
    pub ring_overflows: Option<u64>,
    /// Bytes a second that storage connections of this host moved over it in the migration's direction.
    pub storage: Option<f64>,
    /// What it is as hardware.
    pub wire: Wire,
}

/// The links that the configuration means for migrations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Meant {
    /// One of them is on the way.
    pub taken: bool,
    /// Those that are up.
    pub up: Vec<String>,
}

/// Lost packets, of all, that hardly slow bulk TCP with selective acknowledgements down (Red Hat KB 742043).
pub const HARMLESS: f64 = 0.001;
/// Dropped packets, of those sent again, that explain these (our choice: some are sent again without need).
const EXPLAINS: f64 = 0.5;

/// The chronographs' shares scaled to what they stand for (science of the calibration: a connection that its peer's
/// window stops all the time shows 43 to 96 % of it, one that its buffer stops all the time 17 to 47 %; one that
/// neither stops shows at most 7.2 %).
const WINDOW_SCALE: f64 = 0.43;
const BUFFER_SCALE: f64 = 0.28;
const FLOOR: f64 = 0.15;

impl FlowWindow {
    /// Bytes on their way: what arrives in a round-trip time.
    pub fn in_flight(&self) -> f64 {
        self.rate * self.rtt.as_secs_f64()
    }

    /// Time stopped by the peer's window.
    pub fn window_share(&self) -> f64 {
        scaled(self.window_limited, self.busy, WINDOW_SCALE)
    }

    /// Time stopped by the own buffer. The chronograph is blind to buffers of less than two segments or so: there a
    /// busy connection with nothing left to send and a full buffer gives it away.
    pub fn buffer_share(&self) -> f64 {
        let blind = self.unsent == 0
            && self.busy > 0.8
            && self.send_buffer > 0
            && self.in_flight() >= 0.5 * self.send_buffer as f64;
        let share = if blind { self.busy } else { scaled(self.buffer_limited, self.busy, BUFFER_SCALE) };
        share.min(self.busy - self.window_share())
    }

    /// Time stopped by the network.
    pub fn network_share(&self) -> f64 {
        (self.busy - self.window_share() - self.buffer_share()).max(0.0)
    }

    /// Time with nothing to do.
    pub fn idle_share(&self) -> f64 {
        1.0 - self.busy
    }
}

fn scaled(limited: f64, busy: f64, scale: f64) -> f64 {
    if limited < FLOOR * busy {
        return 0.0;
    }
    (limited / scale).min(busy)
}

impl LinkWindow {
    /// What it can carry: the shaper's rate, otherwise its speed less the frames' overhead (94 % at an MTU of 1500).
    pub fn ceiling(&self) -> Option<f64> {
        match (self.shaped, self.speed) {
            (Some(shaped), Some(speed)) => Some(shaped.min(speed)),
            (shaped, speed) => shaped.or(speed),
        }
    }
}

/// A link that carries this share of what it can is full for a window of a second (bursts and headers take the rest).
pub const CROWDED: f64 = 0.85;

impl LinkWindow {
    /// Whether it carries all that its speed allows, whoever fills it. `None` if its speed is not known.
    pub fn is_full(&self) -> Option<bool> {
        Some(self.rate >= CROWDED * self.speed?)
    }
}

impl Window {
    /// How much of the connections' idle time the threads that feed them were running or wanted a processor, between 0
    /// and 1. A thread that sends to a busy connection mostly sleeps in it, so its time is counted to the idle time as far
    /// as it fits; several threads that feed each other take turns, so their times add up. `None` without threads, or
    /// where a connection hardly idled.
    pub fn feeding(&self) -> Option<f64> {
        let idle = self.flow.as_ref().map_or(1.0, FlowWindow::idle_share);
        let threads = self.threads.as_ref().or(self.thread.as_ref()).filter(|_| idle > 0.01)?;
        Some(((threads.running + threads.waiting) / idle).min(1.0))
    }

    /// Whether packets that this host dropped are what the migration suffers from. A destination drops its data: it
    /// matters from one packet in a thousand on. A source's drops can only be those of its own connections if these sent
    /// as much again; most often they are somebody else's. `None` without connections.
    pub fn suffers_from(&self, dropped: u64) -> Option<bool> {
        let flow = self.flow.as_ref()?;
        let (time, segment) = (self.time.as_secs_f64(), flow.segment.max(1) as f64);
        let needed = match self.direction {
            Direction::Incoming => HARMLESS * flow.rate * time / segment,
            Direction::Outgoing if flow.repeated < HARMLESS => return Some(false),
            Direction::Outgoing => EXPLAINS * flow.repeated * flow.sent * time / segment,
        };
        Some(dropped > 0 && dropped as f64 >= needed)
    }

    /// The link on the way that can carry least.
    pub fn narrowest(&self) -> Option<&LinkWindow> {
        let known = self.links.iter().filter(|link| link.ceiling().is_some());
        known.min_by(|a, b| a.ceiling().partial_cmp(&b.ceiling()).unwrap_or(std::cmp::Ordering::Equal))
    }

    /// A quiet window of an outgoing migration, for tests to change.
    #[cfg(test)]
    pub fn example() -> Self {
        Self {
            time: Duration::from_secs(1),
            phase: Phase::MemoryCopy,
            direction: Direction::Outgoing,
            flow: Some(FlowWindow { connections: 1, segment: 1448, ..FlowWindow::default() }),
            thread: None,
            threads: None,
            compressor: None,
            compression: Some(false),
            tls: Some(false),
            idle_processors: None,
            told: None,
            cap: Some(u64::MAX),
            dirty: None,
            links: Vec::new(),
            others: Vec::new(),
            meant: None,
            softnet_dropped: Some(0),
        }
    }
}

//! What is known of one link when no migration runs over it: numbers ready for the flags. Whatever is not known is
//! `None`.

use std::time::Duration;

/// The round trip that is assumed where none was measured: that of two hosts of one rack (science of the thresholds:
/// 100 Gbit/s x 0.1 ms). A longer one needs larger buffers, so this flags too little rather than too much.
pub const ASSUMED_ROUND_TRIP: Duration = Duration::from_micros(100);
/// Headers of IPv4 and TCP with time stamps: an MTU less this is a segment.
const HEADERS: f64 = 52.0;
/// Preamble, Ethernet header, check sequence and gap: what a frame takes on the wire beside its MTU.
const FRAMING: f64 = 38.0;

/// One link.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LinkState {
    /// Its name.
    pub name: String,
    /// Its kind, as `IFLA_INFO_KIND` has it, or `physical`.
    pub kind: String,
    /// Whether a driver of a device stands under it.
    pub hardware: bool,
    /// Whether it has an address, so that connections end on it.
    pub addressed: bool,
    /// Bytes a second that its driver says it runs at.
    pub speed: Option<u64>,
    /// Whether that is only a name, as a veth's: nothing is held to it.
    pub nominal: bool,
    /// Bytes a second of the best mode that its port supports.
    pub best_speed: Option<u64>,
    /// Whether it is half duplex.
    pub half_duplex: Option<bool>,
    /// Its receive ring.
    pub ring: Option<Ring>,
    /// Largest payload of a frame, bytes.
    pub mtu: u32,
    /// The links that carry it, one step towards the wire.
    pub below: Vec<Below>,
    /// Its PCIe slot.
    pub slot: Option<Slot>,
    /// How it spreads traffic, if it is a bond or team.
    pub bond: Option<Bond>,
    /// Its RDMA port.
    pub rdma: Option<Rdma>,
    /// What holds its traffic to a rate; `None` if its queueing disciplines are not known.
    pub shaper: Option<Shaping>,
    /// The host's buffers.
    pub buffers: Buffers,
    /// The shortest round trip of a migration over it.
    pub round_trip: Option<Duration>,
    /// The CPUs' backlogs.
    pub backlog: Option<Backlog>,
    /// Storage connections on it; `None` if they are not known.
    pub storage: Option<Storage>,
    /// The last migration over it.
    pub seen: Option<Seen>,
    /// The fastest other link with an address that is up and idle.
    pub faster: Option<Faster>,
    /// What happened on it of late.
    pub recent: Recent,
}

/// Descriptors of each receive ring.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ring {
    /// Now.
    pub now: u64,
    /// At most.
    pub most: u64,
}

/// A link that carries another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Below {
    /// Its name.
    pub name: String,
    /// Its MTU, bytes.
    pub mtu: u32,
}

/// A PCIe slot, bytes a second after encoding and before the overhead of packets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Slot {
    /// What it gives now: the least of the device's own link and every bridge's above it.
    pub now: u64,
    /// What the device's own link could reach.
    pub most: Option<u64>,
    /// Fewer lanes than the device has.
    pub narrow: Option<bool>,
}

/// A bond or team.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bond {
    /// `802.3ad`, `active-backup`, …; empty if it is not known.
    pub mode: String,
    /// How connections are spread over members (`layer2`, `layer3+4`, …); empty where the mode uses none.
    pub hash_policy: String,
    /// Its members.
    pub members: Vec<Member>,
}

/// A bond's member.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Up, by the bond's own monitoring.
    pub up: Option<bool>,
    /// Carries traffic now.
    pub active: Option<bool>,
    /// Bytes a second that it runs at.
    pub speed: Option<u64>,
}

/// An RDMA port on the link, and what it counted of late.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rdma {
    /// The RDMA device.
    pub device: String,
    /// Whether the port is active.
    pub active: bool,
    /// Its rate, bytes a second.
    pub rate: Option<u64>,
    /// Congestion notifications that slowed it down.
    pub notifications: Option<u64>,
    /// Packets lost: none posted for them, out of sequence at the other end, or timed out. `None` if nothing of it is counted.
    pub lost: Option<u64>,
    /// Packets sent and received.
    pub packets: u64,
}

/// The narrowest that queueing disciplines leave to one connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shaping {
    /// Bytes a second; `None` if nothing has a rate.
    pub rate: Option<u64>,
    /// Which: `tbf 8001:`, `class 1:10`.
    pub what: String,
    /// The command that lifts it to the link's speed, with `{rate}` for that speed in bits.
    pub mend: String,
    /// Which class a connection takes is not known, and one of them has no lower rate than the link.
    pub depends: bool,
    /// Each connection has this rate of its own.
    pub each: bool,
}

/// `net.ipv4.tcp_wmem`, `tcp_rmem`, bytes (smallest, first, largest), and what decides how they are used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Buffers {
    /// Send buffers.
    pub send: Option<[u64; 3]>,
    /// Receive buffers.
    pub receive: Option<[u64; 3]>,
    /// Whether windows above 64 KiB are offered.
    pub window_scaling: Option<bool>,
    /// Whether receive buffers grow by themselves.
    pub receive_grows: Option<bool>,
}

/// The CPUs' backlogs of late, all CPUs together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Packets dropped because one was full.
    pub dropped: u64,
    /// Packets taken from receive queues.
    pub processed: u64,
    /// Whether packets are steered to other CPUs, and so pass backlogs.
    pub steered: bool,
    /// How many packets one holds.
    pub limit: Option<u64>,
}

/// A migration that was seen on the link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The guest.
    pub vm: String,
    /// The other host's address.
    pub peer: String,
    /// The hypervisor's limit, bytes a second; `u64::MAX` if it had none, `None` if it was not told.
    pub cap: Option<u64>,
    /// Connections at most at once, all of them TCP.
    pub channels: usize,
}

/// Storage connections of this host on a link.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Storage {
    /// Bytes a second that they received and sent of late.
    pub rates: [f64; 2],
    /// How many there are.
    pub connections: u64,
    /// Of what, by their ports: `iSCSI`, `NFS`, …
    pub kinds: Vec<String>,
    /// The time that the rates are of.
    pub time: Duration,
}

/// Another link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faster {
    /// Its name.
    pub name: String,
    /// Its speed, or the rate that a queueing discipline holds it to, bytes a second.
    pub speed: u64,
    /// It is meant for migrations.
    pub meant: bool,
}

/// What happened on a link of late; `None` where the link has no such counter.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Recent {
    /// The time that increases of counters are of.
    pub time: Duration,
    /// The time that `others` is of.
    pub watched: Duration,
    /// Packets received.
    pub packets: Option<u64>,
    /// Packets that the receive ring could not take.
    pub overflows: Option<u64>,
    /// Frames received with a wrong check sum.
    pub wire_errors: Option<u64>,
    /// Comings and goings of the carrier.
    pub carrier_changes: Option<u64>,
    /// Pause frames received.
    pub pauses_received: Option<u64>,
    /// Pause frames sent.
    pub pauses_sent: Option<u64>,
    /// Blocks that forward error correction could not mend.
    pub uncorrectable: Option<u64>,
    /// Frames received that are longer than allowed.
    pub too_long: Option<u64>,
    /// What others received and sent over it.
    pub others: Option<[Usage; 2]>,
}

/// Others' traffic one way; migrations are left out.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Bytes a second that were exceeded 5 % of the time only.
    pub p95: f64,
    /// The median, bytes a second.
    pub median: f64,
}

impl LinkState {
    /// Bytes of a segment.
    pub fn segment(&self) -> f64 {
        (f64::from(self.mtu) - HEADERS).max(1.0)
    }

    /// What TCP gets through at a link's speed: 94.15 % at an MTU of 1500, 99.00 % at 9000.
    pub fn goodput(&self, speed: u64) -> f64 {
        speed as f64 * self.segment() / (f64::from(self.mtu.max(1)) + FRAMING)
    }

    /// What TCP gets through the link if nothing but its speed holds it, bytes a second.
    pub fn capacity(&self) -> Option<f64> {
        self.speed.map(|speed| self.goodput(speed))
    }

    /// The same, or the rate that a queueing discipline holds it to.
    pub fn ceiling(&self) -> Option<f64> {
        let shaped = self.shaper.as_ref().and_then(|shaper| shaper.rate);
        let capacity = self.capacity()?;
        Some(shaped.map_or(capacity, |rate| capacity.min(rate as f64)))
    }

    /// Its speed, or the rate that a queueing discipline holds it to, bytes a second.
    pub fn reach(&self) -> Option<u64> {
        let shaped = self.shaper.as_ref().and_then(|shaper| shaper.rate);
        self.speed.map(|speed| shaped.map_or(speed, |rate| speed.min(rate)))
    }

    /// The round trip to count with, and whether it was measured.
    pub fn round_trip(&self) -> (Duration, bool) {
        (self.round_trip.unwrap_or(ASSUMED_ROUND_TRIP), self.round_trip.is_some())
    }

    /// Bytes that must be on their way so that the link is full: bandwidth x delay.
    pub fn in_flight(&self) -> Option<f64> {
        Some(self.ceiling()? * self.round_trip().0.as_secs_f64())
    }

    /// A quiet link of 10 Gbit/s of which all is known, for tests to change.
    #[cfg(test)]
    pub fn example() -> Self {
        Self {
            name: "ens3f0".into(),
            kind: "physical".into(),
            hardware: true,
            addressed: true,
            speed: Some(1_250_000_000),
            nominal: false,
            best_speed: Some(1_250_000_000),
            half_duplex: Some(false),
            ring: Some(Ring { now: 512, most: 8192 }),
            mtu: 1500,
            slot: Some(Slot { now: 7_876_000_000, most: Some(7_876_000_000), narrow: Some(false) }),
            shaper: Some(Shaping::default()),
            buffers: Buffers {
                send: Some([4096, 16_384, 4_194_304]),
                receive: Some([4096, 131_072, 6_291_456]),
                window_scaling: Some(true),
                receive_grows: Some(true),
            },
            backlog: Some(Backlog { processed: 1_000_000, limit: Some(1000), ..Backlog::default() }),
            recent: Recent {
                time: Duration::from_secs(300),
                watched: Duration::from_secs(300),
                packets: Some(1_000_000),
                overflows: Some(0),
                wire_errors: Some(0),
                carrier_changes: Some(0),
                pauses_received: Some(0),
                pauses_sent: Some(0),
                uncorrectable: Some(0),
                too_long: Some(0),
                others: Some([Usage::default(); 2]),
            },
            ..Self::default()
        }
    }
}

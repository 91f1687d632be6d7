//! What is known of a link as hardware over one window: its abilities, errors, pauses, its slot, bond and RDMA port.

/// A link as hardware. What its driver does not tell is `None`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wire {
    /// It has hardware under it: a device made of software has no cable, no slot and no pause frames.
    pub hardware: bool,
    /// Largest payload of a frame, bytes; 0 if it is not known.
    pub mtu: u32,
    /// The bond, team or bridge that it is a port of; empty if there is none.
    pub master: String,
    /// Bytes a second of the fastest mode that it supports.
    pub speed_max: Option<f64>,
    /// It runs in half duplex.
    pub half_duplex: bool,
    /// Pause frames that stopped the migration's packets: received at a source, sent at a destination.
    pub pauses: Option<u64>,
    /// Bytes a second that PCIe gives it, without the overhead of packets.
    pub pcie: Option<f64>,
    /// Packets received.
    pub packets: Option<u64>,
    /// Packets received with a wrong check sum or misaligned.
    pub errors: Option<u64>,
    /// Blocks that forward error correction could not mend.
    pub uncorrectable: Option<u64>,
    /// How often the carrier came or went.
    pub carrier_changes: Option<u64>,
    /// What there is to know if it is a bond.
    pub bond: Option<Bond>,
    /// Its RDMA port.
    pub rdma: Option<RdmaPort>,
}

/// A bond's members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bond {
    /// All of them.
    pub members: u64,
    /// Those whose link is up.
    pub up: Option<u64>,
    /// Those that carry its traffic now.
    pub active: Option<u64>,
    /// Its mode spreads traffic over them; one that only guards against failure does not.
    pub balances: bool,
}

/// An RDMA port over one window, in the migration's direction.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RdmaPort {
    /// It is active.
    pub active: bool,
    /// Bytes a second that it moved.
    pub rate: Option<f64>,
    /// Packets that it moved.
    pub packets: Option<u64>,
    /// Congestion notifications: heeded at a source, sent at a destination.
    pub notifications: Option<u64>,
    /// Packets that were lost or found nobody ready: negative acknowledgements at a source, drops at a destination.
    pub losses: Option<u64>,
    /// Acknowledgements that did not come in time.
    pub timeouts: Option<u64>,
}

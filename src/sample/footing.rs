//! What a link's capacity is made of: the numbers that it can be computed from at any time, for any question.

use super::subject::Key;
use std::time::Duration;

/// One link that can carry a migration, with what carries it. What is not known is `None`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Footing {
    /// Which link.
    pub key: Key,
    /// Its name.
    pub device: Box<str>,
    /// The name of the lowest link that carries it; its own if none does.
    pub wire: Box<str>,
    /// Largest payload of a frame, bytes.
    pub mtu: u32,
    /// A device with a driver stands under it, or under what carries it.
    pub hardware: bool,
    /// Bytes a second that it runs at; none where that is only a name, as a veth's.
    pub speed: Option<u64>,
    /// What its PCIe slot leaves to packets.
    pub slot: Slot,
    /// What holds its traffic to a rate.
    pub shaping: Shaped,
    /// Bytes that may be on their way by this host's send buffers.
    pub send_buffer: Option<f64>,
    /// The same by this host's receive buffers, which stand for the other host's.
    pub receive_window: Option<f64>,
    /// The shortest round trip that was measured.
    pub round_trip: Option<Duration>,
    /// What others send over it.
    pub others: Option<Others>,
    /// How connections are spread over a bond.
    pub bond: Option<Spread>,
    /// Bytes a second that packets lost in the receive ring leave to one connection; none if none are lost.
    pub loss: Option<f64>,
    /// How many entries the receive ring could have, where that is more than it has.
    pub larger_ring: Option<u64>,
    /// An active RDMA port on it: its device and its rate, bytes a second.
    pub rdma: Option<(Box<str>, u64)>,
}

/// A PCIe slot.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Slot {
    /// There is none.
    #[default]
    None,
    /// It may run slower only because nothing is on.
    Asleep,
    /// Bytes of packets a second.
    Gives(f64),
}

/// What queueing disciplines do to one connection.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Shaped {
    /// They are not known.
    #[default]
    Unknown,
    /// Nothing has a rate.
    Free,
    /// Which class a connection takes is not known.
    Depends,
    /// They hold it.
    Held {
        /// Bytes of frames a second.
        rate: u64,
        /// Each connection has a rate of its own.
        each: bool,
        /// The command that lifts it, with `{rate}` for the link's speed in bits.
        mend: Box<str>,
    },
}

/// Traffic of others, bytes a second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Others {
    /// Half of the time more.
    pub median: f64,
    /// More only 5 % of the time.
    pub p95: f64,
}

/// A bond of which one connection uses one member only.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Spread {
    /// Bytes a second of the fastest member.
    pub member: u64,
    /// Members that carry traffic.
    pub members: u32,
    /// Two connections between the same hosts may take two members.
    pub by_port: bool,
}

impl Footing {
    /// The same link as it is carried by another: what is narrower holds, and what others send is counted below.
    #[must_use]
    pub fn on(mut self, below: &Self) -> Self {
        self.speed = match (self.speed, below.speed) {
            (Some(own), Some(below)) => Some(own.min(below)),
            (own, below) => own.or(below),
        };
        if let (Slot::None, slot) | (_, slot @ Slot::Asleep) = (self.slot, below.slot) {
            self.slot = slot;
        }
        self.shaping = narrower(self.shaping, &below.shaping);
        self.others = below.others.or(self.others);
        self.bond = self.bond.or(below.bond);
        self.loss = self.loss.or(below.loss);
        self.larger_ring = self.larger_ring.or(below.larger_ring);
        self.rdma = self.rdma.or_else(|| below.rdma.clone());
        self.hardware |= below.hardware;
        self.wire.clone_from(&below.wire);
        self
    }
}

fn narrower(own: Shaped, below: &Shaped) -> Shaped {
    let is_own = match (&own, below) {
        (Shaped::Held { rate: own, .. }, Shaped::Held { rate: below, .. }) => own <= below,
        (_, Shaped::Held { .. }) | (Shaped::Free, _) => false,
        _ => true,
    };
    if is_own {
        own
    } else {
        below.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::{Footing, Others, Shaped, Slot};

    #[test]
    fn a_bridge_is_what_carries_it() {
        let wire = Footing {
            device: "ens3f0".into(),
            wire: "ens3f0".into(),
            mtu: 1500,
            hardware: true,
            speed: Some(1_250_000_000),
            slot: Slot::Gives(7e9),
            shaping: Shaped::Held { rate: 1_000_000, each: false, mend: "tc".into() },
            others: Some(Others { median: 5.0, p95: 9.0 }),
            ..Footing::default()
        };
        let bridge =
            Footing { device: "br0".into(), wire: "br0".into(), shaping: Shaped::Free, ..Footing::default() };
        let both = bridge.on(&wire);
        assert_eq!((&*both.device, &*both.wire), ("br0", "ens3f0"));
        assert_eq!((both.speed, both.slot, both.others), (wire.speed, wire.slot, wire.others));
        assert_eq!(both.shaping, wire.shaping);
        let held = Shaped::Held { rate: 10, each: false, mend: "own".into() };
        let own = Footing { shaping: held.clone(), ..Footing::default() };
        assert_eq!(own.on(&wire).shaping, held);
    }
}

//! What a migration's flows carried, as the sockets count it.

use crate::sample::block::Block;
use crate::sample::flow::Flow;
use crate::sample::migration::Direction;
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::Key;
use crate::source::flows::columns::column;
use crate::source::transport::sock_diag::tcp_info::Figure;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// Rates are of this much time, or of what there is of it.
const WINDOW: Duration = Duration::from_secs(1);

/// Bytes of one flow, both ways.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Carried {
    /// Acknowledged by the peer.
    pub sent: u64,
    /// Received from it.
    pub received: u64,
    /// How long it has been busy sending: it is at least as old.
    pub busy: Duration,
}

impl Carried {
    /// Bytes that go a migration's way.
    pub fn along(self, direction: Direction) -> u64 {
        match direction {
            Direction::Outgoing => self.sent,
            Direction::Incoming => self.received,
        }
    }

    /// The way that nearly all bytes go, if there is one: a migration sends twenty times what comes back
    /// (facts of storage and consoles are nearer to even).
    pub fn one_way(self) -> Option<Direction> {
        if self.sent / 20 > self.received {
            Some(Direction::Outgoing)
        } else if self.received / 20 > self.sent {
            Some(Direction::Incoming)
        } else {
            None
        }
    }

    /// Bytes both ways.
    pub fn sum(self) -> u64 {
        self.sent + self.received
    }
}

/// Reads the flows' bytes from their table. A row that is a gap is left out.
pub fn carried(flows: &[Flow], block: &Block) -> HashMap<Key, Carried> {
    let of = |figure, row| block.cell(column(figure), row).as_integer();
    let known = flows.iter().filter_map(|flow| Some((block.subjects.row_of(flow.key)?, flow.key)));
    known
        .filter_map(|(row, key)| {
            Some((
                key,
                Carried {
                    sent: of(Figure::BytesAcked, row)?,
                    received: of(Figure::BytesReceived, row)?,
                    busy: Duration::from_micros(of(Figure::BusyTime, row).unwrap_or(0)),
                },
            ))
        })
        .collect()
}

/// The bytes of one migration: the sum over its flows, kept when a flow ends, and how it grew of late.
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    flows: HashMap<Key, u64>,
    recent: VecDeque<(Monotonic, u64)>,
    grew: Option<Monotonic>,
}

impl Traffic {
    /// All bytes so far.
    pub fn sum(&self) -> u64 {
        self.flows.values().sum()
    }

    /// Takes in a flow's count; gives what is new in it. Counts never go back.
    pub fn note(&mut self, flow: Key, bytes: u64) -> u64 {
        let known = self.flows.entry(flow).or_default();
        let new = bytes.saturating_sub(*known);
        *known += new;
        new
    }

    /// Notes the sum at a moment, for the rate.
    pub fn mark(&mut self, now: Monotonic) {
        let sum = self.sum();
        if self.recent.back().is_some_and(|(_, before)| sum > *before) || self.recent.is_empty() && sum > 0 {
            self.grew = Some(now);
        }
        self.recent.push_back((now, sum));
        while self.recent.get(1).is_some_and(|(at, _)| now.since(*at) >= WINDOW) {
            self.recent.pop_front();
        }
    }

    /// Bytes a second over the last second.
    pub fn rate(&self) -> Option<f64> {
        let (first, last) = (self.recent.front()?, self.recent.back()?);
        let time = last.0.since(first.0);
        (!time.is_zero()).then(|| (last.1 - first.1) as f64 / time.as_secs_f64())
    }

    /// When it was last seen to have grown.
    pub fn grew(&self) -> Option<Monotonic> {
        self.grew
    }
}

#[cfg(test)]
mod tests {
    use super::{Carried, Traffic};
    use crate::sample::migration::Direction;
    use crate::sample::monotonic::Monotonic;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
    use std::time::Duration;

    #[test]
    fn the_way_of_the_bytes_is_the_direction() {
        let carried = |sent, received| Carried { sent, received, ..Carried::default() };
        assert_eq!(carried(1000, 3).one_way(), Some(Direction::Outgoing));
        assert_eq!(carried(3, 1000).one_way(), Some(Direction::Incoming));
        assert_eq!(carried(1000, 100).one_way(), None);
    }

    #[test]
    fn rates_are_of_the_last_second() {
        let mut traffic = Traffic::default();
        for tenth in 0..30u64 {
            traffic.note(1, tenth * if tenth < 15 { 10 } else { 100 });
            traffic.mark(Monotonic(Duration::from_millis(tenth * 100)));
        }
        assert_eq!(traffic.rate().map(f64::round), Some(1000.0));
    }

    proptest! {
        #[test]
        fn sums_never_go_back(notes in proptest::collection::vec((0u64..4, 0u64..1000), 1..60)) {
            let (mut traffic, mut before, mut news) = (Traffic::default(), 0, 0);
            for (flow, bytes) in notes {
                news += traffic.note(flow, bytes);
                prop_assert!(traffic.sum() >= before);
                before = traffic.sum();
            }
            prop_assert_eq!(news, before);
        }
    }
}

//! Ring sizes, now and at most, by ETHTOOL_MSG_RINGS_GET: equal to `ethtool -g`.
//!
//! A receive ring that is too small for a burst loses packets before the host sees them; the maximum says whether
//! there is something to mend.

use super::contract::{Context, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo};
use super::transport::ethtool::answer::numbers;
use super::transport::ethtool::{Command, Ethtool};
use crate::sample::block::Block;
use crate::sample::metric::{Column, Metric, Unit};
use std::time::Duration;

/// Ring sizes.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "rings",
    help: "Receive and transmit ring sizes, now and at most, by ethtool netlink.",
    privilege: "",
    pace: Pace::Change(Duration::from_secs(60)),
    lane: Lane::Attributes,
    deadline: Duration::from_secs(5),
    tables: &[&COLUMNS],
    open,
};

/// Entries of a ring now.
pub static ENTRIES: Metric =
    Metric::gauge("link_ring_entries", "Descriptors in each ring of this kind, as set now.", Unit::None);
/// Entries that a ring can have.
pub static ENTRIES_MAX: Metric = Metric::gauge(
    "link_ring_entries_max",
    "Descriptors that each ring of this kind can have at most.",
    Unit::None,
);

static COLUMNS: [Column; 8] = [
    Column::labelled(&ENTRIES, "ring", "rx"),
    Column::labelled(&ENTRIES, "ring", "rx_mini"),
    Column::labelled(&ENTRIES, "ring", "rx_jumbo"),
    Column::labelled(&ENTRIES, "ring", "tx"),
    Column::labelled(&ENTRIES_MAX, "ring", "rx"),
    Column::labelled(&ENTRIES_MAX, "ring", "rx_mini"),
    Column::labelled(&ENTRIES_MAX, "ring", "rx_jumbo"),
    Column::labelled(&ENTRIES_MAX, "ring", "tx"),
];

/// `ETHTOOL_A_RINGS_RX`, `_RX_MINI`, `_RX_JUMBO`, `_TX`, then the same with `_MAX`, in the order of the columns.
/// The kernel leaves out both attributes of a ring that the device does not have (net/ethtool/rings.c).
const ATTRIBUTES: [u16; 8] = [6, 7, 8, 9, 2, 3, 4, 5];

fn open(_: &Roots) -> Result<Box<dyn Source>, SourceError> {
    Ok(Box::new(Rings { ethtool: Ethtool::open(SOURCE.deadline)? }))
}

struct Rings {
    ethtool: Ethtool,
}

impl Source for Rings {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        self.ethtool.table(SOURCE.name, &COLUMNS, Command::Rings, context, parse)
    }
}

/// Fills a row from the payload of ETHTOOL_MSG_RINGS_GET_REPLY.
fn parse(payload: &[u8], row: usize, block: &mut Block) {
    numbers(payload, &ATTRIBUTES, row, block);
}

#[cfg(test)]
mod tests {
    use super::{parse, COLUMNS};
    use crate::source::transport::ethtool::testing::{integers, mutated, reply};
    use proptest::prelude::{prop_assert, proptest};

    const VIRTIO_NET: &[u8] = include_bytes!("../../tests/data/ethtool-netlink/rings-virtio_net.bin");

    #[test]
    fn a_device_without_mini_and_jumbo_rings() {
        let cells = integers(&COLUMNS, |row, block| parse(VIRTIO_NET, row, block));
        let rings = [Some(256), None, None, Some(256)];
        assert_eq!(cells, [rings, rings].concat());
    }

    #[test]
    fn every_ring_has_its_column() {
        let payload = reply(|mut request| {
            for kind in 2..=9u16 {
                request = request.with(kind, &u32::from(kind * 100).to_ne_bytes());
            }
            request.with(10, &[1, 2, 3, 4]).with(13, &[1])
        });
        let cells = integers(&COLUMNS, |row, block| parse(&payload, row, block));
        assert_eq!(cells, [600, 700, 800, 900, 200, 300, 400, 500].map(Some));
    }

    proptest! {
        #[test]
        fn a_spoiled_answer_gives_no_more_than_it_holds(payload in mutated(VIRTIO_NET)) {
            let cells = integers(&COLUMNS, |row, block| parse(&payload, row, block));
            prop_assert!(cells.iter().flatten().count() <= payload.len() / 4);
        }
    }
}

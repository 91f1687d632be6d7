//! Interrupt coalescing by ETHTOOL_MSG_COALESCE_GET: how long, and for how many frames, a device holds back an
//! interrupt. Equal to `ethtool -c`.
//!
//! Long coalescing with a small ring overflows the ring between two interrupts.

use super::contract::{Context, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo};
use super::transport::ethtool::answer::{flag, number};
use super::transport::ethtool::{Command, Ethtool};
use super::transport::genetlink::contents;
use crate::sample::block::Block;
use crate::sample::cell::{Cell, Gap};
use crate::sample::metric::{Column, Metric, Unit};
use std::time::Duration;

/// Interrupt coalescing.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "coalescing",
    help: "Interrupt coalescing, by ethtool netlink.",
    privilege: "",
    pace: Pace::Change(Duration::from_secs(60)),
    lane: Lane::Attributes,
    deadline: Duration::from_secs(5),
    tables: &[&COLUMNS],
    open,
};

/// How long an interrupt is held back.
pub static DELAY: Metric = Metric::gauge(
    "link_coalesce_seconds",
    "How long the device holds back an interrupt after a frame (rx-usecs, tx-usecs).",
    Unit::Seconds,
)
.float();
/// How many frames an interrupt is held back for.
pub static FRAMES: Metric = Metric::gauge(
    "link_coalesce_frames",
    "For how many frames the device holds back an interrupt (rx-frames, tx-frames).",
    Unit::None,
);
/// Whether the driver adapts both to the traffic.
pub static ADAPTIVE: Metric = Metric::gauge(
    "link_coalesce_adaptive",
    "1 if the driver adapts its coalescing to the traffic; what is set is then only where it starts.",
    Unit::None,
);

static COLUMNS: [Column; 6] = [
    Column::labelled(&DELAY, "direction", "rx"),
    Column::labelled(&DELAY, "direction", "tx"),
    Column::labelled(&FRAMES, "direction", "rx"),
    Column::labelled(&FRAMES, "direction", "tx"),
    Column::labelled(&ADAPTIVE, "direction", "rx"),
    Column::labelled(&ADAPTIVE, "direction", "tx"),
];

/// `ETHTOOL_A_COALESCE_RX_USECS`, `_RX_MAX_FRAMES`, `_TX_USECS`, `_TX_MAX_FRAMES`, `_USE_ADAPTIVE_RX` and `_TX`.
const RX_USECS: u16 = 2;
const RX_MAX_FRAMES: u16 = 3;
const TX_USECS: u16 = 6;
const TX_MAX_FRAMES: u16 = 7;
const USE_ADAPTIVE_RX: u16 = 11;
const USE_ADAPTIVE_TX: u16 = 12;

const MICROSECONDS_PER_SECOND: f64 = 1e6;

fn open(_: &Roots) -> Result<Box<dyn Source>, SourceError> {
    Ok(Box::new(Coalescing { ethtool: Ethtool::open(SOURCE.deadline)? }))
}

struct Coalescing {
    ethtool: Ethtool,
}

impl Source for Coalescing {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        self.ethtool.table(SOURCE.name, &COLUMNS, Command::Coalescing, context, parse)
    }
}

/// Fills a row from the payload of ETHTOOL_MSG_COALESCE_GET_REPLY.
fn parse(payload: &[u8], row: usize, block: &mut Block) {
    for attribute in contents(payload) {
        let (column, cell) = match attribute.kind {
            RX_USECS => (0, seconds(attribute.unsigned())),
            TX_USECS => (1, seconds(attribute.unsigned())),
            RX_MAX_FRAMES => (2, number(&attribute)),
            TX_MAX_FRAMES => (3, number(&attribute)),
            USE_ADAPTIVE_RX => (4, flag(&attribute)),
            USE_ADAPTIVE_TX => (5, flag(&attribute)),
            _ => continue,
        };
        block.set(column, row, cell);
    }
}

fn seconds(microseconds: Option<u64>) -> Cell {
    microseconds.map_or(Cell::gap(Gap::NotRead), |value| Cell::float(value as f64 / MICROSECONDS_PER_SECOND))
}

#[cfg(test)]
mod tests {
    use super::{parse, COLUMNS};
    use crate::source::transport::ethtool::testing::{mutated, reply, row};
    use proptest::prelude::{prop_assert, proptest};

    const VIRTIO_NET: &[u8] = include_bytes!("../../tests/data/ethtool-netlink/coalescing-virtio_net.bin");

    #[test]
    fn a_device_that_sends_an_interrupt_a_frame() {
        let cells = row(&COLUMNS, |row, block| parse(VIRTIO_NET, row, block));
        assert_eq!((cells[0].as_float(), cells[1].as_float()), (Some(0.0), Some(0.0)));
        let integers: Vec<_> = cells[2..].iter().map(|cell| cell.as_integer()).collect();
        assert_eq!(integers, [Some(1), Some(1), Some(0), None]);
    }

    #[test]
    fn microseconds_become_seconds() {
        let payload = reply(|request| {
            request
                .with(2, &50u32.to_ne_bytes())
                .with(6, &3u32.to_ne_bytes())
                .with(7, &256u32.to_ne_bytes())
                .with(11, &[1])
                .with(12, &[0])
        });
        let cells = row(&COLUMNS, |row, block| parse(&payload, row, block));
        assert_eq!((cells[0].as_float(), cells[1].as_float()), (Some(5e-5), Some(3e-6)));
        let integers: Vec<_> = cells[2..].iter().map(|cell| cell.as_integer()).collect();
        assert_eq!(integers, [None, Some(256), Some(1), Some(0)]);
    }

    proptest! {
        #[test]
        fn a_spoiled_answer_gives_no_more_than_it_holds(payload in mutated(VIRTIO_NET)) {
            let cells = row(&COLUMNS, |row, block| parse(&payload, row, block));
            prop_assert!(cells.iter().filter(|cell| cell.is_value()).count() <= payload.len() / 4);
            let flags = cells[4..].iter().filter_map(|cell| cell.as_integer());
            prop_assert!(flags.max().unwrap_or(0) <= 1);
        }
    }
}

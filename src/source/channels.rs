//! Channels (queue pairs), now and at most, by ETHTOOL_MSG_CHANNELS_GET: equal to `ethtool -l`.

use super::contract::{Context, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo};
use super::transport::ethtool::answer::numbers;
use super::transport::ethtool::{Command, Ethtool};
use crate::sample::block::Block;
use crate::sample::metric::{Column, Metric, Unit};
use std::time::Duration;

/// Channels.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "channels",
    help: "Channels (queues with an interrupt), now and at most, by ethtool netlink.",
    privilege: "",
    pace: Pace::Change(Duration::from_secs(60)),
    lane: Lane::Attributes,
    deadline: Duration::from_secs(5),
    tables: &[&COLUMNS],
    open,
};

/// Channels now.
pub static CHANNELS: Metric = Metric::gauge("link_channels", "Channels of this kind in use.", Unit::None);
/// Channels that the device can have.
pub static CHANNELS_MAX: Metric =
    Metric::gauge("link_channels_max", "Channels of this kind that the device can have at most.", Unit::None);

static COLUMNS: [Column; 8] = [
    Column::labelled(&CHANNELS, "channel", "rx"),
    Column::labelled(&CHANNELS, "channel", "tx"),
    Column::labelled(&CHANNELS, "channel", "other"),
    Column::labelled(&CHANNELS, "channel", "combined"),
    Column::labelled(&CHANNELS_MAX, "channel", "rx"),
    Column::labelled(&CHANNELS_MAX, "channel", "tx"),
    Column::labelled(&CHANNELS_MAX, "channel", "other"),
    Column::labelled(&CHANNELS_MAX, "channel", "combined"),
];

/// `ETHTOOL_A_CHANNELS_RX_COUNT`, `_TX_COUNT`, `_OTHER_COUNT`, `_COMBINED_COUNT`, then the same with `_MAX`, in the
/// order of the columns. The kernel leaves out what the device cannot have (net/ethtool/channels.c).
const ATTRIBUTES: [u16; 8] = [6, 7, 8, 9, 2, 3, 4, 5];

fn open(_: &Roots) -> Result<Box<dyn Source>, SourceError> {
    Ok(Box::new(Channels { ethtool: Ethtool::open(SOURCE.deadline)? }))
}

struct Channels {
    ethtool: Ethtool,
}

impl Source for Channels {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        self.ethtool.table(SOURCE.name, &COLUMNS, Command::Channels, context, parse)
    }
}

/// Fills a row from the payload of ETHTOOL_MSG_CHANNELS_GET_REPLY.
fn parse(payload: &[u8], row: usize, block: &mut Block) {
    numbers(payload, &ATTRIBUTES, row, block);
}

#[cfg(test)]
mod tests {
    use super::{parse, COLUMNS};
    use crate::source::transport::ethtool::testing::{integers, mutated, reply};
    use proptest::prelude::{prop_assert, proptest};

    const VIRTIO_NET: &[u8] = include_bytes!("../../tests/data/ethtool-netlink/channels-virtio_net.bin");
    const VETH: &[u8] = include_bytes!("../../tests/data/ethtool-netlink/channels-veth.bin");

    #[test]
    fn combined_and_separate_channels() {
        let cells = integers(&COLUMNS, |row, block| parse(VIRTIO_NET, row, block));
        assert_eq!(cells, [None, None, None, Some(1), None, None, None, Some(1)]);
        let cells = integers(&COLUMNS, |row, block| parse(VETH, row, block));
        assert_eq!(cells, [Some(1), Some(1), None, None, Some(2), Some(2), None, None]);
    }

    #[test]
    fn every_kind_has_its_column() {
        let payload = reply(|mut request| {
            for kind in 2..=9u16 {
                request = request.with(kind, &u32::from(kind).to_ne_bytes());
            }
            request
        });
        let cells = integers(&COLUMNS, |row, block| parse(&payload, row, block));
        assert_eq!(cells, [6, 7, 8, 9, 2, 3, 4, 5].map(Some));
    }

    proptest! {
        #[test]
        fn a_spoiled_answer_gives_no_more_than_it_holds(payload in mutated(VETH)) {
            let cells = integers(&COLUMNS, |row, block| parse(&payload, row, block));
            prop_assert!(cells.iter().flatten().count() <= payload.len() / 4);
        }
    }
}

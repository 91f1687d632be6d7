//! Error counters of IEEE 802.3 and RMON by ETHTOOL_MSG_STATS_GET: what went wrong on the wire, by one meaning for
//! all drivers that have them. Equal to `ethtool -S DEVICE --groups eth-phy eth-mac eth-ctrl rmon`.
//!
//! Errors on the wire matter over minutes and some drivers ask their firmware for them, so they are read less often
//! than traffic.

use super::contract::{Context, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo};
use super::transport::ethtool::answer::number;
use super::transport::ethtool::{Command, Ethtool};
use super::transport::genetlink::contents;
use super::transport::message::Attribute;
use crate::sample::block::Block;
use crate::sample::cell::{Cell, Gap};
use crate::sample::choice::Choice;
use crate::sample::metric::{Column, Metric, Unit};
use std::time::Duration;

/// Standard Ethernet statistics.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "ethernet_statistics",
    help: "Error counters of IEEE 802.3 and RMON, by ethtool netlink.",
    privilege: "",
    pace: Pace::Change(Duration::from_secs(10)),
    lane: Lane::Attributes,
    deadline: Duration::from_secs(5),
    tables: &[&COLUMNS],
    open,
};

/// Symbols that were not valid.
pub static SYMBOL_ERRORS: Metric = Metric::counter(
    "link_receive_symbol_errors_total",
    "Frames received with a symbol error (SymbolErrorDuringCarrier).",
    Unit::None,
);
/// Check sums that were wrong.
pub static FCS_ERRORS: Metric = Metric::counter(
    "link_receive_fcs_errors_total",
    "Frames received with a wrong check sequence (FrameCheckSequenceErrors).",
    Unit::None,
);
/// Frames that end within a byte.
pub static ALIGNMENT_ERRORS: Metric = Metric::counter(
    "link_receive_alignment_errors_total",
    "Frames received that do not end at a byte (AlignmentErrors).",
    Unit::None,
);
/// Frames that the device could not send.
pub static TRANSMIT_MAC_ERRORS: Metric = Metric::counter(
    "link_transmit_mac_errors_total",
    "Frames lost in the device while sending (FramesLostDueToIntMACXmitError).",
    Unit::None,
);
/// Frames that the device could not take.
pub static RECEIVE_MAC_ERRORS: Metric = Metric::counter(
    "link_receive_mac_errors_total",
    "Frames lost in the device while receiving (FramesLostDueToIntMACRcvError).",
    Unit::None,
);
/// Frames longer than the device takes.
pub static TOO_LONG: Metric = Metric::counter(
    "link_receive_too_long_errors_total",
    "Frames received that are longer than allowed (FrameTooLongErrors): an MTU that differs along the path.",
    Unit::None,
);
/// Control frames nobody understands.
pub static UNSUPPORTED_CONTROL: Metric = Metric::counter(
    "link_receive_unsupported_control_frames_total",
    "MAC control frames received with an opcode other than pause that the device does not know.",
    Unit::None,
);
/// Frames below the minimum.
pub static UNDERSIZE: Metric = Metric::counter(
    "link_receive_undersize_total",
    "Whole frames received that are shorter than allowed (etherStatsUndersizePkts).",
    Unit::None,
);
/// Frames above the maximum.
pub static OVERSIZE: Metric = Metric::counter(
    "link_receive_oversize_total",
    "Whole frames received that are longer than allowed (etherStatsOversizePkts).",
    Unit::None,
);
/// Pieces of frames.
pub static FRAGMENTS: Metric = Metric::counter(
    "link_receive_fragments_total",
    "Pieces of frames received: too short and with a wrong check sequence (etherStatsFragments).",
    Unit::None,
);
/// Noise.
pub static JABBERS: Metric = Metric::counter(
    "link_receive_jabbers_total",
    "Frames received that are too long and have a wrong check sequence (etherStatsJabbers).",
    Unit::None,
);

static COLUMNS: [Column; 11] = [
    Column::of(&SYMBOL_ERRORS),
    Column::of(&FCS_ERRORS),
    Column::of(&ALIGNMENT_ERRORS),
    Column::of(&TRANSMIT_MAC_ERRORS),
    Column::of(&RECEIVE_MAC_ERRORS),
    Column::of(&TOO_LONG),
    Column::of(&UNSUPPORTED_CONTROL),
    Column::of(&UNDERSIZE),
    Column::of(&OVERSIZE),
    Column::of(&FRAGMENTS),
    Column::of(&JABBERS),
];

/// (group, statistic) of each column: `ETHTOOL_STATS_*` and `ETHTOOL_A_STATS_{ETH_PHY,ETH_MAC,ETH_CTRL,RMON}_*`.
const STATISTICS: [(u64, u16); 11] =
    [(0, 0), (1, 4), (1, 5), (1, 10), (1, 13), (1, 21), (2, 2), (3, 0), (3, 1), (3, 2), (3, 3)];

const STATS_GRP: u16 = 4;
const GRP_ID: u16 = 3;
const GRP_STAT: u16 = 5;

fn open(_: &Roots) -> Result<Box<dyn Source>, SourceError> {
    let ethtool = Ethtool::open(SOURCE.deadline)?;
    Ok(Box::new(EthernetStatistics { ethtool, hardware: Choice::default() }))
}

struct EthernetStatistics {
    ethtool: Ethtool,
    hardware: Choice,
}

impl Source for EthernetStatistics {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        // A driver without any of the groups answers with none instead of EOPNOTSUPP, so there would be nothing to
        // remember: links without hardware are not asked at all.
        let Self { ethtool, hardware } = self;
        hardware.renew(&context.links, |link| link.kind == "physical");
        let mut block = Block::new(SOURCE.name, context.now, &COLUMNS, hardware.subjects().clone());
        let links = hardware.of(&context.links);
        let problems = ethtool.ask_each(Command::Statistics, links, |row, _, answer| {
            let gap = answer.err().unwrap_or(Gap::Unsupported);
            block.set_row(row, COLUMNS.iter().map(|_| Cell::gap(gap)));
            if let Ok(payload) = answer {
                parse(payload, row, &mut block);
            }
        })?;
        Ok(Reading { problems, ..Reading::of(block) })
    }
}

/// Fills a row from the payload of ETHTOOL_MSG_STATS_GET_REPLY.
fn parse(payload: &[u8], row: usize, block: &mut Block) {
    for group in contents(payload).filter(|attribute| attribute.kind == STATS_GRP) {
        let Some(id) = group.nested().find(|a| a.kind == GRP_ID).and_then(|a| a.unsigned()) else { continue };
        for statistic in group.nested().filter(|a| a.kind == GRP_STAT).flat_map(|a| a.nested()) {
            set(id, &statistic, row, block);
        }
    }
}

fn set(group: u64, statistic: &Attribute<'_>, row: usize, block: &mut Block) {
    if let Some(column) = STATISTICS.iter().position(|which| *which == (group, statistic.kind)) {
        block.set(column, row, number(statistic));
    }
}

#[cfg(test)]
mod tests {
    use super::{parse, COLUMNS, GRP_ID, GRP_STAT, STATISTICS, STATS_GRP};
    use crate::source::transport::ethtool::testing::{integers, mutated, reply};
    use proptest::prelude::{prop_assert, proptest};

    /// A driver without any of the groups: four of them come, empty.
    const VIRTIO_NET: &[u8] = include_bytes!("../../tests/data/ethtool-netlink/statistics-virtio_net.bin");

    #[test]
    fn a_driver_without_them_has_gaps() {
        let cells = integers(&COLUMNS, |row, block| parse(VIRTIO_NET, row, block));
        assert_eq!(cells, [None; COLUMNS.len()]);
    }

    #[test]
    fn each_statistic_is_found_by_its_group_and_number() {
        let payload = reply(|mut request| {
            for group in 0..4u16 {
                request = request.with_nested(STATS_GRP, |mut inner| {
                    inner = inner.with(GRP_ID, &u32::from(group).to_ne_bytes()).with(4, &[0; 4]);
                    for statistic in 0..25u16 {
                        let value = u64::from(group * 100 + statistic).to_ne_bytes();
                        inner = inner.with_nested(GRP_STAT, |one| one.with(statistic, &value));
                    }
                    inner
                });
            }
            request
        });
        let cells = integers(&COLUMNS, |row, block| parse(&payload, row, block));
        let expected = STATISTICS.map(|(group, statistic)| Some(group * 100 + u64::from(statistic)));
        assert_eq!(cells, expected);
    }

    proptest! {
        #[test]
        fn a_spoiled_answer_gives_no_more_than_it_holds(payload in mutated(VIRTIO_NET)) {
            let cells = integers(&COLUMNS, |row, block| parse(&payload, row, block));
            prop_assert!(cells.iter().flatten().count() <= payload.len() / 4);
        }
    }
}

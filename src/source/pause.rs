//! Ethernet flow control by ETHTOOL_MSG_PAUSE_GET: whether pause frames are in use (`ethtool -a`), and how many went
//! each way (`ethtool -I -a`).
//!
//! Read at every tick, although the settings hardly ever change: the counters come with the same question, and
//! pause frames stop a migration for as long as they come. Only physical drivers answer; the others are asked once.

use super::contract::{Context, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo};
use super::transport::ethtool::answer::{flag, number};
use super::transport::ethtool::{Command, Ethtool};
use super::transport::genetlink::contents;
use crate::sample::block::Block;
use crate::sample::metric::{Column, Metric, Unit};
use std::time::Duration;

/// Flow control.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "pause",
    help: "Ethernet flow control and pause frames, by ethtool netlink.",
    privilege: "",
    pace: Pace::HardwareTick,
    lane: Lane::Attributes,
    deadline: Duration::from_secs(5),
    tables: &[&COLUMNS],
    open,
};

/// Whether the other end has a say.
pub static AUTONEGOTIATION: Metric = Metric::gauge(
    "link_pause_autonegotiation",
    "1 if the use of pause frames is negotiated with the other end.",
    Unit::None,
);
/// Whether pause frames are heeded or sent.
pub static ENABLED: Metric = Metric::gauge(
    "link_pause_enabled",
    "1 if pause frames are heeded (rx) or may be sent (tx); with autonegotiation, what is advertised.",
    Unit::None,
);
/// Pause frames from the other end.
pub static RECEIVED: Metric = Metric::counter(
    "link_pause_frames_received_total",
    "Pause frames received: the other end, usually a switch, stopped this port.",
    Unit::None,
);
/// Pause frames to the other end.
pub static SENT: Metric = Metric::counter(
    "link_pause_frames_sent_total",
    "Pause frames sent: this port could not take what came and stopped the other end.",
    Unit::None,
);

static COLUMNS: [Column; 5] = [
    Column::of(&AUTONEGOTIATION),
    Column::labelled(&ENABLED, "direction", "rx"),
    Column::labelled(&ENABLED, "direction", "tx"),
    Column::of(&RECEIVED),
    Column::of(&SENT),
];

const PAUSE_AUTONEG: u16 = 2;
const PAUSE_RX: u16 = 3;
const PAUSE_TX: u16 = 4;
const PAUSE_STATS: u16 = 5;
const STAT_TX_FRAMES: u16 = 2;
const STAT_RX_FRAMES: u16 = 3;

fn open(_: &Roots) -> Result<Box<dyn Source>, SourceError> {
    Ok(Box::new(Pause { ethtool: Ethtool::open(SOURCE.deadline)? }))
}

struct Pause {
    ethtool: Ethtool,
}

impl Source for Pause {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        self.ethtool.table(SOURCE.name, &COLUMNS, Command::Pause, context, parse)
    }
}

/// Fills a row from the payload of ETHTOOL_MSG_PAUSE_GET_REPLY. A driver without statistics leaves them out.
fn parse(payload: &[u8], row: usize, block: &mut Block) {
    for attribute in contents(payload) {
        match attribute.kind {
            PAUSE_AUTONEG => block.set(0, row, flag(&attribute)),
            PAUSE_RX => block.set(1, row, flag(&attribute)),
            PAUSE_TX => block.set(2, row, flag(&attribute)),
            PAUSE_STATS => {
                for statistic in attribute.nested() {
                    match statistic.kind {
                        STAT_RX_FRAMES => block.set(3, row, number(&statistic)),
                        STAT_TX_FRAMES => block.set(4, row, number(&statistic)),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{parse, COLUMNS, PAUSE_STATS};
    use crate::source::transport::ethtool::testing::{integers, reply};
    use proptest::prelude::{any, prop_assert, proptest};

    fn answer(statistics: Option<(u64, u64)>) -> Vec<u8> {
        reply(|request| {
            let request = request.with(2, &[1]).with(3, &[1]).with(4, &[0]);
            match statistics {
                None => request,
                Some((sent, received)) => request.with_nested(PAUSE_STATS, |inner| {
                    // ETHTOOL_A_PAUSE_STAT_PAD may stand before each.
                    inner.with(1, &[]).with(2, &sent.to_ne_bytes()).with(3, &received.to_ne_bytes())
                }),
            }
        })
    }

    #[test]
    fn settings_with_and_without_statistics() {
        let cells = integers(&COLUMNS, |row, block| parse(&answer(Some((7, 1 << 40))), row, block));
        assert_eq!(cells, [Some(1), Some(1), Some(0), Some(1 << 40), Some(7)]);
        let cells = integers(&COLUMNS, |row, block| parse(&answer(None), row, block));
        assert_eq!(cells, [Some(1), Some(1), Some(0), None, None]);
    }

    proptest! {
        #[test]
        fn a_cut_answer_is_right_as_far_as_it_goes(
            sent in 0..u64::MAX / 2, received in 0..u64::MAX / 2, cut in 0usize..80, noise in any::<[u8; 3]>(),
        ) {
            let mut payload = answer(Some((sent, received)));
            payload.truncate(payload.len().saturating_sub(cut));
            let cells = integers(&COLUMNS, |row, block| parse(&payload, row, block));
            prop_assert!(cells[3].is_none_or(|value| value == received));
            prop_assert!(cells[4].is_none_or(|value| value == sent));
            payload.extend(noise);
            let cells = integers(&COLUMNS, |row, block| parse(&payload, row, block));
            prop_assert!(cells[..3].iter().flatten().all(|value| *value <= 1));
        }
    }
}

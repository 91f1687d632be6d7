//! Forward error correction by ETHTOOL_MSG_FEC_GET: the mode in use (`ethtool --show-fec`), and what it corrected.
//!
//! Corrections that rise tell of a cable or a transceiver that goes bad, long before frames are lost. A trend of
//! minutes, so a reading every few seconds serves; some drivers ask their firmware for it.

use super::contract::{Context, Fact, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo};
use super::transport::ethtool::{Command, Ethtool};
use super::transport::genetlink::contents;
use super::transport::message::{u64_at, Attribute};
use crate::sample::block::Block;
use crate::sample::cell::{Cell, Gap};
use crate::sample::metric::{Column, Metric, Unit};
use std::time::Duration;

/// Forward error correction.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "fec",
    help: "Forward error correction: mode and statistics, by ethtool netlink.",
    privilege: "",
    pace: Pace::Change(Duration::from_secs(10)),
    lane: Lane::Attributes,
    deadline: Duration::from_secs(5),
    tables: &[&COLUMNS],
    open,
};

/// Blocks that arrived with errors and were mended.
pub static CORRECTED_BLOCKS: Metric = Metric::counter(
    "link_fec_corrected_blocks_total",
    "Blocks received with errors that forward error correction mended.",
    Unit::None,
);
/// Blocks that were lost.
pub static UNCORRECTABLE_BLOCKS: Metric = Metric::counter(
    "link_fec_uncorrectable_blocks_total",
    "Blocks received with more errors than forward error correction can mend: their frames are lost.",
    Unit::None,
);
/// Bits that were wrong.
pub static BIT_ERRORS: Metric = Metric::counter(
    "link_fec_bit_errors_total",
    "Wrong bits received that forward error correction mended (corrected bits).",
    Unit::None,
);

static COLUMNS: [Column; 3] =
    [Column::of(&CORRECTED_BLOCKS), Column::of(&UNCORRECTABLE_BLOCKS), Column::of(&BIT_ERRORS)];

const FEC_ACTIVE: u16 = 4;
const FEC_STATS: u16 = 5;
/// `ETHTOOL_A_FEC_STAT_CORRECTED`, `_UNCORR` and `_CORR_BITS`, in the order of the columns.
const STATISTICS: [u16; 3] = [2, 3, 4];

fn open(_: &Roots) -> Result<Box<dyn Source>, SourceError> {
    Ok(Box::new(Fec { ethtool: Ethtool::open(SOURCE.deadline)? }))
}

struct Fec {
    ethtool: Ethtool,
}

impl Source for Fec {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        let mut facts = Vec::new();
        let table =
            self.ethtool.table(SOURCE.name, &COLUMNS, Command::Fec, context, |payload, row, block| {
                if let Some(mode) = parse(payload, row, block) {
                    let key = block.subjects.keys()[row];
                    facts.push(Fact { key, label: "fec", value: mode.into() });
                }
            })?;
        Ok(Reading { facts, ..table })
    }
}

/// Fills a row from the payload of ETHTOOL_MSG_FEC_GET_REPLY, and gives the mode in use if there is one: the kernel
/// leaves it out while the link is down.
fn parse(payload: &[u8], row: usize, block: &mut Block) -> Option<&'static str> {
    let mut mode = None;
    for attribute in contents(payload) {
        match attribute.kind {
            FEC_ACTIVE => mode = attribute.unsigned().and_then(mode_of),
            FEC_STATS => {
                for statistic in attribute.nested() {
                    if let Some(column) = STATISTICS.iter().position(|kind| *kind == statistic.kind) {
                        block.set(column, row, total(&statistic));
                    }
                }
            }
            _ => {}
        }
    }
    mode
}

/// The word for `ETHTOOL_LINK_MODE_FEC_*_BIT` (include/uapi/linux/ethtool.h).
fn mode_of(bit: u64) -> Option<&'static str> {
    match bit {
        49 => Some("off"),
        50 => Some("rs"),
        51 => Some("baser"),
        74 => Some("llrs"),
        _ => None,
    }
}

/// The port's total: the first number; a number for each lane may follow. Empty if the driver does not count it
/// (net/ethtool/fec.c, `fec_stats_recalc`).
fn total(statistic: &Attribute<'_>) -> Cell {
    Cell::integer_or(u64_at(statistic.value, 0), Gap::Unsupported)
}

#[cfg(test)]
mod tests {
    use super::{parse, COLUMNS, FEC_ACTIVE, FEC_STATS};
    use crate::sample::cell::Gap;
    use crate::source::transport::ethtool::testing::{reply, row};
    use proptest::prelude::{any, prop_assert, proptest};

    fn answer(mode: u32, corrected: &[u64]) -> Vec<u8> {
        let bytes: Vec<u8> = corrected.iter().flat_map(|value| value.to_ne_bytes()).collect();
        reply(|request| {
            request.with(3, &[1]).with(FEC_ACTIVE, &mode.to_ne_bytes()).with_nested(FEC_STATS, |inner| {
                inner.with(1, &[]).with(2, &bytes).with(3, &4u64.to_ne_bytes()).with(4, &[])
            })
        })
    }

    #[test]
    fn the_total_stands_before_the_lanes() {
        let payload = answer(50, &[30, 10, 20]);
        let mut mode = None;
        let cells = row(&COLUMNS, |row, block| mode = parse(&payload, row, block));
        assert_eq!(mode, Some("rs"));
        assert_eq!((cells[0].as_integer(), cells[1].as_integer()), (Some(30), Some(4)));
        assert_eq!(
            cells[2].reason(),
            Some(Gap::Unsupported),
            "an empty array is a count that the driver has not"
        );
    }

    #[test]
    fn modes_have_words() {
        for (bit, word) in [(49, Some("off")), (51, Some("baser")), (74, Some("llrs")), (6, None)] {
            let mut mode = None;
            row(&COLUMNS, |row, block| mode = parse(&answer(bit, &[]), row, block));
            assert_eq!(mode, word, "{bit}");
        }
    }

    proptest! {
        #[test]
        fn a_cut_answer_is_right_as_far_as_it_goes(total in 0..u64::MAX / 2, lane in any::<u64>(), cut in 0usize..90) {
            let mut payload = answer(50, &[total, lane]);
            payload.truncate(payload.len().saturating_sub(cut));
            let cells = row(&COLUMNS, |row, block| {
                parse(&payload, row, block);
            });
            prop_assert!(cells[0].as_integer().is_none_or(|value| value == total));
        }
    }
}

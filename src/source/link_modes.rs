//! Speed, lanes, duplex and autonegotiation by ETHTOOL_MSG_LINKMODES_GET: equal to `ethtool DEVICE`; and for a link
//! that is wanted up and has no carrier, why (ETHTOOL_MSG_LINKSTATE_GET).
//!
//! A port that runs below the best mode it supports is a degraded link: a bad cable, or a switch port that is set
//! slower.

use super::contract::{Context, Fact, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo};
use super::transport::ethtool::answer::{flag, number, Bitset};
use super::transport::ethtool::{Command, Ethtool};
use super::transport::genetlink::contents;
use crate::sample::block::Block;
use crate::sample::cell::{Cell, Gap};
use crate::sample::metric::{Column, Metric, Unit};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Speed, lanes, duplex.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "link_modes",
    help: "Speed, best possible speed, lanes, duplex and autonegotiation, by ethtool netlink.",
    privilege: "",
    pace: Pace::Change(Duration::from_secs(60)),
    lane: Lane::Attributes,
    deadline: Duration::from_secs(5),
    tables: &[&COLUMNS],
    open,
};

/// What the link runs at.
pub static SPEED: Metric = Metric::gauge(
    "link_speed_bytes_per_second",
    "Speed of the link as its driver tells it; absent if it does not know.",
    Unit::BytesPerSecond,
);
/// What it could run at.
pub static SPEED_MAX: Metric = Metric::gauge(
    "link_speed_max_bytes_per_second",
    "Speed of the fastest mode that the port supports; absent if the driver lists none.",
    Unit::BytesPerSecond,
);
/// Lanes in use.
pub static LANES: Metric = Metric::gauge("link_lanes", "Lanes that the link runs on.", Unit::None);
/// Whether the other end has a say.
pub static AUTONEGOTIATION: Metric = Metric::gauge(
    "link_autonegotiation",
    "1 if speed and duplex are negotiated with the other end.",
    Unit::None,
);

static COLUMNS: [Column; 4] =
    [Column::of(&SPEED), Column::of(&SPEED_MAX), Column::of(&LANES), Column::of(&AUTONEGOTIATION)];

const LINKMODES_AUTONEG: u16 = 2;
const LINKMODES_OURS: u16 = 3;
const LINKMODES_SPEED: u16 = 5;
const LINKMODES_DUPLEX: u16 = 6;
const LINKMODES_LANES: u16 = 9;
const LINKSTATE_EXT_STATE: u16 = 5;

/// Mbit/s in bytes a second.
const MEGABIT: u64 = 1_000_000 / 8;

/// Mbit/s of each `ETHTOOL_LINK_MODE_*_BIT` that is a mode and not a property (include/uapi/linux/ethtool.h of 7.0;
/// the numbers are part of the kernel's interface and never change).
const SPEEDS: [(RangeInclusive<u32>, u64); 35] = [
    (0..=1, 10),
    (2..=3, 100),
    (4..=5, 1_000),
    (12..=12, 10_000),
    (15..=15, 2_500),
    (17..=17, 1_000),
    (18..=20, 10_000),
    (21..=22, 20_000),
    (23..=26, 40_000),
    (27..=30, 56_000),
    (31..=33, 25_000),
    (34..=35, 50_000),
    (36..=39, 100_000),
    (40..=40, 50_000),
    (41..=41, 1_000),
    (42..=46, 10_000),
    (47..=47, 2_500),
    (48..=48, 5_000),
    (52..=56, 50_000),
    (57..=61, 100_000),
    (62..=66, 200_000),
    (67..=67, 100),
    (68..=68, 1_000),
    (69..=73, 400_000),
    (75..=79, 100_000),
    (80..=84, 200_000),
    (85..=89, 400_000),
    (90..=91, 100),
    (92..=92, 10),
    (93..=98, 800_000),
    (99..=102, 10),
    (103..=108, 200_000),
    (109..=114, 400_000),
    (115..=120, 800_000),
    (121..=124, 1_600_000),
];

fn open(_: &Roots) -> Result<Box<dyn Source>, SourceError> {
    Ok(Box::new(LinkModes { ethtool: Ethtool::open(SOURCE.deadline)? }))
}

struct LinkModes {
    ethtool: Ethtool,
}

impl Source for LinkModes {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        let mut facts = Vec::new();
        let mut add = |key, label, value: Option<&'static str>| {
            facts.extend(value.map(|value| Fact { key, label, value: value.into() }));
        };
        let (links, ethtool) = (&context.links, &mut self.ethtool);
        let mut reading =
            ethtool.table(SOURCE.name, &COLUMNS, Command::LinkModes, context, |payload, row, block| {
                add(block.subjects.keys()[row], "duplex", parse(payload, row, block));
            })?;
        let wanted = links.exported().iter().filter(|link| link.admin_up && link.carrier == Some(false));
        let problems = ethtool.ask_each(Command::LinkState, wanted, |_, link, answer| {
            add(link.key, "down_reason", answer.ok().and_then(parse_state));
        })?;
        reading.problems.extend(problems);
        facts.shrink_to_fit();
        reading.facts = facts;
        Ok(reading)
    }
}

/// Fills a row from the payload of ETHTOOL_MSG_LINKMODES_GET_REPLY, and gives the duplex.
fn parse(payload: &[u8], row: usize, block: &mut Block) -> Option<&'static str> {
    let mut duplex = None;
    for attribute in contents(payload) {
        match attribute.kind {
            LINKMODES_SPEED => block.set(0, row, speed(attribute.unsigned())),
            LINKMODES_OURS => block.set(1, row, best_speed(&Bitset::of(&attribute))),
            LINKMODES_LANES => block.set(2, row, number(&attribute)),
            LINKMODES_AUTONEG => block.set(3, row, flag(&attribute)),
            LINKMODES_DUPLEX => duplex = attribute.unsigned().map(duplex_word),
            _ => {}
        }
    }
    duplex
}

/// Not 0, and not `SPEED_UNKNOWN` (-1) nor anything else that is negative as the kernel's `int`.
fn speed(megabits: Option<u64>) -> Cell {
    let known = megabits.filter(|value| (1..=i32::MAX as u64).contains(value));
    Cell::integer_or(known.map(|value| value * MEGABIT), Gap::Unknown)
}

/// The mask of the set holds what the port supports, the value what it offers to the other end.
fn best_speed(modes: &Bitset<'_>) -> Cell {
    let supported = SPEEDS.iter().filter(|(bits, _)| bits.clone().any(|bit| modes.mask_has(bit)));
    Cell::integer_or(supported.map(|(_, megabits)| megabits * MEGABIT).max(), Gap::Unsupported)
}

fn duplex_word(duplex: u64) -> &'static str {
    match duplex {
        0 => "half",
        1 => "full",
        _ => "unknown",
    }
}

/// Why there is no carrier, from the payload of ETHTOOL_MSG_LINKSTATE_GET_REPLY, where the driver knows
/// (`enum ethtool_link_ext_state`).
fn parse_state(payload: &[u8]) -> Option<&'static str> {
    const REASONS: [&str; 11] = [
        "autonegotiation failed",
        "link training failed",
        "logical mismatch",
        "bad signal integrity",
        "no cable",
        "cable issue",
        "EEPROM issue",
        "calibration failed",
        "power budget exceeded",
        "overheat",
        "module not ready",
    ];
    let state = contents(payload).find(|attribute| attribute.kind == LINKSTATE_EXT_STATE)?.unsigned()?;
    REASONS.get(state as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::{parse, parse_state, COLUMNS, LINKMODES_OURS, LINKMODES_SPEED, MEGABIT, SPEEDS};
    use crate::sample::cell::Gap;
    use crate::source::transport::ethtool::testing::{integers, mutated, reply, row};
    use crate::source::transport::ethtool::Ethtool;
    use proptest::prelude::{prop_assert, proptest};
    use std::time::Duration;

    const VIRTIO_NET: &[u8] = include_bytes!("../../tests/data/ethtool-netlink/link_modes-virtio_net.bin");
    const VETH: &[u8] = include_bytes!("../../tests/data/ethtool-netlink/link_modes-veth.bin");
    const STATE: &[u8] = include_bytes!("../../tests/data/ethtool-netlink/link_state-veth.bin");

    #[test]
    fn a_speed_is_known_or_a_gap() {
        let mut duplex = None;
        let cells = row(&COLUMNS, |row, block| duplex = parse(VIRTIO_NET, row, block));
        assert_eq!((cells[0].reason(), duplex), (Some(Gap::Unknown), Some("unknown")));
        assert_eq!(cells[3].as_integer(), Some(0));
        let cells = row(&COLUMNS, |row, block| duplex = parse(VETH, row, block));
        assert_eq!((cells[0].as_integer(), duplex), (Some(1_250_000_000), Some("full")));
        assert!(!cells[1].is_value(), "a veth lists no modes");
        for unknown in [0, u32::MAX, 1 << 31] {
            let payload = reply(|request| request.with(LINKMODES_SPEED, &unknown.to_ne_bytes()));
            let cells = row(&COLUMNS, |row, block| _ = parse(&payload, row, block));
            assert_eq!(cells[0].reason(), Some(Gap::Unknown), "{unknown}");
        }
    }

    #[test]
    fn the_best_mode_is_one_that_the_port_supports() {
        // Offers 1000baseT/Full; supports that, 10000baseT/Full, autonegotiation, twisted pair, and 25000baseSR/Full.
        let value = [1u32 << 5, 0].map(u32::to_ne_bytes).concat();
        let mask = [1u32 << 5 | 1 << 6 | 1 << 7 | 1 << 12, 1 << 1].map(u32::to_ne_bytes).concat();
        let payload = reply(|request| {
            request
                .with_nested(LINKMODES_OURS, |set| {
                    set.with(2, &64u32.to_ne_bytes()).with(4, &value).with(5, &mask)
                })
                .with(LINKMODES_SPEED, &1000u32.to_ne_bytes())
                .with(6, &[1])
                .with(9, &4u32.to_ne_bytes())
        });
        let cells = integers(&COLUMNS, |row, block| _ = parse(&payload, row, block));
        assert_eq!(cells, [Some(1_000 * MEGABIT), Some(25_000 * MEGABIT), Some(4), None]);
    }

    /// The kernel spells each mode's speed in its name: the table holds against the kernel that runs.
    #[test]
    fn the_table_of_speeds_is_the_kernels() {
        const LINK_MODE_NAMES: u32 = 9;
        let mut ethtool = Ethtool::open(Duration::from_secs(2)).expect("ethtool netlink");
        let names = ethtool.string_set(LINK_MODE_NAMES).expect("names of modes");
        assert!(names.len() > 90, "{}", names.len());
        for (bit, name) in (0u32..).zip(&names) {
            let digits: String = name.chars().take_while(char::is_ascii_digit).collect();
            let speed = SPEEDS.iter().find(|(bits, _)| bits.contains(&bit)).map(|(_, speed)| *speed);
            assert_eq!(speed, digits.parse().ok(), "{bit} {name}");
        }
    }

    #[test]
    fn a_reason_is_told_where_the_driver_knows_it() {
        assert_eq!(parse_state(STATE), None);
        assert_eq!(parse_state(&reply(|request| request.with(2, &[0]).with(5, &[4]))), Some("no cable"));
        assert_eq!(parse_state(&reply(|request| request.with(5, &[200]))), None);
    }

    proptest! {
        #[test]
        fn a_spoiled_answer_makes_no_impossible_speed(payload in mutated(VETH)) {
            let cells = integers(&COLUMNS, |row, block| _ = parse(&payload, row, block));
            prop_assert!(cells[0].is_none_or(|speed| speed > 0 && speed % MEGABIT == 0));
            prop_assert!(cells[1].is_none_or(|speed| speed <= 1_600_000 * MEGABIT));
            parse_state(&payload);
        }
    }
}

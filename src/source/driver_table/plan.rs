//! PURE. Turns a device's list of statistic names into indexes once, so that a reading is an addition and no string is
//! looked at again.

use super::{driver, Driver, Missed, Overflow, Sum};
use crate::sample::metric::Width;

/// How to get the ring overflows of one device from each of its readings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    reading: Reading,
    /// What is counted, in a word: a statistic's name, `rx_missed_errors`, or `none` if nobody counts it.
    pub meaning: &'static str,
    /// Whether the table says so of this very driver. False: the driver, or its spelling of the count, is unknown.
    pub from_table: bool,
    /// Where the count wraps.
    pub width: Width,
}

/// What a plan adds up.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Reading {
    /// The statistics at these places of the device's list, ascending.
    Statistics(Box<[usize]>),
    /// The link's `rx_missed_errors`.
    Missed,
    /// Nothing: there is no count.
    Nothing,
}

/// The plan for a device of `driver` (as `ethtool -i` names it) whose statistics have these names, in this order.
///
/// A driver that is not in the table is read by its `rx_missed_errors`, and so is one that lacks the statistics the
/// table expects; [`Plan::from_table`] is false then. Where the table knows that the driver leaves `rx_missed_errors`
/// at 0 there is no count at all: 0 would claim that no packet was lost.
///
/// Without any names (statistics not asked for) the plan is `rx_missed_errors` where that is the same count: for
/// `mlx5_core`, whose statistics cost many firmware commands, this is the cheap way.
pub fn plan(driver_name: &str, names: &[String]) -> Plan {
    let Some(driver) = driver(driver_name) else {
        return Plan::missed(false, Width::Bits64);
    };
    match driver.overflow {
        Overflow::Missed => Plan::missed(true, driver.width),
        Overflow::Untold => Plan::nothing(true, driver.width),
        Overflow::Statistics(ways) => ways
            .iter()
            .find_map(|way| statistics(way, names, driver.width))
            .unwrap_or_else(|| without_statistics(driver, names.is_empty())),
    }
}

impl Plan {
    /// Packets lost since the driver's counter began, because the receive ring had no buffer for them.
    ///
    /// `values` are the device's statistics in the order of the names the plan was made of; they may be empty if
    /// [`Plan::needs_statistics`] says no. `None`: the driver does not tell, or what the plan needs was not given.
    pub fn overflows(&self, values: &[u64], rx_missed_errors: Option<u64>) -> Option<u64> {
        match &self.reading {
            Reading::Statistics(indexes) => indexes
                .iter()
                .try_fold(0_u64, |sum, &index| values.get(index).map(|value| sum.wrapping_add(*value))),
            Reading::Missed => rx_missed_errors,
            Reading::Nothing => None,
        }
    }

    /// Whether a reading needs the driver's statistics (`ETHTOOL_GSTATS`) at all.
    pub fn needs_statistics(&self) -> bool {
        matches!(self.reading, Reading::Statistics(_))
    }

    fn missed(from_table: bool, width: Width) -> Self {
        Self { reading: Reading::Missed, meaning: "rx_missed_errors", from_table, width }
    }

    fn nothing(from_table: bool, width: Width) -> Self {
        Self { reading: Reading::Nothing, meaning: "none", from_table, width }
    }
}

/// The plan that adds up `way`, if the device has every one of its names.
fn statistics(way: &Sum, names: &[String], width: Width) -> Option<Plan> {
    if !way.names.iter().all(|pattern| names.iter().any(|name| matches_pattern(pattern, name))) {
        return None;
    }
    let wanted = |name: &String| way.names.iter().any(|pattern| matches_pattern(pattern, name));
    let indexes = names.iter().enumerate().filter(|(_, name)| wanted(name)).map(|(index, _)| index).collect();
    Some(Plan { reading: Reading::Statistics(indexes), meaning: way.meaning, from_table: true, width })
}

/// The plan for a known driver whose statistics are not there, because nobody asked or because it spells them anew.
fn without_statistics(driver: &Driver, unasked: bool) -> Plan {
    match driver.missed {
        Missed::Same => Plan::missed(unasked, driver.width),
        Missed::Part => Plan::missed(false, driver.width),
        Missed::Never => Plan::nothing(false, driver.width),
    }
}

/// Whether a statistic's name fits a pattern of the table. Drivers pad names with blanks on either side.
fn matches_pattern(pattern: &str, name: &str) -> bool {
    let name = name.trim();
    match pattern.split_once("{}") {
        None => name == pattern,
        Some((before, after)) => name
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after))
            .is_some_and(|queue| !queue.is_empty() && queue.bytes().all(|byte| byte.is_ascii_digit())),
    }
}

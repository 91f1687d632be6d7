//! Ring overflows of physical links, in one meaning over all drivers: packets lost because the receive ring had no
//! buffer for them.
//!
//! Drivers count them under names of their own (`ethtool -S`) or in the link's `rx_missed_errors`; `driver_table`
//! knows which. `link_info` says what was counted. Read at every tick, because an overflow must be seen while the
//! migration that suffers from it still runs; where the link's own counter is the same, the driver's statistics are
//! not read at all, because they can cost a driver many questions to its firmware.

use super::contract::{Context, Fact, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo};
use super::driver_table::{plan, Plan};
use super::link_counters;
use super::transport::ethtool::Problems;
use super::transport::ioctl::EthtoolIoctl;
use super::transport::message::u64_at;
use super::transport::netlink::{NetlinkError, Protocol, Session};
use crate::sample::block::Block;
use crate::sample::cell::{Cell, Gap};
use crate::sample::choice::Choice;
use crate::sample::link::{Index, Link};
use crate::sample::metric::{Column, Metric, Unit, Width};
use crate::sample::subject::Key;
use std::collections::HashMap;
use std::io::Error;
use std::time::Duration;

/// Ring overflows.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "driver_statistics",
    help: "Receive ring overflows of physical links, from their drivers' own statistics.",
    privilege: "",
    pace: Pace::HardwareTick,
    lane: Lane::Attributes,
    deadline: Duration::from_secs(5),
    tables: &[&COLUMNS],
    open,
};

/// Packets lost for want of a receive buffer.
pub static RING_OVERFLOWS: Metric = Metric::counter(
    "link_ring_overflows_total",
    "Packets lost because the receive ring had no buffer for them; link_info tells which counter this is.",
    Unit::None,
);

static COLUMNS: [Column; 1] = [Column::of(&RING_OVERFLOWS)];

/// Where `rx_missed_errors` stands in `struct rtnl_link_stats64` (include/uapi/linux/if_link.h).
const RX_MISSED_ERRORS: usize = 15 * 8;
const WRAP: u64 = 1 << 32;

fn open(_: &Roots) -> Result<Box<dyn Source>, SourceError> {
    let session = Session::open(Protocol::Route, SOURCE.deadline)
        .map_err(|error| SourceError::Netlink { what: "asking for link statistics", error })?;
    let ioctl = EthtoolIoctl::open()
        .map_err(|error| SourceError::Io { what: "a socket for driver statistics".into(), error })?;
    Ok(Box::new(DriverStatistics {
        session,
        ioctl,
        counters: HashMap::new(),
        hardware: Choice::default(),
        generation: 0,
        values: Vec::new(),
    }))
}

struct DriverStatistics {
    session: Session,
    ioctl: EthtoolIoctl,
    counters: HashMap<Key, Counter>,
    /// The links that have a driver of hardware.
    hardware: Choice,
    /// That of the links when `counters` was last cleared of links that have gone.
    generation: u64,
    /// Kept for its memory.
    values: Vec<u64>,
}

/// How one link's overflows are counted.
struct Counter {
    plan: Plan,
    /// How many statistics the driver had when the plan was made of their names.
    names: usize,
    unwrapped: Unwrapped,
}

impl Source for DriverStatistics {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        let links = &context.links;
        let mut hardware = std::mem::take(&mut self.hardware);
        hardware.renew(links, |link| link.kind == "physical");
        let mut block = Block::new(SOURCE.name, context.now, &COLUMNS, hardware.subjects().clone());
        if self.generation != links.generation {
            self.counters.retain(|key, _| hardware.subjects().row_of(*key).is_some());
            self.generation = links.generation;
        }
        let mut problems = Problems::new("asking for driver statistics");
        let mut facts = Vec::new();
        for (row, link) in hardware.of(links).enumerate() {
            let cell = match self.overflows(link) {
                Ok(overflows) => Cell::integer_or(overflows, Gap::Unsupported),
                Err(error) => Cell::gap(problems.note(link, error)?),
            };
            block.set(0, row, cell);
            facts.extend(self.counters.get(&link.key).map(|counter| Fact {
                key: link.key,
                label: "ring_overflow_counter",
                value: counter.plan.meaning.into(),
            }));
        }
        self.hardware = hardware;
        Ok(Reading { facts, problems: problems.sentences(), ..Reading::of(block) })
    }
}

impl DriverStatistics {
    /// A link's overflows now; `None` if its driver does not count them.
    fn overflows(&mut self, link: &Link) -> Result<Option<u64>, NetlinkError> {
        let Self { session, ioctl, counters, values, .. } = self;
        let mut counter = match counters.remove(&link.key) {
            Some(counter) => counter,
            None => Counter::of(link, ioctl)?,
        };
        values.clear();
        if counter.plan.needs_statistics()
            && !ioctl.statistics(&link.name, counter.names, values).map_err(kernel)?
        {
            // The driver has other statistics than before, because its channels were changed.
            counter = Counter { unwrapped: counter.unwrapped, ..Counter::of(link, ioctl)? };
            if !ioctl.statistics(&link.name, counter.names, values).map_err(kernel)? {
                return Err(NetlinkError::Kernel(libc::EAGAIN));
            }
        }
        let missed = if counter.plan.needs_statistics() { None } else { missed_errors(session, link.index)? };
        let overflows = counter.plan.overflows(values, missed).map(|raw| match counter.plan.width {
            Width::Bits32 => counter.unwrapped.take(raw),
            Width::Bits64 => raw,
        });
        counters.insert(link.key, counter);
        Ok(overflows)
    }
}

impl Counter {
    /// Looks up how the link's driver counts.
    fn of(link: &Link, ioctl: &mut EthtoolIoctl) -> Result<Self, NetlinkError> {
        let driver = ioctl.driver(&link.name).or_else(|error| match error.raw_os_error() {
            Some(libc::EOPNOTSUPP) => Ok(link.hardware().driver.clone()),
            _ => Err(kernel(error)),
        })?;
        // Where the link's own counter is the same count, it is by far the cheaper one.
        let cheap = plan(&driver, &[]);
        if cheap.from_table {
            return Ok(Self { plan: cheap, names: 0, unwrapped: Unwrapped::default() });
        }
        let names = match ioctl.statistic_names(&link.name) {
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Vec::new(),
            names => names.map_err(kernel)?,
        };
        Ok(Self { plan: plan(&driver, &names), names: names.len(), unwrapped: Unwrapped::default() })
    }
}

/// What an ioctl failed with is the kernel's word as much as netlink's.
fn kernel(error: Error) -> NetlinkError {
    error.raw_os_error().map_or(NetlinkError::Io(error), NetlinkError::Kernel)
}

/// A counter of 32 bits made one of 64. Done here and not by the metric's width, because only some drivers' wrap.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Unwrapped {
    before: u64,
    wraps: u64,
}

impl Unwrapped {
    /// The value that goes on from the one before. Going back by less than half of the range is no wrap but a reset,
    /// and is left as it is, for whoever compares readings to see.
    fn take(&mut self, raw: u64) -> u64 {
        if self.before.saturating_sub(raw) > WRAP / 2 {
            self.wraps += 1;
        }
        self.before = raw;
        raw.wrapping_add(self.wraps.wrapping_mul(WRAP))
    }
}

fn missed_errors(session: &mut Session, index: Index) -> Result<Option<u64>, NetlinkError> {
    let mut missed = None;
    session.ask(&mut link_counters::request_for(index), |message| missed = parse(message.payload))?;
    Ok(missed)
}

/// `rx_missed_errors` from the payload of RTM_NEWSTATS.
fn parse(payload: &[u8]) -> Option<u64> {
    u64_at(link_counters::statistics(payload)?, RX_MISSED_ERRORS)
}

#[cfg(test)]
mod tests {
    use super::{parse, Unwrapped, WRAP};
    use crate::source::transport::ethtool::testing::mutated;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    const STATISTICS: &[u8] = include_bytes!("../../tests/data/ethtool-netlink/link_stats-virtio_net.bin");

    #[test]
    fn a_wrap_goes_on_and_a_reset_goes_back() {
        let mut counter = Unwrapped::default();
        let values = [5, WRAP - 1, 3, 10, 4].map(|raw| counter.take(raw));
        assert_eq!(values, [5, WRAP - 1, WRAP + 3, WRAP + 10, WRAP + 4]);
    }

    #[test]
    fn rx_missed_errors_is_the_sixteenth_counter() {
        let mut payload = STATISTICS.to_vec();
        let field = 12 + 4 + 15 * 8;
        payload[field..field + 8].copy_from_slice(&77u64.to_ne_bytes());
        assert_eq!((parse(STATISTICS), parse(&payload)), (Some(0), Some(77)));
    }

    proptest! {
        #[test]
        fn a_counter_of_32_bits_never_loses_a_wrap(steps in proptest::collection::vec(0..WRAP / 2, 0..40)) {
            let (mut counter, mut sum) = (Unwrapped::default(), 0);
            for step in steps {
                sum += step;
                prop_assert_eq!(counter.take(sum % WRAP), sum);
            }
        }

        #[test]
        fn a_cut_message_has_no_counter(payload in mutated(STATISTICS)) {
            prop_assert!(parse(&payload).is_none() || payload.len() >= 12 + 4 + 16 * 8);
        }
    }
}

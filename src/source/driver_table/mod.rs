//! PURE. How each network driver says that its receive ring overflowed: packets lost because the ring had no buffer.
//!
//! The link counter made for this, `rx_missed_errors`, is what a driver cares to put in: some put the ring's losses
//! there, some only a part, many leave it at 0. What they leave out is in `ethtool -S`, under a name of their own.
//! Every entry was read in the source of Linux 6.12.117 (Debian) and compared with 5.10.262, 6.1.192 and 7.2.13;
//! docs/driver-counters.md has the evidence, and what is *not* such a loss although it sounds like one.

mod broadcom;
mod intel;
mod nvidia;
mod others;
mod plan;
mod virtual_nics;

pub use plan::{plan, Plan};

use crate::sample::metric::Width;

/// How one driver says that its receive ring overflowed.
#[derive(Debug, Clone, Copy)]
pub struct Driver {
    /// The name in `ethtool -i` (`ETHTOOL_DRVINFO`).
    pub name: &'static str,
    /// Other names of it: what sysfs `device/driver` says where that differs, and drivers split off from this one.
    pub aliases: &'static [&'static str],
    /// Where the count is.
    pub overflow: Overflow,
    /// How the link's own `rx_missed_errors` compares with that count.
    pub missed: Missed,
    /// Where the driver's own counter wraps, in packets.
    pub width: Width,
    /// Statistics that grow before packets are lost, or count trouble in refilling the ring: warnings, never losses
    /// of this kind. Patterns as in [`Sum::names`].
    pub early: &'static [&'static str],
    /// Packets lost before they reached a ring (port or packet buffer full, PCI Express too slow): another trouble
    /// with another remedy, so never added. Patterns as in [`Sum::names`].
    pub before_ring: &'static [&'static str],
    /// The kernel file and symbol that define the count; file paths are below `drivers/net/`, Linux 6.12.117.
    pub source: &'static str,
}

/// Where a driver keeps the count of packets lost for want of a receive buffer.
#[derive(Debug, Clone, Copy)]
pub enum Overflow {
    /// The link's `rx_missed_errors` is it; `ethtool -S` adds nothing.
    Missed,
    /// It is in `ethtool -S`. The ways to spell it, best first: the first whose every name exists is taken.
    Statistics(&'static [Sum]),
    /// The driver cannot tell: the loss happens where it sees nothing, or it publishes no count.
    Untold,
}

/// Statistics that make up the count when added.
#[derive(Debug, Clone, Copy)]
pub struct Sum {
    /// What the sum is called where it is explained, for example as a label of `link_info`.
    pub meaning: &'static str,
    /// Names as `ethtool -S` shows them, without the blanks around them. `{}` stands for the number of a queue. Every
    /// statistic that has one of the names is added, also where a driver repeats a name once for each queue.
    pub names: &'static [&'static str],
}

/// What the link's `rx_missed_errors` is, beside a driver's count of ring overflows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// The same count. It may be older by one reading, or by the driver's own timer.
    Same,
    /// A part of it: adding both would count packets twice.
    Part,
    /// The driver leaves it at 0, so it says nothing.
    Never,
}

/// Every driver the table knows.
pub static DRIVERS: &[Driver] = &[
    nvidia::MLX5_CORE,
    nvidia::MLX4_EN,
    intel::ICE,
    intel::I40E,
    intel::IAVF,
    intel::IXGBE,
    intel::IXGBEVF,
    intel::IGB,
    intel::IGC,
    intel::E1000E,
    broadcom::BNXT_EN,
    broadcom::BNX2X,
    broadcom::QEDE,
    others::SFC,
    virtual_nics::ENA,
    virtual_nics::GVE,
    virtual_nics::MANA,
    virtual_nics::HV_NETVSC,
    virtual_nics::VIRTIO_NET,
    virtual_nics::VMXNET3,
    others::CXGB4,
    others::NFP,
];

/// The entry of a driver, by the name that `ethtool -i` or sysfs gives it.
pub fn driver(name: &str) -> Option<&'static Driver> {
    DRIVERS.iter().find(|driver| driver.name == name || driver.aliases.contains(&name))
}

//! What is made real: one file and one line a family. A family is named after the cause that it makes, and its variants
//! differ in rates, sizes, strength, onset and end.

mod bandwidth_cap;
mod compression;
mod dirty_pages;
mod healthy;
mod healthy_for_minutes;
mod link_shared;
mod packet_loss;
mod path_congestion;
mod receive_window;
mod receiver_cpu;
mod send_buffer;
mod sender_cpu;
mod sender_idle;
mod softnet_backlog;
mod storage_on_link;
mod traffic_shaping;
mod two_causes;
mod wrong_link;

use super::draw::Draw;
use super::recipe::Recipe;

/// One of them.
#[derive(Debug)]
pub struct Family {
    /// Its name: the cause, `two_causes` or `healthy`.
    pub name: &'static str,
    /// What is made, and why that is the truth.
    pub made: &'static str,
    /// How many variants it has for each one that other families have; with 0 it is made only where it is named.
    pub weight: u32,
    /// Makes the variant of a number.
    pub make: fn(&mut Draw, u32) -> Recipe,
}

/// How the names of families begin in which nothing is wrong.
pub const HEALTHY: &str = "healthy";

/// All families.
pub static FAMILIES: &[&Family] = &[
    &bandwidth_cap::FAMILY,
    &sender_cpu::FAMILY,
    &sender_idle::FAMILY,
    &send_buffer::FAMILY,
    &receive_window::FAMILY,
    &receiver_cpu::FAMILY,
    &link_shared::FAMILY,
    &storage_on_link::FAMILY,
    &traffic_shaping::FAMILY,
    &packet_loss::FAMILY,
    &path_congestion::FAMILY,
    &dirty_pages::FAMILY,
    &softnet_backlog::FAMILY,
    &wrong_link::FAMILY,
    &compression::FAMILY,
    &two_causes::FAMILY,
    &healthy::FAMILY,
    &healthy_for_minutes::FAMILY,
];

/// Causes of the closed list that no family makes, and what they are judged on instead.
pub const NOT_MADE: &[(&str, &str)] = &[
    ("link_saturated", "a veth has no speed that it keeps to; constructed windows (unit tests of the rule)"),
    ("ring_overflow", "a veth has no receive ring; constructed windows, and driver statistics of 22 drivers"),
    (
        "single_stream",
        "needs a bond of real links; not judged on migrations. Its flag is, on an 802.3ad bond of the driver VM (`cargo xtask vm stacking`)",
    ),
    ("wrong_link without a word of the operator", "a veth has no speed of its own; constructed windows"),
    ("mtu_mismatch", "both ends of a veth have one MTU; not judged here"),
    ("pause_frames, link_degraded, pcie_limited", "need real hardware; not judged here"),
    ("rdma_unused, rdma_congestion", "need real hardware; not judged here"),
];

/// The bandwidth of most links of the families, in megabits a second: slow enough for an emulated guest to fill.
const SLOW: u64 = 80;
/// The fastest that two emulated hypervisors fill without a thread of theirs becoming the limit (measured: a plain
/// migration over an unlimited veth does 2 to 3 Gb/s).
const FAST: u64 = 600;

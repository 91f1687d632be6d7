//! Which links would slow a migration before there is one: one file and one line for each cause that can be told of an
//! idle link. A flag is judged alone, from a `LinkState`; `survey` makes those of the newest tables, a few links at a
//! time, and keeps what was found.

pub mod bandwidth_cap;
mod base;
mod changes;
pub mod contract;
mod footings;
mod gather;
mod history;
pub mod link_degraded;
pub mod link_shared;
pub mod manner;
pub mod mtu_mismatch;
pub mod pause_frames;
pub mod pcie_limited;
pub mod rdma_congestion;
pub mod rdma_unused;
pub mod receive_window;
pub mod ring_overflow;
mod round_trips;
pub mod send_buffer;
mod shapers;
pub mod single_stream;
pub mod softnet_backlog;
pub mod state;
pub mod storage_on_link;
mod storage_usage;
pub mod survey;
pub mod table;
mod tables;
pub mod traffic_shaping;
mod usage;
mod words;
pub mod wrong_link;

use contract::Flag;

/// All flags.
pub static FLAGS: [&Flag; 16] = [
    &bandwidth_cap::FLAG,
    &send_buffer::FLAG,
    &receive_window::FLAG,
    &link_shared::FLAG,
    &traffic_shaping::FLAG,
    &ring_overflow::FLAG,
    &softnet_backlog::FLAG,
    &pause_frames::FLAG,
    &link_degraded::FLAG,
    &pcie_limited::FLAG,
    &mtu_mismatch::FLAG,
    &rdma_unused::FLAG,
    &rdma_congestion::FLAG,
    &storage_on_link::FLAG,
    &wrong_link::FLAG,
    &single_stream::FLAG,
];

/// The flag of a cause.
pub fn of(cause: &str) -> Option<&'static Flag> {
    FLAGS.iter().copied().find(|flag| flag.cause == cause)
}

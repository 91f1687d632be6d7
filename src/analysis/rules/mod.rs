//! Why a migration is slow: one file and one line for each cause. A rule is judged alone; `verdicts` puts what they
//! say together.

pub mod bandwidth_cap;
pub mod compression;
pub mod contract;
pub mod dirty_pages;
pub mod link_degraded;
pub mod link_saturated;
pub mod link_shared;
pub mod mtu_mismatch;
pub mod packet_loss;
pub mod path_congestion;
pub mod pause_frames;
pub mod pcie_limited;
pub mod rdma_congestion;
pub mod rdma_unused;
pub mod receive_window;
pub mod receiver_cpu;
pub mod ring_overflow;
pub mod send_buffer;
pub mod sender_cpu;
pub mod sender_idle;
pub mod single_stream;
pub mod softnet_backlog;
pub mod storage_on_link;
pub mod traffic_shaping;
pub mod window;
pub mod wire;
pub mod wrong_link;

use contract::Rule;

/// All rules. Within a pool the first that holds takes its share, and the next ones share what is left: what is
/// proven by a counter of its own stands before what is concluded from the others' absence.
pub static RULES: &[&Rule] = &[
    &dirty_pages::RULE,
    &bandwidth_cap::RULE,
    &compression::RULE,
    &single_stream::RULE,
    &sender_cpu::RULE,
    &sender_idle::RULE,
    &send_buffer::RULE,
    &receiver_cpu::RULE,
    &receive_window::RULE,
    &ring_overflow::RULE,
    &softnet_backlog::RULE,
    &pause_frames::RULE,
    &rdma_congestion::RULE,
    &mtu_mismatch::RULE,
    &wrong_link::RULE,
    &storage_on_link::RULE,
    &link_shared::RULE,
    &link_degraded::RULE,
    &pcie_limited::RULE,
    &link_saturated::RULE,
    &traffic_shaping::RULE,
    &packet_loss::RULE,
    &rdma_unused::RULE,
    &path_congestion::RULE,
];

/// The cause of what no rule explains.
pub const UNKNOWN: &str = "unknown";

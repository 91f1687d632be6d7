//! Why a migration is slow: one file and one line for each cause. A rule is judged alone; `verdicts` puts what they
//! say together.

pub mod bandwidth_cap;
pub mod contract;
pub mod dirty_pages;
pub mod link_saturated;
pub mod link_shared;
pub mod packet_loss;
pub mod path_congestion;
pub mod receive_window;
pub mod receiver_cpu;
pub mod ring_overflow;
pub mod send_buffer;
pub mod sender_cpu;
pub mod sender_idle;
pub mod softnet_backlog;
pub mod traffic_shaping;
pub mod window;

use contract::Rule;

/// All rules. Within a pool the first that holds takes its share, and the next ones share what is left: what is
/// proven by a counter of its own stands before what is concluded from the others' absence.
pub static RULES: &[&Rule] = &[
    &dirty_pages::RULE,
    &bandwidth_cap::RULE,
    &sender_cpu::RULE,
    &sender_idle::RULE,
    &send_buffer::RULE,
    &receiver_cpu::RULE,
    &receive_window::RULE,
    &ring_overflow::RULE,
    &softnet_backlog::RULE,
    &link_shared::RULE,
    &link_saturated::RULE,
    &traffic_shaping::RULE,
    &packet_loss::RULE,
    &path_congestion::RULE,
];

/// The cause of what no rule explains.
pub const UNKNOWN: &str = "unknown";

//! SHELL. The kernel, hypervisors and remote hosts, read into blocks. One file a source, one line in `SOURCES`.
//!
//! Imports `sample` only. A source parses apart from reading: `parse` is pure and tested on captured bytes.

pub mod bonding;
pub mod contract;
pub mod cpus;
#[cfg(test)]
mod fixture;
pub mod interrupts;
pub mod line_error;
pub mod link_counters;
pub mod links;
pub mod pcie;
pub mod pressure;
pub mod rdma;
pub mod rows;
pub mod softnet;
pub mod sysctls;
pub mod tcp_counters;
pub mod transport;

use contract::SourceInfo;

/// All sources, in the order in which they are asked. `links` is first: the others speak of its rows.
pub static SOURCES: &[&SourceInfo] = &[
    &links::SOURCE,
    &link_counters::SOURCE,
    &softnet::SOURCE,
    &tcp_counters::SOURCE,
    &interrupts::SOURCE,
    &pressure::SOURCE,
    &sysctls::SOURCE,
    &pcie::SOURCE,
    &bonding::SOURCE,
    &rdma::SOURCE,
];

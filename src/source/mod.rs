//! SHELL. The kernel, hypervisors and remote hosts, read into blocks. One file a source, one line in `SOURCES`.
//!
//! Imports `sample` only. A source parses apart from reading: `parse` is pure and tested on captured bytes.

pub mod bonding;
pub mod channels;
pub mod coalescing;
pub mod contract;
pub mod cpus;
pub mod driver_statistics;
pub mod driver_table;
pub mod ethernet_statistics;
pub mod features;
pub mod fec;
#[cfg(test)]
mod fixture;
pub mod flows;
pub mod interrupts;
pub mod libvirt;
pub mod line_error;
pub mod link_bursts;
pub mod link_counters;
pub mod link_modes;
pub mod links;
pub mod pause;
pub mod pcie;
pub mod pressure;
pub mod processes;
pub mod processors;
pub mod qdiscs;
pub mod qmp;
pub mod queue_statistics;
pub mod rdma;
pub mod rings;
pub mod rows;
pub mod softnet;
pub mod started;
pub mod storage;
pub mod sysctls;
pub mod tcp_counters;
pub mod threads;
pub mod transport;

use contract::SourceInfo;

/// All sources, in the order in which they are asked. `links` is first: the others speak of its rows.
pub static SOURCES: &[&SourceInfo] = &[
    &links::SOURCE,
    &link_counters::SOURCE,
    &link_bursts::SOURCE,
    &qdiscs::SOURCE,
    &driver_statistics::SOURCE,
    &pause::SOURCE,
    &queue_statistics::SOURCE,
    &channels::SOURCE,
    &coalescing::SOURCE,
    &ethernet_statistics::SOURCE,
    &features::SOURCE,
    &fec::SOURCE,
    &link_modes::SOURCE,
    &rings::SOURCE,
    &softnet::SOURCE,
    &tcp_counters::SOURCE,
    &interrupts::SOURCE,
    &pressure::SOURCE,
    &sysctls::SOURCE,
    &pcie::SOURCE,
    &bonding::SOURCE,
    &rdma::SOURCE,
    &started::SOURCE,
    &processes::SOURCE,
    &flows::SOURCE,
    &threads::SOURCE,
    &storage::SOURCE,
    &processors::SOURCE,
    &qmp::SOURCE,
    &libvirt::SOURCE,
];

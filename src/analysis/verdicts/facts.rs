//! What the host's tables say of one link as hardware, as counts so far: the raw side of `rules::wire::Wire`.

use crate::analysis::rules::wire::Bond;
use crate::sample::block::Block;
use crate::sample::link::Link;
use crate::sample::metric::Metric;
use crate::source::contract::Fact;
use crate::source::rdma::fields as rdma;
use crate::source::{bonding, fec, link_counters, link_modes, pause, pcie};
use std::sync::Arc;

/// One link. Counters are as they stand; what was not told is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Facts {
    /// Bytes a second of its fastest mode.
    pub speed_max: Option<u64>,
    /// It runs in half duplex.
    pub half_duplex: bool,
    /// Pause frames received and sent.
    pub pauses: [Option<u64>; 2],
    /// Bytes a second that PCIe gives it.
    pub pcie: Option<u64>,
    /// Packets received.
    pub packets: Option<u64>,
    /// Packets received with an error of the wire.
    pub errors: Option<u64>,
    /// Blocks that were beyond mending.
    pub uncorrectable: Option<u64>,
    /// How often the carrier came or went.
    pub carrier_changes: Option<u64>,
    /// Its members.
    pub bond: Option<Bond>,
    /// Its RDMA port.
    pub rdma: Option<Rdma>,
}

/// An RDMA port's counters; of the pairs, the first is the sender's.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rdma {
    /// It is active.
    pub active: bool,
    /// Bytes sent and received.
    pub bytes: [Option<u64>; 2],
    /// Packets sent and received.
    pub packets: [Option<u64>; 2],
    /// Congestion notifications handled and sent.
    pub notifications: [Option<u64>; 2],
    /// Negative acknowledgements heard, and packets dropped for want of a buffer.
    pub losses: [Option<u64>; 2],
    /// Timeouts of the sender.
    pub timeouts: Option<u64>,
}

impl Facts {
    /// Takes in one source's newest tables, and what it says for `link_info`.
    pub fn note(&mut self, source: &str, blocks: &[Arc<Block>], said: &[Fact], link: &Link) {
        let value = |metric| blocks.iter().find_map(|block| of_link(block, metric, link));
        match source {
            source if source == link_modes::SOURCE.name => {
                self.speed_max = value(&link_modes::SPEED_MAX).filter(|_| link.has_real_modes());
                let half = |fact: &Fact| fact.label == "duplex" && fact.value == "half";
                self.half_duplex = said.iter().any(|fact| fact.key == link.key && half(fact));
            }
            source if source == pause::SOURCE.name => {
                self.pauses = [value(&pause::RECEIVED), value(&pause::SENT)];
            }
            source if source == pcie::SOURCE.name => self.pcie = value(&pcie::BANDWIDTH),
            source if source == fec::SOURCE.name => self.uncorrectable = value(&fec::UNCORRECTABLE_BLOCKS),
            source if source == link_counters::SOURCE.name => {
                self.packets = value(&link_counters::RECEIVE_PACKETS);
                self.errors = sum([value(&link_counters::CRC_ERRORS), value(&link_counters::FRAME_ERRORS)]);
            }
            source if source == bonding::SOURCE.name => {
                self.bond = value(&bonding::MEMBERS).map(|members| Bond {
                    members,
                    up: value(&bonding::MEMBERS_UP),
                    active: value(&bonding::MEMBERS_ACTIVE),
                    balances: blocks.iter().any(|block| balances(block, link)),
                });
            }
            source if source == crate::source::rdma::SOURCE.name => {
                self.rdma = blocks.iter().find_map(|block| port(block, link));
            }
            _ => {}
        }
    }
}

/// Whether `bond_info` says that a bond spreads its traffic.
fn balances(block: &Block, link: &Link) -> bool {
    let label = |row, name| block.subjects.label(row, name).unwrap_or_default();
    column(block, &bonding::INFO).is_some()
        && (0..block.rows()).any(|row| {
            let mode = label(row, "mode");
            label(row, "device") == link.name && !mode.is_empty() && mode != "active-backup"
        })
}

/// The place of a metric's only column.
pub fn column(block: &Block, metric: &'static Metric) -> Option<usize> {
    block.columns.iter().position(|column| std::ptr::eq(column.metric, metric))
}

/// An integer of a link's own row.
pub fn of_link(block: &Block, metric: &'static Metric, link: &Link) -> Option<u64> {
    block.cell(column(block, metric)?, block.subjects.row_of(link.key)?).as_integer()
}

/// A link's RDMA port: by its name, because ports have keys of their own. Of several an active one.
fn port(block: &Block, link: &Link) -> Option<Rdma> {
    column(block, &rdma::ACTIVE)?;
    let rows = (0..block.rows())
        .filter(|row| block.subjects.label(*row, "device").as_deref() == Some(link.name.as_str()));
    let value = |row, metric| block.cell(column(block, metric)?, row).as_integer();
    let row = rows.max_by_key(|row| value(*row, &rdma::ACTIVE))?;
    let of = |metric| value(row, metric);
    Some(Rdma {
        active: of(&rdma::ACTIVE) == Some(1),
        bytes: [of(&rdma::TRANSMIT_BYTES), of(&rdma::RECEIVE_BYTES)],
        packets: [of(&rdma::TRANSMIT_PACKETS), of(&rdma::RECEIVE_PACKETS)],
        notifications: [of(&rdma::CNP_HANDLED), of(&rdma::CNP_SENT)],
        losses: [sum([of(&rdma::SEQUENCE_ERRORS), of(&rdma::NOT_READY)]), of(&rdma::OUT_OF_BUFFER)],
        timeouts: of(&rdma::ACK_TIMEOUTS),
    })
}

/// What is known of two counts together; `None` if neither is.
fn sum(counts: [Option<u64>; 2]) -> Option<u64> {
    match counts {
        [None, None] => None,
        [a, b] => Some(a.unwrap_or(0) + b.unwrap_or(0)),
    }
}

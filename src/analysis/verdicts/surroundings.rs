//! What the host's other tables say of the links: speed, shapers, overflows; kept from their newest blocks.

use crate::sample::block::Block;
use crate::sample::link::{Index, Links};
use crate::source::{driver_statistics, link_bursts, link_modes, qdiscs, softnet};
use std::collections::HashMap;

/// One link.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct About {
    /// Bytes received and sent so far.
    pub bytes: Option<[u64; 2]>,
    /// Bytes a second that its driver says it runs at.
    pub speed: Option<u64>,
    /// Bytes a second that a queueing discipline holds it to.
    pub shaped: Option<u64>,
    /// How often that has held packets back so far.
    pub overlimits: Option<u64>,
    /// It did between its last two readings.
    pub held_back: bool,
    /// Bytes that wait in it.
    pub backlog: Option<u64>,
    /// Overflows of the receive ring.
    pub ring_overflows: Option<u64>,
}

/// All links and the CPUs.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    links: HashMap<Index, About>,
    /// Packets dropped from the CPUs' backlogs.
    pub softnet_dropped: Option<u64>,
}

impl Surroundings {
    /// A link.
    pub fn link(&self, index: Index) -> About {
        self.links.get(&index).copied().unwrap_or_default()
    }

    /// Takes in a source's newest table.
    pub fn note(&mut self, block: &Block, links: &Links) {
        match block.source {
            source if source == link_bursts::SOURCE.name => self.note_bytes(block, links),
            source if source == link_modes::SOURCE.name => {
                self.note_column(block, links, &link_modes::SPEED, |about, value| about.speed = value);
            }
            source if source == driver_statistics::SOURCE.name => {
                let set = |about: &mut About, value| about.ring_overflows = value;
                self.note_column(block, links, &driver_statistics::RING_OVERFLOWS, set);
            }
            source if source == qdiscs::SOURCE.name => self.note_qdiscs(block, links),
            source if source == softnet::SOURCE.name => {
                let column = block
                    .columns
                    .iter()
                    .position(|column| std::ptr::eq(column.metric, &raw const softnet::DROPPED));
                self.softnet_dropped = column.map(|column| {
                    (0..block.rows()).filter_map(|row| block.cell(column, row).as_integer()).sum()
                });
            }
            _ => {}
        }
    }

    fn note_bytes(&mut self, block: &Block, links: &Links) {
        for (row, key) in block.subjects.keys().iter().enumerate() {
            let Some(link) = links.all().iter().find(|link| link.key == *key) else { continue };
            let of = |column| block.cell(column, row).as_integer();
            if let (Some(received), Some(sent)) = (of(0), of(1)) {
                self.links.entry(link.index).or_default().bytes = Some([received, sent]);
            }
        }
    }

    fn note_column(
        &mut self,
        block: &Block,
        links: &Links,
        metric: &'static crate::sample::metric::Metric,
        set: impl Fn(&mut About, Option<u64>),
    ) {
        let Some(column) = block.columns.iter().position(|column| std::ptr::eq(column.metric, metric)) else {
            return;
        };
        for (row, key) in block.subjects.keys().iter().enumerate() {
            if let Some(link) = links.all().iter().find(|link| link.key == *key) {
                set(self.links.entry(link.index).or_default(), block.cell(column, row).as_integer());
            }
        }
    }

    /// Of a link's disciplines and classes the one with the lowest rate is what holds it.
    fn note_qdiscs(&mut self, block: &Block, links: &Links) {
        let at = |metric| block.columns.iter().position(|column| std::ptr::eq(column.metric, metric));
        let Some(rate) = at(&raw const qdiscs::RATE).or(at(&raw const qdiscs::CLASS_CEIL)) else { return };
        let is_qdisc = at(&raw const qdiscs::RATE).is_some();
        let overlimits = at(&raw const qdiscs::OVERLIMITS).or(at(&raw const qdiscs::CLASS_OVERLIMITS));
        let backlog = at(&raw const qdiscs::BACKLOG_BYTES).or(at(&raw const qdiscs::CLASS_BACKLOG_BYTES));
        let before: HashMap<Index, Option<u64>> =
            self.links.iter().map(|(index, about)| (*index, about.overlimits)).collect();
        if is_qdisc {
            self.links.values_mut().for_each(|about| (about.shaped, about.overlimits) = (None, None));
        }
        for row in 0..block.rows() {
            let Some(rate) = block.cell(rate, row).as_integer().filter(|rate| *rate > 0) else { continue };
            let name = block.subjects.label(row, "device").unwrap_or_default();
            let Some(link) = links.all().iter().find(|link| link.name == name) else { continue };
            let about = self.links.entry(link.index).or_default();
            let of = |column: Option<usize>| block.cell(column?, row).as_integer();
            if about.shaped.is_none_or(|known| rate < known) {
                (about.shaped, about.overlimits, about.backlog) = (Some(rate), of(overlimits), of(backlog));
                let earlier = before.get(&link.index).copied().flatten();
                about.held_back = about.overlimits.zip(earlier).is_some_and(|(now, earlier)| now > earlier);
            }
        }
    }
}

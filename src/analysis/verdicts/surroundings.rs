//! What the host's other tables say of the links that migrations run over: speed, shapers, overflows; kept from their
//! newest blocks. Nothing is looked at while nothing moves.

use crate::sample::block::Block;
use crate::sample::link::{Index, Link, Links};
use crate::sample::metric::Metric;
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::Key;
use crate::source::{driver_statistics, link_bursts, link_modes, qdiscs, softnet};
use std::collections::HashMap;
use std::sync::Arc;

/// One link.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct About {
    /// Bytes received and sent so far.
    pub bytes: Option<[u64; 2]>,
    /// Bytes a second that its driver says it runs at.
    pub speed: Option<u64>,
    /// The queueing discipline or class with the lowest rate.
    pub shaper: Option<Shaper>,
    /// Overflows of the receive ring.
    pub ring_overflows: Option<u64>,
}

/// What holds a link to a rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shaper {
    /// Of its row, which is never used again.
    key: Key,
    read_at: Monotonic,
    overlimits: Option<u64>,
    /// Bytes a second that it lets through.
    pub rate: u64,
    /// Whether it held packets back between its last two readings; `None` after the first.
    pub held_back: Option<bool>,
    /// Bytes that wait in it.
    pub backlog: Option<u64>,
}

/// The links that are followed, and the CPUs.
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

    /// Takes in the newest tables of one source, as far as they speak of these links.
    pub fn note(&mut self, source: &str, blocks: &[Arc<Block>], links: &Links, followed: &[Index]) {
        if followed.is_empty() {
            self.links.clear();
            return;
        }
        self.links.retain(|index, _| followed.contains(index));
        if source == softnet::SOURCE.name {
            self.softnet_dropped = blocks.first().and_then(|block| sum(block, &softnet::DROPPED));
        }
        for link in followed.iter().filter_map(|index| links.get(*index)) {
            let about = self.links.entry(link.index).or_default();
            match source {
                source if source == qdiscs::SOURCE.name => about.shaper = shaper(blocks, link, about.shaper),
                source => {
                    if let Some(block) = blocks.first() {
                        about.note(source, block, link);
                    }
                }
            }
        }
    }
}

impl About {
    fn note(&mut self, source: &str, block: &Block, link: &Link) {
        let value =
            |metric| block.cell(column(block, metric)?, block.subjects.row_of(link.key)?).as_integer();
        match source {
            source if source == link_bursts::SOURCE.name => {
                let both = block
                    .subjects
                    .row_of(link.key)
                    .map(|row| [0, 1].map(|way| block.cell(way, row).as_integer()));
                if let Some([Some(received), Some(sent)]) = both {
                    self.bytes = Some([received, sent]);
                }
            }
            source if source == link_modes::SOURCE.name => self.speed = value(&link_modes::SPEED),
            source if source == driver_statistics::SOURCE.name => {
                self.ring_overflows = value(&driver_statistics::RING_OVERFLOWS);
            }
            _ => {}
        }
    }
}

fn column(block: &Block, metric: &'static Metric) -> Option<usize> {
    block.columns.iter().position(|column| std::ptr::eq(column.metric, metric))
}

fn sum(block: &Block, metric: &'static Metric) -> Option<u64> {
    let column = column(block, metric)?;
    Some((0..block.rows()).filter_map(|row| block.cell(column, row).as_integer()).sum())
}

/// Of a link's disciplines and classes the one with the lowest rate, beside what was known of it.
fn shaper(blocks: &[Arc<Block>], link: &Link, before: Option<Shaper>) -> Option<Shaper> {
    let all = blocks.iter().flat_map(|block| shapers(block, link));
    let now = all.min_by_key(|shaper| shaper.rate)?;
    let held_back = match before.filter(|before| before.key == now.key) {
        // The same reading again.
        Some(before) if before.read_at == now.read_at => before.held_back,
        Some(before) => now.overlimits.zip(before.overlimits).map(|(now, before)| now > before),
        None => None,
    };
    Some(Shaper { held_back, ..now })
}

/// Those of one table: of disciplines, or of classes.
fn shapers<'a>(block: &'a Block, link: &'a Link) -> impl Iterator<Item = Shaper> + 'a {
    let either = |of_qdisc, of_class| column(block, of_qdisc).or_else(|| column(block, of_class));
    let rate = either(&qdiscs::RATE, &qdiscs::CLASS_CEIL);
    let overlimits = either(&qdiscs::OVERLIMITS, &qdiscs::CLASS_OVERLIMITS);
    let backlog = either(&qdiscs::BACKLOG_BYTES, &qdiscs::CLASS_BACKLOG_BYTES);
    (0..block.rows()).filter_map(move |row| {
        let of = |column: Option<usize>| block.cell(column?, row).as_integer();
        let rate = of(rate).filter(|rate| *rate > 0)?;
        (block.subjects.label(row, "device")? == link.name).then(|| Shaper {
            key: block.subjects.keys()[row],
            read_at: block.read_at,
            overlimits: of(overlimits),
            rate,
            held_back: None,
            backlog: of(backlog),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::Surroundings;
    use crate::sample::block::Block;
    use crate::sample::cell::Cell;
    use crate::sample::link::{Link, Links};
    use crate::sample::metric::Column;
    use crate::sample::monotonic::Monotonic;
    use crate::sample::subject::SubjectsBuilder;
    use crate::source::qdiscs;
    use std::sync::Arc;
    use std::time::Duration;

    static QDISCS: [Column; 2] = [Column::of(&qdiscs::RATE), Column::of(&qdiscs::OVERLIMITS)];
    static CLASSES: [Column; 2] = [Column::of(&qdiscs::CLASS_CEIL), Column::of(&qdiscs::CLASS_OVERLIMITS)];

    fn table(second: u64, columns: &'static [Column], rate: u64, overlimits: u64) -> Arc<Block> {
        let mut list = SubjectsBuilder::default();
        list.row(9).label("device", "eth0");
        let mut block =
            Block::new("qdiscs", Monotonic(Duration::from_secs(second)), columns, Arc::new(list.build()));
        block.set_row(0, [Cell::integer(rate), Cell::integer(overlimits)]);
        Arc::new(block)
    }

    #[test]
    fn a_class_that_holds_back_is_seen_from_its_second_reading_on() {
        let links = Links::new(1, vec![Link { index: 3, name: "eth0".into(), ..Link::default() }], None);
        let mut around = Surroundings::default();
        let mut held_back = |second, overlimits| {
            let blocks = [table(second, &QDISCS, 0, 0), table(second, &CLASSES, 5_000_000, overlimits)];
            around.note("qdiscs", &blocks, &links, &[3]);
            around.link(3).shaper.map(|shaper| (shaper.rate, shaper.held_back))
        };
        assert_eq!(held_back(1, 10), Some((5_000_000, None)));
        assert_eq!(held_back(2, 17), Some((5_000_000, Some(true))));
        assert_eq!(held_back(2, 17), Some((5_000_000, Some(true))), "the same reading says nothing new");
        assert_eq!(held_back(3, 17), Some((5_000_000, Some(false))));
        around.note("qdiscs", &[], &links, &[]);
        assert_eq!(around.link(3).shaper, None, "nothing moves");
    }
}

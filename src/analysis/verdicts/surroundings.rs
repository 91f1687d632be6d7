//! What the host's other tables say of the links that migrations run over: speed, shapers, overflows; kept from their
//! newest blocks. Nothing is looked at while nothing moves.

use super::facts::{column, of_link, Facts};
use crate::sample::block::Block;
use crate::sample::flow::Egress;
use crate::sample::guest::Followed;
use crate::sample::link::{Index, Link, Links};
use crate::sample::metric::Metric;
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::Key;
use crate::source::contract::Fact;
use crate::source::{driver_statistics, link_bursts, link_modes, processors, qdiscs, softnet, storage};
use crate::topology::path;
use std::collections::HashMap;
use std::sync::Arc;

/// One link.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct About {
    /// Bytes received and sent so far, and when that was read.
    pub bytes: Option<(Monotonic, [u64; 2])>,
    /// Bytes a second that its driver says it runs at.
    pub speed: Option<u64>,
    /// The queueing discipline or class with the lowest rate.
    pub shaper: Option<Shaper>,
    /// When its disciplines were first and last looked at.
    pub(super) queues: Option<[Monotonic; 2]>,
    /// Overflows of the receive ring.
    pub ring_overflows: Option<u64>,
    /// Bytes that storage connections of this host received and sent over it, and when that was counted.
    pub storage: Option<(Monotonic, [u64; 2])>,
    /// What it is as hardware.
    pub facts: Facts,
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
    /// Physical links beside those: one of them may be the better way.
    others: Vec<Index>,
    /// Packets dropped from the CPUs' backlogs.
    pub softnet_dropped: Option<u64>,
    /// Milliseconds that the processors were idle, all together, and when that was read.
    pub idle: Option<(Monotonic, u64)>,
}

/// The tables of one source, and what it says for `link_info`.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// Its name.
    pub source: &'a str,
    /// Its newest tables.
    pub blocks: &'a [Arc<Block>],
    /// Its labels of links.
    pub facts: &'a [Fact],
}

/// Payload of TCP with time stamps in frames of 1500 bytes: 1448 of 1538.
const GOODPUT: f64 = 0.9415;
/// So many other links are looked at; a host has few that are physical.
const MOST_OTHERS: usize = 16;

impl Surroundings {
    /// A link.
    pub fn link(&self, index: Index) -> About {
        self.links.get(&index).copied().unwrap_or_default()
    }

    /// Bytes of payload a second that the narrowest of these links can carry: what its shaper lets through, or its speed,
    /// less the headers at an MTU of 1500. `None` if neither is known of any.
    pub fn payload(&self, way: &[Index]) -> Option<f64> {
        let ceilings = way.iter().filter_map(|index| {
            let about = self.links.get(index)?;
            about.shaper.map(|shaper| shaper.rate).into_iter().chain(about.speed).min()
        });
        ceilings.min().map(|least| least as f64 * GOODPUT)
    }

    /// The physical links that no migration runs over.
    pub fn others(&self) -> &[Index] {
        &self.others
    }

    /// Takes in the newest tables of one source, as far as they speak of these links.
    pub fn note(&mut self, said: Said<'_>, links: &Links, followed: &Followed) {
        if followed.links.is_empty() && followed.wanted.is_empty() {
            *self = Self::default();
            return;
        }
        self.watch(links, &followed.links);
        match said.source {
            source if source == softnet::SOURCE.name => {
                self.softnet_dropped = said.blocks.first().and_then(|block| sum(block, &softnet::DROPPED));
            }
            source if source == processors::SOURCE.name => {
                let block = said.blocks.first();
                self.idle = block.and_then(|block| Some((block.read_at, sum(block, &processors::IDLE)?)));
            }
            source if source == storage::SOURCE.name => {
                let counts = |block: &&Arc<Block>| std::ptr::eq(block.columns, &raw const storage::COLUMNS);
                return self.note_storage(said.blocks.iter().find(counts), links);
            }
            _ => {}
        }
        for (index, about) in &mut self.links {
            let Some(link) = links.get(*index) else { continue };
            match said.source {
                source if source == qdiscs::SOURCE.name => {
                    about.shaper = shaper(said.blocks, link, about.shaper);
                    if let Some(block) = said.blocks.first() {
                        let first = about.queues.map_or(block.read_at, |[first, _]| first);
                        about.queues = Some([first, block.read_at]);
                    }
                }
                source => {
                    if let Some(block) = said.blocks.first() {
                        about.note(source, block, link);
                        about.facts.note(source, said.blocks, said.facts, link);
                    }
                }
            }
        }
    }

    /// The links that are followed, and the physical ones beside them.
    fn watch(&mut self, links: &Links, followed: &[Index]) {
        let beside = links.exported().iter().filter(|link| link_bursts::is_followed(link));
        let beside = beside.map(|link| link.index).filter(|index| !followed.contains(index));
        self.others = beside.take(MOST_OTHERS).collect();
        let others = &self.others;
        self.links.retain(|index, _| followed.contains(index) || others.contains(index));
        for index in followed.iter().chain(others) {
            self.links.entry(*index).or_default();
        }
    }

    /// Storage connections count for every link on their way. Over a bond nobody knows by which member each goes: they are
    /// taken to be spread.
    fn note_storage(&mut self, block: Option<&Arc<Block>>, links: &Links) {
        for about in self.links.values_mut() {
            about.storage = block.map(|block| (block.read_at, [0, 0]));
        }
        let Some(block) = block else { return };
        for (row, key) in block.subjects.keys().iter().enumerate() {
            let Some(link) = links.all().iter().find(|link| link.key == *key) else { continue };
            let egress = Egress { index: link.index, name: link.name.clone(), ..Egress::default() };
            let way = path::of(&egress, links);
            let moved = [0, 1].map(|way| block.cell(way, row).as_integer().unwrap_or(0));
            for index in &way.links {
                let parts = if way.members.contains(index) { way.members.len() as u64 } else { 1 };
                if let Some((_, sum)) = self.links.get_mut(index).and_then(|about| about.storage.as_mut()) {
                    *sum = [0, 1].map(|at| sum[at] + moved[at] / parts);
                }
            }
        }
    }
}

impl About {
    /// Whether its disciplines are known. Those of a hidden link are read once it is followed: not yet in the first table.
    pub fn queues_seen(&self, exported: bool) -> bool {
        exported || self.queues.is_some_and(|[first, last]| last > first)
    }

    fn note(&mut self, source: &str, block: &Block, link: &Link) {
        let value = |metric| of_link(block, metric, link);
        match source {
            source if source == link_bursts::SOURCE.name => {
                let both = block
                    .subjects
                    .row_of(link.key)
                    .map(|row| [0, 1].map(|way| block.cell(way, row).as_integer()));
                if let Some([Some(received), Some(sent)]) = both {
                    self.bytes = Some((block.read_at, [received, sent]));
                }
            }
            source if source == link_modes::SOURCE.name => {
                self.speed = value(&link_modes::SPEED).filter(|_| link.has_real_speed());
            }
            source if source == driver_statistics::SOURCE.name => {
                self.ring_overflows = value(&driver_statistics::RING_OVERFLOWS);
            }
            _ => {}
        }
    }
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
    use super::{Said, Surroundings};
    use crate::sample::block::Block;
    use crate::sample::cell::Cell;
    use crate::sample::guest::Followed;
    use crate::sample::link::{Link, Links};
    use crate::sample::metric::Column;
    use crate::sample::monotonic::Monotonic;
    use crate::sample::subject::SubjectsBuilder;
    use crate::source::{qdiscs, storage};
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

    fn follow(links: &[u32]) -> Followed {
        Followed { links: links.to_vec(), ..Followed::default() }
    }

    #[test]
    fn storage_counts_for_every_link_on_its_way() {
        let link = |index, name: &str, kind: &'static str, master, lower| Link {
            key: u64::from(index) + 100,
            index,
            name: name.into(),
            kind: kind.into(),
            master,
            lower,
            oper_up: true,
            ..Link::default()
        };
        let list = vec![
            link(1, "ens1", "physical", Some(3), None),
            link(2, "ens2", "physical", Some(3), None),
            link(3, "bond0", "bond", None, None),
            link(4, "bond0.7", "vlan", None, Some(3)),
            link(5, "ens5", "physical", None, None),
        ];
        let links = Links::new(1, list, None);
        let mut around = Surroundings::default();
        let mut rows = SubjectsBuilder::default();
        rows.row(104).label("device", "bond0.7");
        let mut block = Block::new(
            "storage",
            Monotonic(Duration::from_secs(1)),
            &storage::COLUMNS,
            Arc::new(rows.build()),
        );
        block.set_row(0, [Cell::integer(1000), Cell::integer(4000)]);
        let blocks = [Arc::new(block)];
        let said = Said { source: "storage", blocks: &blocks, facts: &[] };
        around.note(said, &links, &follow(&[1, 3, 5]));
        let of = |index| around.link(index).storage.map(|(_, bytes)| bytes);
        assert_eq!((of(3), of(1)), (Some([1000, 4000]), Some([500, 2000])));
        assert_eq!((of(5), of(4)), (Some([0, 0]), None), "another way, and a link that nobody watches");
    }

    #[test]
    fn a_class_that_holds_back_is_seen_from_its_second_reading_on() {
        let links = Links::new(1, vec![Link { index: 3, name: "eth0".into(), ..Link::default() }], None);
        let mut around = Surroundings::default();
        let mut held_back = |second, overlimits| {
            let blocks = [table(second, &QDISCS, 0, 0), table(second, &CLASSES, 5_000_000, overlimits)];
            around.note(Said { source: "qdiscs", blocks: &blocks, facts: &[] }, &links, &follow(&[3]));
            around.link(3).shaper.map(|shaper| (shaper.rate, shaper.held_back))
        };
        assert_eq!(held_back(1, 10), Some((5_000_000, None)));
        assert_eq!(held_back(2, 17), Some((5_000_000, Some(true))));
        assert_eq!(held_back(2, 17), Some((5_000_000, Some(true))), "the same reading says nothing new");
        assert_eq!(held_back(3, 17), Some((5_000_000, Some(false))));
        around.note(Said { source: "qdiscs", blocks: &[], facts: &[] }, &links, &follow(&[]));
        assert_eq!(around.link(3).shaper, None, "nothing moves");
    }
}

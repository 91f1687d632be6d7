//! The tables that describe links: `link_info` with all that is known of each, and the attributes of RTM_GETLINK.

use crate::sample::block::Block;
use crate::sample::cell::{Cell, Gap};
use crate::sample::link::{Link, Links};
use crate::sample::metric::{Column, Metric, Unit};
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::{Key, SubjectsBuilder};
use std::sync::Arc;

/// The source that these tables are counted to.
pub const SOURCE: &str = "links";

/// What a link is.
pub static INFO: Metric = Metric::info(
    "link_info",
    "A link, what it is made of and what it is for; ring_overflow_counter says which counter of the driver means that its receive ring overflowed.",
);
/// Whether a link works.
pub static UP: Metric = Metric::gauge("link_up", "Whether the link is operational.", Unit::None);
/// The largest payload.
pub static MTU: Metric = Metric::gauge("link_mtu_bytes", "Largest payload of a frame.", Unit::Bytes);
/// Comings and goings of the carrier.
pub static CARRIER_CHANGES: Metric =
    Metric::counter("link_carrier_changes_total", "How often the carrier came or went.", Unit::None)
        .wraps_at_32_bits();

/// The columns of `link_info`.
pub static INFO_COLUMNS: [Column; 1] = [Column::of(&INFO)];
/// The columns of the attributes.
pub static ATTRIBUTE_COLUMNS: [Column; 3] = [Column::of(&UP), Column::of(&MTU), Column::of(&CARRIER_CHANGES)];

/// The tables of this file, for the lists of metrics.
pub static TABLES: [&[Column]; 2] = [&INFO_COLUMNS, &ATTRIBUTE_COLUMNS];

/// Labels that other sources know (link, name, value), by link.
pub type Facts<'a> = [(Key, &'static str, &'a str)];

/// `link_info`: a row for each link that is shown.
pub fn info(links: &Links, facts: &Facts<'_>, now: Monotonic) -> Block {
    let name_of = |index| links.get(index).map_or("", |link: &Link| link.name.as_str());
    let mut subjects = SubjectsBuilder::default();
    for link in links.exported() {
        subjects.row(link.key).label("device", &link.name).label("driver", &link.hardware().driver);
        subjects.label("kind", &link.kind).label("role", link.role.word());
        subjects.label("master", link.master.map_or("", name_of));
        subjects.label("lower", link.lower.map_or("", name_of)).label("pci", &link.hardware().pci);
        let its = &facts[facts.partition_point(|(key, ..)| *key < link.key)..];
        for (_, name, value) in its.iter().take_while(|(key, ..)| *key == link.key) {
            subjects.label(name, value);
        }
    }
    let mut block = Block::new(SOURCE, now, &INFO_COLUMNS, Arc::new(subjects.build()));
    block.column_mut(0).fill(Cell::integer(1).bits());
    block
}

/// The attributes of every link.
pub fn attributes(links: &Links, now: Monotonic) -> Block {
    let mut block = Block::new(SOURCE, now, &ATTRIBUTE_COLUMNS, Arc::clone(links.subjects()));
    for (row, link) in links.all().iter().enumerate() {
        let cells = [
            Cell::integer(u64::from(link.oper_up)),
            Cell::integer(u64::from(link.mtu)),
            Cell::integer_or(link.carrier_changes, Gap::NotRead),
        ];
        block.set_row(row, cells);
    }
    block
}

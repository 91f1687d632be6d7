//! Links are judged when something has happened on them.

mod events;

use super::{Manner, Survey};
use crate::analysis::flags::table::SLOWS;
use crate::sample::link::{Link, Links};
use crate::sample::monotonic::Monotonic;
use std::sync::Arc;
use std::time::Duration;

/// Bridges over a wire of this MTU, and the wire itself; all judged by their MTUs alone.
fn links(bridges: u32, mtu: u32) -> Vec<Link> {
    let link = |index: u32, name: String, kind: &'static str| Link {
        key: index.into(),
        index,
        name,
        kind: kind.into(),
        mtu: 1500,
        admin_up: true,
        oper_up: true,
        exported: true,
        ..Link::default()
    };
    let wire = Link { mtu, ..link(1, "wire".into(), "physical") };
    let vlan = |index| Link { lower: Some(1), ..link(index, format!("up{index:04}"), "vlan") };
    std::iter::once(wire).chain((2..2 + bridges).map(vlan)).collect()
}

struct Host {
    survey: Survey,
    links: Arc<Links>,
    second: u64,
}

impl Host {
    fn new(list: Vec<Link>) -> Self {
        let links = Arc::new(Links::new(1, list, None));
        Self { survey: Survey::new(Manner { changed: 10, ..Manner::default() }), links, second: 0 }
    }

    /// A tick later: how many links were judged so far, and how many are slow.
    fn tick(&mut self) -> (usize, usize) {
        self.second += 1;
        self.survey.go_on(&[], &self.links, &[], Monotonic(Duration::from_secs(self.second)));
        (self.survey.findings().judged.len(), self.survey.findings().list.len())
    }

    fn relink(&mut self, list: Vec<Link>) {
        self.links = Arc::new(Links::new(2, list, Some(&self.links)));
    }
}

#[test]
fn links_are_judged_by_and_by_and_at_once_when_they_change() {
    let mut host = Host::new(links(23, 1500));
    assert_eq!(host.tick(), (10, 0), "as many as one tick may");
    let ticks = std::iter::repeat_with(|| host.tick()).take(7).last();
    assert_eq!(ticks, Some((24, 0)));
    let mut changed = links(23, 1500);
    changed[20].mtu = 9000;
    host.relink(changed.clone());
    assert_eq!(host.tick(), (24, 1), "the one that has changed");
    assert_eq!(host.survey.findings().list[0].device, changed[20].name);
    changed[20].oper_up = false;
    host.relink(changed.clone());
    assert_eq!(host.tick(), (23, 0), "a link that is down is not judged");
    changed[20].oper_up = true;
    host.relink(changed.clone());
    assert_eq!(host.tick(), (24, 1));
    changed.remove(20);
    host.relink(changed);
    assert_eq!(host.tick(), (23, 0), "it is gone");
}

#[test]
fn what_stands_on_a_changed_link_is_judged_with_it() {
    let mut host = Host::new(links(5, 1500));
    (0..5).for_each(|_| _ = host.tick());
    host.relink(links(5, 1400));
    assert_eq!(host.tick().1, 5);
}

#[test]
fn a_host_of_many_links_shows_the_slow_ones_only() {
    let mut list = links(1200, 1500);
    list[7].mtu = 9000;
    let mut host = Host::new(list);
    host.survey.manner = Manner::at_once();
    host.tick();
    let block = host.survey.block().expect("a table");
    assert_eq!(block.rows(), 2, "a row for each phase");
    let column = block.columns.iter().position(|column| column.label == Some(("cause", "mtu_mismatch")));
    let column = column.expect("a column");
    assert!(std::ptr::eq(block.columns[column].metric, &raw const SLOWS));
    assert_eq!(block.cell(column, 0).as_integer(), Some(1));
    assert_eq!(block.subjects.label(1, "phase").as_deref(), Some("state_transfer"));
}

//! What happens on one of many quiet links is seen at the next tick, long before its turn.

use super::super::{Manner, Survey};
use crate::sample::block::Block;
use crate::sample::cell::Cell;
use crate::sample::link::{Link, Links};
use crate::sample::metric::Column;
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::SubjectsBuilder;
use crate::source::link_counters::{MISSED, RECEIVE_BYTES, RECEIVE_PACKETS, TRANSMIT_BYTES};
use crate::source::{link_counters, link_modes, qdiscs};
use std::sync::Arc;
use std::time::Duration;

static COUNTERS: [Column; 4] = [
    Column::of(&RECEIVE_BYTES),
    Column::of(&TRANSMIT_BYTES),
    Column::of(&RECEIVE_PACKETS),
    Column::of(&MISSED),
];
static MODES: [Column; 2] = [Column::of(&link_modes::SPEED), Column::of(&link_modes::SPEED_MAX)];
static QDISCS: [Column; 2] = [Column::of(&qdiscs::BYTES), Column::of(&qdiscs::RATE)];

const LINKS: usize = 3000;
/// The link that something happens on.
const PLACE: usize = 1500;

struct Host {
    survey: Survey,
    links: Arc<Links>,
    second: u64,
    missed: u64,
    speed: u64,
    rate: u64,
    bytes: u64,
}

impl Host {
    /// A host whose links have all been judged.
    fn new() -> Self {
        let link = |key: usize| Link {
            key: key as u64,
            index: key as u32,
            name: format!("ens{key:04}"),
            kind: "physical".into(),
            hardware: Some(Box::default()),
            role: crate::sample::link::Role::Physical,
            mtu: 1500,
            admin_up: true,
            oper_up: true,
            exported: true,
            ..Link::default()
        };
        let links = Arc::new(Links::new(1, (1..=LINKS).map(link).collect(), None));
        let survey = Survey::new(Manner::default());
        let mut host = Self { survey, links, second: 0, missed: 0, speed: 10, rate: 0, bytes: 0 };
        (0..100).for_each(|_| assert_eq!(host.tick(), Vec::<&str>::new()));
        host
    }

    /// A second later: the causes that are flagged, all of them on the link.
    fn tick(&mut self) -> Vec<&'static str> {
        self.second += 1;
        let now = Monotonic(Duration::from_secs(self.second));
        let of_links = |source, columns| Block::new(source, now, columns, Arc::clone(self.links.subjects()));
        let mut counters = of_links(link_counters::SOURCE.name, &COUNTERS);
        counters.column_mut(2).fill(Cell::integer(self.second * 100).bits());
        for (column, value) in [(0, self.bytes * self.second), (1, 0), (3, self.missed)] {
            counters.column_mut(column).fill(Cell::integer(0).bits());
            counters.set(column, PLACE, Cell::integer(value));
        }
        let mut modes = of_links(link_modes::SOURCE.name, &MODES);
        (0..2).for_each(|column| modes.column_mut(column).fill(Cell::integer(10 << 27).bits()));
        modes.set(0, PLACE, Cell::integer(self.speed << 27));
        let mut rows = SubjectsBuilder::default();
        rows.row(1).label("device", &self.links.all()[PLACE].name).label("kind", "tbf");
        let mut queues = Block::new(qdiscs::SOURCE.name, now, &QDISCS, Arc::new(rows.build()));
        queues.set_row(0, [Cell::integer(0), Cell::integer(self.rate)]);
        let blocks = [counters, modes, queues].map(Arc::new);
        self.survey.go_on(&blocks, &self.links, &[], now);
        let list = &self.survey.findings().list;
        assert!(list.iter().all(|finding| finding.device == self.links.all()[PLACE].name), "{list:?}");
        list.iter().map(|finding| finding.cause).collect()
    }
}

#[test]
fn drops_settings_and_shapers_are_seen_at_once() {
    let mut host = Host::new();
    host.missed = 500;
    assert_eq!(host.tick(), ["ring_overflow"]);
    let ended = (0..320).position(|_| host.tick().is_empty());
    assert!(ended.is_some_and(|ticks| ticks > 120), "it is forgotten: {ended:?}");
    host.speed = 1;
    assert_eq!(host.tick(), ["link_degraded"]);
    host.speed = 10;
    assert_eq!(host.tick(), Vec::<&str>::new());
    host.rate = 5 << 20;
    assert_eq!(host.tick(), ["traffic_shaping"]);
    host.rate = 0;
    assert_eq!(host.tick(), Vec::<&str>::new());
}

#[test]
fn traffic_that_others_begin_is_seen_with_the_parts() {
    let mut host = Host::new();
    host.bytes = 8 << 27;
    host.second = 1000;
    let seen = (0..320).position(|_| host.tick() == ["link_shared"]);
    // Its median must be that of others, which takes half of the parts; then a turn comes within two minutes.
    assert!(seen.is_some_and(|ticks| (10..290).contains(&ticks)), "{seen:?}");
    host.bytes = 0;
}

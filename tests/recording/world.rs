//! Any sequence of ticks, as a host can make them: links and tables that come, go and change their names, gaps, shared
//! tables, verdicts; and what it means that two ticks are equal.
#![allow(dead_code, reason = "every test binary uses a part of it")]

use miglink::record::tick::Tick;
use miglink::sample::block::{Block, Break};
use miglink::sample::cell::{Cell, Gap};
use miglink::sample::flow::{Egress, Flow};
use miglink::sample::frame::{Frame, Outcome, SourceReport};
use miglink::sample::guest::{Followed, Monitor, Process, Wanted};
use miglink::sample::link::{Hardware, Link, Links, Role};
use miglink::sample::metric::{Column, Metric, Unit};
use miglink::sample::monotonic::Monotonic;
use miglink::sample::outlook::{Needed, Outlook, Range, Score};
use miglink::sample::subject::{Subjects, SubjectsBuilder};
use miglink::sample::thread::{Role as Work, Thread};
use miglink::sample::verdict::{Part, PhaseVerdict, Verdict};
use proptest::prelude::{any, prop_oneof, Strategy};
use std::sync::Arc;
use std::time::Duration;

static BYTES: Metric = Metric::counter("x_bytes_total", "Bytes.", Unit::Bytes);
static ENTRIES: Metric = Metric::gauge("x_entries", "Entries.", Unit::None);
static SECONDS: Metric = Metric::gauge("x_seconds", "Seconds.", Unit::Seconds).float();
static INFO: Metric = Metric::info("x_info", "A thing.");
static LINKS: [Column; 3] = [
    Column::labelled(&BYTES, "direction", "receive"),
    Column::labelled(&BYTES, "direction", "transmit"),
    Column::of(&ENTRIES),
];
static OTHERS: [Column; 2] = [Column::of(&SECONDS), Column::of(&ENTRIES)];
static INFOS: [Column; 1] = [Column::of(&INFO)];
const TABLES: [(&str, &[Column]); 3] = [("links", &LINKS), ("others", &OTHERS), ("links", &INFOS)];

/// What happens between two ticks.
#[derive(Debug, Clone)]
pub enum Step {
    /// Links appear, disappear or change, and so do the rows of tables of links.
    Links(Vec<(u64, String, bool)>),
    /// A table is read: which, whose rows, a seed of its cells, whether some are gaps.
    Read { table: usize, rows: Rows, seed: u64, share: u8 },
    /// A table is no longer there.
    Drop(usize),
    /// The tables stand in another order.
    Turn(usize),
    /// Something is said of migrations.
    Say(String, f64),
}

/// Whose rows a table has.
#[derive(Debug, Clone)]
pub enum Rows {
    /// Those of the links.
    Links,
    /// As before.
    Before,
    /// Its own.
    Own(Vec<(u64, String)>),
}

fn rows() -> impl Strategy<Value = Rows> {
    let own = proptest::collection::vec((0..40_u64, "[a-c]{1,2}|\"\\\\\n,=é"), 0..50);
    prop_oneof![Just(Rows::Links), Just(Rows::Before), own.prop_map(Rows::Own)]
}
use proptest::prelude::Just;

/// Any step.
pub fn step() -> impl Strategy<Value = Step> {
    let link = ("[a-z]{1,3}", any::<bool>());
    let links = proptest::collection::btree_map(1..30_u64, link, 0..12)
        .prop_map(|map| Step::Links(map.into_iter().map(|(key, (name, up))| (key, name, up)).collect()));
    let read = (0..TABLES.len(), rows(), any::<u64>(), 0..=255_u8)
        .prop_map(|(table, rows, seed, share)| Step::Read { table, rows, seed, share });
    prop_oneof![
        1 => links,
        6 => read,
        1 => (0..6_usize).prop_map(Step::Drop),
        1 => (0..6_usize).prop_map(Step::Turn),
        1 => ("[ -~]{0,20}", any::<f64>()).prop_map(|(text, number)| Step::Say(text, number)),
    ]
}

/// Plays steps; each makes a tick. The number of milliseconds between them comes with the step.
pub fn play(steps: &[(Step, u32)]) -> Vec<Tick> {
    let mut tick = Tick::default();
    let mut ticks = Vec::new();
    for (step, passed) in steps {
        let mut frame = Frame::clone(&tick.frame);
        let passed = Duration::from_nanos(u64::from(*passed) * 1_000_123);
        frame.monotonic = Monotonic(frame.monotonic.0 + passed);
        frame.wall_ns = frame.wall_ns.max(1_790_000_000_000_000_000) + passed.as_nanos() as u64 + 7;
        tick.fast = passed < Duration::from_millis(500);
        take(&mut tick, &mut frame, step);
        tick.frame = Arc::new(frame);
        ticks.push(tick.clone());
    }
    ticks
}

fn take(tick: &mut Tick, frame: &mut Frame, step: &Step) {
    match step {
        Step::Links(list) => {
            let list = list.iter().map(link).collect();
            frame.links = Arc::new(Links::new(frame.links.generation + 1, list, Some(&frame.links)));
        }
        Step::Read { table, rows, seed, share } => {
            let (source, columns) = TABLES[*table];
            let place = frame.blocks.iter().position(|block| std::ptr::eq(block.columns, columns));
            let before = place.map(|place| Arc::clone(&frame.blocks[place]));
            let subjects = match (rows, &before) {
                (Rows::Links, _) => Arc::clone(frame.links.subjects()),
                (Rows::Before, Some(before)) => Arc::clone(&before.subjects),
                (Rows::Before, None) => Subjects::host(),
                (Rows::Own(list), _) => Arc::new(subjects(list)),
            };
            let mut block = Block::new(source, frame.monotonic, columns, subjects);
            fill(&mut block, before.as_deref(), *seed, *share);
            match place {
                Some(place) => frame.blocks[place] = Arc::new(block),
                None => frame.blocks.push(Arc::new(block)),
            }
        }
        Step::Drop(at) if *at < frame.blocks.len() => _ = frame.blocks.remove(*at),
        Step::Turn(at) if *at < frame.blocks.len() => frame.blocks.rotate_left(*at),
        Step::Drop(_) | Step::Turn(_) => {}
        Step::Say(text, number) => say(tick, frame, text, *number),
    }
}

fn link((key, name, up): &(u64, String, bool)) -> Link {
    let hardware =
        Hardware { driver: "ice".into(), pci: format!("0000:{key:02x}:00.0"), ..Hardware::default() };
    Link {
        key: *key,
        index: *key as u32 + 1,
        name: name.clone(),
        kind: if *up { "physical".into() } else { "veth".to_owned().into() },
        hardware: up.then(|| Box::new(hardware)),
        master: (key % 3 == 0).then_some(1),
        addresses: if *up { vec!["10.0.0.1".parse().unwrap(), "fe80::1".parse().unwrap()] } else { vec![] },
        mtu: 1500,
        admin_up: *up,
        carrier: (key % 2 == 0).then_some(*up),
        carrier_changes: Some(*key),
        role: if *up { Role::Physical } else { Role::Port },
        exported: *up,
        ..Link::default()
    }
}

fn subjects(list: &[(u64, String)]) -> Subjects {
    let mut rows = SubjectsBuilder::default();
    for (at, (key, name)) in list.iter().enumerate() {
        if at == 9 {
            rows.hide_the_rest();
        }
        rows.row(*key).label("thing", name).label("kind", if key % 2 == 0 { "even" } else { "" });
    }
    rows.build()
}

/// Fills cells from a seed: `share` of 256 differ from the reading before.
fn fill(block: &mut Block, before: Option<&Block>, seed: u64, share: u8) {
    let mut state = seed | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let rows = block.rows();
    for column in 0..block.columns.len() {
        for row in 0..rows {
            let old = before.filter(|before| row < before.rows()).map(|before| before.cell(column, row));
            let number = next();
            let cell = match (old, number % 256 < u64::from(share), next() % 8) {
                (Some(old), false, _) => old,
                (_, _, 0) => Cell::gap(
                    [Gap::NotRead, Gap::Unsupported, Gap::Unknown, Gap::Failed, Gap::New]
                        [(number % 5) as usize],
                ),
                (_, _, 1) => Cell::integer(number),
                (_, _, 2) => Cell::float(number as f64 / 7.0),
                (Some(old), ..) => Cell::integer(old.as_integer().unwrap_or(0).wrapping_add(number % 1000)),
                _ => Cell::integer(number % 5),
            };
            block.set(column, row, cell);
        }
    }
    if rows > 0 && seed.is_multiple_of(5) {
        block.breaks = vec![Break { column: 0, row: (seed % rows as u64) as u32 }];
    }
}

fn say(tick: &mut Tick, frame: &mut Frame, text: &str, number: f64) {
    let number = if number.is_nan() { 0.5 } else { number };
    let part = Part { cause: "link_shared", seconds: number, share: 0.25, evidence: text.to_owned() };
    let phase = PhaseVerdict { phase: "memory_copy", parts: vec![part.clone(); text.len() % 3] };
    let now = text.len().is_multiple_of(2).then_some(part);
    frame.verdicts = vec![Verdict { migration: 3, now, phases: vec![phase; text.len() % 2] }];
    let range = Range { p10: 1.0, p50: number, p90: 3.0 };
    frame.outlooks = vec![Outlook {
        migration: 3,
        copy: Some(range),
        pause: (number > 0.0).then_some(range),
        converging: Some(number > 1.0),
        at_least: true,
        needed: Some(Needed { rate: number, downtime_limit: 0.3, throttle: 0.1 }),
        scores: vec![Score { at: 0.25, total_error: 0.1, pause_error: None }; text.len() % 4],
    }];
    let outcome = match text.len() % 6 {
        0 => Outcome::Pending,
        1 => Outcome::Read,
        2 => Outcome::Partly(vec![text.to_owned(), "b".into()]),
        3 => Outcome::Absent(text.to_owned()),
        4 => Outcome::Failed(text.to_owned()),
        _ => Outcome::Stuck(Duration::from_millis(1234)),
    };
    frame.reports = vec![SourceReport { source: "links", outcome, took: Duration::from_micros(77) }];
    let egress = Egress { index: 4, name: text.to_owned(), foreign: true, peer: Some(3), outer: None };
    tick.flows = Arc::new(vec![Flow {
        key: 8,
        namespace: 4_026_531_840,
        local: "10.0.0.1:49152".parse().unwrap(),
        peer: "[fe80::2]:4711".parse().unwrap(),
        owner: Some(5),
        accepted: true,
        egress: Some(egress),
        congestion: "cubic".into(),
        opened: frame.monotonic,
        closed: Some(Monotonic::default()),
        outlived: false,
    }]);
    let thread = Thread { key: 9, process: Some(5), tid: 77, role: Work::Multifd, name: text.into() };
    tick.threads = Arc::new(vec![thread; text.len() % 5]);
    let monitor = Monitor { path: format!("/run/{text}.qmp").into(), exclusive: true };
    let process = Process {
        key: 5,
        pid: 4242,
        name: text.into(),
        uuid: Some("u".into()),
        monitors: vec![monitor],
        ..Process::default()
    };
    let wanted = vec![Wanted { key: 5, paused: number > 0.0 }];
    tick.followed = Arc::new(Followed { generation: 2, processes: vec![process], wanted, links: vec![1, 2] });
}

/// Panics with what differs.
pub fn assert_equal(read: &Tick, written: &Tick) {
    let (a, b) = (&*read.frame, &*written.frame);
    assert_eq!((read.fast, a.wall_ns, a.monotonic), (written.fast, b.wall_ns, b.monotonic));
    assert_eq!((a.links.generation, a.links.all()), (b.links.generation, b.links.all()));
    assert_eq!(a.links.subjects(), b.links.subjects());
    assert_eq!(a.blocks.len(), b.blocks.len());
    for (a, b) in a.blocks.iter().zip(&b.blocks) {
        assert_eq!((a.source, a.read_at, a.columns, &a.breaks), (b.source, b.read_at, b.columns, &b.breaks));
        assert_eq!(a.subjects, b.subjects);
        for column in 0..a.columns.len() {
            assert_eq!(a.column(column), b.column(column), "{}", a.columns[column].metric.name);
        }
    }
    assert_eq!((&a.verdicts, &a.outlooks, &a.reports), (&b.verdicts, &b.outlooks, &b.reports));
    assert_eq!(
        (&read.flows, &read.threads, &read.followed),
        (&written.flows, &written.threads, &written.followed)
    );
}

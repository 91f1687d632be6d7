//! What the recorder costs: bytes a sample, processor time of writing and of reading back. `cargo bench --bench recorder`.
//!
//! The mix is that of a host's series: 45 % stand still, 25 % are busy counters, 15 % slow ones, 10 % noisy integer gauges,
//! 5 % floats. Beside it, ten thousand idle links with twenty of them busy.
#![allow(clippy::disallowed_methods, clippy::expect_used, reason = "a benchmark measures time")]

use miglink::record::envelope::{Head, HEAD, MAGIC};
use miglink::record::segment::{Opening, Reader, Writer};
use miglink::record::tick::Tick;
use miglink::sample::block::Block;
use miglink::sample::cell::Cell;
use miglink::sample::frame::Frame;
use miglink::sample::link::{Link, Links};
use miglink::sample::metric::{Column, Metric, Unit};
use miglink::sample::monotonic::Monotonic;
use std::sync::Arc;
use std::time::{Duration, Instant};

static COUNTER: Metric = Metric::counter("bench_total", "A counter.", Unit::None);
static GAUGE: Metric = Metric::gauge("bench_gauge", "A gauge.", Unit::None);
static FLOAT: Metric = Metric::gauge("bench_float", "A float.", Unit::None).float();
static COLUMNS: [Column; 20] = {
    let mut columns = [Column::of(&COUNTER); 20];
    columns[17] = Column::of(&GAUGE);
    columns[18] = Column::of(&GAUGE);
    columns[19] = Column::of(&FLOAT);
    columns
};

struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn links(count: usize) -> Arc<Links> {
    let link = |at: usize| Link {
        key: at as u64 + 1,
        index: at as u32 + 1,
        name: format!("veth{at:05}"),
        kind: "veth".into(),
        mtu: 1500,
        exported: true,
        ..Link::default()
    };
    Arc::new(Links::new(1, (0..count).map(link).collect(), None))
}

/// The next reading of a table of which the first `busy` rows move.
fn read(before: &Block, second: u64, busy: usize, rates: &[f64], chance: &mut Chance) -> Block {
    let mut block = before.clone();
    block.read_at = Monotonic(Duration::from_nanos(second * 1_000_000_000 + chance.next() % 50_000));
    for (row, rate) in rates.iter().enumerate().take(busy) {
        for column in 9..20 {
            let old = before.cell(column, row);
            let integer = old.as_integer().unwrap_or(0);
            let cell = match column {
                9..=13 => Cell::integer(integer + (rate * (0.9 + 0.2 * chance.share())) as u64),
                14..=16 if chance.share() < 0.1 => Cell::integer(integer + (chance.share() * 50.0) as u64),
                14..=16 => old,
                17..=18 => {
                    let wave = 300.0 * (second as f64 / 40.0).sin();
                    Cell::integer((1000.0 + wave + 50.0 * chance.share()) as u64)
                }
                _ => Cell::float((old.as_float().unwrap_or(200.0) + (chance.share() - 0.5) * 20.0).abs()),
            };
            block.set(column, row, cell);
        }
    }
    block
}

fn ticks(rows: usize, busy: usize, seconds: u64) -> impl Iterator<Item = Tick> {
    let mut chance = Chance(88_172_645_463_325_252);
    let links = links(rows);
    let mut block = Block::new("bench", Monotonic::default(), &COLUMNS, Arc::clone(links.subjects()));
    for row in 0..rows {
        for column in 0..19 {
            block.set(column, row, Cell::integer(if row < busy { chance.next() >> 30 } else { 0 }));
        }
        block.set(19, row, Cell::float(200.0));
    }
    let rates: Vec<f64> = (0..rows).map(|_| chance.share() * 1e9).collect();
    let mut block = Arc::new(block);
    (0..seconds).map(move |second| {
        block = Arc::new(read(&block, second, busy, &rates, &mut chance));
        let frame = Frame {
            wall_ns: 1_790_000_000_000_000_000 + second * 1_000_000_000 + chance.next() % 10_000,
            monotonic: Monotonic(Duration::from_secs(second)),
            links: Arc::clone(&links),
            blocks: vec![Arc::clone(&block)],
            ..Frame::default()
        };
        Tick { frame: Arc::new(frame), ..Tick::default() }
    })
}

fn measure(name: &str, rows: usize, busy: usize, seconds: u64) {
    let (mut bytes, mut out, mut written, mut largest) = (Vec::new(), Vec::new(), Duration::ZERO, 0);
    let mut writer =
        Writer::new(&Opening { wall_ns: 1_790_000_000_000_000_000, ..Opening::default() }, &mut bytes);
    for tick in ticks(rows, busy, seconds) {
        let began = Instant::now();
        writer.add(&tick, &mut out);
        written += began.elapsed();
        largest = largest.max(out.len());
        bytes.append(&mut out);
    }
    let (began, mut reader, mut rest, mut read) =
        (Instant::now(), Reader::default(), &bytes[MAGIC.len()..], 0);
    while let Some(head) = rest.first_chunk::<HEAD>() {
        let head = Head::read(head).expect("a head");
        let (payload, after) = rest[HEAD..].split_at(head.length as usize);
        read += u64::from(reader.take(head.kind, payload).expect("sound").is_some());
        rest = after;
    }
    let reading = began.elapsed();
    assert_eq!(read, seconds);
    let samples = (rows * COLUMNS.len()) as u64 * seconds;
    println!(
        "{name}: {:.3} bytes a sample, {:.1} kB a second, at most {:.0} kB at once; {:.3} % of a core at 1 Hz; read back at {:.1} ms a tick",
        bytes.len() as f64 / samples as f64,
        bytes.len() as f64 / seconds as f64 / 1e3,
        largest as f64 / 1e3,
        100.0 * written.as_secs_f64() / seconds as f64,
        1e3 * reading.as_secs_f64() / seconds as f64,
    );
}

fn main() {
    measure("10,000 series, mixed", 500, 500, 600);
    measure("10,000 links idle, 20 busy, 200,000 series", 10_000, 20, 240);
    measure("10,000 links busy, 200,000 series", 10_000, 10_000, 60);
    measure("20 links, 400 series", 20, 4, 600);
}

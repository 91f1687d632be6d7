//! What a series costs on its way out: nanoseconds of CPU time and bytes, for 10,000 rows of 40 columns, as plain
//! text, as our gzip, as generic gzip of the same text, and for scale a copy of the finished text.
//!
//! Everything takes turns in each round, so that a noisy machine disturbs all alike; what is shown is the median.
//! `cargo bench --bench exposition`; without `--bench` (as `cargo test --benches` runs it) a short round only.

use flate2::{write::GzEncoder, Compression};
use miglink::output::gzip::Gzip;
use miglink::output::sink::{Plain, Sink, CHUNK};
use miglink::sample::subject::{Subjects, SubjectsBuilder};
use rustix::time::{clock_gettime, ClockId};
use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;

fn main() {
    let is_measured = std::env::args().any(|argument| argument == "--bench");
    let rounds = if is_measured { 21 } else { 1 };
    for (rows, title, labels) in BODIES {
        let rows = if is_measured { rows } else { rows.min(50) };
        println!("{rows} rows x {COLUMNS} columns, {title}");
        measure(rows, rounds, labels);
    }
}

const COLUMNS: usize = 40;

/// The labels of a row.
type Labels = fn(u32) -> Vec<(&'static str, String)>;

const BODIES: [(usize, &str, Labels); 4] = [
    (10_000, "devices tap00000000 and va00000", numbered),
    (10_000, "devices tap3f9c21b7-4", hashed),
    (10_000, "qdiscs {device,kind,handle}", qdiscs),
    (10, "devices tap00000000 and va00000", numbered),
];

fn numbered(row: u32) -> Vec<(&'static str, String)> {
    let number = row / 2;
    vec![("device", if row.is_multiple_of(2) { format!("tap{number:08}") } else { format!("va{number:05}") })]
}

fn hashed(row: u32) -> Vec<(&'static str, String)> {
    vec![("device", format!("tap{:08x}-{}", row.wrapping_mul(2_654_435_761), row % 10))]
}

fn qdiscs(row: u32) -> Vec<(&'static str, String)> {
    let mut labels = numbered(row);
    labels.extend([("kind", "fq_codel".to_owned()), ("handle", format!("{:x}:", 0x8001 + row))]);
    labels
}

/// A candidate: gives the length of what it made.
type Candidate<'a> = (&'static str, Box<dyn FnMut(&Body) -> usize + 'a>);

fn measure(rows: usize, rounds: usize, labels: Labels) {
    let mut body = Body::new(rows, labels);
    let text = collect(&body, Plain::default());
    let mut copy = vec![0; text.len()];
    let mut candidates: Vec<Candidate> = vec![
        ("plain", Box::new(|body| stream(body, Plain::default()))),
        ("gzip", Box::new(|body| stream(body, Gzip::default()))),
        ("plain + flate2 level 1", Box::new(|body| generic_gzip(&collect(body, Plain::default())))),
        (
            "copy of the text",
            Box::new(|_| {
                copy.copy_from_slice(black_box(&text));
                black_box(&copy).len()
            }),
        ),
    ];
    let mut times = vec![Vec::new(); candidates.len()];
    let mut sizes = vec![0; candidates.len()];
    for _ in 0..rounds {
        body.go_on();
        for ((_, candidate), (times, size)) in candidates.iter_mut().zip(times.iter_mut().zip(&mut sizes)) {
            let start = cpu_nanoseconds();
            *size = candidate(&body);
            times.push(cpu_nanoseconds() - start);
        }
    }
    let series = (rows * COLUMNS) as f64;
    for (((name, _), times), size) in candidates.iter().zip(&mut times).zip(sizes) {
        times.sort_unstable();
        let (median, least) = (times[times.len() / 2] as f64 / series, times[0] as f64 / series);
        let bytes = size as f64 / series;
        println!("  {name:<24}{median:>7.1} ns a series (least {least:>6.1}) {bytes:>7.2} bytes a series");
    }
}

fn cpu_nanoseconds() -> i64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// Sends chunk by chunk, as the server does, to nobody.
fn stream(body: &Body, mut sink: impl Sink) -> usize {
    let mut sent = 0;
    body.write(&mut sink, |sink| {
        if sink.ready() >= CHUNK {
            sent += black_box(sink.take()).len();
        }
    });
    sent + black_box(sink.finish()).len()
}

fn collect(body: &Body, mut sink: impl Sink) -> Vec<u8> {
    body.write(&mut sink, |_| {});
    sink.finish()
}

fn generic_gzip(text: &[u8]) -> usize {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(1));
    encoder.write_all(text).and_then(|()| encoder.finish()).map_or(0, |bytes| black_box(bytes).len())
}

/// The counters and settings of many links: many zeros, some counters that grow, some constants.
struct Body {
    subjects: Arc<Subjects>,
    heads: Vec<String>,
    prefixes: Vec<String>,
    /// Column by column.
    values: Vec<Vec<u64>>,
}

impl Body {
    fn new(rows: usize, labels: Labels) -> Self {
        let mut rows_labels: Vec<_> = (0..rows as u32).map(labels).collect();
        rows_labels.sort();
        let mut list = SubjectsBuilder::default();
        for (key, labels) in rows_labels.iter().enumerate() {
            list.row(key as u64);
            for (name, value) in labels {
                list.label(name, value);
            }
        }
        let metrics: Vec<_> = (0..COLUMNS)
            .map(|column| format!("miglink_link_{}_{}_total", KINDS[column % 8], column / 8))
            .collect();
        let mut random = 88_172_645_463_325_252;
        Self {
            subjects: Arc::new(list.build()),
            heads: metrics
                .iter()
                .map(|m| format!("# HELP {m} What the link has counted under {m}.\n# TYPE {m} counter\n"))
                .collect(),
            prefixes: metrics.iter().map(|m| format!("{m}{{")).collect(),
            values: (0..COLUMNS)
                .map(|column| (0..rows).map(|_| value(column, next(&mut random))).collect())
                .collect(),
        }
    }

    /// Some time passes.
    fn go_on(&mut self) {
        for column in [0, 1, 12, 13] {
            self.values[column].iter_mut().for_each(|value| *value += 1500);
        }
    }

    fn write<S: Sink>(&self, sink: &mut S, mut after_a_hundred: impl FnMut(&mut S)) {
        sink.rows(&self.subjects);
        for ((head, prefix), values) in self.heads.iter().zip(&self.prefixes).zip(&self.values) {
            sink.text(head);
            sink.column(prefix, "} ");
            for (part, values) in values.chunks(100).enumerate() {
                for (at, value) in values.iter().enumerate() {
                    sink.integer(part * 100 + at, *value);
                }
                after_a_hundred(sink);
            }
        }
    }
}

const KINDS: [&str; 8] = [
    "receive_bytes",
    "receive_packets",
    "receive_drops",
    "transmit_bytes",
    "transmit_packets",
    "transmit_drops",
    "queue_backlog",
    "carrier_changes",
];

/// Bytes and packets that grow, an MTU, speeds, states and ring sizes that are all the same, and otherwise events
/// that three links of four never saw.
fn value(column: usize, random: u64) -> u64 {
    match column {
        0 | 12 | 28 => random >> 16,
        1 | 13 | 29 => random >> 28,
        24 => 1500,
        25 => 1_250_000_000,
        26 | 27 => 1,
        35..=38 => 4096,
        39 => 1000,
        _ if random.is_multiple_of(4) => random >> 50,
        _ => 0,
    }
}

fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

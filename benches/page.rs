//! What the page costs: processor time of a tick of its strips while the frame before still holds them, which every idle host
//! pays once a second; and of one page, which those pay who look at it.
//!
//! `cargo bench --bench page`; without `--bench` (as `cargo test --benches` runs it) a short round only.

use miglink::analysis::peaks::{self, Peaks};
use miglink::analysis::strips::{Keeper, Surroundings};
use miglink::output::page::{render, Place};
use miglink::sample::block::Block;
use miglink::sample::cell::Cell;
use miglink::sample::flag::Findings;
use miglink::sample::frame::Frame;
use miglink::sample::link::{Link, Links, Role};
use miglink::sample::metric::{Column, Metric, Unit};
use miglink::sample::monotonic::Monotonic;
use rustix::time::{clock_gettime, ClockId};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

static BYTES: Metric = Metric::counter("bytes_total", "Bytes.", Unit::Bytes);
static COLUMNS: [Column; 2] = [Column::of(&BYTES), Column::of(&BYTES)];

fn main() {
    let is_measured = std::env::args().any(|argument| argument == "--bench");
    for count in if is_measured { vec![100, 1_000, 10_000] } else { vec![50] } {
        measure(count, if is_measured { 600 } else { 20 });
    }
}

fn measure(count: u64, ticks: u64) {
    let links = links(count);
    let (flags, rates) = (Findings::default(), rates(&links));
    let around = Surroundings { links: &links, followed: &[], flags: &flags, rates: &rates };
    let (mut keeper, before) = (Keeper::default(), resident());
    let (mut held, mut times) = (keeper.strips(), Vec::new());
    for second in 0..ticks {
        // What a second of everything else does to the caches.
        black_box(vec![second; 4 << 20]);
        cpu();
        let start = cpu();
        keeper.tick(around, Duration::from_secs(1), at(second));
        times.push((cpu() - start) as f64 / 1e3);
        // The frame before is held until the next one is there.
        held = keeper.strips();
    }
    let memory = resident().saturating_sub(before);
    let frame = Frame {
        wall_ns: 1,
        rates: peaks::rates(&rates).map(Arc::new),
        links: Arc::new(links),
        strips: held,
        ..Frame::default()
    };
    let start = cpu();
    let page = render(&frame, &Place::default(), 1);
    let cost = (cpu() - start) as f64 / 1e6;
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    println!(
        "{count:>6} links: {mean:>5.1} us a tick of the strips, {memory} KiB; a page of {} KiB in {cost:.2} ms",
        page.len() / 1024
    );
    assert!(!frame.strips.links.is_empty() && page.len() < 1 << 20);
}

fn at(second: u64) -> Monotonic {
    Monotonic(Duration::from_secs(second))
}

fn links(count: u64) -> Links {
    let link = |key: u64| Link {
        key,
        index: key as u32,
        name: format!("ens{key:05}"),
        exported: true,
        oper_up: true,
        role: Role::Physical,
        ..Link::default()
    };
    Links::new(1, (1..=count).map(link).collect(), None)
}

/// Rates of two readings a second apart, in which every link moves.
fn rates(links: &Links) -> Peaks<2> {
    let mut peaks = Peaks::new([0, 1]);
    for second in 0..2 {
        let mut block = Block::new("bench", at(second), &COLUMNS, Arc::clone(links.subjects()));
        block.column_mut(0).fill(Cell::integer(second * 1_000_000).bits());
        block.column_mut(1).fill(Cell::integer(second * 50_000_000).bits());
        peaks.note(&Arc::new(block));
    }
    peaks
}

/// Processor time of this process, ns.
fn cpu() -> i64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// Resident memory of this process, KiB.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4
}

//! What flags cost an idle host in a second: process CPU time of one tick of the survey, over links that are exported, have a
//! speed and an address, and of which a tenth has traffic. The first ticks, in which every link is new, stand apart.
//!
//! And what forecasts cost that are made of them.
//!
//! `cargo bench --bench flags`; without `--bench` (as `cargo test --benches` runs it) a short round only.

use miglink::analysis::flags::survey::{Manner, Survey};
use miglink::analysis::forecast::profiles::{LinkForecasts, Profile};
use miglink::analysis::forecast::question::{Question, Traffic};
use miglink::analysis::forecast::way::Conduct;
use miglink::analysis::forecast::workload::{Dirtying, Workload};
use miglink::sample::block::Block;
use miglink::sample::cell::Cell;
use miglink::sample::footing::{Footing, Others, Shaped};
use miglink::sample::link::{Link, Links};
use miglink::sample::metric::{Column, Form};
use miglink::sample::monotonic::Monotonic;
use miglink::sample::subject::{Subjects, SubjectsBuilder};
use miglink::source::{link_counters, link_modes, softnet, sysctls};
use miglink::topology::description;
use rustix::time::{clock_gettime, ClockId};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

fn main() {
    let is_measured = std::env::args().any(|argument| argument == "--bench");
    for count in if is_measured { vec![100, 1_000, 10_000] } else { vec![50] } {
        measure(count, if is_measured { 300 } else { 20 });
        forecast(count, if is_measured { 60 } else { 5 });
    }
}

fn measure(count: u64, ticks: usize) {
    let host = Host::new(count);
    let before = resident();
    let mut survey = Survey::new(Manner::default());
    let (mut times, mut before_last) = (Vec::new(), Vec::new());
    for second in 0..count / 50 + 30 + ticks as u64 {
        let blocks = host.blocks(second);
        // What a second of everything else does to the caches.
        black_box(vec![second; 4 << 20]);
        // The clock is a call of the kernel, which finds cold caches as well: the first call is not counted.
        cpu();
        let start = cpu();
        survey.go_on(&blocks, &host.links, &[], Monotonic(Duration::from_secs(second)));
        times.push((cpu() - start) as f64 / 1e3);
        // Somebody else frees the tables of the tick before.
        drop(std::mem::replace(&mut before_last, blocks));
    }
    let (first, idle) = times.split_at(times.len() - ticks);
    let mut sorted = idle.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mean = idle.iter().sum::<f64>() / idle.len() as f64;
    let highest = |times: &[f64]| times.iter().copied().fold(0.0, f64::max);
    println!(
        "{count:>6} links: {mean:>7.1} us a tick when idle (median {:.1}, highest {:.0}), {:>7.1} us the dearest of the first ticks, {} KiB",
        sorted[ticks / 2],
        highest(idle),
        highest(first),
        resident().saturating_sub(before)
    );
    assert_eq!(survey.findings().judged.len() as u64, count, "every link was judged");
}

/// What forecasts cost where a tenth of the links has other traffic every five seconds, which is as often as they are told:
/// links of 10 Gbit/s, two profiles.
fn forecast(count: u64, turns: usize) {
    let profile = |name: &str, rate| {
        let workload = Workload { memory: 64e9, zero_share: 0.2, dirtying: Dirtying::linear(rate) };
        let (conduct, traffic) = (Conduct::default(), Traffic::default());
        let question = Question { workload, conduct, cap: None, bandwidth: None, traffic };
        Profile { name: name.into(), question, guests: None }
    };
    let link = |key: u64, used: f64| {
        let others = Some(Others { median: used, p95: used });
        let (device, speed) = (format!("ens{key:05}").into(), Some(1_250_000_000));
        Arc::new(Footing {
            key,
            device,
            mtu: 1500,
            speed,
            shaping: Shaped::Free,
            others,
            ..Footing::default()
        })
    };
    let mut outlook = LinkForecasts::default();
    outlook.configure([profile("large", 3e8), profile("busy", 6e8)].into());
    let mut links: Arc<[Arc<Footing>]> = (1..=count).map(|key| link(key, 0.0)).collect();
    let mut times = Vec::new();
    for turn in 0..turns as u64 {
        let moved = |(at, old): (usize, &Arc<Footing>)| {
            let key = at as u64 + 1;
            let is_moved = key % 10 == turn % 10;
            // Rates of others are kept to 0.8 %: a few hundred different ones.
            if is_moved {
                link(key, (key * 7 + turn) as f64 % 300.0 * 1e6)
            } else {
                Arc::clone(old)
            }
        };
        links = links.iter().enumerate().map(moved).collect();
        black_box(vec![turn; 4 << 20]);
        cpu();
        let start = cpu();
        black_box(outlook.blocks(&links, Monotonic(Duration::from_secs(turn * 5))).len());
        times.push((cpu() - start) as f64 / 1e3);
    }
    let (first, later) = times.split_at(1);
    let mean = later.iter().sum::<f64>() / later.len() as f64;
    let highest = later.iter().copied().fold(0.0, f64::max);
    println!(
        "{count:>6} links: forecasts {mean:>7.1} us every five seconds (highest {highest:.0}), the first {:.0}",
        first[0]
    );
}

fn cpu() -> i64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// Resident memory of this process, KiB.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4
}

struct Host {
    links: Arc<Links>,
    fixed: Vec<Arc<Block>>,
}

impl Host {
    fn new(count: u64) -> Self {
        let link = |key: u64| Link {
            key,
            index: key as u32,
            name: format!("veth{key:05}"),
            kind: "veth".into(),
            mtu: 1500,
            addresses: vec![std::net::Ipv4Addr::new(10, 0, (key >> 8) as u8, key as u8).into()],
            admin_up: true,
            oper_up: true,
            exported: true,
            carrier_changes: Some(2),
            ..Link::default()
        };
        let links = Arc::new(Links::new(1, (1..=count).map(link).collect(), None));
        let fill =
            |source: &'static str, columns: &'static [Column], subjects: &Arc<Subjects>, value: u64| {
                let mut block = Block::new(source, Monotonic::default(), columns, Arc::clone(subjects));
                for (at, column) in columns.iter().enumerate() {
                    let cell = match column.metric.form {
                        Form::Integer => Cell::integer(value),
                        Form::Float => Cell::float(value as f64),
                    };
                    block.column_mut(at).fill(cell.bits());
                }
                Arc::new(block)
            };
        let mut cpus = SubjectsBuilder::default();
        (0..8).for_each(|cpu| _ = cpus.row(cpu).label("cpu", &cpu.to_string()));
        let fixed = vec![
            fill(link_modes::SOURCE.name, link_modes::SOURCE.tables[0], links.subjects(), 1_250_000_000),
            fill(softnet::SOURCE.name, softnet::SOURCE.tables[0], &Arc::new(cpus.build()), 7),
            fill(sysctls::SOURCE.name, sysctls::SOURCE.tables[0], &Subjects::host(), 4_194_304),
            Arc::new(description::attributes(&links, Monotonic::default())),
        ];
        Self { links, fixed }
    }

    /// The tables of a second; a tenth of the links moves 2 MB/s.
    fn blocks(&self, second: u64) -> Vec<Arc<Block>> {
        let now = Monotonic(Duration::from_secs(second));
        let (source, columns) = (link_counters::SOURCE.name, link_counters::SOURCE.tables[0]);
        let mut block = Block::new(source, now, columns, Arc::clone(self.links.subjects()));
        for column in 0..columns.len() {
            block.column_mut(column).fill(Cell::integer(0).bits());
        }
        for row in (0..block.rows()).step_by(10) {
            block.set(0, row, Cell::integer(second * 2_000_000));
            block.set(2, row, Cell::integer(second * 2_000));
        }
        let mut blocks = self.fixed.clone();
        blocks.push(Arc::new(block));
        blocks
    }
}

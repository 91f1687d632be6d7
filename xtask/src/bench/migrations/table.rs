//! The figures for people: a row a case, a column a thread.

use super::figures::{Dump, Run, Watch};
use crate::bench::figures::Spread;
use std::fmt::Write;

/// Threads with a column of their own; the rest is added up.
const THREADS: [&str; 6] = ["agent", "counters", "attributes", "migrations", "hypervisors", "qmp"];

/// The tables as text.
pub fn of(run: &Run) -> String {
    let mut text = format!("Linux {}, {} CPUs\n\n", run.kernel_release, run.cpus);
    // Writing to a String cannot fail.
    let _ = write!(text, "{:<34}{:>8}", "miglink, CPU ms a second", "all");
    for thread in THREADS.iter().chain(&["others"]) {
        let _ = write!(text, "{thread:>12}");
    }
    let _ = writeln!(text, "{:>16}", "MiB (peak)");
    for crowd in &run.crowds {
        row(&mut text, &format!("{} guests, none moves", crowd.guests), &crowd.idle);
        if let Some(moving) = &crowd.moving {
            row(&mut text, &format!("{} guests, all move", crowd.guests), &moving.watch);
        }
    }
    for others in &run.others {
        let number = if others.number > 0 { format!("{} ", others.number) } else { String::new() };
        row(&mut text, &format!("1 guest, {number}{}", others.what), &others.watch);
    }
    let _ = writeln!(text, "\nRaw dumps of connections, both families, CPU ms: median (least to most)");
    for others in run.others.iter().filter(|others| others.what != "processes") {
        dump(&mut text, &format!("{}, filtered", others.what), &others.filtered);
        dump(&mut text, &format!("{}, all", others.what), &others.unfiltered);
    }
    text
}

fn row(text: &mut String, what: &str, watch: &Watch) {
    let _ = write!(text, "{what:<34}{:>8.2}", watch.cpu * 1e3);
    let mut rest = watch.cpu;
    for thread in THREADS {
        let cpu = watch.threads.get(thread).copied().unwrap_or(0.0);
        rest -= cpu;
        let _ = write!(text, "{:>12.2}", cpu * 1e3);
    }
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let memory = format!("{:.1} ({:.1})", mebibytes(watch.resident), mebibytes(watch.resident_peak));
    let _ = writeln!(text, "{:>12.2}{memory:>16}", rest * 1e3);
}

fn dump(text: &mut String, what: &str, dump: &Dump) {
    let (hot, timed) = (spread(dump.hot), spread(dump.timed));
    let _ = writeln!(text, "{what:<34}{:>8} sockets   hot {hot:<28} at 1 Hz {timed}", dump.sockets);
}

fn spread(spread: Spread) -> String {
    let [median, least, most] = [spread.median, spread.least, spread.most].map(|seconds| seconds * 1e3);
    format!("{median:.3} ({least:.3} to {most:.3})")
}

//! RDMA ports: state, rate, traffic, and what their hardware says of congestion and loss, from
//! /sys/class/infiniband.
//!
//! Bytes that move by RDMA pass no socket and often not even the link's own counters, so this is the only place
//! where they show. A counter's file may ask the firmware, so this is read beside attributes; and the ports of links
//! that are not exported (virtual functions meant for guests: there may be a hundred) are left alone.

use super::contract::{read_file, Context, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo};
use super::rows::{KeptSubjects, Keys};
use crate::sample::block::Block;
use crate::sample::cell::{Cell, Gap};
use crate::sample::subject::{Subjects, SubjectsBuilder};
use fields::{COLUMNS, COUNTERS, INFO_COLUMNS};
use ports::Port;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub mod fields;
mod ports;

/// RDMA ports.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "rdma",
    help: "State, traffic and congestion counters of RDMA ports, from /sys/class/infiniband.",
    privilege: "",
    pace: Pace::Tick,
    lane: Lane::Attributes,
    deadline: Duration::from_secs(5),
    tables: &[COLUMNS, &INFO_COLUMNS],
    open,
};

/// A kernel with RDMA built in has the directory without any device: a new one is seen within this long.
const REST: Duration = Duration::from_secs(10);
const STATE_ACTIVE: u64 = 4;
const PHYSICAL_STATE_LINK_UP: u64 = 5;
const BYTES_PER_GIGABIT: f64 = 1e9 / 8.0;

fn open(roots: &Roots) -> Result<Box<dyn Source>, SourceError> {
    let directory = roots.sys.join("class/infiniband");
    if !directory.is_dir() {
        return Err(SourceError::Absent(format!("no {}", directory.display())));
    }
    Ok(Box::new(Rdma::default()))
}

#[derive(Default)]
struct Rdma {
    /// All ports.
    names: Vec<PathBuf>,
    /// Those that are read.
    ports: Vec<Port>,
    /// Of which links the ports' devices were found.
    generation: Option<u64>,
    keys: Keys,
    subjects: KeptSubjects,
    info: KeptSubjects,
}

impl Source for Rdma {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        let names = ports::list(&context.roots.sys.join("class/infiniband"))?;
        if self.names != names || self.generation != Some(context.links.generation) {
            self.names = names;
            let hidden: BTreeSet<&str> = context
                .links
                .all()
                .iter()
                .filter(|link| !link.exported)
                .map(|link| link.name.as_str())
                .collect();
            let ports = self.names.iter().cloned().map(Port::explore);
            self.ports = ports.filter(|port| !hidden.contains(port.device.as_str())).collect();
            self.generation = Some(context.links.generation);
        }
        if self.ports.is_empty() {
            return Ok(Reading { rest: REST, ..Reading::default() });
        }
        let (subjects, described) = self.make_subjects();
        let mut problems = Vec::new();
        let mut block = Block::new(SOURCE.name, context.now, COLUMNS, subjects);
        let mut info = Block::new(SOURCE.name, context.now, &INFO_COLUMNS, described);
        for (row, port) in self.ports.iter().enumerate() {
            block.set_row(row, read_port(port, &mut problems));
            info.set(0, row, Cell::integer(1));
        }
        Ok(Reading { blocks: vec![block, info], problems, ..Reading::default() })
    }
}

impl Rdma {
    /// The rows of both tables: the second one says more.
    fn make_subjects(&mut self) -> (Arc<Subjects>, Arc<Subjects>) {
        let mut subjects = SubjectsBuilder::default();
        let mut described = SubjectsBuilder::default();
        let names: Vec<String> = self.ports.iter().map(Port::name).collect();
        self.keys.keep(|known| names.iter().any(|name| name == known));
        for (port, name) in self.ports.iter().zip(&names) {
            let key = self.keys.key(name);
            for list in [&mut subjects, &mut described] {
                list.row(key).label("rdma_device", &port.rdma_device).label("port", &port.number);
                list.label("device", &port.device);
            }
            described.label("link_layer", &port.link_layer);
        }
        (self.subjects.keep(subjects.build()), self.info.keep(described.build()))
    }
}

/// A port's cells: active, up, rate, number of counters without a metric, then the counters.
fn read_port(port: &Port, problems: &mut Vec<String>) -> Vec<Cell> {
    let text = |file: &str| read_file(&port.directory.join(file)).ok();
    let state = text("state").and_then(|text| state_number(&text));
    let physical = text("phys_state").and_then(|text| state_number(&text));
    let is =
        |state: Option<u64>, wanted| Cell::integer_or(state.map(|s| u64::from(s == wanted)), Gap::Unknown);
    // The rate of a port that is down is what its driver falls back to, not what the wire would carry.
    let rate = text("rate").filter(|_| state == Some(STATE_ACTIVE)).and_then(|text| rate(&text));
    let mut cells = vec![
        is(state, STATE_ACTIVE),
        is(physical, PHYSICAL_STATE_LINK_UP),
        Cell::integer_or(rate, Gap::Unknown),
        Cell::integer(port.unlisted),
    ];
    debug_assert_eq!(port.counters.len(), COUNTERS.len());
    for counter in &port.counters {
        cells.push(match counter {
            Some((path, factor)) => read_counter(path, *factor, problems),
            None => Cell::gap(Gap::Unsupported),
        });
    }
    cells
}

fn read_counter(path: &Path, factor: u64, problems: &mut Vec<String>) -> Cell {
    let text = match read_file(path) {
        Ok(text) => text,
        // A file is there for every counter of the standard; a driver that lacks one refuses to read it.
        Err(SourceError::Io { error, .. }) if is_unsupported(&error) => return Cell::gap(Gap::Unsupported),
        Err(error) => {
            problems.push(error.to_string());
            return Cell::gap(Gap::Failed);
        }
    };
    match counter(&text) {
        Some(value) => Cell::integer(value.wrapping_mul(factor)),
        // `N/A (no PMA)` in kernels before 4.20.
        None if text.starts_with("N/A") => Cell::gap(Gap::Unsupported),
        None => {
            problems.push(format!("{}, line 1: {:?} is no number", path.display(), text.trim()));
            Cell::gap(Gap::Failed)
        }
    }
}

fn is_unsupported(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP))
}

fn counter(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// `4: ACTIVE`, `5: LinkUp` (drivers/infiniband/core/sysfs.c).
fn state_number(text: &str) -> Option<u64> {
    text.split_once(':')?.0.trim().parse().ok()
}

/// Bytes a second from `100 Gb/sec (4X EDR)` or `2.5 Gb/sec (1X SDR)`.
fn rate(text: &str) -> Option<u64> {
    let gigabits: f64 = text.trim().split_once(" Gb/sec")?.0.parse().ok()?;
    (gigabits > 0.0 && gigabits < 1e6).then_some((gigabits * BYTES_PER_GIGABIT) as u64)
}

#[cfg(test)]
mod tests {
    use super::{rate, state_number, SOURCE};
    use crate::sample::link::Link;
    use crate::source::contract::SourceError;
    use crate::source::fixture::{context, golden, lines, link, text, value_of, Tree};
    use proptest::prelude::{any, prop_assert, proptest};
    use std::sync::Arc;

    #[test]
    fn built_ports_read_as_their_golden() {
        let tree = Tree::of(&text("sys/rdma.tree"));
        let mut source = (SOURCE.open)(&tree.roots()).expect("opens");
        let context = context(&tree.roots(), vec![]);
        let first = source.read(&context).expect("reads");
        golden("rdma", &lines(&first));
        let second = source.read(&context).expect("reads again");
        assert!(Arc::ptr_eq(&first.blocks[0].subjects, &second.blocks[0].subjects));
    }

    #[test]
    fn a_device_that_comes_back_is_another_one() {
        let tree = Tree::of(&text("sys/rdma.tree"));
        let mut source = (SOURCE.open)(&tree.roots()).expect("opens");
        let context = context(&tree.roots(), vec![]);
        let before = source.read(&context).expect("reads").blocks[0].subjects.keys().to_vec();
        let (there, away) = (tree.path("sys/class/infiniband/rxe0"), tree.path("rxe0"));
        std::fs::rename(&there, &away).expect("moves");
        assert_eq!(source.read(&context).expect("reads").blocks[0].rows(), before.len() - 1);
        std::fs::rename(&away, &there).expect("moves");
        let after = source.read(&context).expect("reads").blocks[0].subjects.keys().to_vec();
        assert_eq!(after.len(), before.len());
        assert_eq!(after[0], before[0], "mlx5_0 stayed");
        assert!(!before.contains(after.last().expect("rxe0")));
    }

    #[test]
    fn a_counter_that_does_not_read_is_told_with_its_path() {
        let tree = Tree::of(&text("sys/rdma.tree"));
        let file = "sys/class/infiniband/rxe0/ports/1/hw_counters/sent_pkts";
        std::fs::write(tree.path(file), "many\n").expect("a file");
        let mut source = (SOURCE.open)(&tree.roots()).expect("opens");
        let reading = source.read(&context(&tree.roots(), vec![])).expect("reads");
        assert!(reading.problems[0].contains("hw_counters/sent_pkts, line 1"), "{:?}", reading.problems);
        let series = r#"rdma_transmit_packets_total{rdma_device="rxe0",port="1",device="eth0"}"#;
        assert_eq!(value_of(&reading, series), "Failed");
        assert!(matches!((SOURCE.open)(&Tree::of("").roots()), Err(SourceError::Absent(_))));
    }

    #[test]
    fn ports_of_links_that_are_not_exported_are_left_alone() {
        let tree = Tree::of(&text("sys/rdma.tree"));
        let mut source = (SOURCE.open)(&tree.roots()).expect("opens");
        let guest = Link { exported: false, ..link(1, "ens1f0np0", "") };
        let reading = source.read(&context(&tree.roots(), vec![guest, link(2, "eth0", "")])).expect("reads");
        let devices: Vec<_> =
            (0..2).filter_map(|row| reading.blocks[0].subjects.label(row, "rdma_device")).collect();
        assert_eq!(devices, ["mlx5_1", "rxe0"], "ib1 is in another namespace: nothing is known against it");
    }

    #[test]
    fn rates_and_states_are_read() {
        for (text, bytes) in [
            ("100 Gb/sec (4X EDR)\n", Some(12_500_000_000)),
            ("2.5 Gb/sec (1X SDR)\n", Some(312_500_000)),
            ("-1 Gb/sec", None),
            ("NaN Gb/sec", None),
            ("", None),
        ] {
            assert_eq!(rate(text), bytes, "{text:?}");
        }
        assert_eq!((state_number("4: ACTIVE\n"), state_number("ACTIVE")), (Some(4), None));
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in any::<String>(), number in any::<f64>()) {
            prop_assert!(rate(&text).is_none_or(|rate| rate > 0));
            let number = format!("{number} Gb/sec");
            prop_assert!(rate(&number).is_none_or(|rate| rate <= 125_000_000_000_000));
            prop_assert!(state_number(&text).is_none_or(|_| text.contains(':')));
        }
    }
}

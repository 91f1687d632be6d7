//! The kernel's limits that bound a migration, from /proc/sys/net: socket buffers, backlog, receive budget, and how
//! TCP is set up.
//!
//! A namespace other than the first lacks most of net.core, and old kernels lack some of the rest: each file that is
//! not there is a gap of its own.

use super::contract::{read_file, Context, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo};
use super::rows::{KeptSubjects, Keys};
use crate::sample::block::Block;
use crate::sample::cell::{Cell, Gap};
use crate::sample::metric::{Column, Form, Metric, Unit};
use crate::sample::subject::{Subjects, SubjectsBuilder};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Limits set in the kernel.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "sysctls",
    help: "Kernel limits that bound a migration: socket buffers, backlog, budgets, from /proc/sys/net.",
    privilege: "",
    pace: Pace::Change(Duration::from_secs(60)),
    lane: Lane::Attributes,
    deadline: Duration::from_secs(2),
    tables: &[&COLUMNS, &INFO_COLUMNS],
    open,
};

macro_rules! gauges {
    ($($name:ident $text:literal $unit:ident $help:literal;)*) => {
        $(#[doc = $help] pub static $name: Metric = Metric::gauge($text, $help, Unit::$unit);)*
    };
}

gauges! {
    TCP_RMEM "sysctl_tcp_rmem_bytes" Bytes "Receive buffer of a TCP socket (net.ipv4.tcp_rmem); the window is at most about half of it.";
    TCP_WMEM "sysctl_tcp_wmem_bytes" Bytes "Send buffer of a TCP socket (net.ipv4.tcp_wmem).";
    RMEM_MAX "sysctl_rmem_max_bytes" Bytes "Largest receive buffer that a process may ask for (net.core.rmem_max).";
    WMEM_MAX "sysctl_wmem_max_bytes" Bytes "Largest send buffer that a process may ask for (net.core.wmem_max).";
    MAX_BACKLOG "sysctl_netdev_max_backlog_packets" None "Packets that a CPU's backlog holds (net.core.netdev_max_backlog).";
    BUDGET "sysctl_netdev_budget_packets" None "Packets of one receive round (net.core.netdev_budget).";
    LIMIT_OUTPUT "sysctl_tcp_limit_output_bytes" Bytes "Bytes that a TCP socket may have in this host's queues (net.ipv4.tcp_limit_output_bytes).";
    WINDOW_SCALING "sysctl_tcp_window_scaling" None "Whether windows above 64 KiB are offered (net.ipv4.tcp_window_scaling).";
    TIMESTAMPS "sysctl_tcp_timestamps" None "Whether TCP timestamps are used (net.ipv4.tcp_timestamps).";
    SACK "sysctl_tcp_sack" None "Whether selective acknowledgements are used (net.ipv4.tcp_sack).";
    MODERATE_RCVBUF "sysctl_tcp_moderate_rcvbuf" None "Whether the kernel grows receive buffers by itself (net.ipv4.tcp_moderate_rcvbuf).";
    SLOW_START_AFTER_IDLE "sysctl_tcp_slow_start_after_idle" None "Whether an idle connection starts slowly again (net.ipv4.tcp_slow_start_after_idle).";
    MTU_PROBING "sysctl_tcp_mtu_probing" None "Whether TCP probes for the path's MTU: 0 never, 1 after a black hole, 2 always (net.ipv4.tcp_mtu_probing).";
}

/// The time limit of a receive round.
pub static BUDGET_SECONDS: Metric = Metric::gauge(
    "sysctl_netdev_budget_seconds",
    "Longest time of one receive round (net.core.netdev_budget_usecs).",
    Unit::Seconds,
)
.float();
/// What is set by name.
pub static INFO: Metric =
    Metric::info("sysctl_info", "Default congestion control (net.ipv4) and queueing discipline (net.core).");

static COLUMNS: [Column; 18] = [
    Column::labelled(&TCP_RMEM, "limit", "min"),
    Column::labelled(&TCP_RMEM, "limit", "default"),
    Column::labelled(&TCP_RMEM, "limit", "max"),
    Column::labelled(&TCP_WMEM, "limit", "min"),
    Column::labelled(&TCP_WMEM, "limit", "default"),
    Column::labelled(&TCP_WMEM, "limit", "max"),
    Column::of(&RMEM_MAX),
    Column::of(&WMEM_MAX),
    Column::of(&MAX_BACKLOG),
    Column::of(&BUDGET),
    Column::of(&BUDGET_SECONDS),
    Column::of(&LIMIT_OUTPUT),
    Column::of(&WINDOW_SCALING),
    Column::of(&TIMESTAMPS),
    Column::of(&SACK),
    Column::of(&MODERATE_RCVBUF),
    Column::of(&SLOW_START_AFTER_IDLE),
    Column::of(&MTU_PROBING),
];
static INFO_COLUMNS: [Column; 1] = [Column::of(&INFO)];

/// The files below /proc/sys/net, in the order of the columns; each holds one number, the first two hold three.
const FILES: [&str; 14] = [
    "ipv4/tcp_rmem",
    "ipv4/tcp_wmem",
    "core/rmem_max",
    "core/wmem_max",
    "core/netdev_max_backlog",
    "core/netdev_budget",
    "core/netdev_budget_usecs",
    "ipv4/tcp_limit_output_bytes",
    "ipv4/tcp_window_scaling",
    "ipv4/tcp_timestamps",
    "ipv4/tcp_sack",
    "ipv4/tcp_moderate_rcvbuf",
    "ipv4/tcp_slow_start_after_idle",
    "ipv4/tcp_mtu_probing",
];
const TRIPLES: usize = 2;
/// Labels of `sysctl_info` and the files that hold them.
const NAMES: [(&str, &str); 2] =
    [("congestion_control", "ipv4/tcp_congestion_control"), ("default_qdisc", "core/default_qdisc")];

fn open(roots: &Roots) -> Result<Box<dyn Source>, SourceError> {
    let directory = roots.proc.join("sys/net");
    if !directory.is_dir() {
        return Err(SourceError::Absent(format!("no {}", directory.display())));
    }
    Ok(Box::new(Sysctls { host: Subjects::host(), keys: Keys::default(), info: KeptSubjects::default() }))
}

struct Sysctls {
    host: Arc<Subjects>,
    keys: Keys,
    info: KeptSubjects,
}

impl Source for Sysctls {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        let directory = context.roots.proc.join("sys/net");
        let mut problems = Vec::new();
        let mut cells = Vec::with_capacity(COLUMNS.len());
        for (at, file) in FILES.iter().enumerate() {
            let columns = &COLUMNS[cells.len()..cells.len() + if at < TRIPLES { 3 } else { 1 }];
            cells.extend(read_numbers(&directory.join(file), columns, &mut problems));
        }
        let names = NAMES.map(|(label, file)| (label, read_name(&directory.join(file), &mut problems)));
        let subjects = self.info_subjects(&names);
        let mut info = Block::new(SOURCE.name, context.now, &INFO_COLUMNS, subjects);
        if info.rows() > 0 {
            info.set(0, 0, Cell::integer(1));
        }
        let numbers = Block::of_host(SOURCE.name, context.now, &COLUMNS, &self.host, cells);
        Ok(Reading { blocks: vec![numbers, info], problems, ..Reading::default() })
    }
}

impl Sysctls {
    /// One subject that holds the names as labels, none if nothing is known.
    fn info_subjects(&mut self, names: &[(&str, String)]) -> Arc<Subjects> {
        let all = format!("{names:?}");
        self.keys.keep(|known| known == all);
        let mut subjects = SubjectsBuilder::default();
        if names.iter().any(|(_, name)| !name.is_empty()) {
            let row = subjects.row(self.keys.key(&all));
            for (label, name) in names {
                row.label(label, name);
            }
        }
        self.info.keep(subjects.build())
    }
}

/// The numbers of a file, a cell for each column.
fn read_numbers(path: &Path, columns: &[Column], problems: &mut Vec<String>) -> Vec<Cell> {
    let text = match read_file(path) {
        Ok(text) => text,
        Err(SourceError::Absent(_)) => return vec![Cell::gap(Gap::Unsupported); columns.len()],
        Err(error) => {
            problems.push(error.to_string());
            return vec![Cell::gap(Gap::Failed); columns.len()];
        }
    };
    let cells = parse(&text, columns);
    if cells.iter().any(|cell| !cell.is_value()) {
        problems.push(format!("{}: {:?} is not {} numbers", path.display(), text.trim(), columns.len()));
    }
    cells
}

/// One number for each column; the only float is a time, which the kernel gives in microseconds.
fn parse(text: &str, columns: &[Column]) -> Vec<Cell> {
    let mut words = text.split_ascii_whitespace();
    let cell = |column: &Column| match (
        words.next().and_then(|word| word.parse::<u64>().ok()),
        column.metric.form,
    ) {
        (None, _) => Cell::gap(Gap::Failed),
        (Some(value), Form::Integer) => Cell::integer(value),
        (Some(value), Form::Float) => Cell::float(value as f64 / 1e6),
    };
    columns.iter().map(cell).collect()
}

/// The word in a file; empty where there is none.
fn read_name(path: &Path, problems: &mut Vec<String>) -> String {
    match read_file(path) {
        Ok(text) => text.trim().to_owned(),
        Err(SourceError::Absent(_)) => String::new(),
        Err(error) => {
            problems.push(error.to_string());
            String::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{parse, COLUMNS, SOURCE};
    use crate::sample::cell::Gap;
    use crate::source::contract::SourceError;
    use crate::source::fixture::{captured_proc, context, golden, lines, value_of, Tree};
    use proptest::prelude::{prop_assert_eq, proptest};
    use std::sync::Arc;

    #[test]
    fn captured_files_read_as_their_golden() {
        let roots = captured_proc();
        let mut source = (SOURCE.open)(&roots).expect("opens");
        let context = context(&roots, vec![]);
        let first = source.read(&context).expect("reads");
        golden("sysctls", &lines(&first));
        let second = source.read(&context).expect("reads again");
        assert!(Arc::ptr_eq(&first.blocks[1].subjects, &second.blocks[1].subjects));
    }

    #[test]
    fn what_a_namespace_lacks_is_a_gap_of_its_own() {
        let tree =
            Tree::of("proc/sys/net/ipv4/tcp_rmem=4096\t87380\t6291456\\n\nproc/sys/net/ipv4/tcp_sack=yes");
        let mut source = (SOURCE.open)(&tree.roots()).expect("opens");
        let reading = source.read(&context(&tree.roots(), vec![])).expect("reads");
        assert_eq!(value_of(&reading, r#"sysctl_tcp_rmem_bytes{limit="max"}"#), "6291456");
        assert_eq!(value_of(&reading, "sysctl_rmem_max_bytes{}"), "Unsupported");
        assert_eq!(value_of(&reading, "sysctl_tcp_sack{}"), "Failed");
        assert_eq!(reading.problems.len(), 1, "{:?}", reading.problems);
        assert!(reading.problems[0].contains("ipv4/tcp_sack"), "{:?}", reading.problems);
        assert_eq!(reading.blocks[1].rows(), 0, "no name is known");
        assert!(matches!((SOURCE.open)(&Tree::of("").roots()), Err(SourceError::Absent(_))));
    }

    #[test]
    fn another_name_is_another_subject() {
        let tree = Tree::of("proc/sys/net/ipv4/tcp_congestion_control=cubic\\n");
        let mut source = (SOURCE.open)(&tree.roots()).expect("opens");
        let first = source.read(&context(&tree.roots(), vec![])).expect("reads");
        let file = tree.path("proc/sys/net/ipv4/tcp_congestion_control");
        std::fs::write(file, "bbr\n").expect("a file");
        let second = source.read(&context(&tree.roots(), vec![])).expect("reads");
        assert_eq!(value_of(&second, r#"sysctl_info{congestion_control="bbr"}"#), "1");
        assert_ne!(first.blocks[1].subjects.keys(), second.blocks[1].subjects.keys());
    }

    proptest! {
        #[test]
        fn three_numbers_come_back(values in proptest::array::uniform3(0u64..1 << 50)) {
            let text = format!("{}\t{}\t{}\n", values[0], values[1], values[2]);
            let cells = parse(&text, &COLUMNS[..3]);
            prop_assert_eq!(cells.iter().filter_map(|c| c.as_integer()).collect::<Vec<_>>(), values.to_vec());
        }

        #[test]
        fn any_text_gives_as_many_cells_as_columns(text in ".{0,40}") {
            let cells = parse(&text, &COLUMNS[9..12]);
            prop_assert_eq!(cells.len(), 3);
            let numbers = text.split_ascii_whitespace().take(3).filter(|w| w.parse::<u64>().is_ok()).count();
            prop_assert_eq!(cells.iter().filter(|c| c.reason() != Some(Gap::Failed)).count(), numbers);
        }
    }
}

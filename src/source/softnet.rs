//! What each CPU's receive path processed, dropped and left for later, from /proc/net/softnet_stat.
//!
//! The file has a line for each CPU that is online, so a line's number is not its CPU: newer kernels name it in
//! column 13, and for older ones the lines are matched with the list of online CPUs.

use super::contract::{
    read_file, Context, KeptFile, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo,
};
use super::cpus;
use super::line_error::LineError;
use crate::sample::block::Block;
use crate::sample::cell::{Cell, Gap};
use crate::sample::metric::{Column, Metric, Unit};
use crate::sample::subject::{Key, Subjects, SubjectsBuilder};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Receive processing of each CPU.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "softnet",
    help: "Packets processed and dropped by each CPU's backlog, from /proc/net/softnet_stat.",
    privilege: "",
    pace: Pace::Near,
    lane: Lane::Counters,
    deadline: Duration::from_secs(1),
    tables: &[&COLUMNS],
    open,
};

/// Packets processed.
pub static PROCESSED: Metric = Metric::counter(
    "softnet_processed_total",
    "Packets that this CPU took from its receive queues.",
    Unit::None,
)
.wraps_at_32_bits();
/// Packets dropped because the backlog was full.
pub static DROPPED: Metric = Metric::counter(
    "softnet_dropped_total",
    "Packets dropped because this CPU's backlog was full (net.core.netdev_max_backlog).",
    Unit::None,
)
.wraps_at_32_bits();
/// Rounds that ended with work left.
pub static SQUEEZED: Metric = Metric::counter(
    "softnet_squeezed_total",
    "Receive rounds that ended with packets left, out of budget or time (net.core.netdev_budget, netdev_budget_usecs).",
    Unit::None,
)
.wraps_at_32_bits();
/// Wake-ups by other CPUs.
pub static RECEIVED_RPS: Metric = Metric::counter(
    "softnet_received_rps_total",
    "Times that another CPU woke this one to process packets (receive packet steering).",
    Unit::None,
)
.wraps_at_32_bits();
/// Packets that the flow limit dropped.
pub static FLOW_LIMIT: Metric = Metric::counter(
    "softnet_flow_limit_total",
    "Packets of a dominating flow dropped early because the backlog was half full (net.core.flow_limit_cpu_bitmap).",
    Unit::None,
)
.wraps_at_32_bits();
/// Packets waiting.
pub static BACKLOG: Metric =
    Metric::gauge("softnet_backlog_packets", "Packets that wait in this CPU's backlog now.", Unit::None);

static COLUMNS: [Column; 6] = [
    Column::of(&PROCESSED),
    Column::of(&DROPPED),
    Column::of(&SQUEEZED),
    Column::of(&RECEIVED_RPS),
    Column::of(&FLOW_LIMIT),
    Column::of(&BACKLOG),
];

/// Where each column stands in a line (net/core/net-procfs.c, `softnet_seq_show`). Lines had 9 words before 2.6.35,
/// 10 before 3.11, 11 before 5.10, 13 then and 15 now.
const FIELDS: [usize; 6] = [0, 1, 2, 9, 10, 11];
const CPU: usize = 12;
const FEWEST: usize = 9;

fn open(roots: &Roots) -> Result<Box<dyn Source>, SourceError> {
    let file = KeptFile::open(roots.proc.join("net/softnet_stat"))?;
    let online = OnlineCpus { path: roots.sys.join("devices/system/cpu/online"), list: Vec::new() };
    Ok(Box::new(Softnet { file, online, cpus: Vec::new(), subjects: Arc::default() }))
}

struct Softnet {
    file: KeptFile,
    online: OnlineCpus,
    cpus: Vec<u32>,
    subjects: Arc<Subjects>,
}

impl Source for Softnet {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        let lines = parse(self.file.read()?).map_err(|error| error.in_file(self.file.path()))?;
        self.keep_subjects(&lines);
        let mut block = Block::new(SOURCE.name, context.now, &COLUMNS, Arc::clone(&self.subjects));
        for (row, line) in lines.iter().enumerate() {
            block.set_row(row, line.cells);
        }
        Ok(Reading::of(block))
    }
}

impl Softnet {
    /// Remakes the list of subjects if CPUs came or went.
    fn keep_subjects(&mut self, lines: &[Line]) {
        let online = &mut self.online;
        let cpus: Vec<u32> = (0..lines.len())
            .map(|at| lines[at].cpu.unwrap_or_else(|| online.cpu_of_line(at, lines.len())))
            .collect();
        if cpus != self.cpus {
            self.subjects = Arc::new(subjects_of(&cpus));
            self.cpus = cpus;
        }
    }
}

/// A CPU's counters belong to it also while it is offline, so its number is its key.
fn subjects_of(cpus: &[u32]) -> Subjects {
    let mut subjects = SubjectsBuilder::default();
    for cpu in cpus {
        subjects.row(Key::from(*cpu)).label("cpu", &cpu.to_string());
    }
    subjects.build()
}

/// The CPUs that are online, read again when their number changes. For kernels that do not name the CPU in the line.
struct OnlineCpus {
    path: PathBuf,
    list: Vec<u32>,
}

impl OnlineCpus {
    /// The CPU of a line; the line's number where the list cannot be had.
    fn cpu_of_line(&mut self, line: usize, lines: usize) -> u32 {
        if self.list.len() != lines {
            self.list = read_file(&self.path).ok().and_then(|text| cpus::list(&text)).unwrap_or_default();
        }
        if self.list.len() != lines {
            self.list = (0..lines as u32).collect();
        }
        self.list[line]
    }
}

/// One CPU's line.
#[derive(Debug, PartialEq)]
struct Line {
    cpu: Option<u32>,
    cells: [Cell; 6],
}

fn parse(text: &str) -> Result<Vec<Line>, LineError> {
    let lines = text.lines().enumerate();
    let lines: Vec<Line> = lines
        .map(|(index, line)| parse_line(line).map_err(|problem| LineError::at(index, problem)))
        .collect::<Result<_, _>>()?;
    if lines.is_empty() {
        return Err(LineError::of_all("no CPU at all"));
    }
    Ok(lines)
}

fn parse_line(line: &str) -> Result<Line, String> {
    let mut fields = [None; CPU + 1];
    let mut count = 0;
    for word in line.split_ascii_whitespace() {
        let value =
            u32::from_str_radix(word, 16).map_err(|_| format!("{word:?} is no hexadecimal number"))?;
        if let Some(field) = fields.get_mut(count) {
            *field = Some(value);
        }
        count += 1;
    }
    if count < FEWEST {
        return Err(format!("{count} columns where there should be at least {FEWEST}"));
    }
    let cells = FIELDS.map(|at| Cell::integer_or(fields[at].map(u64::from), Gap::Unsupported));
    Ok(Line { cpu: fields[CPU], cells })
}

#[cfg(test)]
mod tests {
    use super::{parse, SOURCE};
    use crate::sample::cell::{Cell, Gap};
    use crate::source::contract::{Reading, SourceError};
    use crate::source::fixture::{
        captured_proc, context, escaped, golden, lines, mutated, text, value_of, Tree,
    };
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
    use std::sync::Arc;

    fn read(tree: &Tree) -> Reading {
        let mut source = (SOURCE.open)(&tree.roots()).expect("opens");
        source.read(&context(&tree.roots(), vec![])).expect("reads")
    }

    #[test]
    fn a_captured_file_reads_as_its_golden() {
        let roots = captured_proc();
        let mut source = (SOURCE.open)(&roots).expect("opens");
        let context = context(&roots, vec![]);
        let first = source.read(&context).expect("reads");
        golden("softnet", &lines(&first));
        let second = source.read(&context).expect("reads again");
        assert!(Arc::ptr_eq(&first.blocks[0].subjects, &second.blocks[0].subjects));
    }

    #[test]
    fn a_cpu_that_is_offline_does_not_shift_the_others() {
        // Column 13 names CPUs 0 and 2.
        let tree =
            Tree::of(&format!("proc/net/softnet_stat={}", escaped("proc/layouts/softnet_stat-13-columns")));
        let reading = read(&tree);
        assert_eq!(value_of(&reading, r#"softnet_dropped_total{cpu="2"}"#), "16");
        assert_eq!(value_of(&reading, r#"softnet_backlog_packets{cpu="2"}"#), "1000");
    }

    #[test]
    fn older_layouts_name_their_cpus_by_the_online_list_or_by_line() {
        for (columns, squeezed, limited) in
            [(9, "3", "Unsupported"), (10, "3", "Unsupported"), (11, "3", "7")]
        {
            let stat = escaped(&format!("proc/layouts/softnet_stat-{columns}-columns"));
            let online = "sys/devices/system/cpu/online=0,4\n";
            for (tree, cpu) in [
                (format!("proc/net/softnet_stat={stat}\n{online}"), 4),
                (format!("proc/net/softnet_stat={stat}"), 1),
            ] {
                let reading = read(&Tree::of(&tree));
                assert_eq!(value_of(&reading, &format!("softnet_squeezed_total{{cpu=\"{cpu}\"}}")), squeezed);
                assert_eq!(
                    value_of(&reading, &format!("softnet_flow_limit_total{{cpu=\"{cpu}\"}}")),
                    limited
                );
                let backlog = reading.blocks[0].cell(5, 1);
                assert_eq!(backlog.reason(), Some(Gap::Unsupported), "{columns} columns have no backlog");
            }
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (stat, line) in [("1 2 3\\n", 1), ("", 0), ("0 0 0 0 0 0 0 0 0\\n0 0 0 0 0 0 0 0 zz\\n", 2)] {
            let tree = Tree::of(&format!("proc/net/softnet_stat={stat}"));
            let mut source = (SOURCE.open)(&tree.roots()).expect("opens");
            let error = source.read(&context(&tree.roots(), vec![])).expect_err("cannot be read");
            let SourceError::Format { what, line: at, .. } = &error else { panic!("{error}") };
            assert_eq!((*at, what.ends_with("proc/net/softnet_stat")), (line, true), "{error}");
        }
        assert!(matches!((SOURCE.open)(&Tree::of("").roots()), Err(SourceError::Absent(_))));
    }

    proptest! {
        #[test]
        fn what_the_kernel_prints_comes_back(cpus in proptest::collection::vec(any::<[u32; 15]>(), 1..9)) {
            let text: String = cpus
                .iter()
                .map(|fields| fields.map(|field| format!("{field:08x}")).join(" ") + "\n")
                .collect();
            let lines = parse(&text).expect("the kernel's own format");
            for (line, fields) in lines.iter().zip(&cpus) {
                prop_assert_eq!(line.cpu, Some(fields[12]));
                let expected = [0, 1, 2, 9, 10, 11].map(|at| Some(u64::from(fields[at])));
                prop_assert_eq!(line.cells.map(Cell::as_integer), expected);
            }
        }

        #[test]
        fn damaged_text_is_answered(damaged in mutated(text("proc/6.18/net/softnet_stat"))) {
            let lines = damaged.lines().count();
            prop_assert!(parse(&damaged).is_ok_and(|found| found.len() == lines) || parse(&damaged).is_err());
        }
    }
}

//! How long tasks of the host waited for CPU, memory and disk, from the pressure stall information in /proc/pressure.

use super::contract::{Context, KeptFile, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo};
use super::line_error::LineError;
use crate::sample::block::Block;
use crate::sample::cell::{Cell, Gap};
use crate::sample::metric::{Column, Metric, Unit};
use crate::sample::subject::Subjects;
use std::sync::Arc;
use std::time::Duration;

/// Pressure stall information.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "pressure",
    help: "Time that tasks waited for CPU, memory, disk and interrupts, from /proc/pressure.",
    privilege: "",
    // Formatting these files costs the kernel more than a dump of a hundred links, and nobody needs them each second.
    pace: Pace::Change(Duration::from_secs(5)),
    lane: Lane::Counters,
    deadline: Duration::from_secs(1),
    tables: &[&COLUMNS],
    open,
};

/// At least one task waited.
pub static WAITING: Metric = Metric::counter(
    "pressure_waiting_seconds_total",
    "Time in which at least one task waited for the resource (PSI some).",
    Unit::Seconds,
)
.float();
/// All tasks waited.
pub static STALLED: Metric = Metric::counter(
    "pressure_stalled_seconds_total",
    "Time in which all tasks that could have run waited for the resource (PSI full); irq: spent in interrupts.",
    Unit::Seconds,
)
.float();

/// The files, in the order of the columns of either metric. `irq` exists since 6.1 and has no `some` line.
const RESOURCES: [&str; 4] = ["cpu", "memory", "io", "irq"];
const STALLED_FROM: usize = 3;

static COLUMNS: [Column; 7] = [
    Column::labelled(&WAITING, "resource", RESOURCES[0]),
    Column::labelled(&WAITING, "resource", RESOURCES[1]),
    Column::labelled(&WAITING, "resource", RESOURCES[2]),
    Column::labelled(&STALLED, "resource", RESOURCES[0]),
    Column::labelled(&STALLED, "resource", RESOURCES[1]),
    Column::labelled(&STALLED, "resource", RESOURCES[2]),
    Column::labelled(&STALLED, "resource", RESOURCES[3]),
];

fn open(roots: &Roots) -> Result<Box<dyn Source>, SourceError> {
    let directory = roots.proc.join("pressure");
    let mut files = [const { None }; RESOURCES.len()];
    for (file, resource) in files.iter_mut().zip(RESOURCES) {
        *file = open_file(directory.join(resource))?;
    }
    if files.iter().all(Option::is_none) {
        let directory = directory.display();
        return Err(SourceError::Absent(format!("no {directory}, or the kernel was started without psi=1")));
    }
    Ok(Box::new(Pressure { files, host: Subjects::host() }))
}

/// A file that is missing, or that a kernel started without `psi=1` refuses to read, is none.
fn open_file(path: std::path::PathBuf) -> Result<Option<KeptFile>, SourceError> {
    let mut file = match KeptFile::open(path) {
        Ok(file) => file,
        Err(SourceError::Absent(_)) => return Ok(None),
        Err(error) => return Err(refused(error)),
    };
    match file.read().map(|_| ()).map_err(refused) {
        Ok(()) => Ok(Some(file)),
        Err(SourceError::Absent(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn refused(error: SourceError) -> SourceError {
    match error {
        SourceError::Io { what, error } if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
            SourceError::Absent(format!("{what}: {error}"))
        }
        other => other,
    }
}

struct Pressure {
    files: [Option<KeptFile>; RESOURCES.len()],
    host: Arc<Subjects>,
}

impl Source for Pressure {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        let mut cells = [Cell::gap(Gap::Unsupported); COLUMNS.len()];
        for (resource, file) in self.files.iter_mut().enumerate() {
            let Some(file) = file else { continue };
            let totals = parse(file.read()?).map_err(|error| error.in_file(file.path()))?;
            if resource < STALLED_FROM {
                cells[resource] = seconds(totals.some);
            }
            cells[STALLED_FROM + resource] = seconds(totals.full);
        }
        Ok(Reading::of(Block::of_host(SOURCE.name, context.now, &COLUMNS, &self.host, cells.to_vec())))
    }
}

/// The `total` fields are microseconds (kernel/sched/psi.c, `psi_show`).
fn seconds(microseconds: Option<u64>) -> Cell {
    microseconds.map_or(Cell::gap(Gap::Unsupported), |total| Cell::float(total as f64 / 1e6))
}

/// What a file says, in microseconds. `cpu` has no `full` line before 5.13.
#[derive(Debug, Default, PartialEq, Eq)]
struct Totals {
    some: Option<u64>,
    full: Option<u64>,
}

fn parse(text: &str) -> Result<Totals, LineError> {
    let mut totals = Totals::default();
    for (index, line) in text.lines().enumerate() {
        let mut words = line.split_ascii_whitespace();
        let kind = words.next();
        let total = words.find_map(|word| word.strip_prefix("total="));
        let total = total.and_then(|total| total.parse().ok());
        let total = total.ok_or_else(|| LineError::at(index, "no number after total="))?;
        match kind {
            Some("some") => totals.some = Some(total),
            Some("full") => totals.full = Some(total),
            _ => return Err(LineError::at(index, "begins with neither some nor full")),
        }
    }
    if totals == Totals::default() {
        return Err(LineError::of_all("empty"));
    }
    Ok(totals)
}

#[cfg(test)]
mod tests {
    use super::{parse, refused, Totals, SOURCE};
    use crate::source::contract::SourceError;
    use crate::source::fixture::{captured_proc, context, golden, lines, mutated, text, value_of, Tree};
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    #[test]
    fn captured_files_read_as_their_golden() {
        let roots = captured_proc();
        let mut source = (SOURCE.open)(&roots).expect("opens");
        golden("pressure", &lines(&source.read(&context(&roots, vec![])).expect("reads")));
    }

    #[test]
    fn what_an_older_kernel_lacks_is_a_gap() {
        // 5.4: cpu has no full line, and there is no irq. Written by hand after kernel/sched/psi.c.
        let tree = Tree::of("proc/pressure/cpu=some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\n");
        let mut source = (SOURCE.open)(&tree.roots()).expect("opens");
        let reading = source.read(&context(&tree.roots(), vec![])).expect("reads");
        assert_eq!(value_of(&reading, r#"pressure_waiting_seconds_total{resource="cpu"}"#), "1.5");
        for series in ["stalled_seconds_total{resource=\"cpu\"}", "waiting_seconds_total{resource=\"io\"}"] {
            assert_eq!(value_of(&reading, &format!("pressure_{series}")), "Unsupported");
        }
    }

    #[test]
    fn a_kernel_without_it_is_no_fault() {
        assert!(matches!((SOURCE.open)(&Tree::of("").roots()), Err(SourceError::Absent(_))));
        let error = std::io::Error::from_raw_os_error(libc::EOPNOTSUPP);
        let refused = refused(SourceError::Io { what: "/proc/pressure/cpu".into(), error });
        assert!(matches!(refused, SourceError::Absent(_)), "{refused}");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, line) in [("", 0), ("some", 1), ("some total=1\nfull avg10=0", 2), ("all total=5", 1)] {
            assert_eq!(parse(text).expect_err("wrong").line, line, "{text:?}");
        }
        let tree = Tree::of("proc/pressure/io=some avg10=0.00");
        let mut source = (SOURCE.open)(&tree.roots()).expect("opens");
        let error = source.read(&context(&tree.roots(), vec![])).expect_err("no total").to_string();
        assert!(error.contains("pressure/io, line 1"), "{error}");
    }

    proptest! {
        #[test]
        fn totals_come_back(some in any::<u64>(), full in any::<u64>()) {
            let text = format!(
                "some avg10=0.29 avg60=0.58 avg300=0.52 total={some}\nfull avg10=0.03 avg60=0.33 avg300=0.39 total={full}\n"
            );
            prop_assert_eq!(parse(&text), Ok(Totals { some: Some(some), full: Some(full) }));
        }

        #[test]
        fn damaged_text_is_answered(damaged in mutated(text("proc/6.18/pressure/io"))) {
            match parse(&damaged) {
                Ok(totals) => prop_assert!(totals != Totals::default()),
                Err(error) => prop_assert!(error.line <= damaged.lines().count()),
            }
        }
    }
}

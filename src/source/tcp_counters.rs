//! What the host's TCP and IP say of loss, full buffers and fragments, from /proc/net/netstat and /proc/net/snmp.
//!
//! The counters are those of this network namespace. Each file is pairs of lines, names and values; kernels add
//! names and never promise their places, so columns are found by name. The procfs crate reads the second file
//! only, refuses it when a kernel lacks one name, and makes two strings of every name.

use super::contract::{Context, KeptFile, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo};
use super::line_error::LineError;
use crate::sample::block::Block;
use crate::sample::cell::{Cell, Gap};
use crate::sample::subject::Subjects;
use fields::{COLUMNS, FIELDS};
use std::sync::Arc;
use std::time::Duration;

pub mod fields;

/// Counters of TCP and IP.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "tcp_counters",
    help: "TCP and IP counters of the namespace, from /proc/net/netstat and /proc/net/snmp.",
    privilege: "",
    pace: Pace::Tick,
    lane: Lane::Counters,
    deadline: Duration::from_secs(1),
    tables: &[COLUMNS],
    open,
};

fn open(roots: &Roots) -> Result<Box<dyn Source>, SourceError> {
    let file =
        |name| KeptFile::open(roots.proc.join("net").join(name)).map(|file| (file, Layouts::default()));
    Ok(Box::new(TcpCounters { files: [file("netstat")?, file("snmp")?], host: Subjects::host() }))
}

struct TcpCounters {
    files: [(KeptFile, Layouts); 2],
    host: Arc<Subjects>,
}

impl Source for TcpCounters {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        let mut cells = vec![Cell::gap(Gap::Unsupported); COLUMNS.len()];
        for (file, layouts) in &mut self.files {
            layouts.parse(file.read_piece()?, &mut cells).map_err(|error| error.in_file(file.path()))?;
        }
        Ok(Reading::of(Block::of_host(SOURCE.name, context.now, COLUMNS, &self.host, cells)))
    }
}

/// The layouts of a file's sections. They are found once: the names stay the same while the kernel runs, and
/// comparing a line of names is twenty times cheaper than looking every name up.
#[derive(Default)]
struct Layouts(Vec<Layout>);

impl Layouts {
    /// Fills the cells that the text knows of.
    fn parse(&mut self, text: &str, cells: &mut [Cell]) -> Result<(), LineError> {
        let mut lines = text.lines().enumerate();
        while let Some((index, names)) = lines.next() {
            let Some((_, values)) = lines.next() else {
                return Err(LineError::at(index, "names without values"));
            };
            let layout = self.of(names).ok_or_else(|| LineError::at(index, "no section before a colon"))?;
            layout.take(values, cells).map_err(|problem| LineError::at(index + 1, problem))?;
        }
        Ok(())
    }

    fn of(&mut self, names: &str) -> Option<&Layout> {
        if let Some(known) = self.0.iter().position(|layout| layout.names == names) {
            return self.0.get(known);
        }
        let layout = Layout::of(names)?;
        self.0.retain(|known| known.section != layout.section);
        self.0.push(layout);
        self.0.last()
    }
}

/// One section: which of its values are wanted.
struct Layout {
    names: String,
    section: String,
    /// (place among the values, column), by place.
    wanted: Vec<(usize, usize)>,
}

impl Layout {
    fn of(names: &str) -> Option<Self> {
        let (section, list) = names.split_once(':')?;
        let column = |name| FIELDS.iter().position(|field| (field.section, field.name) == (section, name));
        let wanted = list.split_ascii_whitespace().enumerate();
        let wanted = wanted.filter_map(|(place, name)| Some((place, column(name)?))).collect();
        Some(Self { names: names.to_owned(), section: section.to_owned(), wanted })
    }

    fn take(&self, values: &str, cells: &mut [Cell]) -> Result<(), String> {
        let values = values.strip_prefix(&self.section).and_then(|rest| rest.strip_prefix(':'));
        let mut values =
            values.ok_or_else(|| format!("not the values of {}", self.section))?.split_ascii_whitespace();
        let mut next = 0;
        for (place, column) in &self.wanted {
            let word = values.nth(place - next).ok_or("fewer values than names")?;
            next = place + 1;
            let value = word.parse().map_err(|_| format!("{word:?} is no number"))?;
            cells[*column] = FIELDS[*column].cell(value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::fields::{COLUMNS, FIELDS};
    use super::{Layouts, SOURCE};
    use crate::sample::cell::{Cell, Gap};
    use crate::source::fixture::{
        captured_proc, context, escaped, golden, lines, mutated, text, value_of, Tree,
    };
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    fn gaps() -> Vec<Cell> {
        vec![Cell::gap(Gap::Unsupported); COLUMNS.len()]
    }

    #[test]
    fn captured_files_read_as_their_golden() {
        let roots = captured_proc();
        let mut source = (SOURCE.open)(&roots).expect("opens");
        let context = context(&roots, vec![]);
        let first = lines(&source.read(&context).expect("reads"));
        golden("tcp_counters", &first);
        assert_eq!(lines(&source.read(&context).expect("reads with its layouts known")), first);
    }

    #[test]
    fn a_field_that_a_kernel_lacks_is_a_gap() {
        let tree = format!(
            "proc/net/netstat={}\nproc/net/snmp={}",
            escaped("proc/layouts/netstat-3.10"),
            escaped("proc/layouts/snmp-3.10")
        );
        let tree = Tree::of(&tree);
        let mut source = (SOURCE.open)(&tree.roots()).expect("opens");
        let reading = source.read(&context(&tree.roots(), vec![])).expect("reads");
        assert_eq!(value_of(&reading, "tcp_timeouts_total{}"), "17");
        assert_eq!(value_of(&reading, "tcp_retransmitted_segments_total{}"), "42");
        assert_eq!(value_of(&reading, "tcp_zero_window_drops_total{}"), "Unsupported");
    }

    #[test]
    fn names_that_move_are_found_again() {
        let mut layouts = Layouts::default();
        let column = FIELDS.iter().position(|field| field.name == "TCPTimeouts").expect("in the table");
        for (text, expected) in [
            ("TcpExt: A TCPTimeouts\nTcpExt: 1 2\n", Some(2)),
            ("TcpExt: TCPTimeouts A\nTcpExt: 3 4\n", Some(3)),
            ("TcpExt: A\nTcpExt: 9\n", None),
        ] {
            let mut cells = gaps();
            layouts.parse(text, &mut cells).expect("reads");
            assert_eq!(cells[column].as_integer(), expected, "{text}");
            assert_eq!(layouts.0.len(), 1, "one layout a section");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, line) in [
            ("TcpExt: A\n", 1),
            ("TcpExt\nTcpExt: 1\n", 1),
            ("Ip: A\nTcp: 1\n", 2),
            ("Ip: A\nIp: 1\nTcpExt: A TCPTimeouts\nTcpExt: 1\n", 4),
            ("TcpExt: TCPTimeouts\nTcpExt: many\n", 2),
        ] {
            let error = Layouts::default().parse(text, &mut gaps()).expect_err("wrong");
            assert_eq!(error.line, line, "{text:?}: {}", error.problem);
        }
        let tree = Tree::of("proc/net/netstat=TcpExt: A\nproc/net/snmp=");
        let mut source = (SOURCE.open)(&tree.roots()).expect("opens");
        let error = source.read(&context(&tree.roots(), vec![])).expect_err("half a section").to_string();
        assert!(error.contains("net/netstat, line 1"), "{error}");
    }

    proptest! {
        #[test]
        fn any_order_of_names_reads_the_same(values in proptest::collection::vec(0u64..1 << 40, FIELDS.len()), turn in 0..FIELDS.len()) {
            let mut order: Vec<usize> = (0..FIELDS.len()).collect();
            order.rotate_left(turn);
            let section = |at: &usize| {
                let field = &FIELDS[*at];
                format!("{0}: {1}\n{0}: {2}\n", field.section, field.name, values[*at])
            };
            let text = order.iter().map(section).collect::<Vec<_>>().concat();
            let mut cells = gaps();
            Layouts::default().parse(&text, &mut cells).expect("reads");
            for (column, value) in values.iter().enumerate() {
                prop_assert_eq!(cells[column], FIELDS[column].cell(*value));
            }
        }

        #[test]
        fn damaged_text_is_answered(damaged in mutated(text("proc/6.18/net/snmp"))) {
            if let Err(error) = Layouts::default().parse(&damaged, &mut gaps()) {
                prop_assert!((1..=damaged.lines().count()).contains(&error.line));
            }
        }
    }
}

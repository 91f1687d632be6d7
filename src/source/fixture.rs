//! What the tests of sources share: captured trees, trees built from a list of files, mutated text, and a block as
//! lines that a person can compare. Tests only.

use super::contract::{Context, Reading, Roots};
use crate::sample::block::Block;
use crate::sample::cell::Cell;
use crate::sample::link::{Hardware, Link, Links};
use crate::sample::metric::Form;
use proptest::prelude::{any, Strategy};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the captured files are.
pub fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(path)
}

/// The text of a captured file.
pub fn text(path: &str) -> String {
    std::fs::read_to_string(data(path)).expect("a captured file")
}

/// A /proc captured on a real host, and an empty /sys.
pub fn captured_proc() -> Roots {
    Roots { proc: data("proc/6.18"), sys: data("sys/empty") }
}

/// What a source is given.
pub fn context(roots: &Roots, links: Vec<Link>) -> Context {
    let links = Arc::new(Links::new(1, links, None));
    Context { links, roots: Arc::new(roots.clone()), ..Context::default() }
}

/// An exported physical link.
pub fn link(index: u32, name: &str, pci: &str) -> Link {
    Link {
        key: u64::from(index),
        index,
        name: name.into(),
        kind: "physical".into(),
        hardware: Some(Box::new(Hardware {
            bus_address: pci.into(),
            pci: pci.into(),
            ..Hardware::default()
        })),
        exported: true,
        ..Link::default()
    }
}

/// The text of a captured file as one line of a `Tree`.
pub fn escaped(path: &str) -> String {
    text(path).replace('\n', "\\n")
}

/// A tree of files built from lines `path=text` (a backslash n is a line feed) and `path -> target` (a symbolic
/// link); `#` begins a comment. For hardware that is not at hand.
pub struct Tree {
    directory: tempfile::TempDir,
}

impl Tree {
    /// Builds the tree.
    pub fn of(lines: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for line in lines.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            if let Some((path, target)) = line.split_once(" -> ") {
                let path = in_made_directory(directory.path(), path);
                std::os::unix::fs::symlink(target, path).expect("a symbolic link");
            } else {
                let (path, text) = line.split_once('=').expect("path=text");
                let path = in_made_directory(directory.path(), path);
                std::fs::write(path, text.replace("\\n", "\n")).expect("a file");
            }
        }
        Self { directory }
    }

    /// The tree as both /proc and /sys.
    pub fn roots(&self) -> Roots {
        Roots { proc: self.directory.path().join("proc"), sys: self.directory.path().join("sys") }
    }

    /// A file in the tree.
    pub fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }
}

fn in_made_directory(root: &Path, path: &str) -> PathBuf {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
    path
}

/// Every value of a reading as `name{labels} value`, a line each; a gap shows its reason.
pub fn lines(reading: &Reading) -> String {
    let mut out = String::new();
    for block in &reading.blocks {
        for row in 0..block.rows() {
            for column in 0..block.columns.len() {
                writeln!(out, "{}", line(block, column, row)).expect("a string takes all");
            }
        }
    }
    for fact in &reading.facts {
        writeln!(out, "fact {} {}={}", fact.key, fact.label, fact.value).expect("a string takes all");
    }
    for problem in &reading.problems {
        writeln!(out, "problem {problem}").expect("a string takes all");
    }
    out
}

fn line(block: &Block, column: usize, row: usize) -> String {
    let described = &block.columns[column];
    let mut labels = block.subjects.labels(row).to_owned();
    if let Some((name, value)) = described.label {
        let comma = if labels.is_empty() { "" } else { "," };
        labels = format!("{labels}{comma}{name}=\"{value}\"");
    }
    format!("{}{{{labels}}} {}", described.metric.name, value(block.cell(column, row), described.metric.form))
}

fn value(cell: Cell, form: Form) -> String {
    match (cell.reason(), form) {
        (Some(reason), _) => format!("{reason:?}"),
        (None, Form::Integer) => cell.as_integer().unwrap_or_default().to_string(),
        (None, Form::Float) => cell.as_float().unwrap_or_default().to_string(),
    }
}

/// The value of the line that begins with this name and labels.
pub fn value_of(reading: &Reading, series: &str) -> String {
    let lines = lines(reading);
    let found = lines.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {series} in\n{lines}")).to_owned()
}

/// Compares with the golden file of this name in tests/golden.
pub fn golden(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name.to_owned(), text));
}

/// A text with some of its bytes changed and its end cut off.
pub fn mutated(original: String) -> impl Strategy<Value = String> {
    let edits = proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..6);
    (edits, any::<proptest::sample::Index>(), any::<bool>()).prop_map(move |(edits, end, cut)| {
        let mut bytes = original.clone().into_bytes();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cut {
            bytes.truncate(end.index(bytes.len()));
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

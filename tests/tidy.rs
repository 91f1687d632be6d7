//! The house rules that a compiler does not know, held as tests.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails by panicking, and may wait")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which rooms each room may import, in the order in which data flows.
const MAY_IMPORT: [(&str, &[&str]); 7] = [
    ("sample", &[]),
    ("source", &["sample"]),
    ("topology", &["sample"]),
    ("analysis", &["sample", "source", "topology"]),
    ("record", &["sample"]),
    ("output", &["sample", "source", "topology", "analysis"]),
    ("run", &["sample", "source", "topology", "analysis", "record", "output"]),
];

/// Lines of code of a file, its tests not counted.
const FILE: usize = 400;
/// Lines of a function.
const FUNCTION: usize = 60;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Every Rust file of the project, with its path from the root.
fn all_files() -> Vec<(String, String)> {
    let folders = ["src", "tests", "benches", "lab", "xtask"].map(|folder| root().join(folder));
    let files = folders.iter().filter(|folder| folder.exists()).flat_map(|folder| rust_files(folder));
    files
        .map(|path| {
            (path.strip_prefix(root()).unwrap().display().to_string(), fs::read_to_string(&path).unwrap())
        })
        .collect()
}

fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

fn assert_none(problems: &[String], rule: &str) {
    assert!(problems.is_empty(), "{rule}:\n{}", problems.join("\n"));
}

#[test]
fn every_file_says_first_what_it_is_responsible_for() {
    let silent: Vec<_> =
        all_files().into_iter().filter(|(_, text)| !text.starts_with("//! ")).map(|f| f.0).collect();
    assert_none(&silent, "these files do not start with //!");
}

#[test]
fn files_and_functions_are_small() {
    let mut large = Vec::new();
    for (path, text) in all_files() {
        let code = without_tests(&text);
        let lines = code.lines().count();
        if lines > FILE {
            large.push(format!("{path}: {lines} lines, at most {FILE}"));
        }
        for (name, length) in functions(code) {
            if length > FUNCTION {
                large.push(format!("{path}: {name} has {length} lines, at most {FUNCTION}"));
            }
        }
    }
    assert_none(&large, "these are too large");
}

/// Functions and their lengths: rustfmt puts the closing brace at the indentation of the `fn`.
fn functions(code: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        let words =
            trimmed.trim_start_matches("pub ").trim_start_matches("pub(super) ").trim_start_matches("const ");
        let Some(rest) = words.trim_start_matches("async ").strip_prefix("fn ") else { continue };
        let signature_end = lines[start..].iter().find(|l| l.ends_with(['{', ';', '}']));
        if signature_end.is_some_and(|l| l.ends_with(';')) {
            continue;
        }
        let indent = line.len() - trimmed.len();
        let end = lines[start..].iter().position(|l| *l == format!("{}}}", " ".repeat(indent)));
        let name = rest.split(['(', '<']).next().unwrap_or(rest);
        found.extend(end.map(|length| (name.to_owned(), length + 1)));
    }
    found
}

#[test]
fn imports_run_one_way() {
    let mut wrong = Vec::new();
    for (room, allowed) in MAY_IMPORT {
        let folder = root().join("src").join(room);
        if !folder.exists() {
            continue;
        }
        for path in rust_files(&folder) {
            let text = fs::read_to_string(&path).unwrap();
            for imported in imported_rooms(without_tests(&text)) {
                if imported != room && !allowed.contains(&imported.as_str()) {
                    wrong.push(format!("{} imports {imported}", path.display()));
                }
            }
        }
    }
    assert_none(&wrong, "imports run sample <- source, topology <- analysis <- output <- run");
}

fn imported_rooms(code: &str) -> BTreeSet<String> {
    let after = code.match_indices("crate::").map(|(at, found)| &code[at + found.len()..]);
    let rooms =
        after.map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default());
    rooms.filter(|room| MAY_IMPORT.iter().any(|(name, _)| name == room)).map(str::to_owned).collect()
}

#[test]
fn no_file_imports_everything_of_its_parent() {
    let wrong: Vec<_> = all_files()
        .into_iter()
        .filter(|(path, text)| path != "tests/tidy.rs" && text.contains("use super::*"))
        .map(|file| file.0)
        .collect();
    assert_none(&wrong, "use super::* hides where a name comes from");
}

#[test]
fn unsafe_code_has_one_place() {
    let place = "src/source/transport/ioctl.rs";
    let allows: Vec<_> = all_files()
        .into_iter()
        .filter(|(path, text)| path != place && path != "tests/tidy.rs" && text.contains("unsafe_code"))
        .map(|file| file.0)
        .collect();
    assert_none(&allows, "only the ioctl may allow unsafe code");
}

#[test]
fn nothing_is_left_for_later() {
    let marks = [
        "to".to_owned() + "do!(",
        "unimpl".to_owned() + "emented!(",
        "db".to_owned() + "g!(",
        "FIX".to_owned() + "ME",
        "TO".to_owned() + "DO",
        "#[ign".to_owned() + "ore",
        "should_".to_owned() + "panic",
    ];
    let found: Vec<_> = all_files()
        .into_iter()
        .flat_map(|(path, text)| {
            marks
                .iter()
                .filter(|mark| text.contains(mark.as_str()))
                .map(|mark| format!("{path}: {mark}"))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_none(&found, "these are promises, not code");
}

#[test]
fn only_the_shell_reads_a_clock() {
    let wrong: Vec<_> = rust_files(&root().join("src"))
        .into_iter()
        .filter(|path| !path.starts_with(root().join("src/run")))
        .filter(|path| {
            let text = fs::read_to_string(path).unwrap();
            ["Instant::now", "SystemTime::now", ".elapsed()"]
                .iter()
                .any(|call| without_tests(&text).contains(call))
        })
        .map(|path| path.display().to_string())
        .collect();
    assert_none(&wrong, "time is an argument");
}

#[test]
fn every_source_is_one_file_and_one_line() {
    let listed: BTreeSet<_> = miglink::source::SOURCES.iter().map(|info| info.name.to_owned()).collect();
    assert_eq!(listed.len(), miglink::source::SOURCES.len(), "two sources have one name");
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(root().join("src/source")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap_or_default();
        if text.contains("pub static SOURCE: SourceInfo") {
            files.insert(path.file_stem().unwrap().to_string_lossy().into_owned());
        }
    }
    assert_eq!(listed, files, "SOURCES and the files of src/source that declare one");
}

#[test]
fn every_metric_is_described_once_and_named_as_prometheus_wants_it() {
    let tables = miglink::source::SOURCES.iter().flat_map(|info| info.tables.iter().copied());
    let own = miglink::topology::description::TABLES.iter().chain(&miglink::run::state::TABLES).copied();
    let (mut names, mut problems) = (BTreeSet::new(), Vec::new());
    for table in tables.chain(own) {
        let mut before = None;
        for column in table {
            let metric = column.metric;
            let first = before != Some(metric.name);
            before = Some(metric.name);
            if first && !names.insert(metric.name) {
                problems.push(format!("{}: in two places, or its columns are not side by side", metric.name));
            }
            problems.extend(name_problems(metric).map(|problem| format!("{}: {problem}", metric.name)));
        }
    }
    assert_none(&problems, "metrics");
}

fn name_problems(metric: &miglink::sample::metric::Metric) -> Option<String> {
    use miglink::sample::metric::Kind;
    let suffix = metric.unit.suffix();
    let base = match metric.kind {
        Kind::Counter => match metric.name.strip_suffix("_total") {
            Some(base) => base,
            None => return Some("a counter ends in _total".into()),
        },
        Kind::Info if !metric.name.ends_with("_info") => return Some("an info ends in _info".into()),
        Kind::Gauge if metric.name.ends_with("_total") => {
            return Some("a gauge does not end in _total".into())
        }
        _ => metric.name,
    };
    if !base.ends_with(suffix) {
        return Some(format!("its unit {suffix} must end its name"));
    }
    if metric.help.is_empty() || !metric.help.ends_with('.') {
        return Some("help is a sentence".into());
    }
    None
}

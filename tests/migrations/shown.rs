//! Compares what a story expects with the tables that are shown.

use crate::story::{bytes, count, Line};
use crate::world::World;
use miglink::analysis::migrations::tracker::News;
use miglink::sample::block::Block;
use miglink::sample::cell::Cell;
use miglink::sample::metric::Form;

/// The names that stories have for columns: `(in the story, metric, label)`.
const COLUMNS: [(&str, &str, Option<&str>); 16] = [
    ("start", "migration_start_time_seconds", None),
    ("end", "migration_end_time_seconds", None),
    ("setup", "migration_phase_seconds", Some("setup")),
    ("memory_copy", "migration_phase_seconds", Some("memory_copy")),
    ("state_transfer", "migration_phase_seconds", Some("state_transfer")),
    ("postcopy", "migration_phase_seconds", Some("postcopy")),
    ("pause", "migration_guest_downtime_seconds", None),
    ("expects", "migration_expected_downtime_seconds", None),
    ("transferred", "migration_transferred_bytes_total", None),
    ("told", "migration_carried_bytes_total", Some("hypervisor")),
    ("sockets", "migration_carried_bytes_total", Some("sockets")),
    ("memory", "migration_memory_bytes", None),
    ("remaining", "migration_remaining_bytes", None),
    ("iterations", "migration_iterations", None),
    ("rate", "migration_throughput_bytes_per_second", None),
    ("limit", "migration_bandwidth_limit_bytes_per_second", None),
];

fn row(block: &Block, vm: &str, direction: &str) -> Option<usize> {
    (0..block.rows()).find(|row| {
        block.subjects.label(*row, "vm").as_deref() == Some(vm)
            && block.subjects.label(*row, "direction").as_deref() == Some(direction)
    })
}

/// `expect VM DIRECTION NAME=VALUE…`. Times are milliseconds; `VALUE~TOLERANCE` may differ by that; `missing` is a
/// value that is not shown.
pub fn expect(world: &World, line: &Line) -> Result<(), String> {
    let [info, figures] = &world.blocks[..] else { return Err("no migration is shown".into()) };
    let row = row(figures, line.word(1), line.word(2)).ok_or("this migration is not shown")?;
    let mut wrong = Vec::new();
    for (name, expected) in line.values() {
        let found = found(info, figures, row, name);
        let same = if found.1 { is_near(&found.0, expected) } else { found.0 == expected };
        if !same {
            wrong.push(format!("{name} is {}, not {expected}", found.0));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(wrong.join("; "))
}

/// A value as a story writes it, and whether it is a number.
fn found(info: &Block, figures: &Block, row: usize, name: &str) -> (String, bool) {
    match name {
        "phase" => return (which(figures, row, "migration_phase"), false),
        "result" => return (which(figures, row, "migration_result"), false),
        _ => {}
    }
    let Some((_, metric, label)) = COLUMNS.iter().find(|known| known.0 == name) else {
        return (info.subjects.label(row, name).unwrap_or("missing".into()), false);
    };
    let column = figures.columns.iter().position(|column| {
        column.metric.name == *metric && label.is_none_or(|label| column.label.is_some_and(|l| l.1 == label))
    });
    let column = column.expect(metric);
    let cell = figures.cell(column, row);
    (number(cell, figures.columns[column].metric.form, metric.ends_with("_seconds")), true)
}

fn number(cell: Cell, form: Form, is_time: bool) -> String {
    let value = match form {
        Form::Float => cell.as_float(),
        Form::Integer => cell.as_integer().map(|value| value as f64),
    };
    value.map_or("missing".into(), |value| format!("{:.0}", if is_time { value * 1000.0 } else { value }))
}

/// The label whose column is 1.
fn which(figures: &Block, row: usize, metric: &str) -> String {
    let mut columns = figures.columns.iter().enumerate().filter(|(_, column)| column.metric.name == metric);
    let set = columns.find(|(at, _)| figures.cell(*at, row).as_integer() == Some(1));
    set.and_then(|(_, column)| column.label).map_or("none", |(_, value)| value).to_owned()
}

fn is_near(found: &str, expected: &str) -> bool {
    let (expected, tolerance) = expected.split_once('~').unwrap_or((expected, "0"));
    if found == "missing" || expected == "missing" {
        return found == expected;
    }
    let found: u64 = found.parse().expect("a number");
    found.abs_diff(bytes(expected)) <= bytes(tolerance)
}

/// `absent VM DIRECTION`.
pub fn absent(world: &World, line: &Line) -> Result<(), String> {
    let shown = world.blocks.get(1).and_then(|figures| row(figures, line.word(1), line.word(2)));
    shown.map_or(Ok(()), |_| Err("it is shown".into()))
}

/// `news [began=N] [ended=N] [carried=BYTES]`, since the beginning.
pub fn news(news: &[News], line: &Line) -> Result<(), String> {
    let (began, ended, carried) = count(news);
    for (name, expected) in line.values() {
        let found = match name {
            "began" => began as u64,
            "ended" => ended as u64,
            _ => carried,
        };
        if !is_near(&found.to_string(), expected) {
            return Err(format!("{name} is {found}, not {expected}"));
        }
    }
    Ok(())
}

//! What a scene's script expects of miglink beside equality with the tools: the lines of `/out/expect`.
//!
//! ```text
//! SNAPSHOT present SELECTOR
//! SNAPSHOT absent SELECTOR
//! SNAPSHOT SELECTOR (==|!=|>=|<=) NUMBER
//! SNAPSHOT SELECTOR since SNAPSHOT (==|>=|<=) NUMBER     the difference of the two snapshots
//! ```
//! A selector that selects several series stands for their sum.

use anyhow::{bail, Context, Result};

use super::compare::Snapshot;
use super::exposition::Selector;
use super::report::Row;

/// The row of one line.
///
/// # Errors
/// When the line cannot be read, or names a snapshot that the scene did not take.
pub fn judge(line: &str, snapshots: &[Snapshot]) -> Result<Row> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let row = match words[..] {
        [at, "present", selector] => presence(snapshots, at, selector, true),
        [at, "absent", selector] => presence(snapshots, at, selector, false),
        [at, selector, "since", earlier, operator, number] => {
            let difference = value(snapshots, at, selector)?.zip(value(snapshots, earlier, selector)?);
            relation(at, selector, difference.map(|(now, then)| now - then), operator, number)
        }
        [at, selector, operator, number] => {
            relation(at, selector, value(snapshots, at, selector)?, operator, number)
        }
        _ => bail!("not an expectation"),
    };
    row.with_context(|| format!("expectation: {line}"))
}

fn presence(snapshots: &[Snapshot], at: &str, selector: &str, wanted: bool) -> Result<Row> {
    let found = value(snapshots, at, selector)?.is_some();
    let word = |there| if there { "present" } else { "absent" };
    Ok(row(at, selector, word(found).to_owned(), word(wanted).to_owned(), found == wanted))
}

fn relation(at: &str, selector: &str, value: Option<f64>, operator: &str, number: &str) -> Result<Row> {
    let wanted: f64 = number.parse().context("not a number")?;
    let holds: fn(&f64, &f64) -> bool = match operator {
        "==" => f64::eq,
        "!=" => f64::ne,
        ">=" => f64::ge,
        "<=" => f64::le,
        _ => bail!("not an operator: {operator}"),
    };
    let ok = value.is_some_and(|value| holds(&value, &wanted));
    let miglink = value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    Ok(row(at, selector, miglink, format!("{operator} {number}"), ok))
}

fn value(snapshots: &[Snapshot], at: &str, selector: &str) -> Result<Option<f64>> {
    let snapshot = snapshots.iter().find(|snapshot| snapshot.name == at);
    let snapshot = snapshot.with_context(|| format!("no snapshot {at}"))?;
    Ok(Selector::parse(selector)?.sum(&snapshot.samples))
}

fn row(at: &str, selector: &str, miglink: String, tool: String, ok: bool) -> Row {
    Row {
        snapshot: at.to_owned(),
        metric: selector.to_owned(),
        subject: "expected".to_owned(),
        miglink,
        tool,
        ok,
        ..Row::default()
    }
}

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

use super::report::Row;
use lab::exposition::{Sample, Selector};

/// What miglink said in the snapshot of this name.
pub type Snapshots<'a> = &'a dyn Fn(&str) -> Option<&'a [Sample]>;

/// The row of one line.
///
/// # Errors
/// When the line cannot be read, or names a snapshot that the scene did not take.
pub fn judge(line: &str, snapshots: Snapshots<'_>) -> Result<Row> {
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

fn presence(snapshots: Snapshots<'_>, at: &str, selector: &str, wanted: bool) -> Result<Row> {
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

fn value(snapshots: Snapshots<'_>, at: &str, selector: &str) -> Result<Option<f64>> {
    let samples = snapshots(at).with_context(|| format!("no snapshot {at}"))?;
    Ok(Selector::parse(selector)?.sum(samples))
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

#[cfg(test)]
mod tests {
    use super::judge;
    use lab::exposition::parse;

    #[test]
    fn every_form_holds_and_fails() {
        let start = parse("a_total{device=\"x\"} 5\na_total{device=\"y\"} 1\n").unwrap();
        let end = parse("a_total{device=\"x\"} 7\n").unwrap();
        let snapshots = |name: &str| match name {
            "start" => Some(start.as_slice()),
            "end" => Some(end.as_slice()),
            _ => None,
        };
        for (line, ok) in [
            ("start present a_total{device=\"y\"}", true),
            ("end present a_total{device=\"y\"}", false),
            ("end absent a_total{device=\"y\"}", true),
            ("end absent a_total", false),
            ("start a_total == 6", true),
            ("start a_total{device=\"x\"} <= 4", false),
            ("end a_total{device=\"x\"} since start == 2", true),
            ("end a_total{device=\"x\"} since start >= 3", false),
            ("end a_total{device=\"y\"} since start >= 0", false),
        ] {
            assert_eq!(judge(line, &snapshots).unwrap().ok, ok, "{line}");
        }
        for line in ["gone present a_total", "end a_total", "end a_total > 1", "end a_total == x"] {
            assert!(judge(line, &snapshots).is_err(), "{line}");
        }
    }
}

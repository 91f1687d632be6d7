//! The rows of a run: one for each comparison, and how they are printed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// One comparison of miglink with the kernel's own tools, or of miglink with what a scene expects.
#[derive(Default)]
pub struct Row {
    /// The scene.
    pub scene: String,
    /// The scene's snapshot.
    pub snapshot: String,
    /// Which metric, or which expectation.
    pub metric: String,
    /// About which device, CPU or port.
    pub subject: String,
    /// What miglink says.
    pub miglink: String,
    /// What it is compared with.
    pub tool: String,
    /// Whether they agree.
    pub ok: bool,
}

impl Row {
    /// The metric without labels.
    fn name(&self) -> &str {
        self.metric.split('{').next().unwrap_or_default()
    }

    fn line(&self) -> String {
        let Self { scene, snapshot, metric, subject, miglink, tool, ok } = self;
        let verdict = if *ok { "ok" } else { "FAIL" };
        format!(
            "{verdict:4} {scene} {snapshot:12} {subject:16} {metric:52} miglink {miglink:>16}  tool {tool}\n"
        )
    }
}

/// Every row, one a line.
pub fn all(rows: &[Row]) -> String {
    rows.iter().map(Row::line).collect()
}

/// A line for each snapshot, the rows that fail, and the metrics that were never compared with anything but 0.
pub fn summary(rows: &[Row]) -> String {
    let mut text = String::new();
    let mut snapshots: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
    for row in rows {
        let counts = snapshots.entry((&row.scene, &row.snapshot)).or_default();
        counts.0 += 1;
        counts.1 += usize::from(!row.ok);
    }
    for ((scene, snapshot), (all, failed)) in &snapshots {
        let _ = writeln!(text, "{scene:10} {snapshot:14} {all:5} compared, {failed} failed");
    }
    text.extend(rows.iter().filter(|row| !row.ok).map(Row::line));
    let zero = only_zero(rows);
    if !zero.is_empty() {
        let _ = writeln!(text, "compared, but never with another value than 0: {}", zero.join(", "));
    }
    let failed = rows.iter().filter(|row| !row.ok).count();
    let _ = writeln!(text, "{} comparisons, {failed} failed", rows.len());
    text
}

/// Names of metrics, without labels.
fn only_zero(rows: &[Row]) -> Vec<&str> {
    let is_zero = |row: &&Row| row.name().starts_with("miglink_") && row.tool.split(' ').next() == Some("0");
    let moved: BTreeSet<&str> = rows.iter().filter(|row| !is_zero(row)).map(Row::name).collect();
    let zero: BTreeSet<&str> = rows.iter().filter(is_zero).map(Row::name).collect();
    zero.difference(&moved).copied().collect()
}

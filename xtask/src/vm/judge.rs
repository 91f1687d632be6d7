//! All rows of a scene that has run: its snapshots in their order, what its script expects, and how it ended.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::compare::{Pair, Snapshot, Value};
use super::expect;
use super::report::Row;
use lab::exposition::Sample;

/// Counters that a driver keeps itself, and may set to 0 while the device stays.
const DRIVERS_OWN: [&str; 3] =
    ["miglink_link_receive_", "miglink_link_transmit_", "miglink_link_ring_overflows_"];

/// What a scene left behind.
struct Scene {
    snapshots: Vec<Snapshot>,
    pairs: Vec<Vec<Pair>>,
    /// (snapshot, device): after this snapshot the device's own counters began anew.
    resets: Vec<(usize, String)>,
}

/// The rows of the scene whose results are in `out`.
///
/// # Errors
/// When a snapshot or an expectation cannot be read.
pub fn judge(scene: &str, out: &Path) -> Result<Vec<Row>> {
    let mut rows = vec![ending(out)];
    let order = fs::read_to_string(out.join("order")).unwrap_or_default();
    let snapshots: Vec<Snapshot> =
        order.lines().map(|name| Snapshot::load(&out.join(name))).collect::<Result<_>>()?;
    let pairs = snapshots.iter().map(Snapshot::pairs).collect::<Result<_>>()?;
    let found = Scene { resets: resets(out, &snapshots)?, pairs, snapshots };
    for (at, pairs) in found.pairs.iter().enumerate() {
        rows.extend(pairs.iter().map(|pair| found.row(at, pair)));
    }
    for line in fs::read_to_string(out.join("expect")).unwrap_or_default().lines() {
        rows.push(expect::judge(line, &|name| found.samples(name))?);
    }
    for row in &mut rows {
        scene.clone_into(&mut row.scene);
    }
    Ok(rows)
}

/// How the script ended: a scene that stopped half way is not right.
fn ending(out: &Path) -> Row {
    let status = fs::read_to_string(out.join("status")).unwrap_or_else(|_| "none".to_owned());
    let status = status.trim();
    Row {
        snapshot: "end".to_owned(),
        metric: "exit status".to_owned(),
        subject: "script".to_owned(),
        miglink: status.to_owned(),
        tool: "0".to_owned(),
        ok: status == "0",
        ..Row::default()
    }
}

/// Lines `SNAPSHOT DEVICE`.
fn resets(out: &Path, snapshots: &[Snapshot]) -> Result<Vec<(usize, String)>> {
    let text = fs::read_to_string(out.join("resets")).unwrap_or_default();
    let line = |line: &str| {
        let (name, device) = line.split_once(' ').context("a reset without a device")?;
        let at = snapshots.iter().position(|snapshot| snapshot.name == name);
        Ok((at.with_context(|| format!("a reset after {name}, which is no snapshot"))?, device.to_owned()))
    };
    text.lines().map(line).collect()
}

impl Scene {
    /// What miglink said in a snapshot.
    fn samples(&self, name: &str) -> Option<&[Sample]> {
        let snapshot = self.snapshots.iter().find(|snapshot| snapshot.name == name)?;
        Some(&snapshot.samples)
    }

    /// A counter that began anew goes on in miglink: at first it is only known not to have gone back, then it grows
    /// as the tool's.
    fn row(&self, at: usize, pair: &Pair) -> Row {
        let snapshot = self.snapshots[at].name.clone();
        let row = Row {
            snapshot,
            metric: pair.metric.clone(),
            subject: pair.subject.clone(),
            miglink: show(pair.miglink.as_ref()),
            ..Row::default()
        };
        let tool = format!("{} ({})", range(pair), pair.tool);
        let Some(last) = self.last_before_reset(at, pair) else {
            return Row { tool, ok: pair.agrees(0.0, 0.0), ..row };
        };
        if at == last + 1 {
            let ok = number(pair.miglink.as_ref())
                .zip(self.value(last, pair))
                .is_some_and(|(now, then)| now >= then);
            return Row { tool: format!("{tool}, began anew: not less than before"), ok, ..row };
        }
        let first = self.pairs[last + 1].iter().find(|first| first.is_same(pair));
        let shift = first.and_then(|first| {
            let miglink = number(first.miglink.as_ref())?;
            Some((miglink - number(first.after.as_ref())?, miglink - number(first.before.as_ref())?))
        });
        let ok = shift.is_some_and(|(low, high)| pair.agrees(low, high));
        Row { tool: format!("{tool}, began anew: as much more as the tool's"), ok, ..row }
    }

    /// The last snapshot before this counter began anew, if it did before snapshot `at`.
    fn last_before_reset(&self, at: usize, pair: &Pair) -> Option<usize> {
        if !DRIVERS_OWN.iter().any(|prefix| pair.metric.starts_with(prefix)) {
            return None;
        }
        let of_device = self.resets.iter().filter(|(_, device)| *device == pair.subject);
        of_device.map(|(last, _)| *last).filter(|last| *last < at).max()
    }

    fn value(&self, at: usize, pair: &Pair) -> Option<f64> {
        number(self.pairs[at].iter().find(|other| other.is_same(pair))?.miglink.as_ref())
    }
}

fn number(value: Option<&Value>) -> Option<f64> {
    match value {
        Some(Value::Number(number)) => Some(*number),
        _ => None,
    }
}

fn show(value: Option<&Value>) -> String {
    match value {
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Word(word)) => word.clone(),
        None => "-".to_owned(),
    }
}

fn range(pair: &Pair) -> String {
    let (before, after) = (show(pair.before.as_ref()), show(pair.after.as_ref()));
    if before == after {
        return before;
    }
    format!("{before} .. {after}")
}

//! Flags of links for a terminal and as JSON: what `miglink check` prints.

use crate::analysis::flags;
use crate::analysis::migrations::migration::Phase;
use crate::sample::flag::{Finding, Findings, Flagged};
use serde_json::{json, Value};
use std::fmt::Write;

/// What is wanted of what was found.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// One link's; all without it.
    pub device: Option<&'a str>,
    /// One phase's; all without it.
    pub phase: Option<Phase>,
    /// What is fine and what nobody can tell, too.
    pub verbose: bool,
}

impl Wanted<'_> {
    fn has(self, finding: &Finding) -> bool {
        let of_phase = |phase| flags::of(finding.cause).is_some_and(|flag| flag.phases.contains(&phase));
        self.device.is_none_or(|device| device == finding.device) && self.phase.is_none_or(of_phase)
    }

    /// What slows migrations, worst first.
    pub fn slow(self, found: &Findings) -> Vec<&Finding> {
        found.list.iter().filter(|finding| self.has(finding) && finding.ratio().is_some()).collect()
    }
}

/// The phases that a cause slows.
pub fn phases(cause: &str) -> Vec<&'static str> {
    flags::of(cause).map_or(Vec::new(), |flag| flag.phases.iter().map(|phase| phase.name()).collect())
}

/// For a terminal. `links` is how many were looked at, `seconds` for how long.
pub fn table(found: &Findings, wanted: Wanted<'_>, links: usize, seconds: f64) -> String {
    let slow = wanted.slow(found);
    let mut out = String::new();
    let looked =
        format!("{links} {} looked at for {seconds:.0} s", if links == 1 { "link" } else { "links" });
    if slow.is_empty() {
        let _ = writeln!(out, "Nothing was found that would slow a migration: {looked}.");
    } else {
        let mut rows = vec![["LINK", "CAUSE", "SLOWER BY", "EVIDENCE"].map(str::to_owned)];
        for finding in &slow {
            let Flagged::Slows { ratio, evidence, mend } = &finding.result else { continue };
            rows.push([finding.device.clone(), finding.cause.into(), factor(*ratio), evidence.clone()]);
            rows.extend(mend.iter().map(|command| ["", "", "", &format!("$ {command}")].map(str::to_owned)));
        }
        write_rows(&mut out, &rows);
        let mut devices: Vec<&str> = slow.iter().map(|finding| finding.device.as_str()).collect();
        devices.sort_unstable();
        devices.dedup();
        let _ = writeln!(out, "\n{looked}, {} of them would slow a migration.", devices.len());
    }
    if wanted.verbose {
        out += &others(found, wanted);
    }
    out
}

fn factor(ratio: f64) -> String {
    if ratio >= 10.0 {
        return format!("{ratio:.0} x");
    }
    format!("{ratio:.1} x")
}

/// What is fine, and what nobody can tell.
fn others(found: &Findings, wanted: Wanted<'_>) -> String {
    let (mut fine, mut unknown) = (Vec::new(), Vec::new());
    for finding in found.list.iter().filter(|finding| wanted.has(finding)) {
        let (rows, said) = match &finding.result {
            Flagged::Slows { .. } => continue,
            Flagged::Fine(evidence) => (&mut fine, evidence.as_str()),
            Flagged::Unknown(missing) => (&mut unknown, *missing),
        };
        rows.push([finding.device.clone(), finding.cause.to_owned(), said.to_owned()]);
    }
    let mut out = String::new();
    for (title, rows) in [("Fine:", fine), ("Nobody can tell, for want of:", unknown)] {
        if !rows.is_empty() {
            let _ = writeln!(out, "\n{title}");
            write_rows(&mut out, &rows);
        }
    }
    out
}

/// Columns as wide as their widest cell; the last one as it comes.
pub(super) fn write_rows<const COLUMNS: usize>(out: &mut String, rows: &[[String; COLUMNS]]) {
    let widths: [usize; COLUMNS] =
        std::array::from_fn(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0));
    for row in rows {
        let mut line = String::new();
        for (at, cell) in row.iter().enumerate() {
            let width = if at + 1 == COLUMNS { 0 } else { widths[at] + 2 };
            let _ = write!(line, "{cell:width$}");
        }
        *out += line.trim_end();
        *out += "\n";
    }
}

/// One flag as JSON.
pub fn object(finding: &Finding) -> Value {
    let mut value = json!({"cause": finding.cause, "phases": phases(finding.cause)});
    match &finding.result {
        Flagged::Slows { ratio, evidence, mend } => {
            value["ratio"] = json!(ratio);
            value["evidence"] = json!(evidence);
            value["mend"] = json!(mend);
        }
        Flagged::Fine(evidence) => value["evidence"] = json!(evidence),
        Flagged::Unknown(missing) => value["missing"] = json!(missing),
    }
    value
}

/// The same for programs: an object for each of these links, the worst first.
pub fn json_of(found: &Findings, wanted: Wanted<'_>, devices: &[&str], seconds: f64) -> Value {
    let list = |device: &str, kind: fn(&Flagged) -> bool| -> Vec<Value> {
        let of_link = found.list.iter().filter(|finding| finding.device == device && wanted.has(finding));
        of_link.filter(|finding| kind(&finding.result)).map(object).collect()
    };
    let worst = |device: &str| {
        let slow = wanted.slow(found).into_iter().filter(|finding| finding.device == device);
        slow.filter_map(Finding::ratio).fold(1.0, f64::max)
    };
    let mut devices: Vec<&str> = devices.to_vec();
    devices.sort_by(|a, b| worst(b).total_cmp(&worst(a)));
    let links: Vec<Value> = devices
        .into_iter()
        .map(|device| {
            let flags = list(device, |result| matches!(result, Flagged::Slows { .. }));
            let mut link = json!({"device": device, "slowdown_ratio": worst(device), "flags": flags});
            if wanted.verbose {
                link["fine"] = json!(list(device, |result| matches!(result, Flagged::Fine(_))));
                link["unknown"] = json!(list(device, |result| matches!(result, Flagged::Unknown(_))));
            }
            link
        })
        .collect();
    json!({"seconds": seconds, "links": links})
}

#[cfg(test)]
mod tests {
    use super::{json_of, table, Wanted};
    use crate::analysis::migrations::migration::Phase;
    use crate::sample::flag::{Finding, Findings, Flagged};
    use serde_json::json;

    fn found() -> Findings {
        let finding = |device: &str, cause, result| Finding { key: 1, device: device.into(), cause, result };
        let slows = |ratio| Flagged::Slows {
            ratio,
            evidence: "numbers".into(),
            mend: vec!["ethtool -G eth1 rx 8192".into()],
        };
        let list = vec![
            finding("eth1", "ring_overflow", slows(12.34)),
            finding("eth1", "single_stream", slows(2.0)),
            finding("eth0", "ring_overflow", Flagged::Fine("nothing lost".into())),
            finding("eth0", "storage_on_link", Flagged::Unknown("connections")),
        ];
        Findings { judged: [1, 2].into(), list }
    }

    #[test]
    fn worst_first_with_the_command() {
        let text = table(&found(), Wanted::default(), 2, 3.0);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "eth1  ring_overflow  12 x       numbers");
        assert_eq!(lines[2], "                                $ ethtool -G eth1 rx 8192");
        assert_eq!(lines[3], "eth1  single_stream  2.0 x      numbers");
        assert_eq!(lines.last(), Some(&"2 links looked at for 3 s, 1 of them would slow a migration."));
        let fine = table(&found(), Wanted { device: Some("eth0"), ..Wanted::default() }, 1, 3.0);
        assert_eq!(fine, "Nothing was found that would slow a migration: 1 link looked at for 3 s.\n");
        let verbose =
            table(&found(), Wanted { device: Some("eth0"), verbose: true, ..Wanted::default() }, 1, 3.0);
        assert!(verbose.contains("eth0  ring_overflow  nothing lost") && verbose.contains("storage_on_link"));
    }

    #[test]
    fn a_phase_has_its_own_causes() {
        let wanted = Wanted { phase: Some(Phase::StateTransfer), ..Wanted::default() };
        let causes: Vec<_> = wanted.slow(&found()).iter().map(|finding| finding.cause).collect();
        assert_eq!(causes, ["ring_overflow"]);
    }

    #[test]
    fn programs_get_every_link() {
        let value = json_of(&found(), Wanted::default(), &["eth0", "eth1"], 3.0);
        assert_eq!(value["links"][0]["device"], json!("eth1"));
        assert_eq!(value["links"][0]["slowdown_ratio"], json!(12.34));
        assert_eq!(value["links"][0]["flags"][1]["phases"], json!(["memory_copy"]));
        assert_eq!(value["links"][1]["flags"], json!([]));
        assert_eq!(value["links"][1].get("fine"), None);
    }
}

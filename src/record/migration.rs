//! One durable record of each migration: what it was, its phases, what limited it, how good the forecasts were, and the
//! configuration of that time. Two lines of text: what it is and its check sum, and one JSON object.

use super::names;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The format's version.
const FORMAT: u32 = 1;

/// One migration as it is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MigrationRecord {
    /// Its name in the recording: its beginning and a number, so that names sort by time.
    pub id: String,
    /// The version of the program that wrote it.
    pub version: String,
    /// The host that it was seen on.
    pub host: String,
    /// When this was written, nanoseconds since 1970. A record without an end that is old is of a migration whose end this
    /// program did not live to see.
    pub written_ns: u64,
    /// The configuration file in force; empty if there was none.
    pub configuration: String,
    /// All that is known of it, in the words of `/api/v1/migrations` (docs/api.md): who moved over which link, times, bytes,
    /// verdicts of each phase with evidence and advice, forecasts with their scores.
    pub migration: Value,
}

/// A part of a migration.
#[derive(Debug, Clone, PartialEq)]
pub struct PhaseTime {
    /// `setup`, `memory_copy`, `state_transfer`, `postcopy`.
    pub phase: &'static str,
    /// Seconds since 1970 of its beginning.
    pub began: f64,
    /// Its length.
    pub seconds: f64,
    /// What limited it most, and for how many seconds.
    pub leading: Option<(String, f64)>,
}

const PHASES: [&str; 4] = ["setup", "memory_copy", "state_transfer", "postcopy"];

impl MigrationRecord {
    /// A name for a migration that began then.
    pub fn name(began_ns: u64, vm: &str, direction: &str) -> String {
        let mut check = crc32fast::Hasher::new();
        for part in [vm.as_bytes(), b"\0", direction.as_bytes(), &began_ns.to_le_bytes()] {
            check.update(part);
        }
        format!("{}-{:08x}", names::moment(began_ns), check.finalize())
    }

    /// A label of `migration_info`, or the name of a state.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.migration.get(name)?.as_str()
    }

    /// A figure by the name of its metric without prefix.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.migration.get(name)?.as_f64()
    }

    /// Seconds since 1970 of its beginning.
    pub fn began(&self) -> Option<f64> {
        self.number("migration_start_time_seconds")
    }

    /// Seconds since 1970 of its end; `None` if it was not seen.
    pub fn ended(&self) -> Option<f64> {
        self.number("migration_end_time_seconds")
    }

    /// `completed`, `failed` or `cancelled`; `None` if its end was not seen.
    pub fn result(&self) -> Option<&str> {
        self.text("migration_result")
    }

    /// The phases that it went through, with their times.
    pub fn phases(&self) -> Vec<PhaseTime> {
        let mut began = self.began().unwrap_or_default();
        let mut phases = Vec::new();
        for phase in PHASES {
            let lengths = self.migration.get("migration_phase_seconds");
            let seconds = lengths.and_then(|all| all.get(phase)?.as_f64()).unwrap_or_default();
            if seconds > 0.0 {
                phases.push(PhaseTime { phase, began, seconds, leading: self.leading(phase) });
            }
            began += seconds;
        }
        phases
    }

    /// What limited a phase most, and for how many seconds.
    pub fn leading(&self, phase: &str) -> Option<(String, f64)> {
        let verdict = self.migration.get("verdicts")?.get(phase)?;
        let cause = verdict.get("leading")?.get("cause")?.as_str()?;
        let seconds = verdict.get("causes")?.get(cause)?.get("seconds")?.as_f64()?;
        Some((cause.to_owned(), seconds))
    }

    /// What limited it most over all phases.
    pub fn cause(&self) -> Option<(String, f64)> {
        let leading = PHASES.iter().filter_map(|phase| self.leading(phase));
        leading.max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// As a file.
    pub fn write(&self) -> String {
        let body = serde_json::to_string(self).unwrap_or_default();
        let check = crc32fast::hash(body.as_bytes());
        format!("{{\"miglink\":\"migration\",\"format\":{FORMAT},\"check\":\"{check:08x}\"}}\n{body}\n")
    }
}

#[derive(Deserialize)]
struct Title {
    miglink: String,
    format: u32,
    check: String,
}

/// Reads what `MigrationRecord::write` makes; an error says what is the matter.
pub fn read(text: &str) -> Result<MigrationRecord, String> {
    let (title, body) = text.split_once('\n').ok_or("is not whole")?;
    let title: Title = serde_json::from_str(title).map_err(|_| "is no record of a migration")?;
    if title.miglink != "migration" {
        return Err("is no record of a migration".into());
    }
    if title.format != FORMAT {
        return Err(format!(
            "is of version {} of the format, which this program does not know",
            title.format
        ));
    }
    let body = body.strip_suffix('\n').ok_or("is not whole")?;
    if format!("{:08x}", crc32fast::hash(body.as_bytes())) != title.check {
        return Err("is damaged: its check sum is wrong".into());
    }
    serde_json::from_str(body).map_err(|error| format!("is damaged: {error}"))
}

#[cfg(test)]
mod tests {
    use super::{read, MigrationRecord};
    use serde_json::json;

    fn record() -> MigrationRecord {
        let leading =
            json!({"leading": {"cause": "link_shared"}, "causes": {"link_shared": {"seconds": 7.5}}});
        MigrationRecord {
            id: MigrationRecord::name(1_795_405_595_000_000_000, "db1", "outgoing"),
            migration: json!({
                "vm": "db1",
                "migration_start_time_seconds": 1_795_405_595.25,
                "migration_end_time_seconds": 1_795_405_605.5,
                "migration_result": "completed",
                "migration_phase_seconds": {"setup": 0.25, "memory_copy": 9.5, "state_transfer": 0.5, "postcopy": 0.0},
                "verdicts": {"memory_copy": leading},
            }),
            ..MigrationRecord::default()
        }
    }

    #[test]
    fn a_record_comes_back() {
        let record = record();
        let read = read(&record.write()).unwrap();
        assert_eq!(read, record);
        assert!(read.id.starts_with("20261123T034635Z-"), "{}", read.id);
        assert_eq!((read.text("vm"), read.result()), (Some("db1"), Some("completed")));
        let phases = read.phases();
        assert_eq!(
            phases.iter().map(|phase| phase.phase).collect::<Vec<_>>(),
            ["setup", "memory_copy", "state_transfer"]
        );
        assert!((phases[2].began - 1_795_405_605.0).abs() < 1e-6);
        assert_eq!(read.cause(), Some(("link_shared".into(), 7.5)));
    }

    #[test]
    fn damage_is_said() {
        let text = record().write();
        let damaged = text.replace("db1", "db2");
        assert!(read(&damaged).is_err_and(|what| what.contains("check sum")));
        assert!(read(&text[..text.len() - 1]).is_err_and(|what| what.contains("not whole")));
        assert!(read("").is_err() && read("{}\n{}\n").is_err());
        let later = text.replace("\"format\":1", "\"format\":2");
        assert!(read(&later).is_err_and(|what| what.contains("version 2")));
    }
}

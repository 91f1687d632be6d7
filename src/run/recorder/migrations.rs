//! Which migrations of a frame have something new to be kept, and their records.

use crate::output::api;
use crate::output::migrations::{rows, Row};
use crate::record::migration::MigrationRecord;
use crate::sample::frame::Frame;
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::Key;
use std::collections::HashMap;
use std::time::Duration;

/// A running migration is written at least this often, so that a process that dies leaves what limited it so far.
const AGAIN: Duration = Duration::from_secs(10);
/// After the end, last words may come: it is written once more.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What was written of a migration.
#[derive(Debug)]
struct Kept {
    id: String,
    state: (Option<&'static str>, Option<&'static str>),
    written: Monotonic,
    settled: bool,
}

/// The migrations of this process's life.
#[derive(Debug, Default)]
pub struct Records {
    kept: HashMap<Key, Kept>,
}

impl Records {
    /// The records that are to be written now. They count as written once `done` is told.
    pub fn due(&self, frame: &Frame, now: Monotonic) -> Vec<(Key, MigrationRecord)> {
        let rows = rows(frame);
        if !rows.iter().any(|row| self.is_due(row, now)) {
            return Vec::new();
        }
        let told: serde_json::Value = serde_json::from_slice(&api::migrations(frame)).unwrap_or_default();
        let list = told["migrations"].as_array().map(Vec::as_slice).unwrap_or_default();
        // The list is of the same rows in the same order.
        let due = rows.iter().zip(list).filter(|(row, _)| self.is_due(row, now));
        due.map(|(row, migration)| {
            let id = match self.kept.get(&key(row)) {
                Some(kept) => kept.id.clone(),
                None => new_id(row),
            };
            (key(row), MigrationRecord { id, migration: migration.clone(), ..MigrationRecord::default() })
        })
        .collect()
    }

    fn is_due(&self, row: &Row<'_>, now: Monotonic) -> bool {
        let Some(kept) = self.kept.get(&key(row)) else { return true };
        let age = now.since(kept.written);
        kept.state != state(row)
            || (row.is_on() && age >= AGAIN)
            || (!row.is_on() && !kept.settled && age >= LAST_WORDS)
    }

    /// A record was written.
    pub fn done(&mut self, frame: &Frame, (of, id): (Key, String), now: Monotonic) {
        let rows = rows(frame);
        self.kept.retain(|key_of, _| rows.iter().any(|row| key(row) == *key_of));
        let Some(row) = rows.iter().find(|row| key(row) == of) else { return };
        let state = state(row);
        let settled = !row.is_on() && self.kept.get(&of).is_some_and(|kept| kept.state == state);
        self.kept.insert(of, Kept { id, state, written: now, settled });
    }
}

fn key(row: &Row<'_>) -> Key {
    row.info.0.subjects.keys()[row.info.1]
}

fn state(row: &Row<'_>) -> (Option<&'static str>, Option<&'static str>) {
    (row.state("phase"), row.state("result"))
}

fn new_id(row: &Row<'_>) -> String {
    let began = row.number("start_time_seconds").unwrap_or_default().max(0.0);
    let label = |name| row.label(name).unwrap_or_default();
    MigrationRecord::name((began * 1e9) as u64, &label("vm"), &label("direction"))
}

#[cfg(test)]
mod tests {
    use super::Records;
    use crate::output::migrations::testing::{finished, frame, running};
    use crate::sample::monotonic::Monotonic;
    use std::time::Duration;

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    #[test]
    fn a_migration_is_written_when_it_begins_changes_and_ends() {
        let mut records = Records::default();
        let moving = frame(&[running(1, "a", 90)]);
        let due = records.due(&moving, at(0));
        assert_eq!((due.len(), due[0].1.text("vm"), due[0].1.result()), (1, Some("a"), None));
        let id = due[0].1.id.clone();
        records.done(&moving, (due[0].0, id.clone()), at(0));
        assert!(records.due(&moving, at(9)).is_empty(), "nothing new");
        assert_eq!(records.due(&moving, at(10)).len(), 1, "now and then");
        let over = frame(&[finished(1, "a", 10, 30)]);
        let due = records.due(&over, at(3));
        assert_eq!((due.len(), &due[0].1.id, due[0].1.result()), (1, &id, Some("completed")));
        records.done(&over, (1, id.clone()), at(3));
        assert!(records.due(&over, at(4)).is_empty());
        assert_eq!(records.due(&over, at(8)).len(), 1, "last words");
        records.done(&over, (1, id), at(8));
        assert!(records.due(&over, at(1000)).is_empty());
        records.done(&frame(&[]), (1, String::new()), at(1001));
        assert!(records.kept.is_empty());
    }
}

//! The migrations of a frame, for whoever shows them: one row each, in the order in which people look for them.

use crate::analysis::migrations::table;
use crate::sample::block::Block;
use crate::sample::frame::Frame;
use crate::sample::metric::Form;

/// One migration: its row in the table of what it is, and in the table of its figures.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// `migration_info` and the row there.
    pub info: (&'a Block, usize),
    /// The figures and the row there.
    pub figures: (&'a Block, usize),
}

impl Row<'_> {
    /// A label of `migration_info`; `None` where it is not known.
    pub fn label(&self, name: &str) -> Option<String> {
        self.info.0.subjects.label(self.info.1, name)
    }

    /// A figure by its metric's name, without `miglink_migration_`.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.labelled(name, None)
    }

    /// One of a metric's figures, by the value of the label that tells them apart.
    pub fn labelled(&self, name: &str, label: Option<&str>) -> Option<f64> {
        let (block, row) = self.figures;
        let column = block.columns.iter().position(|column| {
            column.metric.name.strip_prefix("migration_") == Some(name)
                && column.label.map(|(_, value)| value) == label
        })?;
        let cell = block.cell(column, row);
        match block.columns[column].metric.form {
            Form::Integer => cell.as_integer().map(|integer| integer as f64),
            Form::Float => cell.as_float(),
        }
    }

    /// Which of a metric's flags is set, as the value of its label: `migration_phase`, `migration_result`.
    pub fn state(&self, name: &str) -> Option<&'static str> {
        let of_metric = |metric: &str| metric.strip_prefix("migration_") == Some(name);
        let labels = self.figures.0.columns.iter().filter(|column| of_metric(column.metric.name));
        let mut labels = labels.filter_map(|column| column.label);
        labels.find(|(_, value)| self.labelled(name, Some(value)) == Some(1.0)).map(|(_, value)| value)
    }

    /// Whether it goes on.
    pub fn is_on(&self) -> bool {
        self.number("end_time_seconds").is_none()
    }
}

/// All of a frame: running ones first, then finished ones, each part from the newest on.
pub fn rows(frame: &Frame) -> Vec<Row<'_>> {
    let own =
        || frame.blocks.iter().map(AsRef::as_ref).filter(|block: &&Block| block.source == table::SOURCE);
    let is_info = |block: &&Block| block.columns.iter().any(|column| *column.metric == table::INFO);
    let (Some(info), Some(figures)) = (own().find(is_info), own().find(|block| !is_info(block))) else {
        return Vec::new();
    };
    let keys = info.subjects.keys().iter().enumerate();
    let mut rows: Vec<_> = keys
        .filter_map(|(row, key)| {
            Some(Row { info: (info, row), figures: (figures, figures.subjects.row_of(*key)?) })
        })
        .collect();
    let age = |row: &Row<'_>| {
        let since = row.number("end_time_seconds").or(row.number("start_time_seconds"));
        -since.unwrap_or_default()
    };
    rows.sort_by(|a, b| b.is_on().cmp(&a.is_on()).then(age(a).total_cmp(&age(b))));
    rows
}

/// Frames with migrations, for tests of what shows them.
#[cfg(test)]
pub mod testing {
    use crate::analysis::migrations::entry::Entry;
    use crate::analysis::migrations::migration::{Migration, Outcome};
    use crate::analysis::migrations::table::{blocks, Moment};
    use crate::sample::frame::Frame;
    use crate::sample::migration::{Direction, Progress, Status, What};
    use crate::sample::monotonic::Monotonic;
    use std::sync::Arc;
    use std::time::Duration;

    /// A moment in seconds.
    pub fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    /// A guest of 512 MiB with 128 MiB left, that began at a moment.
    pub fn running(key: u64, vm: &str, began: u64) -> Entry {
        let mut migration = Migration::new(key, vm.into(), Direction::Outgoing, at(began));
        migration.peer = "10.0.0.2".into();
        (migration.path.device, migration.path.wire) = ("vmbr0".into(), "ens3f0".into());
        let progress = Progress {
            status: Status::Active,
            memory_total: Some(512 << 20),
            remaining: Some(128 << 20),
            transferred: Some(384 << 20),
            iterations: Some(1),
            dirty_pages_per_second: Some(0),
            ..Progress::default()
        };
        migration.hear(&What::Progress(Box::new(progress)), at(began));
        Entry::new(migration)
    }

    /// One that ended at a moment.
    pub fn finished(key: u64, vm: &str, began: u64, ended: u64) -> Entry {
        let mut entry = running(key, vm, began);
        entry.migration.pause = Some(Duration::from_millis(419));
        entry.migration.limits.downtime_limit = Some(Duration::from_millis(300));
        entry.migration.end(Outcome::Completed, at(ended));
        entry
    }

    /// A frame of these at 100 s.
    pub fn frame(entries: &[Entry]) -> Frame {
        let now = Moment { monotonic: at(100), wall_ns: 1_795_359_859_685_808_200 };
        let blocks = blocks(entries, now).into_iter().map(Arc::new).collect();
        Frame { wall_ns: now.wall_ns, monotonic: now.monotonic, blocks, ..Frame::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{finished, frame, running};
    use super::{rows, Row};
    use crate::sample::frame::Frame;

    #[test]
    fn running_ones_come_first_and_newer_ones_before_older_ones() {
        let frame = frame(&[
            finished(1, "old", 10, 20),
            running(2, "first", 30),
            finished(3, "late", 5, 50),
            running(4, "second", 40),
        ]);
        let names: Vec<_> = rows(&frame).iter().filter_map(|row| row.label("vm")).collect();
        assert_eq!(names, ["second", "first", "late", "old"]);
        assert!(rows(&Frame::default()).is_empty());
    }

    #[test]
    fn figures_are_found_by_their_names() {
        let frame = frame(&[running(1, "a", 90), finished(2, "b", 10, 20)]);
        let rows: Vec<Row<'_>> = rows(&frame);
        assert_eq!((rows[0].state("phase"), rows[0].state("result")), (Some("memory_copy"), None));
        assert_eq!((rows[1].state("phase"), rows[1].state("result")), (None, Some("completed")));
        assert_eq!(rows[0].number("memory_bytes"), Some(512.0 * 1_048_576.0));
        assert_eq!(rows[0].labelled("phase_seconds", Some("memory_copy")), Some(10.0));
        assert_eq!(rows[0].number("no_such_figure"), None);
    }
}

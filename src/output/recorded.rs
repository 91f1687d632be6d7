//! Recorded migrations for a terminal: what `miglink migrations` prints.

use super::flags::write_rows;
use super::units;

/// One recorded migration, as far as the list shows it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recorded {
    /// Its name in the recording.
    pub id: String,
    /// Its beginning, as people read it.
    pub began: String,
    /// The guest.
    pub vm: String,
    /// Which way.
    pub direction: String,
    /// The link.
    pub device: String,
    /// How it ended; none if that was not seen.
    pub result: Option<String>,
    /// Seconds from beginning to end, as far as it was seen.
    pub seconds: f64,
    /// Seconds that the guest stood still.
    pub pause: Option<f64>,
    /// What limited it most, and for how many seconds.
    pub cause: Option<(String, f64)>,
}

/// For a terminal.
pub fn table(list: &[Recorded]) -> String {
    if list.is_empty() {
        return "No migration is recorded.\n".into();
    }
    let titles =
        ["ID", "BEGAN (UTC)", "VM", "DIRECTION", "LINK", "RESULT", "LASTED", "PAUSE", "LIMITED MOST BY"];
    let mut rows = vec![titles.map(str::to_owned)];
    rows.extend(list.iter().map(|recorded| {
        let Recorded { id, began, vm, direction, device, result, seconds, pause, cause } = recorded.clone();
        let unknown = || "?".to_owned();
        let cause = cause.map_or_else(unknown, |(cause, time)| format!("{cause} ({})", units::seconds(time)));
        let result = result.unwrap_or_else(|| "end not seen".into());
        let pause = pause.map_or_else(unknown, units::seconds);
        [id, began, vm, direction, device, result, units::seconds(seconds), pause, cause]
    }));
    let mut out = String::new();
    write_rows(&mut out, &rows);
    out
}

#[cfg(test)]
mod tests {
    use super::{table, Recorded};

    #[test]
    fn a_migration_is_a_line() {
        assert_eq!(table(&[]), "No migration is recorded.\n");
        let known = Recorded {
            id: "20261123T034635Z-1a2b3c4d".into(),
            vm: "db1".into(),
            result: Some("completed".into()),
            seconds: 30.0,
            pause: Some(0.25),
            cause: Some(("link_shared".into(), 20.0)),
            ..Recorded::default()
        };
        let text = table(&[known, Recorded { vm: "lost".into(), ..Recorded::default() }]);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[1].contains("completed") && lines[1].contains("link_shared"), "{text}");
        assert!(
            lines[2].contains("lost") && lines[2].contains("end not seen") && lines[2].ends_with('?'),
            "{text}"
        );
    }
}

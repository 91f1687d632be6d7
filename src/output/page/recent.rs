//! Migrations that are over, from the newest on: how they ended, how long they took, and what limited them.

use super::story::Story;
use super::view::View;
use super::words::{self, or_nothing};
use crate::output::migrations::Row;
use crate::output::units;
use crate::sample::subject::Key;

/// Rows on a page; the JSON has the rest.
const MOST: usize = 50;

/// One migration that is over.
pub struct Past {
    /// Never used again.
    pub key: Key,
    /// The guest.
    pub vm: String,
    /// `outgoing` or `incoming`.
    pub direction: String,
    /// To or from whom.
    pub route: String,
    /// Over which links.
    pub links: String,
    /// How it ended.
    pub result: &'static str,
    /// The colour of that.
    pub class: &'static str,
    /// When.
    pub ended: String,
    /// How long it took.
    pub took: String,
    /// How much it moved, at which mean rate.
    pub moved: String,
    /// How long the guest stood still.
    pub pause: String,
    /// The colour of that.
    pub pause_class: &'static str,
    /// What was allowed.
    pub allowed: String,
    /// What limited it, and the plots.
    pub story: Story,
}

/// The rows, and how many are not shown.
pub fn rows(view: &View<'_>, rows: &[Row<'_>]) -> (Vec<Past>, usize) {
    let over = || rows.iter().filter(|row| !row.is_on());
    (over().take(MOST).map(|row| past(view, row)).collect(), over().count().saturating_sub(MOST))
}

fn past(view: &View<'_>, of: &Row<'_>) -> Past {
    let result = of.state("result").unwrap_or(words::NOTHING);
    let (pause, allowed) = (of.number("guest_downtime_seconds"), of.number("downtime_limit_seconds"));
    let is_long = pause.zip(allowed).is_some_and(|(pause, allowed)| pause > allowed);
    Past {
        key: of.info.0.subjects.keys()[of.info.1],
        vm: of.label("vm").unwrap_or(words::NOTHING.into()),
        direction: of.label("direction").unwrap_or_default(),
        route: words::route(of),
        links: words::links(of),
        result,
        class: match result {
            "completed" => "good",
            "failed" => "bad",
            _ => "soft",
        },
        ended: or_nothing(of.number("end_time_seconds"), words::time_of_day),
        took: words::seconds(words::took(of)),
        moved: moved(of),
        pause: or_nothing(pause, words::seconds),
        pause_class: if is_long { "bad" } else { "" },
        allowed: allowed.map_or(String::new(), |allowed| format!("{} allowed", words::seconds(allowed))),
        story: Story::of(view, of),
    }
}

/// `384 MiB at 161 Mbit/s`.
fn moved(of: &Row<'_>) -> String {
    let Some(bytes) = of.number("transferred_bytes_total") else { return String::new() };
    let length = words::length(of);
    let rate =
        if length > 0.0 { format!(" at {}", units::bits_per_second(bytes / length)) } else { String::new() };
    format!("{}{rate}", units::bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::rows;
    use crate::output::migrations;
    use crate::output::migrations::testing::{finished, frame, running};
    use crate::output::page::view::View;
    use std::collections::HashSet;

    #[test]
    fn a_finished_migration_reads_well() {
        let frame = frame(&[finished(1, "db", 10, 30), running(2, "new", 90)]);
        let (list, hidden) = rows(&View::new(&frame, &HashSet::new()), &migrations::rows(&frame));
        let [row] = &list[..] else { panic!("one is over") };
        assert_eq!(
            (row.result, row.class, &*row.ended, &*row.took),
            ("completed", "good", "15:03:09", "20 s")
        );
        assert_eq!((&*row.pause, row.pause_class, &*row.allowed), ("419 ms", "bad", "300 ms allowed"));
        assert_eq!((&*row.moved, hidden), ("384 MiB at 161 Mbit/s", 0));
    }

    #[test]
    fn more_than_a_page_holds_are_counted() {
        let entries: Vec<_> = (1..=60).map(|key| finished(key, &format!("vm{key}"), 10, 30)).collect();
        let frame = frame(&entries);
        let (list, hidden) = rows(&View::new(&frame, &HashSet::new()), &migrations::rows(&frame));
        assert_eq!((list.len(), hidden), (50, 10));
    }
}

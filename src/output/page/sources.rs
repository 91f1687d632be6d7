//! How the sources do: what cannot be read cannot be judged.

use crate::output::units;
use crate::sample::frame::{Frame, Outcome, SourceReport};
use crate::source::SOURCES;

/// All of them, and how many do not answer.
pub struct Sources {
    /// One row each.
    pub rows: Vec<SourceRow>,
    /// Those that answer, wholly or in part.
    pub read: usize,
    /// Names of those that fail or hang.
    pub failed: Vec<&'static str>,
    /// Those that this host does not have.
    pub absent: usize,
}

/// One source.
pub struct SourceRow {
    /// Its name.
    pub name: &'static str,
    /// How it did.
    pub word: &'static str,
    /// The colour of that.
    pub class: &'static str,
    /// How long it took.
    pub took: String,
    /// Why it did not answer, or what it reads.
    pub reason: String,
}

/// Of a frame.
pub fn of(now: &Frame) -> Sources {
    let is = |which: fn(&Outcome) -> bool| now.reports.iter().filter(move |report| which(&report.outcome));
    Sources {
        rows: now.reports.iter().map(row).collect(),
        read: is(|outcome| matches!(outcome, Outcome::Read | Outcome::Partly(_))).count(),
        failed: is(|outcome| matches!(outcome, Outcome::Failed(_) | Outcome::Stuck(_)))
            .map(|report| report.source)
            .collect(),
        absent: is(|outcome| matches!(outcome, Outcome::Absent(_))).count(),
    }
}

fn help(source: &str) -> &'static str {
    SOURCES.iter().find(|info| info.name == source).map_or("", |info| info.help)
}

fn row(report: &SourceReport) -> SourceRow {
    let (word, class, reason) = match &report.outcome {
        Outcome::Pending => ("not asked yet", "soft", String::new()),
        Outcome::Read => ("read", "good", help(report.source).to_owned()),
        Outcome::Partly(problems) => ("read in part", "bad", problems.join("; ")),
        Outcome::Absent(reason) => ("not on this host", "soft", reason.clone()),
        Outcome::Failed(reason) => ("failed", "bad", reason.clone()),
        Outcome::Stuck(since) => ("stuck", "bad", format!("no answer for {:.0} s", since.as_secs_f64())),
    };
    SourceRow { name: report.source, word, class, took: units::duration(report.took), reason }
}

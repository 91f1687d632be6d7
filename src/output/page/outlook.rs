//! When a running migration ends, how long its guest will pause, and what would make it end: as facts of its card.

use super::words::{seconds, NOTHING};
use crate::output::migrations::Row;
use crate::output::{outlook, units};
use crate::sample::frame::Frame;
use crate::sample::outlook::{Outlook, Range};

/// One fact of a card: a word, a value in large letters, and what there is to say of it.
#[derive(Debug, Default, PartialEq)]
pub struct Fact {
    /// What it is of.
    pub label: &'static str,
    /// The value.
    pub value: String,
    /// What stands under it.
    pub note: String,
    /// How it is shown.
    pub class: &'static str,
}

impl Fact {
    fn new(label: &'static str, value: String, note: String) -> Self {
        Self { label, value, note, class: "" }
    }

    fn bad(self) -> Self {
        Self { class: "bad", ..self }
    }

    fn soft(self) -> Self {
        Self { class: "soft", ..self }
    }
}

/// When it ends.
pub fn end(frame: &Frame, of: &Row<'_>, outlook: Option<&Outlook>) -> Fact {
    const LABEL: &str = "ends";
    if outlook.is_some_and(|outlook| outlook.converging == Some(false)) {
        return Fact::new(LABEL, "never, as it goes now".into(), "it needs one of what stands below".into())
            .bad();
    }
    let Some((outlook, whole)) = outlook.and_then(|outlook| Some((outlook, outlook::whole(outlook)?))) else {
        return Fact::new(LABEL, "not known yet".into(), why_no_end(of).into()).soft();
    };
    if outlook.at_least {
        let note = "and what the guest dirties meanwhile, which is not known yet";
        return Fact::new(LABEL, format!("in {} or more", seconds(whole.p50)), note.into());
    }
    let at = units::time_of_day(frame.wall_ns.saturating_add((whole.p50.max(0.0) * 1e9) as u64));
    Fact::new(LABEL, format!("in {}", seconds(whole.p50)), format!("{}at {at} UTC", range(whole)))
}

fn why_no_end(of: &Row<'_>) -> &'static str {
    if of.label("direction").as_deref() == Some("incoming") {
        return "miglink on the source host tells";
    }
    match of.state("phase") {
        Some("setup") => "connections are being made",
        _ if of.number("remaining_bytes").is_none() => "nobody tells how much is left",
        _ => "",
    }
}

/// How long the guest pauses: now, or as it is expected.
pub fn pause(of: &Row<'_>, outlook: Option<&Outlook>) -> Fact {
    let allowed = of.number("downtime_limit_seconds");
    let allows = allowed.map(|limit| format!("{} allowed", seconds(limit))).unwrap_or_default();
    if of.state("phase") == Some("state_transfer") {
        let now = of.labelled("phase_seconds", Some("state_transfer")).unwrap_or_default();
        let is_over = allowed.is_some_and(|allowed| now > allowed);
        let fact = Fact::new("guest pauses", format!("now, for {}", seconds(now)), allows);
        return if is_over { fact.bad() } else { fact };
    }
    let expected = of.number("expected_downtime_seconds");
    let (value, note) = match (outlook.and_then(|outlook| outlook.pause), expected) {
        (Some(pause), _) => (pause.p50, range(pause)),
        (None, Some(expected)) => (expected, "the hypervisor expects, ".into()),
        (None, None) => {
            return Fact::new("guest will pause", "not known yet".into(), allows).soft();
        }
    };
    let is_over = allowed.is_some_and(|allowed| value > allowed);
    let note = format!("{note}{allows}").trim_end_matches([' ', ',', '·']).to_owned();
    let fact = Fact::new("guest will pause", seconds(value), note);
    if is_over {
        fact.bad()
    } else {
        fact
    }
}

/// What would make one end that does not; empty if it does.
pub fn needs(outlook: Option<&Outlook>) -> String {
    let endless = outlook.filter(|outlook| outlook.converging == Some(false));
    endless.and_then(|outlook| outlook.needed).map_or(String::new(), outlook::needs)
}

/// The range that eight of ten lie in, if it is worth a word.
fn range(range: Range) -> String {
    let (low, high) = (seconds(range.p10), seconds(range.p90));
    if low == high || low == NOTHING {
        return String::new();
    }
    format!("{low} to {high}, ")
}

#[cfg(test)]
mod tests {
    use super::{end, needs, pause};
    use crate::output::migrations::rows;
    use crate::output::migrations::testing::{frame, running};
    use crate::sample::outlook::{Needed, Outlook, Range};

    fn outlook() -> Outlook {
        let range = |p50: f64| Some(Range { p10: p50 * 0.5, p50, p90: p50 * 1.5 });
        Outlook {
            migration: 1,
            copy: range(12.0),
            pause: range(0.2),
            converging: Some(true),
            at_least: false,
            needed: None,
            scores: Vec::new(),
        }
    }

    #[test]
    fn a_time_stands_with_its_range_and_the_clock() {
        let frame = frame(&[running(1, "db", 88)]);
        let row = rows(&frame)[0];
        let fact = end(&frame, &row, Some(&outlook()));
        assert_eq!((&*fact.value, &*fact.note), ("in 12.2 s", "6.1 s to 18.3 s, at 15:04:31 UTC"));
        let fact = pause(&row, Some(&outlook()));
        assert_eq!((&*fact.value, &*fact.note), ("200 ms", "100 ms to 300 ms"));
        let blind = Outlook { at_least: true, ..outlook() };
        assert_eq!(end(&frame, &row, Some(&blind)).value, "in 12.2 s or more");
    }

    #[test]
    fn what_never_ends_says_what_it_needs() {
        let frame = frame(&[running(1, "db", 88)]);
        let row = rows(&frame)[0];
        let needed = Some(Needed { rate: 125e6, downtime_limit: 1.2, throttle: 0.405 });
        let endless = Outlook { converging: Some(false), copy: None, needed, ..outlook() };
        let fact = end(&frame, &row, Some(&endless));
        assert_eq!((&*fact.value, fact.class), ("never, as it goes now", "bad"));
        let told = "needs 1 Gbit/s, or a pause of 1.2 s, or a guest slowed by 41 %, or post-copy";
        assert_eq!(needs(Some(&endless)), told);
        assert_eq!(needs(Some(&outlook())), "");
    }

    #[test]
    fn what_nobody_knows_is_said_so() {
        let frame = frame(&[running(1, "db", 88)]);
        let row = rows(&frame)[0];
        assert_eq!(end(&frame, &row, None).value, "not known yet");
        assert_eq!(pause(&row, None).value, "not known yet");
    }
}

//! How a running migration goes on, for people and for programs.

use super::units;
use crate::sample::frame::Frame;
use crate::sample::outlook::{Outlook, Range};
use crate::sample::subject::Key;
use serde_json::{json, Map, Value};
use std::time::Duration;

/// The outlook on a migration.
pub fn of(frame: &Frame, migration: Key) -> Option<&Outlook> {
    frame.outlooks.iter().find(|outlook| outlook.migration == migration)
}

/// As it stands in JSON; `None` where there is nothing to tell.
pub fn json(outlook: &Outlook) -> Option<Value> {
    let mut told = Map::new();
    let range = |range: Range| json!({"p10": range.p10, "p50": range.p50, "p90": range.p90});
    if let Some(whole) = whole(outlook) {
        told.insert("remaining_seconds".into(), range(whole));
        told.insert("at_least".into(), outlook.at_least.into());
    }
    let ranges = [("copy_seconds", outlook.copy), ("pause_seconds", outlook.pause)];
    told.extend(ranges.into_iter().filter_map(|(name, seconds)| Some((name.to_owned(), range(seconds?)))));
    told.extend(outlook.converging.map(|converging| ("converging".to_owned(), converging.into())));
    if let Some(needed) = outlook.needed {
        let needs = json!({
            "bytes_per_second": needed.rate,
            "downtime_limit_seconds": needed.downtime_limit,
            "throttle_ratio": needed.throttle,
        });
        told.insert("needs".into(), needs);
    }
    let score = |score: &crate::sample::outlook::Score| {
        let mut told = json!({"at": score.at, "total_error_ratio": score.total_error});
        if let (Some(error), Some(told)) = (score.pause_error, told.as_object_mut()) {
            told.insert("pause_error_seconds".into(), error.into());
        }
        told
    };
    if !outlook.scores.is_empty() {
        told.insert("scores".into(), outlook.scores.iter().map(score).collect());
    }
    (!told.is_empty()).then_some(Value::Object(told))
}

/// From now to the end, the pause included.
pub fn whole(outlook: &Outlook) -> Option<Range> {
    let (copy, pause) = (outlook.copy?, outlook.pause.unwrap_or_default());
    Some(Range { p10: copy.p10 + pause.p10, p50: copy.p50 + pause.p50, p90: copy.p90 + pause.p90 })
}

/// In a sentence, and what would help if it does not end; empty where there is nothing to tell.
pub fn words(outlook: &Outlook) -> (String, String) {
    if outlook.converging == Some(false) {
        return ("does not end as it goes now".into(), outlook.needed.map_or(String::new(), needs));
    }
    let Some(whole) = whole(outlook) else { return (String::new(), String::new()) };
    if outlook.at_least {
        return (
            format!("about {} more", time(whole.p50)),
            "and what the guest dirties, which is not known yet".into(),
        );
    }
    let range = if whole.p90 - whole.p10 > 0.1 * whole.p50 {
        format!("{} to {}", time(whole.p10), time(whole.p90))
    } else {
        String::new()
    };
    (format!("about {} more", time(whole.p50)), range)
}

/// What would make it end, in a sentence's part.
pub fn needs(needed: crate::sample::outlook::Needed) -> String {
    let throttle = if needed.throttle > 0.0 && needed.throttle < 0.99 {
        format!(", or a guest slowed by {:.0} %", (needed.throttle * 100.0).ceil())
    } else {
        String::new()
    };
    format!(
        "needs {}, or a pause of {}{throttle}, or post-copy",
        units::bits_per_second(needed.rate),
        time(needed.downtime_limit)
    )
}

fn time(seconds: f64) -> String {
    units::duration(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

#[cfg(test)]
mod tests {
    use super::{json, words};
    use crate::sample::outlook::{Needed, Outlook, Range, Score};

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
    fn people_read_a_time_with_its_range_or_what_is_needed() {
        assert_eq!(words(&outlook()), ("about 12.2 s more".into(), "6.1 s to 18.3 s".into()));
        let blind = Outlook { at_least: true, ..outlook() };
        assert_eq!(words(&blind).1, "and what the guest dirties, which is not known yet");
        let needed = Some(Needed { rate: 125e6, downtime_limit: 1.2, throttle: 0.405 });
        let endless = Outlook { converging: Some(false), copy: None, needed, ..outlook() };
        let told = "needs 1 Gbit/s, or a pause of 1.2 s, or a guest slowed by 41 %, or post-copy";
        assert_eq!(words(&endless), ("does not end as it goes now".into(), told.into()));
        let nothing = Outlook { converging: None, copy: None, ..endless };
        assert_eq!(words(&nothing).0, "");
    }

    #[test]
    fn programs_read_numbers() {
        let told = json(&outlook()).expect("told");
        assert_eq!((&told["remaining_seconds"]["p50"], &told["converging"]), (&json!(12.2), &json!(true)));
        let scores = vec![Score { at: 0.25, total_error: -0.1, pause_error: None }];
        let ended = Outlook { copy: None, pause: None, converging: None, scores, ..outlook() };
        let expected = json!({"scores": [{"at": 0.25, "total_error_ratio": -0.1}]});
        assert_eq!(json(&ended), Some(expected));
        assert_eq!(json(&Outlook { scores: Vec::new(), ..ended }), None);
    }
}

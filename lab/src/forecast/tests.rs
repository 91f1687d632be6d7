//! The draw makes what it says, what miglink says is read, and the score counts as people do.

use super::case::{cases, Case};
use super::kinds::{Kind, KINDS};
use super::measured::{Measured, Pace};
use super::plan::Plan;
use super::predict::{self, Prediction, Range};
use super::run::Run;
use super::said::{self, Said};
use super::score::{score, Errors, Score};
use super::{markdown, report};
use crate::accuracy::machine::Machine;
use crate::truth::Truth;
use serde_json::json;

#[test]
fn the_same_seed_makes_the_same_runs() {
    let plans = |seed| cases(seed, 30, &[]).unwrap().into_iter().map(|c| c.plan).collect::<Vec<_>>();
    assert_eq!(plans(1), plans(1));
    assert_ne!(plans(1), plans(1000));
    let alone = Case::make(Kind::named("edge").unwrap(), 3, 1).unwrap();
    assert!(plans(1).contains(&alone.plan), "a run does not depend on how many there are");
}

/// Making one parses it, so an invalid scenario is an error here.
#[test]
fn every_run_of_many_seeds_can_be_made_and_is_what_its_kind_says() {
    for seed in (1..60).chain(1000..1040) {
        for case in cases(seed, 60, &[]).unwrap() {
            let plan = &case.plan;
            let rate = plan.cap.unwrap_or(plan.link) - plan.others;
            let ratio = plan.dirty_rate as f64 / rate as f64;
            let zero = plan.zero_share();
            let fits = plan.working_set + 2 < plan.memory && (128..=512).contains(&plan.memory);
            assert!(fits && zero < 0.95, "{} {}", case.id(), plan.summary());
            match case.kind.name {
                "never" => {
                    // What a pause takes in is less than half of what the guest writes again and again.
                    let pause = plan.link as f64 / 1024.0 * plan.downtime_limit as f64 / 1e3;
                    assert!(ratio > 1.2 && plan.working_set as f64 > 2.0 * pause, "{}", plan.summary());
                }
                "edge" => assert!((0.49..=0.91).contains(&ratio), "{}", plan.summary()),
                "zeros" => assert!((0.5..0.93).contains(&zero), "{zero} {}", plan.summary()),
                "idle" => assert!(ratio < 0.02, "{}", plan.summary()),
                _ => assert!(ratio < 0.9, "{}", plan.summary()),
            }
        }
    }
}

#[test]
fn a_fifth_never_ends_and_half_have_profiles() {
    let all = cases(7, 60, &[]).unwrap();
    let count = |name: &str| all.iter().filter(|case| case.kind.name == name).count();
    assert_eq!((all.len(), count("never"), count("edge")), (60, 12, 12));
    assert!(KINDS.iter().all(|kind| count(kind.name) >= 4));
    assert_eq!(all.iter().filter(|case| case.has_profile()).count(), 30);
    let only = cases(7, 5, &["zeros".into(), "idle".into()]).unwrap();
    assert!(only.iter().all(|case| ["zeros", "idle"].contains(&case.kind.name)) && only.len() == 5);
}

#[test]
fn what_miglink_says_is_read() {
    let forecast = json!({"converges": true, "total_seconds": 9.0, "pause_seconds": 0.3,
        "p10": {"total_seconds": 8.5, "pause_seconds": 0.25}, "p90": {"total_seconds": 9.8, "pause_seconds": 0.4}});
    let body = json!({"links": [{"device": "eth0"},
        {"device": "mig0", "capacity_bytes_per_second": {"value": 2e7}, "forecast": forecast}]});
    let found = predict::read(&body).unwrap();
    assert_eq!((found.capacity, found.converges), (Some(2e7), Some(true)));
    assert_eq!(found.total, Range { p10: Some(8.5), middle: Some(9.0), p90: Some(9.8) });
    assert!(predict::read(&json!({"links": []})).is_err());

    let forecast = json!({"remaining_seconds": {"p10": 1.0, "p50": 2.0, "p90": 3.0}, "converging": false});
    let running = json!({"direction": "outgoing", "forecast": forecast});
    let ended = json!({"direction": "outgoing", "migration_result": "completed", "forecast": {}});
    let said = said::read(&json!({"migrations": [ended, running]}), 4.0).unwrap();
    assert_eq!((said.remaining.middle, said.pause.middle, said.converging), (Some(2.0), None, Some(false)));
    assert_eq!(said::read(&json!({"migrations": [{"direction": "outgoing"}]}), 4.0), None);
}

#[test]
fn predict_is_told_what_is_known() {
    let drawn = Case::make(Kind::named("capped").unwrap(), 1, 3).unwrap().plan;
    let guest = Plan { memory: 200, zeros: 4, working_set: 118, random: true, downtime_limit: 500, ..drawn };
    let words = predict::words(&Plan { cap: Some(23 << 10), ..guest }, 4.2e6).join(" ");
    let wanted =
        "--memory 200MiB --zero 11.0% --dirty-rate 4200000B/s --working-set 118MiB --dirty-pattern random \
                  --downtime-limit 500ms --max-bandwidth 23552KiB/s --link mig0 --output json";
    assert_eq!(words, wanted);
}

/// A run that took so many seconds, paused so many, and was forecast so before.
fn run(id: &str, has_profile: bool, (total, pause): (f64, Option<f64>), before: Option<(f64, f64)>) -> Run {
    let case = Case::make(Kind::named("calm").unwrap(), 1, 1).unwrap();
    let result = if pause.is_some() { "completed" } else { "cancelled" };
    let truth = Truth {
        result: result.into(),
        setup_at: Some(100.0),
        ended_at: Some(100.0 + total),
        pause,
        ..Truth::default()
    };
    let pace = Pace { before: 1.0, during: 1.0 };
    let measured = Measured::of(id, 1, &case.plan, &truth, pace, &[]);
    let only = |middle| Range { middle: Some(middle), ..Range::default() };
    let before = before.map(|(total, pause)| Prediction {
        converges: Some(true),
        total: Range { p10: Some(total - 1.0), middle: Some(total), p90: Some(total + 1.0) },
        pause: only(pause),
        ..Prediction::default()
    });
    Run { id: id.into(), has_profile, measured, informed: before, ..Run::of(&case) }
}

fn said(at: f64, remaining: Option<f64>, converging: Option<bool>) -> Said {
    let remaining = Range { middle: remaining, ..Range::default() };
    Said { at, remaining, pause: Range { middle: Some(0.5), ..Range::default() }, converging }
}

/// Four runs whose figures are worked out by hand below.
fn by_hand() -> Vec<Run> {
    let mut exact = run("a:1", true, (10.0, Some(0.3)), Some((10.0, 0.3)));
    // At 25 % the last word is of 2.4 s: 2.4 + 8.6 = 11. At 50 % it is two and a half seconds old: none.
    exact.said =
        vec![said(1.0, Some(20.0), None), said(2.4, Some(8.6), Some(true)), said(2.6, Some(1.0), None)];
    let mut off = run("a:2", false, (10.0, Some(0.4)), Some((13.0, 0.3)));
    off.said = vec![said(5.0, Some(4.0), Some(false))];
    let mut endless = run("b:1", true, (20.0, None), Some((12.0, 0.3)));
    endless.said = vec![said(3.0, None, None), said(6.0, None, Some(false)), said(7.0, None, Some(false))];
    let mut broken = run("b:2", true, (20.0, None), None);
    (broken.measured, broken.error) = (None, Some("no QEMU".into()));
    vec![exact, off, endless, broken]
}

fn row<'a>(score: &'a Score, half: &str, stage: &str) -> &'a Errors {
    score.errors.iter().find(|row| row.half == half && row.stage == stage).unwrap()
}

fn near(is: Option<f64>, should: f64) -> bool {
    is.is_some_and(|is| (is - should).abs() < 1e-9)
}

#[test]
fn the_score_is_what_a_person_counts() {
    let score = score(&by_hand());
    assert_eq!((score.completed, score.called_off, score.broken), (2, 1, 1));
    let before = row(&score, "all", "before");
    assert_eq!((before.runs, before.said), (2, 2));
    assert!(near(before.total_median, 0.0) && near(before.total_p90, 0.3) && near(before.total_within, 0.5));
    assert!(near(before.pause_median, 0.0) && near(before.pause_p90, 0.1));
    // The endless one was called converging.
    assert_eq!((before.converging_right, before.converging_said), (2, 3));
    let quarter = row(&score, "all", "25 %");
    assert!(quarter.said == 1 && near(quarter.total_p90, 0.1) && near(quarter.pause_p90, 0.2));
    let half = row(&score, "all", "50 %");
    assert!(half.said == 1 && near(half.total_p90, 0.1), "5 + 4 of 10");
    assert_eq!((half.converging_right, half.converging_said), (0, 1), "the endless one's word is 3 s old");
    assert_eq!(row(&score, "with profile", "50 %").said, 0);
    let all = &score.endings[0];
    assert_eq!((all.endless, all.told, all.told_after), (1, 1, Some(6.0)));
    assert_eq!(
        (all.wrongly_hopeless.as_slice(), all.wrongly_hopeful.len()),
        (["a:2".to_owned()].as_slice(), 0)
    );
}

#[test]
fn a_report_names_what_was_furthest_off() {
    let (runs, counted) = (by_hand(), score(&by_hand()));
    let text = report::text(&counted, &runs);
    assert!(text.contains("30.0 %  a:2") && text.contains("hopeless at some time: 1 (a:2)"), "{text}");
    let page = markdown::section("cargo xtask forecast", 1000, &Machine::read(), &counted);
    assert!(
        page.contains("| all | before | 2 | 2 | 0.0 % | 30.0 % | 50.0 % | 0 ms | 100 ms | - | 2 of 3 |"),
        "{page}"
    );
    assert!(page.contains("held out") && page.contains("| never | more than the rate"), "{page}");
}

//! The generator makes what it says, and the score counts as people do.

use super::families::{FAMILIES, HEALTHY};
use super::found::{Alarm, Found, Judged};
use super::score::{score, Run};
use super::variant::{variants, Variant};
use super::{markdown, report};
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn the_same_seed_makes_the_same_variants() {
    let texts = |seed| variants(seed, 4, &[]).unwrap().into_iter().map(|v| v.text).collect::<Vec<_>>();
    assert_eq!(texts(1), texts(1));
    assert_ne!(texts(1), texts(1000));
    // A variant does not depend on how many there are.
    let alone = Variant::make(FAMILIES[0], 3, 1).unwrap();
    assert!(texts(1).contains(&alone.text));
}

/// Making one parses it, so an invalid scenario is an error here.
#[test]
fn every_variant_of_many_seeds_is_a_valid_scenario_with_a_truth() {
    for seed in (1..40).chain(1000..1040) {
        let long = variants(seed, 3, &["healthy_for_minutes".into()]).unwrap();
        for variant in variants(seed, 12, &[]).unwrap().into_iter().chain(long) {
            let truth = &variant.scenario.expect.memory_copy;
            let made = |name: &str| truth.iter().any(|stretch| stretch.causes.iter().any(|c| c == name));
            let family = variant.family.name;
            let several = family == "two_causes" || family.starts_with(HEALTHY);
            assert!(several || made(family), "{}", variant.text);
            let ordered =
                truth.windows(2).all(|pair| pair[0].until.is_some() && pair[0].until <= pair[1].from);
            assert!(ordered, "stretches overlap: {}", variant.text);
            if let Some(stop) = variant.scenario.stop_after {
                let most = if family == "healthy_for_minutes" { 200.0 } else { 11.0 };
                assert!(stop.0.as_secs_f64() <= most, "too long: {}", variant.text);
                assert!(truth.iter().all(|s| s.from.is_none_or(|from| from < stop)), "{}", variant.text);
            }
        }
    }
}

#[test]
fn there_are_as_many_as_asked_for_and_all_differ() {
    let all = variants(1, 10, &[]).unwrap();
    for family in FAMILIES {
        let own = all.iter().filter(|variant| variant.family.name == family.name).count();
        let weight = family.weight as usize;
        assert_eq!(own, 10 * weight, "{}", family.name);
    }
    let different: BTreeSet<&str> = all.iter().map(|v| v.text.split_once('\n').unwrap().1).collect();
    assert_eq!(different.len(), all.len());
    assert_eq!(variants(1, 2, &["sender_idle".into()]).unwrap().len(), 2);
    assert_eq!(variants(1, 2, &["healthy_for_minutes".into()]).unwrap().len(), 2, "made where it is named");
}

#[test]
fn every_file_of_a_family_is_in_the_table() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/accuracy/families");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files: BTreeSet<String> =
        files.map(|p| p.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    let listed: BTreeSet<String> =
        FAMILIES.iter().map(|family| family.name.to_owned()).chain(["mod".to_owned()]).collect();
    assert_eq!(files, listed);
}

fn judged(truth: &[&str], found: &[(&str, f64)], verdict_after: Option<f64>) -> Judged {
    let found: BTreeMap<String, f64> = found.iter().map(|(c, s)| ((*c).to_owned(), *s)).collect();
    let leading = found.iter().max_by(|a, b| a.1.total_cmp(b.1)).map(|(cause, _)| cause.clone());
    let truth = truth.iter().map(|cause| (*cause).to_owned()).collect();
    Judged { from: 0.0, until: 4.0, truth, found, rate: None, leading, verdict_after, is_onset: true }
}

fn run(family: &str, stretches: Vec<Judged>, alarms: usize) -> Run {
    let alarm = Alarm { cause: "c".into(), at: 1.0, held: 1.0 };
    let found = Found { length: 360.0, stretches, too_short: 0, others: None, alarms: vec![alarm; alarms] };
    Run {
        family: family.into(),
        number: 1,
        seed: 7,
        summary: String::new(),
        tries: 1,
        took: 9.0,
        load: None,
        found: Some(found),
        error: None,
    }
}

/// Ten stretches whose numbers are worked out by hand below.
fn by_hand() -> Vec<Run> {
    let mut broken = run("a", Vec::new(), 0);
    (broken.found, broken.error, broken.tries) = (None, Some("no QEMU".into()), 3);
    vec![
        run("a", vec![judged(&["a"], &[("a", 4.0)], Some(1.0))], 0),
        run("a", vec![judged(&["a"], &[("a", 3.0), ("b", 1.0)], Some(2.0))], 0),
        run("a", vec![judged(&["a"], &[("b", 3.0), ("a", 1.0)], None)], 0),
        run(
            "b",
            vec![judged(&["b"], &[("b", 4.0)], Some(1.5)), judged(&["b"], &[("unknown", 4.0)], None)],
            0,
        ),
        run("two_causes", vec![judged(&["b", "a"], &[("a", 4.0)], Some(0.5))], 0),
        run("b", vec![judged(&["b"], &[], None)], 0),
        run(HEALTHY, vec![judged(&["a"], &[("a", 4.0)], None)], 0),
        run(HEALTHY, vec![judged(&["a"], &[("b", 4.0)], None)], 2),
        broken,
    ]
}

#[test]
fn the_score_is_what_a_person_counts() {
    let score = score(&by_hand());
    assert_eq!((score.runs, score.broken, score.made_again), (8, 1, 1));
    assert_eq!((score.right, score.stretches), (4, 7));
    let cell = |truth: &str, led: &str| score.matrix[truth].get(led).copied().unwrap_or(0);
    assert_eq!((cell("a", "a"), cell("a", "b")), (2, 1));
    assert_eq!((cell("b", "b"), cell("b", "unknown"), cell("b", "(nothing)")), (1, 1, 1));
    assert_eq!((cell("b or a", "a"), cell(HEALTHY, "a"), cell(HEALTHY, "b")), (1, 1, 1));
    let (a, b) = (&score.causes["a"], &score.causes["b"]);
    // a led in two of its own, in the stretch of both, and in a healthy one where it was allowed.
    assert_eq!((a.stretches, a.right, a.named, a.named_rightly), (3, 2, 4, 4));
    // b led in one of its own, in one of a, and in a healthy one. Of its four stretches two are right.
    assert_eq!((b.stretches, b.right, b.named, b.named_rightly), (4, 2, 3, 1));
    assert_eq!((b.recall, b.precision), (Some(0.5), Some(1.0 / 3.0)));
    assert_eq!((a.verdict_median, a.verdict_p95, a.onsets), (Some(1.0), Some(2.0), 3));
    assert!((a.seconds_in - 8.0).abs() < 1e-9 && (a.real_seconds - 12.0).abs() < 1e-9);
    assert!((b.seconds_outside - 8.0).abs() < 1e-9);
    assert_eq!((score.healthy.runs, score.healthy.alarms, score.healthy.runs_with_alarms), (2, 2, 1));
    assert!((score.healthy.alarms_per_hour.unwrap() - 10.0).abs() < 1e-9, "two in a fifth of an hour");
    assert!(!score.causes.contains_key("unknown"));
    // Two thirds of a, half of b.
    assert!((score.balanced.unwrap() - 7.0 / 12.0).abs() < 1e-9);
    assert_eq!(score.alarms, 2);
    assert!((score.hours - 0.8).abs() < 1e-9, "eight runs of six minutes");
}

#[test]
fn a_wrong_run_is_named_so_that_it_can_be_made_again() {
    let (runs, counted) = (by_hand(), score(&by_hand()));
    let text = report::text(&counted, &runs);
    assert!(text.contains("a:1 seed 7") && text.contains("was a, found b 75 %, a 25 %"), "{text}");
    let quiet = score(&[run(HEALTHY, vec![judged(&["a"], &[("a", 4.0)], None)], 0)]);
    assert!(
        report::headline(&quiet).contains("at most 30 (95 %) in an hour"),
        "{}",
        report::headline(&quiet)
    );
    let machine = super::machine::Machine::read();
    let page = markdown::page("cargo xtask accuracy", 1000, &machine, &counted, &runs);
    assert!(page.contains("| a | 2 | 1 |") || page.contains("| a |  | 2 | 1 |"), "{page}");
    assert!(page.contains("`--seed 7 --rerun a:1`: was a, found b 75 %, a 25 %"), "{page}");
    assert!(page.contains("held out") && page.contains("link_saturated"), "{page}");
}

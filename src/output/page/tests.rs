//! The whole page: what a guest's name cannot do to it, what a host of any size makes of it, and how it looks in full.

use super::{render, Place, FILES, POLICY};
use crate::output::migrations::testing::{at, finished, frame, running};
use crate::sample::flag::{Finding, Findings, Flagged};
use crate::sample::frame::{Frame, Outcome, SourceReport};
use crate::sample::link::{Link, Links, Role};
use crate::sample::outlook::{Outlook, Range};
use crate::sample::strip::{LinkStrip, MigrationStrip, Strips};
use crate::sample::verdict::{Part, PhaseVerdict, Verdict};
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
use std::sync::Arc;
use std::time::Duration;

fn page(frame: &Frame) -> String {
    render(frame, &place(), frame.wall_ns)
}

fn place() -> Place {
    Place { host: "hv01".into(), metrics_path: "/metrics".into() }
}

fn strips(migration: u64, link: u64) -> Strips {
    let mut course = MigrationStrip::new(migration, at(88));
    for point in 0..24 {
        course.take(if point < 8 { "link_saturated" } else { "link_shared" }, 0.4);
        course.take("unknown", 0.1);
        course.push(if point < 8 { 115e6 } else { 40e6 }, 115e6);
    }
    let mut rates = LinkStrip::new(link, Duration::from_secs(1));
    (0..100).for_each(|point| rates.push([point as f32 * 1e4, 115e6]));
    Strips { links: vec![Arc::new(rates)], migrations: vec![Arc::new(course)] }
}

fn link(key: u64, name: &str) -> Link {
    Link {
        key,
        index: key as u32,
        name: name.into(),
        exported: true,
        oper_up: true,
        role: Role::Physical,
        kind: "physical".into(),
        carrier_changes: Some(1),
        ..Link::default()
    }
}

/// A host with one of everything; a guest, a link and the numbers have names that try to be markup.
fn full() -> Frame {
    let part =
        |cause, seconds, share| Part { cause, seconds, share, evidence: "<b>48</b> of 50 MB/s".into() };
    let parts = vec![part("link_shared", 9.0, 0.75), part("unknown", 3.0, 0.25)];
    let verdict = Verdict {
        migration: 1,
        now: Some(part("link_shared", 0.9, 0.9)),
        phases: vec![PhaseVerdict { phase: "memory_copy", parts }],
    };
    let outlook = Outlook {
        migration: 1,
        copy: Some(Range { p10: 8.0, p50: 12.0, p90: 20.0 }),
        pause: Some(Range { p10: 0.1, p50: 0.2, p90: 0.35 }),
        converging: Some(true),
        at_least: false,
        needed: None,
        scores: Vec::new(),
    };
    let result = Flagged::Slows {
        ratio: 6.55,
        evidence: "<i>1 % lost".into(),
        mend: vec!["ethtool -G eth0 rx 8192".into()],
    };
    let finding = Finding { key: 2, device: "eth0".into(), cause: "ring_overflow", result };
    let links = vec![link(1, "ens3f0"), link(2, "eth0"), link(3, "<script>")];
    let report = |source, outcome| SourceReport { source, outcome, took: Duration::from_micros(120) };
    Frame {
        verdicts: vec![verdict],
        outlooks: vec![outlook],
        strips: strips(1, 1),
        flags: Arc::new(Findings { judged: [1, 2, 3].into(), list: vec![finding] }),
        links: Arc::new(Links::new(1, links, None)),
        reports: vec![report("links", Outcome::Read), report("qmp", Outcome::Failed("<em>no".into()))],
        ..frame(&[running(1, "db\"><script>alert(1)</script>", 88), finished(2, "web", 10, 30)])
    }
}

#[test]
fn the_whole_page() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let text = page(&full()).replace(env!("CARGO_PKG_VERSION"), "VERSION");
    settings.bind(|| insta::assert_snapshot!("page", text));
}

#[test]
fn an_empty_host_says_so() {
    let page = page(&Frame::default());
    for said in
        ["no migration is running", "links are not judged yet", "No link has an address", "as of not yet"]
    {
        assert!(page.contains(said), "{said}: {page}");
    }
}

#[test]
fn a_healthy_host_says_so() {
    let flags = Arc::new(Findings { judged: [1].into(), list: Vec::new() });
    let links = Arc::new(Links::new(1, vec![link(1, "eth0")], None));
    let page = page(&Frame { links, flags, ..Frame::default() });
    assert!(page.contains("nothing would slow a migration on 1 link<"), "{page}");
}

#[test]
fn a_sampler_that_hangs_is_told() {
    let frame = frame(&[]);
    let after = |seconds: u64| render(&frame, &place(), frame.wall_ns + seconds * 1_000_000_000);
    assert!(after(100).contains("as of 15:04:19 UTC") && !after(100).contains("nothing was sampled"));
    assert!(after(121).contains("nothing was sampled since 15:04:19 UTC"));
}

#[test]
fn the_first_thing_told_is_what_limits_it_then_when_it_ends() {
    let page = page(&full());
    let places = [
        "limited by",
        "link shared",
        "ends",
        "in 12.2 s",
        "guest will pause",
        "What to do",
        "Throughput",
        "Links",
    ];
    let mut from = page.find("<article").expect("a card");
    for word in places {
        from += page[from..].find(word).unwrap_or_else(|| panic!("{word} does not come in its order"));
    }
}

#[test]
fn it_is_made_anew_sooner_while_a_migration_is_on() {
    let seconds = |entries: &[_]| {
        let page = page(&frame(entries));
        let of = |before: &str| {
            page.split(before).nth(1).and_then(|rest| rest.split('"').next()).map(str::to_owned)
        };
        (of("data-refresh=\""), of("http-equiv=\"refresh\" content=\""))
    };
    let times = |script: &str, without: &str| (Some(script.to_owned()), Some(without.to_owned()));
    assert_eq!(seconds(&[]), times("5", "10"));
    assert_eq!(seconds(&[running(1, "a", 90)]), times("1", "3"));
    assert_eq!(seconds(&[finished(1, "a", 10, 20)]), times("5", "10"));
}

#[test]
fn nothing_that_the_policy_forbids_is_in_it() {
    assert!(POLICY.starts_with("default-src 'none'") && !POLICY.contains("unsafe"));
    let page = page(&full());
    for forbidden in
        ["style=", "<style", "onclick", "onload", "javascript:", "http://", "https://", "<script>"]
    {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    // Whatever the page loads is a file of its own.
    for asked in page.split("src=\"").skip(1).chain(page.split("<link ").skip(1)) {
        let path = asked.split('"').find(|part| part.starts_with("page/")).expect("a path");
        assert!(FILES.iter().any(|(known, ..)| known.strip_prefix('/') == Some(path)), "{path}");
    }
}

#[test]
fn ten_thousand_links_and_a_hundred_migrations_make_no_large_page() {
    let links = (1..=10_000).map(|key| link(key, &format!("a-rather-long-name-{key:05}"))).collect();
    let slows = |key| Finding {
        key,
        device: format!("a-rather-long-name-{key:05}"),
        cause: "ring_overflow",
        result: Flagged::Slows { ratio: 2.0, evidence: "x".repeat(200), mend: vec!["mend".into(); 2] },
    };
    let list = (1..=5_000).map(slows).collect();
    let entries: Vec<_> = (1..=256)
        .map(|key| {
            if key < 100 {
                running(key, &format!("vm{key}"), 88)
            } else {
                finished(key, &format!("vm{key}"), 10, 30)
            }
        })
        .collect();
    let frame = Frame {
        links: Arc::new(Links::new(1, links, None)),
        flags: Arc::new(Findings { judged: (1..=10_000).collect(), list }),
        ..frame(&entries)
    };
    let page = page(&frame);
    assert!(page.len() < 400_000, "{} bytes", page.len());
    for said in ["and 9900 more, which", "and 75 more:", "and 107 more:", "<b>5000</b> of 10000 links would"]
    {
        assert!(page.contains(said), "{said}");
    }
}

/// Reads back what a browser shows of escaped text.
fn shown(html: &str) -> String {
    let entities = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
    entities.iter().fold(html.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

proptest! {
    #[test]
    fn a_guest_cannot_write_the_page(vm in "(.|[<>&\"'/=]|<script>|</b>){1,40}") {
        let page = page(&frame(&[running(1, &vm, 90)]));
        let (_, rest) = page.split_once("<b class=\"name\">").unwrap();
        let (name, _) = rest.split_once("</b>").unwrap();
        prop_assert!(!name.contains(['<', '>', '"', '\'']));
        prop_assert_eq!(shown(name), vm);
        prop_assert_eq!(page.matches("<script").count(), 1, "its own");
    }
}

//! Joining what is seen and told into migrations: stories as text (`tests/data/migrations/*.story`), and laws that hold
//! for any sequence of signs.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod chance;
mod laws;
mod shown;
mod story;
mod world;

use std::path::Path;
use story::Story;

#[test]
fn every_story_ends_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/migrations");
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).expect("stories").filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "story"));
    paths.sort();
    assert!(paths.len() > 25);
    let mut wrong = Vec::new();
    for path in paths {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("a story");
        // A law that is broken panics in the middle: the other stories are told nevertheless.
        let told = std::panic::catch_unwind(|| Story::tell(&text));
        let problems = told.unwrap_or_else(|panic| vec![format!("{:?}", panic.downcast_ref::<String>())]);
        wrong.extend(problems.iter().map(|problem| format!("{name}, {problem}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn three_hundred_finished_ones_are_bounded_and_the_oldest_go() {
    let one = |number: u64| {
        let (at, bytes) = (number * 400, 10 + number);
        let (asked, end) = (at + 50, at + 150);
        format!(
            "{at} open f{number} web 40000>49152\n\
             {at} pace f{number} sends=100M\n\
             {asked} qmp web active way=out total=50 transferred=1M\n\
             {end} close f{number}\n\
             {end} qmp web completed way=out total=150 setup=5 downtime=5 transferred={bytes}M\n"
        )
    };
    let all: String = (0..300).map(one).collect();
    let end = "121000 news began=300 ended=300\n121000 expect web outgoing told=309M result=completed\n";
    let text = format!("0 process web\n{all}{end}");
    assert_eq!(Story::tell(&text), [] as [String; 0]);
}

//! A recording's files after all that can happen to them: cut, damaged, gone, written by two, by a clock that jumps; and the
//! first version of the format.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking"
)]

#[path = "recording/world.rs"]
mod world;

use miglink::record::reader::{Recording, Ticks, TORN};
use miglink::record::segment::Opening;
use miglink::record::store::{frames_files, Frames, Store, StoreError};
use miglink::record::tick::Tick;
use miglink::sample::frame::Frame;
use miglink::sample::monotonic::Monotonic;
use proptest::prelude::{any, prop_assert, proptest, ProptestConfig};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use world::{Rows, Step};

const SECOND: u64 = 1_000_000_000;

/// A minute and some of a host, always the same: a fixed story in place of any.
fn story(seconds: u64) -> Vec<Tick> {
    let mut steps = vec![(
        Step::Links(vec![(1, "eth0".into(), true), (2, "tap0".into(), false), (3, "bond0".into(), true)]),
        1000,
    )];
    for second in 0..seconds {
        let table = (second % 3) as usize;
        let rows = match second % 7 {
            0 => Rows::Links,
            3 => Rows::Own(vec![(second, "a".into()), (2, "b".into())]),
            _ => Rows::Before,
        };
        steps.push((Step::Read { table, rows, seed: second * 77 + 5, share: 100 }, 1000));
        if second % 10 == 9 {
            steps.push((Step::Say(format!("second {second}"), second as f64 / 3.0), 100));
        }
    }
    world::play(&steps)
}

/// Records ticks as the recorder does.
fn record(folder: &Path, ticks: &[Tick]) {
    let store = Store::open(folder).unwrap();
    let mut sequence = frames_files(folder).unwrap().last().map_or(1, |last| last.sequence + 1);
    let mut frames: Option<Frames> = None;
    for tick in ticks {
        match frames.take() {
            Some(mut open) if !open.is_over(tick) => {
                open.add(tick).unwrap();
                frames = Some(open);
            }
            full => {
                full.map_or(Ok(()), Frames::finish).unwrap();
                frames = Some(begin(&store, &mut sequence, tick));
            }
        }
    }
    frames.unwrap().finish().unwrap();
}

fn begin(store: &Store, sequence: &mut u64, tick: &Tick) -> Frames {
    let opening = Opening { sequence: *sequence, wall_ns: tick.frame.wall_ns, ..Opening::default() };
    *sequence += 1;
    store.begin(&opening, tick).unwrap()
}

fn all(folder: &Path) -> (Vec<Tick>, Ticks) {
    let mut ticks = Recording::new(folder).ticks(0..u64::MAX).unwrap();
    (ticks.by_ref().collect(), ticks)
}

fn only_file(folder: &Path) -> PathBuf {
    let files = frames_files(folder).unwrap();
    assert_eq!(files.len(), 1);
    files[0].path.clone()
}

fn assert_all_written(read: &[Tick], written: &[Tick]) {
    for tick in read {
        let same = written.iter().find(|other| other.frame.wall_ns == tick.frame.wall_ns).unwrap();
        world::assert_equal(tick, same);
    }
    assert!(read.windows(2).all(|pair| pair[0].frame.wall_ns < pair[1].frame.wall_ns));
}

#[test]
fn a_stretch_of_time_is_read_alone() {
    let folder = tempfile::tempdir().unwrap();
    let ticks = story(600);
    record(folder.path(), &ticks);
    let start = ticks[0].frame.wall_ns;
    for (from, until) in [(0, 700), (0, 1), (5, 5), (100, 140), (121, 122), (599, 700), (700, 800)] {
        let range = start + from * SECOND..start + until * SECOND;
        let mut read = Recording::new(folder.path()).ticks(range.clone()).unwrap();
        let found: Vec<Tick> = read.by_ref().collect();
        let expected: Vec<&Tick> = ticks.iter().filter(|tick| range.contains(&tick.frame.wall_ns)).collect();
        assert_eq!(found.len(), expected.len(), "{from} to {until}");
        assert_all_written(&found, &ticks);
        assert_eq!(read.damage, []);
    }
    assert!(ticks.iter().any(|tick| tick.fast), "fast ticks are among them");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_torn_end_costs_one_tick(cut in any::<proptest::sample::Index>()) {
        let folder = tempfile::tempdir().unwrap();
        let ticks = story(60);
        record(folder.path(), &ticks);
        let path = only_file(folder.path());
        let bytes = fs::read(&path).unwrap();
        let length = cut.index(bytes.len());
        fs::write(&path, &bytes[..length]).unwrap();
        let (read, rest) = all(folder.path());
        assert_all_written(&read, &ticks);
        // The ticks before the cut are all there: each adds some bytes, so one byte more may add one tick more.
        prop_assert!(rest.damage.iter().all(|damage| damage.what == TORN || length < 30), "{:?}", rest.damage);
        prop_assert!(read.iter().zip(&ticks).all(|(read, written)| read.frame.wall_ns == written.frame.wall_ns));
    }

    #[test]
    fn a_flipped_bit_costs_what_follows_until_the_next_key(hit in any::<proptest::sample::Index>(), bit in 0..8_u8) {
        let folder = tempfile::tempdir().unwrap();
        let ticks = story(600);
        record(folder.path(), &ticks[..10]);
        record(folder.path(), &ticks[10..]);
        let path = frames_files(folder.path()).unwrap()[1].path.clone();
        let mut bytes = fs::read(&path).unwrap();
        let at = 8 + hit.index(bytes.len() - 8);
        bytes[at] ^= 1 << bit;
        fs::write(&path, &bytes).unwrap();
        let (read, rest) = all(folder.path());
        assert_all_written(&read, &ticks);
        prop_assert!(!rest.damage.is_empty());
        let lost = ticks.len() - read.len();
        // Two minutes of the story, and its fast ticks.
        prop_assert!(lost <= 135, "{} of {} lost: {:?}", lost, ticks.len(), rest.damage);
    }
}

#[test]
fn a_file_that_is_gone_costs_its_own_time() {
    let folder = tempfile::tempdir().unwrap();
    let ticks = story(90);
    for part in ticks.chunks(30) {
        record(folder.path(), part);
    }
    let files = frames_files(folder.path()).unwrap();
    assert_eq!(files.len(), 4);
    fs::remove_file(&files[1].path).unwrap();
    let (read, rest) = all(folder.path());
    assert_eq!((read.len(), rest.damage.len()), (ticks.len() - 30, 0));
    assert_all_written(&read, &ticks);
    fs::write(&files[2].path, b"something else").unwrap();
    fs::write(folder.path().join("frames/0000000009-20261123T034635Z.frames"), b"miglink\x07").unwrap();
    let (read, rest) = all(folder.path());
    assert_eq!(read.len(), ticks.len() - 60);
    let what: Vec<_> = rest.damage.iter().map(|damage| damage.what.as_str()).collect();
    assert!(what[0].contains("no recording") && what[1].contains("version 7"), "{what:?}");
}

#[test]
fn a_clock_that_jumps_begins_another_file_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut ticks = story(60);
    // The clock is set back by an hour, and later forward by a year.
    for (at, tick) in ticks.iter_mut().enumerate() {
        let mut frame = Frame::clone(&tick.frame);
        match at {
            20..40 => frame.wall_ns -= 3600 * SECOND,
            40.. => frame.wall_ns += 365 * 86_400 * SECOND,
            _ => {}
        }
        tick.frame = Arc::new(frame);
    }
    record(folder.path(), &ticks);
    let files = frames_files(folder.path()).unwrap();
    assert_eq!(files.len(), 3);
    assert!(files[1].began < files[0].began && files[2].began > files[1].began);
    let (read, rest) = all(folder.path());
    assert_eq!((read.len(), rest.damage.len()), (ticks.len(), 0));
    for (read, written) in read.iter().zip(&ticks) {
        world::assert_equal(read, written);
    }
    let within = ticks[20].frame.wall_ns..ticks[40 - 1].frame.wall_ns + 1;
    assert_eq!(Recording::new(folder.path()).ticks(within).unwrap().count(), 20);
}

#[test]
fn an_hour_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let frame = |second: u64| {
        let monotonic = Monotonic(Duration::from_secs(second));
        let frame =
            Frame { wall_ns: 1_790_000_000 * SECOND + second * SECOND, monotonic, ..Frame::default() };
        Tick { frame: Arc::new(frame), ..Tick::default() }
    };
    let ticks: Vec<_> = (0..7300).map(frame).collect();
    record(folder.path(), &ticks);
    assert_eq!(frames_files(folder.path()).unwrap().len(), 3);
    assert_eq!(all(folder.path()).0.len(), 7300);
}

#[test]
fn a_folder_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let second = Store::open(folder.path());
    assert!(matches!(&second, Err(StoreError::Taken(_))), "{second:?}");
    assert!(second.unwrap_err().to_string().contains("another process"));
    drop(store);
    assert!(Store::open(folder.path()).is_ok());
}

/// What version 1 wrote in November 2026 stays readable. `UPDATE_EXPECT=1` writes it anew, which only a change of the story
/// above can be a reason for.
#[test]
fn the_first_version_stays_readable() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/recording/version1");
    let ticks = story(130);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::remove_dir_all(&golden).ok();
        record(&golden, &ticks);
        fs::remove_file(golden.join("lock")).unwrap();
        let record = miglink::record::migration::MigrationRecord {
            id: "20261123T034635Z-0badcafe".into(),
            version: "0.1.0".into(),
            migration: serde_json::json!({"vm": "db1", "migration_result": "completed"}),
            ..Default::default()
        };
        fs::write(golden.join(format!("migrations/{}.json", record.id)), record.write()).unwrap();
    }
    let (read, rest) = all(&golden);
    assert_eq!((read.len(), rest.damage), (ticks.len(), Vec::new()));
    for (read, written) in read.iter().zip(&ticks) {
        world::assert_equal(read, written);
    }
    let (migrations, damage) = Recording::new(&golden).migrations().unwrap();
    assert_eq!((migrations.len(), damage.len()), (1, 0));
    assert_eq!((migrations[0].text("vm"), migrations[0].result()), (Some("db1"), Some("completed")));
}

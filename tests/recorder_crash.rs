//! kill -9 of the real exporter at any instant: what was recorded is readable, and at most the last second is lost.
//! `MIGLINK_KILLS` says how often it is killed; 12 times without it.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails by panicking, and may wait")]

mod support;

use miglink::record::reader::{Recording, TORN};
use std::fs;
use std::time::Duration;
use support::exporter::{recording_command, value, Exporter};

#[test]
fn a_kill_costs_at_most_the_last_second() {
    let kills: u64 = std::env::var("MIGLINK_KILLS").map_or(12, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("miglink.yaml");
    // Ten writes a second: more instants at which a write may be under way.
    fs::write(&config, "sampling: {interval: 100ms}\n").unwrap();
    let recording = Recording::new(folder.path());
    let (mut before, mut torn) = (0, 0);
    for kill in 0..kills {
        let exporter = Exporter::spawn(
            recording_command().arg("--storage.path").arg(folder.path()).arg("--config.file").arg(&config),
        );
        // An even spread over the time after start, by the golden ratio.
        let wait = 300.0 + (kill as f64 * 0.618_034).fract() * 1_500.0;
        std::thread::sleep(Duration::from_micros((wait * 1e3) as u64));
        let text = exporter.metrics();
        let said = value(&text, "miglink_recording_frames_total").unwrap() as usize;
        let shown = value(&text, "miglink_frame_timestamp_seconds").unwrap();
        std::thread::sleep(Duration::from_micros((kill * 7919) % 100_000));
        exporter.signal("KILL");
        drop(exporter);
        let mut ticks = recording.ticks(0..u64::MAX).unwrap();
        let walls: Vec<u64> = ticks.by_ref().map(|tick| tick.frame.wall_ns).collect();
        assert!(ticks.damage.iter().all(|damage| damage.what == TORN), "kill {kill}: {:?}", ticks.damage);
        torn = ticks.damage.len();
        assert!(walls.len() >= before + said, "kill {kill}: {} after {before} and {said} said", walls.len());
        let last = *walls.last().unwrap() as f64 / 1e9;
        // How far the exporter itself was behind is not the recorder's.
        assert!(last >= shown - 1.0, "kill {kill}: {last} of {shown}");
        assert!(walls.windows(2).all(|pair| pair[0] < pair[1]));
        before = walls.len();
    }
    println!("{kills} kills: {before} ticks readable, {torn} files with a torn end");
}

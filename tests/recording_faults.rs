//! The real exporter on disks that fail: it goes on exporting, says what is wrong once, and records again when it can.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails by panicking, and may wait")]

mod support;

use miglink::record::reader::Recording;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use support::exporter::{recording_command, wait_for, Exporter};

const UP: &str = "miglink_recording_up";
const FRAMES: &str = "miglink_recording_frames_total";

fn start(folder: &Path) -> Exporter {
    Exporter::spawn(recording_command().arg("--storage.path").arg(folder))
}

fn records(exporter: &Exporter) -> bool {
    exporter.value(UP) == Some(1.0)
}

/// It exports as if nothing were.
fn assert_exports(exporter: &Exporter) {
    let timestamp = || exporter.value("miglink_frame_timestamp_seconds").unwrap();
    let before = timestamp();
    wait_for("another frame", || timestamp() > before);
    assert_eq!(exporter.value("miglink_source_success{source=\"links\"}"), Some(1.0));
}

/// Ends it in order; gives the lines of its log about the recording.
fn ended(exporter: Exporter) -> Vec<String> {
    exporter.signal("TERM");
    let (code, log) = exporter.end();
    assert_eq!(code, Some(0), "{log}");
    log.lines().filter(|line| line.contains("record")).map(str::to_owned).collect()
}

#[test]
fn frames_are_recorded_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let exporter = start(folder.path());
    wait_for("three frames", || exporter.value(FRAMES) >= Some(3.0));
    assert!(exporter.value("miglink_recording_size_bytes") > Some(1000.0));
    let recording = Recording::new(folder.path());
    let living = recording.ticks(0..u64::MAX).unwrap().count();
    assert!(living >= 3, "read beside the writer");
    assert_eq!(ended(exporter), Vec::<String>::new());
    let mut ticks = recording.ticks(0..u64::MAX).unwrap();
    let last = ticks.by_ref().last().unwrap();
    assert_eq!(ticks.damage, []);
    let links = last.frame.links.all();
    assert!(links.iter().any(|link| link.name == "lo"), "{links:?}");
    let mut columns = last.frame.blocks.iter().flat_map(|block| block.columns);
    assert!(columns.any(|column| column.metric.name == "link_up"));
}

#[test]
fn of_two_on_one_folder_the_second_waits_its_turn() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(folder.path());
    wait_for("the first to record", || records(&first));
    let second = start(folder.path());
    wait_for("the second to try", || second.value("miglink_recording_errors_total") >= Some(1.0));
    assert_eq!(second.value(UP), Some(0.0));
    assert_exports(&second);
    assert!(records(&first));
    first.signal("KILL");
    drop(first);
    wait_for("the second to take over", || records(&second));
    let said = ended(second);
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(said[0].contains("another process") && said[1].contains("goes on"), "{said:#?}");
}

#[test]
fn a_folder_that_is_removed_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("a/b");
    let exporter = start(&inner);
    wait_for("a frame", || exporter.value(FRAMES) >= Some(1.0));
    fs::remove_dir_all(&inner).unwrap();
    wait_for("it to notice", || exporter.value("miglink_recording_errors_total") >= Some(1.0));
    assert_exports(&exporter);
    wait_for("it to record again", || records(&exporter));
    assert!(Recording::new(&inner).ticks(0..u64::MAX).unwrap().count() > 0);
    let said = ended(exporter);
    // A migration of this host may have to be written before the file of frames is looked at.
    let reasons = ["was removed", "No such file"];
    assert!(reasons.iter().any(|reason| said[0].contains(reason)), "{said:#?}");
    assert!(said.len() == 2 && said[1].contains("goes on"), "{said:#?}");
}

/// Starts it with a small file system of its own; the path is where others find that.
fn on_small_disk(test: &str, folder: &Path, options: &str) -> Option<(Exporter, std::path::PathBuf)> {
    let mut flags = vec!["--mount"];
    if !rustix::process::geteuid().is_root() {
        flags.extend(["--user", "--map-root-user"]);
    }
    if !Command::new("unshare").args(&flags).arg("true").status().is_ok_and(|status| status.success()) {
        println!("SKIPPED {test}: needs root or user namespaces");
        return None;
    }
    // Ten frames a second fill a disk sooner.
    let config = tempfile::NamedTempFile::new().unwrap();
    fs::write(config.path(), "sampling: {interval: 100ms}\n").unwrap();
    let script = format!("mount -t tmpfs -o {options} none \"$1\" && shift && exec \"$@\"");
    let exporter = Exporter::spawn(
        Command::new("unshare")
            .args(&flags)
            .args(["--", "sh", "-c", &script, "sh"])
            .arg(folder)
            .arg(env!("CARGO_BIN_EXE_miglink"))
            .args(["--web.listen-address=127.0.0.1:0", "--config.file"])
            .arg(config.path())
            .arg("--storage.path")
            .arg(folder),
    );
    // unshare and sh have become the exporter.
    let inside = Path::new("/proc").join(exporter.pid().to_string()).join("root");
    let inside = inside.join(folder.strip_prefix("/").unwrap());
    Some((exporter, inside))
}

#[test]
fn a_full_disk_stops_the_recording_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let test = "a_full_disk_stops_the_recording_and_nothing_else";
    let Some((exporter, inside)) = on_small_disk(test, folder.path(), "size=8m") else { return };
    wait_for("a frame", || exporter.value(FRAMES) >= Some(1.0));
    let filler = inside.join("filler");
    // Closed again at once: a file that is open keeps its place on the disk though it is removed.
    for size in [8192, 512] {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&filler).unwrap();
        while file.write_all(&vec![1; size]).is_ok() {}
    }
    wait_for("it to notice", || exporter.value(UP) == Some(0.0));
    assert_exports(&exporter);
    assert!(exporter.value("miglink_recording_dropped_frames_total") >= Some(1.0));
    let read = |inside: &Path| {
        let mut ticks = Recording::new(inside).ticks(0..u64::MAX).unwrap();
        (ticks.by_ref().count(), ticks.damage)
    };
    let (before, damage) = read(&inside);
    assert!(before >= 1 && damage.is_empty(), "{damage:?}");
    fs::remove_file(&filler).unwrap();
    wait_for("it to record again", || records(&exporter));
    wait_for("more frames", || read(&inside).0 > before + 1);
    assert_eq!(read(&inside).1, []);
    let said = ended(exporter);
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(said[0].contains("No space left") && said[1].contains("goes on"), "{said:#?}");
}

#[test]
fn a_disk_that_cannot_be_written_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let test = "a_disk_that_cannot_be_written_is_said_once";
    let Some((exporter, _)) = on_small_disk(test, folder.path(), "ro") else { return };
    wait_for("it to try twice", || exporter.value("miglink_recording_errors_total") >= Some(2.0));
    assert_exports(&exporter);
    assert_eq!(exporter.value(UP), Some(0.0));
    let said = ended(exporter);
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(said[0].contains("Read-only file system"), "{said:#?}");
}

#[test]
fn it_need_not_record() {
    let folder = tempfile::tempdir().unwrap();
    let exporter =
        Exporter::spawn(recording_command().arg("--no-storage").env("STATE_DIRECTORY", folder.path()));
    assert_eq!(exporter.value(UP), None);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    drop(exporter);
    let exporter = Exporter::spawn(recording_command().env("STATE_DIRECTORY", folder.path()));
    wait_for("a frame", || exporter.value(FRAMES) >= Some(1.0));
    let list = |flags: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_miglink")).arg("migrations").args(flags).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let path = folder.path().to_str().unwrap();
    assert_eq!(list(&["--storage.path", path]), (Some(0), "No migration is recorded.\n".into()));
    let (code, said) = list(&["--storage.path", "/no/such/folder"]);
    assert!(code == Some(2) && said.contains("/no/such/folder") && said.contains("--storage.path"), "{said}");
}

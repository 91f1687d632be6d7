//! Hypervisor processes in the real /proc: found, becoming one, dead, and their ids given to others.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use miglink::sample::guest::Process;
use miglink::sample::monotonic::Monotonic;
use miglink::source::contract::{Context, Source};
use miglink::source::processes;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;
use support::fake_hypervisor::Fake;
use support::{in_namespace, open, wait_until};
use tempfile::tempdir;

/// The other half of these tests: a process that does as it is told.
#[test]
fn fake_hypervisor() {
    support::fake_hypervisor::serve();
}

/// Says it in a line of its own: the harness does not end its own line before it.
fn skipped(why: &str) {
    println!("\n{why}");
}

/// The `processes` source, a second between two readings, and of its processes those with this id.
struct List {
    source: Box<dyn Source>,
    seconds: u64,
    last: Vec<Process>,
}

impl List {
    fn new() -> Self {
        Self { source: open(&processes::SOURCE), seconds: 0, last: Vec::new() }
    }

    fn find(&mut self, pid: u32) -> Option<Process> {
        self.seconds += 1;
        let now = Monotonic(Duration::from_secs(self.seconds));
        let reading = self.source.read(&Context { now, ..Context::default() }).expect("processes");
        assert_eq!(reading.unchanged, reading.processes.is_none());
        self.last = reading.processes.unwrap_or_else(|| self.last.clone());
        self.last.iter().find(|process| process.pid == pid).cloned()
    }
}

#[test]
fn a_hypervisor_is_found_when_it_becomes_one_and_gone_when_it_is_dead() {
    let folder = tempdir().expect("a folder");
    let words = ["-name", "guest=web,debug-threads=on", "-m", "256", "-incoming", "defer"];
    let mut list = List::new();
    let mut fake = Fake::start(folder.path(), &words);
    let found = list.find(fake.pid()).expect("found");
    assert_eq!((found.name.as_str(), found.memory, found.incoming), ("web", Some(256 << 20), true));
    assert_eq!(found.namespace, std::fs::metadata("/proc/self/ns/net").expect("ours").ino());
    assert_eq!(list.find(fake.pid()).expect("still there"), found, "with the same key");
    assert!(processes::is_alive(Path::new("/proc"), &found));
    fake.kill();
    // Nobody has asked yet how it ended.
    wait_until("end", Duration::from_secs(5), || !processes::is_alive(Path::new("/proc"), &found));
    assert_eq!(list.find(fake.pid()), None, "a zombie is no hypervisor");
    fake.reap();
    assert_eq!(list.find(fake.pid()), None);
}

#[test]
fn a_shell_that_becomes_a_hypervisor_is_noticed() {
    let folder = tempdir().expect("a folder");
    let pid_of = |list: &mut List, name: &str| {
        list.find(0);
        list.last.iter().find(|process| process.name == name).map(|process| process.pid)
    };
    let mut list = List::new();
    let before = std::thread::scope(|scope| {
        let late = scope.spawn(|| Fake::start_late(folder.path(), "0.3", &["-name", "late-one"]));
        let before = pid_of(&mut list, "late-one");
        let fake = late.join().expect("started");
        assert_eq!(list.find(fake.pid()).expect("found").name, "late-one");
        before
    });
    assert_eq!(before, None, "a shell is no hypervisor");
}

/// The half of the next test that runs in a process namespace of its own.
const REUSE: &str = "MIGLINK_TEST_REUSE";

#[test]
fn a_reused_process_id_is_another_process() {
    if std::env::var_os(REUSE).is_some() {
        return reuse();
    }
    in_namespace("a_reused_process_id_is_another_process", || {
        let this = std::env::current_exe().expect("a path");
        let output = std::process::Command::new("unshare")
            .args(["--pid", "--fork", "--mount-proc"])
            .arg(this)
            .args(["--exact", "a_reused_process_id_is_another_process", "--nocapture"])
            .env(REUSE, "1")
            .output()
            .expect("unshare");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text} {output:?}");
        text.lines().filter(|line| line.starts_with("SKIPPED")).for_each(skipped);
    });
}

fn reuse() {
    let folder = tempdir().expect("a folder");
    let last_pid = "/proc/sys/kernel/ns_last_pid";
    if std::fs::write(last_pid, "500").is_err() {
        skipped(&format!("SKIPPED a_reused_process_id_is_another_process: {last_pid} cannot be written"));
        return;
    }
    let mut list = List::new();
    let mut first = Fake::start(folder.path(), &["-name", "first"]);
    let found = list.find(first.pid()).expect("found");
    first.kill();
    first.reap();
    // Start times are in hundredths of a second.
    std::thread::sleep(Duration::from_millis(30));
    std::fs::write(last_pid, (first.pid() - 1).to_string()).expect("written before");
    let second = Fake::start(folder.path(), &["-name", "second"]);
    assert_eq!(second.pid(), first.pid());
    let again = list.find(second.pid()).or_else(|| list.find(second.pid())).expect("found");
    assert_eq!(again.name, "second");
    assert!(again.key != found.key && again.start_ticks > found.start_ticks);
    assert!(!processes::is_alive(Path::new("/proc"), &found));
}

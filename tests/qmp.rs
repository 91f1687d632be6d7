//! The `qmp` source and real QEMU: migrations between two processes of this host, by borrowed and by held monitors,
//! and the other clients of a monitor, who must not notice.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that cannot go on fails; waiting is what one of them measures"
)]

#[path = "support/qemu.rs"]
mod qemu;

use miglink::sample::migration::{
    Direction, Event, Guest, Progress, RunState, Status, Told, Unavailable, What,
};
use qemu::{incoming, is_installed, wait_for, Client, Qemu, Reader};
use serde_json::{json, Value};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Two guests at a time are enough for a small machine.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a migration that takes about four seconds.
fn migrate(control: &mut Client, folder: &Path, destination: &str) {
    control.ask("migrate-set-parameters", &json!({"max-bandwidth": 20_000_000}));
    control.ask("migrate", &json!({"uri": incoming(folder, destination)}));
}

fn progress(told: &[Told], guest: u32) -> Vec<&Progress> {
    let of_guest = told.iter().filter(|told| told.guest == Guest::Process(u64::from(guest)));
    of_guest
        .filter_map(|told| if let What::Progress(progress) = &told.what { Some(&**progress) } else { None })
        .collect()
}

fn tells(told: &[Told], what: &What) -> bool {
    told.iter().any(|told| told.what == *what)
}

fn has_status(told: &[Told], status: Status) -> bool {
    told.iter().any(|told| matches!(&told.what, What::Progress(progress) if progress.status == status))
}

/// How many connections the socket's path has in the kernel's list, the listener not counted.
fn connections(path: &Path) -> usize {
    let list = std::fs::read_to_string("/proc/net/unix").expect("the list");
    let path = path.display().to_string();
    list.lines().filter(|line| line.ends_with(&path)).count() - 1
}

#[test]
fn borrowed_monitors_tell_a_migration_from_its_start_to_its_end() {
    if !is_installed("borrowed_monitors_tell_a_migration_from_its_start_to_its_end") {
        return;
    }
    let (_alone, folder) = (alone(), tempfile::tempdir().expect("a folder"));
    let (source, destination) = (Qemu::guest(folder.path(), "a"), Qemu::destination(folder.path(), "b"));
    let processes = vec![source.process(false), destination.process(false)];
    let [from, to] = [processes[0].pid, processes[1].pid];
    let mut reader = Reader::new(processes);
    assert!(
        reader.read().told.is_empty() && connections(&source.path) == 0,
        "nobody is asked before it moves"
    );
    let mut control = source.control();
    let before = control.ask("query-migrate-capabilities", &Value::Null);
    migrate(&mut control, folder.path(), "b");
    reader.follow(true);
    let told = reader.read_until("its end", |told| {
        progress(told, from).iter().any(|progress| progress.status == Status::Completed)
            && tells(told, &What::Run(RunState::Left))
    });

    let own = progress(&told, from);
    let running: Vec<_> = own.iter().filter(|progress| progress.status == Status::Active).collect();
    assert!(running.len() > 5, "{} answers", running.len());
    let grows = |of: fn(&Progress) -> Option<u64>| running.windows(2).all(|pair| of(pair[0]) <= of(pair[1]));
    assert!(grows(|progress| progress.transferred) && grows(|progress| progress.iterations));
    assert!(own.iter().all(|progress| progress.memory_total.is_none_or(|total| total > 96 << 20)));
    let last = own.last().expect("an end");
    assert!(last.downtime.is_some() && last.direction == Some(Direction::Outgoing), "{last:?}");
    let limits =
        told.iter().find_map(|told| if let What::Limits(limits) = &told.what { Some(limits) } else { None });
    assert!(limits.is_some_and(|limits| limits.max_bandwidth.is_some() && limits.tls == Some(false)));
    for state in [RunState::Running, RunState::Incoming] {
        assert!(tells(&told, &What::Run(state)), "{state:?}");
    }
    assert!(!progress(&told, to).is_empty());
    assert!(told.windows(2).all(|pair| pair[0].at <= pair[1].at), "in the order in which it came");

    reader.follow(false);
    assert!(reader.read().told.is_empty());
    wait_for("the monitors to be free", || connections(&source.path) + connections(&destination.path) == 0);
    assert_eq!(control.ask("query-migrate-capabilities", &Value::Null), before, "nothing was switched on");
}

#[test]
fn a_held_monitor_tells_events_too() {
    if !is_installed("a_held_monitor_tells_events_too") {
        return;
    }
    let (_alone, folder) = (alone(), tempfile::tempdir().expect("a folder"));
    let (source, _destination) = (Qemu::guest(folder.path(), "a"), Qemu::destination(folder.path(), "b"));
    let mut reader = Reader::new(vec![source.process(true)]);
    reader.read_until("a first answer", |told| tells(told, &What::Run(RunState::Running)));
    assert_eq!(connections(&source.path), 1, "held, though nobody is followed");

    let mut control = source.control();
    control.ask("stop", &Value::Null);
    control.ask("cont", &Value::Null);
    let is_event = |told: &Told, of: &Event| matches!(&told.what, What::Event { event, .. } if event == of);
    let has = move |told: &[Told], of: &Event| told.iter().any(|told| is_event(told, of));
    reader.read_until("stop and go", |told| has(told, &Event::Stopped) && has(told, &Event::Resumed));

    // These events are a capability that somebody else switches on; the source never does.
    let events = json!({"capabilities": [{"capability": "events", "state": true}]});
    control.ask("migrate-set-capabilities", &events);
    migrate(&mut control, folder.path(), "b");
    reader.follow(true);
    let told = reader.read_until("its end", |told| {
        has(told, &Event::Status(Status::Completed)) && has_status(told, Status::Completed)
    });
    for event in [Event::Status(Status::Active), Event::Iteration(2), Event::Stopped] {
        assert!(has(&told, &event), "{event:?}");
    }
    assert!(progress(&told, source.process(true).pid).len() > 5);
    let times: Vec<u64> = told
        .iter()
        .filter_map(|told| {
            if let What::Event { wall_ns, .. } = told.what {
                Some(wall_ns.expect("a time"))
            } else {
                None
            }
        })
        .collect();
    assert!(times.windows(2).all(|pair| pair[0] <= pair[1]));

    reader.find(Vec::new());
    reader.read();
    wait_for("it to be let go of", || connections(&source.path) == 0);
}

#[test]
fn a_held_monitor_is_opened_again() {
    if !is_installed("a_held_monitor_is_opened_again") {
        return;
    }
    let (_alone, folder) = (alone(), tempfile::tempdir().expect("a folder"));
    let first = Qemu::stopped(folder.path(), "a");
    let mut reader = Reader::new(vec![first.process(true)]);
    reader.read_until("a first answer", |told| tells(told, &What::Run(RunState::Stopped)));
    drop(first);
    reader.read_until("its end", |told| tells(told, &What::Unavailable(Unavailable::Gone)));
    let _second = Qemu::stopped(folder.path(), "a");
    reader.read_until("the next one", |told| tells(told, &What::Run(RunState::Stopped)));
}

#[test]
fn a_busy_monitor_is_told_of_once_and_its_queue_left_alone() {
    if !is_installed("a_busy_monitor_is_told_of_once_and_its_queue_left_alone") {
        return;
    }
    let (_alone, folder) = (alone(), tempfile::tempdir().expect("a folder"));
    let qemu = Qemu::stopped(folder.path(), "a");
    let mut other = Client::open(&qemu.path);
    let mut reader = Reader::new(vec![qemu.process(false)]);
    reader.follow(true);
    let busy = What::Unavailable(Unavailable::Busy);
    let told = reader.read_until("the other client", |told| tells(told, &busy));
    let mut all = told;
    for _ in 0..30 {
        std::thread::sleep(Duration::from_millis(80));
        all.extend(reader.read().told);
        assert_eq!(connections(&qemu.path), 1, "nothing of ours stands in the queue");
    }
    assert_eq!(all.iter().map(|told| &told.what).collect::<Vec<_>>(), [&busy]);
    assert_eq!(
        other.ask("query-status", &Value::Null)["status"],
        Value::from("prelaunch"),
        "it noticed nothing"
    );
    drop(other);
    reader.read_until("the free monitor", |told| tells(told, &What::Run(RunState::Stopped)));
}

#[test]
fn a_switchover_that_answers_nobody_is_silent_and_then_told() {
    if !is_installed("a_switchover_that_answers_nobody_is_silent_and_then_told") {
        return;
    }
    let (_alone, folder) = (alone(), tempfile::tempdir().expect("a folder"));
    let (source, destination) = (Qemu::guest(folder.path(), "a"), Qemu::destination(folder.path(), "b"));
    let mut reader = Reader::new(vec![source.process(false)]);
    reader.follow(true);
    let mut control = source.control();
    // The guest is stopped at once, and what is left to send does not fit into the socket of a frozen destination.
    control.ask("migrate-set-parameters", &json!({"max-bandwidth": 2_000_000, "downtime-limit": 1_000_000}));
    control.ask("migrate", &json!({"uri": incoming(folder.path(), "b")}));
    control.wait_for_event("STOP");
    destination.signal("STOP");
    reader.pause(true);
    let silent = What::Unavailable(Unavailable::Silent);
    let mut told = reader.read_until("silence", |told| tells(told, &silent));
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(20));
        told.extend(reader.read().told);
    }
    assert!(!tells(&told, &What::Unavailable(Unavailable::Busy)), "we are not in our own way");
    destination.signal("CONT");
    reader.read_until("its end", |told| has_status(told, Status::Completed));
}

/// The longest that a client that opens, asks and leaves waited, ten times a second.
fn longest_wait(path: &Path, stop: &AtomicBool) -> (Duration, u32) {
    let (mut longest, mut times) = (Duration::ZERO, 0);
    while !stop.load(Ordering::Relaxed) {
        let start = Instant::now();
        Client::open(path).ask("query-status", &Value::Null);
        longest = longest.max(start.elapsed());
        times += 1;
        std::thread::sleep(Duration::from_millis(100).saturating_sub(start.elapsed()));
    }
    (longest, times)
}

#[test]
fn a_second_client_never_waits_longer_than_fifty_milliseconds() {
    if !is_installed("a_second_client_never_waits_longer_than_fifty_milliseconds") {
        return;
    }
    let _alone = alone();
    // A machine that is busy with something else makes everybody wait; only what comes again is ours.
    let mut waited = Vec::new();
    while waited.last().is_none_or(|longest| *longest > Duration::from_millis(50)) {
        assert!(waited.len() < 3, "{waited:?}");
        waited.push(wait_during_a_migration());
    }
}

fn wait_during_a_migration() -> Duration {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, _destination) = (Qemu::guest(folder.path(), "a"), Qemu::destination(folder.path(), "b"));
    let mut reader = Reader::new(vec![source.process(false)]);
    migrate(&mut source.control(), folder.path(), "b");
    let stop = Arc::new(AtomicBool::new(false));
    let other = std::thread::spawn({
        let (path, stop) = (source.path.clone(), Arc::clone(&stop));
        move || longest_wait(&path, &stop)
    });
    reader.follow(true);
    let told = reader.read_until("its end", |told| has_status(told, Status::Completed));
    stop.store(true, Ordering::Relaxed);
    let (longest, times) = other.join().expect("the other client");
    assert!(times > 10 && progress(&told, source.process(false).pid).len() > 5, "both were served");
    eprintln!("the longest of {times} visits took {longest:?}");
    longest
}

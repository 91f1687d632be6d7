//! The libvirt source on two real libvirtd that migrate a real guest.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails by panicking, and may wait")]

mod support;

use miglink::sample::guest::{Followed, Process, Wanted};
use miglink::sample::migration::{Direction, Event, Guest, Progress, Status, Told, Unavailable, What};
use miglink::sample::monotonic::Monotonic;
use miglink::source::contract::{Context, Doors, Now, Source};
use miglink::source::libvirt::SOURCE;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::libvirt_pair::{missing, Pair, UUID};

/// Says to the process that runs as an ordinary user which socket to read.
const AS_NOBODY: &str = "MIGLINK_TEST_LIBVIRT_SOCKET";

/// A source that follows the guest by one host's socket, and all that it was told.
struct Listener {
    name: &'static str,
    source: Box<dyn Source>,
    context: Context,
    told: Vec<Told>,
    problems: Vec<String>,
}

impl Listener {
    /// `wanted`: the agent asks for the guest. Otherwise only events say that it moves.
    fn new(name: &'static str, socket: PathBuf, wanted: bool) -> Self {
        let start = Instant::now();
        let clock = Now::new(move || Monotonic(start.elapsed()));
        let mut followed = Followed::default();
        if wanted {
            let process =
                Process { key: 1, uuid: Some(UUID.into()), name: "vm".into(), ..Process::default() };
            followed.processes.push(process);
            followed.wanted.push(Wanted { key: 1, paused: false });
        }
        let doors = Doors { libvirt: vec![socket], ..Doors::default() };
        let context =
            Context { clock, followed: Arc::new(followed), doors: Arc::new(doors), ..Context::default() };
        Self { name, source: support::open(&SOURCE), context, told: Vec::new(), problems: Vec::new() }
    }

    fn read(&mut self) {
        let before = Instant::now();
        let reading = self.source.read(&self.context).unwrap();
        assert!(before.elapsed() < SOURCE.deadline, "a reading waits for nobody");
        for told in &reading.told {
            let Guest::Domain { uuid, name } = &told.guest else { panic!("{told:?}") };
            assert_eq!((uuid.as_str(), name.as_str()), (UUID, "vm"));
            eprintln!("{} {:7.3} {:?}", self.name, told.at.0.as_secs_f64(), told.what);
        }
        self.told.extend(reading.told);
        self.problems = reading.problems;
    }

    fn progress(&self) -> impl Iterator<Item = &Progress> {
        self.told.iter().filter_map(|told| match &told.what {
            What::Progress(progress) => Some(progress.as_ref()),
            _ => None,
        })
    }

    fn events(&self) -> Vec<&Event> {
        let events = self.told.iter().filter_map(|told| match &told.what {
            What::Event { event, .. } => Some(event),
            _ => None,
        });
        events.collect()
    }

    fn completed(&self) -> Option<&Progress> {
        self.events().into_iter().find_map(|event| match event {
            Event::Completed(progress) => Some(progress.as_ref()),
            _ => None,
        })
    }

    fn is_copying(&self) -> bool {
        self.progress().any(|progress| progress.status == Status::Active && progress.throughput.is_some())
    }

    fn unavailable(&self) -> Vec<Unavailable> {
        let all = self.told.iter().filter_map(|told| match told.what {
            What::Unavailable(why) => Some(why),
            _ => None,
        });
        all.collect()
    }
}

/// Reads both until something is true.
fn until(what: &str, both: [&mut Listener; 2], done: impl Fn(&Listener, &Listener) -> bool) {
    let [a, b] = both;
    support::wait_until(what, Duration::from_secs(40), || {
        a.read();
        b.read();
        done(a, b)
    });
}

fn forget(both: [&mut Listener; 2]) {
    for listener in both {
        listener.told.clear();
    }
}

#[test]
fn migrations_are_seen_on_both_hosts_whatever_happens_to_their_daemons() {
    if let Some(socket) = std::env::var_os(AS_NOBODY) {
        return reads_as_nobody(socket.into());
    }
    if let Some(reason) = missing() {
        writeln!(std::io::stdout(), "SKIPPED libvirt: {reason}").unwrap();
        return;
    }
    let mut pair = Pair::start();
    pair.start_guest();
    let (mut a, mut b) =
        (Listener::new("a", pair.a.socket(), true), Listener::new("b", pair.b.socket(), false));
    until("connections", [&mut a, &mut b], |a, b| a.problems.is_empty() && b.problems.is_empty());
    let nobody = as_nobody(&pair);
    plain(&pair, &mut a, &mut b);
    let output = nobody.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    forget([&mut a, &mut b]);
    called_off(&pair, &mut a, &mut b);
    forget([&mut a, &mut b]);
    frozen(&pair, &mut a, &mut b);
    forget([&mut a, &mut b]);
    frozen_for_long(&pair, &mut a, &mut b);
    forget([&mut a, &mut b]);
    restarted(&mut pair, &mut a, &mut b);
    forget([&mut a, &mut b]);
    postcopy(&pair, &mut a, &mut b);
    for log in [pair.a.log(), pair.b.log()] {
        assert!(!log.contains("cannot acquire state change lock"), "nobody waited for a guest's lock: {log}");
    }
}

/// This test again, by a user who may do nothing, of the first migration's source.
fn as_nobody(pair: &Pair) -> Child {
    // The build's own folder may be closed to others.
    let program = pair.folder().join("test");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .arg(program)
        .args(["--exact", "migrations_are_seen_on_both_hosts_whatever_happens_to_their_daemons"])
        .env(AS_NOBODY, pair.a.socket())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn reads_as_nobody(socket: PathBuf) {
    assert_eq!(rustix::process::geteuid().as_raw(), 65534);
    let mut listener = Listener::new("nobody", socket, true);
    support::wait_until("figures and the end", Duration::from_secs(60), || {
        listener.read();
        listener.is_copying() && listener.completed().is_some()
    });
}

/// Driven by virsh, from the first to the second.
fn plain(pair: &Pair, a: &mut Listener, b: &mut Listener) {
    let mut migration = pair.a.migrate(&pair.b, &[]);
    until("the end on both sides", [a, b], |a, b| {
        a.completed().is_some() && a.events().contains(&&Event::Left) && b.completed().is_some()
    });
    assert!(migration.wait().unwrap().success());
    source_is_right(a);
    destination_is_right(b);
    // Asking for it has not taken it away.
    let record = pair.b.virsh_output(&["domjobinfo", "vm", "--completed"]);
    assert!(record.contains("Completed"), "{record}");
}

fn source_is_right(a: &Listener) {
    let copying: Vec<&Progress> = a.progress().filter(|progress| progress.status == Status::Active).collect();
    assert!(copying.len() > 10, "ten times a second: {}", copying.len());
    assert!(copying.iter().all(|progress| progress.direction == Some(Direction::Outgoing)));
    assert!(copying.windows(2).all(|two| two[0].transferred <= two[1].transferred));
    let last = copying.last().unwrap();
    assert!(last.transferred > Some(50 << 20) && last.memory_total > Some(100 << 20));
    assert!(last.page_size == Some(4096) && last.throughput > Some(10e6) && last.iterations >= Some(1));
    assert!(last.expected_downtime.is_some() && last.downtime.is_none() && last.total_time.is_some());
    let limits = a.told.iter().filter_map(|told| match &told.what {
        What::Limits(limits) => limits.downtime_limit,
        _ => None,
    });
    assert_eq!(limits.last(), Some(Duration::from_millis(300)));
    let events = a.events();
    assert!(events.contains(&&Event::Iteration(1)) && events.contains(&&Event::Stopped), "{events:?}");
    let done = a.completed().unwrap();
    assert_eq!((done.status, done.direction), (Status::Completed, Some(Direction::Outgoing)));
    assert!(done.downtime > Some(Duration::ZERO) && done.expected_downtime.is_none());
    assert!(a.unavailable().is_empty(), "the lock of a guest that leaves is no outage");
}

fn destination_is_right(b: &Listener) {
    let events: Vec<_> =
        b.events().into_iter().filter(|event| !matches!(event, Event::Completed(_))).collect();
    assert_eq!(events, [&Event::Arriving, &Event::Resumed]);
    let first = b.progress().next().unwrap();
    assert_eq!((first.direction, first.transferred), (Some(Direction::Incoming), None), "no figures here");
    let done = b.completed().unwrap();
    assert_eq!((done.status, done.direction), (Status::Completed, Some(Direction::Incoming)));
    assert!(done.downtime > Some(Duration::ZERO) && done.transferred > Some(50 << 20));
    assert!(b.unavailable().is_empty());
}

/// Driven by the daemons, back again, and aborted: the second is now the source and is told by events only.
fn called_off(pair: &Pair, a: &mut Listener, b: &mut Listener) {
    let mut migration = pair.b.migrate(&pair.a, &["--p2p"]);
    until("figures by events alone", [a, b], |_, b| b.is_copying());
    pair.b.virsh(&["domjobabort", "vm"]);
    until("the end on both sides", [a, b], |a, b| {
        a.events().contains(&&Event::Failed) && b.progress().last().unwrap().status == Status::Cancelled
    });
    assert!(!migration.wait().unwrap().success());
    assert!(b.completed().is_none() && a.completed().is_none(), "libvirt keeps no record of it");
    assert_eq!(a.events(), [&Event::Arriving, &Event::Failed]);
}

/// The source's daemon stands still in the middle and goes on.
fn frozen(pair: &Pair, a: &mut Listener, b: &mut Listener) {
    let mut migration = pair.b.migrate(&pair.a, &["--p2p"]);
    until("figures", [a, b], |_, b| b.is_copying());
    pair.b.signal("STOP");
    until("silence", [a, b], |_, b| b.unavailable() == [Unavailable::Silent]);
    let before = b.told.len();
    pair.b.signal("CONT");
    until("the end on both sides", [a, b], |a, b| a.completed().is_some() && b.completed().is_some());
    assert!(migration.wait().unwrap().success());
    assert!(b.told.len() > before);
    assert_eq!(b.unavailable(), [Unavailable::Silent], "said once");
    assert!(a.unavailable().is_empty(), "the other daemon was well");
    until("all is well", [a, b], |a, b| a.problems.is_empty() && b.problems.is_empty());
}

/// A daemon stands still until its connection is given up, and goes on.
fn frozen_for_long(pair: &Pair, a: &mut Listener, b: &mut Listener) {
    pair.a.signal("STOP");
    until("the connection's end", [a, b], |a, _| {
        a.problems.iter().any(|problem| problem.contains("events and jobs: no answer"))
    });
    assert_eq!(a.unavailable(), [Unavailable::Silent], "said once, long before");
    pair.a.signal("CONT");
    until("a new connection", [a, b], |a, _| a.problems.is_empty());
}

/// A daemon is killed in the middle of a migration and comes back: that calls it off, the guest runs on, and no event
/// tells so.
fn restarted(pair: &mut Pair, a: &mut Listener, b: &mut Listener) {
    let mut migration = pair.a.migrate(&pair.b, &[]);
    until("figures", [a, b], |a, _| a.is_copying());
    pair.a.kill_daemon();
    until("the outage", [a, b], |a, _| a.unavailable() == [Unavailable::Gone] && !a.problems.is_empty());
    pair.a.start_daemon();
    until("the end on both sides", [a, b], |a, b| {
        a.progress().last().unwrap().status == Status::Cancelled && b.events().contains(&&Event::Failed)
    });
    assert!(!migration.wait().unwrap().success());
    assert_eq!(a.unavailable(), [Unavailable::Gone], "said once");
    assert!(a.problems.is_empty() && a.completed().is_none());
}

/// The guest goes on at the destination before its memory has come. After two outages events are registered anew.
fn postcopy(pair: &Pair, a: &mut Listener, b: &mut Listener) {
    let mut migration = pair.a.migrate(&pair.b, &["--p2p", "--postcopy"]);
    until("figures", [a, b], |a, _| a.is_copying());
    pair.a.virsh(&["migrate-postcopy", "vm"]);
    until("the end on both sides", [a, b], |a, b| a.completed().is_some() && b.completed().is_some());
    assert!(migration.wait().unwrap().success());
    let switched = Event::Status(Status::Postcopy);
    assert!(a.events().contains(&&Event::Stopped) && a.events().contains(&&switched), "{:?}", a.events());
    assert!(a.progress().any(|progress| progress.status == Status::Postcopy));
    assert!(b.events().contains(&&switched), "{:?}", b.events());
    let resumed = b.events().iter().filter(|event| ***event == Event::Resumed).count();
    assert_eq!(resumed, 1, "libvirt says it twice");
    assert!(a.completed().unwrap().postcopy_requests.is_some());
}

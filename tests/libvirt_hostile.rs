//! The libvirt source and peers that do not behave as libvirt: none of them stops it, fills its memory, or has it
//! wait longer than it should.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and may wait"
)]

mod support;

use miglink::sample::guest::{Followed, Process, Wanted};
use miglink::sample::migration::{Event, Guest, Told, Unavailable, What};
use miglink::sample::monotonic::Monotonic;
use miglink::source::contract::{Context, Doors, Now, Source, SourceError};
use miglink::source::libvirt::SOURCE;
use miglink::source::transport::libvirt::frame::{encode, Header, REPLY};
use miglink::source::transport::libvirt::notice::{ITERATION_TOLD, LIFECYCLE_TOLD};
use miglink::source::transport::libvirt::procedure::{
    AUTH_LIST, AUTH_POLKIT, JOB_STATS, LIST_DOMAINS, OPEN, REGISTER,
};
use miglink::source::transport::libvirt::xdr::Writer;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::fake_libvirt::{domain, Fake, Talk};

/// The source, following guests 1 to `wanted` at a socket.
struct Listener {
    source: Box<dyn Source>,
    context: Context,
    told: Vec<Told>,
    problems: String,
}

impl Listener {
    fn new(path: PathBuf, wanted: u8) -> Self {
        let start = Instant::now();
        let mut followed = Followed::default();
        for number in 1..=wanted {
            let (key, uuid) = (number.into(), Some(domain(number).uuid_text()));
            followed.processes.push(Process { key, uuid, name: domain(number).name, ..Process::default() });
            followed.wanted.push(Wanted { key, paused: false });
        }
        let context = Context {
            clock: Now::new(move || Monotonic(start.elapsed())),
            followed: Arc::new(followed),
            doors: Arc::new(Doors { libvirt: vec![path], ..Doors::default() }),
            ..Context::default()
        };
        Self { source: support::open(&SOURCE), context, told: Vec::new(), problems: String::new() }
    }

    fn read(&mut self) {
        let before = Instant::now();
        let reading = self.source.read(&self.context).unwrap();
        assert!(before.elapsed() < Duration::from_millis(500), "a reading waits for nobody");
        assert!(reading.told.len() <= 4096);
        self.told.extend(reading.told);
        self.problems = reading.problems.join("\n");
    }

    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        support::wait_until(what, Duration::from_secs(15), || {
            self.read();
            done(self)
        });
    }

    fn unavailable(&self) -> Vec<Unavailable> {
        let all = self.told.iter().filter_map(|told| match told.what {
            What::Unavailable(why) => Some(why),
            _ => None,
        });
        all.collect()
    }

    fn progress(&self) -> usize {
        self.told.iter().filter(|told| matches!(told.what, What::Progress(_))).count()
    }
}

/// A peer that does this is told so, once, with words in the problem; and it is tried again.
fn is_told(expected: Unavailable, words: &str, handle: impl Fn(Talk) + Send + Sync + 'static) {
    let fake = Fake::start(handle);
    let mut listener = Listener::new(fake.path(), 1);
    listener.until(words, |listener| listener.problems.contains(words));
    listener.until("another attempt", |_| fake.connections() >= 3);
    listener.read();
    assert_eq!(listener.unavailable(), [expected], "{}", listener.problems);
    let Guest::Domain { uuid, name } = &listener.told[0].guest else { panic!() };
    assert_eq!((uuid, name), (&domain(1).uuid_text(), &domain(1).name));
}

/// Answers the first call with these bytes.
fn answers_with(bytes: Vec<u8>) -> impl Fn(Talk) + Send + Sync {
    move |mut talk| {
        talk.next();
        talk.send(&bytes);
        while talk.next().is_some() {}
    }
}

#[test]
fn a_huge_length() {
    let mut bytes = vec![0xff; 4];
    bytes.extend([0; 1000]);
    is_told(Unavailable::Garbage, "a message of 4294967295 bytes", answers_with(bytes));
}

#[test]
fn another_protocol() {
    let text = b"\0\0\x01\0HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n".to_vec();
    is_told(Unavailable::Garbage, "not libvirt's protocol: program", answers_with(text));
}

#[test]
fn a_peer_that_hangs_up() {
    is_told(Unavailable::Gone, "events and jobs", drop);
}

#[test]
fn a_peer_that_hangs_up_is_not_hammered() {
    let fake = Fake::start(drop);
    let mut listener = Listener::new(fake.path(), 0);
    let before = Instant::now();
    listener.until("some attempts", |_| fake.connections() >= 4);
    assert!(before.elapsed() > Duration::from_secs(3), "it waits for 0.5, 1 and 2 seconds");
}

#[test]
fn a_peer_that_never_answers() {
    is_told(Unavailable::Silent, "no answer within the deadline", |mut talk| while talk.next().is_some() {});
}

#[test]
fn a_peer_that_sends_single_bytes() {
    is_told(Unavailable::Silent, "no answer within the deadline", |mut talk| {
        let Some(call) = talk.next() else { return };
        let header = Header { kind: REPLY, ..call.header };
        for byte in encode(header, &Writer::default().uint(1).int(0).finish()) {
            talk.send(&[byte]);
            std::thread::sleep(Duration::from_millis(100));
        }
    });
}

#[test]
fn a_daemon_that_wants_a_password() {
    is_told(Unavailable::Denied, "SASL", |mut talk| {
        talk.serve(|talk, call| {
            if call.header.procedure == AUTH_LIST {
                talk.reply(call, 0, &Writer::default().uint(1).int(1).finish());
            }
            call.header.procedure == AUTH_LIST
        });
    });
}

#[test]
fn a_policy_kit_that_says_no() {
    is_told(Unavailable::Denied, "authentication failed", |mut talk| {
        talk.serve(|talk, call| match call.header.procedure {
            AUTH_LIST => {
                talk.reply(call, 0, &Writer::default().uint(1).int(2).finish());
                true
            }
            AUTH_POLKIT => {
                let error = Writer::default().int(45).int(0).uint(1).string("authentication failed").finish();
                talk.reply(call, 1, &error);
                true
            }
            OPEN => panic!("it was refused"),
            _ => false,
        });
    });
}

/// A libvirtd that answers every question about a job with these bytes.
fn of_jobs(body: Vec<u8>) -> impl Fn(Talk) + Send + Sync {
    move |mut talk| {
        talk.serve(|talk, call| {
            let job = call.header.procedure == JOB_STATS;
            if job {
                talk.reply(call, 0, &body);
            }
            job
        });
    }
}

#[test]
fn a_million_parameters() {
    let mut body = Writer::default().int(2).uint(1_000_000);
    for _ in 0..50_000 {
        body = body.string("data_total").int(4).hyper(1);
    }
    is_told(Unavailable::Garbage, "a list of 1000000", of_jobs(body.finish()));
}

#[test]
fn an_answer_that_is_cut() {
    let body = Writer::default().int(2).uint(1).string("time_elapsed").int(4).uint(0).finish();
    is_told(Unavailable::Garbage, "ends in the middle", of_jobs(body));
}

#[test]
fn wrong_types_are_left_out() {
    let body = Writer::default().int(2).uint(3);
    let body = body.string("memory_total").int(7).string("much");
    let body = body.string("memory_processed").int(5).hyper(f64::INFINITY.to_bits());
    let body = body.string("memory_remaining").int(4).hyper(7);
    let fake = Fake::start(of_jobs(body.finish()));
    let mut listener = Listener::new(fake.path(), 1);
    listener.until("progress", |listener| listener.progress() > 2);
    let figures = listener.told.iter().find_map(|told| match &told.what {
        What::Progress(progress) => Some((progress.memory_total, progress.transferred, progress.remaining)),
        _ => None,
    });
    assert_eq!(figures, Some((None, None, Some(7))));
    assert!(listener.unavailable().is_empty());
}

#[test]
fn a_flood_of_events_is_bounded_and_its_loss_is_said() {
    let fake = Fake::start(|mut talk| {
        let arriving = domain(7).write(Writer::default().int(1)).int(2).int(1).finish();
        let collected = domain(7).write(Writer::default().int(1)).int(9).finish();
        let mut told = false;
        talk.serve(|talk, call| {
            if call.header.procedure == REGISTER && !told {
                told = true;
                for _ in 0..20_000 {
                    talk.tell(LIFECYCLE_TOLD, &arriving);
                    talk.tell(ITERATION_TOLD, &collected);
                }
            }
            false
        });
    });
    let mut listener = Listener::new(fake.path(), 0);
    listener.read();
    // Nobody reads meanwhile.
    std::thread::sleep(Duration::from_secs(3));
    listener.read();
    assert!(listener.problems.contains("were dropped"), "{}", listener.problems);
    assert_eq!(listener.told.len(), 4096);
    let arrived = What::Event { event: Event::Arriving, wall_ns: None };
    assert!(listener.told.iter().any(|told| told.what == arrived));
}

#[test]
fn guests_that_hang_take_four_requests_and_no_more() {
    let (most, asked) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (seen, count) = (Arc::clone(&most), Arc::clone(&asked));
    let fake = Fake::start(move |mut talk| {
        let mut hanging = 0;
        talk.serve(|talk, call| match call.header.procedure {
            JOB_STATS => {
                hanging += 1;
                count.fetch_add(1, Ordering::Relaxed);
                seen.fetch_max(hanging, Ordering::Relaxed);
                true
            }
            LIST_DOMAINS => {
                let list = (1..=9).fold(Writer::default().uint(9), |list, number| domain(number).write(list));
                talk.reply(call, 0, &list.uint(9).finish());
                true
            }
            _ => false,
        });
    });
    let mut listener = Listener::new(fake.path(), 9);
    listener.until("all four to be told", |listener| listener.unavailable().len() == 4);
    assert_eq!(listener.unavailable(), [Unavailable::Silent; 4]);
    assert_eq!(
        (most.load(Ordering::Relaxed), asked.load(Ordering::Relaxed)),
        (4, 4),
        "they keep their places"
    );
    listener.until("the connection to be replaced", |listener| listener.problems.contains("four requests"));
    listener.until("new questions", |_| asked.load(Ordering::Relaxed) > 4);
    assert_eq!(most.load(Ordering::Relaxed), 4, "on any connection");
}

#[test]
fn a_list_that_hangs_holds_up_no_guest() {
    let running = Writer::default().int(2).uint(1).string("memory_remaining").int(4).hyper(7).finish();
    let fake = Fake::start(move |mut talk| {
        let arriving = domain(1).write(Writer::default().int(1)).int(3).int(1).finish();
        talk.serve(|talk, call| match call.header.procedure {
            LIST_DOMAINS => true,
            REGISTER => {
                talk.tell(LIFECYCLE_TOLD, &arriving);
                false
            }
            JOB_STATS => {
                talk.reply(call, 0, &running);
                true
            }
            _ => false,
        });
    });
    let mut listener = Listener::new(fake.path(), 0);
    listener.until("the list's trouble", |listener| listener.problems.contains("list of domains: no answer"));
    let before = listener.progress();
    listener.until("more progress", |listener| listener.progress() > before + 10);
    assert!(listener.unavailable().is_empty() && !listener.problems.contains("events and jobs"));
}

#[test]
fn a_socket_that_is_configured_and_not_there_is_a_problem_and_one_that_is_not_configured_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut listener = Listener::new(folder.path().join("none"), 1);
    listener.until("the problem", |listener| listener.problems.contains("No such file"));
    assert_eq!(listener.unavailable(), [Unavailable::Gone]);
    if std::path::Path::new("/run/libvirt").exists() {
        writeln!(std::io::stdout(), "SKIPPED the absence of libvirt: it is on this machine").unwrap();
        return;
    }
    let mut source = support::open(&SOURCE);
    let context = Context::default();
    support::wait_until(
        "absence",
        Duration::from_secs(5),
        || matches!(source.read(&context), Err(SourceError::Absent(reason)) if reason.contains("no libvirt socket")),
    );
}

#[test]
fn connections_end_with_the_source() {
    let open = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&open);
    let fake = Fake::start(move |mut talk| {
        count.fetch_add(1, Ordering::Relaxed);
        talk.serve(|_, _| false);
        count.fetch_sub(1, Ordering::Relaxed);
    });
    let mut listener = Listener::new(fake.path(), 1);
    listener.until("both connections", |_| open.load(Ordering::Relaxed) == 2);
    drop(listener);
    support::wait_until("their end", Duration::from_secs(5), || open.load(Ordering::Relaxed) == 0);
}

//! Peers behind a monitor's socket that are no hypervisor, or one that its guest has taken over: whatever they send,
//! a reading ends soon, memory stays bounded, and other guests are told of.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that cannot go on fails; that a reading ends soon is what is tested"
)]

#[path = "support/qemu.rs"]
mod qemu;

use miglink::sample::migration::{Limits, Progress, Status, Told, Unavailable, What};
use miglink::source::contract::Reading;
use qemu::{process, Reader};
use serde_json::{json, Value};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const GREETING: &str = "{\"QMP\":{\"version\":{},\"capabilities\":[\"oob\"]}}\n";

/// A peer: what it does with a connection. It may end by an error at any time; that is the other side's doing.
type Peer = fn(UnixStream) -> std::io::Result<()>;

/// Lets a peer listen; gives where.
fn listen(folder: &TempDir, name: &str, peer: Peer) -> PathBuf {
    let path = folder.path().join(name);
    let listener = UnixListener::bind(&path).expect("a socket");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || peer(stream));
        }
    });
    path
}

/// Greets and answers every question with what `answer` says of its command, until the other side leaves.
fn serve(mut stream: UnixStream, answer: fn(&str) -> Value) -> std::io::Result<()> {
    stream.write_all(GREETING.as_bytes())?;
    for line in BufReader::new(stream.try_clone()?).lines() {
        let question: Value = serde_json::from_str(&line?)?;
        let mut reply = answer(question["execute"].as_str().expect("a command"));
        reply["id"] = question["id"].clone();
        writeln!(stream, "{reply}")?;
    }
    Ok(())
}

fn healthy(command: &str) -> Value {
    match command {
        "query-status" => json!({"return": {"status": "running"}}),
        "query-migrate" => json!({"return": {"status": "active", "ram": {"total": 4096}}}),
        _ => json!({"return": {}}),
    }
}

fn good(stream: UnixStream) -> std::io::Result<()> {
    serve(stream, healthy)
}

fn repeat(mut stream: UnixStream, first: &str, then: &[u8]) -> std::io::Result<()> {
    stream.write_all(first.as_bytes())?;
    loop {
        stream.write_all(then)?;
    }
}

fn say(mut stream: UnixStream, text: &str) -> std::io::Result<()> {
    stream.write_all(text.as_bytes())?;
    std::thread::sleep(Duration::from_secs(1));
    Ok(())
}

fn drip(mut stream: UnixStream, first: &str) -> std::io::Result<()> {
    stream.write_all(first.as_bytes())?;
    loop {
        stream.write_all(b" ")?;
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Reads until the guest cannot be asked; says why not.
fn why(reader: &mut Reader) -> Unavailable {
    let is_unavailable = |told: &Told| match told.what {
        What::Unavailable(why) => Some(why),
        _ => None,
    };
    let told = reader.read_until("a reason", |told| told.iter().any(|told| is_unavailable(told).is_some()));
    told.iter().find_map(is_unavailable).expect("a reason")
}

/// What a peer is taken for, borrowed and held.
fn taken_for(path: &Path) -> [Unavailable; 2] {
    [false, true].map(|exclusive| {
        let mut reader = Reader::new(vec![process(1, path, exclusive)]);
        reader.follow(true);
        why(&mut reader)
    })
}

#[test]
fn who_speaks_no_qmp_is_found_out() {
    use Unavailable::{Busy, Garbage, Gone, Refused};
    let folder = tempfile::tempdir().expect("a folder");
    let peers: [(&str, Peer, Unavailable); 9] = [
        ("garbage", |stream| say(stream, "HTTP/1.1 400 Bad Request\r\n\r\n"), Garbage),
        ("binary", |stream| repeat(stream, "", &[0xff, 0xfe, b'\n']), Garbage),
        ("deep greeting", |stream| say(stream, &("[".repeat(100_000) + "\n")), Garbage),
        ("deep answer", |stream| say(stream, &format!("{GREETING}{}\n", "[".repeat(100_000))), Garbage),
        ("no greeting", |stream| say(stream, "{\"return\":{}}\n"), Garbage),
        ("half a line", |mut stream| stream.write_all(b"{\"QMP\":"), Gone),
        ("half an answer", |mut stream| write!(stream, "{GREETING}{{\"ret"), Gone),
        ("drip", |stream| drip(stream, ""), Busy),
        ("refusal", |stream| serve(stream, |_| json!({"error": {"class": "GenericError"}})), Refused),
    ];
    for (name, peer, expected) in peers {
        let path = listen(&folder, name, peer);
        assert_eq!(taken_for(&path), [expected; 2], "{name}");
    }
    assert_eq!(taken_for(&folder.path().join("nobody")), [Gone; 2]);
    let file = folder.path().join("a file");
    std::fs::write(&file, "").expect("a file");
    assert_eq!(taken_for(&file), [Gone; 2]);
}

#[test]
fn who_never_answers_is_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let peers: [(&str, Peer); 2] = [
        ("silence", |stream| {
            let mut greeted = stream.try_clone()?;
            greeted.write_all(GREETING.as_bytes())?;
            // Until the other side leaves.
            BufReader::new(stream).lines().for_each(drop);
            Ok(())
        }),
        ("drip", |stream| drip(stream, GREETING)),
    ];
    for (name, peer) in peers {
        let path = listen(&folder, name, peer);
        assert_eq!(taken_for(&path), [Unavailable::Silent; 2], "{name}");
    }
}

#[test]
fn an_endless_line_takes_no_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let before = resident();
    let first = listen(&folder, "first", |stream| repeat(stream, "", &[b'x'; 4096]));
    let later = listen(&folder, "later", |stream| repeat(stream, GREETING, &[b'x'; 4096]));
    // A visit may end by its time before the line has its length.
    let [borrowed, held] = taken_for(&first);
    assert!(matches!(borrowed, Unavailable::Garbage | Unavailable::Busy));
    assert!(matches!(held, Unavailable::Garbage | Unavailable::Busy));
    let [borrowed, held] = taken_for(&later);
    assert!(matches!(borrowed, Unavailable::Garbage | Unavailable::Silent));
    assert_eq!(held, Unavailable::Garbage);
    let grown = resident().saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes");
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("statm");
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("pages") * 4096
}

#[test]
fn values_of_wrong_types_are_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = listen(&folder, "odd", |stream| {
        serve(stream, |command| match command {
            "query-status" => json!({"return": [1, 2]}),
            "query-migrate" => json!({"return": {"status": 7, "ram": {"total": "much", "mbps": []}}}),
            _ => json!({"return": "yes"}),
        })
    });
    for exclusive in [false, true] {
        let mut reader = Reader::new(vec![process(1, &path, exclusive)]);
        reader.follow(true);
        let told = reader.read_until("an answer", |told| told.len() >= 2);
        for told in told {
            match told.what {
                What::Progress(progress) => {
                    assert_eq!((progress.status, progress.memory_total), (Status::None, None));
                }
                What::Limits(limits) => assert_eq!(*limits, Limits::default()),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_large_event_does_not_cost_the_answers() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = listen(&folder, "large", |mut stream| {
        let serving = std::thread::spawn({
            let stream = stream.try_clone()?;
            move || good(stream)
        });
        std::thread::sleep(Duration::from_millis(200));
        writeln!(stream, "{{\"event\":\"LARGE\",\"data\":\"{}\"}}", "x".repeat(1_000_000))?;
        writeln!(stream, "{{\"event\":\"STOP\"}}")?;
        serving.join().expect("it serves")
    });
    let mut reader = Reader::new(vec![process(1, &path, true)]);
    reader.follow(true);
    let told = reader.read_until("the event after it", |told| {
        told.iter().any(|told| matches!(told.what, What::Event { .. }))
    });
    assert!(!told.iter().any(|told| matches!(told.what, What::Unavailable(_))));
    let active =
        |told: &Told| matches!(&told.what, What::Progress(progress) if progress.status == Status::Active);
    reader.read_until("an answer", |told| told.iter().any(active));
}

#[test]
fn a_flood_of_events_is_bounded_and_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = listen(&folder, "flood", |stream| {
        let mut flooding = stream.try_clone()?;
        std::thread::spawn(move || good(stream));
        std::thread::sleep(Duration::from_millis(100));
        loop {
            flooding.write_all("{\"event\":\"STOP\"}\n".repeat(500).as_bytes())?;
        }
    });
    let mut reader = Reader::new(vec![process(1, &path, true)]);
    reader.read();
    std::thread::sleep(Duration::from_millis(2500));
    let Reading { told, problems, .. } = reader.read();
    assert!(told.len() == 1024, "{}", told.len());
    assert!(problems.len() == 1 && problems[0].contains("dropped"), "{problems:?}");
}

#[test]
fn the_others_are_told_of_in_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut processes = Vec::new();
    for number in 1..=100 {
        let path = listen(&folder, &number.to_string(), good);
        processes.push(process(number, &path, number % 2 == 0));
    }
    for number in 101..=120 {
        let path = listen(&folder, &number.to_string(), |stream| drip(stream, GREETING));
        processes.push(process(number, &path, number % 2 == 0));
    }
    let mut reader = Reader::new(processes);
    reader.follow(true);
    // A machine that is busy with something else makes everybody wait; only what comes again is ours.
    let took: Vec<Duration> = (0..3).map(|_| time_to_ask_all(&mut reader)).collect();
    assert!(took.iter().any(|took| *took < Duration::from_millis(100)), "{took:?}");
    eprintln!("a hundred guests were asked in {took:?}");
}

/// From a reading's start to the hundredth guest's answer.
fn time_to_ask_all(reader: &mut Reader) -> Duration {
    std::thread::sleep(Duration::from_secs(1));
    reader.read();
    std::thread::sleep(Duration::from_secs(1));
    let (start, clock) = (reader.now(), Instant::now());
    let mut told = reader.read().told;
    assert!(clock.elapsed() < Duration::from_secs(1), "a reading took {:?}", clock.elapsed());
    std::thread::sleep(Duration::from_millis(60));
    told.extend(reader.read().told);
    let is_active = |progress: &Progress| progress.status == Status::Active;
    let mut answered: Vec<_> = told
        .iter()
        .filter(|told| {
            told.at >= start && matches!(&told.what, What::Progress(progress) if is_active(progress))
        })
        .collect();
    answered.sort_by_key(|told| told.at);
    let mut guests: Vec<_> = Vec::new();
    for told in answered {
        if !guests.contains(&&told.guest) {
            guests.push(&told.guest);
        }
        if guests.len() == 100 {
            return told.at.since(start);
        }
    }
    Duration::from_secs(guests.len() as u64)
}

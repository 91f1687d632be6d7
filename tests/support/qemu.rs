//! Real QEMU processes for tests: a guest of one sector that dirties its memory, and a monitor of the test's own to
//! move it with; and the `qmp` source, read as the agent reads it.
#![allow(dead_code, reason = "every test binary uses a part of it")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::disallowed_methods,
    reason = "a test that cannot go on fails, and reads the clock as the agent does"
)]

use miglink::sample::guest::{Followed, Monitor, Process, Wanted};
use miglink::sample::migration::Told;
use miglink::sample::monotonic::Monotonic;
use miglink::source::contract::{Context, Now, Reading, Roots, Source};
use miglink::source::qmp;
use serde_json::{json, Value};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const PROGRAM: &str = "qemu-system-x86_64";

/// Whether QEMU is there; if not, a line beginning with `SKIPPED` says so.
pub fn is_installed(test: &str) -> bool {
    let found = Command::new(PROGRAM).arg("--version").stdout(Stdio::null()).status().is_ok();
    if !found {
        // Not `println`, which the test harness keeps to itself when a test passes.
        writeln!(std::io::stdout(), "SKIPPED {test}: {PROGRAM} is not installed").expect("standard output");
    }
    found
}

/// The guest's memory and what it writes, in MiB.
const MEMORY: u32 = 96;
const FILLED: u32 = 64;
const DIRTIED: u32 = 8;

/// Waits this many ticks of the processor's clock between two pages.
const PAUSE: u32 = 200_000;

/// A running QEMU with two monitors: `control` for the test, `path` for the source. Ends with the test.
pub struct Qemu {
    child: Child,
    pub path: PathBuf,
    control: PathBuf,
    serial: PathBuf,
}

impl Qemu {
    /// Starts a guest that runs.
    pub fn guest(folder: &Path, name: &str) -> Self {
        let qemu = Self::start(folder, name, &[]);
        wait_for("the guest to begin", || std::fs::read(&qemu.serial).is_ok_and(|said| said.contains(&b'R')));
        qemu
    }

    /// Starts a destination that listens on the unix socket `NAME.in`.
    pub fn destination(folder: &Path, name: &str) -> Self {
        let uri = incoming(folder, name);
        let qemu = Self::start(folder, name, &["-incoming", &uri]);
        wait_for("it to listen", || folder.join(format!("{name}.in")).exists());
        qemu
    }

    /// Starts one whose guest does not begin to run.
    pub fn stopped(folder: &Path, name: &str) -> Self {
        Self::start(folder, name, &["-S"])
    }

    fn start(folder: &Path, name: &str, more: &[&str]) -> Self {
        let file = |suffix: &str| folder.join(format!("{name}.{suffix}"));
        std::fs::write(file("img"), image()).expect("an image");
        let drive = format!("file={},format=raw,if=floppy,snapshot=on", file("img").display());
        let (path, control, serial) = (file("qmp"), file("control"), file("serial"));
        let monitor = |path: &Path| format!("unix:{},server=on,wait=off", path.display());
        let child = Command::new(PROGRAM)
            .args(["-machine", "pc,accel=tcg", "-m", &MEMORY.to_string(), "-drive", &drive, "-boot", "a"])
            .args(["-nodefaults", "-vga", "none", "-display", "none"])
            .args(["-serial", &format!("file:{}", serial.display())])
            .args(["-qmp", &monitor(&path), "-qmp", &monitor(&control)])
            .args(more)
            .stderr(Stdio::null())
            .spawn()
            .expect(PROGRAM);
        let qemu = Self { child, path, control, serial };
        wait_for("its monitors", || qemu.path.exists() && qemu.control.exists());
        qemu
    }

    /// Our own monitor, which the source does not know.
    pub fn control(&self) -> Client {
        Client::open(&self.control)
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &pid]).status().expect("kill");
        assert!(status.success());
    }

    /// What discovery would say of it.
    pub fn process(&self, exclusive: bool) -> Process {
        process(self.child.id(), &self.path, exclusive)
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A process with one monitor; its key is its pid.
pub fn process(pid: u32, path: &Path, exclusive: bool) -> Process {
    let monitors = vec![Monitor { path: path.to_owned(), exclusive }];
    Process { key: u64::from(pid), pid, monitors, ..Process::default() }
}

/// The address that a destination listens on.
pub fn incoming(folder: &Path, name: &str) -> String {
    format!("unix:{}", folder.join(format!("{name}.in")).display())
}

fn image() -> Vec<u8> {
    let mut image = include_bytes!("../../lab/guest/guest.bin").to_vec();
    for (at, word) in [(496, FILLED << 20), (500, DIRTIED << 20), (504, PAUSE)] {
        image[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }
    image.resize(1_474_560, 0);
    image
}

/// A client of a monitor, as other tools are.
pub struct Client(BufReader<UnixStream>);

impl Client {
    /// Connects, is greeted and negotiates.
    pub fn open(path: &Path) -> Self {
        let stream = UnixStream::connect(path).expect("a monitor");
        let mut client = Self(BufReader::new(stream));
        assert!(client.line().get("QMP").is_some(), "a greeting");
        client.ask("qmp_capabilities", &Value::Null);
        client
    }

    /// Asks and gives what is returned.
    pub fn ask(&mut self, command: &str, arguments: &Value) -> Value {
        let mut question = json!({"execute": command}).to_string();
        if arguments.as_object().is_some_and(|arguments| !arguments.is_empty()) {
            question = json!({"execute": command, "arguments": arguments}).to_string();
        }
        writeln!(self.0.get_mut(), "{question}").expect("it reads");
        loop {
            let mut answer = self.line();
            if let Some(value) = answer.get_mut("return") {
                return value.take();
            }
            assert!(answer.get("event").is_some(), "{command}: {answer}");
        }
    }

    /// Waits for an event.
    pub fn wait_for_event(&mut self, name: &str) {
        while self.line().get("event").is_none_or(|event| event != name) {}
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("it answers");
        serde_json::from_str(&line).expect("JSON")
    }
}

/// The source, read with a real clock.
pub struct Reader {
    source: Box<dyn Source>,
    followed: Followed,
    clock: Now,
}

impl Reader {
    /// Of these processes, none of them followed.
    pub fn new(processes: Vec<Process>) -> Self {
        let start = Instant::now();
        let clock = Now::new(move || Monotonic(start.elapsed()));
        let source = (qmp::SOURCE.open)(&Roots::default()).expect("the source");
        Self { source, followed: Followed { generation: 1, processes, ..Followed::default() }, clock }
    }

    /// All its processes are followed from now on, or none.
    pub fn follow(&mut self, all: bool) {
        let wanted = |process: &Process| Wanted { key: process.key, paused: false };
        self.followed.wanted =
            if all { self.followed.processes.iter().map(wanted).collect() } else { Vec::new() };
    }

    /// The guests that are followed stand still.
    pub fn pause(&mut self, paused: bool) {
        self.followed.wanted.iter_mut().for_each(|wanted| wanted.paused = paused);
    }

    /// Other processes are there from now on.
    pub fn find(&mut self, processes: Vec<Process>) {
        self.followed.processes = processes;
        self.followed.generation += 1;
    }

    /// What the clock shows.
    pub fn now(&self) -> Monotonic {
        self.clock.get()
    }

    /// Reads once.
    pub fn read(&mut self) -> Reading {
        let context = Context {
            now: self.clock.get(),
            clock: self.clock.clone(),
            followed: Arc::new(self.followed.clone()),
            ..Context::default()
        };
        self.source.read(&context).expect("a reading")
    }

    /// Reads ten times a second, as the agent does, until all that was told is enough.
    pub fn read_until(&mut self, what: &str, mut is_enough: impl FnMut(&[Told]) -> bool) -> Vec<Told> {
        let (start, mut told) = (self.now(), Vec::new());
        loop {
            told.extend(self.read().told);
            if is_enough(&told) {
                return told;
            }
            let last: Vec<_> = told.iter().rev().take(8).collect();
            assert!(
                self.now().since(start) < LIMIT,
                "waited in vain for {what}; the last that came: {last:#?}"
            );
            std::thread::sleep(Duration::from_millis(80));
        }
    }
}

/// Ends a test that has failed.
const LIMIT: Duration = Duration::from_secs(40);

/// Waits for something that must come.
pub fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_there() {
        assert!(start.elapsed() < LIMIT, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

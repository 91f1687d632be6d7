//! The real binary, started on a free port and asked over real sockets.
#![allow(
    dead_code,
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::disallowed_methods,
    reason = "each test uses a part of it, and fails by panicking"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

/// A running miglink; ends with the test.
pub struct Exporter {
    child: Child,
    log: BufReader<ChildStderr>,
    /// Where it listens, as `127.0.0.1:PORT`.
    pub address: String,
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// The command with a free port, recording nothing; more flags may be added.
pub fn command() -> Command {
    let mut command = recording_command();
    command.arg("--no-storage");
    command
}

/// The command with a free port, recording wherever flags or environment say.
pub fn recording_command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_miglink"));
    command.arg("--web.listen-address=127.0.0.1:0");
    command
}

impl Exporter {
    /// Starts it with flags and waits until it is ready.
    pub fn start(flags: &[&str]) -> Self {
        Self::spawn(command().args(flags))
    }

    /// Starts a prepared command and waits until it is ready.
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("miglink starts");
        let mut log = BufReader::new(child.stderr.take().expect("its log"));
        let address = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).expect("its log") > 0, "it ended before it listened");
            if let Some((_, rest)) = line.split_once("address=") {
                break rest.trim().to_owned();
            }
        };
        let exporter = Self { child, log, address };
        wait_for("a first frame", || exporter.get("/-/ready").status == 200);
        exporter
    }

    /// GET.
    pub fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"))
    }

    /// GET with more header lines.
    pub fn get_with(&self, path: &str, headers: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{headers}\r\n\r\n"))
    }

    /// Sends a request as it is and reads to the end.
    pub fn ask(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("it answers");
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("a head") + 4;
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
        let body = if head.contains("transfer-encoding: chunked") {
            join_chunks(&bytes[end..])
        } else {
            bytes[end..].to_vec()
        };
        Answer { status, head, body }
    }

    /// All metrics as text.
    pub fn metrics(&self) -> String {
        let answer = self.get("/metrics");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text()
    }

    /// One sample's value by its exact name and labels.
    pub fn value(&self, series: &str) -> Option<f64> {
        value(&self.metrics(), series)
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &pid]).status().expect("kill");
        assert!(status.success());
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("a status").is_none()
    }

    /// Waits for its end; gives its exit code and the rest of its log.
    pub fn end(mut self) -> (Option<i32>, String) {
        let mut log = String::new();
        self.log.read_to_string(&mut log).expect("its log");
        (self.child.wait().expect("its end").code(), log)
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// One sample of an exposition.
pub fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

/// Waits for something that must come; the limit only ends a test that has failed.
pub fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_there() {
        assert!(start.elapsed() < Duration::from_secs(30), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn join_chunks(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|w| w == b"\r\n").expect("a chunk's size");
        let size =
            usize::from_str_radix(std::str::from_utf8(&rest[..line]).expect("text"), 16).expect("a size");
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&rest[line + 2..line + 2 + size]);
        rest = &rest[line + 4 + size..];
    }
}

//! Network namespaces for tests on the real kernel, and the sources read inside them as the agent reads them.
//!
//! A source reads the namespace of its own process, so a test that wants one of its own runs itself again inside it.
//! The namespace ends with that process: there is nothing to clean up, not even after a crash. An ordinary user gets
//! a user namespace around it where the kernel allows that.
#![allow(dead_code, reason = "every test binary uses a part of it")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

pub mod exporter;
pub mod fake_hypervisor;
pub mod fake_libvirt;
pub mod flow_watch;
pub mod libvirt_pair;

use miglink::sample::link::{Link, Links};
use miglink::sample::monotonic::Monotonic;
use miglink::source::contract::{Context, Reading, Roots, Source, SourceError, SourceInfo};
use miglink::source::links;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

const INSIDE: &str = "MIGLINK_TEST_INSIDE";

/// Runs a test's body in a network namespace of its own. `test` is the name of the test function. Where neither root
/// nor user namespaces are to be had, a line beginning with `SKIPPED` says so.
pub fn in_namespace(test: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        run("ip link set lo up");
        body();
        return;
    }
    let mut flags = vec!["--net", "--mount"];
    if !rustix::process::geteuid().is_root() {
        flags.extend(["--user", "--map-root-user"]);
    }
    if !Command::new("unshare").args(&flags).arg("true").status().is_ok_and(|status| status.success()) {
        // Not `println`, which the test harness keeps to itself when a test passes.
        writeln!(std::io::stdout(), "SKIPPED {test}: needs root or user namespaces")
            .expect("standard output");
        return;
    }
    let this = std::env::current_exe().expect("the test's own path");
    let output = Command::new("unshare")
        .args(&flags)
        // /sys shows the devices of the namespace that it was mounted in.
        .args(["--", "sh", "-c", "mount -t sysfs sysfs /sys; exec \"$@\"", "sh"])
        .arg(this)
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("unshare");
    let text = String::from_utf8_lossy(&output.stdout);
    let ran = text.contains("1 passed");
    assert!(output.status.success() && ran, "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for line in text.lines().filter(|line| line.starts_with("SKIPPED")) {
        writeln!(std::io::stdout(), "{line}").expect("standard output");
    }
}

/// Runs a command inside; panics with what it said if it fails.
pub fn run(command: &str) -> String {
    let mut words = command.split_whitespace();
    let output = Command::new(words.next().expect("a command")).args(words).output().expect(command);
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect(command)
}

/// Runs a command that may fail (a race with the kernel or another command); says whether it did not.
pub fn try_run(command: &str) -> bool {
    let mut words = command.split_whitespace();
    let mut made = Command::new(words.next().expect("a command"));
    made.args(words).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Runs a command that answers in JSON.
pub fn json(command: &str) -> Vec<serde_json::Value> {
    serde_json::from_str(&run(command)).expect(command)
}

/// Runs many `ip` commands in one process.
pub fn ip_batch(commands: impl IntoIterator<Item = String>) {
    let lines: Vec<String> = commands.into_iter().collect();
    let mut child = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("ip");
    child.stdin.take().expect("a pipe").write_all(lines.join("\n").as_bytes()).expect("written");
    assert!(child.wait().expect("ip").success());
}

/// Another namespace, for the other end of a veth: it lives as long as a process that sleeps in it.
pub struct Peer {
    sleeper: Child,
}

impl Peer {
    /// A new one.
    pub fn new() -> Self {
        // Bounded, in case the test is killed before it can end it.
        let sleeper = Command::new("unshare").args(["--net", "sleep", "300"]).spawn().expect("unshare");
        let peer = Self { sleeper };
        let ours = std::fs::read_link("/proc/self/ns/net").expect("our namespace");
        let theirs = format!("/proc/{}/ns/net", peer.pid());
        while std::fs::read_link(&theirs).is_ok_and(|theirs| theirs == ours) {
            std::thread::sleep(Duration::from_millis(5));
        }
        peer.run("ip link set lo up");
        peer
    }

    /// The process that stands for it, as `ip link set DEVICE netns PID` wants it.
    pub fn pid(&self) -> u32 {
        self.sleeper.id()
    }

    /// Runs a command inside it.
    pub fn run(&self, command: &str) -> String {
        run(&format!("nsenter --net=/proc/{}/ns/net {command}", self.pid()))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.sleeper.kill().ok();
        self.sleeper.wait().ok();
    }
}

/// A veth pair `name`, 10.77.0.1 here and 10.77.0.2 in the peer, both up and in touch.
pub fn connect(name: &str, peer: &Peer) {
    run(&format!("ip link add {name} type veth peer name far netns {}", peer.pid()));
    run(&format!("ip addr add 10.77.0.1/24 dev {name}"));
    run(&format!("ip link set {name} up"));
    peer.run("ip addr add 10.77.0.2/24 dev far");
    peer.run("ip link set far up");
    let far: Vec<serde_json::Value> = serde_json::from_str(&peer.run("ip -j link show far")).expect("JSON");
    let address = far[0]["address"].as_str().expect("an address");
    run(&format!("ip neigh replace 10.77.0.2 lladdr {address} dev {name} nud permanent"));
}

/// Something that is done again and again beside the test, until this is dropped.
pub struct Beside {
    stop: Arc<AtomicBool>,
    worker: Option<std::thread::JoinHandle<()>>,
}

impl Beside {
    /// Does it.
    pub fn repeat(mut what: impl FnMut() + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let worker = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                what();
            }
        });
        Self { stop, worker: Some(worker) }
    }

    /// Sends UDP datagrams of 1,000 bytes to the peer's 10.77.0.2, ten every millisecond or so.
    pub fn traffic() -> Self {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").expect("a socket");
        Self::repeat(move || {
            for _ in 0..10 {
                // A full queue is what some tests want; it is no failure of theirs.
                socket.send_to(&[0; 1000], "10.77.0.2:9").ok();
            }
            std::thread::sleep(Duration::from_millis(1));
        })
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(worker) = self.worker.take() {
            worker.join().ok();
        }
    }
}

/// Reads the links as the agent does: the `links` source first, then the others with what it told.
pub struct Reader {
    source: Box<dyn Source>,
    links: Arc<Links>,
    seconds: u64,
    export: fn(&Link) -> bool,
}

impl Reader {
    /// Links are exported where `export` says so.
    pub fn new(export: fn(&Link) -> bool) -> Self {
        let source = (links::SOURCE.open)(&Roots::default()).expect("the links source");
        Self { source, links: Arc::default(), seconds: 0, export }
    }

    /// Every link but the loopback is exported.
    pub fn of_all() -> Self {
        Self::new(|link| link.kind != "loopback")
    }

    /// A second later: the links as they are now.
    pub fn tick(&mut self) -> Arc<Links> {
        self.try_tick().expect("links");
        Arc::clone(&self.links)
    }

    /// A second later: what the source says.
    pub fn try_tick(&mut self) -> Result<Reading, SourceError> {
        self.seconds += 1;
        let mut reading = self.source.read(&self.context())?;
        if let Some(mut list) = reading.links.take() {
            for link in &mut list {
                link.exported = (self.export)(link);
            }
            let links = Links::new(self.links.generation + 1, list, Some(&self.links));
            self.links = Arc::new(links);
        }
        Ok(reading)
    }

    /// Waits until the kernel's own delayed work (carrier, operstate, duplicate address detection) has come to rest.
    pub fn settle(&mut self) {
        let mut still = 0;
        while still < 12 {
            std::thread::sleep(Duration::from_millis(250));
            still = if self.try_tick().expect("links").unchanged { still + 1 } else { 0 };
        }
    }

    /// What other sources are given now.
    pub fn context(&self) -> Context {
        let now = Monotonic(Duration::from_secs(self.seconds));
        Context { now, links: Arc::clone(&self.links), ..Context::default() }
    }
}

/// Waits for something to become true; panics with its name if it does not in time.
pub fn wait_until(what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
    let step = Duration::from_millis(20);
    let mut waited = Duration::ZERO;
    while !done() {
        assert!(waited < limit, "no {what} within {limit:?}");
        std::thread::sleep(step);
        waited += step;
    }
}

/// Opens a source.
pub fn open(info: &SourceInfo) -> Box<dyn Source> {
    (info.open)(&Roots::default()).expect(info.name)
}

/// The link of a name.
pub fn link<'a>(links: &'a Links, name: &str) -> &'a Link {
    links.all().iter().find(|link| link.name == name).unwrap_or_else(|| panic!("no {name}"))
}

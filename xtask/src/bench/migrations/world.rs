//! A small host: a veth pair to a far namespace, guests, and others. It lives in namespaces of processes, mounts and
//! network whose first process we are; whatever we leave behind, the kernel ends with us.

use anyhow::{bail, ensure, Context, Result};
use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

/// An empty folder of this namespace alone.
pub const FOLDER: &str = "/run";
const FAR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
/// libvirt's first port of migrations.
const FIRST_PORT: u16 = 49152;
/// The port of others.
const SERVICE: u16 = 8080;
/// A guest's memory, MiB: more than it can send while it is watched.
const MEMORY: u32 = 65_536;

/// Which connections others hold.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// The lowest of their own ports.
    pub low: u16,
    /// The highest.
    pub high: u16,
}

/// The host.
pub struct World {
    xtask: PathBuf,
    _peer: Simulated,
}

impl World {
    /// Makes it, with a far end that takes in so many migrations.
    pub fn new(xtask: &Path, most_guests: usize) -> Result<Self> {
        expect("mount", &["-t", "tmpfs", "tmpfs", FOLDER])?;
        let setup = "link set lo up\nnetns add far\nlink add mig0 type veth peer name mig1 netns far\n\
                     addr add 192.0.2.1/24 dev mig0\nlink set mig0 up\n";
        for line in setup.lines() {
            expect("ip", &line.split(' ').collect::<Vec<_>>())?;
        }
        for line in ["addr add 192.0.2.2/24 dev mig1", "link set mig1 up"] {
            expect("ip", &[&["-n", "far"], line.split(' ').collect::<Vec<_>>().as_slice()].concat())?;
        }
        // miglink knows a hypervisor by the name of its process, and the kernel takes that from the file's.
        symlink(xtask, hypervisor())?;
        let peer = peer(xtask, &["streams", &FIRST_PORT.to_string(), &most_guests.to_string()])?;
        Ok(Self { xtask: xtask.to_owned(), _peer: peer })
    }

    /// Connections of nobody we know, and their far end.
    pub fn connections(&self, number: usize, ports: Ports) -> Result<[Simulated; 2]> {
        let far = peer(&self.xtask, &["service", &SERVICE.to_string(), "1"])?;
        let mut command = Command::new(&self.xtask);
        command.args(["bench", "simulated-client", "--to", &format!("{FAR}:{SERVICE}")]);
        command.args(["--connections", &number.to_string()]);
        command.args(["--low", &ports.low.to_string(), "--high", &ports.high.to_string()]);
        let mut client = Simulated::start(command)?;
        client.wait_until_ready()?;
        Ok([client, far])
    }
}

/// Guests that do not move yet.
pub fn guests(number: usize) -> Result<Vec<Simulated>> {
    let mut guests = (0..number).map(guest).collect::<Result<Vec<_>>>()?;
    guests.iter_mut().try_for_each(Simulated::wait_until_ready)?;
    Ok(guests)
}

/// Processes that do nothing.
pub fn processes(number: usize) -> Result<Vec<Simulated>> {
    (0..number).map(|_| Simulated::start(Command::new("cat"))).collect()
}

fn peer(xtask: &Path, words: &[&str]) -> Result<Simulated> {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", "far"]).arg(xtask).args(["bench", "simulated-peer"]);
    command.args(["--address", &FAR.to_string()]).args(words);
    let mut peer = Simulated::start(command)?;
    peer.wait_until_ready()?;
    Ok(peer)
}

fn hypervisor() -> PathBuf {
    Path::new(FOLDER).join("qemu-system-x86_64")
}

fn guest(number: usize) -> Result<Simulated> {
    let mut command = Command::new(hypervisor());
    command.args(["bench", "simulated-guest", "--name", &format!("guest={number:03},debug-threads=on")]);
    command.args(["--m", &MEMORY.to_string()]);
    command.args(["--qmp", &format!("unix:{FOLDER}/{number:03}.qmp,server=on,wait=off")]);
    command.args(["--to", &format!("{FAR}:{}", usize::from(FIRST_PORT) + number)]);
    // A monitor that was left by a guest of the same number.
    let _ = std::fs::remove_file(format!("{FOLDER}/{number:03}.qmp"));
    Simulated::start(command)
}

/// A process that does as it is told on its standard input, and ends with it.
pub struct Simulated {
    child: Child,
    input: Option<ChildStdin>,
}

impl Simulated {
    fn start(mut command: Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} does not start", command.get_program().display()))?;
        Ok(Self { input: child.stdin.take(), child })
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let output = self.child.stdout.take().context("no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        ensure!(line == "ready\n", "a simulated process is not ready: {line:?}");
        Ok(())
    }

    /// Tells it to begin.
    pub fn begin(&mut self) -> Result<()> {
        self.input.as_mut().context("it has ended")?.write_all(b"begin\n").context("it has ended")
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        drop(self.input.take());
        // Fails only if it has been waited for.
        let _ = self.child.wait();
    }
}

fn expect(program: &str, words: &[&str]) -> Result<()> {
    let status =
        Command::new(program).args(words).status().with_context(|| format!("{program} does not start"))?;
    if !status.success() {
        bail!("{program} {}: {status}", words.join(" "));
    }
    Ok(())
}

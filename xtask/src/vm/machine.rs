//! The emulated machine: one NIC of each model, each with a cable of its own to a virtio NIC; a serial console
//! for progress, a virtio port for results, a monitor so that a scene can pull a cable.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};

const QEMU: &str = "qemu-system-x86_64";

/// Name in the guest, model of QEMU and its properties; `igb` came with QEMU 8. A name is the driver's where a
/// driver has one model here.
const MODELS: &[(&str, &str, &str)] = &[
    ("e1000", "e1000", ""),
    ("e1000e", "e1000e", ",bus=port-e1000e"),
    ("igb", "igb", ",bus=port-igb"),
    ("rtl8139", "rtl8139", ""),
    ("virtio", "virtio-net-pci", ",bus=port-virtio"),
    ("vmxnet3", "vmxnet3", ",bus=port-vmxnet3"),
];

/// One network device of the machine.
pub struct Nic {
    /// What the guest calls it.
    pub name: String,
    /// Its address, by which the guest finds it.
    pub mac: String,
    arguments: Vec<String>,
}

/// What a boot needs.
pub struct Boot<'a> {
    /// Kernel image.
    pub image: &'a Path,
    /// The guest's file system.
    pub initramfs: &'a Path,
    /// The machine's NICs.
    pub nics: &'a [Nic],
    /// Where the console's lines go, with their times.
    pub console: &'a Path,
    /// Where QEMU's own messages go.
    pub messages: &'a Path,
    /// Where the tar archive of the guest's results goes.
    pub results: &'a Path,
    /// Where QEMU's monitor listens.
    pub monitor: &'a Path,
    /// After this the machine is stopped.
    pub timeout: Duration,
}

/// The NICs that this QEMU can emulate, each model followed by the far end of its cable.
pub fn nics() -> Result<Vec<Nic>> {
    let help = Command::new(QEMU).args(["-device", "help"]).output().context("starting qemu")?;
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let mut nics = Vec::new();
    for (hub, (name, model, properties)) in MODELS.iter().enumerate() {
        if help.contains(&format!("name \"{model}\"")) {
            nics.push(nic(name, model, properties, hub, 1));
            let far = format!("far-{name}");
            nics.push(nic(&far, "virtio-net-pci", ",speed=10000,duplex=full", hub, 2));
        }
    }
    Ok(nics)
}

/// The cable is a hub of two ports. A root port above the NIC gives it a PCIe link to be judged by.
fn nic(name: &str, model: &str, properties: &str, hub: usize, end: usize) -> Nic {
    let mac = format!("52:54:00:00:{hub:02x}:{end:02x}");
    let mut arguments = Vec::new();
    if let Some(port) = properties.strip_prefix(",bus=") {
        arguments.extend([
            "-device".to_owned(),
            format!("pcie-root-port,id={port},chassis={},slot={hub}", hub + 1),
        ]);
    }
    arguments.extend(["-netdev".to_owned(), format!("hubport,id=net-{name},hubid={hub}")]);
    let device = format!("{model},id=nic-{name},netdev=net-{name},mac={mac},romfile={properties}");
    arguments.extend(["-device".to_owned(), device]);
    Nic { name: name.to_owned(), mac, arguments }
}

/// Boots and watches until the guest powers off. Lines `## …` are progress, `@monitor …` go to QEMU's monitor.
///
/// # Errors
/// When QEMU does not start or the time is over; either way no process stays.
pub fn run(boot: &Boot, progress: &mut dyn FnMut(&str, Duration)) -> Result<()> {
    #[allow(clippy::disallowed_methods)] // a deadline for a child process
    let start = Instant::now();
    let mut machine = Machine(command(boot)?.spawn().context("starting qemu")?);
    let lines = read_lines(machine.0.stdout.take().context("qemu's console")?);
    let mut log = File::create(boot.console).context("creating the console's log")?;
    loop {
        let left = boot.timeout.saturating_sub(start.elapsed());
        match lines.recv_timeout(left) {
            Ok(line) => {
                writeln!(log, "{:8.3} {line}", start.elapsed().as_secs_f64()).context("the console's log")?;
                if let Some(words) = line.strip_prefix("@monitor ") {
                    tell(boot.monitor, words)?;
                } else if let Some(text) = line.strip_prefix("## ") {
                    progress(text, start.elapsed());
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                bail!("not finished after {:?}; the machine was stopped", boot.timeout)
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    machine.0.wait().context("waiting for qemu")?;
    Ok(())
}

/// A running QEMU, which ends with this value.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        // Both fail only when the process has ended, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command(boot: &Boot) -> Result<Command> {
    let messages = File::create(boot.messages).context("creating the file of QEMU's messages")?;
    // QEMU goes with us even when we are killed.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", QEMU]);
    command.args(["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "768"]);
    command.args(["-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio"]);
    command.arg("-monitor").arg(format!("unix:{},server=on,wait=off", boot.monitor.display()));
    command.arg("-kernel").arg(boot.image).arg("-initrd").arg(boot.initramfs);
    command.args(["-append", "console=ttyS0 quiet panic=-1"]);
    command.args(["-device", "virtio-serial-pci", "-device", "virtserialport,chardev=results"]);
    command.arg("-chardev").arg(format!("file,id=results,path={}", boot.results.display()));
    command.args(boot.nics.iter().flat_map(|nic| &nic.arguments));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(messages);
    Ok(command)
}

/// The console's lines; the channel closes with the machine.
fn read_lines(console: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut console = BufReader::new(console);
        let mut line = Vec::new();
        while console.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            if sender.send(text).is_err() {
                break;
            }
        }
    });
    receiver
}

/// One command for QEMU's monitor, in its human form. It is done when the prompt comes the second time: before it,
/// and after it. To leave earlier would lose the command.
fn tell(monitor: &Path, words: &str) -> Result<()> {
    const PROMPT: &[u8] = b"(qemu) ";
    let mut socket = UnixStream::connect(monitor).context("qemu's monitor")?;
    socket.set_read_timeout(Some(Duration::from_secs(10))).context("qemu's monitor")?;
    socket.write_all(format!("{words}\n").as_bytes()).context("qemu's monitor")?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    while answer.windows(PROMPT.len()).filter(|window| *window == PROMPT).count() < 2 {
        let read = socket.read(&mut buffer).context("qemu's monitor does not answer")?;
        ensure!(read > 0, "qemu's monitor hung up");
        answer.extend_from_slice(&buffer[..read]);
    }
    Ok(())
}

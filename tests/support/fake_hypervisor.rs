//! A process that the kernel calls `qemu-system-x86_64` and that does with its sockets what it is told: the test binary
//! itself, started again under that name. A test binary that uses it has a test named `fake_hypervisor` that calls
//! `serve`.

use super::Peer;
use rustix::net::{recvmsg, sendmsg, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use std::io::{BufRead, BufReader, IoSlice, IoSliceMut, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const ORDERED: &str = "MIGLINK_FAKE_HYPERVISOR";
/// What its answers begin with; the test harness prints, too.
const MARK: &str = "fake: ";

/// One that runs.
pub struct Fake {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Fake {
    /// Starts one in this namespace; `words` are its command line as QEMU would have it.
    pub fn start(folder: &Path, words: &[&str]) -> Self {
        Self::spawn(Command::new(Self::program(folder)), words)
    }

    /// Starts one in another network namespace.
    pub fn start_in(peer: &Peer, folder: &Path, words: &[&str]) -> Self {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", peer.pid())).arg(Self::program(folder));
        Self::spawn(command, words)
    }

    /// Starts one that is a shell first, for so long.
    pub fn start_late(folder: &Path, seconds: &str, words: &[&str]) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("sleep {seconds}; exec \"$@\""), "sh"]).arg(Self::program(folder));
        Self::spawn(command, words)
    }

    fn program(folder: &Path) -> std::path::PathBuf {
        let program = folder.join("qemu-system-x86_64");
        if !program.exists() {
            let this = std::env::current_exe().expect("the test's own path");
            std::os::unix::fs::symlink(this, &program).expect("a link");
        }
        program
    }

    fn spawn(mut command: Command, words: &[&str]) -> Self {
        // What follows the two dashes is taken for names of tests, of which there is none.
        command.args(["--exact", "--nocapture", "fake_hypervisor", "--"]).args(words).env(ORDERED, "1");
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a fake hypervisor");
        let orders = child.stdin.take().expect("a pipe");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut fake = Self { child, orders, answers };
        fake.answer();
        fake
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Gives an order and waits until it is carried out; gives its answer.
    pub fn order(&mut self, order: &str) -> String {
        self.begin(order);
        self.answer()
    }

    /// Gives an order that will take until something else happens.
    pub fn begin(&mut self, order: &str) {
        writeln!(self.orders, "{order}").expect("it listens");
    }

    /// Waits for the answer.
    pub fn answer(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(self.answers.read_line(&mut line).expect("an answer") > 0, "it ended");
            // The harness does not end its own line before the test's first one.
            if let Some((_, answer)) = line.trim_end().split_once(MARK) {
                return answer.to_owned();
            }
        }
    }

    /// Ends it as SIGKILL does; its parent may leave it as a zombie.
    pub fn kill(&mut self) {
        self.child.kill().expect("killed");
    }

    /// Takes note of its end.
    pub fn reap(&mut self) {
        self.child.wait().expect("ended");
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Hands a connection over to a fake that was ordered to `take` from this socket.
pub fn hand_over(path: &Path, connection: &TcpStream) {
    let stream = UnixStream::connect(path).expect("it waits there");
    let handed = [connection.as_fd()];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(&handed)));
    sendmsg(&stream, &[IoSlice::new(b"x")], &mut ancillary, SendFlags::empty()).expect("sent");
}

fn take_over(path: &str) -> TcpStream {
    let (stream, _) = UnixListener::bind(path)
        .and_then(|listener| {
            say("waits");
            listener.accept()
        })
        .expect("a giver");
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(&stream, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::empty())
        .expect("received");
    let taken = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    taken.expect("a descriptor").into()
}

fn say(what: &str) {
    println!("{MARK}{what}");
}

/// The fake's own side: carries out orders until there are no more. Does nothing in a test's own process.
pub fn serve() {
    if std::env::var_os(ORDERED).is_none() {
        return;
    }
    say("ready");
    let (mut listener, mut streams) = (None::<TcpListener>, Vec::new());
    for order in std::io::stdin().lines() {
        let order = order.expect("an order");
        let (word, rest) = order.split_once(' ').unwrap_or((&order, ""));
        match word {
            "listen" => listener = Some(TcpListener::bind(rest).expect("bound")),
            "accept" => streams.push(listener.as_ref().expect("it listens").accept().expect("a client").0),
            "connect" => streams.push(TcpStream::connect(rest).expect("connected")),
            "send" => {
                let bytes = vec![7; rest.parse().expect("bytes")];
                streams.last_mut().expect("a connection").write_all(&bytes).expect("sent");
            }
            "receive" => {
                let mut bytes = vec![0; rest.parse().expect("bytes")];
                streams.last_mut().expect("a connection").read_exact(&mut bytes).expect("received");
            }
            "close" => drop(streams.pop()),
            "take" => streams.push(take_over(rest)),
            other => panic!("{other}?"),
        }
        say("done");
    }
}

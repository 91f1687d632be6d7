//! A listener that speaks libvirt's protocol as well or as badly as a test wants.

use miglink::source::transport::libvirt::frame::{
    encode, Assembler, Header, Message, CALL, KEEPALIVE, MESSAGE, REMOTE, REPLY,
};
use miglink::source::transport::libvirt::procedure::{Domain, AUTH_LIST, JOB_STATS, LIST_DOMAINS};
use miglink::source::transport::libvirt::xdr::Writer;
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

/// A guest of the fake.
pub fn domain(number: u8) -> Domain {
    Domain { name: format!("vm{number}"), uuid: [number; 16], id: number.into() }
}

/// A listener that handles each connection by a function. It ends with the test's process.
pub struct Fake {
    folder: tempfile::TempDir,
    connections: Arc<AtomicUsize>,
}

impl Fake {
    /// Starts it.
    pub fn start(handle: impl Fn(Talk) + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().expect("a fake");
        let listener = UnixListener::bind(folder.path().join("sock")).expect("a fake");
        let connections = Arc::new(AtomicUsize::new(0));
        let (count, handle) = (Arc::clone(&connections), Arc::new(handle));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::Relaxed);
                let handle = Arc::clone(&handle);
                let talk = Talk {
                    stream: stream.expect("a fake"),
                    assembler: Assembler::default(),
                    messages: VecDeque::new(),
                };
                std::thread::spawn(move || handle(talk));
            }
        });
        Self { folder, connections }
    }

    /// How often it was connected to.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Its socket.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("sock")
    }
}

/// One connection, seen from the fake.
pub struct Talk {
    stream: UnixStream,
    assembler: Assembler,
    messages: VecDeque<Message>,
}

impl Talk {
    /// Sends bytes, whether or not anybody reads them.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).ok();
    }

    /// Answers a call.
    pub fn reply(&mut self, to: &Message, status: i32, body: &[u8]) {
        let header = Header { kind: REPLY, status, ..to.header };
        self.send(&encode(header, body));
    }

    /// Sends an event.
    pub fn tell(&mut self, procedure: i32, body: &[u8]) {
        self.send(&encode(Header { program: REMOTE, procedure, kind: MESSAGE, serial: 0, status: 0 }, body));
    }

    /// The next call; pings are answered.
    pub fn next(&mut self) -> Option<Message> {
        loop {
            while let Some(message) = self.messages.pop_front() {
                if message.header.program == KEEPALIVE {
                    let pong = Header { procedure: 2, ..message.header };
                    self.send(&encode(pong, &[]));
                } else if message.header.kind == CALL {
                    return Some(message);
                }
            }
            let mut buffer = [0; 4096];
            let count = self.stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
            self.messages.extend(self.assembler.add(&buffer[..count]).expect("a fake"));
        }
    }

    /// Serves as libvirtd with two idle guests would, but for what `special` does itself.
    pub fn serve(&mut self, mut special: impl FnMut(&mut Self, &Message) -> bool) {
        while let Some(message) = self.next() {
            if special(self, &message) {
                continue;
            }
            let body = match message.header.procedure {
                AUTH_LIST => Writer::default().uint(1).int(0).finish(),
                LIST_DOMAINS => domain(2).write(domain(1).write(Writer::default().uint(2))).uint(2).finish(),
                JOB_STATS => Writer::default().int(0).uint(0).finish(),
                _ => Writer::default().int(1).int(0).finish(),
            };
            self.reply(&message, 0, &body);
        }
    }
}

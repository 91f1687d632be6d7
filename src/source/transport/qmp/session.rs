//! A session with a monitor: connect, be greeted, send, receive. It has no deadline of its own beyond the greeting's;
//! who uses it bounds the whole of what it does.

use super::lines::{Lines, TooLong};
use super::message::{parse, Garbage, Message};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// A free monitor greets at once, from a thread that waits for nothing else in QEMU.
pub const GREETING: Duration = Duration::from_millis(50);

/// The longest path that an address of a unix socket holds, with its end (`sun_path`).
const LONGEST_PATH: usize = 107;

/// Why a session came to its end.
#[derive(Debug, thiserror::Error)]
pub enum QmpError {
    /// It was accepted by the kernel and not by the hypervisor, which serves one client at a time.
    #[error("no greeting within {GREETING:?}")]
    NoGreeting,
    /// The hypervisor closed it.
    #[error("the connection was closed")]
    Closed,
    /// What came is not QMP.
    #[error("not QMP")]
    Garbage,
    /// The socket failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl From<TooLong> for QmpError {
    fn from(_: TooLong) -> Self {
        Self::Garbage
    }
}

impl From<Garbage> for QmpError {
    fn from(_: Garbage) -> Self {
        Self::Garbage
    }
}

/// A connection to a monitor.
#[derive(Debug)]
pub struct Session {
    stream: UnixStream,
    lines: Lines,
    received: u64,
}

impl Session {
    /// Connects and is greeted. The monitor does not answer questions before `qmp_capabilities`.
    pub async fn open(path: &Path) -> Result<Self, QmpError> {
        let stream = connect(path).await?;
        let mut session = Self { stream, lines: Lines::default(), received: 0 };
        match tokio::time::timeout(GREETING, session.receive()).await {
            Ok(Ok(Message::Greeting)) => Ok(session),
            Ok(Ok(_)) => Err(QmpError::Garbage),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(QmpError::NoGreeting),
        }
    }

    /// Sends lines. Not safe to be cancelled: after that the session is of no use.
    pub async fn send(&mut self, lines: &str) -> Result<(), QmpError> {
        Ok(self.stream.write_all(lines.as_bytes()).await?)
    }

    /// The next message; may be cancelled and asked again.
    pub async fn receive(&mut self) -> Result<Message, QmpError> {
        loop {
            if let Some(line) = self.lines.line()? {
                return Ok(parse(line)?);
            }
            let mut buffer = [0; 8192];
            match self.stream.read(&mut buffer).await? {
                0 => return Err(QmpError::Closed),
                length => {
                    self.received += length as u64;
                    self.lines.push(&buffer[..length]);
                }
            }
        }
    }

    /// Bytes received so far.
    pub fn received(&self) -> u64 {
        self.received
    }
}

async fn connect(path: &Path) -> Result<UnixStream, std::io::Error> {
    if path.as_os_str().as_bytes().len() <= LONGEST_PATH {
        return UnixStream::connect(path).await;
    }
    // A long path (`/proc/PID/root/var/lib/…`) is shortened by a descriptor of its folder.
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(std::io::ErrorKind::InvalidInput.into());
    };
    let folder =
        std::fs::OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_DIRECTORY).open(folder)?;
    let number = std::os::fd::AsRawFd::as_raw_fd(&folder);
    UnixStream::connect(PathBuf::from(format!("/proc/self/fd/{number}")).join(name)).await
}

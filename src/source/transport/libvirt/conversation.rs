//! A session on a unix socket. Nothing here waits without a limit.

use super::procedure::{self, Refusal, AUTH_LIST, AUTH_NONE, AUTH_POLKIT, AUTH_WITH_POLKIT, OPEN};
use super::session::{Dead, Happening, Session, DEADLINE};
use super::ProtocolError;
use crate::sample::monotonic::Monotonic;
use crate::source::contract::Now;
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// How long the policy kit may take: it may have to be started first.
const POLKIT: Duration = Duration::from_secs(5);

/// Why there is no conversation (any more).
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The other side ended it.
    #[error("the connection was closed")]
    Closed,
    /// No sign of life, or no answer to the first questions.
    #[error("no answer within the deadline")]
    Silent,
    /// All requests that a connection may have are under way and none is answered.
    #[error("four requests are not answered")]
    Stuck,
    /// What came is not libvirt's.
    #[error("not libvirt's protocol: {0}")]
    Protocol(#[from] ProtocolError),
    /// libvirt refused to talk to us.
    #[error("refused: {}", .0.message)]
    Refused(Refusal),
    /// It wants a user name and a password.
    #[error("it demands an authentication that this program does not have (SASL)")]
    Authentication,
}

impl From<Dead> for Broken {
    fn from(_: Dead) -> Self {
        Self::Silent
    }
}

/// A connection to a libvirt daemon, opened read-only.
pub struct Conversation<T> {
    stream: UnixStream,
    session: Session<T>,
    clock: Now,
}

impl<T: Clone> Conversation<T> {
    /// Connects, shows who we are where that is asked for, and opens the QEMU driver read-only. `tag` is for the
    /// calls that this takes; none of them is left when it is done.
    pub async fn open(path: &Path, clock: &Now, tag: T) -> Result<Self, Broken> {
        let connecting = timeout(DEADLINE, UnixStream::connect(path));
        let stream = connecting.await.map_err(|_| Broken::Silent)??;
        let mut made = Self { stream, session: Session::new(clock.get()), clock: clock.clone() };
        let types = procedure::auth_types(&made.ask(AUTH_LIST, &[], &tag, DEADLINE).await?)?;
        if types.contains(&AUTH_WITH_POLKIT) && !types.contains(&AUTH_NONE) {
            made.ask(AUTH_POLKIT, &[], &tag, POLKIT).await?;
        } else if !types.contains(&AUTH_NONE) {
            return Err(Broken::Authentication);
        }
        made.ask(OPEN, &procedure::open(), &tag, DEADLINE).await?;
        Ok(made)
    }

    /// Asks and waits for the answer. Only for the first questions, when nothing else can come.
    async fn ask(
        &mut self,
        procedure: i32,
        body: &[u8],
        tag: &T,
        limit: Duration,
    ) -> Result<Vec<u8>, Broken> {
        self.session.call(procedure, body, tag.clone(), self.clock.get());
        let answer = async {
            loop {
                for happening in self.exchange(DEADLINE).await? {
                    if let Happening::Answer(_, answer) = happening {
                        return answer.map_err(Broken::Refused);
                    }
                }
            }
        };
        timeout(limit, answer).await.unwrap_or(Err(Broken::Silent))
    }

    /// The session, to make calls.
    pub fn session(&mut self) -> &mut Session<T> {
        &mut self.session
    }

    /// Writes what is to be written and waits, at most so long, for something to happen. May be dropped while it
    /// waits.
    pub async fn exchange(&mut self, longest: Duration) -> Result<Vec<Happening<T>>, Broken> {
        let now = self.clock.get();
        let mut happened = self.session.turn(now)?;
        self.write()?;
        if !happened.is_empty() {
            return Ok(happened);
        }
        let interest = match self.session.output() {
            [] => Interest::READABLE,
            _ => Interest::READABLE | Interest::WRITABLE,
        };
        let wait = longest.min(self.session.next_turn(now));
        let Ok(ready) = timeout(wait, self.stream.ready(interest)).await else { return Ok(happened) };
        if ready?.is_writable() {
            self.write()?;
        }
        self.read(&mut happened)?;
        Ok(happened)
    }

    /// When it is, by the conversation's clock.
    pub fn now(&self) -> Monotonic {
        self.clock.get()
    }

    fn write(&mut self) -> Result<(), Broken> {
        while !self.session.output().is_empty() {
            match self.stream.try_write(self.session.output()) {
                Ok(count) => self.session.written(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn read(&mut self, happened: &mut Vec<Happening<T>>) -> Result<(), Broken> {
        let mut buffer = [0; 16 << 10];
        match self.stream.try_read(&mut buffer) {
            Ok(0) => Err(Broken::Closed),
            Ok(count) => {
                happened.extend(self.session.receive(&buffer[..count])?);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

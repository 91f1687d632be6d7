//! One connection's calls, answers and signs of life, without its socket: bytes in, bytes out, and what happened.
//!
//! libvirtd takes five requests of a connection at a time (`max_client_requests`) and stops reading it when it has
//! them. So at most four are under way, and one whose deadline has passed keeps its place until it is answered:
//! giving up on this side does not end it on the other.

use super::frame::{encode, Assembler, Header, Message, CALL, KEEPALIVE, MESSAGE, REMOTE, REPLY};
use super::notice::{self, Notice};
use super::procedure::{self, Refusal};
use super::ProtocolError;
use crate::sample::monotonic::Monotonic;
use std::collections::BTreeMap;
use std::time::Duration;

/// Requests under way at once.
const MOST: usize = 4;
/// How long an answer may take.
pub const DEADLINE: Duration = Duration::from_millis(900);
/// How often the other side is asked whether it lives.
const PING_EVERY: Duration = Duration::from_secs(2);
/// Unanswered questions after which it does not.
const PINGS: u32 = 3;
/// `KEEPALIVE_PROC_PING`.
const PING: i32 = 1;
/// `KEEPALIVE_PROC_PONG`.
const PONG: i32 = 2;
/// Bytes that the other side may leave unread before it counts as gone.
const MOST_UNREAD: usize = 256 << 10;

/// What came of a connection since it was last looked at. `T` says what a call was for.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening<T> {
    /// A call was answered, in time or late.
    Answer(T, Result<Vec<u8>, Refusal>),
    /// A call's deadline has passed. Its answer may still come.
    Late(T),
    /// libvirt told something.
    Notice(Notice),
}

/// Nothing was heard for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dead;

struct Call<T> {
    tag: T,
    deadline: Monotonic,
    late: bool,
}

/// A connection's state.
pub struct Session<T> {
    assembler: Assembler,
    output: Vec<u8>,
    serial: u32,
    calls: BTreeMap<u32, Call<T>>,
    next_ping: Monotonic,
    /// When the first of the unanswered pings was sent, and how many they are.
    unanswered: Option<(Monotonic, u32)>,
}

impl<T: Clone> Session<T> {
    /// A connection that is just made.
    pub fn new(now: Monotonic) -> Self {
        Self {
            assembler: Assembler::default(),
            output: Vec::new(),
            serial: 0,
            calls: BTreeMap::new(),
            next_ping: Monotonic(now.0 + PING_EVERY),
            unanswered: None,
        }
    }

    /// Whether another call may be made.
    pub fn has_room(&self) -> bool {
        self.calls.len() < MOST
    }

    /// Since when there is no room because all calls are late.
    pub fn stuck_since(&self) -> Option<Monotonic> {
        let all = !self.has_room() && self.calls.values().all(|call| call.late);
        all.then(|| self.calls.values().map(|call| call.deadline).max()).flatten()
    }

    /// Makes a call, if there is room.
    pub fn call(&mut self, procedure: i32, body: &[u8], tag: T, now: Monotonic) -> bool {
        if !self.has_room() {
            return false;
        }
        self.serial = self.serial.wrapping_add(1);
        let header = Header { program: REMOTE, procedure, kind: CALL, serial: self.serial, status: 0 };
        self.output.extend(encode(header, body));
        self.calls.insert(self.serial, Call { tag, deadline: Monotonic(now.0 + DEADLINE), late: false });
        true
    }

    /// Takes in what came. An error is the end of the connection.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Vec<Happening<T>>, ProtocolError> {
        let messages = self.assembler.add(bytes)?;
        if !messages.is_empty() {
            // Only whole messages are signs of life: a peer that sends single bytes is none.
            self.unanswered = None;
        }
        let mut happened = Vec::new();
        for message in messages {
            happened.extend(self.understand(message)?);
        }
        Ok(happened)
    }

    fn understand(&mut self, message: Message) -> Result<Option<Happening<T>>, ProtocolError> {
        let header = message.header;
        match (header.program, header.kind) {
            (KEEPALIVE, MESSAGE) if header.procedure == PING => self.keepalive(PONG),
            (REMOTE, REPLY) => {
                let Some(call) = self.calls.remove(&header.serial) else { return Ok(None) };
                let answer = match header.status {
                    0 => Ok(message.body),
                    _ => Err(procedure::refusal(&message.body)?),
                };
                return Ok(Some(Happening::Answer(call.tag, answer)));
            }
            (REMOTE, MESSAGE) => {
                return Ok(notice::parse(header.procedure, &message.body)?.map(Happening::Notice));
            }
            _ => {}
        }
        Ok(None)
    }

    fn keepalive(&mut self, procedure: i32) {
        let header = Header { program: KEEPALIVE, procedure, kind: MESSAGE, serial: 0, status: 0 };
        self.output.extend(encode(header, &[]));
    }

    /// What is due by now: calls that are late, and a ping. A late call asks at once whether the other side lives.
    pub fn turn(&mut self, now: Monotonic) -> Result<Vec<Happening<T>>, Dead> {
        let mut late = Vec::new();
        for call in self.calls.values_mut().filter(|call| !call.late && call.deadline <= now) {
            call.late = true;
            late.push(Happening::Late(call.tag.clone()));
        }
        if now >= self.next_ping || (!late.is_empty() && self.unanswered.is_none()) {
            let (since, count) = self.unanswered.unwrap_or((now, 0));
            if count >= PINGS {
                return Err(Dead);
            }
            self.unanswered = Some((since, count + 1));
            self.next_ping = Monotonic(now.0 + PING_EVERY);
            self.keepalive(PING);
        }
        if self.output.len() > MOST_UNREAD {
            return Err(Dead);
        }
        Ok(late)
    }

    /// How long until [`Session::turn`] has something to do.
    pub fn next_turn(&self, now: Monotonic) -> Duration {
        let deadlines = self.calls.values().filter(|call| !call.late).map(|call| call.deadline);
        deadlines.chain([self.next_ping]).min().map_or(PING_EVERY, |due| due.since(now))
    }

    /// Whether it was asked for a sign of life and gave none within a call's deadline: the whole daemon stands
    /// still, not only what one call waits for.
    pub fn is_silent(&self, now: Monotonic) -> bool {
        self.unanswered.is_some_and(|(since, _)| now.since(since) >= DEADLINE)
    }

    /// Bytes to be written.
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// The first of them are written.
    pub fn written(&mut self, count: usize) {
        self.output.drain(..count.min(self.output.len()));
    }
}

#[cfg(test)]
mod tests;

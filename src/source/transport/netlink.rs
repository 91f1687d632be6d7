//! A netlink session: one socket and one buffer kept for the life of a source, every answer within a deadline.

use super::message::{messages, Message, Request, DONE, DUMP_INTERRUPTED, ERROR};
use netlink_sys::{Socket, SocketAddr};
use rustix::net::sockopt::{set_socket_recv_buffer_size_force, set_socket_timeout, Timeout};
use std::time::Duration;

/// The kernel never puts more than 32 KiB into one datagram of a dump (net/netlink/af_netlink.c, `netlink_dump`).
const DATAGRAM: usize = 32 * 1024;

/// Bytes of events that wait for their reader: about 4,000 ends of connections.
const EVENTS_BUFFER: usize = 4 << 20;

/// Which kernel part a session talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Links, addresses, routes, qdiscs.
    Route,
    /// Families with names: ethtool, netdev.
    Generic,
    /// Sockets.
    SockDiag,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// The kernel refused, with this error number.
    #[error("{}", std::io::Error::from_raw_os_error(*.0))]
    Kernel(i32),
    /// No answer within the deadline.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The kernel had more to say than the socket could hold (ENOBUFS): something was lost.
    #[error("the socket's receive buffer overflowed")]
    Overrun,
    /// A message claims more bytes than came.
    #[error("a message was cut short")]
    CutShort,
    /// The socket failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl NetlinkError {
    /// Whether the device that was asked about has gone.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Kernel(libc::ENODEV))
    }

    /// Whether this user may not ask.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Kernel(libc::EPERM | libc::EACCES))
    }
}

/// How a dump ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dump {
    /// It is one consistent list.
    Whole,
    /// The list changed meanwhile (`NLM_F_DUMP_INTR`): every entry is right, some may be missing or come twice.
    Interrupted,
    /// The caller had seen enough.
    Stopped,
}

/// A socket for questions and answers.
#[derive(Debug)]
pub struct Session {
    protocol: Protocol,
    deadline: Duration,
    socket: Option<Socket>,
    buffer: Vec<u8>,
    sequence: u32,
}

impl Session {
    /// Opens a session whose every receive ends within the deadline.
    pub fn open(protocol: Protocol, deadline: Duration) -> Result<Self, NetlinkError> {
        let socket = Some(connect(protocol, deadline)?);
        Ok(Self { protocol, deadline, socket, buffer: Vec::with_capacity(DATAGRAM), sequence: 0 })
    }

    /// Whether its socket is still the one that it was opened with. After a failure the next question opens another,
    /// in the namespace of the thread that asks.
    pub fn is_open(&self) -> bool {
        self.socket.is_some()
    }

    /// Asks for a list; `each` gets every message of it.
    pub fn dump(
        &mut self,
        request: &mut Request,
        mut each: impl FnMut(&Message<'_>),
    ) -> Result<Dump, NetlinkError> {
        self.exchange(request, |message| {
            each(message);
            false
        })
    }

    /// Asks for a list until `each` has seen enough and says `true`. The kernel makes a list in pieces, as they are
    /// received, so the rest of it is never made; it cannot be called off on an open socket, which therefore goes.
    pub fn dump_until(
        &mut self,
        request: &mut Request,
        each: impl FnMut(&Message<'_>) -> bool,
    ) -> Result<Dump, NetlinkError> {
        let end = self.exchange(request, each)?;
        if end == Dump::Stopped {
            self.socket = None;
        }
        Ok(end)
    }

    /// Asks for one thing; `each` gets the message that answers.
    pub fn ask(
        &mut self,
        request: &mut Request,
        mut each: impl FnMut(&Message<'_>),
    ) -> Result<(), NetlinkError> {
        self.exchange(request, |message| {
            each(message);
            true
        })
        .map(|_| ())
    }

    /// Sends, and receives until the end. After a failure in the middle the rest of the answer may still come, so
    /// the socket is given up and the next question opens a new one.
    fn exchange(
        &mut self,
        request: &mut Request,
        each: impl FnMut(&Message<'_>) -> bool,
    ) -> Result<Dump, NetlinkError> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => connect(self.protocol, self.deadline)?,
        };
        self.sequence = self.sequence.wrapping_add(1);
        socket.send(request.bytes(self.sequence), 0)?;
        let result = self.receive(&socket, each);
        if matches!(result, Ok(_) | Err(NetlinkError::Kernel(_))) {
            self.socket = Some(socket);
        }
        result
    }

    fn receive(
        &mut self,
        socket: &Socket,
        mut each: impl FnMut(&Message<'_>) -> bool,
    ) -> Result<Dump, NetlinkError> {
        let mut end = Dump::Whole;
        loop {
            receive_datagram(socket, &mut self.buffer, self.deadline)?;
            for message in messages(&self.buffer) {
                let message = message.ok_or(NetlinkError::CutShort)?;
                if message.sequence != self.sequence {
                    continue;
                }
                if message.flags & DUMP_INTERRUPTED != 0 {
                    end = Dump::Interrupted;
                }
                match message.kind {
                    ERROR | DONE if message.error_number() > 0 => {
                        return Err(NetlinkError::Kernel(message.error_number()))
                    }
                    ERROR | DONE => return Ok(end),
                    _ => {
                        if each(&message) {
                            return Ok(Dump::Stopped);
                        }
                    }
                }
            }
        }
    }
}

fn connect(protocol: Protocol, deadline: Duration) -> Result<Socket, NetlinkError> {
    let mut socket = open_socket(protocol)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(deadline)).map_err(std::io::Error::from)?;
    Ok(socket)
}

fn open_socket(protocol: Protocol) -> Result<Socket, NetlinkError> {
    let socket = Socket::new(match protocol {
        Protocol::Route => netlink_sys::protocols::NETLINK_ROUTE,
        Protocol::Generic => netlink_sys::protocols::NETLINK_GENERIC,
        Protocol::SockDiag => netlink_sys::protocols::NETLINK_SOCK_DIAG,
    })?;
    // Kernels before 4.20 and 4.12 do not know these two; nothing depends on them but stricter filters and clearer
    // errors, so a refusal is no failure.
    socket.set_netlink_get_strict_chk(true).ok();
    socket.set_ext_ack(true).ok();
    Ok(socket)
}

fn receive_datagram(socket: &Socket, buffer: &mut Vec<u8>, deadline: Duration) -> Result<(), NetlinkError> {
    loop {
        buffer.clear();
        match socket.recv(buffer, libc::MSG_TRUNC) {
            Ok(length) if length > buffer.len() => return Err(NetlinkError::CutShort),
            Ok(_) => return Ok(()),
            Err(error) => match error.raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::EAGAIN) => return Err(NetlinkError::Timeout(deadline)),
                Some(libc::ENOBUFS) => return Err(NetlinkError::Overrun),
                _ => return Err(error.into()),
            },
        }
    }
}

/// A socket that the kernel tells of changes.
#[derive(Debug)]
pub struct Events {
    socket: Socket,
    buffer: Vec<u8>,
}

impl Events {
    /// Joins multicast groups (`RTNLGRP_LINK` and the like).
    pub fn join(protocol: Protocol, groups: &[u32]) -> Result<Self, NetlinkError> {
        let mut socket = open_socket(protocol)?;
        socket.bind_auto()?;
        socket.set_non_blocking(true)?;
        if protocol == Protocol::SockDiag {
            // What overflows is lost for good, and a busy host ends many connections between two readings. The limit of
            // ordinary users holds without CAP_NET_ADMIN, which is no failure.
            set_socket_recv_buffer_size_force(&socket, EVENTS_BUFFER).ok();
        }
        for group in groups {
            socket.add_membership(*group)?;
        }
        Ok(Self { socket, buffer: Vec::with_capacity(DATAGRAM) })
    }

    /// Hands over every event that has come since the last time, without waiting. `Overrun` says that some were
    /// lost; those that were not have been handed over all the same, so none is left to be taken for news later.
    pub fn drain(&mut self, mut each: impl FnMut(&Message<'_>)) -> Result<(), NetlinkError> {
        let mut lost = false;
        loop {
            match receive_datagram(&self.socket, &mut self.buffer, Duration::ZERO) {
                Ok(()) => {
                    for message in messages(&self.buffer) {
                        match message {
                            Some(message) => each(&message),
                            None => lost = true,
                        }
                    }
                }
                Err(NetlinkError::Overrun | NetlinkError::CutShort) => lost = true,
                Err(NetlinkError::Timeout(_)) if lost => return Err(NetlinkError::Overrun),
                Err(NetlinkError::Timeout(_)) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Dump, Events, NetlinkError, Protocol, Session};
    use crate::source::transport::message::{Request, DUMP};
    use std::time::Duration;

    const RTM_GETLINK: u16 = 18;

    #[test]
    fn the_kernel_lists_its_links_and_refuses_nonsense() {
        let mut session = Session::open(Protocol::Route, Duration::from_secs(2)).expect("a socket");
        let mut links = 0;
        session.dump(&mut Request::new(RTM_GETLINK, DUMP, &[0; 16]), |_| links += 1).expect("a list");
        assert!(links >= 1, "every namespace has a loopback");
        let error =
            session.ask(&mut Request::new(RTM_GETLINK, 0, &[0; 16]), |_| {}).expect_err("no index, no name");
        assert!(matches!(error, NetlinkError::Kernel(libc::EINVAL)), "{error}");
        session
            .dump(&mut Request::new(RTM_GETLINK, DUMP, &[0; 16]), |_| links += 1)
            .expect("goes on after an error");
    }

    #[test]
    fn a_list_that_is_left_early_does_not_spoil_the_next() {
        let mut session = Session::open(Protocol::Route, Duration::from_secs(2)).expect("a socket");
        let mut request = Request::new(RTM_GETLINK, DUMP, &[0; 16]);
        let end = session.dump_until(&mut request, |_| true).expect("a list");
        assert_eq!(end, Dump::Stopped);
        let mut links = 0;
        let end = session.dump(&mut request, |_| links += 1).expect("a whole list");
        assert_ne!(end, Dump::Stopped);
        assert!(links >= 1);
    }

    #[test]
    fn no_events_is_no_wait() {
        let mut events = Events::join(Protocol::Route, &[1]).expect("a socket");
        events.drain(|_| {}).expect("nothing yet");
    }
}

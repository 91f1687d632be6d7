//! The kernel's socket diagnosis (NETLINK_SOCK_DIAG, include/uapi/linux/inet_diag.h): requests and answers. Pure.

pub mod filter;
pub mod tcp_info;

use super::message::{attributes, text, u32_at, Request, DUMP};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tcp_info::Figures;

/// `TCPDIAG_GETSOCK`: TCP sockets of both families. The newer question is of one family, and the kernel walks its whole
/// table for each (net/ipv4/inet_diag.c, `inet_diag_dump_compat`).
const ALL_TCP: u16 = 18;
/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;
/// Multicast groups: a TCP socket was destroyed (`SKNLGRP_INET_TCP_DESTROY`, `SKNLGRP_INET6_TCP_DESTROY`).
pub const DESTROYED: [u32; 2] = [1, 3];
const IPPROTO_TCP: u8 = 6;
/// `sizeof(struct inet_diag_req_v2)`.
const REQUEST_HEADER: usize = 56;
/// `sizeof(struct inet_diag_req)`.
const LIST_HEADER: usize = 60;
/// `sizeof(struct inet_diag_msg)`.
const ANSWER_HEADER: usize = 72;
const INET_DIAG_REQ_BYTECODE: u16 = 1;
const INET_DIAG_INFO: u16 = 2;
const INET_DIAG_CONG: u16 = 4;
const INET_DIAG_SKMEMINFO: u16 = 7;
/// Ask for the three attributes above: bit N-1 for attribute N.
const ALL_EXTENSIONS: u8 =
    1 << (INET_DIAG_INFO - 1) | 1 << (INET_DIAG_CONG - 1) | 1 << (INET_DIAG_SKMEMINFO - 1);

/// TCP states as a mask of `1 << state` (include/net/tcp_states.h).
pub mod states {
    /// A connection with a process behind it: established, connecting, half closed.
    pub const CONNECTED: u32 = 1 << 1 | 1 << 2 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11;
    /// Waiting for connections.
    pub const LISTENING: u32 = 1 << 10;
}

/// One socket as the kernel tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Socket {
    /// Its end here.
    pub local: SocketAddr,
    /// Its far end.
    pub peer: SocketAddr,
    /// The kernel's number of it, never used again until the next boot.
    pub cookie: u64,
    /// The inode of its descriptor; 0 once no process has it open.
    pub inode: u32,
    /// The device it is bound to, or 0.
    pub device: u32,
    /// The kernel's `idiag_family`, for asking again.
    pub family: u8,
    /// How it controls congestion; empty if it was not asked.
    pub congestion: String,
    /// Its numbers; gaps if they were not asked.
    pub figures: Figures,
}

/// Asks for all TCP sockets in these states that pass the filter (empty: all), of both families.
pub fn list(states: u32, filter: &[u8], with_figures: bool) -> Request {
    let mut header = [0; LIST_HEADER];
    header[3] = if with_figures { ALL_EXTENSIONS } else { 0 };
    header[52..56].copy_from_slice(&states.to_ne_bytes());
    let request = Request::new(ALL_TCP, DUMP, &header);
    if filter.is_empty() {
        return request;
    }
    request.with(INET_DIAG_REQ_BYTECODE, filter)
}

/// Asks for one socket by its addresses and cookie: no other socket can answer.
pub fn one(socket: &Socket) -> Request {
    let mut header = [0; REQUEST_HEADER];
    header[0] = socket.family;
    header[1] = IPPROTO_TCP;
    header[2] = ALL_EXTENSIONS;
    header[4..8].copy_from_slice(&u32::MAX.to_ne_bytes());
    header[8..10].copy_from_slice(&socket.local.port().to_be_bytes());
    header[10..12].copy_from_slice(&socket.peer.port().to_be_bytes());
    address(socket.local.ip(), socket.family, &mut header[12..28]);
    address(socket.peer.ip(), socket.family, &mut header[28..44]);
    header[44..48].copy_from_slice(&socket.device.to_ne_bytes());
    header[48..56].copy_from_slice(&cookie_bytes(socket.cookie));
    Request::new(BY_FAMILY, 0, &header)
}

fn address(address: IpAddr, family: u8, place: &mut [u8]) {
    match address {
        // A connection from an IPv4 peer to an IPv6 socket is told as IPv4, and asked for as mapped.
        IpAddr::V4(address) if i32::from(family) == libc::AF_INET6 => {
            place.copy_from_slice(&address.to_ipv6_mapped().octets());
        }
        IpAddr::V4(address) => place[..4].copy_from_slice(&address.octets()),
        IpAddr::V6(address) => place.copy_from_slice(&address.octets()),
    }
}

/// The cookie is two words, the low one first.
fn cookie_bytes(cookie: u64) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&(cookie as u32).to_ne_bytes());
    bytes[4..].copy_from_slice(&((cookie >> 32) as u32).to_ne_bytes());
    bytes
}

/// Reads `struct inet_diag_msg` and its attributes; `None` if it is cut short or of no TCP/IP family.
pub fn parse(payload: &[u8]) -> Option<Socket> {
    let family = *payload.first()?;
    let id = payload.get(4..ANSWER_HEADER)?;
    let port = |at: usize| u16::from_be_bytes([id[at], id[at + 1]]);
    let ip = |at: usize| -> Option<IpAddr> {
        match i32::from(family) {
            libc::AF_INET => Some(Ipv4Addr::from(*id[at..].first_chunk::<4>()?).into()),
            libc::AF_INET6 => Some(Ipv6Addr::from(*id[at..].first_chunk::<16>()?).to_canonical()),
            _ => None,
        }
    };
    let mut socket = Socket {
        local: SocketAddr::new(ip(4)?, port(0)),
        peer: SocketAddr::new(ip(20)?, port(2)),
        device: u32_at(id, 36)?,
        cookie: u64::from(u32_at(id, 40)?) | u64::from(u32_at(id, 44)?) << 32,
        inode: u32_at(id, 64)?,
        family,
        congestion: String::new(),
        figures: Figures::default(),
    };
    for attribute in attributes(payload, ANSWER_HEADER) {
        match attribute.kind {
            INET_DIAG_INFO => socket.figures.take_info(attribute.value),
            INET_DIAG_SKMEMINFO => socket.figures.take_memory(attribute.value),
            INET_DIAG_CONG => socket.congestion = text(attribute.value),
            _ => {}
        }
    }
    Some(socket)
}

#[cfg(test)]
mod tests {
    use super::tcp_info::Figure;
    use super::{filter, list, one, parse, states, DESTROYED};
    use crate::source::transport::message::DUMP;
    use crate::source::transport::netlink::{Events, Protocol, Session};
    use proptest::prelude::{any, prop_assert_eq, proptest};
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    fn session() -> Session {
        Session::open(Protocol::SockDiag, Duration::from_secs(2)).expect("a socket")
    }

    fn find(session: &mut Session, filter: &[u8], local: std::net::SocketAddr) -> Vec<super::Socket> {
        let mut found = Vec::new();
        let mut request = list(states::CONNECTED, filter, true);
        session.dump(&mut request, |message| found.extend(parse(message.payload))).expect("a list");
        found.retain(|socket| socket.local == local);
        found
    }

    #[test]
    fn the_kernel_tells_of_our_connection_and_of_it_alone() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let mut stream = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
            let accepted = listener.accept().expect("accepted");
            stream.write_all(&[7; 5000]).expect("sent");
            let (local, peer) = (stream.local_addr().expect("local"), stream.peer_addr().expect("peer"));
            let mut session = session();
            let ports = filter::any_port_of(&[(peer.port(), peer.port())]);
            let found = find(&mut session, &ports, local);
            let [socket] = &found[..] else { panic!("{found:?}") };
            assert_eq!(socket.peer, peer);
            assert!(socket.inode > 0 && !socket.congestion.is_empty());
            let mut again = None;
            session.ask(&mut one(socket), |message| again = parse(message.payload)).expect("it is there");
            let again = again.expect("it reads");
            assert_eq!((again.local, again.cookie), (local, socket.cookie));
            let other = filter::any_port_of(&[(1, 1), (2, 3)]);
            assert_eq!(find(&mut session, &other, local), [], "filtered out by the kernel");
            let mut listening = Vec::new();
            session
                .dump(&mut list(states::LISTENING, &[], false), |m| {
                    listening.extend(parse(m.payload));
                })
                .expect("a list");
            assert!(listening.iter().any(|socket| socket.local.port() == peer.port()));
            drop(accepted);
        }
        assert_ne!(DUMP, 0);
    }

    #[test]
    fn the_kernel_tells_the_last_words_of_a_connection() {
        let mut events = Events::join(Protocol::SockDiag, &DESTROYED).expect("a socket");
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let mut stream = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
        let (mut accepted, local) =
            (listener.accept().expect("accepted").0, stream.local_addr().expect("local"));
        stream.write_all(&[7; 5000]).expect("sent");
        stream.shutdown(std::net::Shutdown::Write).expect("shut");
        std::io::copy(&mut accepted, &mut std::io::sink()).expect("read");
        drop((accepted, stream));
        let mut heard = None;
        for _ in 0..50 {
            events
                .drain(|message| {
                    heard = parse(message.payload).filter(|socket| socket.local == local).or(heard.take());
                })
                .expect("events");
            if heard.is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let acked = heard.expect("last words").figures.get(Figure::BytesAcked);
        assert!(acked.is_some_and(|acked| (5000..5003).contains(&acked)), "{acked:?}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            prop_assert_eq!(parse(&bytes).is_some_and(|_| bytes.len() < super::ANSWER_HEADER), false);
        }
    }
}

//! What the kernel itself takes to list TCP connections: the floor under any look for new ones.

use super::figures::Dump;
use crate::bench::figures::Spread;
use crate::bench::kernel::{request, split_message, NLMSG_DONE, NLMSG_ERROR, PIECE};
use crate::bench::meter;
use anyhow::{bail, Result};
use netlink_sys::{protocols::NETLINK_SOCK_DIAG, Socket};
use std::thread;
use std::time::Duration;

const REPETITIONS: usize = 15;

// include/uapi/linux/inet_diag.h and include/net/tcp_states.h
/// TCP sockets of both families.
const TCPDIAG_GETSOCK: u16 = 18;
const INET_DIAG_REQ_BYTECODE: u16 = 1;
/// Everything between SYN_SENT and CLOSING that has a process.
const CONNECTED: u32 = 1 << 1 | 1 << 2 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11;
/// `sizeof(struct inet_diag_req)`.
const HEADER: usize = 60;
/// Ports that migrations are listened for on, as everybody's documentation has them.
const RANGES: [(u16, u16); 4] = [(49152, 49261), (60000, 60050), (61152, 61215), (8102, 8102)];
const JUMP: u8 = 1;
const LOCAL_AT_LEAST: u8 = 2;
const LOCAL_AT_MOST: u8 = 3;
const PEER_AT_LEAST: u8 = 4;
const PEER_AT_MOST: u8 = 5;

/// Measures the dumps in this namespace: those with a filter, and those of all.
pub fn measure() -> Result<[Dump; 2]> {
    let socket = Socket::new(NETLINK_SOCK_DIAG)?;
    let kinds = [filter(&RANGES), Vec::new()];
    let (mut hot, mut timed) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    let mut sockets = [0; 2];
    for at in 0..2 {
        for _ in 0..REPETITIONS {
            let before = meter::own_cpu();
            sockets[at] = dump(&socket, &kinds[at])?;
            hot[at].push(meter::own_cpu() - before);
        }
    }
    for _ in 0..REPETITIONS {
        thread::sleep(Duration::from_secs(1));
        for at in 0..2 {
            let before = meter::own_cpu();
            dump(&socket, &kinds[at])?;
            timed[at].push(meter::own_cpu() - before);
        }
    }
    let [hot_filtered, hot_all] = hot;
    let [timed_filtered, timed_all] = timed;
    let made = |sockets, hot, timed| -> Result<Dump> {
        Ok(Dump { sockets, hot: Spread::of(hot)?, timed: Spread::of(timed)? })
    };
    Ok([made(sockets[0], hot_filtered, timed_filtered)?, made(sockets[1], hot_all, timed_all)?])
}

/// Both families; gives how many sockets there were.
fn dump(socket: &Socket, filter: &[u8]) -> Result<usize> {
    let mut body = vec![0; HEADER];
    body[52..56].copy_from_slice(&CONNECTED.to_ne_bytes());
    if !filter.is_empty() {
        body.extend((4 + filter.len() as u16).to_ne_bytes());
        body.extend(INET_DIAG_REQ_BYTECODE.to_ne_bytes());
        body.extend(filter);
    }
    socket.send(&request(TCPDIAG_GETSOCK, &body), 0)?;
    receive(socket, &mut Vec::with_capacity(PIECE))
}

fn receive(socket: &Socket, buffer: &mut Vec<u8>) -> Result<usize> {
    let mut sockets = 0;
    loop {
        buffer.clear();
        socket.recv(buffer, 0)?;
        let mut rest = buffer.as_slice();
        while let Some((kind, body, next)) = split_message(rest) {
            match kind {
                NLMSG_DONE => return Ok(sockets),
                NLMSG_ERROR => bail!("the kernel refuses a dump: {:?}", body.get(..4)),
                _ => sockets += 1,
            }
            rest = next;
        }
    }
}

/// A program for `inet_diag_bc_run`: either port in one of the ranges. Operations of 4 bytes: what, how far to go if it
/// holds, how far if not; to go exactly to the end accepts, to go 4 bytes beyond it rejects.
fn filter(ranges: &[(u16, u16)]) -> Vec<u8> {
    let mut program: Vec<u8> = Vec::new();
    for (low, high) in ranges.iter().rev() {
        for [at_least, at_most] in [[PEER_AT_LEAST, PEER_AT_MOST], [LOCAL_AT_LEAST, LOCAL_AT_MOST]] {
            let mut test = Vec::new();
            for (code, yes, no, port) in [(at_least, 8, 20_u16, low), (at_most, 8, 12, high)] {
                test.extend([[code, yes], no.to_ne_bytes(), [0, 0], port.to_ne_bytes()].concat());
            }
            if !program.is_empty() {
                test.extend([[JUMP, 4], (program.len() as u16 + 4).to_ne_bytes()].concat());
            }
            test.append(&mut program);
            program = test;
        }
    }
    program
}

#[cfg(test)]
mod tests {
    use super::{dump, filter};
    use netlink_sys::{protocols::NETLINK_SOCK_DIAG, Socket};
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn the_kernel_filters() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let _ends = (TcpStream::connect(("127.0.0.1", port)).unwrap(), listener.accept().unwrap());
        let socket = Socket::new(NETLINK_SOCK_DIAG).unwrap();
        assert_eq!(dump(&socket, &filter(&[(1, 1), (port, port)])).unwrap(), 2);
        assert_eq!(dump(&socket, &filter(&[(port, port), (1, 2)])).unwrap(), 2);
        assert_eq!(dump(&socket, &filter(&[(1, 2)])).unwrap(), 0);
        assert!(dump(&socket, &[]).unwrap() >= 2);
    }
}

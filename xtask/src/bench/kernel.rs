//! What the kernel itself takes to dump the counters: the floor under any exporter.
//!
//! A dump is requested, received in pieces of 32 KiB (the kernel makes no larger ones), walked, and its numbers are
//! stored by interface index. Nothing else is done with them.

use super::figures::{Dump, Kernel, Spread};
use super::meter::{self, ColdCaches};
use anyhow::{bail, ensure, Context, Result};
use netlink_sys::{protocols::NETLINK_ROUTE, Socket};
use std::thread;
use std::time::Duration;

const REPETITIONS: usize = 15;
/// The kernel makes no larger pieces of a dump.
pub const PIECE: usize = 32 << 10;

// include/uapi/linux/netlink.h and rtnetlink.h
/// The kernel refuses.
pub const NLMSG_ERROR: u16 = 2;
/// The dump ends.
pub const NLMSG_DONE: u16 = 3;
const REQUEST_DUMP: u16 = 0x301;
const RTM_GETQDISC: u16 = 38;
const RTM_GETSTATS: u16 = 94;
const HEADER: usize = 16;
/// `struct if_stats_msg`: family, padding, index, and the filter, whose first bit is `IFLA_STATS_LINK_64`.
const COUNTERS_BODY: [u8; 12] = {
    let [a, b, c, d] = 1_u32.to_ne_bytes();
    [0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d]
};
/// `struct tcmsg`: family, padding, index, handle, parent, info.
const QDISCS_BODY: [u8; 20] = [0; 20];
/// `struct rtnl_link_stats64` has 25 numbers.
const COUNTERS: usize = 25;

/// Measures the dumps in this namespace.
pub fn measure() -> Result<Kernel> {
    let mut dumper = Dumper::new()?;
    let (counters_size, qdiscs_size) = (dumper.counters()?, dumper.qdiscs()?);
    let mut caches = ColdCaches::new();
    let [mut hot, mut cold, mut once_a_second] = [Pair::default(), Pair::default(), Pair::default()];
    for _ in 0..REPETITIONS {
        hot.counters.push(cpu_of(|| dumper.counters())?);
    }
    for _ in 0..REPETITIONS {
        hot.qdiscs.push(cpu_of(|| dumper.qdiscs())?);
    }
    for _ in 0..REPETITIONS {
        caches.forget();
        cold.counters.push(cpu_of(|| dumper.counters())?);
        caches.forget();
        cold.qdiscs.push(cpu_of(|| dumper.qdiscs())?);
    }
    for _ in 0..REPETITIONS {
        thread::sleep(Duration::from_secs(1));
        once_a_second.counters.push(cpu_of(|| dumper.counters())?);
        once_a_second.qdiscs.push(cpu_of(|| dumper.qdiscs())?);
    }
    let both = once_a_second.counters.iter().zip(&once_a_second.qdiscs).map(|(c, q)| c + q).collect();
    Ok(Kernel {
        counters: counters_size.dump(hot.counters, cold.counters, once_a_second.counters)?,
        qdiscs: qdiscs_size.dump(hot.qdiscs, cold.qdiscs, once_a_second.qdiscs)?,
        both: Spread::of(both)?,
    })
}

#[derive(Default)]
struct Pair {
    counters: Vec<f64>,
    qdiscs: Vec<f64>,
}

fn cpu_of(dump: impl FnOnce() -> Result<DumpSize>) -> Result<f64> {
    let before = meter::own_cpu();
    dump()?;
    Ok(meter::own_cpu() - before)
}

#[derive(Default)]
struct DumpSize {
    messages: usize,
    bytes: usize,
}

impl DumpSize {
    fn dump(self, hot: Vec<f64>, cold: Vec<f64>, timed: Vec<f64>) -> Result<Dump> {
        Ok(Dump {
            messages: self.messages,
            bytes: self.bytes,
            hot: Spread::of(hot)?,
            cold: Spread::of(cold)?,
            timed: Spread::of(timed)?,
        })
    }
}

/// A socket, a buffer and the table of numbers, all kept between dumps.
struct Dumper {
    socket: Socket,
    buffer: Vec<u8>,
    table: Table,
}

impl Dumper {
    fn new() -> Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.set_netlink_get_strict_chk(true).context("NETLINK_GET_STRICT_CHK: needs Linux 4.20")?;
        Ok(Self { socket, buffer: vec![0; PIECE], table: Table::default() })
    }

    fn counters(&mut self) -> Result<DumpSize> {
        self.dump(&request(RTM_GETSTATS, &COUNTERS_BODY), Table::store_counters)
    }

    fn qdiscs(&mut self) -> Result<DumpSize> {
        self.dump(&request(RTM_GETQDISC, &QDISCS_BODY), Table::count_qdisc)
    }

    fn dump(&mut self, request: &[u8], store: fn(&mut Table, &[u8])) -> Result<DumpSize> {
        self.socket.send(request, 0)?;
        let mut size = DumpSize::default();
        loop {
            let received = self.socket.recv(&mut self.buffer.as_mut_slice(), 0)?;
            size.bytes += received;
            let mut rest = &self.buffer[..received];
            while let Some((kind, body, next)) = split_message(rest) {
                match kind {
                    NLMSG_DONE => return Ok(size),
                    NLMSG_ERROR => bail!("the kernel refuses a dump: {:?}", body.get(..4)),
                    _ => store(&mut self.table, body),
                }
                size.messages += 1;
                rest = next;
            }
            ensure!(rest.is_empty(), "a netlink message is cut short");
        }
    }
}

/// The newest numbers by interface index.
#[derive(Default)]
struct Table {
    counters: Vec<[u64; COUNTERS]>,
    qdiscs: Vec<u32>,
}

impl Table {
    fn store_counters(&mut self, body: &[u8]) {
        let Some(index) = index_of(body) else { return };
        if self.counters.len() <= index {
            self.counters.resize(index + 1, [0; COUNTERS]);
        }
        // The attribute's header takes 4 bytes; it is the only one that was asked for.
        let numbers = body.get(COUNTERS_BODY.len() + 4..).unwrap_or_default();
        for (slot, bytes) in self.counters[index].iter_mut().zip(numbers.chunks_exact(8)) {
            *slot = bytes.try_into().map_or(0, u64::from_ne_bytes);
        }
    }

    fn count_qdisc(&mut self, body: &[u8]) {
        let Some(index) = index_of(body) else { return };
        if self.qdiscs.len() <= index {
            self.qdiscs.resize(index + 1, 0);
        }
        self.qdiscs[index] += 1;
    }
}

/// A request for a dump.
pub fn request(kind: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = ((HEADER + body.len()) as u32).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(REQUEST_DUMP.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend(body);
    bytes
}

/// The first message's type and body, and what follows it.
pub fn split_message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = u32_at(bytes, 0)? as usize;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let body = bytes.get(HEADER..length)?;
    Some((kind, body, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

/// Both kinds of message have the index in their second four bytes.
fn index_of(body: &[u8]) -> Option<usize> {
    Some(u32_at(body, 4)? as usize)
}

/// A number in the machine's byte order.
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{request, split_message, Dumper, Table, COUNTERS_BODY, RTM_GETSTATS};

    #[test]
    fn a_message_is_split_off_and_stored() {
        let mut body = COUNTERS_BODY.to_vec();
        body[4] = 3;
        body.extend([204, 0, 1, 0]);
        body.extend((1..=25_u64).flat_map(u64::to_ne_bytes));
        let bytes = [request(RTM_GETSTATS, &body), request(RTM_GETSTATS, &body)].concat();
        let (kind, first, rest) = split_message(&bytes).unwrap();
        assert_eq!((kind, first, rest.len()), (RTM_GETSTATS, body.as_slice(), bytes.len() / 2));
        let mut table = Table::default();
        table.store_counters(first);
        assert_eq!((table.counters[3][0], table.counters[3][24]), (1, 25));
        assert!(split_message(&bytes[..20]).is_none());
    }

    #[test]
    fn this_kernel_answers() {
        let mut dumper = Dumper::new().unwrap();
        assert!(dumper.counters().unwrap().messages >= 1, "every namespace has a loopback");
        dumper.qdiscs().unwrap();
    }
}

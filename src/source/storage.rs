//! How many bytes storage connections (iSCSI, NFS, SMB, Ceph, NBD, DRBD, NVMe/TCP, `GlusterFS`) of this host move over each
//! link: they share it with migrations, and only their ports tell what they are. Looked at twice a second while a migration
//! is followed, twice a minute otherwise.
//!
//! Anybody's connections count, also the kernel's own (an iSCSI initiator, an NFS client), which have no process. The
//! kernel filters by port itself. Connections of other network namespaces, and those that a guest makes inside its own
//! network card, are not seen.

use super::contract::{Context, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo};
use super::flows::space;
use super::transport::message::Request;
use super::transport::netlink::{NetlinkError, Protocol, Session};
use super::transport::sock_diag::tcp_info::Figure;
use super::transport::sock_diag::{self, filter, states, Socket};
use crate::sample::block::Block;
use crate::sample::cell::Cell;
use crate::sample::link::{Index, Links};
use crate::sample::metric::{Column, Metric, Unit};
use crate::sample::monotonic::Monotonic;
use crate::sample::ports;
use crate::sample::subject::{Subjects, SubjectsBuilder};
use lately::Lately;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

pub mod lately;

/// Storage connections.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "storage",
    help: "Bytes of storage connections by link, by the kernel's socket diagnosis.",
    privilege: "",
    pace: Pace::Background,
    lane: Lane::Migrations,
    deadline: Duration::from_secs(2),
    // Its rows feed rules and flags and are not shown.
    tables: &[],
    open,
};

/// Sent by storage connections.
pub static SENT: Metric = Metric::counter(
    "storage_transmit_bytes_total",
    "Bytes sent by storage connections, repeats included.",
    Unit::Bytes,
);
/// Received by storage connections.
pub static RECEIVED: Metric =
    Metric::counter("storage_receive_bytes_total", "Bytes received by storage connections.", Unit::Bytes);

/// The columns of its table for rules, a row for each link that storage connections leave by.
pub static COLUMNS: [Column; 2] = [Column::of(&RECEIVED), Column::of(&SENT)];

/// Between two looks while a migration is followed: the kernel walks its whole table of connections for each (2 to 4 ms
/// where it has 100,000).
const LOOK: Duration = Duration::from_millis(450);
/// Between the first look and the second: then it is known what flows.
const FIRST: Duration = Duration::from_secs(1);
/// The same while nothing moves. What a connection carried that came and went in between is not seen.
const IDLE: Duration = Duration::from_secs(30);
/// More connections than this are not told apart; a host has a few for each of its targets.
const MOST: usize = 16_384;

fn open(_: &Roots) -> Result<Box<dyn Source>, SourceError> {
    let session = |protocol| Session::open(protocol, SOURCE.deadline).map_err(failed);
    Ok(Box::new(Storage {
        sockets: session(Protocol::SockDiag)?,
        routes: session(Protocol::Route)?,
        request: sock_diag::list(states::CONNECTED, &filter::any_port_of(&ports::STORAGE), true),
        known: HashMap::new(),
        sums: BTreeMap::new(),
        lately: Lately::default(),
        looked: None,
        subjects: Arc::default(),
    }))
}

fn failed(error: NetlinkError) -> SourceError {
    SourceError::Netlink { what: "asking for storage connections", error }
}

/// One connection: the link that it leaves by, what it had moved at the last look, and of what it is.
#[derive(Debug, Clone, Copy)]
struct Known {
    link: Option<Index>,
    moved: [u64; 2],
    generation: u64,
    kind: &'static str,
}

struct Storage {
    sockets: Session,
    routes: Session,
    request: Request,
    known: HashMap<u64, Known>,
    /// Bytes received and sent by link since the first look.
    sums: BTreeMap<Index, [u64; 2]>,
    lately: Lately,
    looked: Option<Monotonic>,
    subjects: Arc<Subjects>,
}

impl Source for Storage {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        if self.looked.is_some_and(|last| context.now.since(last) < LOOK) {
            return Ok(Reading { rest: self.rest(context), ..Reading::unchanged() });
        }
        let mut found = Vec::new();
        let listed = self.sockets.dump(&mut self.request, |message| {
            found.extend(sock_diag::parse(message.payload).filter(|_| found.len() < MOST));
        });
        listed.map_err(failed)?;
        self.count(&found, &context.links);
        self.looked = Some(context.now);
        self.lately.note(context.now, &self.sums);
        let mut blocks: Vec<Block> = self.lately.block(&self.known, context).into_iter().collect();
        // Behind the other, so that each has the same place in every reading.
        if !blocks.is_empty() && !context.followed.links.is_empty() {
            blocks.push(self.block(context));
        }
        Ok(Reading { blocks, rest: self.rest(context), ..Reading::default() })
    }
}

impl Storage {
    /// Long while nothing moves. Counts for rules must be gone soon after a migration: the next one has its own.
    fn rest(&self, context: &Context) -> Duration {
        if self.lately.is_known() && context.followed.links.is_empty() {
            IDLE
        } else {
            FIRST
        }
    }

    /// Adds what each connection moved since the last look. One that was not there then has moved all since; at the first
    /// look nobody knows when.
    fn count(&mut self, found: &[Socket], links: &Links) {
        let (first, mut known) = (self.looked.is_none(), HashMap::with_capacity(found.len()));
        for socket in found {
            let Some(moved) = moved(socket) else { continue };
            let before = self.known.get(&socket.cookie).copied();
            // Ways change with links only, as far as a connection that stands is concerned.
            let way = before.filter(|before| before.generation == links.generation).map(|known| known.link);
            let link = way
                .unwrap_or_else(|| space::route(&mut self.routes, socket.peer.ip(), Some(socket.local.ip())));
            let start = before.map_or(if first { moved } else { [0, 0] }, |before| before.moved);
            if let Some(index) = link {
                let sum = self.sums.entry(index).or_default();
                for way in [0, 1] {
                    sum[way] += moved[way].saturating_sub(start[way]);
                }
            }
            let kind = kind(socket);
            known.insert(socket.cookie, Known { link, moved, generation: links.generation, kind });
        }
        self.known = known;
    }

    fn block(&mut self, context: &Context) -> Block {
        let sums = self.sums.iter().filter_map(|(index, sum)| Some((context.links.get(*index)?, *sum)));
        let mut list = SubjectsBuilder::default();
        list.hide_the_rest();
        let mut rows = Vec::new();
        for (link, sum) in sums {
            list.row(link.key).label("device", &link.name);
            rows.push(sum);
        }
        let list = list.build();
        if *self.subjects != list {
            self.subjects = Arc::new(list);
        }
        let mut block = Block::new(SOURCE.name, context.now, &COLUMNS, Arc::clone(&self.subjects));
        rows.iter().enumerate().for_each(|(row, sum)| block.set_row(row, sum.map(Cell::integer)));
        block
    }
}

/// What a connection is of; the port of the side that serves is the lower one where both are of storage.
fn kind(socket: &Socket) -> &'static str {
    let [low, high] = match [socket.local.port(), socket.peer.port()] {
        [local, peer] if local > peer => [peer, local],
        both => both,
    };
    ports::storage(low).or(ports::storage(high)).unwrap_or("storage")
}

/// Bytes received and sent; kernels before 4.19 tell only what was acknowledged. `None` if it has no figures.
fn moved(socket: &Socket) -> Option<[u64; 2]> {
    let figures = &socket.figures;
    let sent = figures.get(Figure::BytesSent).or(figures.get(Figure::BytesAcked))?;
    Some([figures.get(Figure::BytesReceived)?, sent])
}

#[cfg(test)]
mod tests {
    use super::{open, FIRST, IDLE, SOURCE};
    use crate::sample::guest::Followed;
    use crate::sample::link::{Link, Links};
    use crate::sample::monotonic::Monotonic;
    use crate::source::contract::{Context, Roots};
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;
    use std::time::Duration;

    /// A connection on a port of DRBD, of which nothing else makes use here.
    fn storage() -> (TcpStream, TcpStream) {
        let listener = (7789..=7799).find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok());
        let listener = listener.expect("a free port of storage");
        let ours = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
        (ours, listener.accept().expect("accepted").0)
    }

    #[test]
    fn bytes_of_storage_are_counted() {
        let (mut ours, mut theirs) = storage();
        let links =
            Links::new(1, vec![Link { key: 5, index: 1, name: "lo".into(), ..Link::default() }], None);
        let followed = Followed { links: vec![1], ..Followed::default() };
        let mut context =
            Context { links: Arc::new(links), followed: Arc::new(followed), ..Context::default() };
        let mut source = open(&Roots::default()).expect("opens");
        let mut read = |second, context: &mut Context| {
            context.now = Monotonic(Duration::from_secs(second));
            source.read(context).expect("reads")
        };
        assert!(read(1, &mut context).rest <= FIRST, "nothing is known of the rates after one look");
        context.now = Monotonic(Duration::from_millis(1200));
        assert!(source.read(&context).expect("reads").unchanged, "it is too early for another look");
        ours.write_all(&vec![7; 50_000]).expect("sent");
        theirs.read_exact(&mut vec![0; 50_000]).expect("received");
        let mut read = |second, context: &mut Context| {
            context.now = Monotonic(Duration::from_secs(second));
            source.read(context).expect("reads")
        };
        let reading = read(2, &mut context);
        let [lately, counted] = &reading.blocks[..] else { panic!("{reading:?}") };
        let sum = |way| counted.cell(way, 0).as_integer().expect("a count");
        // Both ends are on this host; other tests may use the loopback, but not these ports.
        assert!(sum(0) >= 50_000 && sum(1) >= 50_000, "{} {}", sum(0), sum(1));
        assert_eq!(lately.subjects.label(0, "kinds").as_deref(), Some("DRBD"));
        let rate = |way| lately.cell(way, 0).as_integer().expect("a rate");
        assert!(rate(0) >= 50_000 && rate(1) >= 50_000, "in a second: {} {}", rate(0), rate(1));
        assert_eq!(lately.cell(2, 0).as_integer(), Some(2), "both ends");
        context.followed = Arc::default();
        let reading = read(3, &mut context);
        assert!(
            reading.blocks.len() == 1 && reading.rest >= IDLE,
            "{}: seldom while nothing moves",
            SOURCE.name
        );
    }
}

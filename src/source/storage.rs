//! How many bytes storage connections (iSCSI, NFS, SMB, Ceph, NBD, DRBD, NVMe/TCP, `GlusterFS`) of this host move over each
//! link, while a migration is followed: they share its link, and only their ports tell what they are.
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
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// Storage connections.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "storage",
    help: "Bytes of storage connections by link while a migration is followed, by the kernel's socket diagnosis.",
    privilege: "",
    pace: Pace::Migration,
    lane: Lane::Migrations,
    deadline: Duration::from_secs(2),
    // Its rows are there while a migration is followed: they feed the rules and are not shown.
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

/// The columns of its table, a row for each link that storage connections leave by.
pub static COLUMNS: [Column; 2] = [Column::of(&RECEIVED), Column::of(&SENT)];

/// Between two looks: the kernel walks its whole table of connections for each (2 to 4 ms where it has 100,000).
const LOOK: Duration = Duration::from_millis(450);
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
        looked: None,
        told: false,
        subjects: Arc::default(),
    }))
}

fn failed(error: NetlinkError) -> SourceError {
    SourceError::Netlink { what: "asking for storage connections", error }
}

/// One connection: the link that it leaves by, and what it had moved at the last look.
#[derive(Debug, Clone, Copy)]
struct Known {
    link: Option<Index>,
    moved: [u64; 2],
    generation: u64,
}

struct Storage {
    sockets: Session,
    routes: Session,
    request: Request,
    known: HashMap<u64, Known>,
    /// Bytes received and sent by link since the first look.
    sums: BTreeMap<Index, [u64; 2]>,
    looked: Option<Monotonic>,
    /// A reading may have had figures since the last one that said that there are none.
    told: bool,
    subjects: Arc<Subjects>,
}

impl Source for Storage {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        if context.followed.links.is_empty() {
            (self.looked, self.subjects) = (None, Arc::default());
            self.known.clear();
            self.sums.clear();
            // Once, so that the last figures are gone.
            let (had, nothing) = (std::mem::take(&mut self.told), Reading::default());
            return Ok(if had { nothing } else { Reading::unchanged() });
        }
        self.told = true;
        if self.looked.is_some_and(|last| context.now.since(last) < LOOK) {
            return Ok(Reading::unchanged());
        }
        let mut found = Vec::new();
        let listed = self.sockets.dump(&mut self.request, |message| {
            found.extend(sock_diag::parse(message.payload).filter(|_| found.len() < MOST));
        });
        listed.map_err(failed)?;
        self.count(&found, &context.links);
        self.looked = Some(context.now);
        Ok(Reading::of(self.block(context)))
    }
}

impl Storage {
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
            known.insert(socket.cookie, Known { link, moved, generation: links.generation });
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

/// Bytes received and sent; kernels before 4.19 tell only what was acknowledged. `None` if it has no figures.
fn moved(socket: &Socket) -> Option<[u64; 2]> {
    let figures = &socket.figures;
    let sent = figures.get(Figure::BytesSent).or(figures.get(Figure::BytesAcked))?;
    Some([figures.get(Figure::BytesReceived)?, sent])
}

#[cfg(test)]
mod tests {
    use super::{open, SOURCE};
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
    fn bytes_of_storage_are_counted_while_a_migration_is_followed() {
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
        assert!(!read(1, &mut context).unchanged);
        assert!(read(1, &mut context).unchanged, "it is too early for another look");
        ours.write_all(&vec![7; 50_000]).expect("sent");
        theirs.read_exact(&mut vec![0; 50_000]).expect("received");
        let reading = read(2, &mut context);
        let sum = |way| reading.blocks[0].cell(way, 0).as_integer().expect("a count");
        // Both ends are on this host; other tests may use the loopback, but not these ports.
        assert!(sum(0) >= 50_000 && sum(1) >= 50_000, "{} {}", sum(0), sum(1));
        context.followed = Arc::default();
        let last = read(3, &mut context);
        assert!(last.blocks.is_empty() && !last.unchanged, "the last figures are gone");
        assert!(read(4, &mut context).unchanged, "{} has no news while nothing moves", SOURCE.name);
    }
}

//! Statistics of each queue by NETDEV_CMD_QSTATS_GET of the generic netlink family `netdev` (kernel 6.9 and newer).
//!
//! One queue that is full while the others idle is what a single stream looks like, and it is invisible in the
//! link's sums. Only exported physical links are asked, one dump each.

use super::contract::{Context, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo};
use super::transport::ethtool::Problems;
use super::transport::genetlink::{contents, Family};
use super::transport::message::{unsigned, Request, DUMP};
use super::transport::netlink::{NetlinkError, Protocol, Session};
use crate::sample::block::Block;
use crate::sample::cell::{Cell, Gap};
use crate::sample::choice::Choice;
use crate::sample::link::{Index, Link, Links};
use crate::sample::metric::{Column, Metric, Unit};
use crate::sample::subject::{Key, Subjects, SubjectsBuilder};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// Statistics of queues.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "queue_statistics",
    help: "Traffic and drops of each queue of physical links, by the netlink family netdev.",
    privilege: "",
    pace: Pace::HardwareTick,
    lane: Lane::Attributes,
    deadline: Duration::from_secs(5),
    tables: &[&COLUMNS],
    open,
};

macro_rules! counters {
    ($($name:ident $text:literal $unit:ident $help:literal;)*) => {
        $(#[doc = $help] pub static $name: Metric = Metric::counter($text, $help, Unit::$unit);)*
    };
}

counters! {
    RECEIVE_PACKETS "link_queue_receive_packets_total" None "Packets that the host took from this receive queue.";
    RECEIVE_BYTES "link_queue_receive_bytes_total" Bytes "Bytes that the host took from this receive queue.";
    ALLOC_FAILURES "link_queue_receive_alloc_failures_total" None "Times the host had no memory for a receive buffer of this queue.";
    RECEIVE_DROPS "link_queue_receive_hardware_drops_total" None "Packets that the device dropped before this receive queue, for whatever reason.";
    RECEIVE_OVERRUNS "link_queue_receive_hardware_overruns_total" None "Packets that the device dropped because this receive queue had no buffer.";
    TRANSMIT_PACKETS "link_queue_transmit_packets_total" None "Packets sent by this transmit queue.";
    TRANSMIT_BYTES "link_queue_transmit_bytes_total" Bytes "Bytes sent by this transmit queue.";
    TRANSMIT_DROPS "link_queue_transmit_hardware_drops_total" None "Packets that the device dropped after this transmit queue.";
    TRANSMIT_STOPS "link_queue_transmit_stops_total" None "Times this transmit queue was full and the host had to wait.";
    TRANSMIT_WAKES "link_queue_transmit_wakes_total" None "Times this transmit queue took packets again after a stop.";
}

static COLUMNS: [Column; 10] = [
    Column::of(&RECEIVE_PACKETS),
    Column::of(&RECEIVE_BYTES),
    Column::of(&ALLOC_FAILURES),
    Column::of(&RECEIVE_DROPS),
    Column::of(&RECEIVE_OVERRUNS),
    Column::of(&TRANSMIT_PACKETS),
    Column::of(&TRANSMIT_BYTES),
    Column::of(&TRANSMIT_DROPS),
    Column::of(&TRANSMIT_STOPS),
    Column::of(&TRANSMIT_WAKES),
];

/// `NETDEV_A_QSTATS_*` (include/uapi/linux/netdev.h) of each column. An attribute belongs to one direction, so a
/// queue's row is filled by two messages.
const ATTRIBUTES: [u16; 10] = [8, 9, 12, 13, 14, 10, 11, 24, 33, 34];

const NETDEV_CMD_QSTATS_GET: u8 = 12;
const QSTATS_IFINDEX: u16 = 1;
const QSTATS_QUEUE_ID: u16 = 3;
const QSTATS_SCOPE: u16 = 4;
/// `NETDEV_QSTATS_SCOPE_QUEUE`.
const SCOPE_QUEUE: u64 = 1;
/// More queues than this of one link are not read: a row each for a thousand would be all of /metrics.
const MOST_QUEUES: u32 = 256;

fn open(_: &Roots) -> Result<Box<dyn Source>, SourceError> {
    let failed =
        |error| SourceError::Netlink { what: "looking for the generic netlink family netdev", error };
    let mut session = Session::open(Protocol::Generic, SOURCE.deadline).map_err(failed)?;
    let family = match Family::resolve(&mut session, "netdev") {
        Err(NetlinkError::Kernel(libc::ENOENT)) => {
            return Err(SourceError::Absent("the kernel has no netdev netlink (it came with 6.3)".into()));
        }
        family => family.map_err(failed)?,
    };
    Ok(Box::new(QueueStatistics {
        session,
        family,
        unsupported: HashSet::new(),
        hardware: Choice::default(),
        queues: Vec::new(),
        subjects: Arc::default(),
    }))
}

struct QueueStatistics {
    session: Session,
    family: Family,
    /// Links whose driver has no statistics of queues, or all links where the kernel has none (before 6.9).
    unsupported: HashSet<Key>,
    /// The links that have a driver of hardware.
    hardware: Choice,
    /// The queues of the last reading, and the subjects made of them.
    queues: Vec<(Key, u32)>,
    subjects: Arc<Subjects>,
}

/// One queue's numbers in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Queue {
    id: u32,
    cells: [Option<u64>; COLUMNS.len()],
}

/// The queues of one link, each once for each direction.
#[derive(Debug, Default)]
struct Answer {
    queues: Vec<Queue>,
    /// Whether there were more than are read.
    is_cut: bool,
}

impl Answer {
    fn take(&mut self, payload: &[u8]) {
        if let Some(queue) = parse(payload) {
            if queue.id < MOST_QUEUES {
                self.queues.push(queue);
            } else {
                self.is_cut = true;
            }
        }
    }
}

impl Source for QueueStatistics {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        let links = &context.links;
        let mut hardware = std::mem::take(&mut self.hardware);
        hardware.renew(links, |link| link.kind == "physical");
        self.unsupported.retain(|key| hardware.subjects().row_of(*key).is_some());
        let mut problems = Problems::new("asking for statistics of queues");
        let (mut all, mut cut) = (Vec::new(), Vec::new());
        for link in hardware.of(links) {
            if self.unsupported.contains(&link.key) {
                continue;
            }
            match self.ask(link.index) {
                Ok(answer) => {
                    all.extend(answer.queues.into_iter().map(|queue| (link.key, queue)));
                    cut.extend(answer.is_cut.then(|| cut_sentence(link)));
                }
                Err(NetlinkError::Kernel(libc::EOPNOTSUPP)) => {
                    self.unsupported.insert(link.key);
                }
                Err(error) => {
                    problems.note(link, error)?;
                }
            }
        }
        self.hardware = hardware;
        let mut reading = Reading::of(self.block(&all, links, context));
        reading.problems = problems.sentences();
        reading.problems.extend(cut);
        Ok(reading)
    }
}

fn cut_sentence(link: &Link) -> String {
    format!("{} has more than {MOST_QUEUES} queues; the others are left out", link.name)
}

impl QueueStatistics {
    fn ask(&mut self, index: Index) -> Result<Answer, NetlinkError> {
        let mut answer = Answer::default();
        self.session.dump(&mut request(self.family, index), |message| answer.take(message.payload))?;
        Ok(answer)
    }

    fn block(&mut self, all: &[(Key, Queue)], links: &Links, context: &Context) -> Block {
        let mut queues: Vec<(Key, u32)> = all.iter().map(|(key, queue)| (*key, queue.id)).collect();
        queues.sort_unstable();
        queues.dedup();
        if queues != self.queues {
            self.subjects = Arc::new(subjects_of(&queues, links));
            self.queues = queues;
        }
        let mut block = Block::new(SOURCE.name, context.now, &COLUMNS, Arc::clone(&self.subjects));
        for column in 0..COLUMNS.len() {
            block.column_mut(column).fill(Cell::gap(Gap::Unsupported).bits());
        }
        for (key, queue) in all {
            if let Ok(row) = self.queues.binary_search(&(*key, queue.id)) {
                fill(queue, row, &mut block);
            }
        }
        block
    }
}

fn request(family: Family, index: Index) -> Request {
    family
        .request(NETDEV_CMD_QSTATS_GET, DUMP)
        .with(QSTATS_IFINDEX, &index.to_ne_bytes())
        .with(QSTATS_SCOPE, &(SCOPE_QUEUE as u32).to_ne_bytes())
}

/// A row each queue. Keys of links are never used again, so neither is a link's key with a queue's number behind it.
fn subjects_of(queues: &[(Key, u32)], links: &Links) -> Subjects {
    let mut subjects = SubjectsBuilder::default();
    for (key, queue) in queues {
        let name =
            links.exported().iter().find(|link| link.key == *key).map_or("", |link| link.name.as_str());
        subjects.row(key << 16 | u64::from(*queue)).label("device", name).label("queue", &queue.to_string());
    }
    subjects.build()
}

fn fill(queue: &Queue, row: usize, block: &mut Block) {
    for (column, value) in queue.cells.iter().enumerate() {
        if let Some(value) = value {
            block.set(column, row, Cell::integer(*value));
        }
    }
}

/// One queue from the payload of an answer to NETDEV_CMD_QSTATS_GET; `None` for an answer without a queue's number.
fn parse(payload: &[u8]) -> Option<Queue> {
    let (mut id, mut cells) = (None, [None; COLUMNS.len()]);
    for attribute in contents(payload) {
        if attribute.kind == QSTATS_QUEUE_ID {
            id = unsigned(attribute.value);
        } else if let Some(column) = ATTRIBUTES.iter().position(|kind| *kind == attribute.kind) {
            cells[column] = unsigned(attribute.value);
        }
    }
    Some(Queue { id: u32::try_from(id?).ok()?, cells })
}

#[cfg(test)]
mod tests {
    use super::{parse, subjects_of, Answer, ATTRIBUTES, MOST_QUEUES, QSTATS_QUEUE_ID};
    use crate::sample::link::{Link, Links};
    use crate::source::transport::ethtool::testing::{mutated, reply};
    use proptest::prelude::{prop_assert, proptest};

    const RECEIVE: &[u8] = include_bytes!("../../tests/data/ethtool-netlink/queue-rx-virtio_net.bin");
    const TRANSMIT: &[u8] = include_bytes!("../../tests/data/ethtool-netlink/queue-tx-virtio_net.bin");

    #[test]
    fn one_queue_comes_in_two_messages() {
        let (receive, transmit) = (parse(RECEIVE).expect("a queue"), parse(TRANSMIT).expect("a queue"));
        assert_eq!((receive.id, transmit.id), (0, 0));
        assert!(
            receive.cells[..2].iter().all(Option::is_some) && receive.cells[5..].iter().all(Option::is_none)
        );
        assert!(
            transmit.cells[5..7].iter().all(Option::is_some)
                && transmit.cells[..5].iter().all(Option::is_none)
        );
    }

    #[test]
    fn numbers_come_in_four_or_eight_bytes() {
        let payload = reply(|mut request| {
            request = request.with(QSTATS_QUEUE_ID, &300u32.to_ne_bytes());
            for kind in ATTRIBUTES {
                request = if kind.is_multiple_of(2) {
                    request.with(kind, &u32::from(kind).to_ne_bytes())
                } else {
                    request.with(kind, &(u64::from(kind) << 33).to_ne_bytes())
                };
            }
            request
        });
        let queue = parse(&payload).expect("a queue");
        let value = |kind: u16| if kind.is_multiple_of(2) { u64::from(kind) } else { u64::from(kind) << 33 };
        assert_eq!((queue.id, queue.cells), (300, ATTRIBUTES.map(value).map(Some)));
        assert_eq!(parse(&reply(|request| request.with(8, &[0; 8]))), None, "no queue's number");
    }

    #[test]
    fn a_link_with_too_many_queues_is_cut_and_says_so() {
        let mut answer = Answer::default();
        let message = |id: u32| reply(|request| request.with(QSTATS_QUEUE_ID, &id.to_ne_bytes()));
        answer.take(&message(MOST_QUEUES - 1));
        assert_eq!((answer.queues.len(), answer.is_cut), (1, false));
        answer.take(&message(MOST_QUEUES));
        assert_eq!((answer.queues.len(), answer.is_cut), (1, true));
    }

    #[test]
    fn rows_are_named_by_device_and_queue() {
        let link = Link { key: 7, index: 2, name: "eth0".into(), exported: true, ..Link::default() };
        let subjects = subjects_of(&[(7, 0), (7, 11)], &Links::new(1, vec![link], None));
        assert_eq!(subjects.labels(1), r#"device="eth0",queue="11""#);
        assert_eq!(subjects.exported(), 2);
    }

    proptest! {
        #[test]
        fn a_spoiled_answer_gives_no_more_than_it_holds(payload in mutated(RECEIVE)) {
            let numbers = parse(&payload).map_or(0, |queue| queue.cells.iter().flatten().count());
            prop_assert!(numbers <= payload.len() / 4);
        }
    }
}

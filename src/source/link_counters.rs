//! Traffic, error and drop counters of every link, by one RTM_GETSTATS dump.
//!
//! Not from /proc/net/dev, which adds `rx_missed_errors` to `rx_dropped` and so hides a ring that overflows, and not
//! from sysfs, which costs two hundred times as much.

use super::contract::{Context, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo};
use super::transport::message::{attributes, u32_at, Request, DUMP};
use super::transport::netlink::{Dump, NetlinkError, Protocol, Session};
use crate::sample::block::Block;
use crate::sample::cell::Cell;
use crate::sample::link::{Index, Links};
use crate::sample::metric::{Column, Metric, Unit};
use std::time::Duration;

/// Link counters.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "link_counters",
    help: "Traffic, error and drop counters of every link, by RTM_GETSTATS.",
    privilege: "",
    pace: Pace::Tick,
    lane: Lane::Counters,
    deadline: Duration::from_secs(1),
    tables: &[&COLUMNS],
    open,
};

macro_rules! counters {
    ($($name:ident $text:literal $unit:ident $help:literal;)*) => {
        $(#[doc = $help] pub static $name: Metric = Metric::counter($text, $help, Unit::$unit);)*
    };
}

counters! {
    RECEIVE_BYTES "link_receive_bytes_total" Bytes "Bytes received.";
    TRANSMIT_BYTES "link_transmit_bytes_total" Bytes "Bytes sent.";
    RECEIVE_PACKETS "link_receive_packets_total" None "Packets received.";
    TRANSMIT_PACKETS "link_transmit_packets_total" None "Packets sent.";
    RECEIVE_ERRORS "link_receive_errors_total" None "Packets received with an error (rx_errors).";
    TRANSMIT_ERRORS "link_transmit_errors_total" None "Packets that could not be sent (tx_errors).";
    RECEIVE_DROPS "link_receive_drops_total" None "Packets received and not wanted or not held by the host (rx_dropped); not ring overflow.";
    TRANSMIT_DROPS "link_transmit_drops_total" None "Packets dropped on their way to the wire (tx_dropped).";
    MULTICAST "link_receive_multicast_total" None "Multicast packets received.";
    COLLISIONS "link_collisions_total" None "Collisions while sending.";
    LENGTH_ERRORS "link_receive_length_errors_total" None "Packets received with a wrong length.";
    OVER_ERRORS "link_receive_over_errors_total" None "Packets that did not fit the host's buffers (rx_over_errors).";
    CRC_ERRORS "link_receive_crc_errors_total" None "Packets received with a wrong check sum: cable, transceiver or port.";
    FRAME_ERRORS "link_receive_frame_errors_total" None "Packets received misaligned.";
    FIFO_ERRORS "link_receive_fifo_errors_total" None "Receive FIFO overflows (rx_fifo_errors); drivers differ in what they count here.";
    MISSED "link_receive_missed_total" None "Packets dropped by the device for want of a receive buffer (rx_missed_errors).";
    ABORTED "link_transmit_aborted_total" None "Sends given up.";
    CARRIER_ERRORS "link_transmit_carrier_errors_total" None "Sends that failed because the carrier was lost.";
    TRANSMIT_FIFO_ERRORS "link_transmit_fifo_errors_total" None "Send FIFO underruns.";
    NOHANDLER "link_receive_nohandler_total" None "Packets received on a link that is not the active one of its bond or team.";
    OTHER_HOST "link_receive_otherhost_drops_total" None "Packets received that were addressed to another host.";
}

/// The columns of received and of sent bytes.
pub const BYTE_COLUMNS: [usize; 2] = [0, 1];

/// Where each column stands in `struct rtnl_link_stats64` (include/uapi/linux/if_link.h), in `u64`s.
const FIELDS: [usize; 21] = [2, 3, 0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 23, 24];

static COLUMNS: [Column; 21] = [
    Column::of(&RECEIVE_BYTES),
    Column::of(&TRANSMIT_BYTES),
    Column::of(&RECEIVE_PACKETS),
    Column::of(&TRANSMIT_PACKETS),
    Column::of(&RECEIVE_ERRORS),
    Column::of(&TRANSMIT_ERRORS),
    Column::of(&RECEIVE_DROPS),
    Column::of(&TRANSMIT_DROPS),
    Column::of(&MULTICAST),
    Column::of(&COLLISIONS),
    Column::of(&LENGTH_ERRORS),
    Column::of(&OVER_ERRORS),
    Column::of(&CRC_ERRORS),
    Column::of(&FRAME_ERRORS),
    Column::of(&FIFO_ERRORS),
    Column::of(&MISSED),
    Column::of(&ABORTED),
    Column::of(&CARRIER_ERRORS),
    Column::of(&TRANSMIT_FIFO_ERRORS),
    Column::of(&NOHANDLER),
    Column::of(&OTHER_HOST),
];

const RTM_GETSTATS: u16 = 94;
const IFLA_STATS_LINK_64: u16 = 1;
/// `struct if_stats_msg`: family, padding, index, filter mask. The mask asks for `IFLA_STATS_LINK_64` alone.
const HEADER: [u8; 12] = {
    let mask = (1u32 << (IFLA_STATS_LINK_64 - 1)).to_ne_bytes();
    [0, 0, 0, 0, 0, 0, 0, 0, mask[0], mask[1], mask[2], mask[3]]
};

fn open(_: &Roots) -> Result<Box<dyn Source>, SourceError> {
    let session = Session::open(Protocol::Route, SOURCE.deadline).map_err(failed)?;
    Ok(Box::new(LinkCounters { session, request: Request::new(RTM_GETSTATS, DUMP, &HEADER) }))
}

fn failed(error: NetlinkError) -> SourceError {
    SourceError::Netlink { what: "asking for link statistics", error }
}

struct LinkCounters {
    session: Session,
    request: Request,
}

impl Source for LinkCounters {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        let links = &context.links;
        let mut block = Block::new(SOURCE.name, context.now, &COLUMNS, links.subjects().clone());
        let mut rows = RowCursor::new(links);
        let end = self
            .session
            .dump(&mut self.request, |message| {
                if let Some(row) = u32_at(message.payload, 4).and_then(|index| rows.row(index)) {
                    parse(message.payload, row, &mut block);
                }
            })
            .map_err(failed)?;
        let mut reading = Reading::of(block);
        if end == Dump::Interrupted {
            // Every row that came is right; one that did not is a gap in this frame.
            reading.problems.push("links changed during the dump of statistics".into());
        }
        Ok(reading)
    }
}

/// A question for one link's statistics.
pub fn request_for(index: Index) -> Request {
    let mut header = HEADER;
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    Request::new(RTM_GETSTATS, 0, &header)
}

/// Received and sent bytes from the payload of RTM_NEWSTATS.
pub fn bytes(payload: &[u8]) -> Option<[u64; 2]> {
    let (fields, _) = statistics(payload)?.as_chunks::<8>();
    let field = |column: usize| fields.get(FIELDS[column]).map(|bytes| u64::from_ne_bytes(*bytes));
    Some([field(BYTE_COLUMNS[0])?, field(BYTE_COLUMNS[1])?])
}

/// Fills a row of this source's block from the payload of RTM_NEWSTATS. Kernels before 5.1 and 6.1 end before the last fields: gaps.
pub fn parse(payload: &[u8], row: usize, block: &mut Block) {
    let Some(statistics) = statistics(payload) else { return };
    let (fields, _) = statistics.as_chunks::<8>();
    let cells = FIELDS.iter().map_while(|at| fields.get(*at));
    block.set_row(row, cells.map(|bytes| Cell::integer(u64::from_ne_bytes(*bytes))));
}

/// `struct rtnl_link_stats64` in the payload. It is the only attribute that was asked for, so it is the first; the
/// walk is for a kernel that does otherwise.
pub fn statistics(payload: &[u8]) -> Option<&[u8]> {
    let first = payload.get(HEADER.len()..)?;
    let [low, high, kind @ ..] = *first.first_chunk::<4>()?;
    if u16::from_ne_bytes(kind) == IFLA_STATS_LINK_64 {
        return first.get(4..usize::from(u16::from_ne_bytes([low, high])));
    }
    attributes(payload, HEADER.len()).find(|a| a.kind == IFLA_STATS_LINK_64).map(|a| a.value)
}

/// Finds rows of a dump. Kernels since 6.9 dump by index, so the next row is nearly always the next in line; older
/// ones dump in hash order and cost a binary search.
struct RowCursor<'a> {
    rows: &'a [(Index, u32)],
    next: usize,
}

impl<'a> RowCursor<'a> {
    fn new(links: &'a Links) -> Self {
        Self { rows: links.by_index(), next: 0 }
    }

    fn row(&mut self, index: Index) -> Option<usize> {
        if self.rows.get(self.next).is_none_or(|(expected, _)| *expected != index) {
            self.next = self.rows.binary_search_by_key(&index, |(i, _)| *i).ok()?;
        }
        let row = self.rows[self.next].1;
        self.next += 1;
        Some(row as usize)
    }
}

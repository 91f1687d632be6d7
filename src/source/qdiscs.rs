//! Queueing disciplines of the exported links, not only the root ones, and the classes of HTB: what passed, what was
//! dropped or held up, what waits, and the rates that they are held to. By RTM_GETQDISC and RTM_GETTCLASS.
//!
//! The kernel lists the qdiscs of all devices or of none, and walks the device list anew for every 32 KiB of the
//! answer, so a whole list of 10,000 links is dear. But it lists devices in the order of their making, physical ones
//! first, and makes the list only as fast as it is received. So the whole is read when something has changed, and
//! otherwise only as far as the last device that matters: 0.4 ms instead of 25 ms where 10,000 veths were made after
//! the one device that has rows. Asking for single qdiscs would not do: each answer goes to
//! everyone who listens for changes of qdiscs (`qdisc_get_notify`, net/sched/sch_api.c).
//!
//! noqueue has no row: it never queues, and the link's own counters say the rest.

use super::contract::{Context, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo};
use super::transport::message::{u32_at, Message, Request, DUMP};
use super::transport::netlink::{Dump, Events, NetlinkError, Protocol, Session};
use crate::sample::link::{Index, Links};
use crate::sample::metric::{Column, Metric, Unit};
use parse::{Queue, TC_HEADER};
use std::time::Duration;
use table::{cells, Table, What};

pub mod parse;
mod table;

/// Queueing disciplines.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "qdiscs",
    help: "Queueing disciplines and HTB classes of the exported links, by RTM_GETQDISC and RTM_GETTCLASS.",
    privilege: "",
    pace: Pace::Near,
    // The kernel lists qdiscs under its RTNL lock, and asks the driver where a qdisc is offloaded.
    lane: Lane::Attributes,
    deadline: Duration::from_secs(2),
    tables: &[&QDISC_COLUMNS, &CLASS_COLUMNS],
    open,
};

macro_rules! metrics {
    ($($name:ident $make:ident $text:literal $unit:ident $help:literal $($more:ident)?;)*) => {
        $(#[doc = $help] pub static $name: Metric = Metric::$make($text, $help, Unit::$unit)$(.$more())?;)*
    };
}

// The kernel keeps drops, overlimits and requeues in 32 bits, and before 5.5 packets too (struct gnet_stats_queue).
metrics! {
    BYTES counter "qdisc_bytes_total" Bytes "Bytes that passed a queueing discipline.";
    PACKETS counter "qdisc_packets_total" None "Packets that passed a queueing discipline." wraps_at_32_bits;
    DROPS counter "qdisc_drops_total" None "Packets dropped by a queueing discipline." wraps_at_32_bits;
    OVERLIMITS counter "qdisc_overlimits_total" None "How often a queueing discipline was over its limit and held packets back." wraps_at_32_bits;
    REQUEUES counter "qdisc_requeues_total" None "Packets put back because the device could not take them." wraps_at_32_bits;
    BACKLOG_BYTES gauge "qdisc_backlog_bytes" Bytes "Bytes waiting in a queueing discipline.";
    BACKLOG_PACKETS gauge "qdisc_backlog_packets" None "Packets waiting in a queueing discipline.";
    RATE gauge "qdisc_rate_bytes_per_second" BytesPerSecond "The rate that a queueing discipline is held to (tbf, netem, cake).";
    FLOW_RATE gauge "qdisc_flow_rate_bytes_per_second" BytesPerSecond "The rate that fq holds every single flow to (maxrate).";
    CLASS_BYTES counter "qdisc_class_bytes_total" Bytes "Bytes that passed a class of a queueing discipline.";
    CLASS_PACKETS counter "qdisc_class_packets_total" None "Packets that passed a class of a queueing discipline." wraps_at_32_bits;
    CLASS_DROPS counter "qdisc_class_drops_total" None "Packets dropped by a class of a queueing discipline." wraps_at_32_bits;
    CLASS_OVERLIMITS counter "qdisc_class_overlimits_total" None "How often a class was over its ceiling and held packets back." wraps_at_32_bits;
    CLASS_REQUEUES counter "qdisc_class_requeues_total" None "Packets of a class put back because the device could not take them." wraps_at_32_bits;
    CLASS_BACKLOG_BYTES gauge "qdisc_class_backlog_bytes" Bytes "Bytes waiting in a class of a queueing discipline.";
    CLASS_BACKLOG_PACKETS gauge "qdisc_class_backlog_packets" None "Packets waiting in a class of a queueing discipline.";
    CLASS_RATE gauge "qdisc_class_rate_bytes_per_second" BytesPerSecond "The rate that an HTB class is assured of.";
    CLASS_CEIL gauge "qdisc_class_ceil_bytes_per_second" BytesPerSecond "The rate that an HTB class may borrow up to.";
}

static QDISC_COLUMNS: [Column; 9] = [
    Column::of(&BYTES),
    Column::of(&PACKETS),
    Column::of(&DROPS),
    Column::of(&OVERLIMITS),
    Column::of(&REQUEUES),
    Column::of(&BACKLOG_BYTES),
    Column::of(&BACKLOG_PACKETS),
    Column::of(&RATE),
    Column::of(&FLOW_RATE),
];

static CLASS_COLUMNS: [Column; 9] = [
    Column::of(&CLASS_BYTES),
    Column::of(&CLASS_PACKETS),
    Column::of(&CLASS_DROPS),
    Column::of(&CLASS_OVERLIMITS),
    Column::of(&CLASS_REQUEUES),
    Column::of(&CLASS_BACKLOG_BYTES),
    Column::of(&CLASS_BACKLOG_PACKETS),
    Column::of(&CLASS_RATE),
    Column::of(&CLASS_CEIL),
];

const RTM_NEWQDISC: u16 = 36;
const RTM_DELQDISC: u16 = 37;
const RTM_GETQDISC: u16 = 38;
const RTM_NEWTCLASS: u16 = 40;
const RTM_DELTCLASS: u16 = 41;
const RTM_GETTCLASS: u16 = 42;
const RTNLGRP_TC: u32 = 4;
/// Not every change is told (a driver that changes its number of queues makes their qdiscs anew in silence).
const RESYNC: Duration = Duration::from_secs(60);
/// Where nothing queues, it is enough to hear of a new discipline after this long.
const REST: Duration = Duration::from_secs(4);
/// What a whole list costs for each link of the host (CHANGELOG.md), and how much of a core it may take to be sure.
const COST_OF_A_LINK: Duration = Duration::from_nanos(2500);
const TEN_THOUSANDTH: u32 = 10_000;

fn open(_: &Roots) -> Result<Box<dyn Source>, SourceError> {
    let events = Events::join(Protocol::Route, &[RTNLGRP_TC]).map_err(failed)?;
    let session = Session::open(Protocol::Route, SOURCE.deadline).map_err(failed)?;
    Ok(Box::new(QdiscSource {
        events,
        session,
        qdiscs: Table::new(What::Qdiscs, &QDISC_COLUMNS, |queue| cells(queue, queue.rate, queue.flow_rate)),
        classes: Table::new(What::Classes, &CLASS_COLUMNS, |queue| cells(queue, queue.rate, queue.ceil)),
        whole: None,
        followed: Vec::new(),
    }))
}

fn failed(error: NetlinkError) -> SourceError {
    SourceError::Netlink { what: "asking for qdiscs", error }
}

struct QdiscSource {
    events: Events,
    session: Session,
    qdiscs: Table,
    classes: Table,
    whole: Option<Whole>,
    /// Links that are not exported and carry a migration: their queues are read for the rules.
    followed: Vec<Index>,
}

/// What is known from the last whole list, as long as it holds.
#[derive(Debug, Clone, Copy)]
struct Whole {
    /// The links that it was read for.
    generation: u64,
    /// When it has to be read anew.
    until: Duration,
    /// The last device in the kernel's order that has a row.
    last: Option<Index>,
}

impl Source for QdiscSource {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        let links = &context.links;
        if self.drain_events(links)? || self.qdiscs.has_missed() || self.classes.has_missed() {
            self.whole = None;
        }
        self.follow(&context.followed.links, links);
        let whole = self.whole.take().filter(|w| w.generation == links.generation && context.now.0 < w.until);
        if whole.is_some() && self.qdiscs.is_empty() {
            self.whole = whole;
            return Ok(Reading { rest: REST, ..Reading::unchanged() });
        }
        let mut problems = Vec::new();
        let (qdiscs, last) = self.read_qdiscs(links, whole.and_then(|w| w.last), &mut problems)?;
        let classes = self.read_classes(&qdiscs, &mut problems)?;
        self.whole = Some(whole.unwrap_or(Whole {
            generation: links.generation,
            until: context.now.0 + RESYNC.max(COST_OF_A_LINK * TEN_THOUSANDTH * links.all().len() as u32),
            last,
        }));
        let blocks = vec![
            self.qdiscs.block(qdiscs, links, &self.followed, SOURCE.name, context.now),
            self.classes.block(classes, links, &self.followed, SOURCE.name, context.now),
        ];
        Ok(Reading { blocks, problems, ..Reading::default() })
    }
}

impl QdiscSource {
    /// Takes over which links beside the exported ones are looked at.
    fn follow(&mut self, followed: &[Index], links: &Links) {
        let hidden: Vec<Index> =
            followed.iter().copied().filter(|index| !is_exported(*index, links)).collect();
        if self.followed != hidden {
            self.followed = hidden;
            self.whole = None;
        }
    }

    /// Whether anything has changed; what was deleted is forgotten.
    fn drain_events(&mut self, links: &Links) -> Result<bool, SourceError> {
        let (qdiscs, classes, mut changed) = (&mut self.qdiscs, &mut self.classes, false);
        let result = self.events.drain(|message| {
            changed |= (RTM_NEWQDISC..=RTM_DELQDISC).contains(&message.kind)
                || (RTM_NEWTCLASS..=RTM_DELTCLASS).contains(&message.kind);
            if let (RTM_DELQDISC | RTM_DELTCLASS, Some((link, handle, parent))) =
                (message.kind, place(message, links))
            {
                classes.forget_classes(link, &qdiscs.forget(link, handle, parent));
            }
        });
        match result {
            Ok(()) => Ok(changed),
            // What was deleted is not known then; a queue that was made anew starts from 0, which breaks its
            // counters' intervals, so its key may stay.
            Err(NetlinkError::Overrun) => Ok(true),
            Err(error) => Err(failed(error)),
        }
    }

    /// The qdiscs of exported links, and the last device that has one. The list is left after `enough`.
    fn read_qdiscs(
        &mut self,
        links: &Links,
        enough: Option<Index>,
        problems: &mut Vec<String>,
    ) -> Result<(Vec<Queue>, Option<Index>), SourceError> {
        let (mut found, mut reached, followed) = (Vec::new(), false, &self.followed);
        let is_wanted = |index: Index| is_exported(index, links) || followed.contains(&index);
        let mut request = Request::new(RTM_GETQDISC, DUMP, &[0; TC_HEADER]);
        let end = self.session.dump_until(&mut request, |message| {
            let index = u32_at(message.payload, 4);
            if reached && index != enough {
                return true;
            }
            reached |= index.is_some() && index == enough;
            if message.kind == RTM_NEWQDISC && index.is_some_and(is_wanted) {
                let queues = parse::kind(message.payload).is_some_and(|kind| !kind.is("noqueue"));
                found.extend(Some(message.payload).filter(|_| queues).and_then(parse::queue));
            }
            false
        });
        if end.map_err(failed)? == Dump::Interrupted {
            problems.push("qdiscs changed while they were listed".into());
        }
        let last = found.last().map(|queue: &Queue| queue.index);
        Ok((found, last))
    }

    /// The classes of every HTB qdisc.
    fn read_classes(
        &mut self,
        qdiscs: &[Queue],
        problems: &mut Vec<String>,
    ) -> Result<Vec<Queue>, SourceError> {
        let mut found = Vec::new();
        for qdisc in qdiscs.iter().filter(|qdisc| qdisc.kind.is("htb") && qdisc.handle != 0) {
            let mut header = [0; TC_HEADER];
            header[4..8].copy_from_slice(&qdisc.index.to_ne_bytes());
            header[12..16].copy_from_slice(&qdisc.handle.to_ne_bytes());
            let end = self.session.dump(&mut Request::new(RTM_GETTCLASS, DUMP, &header), |message| {
                if message.kind == RTM_NEWTCLASS {
                    found.extend(parse::queue(message.payload).filter(|class| class.kind == qdisc.kind));
                }
            });
            match end {
                Ok(Dump::Interrupted) => problems.push("classes changed while they were listed".into()),
                Ok(_) => {}
                Err(error @ NetlinkError::Kernel(_)) => problems.push(format!("asking for classes: {error}")),
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(found)
    }
}

fn is_exported(index: Index, links: &Links) -> bool {
    links.row(index).is_some_and(|row| row < links.exported().len())
}

/// Link, handle and parent of the qdisc or class that a message speaks of.
fn place(message: &Message<'_>, links: &Links) -> Option<(u64, u32, u32)> {
    let link = links.get(u32_at(message.payload, 4)?)?;
    Some((link.key, u32_at(message.payload, 8)?, u32_at(message.payload, 12)?))
}

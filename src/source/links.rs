//! The links of the namespace and their attributes: one RTM_GETLINK dump, then the kernel's events.
//!
//! An event only says which device to look at; what it has become is asked of the kernel, because events may be
//! partial (AF_BRIDGE, wireless) and an absent master in one is not proof that there is none.

use super::contract::{Context, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo};
use super::transport::message::{u32_at, Message, Request, DUMP};
use super::transport::netlink::{Dump, Events, NetlinkError, Protocol, Session};
use crate::sample::link::{Index, Link};
use crate::sample::subject::Key;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

mod bus;
mod parse;

/// Links and their attributes.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "links",
    help: "Links and their attributes, by RTM_GETLINK, RTM_GETADDR and their events.",
    privilege: "",
    pace: Pace::Tick,
    lane: Lane::Counters,
    deadline: DEADLINE,
    // What it reads becomes `link_info`, `link_up` and the like once topology has given every link its role.
    tables: &[],
    open,
};

const DEADLINE: Duration = Duration::from_secs(5);
/// Links are asked one by one up to here; beyond, one dump of all is cheaper.
const ONE_BY_ONE: usize = 32;
/// How often an interrupted dump is tried again before it is taken as it is.
const TRIES: u32 = 3;
/// Events can be lost only with `ENOBUFS`, which is noticed; this is belt and braces.
const RESYNC: Duration = Duration::from_secs(60);
/// A full reading is repeated at most after this many times its own length: a thousandth of a core.
const THOUSANDTH: u32 = 1000;

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_GETADDR: u16 = 22;
const RTNLGRP_LINK: u32 = 1;
const RTNLGRP_IPV4_IFADDR: u32 = 5;
const RTNLGRP_IPV6_IFADDR: u32 = 9;
const IFLA_EXT_MASK: u16 = 29;
/// `RTEXT_FILTER_SKIP_STATS`: half of a GETLINK answer is statistics that `link_counters` reads cheaper.
const SKIP_STATS: u32 = 1 << 3;
const AF_BRIDGE: u8 = 7;
/// `sizeof(struct ifinfomsg)`.
const LINK_HEADER: usize = 16;
/// `sizeof(struct ifaddrmsg)`.
const ADDRESS_HEADER: usize = 8;

fn open(_: &Roots) -> Result<Box<dyn Source>, SourceError> {
    // Events are joined before the first dump, so nothing falls between the two.
    let events = Events::join(&[RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR]).map_err(failed)?;
    let session = Session::open(Protocol::Route, DEADLINE).map_err(failed)?;
    Ok(Box::new(LinkSource { events, session, known: BTreeMap::new(), next_key: 1, next_resync: None }))
}

fn failed(error: NetlinkError) -> SourceError {
    SourceError::Netlink { what: "asking for links", error }
}

struct LinkSource {
    events: Events,
    session: Session,
    known: BTreeMap<Index, Link>,
    next_key: Key,
    next_resync: Option<Duration>,
}

/// What the events of one tick ask for.
#[derive(Default)]
struct Touched {
    links: BTreeSet<Index>,
    gone: BTreeSet<Index>,
    addresses: bool,
    everything: bool,
}

impl Source for LinkSource {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        let mut touched = self.drain_events()?;
        touched.everything |= self.next_resync.is_none_or(|at| context.now.0 >= at);
        if !touched.everything && touched.links.is_empty() && !touched.addresses {
            return Ok(Reading::unchanged());
        }
        // A device that was deleted and made again between two ticks is another device, even under its old name.
        self.known.retain(|index, _| !touched.gone.contains(index));
        let before = self.known.clone();
        let mut problems = Vec::new();
        if touched.everything || touched.links.len() > ONE_BY_ONE {
            self.read_all(&context.roots, &mut problems)?;
            self.next_resync = Some(context.now.0 + RESYNC.max(cost_of(self.known.len()) * THOUSANDTH));
        } else {
            for index in &touched.links {
                self.read_one(*index, &context.roots)?;
            }
        }
        self.read_addresses()?;
        if self.known == before && touched.gone.is_empty() && problems.is_empty() && !before.is_empty() {
            return Ok(Reading::unchanged());
        }
        Ok(Reading { links: Some(self.known.values().cloned().collect()), problems, ..Reading::default() })
    }
}

/// What a full reading costs, from measurements of RTM_GETLINK with this parser (CHANGELOG.md): the clock is not
/// read here.
fn cost_of(links: usize) -> Duration {
    Duration::from_micros(15) * links as u32
}

impl LinkSource {
    fn drain_events(&mut self) -> Result<Touched, SourceError> {
        let mut touched = Touched::default();
        let result = self.events.drain(|message| touched.note(message));
        match result {
            Ok(()) => {}
            Err(NetlinkError::Overrun) => touched.everything = true,
            Err(error) => return Err(failed(error)),
        }
        Ok(touched)
    }

    fn read_all(&mut self, roots: &Roots, problems: &mut Vec<String>) -> Result<(), SourceError> {
        for _ in 0..TRIES {
            let mut seen = Vec::new();
            let mut request = link_request(0, DUMP);
            let end =
                self.session.dump(&mut request, |m| seen.extend(parse::link(m.payload))).map_err(failed)?;
            let present: BTreeSet<Index> = seen.iter().map(|link| link.index).collect();
            self.known.retain(|index, _| present.contains(index));
            for link in seen {
                self.take(link, roots);
            }
            if end == Dump::Whole {
                return Ok(());
            }
        }
        problems.push("links changed during every dump; some may be missing until the next".into());
        self.next_resync = None;
        Ok(())
    }

    fn read_one(&mut self, index: Index, roots: &Roots) -> Result<(), SourceError> {
        let mut found = None;
        match self.session.ask(&mut link_request(index, 0), |m| found = parse::link(m.payload)) {
            Ok(()) => {}
            Err(error) if error.is_gone() => {}
            Err(error) => return Err(failed(error)),
        }
        match found {
            Some(link) => self.take(link, roots),
            None => {
                self.known.remove(&index);
            }
        }
        Ok(())
    }

    /// Puts a link among the known ones. Under a new name, or on another bus, it is a new link with a new key.
    fn take(&mut self, mut link: Link, roots: &Roots) {
        match self.known.get(&link.index) {
            Some(known) if known.name == link.name => {
                link.key = known.key;
                link.addresses.clone_from(&known.addresses);
            }
            _ => {
                link.key = self.next_key;
                self.next_key += 1;
            }
        }
        bus::describe(&mut link, roots);
        self.known.insert(link.index, link);
    }

    fn read_addresses(&mut self) -> Result<(), SourceError> {
        let mut found: Vec<(Index, IpAddr)> = Vec::new();
        let mut request = Request::new(RTM_GETADDR, DUMP, &[0; ADDRESS_HEADER]);
        self.session.dump(&mut request, |m| found.extend(parse::address(m.payload))).map_err(failed)?;
        for link in self.known.values_mut() {
            link.addresses.clear();
        }
        for (index, address) in found {
            if let Some(link) = self.known.get_mut(&index) {
                link.addresses.push(address);
            }
        }
        Ok(())
    }
}

impl Touched {
    fn note(&mut self, message: &Message<'_>) {
        let family = message.payload.first().copied().unwrap_or(0);
        match message.kind {
            RTM_NEWLINK | RTM_DELLINK => {
                let Some(index) = u32_at(message.payload, 4) else { return };
                self.links.insert(index);
                // A bridge tells of a port that left it with DELLINK too; the device itself lives on.
                if message.kind == RTM_DELLINK && family != AF_BRIDGE {
                    self.gone.insert(index);
                }
            }
            RTM_NEWADDR | RTM_DELADDR => self.addresses = true,
            _ => {}
        }
    }
}

fn link_request(index: Index, flags: u16) -> Request {
    let mut header = [0; LINK_HEADER];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    Request::new(RTM_GETLINK, flags, &header).with(IFLA_EXT_MASK, &SKIP_STATS.to_ne_bytes())
}

//! The links of the namespace and their attributes: one RTM_GETLINK dump, then the kernel's events.
//!
//! An event only says which device to look at; what it has become is asked of the kernel, because events may be
//! partial (AF_BRIDGE, wireless) and an absent master in one is not proof that there is none.

use super::contract::{Context, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo};
use super::transport::message::{u32_at, Message, Request, DUMP};
use super::transport::netlink::{Dump, Events, NetlinkError, Protocol, Session};
use crate::sample::link::{Index, Link};
use crate::sample::subject::Key;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

mod bus;
pub mod parse;

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
const TEN_THOUSANDTH: u32 = 10_000;

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
    let events = Events::join(Protocol::Route, &[RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR])
        .map_err(failed)?;
    let session = Session::open(Protocol::Route, DEADLINE).map_err(failed)?;
    Ok(Box::new(LinkSource {
        events,
        session,
        known: BTreeMap::new(),
        next_key: 1,
        next_resync: None,
        addresses_due: true,
        changed: true,
    }))
}

fn failed(error: NetlinkError) -> SourceError {
    SourceError::Netlink { what: "asking for links", error }
}

struct LinkSource {
    events: Events,
    session: Session,
    /// In boxes, because a map's nodes are half empty.
    known: BTreeMap<Index, Box<Link>>,
    next_key: Key,
    /// `None`: at once.
    next_resync: Option<Duration>,
    /// An address changed, or a link came whose addresses nobody has asked for yet.
    addresses_due: bool,
    /// Something is known that has not been told yet.
    changed: bool,
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
        // An error on the way loses what the events told, so everything is due until all of it has been read.
        let due = self.next_resync.take();
        let touched = self.drain_events()?;
        let everything = touched.everything || due.is_none_or(|at| context.now.0 >= at);
        if !everything && touched.links.is_empty() && !touched.addresses {
            self.next_resync = due;
            return Ok(Reading::unchanged());
        }
        // A device that was deleted and made again between two ticks is another device, even under its old name.
        touched.gone.iter().for_each(|index| self.remove(*index));
        let mut problems = Vec::new();
        if everything || touched.links.len() > ONE_BY_ONE {
            self.read_all(&context.roots, &mut problems)?;
        } else {
            for index in &touched.links {
                self.read_one(*index, &context.roots)?;
            }
        }
        self.addresses_due |= everything || touched.addresses;
        if self.addresses_due {
            self.read_addresses(&mut problems)?;
        }
        if problems.is_empty() {
            let next = context.now.0 + RESYNC.max(cost_of(self.known.len()) * TEN_THOUSANDTH);
            self.next_resync = due.filter(|_| !everything).or(Some(next));
        }
        Ok(self.told(problems))
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

    /// The reading, if it tells anything new.
    fn told(&mut self, problems: Vec<String>) -> Reading {
        if self.changed {
            self.remove_stale_names();
        }
        if !self.changed && problems.is_empty() {
            return Reading::unchanged();
        }
        let links = std::mem::take(&mut self.changed)
            .then(|| self.known.values().map(|link| Link::clone(link)).collect());
        Reading { links, problems, ..Reading::default() }
    }

    fn read_all(&mut self, roots: &Roots, problems: &mut Vec<String>) -> Result<(), SourceError> {
        for _ in 0..TRIES {
            let mut seen = Vec::new();
            let mut request = link_request(0, DUMP);
            let end =
                self.session.dump(&mut request, |m| seen.extend(parse::link(m.payload))).map_err(failed)?;
            let present: BTreeSet<Index> = seen.iter().map(|link| link.index).collect();
            for link in seen {
                self.take(link, roots);
            }
            // Only a whole list proves that a link is not there any more.
            if end == Dump::Whole {
                let count = self.known.len();
                self.known.retain(|index, _| present.contains(index));
                self.changed |= self.known.len() != count;
                return Ok(());
            }
        }
        problems.push("links changed during every dump; some may be missing until the next".into());
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
            None => self.remove(index),
        }
        Ok(())
    }

    /// Puts a link among the known ones. Under a new name it is a new link with a new key.
    fn take(&mut self, mut link: Link, roots: &Roots) {
        bus::describe(&mut link, roots);
        match self.known.get(&link.index) {
            Some(known) if known.name == link.name => {
                link.key = known.key;
                link.addresses.clone_from(&known.addresses);
                if **known == link {
                    return;
                }
            }
            _ => {
                link.key = self.next_key;
                self.next_key += 1;
                self.addresses_due = true;
            }
        }
        self.changed = true;
        self.known.insert(link.index, Box::new(link));
    }

    fn remove(&mut self, index: Index) {
        self.changed |= self.known.remove(&index).is_some();
    }

    /// No two links have one name at one moment. If two are known under one, because they were renamed while they
    /// were asked one after the other, the one that took the name later has it; the other's event is still to come.
    fn remove_stale_names(&mut self) {
        let mut newest: HashMap<&str, Key> = HashMap::with_capacity(self.known.len());
        for link in self.known.values() {
            let key = newest.entry(&link.name).or_default();
            *key = link.key.max(*key);
        }
        if newest.len() < self.known.len() {
            let keys: BTreeSet<Key> = newest.into_values().collect();
            self.known.retain(|_, link| keys.contains(&link.key));
        }
    }

    fn read_addresses(&mut self, problems: &mut Vec<String>) -> Result<(), SourceError> {
        let mut found: BTreeMap<Index, Vec<IpAddr>> = BTreeMap::new();
        let mut request = Request::new(RTM_GETADDR, DUMP, &[0; ADDRESS_HEADER]);
        let mut end = Dump::Interrupted;
        for _ in 0..TRIES {
            found.clear();
            let each = |message: &Message<'_>| {
                if let Some((index, address)) = parse::address(message.payload) {
                    found.entry(index).or_default().push(address);
                }
            };
            end = self.session.dump(&mut request, each).map_err(failed)?;
            if end == Dump::Whole {
                break;
            }
        }
        if end != Dump::Whole {
            problems.push("addresses changed during every dump; they are as before until the next".into());
            return Ok(());
        }
        for link in self.known.values_mut() {
            let addresses = found.remove(&link.index).unwrap_or_default();
            self.changed |= link.addresses != addresses;
            link.addresses = addresses;
        }
        self.addresses_due = false;
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

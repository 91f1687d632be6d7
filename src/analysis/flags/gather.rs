//! From the newest tables and what happened of late to the state of one link.

use super::history::{Counter, History};
use super::shapers::Shapers;
use super::state::{
    Backlog, Below, Bond, Buffers, Faster, LinkState, Member, Rdma, Recent, Ring, Seen, Slot, Usage,
};
use super::storage_usage::ByLink;
use super::tables::Tables;
use crate::analysis::migrations::migration::Migration;
use crate::sample::link::{Index, Link, Links, Role};
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::Key;
use crate::source::{bonding, link_modes, pcie, rdma::fields as rdma, rings, softnet, sysctls};
use crate::topology::roles::Patterns;
use crate::topology::{description, path};
use std::collections::HashMap;
use std::time::Duration;

/// A link that moves less than this share of its speed is idle (our choice).
const IDLE: f64 = 0.1;

/// A migration, as far as links are concerned.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Passed {
    /// The links that it went over.
    pub links: Vec<Index>,
    /// When it began.
    pub began: Monotonic,
    /// What is known of it.
    pub seen: Seen,
}

impl Passed {
    /// What links keep of a migration.
    pub fn of(migration: &Migration) -> Self {
        Self {
            links: migration.path.links.clone(),
            began: migration.began,
            seen: Seen {
                vm: migration.vm.clone(),
                peer: migration.peer.clone(),
                cap: migration.limits.max_bandwidth,
                channels: migration.channels,
            },
        }
    }

    /// Whether it is what `of` would make.
    pub fn is_of(&self, migration: &Migration) -> bool {
        let seen = &self.seen;
        (self.began, seen.cap, seen.channels)
            == (migration.began, migration.limits.max_bandwidth, migration.channels)
            && self.links == migration.path.links
            && seen.vm == migration.vm
            && seen.peer == migration.peer
    }
}

/// All that links are judged by.
pub struct Around<'a> {
    /// The links.
    pub links: &'a Links,
    /// The newest tables.
    pub tables: &'a Tables,
    /// What happened of late.
    pub history: &'a History,
    /// What holds links to a rate.
    pub shapers: &'a Shapers,
    /// Migrations of late.
    pub passed: &'a [Passed],
    /// The shortest round trips of migrations.
    pub round_trips: &'a HashMap<Key, Duration>,
    /// The names of links that are meant for migrations; none if nobody has said.
    pub dedicated: &'a Patterns,
    /// Storage connections.
    pub storage: ByLink,
    /// The same for all links.
    pub host: Host,
}

/// What is the same for all links.
#[derive(Debug, Clone, Copy, Default)]
pub struct Host {
    buffers: Buffers,
    backlog: Option<Backlog>,
}

impl Host {
    /// From the newest tables.
    pub fn of(tables: &Tables, history: &History) -> Self {
        let triple = |metric| {
            let number = |limit| tables.of_host(metric, Some(limit));
            Some([number("min")?, number("default")?, number("max")?])
        };
        let flag = |metric| tables.of_host(metric, None).map(|value| value != 0);
        let buffers = Buffers {
            send: triple(&sysctls::TCP_WMEM),
            receive: triple(&sysctls::TCP_RMEM),
            window_scaling: flag(&sysctls::WINDOW_SCALING),
            receive_grows: flag(&sysctls::MODERATE_RCVBUF),
        };
        let backlog = tables.column(&softnet::DROPPED, None).map(|_| Backlog {
            dropped: history.total(tables, Counter::BacklogDrops),
            processed: history.total(tables, Counter::Processed),
            steered: history.total(tables, Counter::Steered) > 0,
            limit: tables.of_host(&sysctls::MAX_BACKLOG, None),
        });
        Self { buffers, backlog }
    }
}

impl Around<'_> {
    /// The state of an exported link.
    pub fn state(&self, place: usize) -> LinkState {
        let link = &self.links.all()[place];
        let number = |metric| self.tables.number(metric, None, place);
        let ring = |metric| self.tables.number(metric, Some("rx"), place);
        let lanes = number(&pcie::WIDTH).zip(number(&pcie::WIDTH_MAX));
        let duplex = self.tables.label(&description::INFO, place, "duplex");
        let speed = number(&link_modes::SPEED);
        let passed = self.last_passed(link.index);
        LinkState {
            name: link.name.clone(),
            kind: link.kind.clone().into_owned(),
            hardware: is_hardware(link),
            addressed: is_addressed(link),
            speed,
            nominal: !link.has_real_speed() || !link.has_real_modes(),
            best_speed: number(&link_modes::SPEED_MAX).filter(|_| link.has_real_modes()),
            half_duplex: duplex.filter(|word| word != "unknown").map(|word| word == "half"),
            ring: ring(&rings::ENTRIES).zip(ring(&rings::ENTRIES_MAX)).map(|(now, most)| Ring { now, most }),
            mtu: link.mtu,
            below: self.below(link),
            slot: number(&pcie::BANDWIDTH).map(|now| Slot {
                now,
                most: number(&pcie::BANDWIDTH_MAX),
                narrow: lanes.map(|(now, most)| now < most),
            }),
            bond: self.bond(link),
            rdma: self.rdma(link),
            shaper: self.shapers.of(&link.name),
            buffers: self.host.buffers,
            round_trip: self.round_trips.get(&link.key).copied(),
            backlog: self.host.backlog,
            storage: self.storage.as_ref().map(|found| found.get(&link.index).cloned().unwrap_or_default()),
            seen: passed.map(|passed| passed.seen.clone()),
            faster: passed.and_then(|passed| self.faster(self.reach(place)?, &passed.links)),
            recent: self.recent(place, link.key),
        }
    }

    fn last_passed(&self, link: Index) -> Option<&Passed> {
        let over = self.passed.iter().filter(|passed| passed.links.contains(&link));
        over.max_by_key(|passed| passed.began)
    }

    fn below(&self, link: &Link) -> Vec<Below> {
        let below = path::below(link, None, self.links);
        let links = below.iter().filter_map(|index| self.links.get(*index));
        links.map(|link| Below { name: link.name.clone(), mtu: link.mtu }).collect()
    }

    fn recent(&self, place: usize, key: Key) -> Recent {
        let sum = |counter| self.history.sum(self.tables, counter, place);
        let missed = sum(Counter::Missed).filter(|missed| *missed > 0);
        let usage = |counter| {
            let (p95, median) = self.history.percentiles(counter, key)?;
            Some(Usage { p95, median })
        };
        let others = usage(Counter::ReceiveBytes).zip(usage(Counter::TransmitBytes));
        let (crc, fcs) = (sum(Counter::CrcErrors), sum(Counter::FcsErrors));
        Recent {
            time: self.history.time(),
            watched: self.history.watched(),
            packets: sum(Counter::Packets),
            // Many drivers never count `rx_missed_errors`: a 0 there says nothing.
            overflows: sum(Counter::RingOverflows).or(missed),
            wire_errors: crc.max(fcs),
            carrier_changes: sum(Counter::CarrierChanges),
            pauses_received: sum(Counter::PausesReceived),
            pauses_sent: sum(Counter::PausesSent),
            uncorrectable: sum(Counter::Uncorrectable),
            too_long: sum(Counter::TooLong),
            others: others.map(|(received, sent)| [received, sent]),
        }
    }

    fn bond(&self, link: &Link) -> Option<Bond> {
        if !matches!(&*link.kind, "bond" | "team") {
            return None;
        }
        let (info, _) = self.tables.column(&bonding::INFO, None)?;
        let of_link = |row: &usize| info.subjects.label(*row, "device").is_some_and(|name| name == link.name);
        let row = (0..info.rows()).find(of_link)?;
        let word = |name| info.subjects.label(row, name).unwrap_or_default();
        let (members, up) = self.tables.column(&bonding::MEMBER_UP, None)?;
        let (_, active) = self.tables.column(&bonding::ACTIVE, None)?;
        let of_link =
            |row: &usize| members.subjects.label(*row, "device").is_some_and(|name| name == link.name);
        let member = |row: usize| {
            let flag = |column| members.cell(column, row).as_integer().map(|value| value != 0);
            let name = members.subjects.label(row, "member").unwrap_or_default();
            let place = self.links.exported().iter().position(|link| link.name == name);
            let speed = place.and_then(|place| self.tables.number(&link_modes::SPEED, None, place));
            Member { name, up: flag(up), active: flag(active), speed }
        };
        let members = (0..members.rows()).filter(of_link).map(member).collect();
        Some(Bond { mode: word("mode"), hash_policy: word("hash_policy"), members })
    }

    fn rdma(&self, link: &Link) -> Option<Rdma> {
        let (block, active) = self.tables.column(&rdma::ACTIVE, None)?;
        let of_link =
            |row: &usize| block.subjects.label(*row, "device").is_some_and(|name| name == link.name);
        let row = (0..block.rows()).find(of_link)?;
        let number = |metric| {
            let (block, column) = self.tables.column(metric, None)?;
            block.cell(column, row).as_integer()
        };
        let grown = |counter| self.history.sum_at(self.tables, counter, row);
        let losses = [Counter::OutOfBuffer, Counter::SequenceErrors, Counter::Timeouts].map(grown);
        let packets = [Counter::RdmaSent, Counter::RdmaReceived].map(grown);
        Some(Rdma {
            device: block.subjects.label(row, "rdma_device").unwrap_or_default(),
            active: block.cell(active, row).as_integer() == Some(1),
            rate: number(&rdma::RATE),
            notifications: grown(Counter::Notifications),
            lost: losses.iter().any(Option::is_some).then(|| losses.iter().flatten().sum()),
            packets: packets.into_iter().flatten().sum(),
        })
    }

    /// The fastest link beside those of a path that has an address and rests, and is meant for migrations, or else is a wire or
    /// stands on one.
    fn faster(&self, than: u64, beside: &[Index]) -> Option<Faster> {
        let is_meant = |link: &Link| self.dedicated.matches(&link.name);
        let is_beside = |link: &Link| beside.contains(&link.index);
        if self.links.all().iter().any(|link| is_beside(link) && is_meant(link)) {
            return None;
        }
        let places = self.links.exported().iter().enumerate();
        let fit = places.filter(|(_, link)| {
            is_addressed(link)
                && link.oper_up
                && !is_beside(link)
                && (is_meant(link) || self.is_on_a_wire(link))
        });
        let rested = fit.filter_map(|(place, link)| {
            let speed = self.reach(place).filter(|speed| *speed > than)?;
            let used = |counter| self.history.percentiles(counter, link.key).map(|(p95, _)| p95);
            let most = used(Counter::ReceiveBytes)?.max(used(Counter::TransmitBytes)?);
            let faster = || Faster { name: link.name.clone(), speed, meant: is_meant(link) };
            (most < IDLE * speed as f64).then(faster)
        });
        rested.max_by_key(|faster| (faster.meant, faster.speed))
    }

    /// What a link gives, bytes a second: its speed, or the rate that a queueing discipline holds it to.
    fn reach(&self, place: usize) -> Option<u64> {
        let speed = self.tables.number(&link_modes::SPEED, None, place)?;
        let shaped = self.shapers.of(&self.links.all()[place].name).and_then(|shaper| shaper.rate);
        Some(shaped.map_or(speed, |rate| speed.min(rate)))
    }

    /// A virtual link's speed is a name.
    fn is_on_a_wire(&self, link: &Link) -> bool {
        let solid = |link: &Link| is_hardware(link) || matches!(&*link.kind, "bond" | "team");
        let lower = link.lower.and_then(|index| self.links.get(index));
        solid(link) || (link.kind == "vlan" && lower.is_some_and(solid))
    }
}

/// The links that have RDMA ports.
pub fn rdma_devices(tables: &Tables) -> Vec<String> {
    let rows = tables
        .column(&rdma::ACTIVE, None)
        .into_iter()
        .flat_map(|(block, _)| (0..block.rows()).filter_map(|row| block.subjects.label(row, "device")));
    rows.collect()
}

fn is_hardware(link: &Link) -> bool {
    link.role == Role::Physical && link.hardware.is_some()
}

/// Whether connections end on it; every link that is up has an IPv6 link-local address, which says nothing.
fn is_addressed(link: &Link) -> bool {
    link.addresses.iter().any(|address| match address {
        std::net::IpAddr::V4(_) => true,
        std::net::IpAddr::V6(address) => !address.is_unicast_link_local(),
    })
}

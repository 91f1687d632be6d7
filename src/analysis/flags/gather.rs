//! From the newest tables and what happened of late to the state of one link.

use super::history::{Counter, History};
use super::shapers::Shapers;
use super::state::{
    Backlog, Below, Bond, Buffers, Faster, LinkState, Member, Rdma, Recent, Ring, Seen, Slot, Usage,
};
use super::tables::Tables;
use crate::sample::link::{Index, Link, Links, Role};
use crate::sample::metric::Metric;
use crate::sample::subject::Key;
use crate::source::{
    bonding, driver_statistics, ethernet_statistics, fec, link_counters, link_modes, pause, pcie,
    rdma::fields as rdma, rings, softnet, sysctls,
};
use crate::topology::{description, path};
use std::collections::HashMap;
use std::time::Duration;

/// A link that moves less than this share of its speed is idle (our choice).
const IDLE: f64 = 0.1;

/// A migration, as far as links are concerned.
#[derive(Debug, Clone, Default)]
pub struct Passed {
    /// The links that it went over.
    pub links: Vec<Index>,
    /// What is known of it.
    pub seen: Seen,
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
    /// Migrations of late, newest first.
    pub passed: &'a [Passed],
    /// The shortest round trips of migrations.
    pub round_trips: &'a HashMap<Key, Duration>,
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
            dropped: history.total(Counter::BacklogDrops),
            processed: history.total(Counter::Processed),
            steered: history.total(Counter::Steered) > 0,
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
        let passed = self.passed.iter().find(|passed| passed.links.contains(&link.index));
        LinkState {
            name: link.name.clone(),
            kind: link.kind.clone().into_owned(),
            hardware: is_hardware(link),
            addressed: is_addressed(link),
            speed,
            best_speed: number(&link_modes::SPEED_MAX),
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
            storage: None,
            seen: passed.map(|passed| passed.seen.clone()),
            faster: passed.and_then(|passed| self.faster(speed?, &passed.links)),
            recent: self.recent(place, link.key),
        }
    }

    fn below(&self, link: &Link) -> Vec<Below> {
        let below = path::below(link, None, self.links);
        let links = below.iter().filter_map(|index| self.links.get(*index));
        links.map(|link| Below { name: link.name.clone(), mtu: link.mtu }).collect()
    }

    fn recent(&self, place: usize, key: Key) -> Recent {
        let sum = |metric: &'static Metric, counter| {
            self.tables.number(metric, None, place).map(|_| self.history.sum(counter, key))
        };
        let missed = sum(&link_counters::MISSED, Counter::Missed).filter(|missed| *missed > 0);
        let usage = |counter| {
            let (p95, median) = self.history.percentiles(counter, key)?;
            Some(Usage { p95, median })
        };
        let others = usage(Counter::ReceiveBytes).zip(usage(Counter::TransmitBytes));
        let crc = sum(&link_counters::CRC_ERRORS, Counter::CrcErrors);
        let fcs = sum(&ethernet_statistics::FCS_ERRORS, Counter::FcsErrors);
        Recent {
            time: self.history.time(),
            packets: sum(&link_counters::RECEIVE_PACKETS, Counter::Packets),
            // Many drivers never count `rx_missed_errors`: a 0 there says nothing.
            overflows: sum(&driver_statistics::RING_OVERFLOWS, Counter::RingOverflows).or(missed),
            wire_errors: crc.max(fcs),
            carrier_changes: sum(&description::CARRIER_CHANGES, Counter::CarrierChanges),
            pauses_received: sum(&pause::RECEIVED, Counter::PausesReceived),
            pauses_sent: sum(&pause::SENT, Counter::PausesSent),
            uncorrectable: sum(&fec::UNCORRECTABLE_BLOCKS, Counter::Uncorrectable),
            too_long: sum(&ethernet_statistics::TOO_LONG, Counter::TooLong),
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
        let key = block.subjects.keys()[row];
        let number = |metric| {
            let (block, column) = self.tables.column(metric, None)?;
            block.cell(column, row).as_integer()
        };
        let grown = |metric, counter| number(metric).map(|_| self.history.sum(counter, key));
        let losses = [
            grown(&rdma::OUT_OF_BUFFER, Counter::OutOfBuffer),
            grown(&rdma::SEQUENCE_ERRORS, Counter::SequenceErrors),
            grown(&rdma::ACK_TIMEOUTS, Counter::Timeouts),
        ];
        let sent = self.history.sum(Counter::RdmaSent, key);
        Some(Rdma {
            device: block.subjects.label(row, "rdma_device").unwrap_or_default(),
            active: block.cell(active, row).as_integer() == Some(1),
            rate: number(&rdma::RATE),
            notifications: grown(&rdma::CNP_HANDLED, Counter::Notifications),
            lost: losses.iter().any(Option::is_some).then(|| losses.iter().flatten().sum()),
            packets: sent + self.history.sum(Counter::RdmaReceived, key),
        })
    }

    /// The fastest link beside those of a path that is a wire, or stands on one, has an address, and rests.
    fn faster(&self, than: u64, beside: &[Index]) -> Option<Faster> {
        let places = self.links.exported().iter().enumerate();
        let fit = places.filter(|(_, link)| {
            is_addressed(link) && link.oper_up && !beside.contains(&link.index) && self.is_on_a_wire(link)
        });
        let rested = fit.filter_map(|(place, link)| {
            let speed = self.tables.number(&link_modes::SPEED, None, place).filter(|speed| *speed > than)?;
            let used = |counter| self.history.percentiles(counter, link.key).map(|(p95, _)| p95);
            let most = used(Counter::ReceiveBytes)?.max(used(Counter::TransmitBytes)?);
            (most < IDLE * speed as f64).then(|| Faster { name: link.name.clone(), speed })
        });
        rested.max_by_key(|faster| faster.speed)
    }

    /// A virtual link's speed is a name.
    fn is_on_a_wire(&self, link: &Link) -> bool {
        let solid = |link: &Link| is_hardware(link) || matches!(&*link.kind, "bond" | "team");
        let lower = link.lower.and_then(|index| self.links.get(index));
        solid(link) || (link.kind == "vlan" && lower.is_some_and(solid))
    }
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

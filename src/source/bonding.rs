//! Bonds and teams: how they spread traffic, which members they have, and which of those carry it.
//!
//! Bonds tell all by RTM_GETLINK (drivers/net/bonding/bond_netlink.c). Of a team only the membership is told here,
//! from the links themselves: its modes live in a generic netlink family of options that only teamd writes.
//!
//! A bond's speed is the sum of those of its members that carry traffic (`bond_ethtool_get_link_ksettings`,
//! drivers/net/bonding/bond_main.c). When LACP takes one in, seconds after its carrier came, no event says so: it is seen
//! here, and link modes are asked again.

use super::contract::{Context, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo};
use super::link_modes;
use super::rows::{KeptSubjects, Keys};
use super::transport::message::Request;
use super::transport::netlink::{NetlinkError, Protocol, Session};
use crate::sample::link::{Index, Link, Links};
use crate::sample::metric::{Column, Metric, Unit};
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::Key;
use parse::{Bond, Member};
use std::time::Duration;

mod parse;
mod tables;

/// Bonds and teams.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "bonding",
    help: "Modes and members of bonds, by RTM_GETLINK, and members of teams.",
    privilege: "",
    pace: Pace::Change(Duration::from_secs(10)),
    lane: Lane::Attributes,
    deadline: Duration::from_secs(2),
    tables: &[&BOND_COLUMNS, &INFO_COLUMNS, &MEMBER_COLUMNS],
    open,
};

macro_rules! metrics {
    ($($name:ident $kind:ident $text:literal $help:literal;)*) => {
        $(#[doc = $help] pub static $name: Metric = Metric::$kind($text, $help, Unit::None);)*
    };
}

metrics! {
    MEMBERS gauge "bond_members" "Members of the bond or team.";
    MEMBERS_UP gauge "bond_members_up" "Members of the bond whose link is up by the bond's own monitoring; of a team: that are operational.";
    MEMBERS_ACTIVE gauge "bond_members_active" "Members of the bond that carry its traffic now.";
    MEMBER_UP gauge "bond_member_up" "Whether the member's link is up by the bond's own monitoring; of a team: whether it is operational.";
    ACTIVE gauge "bond_active" "Whether the member carries the bond's traffic now; with LACP: whether it is in the active aggregator.";
    FAILURES counter "bond_member_link_failures_total" "Times that the bond saw the member's link fail.";
}

/// What is known of a bond.
pub static INFO: Metric = Metric::info(
    "bond_info",
    "A bond or team: mode, transmit hash policy and LACP rate where the mode uses them, primary member.",
);

static BOND_COLUMNS: [Column; 3] =
    [Column::of(&MEMBERS), Column::of(&MEMBERS_UP), Column::of(&MEMBERS_ACTIVE)];
static INFO_COLUMNS: [Column; 1] = [Column::of(&INFO)];
static MEMBER_COLUMNS: [Column; 3] = [Column::of(&MEMBER_UP), Column::of(&ACTIVE), Column::of(&FAILURES)];

const RTM_GETLINK: u16 = 18;
const IFLA_EXT_MASK: u16 = 29;
/// `RTEXT_FILTER_SKIP_STATS`: only attributes are wanted.
const SKIP_STATS: u32 = 1 << 3;
/// `sizeof(struct ifinfomsg)`.
const LINK_HEADER: usize = 16;

fn open(_: &Roots) -> Result<Box<dyn Source>, SourceError> {
    let session = Session::open(Protocol::Route, SOURCE.deadline).map_err(failed)?;
    Ok(Box::new(Bonding { session, tables: Tables::default() }))
}

fn failed(error: NetlinkError) -> SourceError {
    SourceError::Netlink { what: "asking for a bond", error }
}

struct Bonding {
    session: Session,
    tables: Tables,
}

/// What is kept of the tables from one reading to the next.
#[derive(Default)]
struct Tables {
    keys: Keys,
    subjects: [KeptSubjects; 3],
    /// Which members carried each bond's traffic.
    carriers: Option<Vec<[Key; 2]>>,
}

/// One bond or team and its members.
struct Found<'a> {
    link: &'a Link,
    bond: Bond,
    members: Vec<(&'a Link, Member)>,
}

impl Source for Bonding {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        let mut found = Vec::new();
        for link in context.links.exported() {
            match &*link.kind {
                "bond" => found.extend(self.read_bond(link, &context.links)?),
                "team" => found.push(team(link, &context.links)),
                _ => {}
            }
        }
        Ok(self.tables.reading(context.now, &found))
    }
}

impl Bonding {
    /// Asks for a bond and each of its members; `None` if it has gone.
    fn read_bond<'a>(&mut self, link: &'a Link, links: &'a Links) -> Result<Option<Found<'a>>, SourceError> {
        let Some(bond) = self.ask(link.index, parse::bond)? else { return Ok(None) };
        let mut members = Vec::new();
        for member in members_of(link, links) {
            // One that went away, or left the bond since, is no member any more.
            if let Some(state) = self.ask(member.index, parse::member)?.flatten() {
                members.push((member, state));
            }
        }
        Ok(Some(Found { link, bond, members }))
    }

    fn ask<T>(&mut self, index: Index, parse: fn(&[u8]) -> T) -> Result<Option<T>, SourceError> {
        let mut header = [0; LINK_HEADER];
        header[4..8].copy_from_slice(&index.to_ne_bytes());
        let mut request =
            Request::new(RTM_GETLINK, 0, &header).with(IFLA_EXT_MASK, &SKIP_STATS.to_ne_bytes());
        let mut answer = None;
        match self.session.ask(&mut request, |message| answer = Some(parse(message.payload))) {
            Ok(()) => Ok(answer),
            Err(error) if error.is_gone() => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }
}

impl Tables {
    fn reading(&mut self, now: Monotonic, found: &[Found<'_>]) -> Reading {
        let [bonds, info, members] = &mut self.subjects;
        let blocks = vec![
            tables::bonds(now, found, bonds),
            tables::info(now, found, &mut self.keys, info),
            tables::members(now, found, members),
        ];
        let carriers = Some(carriers(found));
        let before = std::mem::replace(&mut self.carriers, carriers);
        let others = before.is_some() && before != self.carriers;
        Reading { blocks, outdates: others.then_some(link_modes::SOURCE.name), ..Reading::default() }
    }
}

/// The bonds and their members whose speeds add up.
fn carriers(found: &[Found<'_>]) -> Vec<[Key; 2]> {
    let carries = |member: &Member| member.up != Some(false) && member.active == Some(true);
    let pairs = found.iter().flat_map(|bond| {
        let members = bond.members.iter().filter(|(_, member)| carries(member));
        members.map(|(link, _)| [bond.link.key, link.key])
    });
    pairs.collect()
}

fn team<'a>(link: &'a Link, links: &'a Links) -> Found<'a> {
    let state = |member: &Link| Member { up: Some(member.oper_up), ..Member::default() };
    let members = members_of(link, links).map(|member| (member, state(member))).collect();
    Found { link, bond: Bond::default(), members }
}

fn members_of<'a>(bond: &'a Link, links: &'a Links) -> impl Iterator<Item = &'a Link> {
    links.all().iter().filter(|link| link.master == Some(bond.index))
}

#[cfg(test)]
mod tests;

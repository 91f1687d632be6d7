//! What each link is for, and which links go to /metrics.
//!
//! Without configuration a link is shown if it is physical, or has an address, or carries one that does. A port that
//! leads to a guest is not: a host has thousands of them, and none can carry a migration of its own.

use crate::sample::link::{Index, Link, Role};
use regex::Regex;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

/// Kinds of links whose ports go on to the wire: all that such a link carries, its ports carry.
const BUNDLES: [&str; 2] = ["bond", "team"];
/// Kinds of links that can be a bridge's way out.
const UPLINKS: [&str; 5] = ["physical", "bond", "team", "vlan", "vxlan"];

/// A choice by one property: what matches any of these.
#[derive(Debug, Default, Clone)]
pub struct Patterns(Vec<Regex>);

impl Patterns {
    /// Anchored regular expressions.
    pub fn new(patterns: &[String]) -> Result<Self, regex::Error> {
        patterns.iter().map(|p| Regex::new(&format!("^(?:{p})$"))).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them matches the whole of it.
    pub fn matches(&self, text: &str) -> bool {
        self.0.iter().any(|pattern| pattern.is_match(text))
    }
}

/// What the configuration says of the links to show.
#[derive(Debug, Default, Clone)]
pub struct Selection {
    /// Shown: names, kinds, drivers. If all are empty, the rule of this file decides.
    pub include: Choice,
    /// Not shown, whatever else says so.
    pub exclude: Choice,
}

/// Links by their properties.
#[derive(Debug, Default, Clone)]
pub struct Choice {
    /// By name.
    pub names: Patterns,
    /// By kind.
    pub kinds: Patterns,
    /// By driver.
    pub drivers: Patterns,
}

impl Choice {
    fn is_empty(&self) -> bool {
        self.names.is_empty() && self.kinds.is_empty() && self.drivers.is_empty()
    }

    fn has(&self, link: &Link) -> bool {
        self.names.matches(&link.name)
            || self.kinds.matches(&link.kind)
            || self.drivers.matches(&link.hardware().driver)
    }
}

/// Gives every link its role and says whether it is shown.
pub fn assign(links: &mut [Link], selection: &Selection) {
    let carriers = carriers(links);
    for link in links.iter_mut() {
        link.role = role(link, carriers.contains(&link.index));
        let by_rule = matches!(link.role, Role::Physical | Role::Addressed | Role::Carrier);
        let wanted = if selection.include.is_empty() { by_rule } else { selection.include.has(link) };
        link.exported = wanted && !selection.exclude.has(link);
    }
}

fn role(link: &Link, carries: bool) -> Role {
    match &*link.kind {
        "loopback" => Role::Loopback,
        "physical" if is_representor(&link.hardware().port_name) => Role::Port,
        "physical" => Role::Physical,
        _ if has_address(link) => Role::Addressed,
        _ if carries => Role::Carrier,
        "tun" | "veth" | "macvtap" | "ipvtap" | "netkit" => Role::Port,
        _ => Role::Other,
    }
}

/// The links on the way from a link with an address down to the wire.
fn carriers(links: &[Link]) -> HashSet<Index> {
    let by_index: HashMap<Index, &Link> = links.iter().map(|link| (link.index, link)).collect();
    let mut ports: HashMap<Index, Vec<Index>> = HashMap::new();
    for link in links {
        if let Some(master) = link.master.and_then(|index| by_index.get(&index)) {
            if BUNDLES.contains(&&*master.kind) || UPLINKS.contains(&&*link.kind) {
                ports.entry(master.index).or_default().push(link.index);
            }
        }
    }
    let mut found = HashSet::new();
    let mut to_visit: Vec<Index> =
        links.iter().filter(|link| has_address(link)).map(|link| link.index).collect();
    while let Some(index) = to_visit.pop() {
        let lower = by_index.get(&index).and_then(|link| link.lower).filter(|at| by_index.contains_key(at));
        for below in lower.into_iter().chain(ports.get(&index).into_iter().flatten().copied()) {
            if found.insert(below) {
                to_visit.push(below);
            }
        }
    }
    found
}

/// Every link that is up has an IPv6 link-local address; it says nothing of what the link is for.
fn has_address(link: &Link) -> bool {
    link.kind != "loopback"
        && link.addresses.iter().any(|address| match address {
            IpAddr::V4(_) => true,
            IpAddr::V6(address) => !address.is_unicast_link_local(),
        })
}

/// A switching NIC names the host's end of a virtual or sub function `pf0vf3`, `c1pf0vf3` or `pf0sf8`
/// (net/core/devlink.c, `__devlink_port_phys_port_name_get`).
fn is_representor(port_name: &str) -> bool {
    port_name.contains("pf") && (port_name.contains("vf") || port_name.contains("sf"))
}

#[cfg(test)]
mod tests {
    use super::{assign, Choice, Patterns, Selection};
    use crate::sample::link::Link;

    fn link(index: u32, name: &str, kind: &str) -> Link {
        Link { index, name: name.into(), kind: kind.to_owned().into(), ..Link::default() }
    }

    fn addressed(mut link: Link, address: &str) -> Link {
        link.addresses.push(address.parse().expect("an address"));
        link
    }

    fn shown(mut links: Vec<Link>, selection: &Selection) -> Vec<(String, &'static str, bool)> {
        assign(&mut links, selection);
        links.into_iter().map(|l| (l.name, l.role.word(), l.exported)).collect()
    }

    fn host() -> Vec<Link> {
        let loopback = addressed(link(1, "lo", "loopback"), "127.0.0.1");
        let mut member = Link { master: Some(4), ..link(2, "ens1", "physical") };
        member.hardware_mut().driver = "ice".into();
        let mut representor = link(3, "ens1_0", "physical");
        representor.hardware_mut().port_name = "pf0vf1".into();
        let vlan = Link { lower: Some(4), ..link(5, "bond0.7", "vlan") };
        let storage = Link { lower: Some(4), master: Some(7), ..link(6, "bond0.8", "vlan") };
        let bridge = addressed(link(7, "br0", "bridge"), "10.0.8.1");
        let tap = Link { master: Some(7), ..addressed(link(8, "vnet0", "tun"), "fe80::1") };
        let plain = addressed(link(9, "veth9", "veth"), "10.9.0.1");
        vec![
            loopback,
            member,
            representor,
            link(4, "bond0", "bond"),
            addressed(vlan, "10.0.7.1"),
            storage,
            bridge,
            tap,
            plain,
        ]
    }

    #[test]
    fn a_host_is_told_apart_without_configuration() {
        let found = shown(host(), &Selection::default());
        let expected = [
            ("lo", "loopback", false),
            ("ens1", "physical", true),
            ("ens1_0", "port", false),
            ("bond0", "carrier", true),
            ("bond0.7", "addressed", true),
            ("bond0.8", "carrier", true),
            ("br0", "addressed", true),
            ("vnet0", "port", false),
            ("veth9", "addressed", true),
        ];
        assert_eq!(found, expected.map(|(name, role, exported)| (name.to_owned(), role, exported)));
    }

    #[test]
    fn the_configuration_has_the_last_word() {
        let choice = |names: &[&str], kinds: &[&str], drivers: &[&str]| {
            let patterns = |list: &[&str]| {
                Patterns::new(&list.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>()).expect("a pattern")
            };
            Choice { names: patterns(names), kinds: patterns(kinds), drivers: patterns(drivers) }
        };
        let selection = Selection {
            include: choice(&["vnet.*", "bond0"], &["veth"], &["ice"]),
            exclude: choice(&["ens1"], &[], &[]),
        };
        let names: Vec<_> = shown(host(), &selection).into_iter().filter(|l| l.2).map(|l| l.0).collect();
        assert_eq!(names, ["bond0", "vnet0", "veth9"]);
        let selection = Selection { exclude: choice(&[], &["bridge", "vlan"], &[]), ..Selection::default() };
        let names: Vec<_> = shown(host(), &selection).into_iter().filter(|l| l.2).map(|l| l.0).collect();
        assert_eq!(names, ["ens1", "bond0", "veth9"]);
    }

    #[test]
    fn links_that_carry_each_other_end() {
        let first = Link { lower: Some(2), ..addressed(link(1, "a", "vlan"), "10.0.0.1") };
        let second = Link { lower: Some(1), ..link(2, "b", "vlan") };
        assert_eq!(shown(vec![first, second], &Selection::default()).len(), 2);
    }
}

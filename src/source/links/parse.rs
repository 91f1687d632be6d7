//! Bytes of RTM_NEWLINK and RTM_NEWADDR to links and addresses. Pure. An attribute that cannot be read is left out,
//! never the whole link: a newer kernel must not make a link vanish.

use crate::sample::link::{Index, Link};
use crate::source::transport::message::{attributes, u32_at, Attribute};
use netlink_packet_core::{NlaBuffer, Parseable, ParseableParametrized};
use netlink_packet_route::address::AddressAttribute;
use netlink_packet_route::link::{LinkAttribute, State};
use netlink_packet_route::AddressFamily;
use std::borrow::Cow;
use std::net::IpAddr;

/// `sizeof(struct ifinfomsg)`.
const LINK_HEADER: usize = 16;
/// `sizeof(struct ifaddrmsg)`.
const ADDRESS_HEADER: usize = 8;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_OPERSTATE: u16 = 16;
const IFLA_LINKINFO: u16 = 18;
const IFLA_CARRIER: u16 = 33;
const IFLA_CARRIER_CHANGES: u16 = 35;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_PHYS_PORT_NAME: u16 = 38;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_VXLAN_LINK: u16 = 3;
const IFF_UP: u32 = 1;
const IFF_LOOPBACK: u32 = 8;
/// `IFA_F_*` (include/uapi/linux/if_addr.h): an address that failed, or is not known yet to be nobody else's, is no
/// endpoint, unless it is used on trust meanwhile.
const OPTIMISTIC: u32 = 0x04;
const DAD_FAILED: u32 = 0x08;
const TENTATIVE: u32 = 0x40;

/// A link from the payload of RTM_NEWLINK; `None` if it is cut short or nameless.
pub fn link(payload: &[u8]) -> Option<Link> {
    let (index, flags) = (u32_at(payload, 4)?, u32_at(payload, 8)?);
    let mut link = Link { index, admin_up: flags & IFF_UP != 0, ..Link::default() };
    let (mut lower_is_elsewhere, mut state) = (false, None);
    for attribute in attributes(payload, LINK_HEADER) {
        match attribute.kind {
            IFLA_LINKINFO => describe(&mut link, &attribute),
            IFLA_LINK_NETNSID => lower_is_elsewhere = true,
            // A name may be any bytes but `/`, `:` and blanks.
            IFLA_IFNAME => link.name = attribute.text(),
            IFLA_OPERSTATE => state = attribute.unsigned().map(|state| State::from(state as u8)),
            IFLA_MTU | IFLA_LINK | IFLA_MASTER | IFLA_CARRIER | IFLA_CARRIER_CHANGES
            | IFLA_PHYS_PORT_NAME => {
                take(&mut link, &attribute);
            }
            _ => {}
        }
    }
    // A pair's IFLA_LINK is its other end, not something below it.
    let is_pair = matches!(&*link.kind, "veth" | "netkit" | "vxcan");
    if lower_is_elsewhere || is_pair || link.lower == Some(index) {
        link.lower = None;
    }
    // As in sysfs: a device that is not up does not know of a carrier, though some answer here all the same.
    link.carrier = link.carrier.filter(|_| link.admin_up);
    link.oper_up = match state {
        Some(State::Up) => true,
        // Not tracked (a tun), or not yet (Documentation/networking/operstates.rst): the carrier says it.
        Some(State::Unknown) => link.carrier == Some(true),
        _ => false,
    };
    if flags & IFF_LOOPBACK != 0 {
        link.kind = "loopback".into();
    }
    (!link.name.is_empty()).then_some(link)
}

/// The kind, and the link below a vxlan, which says it here and not by IFLA_LINK (drivers/net/vxlan/vxlan_core.c).
fn describe(link: &mut Link, information: &Attribute<'_>) {
    let find = |kind| information.nested().find(|attribute| attribute.kind == kind);
    link.kind = find(IFLA_INFO_KIND).map(|kind| word(kind.text())).unwrap_or_default();
    if let Some(data) = find(IFLA_INFO_DATA).filter(|_| link.kind == "vxlan") {
        let lower = data.nested().find(|attribute| attribute.kind == IFLA_VXLAN_LINK);
        link.lower = lower.and_then(|index| u32_at(index.value, 0)).filter(|index| *index != 0);
    }
}

fn take(link: &mut Link, attribute: &Attribute<'_>) {
    match LinkAttribute::parse_with_param(&NlaBuffer::new(attribute.whole), AddressFamily::Unspec) {
        Ok(LinkAttribute::Mtu(mtu)) => link.mtu = mtu,
        Ok(LinkAttribute::Link(lower)) => link.lower = Some(lower).filter(|index| *index != 0),
        Ok(LinkAttribute::Controller(master)) => link.master = Some(master).filter(|index| *index != 0),
        Ok(LinkAttribute::Carrier(carrier)) => link.carrier = Some(carrier != 0),
        Ok(LinkAttribute::CarrierChanges(changes)) => link.carrier_changes = Some(u64::from(changes)),
        Ok(LinkAttribute::PhysPortName(name)) => link.hardware_mut().port_name = name,
        _ => {}
    }
}

/// Kinds that come by the thousand are words of ours, so that they need no memory each.
fn word(kind: String) -> Cow<'static, str> {
    const COMMON: [&str; 8] = ["veth", "tun", "macvtap", "macvlan", "ipvlan", "vlan", "vxlan", "netkit"];
    COMMON.iter().find(|common| **common == kind).map_or(Cow::Owned(kind), |common| Cow::Borrowed(common))
}

/// An address and its device from the payload of RTM_NEWADDR; `None` if it cannot serve as an endpoint.
pub fn address(payload: &[u8]) -> Option<(Index, IpAddr)> {
    let index = u32_at(payload, 4)?;
    let mut flags = u32::from(*payload.get(2)?);
    let (mut local, mut remote) = (None, None);
    for attribute in attributes(payload, ADDRESS_HEADER) {
        match AddressAttribute::parse(&NlaBuffer::new(attribute.whole)) {
            Ok(AddressAttribute::Local(address)) => local = Some(address),
            Ok(AddressAttribute::Address(address)) => remote = Some(address),
            Ok(AddressAttribute::Flags(all)) => flags = all.bits(),
            _ => {}
        }
    }
    let unusable = flags & DAD_FAILED != 0 || flags & (TENTATIVE | OPTIMISTIC) == TENTATIVE;
    // On a point-to-point link IFA_ADDRESS is the other end; IFA_LOCAL is ours.
    local.or(remote).filter(|_| !unusable).map(|address| (index, address))
}

//! Bytes of RTM_NEWLINK to what a bond and its members say of themselves. Pure. An attribute that cannot be read is
//! left out.

use super::LINK_HEADER;
use crate::sample::link::Index;
use crate::source::transport::message::{attributes, Attribute};
use netlink_packet_core::{NlaBuffer, Parseable};
use netlink_packet_route::link::{BondMode, BondPortState, InfoBond, InfoBondPort, MiiStatus};

const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_INFO_SLAVE_DATA: u16 = 5;

/// How a bond is set up; words as `ip -d link` has them, empty where the mode has no use for them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Bond {
    /// For example `802.3ad`.
    pub mode: String,
    /// For example `layer3+4`.
    pub hash_policy: String,
    /// `slow` or `fast`.
    pub lacp_rate: String,
    /// The member that is preferred.
    pub primary: Option<Index>,
}

/// The state of a bond's member.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Its link is up.
    pub up: Option<bool>,
    /// It carries traffic.
    pub active: Option<bool>,
    /// How often its link failed.
    pub failures: Option<u64>,
}

/// A bond from the payload of its own RTM_NEWLINK.
pub fn bond(payload: &[u8]) -> Bond {
    let mut bond = Bond::default();
    let mut mode = None;
    for attribute in link_info(payload, IFLA_INFO_DATA).iter().flat_map(Attribute::nested) {
        match InfoBond::parse(&NlaBuffer::new(attribute.whole)) {
            Ok(InfoBond::Mode(is)) => mode = Some(is),
            Ok(InfoBond::XmitHashPolicy(policy)) => bond.hash_policy = policy.to_string(),
            Ok(InfoBond::AdLacpRate(rate)) => bond.lacp_rate = rate.to_string(),
            Ok(InfoBond::Primary(index)) => bond.primary = Some(index).filter(|index| *index != 0),
            _ => {}
        }
    }
    // The kernel tells all options in every mode. Documentation/networking/bonding.rst says which are used.
    if !matches!(mode, Some(BondMode::BalanceXor | BondMode::Ieee8023Ad | BondMode::BalanceTlb)) {
        bond.hash_policy.clear();
    }
    if mode != Some(BondMode::Ieee8023Ad) {
        bond.lacp_rate.clear();
    }
    bond.mode = mode.map(|mode| mode.to_string()).unwrap_or_default();
    bond
}

/// A member from the payload of its RTM_NEWLINK; `None` if it is no member of a bond.
pub fn member(payload: &[u8]) -> Option<Member> {
    let kind = link_info(payload, IFLA_INFO_SLAVE_KIND)?;
    if kind.text() != "bond" {
        return None;
    }
    let mut member = Member::default();
    for attribute in link_info(payload, IFLA_INFO_SLAVE_DATA).iter().flat_map(Attribute::nested) {
        match InfoBondPort::parse(&NlaBuffer::new(attribute.whole)) {
            Ok(InfoBondPort::MiiStatus(status)) => member.up = Some(status == MiiStatus::Up),
            Ok(InfoBondPort::BondPortState(state)) => member.active = Some(state == BondPortState::Active),
            Ok(InfoBondPort::LinkFailureCount(count)) => member.failures = Some(u64::from(count)),
            _ => {}
        }
    }
    Some(member)
}

fn link_info(payload: &[u8], kind: u16) -> Option<Attribute<'_>> {
    let info = attributes(payload, LINK_HEADER).find(|attribute| attribute.kind == IFLA_LINKINFO)?;
    attributes(info.value, 0).find(|attribute| attribute.kind == kind)
}

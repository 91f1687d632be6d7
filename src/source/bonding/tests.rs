//! Bonds from messages built after drivers/net/bonding/bond_netlink.c: this was written on a kernel without bonding.

use super::parse::{bond, member, Bond, Member};
use super::{team, Found, Tables, LINK_HEADER, SOURCE};
use crate::sample::link::{Link, Links};
use crate::sample::monotonic::Monotonic;
use crate::source::fixture::{captured_proc, context, golden, lines, link};
use crate::source::transport::message::{messages, Request};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use std::sync::Arc;

const RTM_NEWLINK: u16 = 16;

type Attributes<'a> = &'a [(u16, Vec<u8>)];

/// The payload of RTM_NEWLINK with some link information: kind of attribute, its attributes.
fn payload(data: &[(u16, Attributes<'_>)], member_of: &[u8]) -> Vec<u8> {
    let mut request = Request::new(RTM_NEWLINK, 0, &[0; LINK_HEADER]).with_nested(18, |mut info| {
        info = info.with(4, member_of);
        for (kind, attributes) in data {
            info = info.with_nested(*kind, |mut inner| {
                for (kind, value) in *attributes {
                    inner = inner.with(*kind, value);
                }
                inner
            });
        }
        info
    });
    let bytes = request.bytes(1).to_vec();
    let payload = messages(&bytes).next().flatten().expect("one message").payload.to_vec();
    payload
}

/// IFLA_BOND_MODE 1, _PRIMARY 11, _XMIT_HASH_POLICY 14, _AD_LACP_RATE 21; the kernel sends all of them.
fn bond_payload(mode: u8) -> Vec<u8> {
    let primary = 3u32.to_ne_bytes().to_vec();
    payload(&[(2, &[(1, vec![mode]), (11, primary), (14, vec![1]), (21, vec![1])])], b"\0")
}

/// IFLA_BOND_SLAVE_STATE 1, _MII_STATUS 2, _LINK_FAILURE_COUNT 3.
fn member_payload(state: u8, mii: u8, failures: u32) -> Vec<u8> {
    let failures = failures.to_ne_bytes().to_vec();
    payload(&[(5, &[(1, vec![state]), (2, vec![mii]), (3, failures)])], b"bond\0")
}

#[test]
fn options_show_only_where_the_mode_uses_them() {
    let words = |mode: u8| {
        let found = bond(&bond_payload(mode));
        assert_eq!(found.primary, Some(3));
        (found.mode, found.hash_policy, found.lacp_rate)
    };
    let expected = |mode: &str, policy: &str, rate: &str| (mode.into(), policy.into(), rate.into());
    assert_eq!(words(0), expected("balance-rr", "", ""));
    assert_eq!(words(1), expected("active-backup", "", ""));
    assert_eq!(words(2), expected("balance-xor", "layer3+4", ""));
    assert_eq!(words(4), expected("802.3ad", "layer3+4", "fast"));
    assert_eq!(words(5), expected("balance-tlb", "layer3+4", ""));
    assert_eq!(bond(&payload(&[], b"\0")), Bond::default());
}

#[test]
fn members_say_what_they_are() {
    let up = Member { up: Some(true), active: Some(true), failures: Some(2) };
    assert_eq!(member(&member_payload(0, 0, 2)), Some(up));
    let backup = Member { up: Some(true), active: Some(false), failures: Some(0) };
    assert_eq!(member(&member_payload(1, 0, 0)), Some(backup));
    for going in [1, 2, 3] {
        assert_eq!(
            member(&member_payload(1, going, 0)).and_then(|m| m.up),
            Some(false),
            "MII status {going}"
        );
    }
    assert_eq!(member(&payload(&[(5, &[(1, vec![0])])], b"bridge\0")), None, "a bridge's port");
}

fn member_link(index: u32, name: &str, master: u32, oper_up: bool) -> Link {
    Link { master: Some(master), oper_up, ..link(index, name, "") }
}

fn some_links() -> Vec<Link> {
    vec![
        Link { kind: "bond".into(), ..link(2, "bond0", "") },
        member_link(3, "eth0", 2, true),
        member_link(4, "eth1", 2, false),
        Link { kind: "team".into(), ..link(5, "team0", "") },
        member_link(6, "eth2", 5, true),
        member_link(7, "eth3", 5, false),
    ]
}

#[test]
fn bonds_and_teams_read_as_their_golden() {
    let links = Links::new(1, some_links(), None);
    let named = |name: &str| links.all().iter().find(|link| link.name == name).expect("a link");
    let state = |state, mii, failures| member(&member_payload(state, mii, failures)).expect("a member");
    let bond = Found {
        link: named("bond0"),
        bond: bond(&bond_payload(4)),
        members: vec![(named("eth0"), state(0, 0, 0)), (named("eth1"), state(1, 2, 7))],
    };
    let found = [bond, team(named("team0"), &links)];
    let mut tables = Tables::default();
    let first = tables.reading(Monotonic::default(), &found);
    golden("bonding", &lines(&first));
    let second = tables.reading(Monotonic::default(), &found);
    for (first, second) in first.blocks.iter().zip(&second.blocks) {
        assert!(Arc::ptr_eq(&first.subjects, &second.subjects));
    }
}

#[test]
fn the_modes_of_links_are_asked_again_when_other_members_carry() {
    let links = Links::new(1, some_links(), None);
    let named = |name: &str| links.all().iter().find(|link| link.name == name).expect("a link");
    let mut tables = Tables::default();
    let mut outdates = |state, mii, failures| {
        let second = member(&member_payload(state, mii, failures)).expect("a member");
        let first = member(&member_payload(0, 0, 0)).expect("a member");
        let members = vec![(named("eth0"), first), (named("eth1"), second)];
        let bond = Found { link: named("bond0"), bond: bond(&bond_payload(4)), members };
        tables.reading(Monotonic::default(), &[bond]).outdates
    };
    assert_eq!(outdates(1, 0, 0), None, "at first nothing is known of before");
    assert_eq!(outdates(0, 0, 0), Some("link_modes"), "LACP takes it in");
    assert_eq!(outdates(0, 0, 3), None);
    assert_eq!(outdates(0, 2, 4), Some("link_modes"), "its link fails");
}

#[test]
fn a_mode_that_changes_is_another_subject() {
    let links = Links::new(1, some_links(), None);
    let mut tables = Tables::default();
    let mut key_of = |mode| {
        let found = [Found { link: &links.all()[0], bond: bond(&bond_payload(mode)), members: vec![] }];
        tables.reading(Monotonic::default(), &found).blocks[1].subjects.keys().to_vec()
    };
    let (first, second, third) = (key_of(1), key_of(4), key_of(1));
    assert!(first != second && second != third && first != third);
}

#[test]
fn a_bond_that_the_kernel_does_not_know_has_no_row() {
    // Asked of the running kernel, under an index that no device has.
    let gone = Link { kind: "bond".into(), ..link(0x7fff_fff0, "bond9", "") };
    let roots = captured_proc();
    let mut source = (SOURCE.open)(&roots).expect("opens");
    let reading = source.read(&context(&roots, vec![gone])).expect("is no failure");
    assert_eq!(lines(&reading), "");
    assert_eq!(reading.blocks.len(), 3);
}

proptest! {
    #[test]
    fn damaged_messages_are_answered(at in any::<proptest::sample::Index>(), byte in any::<u8>(), cut in any::<proptest::sample::Index>()) {
        for mut bytes in [bond_payload(4), member_payload(0, 0, 1)] {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes.truncate(cut.index(bytes.len() + 1));
            let found = bond(&bytes);
            // A mode that netlink-packet-route does not know is told with its number.
            prop_assert!(found.mode.len() < 40 && found.hash_policy.len() < 40);
            prop_assert!(member(&bytes).is_none_or(|m| m.failures.is_none_or(|f| u32::try_from(f).is_ok())));
        }
    }

    #[test]
    fn what_a_member_says_comes_back(state in 0u8..2, mii in 0u8..4, failures in any::<u32>()) {
        let expected = Member { up: Some(mii == 0), active: Some(state == 0), failures: Some(u64::from(failures)) };
        prop_assert_eq!(member(&member_payload(state, mii, failures)), Some(expected));
    }
}

//! Which guests are followed, and what an outage means for them.

use super::{Question, Watch};
use crate::sample::guest::{Followed, Process, Wanted};
use crate::sample::migration::{Guest, Unavailable, What};
use crate::sample::monotonic::Monotonic;
use crate::source::transport::libvirt::notice::{self, Notice};
use crate::source::transport::libvirt::procedure::Domain;
use std::time::Duration;

const START: Monotonic = Monotonic(Duration::ZERO);

fn domain(number: u8) -> Domain {
    Domain { name: format!("vm{number}"), uuid: [number; 16], id: number.into() }
}

/// The agent asks for these guests: number, and whether it knows the UUID.
fn followed(guests: &[(u8, bool)]) -> Followed {
    let process = |(number, known): &(u8, bool)| Process {
        key: u64::from(*number),
        name: domain(*number).name,
        uuid: known.then(|| domain(*number).uuid_text()),
        ..Process::default()
    };
    Followed {
        generation: 1,
        links: Vec::new(),
        processes: guests.iter().map(process).collect(),
        wanted: guests.iter().map(|(number, _)| Wanted { key: u64::from(*number), paused: false }).collect(),
    }
}

fn asked(watch: &mut Watch) -> Vec<u8> {
    let questions = std::iter::from_fn(|| watch.question(START));
    let mut guests: Vec<u8> = questions.map(|(domain, _)| domain.uuid[0]).collect();
    guests.sort_unstable();
    guests
}

fn outages(watch: &mut Watch) -> Vec<(String, Unavailable)> {
    let told = watch.take_told().into_iter().filter_map(|told| match (told.guest, told.what) {
        (Guest::Domain { name, .. }, What::Unavailable(why)) => Some((name, why)),
        _ => None,
    });
    told.collect()
}

#[test]
fn wanted_guests_are_found_by_uuid_or_by_name_and_others_are_left_alone() {
    let mut watch = Watch::default();
    watch.want(&followed(&[(1, true), (2, false), (9, true)]), START);
    assert!(watch.take_list_is_old(), "none of them is known");
    watch.list((1..5).map(domain).collect(), START);
    assert_eq!(asked(&mut watch), [1, 2]);
    watch.want(&followed(&[(2, false)]), START);
    assert!(!watch.take_list_is_old());
    watch.want(&Followed::default(), START);
    assert_eq!(watch.rest(START), Duration::from_secs(2), "nobody is followed");
}

#[test]
fn a_name_does_not_match_where_the_uuid_differs() {
    let mut watch = Watch::default();
    let mut followed = followed(&[(1, true)]);
    followed.processes[0].name = domain(3).name;
    watch.list((2..5).map(domain).collect(), START);
    watch.want(&followed, START);
    assert!(asked(&mut watch).is_empty());
}

#[test]
fn events_alone_have_a_guest_followed_until_it_is_over() {
    let mut watch = Watch::default();
    let arriving = Notice { domain: domain(4), what: notice::What::Lifecycle(2, 1) };
    watch.notice(arriving, START);
    assert!(watch.take_list_is_old());
    assert_eq!(asked(&mut watch), [4]);
    watch.notice(Notice { domain: domain(4), what: notice::What::Lifecycle(5, 5) }, START);
    watch.notice(Notice { domain: domain(5), what: notice::What::Lifecycle(2, 0) }, START);
    assert!(asked(&mut watch).is_empty(), "an ordinary start is no migration");
}

#[test]
fn an_outage_is_told_once_per_change_of_wanted_guests_and_forgets_nothing() {
    let mut watch = Watch::default();
    watch.want(&followed(&[(1, true)]), START);
    watch.connected(START);
    watch.list(vec![domain(1), domain(2)], START);
    assert!(outages(&mut watch).is_empty());
    for _ in 0..3 {
        watch.disconnected(Unavailable::Gone, START);
    }
    assert_eq!(outages(&mut watch), [("vm1".to_owned(), Unavailable::Gone)]);
    watch.want(&followed(&[(1, true), (2, true)]), START);
    assert_eq!(
        outages(&mut watch),
        [("vm2".to_owned(), Unavailable::Gone)],
        "who is wanted now is told, too"
    );
    watch.disconnected(Unavailable::Silent, START);
    assert_eq!(outages(&mut watch).len(), 2);
    watch.connected(START);
    assert!(watch.take_list_is_old());
    assert_eq!(asked(&mut watch), [1, 2]);
}

#[test]
fn a_daemon_that_never_answered_is_told_of_guests_that_may_be_its() {
    let mut watch = Watch::default();
    watch.want(&followed(&[(1, true), (2, false)]), START);
    watch.disconnected(Unavailable::Denied, START);
    watch.want(&followed(&[(1, true), (2, false)]), START);
    watch.disconnected(Unavailable::Denied, START);
    // A process without a UUID is not libvirt's.
    assert_eq!(outages(&mut watch), [("vm1".to_owned(), Unavailable::Denied)]);
}

#[test]
fn what_was_asked_before_an_outage_is_asked_again() {
    let mut watch = Watch::default();
    watch.want(&followed(&[(1, true)]), START);
    watch.list(vec![domain(1)], START);
    assert_eq!(watch.question(START), Some((domain(1), Question::Job)));
    assert_eq!(watch.question(START), None);
    watch.disconnected(Unavailable::Gone, START);
    watch.connected(START);
    assert_eq!(watch.question(START), Some((domain(1), Question::Job)));
}

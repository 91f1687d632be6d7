//! The parsers of netlink messages on what a kernel said (tests/data/netlink, made by capture.py there on Linux 6.18),
//! and on the same cut short and spoiled.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

use miglink::sample::block::Block;
use miglink::sample::cell::Cell;
use miglink::sample::link::Link;
use miglink::sample::monotonic::Monotonic;
use miglink::sample::subject::Subjects;
use miglink::source::qdiscs::parse::{class_text, handle_text, queue, Queue, ROOT};
use miglink::source::transport::message::{attributes, messages, u32_at};
use miglink::source::{link_counters, links, qdiscs};
use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest, ProptestConfig};
use proptest::strategy::Strategy;
use std::fmt::Write;

const FILES: [&str; 6] = ["links", "addresses", "statistics", "qdiscs", "classes", "events"];
/// Longer than any header of these messages; what is cut before has nothing to say.
const HEADERS: usize = 20;

/// The messages of a file: their kinds and payloads.
fn captured(name: &str) -> Vec<(u16, Vec<u8>)> {
    let path = format!("{}/tests/data/netlink/{name}.bin", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&path).expect(&path);
    let all: Option<Vec<_>> = messages(&bytes).map(|m| m.map(|m| (m.kind, m.payload.to_vec()))).collect();
    all.expect("whole messages")
}

fn counters(payload: &[u8]) -> Block {
    let columns = link_counters::SOURCE.tables[0];
    let mut block = Block::new("test", Monotonic::default(), columns, Subjects::host());
    link_counters::parse(payload, 0, &mut block);
    block
}

#[test]
fn links_read_as_the_kernel_wrote_them() {
    let mut text = String::new();
    for (_, payload) in captured("links") {
        let link = links::parse::link(&payload).expect("a link");
        let Link { index, name, kind, mtu, master, lower, admin_up, oper_up, carrier, .. } = link;
        writeln!(text, "{index} {name} {kind} mtu={mtu} master={master:?} lower={lower:?} admin={admin_up} oper={oper_up} carrier={carrier:?}").expect("text");
    }
    insta::assert_snapshot!("links", text);
}

#[test]
fn addresses_read_as_the_kernel_wrote_them() {
    let mut found: Vec<String> = captured("addresses")
        .iter()
        .filter_map(|(_, payload)| links::parse::address(payload))
        // The kernel makes these from the devices' random addresses.
        .filter(|(_, address)| !address.to_string().starts_with("fe80"))
        .map(|(index, address)| format!("{index} {address}"))
        .collect();
    let tun = captured("links").iter().filter_map(|(_, p)| links::parse::link(p)).find(|l| l.name == "tun0");
    let tun = format!("{} 10.79.0.1", tun.expect("tun0").index);
    found.sort();
    assert_eq!(found, ["1 127.0.0.1", "1 ::1", "10 10.77.0.1", "10 2001:db8::1", &tun]);
}

#[test]
fn statistics_read_as_the_kernel_wrote_them() {
    let all = captured("statistics");
    assert_eq!(all.len(), captured("links").len());
    let of = |index| counters(&all.iter().find(|(_, p)| u32_at(p, 4) == Some(index)).expect("statistics").1);
    let (near, far) = (of(10), of(11));
    let column = |block: &Block, name: &str| {
        block.columns.iter().position(|column| column.metric.name == name).map(|at| block.cell(at, 0))
    };
    for (sent, received) in [("bytes", "bytes"), ("packets", "packets")] {
        let sent = column(&near, &format!("link_transmit_{sent}_total"));
        assert_eq!(sent, column(&far, &format!("link_receive_{received}_total")));
        assert!(sent.and_then(Cell::as_integer).is_some_and(|sent| sent > 0));
    }
    assert!((0..far.columns.len()).all(|at| far.cell(at, 0).is_value()), "this kernel knows them all");
}

#[test]
fn qdiscs_and_classes_read_as_the_kernel_wrote_them() {
    let mut text = String::new();
    for (file, name) in [("qdiscs", handle_text as fn(u32) -> String), ("classes", class_text)] {
        for (_, payload) in captured(file) {
            let q = queue(&payload).expect("a queue");
            let has_counters =
                [q.bytes, q.packets, q.drops, q.overlimits, q.requeues].iter().all(Option::is_some);
            let waits = q.backlog_packets;
            writeln!(
                text,
                "{} {} {} parent {} rate {:?} ceil {:?} counters {has_counters} waiting {waits:?}",
                q.index,
                q.kind,
                name(q.handle),
                class_text(q.parent),
                q.rate,
                q.ceil
            )
            .expect("text");
        }
    }
    insta::assert_snapshot!("qdiscs", text);
}

/// As tc wrote it when the files were made: 1 Mbit/s with a short queue, and 200 packets in a burst.
#[test]
fn counters_of_a_shaper_add_up() {
    let all: Vec<Queue> = captured("qdiscs").iter().filter_map(|(_, payload)| queue(payload)).collect();
    let tbf = all.iter().find(|q| handle_text(q.handle) == "20:").expect("tbf");
    let root = all.iter().find(|q| q.index == 10 && q.parent == ROOT).expect("htb");
    let [passed, dropped, waiting] =
        [tbf.packets, tbf.drops, tbf.backlog_packets].map(|n| n.expect("a number"));
    assert!(passed + waiting + dropped >= 200, "{passed} + {waiting} + {dropped}");
    assert!(tbf.overlimits.is_some_and(|overlimits| overlimits > 0));
    assert!(root.drops >= tbf.drops);
    let classes: Vec<Queue> = captured("classes").iter().filter_map(|(_, payload)| queue(payload)).collect();
    let above = classes.iter().find(|class| class_text(class.handle) == "1:10").expect("1:10");
    assert_eq!(
        (above.bytes, above.packets),
        (tbf.bytes, tbf.packets),
        "what passes the leaf passes its class"
    );
}

#[test]
fn events_tell_of_ports_and_of_deletions() {
    let events = captured("events");
    let kind_of = |family: u8, kind: u16| {
        events.iter().any(|(k, payload)| *k == kind && payload.first() == Some(&family))
    };
    assert!(kind_of(7, 17), "a port that left its bridge, AF_BRIDGE");
    assert!(kind_of(0, 17), "a deleted link");
    let names: Vec<String> = events
        .iter()
        .filter(|(k, _)| *k == 16)
        .filter_map(|(_, p)| links::parse::link(p))
        .map(|l| l.name)
        .collect();
    assert!(names.contains(&"mac0".into()) && names.contains(&"mac1".into()), "renamed: {names:?}");
}

/// A message of a file, spoiled: some bytes changed, and cut.
fn spoiled() -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12);
    (
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        changes,
        any::<prop::sample::Index>(),
        any::<bool>(),
    )
        .prop_map(|(file, message, changes, cut, is_cut)| {
            let all = captured(FILES[file.index(FILES.len())]);
            let mut payload = all[message.index(all.len())].1.clone();
            for (at, byte) in changes {
                let at = at.index(payload.len());
                payload[at] = byte;
            }
            payload.truncate(if is_cut { cut.index(payload.len()) } else { payload.len() });
            payload
        })
}

/// Lengths of attributes are what a parser trips over, so they are spoiled more often than chance would.
fn spoiled_lengths() -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), 0u16..80), 1..4);
    (any::<prop::sample::Index>(), any::<prop::sample::Index>(), changes).prop_map(
        |(file, message, changes)| {
            let all = captured(FILES[file.index(FILES.len())]);
            let mut payload = all[message.index(all.len())].1.clone();
            for (at, length) in changes {
                let at = at.index(payload.len() / 4) * 4;
                payload[at..at + 2].copy_from_slice(&length.to_ne_bytes());
            }
            payload
        },
    )
}

fn every_parser_ends(payload: &[u8]) {
    if let Some(link) = links::parse::link(payload) {
        assert!(!link.name.is_empty());
        assert_eq!(Some(link.index), u32_at(payload, 4));
        assert_ne!(link.lower, Some(link.index));
    }
    if let Some((index, _)) = links::parse::address(payload) {
        assert_eq!(Some(index), u32_at(payload, 4));
    }
    if let Some(queue) = queue(payload) {
        assert_eq!((Some(queue.index), Some(queue.handle)), (u32_at(payload, 4), u32_at(payload, 8)));
        assert!(queue.kind.to_string().len() <= 48, "sixteen bytes, three each where they are not UTF-8");
    }
    counters(payload);
    assert!(attributes(payload, HEADERS).count() <= payload.len() / 4);
}

/// A number that a cut message still gives is the number that the whole message gave.
fn says_no_more(cut: &Queue, whole: &Queue) -> bool {
    let numbers = |q: &Queue| {
        [
            q.bytes,
            q.packets,
            q.drops,
            q.overlimits,
            q.requeues,
            q.backlog_bytes,
            q.backlog_packets,
            q.rate,
            q.ceil,
        ]
    };
    numbers(cut).iter().zip(numbers(whole)).all(|(cut, whole)| cut.is_none() || *cut == whole)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn spoiled_messages_are_survived(payload in spoiled()) {
        every_parser_ends(&payload);
    }

    #[test]
    fn spoiled_lengths_are_survived(payload in spoiled_lengths()) {
        every_parser_ends(&payload);
    }

    #[test]
    fn any_bytes_are_survived(payload in prop::collection::vec(any::<u8>(), 0..300)) {
        every_parser_ends(&payload);
    }

    #[test]
    fn a_cut_message_says_less_and_never_something_else(
        message in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let all: Vec<_> = FILES.iter().flat_map(|file| captured(file)).collect();
        let (kind, whole) = &all[message.index(all.len())];
        let short = &whole[..HEADERS + cut.index(whole.len() - HEADERS)];
        match kind {
            16 => {
                let whole = links::parse::link(whole).expect("a link");
                if let Some(short) = links::parse::link(short) {
                    prop_assert_eq!((&short.name, short.admin_up), (&whole.name, whole.admin_up));
                    prop_assert!(short.mtu == 0 || short.mtu == whole.mtu);
                    prop_assert!(short.master.is_none() || short.master == whole.master);
                    prop_assert!(short.carrier.is_none() || short.carrier == whole.carrier);
                    prop_assert!(!short.oper_up || whole.oper_up);
                }
            }
            36 | 40 => {
                let (short, whole) = (queue(short), queue(whole).expect("a queue"));
                prop_assert!(short.is_none_or(|short| says_no_more(&short, &whole)));
            }
            92 => {
                let (short, whole) = (counters(short), counters(whole));
                for at in 0..whole.columns.len() {
                    prop_assert!(!short.cell(at, 0).is_value() || short.cell(at, 0) == whole.cell(at, 0));
                }
            }
            _ => every_parser_ends(short),
        }
    }
}

#[test]
fn the_sources_say_what_they_tell() {
    for source in [&link_counters::SOURCE, &qdiscs::SOURCE] {
        for column in source.tables.iter().copied().flatten() {
            let is_total = column.metric.name.ends_with("_total");
            assert_eq!(is_total, column.metric.kind == miglink::sample::metric::Kind::Counter, "{column:?}");
            let suffix = column.metric.unit.suffix();
            assert!(column.metric.name.trim_end_matches("_total").ends_with(suffix), "{column:?}");
        }
    }
}

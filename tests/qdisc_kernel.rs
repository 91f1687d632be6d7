//! Qdiscs and HTB classes on the real kernel: compared with what `tc` says under traffic, and replaced, deleted and
//! made again while they are read.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use miglink::sample::block::Block;
use miglink::sample::guest::Followed;
use miglink::sample::subject::Key;
use miglink::source::contract::{Context, Reading, Source};
use miglink::source::qdiscs;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use support::{connect, in_namespace, ip_batch, json, open, run, try_run, Beside, Peer, Reader};

/// A counter of a qdisc or class, without its prefix, and what `tc -s -j` calls it.
const NAMES: [(&str, &str); 5] = [
    ("bytes_total", "bytes"),
    ("packets_total", "packets"),
    ("drops_total", "drops"),
    ("overlimits_total", "overlimits"),
    ("requeues_total", "requeues"),
];

/// HTB with two leaves, one of them a slow TBF that drops, and a hook for ingress.
fn make_tree(device: &str) {
    run(&format!("tc qdisc add dev {device} root handle 1: htb default 10"));
    run(&format!("tc class add dev {device} parent 1: classid 1:1 htb rate 100mbit ceil 40gbit"));
    run(&format!("tc class add dev {device} parent 1:1 classid 1:10 htb rate 16mbit ceil 80mbit"));
    run(&format!("tc class add dev {device} parent 1:1 classid 1:20 htb rate 8mbit ceil 8mbit"));
    run(&format!("tc qdisc add dev {device} parent 1:10 handle 20: tbf rate 8mbit burst 10k limit 20k"));
    run(&format!("tc qdisc add dev {device} clsact"));
}

/// Row of a queue by its labels, written as `kind handle parent` or, of a class, `class parent`.
fn row(block: &Block, wanted: &str) -> Option<usize> {
    (0..block.rows()).find(|row| name(block, *row) == wanted)
}

fn name(block: &Block, row: usize) -> String {
    let label = |name| block.subjects.label(row, name);
    let parent = label("parent").unwrap_or_else(|| "root".into());
    match label("class") {
        Some(class) => format!("{class} {parent}"),
        None => {
            format!("{} {} {parent}", label("kind").unwrap_or_default(), label("handle").unwrap_or_default())
        }
    }
}

fn value(block: &Block, row: usize, metric: &str) -> Option<u64> {
    let column = block.columns.iter().position(|column| column.metric.name == metric).expect(metric);
    block.cell(column, row).as_integer()
}

fn key(block: &Block, wanted: &str) -> Key {
    block.subjects.keys()[row(block, wanted).unwrap_or_else(|| panic!("no {wanted}"))]
}

/// What `tc` says of every qdisc but noqueue, by device and name.
fn qdiscs_of_tc() -> BTreeMap<String, Value> {
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or("root").to_owned();
    json("tc -s -d -j qdisc show")
        .into_iter()
        .filter(|qdisc| qdisc["kind"] != "noqueue")
        .map(|q| (["dev", "kind", "handle", "parent"].map(|name| text(&q, name)).join(" "), q))
        .collect()
}

/// As `qdiscs_of_tc`; of classes most versions of tc write only text.
fn classes_of_tc(device: &str) -> BTreeMap<String, Value> {
    let text = run(&format!("tc -s -d class show dev {device}"));
    let mut classes = BTreeMap::new();
    for class in text.split("class htb ").skip(1) {
        let words: Vec<&str> = class.split_whitespace().collect();
        let parent = if words[1] == "parent" { words[2] } else { "root" };
        let number = |name: &str, after: usize| {
            let at = words.iter().position(|word| *word == name).expect(name) + after;
            words[at].trim_end_matches([',', ')']).parse::<u64>().expect(name)
        };
        let counters = serde_json::json!({
            "bytes": number("Sent", 1),
            "packets": number("Sent", 3),
            "drops": number("(dropped", 1),
            "overlimits": number("overlimits", 1),
            "requeues": number("requeues", 1),
        });
        classes.insert(format!("{} {parent}", words[0]), counters);
    }
    classes
}

fn assert_between(before: &Value, block: &Block, row: usize, prefix: &str, after: &Value) {
    for (metric, tc) in NAMES {
        let ours = value(block, row, &format!("{prefix}{metric}")).expect(metric);
        let (low, high) = (before[tc].as_u64().expect(tc), after[tc].as_u64().expect(tc));
        assert!((low..=high).contains(&ours), "{} {metric}: {low} <= {ours} <= {high}", name(block, row));
    }
}

/// One reading between two of `tc`: the same qdiscs, and every counter between.
fn compare_qdiscs(source: &mut dyn Source, reader: &Reader) -> Reading {
    let before = qdiscs_of_tc();
    let reading = source.read(&reader.context()).expect("qdiscs");
    let after = qdiscs_of_tc();
    let block = &reading.blocks[0];
    assert_eq!(reading.problems, [] as [String; 0]);
    let mut ours: Vec<String> = (0..block.rows())
        .map(|row| format!("{} {}", block.subjects.label(row, "device").expect("a device"), name(block, row)))
        .collect();
    for (row, full_name) in ours.iter().enumerate() {
        assert_between(&before[full_name], block, row, "qdisc_", &after[full_name]);
    }
    ours.sort();
    assert_eq!(ours, before.into_keys().collect::<Vec<_>>());
    reading
}

#[test]
fn qdiscs_and_classes_are_those_of_tc_under_traffic() {
    in_namespace("qdiscs_and_classes_are_those_of_tc_under_traffic", || {
        let peer = Peer::new();
        connect("v0", &peer);
        make_tree("v0");
        run("ip link add many0 numtxqueues 4 type ifb");
        run("ip link set many0 up");
        run("ip link add v1 type veth peer name v2");
        run("tc qdisc add dev v1 root handle 8001: tbf rate 50gbit burst 1m latency 10ms");
        let (mut reader, mut source) = (Reader::of_all(), open(&qdiscs::SOURCE));
        let _traffic = Beside::traffic();
        for _ in 0..20 {
            reader.tick();
            compare_qdiscs(source.as_mut(), &reader);
            let before = classes_of_tc("v0");
            let classes = source.read(&reader.context()).expect("classes").blocks.remove(1);
            let after = classes_of_tc("v0");
            let names: Vec<String> = (0..classes.rows()).map(|row| name(&classes, row)).collect();
            assert_eq!(names.len(), before.len());
            for (row, name) in names.iter().enumerate() {
                assert_between(&before[name], &classes, row, "qdisc_class_", &after[name]);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        reader.tick();
        let reading = compare_qdiscs(source.as_mut(), &reader);
        rates_and_counters(&reading.blocks[0], &reading.blocks[1]);
    });
}

fn rates_and_counters(qdiscs: &Block, classes: &Block) {
    let qdisc = |name: &str, metric: &str| value(qdiscs, row(qdiscs, name).expect(name), metric);
    assert_eq!(qdisc("tbf 20: 1:10", "qdisc_rate_bytes_per_second"), Some(1_000_000));
    assert_eq!(qdisc("tbf 8001: root", "qdisc_rate_bytes_per_second"), Some(6_250_000_000));
    assert_eq!(qdisc("htb 1: root", "qdisc_rate_bytes_per_second"), None);
    assert!(qdisc("tbf 20: 1:10", "qdisc_drops_total").is_some_and(|drops| drops > 100));
    assert!(qdisc("tbf 20: 1:10", "qdisc_overlimits_total").is_some_and(|overlimits| overlimits > 100));
    assert!(qdisc("tbf 20: 1:10", "qdisc_backlog_bytes").is_some_and(|bytes| bytes > 1000));
    assert!(qdisc("tbf 20: 1:10", "qdisc_backlog_packets").is_some_and(|packets| packets > 1));
    let class = |name: &str, metric: &str| value(classes, row(classes, name).expect(name), metric);
    assert_eq!(class("1:1 root", "qdisc_class_rate_bytes_per_second"), Some(12_500_000));
    assert_eq!(class("1:1 root", "qdisc_class_ceil_bytes_per_second"), Some(5_000_000_000));
    assert_eq!(class("1:20 1:1", "qdisc_class_ceil_bytes_per_second"), Some(1_000_000));
    assert_eq!(class("1:20 1:1", "qdisc_class_packets_total"), Some(0));
    assert!(class("1:10 1:1", "qdisc_class_packets_total").is_some_and(|packets| packets > 100));
    assert_eq!(
        classes.subjects.labels(row(classes, "1:10 1:1").expect("1:10")),
        r#"device="v0",kind="htb",handle="1:",class="1:10",parent="1:1""#
    );
}

#[test]
fn a_qdisc_that_is_made_again_is_another() {
    in_namespace("a_qdisc_that_is_made_again_is_another", || {
        run("ip link add v0 type veth peer name v1");
        run("ip link set v0 up");
        make_tree("v0");
        let (mut reader, mut source) = (Reader::of_all(), open(&qdiscs::SOURCE));
        let mut read = |commands: &[&str]| {
            for command in commands {
                run(command);
            }
            reader.tick();
            let blocks = source.read(&reader.context()).expect("qdiscs").blocks;
            <[Block; 2]>::try_from(blocks).expect("two tables")
        };
        let (tbf, leaf) = ("tbf 20: 1:10", "1:10 1:1");
        let [first, classes] = read(&[]);
        let [second, same_classes] =
            read(&["tc qdisc change dev v0 parent 1:10 handle 20: tbf rate 1mbit burst 10k limit 20k"]);
        assert_eq!(key(&second, tbf), key(&first, tbf), "changed, not replaced");
        assert_eq!(
            value(&second, row(&second, tbf).expect("tbf"), "qdisc_rate_bytes_per_second"),
            Some(125_000)
        );
        assert_eq!(key(&same_classes, leaf), key(&classes, leaf));
        let [third, _] = read(&[
            "tc qdisc del dev v0 parent 1:10",
            "tc qdisc add dev v0 parent 1:10 handle 20: tbf rate 8mbit burst 10k limit 20k",
        ]);
        assert_ne!(key(&third, tbf), key(&second, tbf), "deleted and made again under all the same names");
        assert_eq!(key(&third, "htb 1: root"), key(&first, "htb 1: root"));
        let [other, _] = read(&[
            "tc qdisc del dev v0 parent 1:10",
            "tc qdisc add dev v0 parent 1:10 handle 20: pfifo limit 10",
        ]);
        assert_ne!(key(&other, "pfifo 20: 1:10"), key(&third, tbf));
        assert_eq!(row(&other, tbf), None, "a deletion that was told leaves no gap behind");
        run("tc qdisc del dev v0 root");
        make_tree_again();
        let [rebuilt, new_classes] = read(&[]);
        assert_ne!(key(&rebuilt, "htb 1: root"), key(&first, "htb 1: root"));
        assert_ne!(key(&new_classes, leaf), key(&classes, leaf));
        let [fifth, after_class] = read(&[
            "tc qdisc del dev v0 parent 1:20",
            "tc class del dev v0 classid 1:20",
            "tc class add dev v0 parent 1:1 classid 1:20 htb rate 8mbit ceil 8mbit",
        ]);
        assert_eq!(key(&fifth, "htb 1: root"), key(&rebuilt, "htb 1: root"));
        assert_ne!(key(&after_class, "1:20 1:1"), key(&new_classes, "1:20 1:1"));
        assert_eq!(key(&after_class, leaf), key(&new_classes, leaf));
        let [renamed, _] = read(&["ip link set v0 name w0"]);
        assert_ne!(key(&renamed, "htb 1: root"), key(&fifth, "htb 1: root"));
        let [gone, no_classes] = read(&["ip link del w0"]);
        assert_eq!((gone.rows(), no_classes.rows()), (0, 0));
    });
}

fn make_tree_again() {
    run("tc qdisc del dev v0 clsact");
    make_tree("v0");
    run("tc qdisc add dev v0 parent 1:20 handle 30: pfifo limit 10");
}

#[test]
fn only_exported_links_and_real_queues_have_rows_and_the_rest_costs_nothing() {
    in_namespace("only_exported_links_and_real_queues_have_rows_and_the_rest_costs_nothing", || {
        run("ip link add v0 type veth peer name v1");
        run("ip link set v0 up");
        run("ip link set v1 up");
        run("tc qdisc add dev v1 root handle 5: tbf rate 1mbit burst 10k latency 10ms");
        let (mut reader, mut source) = (Reader::new(|link| link.name == "v0"), open(&qdiscs::SOURCE));
        reader.settle();
        let first = source.read(&reader.context()).expect("qdiscs");
        assert_eq!((first.unchanged, first.blocks[0].rows(), first.blocks[1].rows()), (false, 0, 0));
        for _ in 0..3 {
            reader.tick();
            assert!(source.read(&reader.context()).expect("qdiscs").unchanged, "nothing but noqueue");
        }
        let context = reader.context();
        let v1 = context.links.all().iter().find(|link| link.name == "v1").expect("v1").index;
        let followed = Arc::new(Followed { links: vec![v1], ..Followed::default() });
        let reading = source.read(&Context { followed, ..context }).expect("qdiscs");
        let subjects = &reading.blocks[0].subjects;
        assert_eq!((subjects.len(), subjects.exported()), (1, 0), "a migration runs over the hidden one");
        reader.tick();
        assert_eq!(source.read(&reader.context()).expect("qdiscs").blocks[0].rows(), 0);
        run("tc qdisc add dev v0 root handle 6: tbf rate 1mbit burst 10k latency 10ms");
        reader.tick();
        let reading = source.read(&reader.context()).expect("qdiscs");
        assert!(row(&reading.blocks[0], "tbf 6: root").is_some(), "a shaper shows at once");
        run("tc qdisc del dev v0 root");
        reader.tick();
        let reading = source.read(&reader.context()).expect("qdiscs");
        assert_eq!(
            (reading.unchanged, reading.blocks[0].rows()),
            (false, 0),
            "{:?}",
            reading.blocks[0].subjects
        );
        reader.tick();
        assert!(source.read(&reader.context()).expect("qdiscs").unchanged);
    });
}

/// Among many links the list is left early; what it then holds must be as current as a whole one.
#[test]
fn a_list_that_is_left_early_holds_all_that_matters() {
    in_namespace("a_list_that_is_left_early_holds_all_that_matters", || {
        let peer = Peer::new();
        connect("v0", &peer);
        make_tree("v0");
        ip_batch((0..500).map(|n| format!("tuntap add many{n} mode tap")));
        let (mut reader, mut source) = (Reader::new(|link| link.name == "v0"), open(&qdiscs::SOURCE));
        reader.settle();
        let mut last = 0;
        for _ in 0..20 {
            let traffic = Beside::traffic();
            std::thread::sleep(Duration::from_millis(30));
            drop(traffic);
            reader.tick();
            let before = qdiscs_of_tc();
            let block = source.read(&reader.context()).expect("qdiscs").blocks.remove(0);
            assert_eq!(block.rows(), 3);
            let after = qdiscs_of_tc();
            for at in 0..3 {
                let name = format!("v0 {}", name(&block, at));
                assert_between(&before[&name], &block, at, "qdisc_", &after[&name]);
            }
            let bytes =
                value(&block, row(&block, "htb 1: root").expect("htb"), "qdisc_bytes_total").expect("bytes");
            assert!(bytes > last, "{bytes} > {last}");
            last = bytes;
        }
    });
}

#[test]
fn qdiscs_that_come_and_go_while_they_are_read_mix_nothing_up() {
    in_namespace("qdiscs_that_come_and_go_while_they_are_read_mix_nothing_up", || {
        let peer = Peer::new();
        connect("v0", &peer);
        make_tree("v0");
        ip_batch((0..50).map(|n| format!("link add a{n} type veth peer name b{n}")));
        let traffic = Beside::traffic();
        let (mut reader, mut source) = (Reader::of_all(), open(&qdiscs::SOURCE));
        let mut names = BTreeMap::new();
        let churning = Beside::repeat(churn);
        for _ in 0..300 {
            reader.tick();
            let reading = source.read(&reader.context()).expect("qdiscs");
            for (table, block) in reading.blocks.iter().enumerate() {
                check(table, block, &mut names);
            }
        }
        drop((churning, traffic));
        reader.tick();
        // What was missed in the last reading of the storm stands as a gap once more.
        source.read(&reader.context()).expect("qdiscs");
        reader.tick();
        compare_qdiscs(source.as_mut(), &reader);
    });
}

/// A key stands for one queue for ever, and only the device with traffic counts any.
fn check(table: usize, block: &Block, names: &mut BTreeMap<(usize, Key), String>) {
    for at in 0..block.rows() {
        let labels = block.subjects.labels(at).to_owned();
        let known = names.entry((table, block.subjects.keys()[at])).or_insert_with(|| labels.clone());
        assert_eq!(*known, labels);
        let metric = ["qdisc_packets_total", "qdisc_class_packets_total"][table];
        let quiet = !labels.starts_with(r#"device="v0""#);
        let packets = value(block, at, metric);
        assert!(!quiet || packets.is_none_or(|packets| packets == 0), "{labels}: {packets:?}");
    }
}

fn churn() {
    try_run("tc qdisc replace dev a3 root handle 1: tbf rate 1mbit burst 10k latency 10ms");
    try_run("tc qdisc add dev a9 root handle 1: htb default 1");
    try_run("tc class add dev a9 parent 1: classid 1:1 htb rate 1mbit");
    try_run("tc qdisc del dev a3 root");
    try_run("tc qdisc del dev a9 root");
    try_run("ip link del a20");
    try_run("ip link add index 4000 a20 type veth peer name b20");
    try_run("tc qdisc add dev a20 root handle 1: pfifo limit 10");
}

//! Links and their counters on the real kernel: every kind that it makes without hardware, compared with what `ip`
//! says, and links that are renamed, replaced, moved and deleted while they are read.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use miglink::sample::block::Block;
use miglink::sample::link::{Link, Links};
use miglink::sample::subject::Key;
use miglink::source::contract::Source;
use miglink::source::link_counters;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use support::{connect, in_namespace, ip_batch, json, link, open, run, try_run, Beside, Peer, Reader};

/// What `ip -s -s -j link` calls the counters of a link.
const NAMES: [(&str, &str, &str); 19] = [
    ("link_receive_bytes_total", "rx", "bytes"),
    ("link_transmit_bytes_total", "tx", "bytes"),
    ("link_receive_packets_total", "rx", "packets"),
    ("link_transmit_packets_total", "tx", "packets"),
    ("link_receive_errors_total", "rx", "errors"),
    ("link_transmit_errors_total", "tx", "errors"),
    ("link_receive_drops_total", "rx", "dropped"),
    ("link_transmit_drops_total", "tx", "dropped"),
    ("link_receive_multicast_total", "rx", "multicast"),
    ("link_collisions_total", "tx", "collisions"),
    ("link_receive_length_errors_total", "rx", "length_errors"),
    ("link_receive_over_errors_total", "rx", "over_errors"),
    ("link_receive_crc_errors_total", "rx", "crc_errors"),
    ("link_receive_frame_errors_total", "rx", "frame_errors"),
    ("link_receive_fifo_errors_total", "rx", "fifo_errors"),
    ("link_receive_missed_total", "rx", "missed_errors"),
    ("link_transmit_aborted_total", "tx", "aborted_errors"),
    ("link_transmit_carrier_errors_total", "tx", "carrier_errors"),
    ("link_transmit_fifo_errors_total", "tx", "fifo_errors"),
];

/// A link of every kind that a kernel makes by itself. Kinds that this kernel lacks are left out, and the tests
/// compare what there is with what `ip` says there is.
fn make_every_kind(peer: &Peer) {
    connect("v0", peer);
    run("ip link add v1 type veth peer name v2");
    run("ip link set v1 up");
    run("ip link add br0 type bridge");
    run("ip link set v1 master br0");
    run("ip link set br0 up");
    run("ip link add mac0 link v0 type macvlan mode bridge");
    run("ip link set mac0 up");
    run("ip addr add 10.78.0.1/24 dev mac0");
    run("ip link add vx0 type vxlan id 5 dstport 4789 dev v0 remote 10.77.0.2");
    run("ip link add vx1 type vxlan id 6 dstport 4789 local 10.77.0.1");
    run("ip tuntap add tap0 mode tap");
    run("ip tuntap add tun0 mode tun");
    run("ip link set tap0 mtu 9000 up");
    run("ip addr add 10.79.0.1 peer 10.79.0.2 dev tun0");
    for spec in
        ["dummy0 type dummy", "bond0 type bond", "vlan0 link v0 type vlan id 7", "ipv0 link v0 type ipvlan"]
    {
        try_run(&format!("ip link add {spec}"));
    }
}

#[test]
fn every_kind_is_as_ip_says() {
    in_namespace("every_kind_is_as_ip_says", || {
        let peer = Peer::new();
        make_every_kind(&peer);
        let mut reader = Reader::of_all();
        reader.settle();
        let links = reader.tick();
        let expected = json("ip -d -j link");
        assert_eq!(links.all().len(), expected.len());
        assert!(expected.len() >= 10);
        for ip in &expected {
            same_as_ip(link(&links, ip["ifname"].as_str().expect("a name")), ip, &links);
        }
        for ip in json("ip -j addr") {
            let found = &link(&links, ip["ifname"].as_str().expect("a name")).addresses;
            let expected: BTreeSet<String> = ip["addr_info"]
                .as_array()
                .expect("addresses")
                .iter()
                .filter(|address| address["tentative"].is_null() && address["dadfailed"].is_null())
                .filter_map(|address| Some(address["local"].as_str()?.to_owned()))
                .collect();
            assert_eq!(
                found.iter().map(ToString::to_string).collect::<BTreeSet<_>>(),
                expected,
                "{}",
                ip["ifname"]
            );
        }
        assert_eq!(link(&links, "v2").addresses, [] as [std::net::IpAddr; 0]);
        assert_eq!(link(&links, "vx0").lower, Some(link(&links, "v0").index));
        assert_eq!((link(&links, "tap0").carrier, link(&links, "tap0").oper_up), (Some(false), false));
        assert_eq!((link(&links, "v2").carrier, link(&links, "v2").oper_up), (None, false));
        assert!(link(&links, "lo").oper_up);
    });
}

fn same_as_ip(link: &Link, ip: &serde_json::Value, links: &Links) {
    let name = |index: Option<u32>| index.and_then(|i| links.get(i)).map(|l| l.name.as_str());
    assert_eq!(u64::from(link.index), ip["ifindex"].as_u64().expect("an index"));
    assert_eq!(u64::from(link.mtu), ip["mtu"].as_u64().expect("an MTU"), "{}", link.name);
    assert_eq!(name(link.master), ip["master"].as_str(), "{}", link.name);
    let is_loopback = ip["link_type"] == "loopback";
    let kind =
        if is_loopback { "loopback" } else { ip["linkinfo"]["info_kind"].as_str().unwrap_or("virtual") };
    assert_eq!(link.kind, kind);
    let lower = match kind {
        "veth" => None,
        "vxlan" => ip["linkinfo"]["info_data"]["link"].as_str(),
        _ => ip["link"].as_str(),
    };
    assert_eq!(name(link.lower), lower, "{}", link.name);
    let flags: Vec<&str> = ip["flags"].as_array().expect("flags").iter().filter_map(|f| f.as_str()).collect();
    assert_eq!(link.admin_up, flags.contains(&"UP"), "{}", link.name);
    assert_eq!(link.carrier, link.admin_up.then(|| flags.contains(&"LOWER_UP")), "{}", link.name);
    let up = match ip["operstate"].as_str() {
        Some("UNKNOWN") => link.admin_up && flags.contains(&"LOWER_UP"),
        state => state == Some("UP"),
    };
    assert_eq!(link.oper_up, up, "{}", link.name);
}

#[test]
fn counters_are_those_of_ip_under_traffic() {
    in_namespace("counters_are_those_of_ip_under_traffic", || {
        let peer = Peer::new();
        make_every_kind(&peer);
        let mut reader = Reader::of_all();
        let mut counters = open(&link_counters::SOURCE);
        let _traffic = Beside::traffic();
        for _ in 0..20 {
            let links = reader.tick();
            let before = json("ip -s -s -j link");
            let reading = counters.read(&reader.context()).expect("counters");
            let after = json("ip -s -s -j link");
            assert_eq!(reading.problems, [] as [String; 0]);
            for (before, after) in before.iter().zip(&after) {
                let index = before["ifindex"].as_u64().expect("an index") as u32;
                let row = links.row(index).expect("a row");
                assert_between(&before["stats64"], &reading.blocks[0], row, &after["stats64"]);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let links = reader.tick();
        let block = &counters.read(&reader.context()).expect("counters").blocks[0];
        let sent =
            value(block, "link_transmit_packets_total", links.row(link(&links, "v0").index).expect("a row"));
        assert!(sent.is_some_and(|sent| sent > 1000), "{sent:?}");
    });
}

fn value(block: &Block, metric: &str, row: usize) -> Option<u64> {
    let column = block.columns.iter().position(|column| column.metric.name == metric).expect(metric);
    block.cell(column, row).as_integer()
}

fn assert_between(before: &serde_json::Value, block: &Block, row: usize, after: &serde_json::Value) {
    for (metric, side, name) in NAMES {
        let ours = value(block, metric, row).expect(metric);
        let (low, high) = (before[side][name].as_u64().expect(name), after[side][name].as_u64().expect(name));
        assert!((low..=high).contains(&ours), "{metric}: {low} <= {ours} <= {high}");
    }
}

/// Every key that was ever seen, and the name that it stood for: a key never stands for two.
#[derive(Default)]
struct Register(BTreeMap<Key, String>);

impl Register {
    fn check(&mut self, links: &Links) {
        let names: BTreeSet<&str> = links.all().iter().map(|link| link.name.as_str()).collect();
        assert_eq!(names.len(), links.all().len(), "one name, one link");
        for link in links.all() {
            let name = self.0.entry(link.key).or_insert_with(|| link.name.clone());
            assert_eq!(*name, link.name, "key {}", link.key);
        }
    }
}

#[test]
fn what_is_renamed_replaced_or_moved_gets_a_new_key() {
    in_namespace("what_is_renamed_replaced_or_moved_gets_a_new_key", || {
        let peer = Peer::new();
        run("ip link add index 100 a0 type veth peer index 101 name a1");
        let (mut reader, mut register) = (Reader::of_all(), Register::default());
        let mut step = |commands: &[String]| {
            let before = reader.tick();
            for command in commands {
                run(command);
            }
            let after = reader.tick();
            register.check(&after);
            (before, after)
        };
        let (_, links) = step(&[]);
        let first = link(&links, "a0").key;
        let (_, links) = step(&["ip link set a0 up".into()]);
        assert_eq!(link(&links, "a0").key, first, "a change of state is no new link");
        let (_, links) = step(&["ip link set a0 name b0".into()]);
        let second = link(&links, "b0").key;
        assert_ne!(second, first, "renamed");
        let again = ["ip link del b0", "ip link add index 100 b0 type veth peer index 101 name a1"];
        let (_, links) = step(&again.map(String::from));
        let third = link(&links, "b0").key;
        assert_eq!(link(&links, "b0").index, 100);
        assert_ne!(third, second, "made again under the same name and index");
        let there = format!("ip link set b0 netns {}", peer.pid());
        let back =
            format!("nsenter --net=/proc/{}/ns/net ip link set b0 netns {}", peer.pid(), std::process::id());
        let (_, links) = step(std::slice::from_ref(&there));
        assert!(links.all().iter().all(|link| link.name != "b0"), "moved away");
        let (_, links) = step(std::slice::from_ref(&back));
        assert_ne!(link(&links, "b0").key, third, "came back");
        let fourth = link(&links, "b0").key;
        let (_, links) = step(&[there, back]);
        assert_ne!(link(&links, "b0").key, fourth, "moved away and back between two readings");
        let swap = ["ip link set a1 name c", "ip link set b0 name a1", "ip link set c name b0"];
        let (before, links) = step(&swap.map(String::from));
        assert_eq!(link(&links, "b0").index, link(&before, "a1").index);
        assert_ne!(link(&links, "b0").key, link(&before, "b0").key, "names swapped");
    });
}

#[test]
fn ports_leave_a_bridge_and_stay_links() {
    in_namespace("ports_leave_a_bridge_and_stay_links", || {
        run("ip link add br0 type bridge");
        run("ip link add p0 type veth peer name p1");
        run("ip link set p0 master br0 up");
        let mut reader = Reader::of_all();
        let links = reader.tick();
        let (port, bridge) = (link(&links, "p0").clone(), link(&links, "br0").index);
        assert_eq!(port.master, Some(bridge));
        run("ip link set p0 nomaster");
        let links = reader.tick();
        assert_eq!((link(&links, "p0").master, link(&links, "p0").key), (None, port.key));
        run("ip link set p0 master br0");
        run("ip link del br0");
        let links = reader.tick();
        assert_eq!((link(&links, "p0").master, link(&links, "p0").key), (None, port.key));
        run("ip addr add 10.80.0.1/24 dev p0");
        assert_eq!(link(&reader.tick(), "p0").addresses.len(), 1);
        run("ip addr del 10.80.0.1/24 dev p0");
        assert_eq!(link(&reader.tick(), "p0").addresses.len(), 0);
    });
}

/// Sum of the `Drops` column of /proc/net/netlink: events that did not fit a socket.
fn lost_events() -> u64 {
    let text = std::fs::read_to_string("/proc/net/netlink").expect("/proc/net/netlink");
    let drops = |line: &str| line.split_whitespace().nth(8).and_then(|word| word.parse::<u64>().ok());
    text.lines().filter_map(drops).sum()
}

fn pairs(numbers: std::ops::Range<u32>) -> impl Iterator<Item = String> {
    numbers.map(|n| format!("link add many{n} group 42 type veth peer name far{n}"))
}

#[test]
fn lost_events_lead_to_the_right_list() {
    in_namespace("lost_events_lead_to_the_right_list", || {
        let (mut reader, mut register) = (Reader::of_all(), Register::default());
        let alone = reader.tick();
        ip_batch(pairs(0..1000));
        assert!(lost_events() > 0, "2,000 new links overflow the socket");
        let links = reader.tick();
        register.check(&links);
        assert_eq!(links.all().len(), 2000 + alone.all().len());
        assert!(reader.try_tick().expect("links").unchanged, "no event is left over");
        run("ip link del group 42");
        let links = reader.tick();
        assert_eq!(links.all(), alone.all());
        ip_batch(pairs(0..1000));
        run("ip link del group 42");
        ip_batch(pairs(500..510));
        let links = reader.tick();
        register.check(&links);
        assert_eq!(links.all().len(), 20 + alone.all().len());
    });
}

#[test]
fn links_that_come_and_go_during_a_dump_mix_nothing_up() {
    in_namespace("links_that_come_and_go_during_a_dump_mix_nothing_up", || {
        let peer = Peer::new();
        ip_batch(pairs(0..300));
        connect("v0", &peer);
        let traffic = Beside::traffic();
        let (mut reader, mut register) = (Reader::of_all(), Register::default());
        let mut counters = open(&link_counters::SOURCE);
        let churning = Beside::repeat(churn);
        for _ in 0..300 {
            let links = reader.tick();
            register.check(&links);
            only_the_busy_link_counts(counters.as_mut(), &reader, &links);
        }
        drop((churning, traffic));
        let links = reader.tick();
        let names: BTreeSet<String> = links.all().iter().map(|link| link.name.clone()).collect();
        let expected: BTreeSet<String> =
            json("ip -j link").iter().map(|ip| ip["ifname"].as_str().expect("a name").to_owned()).collect();
        assert_eq!(names, expected);
    });
}

/// Deletes, makes again under the same index, renames: as fast as `ip` can.
fn churn() {
    for n in [3, 150, 299] {
        try_run(&format!("ip link del many{n}"));
        try_run(&format!("ip link add index {} many{n} type veth peer name far{n}", 5000 + n));
        try_run(&format!("ip link set far{n} name near{n}"));
    }
}

/// Only one link has traffic: a packet on another's row would be a counter in the wrong place.
fn only_the_busy_link_counts(counters: &mut dyn Source, reader: &Reader, links: &Links) {
    let reading = counters.read(&reader.context()).expect("counters");
    for (row, link) in links.all().iter().enumerate() {
        let sent = value(&reading.blocks[0], "link_transmit_packets_total", row);
        let is_quiet = !["v0", "lo"].contains(&link.name.as_str());
        assert!(!is_quiet || sent.is_none_or(|sent| sent == 0), "{}: {sent:?}", link.name);
    }
}

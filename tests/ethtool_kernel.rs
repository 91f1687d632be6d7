//! The ethtool sources on the real kernel, against what Debian's `ethtool` says of the same devices at the same time.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "what helps a test fails it in the same way as the test"
)]

mod support;

use miglink::sample::block::Block;
use miglink::sample::cell::{Cell, Gap};
use miglink::sample::link::Links;
use miglink::source::contract::{Context, Reading, SourceInfo};
use miglink::source::transport::ethtool::{Command, Ethtool};
use miglink::source::transport::ioctl::EthtoolIoctl;
use miglink::source::{
    channels, coalescing, driver_statistics, ethernet_statistics, features, fec, link_counters, link_modes,
    pause, queue_statistics, rings,
};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use support::{in_namespace, link, open, run, try_run, Reader};

/// The devices of the machine that the tests run on, whatever they are.
#[test]
fn this_hosts_devices_are_as_ethtool_says() {
    let mut reader = Reader::new(|_| true);
    let links = reader.tick();
    for name in links.all().iter().map(|link| link.name.as_str()) {
        compare(&reader.context(), name);
    }
}

#[test]
fn software_devices_are_as_ethtool_says() {
    in_namespace("software_devices_are_as_ethtool_says", || {
        run("ip link add mle0 numrxqueues 4 numtxqueues 4 type veth peer name mle1 numrxqueues 4 numtxqueues 4");
        run("ip link add mle-ifb type ifb");
        run("ip link set mle0 up");
        run("ip link set mle1 up");
        let mut reader = Reader::new(|_| true);
        reader.tick();
        for name in ["mle0", "mle1", "mle-ifb", "lo"] {
            compare(&reader.context(), name);
        }
        let context = reader.context();
        assert_eq!(value(&context, &channels::SOURCE, "link_channels", "rx", "mle0"), Ok(4));
        assert_eq!(value(&context, &rings::SOURCE, "link_ring_entries", "rx", "mle0"), Err(Gap::Unsupported));
        assert_eq!(value(&context, &features::SOURCE, "link_feature", "rx-gro", "mle0"), Ok(0));
        run("ethtool -L mle0 rx 3 tx 2");
        run("ethtool -K mle0 gro on tso off");
        compare(&context, "mle0");
        assert_eq!(value(&context, &channels::SOURCE, "link_channels", "rx", "mle0"), Ok(3));
        assert_eq!(value(&context, &features::SOURCE, "link_feature", "rx-gro", "mle0"), Ok(1));
        assert_eq!(value(&context, &features::SOURCE, "link_feature", "tx-tcp-segmentation", "mle0"), Ok(0));
    });
}

#[test]
fn what_a_driver_does_not_have_is_a_gap_and_no_problem() {
    in_namespace("what_a_driver_does_not_have_is_a_gap_and_no_problem", || {
        run("ip link add mle0 type veth peer name mle1");
        let mut reader = Reader::of_all();
        reader.tick();
        let context = reader.context();
        let none = [&rings::SOURCE, &pause::SOURCE, &fec::SOURCE, &ethernet_statistics::SOURCE];
        for info in none.into_iter().chain([&driver_statistics::SOURCE, &coalescing::SOURCE]) {
            let mut source = open(info);
            let reading = source.read(&context).expect(info.name);
            assert_eq!((&reading.problems, &reading.facts), (&Vec::new(), &Vec::new()), "{}", info.name);
            assert_eq!(reading.blocks[0].rows(), 0, "{}: what has nothing has no row", info.name);
            let again = source.read(&context).expect(info.name);
            assert_eq!(again.blocks[0].rows(), 0, "{}: nor does it get one", info.name);
        }
        let reading = open(&queue_statistics::SOURCE).read(&context).expect("queues");
        assert_eq!((reading.blocks[0].rows(), reading.problems), (0, Vec::new()));
    });
}

/// A driver's refusal is remembered, so a device that has gone has no row any more where it was refused before, and
/// a gap where it was not; neither is a failure. A device made anew is asked anew.
#[test]
fn a_refusal_is_remembered_for_as_long_as_the_link_lives() {
    in_namespace("a_refusal_is_remembered_for_as_long_as_the_link_lives", || {
        run("ip link add mle0 type veth peer name mle1");
        let mut reader = Reader::of_all();
        reader.tick();
        let context = reader.context();
        let (mut rings, mut channels) = (open(&rings::SOURCE), open(&channels::SOURCE));
        let mut answer = |context: &Context| {
            let readings = [rings.read(context).expect("rings"), channels.read(context).expect("channels")];
            readings.map(|reading| {
                assert!(reading.problems.is_empty(), "{:?}", reading.problems);
                let block = &reading.blocks[0];
                let cell = (block.rows() > 0).then(|| block.cell(0, 0)).ok_or(None)?;
                cell.as_integer().ok_or(cell.reason())
            })
        };
        assert_eq!(answer(&context), [Err(None), Ok(1)]);
        run("ip link del mle0");
        assert_eq!(answer(&context), [Err(None), Err(Some(Gap::NotRead))]);
        run("ip link add mle0 type veth peer name mle1");
        reader.tick();
        let anew = reader.context();
        assert_ne!(link(&context.links, "mle0").key, link(&anew.links, "mle0").key);
        assert_eq!(answer(&anew), [Err(None), Ok(1)]);
    });
}

#[test]
fn driver_statistics_are_as_ethtool_says_while_their_number_changes() {
    in_namespace("driver_statistics_are_as_ethtool_says_while_their_number_changes", || {
        run("ip link add mle0 numrxqueues 64 numtxqueues 64 type veth peer name mle1 numrxqueues 64 numtxqueues 64");
        let mut ioctl = EthtoolIoctl::open().expect("a socket");
        let mut values = Vec::new();
        assert_eq!(ioctl.driver("mle0").expect("a name"), "veth");
        let most: u64 = limit_of_channels("mle0");
        run("ethtool -L mle0 rx 1 tx 1");
        let few = ioctl.statistic_names("mle0").expect("names");
        assert!(ioctl.statistics("mle0", few.len(), &mut values).expect("values"));
        assert_eq!(few.iter().cloned().zip(values.iter().copied()).collect::<Vec<_>>(), statistics("mle0"));
        run(&format!("ethtool -L mle0 rx {most} tx {most}"));
        assert!(!ioctl.statistics("mle0", few.len(), &mut values).expect("an answer"), "there are more now");
        assert!(values.is_empty());
        let many = ioctl.statistic_names("mle0").expect("names");
        assert!(many.len() > few.len());
        assert!(ioctl.statistics("mle0", many.len(), &mut values).expect("values"));
        assert_eq!(many.into_iter().zip(values.iter().copied()).collect::<Vec<_>>(), statistics("mle0"));
        run("ip link del mle0");
        let error = ioctl.statistics("mle0", few.len(), &mut values).expect_err("gone");
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
    });
}

/// A device whose driver is in no table falls back to `rx_missed_errors` and says so. A veth stands for it here.
#[test]
fn an_unknown_driver_falls_back_and_says_so() {
    in_namespace("an_unknown_driver_falls_back_and_says_so", || {
        run("ip link add mle0 type veth peer name mle1");
        let mut reader = Reader::new(|link| link.name == "mle0");
        let mut list = reader.tick().all().to_vec();
        for link in &mut list {
            link.kind = "physical".into();
        }
        let context = Context { links: Arc::new(Links::new(1, list, None)), ..reader.context() };
        let mut source = open(&driver_statistics::SOURCE);
        let reading = source.read(&context).expect("a reading");
        let fact = &reading.facts[0];
        assert_eq!((fact.label, fact.value.as_ref()), ("ring_overflow_counter", "rx_missed_errors"));
        assert_eq!(reading.blocks[0].cell(0, 0).as_integer(), Some(0));
        run("ip link del mle0");
        let reading = source.read(&context).expect("a reading");
        assert_eq!((reading.blocks[0].cell(0, 0).reason(), reading.problems), (Some(Gap::NotRead), vec![]));
    });
}

#[test]
fn links_can_go_while_they_are_asked() {
    in_namespace("links_can_go_while_they_are_asked", || {
        let churn = std::thread::spawn(|| {
            for _ in 0..40 {
                try_run("ip link add mle0 type veth peer name mle1");
                try_run("ip link del mle0");
            }
        });
        let mut reader = Reader::of_all();
        let mut ethtool = Ethtool::open(Duration::from_secs(2)).expect("ethtool netlink");
        while !churn.is_finished() {
            let links = reader.tick();
            let problems =
                ethtool.ask_each(Command::Channels, links.exported().iter(), |_, _, _| {}).expect("answers");
            assert_eq!(problems, Vec::<String>::new());
        }
        churn.join().expect("the other thread");
    });
}

/// The sums over virtio_net's queues are the link's own counters, so they lie between two readings of those.
#[test]
fn queues_add_up_to_their_link() {
    let mut reader = Reader::new(|_| true);
    let links = reader.tick();
    let context = reader.context();
    let Some(row) =
        links.all().iter().position(|link| link.hardware().driver == "virtio_net" && link.oper_up)
    else {
        // Not `println`, which the test harness keeps to itself when a test passes.
        writeln!(std::io::stdout(), "SKIPPED queues_add_up_to_their_link: no virtio_net device")
            .expect("output");
        return;
    };
    let device = &links.all()[row].name;
    let (mut counters, mut queues) = (open(&link_counters::SOURCE), open(&queue_statistics::SOURCE));
    let mut read = |names: [&str; 4]| {
        let block = &counters.read(&context).expect("counters").blocks[0];
        names.map(|name| block.cell(column(block, name, ""), row).as_integer().expect(name))
    };
    let names = ["receive_packets", "receive_bytes", "transmit_packets", "transmit_bytes"];
    let of_link = names.map(|name| format!("link_{name}_total"));
    let of_link = std::array::from_fn(|at| of_link[at].as_str());
    let before = read(of_link);
    let block = queues.read(&context).expect("queues").blocks.remove(0);
    let after = read(of_link);
    for (at, name) in names.into_iter().enumerate() {
        let column = column(&block, &format!("link_queue_{name}_total"), "");
        let rows =
            (0..block.rows()).filter(|row| block.subjects.label(*row, "device").as_ref() == Some(device));
        let sum: u64 = rows.filter_map(|row| block.cell(column, row).as_integer()).sum();
        assert!((before[at]..=after[at]).contains(&sum), "{name}: {} {sum} {}", before[at], after[at]);
    }
}

/// Compares all settings of a device with `ethtool`.
fn compare(context: &Context, device: &str) {
    let (most, now) = sections(&ethtool("-g", device));
    for (ring, label) in [("RX", "rx"), ("RX Mini", "rx_mini"), ("RX Jumbo", "rx_jumbo"), ("TX", "tx")] {
        let entries = |metric| value(context, &rings::SOURCE, metric, label, device).ok();
        assert_eq!(entries("link_ring_entries"), now.get(ring).copied(), "{device} {ring}");
        assert_eq!(entries("link_ring_entries_max"), most.get(ring).copied(), "{device} {ring} at most");
    }
    let (most, now) = sections(&ethtool("-l", device));
    for (channel, label) in [("RX", "rx"), ("TX", "tx"), ("Other", "other"), ("Combined", "combined")] {
        let count = |metric| value(context, &channels::SOURCE, metric, label, device).ok();
        assert_eq!(count("link_channels"), now.get(channel).copied(), "{device} {channel}");
        assert_eq!(count("link_channels_max"), most.get(channel).copied(), "{device} {channel} at most");
    }
    compare_coalescing(context, device);
    compare_features(context, device);
    compare_modes(context, device);
}

fn compare_coalescing(context: &Context, device: &str) {
    let said = fields(&ethtool("-c", device));
    let number = |name: &str| said.get(name).and_then(|text| text.parse::<u64>().ok());
    for direction in ["rx", "tx"] {
        let frames = value(context, &coalescing::SOURCE, "link_coalesce_frames", direction, device);
        assert_eq!(frames.ok(), number(&format!("{direction}-frames")), "{device} {direction}");
        let block = read(context, &coalescing::SOURCE).blocks.remove(0);
        let cell = cell(context, &block, column(&block, "link_coalesce_seconds", direction), device);
        let expected = number(&format!("{direction}-usecs")).map(|microseconds| microseconds as f64 / 1e6);
        assert_eq!(cell.as_float(), expected, "{device} {direction}");
    }
    let adaptive = value(context, &coalescing::SOURCE, "link_coalesce_adaptive", "rx", device).ok();
    // `Adaptive RX: off  TX: n/a`
    let said = said.get("Adaptive RX").and_then(|text| text.split_whitespace().next());
    assert_eq!(adaptive, said.and_then(on_or_off), "{device}");
}

fn compare_features(context: &Context, device: &str) {
    let said = fields(&ethtool("-k", device));
    // ethtool has older names for what is a single feature of the kernel.
    for (label, name) in [
        ("tx-tcp-segmentation", "tx-tcp-segmentation"),
        ("tx-generic-segmentation", "generic-segmentation-offload"),
        ("rx-gro", "generic-receive-offload"),
        ("rx-lro", "large-receive-offload"),
        ("tx-checksumming", "tx-checksumming"),
        ("rx-checksum", "rx-checksumming"),
        ("hw-tc-offload", "hw-tc-offload"),
        ("tls-hw-tx-offload", "tls-hw-tx-offload"),
    ] {
        let word = said.get(name).and_then(|text| text.split_whitespace().next()).expect(name);
        let feature = value(context, &features::SOURCE, "link_feature", label, device);
        assert_eq!(feature.ok(), on_or_off(word), "{device} {name}");
    }
}

fn compare_modes(context: &Context, device: &str) {
    let said = fields(&ethtool("", device));
    let megabits = said.get("Speed").and_then(|text| text.strip_suffix("Mb/s")?.parse::<u64>().ok());
    let speed = value(context, &link_modes::SOURCE, "link_speed_bytes_per_second", "", device);
    assert_eq!(speed.ok(), megabits.map(|value| value * 125_000), "{device}");
    let negotiated = value(context, &link_modes::SOURCE, "link_autonegotiation", "", device);
    assert_eq!(negotiated.ok(), said.get("Auto-negotiation").and_then(|text| on_or_off(text)), "{device}");
    let key = link(&context.links, device).key;
    let reading = read(context, &link_modes::SOURCE);
    let duplex = reading.facts.iter().find(|fact| fact.key == key && fact.label == "duplex");
    let word = said.get("Duplex").map(|text| text.split('!').next().unwrap_or(text).to_lowercase());
    assert_eq!(duplex.map(|fact| fact.value.to_string()), word, "{device}");
}

fn on_or_off(word: &str) -> Option<u64> {
    match word {
        "on" => Some(1),
        "off" => Some(0),
        _ => None,
    }
}

/// What `ethtool` prints; empty where it says that the device does not have it.
fn ethtool(option: &str, device: &str) -> String {
    let words = [option, device].into_iter().filter(|word| !word.is_empty());
    let output = std::process::Command::new("ethtool").args(words).output().expect("ethtool is installed");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// `name: value` lines.
fn fields(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.map(|(name, value)| (name.trim().into(), value.trim().into())).collect()
}

/// The numbers of `Pre-set maximums:` and of `Current hardware settings:`; `n/a` is left out.
fn sections(text: &str) -> (BTreeMap<String, u64>, BTreeMap<String, u64>) {
    let numbers = |part: &str| {
        fields(part).into_iter().filter_map(|(name, value)| Some((name, value.parse().ok()?))).collect()
    };
    let (most, now) = text.split_once("Current hardware settings:").unwrap_or(("", ""));
    (numbers(most), numbers(now))
}

/// `ethtool -S`, in order.
fn statistics(device: &str) -> Vec<(String, u64)> {
    let text = ethtool("-S", device);
    let pairs = text.lines().filter_map(|line| line.trim().rsplit_once(": "));
    pairs.map(|(name, value)| (name.into(), value.parse().expect(name))).collect()
}

fn limit_of_channels(device: &str) -> u64 {
    sections(&ethtool("-l", device)).0["RX"]
}

fn read(context: &Context, info: &SourceInfo) -> Reading {
    let reading = open(info).read(context).expect(info.name);
    assert!(reading.problems.is_empty(), "{}: {:?}", info.name, reading.problems);
    reading
}

fn value(context: &Context, info: &SourceInfo, metric: &str, label: &str, device: &str) -> Result<u64, Gap> {
    let block = read(context, info).blocks.remove(0);
    let cell = cell(context, &block, column(&block, metric, label), device);
    cell.as_integer().ok_or_else(|| cell.reason().expect("a gap has a reason"))
}

/// A link whose driver refuses the question has no row.
fn cell(context: &Context, block: &Block, column: usize, device: &str) -> Cell {
    let row = block.subjects.row_of(link(&context.links, device).key);
    row.map_or(Cell::gap(Gap::Unsupported), |row| block.cell(column, row))
}

fn column(block: &Block, metric: &str, label: &str) -> usize {
    let is_it = |c: &miglink::sample::metric::Column| {
        c.metric.name == metric && c.label.is_none_or(|(_, value)| value == label)
    };
    block.columns.iter().position(is_it).expect(metric)
}

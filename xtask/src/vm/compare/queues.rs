//! Queueing disciplines and classes against `tc -s -d -j`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::classes::Class;
use super::{Pair, Snapshot};

/// Numbers of a qdisc: the metric, and where `tc` has it in its JSON.
const QDISC: &[(&str, &str)] = &[
    ("miglink_qdisc_bytes_total", "/bytes"),
    ("miglink_qdisc_packets_total", "/packets"),
    ("miglink_qdisc_drops_total", "/drops"),
    ("miglink_qdisc_overlimits_total", "/overlimits"),
    ("miglink_qdisc_requeues_total", "/requeues"),
    ("miglink_qdisc_backlog_bytes", "/backlog"),
    ("miglink_qdisc_backlog_packets", "/qlen"),
    ("miglink_qdisc_rate_bytes_per_second", "/options/rate"),
];

/// Numbers of an HTB class.
const CLASS: &[(&str, Number)] = &[
    ("miglink_qdisc_class_bytes_total", |class| class.bytes),
    ("miglink_qdisc_class_packets_total", |class| class.packets),
    ("miglink_qdisc_class_drops_total", |class| class.drops),
    ("miglink_qdisc_class_overlimits_total", |class| class.overlimits),
    ("miglink_qdisc_class_requeues_total", |class| class.requeues),
    ("miglink_qdisc_class_backlog_packets", |class| class.backlog_packets),
    ("miglink_qdisc_class_rate_bytes_per_second", |class| class.rate),
    ("miglink_qdisc_class_ceil_bytes_per_second", |class| class.ceil),
];

type Number = fn(&Class) -> Option<f64>;

/// All that is compared of one device's queues.
pub fn pairs(snapshot: &Snapshot, device: &str) -> Vec<Pair> {
    let mut pairs = qdiscs(snapshot, device);
    pairs.extend(classes(snapshot, device));
    // What waits comes and goes between the readings while traffic flows.
    pairs.retain(|pair| !(snapshot.flowing && pair.metric.contains("_backlog_")));
    pairs
}

/// All qdiscs but noqueue, which counts nothing. The leaves of mq share a kind and a handle: compared as a sum.
fn qdiscs(snapshot: &Snapshot, device: &str) -> Vec<Pair> {
    let key =
        |qdisc: &Value| Some((qdisc["kind"].as_str()?.to_owned(), qdisc["handle"].as_str()?.to_owned()));
    let tools = [&snapshot.before, &snapshot.after];
    let mut keys: BTreeSet<_> = tools.iter().flat_map(|tools| tools.qdiscs(device)).filter_map(key).collect();
    let ours = snapshot.samples.iter().filter(|sample| sample.name == QDISC[0].0);
    let ours = ours.filter(|sample| sample.label("device") == device);
    keys.extend(ours.map(|sample| (sample.label("kind").to_owned(), sample.label("handle").to_owned())));
    let mut pairs = Vec::new();
    for (kind, handle) in keys.iter().filter(|(kind, _)| kind != "noqueue") {
        let labels = [("device", device), ("kind", kind), ("handle", handle)];
        for (metric, pointer) in QDISC {
            pairs.push(snapshot.pair(metric, &labels, "tc qdisc", |tools| {
                let same = |qdisc: &&Value| qdisc["kind"] == **kind && qdisc["handle"] == **handle;
                sum(tools.qdiscs(device).filter(same), pointer)
            }));
        }
    }
    pairs
}

fn classes(snapshot: &Snapshot, device: &str) -> Vec<Pair> {
    let ours = snapshot.samples.iter().filter(|sample| sample.name == CLASS[0].0);
    let ours = ours.filter(|sample| sample.label("device") == device);
    let mut keys: BTreeSet<String> = ours.map(|sample| sample.label("class").to_owned()).collect();
    keys.extend(snapshot.after.classes(device).into_iter().map(|class| class.handle));
    let mut pairs = Vec::new();
    for handle in &keys {
        for (metric, number) in CLASS {
            pairs.push(snapshot.pair(
                metric,
                &[("device", device), ("class", handle)],
                "tc class",
                |tools| tools.classes(device).iter().find(|class| class.handle == *handle).and_then(number),
            ));
        }
    }
    pairs
}

fn sum<'a>(entries: impl Iterator<Item = &'a Value>, pointer: &str) -> Option<f64> {
    entries.filter_map(|entry| entry.pointer(pointer)?.as_f64()).reduce(|a, b| a + b)
}

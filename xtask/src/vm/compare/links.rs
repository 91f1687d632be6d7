//! Links: counters, attributes and settings against `ip`, `ethtool` and sysfs.

use super::super::settings::Setting;
use super::super::tools::{Source, Tools};
use super::{Pair, Snapshot};

/// A metric of a link and the tool's number for the same device.
struct Rule {
    metric: &'static str,
    /// The labels it has beside `device`.
    labels: &'static [(&'static str, &'static str)],
    tool: Source,
    /// What the tool's number is multiplied with to be in base units.
    scale: f64,
}

/// Mbit/s in bytes a second.
const MEGABIT: f64 = 125_000.0;
/// Microseconds in seconds.
const MICROSECOND: f64 = 1e-6;

/// Numbers of links. A number that the tool does not have must be absent from miglink too.
const RULES: &[Rule] = &[
    rule("miglink_link_receive_bytes_total", Source::Ip("/stats64/rx/bytes")),
    rule("miglink_link_receive_packets_total", Source::Ip("/stats64/rx/packets")),
    rule("miglink_link_receive_errors_total", Source::Ip("/stats64/rx/errors")),
    rule("miglink_link_receive_drops_total", Source::Ip("/stats64/rx/dropped")),
    rule("miglink_link_receive_missed_total", Source::Ip("/stats64/rx/missed_errors")),
    rule("miglink_link_receive_fifo_errors_total", Source::Ip("/stats64/rx/fifo_errors")),
    rule("miglink_link_receive_over_errors_total", Source::Ip("/stats64/rx/over_errors")),
    rule("miglink_link_receive_crc_errors_total", Source::Ip("/stats64/rx/crc_errors")),
    rule("miglink_link_receive_multicast_total", Source::Ip("/stats64/rx/multicast")),
    rule("miglink_link_transmit_bytes_total", Source::Ip("/stats64/tx/bytes")),
    rule("miglink_link_transmit_packets_total", Source::Ip("/stats64/tx/packets")),
    rule("miglink_link_transmit_errors_total", Source::Ip("/stats64/tx/errors")),
    rule("miglink_link_transmit_drops_total", Source::Ip("/stats64/tx/dropped")),
    rule("miglink_link_receive_bytes_total", Source::Sysfs("statistics/rx_bytes")),
    rule("miglink_link_receive_length_errors_total", Source::Ip("/stats64/rx/length_errors")),
    rule("miglink_link_receive_frame_errors_total", Source::Ip("/stats64/rx/frame_errors")),
    rule("miglink_link_receive_missed_total", Source::Sysfs("statistics/rx_missed_errors")),
    rule("miglink_link_receive_nohandler_total", Source::Sysfs("statistics/rx_nohandler")),
    rule("miglink_link_transmit_bytes_total", Source::Sysfs("statistics/tx_bytes")),
    rule("miglink_link_transmit_carrier_errors_total", Source::Ip("/stats64/tx/carrier_errors")),
    rule("miglink_link_transmit_aborted_total", Source::Ip("/stats64/tx/aborted_errors")),
    rule("miglink_link_transmit_fifo_errors_total", Source::Ip("/stats64/tx/fifo_errors")),
    rule("miglink_link_collisions_total", Source::Ip("/stats64/tx/collisions")),
    rule("miglink_link_carrier_changes_total", Source::Sysfs("carrier_changes")),
    rule("miglink_link_mtu_bytes", Source::Sysfs("mtu")),
    scaled("miglink_link_speed_bytes_per_second", Source::Ethtool(Setting::Speed), MEGABIT),
    scaled("miglink_link_speed_max_bytes_per_second", Source::Ethtool(Setting::FastestMode), MEGABIT),
    setting("miglink_link_ring_entries", &[("ring", "rx")], Setting::Ring("RX")),
    setting("miglink_link_ring_entries", &[("ring", "rx_mini")], Setting::Ring("RX Mini")),
    setting("miglink_link_ring_entries", &[("ring", "rx_jumbo")], Setting::Ring("RX Jumbo")),
    setting("miglink_link_ring_entries", &[("ring", "tx")], Setting::Ring("TX")),
    setting("miglink_link_ring_entries_max", &[("ring", "rx")], Setting::RingMaximum("RX")),
    setting("miglink_link_ring_entries_max", &[("ring", "rx_mini")], Setting::RingMaximum("RX Mini")),
    setting("miglink_link_ring_entries_max", &[("ring", "rx_jumbo")], Setting::RingMaximum("RX Jumbo")),
    setting("miglink_link_ring_entries_max", &[("ring", "tx")], Setting::RingMaximum("TX")),
    setting("miglink_link_channels", &[("channel", "rx")], Setting::Channel("RX")),
    setting("miglink_link_channels", &[("channel", "tx")], Setting::Channel("TX")),
    setting("miglink_link_channels", &[("channel", "other")], Setting::Channel("Other")),
    setting("miglink_link_channels", &[("channel", "combined")], Setting::Channel("Combined")),
    setting("miglink_link_channels_max", &[("channel", "rx")], Setting::ChannelMaximum("RX")),
    setting("miglink_link_channels_max", &[("channel", "tx")], Setting::ChannelMaximum("TX")),
    setting("miglink_link_channels_max", &[("channel", "other")], Setting::ChannelMaximum("Other")),
    setting("miglink_link_channels_max", &[("channel", "combined")], Setting::ChannelMaximum("Combined")),
    setting("miglink_link_autonegotiation", &[], Setting::Autonegotiation),
    setting("miglink_link_pause_autonegotiation", &[], Setting::Pause("Autonegotiate")),
    setting("miglink_link_pause_enabled", &[("direction", "rx")], Setting::Pause("RX")),
    setting("miglink_link_pause_enabled", &[("direction", "tx")], Setting::Pause("TX")),
    Rule {
        metric: "miglink_link_coalesce_seconds",
        labels: &[("direction", "rx")],
        tool: Source::Ethtool(Setting::Coalescing("rx-usecs")),
        scale: MICROSECOND,
    },
    setting("miglink_link_coalesce_frames", &[("direction", "rx")], Setting::Coalescing("rx-frames")),
    setting("miglink_link_coalesce_adaptive", &[("direction", "rx")], Setting::Adaptive("rx")),
    Rule {
        metric: "miglink_link_coalesce_seconds",
        labels: &[("direction", "tx")],
        tool: Source::Ethtool(Setting::Coalescing("tx-usecs")),
        scale: MICROSECOND,
    },
    setting("miglink_link_coalesce_frames", &[("direction", "tx")], Setting::Coalescing("tx-frames")),
    setting("miglink_link_coalesce_adaptive", &[("direction", "tx")], Setting::Adaptive("tx")),
    setting(
        "miglink_link_feature",
        &[("feature", "tx-tcp-segmentation")],
        Setting::Feature("tx-tcp-segmentation"),
    ),
    setting(
        "miglink_link_feature",
        &[("feature", "tx-generic-segmentation")],
        Setting::Feature("generic-segmentation-offload"),
    ),
    setting("miglink_link_feature", &[("feature", "rx-gro")], Setting::Feature("generic-receive-offload")),
    setting("miglink_link_feature", &[("feature", "rx-lro")], Setting::Feature("large-receive-offload")),
    setting("miglink_link_feature", &[("feature", "tx-checksumming")], Setting::Feature("tx-checksumming")),
    setting("miglink_link_feature", &[("feature", "rx-checksum")], Setting::Feature("rx-checksumming")),
    setting("miglink_link_feature", &[("feature", "hw-tc-offload")], Setting::Feature("hw-tc-offload")),
    setting(
        "miglink_link_feature",
        &[("feature", "tls-hw-tx-offload")],
        Setting::Feature("tls-hw-tx-offload"),
    ),
];

/// Labels of `miglink_link_info` and the word that a tool has for each.
const INFO: &[(&str, Source)] = &[
    ("driver", Source::Sysfs("driver")),
    ("duplex", Source::Ethtool(Setting::Duplex)),
    ("pci", Source::Ethtool(Setting::Pci)),
    ("numa_node", Source::Sysfs("device/numa_node")),
    ("master", Source::Ip("/master")),
    ("lower", Source::Lower),
    ("kind", Source::Kind),
];

/// What the queues of a driver with statistics by queue add up to.
const QUEUES: &[(&str, Source)] = &[
    ("miglink_link_queue_receive_packets_total", Source::Ip("/stats64/rx/packets")),
    ("miglink_link_queue_receive_bytes_total", Source::Ip("/stats64/rx/bytes")),
    ("miglink_link_queue_transmit_packets_total", Source::Ip("/stats64/tx/packets")),
    ("miglink_link_queue_transmit_bytes_total", Source::Ip("/stats64/tx/bytes")),
];
/// The only one of the emulated models' drivers (drivers/net/virtio_net.c: `virtnet_stat_ops`).
const DRIVER_WITH_QUEUES: &str = "virtio_net";

/// Where each driver counts receive ring overflows, as its own source says; `ethtool -S` where it is there. 8139cp
/// is one of those that miglink has no entry for.
const OVERFLOWS: &[(&str, Source)] = &[
    ("8139cp", Source::Ip("/stats64/rx/missed_errors")),
    ("e1000", Source::Statistic("rx_missed_errors")),
    ("e1000e", Source::Statistic("rx_missed_errors")),
    ("igb", Source::Statistic("rx_missed_errors")),
    ("vmxnet3", Source::Statistic("pkts rx OOB")),
];

/// All that is compared of one device.
pub fn pairs(snapshot: &Snapshot, device: &str) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = RULES.iter().map(|rule| number(snapshot, rule, device)).collect();
    pairs.extend(overflows(snapshot, device));
    pairs.extend(interrupts(snapshot, device));
    pairs.extend(queues(snapshot, device));
    for (label, source) in INFO {
        let tool = |tools: &Tools| tools.word(*source, device).filter(|word| word != "-1");
        pairs.push(snapshot.label("miglink_link_info", &[("device", device)], label, source.tool(), tool));
    }
    pairs
}

fn number(snapshot: &Snapshot, rule: &Rule, device: &str) -> Pair {
    let labels = [&[("device", device)], rule.labels].concat();
    let tool = |tools: &Tools| tools.number(rule.tool, device).map(|number| number * rule.scale);
    snapshot.pair(rule.metric, &labels, rule.tool.tool(), tool)
}

fn overflows(snapshot: &Snapshot, device: &str) -> Option<Pair> {
    let driver = snapshot.after.word(Source::Sysfs("driver"), device)?;
    let (_, source) = OVERFLOWS.iter().find(|(name, _)| *name == driver)?;
    let labels = [("device", device)];
    Some(snapshot.pair("miglink_link_ring_overflows_total", &labels, source.tool(), |tools| {
        tools.number(*source, device)
    }))
}

/// The sums of the queues' statistics, which the kernel only tells of a device that is up.
fn queues(snapshot: &Snapshot, device: &str) -> Vec<Pair> {
    let driver = snapshot.after.word(Source::Sysfs("driver"), device);
    if driver.as_deref() != Some(DRIVER_WITH_QUEUES) || !snapshot.after.is_up(device) {
        return Vec::new();
    }
    let mut pairs = Vec::new();
    for (metric, source) in QUEUES {
        let tool = |tools: &Tools| tools.number(*source, device);
        pairs.push(snapshot.pair(metric, &[("device", device)], source.tool(), tool));
    }
    pairs
}

/// Interrupts by CPU, where the scene has waited for miglink to read them.
fn interrupts(snapshot: &Snapshot, device: &str) -> Vec<Pair> {
    let before = snapshot.before.interrupts(device);
    let cpus = snapshot.after.interrupts(device).into_keys().filter(|cpu| before.contains_key(cpu));
    let pair = |cpu: String| {
        // A CPU that never took one has no row in miglink.
        let tool = |tools: &Tools| tools.interrupts(device).get(&cpu).copied().filter(|count| *count > 0.0);
        snapshot.pair(
            "miglink_link_interrupts_total",
            &[("device", device), ("cpu", &cpu)],
            "/proc/interrupts",
            tool,
        )
    };
    if snapshot.waited_for("interrupts") {
        cpus.map(pair).collect()
    } else {
        Vec::new()
    }
}

const fn rule(metric: &'static str, tool: Source) -> Rule {
    Rule { metric, labels: &[], tool, scale: 1.0 }
}

const fn scaled(metric: &'static str, tool: Source, scale: f64) -> Rule {
    Rule { metric, labels: &[], tool, scale }
}

const fn setting(
    metric: &'static str,
    labels: &'static [(&'static str, &'static str)],
    tool: Setting,
) -> Rule {
    Rule { metric, labels, tool: Source::Ethtool(tool), scale: 1.0 }
}

//! The table: which metric of miglink equals which number of which kernel tool. Data only; `compare.rs` applies it.

use super::settings::Setting;
use super::tools::Source;

/// A metric of a link and the tool's number for the same device.
pub struct Rule {
    /// The metric's full name.
    pub metric: &'static str,
    /// The labels it has beside `device`.
    pub labels: &'static [(&'static str, &'static str)],
    /// Where the tool's number is.
    pub tool: Source,
    /// What the tool's number is multiplied with to be in base units.
    pub scale: f64,
}

/// Mbit/s in bytes a second.
const MEGABIT: f64 = 125_000.0;
/// Microseconds in seconds.
const MICROSECOND: f64 = 1e-6;

/// Numbers of links. A number that the tool does not have must be absent from miglink too.
pub const LINKS: &[Rule] = &[
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
    scaled("miglink_link_speed_bytes_per_second", Source::Sysfs("speed"), MEGABIT),
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
    setting("miglink_link_pause_autonegotiation", &[], Setting::Pause("/autonegotiate")),
    setting("miglink_link_pause_enabled", &[("direction", "rx")], Setting::Pause("/rx")),
    setting("miglink_link_pause_enabled", &[("direction", "tx")], Setting::Pause("/tx")),
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
pub const INFO: &[(&str, Source)] = &[
    ("driver", Source::Sysfs("driver")),
    ("duplex", Source::Sysfs("duplex")),
    ("pci", Source::Ethtool(Setting::Pci)),
    ("numa_node", Source::Sysfs("device/numa_node")),
    ("master", Source::Ip("/master")),
];

/// Ring overflows by driver: the rows of `ethtool -S` that count them (the driver's own source says so).
pub const OVERFLOWS: &[(&str, &[&str])] = &[
    ("e1000", &["rx_missed_errors"]),
    ("e1000e", &["rx_missed_errors"]),
    ("igb", &["rx_missed_errors"]),
    ("vmxnet3", &["pkts rx OOB"]),
];

/// Numbers of a qdisc, by the name that `tc -s -j` gives each.
pub const QDISCS: &[(&str, &str)] = &[
    ("miglink_qdisc_bytes_total", "bytes"),
    ("miglink_qdisc_packets_total", "packets"),
    ("miglink_qdisc_drops_total", "drops"),
    ("miglink_qdisc_overlimits_total", "overlimits"),
    ("miglink_qdisc_requeues_total", "requeues"),
    ("miglink_qdisc_backlog_bytes", "backlog"),
];

/// Columns of `/proc/net/softnet_stat`, by position. The CPU's number is the column at `SOFTNET_CPU`.
pub const SOFTNET: &[(&str, usize)] = &[
    ("miglink_softnet_processed_total", 0),
    ("miglink_softnet_dropped_total", 1),
    ("miglink_softnet_squeezed_total", 2),
];

/// Where `/proc/net/softnet_stat` has the number of the CPU; a row may be missing for an offline one.
pub const SOFTNET_CPU: usize = 12;

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

//! The host's own counters and limits against `/proc/net/softnet_stat`, `/proc/net/netstat`, `/proc/net/snmp` and
//! `/proc/sys/net`.

use anyhow::{Context, Result};

use super::super::tools::Tools;
use super::{Pair, Snapshot};

/// Columns of `/proc/net/softnet_stat`, by position.
const SOFTNET: &[(&str, usize)] = &[
    ("miglink_softnet_processed_total", 0),
    ("miglink_softnet_dropped_total", 1),
    ("miglink_softnet_squeezed_total", 2),
    ("miglink_softnet_received_rps_total", 9),
    ("miglink_softnet_flow_limit_total", 10),
];

/// Where `/proc/net/softnet_stat` has the number of the CPU: a row may be missing for an offline one.
const SOFTNET_CPU: usize = 12;

/// Fields of `/proc/net/netstat` and `/proc/net/snmp`: the metric, the section, the field.
const NETSTAT: &[(&str, &str, &str)] = &[
    ("miglink_tcp_segments_received_total", "Tcp", "InSegs"),
    ("miglink_tcp_segments_sent_total", "Tcp", "OutSegs"),
    ("miglink_tcp_retransmitted_segments_total", "Tcp", "RetransSegs"),
    ("miglink_tcp_receive_errors_total", "Tcp", "InErrs"),
    ("miglink_tcp_timeouts_total", "TcpExt", "TCPTimeouts"),
    ("miglink_tcp_spurious_timeouts_total", "TcpExt", "TCPSpuriousRTOs"),
    ("miglink_tcp_loss_probes_total", "TcpExt", "TCPLossProbes"),
    ("miglink_tcp_fast_retransmits_total", "TcpExt", "TCPFastRetrans"),
    ("miglink_tcp_lost_retransmits_total", "TcpExt", "TCPLostRetransmit"),
    ("miglink_tcp_out_of_order_segments_total", "TcpExt", "TCPOFOQueue"),
    ("miglink_tcp_receive_queue_drops_total", "TcpExt", "TCPRcvQDrop"),
    ("miglink_tcp_backlog_drops_total", "TcpExt", "TCPBacklogDrop"),
    ("miglink_tcp_prune_called_total", "TcpExt", "PruneCalled"),
    ("miglink_tcp_zero_window_drops_total", "TcpExt", "TCPZeroWindowDrop"),
    ("miglink_tcp_zero_window_advertised_total", "TcpExt", "TCPToZeroWindowAdv"),
    ("miglink_tcp_delivered_marked_total", "TcpExt", "TCPDeliveredCE"),
    ("miglink_ip_receive_discards_total", "Ip", "InDiscards"),
    ("miglink_ip_transmit_discards_total", "Ip", "OutDiscards"),
    ("miglink_ip_fragments_created_total", "Ip", "FragCreates"),
    ("miglink_ip_fragments_failed_total", "Ip", "FragFails"),
];

/// Files below `/proc/sys/net`: the metric, the value of its label `limit`, the file, which of its words.
const SYSCTLS: &[(&str, &str, &str, usize)] = &[
    ("miglink_sysctl_tcp_rmem_bytes", "min", "ipv4/tcp_rmem", 0),
    ("miglink_sysctl_tcp_rmem_bytes", "default", "ipv4/tcp_rmem", 1),
    ("miglink_sysctl_tcp_rmem_bytes", "max", "ipv4/tcp_rmem", 2),
    ("miglink_sysctl_tcp_wmem_bytes", "min", "ipv4/tcp_wmem", 0),
    ("miglink_sysctl_tcp_wmem_bytes", "default", "ipv4/tcp_wmem", 1),
    ("miglink_sysctl_tcp_wmem_bytes", "max", "ipv4/tcp_wmem", 2),
    ("miglink_sysctl_rmem_max_bytes", "", "core/rmem_max", 0),
    ("miglink_sysctl_wmem_max_bytes", "", "core/wmem_max", 0),
    ("miglink_sysctl_netdev_max_backlog_packets", "", "core/netdev_max_backlog", 0),
    ("miglink_sysctl_netdev_budget_packets", "", "core/netdev_budget", 0),
    ("miglink_sysctl_tcp_window_scaling", "", "ipv4/tcp_window_scaling", 0),
];

/// All that is compared of the host.
pub fn pairs(snapshot: &Snapshot) -> Result<Vec<Pair>> {
    let mut pairs = softnet(snapshot)?;
    for (metric, section, field) in NETSTAT {
        let tool = |tools: &Tools| tools.netstat(section, field);
        pairs.push(snapshot.pair(metric, &[], "/proc/net", tool));
    }
    for (metric, limit, file, word) in SYSCTLS {
        let labels = [("limit", *limit)];
        let labels = if limit.is_empty() { &[][..] } else { &labels[..] };
        pairs.push(snapshot.pair(metric, labels, "sysctl", |tools| tools.sysctl(file, *word)));
    }
    Ok(pairs)
}

fn softnet(snapshot: &Snapshot) -> Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    for row in snapshot.before.softnet()? {
        let cpu = row.get(SOFTNET_CPU).context("softnet_stat has no column with the CPU")?;
        for (metric, column) in SOFTNET {
            let of_cpu = |tools: &Tools| {
                let rows = tools.softnet().ok()?;
                let row = rows.iter().find(|row| row.get(SOFTNET_CPU) == Some(cpu))?;
                row.get(*column).map(|number| *number as f64)
            };
            pairs.push(snapshot.pair(metric, &[("cpu", &cpu.to_string())], "softnet_stat", of_cpu));
        }
    }
    Ok(pairs)
}

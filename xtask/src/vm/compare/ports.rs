//! RDMA ports against `/sys/class/infiniband`.

use std::collections::BTreeSet;

use super::super::tools::Tools;
use super::{Pair, Snapshot};

/// Files below a port: the metric, those that may hold it (the first that is there), and what to multiply with.
/// `port_*_data` counts words of four bytes.
const PORT: &[(&str, &[&str], f64)] = &[
    ("miglink_rdma_receive_bytes_total", &["counters/port_rcv_data"], 4.0),
    ("miglink_rdma_transmit_bytes_total", &["counters/port_xmit_data"], 4.0),
    ("miglink_rdma_receive_packets_total", &["counters/port_rcv_packets", "hw_counters/rcvd_pkts"], 1.0),
    ("miglink_rdma_transmit_packets_total", &["counters/port_xmit_packets", "hw_counters/sent_pkts"], 1.0),
    ("miglink_rdma_transmit_wait_ticks_total", &["counters/port_xmit_wait"], 1.0),
    ("miglink_rdma_link_downed_total", &["counters/link_downed", "hw_counters/link_downed"], 1.0),
    ("miglink_rdma_duplicate_requests_total", &["hw_counters/duplicate_request"], 1.0),
    ("miglink_rdma_out_of_sequence_total", &["hw_counters/out_of_seq_request"], 1.0),
    ("miglink_rdma_packet_sequence_errors_total", &["hw_counters/rcvd_seq_err"], 1.0),
    ("miglink_rdma_receiver_not_ready_total", &["hw_counters/rcvd_rnr_err"], 1.0),
    ("miglink_rdma_retries_exceeded_total", &["hw_counters/retry_exceeded_err"], 1.0),
];

/// All that is compared of all ports.
pub fn pairs(snapshot: &Snapshot) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for name in ports(&snapshot.after) {
        let Some((device, number)) = name.split_once("/ports/") else { continue };
        let labels = [("rdma_device", device), ("port", number)];
        for (metric, files, factor) in PORT {
            pairs.push(snapshot.pair(metric, &labels, "infiniband", |tools| {
                let number =
                    files.iter().find_map(|file| tools.infiniband(&format!("{name}/{file}"))?.parse().ok());
                number.map(|number: f64| number * factor)
            }));
        }
        pairs.push(snapshot.pair("miglink_rdma_active", &labels, "infiniband", |tools| {
            let state = tools.infiniband(&format!("{name}/state"))?;
            Some(f64::from(u8::from(state.contains("ACTIVE"))))
        }));
    }
    pairs
}

/// `DEVICE/ports/NUMBER` of all ports.
fn ports(tools: &Tools) -> BTreeSet<String> {
    let files = tools.infiniband_files();
    files.filter_map(|file| file.strip_suffix("/state")).map(str::to_owned).collect()
}

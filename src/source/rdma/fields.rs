//! Which counters of RDMA ports are taken, and under which names drivers keep them.
//!
//! `counters/` is the InfiniBand standard's (drivers/infiniband/core/sysfs.c), `hw_counters/` is each driver's own:
//! drivers/infiniband/hw/mlx5/counters.c, hw/bnxt_re/hw_counters.c, hw/irdma/verbs.c, sw/rxe/rxe_hw_counters.c.
//! Names of different drivers share a metric only where they count the same thing.

use crate::sample::metric::{Column, Metric, Unit};

/// A file that may hold a counter.
#[derive(Debug)]
pub struct Place {
    /// `counters` or `hw_counters`.
    pub directory: &'static str,
    /// The file.
    pub file: &'static str,
    /// What to multiply its number with.
    pub factor: u64,
}

/// One counter and the files that may hold it; the first that is there counts.
#[derive(Debug)]
pub struct Counter {
    /// The files.
    pub places: &'static [Place],
}

const fn standard(file: &'static str) -> Place {
    Place { directory: "counters", file, factor: 1 }
}

/// Data is counted in words of four bytes (InfiniBand specification, `PortXmitData`).
const fn words(file: &'static str) -> Place {
    Place { directory: "counters", file, factor: 4 }
}

const fn hardware(file: &'static str) -> Place {
    Place { directory: "hw_counters", file, factor: 1 }
}

const fn count(name: &'static str, help: &'static str) -> Metric {
    Metric::counter(name, help, Unit::None)
}

/// mlx5 keeps it in a queue counter of 32 bits.
const fn short(name: &'static str, help: &'static str) -> Metric {
    count(name, help).wraps_at_32_bits()
}

/// The port's logical state.
pub static ACTIVE: Metric = Metric::gauge("rdma_active", "Whether the RDMA port is active.", Unit::None);
/// The port's physical state.
pub static LINK_UP: Metric =
    Metric::gauge("rdma_link_up", "Whether the RDMA port's physical link is up.", Unit::None);
/// The port's rate.
pub static RATE: Metric =
    Metric::gauge("rdma_rate_bytes_per_second", "Rate of the active RDMA port.", Unit::BytesPerSecond);
/// Counters left out.
pub static UNLISTED: Metric = Metric::gauge(
    "rdma_unlisted_counters",
    "Hardware counters of the RDMA port's driver that have no metric here.",
    Unit::None,
);
/// What is known of a port.
pub static INFO: Metric = Metric::info("rdma_info", "An RDMA port: its network device and link layer.");

macro_rules! counters {
    ($($name:ident = $metric:expr, [$($place:expr),*];)*) => {
        $(
            #[doc = concat!("The counter `", stringify!($name), "`; its help says what it counts.")]
            pub static $name: Metric = $metric;
        )*
        /// The columns of the table: state, rate, and the counters.
        pub static COLUMNS: &[Column] = &[
            Column::of(&ACTIVE), Column::of(&LINK_UP), Column::of(&RATE), Column::of(&UNLISTED),
            $(Column::of(&$name)),*
        ];
        /// The counters, in the order of the columns after the first four.
        pub static COUNTERS: &[Counter] = &[$(Counter { places: &[$($place),*] }),*];
    };
}

/// The column of `rdma_info`.
pub static INFO_COLUMNS: [Column; 1] = [Column::of(&INFO)];

counters! {
    RECEIVE_BYTES = Metric::counter("rdma_receive_bytes_total", "Bytes received by RDMA.", Unit::Bytes),
        [words("port_rcv_data"), hardware("rx_bytes")];
    TRANSMIT_BYTES = Metric::counter("rdma_transmit_bytes_total", "Bytes sent by RDMA.", Unit::Bytes),
        [words("port_xmit_data"), hardware("tx_bytes")];
    RECEIVE_PACKETS = count("rdma_receive_packets_total", "Packets received by RDMA."),
        [standard("port_rcv_packets"), hardware("rx_pkts"), hardware("rcvd_pkts")];
    TRANSMIT_PACKETS = count("rdma_transmit_packets_total", "Packets sent by RDMA."),
        [standard("port_xmit_packets"), hardware("tx_pkts"), hardware("sent_pkts")];
    TRANSMIT_WAIT = count("rdma_transmit_wait_ticks_total", "Ticks of the port's clock with data to send and no credit or a pause; never quite still, growing fast means congestion."),
        [standard("port_xmit_wait")];
    TRANSMIT_DISCARDS = count("rdma_transmit_discards_total", "Packets that the port could not send."),
        [standard("port_xmit_discards")];
    RECEIVE_DISCARDS = count("rdma_receive_discards_total", "RDMA packets that the device received and dropped."),
        [hardware("rx_roce_discards")];
    RECEIVE_ERRORS = count("rdma_receive_errors_total", "Packets received with an error."),
        [standard("port_rcv_errors"), hardware("rx_roce_errors")];
    SYMBOL_ERRORS = count("rdma_symbol_errors_total", "Minor errors on the port's lanes."),
        [standard("symbol_error")];
    LINK_RECOVERIES = count("rdma_link_recoveries_total", "Times that the port's link recovered by itself."),
        [standard("link_error_recovery")];
    LINK_DOWNED = count("rdma_link_downed_total", "Times that the port's link failed."),
        [standard("link_downed"), hardware("link_downed")];
    OUT_OF_BUFFER = short("rdma_out_of_buffer_total", "Packets dropped because the receiving process had no work request posted."),
        [hardware("out_of_buffer"), hardware("rx_out_of_buffer")];
    OUT_OF_SEQUENCE = short("rdma_out_of_sequence_total", "Packets received out of sequence: something before them was lost."),
        [hardware("out_of_sequence"), hardware("out_of_seq_request"), hardware("oos_drop_count")];
    SEQUENCE_ERRORS = short("rdma_packet_sequence_errors_total", "Negative acknowledgements received for packets missing at the other end."),
        [hardware("packet_seq_err"), hardware("seq_err_naks_rcvd"), hardware("rcvd_seq_err")];
    ACK_TIMEOUTS = short("rdma_ack_timeouts_total", "Times that the sender's timer ran out waiting for an acknowledgement."),
        [hardware("local_ack_timeout_err"), hardware("to_retransmits")];
    NOT_READY = short("rdma_receiver_not_ready_total", "Negative acknowledgements received because the other end had no receive posted."),
        [hardware("rnr_nak_retry_err"), hardware("rnr_naks_rcvd"), hardware("rcvd_rnr_err")];
    IMPLIED_NAKS = short("rdma_implied_sequence_errors_total", "Acknowledgements received that skip a read response: it was lost."),
        [hardware("implied_nak_seq_err")];
    DUPLICATE_REQUESTS = short("rdma_duplicate_requests_total", "Requests received again: the other end missed an answer."),
        [hardware("duplicate_request"), hardware("dup_req")];
    RETRIES_EXCEEDED = short("rdma_retries_exceeded_total", "Requests given up after all retries."),
        [hardware("req_transport_retries_exceeded"), hardware("max_retry_exceeded"), hardware("retry_exceeded_err")];
    ECN_MARKED = count("rdma_ecn_marked_packets_total", "RoCE packets received with a mark of congestion (ECN)."),
        [hardware("np_ecn_marked_roce_packets"), hardware("RxECNMrkd"), hardware("rx_ecn_marked_pkts")];
    CNP_SENT = count("rdma_cnp_sent_total", "Congestion notifications sent: this receiver saw marks."),
        [hardware("np_cnp_sent"), hardware("cnpSent"), hardware("tx_cnp_pkts")];
    CNP_HANDLED = count("rdma_cnp_handled_total", "Congestion notifications received that slow this sender down (bnxt_re counts all received)."),
        [hardware("rp_cnp_handled"), hardware("cnpHandled"), hardware("rx_cnp_pkts")];
    CNP_IGNORED = count("rdma_cnp_ignored_total", "Congestion notifications received and ignored; anything but 0 is a fault of the set-up."),
        [hardware("rp_cnp_ignored"), hardware("cnpIgnored")];
    ADAPTIVE_RETRANSMITS = short("rdma_adaptive_retransmits_total", "Retransmissions by the adaptive timer (RoCE)."),
        [hardware("roce_adp_retrans")];
    ADAPTIVE_TIMEOUTS = short("rdma_adaptive_retransmit_timeouts_total", "Timeouts of the adaptive timer (RoCE)."),
        [hardware("roce_adp_retrans_to")];
    SLOW_RESTARTS = short("rdma_slow_restarts_total", "Times that a sender started slowly again (RoCE)."),
        [hardware("roce_slow_restart")];
    SLOW_RESTART_CNPS = short("rdma_slow_restart_cnps_total", "Congestion notifications made by slow restart (RoCE)."),
        [hardware("roce_slow_restart_cnps")];
    SLOW_RESTART_TRANSITIONS = short("rdma_slow_restart_transitions_total", "Times that a queue pair went into slow restart (RoCE)."),
        [hardware("roce_slow_restart_trans")];
    CHECKSUM_ERRORS = count("rdma_checksum_errors_total", "RoCE packets received with a wrong check sum (ICRC)."),
        [hardware("rx_icrc_encapsulated")];
}

#[cfg(test)]
mod tests {
    use super::{COLUMNS, COUNTERS};
    use std::collections::BTreeSet;

    #[test]
    fn no_file_is_taken_twice_and_every_counter_has_its_column() {
        let places: Vec<_> = COUNTERS.iter().flat_map(|c| c.places).map(|p| (p.directory, p.file)).collect();
        assert_eq!(places.iter().collect::<BTreeSet<_>>().len(), places.len());
        let names: BTreeSet<_> = COLUMNS.iter().map(|column| column.metric.name).collect();
        assert_eq!((COLUMNS.len(), names.len()), (COUNTERS.len() + 4, COLUMNS.len()));
    }
}

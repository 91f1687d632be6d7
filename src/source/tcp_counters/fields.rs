//! Which of the kernel's TCP and IP counters are taken, and what each means for a migration. Meanings after
//! net/ipv4/proc.c and Documentation/networking/snmp_counter.rst.

use crate::sample::cell::Cell;
use crate::sample::metric::{Column, Form, Metric, Unit};

/// Where a column's value is found.
#[derive(Debug)]
pub struct Field {
    /// The section: what stands before the colon.
    pub section: &'static str,
    /// The kernel's name.
    pub name: &'static str,
    metric: &'static Metric,
}

impl Field {
    /// The cell of a value: the only floats are times, which the kernel gives in milliseconds.
    pub fn cell(&self, value: u64) -> Cell {
        match self.metric.form {
            Form::Integer => Cell::integer(value),
            Form::Float => Cell::float(value as f64 / 1e3),
        }
    }
}

macro_rules! fields {
    ($($section:literal $field:literal $name:ident = $metric:expr;)*) => {
        $(#[doc = concat!("`", $section, "` `", $field, "`.")] pub static $name: Metric = $metric;)*
        /// The columns of the table.
        pub static COLUMNS: &[Column] = &[$(Column::of(&$name)),*];
        /// Where each column's value is found, in the order of the columns.
        pub static FIELDS: &[Field] = &[$(Field { section: $section, name: $field, metric: &$name }),*];
    };
}

/// A count of events.
const fn count(name: &'static str, help: &'static str) -> Metric {
    Metric::counter(name, help, Unit::None)
}

fields! {
    "Tcp" "CurrEstab" ESTABLISHED = Metric::gauge("tcp_established", "TCP connections that are established, also those whose other end has closed already.", Unit::None);
    "Tcp" "InSegs" SEGMENTS_RECEIVED = count("tcp_segments_received_total", "TCP segments received.");
    "Tcp" "OutSegs" SEGMENTS_SENT = count("tcp_segments_sent_total", "TCP segments sent, without those that hold only retransmitted data.");
    "Tcp" "RetransSegs" RETRANSMITTED = count("tcp_retransmitted_segments_total", "TCP segments sent again.");
    "Tcp" "InErrs" RECEIVE_ERRORS = count("tcp_receive_errors_total", "TCP segments received with an error, such as a wrong check sum.");
    "TcpExt" "TCPTimeouts" TIMEOUTS = count("tcp_timeouts_total", "Retransmission timers that ran out: the connection stood still and starts slowly again.");
    "TcpExt" "TCPSpuriousRTOs" SPURIOUS_TIMEOUTS = count("tcp_spurious_timeouts_total", "Retransmission timers that ran out though nothing was lost: the path's delay jumped.");
    "TcpExt" "TCPLossProbes" LOSS_PROBES = count("tcp_loss_probes_total", "Probes sent because the end of a flight was not acknowledged.");
    "TcpExt" "TCPFastRetrans" FAST_RETRANSMITS = count("tcp_fast_retransmits_total", "Segments sent again because later ones were acknowledged.");
    "TcpExt" "TCPLostRetransmit" LOST_RETRANSMITS = count("tcp_lost_retransmits_total", "Retransmitted segments that were lost again.");
    "TcpExt" "TCPRetransFail" FAILED_RETRANSMITS = count("tcp_failed_retransmits_total", "Segments that could not be sent again because this host had no room for them.");
    "TcpExt" "TCPSpuriousRtxHostQueues" RETRANSMITS_IN_QUEUE = count("tcp_retransmits_still_queued_total", "Segments due to be sent again whose first copy had not left this host's queues.");
    "TcpExt" "TCPDSACKRecv" DUPLICATES_REPORTED = count("tcp_duplicates_reported_total", "Acknowledgements that say a segment arrived twice: it was sent again in vain.");
    "TcpExt" "TCPSACKReorder" REORDERING = count("tcp_reordering_total", "Times that selective acknowledgements showed segments overtaking each other on the path.");
    "TcpExt" "TCPOFOQueue" OUT_OF_ORDER = count("tcp_out_of_order_segments_total", "Segments received ahead of a missing one and kept.");
    "TcpExt" "TCPOFODrop" OUT_OF_ORDER_DROPS = count("tcp_out_of_order_drops_total", "Segments received ahead of a missing one and dropped for want of receive buffer.");
    "TcpExt" "TCPRcvQDrop" RECEIVE_QUEUE_DROPS = count("tcp_receive_queue_drops_total", "Segments dropped because the socket's receive buffer was full.");
    "TcpExt" "TCPBacklogDrop" BACKLOG_DROPS = count("tcp_backlog_drops_total", "Segments dropped because the socket's backlog was full while its process held it.");
    "TcpExt" "TCPRcvCollapsed" RECEIVE_COLLAPSED = count("tcp_receive_collapsed_total", "Segments merged in a receive queue to save memory.");
    "TcpExt" "PruneCalled" PRUNE_CALLED = count("tcp_prune_called_total", "Times that a socket's receive queue had to be shrunk.");
    "TcpExt" "RcvPruned" RECEIVE_PRUNED = count("tcp_receive_pruned_total", "Segments dropped because shrinking a receive queue did not help.");
    "TcpExt" "TCPZeroWindowDrop" ZERO_WINDOW_DROPS = count("tcp_zero_window_drops_total", "Segments dropped because the receive window was closed.");
    "TcpExt" "TCPToZeroWindowAdv" ZERO_WINDOW_ADVERTISED = count("tcp_zero_window_advertised_total", "Times that this host closed a receive window: its process does not read fast enough.");
    "TcpExt" "TCPFromZeroWindowAdv" ZERO_WINDOW_LEFT = count("tcp_zero_window_left_total", "Times that this host opened a closed receive window again.");
    "TcpExt" "TCPWinProbe" WINDOW_PROBES = count("tcp_window_probes_total", "Probes sent because the other end's receive window was closed.");
    "TcpExt" "TCPMemoryPressures" MEMORY_PRESSURES = count("tcp_memory_pressures_total", "Times that TCP came under memory pressure (net.ipv4.tcp_mem).");
    "TcpExt" "TCPMemoryPressuresChrono" MEMORY_PRESSURE_TIME = Metric::counter("tcp_memory_pressure_seconds_total", "Time that TCP was under memory pressure.", Unit::Seconds).float();
    "TcpExt" "TCPWqueueTooBig" SEND_QUEUE_TOO_BIG = count("tcp_send_queue_too_big_total", "Segments not split because the send queue held too much already.");
    "TcpExt" "TCPDeliveredCE" DELIVERED_MARKED = count("tcp_delivered_marked_total", "Segments delivered with a mark of congestion on the path (ECN).");
    "TcpExt" "TCPMTUPFail" MTU_PROBES_FAILED = count("tcp_mtu_probes_failed_total", "Probes for a larger MTU that were lost.");
    "TcpExt" "TCPMTUPSuccess" MTU_PROBES_SUCCEEDED = count("tcp_mtu_probes_succeeded_total", "Probes for a larger MTU that arrived.");
    "IpExt" "InCEPkts" RECEIVED_MARKED = count("ip_received_marked_total", "IPv4 packets received with a mark of congestion (ECN).");
    "IpExt" "InCsumErrors" CHECKSUM_ERRORS = count("ip_checksum_errors_total", "IPv4 packets received with a wrong check sum of their header.");
    "Ip" "InDiscards" RECEIVE_DISCARDS = count("ip_receive_discards_total", "IPv4 packets received and dropped for want of memory.");
    "Ip" "OutDiscards" TRANSMIT_DISCARDS = count("ip_transmit_discards_total", "IPv4 packets dropped before they were sent, for want of room.");
    "Ip" "FragCreates" FRAGMENTS = count("ip_fragments_created_total", "IPv4 fragments made: packets were larger than a link's MTU.");
    "Ip" "FragFails" FRAGMENTS_FAILED = count("ip_fragments_failed_total", "IPv4 packets dropped because they were larger than a link's MTU and must not be fragmented.");
    "Ip" "ReasmFails" REASSEMBLY_FAILURES = count("ip_reassembly_failures_total", "IPv4 packets that could not be put together from their fragments.");
    "Icmp" "InDestUnreachs" UNREACHABLE_RECEIVED = count("icmp_destination_unreachable_received_total", "ICMP messages received that a destination is unreachable, fragmentation needed (path MTU) among them.");
    "Icmp" "OutDestUnreachs" UNREACHABLE_SENT = count("icmp_destination_unreachable_sent_total", "ICMP messages sent that a destination is unreachable, fragmentation needed (path MTU) among them.");
}

#[cfg(test)]
mod tests {
    use super::FIELDS;
    use std::collections::BTreeSet;

    #[test]
    fn no_field_is_taken_twice() {
        let fields: BTreeSet<_> = FIELDS.iter().map(|field| (field.section, field.name)).collect();
        let metrics: BTreeSet<_> = FIELDS.iter().map(|field| field.metric.name).collect();
        assert_eq!((fields.len(), metrics.len()), (FIELDS.len(), FIELDS.len()));
    }
}

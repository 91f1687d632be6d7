//! The columns of the flows' table. Its rows are hidden: addresses must not become series; rules and migrations use
//! them. They follow the order of `Figure`.

use crate::sample::metric::{Column, Metric, Unit};
use crate::source::transport::sock_diag::tcp_info::{Figure, COUNT};

macro_rules! columns {
    ($($kind:ident $name:literal $unit:ident $help:literal;)*) => {
        /// One for each figure of the kernel, in the order of `Figure`.
        pub static COLUMNS: [Column; COUNT] = [$(Column::of({
            static METRIC: Metric = Metric::$kind($name, $help, Unit::$unit);
            &METRIC
        })),*];
    };
}

columns! {
    counter "flow_acknowledged_bytes_total" Bytes "Bytes that the peer has acknowledged.";
    counter "flow_received_bytes_total" Bytes "Bytes received.";
    counter "flow_sent_bytes_total" Bytes "Bytes sent, repeats included.";
    counter "flow_repeated_bytes_total" Bytes "Bytes sent again.";
    counter "flow_busy_microseconds_total" None "Time with data to send or unacknowledged.";
    counter "flow_window_limited_microseconds_total" None "Of the busy time, stopped by the peer's window.";
    counter "flow_buffer_limited_microseconds_total" None "Of the busy time, stopped by the own send buffer.";
    gauge "flow_round_trip_microseconds" None "Smoothed round-trip time.";
    gauge "flow_shortest_round_trip_microseconds" None "The shortest round-trip time seen of late.";
    gauge "flow_congestion_window_segments" None "Segments that may be in flight.";
    gauge "flow_segment_bytes" Bytes "Bytes of a segment.";
    gauge "flow_peer_window_bytes" Bytes "The peer's window.";
    gauge "flow_own_window_bytes" Bytes "The own window.";
    gauge "flow_receive_space_bytes" Bytes "What the receive buffer is tuned for.";
    gauge "flow_unacknowledged_segments" None "Segments in flight.";
    gauge "flow_unsent_bytes" Bytes "Bytes that wait to be sent for the first time.";
    counter "flow_repeated_segments_total" None "Segments sent again.";
    gauge "flow_delivery_bytes_per_second" BytesPerSecond "The kernel's estimate of the path's rate.";
    gauge "flow_pacing_bytes_per_second" BytesPerSecond "The rate at which the kernel paces the flow.";
    gauge "flow_pacing_limit_bytes_per_second" BytesPerSecond "The highest pace that its owner allows.";
    gauge "flow_application_limited" None "Whether the last delivery sample was limited by the application.";
    gauge "flow_path_mtu_bytes" Bytes "The path's MTU.";
    gauge "flow_congestion_state" None "The kernel's tcp_ca_state.";
    gauge "flow_idle_send_milliseconds" None "Time since something was sent.";
    gauge "flow_idle_receive_milliseconds" None "Time since something came.";
    gauge "flow_receive_buffer_bytes" Bytes "The receive buffer's size.";
    gauge "flow_receive_queued_bytes" Bytes "Buffers that wait to be read.";
    gauge "flow_send_buffer_bytes" Bytes "The send buffer's size.";
    gauge "flow_send_queued_bytes" Bytes "Buffers queued for sending.";
}

/// The column of a figure.
pub const fn column(figure: Figure) -> usize {
    figure as usize
}

//! `struct tcp_info` (include/uapi/linux/tcp.h) and the socket's memory, by field. Pure.
//!
//! The struct only ever grew: a kernel that does not know a field yet answers fewer bytes, and the field is a gap.

use crate::source::transport::message::u32_at;

/// What is kept of a connection, in this order. The names are the kernel's without `tcpi_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// Bytes that the peer has acknowledged.
    BytesAcked,
    /// Bytes received.
    BytesReceived,
    /// Bytes sent, repeats included.
    BytesSent,
    /// Bytes sent again.
    BytesRetrans,
    /// Microseconds with something to send or unacknowledged.
    BusyTime,
    /// Of these, stopped by the peer's window.
    RwndLimited,
    /// Of these, stopped by the own send buffer.
    SndbufLimited,
    /// Smoothed round-trip time, microseconds.
    Rtt,
    /// The shortest seen of late, microseconds.
    MinRtt,
    /// Segments that may be in flight.
    SndCwnd,
    /// Bytes a segment.
    SndMss,
    /// The peer's window, bytes.
    SndWnd,
    /// The own window, bytes.
    RcvWnd,
    /// What the receiver's buffer is tuned for, bytes.
    RcvSpace,
    /// Segments in flight.
    Unacked,
    /// Bytes that wait to be sent for the first time.
    NotsentBytes,
    /// Segments sent again, ever.
    TotalRetrans,
    /// Bytes a second of the last samples that were not limited by the application.
    DeliveryRate,
    /// Bytes a second at which it paces itself.
    PacingRate,
    /// The highest pace that its owner allows.
    MaxPacingRate,
    /// The last delivery sample was limited by the application.
    AppLimited,
    /// Path MTU.
    Pmtu,
    /// `tcp_ca_state`.
    CaState,
    /// Milliseconds since something was sent.
    LastDataSent,
    /// Milliseconds since something came.
    LastDataRecv,
    /// `sk_rcvbuf`.
    Rcvbuf,
    /// Bytes of buffers that wait to be read.
    RmemAlloc,
    /// `sk_sndbuf`.
    Sndbuf,
    /// Bytes of buffers queued for sending.
    WmemQueued,
}

/// How many there are.
pub const COUNT: usize = Figure::WmemQueued as usize + 1;

/// Where a figure stands in the struct, and its bytes.
const PLACES: [(Figure, usize, usize); 24] = [
    (Figure::BytesAcked, 120, 8),
    (Figure::BytesReceived, 128, 8),
    (Figure::BytesSent, 200, 8),
    (Figure::BytesRetrans, 208, 8),
    (Figure::BusyTime, 168, 8),
    (Figure::RwndLimited, 176, 8),
    (Figure::SndbufLimited, 184, 8),
    (Figure::Rtt, 68, 4),
    (Figure::MinRtt, 148, 4),
    (Figure::SndCwnd, 80, 4),
    (Figure::SndMss, 16, 4),
    (Figure::SndWnd, 228, 4),
    (Figure::RcvWnd, 232, 4),
    (Figure::RcvSpace, 96, 4),
    (Figure::Unacked, 24, 4),
    (Figure::NotsentBytes, 144, 4),
    (Figure::TotalRetrans, 100, 4),
    (Figure::DeliveryRate, 160, 8),
    (Figure::PacingRate, 104, 8),
    (Figure::MaxPacingRate, 112, 8),
    (Figure::Pmtu, 60, 4),
    (Figure::CaState, 1, 1),
    (Figure::LastDataSent, 44, 4),
    (Figure::LastDataRecv, 52, 4),
];
/// `tcpi_delivery_rate_app_limited` is the lowest bit of this byte, on little-endian machines.
const APP_LIMITED: usize = 7;
/// Words of INET_DIAG_SKMEMINFO (include/uapi/linux/sock_diag.h).
const MEMORY: [(Figure, usize); 4] =
    [(Figure::RmemAlloc, 0), (Figure::Rcvbuf, 1), (Figure::Sndbuf, 3), (Figure::WmemQueued, 5)];

/// A connection's numbers; `None` where the kernel does not tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures([Option<u64>; COUNT]);

impl Default for Figures {
    fn default() -> Self {
        Self([None; COUNT])
    }
}

impl Figures {
    /// One of them.
    pub fn get(&self, figure: Figure) -> Option<u64> {
        self.0[figure as usize]
    }

    /// All, in the order of `Figure`.
    pub fn all(&self) -> &[Option<u64>; COUNT] {
        &self.0
    }

    /// Reads `struct tcp_info`, as much of it as came.
    pub fn take_info(&mut self, bytes: &[u8]) {
        for (figure, offset, width) in PLACES {
            let value =
                bytes.get(offset..offset + width).and_then(crate::source::transport::message::unsigned);
            self.0[figure as usize] = value;
        }
        // Since 4.9, with the delivery rate.
        let knows = self.get(Figure::DeliveryRate).is_some();
        self.0[Figure::AppLimited as usize] =
            bytes.get(APP_LIMITED).filter(|_| knows).map(|byte| u64::from(byte & 1));
    }

    /// Reads INET_DIAG_SKMEMINFO.
    pub fn take_memory(&mut self, bytes: &[u8]) {
        for (figure, word) in MEMORY {
            self.0[figure as usize] = u32_at(bytes, word * 4).map(u64::from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Figure, Figures, COUNT, MEMORY, PLACES};

    #[test]
    fn every_figure_has_one_place() {
        let mut places = [0; COUNT];
        PLACES.iter().for_each(|place| places[place.0 as usize] += 1);
        MEMORY.iter().for_each(|place| places[place.0 as usize] += 1);
        places[Figure::AppLimited as usize] += 1;
        assert_eq!(places, [1; COUNT]);
    }

    #[test]
    fn an_older_kernel_leaves_gaps() {
        let mut bytes = vec![0; 136];
        bytes[120..128].copy_from_slice(&5u64.to_ne_bytes());
        bytes[128..136].copy_from_slice(&6u64.to_ne_bytes());
        let mut figures = Figures::default();
        figures.take_info(&bytes);
        assert_eq!(figures.get(Figure::BytesAcked), Some(5), "Linux 4.1");
        assert_eq!(figures.get(Figure::BytesReceived), Some(6));
        for newer in [Figure::BusyTime, Figure::SndWnd, Figure::AppLimited, Figure::MinRtt] {
            assert_eq!(figures.get(newer), None, "{newer:?}");
        }
    }
}

//! What carries a migration, and what the hypervisor keeps to.

use super::workload::{impossible, within, Impossible};

/// QEMU looks whether it can switch over after each 50 ms of sending (`MAX_WAIT` in migration/ram.c).
pub const STEP: f64 = 0.05;
/// With a limit of its own it sends a tenth of it and sleeps to the end of a tenth of a second (`BUFFER_DELAY` in
/// migration/migration.c).
pub const CAPPED_STEP: f64 = 0.1;
/// Bytes on the wire for a page of 4096: its header is 8 (migration/ram.c, `save_page_header`).
pub const PAGE_OVERHEAD: f64 = 4104.0 / 4096.0;
/// The same for a page that is all zero: header and one byte.
pub const ZERO_PAGE: f64 = 9.0 / 4096.0;
/// Bytes of zero pages a second that one thread finds and tells. Measured: 1.6 GB in 0.15 s.
pub const ZERO_SCAN: f64 = 1e10;
/// Bytes that the sender's socket holds at most: they are sent for the hypervisor, and still to come for the guest, which
/// stands still meanwhile. Of the 4 MiB that `net.ipv4.tcp_wmem` allows, the kernel's own bookkeeping takes a part. Measured as
/// what real pauses were longer than their memory took (tests/data/forecast).
pub const SOCKET: f64 = 2.8e6;
/// Seconds of its rate that the socket of a slower link holds. Measured at 11 to 36 MB/s, through shapers with 20 ms of queue.
pub const SOCKET_TIME: f64 = 0.09;
/// What real migrations were faster or slower than the model, eight times of ten, as a part of the rate (tests/data/forecast).
pub const UNSURE: f64 = 0.04;
/// The same of the pause, seconds.
pub const UNSURE_PAUSE: f64 = 0.04;
/// The longest pause that may be allowed (`MAX_MIGRATE_DOWNTIME_SECONDS` in migration/options.c), seconds.
pub const LONGEST_LIMIT: f64 = 2000.0;

/// A way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Way {
    /// Bytes of payload a second while memory is copied, the hypervisor's limit included.
    pub copy: f64,
    /// The same in the pause: the hypervisor lifts its limit for it.
    pub pause: f64,
    /// Seconds between two looks whether the rest is small enough.
    pub step: f64,
    /// Bytes in the sender's socket when the guest stops. Under a limit of its own the hypervisor never fills it.
    pub queue: f64,
}

impl Way {
    /// A link that gives so many bytes of payload a second, under the hypervisor's limit, if there is one.
    pub fn of(link: f64, cap: Option<f64>) -> Self {
        let copy = cap.map_or(link, |cap| cap.min(link));
        let (step, queue) =
            if copy < link { (CAPPED_STEP, 0.0) } else { (STEP, SOCKET.min(SOCKET_TIME * link)) };
        Self { copy, pause: link, step, queue }
    }

    /// Seconds of the pause that go by while the socket empties itself: the guest waits for it, and the hypervisor's own measure
    /// of the pause leaves it out.
    pub fn held(&self) -> f64 {
        self.queue / self.pause
    }

    /// The same, so many times as fast.
    #[must_use]
    pub fn faster(self, times: f64) -> Self {
        Self { copy: self.copy * times, pause: self.pause * times, ..self }
    }

    /// Refuses what cannot be.
    ///
    /// # Errors
    /// A rate of nothing.
    pub fn check(&self) -> Result<(), Impossible> {
        within("the rate", self.copy, (1.0, 1e15), "give bytes a second, more than 0")?;
        within("the rate in the pause", self.pause, (1.0, 1e15), "give bytes a second, more than 0")
    }
}

/// What the hypervisor keeps to, and what it costs beside the memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conduct {
    /// The longest pause allowed, seconds.
    pub downtime_limit: f64,
    /// The guest is slowed down while it dirties too fast.
    pub auto_converge: bool,
    /// Bytes of memory for each byte on the wire; 1 without compression.
    pub compression: f64,
    /// Seconds from its start to the first memory.
    pub setup: f64,
    /// Seconds that the pause has beside the memory: stopping, the devices' state, starting again.
    pub devices: f64,
}

impl Default for Conduct {
    /// QEMU's own defaults; setup and devices as measured with guests of few devices (under a cap, where no socket is full,
    /// pauses were 0 to 20 ms longer than their memory took).
    fn default() -> Self {
        Self { downtime_limit: 0.3, auto_converge: false, compression: 1.0, setup: 0.005, devices: 0.01 }
    }
}

impl Conduct {
    /// Refuses what cannot be.
    ///
    /// # Errors
    /// A downtime limit of nothing or above QEMU's maximum, a compression to more than there was.
    pub fn check(&self) -> Result<(), Impossible> {
        if self.downtime_limit > LONGEST_LIMIT {
            let is = format!("{} s", self.downtime_limit);
            return Err(impossible("the downtime limit", is, "QEMU takes 2000 s at most"));
        }
        within("the downtime limit", self.downtime_limit, (1e-3, LONGEST_LIMIT), "give at least 1 ms")?;
        within("the compression", self.compression, (1.0, 1000.0), "give a ratio of 1 or more")?;
        within("the time to set up", self.setup, (0.0, 1e6), "give seconds, 0 or more")?;
        within("the devices' time", self.devices, (0.0, 1e6), "give seconds, 0 or more")
    }
}

//! The only place where time is read.
#![allow(clippy::disallowed_methods, reason = "this is the clock that everything else is given")]

use crate::sample::monotonic::Monotonic;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Both clocks of the process.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Default for Clock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock {
    /// Time since the clock was made; never jumps.
    pub fn now(&self) -> Monotonic {
        Monotonic(self.start.elapsed())
    }

    /// Processor time that the calling thread has used.
    pub fn thread() -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }

    /// Nanoseconds since 1970, UTC; jumps when somebody sets the clock.
    pub fn wall_ns(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
    }
}

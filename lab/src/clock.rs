//! The lab's clock: it measures reality, so it alone reads the time, here.
#![allow(clippy::disallowed_methods, reason = "the lab measures; this file is where it reads the clock")]

use crate::stop::Stop;
use anyhow::{bail, Result};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Now, for durations.
pub fn now() -> Instant {
    Instant::now()
}

/// Seconds since 1970, as QEMU's events have them.
pub fn wall() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// How long ago a time of day was.
pub fn age(at: SystemTime) -> Duration {
    at.elapsed().unwrap_or_default()
}

/// Time since an instant.
pub fn since(start: Instant) -> Duration {
    now().saturating_duration_since(start)
}

/// Does nothing for a while.
pub fn sleep(time: Duration) {
    std::thread::sleep(time);
}

/// Asks every few milliseconds until there is an answer.
///
/// # Errors
/// When the limit passes (named by `what`), when the lab is told to stop, or when asking fails.
pub fn wait<T>(
    what: &str,
    limit: Duration,
    stop: &Stop,
    mut ask: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = now();
    loop {
        stop.check()?;
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if since(start) > limit {
            bail!("{what} did not come within {:.0} s", limit.as_secs_f64());
        }
        sleep(Duration::from_millis(5));
    }
}

//! How cost is read: CPU time of ourselves and of another process, its memory, and caches that forget.

use anyhow::{Context, Result};
use rustix::time::{clock_gettime, ClockId};
use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

/// CPU time this process took so far, seconds.
pub fn own_cpu() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// The present moment.
#[allow(clippy::disallowed_methods)] // a benchmark measures
pub fn now() -> Instant {
    Instant::now()
}

/// CPU time of a process, thread by thread: a thread that ends takes its time with it, so differences are made per
/// thread.
pub struct Cpu {
    threads: HashMap<String, u64>,
}

impl Cpu {
    /// Reads `/proc/PID/task/*/schedstat`, whose first number is the time on a CPU in nanoseconds.
    pub fn of(pid: u32) -> Result<Self> {
        let folder = format!("/proc/{pid}/task");
        let mut threads = HashMap::new();
        for entry in fs::read_dir(&folder).with_context(|| format!("{folder}: the process has ended"))? {
            let entry = entry?;
            // A thread may end between the listing and the reading.
            let Ok(text) = fs::read_to_string(entry.path().join("schedstat")) else { continue };
            let on_cpu = text.split(' ').next().and_then(|number| number.parse().ok());
            let on_cpu = on_cpu.with_context(|| format!("{folder}: schedstat has no time: {text:?}"))?;
            threads.insert(entry.file_name().to_string_lossy().into_owned(), on_cpu);
        }
        Ok(Self { threads })
    }

    /// CPU seconds since an earlier reading.
    pub fn since(&self, earlier: &Self) -> f64 {
        let difference =
            |(thread, now): (&String, &u64)| now - earlier.threads.get(thread).unwrap_or(&0).min(now);
        Duration::from_nanos(self.threads.iter().map(difference).sum()).as_secs_f64()
    }
}

/// A process's memory, bytes.
pub struct Memory {
    /// Resident now (`VmRSS`).
    pub resident: u64,
    /// The most it ever was (`VmHWM`).
    pub peak: u64,
}

impl Memory {
    /// Reads `/proc/PID/status`.
    pub fn of(pid: u32) -> Result<Self> {
        let path = format!("/proc/{pid}/status");
        let status = fs::read_to_string(&path).with_context(|| path.clone())?;
        let field = |name| in_status(&status, name).with_context(|| format!("{path} has no {name}"));
        Ok(Self { resident: field("VmRSS:")?, peak: field("VmHWM:")? })
    }
}

/// A field of a status file, which has kilobytes, as bytes.
fn in_status(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// Memory that, once walked through, has driven everything else out of the CPU's caches: nothing that runs once a
/// second or once a scrape finds them warm.
pub struct ColdCaches {
    elsewhere: Vec<u8>,
}

impl ColdCaches {
    /// More memory than caches hold, usually.
    pub fn new() -> Self {
        Self { elsewhere: vec![0; 96 << 20] }
    }

    /// Makes the caches forget.
    pub fn forget(&mut self) {
        self.elsewhere.iter_mut().step_by(64).for_each(|byte| *byte = byte.wrapping_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::{in_status, Cpu};
    use std::collections::HashMap;

    #[test]
    fn threads_that_came_and_went_neither_add_nor_take() {
        let of = |threads: &[(&str, u64)]| Cpu {
            threads: threads
                .iter()
                .map(|(thread, time)| ((*thread).into(), *time))
                .collect::<HashMap<_, _>>(),
        };
        let before = of(&[("1", 5_000_000_000), ("2", 9_000_000_000)]);
        let after = of(&[("1", 6_000_000_000), ("3", 500_000_000)]);
        assert!((after.since(&before) - 1.5).abs() < 1e-9);
    }

    #[test]
    fn a_status_field_is_bytes() {
        let status = "VmPeak:\t  100 kB\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(in_status(status, "VmHWM:"), Some(2 << 20));
        assert_eq!(in_status(status, "VmSwap:"), None);
    }
}

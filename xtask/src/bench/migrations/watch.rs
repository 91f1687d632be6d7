//! A running miglink: what it takes, thread by thread, and what it shows.

use super::figures::Watch;
use super::world::FOLDER;
use crate::bench::exporter::free_port;
use crate::bench::http::Client;
use crate::bench::meter::{self, Memory};
use anyhow::{bail, Context, Result};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::Duration;

/// How long it may take until it answers.
const START: Duration = Duration::from_secs(30);

/// A miglink that ends when it is dropped.
pub struct Miglink {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Miglink {
    /// Starts it without any configuration and waits until it answers.
    pub fn start(binary: &Path) -> Result<Self> {
        let (port, log) = (free_port()?, Path::new(FOLDER).join("miglink.log"));
        let output = File::create(&log)?;
        let child = Command::new(binary)
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .env("STATE_DIRECTORY", Path::new(FOLDER).join("recording"))
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("{} does not start", binary.display()))?;
        let mut miglink = Self { child, port, log };
        miglink.wait_until_it_serves()?;
        Ok(miglink)
    }

    fn wait_until_it_serves(&mut self) -> Result<()> {
        let start = meter::now();
        while start.elapsed() < START {
            sleep(Duration::from_millis(200));
            if let Some(status) = self.child.try_wait()? {
                bail!("miglink ended with {status}: {}", self.log());
            }
            if self.scrape().is_ok_and(|text| text.contains("miglink_build_info")) {
                return Ok(());
            }
        }
        bail!("miglink does not serve within {START:?}: {}", self.log())
    }

    /// What it wrote.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its metrics.
    pub fn scrape(&self) -> Result<String> {
        Ok(String::from_utf8(Client::connect(self.port)?.scrape(false)?.body)?)
    }

    /// The lower of two whole watches: what else runs on the machine makes a figure larger, never smaller.
    pub fn watch(&self, duration: Duration) -> Result<Watch> {
        let watches = [self.watch_once(duration)?, self.watch_once(duration)?];
        let sum = |threads: &BTreeMap<String, f64>| threads.values().sum::<f64>();
        let threads = watches.into_iter().min_by(|a, b| sum(a).total_cmp(&sum(b))).unwrap_or_default();
        let memory = Memory::of(self.child.id())?;
        Ok(Watch { cpu: sum(&threads), threads, resident: memory.resident, resident_peak: memory.peak })
    }

    fn watch_once(&self, duration: Duration) -> Result<BTreeMap<String, f64>> {
        let (before, start) = (Threads::of(self.child.id())?, meter::now());
        sleep(duration);
        let mut spent = Threads::of(self.child.id())?.since(&before);
        let seconds = start.elapsed().as_secs_f64();
        spent.values_mut().for_each(|cpu| *cpu /= seconds);
        Ok(spent)
    }
}

impl Drop for Miglink {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many series of a name have a label and are not 0.
pub fn count(text: &str, name: &str, label: &str) -> usize {
    let of_name =
        text.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{')));
    of_name.filter(|line| line.contains(label) && !line.ends_with(" 0")).count()
}

/// CPU time of a process's threads, by their ids.
struct Threads(HashMap<String, (String, u64)>);

impl Threads {
    fn of(pid: u32) -> Result<Self> {
        let folder = format!("/proc/{pid}/task");
        let mut threads = HashMap::new();
        for entry in fs::read_dir(&folder).with_context(|| format!("{folder}: the process has ended"))? {
            let path = entry?.path();
            // A thread may end between the listing and the reading.
            let (Ok(name), Ok(times)) =
                (fs::read_to_string(path.join("comm")), fs::read_to_string(path.join("schedstat")))
            else {
                continue;
            };
            let on_cpu =
                times.split(' ').next().and_then(|number| number.parse().ok()).context("schedstat")?;
            threads.insert(path.display().to_string(), (name.trim_end().to_owned(), on_cpu));
        }
        Ok(Self(threads))
    }

    /// CPU seconds since an earlier reading, by name.
    fn since(&self, earlier: &Self) -> BTreeMap<String, f64> {
        let mut spent = BTreeMap::new();
        for (thread, (name, now)) in &self.0 {
            let before = earlier.0.get(thread).map_or(0, |(_, before)| *before);
            *spent.entry(name.clone()).or_default() += now.saturating_sub(before) as f64 * 1e-9;
        }
        spent
    }
}

#[cfg(test)]
mod tests {
    use super::{count, Threads};

    #[test]
    fn series_are_counted_by_name_label_and_value() {
        let text = "a{x=\"1\",y=\"2\"} 1\na{x=\"1\",y=\"3\"} 0\na{x=\"2\"} 5\nab{x=\"1\"} 1\n";
        assert_eq!([count(text, "a", "x=\"1\""), count(text, "a", ""), count(text, "b", "")], [1, 2, 0]);
    }

    #[test]
    fn threads_are_added_up_by_name() {
        let of = |threads: &[(&str, &str, u64)]| {
            Threads(threads.iter().map(|(id, name, at)| ((*id).into(), ((*name).into(), *at))).collect())
        };
        let before = of(&[("1", "a", 1_000_000_000), ("2", "b", 5)]);
        let after = of(&[("1", "a", 2_000_000_000), ("3", "a", 500_000_000)]);
        let spent = after.since(&before);
        assert_eq!((spent.len(), spent["a"]), (1, 1.5));
    }
}

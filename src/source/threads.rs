//! How long the threads of moving guests ran and waited for a processor, and those of the kernel that serve them,
//! from /proc/PID/task/TID/schedstat.
//!
//! Threads are listed once a second and their files are kept open: a reading is one `pread` a thread.

use super::contract::{
    read_file, Context, KeptFile, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo,
};
use crate::sample::block::Block;
use crate::sample::cell::{Cell, Gap};
use crate::sample::metric::{Column, Metric, Unit};
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::{Key, Subjects, SubjectsBuilder};
use crate::sample::thread::{Role, Thread};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Threads of moving guests.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "threads",
    help: "Running and waiting time of the threads of guests that move, from /proc/PID/task/*/schedstat.",
    privilege: "",
    pace: Pace::Migration,
    lane: Lane::Migrations,
    deadline: Duration::from_secs(1),
    // A thread lives for one migration: its rows feed the rules and are not shown.
    tables: &[],
    open,
};

/// Time on a processor.
pub static RUNNING: Metric =
    Metric::counter("thread_running_nanoseconds_total", "Time on a processor.", Unit::None);
/// Time ready to run.
pub static WAITING: Metric = Metric::counter(
    "thread_waiting_nanoseconds_total",
    "Time ready to run, without a processor.",
    Unit::None,
);

/// The columns of its table.
pub static COLUMNS: [Column; 2] = [Column::of(&RUNNING), Column::of(&WAITING)];

/// Between two listings.
const LIST: Duration = Duration::from_millis(950);
/// Many guests are listed less often: listing one takes about twenty microseconds, a thousand times less than this.
const EACH: Duration = Duration::from_millis(20);
/// After this many listings a thread keeps its name: QEMU names one when it starts it.
const SETTLED: u32 = 3;
/// A guest with more threads than this is followed by its first ones; migration threads are few and named.
const MOST: usize = 512;

#[allow(clippy::unnecessary_wraps, reason = "the signature of every source")]
fn open(_: &Roots) -> Result<Box<dyn Source>, SourceError> {
    Ok(Box::<Threads>::default())
}

#[derive(Debug, Default)]
struct Threads {
    rows: Vec<Row>,
    last_key: Key,
    listed: Option<Monotonic>,
    /// How many guests moved then.
    listed_of: u32,
    /// Those of the kernel, and the guests for which they were looked up: a host has hundreds of others.
    kernel: Vec<(u32, Arc<str>)>,
    kernel_of: Vec<Key>,
    subjects: Arc<Subjects>,
    told: Arc<Vec<Thread>>,
}

#[derive(Debug)]
struct Row {
    thread: Thread,
    file: KeptFile,
    last: Option<[u64; 2]>,
    /// Listings that found it by this name.
    seen: u32,
    ended: bool,
}

impl Source for Threads {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        if context.followed.wanted.is_empty() {
            // Once, so that the last figures of the guests that have moved are gone.
            if self.listed.is_none() {
                return Ok(Reading::unchanged());
            }
            let had = !self.rows.is_empty();
            *self = Self { last_key: self.last_key, ..Self::default() };
            return Ok(Reading { threads: had.then(Arc::default), ..Reading::default() });
        }
        let mut changed = false;
        let guests = u32::try_from(context.followed.wanted.len()).unwrap_or(u32::MAX);
        let every = LIST.max(EACH.saturating_mul(guests));
        if self.listed.is_none_or(|last| context.now.since(last) >= every) || self.listed_of != guests {
            changed = self.list(context);
            (self.listed, self.listed_of) = (Some(context.now), guests);
        }
        let mut block = Block::new(SOURCE.name, context.now, &COLUMNS, Arc::clone(&self.subjects));
        for (at, row) in self.rows.iter_mut().enumerate() {
            // A thread that has ended keeps its last figures until the next listing: its work was done.
            let times = row.file.read_piece().ok().and_then(parse);
            row.ended = times.is_none();
            row.last = times.or(row.last);
            if let Some(times) = row.last {
                block.set_row(at, times.map(|time| Cell::integer_or(Some(time), Gap::NotRead)));
            }
        }
        Ok(Reading { threads: changed.then(|| Arc::clone(&self.told)), ..Reading::of(block) })
    }
}

impl Threads {
    /// Lists the threads again; `true` if there are others than before.
    fn list(&mut self, context: &Context) -> bool {
        let keys: Vec<Key> = context.followed.wanted.iter().map(|guest| guest.key).collect();
        if self.kernel_of != keys {
            self.kernel = kernel_threads(context);
            self.kernel_of = keys;
        }
        let mut before: Rows =
            self.rows.drain(..).map(|row| ((row.thread.process, row.thread.tid), row)).collect();
        let mut found = Vec::new();
        for wanted in &context.followed.wanted {
            let Some(process) = context.followed.process(wanted.key) else { continue };
            let tasks = context.roots.proc.join(process.pid.to_string()).join("task");
            found.extend(threads_of(&tasks, process.pid, wanted.key, &before));
            let worker = format!("vhost-{}", process.pid);
            let workers = self.kernel.iter().filter(|(_, name)| **name == *worker);
            found.extend(workers.map(|(tid, name)| (Some(wanted.key), *tid, Role::Vhost, name.clone())));
        }
        let softirqs = self.kernel.iter().filter(|(_, name)| name.starts_with("ksoftirqd/"));
        found.extend(softirqs.map(|(tid, name)| (None, *tid, Role::Softirq, name.clone())));
        let mut changed = before.len() != found.len();
        for (process, tid, role, name) in found {
            match before.remove(&(process, tid)).filter(|row| row.thread.name == name && !row.ended) {
                Some(row) => self.rows.push(Row { seen: row.seen + 1, ..row }),
                None => changed |= self.add(context, Thread { key: 0, process, tid, role, name }),
            }
        }
        if changed {
            self.name_rows();
        }
        changed
    }

    fn add(&mut self, context: &Context, mut thread: Thread) -> bool {
        let Ok(file) = KeptFile::open(context.roots.proc.join(thread.tid.to_string()).join("schedstat"))
        else {
            return false;
        };
        self.last_key += 1;
        thread.key = self.last_key;
        self.rows.push(Row { thread, file, last: None, seen: 1, ended: false });
        true
    }

    fn name_rows(&mut self) {
        let mut list = SubjectsBuilder::default();
        list.hide_the_rest();
        for Row { thread, .. } in &self.rows {
            list.row(thread.key).label("thread", &thread.name).label("role", thread.role.name());
        }
        self.subjects = Arc::new(list.build());
        self.told = Arc::new(self.rows.iter().map(|row| row.thread.clone()).collect());
    }
}

type Found = (Option<Key>, u32, Role, Arc<str>);
type Rows = HashMap<(Option<Key>, u32), Row>;

fn threads_of(tasks: &Path, pid: u32, process: Key, before: &Rows) -> Vec<Found> {
    let Ok(entries) = std::fs::read_dir(tasks) else { return Vec::new() };
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let named = ids.take(MOST).filter_map(|tid| {
        let known = before.get(&(Some(process), tid)).filter(|row| row.seen >= SETTLED && !row.ended);
        let name = match known {
            Some(row) => row.thread.name.clone(),
            None => read_file(&tasks.join(tid.to_string()).join("comm")).ok()?.trim_end().into(),
        };
        let role = if tid == pid { Role::Main } else { role_of(&name) };
        Some((Some(process), tid, role, name))
    });
    named.collect()
}

/// What QEMU calls its threads, with `debug-threads=on` (migration/*.c, accel/*; renamed in 9.1).
fn role_of(name: &str) -> Role {
    let starts = |words: &[&str]| words.iter().any(|word| name.starts_with(word));
    if starts(&["multifd", "mig/src/send", "mig/dst/recv"]) {
        Role::Multifd
    } else if starts(&["compress", "decompress", "do_data_compress"]) {
        Role::Compression
    } else if starts(&["live_migration", "migration", "mig/", "return path", "postcopy", "fault-default"]) {
        Role::Migration
    } else if starts(&["CPU ", "vcpu"]) {
        Role::Vcpu
    } else if starts(&["vhost-"]) {
        Role::Vhost
    } else {
        Role::Other
    }
}

/// Threads of the kernel that carry packets. They are children of kthreadd, process 2.
fn kernel_threads(context: &Context) -> Vec<(u32, Arc<str>)> {
    let children = read_file(&context.roots.proc.join("2/task/2/children")).unwrap_or_default();
    let ids = children.split_ascii_whitespace().filter_map(|word| word.parse::<u32>().ok());
    let named = ids.filter_map(|pid| {
        let name = read_file(&context.roots.proc.join(pid.to_string()).join("comm")).ok()?;
        let carries = name.starts_with("ksoftirqd/") || name.starts_with("vhost-");
        carries.then(|| (pid, name.trim_end().into()))
    });
    named.collect()
}

/// The first two numbers: nanoseconds running and waiting (Documentation/scheduler/sched-stats.rst).
fn parse(text: &str) -> Option<[u64; 2]> {
    let mut numbers = text.split_ascii_whitespace().map(str::parse);
    Some([numbers.next()?.ok()?, numbers.next()?.ok()?])
}

#[cfg(test)]
mod tests {
    use super::{open, parse, role_of};
    use crate::sample::guest::{Followed, Process, Wanted};
    use crate::sample::thread::Role;
    use crate::source::contract::{Context, Roots};
    use std::sync::Arc;

    #[test]
    fn threads_are_known_by_their_names_of_every_age() {
        for (name, role) in [
            ("live_migration", Role::Migration),
            ("mig/src/main", Role::Migration),
            ("multifdsend_0", Role::Multifd),
            ("mig/dst/recv_1", Role::Multifd),
            ("CPU 0/KVM", Role::Vcpu),
            ("qemu-system-x86", Role::Other),
        ] {
            assert_eq!(role_of(name), role, "{name}");
        }
        assert_eq!(parse("12 34 5\n"), Some([12, 34]));
        assert_eq!(parse("12\n"), None);
    }

    #[test]
    fn our_own_threads_run() {
        let process = Process { key: 3, pid: std::process::id(), ..Process::default() };
        let wanted = vec![Wanted { key: 3, paused: false }];
        let followed = Followed { generation: 1, processes: vec![process], wanted, links: Vec::new() };
        let mut context = Context { followed: Arc::new(followed), ..Context::default() };
        let mut source = open(&Roots::default()).expect("a source");
        let reading = source.read(&context).expect("a reading");
        let threads = reading.threads.expect("found");
        let main = threads.iter().position(|t| t.role == Role::Main && t.process == Some(3)).expect("main");
        assert!(reading.blocks[0].cell(0, main).is_value());
        context.followed = Arc::default();
        let reading = source.read(&context).expect("a reading");
        assert!(reading.blocks.is_empty() && reading.threads.is_some_and(|threads| threads.is_empty()));
    }
}

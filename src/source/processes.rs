//! The hypervisor processes of this host, found in /proc without configuration.
//!
//! A host can have thousands of processes and a hundred guests. /proc is listed only after a second in which something
//! was started (`started` says so), and only a process that was not there before is looked at. It is looked at for a few seconds, because
//! what is found first may be the manager's copy that is yet to become the hypervisor (fork, then exec).

pub mod command_line;

use super::contract::{
    read_file, Context, KeptFile, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo,
};
use crate::sample::guest::{Hypervisor, Monitor, Process};
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::Key;
use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Hypervisor processes.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "processes",
    help: "Hypervisor processes, their guests' names and monitors, from /proc.",
    privilege: "",
    pace: Pace::Started,
    lane: Lane::Migrations,
    deadline: Duration::from_secs(2),
    tables: &[],
    open,
};

/// A listing now and then in any case: nothing depends on what was started alone.
const RESYNC: Duration = Duration::from_secs(30);
/// How long after it was first seen a process may still become a hypervisor.
const YOUTH: Duration = Duration::from_secs(5);

#[allow(clippy::unnecessary_wraps, reason = "the signature of every source")]
fn open(_: &Roots) -> Result<Box<dyn Source>, SourceError> {
    Ok(Box::<Processes>::default())
}

#[derive(Debug, Default)]
struct Processes {
    /// When /proc was listed last, and which process id had been given out last then.
    listed: Option<(Monotonic, u32)>,
    known: HashMap<u32, Known>,
    last_key: Key,
    last: Option<Vec<Process>>,
}

/// What is remembered of a process id.
#[derive(Debug)]
struct Known {
    first_seen: Monotonic,
    /// The listing that it was last part of.
    listing: u64,
    /// If it is a hypervisor: what it is, and a file of it, which cannot be read once it has ended, whoever has its id
    /// then.
    process: Option<(Process, KeptFile)>,
}

impl Source for Processes {
    fn read(&mut self, context: &Context) -> Result<Reading, SourceError> {
        if self.is_listed(context) {
            self.look_again(context);
        } else {
            self.list(context)?;
            self.listed = context.newest_process.map(|newest| (context.now, newest));
        }
        let rest =
            if self.known.values().any(|known| known.may_change(context)) { Duration::ZERO } else { RESYNC };
        let mut found: Vec<Process> =
            self.known.values().filter_map(|known| Some(known.process.as_ref()?.0.clone())).collect();
        found.sort_by_key(|process| process.pid);
        if self.last.as_ref() == Some(&found) {
            return Ok(Reading { rest, ..Reading::unchanged() });
        }
        self.last = Some(found.clone());
        Ok(Reading { processes: Some(found), rest, ..Reading::default() })
    }
}

impl Known {
    /// Whether it may be something else now without another process being started: hypervisors end, and young processes
    /// become hypervisors.
    fn may_change(&self, context: &Context) -> bool {
        self.process.is_some() || context.now.since(self.first_seen) <= YOUTH
    }
}

impl Processes {
    /// Whether no process was started since the last listing.
    fn is_listed(&self, context: &Context) -> bool {
        self.listed.is_some_and(|(at, newest)| {
            context.newest_process == Some(newest) && context.now.since(at) < RESYNC
        })
    }

    fn list(&mut self, context: &Context) -> Result<(), SourceError> {
        let proc = &context.roots.proc;
        let listing = std::fs::read_dir(proc)
            .map_err(|error| SourceError::Io { what: proc.display().to_string(), error })?;
        let round = self.known.values().map(|known| known.listing).max().unwrap_or(0) + 1;
        for entry in listing.filter_map(Result::ok) {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            self.look_at(pid, round, context);
        }
        self.known.retain(|_, known| known.listing == round);
        Ok(())
    }

    /// Looks at those that may have changed.
    fn look_again(&mut self, context: &Context) {
        let known = self.known.iter().filter(|(_, known)| known.may_change(context));
        let known: Vec<(u32, u64)> = known.map(|(pid, known)| (*pid, known.listing)).collect();
        known.into_iter().for_each(|(pid, listing)| self.look_at(pid, listing, context));
    }

    fn look_at(&mut self, pid: u32, round: u64, context: &Context) {
        let known =
            self.known.entry(pid).or_insert(Known { first_seen: context.now, listing: round, process: None });
        known.listing = round;
        match &mut known.process {
            Some((_, file)) => {
                // The file is of that process alone; a zombie has no words left.
                if !file.has_content() {
                    known.first_seen = context.now;
                    known.process = None;
                }
            }
            None if context.now.since(known.first_seen) > YOUTH => {}
            None => {
                let folder = context.roots.proc.join(pid.to_string());
                known.process = describe(pid, &folder, context).and_then(|mut process| {
                    let file = KeptFile::open(folder.join("cmdline")).ok()?;
                    // Of the same process that was described.
                    let same = start_ticks(&folder) == Some(process.start_ticks);
                    self.last_key += 1;
                    process.key = self.last_key;
                    same.then_some((process, file))
                });
            }
        }
    }
}

/// What kind of hypervisor a command is.
fn kind_of(command: &str, proxies: &[String]) -> Option<Hypervisor> {
    match command {
        // The kernel keeps 15 characters of a name: `qemu-system-x86`.
        _ if command.starts_with("qemu-system") || matches!(command, "qemu-kvm" | "kvm") => {
            Some(Hypervisor::Qemu)
        }
        _ if command.starts_with("cloud-hyperviso") => Some(Hypervisor::CloudHypervisor),
        _ if proxies.iter().any(|proxy| short(proxy) == command) => Some(Hypervisor::Proxy),
        _ => None,
    }
}

fn short(name: &str) -> &str {
    name.get(..15).unwrap_or(name)
}

/// Reads all of a process that is a hypervisor. One that ends meanwhile is none.
fn describe(pid: u32, folder: &Path, context: &Context) -> Option<Process> {
    let command = read_file(&folder.join("comm")).ok()?;
    let hypervisor =
        kind_of(command.trim_end(), &context.doors.proxies).or_else(|| by_program(folder, &command))?;
    let line = std::fs::read(folder.join("cmdline")).ok()?;
    let words: Vec<String> =
        line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    let told = match hypervisor {
        Hypervisor::Qemu => command_line::qemu(&words),
        Hypervisor::CloudHypervisor => command_line::cloud_hypervisor(&words),
        Hypervisor::Proxy => command_line::Told::default(),
    };
    // A zombie, or one between fork and exec, has no words.
    if words.len() < 2 {
        return None;
    }
    let mut process = Process {
        pid,
        start_ticks: start_ticks(folder)?,
        hypervisor,
        name: told.name.unwrap_or_else(|| format!("{}-{pid}", command.trim_end())),
        uuid: told.uuid,
        memory: told.memory,
        namespace: std::fs::metadata(folder.join("ns/net")).map_or(0, |place| place.ino()),
        incoming: told.incoming,
        ..Process::default()
    };
    process.monitors = told.monitors.iter().map(|path| monitor(folder, path, context)).collect();
    Some(process)
}

/// A main thread that was given another name by its program is known by its program's file.
fn by_program(folder: &Path, command: &str) -> Option<Hypervisor> {
    // Reading the link needs more rights and time than the name; only names that a hypervisor may give are worth it.
    if !command.starts_with("CPU ") && !command.starts_with("qemu") {
        return None;
    }
    let program = std::fs::read_link(folder.join("exe")).ok()?;
    kind_of(short(program.file_name()?.to_str()?), &[])
}

/// Field 22 of /proc/PID/stat; the name before it may hold blanks and brackets. `None` if the process has ended, also
/// if nobody has asked yet how (a zombie).
fn start_ticks(folder: &Path) -> Option<u64> {
    let stat = read_file(&folder.join("stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    fields.next().filter(|state| !matches!(*state, "Z" | "X" | "x"))?;
    fields.nth(18)?.parse().ok()
}

/// Whether a process still runs.
pub fn is_alive(proc: &Path, process: &Process) -> bool {
    start_ticks(&proc.join(process.pid.to_string())) == Some(process.start_ticks)
}

/// A monitor as this process reaches it: through the hypervisor's root where that is another (a container).
fn monitor(folder: &Path, path: &Path, context: &Context) -> Monitor {
    let exclusive = context
        .doors
        .qmp
        .iter()
        .any(|(glob, exclusive)| *exclusive && matches(glob, &path.to_string_lossy()));
    let absolute = if path.is_absolute() {
        path.to_path_buf()
    } else {
        std::fs::read_link(folder.join("cwd")).unwrap_or_default().join(path)
    };
    let same = |name: &str| {
        let of =
            |folder: PathBuf| std::fs::metadata(folder.join("ns").join(name)).map(|place| place.ino()).ok();
        of(folder.to_path_buf()) == of(context.roots.proc.join("self"))
    };
    let inside = folder.join("root").join(absolute.strip_prefix("/").unwrap_or(&absolute));
    let path = if same("mnt") { absolute } else { inside };
    Monitor { path, exclusive }
}

/// Whether a path matches a pattern with `*` (not beyond a slash) and `?`.
pub fn matches(pattern: &str, path: &str) -> bool {
    match (pattern.chars().next(), path.chars().next()) {
        (None, None) => true,
        (Some('*'), _) => {
            matches(&pattern[1..], path)
                || path
                    .chars()
                    .next()
                    .is_some_and(|first| first != '/' && matches(pattern, &path[first.len_utf8()..]))
        }
        (Some('?'), Some(found)) if found != '/' => matches(&pattern[1..], &path[found.len_utf8()..]),
        (Some(wanted), Some(found)) if wanted == found => {
            matches(&pattern[wanted.len_utf8()..], &path[found.len_utf8()..])
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{kind_of, matches, Hypervisor};

    #[test]
    fn hypervisors_are_known_by_name() {
        let proxies = ["virt-handler".to_owned(), "a-name-longer-than-fifteen".to_owned()];
        for (command, kind) in [
            ("qemu-system-x86", Some(Hypervisor::Qemu)),
            ("kvm", Some(Hypervisor::Qemu)),
            ("cloud-hyperviso", Some(Hypervisor::CloudHypervisor)),
            ("virt-handler", Some(Hypervisor::Proxy)),
            ("a-name-longer-t", Some(Hypervisor::Proxy)),
            ("kvm-pit", None),
            ("bash", None),
        ] {
            assert_eq!(kind_of(command, &proxies), kind, "{command}");
        }
    }

    #[test]
    fn patterns_stop_at_slashes() {
        assert!(matches("/run/qemu/*.qmp", "/run/qemu/a.b.qmp"));
        assert!(!matches("/run/*.qmp", "/run/qemu/a.qmp"));
        assert!(matches("/run/v?.qmp", "/run/v1.qmp") && !matches("/run/v?.qmp", "/run/v12.qmp"));
        assert!(!matches("/run/a", "/run/ab") && !matches("/run/ab", "/run/a"));
    }
}

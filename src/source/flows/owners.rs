//! Which hypervisor process holds which socket, from /proc/PID/fd.
//!
//! Most of a hypervisor's descriptors are no sockets and stay what they are. Their numbers are remembered and not looked
//! at again, but for a whole reading now and then: a number may be given to a socket later.

use crate::sample::guest::Process;
use crate::sample::subject::Key;
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::path::Path;

/// Of so many readings one is whole.
const WHOLE: u32 = 6;

/// Sockets of hypervisor processes by inode.
#[derive(Debug, Default)]
pub struct Owners {
    by_inode: HashMap<u32, Key>,
    /// Sockets that were looked for among the TCP connections already.
    explained: HashSet<u32>,
    /// The descriptors of each process that are no sockets.
    others: HashMap<Key, HashSet<OsString>>,
    readings: u32,
    /// What could not be read, for the report.
    pub problem: Option<String>,
}

impl Owners {
    /// Reads the descriptors again, all of them if `whole`. A process that ended meanwhile holds nothing.
    pub fn scan(&mut self, proc: &Path, processes: &[Process], whole: bool) {
        self.by_inode.clear();
        self.problem = None;
        if whole || self.readings.is_multiple_of(WHOLE) {
            self.others.clear();
        }
        self.readings = self.readings.wrapping_add(1);
        for process in processes {
            let folder = proc.join(process.pid.to_string()).join("fd");
            match std::fs::read_dir(&folder) {
                Ok(entries) => self.read(process.key, entries),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    self.problem = Some(format!("{}: {error} (needs CAP_SYS_PTRACE)", folder.display()));
                }
            }
        }
        let by_inode = &self.by_inode;
        self.explained.retain(|inode| by_inode.contains_key(inode));
    }

    fn read(&mut self, process: Key, entries: std::fs::ReadDir) {
        let others = self.others.entry(process).or_default();
        for entry in entries.filter_map(Result::ok) {
            let number = entry.file_name();
            if others.contains(&number) {
                continue;
            }
            // One that was closed meanwhile is nothing.
            let Ok(link) = std::fs::read_link(entry.path()) else { continue };
            match link.to_str().and_then(inode) {
                Some(inode) => {
                    self.by_inode.insert(inode, process);
                }
                None => {
                    others.insert(number);
                }
            }
        }
    }

    /// Who holds a socket.
    pub fn of(&self, inode: u32) -> Option<Key> {
        self.by_inode.get(&inode).copied()
    }

    /// Whether there are sockets that nobody has looked for yet; from now on they count as looked for.
    pub fn has_unexplained(&mut self) -> bool {
        let before = self.explained.len();
        self.explained.extend(self.by_inode.keys());
        self.explained.len() > before
    }
}

/// `socket:[12345]`.
fn inode(link: &str) -> Option<u32> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Owners, WHOLE};
    use crate::sample::guest::Process;
    use std::ffi::OsStr;
    use std::net::TcpListener;
    use std::path::Path;

    #[test]
    fn our_own_socket_is_ours_and_is_looked_for_once() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let process = Process { key: 7, pid: std::process::id(), ..Process::default() };
        let mut owners = Owners::default();
        owners.scan(Path::new("/proc"), std::slice::from_ref(&process), false);
        assert!(owners.by_inode.values().all(|key| *key == 7) && !owners.by_inode.is_empty());
        assert!(owners.has_unexplained());
        owners.scan(Path::new("/proc"), &[process], true);
        drop(listener);
        assert_eq!(owners.problem, None);
        owners.scan(Path::new("/proc"), &[], false);
        assert_eq!(owners.of(1), None);
        assert!(!owners.has_unexplained());
    }

    #[test]
    fn what_is_no_socket_is_looked_at_again_now_and_then() {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("sockets");
        let mut child = std::process::Command::new("cat")
            .stdin(std::os::fd::OwnedFd::from(theirs))
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("cat");
        let process = [Process { key: 7, pid: child.id(), ..Process::default() }];
        let mut owners = Owners::default();
        owners.scan(Path::new("/proc"), &process, false);
        assert_eq!((owners.by_inode.len(), owners.others[&7].contains(OsStr::new("1"))), (1, true));
        // As if the number had been a file's when it was last looked at.
        owners.others.entry(7).or_default().insert("0".into());
        for reading in 1..WHOLE {
            owners.scan(Path::new("/proc"), &process, false);
            assert_eq!(owners.by_inode.len(), 0, "reading {reading}");
        }
        owners.scan(Path::new("/proc"), &process, false);
        assert_eq!(owners.by_inode.len(), 1);
        owners.others.entry(7).or_default().insert("0".into());
        owners.scan(Path::new("/proc"), &process, true);
        assert_eq!(owners.by_inode.len(), 1);
        drop(ours);
        child.wait().expect("it ends");
    }
}

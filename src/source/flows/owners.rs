//! Which hypervisor process holds which socket, from /proc/PID/fd.

use crate::sample::guest::Process;
use crate::sample::subject::Key;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Sockets of hypervisor processes by inode.
#[derive(Debug, Default)]
pub struct Owners {
    by_inode: HashMap<u32, Key>,
    /// Sockets that were looked for among the TCP connections already.
    explained: HashSet<u32>,
    /// What could not be read, for the report.
    pub problem: Option<String>,
}

impl Owners {
    /// Reads all descriptors again. A process that ended meanwhile holds nothing.
    pub fn scan(&mut self, proc: &Path, processes: &[Process]) {
        self.by_inode.clear();
        self.problem = None;
        for process in processes {
            let folder = proc.join(process.pid.to_string()).join("fd");
            match std::fs::read_dir(&folder) {
                Ok(entries) => {
                    let links = entries.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
                    let inodes = links.filter_map(|link| inode(link.to_str()?));
                    self.by_inode.extend(inodes.map(|inode| (inode, process.key)));
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    self.problem = Some(format!("{}: {error} (needs CAP_SYS_PTRACE)", folder.display()));
                }
            }
        }
        let by_inode = &self.by_inode;
        self.explained.retain(|inode| by_inode.contains_key(inode));
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
    use super::Owners;
    use crate::sample::guest::Process;
    use std::net::TcpListener;
    use std::path::Path;

    #[test]
    fn our_own_socket_is_ours_and_is_looked_for_once() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let process = Process { key: 7, pid: std::process::id(), ..Process::default() };
        let mut owners = Owners::default();
        owners.scan(Path::new("/proc"), std::slice::from_ref(&process));
        assert!(owners.by_inode.values().all(|key| *key == 7) && !owners.by_inode.is_empty());
        assert!(owners.has_unexplained());
        owners.scan(Path::new("/proc"), &[process]);
        drop(listener);
        assert_eq!(owners.problem, None);
        owners.scan(Path::new("/proc"), &[]);
        assert_eq!(owners.of(1), None);
        assert!(!owners.has_unexplained());
    }
}

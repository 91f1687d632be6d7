//! Whether a listening unix socket has connections that nobody has accepted yet: a look that opens nothing.

use std::path::Path;

/// Whether some wait at the socket `path`, as far as the list can be read. A path through `/proc/PID/root` is looked
/// for as the process itself named it.
pub fn has_waiting(list: &Path, path: &Path) -> bool {
    std::fs::read(list).is_ok_and(|list| waiting(&String::from_utf8_lossy(&list), within_root(path)) > 0)
}

fn within_root(path: &Path) -> &Path {
    let mut parts = path.components();
    let words: Vec<_> = parts.by_ref().take(4).map(|part| part.as_os_str().to_string_lossy()).collect();
    match words.as_slice() {
        [root, proc, _, last] if root == "/" && proc == "proc" && last == "root" => parts.as_path(),
        _ => path,
    }
}

/// Counts them in the text of `/proc/net/unix`: a connection carries its listener's path, and has no inode before it
/// is accepted (net/unix/af_unix.c, `unix_seq_show`).
fn waiting(list: &str, path: &Path) -> usize {
    let is_waiting = |line: &&str| {
        let mut fields = line.split_ascii_whitespace();
        let (inode, name) = (fields.nth(6), fields.next());
        inode == Some("0") && name.is_some_and(|name| path.ends_with(name.trim_start_matches('/')))
    };
    list.lines().skip(1).filter(is_waiting).count()
}

#[cfg(test)]
mod tests {
    use super::{has_waiting, waiting, within_root};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::Path;

    #[test]
    fn a_connection_waits_until_it_is_accepted() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("monitor");
        let listener = UnixListener::bind(&path).expect("a socket");
        let list = Path::new("/proc/self/net/unix");
        assert!(!has_waiting(list, &path));
        drop(UnixStream::connect(&path).expect("a connection"));
        assert!(has_waiting(list, &path), "closed, and still in the queue");
        let accepted = listener.accept().expect("the connection");
        assert!(!has_waiting(list, &path));
        drop(accepted);
        assert!(!has_waiting(Path::new("/nowhere"), &path));
    }

    #[test]
    fn paths_are_compared_as_the_process_wrote_them() {
        let list = "Num RefCount Protocol Flags Type St Inode Path\n\
                    x: 2 0 0 1 2 0 run/a.qmp\nx: 2 0 0 1 3 77 /run/b.qmp\nx: 2 0 0 1 2 0\n";
        assert_eq!(waiting(list, Path::new("/var/run/a.qmp")), 1);
        assert_eq!(waiting(list, Path::new("/run/b.qmp")), 0);
        assert_eq!(within_root(Path::new("/proc/12/root/run/a")), Path::new("run/a"));
        assert_eq!(within_root(Path::new("/run/a")), Path::new("/run/a"));
    }
}

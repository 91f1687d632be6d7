//! Whether somebody is connected to a listening unix socket, or waits to be: a look that opens nothing.

use std::path::{Path, PathBuf};

/// Whether the socket `path` has a connection, as far as the list can be read. A path through `/proc/PID/root` is
/// looked for as the process itself named it.
pub fn is_taken(list: &Path, path: &Path) -> bool {
    std::fs::read(list).is_ok_and(|list| has_connection(&String::from_utf8_lossy(&list), &within_root(path)))
}

fn within_root(path: &Path) -> PathBuf {
    let mut parts = path.components();
    let words: Vec<_> = parts.by_ref().take(4).map(|part| part.as_os_str().to_string_lossy()).collect();
    match words.as_slice() {
        [root, proc, _, last] if root == "/" && proc == "proc" && last == "root" => {
            Path::new("/").join(parts.as_path())
        }
        _ => path.to_owned(),
    }
}

/// In the text of `/proc/net/unix`, a connection carries its listener's path, accepted or not, and also when the
/// other side has left before it was accepted; the listener has the flag `__SO_ACCEPTCON` (net/unix/af_unix.c,
/// `unix_seq_show`). A relative path may be any process's and is not looked for.
fn has_connection(list: &str, path: &Path) -> bool {
    list.lines().skip(1).any(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (flags, name) = (fields.nth(3), fields.nth(3));
        flags.is_some_and(|flags| flags != "00010000") && name.is_some_and(|name| path == Path::new(name))
    })
}

#[cfg(test)]
mod tests {
    use super::{has_connection, is_taken, within_root};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::Path;

    #[test]
    fn a_socket_is_taken_by_who_is_connected_and_by_who_waits_or_waited() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("monitor");
        let listener = UnixListener::bind(&path).expect("a socket");
        let list = Path::new("/proc/self/net/unix");
        assert!(!is_taken(list, &path));
        drop(UnixStream::connect(&path).expect("a connection"));
        assert!(is_taken(list, &path), "closed, and still in the queue");
        drop(listener.accept().expect("the connection"));
        assert!(!is_taken(list, &path));
        let client = UnixStream::connect(&path).expect("a connection");
        let accepted = listener.accept().expect("the connection");
        assert!(is_taken(list, &path));
        drop((client, accepted));
        assert!(!is_taken(list, &path));
        assert!(!is_taken(Path::new("/nowhere"), &path));
    }

    #[test]
    fn paths_are_compared_as_the_process_wrote_them() {
        let list = "Num RefCount Protocol Flags Type St Inode Path\n\
                    x: 2 0 00010000 1 1 5 /run/a.qmp\nx: 2 0 00000000 1 3 7 /run/b.qmp\n\
                    x: 2 0 00000000 1 3 7 c.qmp\nx: 2 0 00000000 1 3 7\n";
        let taken =
            ["/run/a.qmp", "/run/b.qmp", "/run/c.qmp"].map(|path| has_connection(list, Path::new(path)));
        assert_eq!(taken, [false, true, false]);
        assert_eq!(within_root(Path::new("/proc/12/root/run/a")), Path::new("/run/a"));
        assert_eq!(within_root(Path::new("/run/a")), Path::new("/run/a"));
    }
}

//! Writes an archive in the "newc" format of cpio, which the kernel unpacks as its first file system
//! (Documentation/driver-api/early-userspace/buffer-format.rst).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const DIRECTORY: u32 = 0o040_755;
const EXECUTABLE: u32 = 0o100_755;
const SYMLINK: u32 = 0o120_777;

/// An archive that grows in memory; directories come by themselves.
#[derive(Default)]
pub struct Archive {
    bytes: Vec<u8>,
    names: BTreeSet<PathBuf>,
}

impl Archive {
    /// Adds a directory and those above it.
    pub fn directory(&mut self, path: &str) {
        self.parents(&Path::new(path).join("child"));
    }

    /// Adds a file that anyone may read and run. A name that is already there stays as it is.
    pub fn file(&mut self, path: &str, content: &[u8]) {
        self.entry(path, EXECUTABLE, content);
    }

    /// Adds a symbolic link. A name that is already there stays as it is.
    pub fn symlink(&mut self, path: &str, target: &str) {
        self.entry(path, SYMLINK, target.as_bytes());
    }

    /// The archive with its end mark.
    pub fn finish(mut self) -> Vec<u8> {
        self.write("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) {
        let path = relative(Path::new(path)).to_owned();
        self.parents(&path);
        if self.names.insert(path.clone()) {
            self.write(&path.to_string_lossy(), mode, content);
        }
    }

    fn parents(&mut self, path: &Path) {
        let above: Vec<PathBuf> = relative(path).ancestors().skip(1).map(Path::to_owned).collect();
        for directory in above.into_iter().rev().filter(|directory| !directory.as_os_str().is_empty()) {
            if self.names.insert(directory.clone()) {
                self.write(&directory.to_string_lossy(), DIRECTORY, &[]);
            }
        }
    }

    /// One header of 13 hexadecimal fields, the name and the content, both padded to four bytes.
    fn write(&mut self, name: &str, mode: u32, content: &[u8]) {
        let inode = self.names.len() as u32;
        let name_size = name.len() as u32 + 1;
        let fields = [inode, mode, 0, 0, 1, 0, content.len() as u32, 0, 0, 0, 0, name_size, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

fn relative(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::Archive;

    /// What `cpio -t` lists as `a`, `a/b` and `a/c`, and unpacks as a directory, a file of `123` and a link to `b`.
    #[test]
    fn a_directory_a_file_and_a_link() {
        let mut archive = Archive::default();
        archive.file("/a/b", b"123");
        archive.symlink("/a/c", "b");
        archive.file("/a/b", b"what is there stays");
        let entry = |inode: u32, mode: &str, size: u32, name: &str, rest: &str| {
            let name_size = name.len() + 1;
            let zero = "00000000";
            format!(
                "070701{inode:08x}0000{mode}{zero}{zero}00000001{zero}{size:08x}{zero}{zero}{zero}{zero}{name_size:08x}{zero}{name}{rest}"
            )
        };
        let expected = [
            entry(1, "41ed", 0, "a", "\0"),
            entry(2, "81ed", 3, "a/b", "\0\0\0123\0"),
            entry(3, "a1ff", 1, "a/c", "\0\0\0b\0\0\0"),
            entry(3, "0000", 0, "TRAILER!!!", "\0\0\0\0"),
        ];
        assert_eq!(String::from_utf8(archive.finish()).unwrap(), expected.concat());
    }
}

//! SHELL. The folder of a recording as its one writer sees it: the lock, files of frames, records of migrations.

use super::names::{self, FRAMES, LOCK, MIGRATIONS};
use super::segment::{Opening, Writer};
use super::tick::Tick;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What went wrong, and where.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process records into the folder.
    #[error("another process records into {0}")]
    Taken(PathBuf),
    /// The file that is being written was removed.
    #[error("{0} was removed while it was written")]
    Removed(PathBuf),
    /// The system refuses.
    #[error("cannot {what} {path}: {error}")]
    Io {
        /// What was to be done.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it was not.
        error: io::Error,
    },
}

/// Names file and deed of an error.
pub(super) fn io<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> StoreError + 'a {
    move |error| StoreError::Io { what, path: path.to_owned(), error }
}

/// A file of frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FramesFile {
    /// Counts up from file to file.
    pub sequence: u64,
    /// Seconds since 1970.
    pub began: u64,
    /// Bytes.
    pub size: u64,
    /// Where it is.
    pub path: PathBuf,
}

/// The files of frames of a recording, in the order in which they were written.
pub fn frames_files(folder: &Path) -> Result<Vec<FramesFile>, StoreError> {
    let folder = folder.join(FRAMES);
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).map_err(io("list", &folder))? {
        let entry = entry.map_err(io("list", &folder))?;
        let name = entry.file_name();
        let Some((sequence, began)) = name.to_str().and_then(names::parse_frames) else { continue };
        // One that has just been removed is not there.
        let Ok(metadata) = entry.metadata() else { continue };
        files.push(FramesFile { sequence, began, size: metadata.len(), path: entry.path() });
    }
    files.sort_by_key(|file| file.sequence);
    Ok(files)
}

/// The folder of a recording, held for writing.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    /// Held as long as it is open; the kernel lets go of it when the process dies, however it does.
    _lock: File,
}

impl Store {
    /// Makes the folder if need be, and takes it.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        for folder in [folder.join(FRAMES), folder.join(MIGRATIONS)] {
            DirBuilder::new().recursive(true).mode(0o750).create(&folder).map_err(io("make", &folder))?;
        }
        let path = folder.join(LOCK);
        let mut options = OpenOptions::new();
        let lock = options.create(true).truncate(false).write(true).mode(0o640).open(&path);
        let lock = lock.map_err(io("open", &path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder: folder.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Taken(folder.to_owned())),
            Err(TryLockError::Error(error)) => Err(io("lock", &path)(error)),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Begins a file of frames with a first tick. Nothing stays of one that cannot be begun.
    pub fn begin(&self, opening: &Opening, tick: &Tick) -> Result<Frames, StoreError> {
        let path = self.folder.join(FRAMES).join(names::frames(opening.sequence, opening.wall_ns));
        let file = OpenOptions::new().create_new(true).append(true).mode(0o640).open(&path);
        let file = file.map_err(io("make", &path))?;
        let mut buffer = Vec::new();
        let writer = Writer::new(opening, &mut buffer);
        let mut frames = Frames { file, path, writer, length: 0, buffer };
        let begun = frames.add(tick).and_then(|_| sync_folder(&self.folder.join(FRAMES)));
        match begun {
            Ok(()) => Ok(frames),
            Err(error) => {
                fs::remove_file(&frames.path).ok();
                Err(error)
            }
        }
    }

    /// Removes records of migrations that began before a moment, seconds since 1970.
    pub fn forget_migrations(&self, before: u64) -> Result<(), StoreError> {
        let folder = self.folder.join(MIGRATIONS);
        for entry in fs::read_dir(&folder).map_err(io("list", &folder))? {
            let entry = entry.map_err(io("list", &folder))?;
            let name = entry.file_name();
            if name.to_str().and_then(names::seconds).is_some_and(|began| began < before) {
                Self::remove(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Removes a file. One that is gone already is no failure.
    pub fn remove(path: &Path) -> Result<(), StoreError> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io("remove", path)(error)),
            _ => Ok(()),
        }
    }

    /// Puts a migration's record in place of the one before it, or none of it.
    pub fn put_migration(&self, id: &str, text: &str) -> Result<(), StoreError> {
        let folder = self.folder.join(MIGRATIONS);
        let (path, new) = (folder.join(format!("{id}.json")), folder.join(format!("{id}.new")));
        let write = || {
            let mut file =
                OpenOptions::new().create(true).truncate(true).write(true).mode(0o640).open(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_data()?;
            fs::rename(&new, &path)
        };
        if let Err(error) = write() {
            fs::remove_file(&new).ok();
            return Err(io("write", &path)(error));
        }
        sync_folder(&folder)
    }
}

fn sync_folder(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(io("sync", path))
}

/// A file of frames that is being written.
#[derive(Debug)]
pub struct Frames {
    file: File,
    path: PathBuf,
    writer: Writer,
    length: u64,
    buffer: Vec<u8>,
}

/// Memory that is kept for the next tick.
const KEPT: usize = 64 << 10;

impl Frames {
    /// Whether a tick belongs into another file.
    pub fn is_over(&self, tick: &Tick) -> bool {
        self.writer.is_over(tick, self.length)
    }

    /// Adds a tick; gives how many bytes it took. After an error the file ends with the tick before.
    pub fn add(&mut self, tick: &Tick) -> Result<u64, StoreError> {
        self.writer.add(tick, &mut self.buffer);
        self.flush()
    }

    fn flush(&mut self) -> Result<u64, StoreError> {
        let bytes = self.buffer.len() as u64;
        let written = self.file.write_all(&self.buffer);
        self.buffer.clear();
        self.buffer.shrink_to(KEPT);
        if let Err(error) = written {
            // A part of a record may be there. If even cutting it off fails, readers will.
            self.file.set_len(self.length).ok();
            return Err(io("write", &self.path)(error));
        }
        self.length += bytes;
        Ok(bytes)
    }

    /// Waits until what was written is on the disk; fails if the file is no longer in its folder.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(io("sync", &self.path))?;
        let links = self.file.metadata().map_err(io("look at", &self.path))?.nlink();
        if links == 0 {
            return Err(StoreError::Removed(self.path.clone()));
        }
        Ok(())
    }

    /// Finishes the file.
    pub fn finish(mut self) -> Result<(), StoreError> {
        self.writer.finish(&mut self.buffer);
        self.flush()?;
        self.file.sync_data().map_err(io("sync", &self.path))
    }

    /// Bytes written.
    pub fn length(&self) -> u64 {
        self.length
    }
}

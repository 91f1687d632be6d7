//! Where the background thread leaves what it heard until the source is read: bounded, so that a source that nobody
//! reads costs no memory.

use crate::sample::migration::Told;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Things told that are kept until somebody reads them.
const MOST: usize = 4096;

/// Shared between the thread and the source.
#[derive(Debug, Clone, Default)]
pub struct Board(Arc<Mutex<Notes>>);

#[derive(Debug, Default)]
struct Notes {
    told: VecDeque<Told>,
    dropped: u64,
    troubles: BTreeMap<(PathBuf, &'static str), String>,
    absent: bool,
}

/// What was taken off the board.
#[derive(Debug, Default)]
pub struct Taken {
    /// What hypervisors told, oldest first.
    pub told: Vec<Told>,
    /// What is wrong now, a sentence each.
    pub problems: Vec<String>,
    /// No socket is configured and none is there.
    pub absent: bool,
}

impl Board {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what was told; the oldest make room.
    pub fn tell(&self, told: Vec<Told>) {
        if told.is_empty() {
            return;
        }
        let mut notes = self.notes();
        notes.told.extend(told);
        let surplus = notes.told.len().saturating_sub(MOST);
        notes.told.drain(..surplus);
        notes.dropped += surplus as u64;
    }

    /// Says what is wrong with a part of a socket's service, or that nothing is.
    pub fn trouble(&self, path: &Path, part: &'static str, trouble: Option<String>) {
        let mut notes = self.notes();
        let key = (path.to_owned(), part);
        match trouble {
            Some(text) => notes.troubles.insert(key, text),
            None => notes.troubles.remove(&key),
        };
    }

    /// Whether something is wrong with a part of a socket's service.
    pub fn is_troubled(&self, path: &Path, part: &'static str) -> bool {
        self.notes().troubles.contains_key(&(path.to_owned(), part))
    }

    /// A socket is not looked at any more.
    pub fn forget(&self, path: &Path) {
        self.notes().troubles.retain(|key, _| key.0 != path);
    }

    /// Says whether there is anything to look at.
    pub fn set_absent(&self, absent: bool) {
        self.notes().absent = absent;
    }

    /// Takes what is there; troubles stay until they are over.
    pub fn take(&self) -> Taken {
        let mut notes = self.notes();
        let troubles = notes.troubles.iter();
        let mut problems: Vec<String> = troubles
            .map(|((path, part), text)| format!("libvirt at {}, {part}: {text}", path.display()))
            .collect();
        if notes.dropped > 0 {
            problems
                .push(format!("{} things that libvirt told were dropped: nobody read them", notes.dropped));
        }
        notes.dropped = 0;
        Taken { told: notes.told.drain(..).collect(), problems, absent: notes.absent }
    }
}

#[cfg(test)]
mod tests {
    use super::{Board, MOST};
    use crate::sample::migration::{Event, Guest, Speaker, Told, What};
    use crate::sample::monotonic::Monotonic;
    use std::path::Path;

    fn told(number: u64) -> Told {
        let what = What::Event { event: Event::Iteration(number), wall_ns: None };
        Told { guest: Guest::Process(1), by: Speaker::Libvirt, at: Monotonic::default(), what }
    }

    #[test]
    fn the_oldest_make_room_and_it_is_said_once() {
        let board = Board::default();
        board.tell((0..MOST as u64 + 3).map(told).collect());
        let taken = board.take();
        assert_eq!((taken.told.len(), &taken.told[0]), (MOST, &told(3)));
        assert_eq!(taken.problems, ["3 things that libvirt told were dropped: nobody read them"]);
        assert!(board.take().problems.is_empty());
    }

    #[test]
    fn troubles_stay_until_they_are_over() {
        let board = Board::default();
        board.trouble(Path::new("/a"), "events", Some("gone".into()));
        assert_eq!(board.take().problems, ["libvirt at /a, events: gone"]);
        assert_eq!(board.take().problems.len(), 1);
        board.trouble(Path::new("/a"), "events", None);
        assert!(board.take().problems.is_empty());
    }
}

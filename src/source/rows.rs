//! What sources share in naming their rows: keys that are never used again, and lists of subjects that are kept.

use crate::sample::subject::{Key, Subjects};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Gives things that the kernel knows by name a key for as long as they are there. One that goes and comes back
/// under its old name is another thing and gets another key.
#[derive(Debug, Default)]
pub struct Keys {
    known: BTreeMap<String, Key>,
    last: Key,
}

impl Keys {
    /// The key of a name.
    pub fn key(&mut self, name: &str) -> Key {
        if let Some(key) = self.known.get(name) {
            return *key;
        }
        self.last += 1;
        self.known.insert(name.to_owned(), self.last);
        self.last
    }

    /// Forgets the names that are no longer there.
    pub fn keep(&mut self, is_there: impl Fn(&str) -> bool) {
        self.known.retain(|name, _| is_there(name));
    }
}

/// The list of subjects of the reading before, lent again while it is the same: blocks that share a list need no
/// matching of rows.
#[derive(Debug, Default)]
pub struct KeptSubjects(Arc<Subjects>);

impl KeptSubjects {
    /// The kept list if it equals this one, otherwise this one.
    pub fn keep(&mut self, now: Subjects) -> Arc<Subjects> {
        if *self.0 != now {
            self.0 = Arc::new(now);
        }
        Arc::clone(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{KeptSubjects, Keys};
    use crate::sample::subject::{Subjects, SubjectsBuilder};
    use std::sync::Arc;

    fn list(key: u64) -> Subjects {
        let mut list = SubjectsBuilder::default();
        list.row(key).label("cpu", "0");
        list.build()
    }

    #[test]
    fn a_key_is_never_used_again() {
        let mut keys = Keys::default();
        let (a, b) = (keys.key("a"), keys.key("b"));
        assert_eq!((keys.key("a"), a == b), (a, false));
        keys.keep(|name| name == "b");
        let again = keys.key("a");
        assert!(again != a && again != b, "{again}");
        assert_eq!(keys.key("b"), b);
    }

    #[test]
    fn an_equal_list_is_lent_again() {
        let mut kept = KeptSubjects::default();
        let first = kept.keep(list(1));
        assert!(Arc::ptr_eq(&first, &kept.keep(list(1))));
        assert!(!Arc::ptr_eq(&first, &kept.keep(list(2))));
    }
}

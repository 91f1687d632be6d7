//! What holds for any sequence of signs: counters do not go back, what has ended stays ended, every beginning has one
//! end, bytes are counted once.

use miglink::analysis::migrations::entry::Entry;
use miglink::analysis::migrations::migration::{Outcome, PHASES};
use miglink::analysis::migrations::tracker::News;
use miglink::sample::block::Block;
use miglink::sample::guest::Followed;
use miglink::sample::metric::Kind;
use miglink::sample::monotonic::Monotonic;
use miglink::sample::subject::Key;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Finished migrations that are kept at most.
const MOST_FINISHED: usize = 256;

/// What was seen so far.
#[derive(Default)]
pub struct Laws {
    began: HashSet<Key>,
    ended: HashSet<Key>,
    ends: HashMap<Key, (Outcome, Monotonic)>,
    counters: HashMap<(Key, usize), u64>,
    /// What the sockets of each migration that was told of have carried.
    sockets: HashMap<Key, u64>,
    carried: u64,
}

impl Laws {
    /// Panics if one of them does not hold.
    pub fn hold(
        &mut self,
        entries: &[Entry],
        news: &[News],
        blocks: &[Block],
        followed: &Followed,
        now: Monotonic,
    ) {
        self.note_news(news);
        for entry in entries {
            self.entry(entry, now);
        }
        self.forget(entries);
        assert_eq!(self.carried, self.sockets.values().sum::<u64>(), "bytes are counted once");
        let finished = entries.iter().filter(|entry| entry.reported).count();
        assert!(finished <= MOST_FINISHED, "{finished} finished ones are kept");
        for wanted in &followed.wanted {
            assert!(followed.process(wanted.key).is_some(), "{wanted:?} is no process that is there");
        }
        assert!(followed.wanted.windows(2).all(|pair| pair[0].key < pair[1].key), "{:?}", followed.wanted);
        if let Some(figures) = blocks.get(1) {
            self.counters(figures);
        }
    }

    fn note_news(&mut self, news: &[News]) {
        for news in news {
            match news {
                News::Began(migration) => {
                    assert!(self.began.insert(migration.key), "{} began twice", migration.key);
                }
                News::Ended(migration) => {
                    assert!(self.began.contains(&migration.key), "{} ended and never began", migration.key);
                    assert!(self.ended.insert(migration.key), "{} ended twice", migration.key);
                    assert!(migration.ended.is_some());
                }
                News::Carried { bytes, .. } => self.carried += bytes,
            }
        }
    }

    /// What was told of in the step that also forgot it cannot be compared any more.
    fn forget(&mut self, entries: &[Entry]) {
        let known = self.sockets.len();
        self.sockets.retain(|key, _| entries.iter().any(|entry| entry.migration.key == *key));
        if self.sockets.len() < known {
            self.carried = self.sockets.values().sum();
        }
    }

    fn entry(&mut self, entry: &Entry, now: Monotonic) {
        let migration = &entry.migration;
        let key = migration.key;
        assert_eq!(entry.announced, self.began.contains(&key), "{key}: told of and known");
        assert_eq!(entry.reported, self.ended.contains(&key), "{key}: its end told of and known");
        if entry.announced {
            self.sockets.insert(key, entry.traffic.sum());
        }
        let before = self.ends.get(&key).copied();
        assert!(
            before.is_none() || before == migration.ended,
            "{key}: {before:?}, then {:?}",
            migration.ended
        );
        if let Some(ended) = migration.ended {
            self.ends.insert(key, ended);
            assert!(ended.1 >= migration.began, "{key}: it ended before it began");
        }
        let sum: Duration = PHASES.iter().map(|phase| migration.spent(*phase, now)).sum();
        let measured = migration.progress.total_time.filter(|_| !migration.is_on());
        let end = migration.ended.map_or(now, |(_, at)| at);
        let seen = end.since(migration.began);
        // An event's own time may lie ahead of the step by the clocks' difference.
        let ahead = Duration::from_secs(60);
        assert!(
            sum == seen || Some(sum) == measured || migration.is_on() && sum < seen + ahead,
            "{key}: phases take {sum:?}, the whole takes {seen:?} or {measured:?}"
        );
    }

    /// A row's key is its migration's.
    fn counters(&mut self, figures: &Block) {
        for (at, column) in figures.columns.iter().enumerate() {
            if column.metric.kind != Kind::Counter {
                continue;
            }
            for (row, key) in figures.subjects.keys().iter().enumerate() {
                let value = figures.cell(at, row).as_integer();
                let before = self.counters.get(&(*key, at)).copied();
                let name = column.metric.name;
                assert!(value >= before, "{name} of {key} went from {before:?} to {value:?}");
                self.counters.extend(value.map(|value| ((*key, at), value)));
            }
        }
    }
}

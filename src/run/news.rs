//! What goes to the log of how the sources do, and what was said lately, so that it does not repeat itself while a
//! host's links come and go.

use crate::analysis::migrations::migration::Migration;
use crate::analysis::migrations::tracker;
use crate::sample::frame::{Frame, Outcome};
use crate::sample::monotonic::Monotonic;
use std::collections::HashMap;
use std::time::Duration;

/// A sentence is news again after this time.
const AGAIN: Duration = Duration::from_secs(600);
/// Sentences name links, and those can be without number.
const MOST: usize = 256;
/// How many of a source's problems go to the log at once.
const SAID: usize = 5;

/// What was said, and when.
#[derive(Debug, Default)]
pub struct News {
    said: HashMap<String, Monotonic>,
}

impl News {
    /// Whether a sentence was not said lately; then it counts as said now.
    pub fn is_new(&mut self, sentence: &str, now: Monotonic) -> bool {
        if self.said.get(sentence).is_some_and(|then| now.since(*then) < AGAIN) {
            return false;
        }
        if self.said.len() >= MOST {
            self.said.retain(|_, then| now.since(*then) < AGAIN);
            if self.said.len() >= MOST {
                self.said.clear();
            }
        }
        self.said.insert(sentence.to_owned(), now);
        true
    }

    /// Says in the log how a source does, if that was not said lately. Call it when it has changed.
    pub fn tell(&mut self, source: &'static str, outcome: &Outcome, now: Monotonic) {
        let mut is_new = |text: &str| self.is_new(&format!("{source}: {text}"), now);
        match outcome {
            Outcome::Read => tracing::debug!(source, "reads"),
            Outcome::Absent(reason) if is_new(reason) => {
                tracing::info!(source, "has nothing to read here: {reason}");
            }
            Outcome::Failed(reason) if is_new(reason) => {
                tracing::warn!(source, "failed, its values are missing: {reason}");
            }
            Outcome::Partly(problems) => {
                for problem in problems.iter().filter(|problem| is_new(problem)).take(SAID) {
                    tracing::warn!(source, "{problem}");
                }
            }
            // Stuck is said where it is noticed; the others were said lately.
            Outcome::Pending | Outcome::Stuck(_) | Outcome::Absent(_) | Outcome::Failed(_) => {}
        }
    }
}

/// Says in the log that a migration was found, and how it ended.
pub fn tell_migration(news: &tracker::News, now: Monotonic) {
    match news {
        tracker::News::Began(migration) => {
            let Migration { vm, direction, path, peer, .. } = migration.as_ref();
            tracing::info!(vm, direction = direction.name(), device = path.device, peer, "a migration is on");
        }
        tracker::News::Ended(migration) => {
            let Migration { vm, direction, ended, pause, .. } = migration.as_ref();
            let result = ended.map_or("", |(outcome, _)| outcome.name());
            let length = migration.length(now);
            let pause = pause.map_or("an unknown time".to_owned(), |pause| format!("{pause:.0?}"));
            tracing::info!(
                vm,
                direction = direction.name(),
                "the migration {result} after {length:.1?}; the guest stood still for {pause}"
            );
        }
        tracker::News::Carried { .. } => {}
    }
}

/// Says once in the log what a user will see.
pub fn tell_what_is_shown(frame: &Frame) {
    let (shown, known) = (frame.links.exported(), frame.links.all().len());
    let names: Vec<_> = shown.iter().take(SAID).map(|link| link.name.as_str()).collect();
    let more = if shown.len() > SAID { " and more" } else { "" };
    tracing::info!("showing {} of {known} links: {}{more}", shown.len(), names.join(", "));
}

#[cfg(test)]
mod tests {
    use super::{News, AGAIN, MOST};
    use crate::sample::monotonic::Monotonic;
    use std::time::Duration;

    #[test]
    fn a_sentence_is_said_once_in_a_while() {
        let (mut news, start) = (News::default(), Monotonic::default());
        assert!(news.is_new("a", start));
        assert!(!news.is_new("a", Monotonic(Duration::from_secs(1))));
        assert!(news.is_new("b", Monotonic(Duration::from_secs(1))));
        assert!(news.is_new("a", Monotonic(AGAIN)));
    }

    #[test]
    fn its_memory_is_bounded() {
        let mut news = News::default();
        for number in 0..10 * MOST {
            assert!(news.is_new(&number.to_string(), Monotonic::default()));
            assert!(news.said.len() <= MOST);
        }
    }
}

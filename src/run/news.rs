//! What was said lately, so that the log does not repeat itself while a host's links come and go.

use crate::sample::monotonic::Monotonic;
use std::collections::HashMap;
use std::time::Duration;

/// A sentence is news again after this time.
const AGAIN: Duration = Duration::from_secs(600);
/// Sentences name links, and those can be without number.
const MOST: usize = 256;

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

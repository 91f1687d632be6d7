//! What the rows of a block are about: a list of subjects, each with a key that is never used again and its labels
//! as Prometheus writes them.
//!
//! A list is made when its set changes (a link appears), not when it is read, and blocks share it by `Arc`: two
//! blocks with the same list have the same rows in the same order.

use std::sync::{Arc, LazyLock};

/// Identifies a subject for the life of the process. A link that is renamed or replaced gets a new one, so two
/// readings with one key are of one thing.
pub type Key = u64;

/// The rows of a block.
#[derive(Debug, PartialEq, Eq)]
pub struct Subjects {
    keys: Vec<Key>,
    labels: String,
    ends: Vec<u32>,
    exported: usize,
    /// The keys rise from row to row, as those of things do that are appended as they appear.
    rising: bool,
}

impl Default for Subjects {
    fn default() -> Self {
        Self { keys: Vec::new(), labels: String::new(), ends: Vec::new(), exported: 0, rising: true }
    }
}

impl Subjects {
    /// One subject without labels: the host itself, always the same list.
    pub fn host() -> Arc<Self> {
        static HOST: LazyLock<Arc<Subjects>> = LazyLock::new(|| {
            let mut list = SubjectsBuilder::default();
            list.row(0);
            Arc::new(list.build())
        });
        Arc::clone(&HOST)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many of the first rows go to /metrics; the rest is kept for the rules only (ports of guests).
    pub fn exported(&self) -> usize {
        self.exported
    }

    /// The keys, a row each.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// A row's labels as `device="eth0",driver="e1000e"`, escaped; empty for the host.
    pub fn labels(&self, row: usize) -> &str {
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        &self.labels[start..self.ends[row] as usize]
    }

    /// A row's labels as (name, value), unescaped, in their order.
    pub fn pairs(&self, row: usize) -> impl Iterator<Item = (&str, String)> {
        let mut rest = self.labels(row);
        std::iter::from_fn(move || {
            let (name, after) = rest.split_once("=\"")?;
            let (value, next) = unescape(after)?;
            rest = next.strip_prefix(',').unwrap_or(next);
            Some((name, value))
        })
    }

    /// One label's value in a row, unescaped.
    pub fn label(&self, row: usize, name: &str) -> Option<String> {
        self.pairs(row).find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// The row of a key. A search in halves where keys rise, otherwise linear.
    pub fn row_of(&self, key: Key) -> Option<usize> {
        if self.rising {
            return self.keys.binary_search(&key).ok();
        }
        self.keys.iter().position(|k| *k == key)
    }
}

/// Reads an escaped value up to its closing quote; gives the value and what follows the quote.
fn unescape(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

/// Makes a list of subjects, row by row. Exported rows come first.
#[derive(Debug, Default)]
pub struct SubjectsBuilder {
    list: Subjects,
    hidden: bool,
}

impl SubjectsBuilder {
    /// Begins a row.
    pub fn row(&mut self, key: Key) -> &mut Self {
        self.list.keys.push(key);
        self.list.ends.push(self.list.labels.len() as u32);
        if !self.hidden {
            self.list.exported = self.list.keys.len();
        }
        self
    }

    /// The rows from here on are kept for the rules and left out of /metrics.
    pub fn hide_the_rest(&mut self) -> &mut Self {
        self.hidden = true;
        self
    }

    /// Adds a label to the row that was begun last; an empty value means the same as no label, and is left out.
    pub fn label(&mut self, name: &str, value: &str) -> &mut Self {
        let start =
            if self.list.ends.len() < 2 { 0 } else { self.list.ends[self.list.ends.len() - 2] as usize };
        if let (false, Some(end)) = (value.is_empty(), self.list.ends.last_mut()) {
            let labels = &mut self.list.labels;
            if labels.len() > start {
                labels.push(',');
            }
            labels.push_str(name);
            labels.push_str("=\"");
            escape(value, labels);
            labels.push('"');
            *end = labels.len() as u32;
        }
        self
    }

    /// Sets the labels of the row that was begun last as `Subjects::labels` gives them; in place of `label`.
    pub fn labels(&mut self, written: &str) -> &mut Self {
        if let Some(end) = self.list.ends.last_mut() {
            self.list.labels.push_str(written);
            *end = self.list.labels.len() as u32;
        }
        self
    }

    /// The list.
    pub fn build(self) -> Subjects {
        let mut list = self.list;
        list.labels.shrink_to_fit();
        list.keys.shrink_to_fit();
        list.ends.shrink_to_fit();
        list.rising = list.keys.is_sorted_by(|a, b| a < b);
        list
    }
}

/// Escapes a label value as the text format 0.0.4 and OpenMetrics want it: backslash, quote, line feed.
fn escape(value: &str, out: &mut String) {
    for character in value.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SubjectsBuilder;
    use proptest::prelude::{prop_assert_eq, proptest};

    #[test]
    fn rows_hold_their_own_labels() {
        let mut list = SubjectsBuilder::default();
        list.row(7).label("device", "eth0").label("driver", "").label("kind", "physical");
        list.row(8);
        list.hide_the_rest().row(9).label("device", "tap0");
        let list = list.build();
        assert_eq!(list.labels(0), r#"device="eth0",kind="physical""#);
        assert_eq!(list.labels(1), "");
        assert_eq!(list.labels(2), r#"device="tap0""#);
        assert_eq!((list.len(), list.exported(), list.row_of(9)), (3, 2, Some(2)));
        assert_eq!(list.label(0, "kind").as_deref(), Some("physical"));
        assert_eq!(list.label(0, "driver"), None);
    }

    proptest! {
        #[test]
        fn any_value_comes_back(first in ".*", second in ".*") {
            let mut list = SubjectsBuilder::default();
            list.row(1).label("a", &first).label("b", &second);
            let list = list.build();
            prop_assert_eq!(list.label(0, "a").unwrap_or_default(), first);
            prop_assert_eq!(list.label(0, "b").unwrap_or_default(), second);
        }
    }
}

//! What a cause means, for a terminal and as JSON: what `miglink explain` prints. The words are those of the rules; of a flag's own
//! where there is no rule.

use crate::analysis::flags::{self, contract::Flag, FLAGS};
use crate::analysis::rules::{contract::Rule, RULES, UNKNOWN};
use serde_json::{json, Value};

/// One cause.
#[derive(Debug, Clone, Copy)]
pub struct Cause {
    /// Its name in metrics.
    pub name: &'static str,
    rule: Option<&'static Rule>,
    flag: Option<&'static Flag>,
}

/// All causes: those of rules, those of flags alone, and `unknown`.
pub fn causes() -> Vec<Cause> {
    let of_rules =
        RULES.iter().map(|rule| Cause { name: rule.cause, rule: Some(rule), flag: flags::of(rule.cause) });
    let is_rule = |flag: &&Flag| RULES.iter().any(|rule| rule.cause == flag.cause);
    let of_flags = FLAGS.iter().copied().filter(|flag| !is_rule(flag));
    let of_flags = of_flags.map(|flag| Cause { name: flag.cause, rule: None, flag: Some(flag) });
    let mut causes: Vec<Cause> = of_rules.chain(of_flags).collect();
    causes.sort_by_key(|cause| cause.name);
    causes.push(Cause { name: UNKNOWN, rule: None, flag: None });
    causes
}

/// The causes whose names are nearest to a word, at most three.
pub fn nearest(word: &str) -> Vec<&'static str> {
    let mut names: Vec<(usize, &str)> = causes()
        .into_iter()
        .map(|cause| {
            // A word can stand for one part of the name.
            let parts =
                cause.name.split('_').map(|part| distance(word, part) + 1).min().unwrap_or(usize::MAX);
            (distance(word, cause.name).min(parts), cause.name)
        })
        .collect();
    names.sort_unstable();
    names.into_iter().take(3).map(|(_, name)| name).collect()
}

/// Edits between two words (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (at, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (place, y) in b.chars().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[place + 1];
            row[place + 1] = substituted.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

impl Cause {
    /// When it limits, in one sentence.
    pub fn meaning(self) -> &'static str {
        let of_flag = self.flag.and_then(|flag| flag.texts.as_ref()).map(|texts| texts.meaning);
        self.rule.map(|rule| rule.meaning).or(of_flag).unwrap_or("None of the others is proven.")
    }

    fn advice(self) -> &'static str {
        let of_flag = self.flag.and_then(|flag| flag.texts.as_ref()).map(|texts| texts.advice);
        let unknown = "Look at what the sources say (the page at /, miglink_source_success): what is missing there cannot be judged.";
        self.rule.map(|rule| rule.advice).or(of_flag).unwrap_or(unknown)
    }

    fn phases(self) -> Vec<&'static str> {
        let phases = self.rule.map(|rule| rule.phases).or(self.flag.map(|flag| flag.phases));
        phases.map_or(vec!["memory_copy", "state_transfer"], |phases| {
            phases.iter().map(|phase| phase.name()).collect()
        })
    }

    /// The commands that its advice names.
    fn commands(self) -> Vec<&'static str> {
        let words = ["virsh ", "sysctl ", "ethtool ", "tc ", "ip link", "ip -s"];
        let pieces =
            self.advice().split([':', ',', ';', '(', ')']).map(|piece| piece.trim().trim_end_matches('.'));
        let pieces = pieces.map(|piece| piece.split(" shows").next().unwrap_or(piece));
        pieces.filter(|piece| words.iter().any(|word| piece.starts_with(word))).collect()
    }

    /// For a terminal.
    pub fn text(self) -> String {
        let mut lines = vec![self.name.to_owned(), String::new(), self.meaning().to_owned(), String::new()];
        lines.push(format!("Phases: {}", self.phases().join(", ")));
        lines.extend(self.rule.map(|rule| format!("During a migration: {}", rule.reading)));
        lines.push(match self.flag {
            Some(flag) => format!("Before a migration, the factor of miglink check: {}", flag.factor),
            None => "Before a migration: cannot be told.".to_owned(),
        });
        lines.push(format!("Advice: {}", self.advice()));
        lines.extend(self.commands().iter().map(|command| format!("  $ {command}")));
        lines.push(String::new());
        lines.join("\n")
    }

    /// For programs.
    pub fn json(self) -> Value {
        json!({
            "cause": self.name,
            "meaning": self.meaning(),
            "phases": self.phases(),
            "rule": self.rule.is_some(),
            "reading": self.rule.map(|rule| rule.reading),
            "flag": self.flag.is_some(),
            "factor": self.flag.map(|flag| flag.factor),
            "advice": self.advice(),
            "commands": self.commands(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{causes, distance, nearest};

    #[test]
    fn every_cause_is_explained_once() {
        let causes = causes();
        let mut names: Vec<_> = causes.iter().map(|cause| cause.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), causes.len());
        assert!(causes.len() >= 24, "{names:?}");
        for cause in causes {
            assert!(cause.text().contains(cause.meaning()) && cause.json()["advice"].is_string());
            let texts = cause.flag.is_none_or(|flag| flag.texts.is_some() || cause.rule.is_some());
            assert!(texts, "{} has no words", cause.name);
        }
    }

    #[test]
    fn a_word_that_is_nearly_right_finds_its_cause() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(nearest("ring_overflw")[0], "ring_overflow");
        assert_eq!(nearest("mtu")[0], "mtu_mismatch");
        assert!(nearest("shaping").contains(&"traffic_shaping"));
    }
}

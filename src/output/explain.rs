//! What a cause means, for a terminal and as JSON: what `miglink explain` prints. The words are those of the rules.

use crate::analysis::flags::{self, contract::Flag};
use crate::analysis::rules::{
    contract::{Rule, BOTH},
    RULES, UNKNOWN,
};
use serde_json::{json, Value};

/// What stands for names in commands.
const WORDS: &str =
    "Commands (DEVICE is the link that packets leave by, WIRE the one beneath it, VM the guest):";

/// One cause.
#[derive(Debug, Clone, Copy)]
pub struct Cause {
    /// Its name in metrics.
    pub name: &'static str,
    rule: Option<&'static Rule>,
    flag: Option<&'static Flag>,
}

/// All causes: those of the rules, and `unknown`.
pub fn causes() -> Vec<Cause> {
    let of_rules =
        RULES.iter().map(|rule| Cause { name: rule.cause, rule: Some(rule), flag: flags::of(rule.cause) });
    let mut causes: Vec<Cause> = of_rules.collect();
    causes.sort_by_key(|cause| cause.name);
    causes.push(Cause { name: UNKNOWN, rule: None, flag: None });
    causes
}

/// The causes whose names are near to a word, at most three, nearest first; none if the word is another one altogether.
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
    let most = 1 + word.chars().count() / 3;
    names.into_iter().filter(|(distance, _)| *distance <= most).take(3).map(|(_, name)| name).collect()
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
        self.rule.map_or("None of the others is proven.", |rule| rule.meaning)
    }

    fn advice(self) -> &'static str {
        let unknown = "Look at what the sources say (the page at /, miglink_source_success): what is missing there cannot be judged.";
        self.rule.map_or(unknown, |rule| rule.advice)
    }

    fn phases(self) -> Vec<&'static str> {
        let phases = self.rule.map_or(BOTH, |rule| rule.phases);
        phases.iter().map(|phase| phase.name()).collect()
    }

    /// The commands that mend it or show more, with `DEVICE`, `WIRE` and `VM` for what the reader chooses.
    fn commands(self) -> Vec<String> {
        let mend = self.rule.map_or(&[][..], |rule| rule.mend);
        let filled = |command: &&str| {
            command.replace("{device}", "DEVICE").replace("{wire}", "WIRE").replace("{vm}", "VM")
        };
        mend.iter().map(filled).collect()
    }

    /// For a terminal.
    pub fn text(self) -> String {
        let mut lines = vec![self.name.to_owned(), String::new(), self.meaning().to_owned(), String::new()];
        lines.push(format!("Phases: {}", self.phases().join(", ")));
        lines.extend(self.rule.map(|rule| format!("During a migration: {}", rule.reading)));
        lines.push(match self.flag {
            Some(flag) => format!("Before a migration: miglink check tells it. Its factor: {}", flag.factor),
            None => "Before a migration: cannot be told.".to_owned(),
        });
        lines.push(format!("Advice: {}", self.advice()));
        let commands = self.commands();
        if !commands.is_empty() {
            lines.push(WORDS.to_owned());
            lines.extend(commands.iter().map(|command| format!("  $ {command}")));
        }
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
    use crate::analysis::flags::FLAGS;

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
            assert!(cause.commands().iter().all(|command| !command.contains('{')), "{cause:?}");
            assert_eq!(cause.commands().is_empty(), cause.rule.is_none(), "{cause:?}");
        }
    }

    #[test]
    fn every_flag_has_the_rule_of_its_cause() {
        let told = causes().iter().filter(|cause| cause.flag.is_some()).count();
        assert_eq!(told, FLAGS.len());
    }

    #[test]
    fn a_word_that_is_nearly_right_finds_its_cause() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(nearest("ring_overflw")[0], "ring_overflow");
        assert_eq!(nearest("mtu")[0], "mtu_mismatch");
        assert_eq!(nearest("typo"), Vec::<&str>::new());
        assert!(nearest("shaping").contains(&"traffic_shaping"));
    }
}

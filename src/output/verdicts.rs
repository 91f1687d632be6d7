//! A cause for people: its evidence beside what it means, what to do, and the commands for it with the names filled in.

use crate::analysis::rules::contract::Rule;
use crate::analysis::rules::{RULES, UNKNOWN};
use crate::output::migrations::Row;
use crate::sample::frame::Frame;
use crate::sample::verdict::{Part, Verdict};

/// A cause explained.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// When it limits.
    pub meaning: &'static str,
    /// What to do.
    pub advice: &'static str,
    /// Commands, ready to be looked at and run by a person.
    pub commands: Vec<String>,
}

/// What stands for a cause that nobody knows.
const UNPROVEN: Explained = Explained {
    meaning: "No cause is proven.",
    advice: "See what is missing; a source that fails says why in the table of sources.",
    commands: Vec::new(),
};

/// Explains a part of a migration's time.
pub fn explain(part: &Part, of: &Row<'_>) -> Explained {
    let rule: Option<&&Rule> = RULES.iter().find(|rule| rule.cause == part.cause && part.cause != UNKNOWN);
    let Some(rule) = rule else { return UNPROVEN };
    let commands = rule.mend.iter().map(|command| fill(command, of)).collect();
    Explained { meaning: rule.meaning, advice: rule.advice, commands }
}

/// The verdict of a migration, if it was judged.
pub fn of<'a>(frame: &'a Frame, row: &Row<'_>) -> Option<&'a Verdict> {
    let key = row.info.0.subjects.keys()[row.info.1];
    frame.verdicts.iter().find(|verdict| verdict.migration == key)
}

/// The part to show of a verdict: what leads now, after the end what led the phase that took longest.
pub fn leading(verdict: &Verdict) -> Option<&Part> {
    let length = |parts: &[Part]| parts.iter().map(|part| part.seconds).sum::<f64>();
    let longest = || verdict.phases.iter().max_by(|a, b| length(&a.parts).total_cmp(&length(&b.parts)));
    verdict.now.as_ref().or_else(|| longest()?.parts.first())
}

/// Puts the migration's names in. What is not known stays as its placeholder's word in capitals.
fn fill(command: &str, of: &Row<'_>) -> String {
    let name = |label: &str, word: &str| of.label(label).map_or(word.to_owned(), |name| quoted(&name));
    let wire = of.label("wire").or_else(|| of.label("device"));
    // While nobody knows which member of a bond it takes, the first one is an example.
    let wire = wire.and_then(|names| Some(quoted(names.split('+').next()?)));
    let peer = name("peer", "PEER");
    let words = [
        ("{device}", name("device", "DEVICE")),
        ("{wire}", wire.unwrap_or_else(|| "DEVICE".into())),
        ("{vm}", name("vm", "DOMAIN")),
    ];
    let mut filled = command.replace("PEER", &peer);
    // One pass each, in an order in which no name is taken for a placeholder: what a guest is called is put in last.
    for (placeholder, name) in words {
        filled = filled.replace(placeholder, &name);
    }
    filled
}

/// A name as a shell takes it for one word, whatever a guest is called: people will paste it.
fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-@:".contains(c);
    if !name.is_empty() && !name.starts_with('-') && name.chars().all(plain) {
        return name.to_owned();
    }
    let shown: String = name.chars().filter(|c| !c.is_control()).collect();
    format!("'{}'", shown.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::{explain, leading, quoted};
    use crate::analysis::rules::RULES;
    use crate::output::migrations::rows;
    use crate::output::migrations::testing::{frame, running};
    use crate::sample::verdict::{Part, PhaseVerdict, Verdict};
    use proptest::prelude::{prop_assert_eq, proptest};

    fn part(cause: &'static str, seconds: f64) -> Part {
        Part { cause, seconds, share: 1.0, evidence: "numbers".into() }
    }

    #[test]
    fn every_cause_has_commands_without_placeholders() {
        let frame = frame(&[running(1, "db", 90)]);
        let row = rows(&frame)[0];
        for rule in RULES {
            let explained = explain(&part(rule.cause, 1.0), &row);
            assert!(!explained.commands.is_empty(), "{}", rule.cause);
            assert!(explained.commands.iter().all(|command| !command.contains('{')), "{explained:?}");
        }
        let ring = explain(&part("ring_overflow", 1.0), &row);
        assert_eq!(ring.commands, ["ethtool -g ens3f0", "ethtool -G ens3f0 rx MAX"]);
        assert!(explain(&part("unknown", 1.0), &row).commands.is_empty());
    }

    #[test]
    fn after_the_end_the_longest_phase_speaks() {
        let phase = |phase, parts| PhaseVerdict { phase, parts };
        let phases = vec![
            phase("memory_copy", vec![part("link_shared", 5.0)]),
            phase("state_transfer", vec![part("unknown", 0.4)]),
        ];
        let mut verdict = Verdict { migration: 1, now: None, phases };
        assert_eq!(leading(&verdict).map(|part| part.cause), Some("link_shared"));
        verdict.now = Some(part("sender_cpu", 1.0));
        assert_eq!(leading(&verdict).map(|part| part.cause), Some("sender_cpu"));
    }

    proptest! {
        #[test]
        fn a_shell_takes_any_name_for_one_word(name in "[ -~]{1,20}") {
            let script = format!("printf %s {}", quoted(&name));
            let output = std::process::Command::new("sh").args(["-c", &script]).output().expect("a shell");
            prop_assert_eq!(String::from_utf8_lossy(&output.stdout), name);
        }
    }
}

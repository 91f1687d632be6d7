//! `forecast`: guests whose migration is forecast all the time, over every link that could carry it.

use super::last_line;
use crate::analysis::forecast::profiles::{Profile, MOST_PROFILES};
use crate::run::asked::{Asked, Naming};
use crate::run::vms::Entry;
use crate::topology::roles::Patterns;
use serde::{de, Deserialize, Deserializer};
use std::collections::HashSet;
use std::sync::Arc;

/// The section.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Forecast {
    /// The guests.
    #[serde(deserialize_with = "unique")]
    profiles: Vec<Checked>,
}

/// A profile that makes sense.
#[derive(Debug, Clone)]
struct Checked(Entry);

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entry = Entry::deserialize(deserializer)?;
        profile(&entry).map_err(|problem| de::Error::custom(format!("profile {}: {problem}", entry.name)))?;
        Ok(Self(entry))
    }
}

fn profile(entry: &Entry) -> Result<Profile, String> {
    let question = entry.asked(&Asked::default()).question(Naming::Key)?;
    let guests = entry.vm.as_ref().map(|pattern| Patterns::new(std::slice::from_ref(pattern)));
    let guests = guests.transpose().map_err(|error| {
        let pattern = entry.vm.as_deref().unwrap_or_default();
        format!("vm: '{pattern}' is not a regular expression: {}", last_line(&error.to_string()))
    })?;
    Ok(Profile { name: entry.name.clone(), question, guests })
}

/// Names are labels, so no two are the same.
fn unique<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Checked>, D::Error> {
    let list = Vec::<Checked>::deserialize(deserializer)?;
    let mut names = HashSet::new();
    if let Some(twice) = list.iter().find(|profile| !names.insert(profile.0.name.as_str())) {
        return Err(de::Error::custom(format!("there are two profiles called {}", twice.0.name)));
    }
    if list.len() > MOST_PROFILES {
        return Err(de::Error::custom(format!("there are {} profiles, at most {MOST_PROFILES}", list.len())));
    }
    Ok(list)
}

impl Forecast {
    /// What the agent is told of it.
    pub fn profiles(&self) -> anyhow::Result<Arc<[Profile]>> {
        let profiles = self.profiles.iter().map(|checked| profile(&checked.0));
        profiles.collect::<Result<_, _>>().map_err(|problem| anyhow::anyhow!(problem))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    fn refusal(text: &str) -> String {
        format!("{:#}", Config::parse(text).expect_err("refused"))
    }

    #[test]
    fn profiles_are_read() {
        let text = "forecast:\n  profiles:\n    - {name: large, memory: 64GiB, dirty_rate: 300MB/s, downtime_limit: 300ms, vm: 'db-.*'}\n    - {name: small, memory: 4GiB, dirty_rate: 0, zero: 20%}\n";
        let settings = Config::parse(text).and_then(|config| config.settings()).expect("valid");
        let [large, small] = &settings.profiles[..] else { panic!("{:?}", settings.profiles) };
        assert!(large
            .guests
            .as_ref()
            .is_some_and(|guests| guests.matches("db-1") && !guests.matches("a-db-1")));
        assert!(small.guests.is_none() && (small.question.workload.zero_share - 0.2).abs() < 1e-9);
    }

    #[test]
    fn errors_name_line_and_mend() {
        let head = "forecast:\n  profiles:\n";
        let key = refusal(&format!(
            "{head}    - {{name: a, memory: 1GiB, dirty_rate: 0}}\n    - name: b\n      memroy: 1GiB\n"
        ));
        assert!(key.contains("line 5") && key.contains("memroy") && key.contains("memory"), "{key}");
        let amount = refusal(&format!("{head}    - name: b\n      memory: 1GiB\n      dirty_rate: 3MB\n"));
        assert!(amount.contains("line 5") && amount.contains("300MB/s"), "{amount}");
        let set =
            refusal(&format!("{head}    - {{name: a, memory: 1GB, dirty_rate: 1MB/s, working_set: 2GB}}\n"));
        assert!(set.contains("line 3") && set.contains("profile a: working_set"), "{set}");
        let pattern = refusal(&format!("{head}    - {{name: a, memory: 1GB, dirty_rate: 0, vm: 'a('}}\n"));
        assert!(pattern.contains("line 3") && pattern.contains("unclosed group"), "{pattern}");
        let twice = refusal(&format!("{head}    - {{name: a, memory: 1GB, dirty_rate: 0}}\n    - {{name: a, memory: 1GB, dirty_rate: 0}}\n"));
        assert!(twice.contains("two profiles called a") && twice.contains("line"), "{twice}");
    }
}

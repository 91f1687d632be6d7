//! The list of guests of an evacuation: YAML, strict; an error names file, line and column.

use super::amounts::{Bytes, Limit, Rate, Seconds, Share, Window};
use super::asked::{Asked, Naming, Order};
use crate::analysis::forecast::evacuation::Guest;
use anyhow::{anyhow, bail, Context};
use serde::Deserialize;
use std::collections::HashSet;
use std::path::Path;

/// A guest as a file describes it; also a profile of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name.
    pub name: String,
    memory: Bytes,
    dirty_rate: Option<Rate>,
    working_set: Option<Bytes>,
    dirty_pattern: Option<Order>,
    #[serde(default)]
    dirty_window: Vec<Window>,
    zero: Option<Share>,
    downtime_limit: Option<Seconds>,
    max_bandwidth: Option<Limit>,
    channels: Option<u32>,
    compression: Option<f64>,
    #[serde(default)]
    tls: bool,
    #[serde(default)]
    auto_converge: bool,
    devices: Option<Seconds>,
    /// Of a profile, the names of guests that it stands for: an anchored regular expression.
    pub vm: Option<String>,
}

impl Entry {
    /// What it asks; what it leaves out is as in `rest`.
    pub fn asked(&self, rest: &Asked) -> Asked {
        Asked {
            memory: Some(self.memory),
            dirty_rate: self.dirty_rate,
            working_set: self.working_set,
            dirty_pattern: self.dirty_pattern,
            dirty_window: self.dirty_window.clone(),
            zero: self.zero,
            downtime_limit: self.downtime_limit.or(rest.downtime_limit),
            max_bandwidth: self.max_bandwidth.or(rest.max_bandwidth),
            bandwidth: rest.bandwidth,
            channels: self.channels.or(rest.channels),
            compression: self.compression.or(rest.compression),
            tls: self.tls || rest.tls,
            auto_converge: self.auto_converge || rest.auto_converge,
            concurrent: None,
            devices: self.devices.or(rest.devices),
        }
    }
}

/// Reads the guests of a file.
pub fn read(file: &Path, rest: &Asked) -> anyhow::Result<Vec<Guest>> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the guests of {}", file.display()))?;
    parse(&text, &file.display().to_string(), rest)
}

fn parse(text: &str, file: &str, rest: &Asked) -> anyhow::Result<Vec<Guest>> {
    let entries: Vec<serde_yaml::Spanned<Entry>> = serde_yaml::from_str(text).map_err(|error| {
        let place = error.location().map_or(String::new(), |at| format!(":{}:{}", at.line(), at.column()));
        anyhow!("{file}{place}: {error}")
    })?;
    if entries.is_empty() {
        bail!("{file}: there is no guest in it");
    }
    let mut names = HashSet::new();
    let mut guests = Vec::with_capacity(entries.len());
    for entry in &entries {
        let (at, entry) = (entry.defined, &entry.value);
        let place = format!("{file}:{}:{}", at.line(), at.column());
        if entry.vm.is_some() {
            bail!("{place}: {}: vm belongs to a profile of the configuration, not to a guest", entry.name);
        }
        if !names.insert(entry.name.as_str()) {
            bail!("{place}: {} is there twice", entry.name);
        }
        let question = entry.asked(rest).question(Naming::Key);
        let question = question.map_err(|problem| anyhow!("{place}: {}: {problem}", entry.name))?;
        guests.push(Guest { name: entry.name.clone(), question });
    }
    Ok(guests)
}

#[cfg(test)]
mod tests {
    use super::{parse, Asked};

    fn refusal(text: &str) -> String {
        format!("{:#}", parse(text, "vms.yaml", &Asked::default()).expect_err("refused"))
    }

    #[test]
    fn guests_are_read() {
        let text = "- {name: web1, memory: 8GiB, dirty_rate: 20MB/s}\n- name: db1\n  memory: 64GiB\n  dirty_rate: 300MB/s\n  working_set: 8GiB\n  zero: 20%\n";
        let guests =
            parse(text, "vms.yaml", &Asked { channels: Some(2), ..Asked::default() }).expect("guests");
        assert_eq!((guests.len(), guests[1].name.as_str()), (2, "db1"));
        assert_eq!(guests[1].question.traffic.channels, 2);
        assert!((guests[1].question.workload.zero_share - 0.2).abs() < 1e-9);
    }

    #[test]
    fn errors_name_the_place() {
        let unknown = refusal("- {name: a, memory: 1GB, dirty_rate: 0}\n- name: b\n  memmory: 1GB\n");
        assert!(unknown.starts_with("vms.yaml:3:3: ") && unknown.contains("memmory"), "{unknown}");
        let amount = refusal("- name: a\n  memory: 1 potato\n");
        assert!(amount.starts_with("vms.yaml:2:11: ") && amount.contains("64GiB"), "{amount}");
        let set = refusal("- {name: z, memory: 1GB, dirty_rate: 0}\n- {name: a, memory: 1GB, dirty_rate: 1MB/s, working_set: 2GB}\n");
        assert!(set.starts_with("vms.yaml:2:3: a: working_set"), "{set}");
        let twice =
            refusal("- {name: a, memory: 1GB, dirty_rate: 0}\n- {name: a, memory: 1GB, dirty_rate: 0}\n");
        assert!(twice.starts_with("vms.yaml:2:3: a is there twice"), "{twice}");
        assert!(refusal("[]").contains("no guest"));
    }
}

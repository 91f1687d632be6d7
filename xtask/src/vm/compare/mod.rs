//! Compares a snapshot: the kernel's tools before miglink, miglink, the tools after it. A number that moves is right
//! when it lies between the two readings of the tool. Each file here has a table of what equals what.

mod bonds;
mod host;
mod links;
mod ports;
mod queues;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, Result};

use super::settings::Settings;
use super::tools::Tools;
use lab::exposition::{self, Sample, Selector};

/// One snapshot of a scene.
pub struct Snapshot {
    /// Its name.
    pub name: String,
    /// What miglink said.
    pub samples: Vec<Sample>,
    before: Tools,
    after: Tools,
    /// The sources that were read anew for it.
    readings: String,
    /// Traffic was on its way while it was taken.
    flowing: bool,
}

/// One value of miglink and the tool's two readings of it. `None` where one of them does not know it.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// The metric with the labels that are not the subject's.
    pub metric: String,
    /// The device, CPU or port.
    pub subject: String,
    /// The kernel's tool.
    pub tool: &'static str,
    /// What miglink says.
    pub miglink: Option<Value>,
    /// What the tool said before.
    pub before: Option<Value>,
    /// What it said after.
    pub after: Option<Value>,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A sample's value.
    Number(f64),
    /// A label's value.
    Word(String),
}

impl Snapshot {
    /// Loads the snapshot in `dir`.
    pub fn load(dir: &Path) -> Result<Self> {
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let path = dir.join("metrics");
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let samples = exposition::parse(&text).with_context(|| path.display().to_string())?;
        let settings = Rc::new(Settings::load(&dir.join("settings"))?);
        let before = Tools::load(&dir.join("before"), &settings)?;
        let readings = fs::read_to_string(dir.join("readings")).context("the readings of a snapshot")?;
        let after = Tools::load(&dir.join("after"), &settings)?;
        Ok(Self { name, samples, before, after, readings, flowing: dir.join("flowing").exists() })
    }

    /// Everything that miglink or a tool knows. What neither knows is agreement about nothing.
    pub fn pairs(&self) -> Result<Vec<Pair>> {
        let mut pairs = host::pairs(self)?;
        pairs.extend(ports::pairs(self));
        pairs.extend(bonds::pairs(self));
        for device in self.devices() {
            pairs.extend(links::pairs(self, &device));
            pairs.extend(queues::pairs(self, &device));
        }
        pairs.retain(|pair| pair.miglink.is_some() || pair.before.is_some() || pair.after.is_some());
        Ok(pairs)
    }

    /// Whether the scene has waited for this source to be read anew.
    fn waited_for(&self, source: &str) -> bool {
        self.readings.split_whitespace().any(|reading| reading == source)
    }

    /// The devices that miglink exports.
    fn devices(&self) -> BTreeSet<String> {
        let info = self.samples.iter().filter(|sample| sample.name == "miglink_link_info");
        info.map(|sample| sample.label("device").to_owned()).collect()
    }

    /// A pair of numbers: the sum of the samples of `metric` with these labels, and what `tool` makes of a reading.
    /// The first label is the subject's.
    fn pair(
        &self,
        metric: &str,
        labels: &[(&str, &str)],
        name: &'static str,
        tool: impl Fn(&Tools) -> Option<f64>,
    ) -> Pair {
        let (subject, others) = labels.split_first().map_or(("", labels), |(first, rest)| (first.1, rest));
        Pair {
            metric: Selector::new(metric, others).to_string(),
            subject: subject.to_owned(),
            tool: name,
            miglink: Selector::new(metric, labels).sum(&self.samples).map(Value::Number),
            before: tool(&self.before).map(Value::Number),
            after: tool(&self.after).map(Value::Number),
        }
    }

    /// A label of the one sample of an info metric with these labels. An empty label is one that is not there.
    fn label(
        &self,
        metric: &str,
        labels: &[(&str, &str)],
        label: &str,
        name: &'static str,
        tool: impl Fn(&Tools) -> Option<String>,
    ) -> Pair {
        let selector = Selector::new(metric, labels);
        let sample = self.samples.iter().find(|sample| selector.matches(sample));
        let word = |word: String| (!word.is_empty()).then_some(Value::Word(word));
        Pair {
            metric: format!("{metric}, label {label}"),
            subject: labels.first().map_or("", |first| first.1).to_owned(),
            tool: name,
            miglink: sample.and_then(|sample| word(sample.label(label).to_owned())),
            before: tool(&self.before).and_then(word),
            after: tool(&self.after).and_then(word),
        }
    }
}

impl Pair {
    /// Whether miglink's value lies between the tool's two, when both are shifted by `low` and `high`.
    pub fn agrees(&self, low: f64, high: f64) -> bool {
        match (&self.miglink, &self.before, &self.after) {
            (Some(Value::Number(miglink)), Some(Value::Number(before)), Some(Value::Number(after))) => {
                // A gauge may have fallen in between. Floats are rounded differently by different units.
                let slack = 1e-12 * before.abs();
                let (before, after) = (before + low, after + high);
                before.min(after) - slack <= *miglink && *miglink <= before.max(after) + slack
            }
            (miglink, before, after) => miglink == before || miglink == after,
        }
    }

    /// Whether both are of the same thing, in different snapshots.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.metric, &self.subject, self.tool) == (&other.metric, &other.subject, other.tool)
    }
}

#[cfg(test)]
mod tests {
    use super::{Pair, Value};

    fn agrees(miglink: Option<f64>, before: Option<f64>, after: Option<f64>, low: f64, high: f64) -> bool {
        let [miglink, before, after] = [miglink, before, after].map(|number| number.map(Value::Number));
        let pair = Pair { metric: String::new(), subject: String::new(), tool: "ip", miglink, before, after };
        pair.agrees(low, high)
    }

    #[test]
    fn a_number_lies_between_two_readings_or_is_wrong() {
        assert!(agrees(Some(5.0), Some(5.0), Some(5.0), 0.0, 0.0));
        assert!(!agrees(Some(5.0), Some(6.0), Some(6.0), 0.0, 0.0));
        assert!(agrees(Some(5.0), Some(4.0), Some(9.0), 0.0, 0.0));
        assert!(agrees(Some(5.0), Some(9.0), Some(4.0), 0.0, 0.0), "a gauge that falls");
        assert!(!agrees(Some(10.0), Some(4.0), Some(9.0), 0.0, 0.0));
        assert!(agrees(Some(10.0), Some(4.0), Some(9.0), 6.0, 6.0), "a counter that began anew");
        assert!(agrees(Some(0.1 + 0.2), Some(0.3), Some(0.3), 0.0, 0.0));
    }

    #[test]
    fn what_only_one_of_them_knows_is_wrong() {
        assert!(!agrees(None, Some(0.0), Some(0.0), 0.0, 0.0));
        assert!(!agrees(Some(0.0), None, None, 0.0, 0.0));
    }
}

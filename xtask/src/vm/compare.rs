//! Compares one snapshot: the kernel's tools before miglink, miglink, the tools after it. A number that moves is
//! right when it lies between the two readings of the tool.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, Result};
use serde_json::Value;

use super::exposition::{self, Sample, Selector};
use super::report::Row;
use super::rules::{Rule, INFO, LINKS, OVERFLOWS, QDISCS, SOFTNET, SOFTNET_CPU};
use super::settings::Settings;
use super::tools::{Source, Tools};

/// One snapshot of a scene.
pub struct Snapshot {
    /// Its name.
    pub name: String,
    /// What miglink said.
    pub samples: Vec<Sample>,
    before: Tools,
    after: Tools,
}

/// One number of miglink and the tool's two readings of it.
struct Pair {
    metric: String,
    subject: String,
    miglink: Option<f64>,
    before: Option<f64>,
    after: Option<f64>,
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
        Ok(Self { name, samples, before, after: Tools::load(&dir.join("after"), &settings)? })
    }

    /// A row for everything that miglink and a tool both know, and for what only one of them knows.
    pub fn rows(&self, scene: &str) -> Result<Vec<Row>> {
        let devices = self.devices();
        let mut pairs = self.softnet()?;
        let mut rows = Vec::new();
        for device in &devices {
            pairs.extend(LINKS.iter().map(|rule| self.link(rule, device)));
            pairs.extend(self.overflows(device));
            pairs.extend(self.qdiscs(device));
            rows.extend(INFO.iter().map(|(label, source)| self.info(scene, label, *source, device)));
        }
        // What neither knows is agreement about nothing: no row.
        let known = |pair: &Pair| pair.miglink.is_some() || pair.before.is_some() || pair.after.is_some();
        rows.extend(pairs.iter().filter(|pair| known(pair)).map(|pair| self.row(scene, pair)));
        Ok(rows)
    }

    /// The devices that miglink exports.
    fn devices(&self) -> BTreeSet<String> {
        let info = self.samples.iter().filter(|sample| sample.name == "miglink_link_info");
        info.map(|sample| sample.label("device").to_owned()).collect()
    }

    fn sum(&self, metric: &str, labels: &[(&str, &str)]) -> Option<f64> {
        Selector::new(metric, labels).sum(&self.samples)
    }

    fn link(&self, rule: &Rule, device: &str) -> Pair {
        let labels = [&[("device", device)], rule.labels].concat();
        let tool = |tools: &Tools| tools.number(rule.tool, device).map(|number| number * rule.scale);
        Pair {
            metric: Selector::new(rule.metric, rule.labels).to_string(),
            subject: device.to_owned(),
            miglink: self.sum(rule.metric, &labels),
            before: tool(&self.before),
            after: tool(&self.after),
        }
    }

    fn overflows(&self, device: &str) -> Option<Pair> {
        let driver = self.before.word(Source::Sysfs("driver"), device)?;
        let (_, names) = OVERFLOWS.iter().find(|(name, _)| *name == driver)?;
        let tool = |tools: &Tools| {
            names.iter().filter_map(|name| tools.number(Source::Statistic(name), device)).reduce(|a, b| a + b)
        };
        Some(Pair {
            metric: "miglink_link_ring_overflows_total".to_owned(),
            subject: device.to_owned(),
            miglink: self.sum("miglink_link_ring_overflows_total", &[("device", device)]),
            before: tool(&self.before),
            after: tool(&self.after),
        })
    }

    /// All qdiscs but noqueue, which counts nothing. The leaves of mq share a kind and a handle: compared as a sum.
    fn qdiscs(&self, device: &str) -> Vec<Pair> {
        let key =
            |qdisc: &Value| Some((qdisc["kind"].as_str()?.to_owned(), qdisc["handle"].as_str()?.to_owned()));
        let mut keys: BTreeSet<_> =
            self.before.qdiscs(device).chain(self.after.qdiscs(device)).filter_map(key).collect();
        let exported = Selector::new(QDISCS[0].0, &[("device", device)]);
        let ours = self.samples.iter().filter(|sample| exported.matches(sample));
        keys.extend(ours.map(|sample| (sample.label("kind").to_owned(), sample.label("handle").to_owned())));
        let mut pairs = Vec::new();
        for (kind, handle) in keys.iter().filter(|(kind, _)| kind != "noqueue") {
            let labels = [("device", device), ("kind", kind), ("handle", handle)];
            for (metric, field) in QDISCS {
                let tool = |tools: &Tools| {
                    let same = |qdisc: &&Value| qdisc["kind"] == **kind && qdisc["handle"] == **handle;
                    tools
                        .qdiscs(device)
                        .filter(same)
                        .filter_map(|qdisc| qdisc[*field].as_f64())
                        .reduce(|a, b| a + b)
                };
                pairs.push(Pair {
                    metric: Selector::new(metric, &labels[1..]).to_string(),
                    subject: device.to_owned(),
                    miglink: self.sum(metric, &labels),
                    before: tool(&self.before),
                    after: tool(&self.after),
                });
            }
        }
        pairs
    }

    fn softnet(&self) -> Result<Vec<Pair>> {
        let (before, after) = (self.before.softnet()?, self.after.softnet()?);
        let mut pairs = Vec::new();
        for (first, second) in before.iter().zip(&after) {
            let cpu = first.get(SOFTNET_CPU).context("softnet_stat has no column with the CPU")?.to_string();
            for (metric, column) in SOFTNET {
                pairs.push(Pair {
                    metric: (*metric).to_owned(),
                    subject: format!("cpu {cpu}"),
                    miglink: self.sum(metric, &[("cpu", &cpu)]),
                    before: first.get(*column).map(|number| *number as f64),
                    after: second.get(*column).map(|number| *number as f64),
                });
            }
        }
        Ok(pairs)
    }

    /// A label of `link_info`: empty where the tool has no word.
    fn info(&self, scene: &str, label: &str, source: Source, device: &str) -> Row {
        let info = Selector::new("miglink_link_info", &[("device", device)]);
        let sample = self.samples.iter().find(|sample| info.matches(sample));
        let miglink = sample.map(|sample| sample.label(label).to_owned()).unwrap_or_default();
        let tool = self.after.word(source, device).filter(|word| word != "-1").unwrap_or_default();
        let ok = miglink == tool;
        let metric = format!("miglink_link_info, label {label}");
        Row {
            scene: scene.to_owned(),
            snapshot: self.name.clone(),
            metric,
            subject: device.to_owned(),
            miglink,
            tool,
            ok,
        }
    }

    fn row(&self, scene: &str, pair: &Pair) -> Row {
        let tool = if pair.before == pair.after {
            number(pair.before)
        } else {
            format!("{} .. {}", number(pair.before), number(pair.after))
        };
        Row {
            scene: scene.to_owned(),
            snapshot: self.name.clone(),
            metric: pair.metric.clone(),
            subject: pair.subject.clone(),
            miglink: number(pair.miglink),
            tool,
            ok: pair.agrees(),
        }
    }
}

impl Pair {
    fn agrees(&self) -> bool {
        match (self.miglink, self.before, self.after) {
            // A gauge may have fallen in between. Floats are rounded differently by different units.
            (Some(miglink), Some(before), Some(after)) => {
                let slack = 1e-12 * before.abs();
                before.min(after) - slack <= miglink && miglink <= before.max(after) + slack
            }
            (None, None, None) => true,
            _ => false,
        }
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

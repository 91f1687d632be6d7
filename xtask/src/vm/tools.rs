//! What the kernel's own tools said in one reading of a scene: `ip`, `tc` and `ethtool` output and sysfs files,
//! as `tools` and `settings` in `xtask/vm/lib.sh` lay them out.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result};
use serde_json::Value;

use super::settings::{Setting, Settings};

/// One reading.
pub struct Tools {
    dir: PathBuf,
    settings: Rc<Settings>,
    links: Vec<Value>,
    qdiscs: Vec<Value>,
    sysfs: String,
    infiniband: String,
}

/// Where a tool's number or word for a device is found.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// `ip -s -s -d -j link`: a JSON pointer below the device.
    Ip(&'static str),
    /// A file below `/sys/class/net/DEVICE/`.
    Sysfs(&'static str),
    /// `ethtool`'s dumps.
    Ethtool(Setting),
    /// `ethtool -S`: the sum of the rows of this name, which drivers repeat for each queue.
    Statistic(&'static str),
}

impl Tools {
    /// Loads the reading in `dir`; the settings are those of the snapshot.
    pub fn load(dir: &Path, settings: &Rc<Settings>) -> Result<Self> {
        Ok(Self {
            dir: dir.to_owned(),
            settings: Rc::clone(settings),
            links: array(&read(dir, "link.json")?)?,
            qdiscs: array(&read(dir, "qdisc.json")?)?,
            sysfs: read(dir, "sysfs")?,
            infiniband: read(dir, "infiniband")?,
        })
    }

    /// The number at `source` for `device`; `None` when the tool does not know one (`n/a`, `-1`, no such file).
    pub fn number(&self, source: Source, device: &str) -> Option<f64> {
        let number: f64 = self.word(source, device)?.parse().ok()?;
        (number >= 0.0).then_some(number)
    }

    /// The word at `source` for `device`.
    pub fn word(&self, source: Source, device: &str) -> Option<String> {
        match source {
            Source::Ip(pointer) => text(self.link(device)?.pointer(pointer)?),
            Source::Sysfs(file) => value_of(&self.sysfs, &format!("{device}/{file}")),
            Source::Ethtool(setting) => self.settings.word(setting, device),
            Source::Statistic(name) => self.statistic(device, name).map(|sum| sum.to_string()),
        }
    }

    /// What `ip` says of a device.
    pub fn link(&self, device: &str) -> Option<&Value> {
        self.links.iter().find(|link| link["ifname"] == device)
    }

    /// What `tc` says of a device's qdiscs.
    pub fn qdiscs(&self, device: &str) -> impl Iterator<Item = &Value> {
        let device = device.to_owned();
        self.qdiscs.iter().filter(move |qdisc| qdisc["dev"] == device)
    }

    /// The rows of `/proc/net/softnet_stat` as numbers.
    pub fn softnet(&self) -> Result<Vec<Vec<u64>>> {
        let text = read(&self.dir, "softnet")?;
        text.lines()
            .map(|line| line.split_whitespace().map(|word| Ok(u64::from_str_radix(word, 16)?)).collect())
            .collect()
    }

    /// The files below `/sys/class/infiniband/` with their content.
    pub fn infiniband(&self) -> impl Iterator<Item = (&str, &str)> {
        self.infiniband.lines().filter_map(|line| line.split_once(':'))
    }

    fn statistic(&self, device: &str, name: &str) -> Option<u64> {
        let text = read(&self.dir, &format!("ethtool-S.{device}")).ok()?;
        let rows = text.lines().filter_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'));
        rows.filter_map(|value| value.trim().parse::<u64>().ok()).reduce(|a, b| a + b)
    }
}

/// A file of a reading.
pub fn read(dir: &Path, file: &str) -> Result<String> {
    let path = dir.join(file);
    fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
}

/// A JSON array, as `ip`, `tc` and `ethtool` print.
pub fn array(json: &str) -> Result<Vec<Value>> {
    serde_json::from_str(json).with_context(|| format!("not a JSON array: {json:.60}"))
}

/// A JSON scalar as a word; booleans are 1 and 0, as metrics have them.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(word) => Some(word.clone()),
        Value::Bool(yes) => Some(u8::from(*yes).to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The value of `FILE:VALUE`, as `grep -H ''` prints a file of one line.
fn value_of(lines: &str, file: &str) -> Option<String> {
    let line = lines.lines().find_map(|line| line.strip_prefix(file)?.strip_prefix(':'))?;
    (!line.is_empty()).then(|| line.to_owned())
}

//! What the kernel's own tools said in one reading of a scene: `ip`, `tc` and `ethtool` output and sysfs files,
//! as `tools` and `settings` in `xtask/vm/lib.sh` lay them out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result};
use serde_json::Value;

use super::classes::{self, Class};
use super::settings::{Setting, Settings};

/// One reading.
pub struct Tools {
    dir: PathBuf,
    settings: Rc<Settings>,
    links: Vec<Value>,
    qdiscs: Vec<Value>,
    sysfs: String,
    infiniband: String,
    netstat: String,
    sysctls: String,
    interrupts: String,
}

/// Where a tool's number or word for a device is found.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// `ip -s -s -d -j link`: a JSON pointer below the device.
    Ip(&'static str),
    /// `ip`: the link below, which a vxlan keeps among its own attributes. A veth's is its other end, not below it.
    Lower,
    /// `ip -d`: the kind; `physical` for hardware, which has none.
    Kind,
    /// A file below `/sys/class/net/DEVICE/`.
    Sysfs(&'static str),
    /// `ethtool`'s dumps.
    Ethtool(Setting),
    /// `ethtool -S`: the sum of the rows of this name, which drivers repeat for each queue.
    Statistic(&'static str),
}

impl Source {
    /// The tool's name, for people.
    pub fn tool(self) -> &'static str {
        match self {
            Self::Ip(_) | Self::Lower | Self::Kind => "ip",
            Self::Sysfs(_) => "sysfs",
            Self::Ethtool(_) => "ethtool",
            Self::Statistic(_) => "ethtool -S",
        }
    }
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
            netstat: read(dir, "netstat")?,
            sysctls: read(dir, "sysctls")?,
            interrupts: read(dir, "interrupts")?,
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
            Source::Lower => {
                let link = self.link(device).filter(|link| kind(link) != "veth")?;
                text(link.pointer("/linkinfo/info_data/link").or_else(|| link.get("link"))?)
            }
            Source::Kind => Some(kind(self.link(device)?).to_owned()),
            Source::Sysfs(file) => value_of(&self.sysfs, &format!("{device}/{file}")),
            Source::Ethtool(setting) => self.settings.word(setting, device),
            Source::Statistic(name) => self.statistic(device, name).map(|sum| sum.to_string()),
        }
    }

    /// What `ip` says of a device.
    fn link(&self, device: &str) -> Option<&Value> {
        self.links.iter().find(|link| link["ifname"] == device)
    }

    /// Whether the administrator has set a device up.
    pub fn is_up(&self, device: &str) -> bool {
        let flags = self.link(device).and_then(|link| link["flags"].as_array());
        flags.is_some_and(|flags| flags.iter().any(|flag| flag == "UP"))
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

    /// The names of all files below `/sys/class/infiniband/`.
    pub fn infiniband_files(&self) -> impl Iterator<Item = &str> {
        self.infiniband.lines().filter_map(|line| line.split_once(':')).map(|(file, _)| file)
    }

    /// A file below `/sys/class/infiniband/`.
    pub fn infiniband(&self, file: &str) -> Option<String> {
        value_of(&self.infiniband, file)
    }

    /// A field of `/proc/net/netstat` or `/proc/net/snmp`: a line of names, then one of numbers.
    pub fn netstat(&self, section: &str, field: &str) -> Option<f64> {
        let mut lines = self.netstat.lines().filter_map(|line| line.strip_prefix(section)?.strip_prefix(':'));
        let (names, numbers) = (lines.next()?, lines.next()?);
        let at = names.split_whitespace().position(|name| name == field)?;
        numbers.split_whitespace().nth(at)?.parse().ok()
    }

    /// Interrupts of a device by CPU: lines `DEVICE CPU0 CPU1 …` and `DEVICE NUMBER: COUNT COUNT … NAME`.
    pub fn interrupts(&self, device: &str) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        let mut cpus: Vec<&str> = Vec::new();
        for line in self.interrupts.lines() {
            let mut words = line.split_whitespace();
            if words.next() != Some(device) {
                continue;
            }
            let words: Vec<&str> = words.collect();
            if words.iter().all(|word| word.starts_with("CPU")) {
                cpus = words;
                continue;
            }
            for (cpu, count) in cpus.iter().zip(words.iter().skip(1)) {
                let cpu = cpu.trim_start_matches("CPU").to_owned();
                *sums.entry(cpu).or_default() += count.parse().unwrap_or(0.0);
            }
        }
        sums
    }

    /// A word of a file below `/proc/sys/net/`.
    pub fn sysctl(&self, file: &str, word: usize) -> Option<f64> {
        value_of(&self.sysctls, file)?.split_whitespace().nth(word)?.parse().ok()
    }

    /// The classes of a device.
    pub fn classes(&self, device: &str) -> Vec<Class> {
        read(&self.dir, &format!("class.{device}")).map(|text| classes::parse(&text)).unwrap_or_default()
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

fn kind(link: &Value) -> &str {
    link.pointer("/linkinfo/info_kind").and_then(Value::as_str).unwrap_or("physical")
}

/// The value of `FILE:VALUE`, as `grep -H ''` prints a file of one line.
fn value_of(lines: &str, file: &str) -> Option<String> {
    let line = lines.lines().find_map(|line| line.strip_prefix(file)?.strip_prefix(':'))?;
    (!line.is_empty()).then(|| line.to_owned())
}

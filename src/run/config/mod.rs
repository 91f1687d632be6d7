//! The configuration file: YAML, strict, complete before anything is opened. Every default is what a host without a
//! file needs.

pub mod forecast;
pub mod migrations;
pub mod storage;

use crate::analysis::flags::survey::Manner;
use crate::analysis::forecast::profiles::Profile;
use crate::source::contract::Doors;
use crate::topology::roles::{Choice, Patterns, Selection};
use anyhow::Context;
use serde::{de, Deserialize, Deserializer};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The whole file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Which links are shown.
    pub links: Links,
    /// How often is sampled.
    pub sampling: Sampling,
    /// How migrations are found.
    pub migrations: migrations::Migrations,
    /// Links that are meant for migrations, by name.
    dedicated: Vec<Pattern>,
    /// What is forecast all the time.
    pub forecast: forecast::Forecast,
    /// What is recorded.
    pub storage: storage::Storage,
    /// The file's text.
    #[serde(skip)]
    pub text: String,
}

/// What the configuration says to the agent.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Which links are shown.
    pub selection: Selection,
    /// By which doors hypervisors are reached.
    pub doors: Doors,
    /// How long a finished migration's own series stay.
    pub keep: Duration,
    /// Time between two readings of what moves.
    pub paces: Paces,
    /// How flags of links are found; not configured, and not changed by a reload.
    pub manner: Manner,
    /// Links that are meant for migrations.
    pub dedicated: Patterns,
    /// Guests whose migration is forecast over every link.
    pub profiles: Arc<[Profile]>,
}

/// Time between two readings while a migration is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paces {
    /// While memory is copied.
    pub fast: Duration,
    /// While the guest stands still.
    pub pause: Duration,
}

impl Default for Paces {
    fn default() -> Self {
        Self { fast: Duration::from_millis(100), pause: Duration::from_millis(20) }
    }
}

/// `links`: anchored regular expressions. Without any `include`, the rule of topology/roles.rs decides.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Links {
    /// Names to show.
    include: Vec<Pattern>,
    /// Names not to show.
    exclude: Vec<Pattern>,
    /// The same by kind (`bond`, `vlan`, `veth`, `physical`…).
    kinds: Both,
    /// The same by kernel driver.
    drivers: Both,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Both {
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
}

/// `sampling`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sampling {
    /// Time between two readings of the counters.
    #[serde(deserialize_with = "interval")]
    pub interval: Duration,
    /// The same of migrations while memory is copied.
    #[serde(deserialize_with = "fast")]
    fast_interval: Duration,
    /// The same while the guest stands still.
    #[serde(deserialize_with = "fast")]
    pause_interval: Duration,
}

impl Default for Sampling {
    fn default() -> Self {
        let Paces { fast, pause } = Paces::default();
        Self { interval: Duration::from_secs(1), fast_interval: fast, pause_interval: pause }
    }
}

/// A regular expression that was tried when the file was read.
#[derive(Debug, Clone)]
struct Pattern(String);

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Patterns::new(std::slice::from_ref(&text)).map_err(|error| {
            de::Error::custom(format!(
                "'{text}' is not a regular expression: {}",
                last_line(&error.to_string())
            ))
        })?;
        Ok(Self(text))
    }
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or_default().trim_start_matches("error: ")
}

fn interval<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    within(deserializer, Duration::from_millis(100)..=Duration::from_secs(60), "between 100ms and 1m")
}

fn fast<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    within(deserializer, Duration::from_millis(10)..=Duration::from_secs(1), "between 10ms and 1s")
}

fn within<'de, D: Deserializer<'de>>(
    deserializer: D,
    allowed: std::ops::RangeInclusive<Duration>,
    words: &str,
) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let mend = "write a number with a unit, for example 500ms, 1s or 1m";
    let duration =
        parse_duration(&text).ok_or_else(|| de::Error::custom(format!("'{text}' is no duration; {mend}")))?;
    if !allowed.contains(&duration) {
        return Err(de::Error::custom(format!("{text} is out of range; it must be {words}")));
    }
    Ok(duration)
}

/// A whole number and one of the units ms, s, m, h, d.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    let milliseconds = match text[digits..].trim() {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(milliseconds).map(Duration::from_millis)
}

impl Config {
    /// Reads a file. An error names file, line and column, and shows the line.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the configuration {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("the configuration {} is not valid", path.display()))
    }

    /// Reads text. An empty file is the default configuration.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
            return Ok(Self::default());
        }
        Ok(Self { text: text.to_owned(), ..serde_yaml::from_str(text)? })
    }

    /// What the agent is told of it.
    pub fn settings(&self) -> anyhow::Result<Settings> {
        let patterns = |list: &[Pattern]| {
            Patterns::new(&list.iter().map(|pattern| pattern.0.clone()).collect::<Vec<_>>())
        };
        let choice = |names: &[Pattern], kinds: &[Pattern], drivers: &[Pattern]| {
            anyhow::Ok(Choice {
                names: patterns(names)?,
                kinds: patterns(kinds)?,
                drivers: patterns(drivers)?,
            })
        };
        let Links { include, exclude, kinds, drivers } = &self.links;
        Ok(Settings {
            selection: Selection {
                include: choice(include, &kinds.include, &drivers.include)?,
                exclude: choice(exclude, &kinds.exclude, &drivers.exclude)?,
            },
            doors: self.migrations.doors(),
            keep: self.migrations.keep,
            paces: Paces { fast: self.sampling.fast_interval, pause: self.sampling.pause_interval },
            dedicated: patterns(&self.dedicated)?,
            manner: Manner::default(),
            profiles: self.forecast.profiles()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Config;
    use std::time::Duration;

    fn refusal(text: &str) -> String {
        format!("{:#}", Config::parse(text).expect_err("refused"))
    }

    #[test]
    fn no_word_is_the_default() {
        for text in ["", "# nothing\n\n", "links: {}\n"] {
            assert_eq!(
                Config::parse(text).expect("valid").sampling.interval,
                Duration::from_secs(1),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_full_file_is_understood() {
        let text = "links:\n  include: ['bond0', 'ens.*']\n  exclude: [ens9]\n  kinds: {exclude: [macvlan]}\n  drivers: {include: [ice]}\nsampling: {interval: 500ms}\ndedicated: ['ens3f[01]']\n";
        let config = Config::parse(text).expect("valid");
        assert_eq!(config.sampling.interval, Duration::from_millis(500));
        let settings = config.settings().expect("patterns");
        assert!(settings.dedicated.matches("ens3f1") && !settings.dedicated.matches("ens3f10"));
    }

    #[test]
    fn errors_name_line_key_and_mend() {
        let unknown = refusal("links:\n  inclued: [a]\n");
        assert!(
            unknown.contains("line 2") && unknown.contains("inclued") && unknown.contains("include"),
            "{unknown}"
        );
        let pattern = refusal("links:\n  include:\n    - 'ens('\n");
        assert!(
            pattern.contains("line 3") && pattern.contains("ens(") && pattern.contains("unclosed group"),
            "{pattern}"
        );
        let unit = refusal("sampling:\n  interval: 5\n");
        assert!(unit.contains("line 2") && unit.contains("500ms"), "{unit}");
        let range = refusal("sampling:\n  interval: 1h\n");
        assert!(range.contains("between 100ms and 1m"), "{range}");
        let twice = refusal("links: {}\nlinks: {}\n");
        assert!(twice.contains("links"), "{twice}");
    }
}

//! `storage`: whether, where and how much is recorded.

use super::parse_duration;
use crate::record::retention::Retention;
use crate::run::amounts::Bytes;
use crate::run::arguments;
use serde::{de, Deserialize, Deserializer};
use std::path::PathBuf;
use std::time::Duration;

/// A week.
const KEPT: Duration = Duration::from_secs(7 * 86_400);
/// 10 GiB.
const MOST: u64 = 10 << 30;
/// Less than this is no recording.
const LEAST: u64 = 1 << 20;

/// The section.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// Whether anything is recorded.
    enabled: bool,
    /// Where; without it, where the system keeps states.
    path: Option<PathBuf>,
    /// For how long.
    #[serde(deserialize_with = "time")]
    retention_time: Duration,
    /// How many bytes at most.
    #[serde(deserialize_with = "size")]
    retention_size: u64,
}

impl Default for Storage {
    fn default() -> Self {
        Self { enabled: true, path: None, retention_time: KEPT, retention_size: MOST }
    }
}

/// What the recorder is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// The folder.
    pub folder: PathBuf,
    /// What is kept in it.
    pub retention: Retention,
}

impl Storage {
    /// Where and how much is recorded; `None` if nothing is. Flags come before the file.
    pub fn recording(&self, flags: &arguments::Storage) -> Option<Recording> {
        if flags.no_storage || !self.enabled {
            return None;
        }
        let retention = Retention {
            time: Some(flags.retention_time.unwrap_or(self.retention_time)),
            size: Some(flags.retention_size.map_or(self.retention_size, |bytes| bytes.0 as u64)),
        };
        Some(Recording { folder: self.folder(flags.path.clone()), retention })
    }

    /// Where a recording is, whether it is made or not.
    pub fn folder(&self, flag: Option<PathBuf>) -> PathBuf {
        let is_root = rustix::process::geteuid().is_root();
        flag.or_else(|| self.path.clone()).unwrap_or_else(|| usual(|name| std::env::var(name).ok(), is_root))
    }
}

/// systemd's `StateDirectory=`; else `/var/lib` for the system's own and `XDG_STATE_HOME` for a user's (XDG Base Directory
/// Specification 0.8).
fn usual(variable: impl Fn(&str) -> Option<String>, is_root: bool) -> PathBuf {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    if let Some(given) = set("STATE_DIRECTORY") {
        return given.split(':').next().unwrap_or_default().into();
    }
    if is_root {
        return "/var/lib/miglink".into();
    }
    let home = || set("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    // A relative path there is to be ignored.
    let states = set("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    states.or_else(home).unwrap_or_else(|| "/var/lib".into()).join("miglink")
}

/// A time to keep recordings for, as flags and file say it.
pub fn kept(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .filter(|time| *time >= Duration::from_secs(60))
        .ok_or_else(|| format!("'{text}' is no time of at least a minute; write for example 12h or 7d"))
}

/// A size of recordings.
pub fn most(text: &str) -> Result<Bytes, String> {
    let bytes: Bytes = text.parse()?;
    if (bytes.0 as u64) < LEAST {
        return Err(format!("'{text}' is too little; write for example 500MB or 10GiB"));
    }
    Ok(bytes)
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    kept(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let bytes = most(&String::deserialize(deserializer)?).map_err(de::Error::custom)?;
    Ok(bytes.0 as u64)
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::usual;
    use crate::run::arguments::Storage as Flags;
    use std::path::Path;
    use std::time::Duration;

    #[test]
    fn the_section_is_read_and_flags_come_first() {
        let text = "storage: {path: /data, retention_time: 2d, retention_size: 500MB}\n";
        let storage = Config::parse(text).expect("valid").storage;
        let recording = storage.recording(&Flags::default()).expect("on");
        assert_eq!(recording.folder, Path::new("/data"));
        assert_eq!(recording.retention.time, Some(Duration::from_secs(172_800)));
        assert_eq!(recording.retention.size, Some(500_000_000));
        let flags = Flags {
            path: Some("/other".into()),
            retention_time: Some(Duration::from_secs(60)),
            ..Flags::default()
        };
        let recording = storage.recording(&flags).expect("on");
        assert_eq!(
            (recording.folder.as_path(), recording.retention.time),
            (Path::new("/other"), flags.retention_time)
        );
        assert_eq!(storage.recording(&Flags { no_storage: true, ..Flags::default() }), None);
        let off = Config::parse("storage: {enabled: false}\n").expect("valid").storage;
        assert_eq!(off.recording(&Flags::default()), None);
    }

    #[test]
    fn errors_name_line_and_mend() {
        let refusal = |text: &str| format!("{:#}", Config::parse(text).expect_err("refused"));
        let key = refusal("storage:\n  retention: 7d\n");
        assert!(key.contains("line 2") && key.contains("retention_time"), "{key}");
        let time = refusal("storage:\n  retention_time: 7\n");
        assert!(time.contains("line 2") && time.contains("7d"), "{time}");
        let size = refusal("storage:\n  retention_size: 10KiB\n");
        assert!(size.contains("line 2") && size.contains("10GiB"), "{size}");
    }

    #[test]
    fn the_folder_is_where_the_system_keeps_states() {
        let with = |set: &[(&str, &str)], is_root| {
            let find = |name: &str| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            };
            usual(find, is_root).display().to_string()
        };
        assert_eq!(
            with(&[("STATE_DIRECTORY", "/var/lib/a:/var/lib/b"), ("HOME", "/root")], true),
            "/var/lib/a"
        );
        assert_eq!(with(&[("HOME", "/root")], true), "/var/lib/miglink");
        assert_eq!(with(&[("HOME", "/home/u")], false), "/home/u/.local/state/miglink");
        assert_eq!(with(&[("HOME", "/home/u"), ("XDG_STATE_HOME", "/s")], false), "/s/miglink");
        assert_eq!(
            with(&[("HOME", "/home/u"), ("XDG_STATE_HOME", "s")], false),
            "/home/u/.local/state/miglink"
        );
        assert_eq!(with(&[], false), "/var/lib/miglink");
    }
}

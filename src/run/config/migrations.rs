//! `migrations`: by which doors hypervisors are reached, and how long a finished migration is shown.

use super::parse_duration;
use crate::source::contract::Doors;
use serde::{de, Deserialize, Deserializer};
use std::path::PathBuf;
use std::time::Duration;

/// The section. Without it, hypervisors are found by themselves.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Migrations {
    /// QMP sockets beyond those on the hypervisors' command lines.
    qmp_sockets: Vec<QmpSocket>,
    /// libvirt's read-only sockets, where they are not at their usual places.
    libvirt_sockets: Vec<PathBuf>,
    /// Commands of processes that carry other processes' migrations.
    proxies: Vec<String>,
    /// How long a finished migration's own series stay.
    #[serde(deserialize_with = "keep")]
    pub keep: Duration,
}

impl Default for Migrations {
    fn default() -> Self {
        Self {
            qmp_sockets: Vec::new(),
            libvirt_sockets: Vec::new(),
            proxies: Vec::new(),
            keep: Duration::from_secs(15 * 60),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct QmpSocket {
    path: String,
    #[serde(default)]
    exclusive: bool,
}

impl Migrations {
    /// What the sources are told of it.
    pub fn doors(&self) -> Doors {
        Doors {
            qmp: self.qmp_sockets.iter().map(|socket| (socket.path.clone(), socket.exclusive)).collect(),
            libvirt: self.libvirt_sockets.clone(),
            proxies: self.proxies.clone(),
        }
    }
}

fn keep<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_duration(&text).filter(|keep| *keep <= Duration::from_secs(86_400)).ok_or_else(|| {
        de::Error::custom(format!(
            "'{text}' is no duration of at most a day; write a number with a unit, for example 15m"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use std::time::Duration;

    #[test]
    fn doors_are_read() {
        let text = "migrations:\n  qmp_sockets: [{path: '/run/qemu/*.qmp', exclusive: true}, {path: /a}]\n  proxies: [ssh]\n  keep: 1m\n";
        let config = Config::parse(text).expect("valid");
        assert_eq!(config.migrations.keep, Duration::from_secs(60));
        let doors = config.migrations.doors();
        assert_eq!(doors.qmp, [("/run/qemu/*.qmp".to_owned(), true), ("/a".to_owned(), false)]);
        assert_eq!(doors.proxies, ["ssh"]);
    }

    #[test]
    fn errors_name_the_mend() {
        let error = Config::parse("migrations:\n  keep: 90\n").expect_err("refused");
        let text = format!("{error:#}");
        assert!(text.contains("line 2") && text.contains("15m"), "{text}");
    }
}

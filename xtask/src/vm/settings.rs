//! What `ethtool` said of the devices' settings in one snapshot: dumps of all devices, as `settings` in
//! `xtask/vm/lib.sh` lays them out.

use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use super::tools::{array, read, text};

/// Where a setting of a device is found.
#[derive(Debug, Clone, Copy)]
pub enum Setting {
    /// `ethtool -g`: a row's maximum.
    RingMaximum(&'static str),
    /// `ethtool -g`: a row's current value.
    Ring(&'static str),
    /// `ethtool -l`: a row's maximum.
    ChannelMaximum(&'static str),
    /// `ethtool -l`: a row's current value.
    Channel(&'static str),
    /// `ethtool -c`: a row.
    Coalescing(&'static str),
    /// `ethtool -c`: the word after `RX:` or `TX:` in the row `Adaptive`, as 1 or 0.
    Adaptive(&'static str),
    /// `ethtool`: the row `Auto-negotiation`, as 1 or 0.
    Autonegotiation,
    /// `ethtool`: the row `Speed`, Mbit/s.
    Speed,
    /// `ethtool`: the row `Duplex`, as `full`, `half` or `unknown`.
    Duplex,
    /// `ethtool`: the fastest of the supported link modes, Mbit/s.
    FastestMode,
    /// `ethtool -a`: a row, as 1 or 0. (Its JSON says true of whatever is there: ethtool 6.1.)
    Pause(&'static str),
    /// `ethtool --json -k`: whether a feature is active, as 1 or 0.
    Feature(&'static str),
    /// `ethtool -i`: `bus-info`, if it is a PCI function; ethtool knows the one above a virtio device too.
    Pci,
}

/// The dumps of one snapshot.
pub struct Settings {
    modes: String,
    rings: String,
    channels: String,
    coalescing: String,
    drivers: String,
    pause: String,
    features: Vec<Value>,
}

impl Settings {
    /// Loads the dumps in `dir`.
    pub fn load(dir: &Path) -> Result<Self> {
        // A dump without a single device that has such settings is an empty file.
        let features = read(dir, "features.json")?;
        Ok(Self {
            modes: read(dir, "modes")?,
            rings: read(dir, "rings")?,
            channels: read(dir, "channels")?,
            coalescing: read(dir, "coalescing")?,
            drivers: read(dir, "drivers")?,
            pause: read(dir, "pause")?,
            features: array(Some(features.as_str()).filter(|text| !text.is_empty()).unwrap_or("[]"))?,
        })
    }

    /// The setting as ethtool spells it; `None` when it has none for the device.
    pub fn word(&self, setting: Setting, device: &str) -> Option<String> {
        let rings = || part(&self.rings, "Ring parameters for ", device);
        let channels = || part(&self.channels, "Channel parameters for ", device);
        let modes = || part(&self.modes, "Settings for ", device);
        let coalescing = || part(&self.coalescing, "Coalesce parameters for ", device);
        match setting {
            Setting::RingMaximum(row) => value(rings()?, row, 0),
            Setting::Ring(row) => value(rings()?, row, 1),
            Setting::ChannelMaximum(row) => value(channels()?, row, 0),
            Setting::Channel(row) => value(channels()?, row, 1),
            Setting::Coalescing(row) => value(coalescing()?, row, 0),
            Setting::Adaptive(direction) => adaptive(&value(coalescing()?, "Adaptive RX", 0)?, direction),
            Setting::Autonegotiation => switch(&value(modes()?, "Auto-negotiation", 0)?),
            Setting::Speed => value(modes()?, "Speed", 0)?.strip_suffix("Mb/s").map(str::to_owned),
            Setting::Duplex => duplex(&value(modes()?, "Duplex", 0)?),
            Setting::FastestMode => fastest(modes()?),
            Setting::Pause(row) => {
                switch(&value(part(&self.pause, "Pause parameters for ", device)?, row, 0)?)
            }
            Setting::Feature(name) => text(of_device(&self.features, device)?.get(name)?.get("active")?),
            Setting::Pci => {
                let bus = value(part(&self.drivers, "Driver of ", device)?, "bus-info", 0)?;
                bus.contains(':').then_some(bus)
            }
        }
    }
}

/// The lines of one device: from its heading to the next one.
fn part<'a>(dump: &'a str, heading: &str, device: &str) -> Option<&'a str> {
    let start = format!("{heading}{device}:\n");
    let (_, rest) = dump.split_once(&start)?;
    Some(rest.split_once(heading).map_or(rest, |(part, _)| part))
}

/// The value of the `nth` line `NAME: VALUE`; ethtool prints maximums first and current values after them.
fn value(part: &str, name: &str, nth: usize) -> Option<String> {
    let mut values = part.lines().filter_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'));
    values.nth(nth).map(|value| value.trim().to_owned())
}

/// A word of `off  TX: on`, which is what follows `Adaptive RX:`.
fn adaptive(row: &str, direction: &str) -> Option<String> {
    let (rx, tx) = row.split_once("TX:")?;
    switch(if direction == "rx" { rx.trim() } else { tx.trim() })
}

fn switch(word: &str) -> Option<String> {
    match word {
        "on" => Some("1".to_owned()),
        "off" => Some("0".to_owned()),
        _ => None,
    }
}

/// `Full`, `Half` or `Unknown! (255)` as a word.
fn duplex(row: &str) -> Option<String> {
    let word: String = row.chars().take_while(char::is_ascii_alphabetic).collect();
    (!word.is_empty()).then(|| word.to_lowercase())
}

/// The greatest number before `base` in the rows of `Supported link modes`, which ends with the next row's colon.
fn fastest(part: &str) -> Option<String> {
    let (_, rest) = part.split_once("Supported link modes:")?;
    let modes = rest.lines().take_while(|line| !line.contains(':')).flat_map(str::split_whitespace);
    let speeds = modes.filter_map(|mode| mode.split_once("base")?.0.parse::<u32>().ok());
    speeds.max().map(|speed| speed.to_string())
}

fn of_device<'a>(dump: &'a [Value], device: &str) -> Option<&'a Value> {
    dump.iter().find(|entry| entry["ifname"] == device)
}

#[cfg(test)]
mod tests {
    use super::{adaptive, fastest, part, value};

    #[test]
    fn a_device_has_its_own_lines() {
        let dump =
            "\nRing parameters for a:\nRX:\t4096\nRX:\t256\n\nRing parameters for ab:\nRX:\tn/a\nRX:\t64\n";
        let heading = "Ring parameters for ";
        assert_eq!(value(part(dump, heading, "a").unwrap(), "RX", 1).as_deref(), Some("256"));
        assert_eq!(value(part(dump, heading, "ab").unwrap(), "RX", 0).as_deref(), Some("n/a"));
        assert_eq!(part(dump, heading, "b"), None);
    }

    #[test]
    fn modes_and_switches() {
        let part = "\tSupported link modes:   10baseT/Half 100baseT/Full\n\t      1000baseT/Full\n\tAdvertised: 40000baseX\n";
        assert_eq!(fastest(part).as_deref(), Some("1000"));
        assert_eq!(fastest("\tSupported link modes:   Not reported\n"), None);
        assert_eq!(adaptive("off  TX: on", "tx").as_deref(), Some("1"));
        assert_eq!(adaptive("n/a  TX: n/a", "rx"), None);
    }
}

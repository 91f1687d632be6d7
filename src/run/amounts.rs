//! Amounts as people write them, on the command line, in a query and in the configuration: `64GiB`, `300MB/s`, `9.4Gbit/s`,
//! `20%`, `300ms`.

use serde::{de, Deserialize, Deserializer};
use std::str::FromStr;

/// An amount of memory, bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bytes(pub f64);

/// Bytes a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate(pub f64);

/// A rate, or none at all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit(pub Option<f64>);

/// A share, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share(pub f64);

/// A time, seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seconds(pub f64);

/// What was dirtied within some seconds: `1s=280MB`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Seconds.
    pub seconds: f64,
    /// Different bytes.
    pub bytes: f64,
}

const SIZES: [(&str, f64); 9] = [
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("TB", 1e12),
    ("B", 1.0),
];
const BITS: [(&str, f64); 4] = [("kbit", 125.0), ("Mbit", 125e3), ("Gbit", 125e6), ("bit", 0.125)];
const TIMES: [(&str, f64); 5] = [("ms", 1e-3), ("us", 1e-6), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];

/// A number of 0 or more, and what is behind it.
fn split(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    number.is_finite().then_some((number, text[end..].trim()))
}

/// The factor of a unit, whatever its letters' size: nobody means a millibyte.
fn unit(list: &[(&str, f64)], word: &str) -> Option<f64> {
    list.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, factor)| *factor)
}

fn bytes(text: &str) -> Option<f64> {
    let (number, word) = split(text)?;
    Some(number * unit(&SIZES, word)?)
}

fn rate(text: &str) -> Option<f64> {
    let (number, word) = split(text)?;
    let base = word.strip_suffix("/s")?.trim();
    Some(number * unit(&SIZES, base).or_else(|| unit(&BITS, base))?)
}

fn seconds(text: &str) -> Option<f64> {
    let (number, word) = split(text)?;
    Some(number * TIMES.iter().find(|(name, _)| *name == word)?.1)
}

fn share(text: &str) -> Option<f64> {
    let (number, word) = split(text)?;
    let share = match word {
        "%" => number / 100.0,
        "" => number,
        _ => return None,
    };
    (share <= 1.0).then_some(share)
}

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = bytes(text).filter(|bytes| *bytes >= 1.0).map(Self);
        found
            .ok_or_else(|| format!("'{text}' is no amount of memory; write for example 512MiB, 64GiB or 8GB"))
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // `0` needs no unit.
        let found = rate(text).or_else(|| (text.trim() == "0").then_some(0.0)).map(Self);
        found.ok_or_else(|| format!("'{text}' is no rate; write for example 300MB/s, 128MiB/s or 9.4Gbit/s"))
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == "unlimited" {
            return Ok(Self(None));
        }
        let found = rate(text).filter(|rate| *rate > 0.0).map(|rate| Self(Some(rate)));
        found.ok_or_else(|| {
            format!("'{text}' is no limit; write for example 128MiB/s or 1Gbit/s, or unlimited")
        })
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        share(text).map(Self).ok_or_else(|| format!("'{text}' is no share; write 0% to 100%, or 0 to 1"))
    }
}

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mend = "write a number with a unit, for example 300ms, 1.5s or 1m";
        seconds(text).map(Self).ok_or_else(|| format!("'{text}' is no time; {mend}"))
    }
}

impl FromStr for Window {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = text.split_once('=').and_then(|(time, amount)| {
            Some(Self { seconds: seconds(time).filter(|seconds| *seconds > 0.0)?, bytes: bytes(amount)? })
        });
        let mend = "write how much was dirtied within which time, for example 1s=280MB";
        found.ok_or_else(|| format!("'{text}' is no measurement; {mend}"))
    }
}

/// Read from the configuration by the same words; the error gets line and column there.
macro_rules! read_as_text {
    ($($name:ident),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    )*};
}
read_as_text!(Bytes, Rate, Limit, Share, Seconds, Window);

#[cfg(test)]
mod tests {
    use super::{Bytes, Limit, Rate, Seconds, Share, Window};
    use std::str::FromStr;

    fn refused<T: FromStr<Err = String> + std::fmt::Debug>(text: &str) -> String {
        text.parse::<T>().expect_err(text)
    }

    #[test]
    fn amounts_are_written_as_people_write_them() {
        let bytes = ["64GiB", "64 gib", "1.5MB", "2048B"].map(str::parse);
        assert_eq!(
            bytes,
            [Ok(Bytes(68_719_476_736.0)), Ok(Bytes(68_719_476_736.0)), Ok(Bytes(1.5e6)), Ok(Bytes(2048.0))]
        );
        let rates = ["300MB/s", "9.5Gbit/s", "100Mbit/s", "128MiB/s", "0"].map(str::parse);
        assert_eq!(rates, [3e8, 1.1875e9, 1.25e7, 134_217_728.0, 0.0].map(|rate| Ok(Rate(rate))));
        assert_eq!(["300ms", "1.5s", "2m"].map(str::parse), [0.3, 1.5, 120.0].map(|time| Ok(Seconds(time))));
        assert_eq!(["20%", "0.2", "100%"].map(str::parse), [0.2, 0.2, 1.0].map(|share| Ok(Share(share))));
        assert_eq!(["unlimited", "1GB/s"].map(str::parse), [Ok(Limit(None)), Ok(Limit(Some(1e9)))]);
        assert_eq!("5s=900MB".parse(), Ok(Window { seconds: 5.0, bytes: 9e8 }));
    }

    #[test]
    fn what_is_none_is_refused_with_its_mend() {
        for text in ["0GiB", "64", "-1GiB", "GiB", "64Gib/s", "1e400GiB", "inf", "5 potatoes", ""] {
            assert!(refused::<Bytes>(text).contains("64GiB"), "{text}");
        }
        for text in ["300MB", "300", "100Mbps", "x/s", "-3MB/s"] {
            assert!(refused::<Rate>(text).contains("300MB/s"), "{text}");
        }
        assert!(
            refused::<Limit>("0").contains("unlimited") && refused::<Limit>("0MB/s").contains("unlimited")
        );
        assert!(refused::<Share>("120%").contains("100%") && refused::<Share>("1.2").contains("0 to 1"));
        assert!(refused::<Seconds>("300").contains("300ms") && refused::<Seconds>("-1s").contains("no time"));
        assert!(refused::<Window>("0s=1MB").contains("1s=280MB") && refused::<Window>("280MB").contains('='));
    }
}

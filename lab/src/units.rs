//! Sizes, rates, times and percentages as people write them in a scenario: `256MiB`, `400mbit`, `50MiB/s`, `300ms`, `0.2%`.

use serde::Deserialize;
use std::time::Duration;

/// Bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Size(pub u64);

/// Bytes a second, or none to keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(try_from = "String")]
pub enum Rate {
    /// `unlimited`
    #[default]
    Unlimited,
    /// Bytes a second.
    Bytes(u64),
}

/// A length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub Duration);

/// A share in percent.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "Text")]
pub struct Percent(pub f64);

/// A text, or a number taken as it is written: YAML has types that people do not think of.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Scalar")]
pub struct Text(pub String);

#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Integer(i64),
    Float(f64),
    Text(String),
}

impl From<Scalar> for Text {
    fn from(scalar: Scalar) -> Self {
        Self(match scalar {
            Scalar::Integer(value) => value.to_string(),
            Scalar::Float(value) => value.to_string(),
            Scalar::Text(value) => value,
        })
    }
}

const KIB: f64 = 1024.0;

impl Size {
    /// In MiB, rounded down.
    pub fn mib(self) -> u64 {
        self.0 >> 20
    }
}

impl Rate {
    /// Bytes a second, if there is a limit.
    pub fn bytes(self) -> Option<u64> {
        match self {
            Self::Unlimited => None,
            Self::Bytes(bytes) => Some(bytes),
        }
    }
}

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let factor = |unit: &str| match unit {
            "B" => Some(1.0),
            "kB" => Some(1e3),
            "MB" => Some(1e6),
            "GB" => Some(1e9),
            "KiB" => Some(KIB),
            "MiB" => Some(KIB * KIB),
            "GiB" => Some(KIB * KIB * KIB),
            _ => None,
        };
        number(&text, factor).map(|bytes| Self(bytes as u64)).ok_or(format!(
            "'{text}' is no size; write a number with B, kB, MB, GB, KiB, MiB or GiB, for example 256MiB"
        ))
    }
}

impl TryFrom<String> for Rate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "unlimited" {
            return Ok(Self::Unlimited);
        }
        let factor = |unit: &str| match unit {
            "kbit" => Some(125.0),
            "mbit" => Some(125e3),
            "gbit" => Some(125e6),
            "B/s" => Some(1.0),
            "kB/s" => Some(1e3),
            "MB/s" => Some(1e6),
            "GB/s" => Some(1e9),
            "KiB/s" => Some(KIB),
            "MiB/s" => Some(KIB * KIB),
            "GiB/s" => Some(KIB * KIB * KIB),
            _ => None,
        };
        match number(&text, factor) {
            Some(bytes) if bytes >= 1.0 => Ok(Self::Bytes(bytes as u64)),
            _ => Err(format!(
                "'{text}' is no rate; write a number with kbit, mbit, gbit, kB/s, MB/s, GB/s, KiB/s, MiB/s or GiB/s \
                 (for example 400mbit or 50MiB/s), or unlimited"
            )),
        }
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let factor = |unit: &str| match unit {
            "ms" => Some(1e-3),
            "s" => Some(1.0),
            "m" => Some(60.0),
            _ => None,
        };
        let seconds = number(&text, factor).filter(|seconds| *seconds <= 3600.0);
        seconds.map(|seconds| Self(Duration::from_secs_f64(seconds))).ok_or(format!(
            "'{text}' is no time of at most an hour; write a number with ms, s or m, for example 300ms"
        ))
    }
}

impl TryFrom<Text> for Percent {
    type Error = String;

    fn try_from(Text(text): Text) -> Result<Self, String> {
        let plain = text.strip_suffix('%').unwrap_or(&text);
        let percent = plain.parse().ok().filter(|percent| (0.0..=100.0).contains(percent));
        percent
            .map(Self)
            .ok_or(format!("'{text}' is no percentage; write a number from 0 to 100, for example 0.2%"))
    }
}

/// A number that is not negative, times what its unit stands for.
fn number(text: &str, factor: impl Fn(&str) -> Option<f64>) -> Option<f64> {
    let unit = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let value: f64 = text[..unit].parse().ok()?;
    Some(value * factor(text[unit..].trim_start())?)
}

#[cfg(test)]
mod tests {
    use super::{Percent, Rate, Size, Span, Text};
    use std::time::Duration;

    #[test]
    fn units_are_read_as_the_trade_writes_them() {
        assert_eq!(Size::try_from("256MiB".to_owned()), Ok(Size(256 << 20)));
        assert_eq!(Size::try_from("1.5 kB".to_owned()), Ok(Size(1500)));
        assert_eq!(Rate::try_from("400mbit".to_owned()), Ok(Rate::Bytes(50_000_000)));
        assert_eq!(Rate::try_from("50MiB/s".to_owned()), Ok(Rate::Bytes(50 << 20)));
        assert_eq!(Rate::try_from("unlimited".to_owned()), Ok(Rate::Unlimited));
        assert_eq!(Span::try_from("300ms".to_owned()), Ok(Span(Duration::from_millis(300))));
        assert_eq!(Percent::try_from(Text("0.2%".to_owned())), Ok(Percent(0.2)));
        assert_eq!(Percent::try_from(Text("5".to_owned())), Ok(Percent(5.0)));
    }

    #[test]
    fn what_has_no_unit_or_no_sense_is_refused() {
        for text in ["256", "MiB", "-1MiB", "1.2.3MiB", "10mib", ""] {
            assert!(Size::try_from(text.to_owned()).is_err_and(|error| error.contains("256MiB")), "{text}");
        }
        assert!(Rate::try_from("0mbit".to_owned()).is_err());
        assert!(Span::try_from("2h".to_owned()).is_err());
        assert!(Percent::try_from(Text("101".to_owned())).is_err());
    }
}

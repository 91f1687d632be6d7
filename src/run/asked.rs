//! What somebody asks of a forecast, as flags of the command line and as parameters of a query: one list of names, one way to a
//! `Question`. A refusal names what was given, its value, and what it may be.

use super::amounts::{Bytes, Limit, Rate, Seconds, Share, Window};
use crate::analysis::forecast::question::{Question, Traffic, Transport};
use crate::analysis::forecast::way::Conduct;
use crate::analysis::forecast::workload::{Dirtying, Impossible, Pattern, Workload};
use clap::{Args, ValueEnum};
use std::str::FromStr;

/// A guest that may move, and how.
#[derive(Debug, Clone, Default, Args)]
pub struct Asked {
    /// The guest's memory, for example 64GiB.
    #[arg(long, value_name = "BYTES", required_unless_present = "vms")]
    pub memory: Option<Bytes>,
    /// How fast it dirties memory that was clean, at first, for example 300MB/s (virsh domdirtyrate-calc).
    #[arg(long, value_name = "RATE")]
    pub dirty_rate: Option<Rate>,
    /// Memory that it writes again and again; without it, it writes always other memory.
    #[arg(long, value_name = "BYTES", requires = "dirty_rate")]
    pub working_set: Option<Bytes>,
    /// In which order it writes its working set.
    #[arg(long, value_name = "ORDER", requires = "dirty_rate")]
    pub dirty_pattern: Option<Order>,
    /// Instead of rate and working set, what was dirtied within two times, for example 1s=280MB and 5s=900MB; given twice.
    #[arg(long, value_name = "TIME=BYTES", conflicts_with = "dirty_rate")]
    pub dirty_window: Vec<Window>,
    /// Share of its memory that is all zero, for example 20%.
    #[arg(long, value_name = "SHARE")]
    pub zero: Option<Share>,
    /// The longest pause that the hypervisor allows [default: 300ms, QEMU's].
    #[arg(long, value_name = "TIME")]
    pub downtime_limit: Option<Seconds>,
    /// The hypervisor's limit, for example 128MiB/s [default: unlimited, as libvirt sets it; QEMU alone: 128MiB/s].
    #[arg(long, value_name = "RATE")]
    pub max_bandwidth: Option<Limit>,
    /// What the way carries as payload, where that is known better than from the link, for example 9.4Gbit/s.
    #[arg(long, value_name = "RATE")]
    pub bandwidth: Option<Rate>,
    /// Connections that carry memory (multifd) [default: 1].
    #[arg(long, value_name = "N")]
    pub channels: Option<u32>,
    /// Memory is compressed, this many times smaller.
    #[arg(long, value_name = "RATIO")]
    pub compression: Option<f64>,
    /// The connections are encrypted.
    #[arg(long)]
    pub tls: bool,
    /// The guest is slowed down while it dirties too fast.
    #[arg(long)]
    pub auto_converge: bool,
    /// Migrations that share the link [default: 1].
    #[arg(long, value_name = "N")]
    pub concurrent: Option<u32>,
    /// Pause beside memory: stopping, the devices' state, starting again [default: 30ms].
    #[arg(long, value_name = "TIME")]
    pub devices: Option<Seconds>,
}

/// In which order a guest writes its working set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Here and there.
    Random,
    /// From one end to the other, and again.
    Sweep,
}

/// How a thing is called where it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// `--dirty-rate`
    Flag,
    /// `dirty_rate`
    Key,
}

impl Naming {
    fn of(self, name: &str) -> String {
        match self {
            Self::Flag => format!("--{}", name.replace('_', "-")),
            Self::Key => name.to_owned(),
        }
    }

    /// A refusal of the model, in the words of who asked.
    fn refusal(self, impossible: &Impossible) -> String {
        let name = match impossible.what {
            "the memory" => "memory",
            "the share of zero pages" => "zero",
            "the dirty rate" => "dirty_rate",
            "the working set" => "working_set",
            "the downtime limit" => "downtime_limit",
            "the compression" => "compression",
            "the devices' time" => "devices",
            "the bandwidth limit" => "max_bandwidth",
            "the bandwidth" => "bandwidth",
            "the number of channels" => "channels",
            "the number of concurrent migrations" => "concurrent",
            _ => return impossible.to_string(),
        };
        format!("{}: {impossible}", self.of(name))
    }
}

/// The names of a query.
const NAMES: &str = "memory, dirty_rate, working_set, dirty_pattern, dirty_window, zero, downtime_limit, max_bandwidth, bandwidth, \
                     channels, compression, tls, auto_converge, concurrent, devices, link";

impl Asked {
    /// Takes in one parameter of a query. A name that is not known is refused with those that are.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "memory" => self.memory = amount(name, value)?,
            "dirty_rate" => self.dirty_rate = amount(name, value)?,
            "working_set" => self.working_set = amount(name, value)?,
            "dirty_pattern" => {
                let order = Order::from_str(value, false);
                let refused = |_| format!("{name}: '{value}' is no order; write random or sweep");
                self.dirty_pattern = Some(order.map_err(refused)?);
            }
            "dirty_window" => self.dirty_window.extend(amount::<Window>(name, value)?),
            "zero" => self.zero = amount(name, value)?,
            "downtime_limit" => self.downtime_limit = amount(name, value)?,
            "max_bandwidth" => self.max_bandwidth = amount(name, value)?,
            "bandwidth" => self.bandwidth = amount(name, value)?,
            "channels" => self.channels = plain(name, value, "write 1 to 255")?,
            "compression" => self.compression = plain(name, value, "write a ratio, for example 2.5")?,
            "tls" => self.tls = plain(name, value, "write true or false")?.unwrap_or(false),
            "auto_converge" => {
                self.auto_converge = plain(name, value, "write true or false")?.unwrap_or(false);
            }
            "concurrent" => self.concurrent = plain(name, value, "write 1 or more")?,
            "devices" => self.devices = amount(name, value)?,
            _ => return Err(format!("There is no parameter '{name}'. The parameters are: {NAMES}.")),
        }
        Ok(())
    }

    /// The question.
    ///
    /// # Errors
    /// What is missing, contradicts itself, or cannot be.
    pub fn question(&self, naming: Naming) -> Result<Question, String> {
        let memory = self.memory.ok_or_else(|| {
            format!("{} is missing; give the guest's memory, for example 64GiB", naming.of("memory"))
        })?;
        let defaults = Conduct::default();
        let ratio = self.compression.unwrap_or(defaults.compression);
        let transport = match (self.tls, ratio > 1.0) {
            (_, true) => Transport::Compressed,
            (true, false) => Transport::Tls,
            (false, false) => Transport::Plain,
        };
        let question = Question {
            workload: Workload {
                memory: memory.0,
                zero_share: self.zero.map_or(0.0, |zero| zero.0),
                dirtying: self.dirtying(naming)?,
            },
            conduct: Conduct {
                downtime_limit: self.downtime_limit.map_or(defaults.downtime_limit, |limit| limit.0),
                auto_converge: self.auto_converge,
                compression: ratio,
                devices: self.devices.map_or(defaults.devices, |devices| devices.0),
                ..defaults
            },
            cap: self.max_bandwidth.and_then(|limit| limit.0),
            bandwidth: self.bandwidth.map(|bandwidth| bandwidth.0),
            traffic: Traffic {
                channels: self.channels.unwrap_or(1),
                concurrent: self.concurrent.unwrap_or(1),
                transport,
            },
        };
        question.check().map_err(|impossible| naming.refusal(&impossible))?;
        Ok(question)
    }

    /// How the guest dirties memory: by rate and working set, or by two measurements.
    fn dirtying(&self, naming: Naming) -> Result<Dirtying, String> {
        let window = naming.of("dirty_window");
        match (&self.dirty_window[..], self.dirty_rate) {
            ([], Some(rate)) => Ok(Dirtying {
                rate: rate.0,
                working_set: self.working_set.map_or(f64::INFINITY, |set| set.0),
                pattern: match self.dirty_pattern {
                    Some(Order::Sweep) => Pattern::Sweep,
                    Some(Order::Random) | None => Pattern::Random,
                },
            }),
            ([], None) => Err(format!(
                "{} is missing; give how fast the guest dirties memory, for example 300MB/s (0 for one that writes nothing), or {window} twice",
                naming.of("dirty_rate")
            )),
            (_, Some(_)) => Err(format!("give either {} or {window}, not both", naming.of("dirty_rate"))),
            ([one, other], None) => {
                let found = Dirtying::of_windows((one.seconds, one.bytes), (other.seconds, other.bytes));
                found.ok_or_else(|| {
                    let words = |window: &Window| format!("{} bytes in {} s", window.bytes, window.seconds);
                    format!(
                        "{window}: {} and {} contradict each other; the longer time dirties no less, and the times differ",
                        words(one),
                        words(other)
                    )
                })
            }
            (list, None) => Err(format!(
                "{window} was given {} times; give two, for example 1s=280MB and 5s=900MB",
                list.len()
            )),
        }
    }
}

/// An amount, whose own refusal says what it may be.
fn amount<T: FromStr<Err = String>>(name: &str, value: &str) -> Result<Option<T>, String> {
    value.parse().map(Some).map_err(|error| format!("{name}: {error}"))
}

/// A number or a word.
fn plain<T: FromStr>(name: &str, value: &str, mend: &str) -> Result<Option<T>, String> {
    value.parse().map(Some).map_err(|_| format!("{name}: '{value}' is none; {mend}"))
}

#[cfg(test)]
mod tests {
    use super::{Asked, Naming};

    fn asked(query: &[(&str, &str)]) -> Result<Asked, String> {
        let mut asked = Asked::default();
        query.iter().try_for_each(|(name, value)| asked.set(name, value)).map(|()| asked)
    }

    fn refusal(query: &[(&str, &str)]) -> String {
        match asked(query).and_then(|asked| asked.question(Naming::Key)) {
            Ok(question) => format!("accepted: {question:?}"),
            Err(refusal) => refusal,
        }
    }

    #[test]
    fn a_query_is_a_question() {
        let all = [
            ("memory", "64GiB"),
            ("dirty_rate", "300MB/s"),
            ("working_set", "8GiB"),
            ("zero", "20%"),
            ("downtime_limit", "500ms"),
            ("max_bandwidth", "128MiB/s"),
            ("channels", "2"),
            ("tls", "true"),
        ];
        let question = asked(&all).and_then(|asked| asked.question(Naming::Key)).expect("a question");
        assert!(question.workload.working_set() < 9e9 && question.cap == Some(134_217_728.0));
        let windows = [("memory", "8GiB"), ("dirty_window", "5s=900MB"), ("dirty_window", "1s=280MB")];
        let question = asked(&windows).and_then(|asked| asked.question(Naming::Key)).expect("a question");
        assert!((question.workload.dirtying.within(5.0) / 9e8 - 1.0).abs() < 0.02);
    }

    #[test]
    fn what_cannot_be_is_named() {
        let (memory, rate) = (("memory", "4GB"), ("dirty_rate", "10MB/s"));
        assert!(refusal(&[rate]).starts_with("memory is missing"));
        assert!(refusal(&[memory]).contains("dirty_rate is missing"));
        assert!(refusal(&[memory, rate, ("working_set", "5GB")])
            .starts_with("working_set: the working set is 5000000000 bytes of 4000000000"));
        assert!(refusal(&[memory, rate, ("downtime_limit", "2001s")]).contains("2000 s at most"));
        assert!(refusal(&[memory, rate, ("bandwidth", "0")]).starts_with("bandwidth: the bandwidth is 0"));
        assert!(refusal(&[memory, rate, ("channels", "0")]).contains("1 to 255"));
        assert!(refusal(&[memory, rate, ("compression", "0.5")])
            .starts_with("compression: the compression is 0.5"));
        assert!(refusal(&[memory, rate, ("dirty_window", "1s=1MB")]).contains("not both"));
        assert!(refusal(&[memory, ("dirty_window", "1s=1MB")]).contains("given 1 times"));
        assert!(
            refusal(&[memory, ("dirty_window", "1s=9MB"), ("dirty_window", "2s=1MB")]).contains("contradict")
        );
        assert!(refusal(&[("memroy", "4GB")]).contains("The parameters are: memory"));
        assert!(refusal(&[("memory", "0")]).starts_with("memory: '0' is no amount"));
        let flag = asked(&[memory, rate, ("working_set", "5GB")]).expect("read").question(Naming::Flag);
        assert!(flag.is_err_and(|error| error.starts_with("--working-set: ")));
    }
}

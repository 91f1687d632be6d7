//! One metric described once: name, help, kind and unit; and `Column`, a metric with at most one fixed label.
//!
//! The endpoint, the recording and the documents derive all they say of a metric from here.

/// How a metric behaves over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Never goes back while its subject lives. Its name ends in `_total`.
    Counter,
    /// May go anywhere.
    Gauge,
    /// Always 1; what it says is in its labels. Its name ends in `_info`.
    Info,
}

/// The base unit of a metric, as its name spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A count or a state.
    None,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
    /// Bytes a second.
    BytesPerSecond,
    /// A fraction between 0 and 1, or a factor.
    Ratio,
}

impl Unit {
    /// The unit as a name's suffix and as OpenMetrics' `# UNIT` says it; empty for none.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Bytes => "bytes",
            Self::Seconds => "seconds",
            Self::BytesPerSecond => "bytes_per_second",
            Self::Ratio => "ratio",
        }
    }
}

/// How the 64 bits of a cell read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An unsigned integer.
    Integer,
    /// The bits of an `f64`.
    Float,
}

/// How many bits the kernel keeps of a counter before it starts again from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// Wraps at 2^32: going from near the top to near the bottom is a wrap, not a reset.
    Bits32,
    /// Never wraps in practice.
    Bits64,
}

/// The prefix of every exported name.
pub const PREFIX: &str = "miglink_";

/// One metric: everything that is known of it without a value.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// The name without `PREFIX`, for example `link_receive_bytes_total`.
    pub name: &'static str,
    /// One sentence for a person.
    pub help: &'static str,
    /// How it behaves over time.
    pub kind: Kind,
    /// Its base unit.
    pub unit: Unit,
    /// How its cells read.
    pub form: Form,
    /// Where the kernel's own counter wraps.
    pub width: Width,
}

impl Metric {
    const fn new(name: &'static str, help: &'static str, kind: Kind, unit: Unit) -> Self {
        Self { name, help, kind, unit, form: Form::Integer, width: Width::Bits64 }
    }

    /// An integer counter of 64 bits.
    pub const fn counter(name: &'static str, help: &'static str, unit: Unit) -> Self {
        Self::new(name, help, Kind::Counter, unit)
    }

    /// An integer gauge.
    pub const fn gauge(name: &'static str, help: &'static str, unit: Unit) -> Self {
        Self::new(name, help, Kind::Gauge, unit)
    }

    /// An info metric, whose value is 1.
    pub const fn info(name: &'static str, help: &'static str) -> Self {
        Self::new(name, help, Kind::Info, Unit::None)
    }

    /// The same metric with cells that hold floats.
    #[must_use]
    pub const fn float(mut self) -> Self {
        self.form = Form::Float;
        self
    }

    /// The same counter, kept by the kernel in 32 bits.
    #[must_use]
    pub const fn wraps_at_32_bits(mut self) -> Self {
        self.width = Width::Bits32;
        self
    }
}

/// A column of a block: a metric, and the one label that tells it from the metric's other columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// What is measured.
    pub metric: &'static Metric,
    /// A label that is the same in every row, for example `("ring", "rx")`.
    pub label: Option<(&'static str, &'static str)>,
}

impl Column {
    /// A column that is the metric's only one in its block.
    pub const fn of(metric: &'static Metric) -> Self {
        Self { metric, label: None }
    }

    /// One of several columns of a metric. They stand side by side in their block.
    pub const fn labelled(metric: &'static Metric, name: &'static str, value: &'static str) -> Self {
        Self { metric, label: Some((name, value)) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Form, Kind, Metric, Unit, Width};

    #[test]
    fn modifiers_change_one_thing_each() {
        const PLAIN: Metric = Metric::counter("a_total", "A.", Unit::None);
        const FLOAT: Metric = Metric::counter("a_total", "A.", Unit::None).float();
        const SHORT: Metric = Metric::counter("a_total", "A.", Unit::None).wraps_at_32_bits();
        assert_eq!((PLAIN.kind, PLAIN.form, PLAIN.width), (Kind::Counter, Form::Integer, Width::Bits64));
        assert_eq!((FLOAT.form, FLOAT.width), (Form::Float, Width::Bits64));
        assert_eq!((SHORT.form, SHORT.width), (Form::Integer, Width::Bits32));
    }
}

//! Reads the text exposition format (Prometheus 0.0.4), written apart from miglink's own writer on purpose.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::{bail, ensure, Context, Result};

/// Label names and values, in the order of the line.
pub type Labels = Vec<(String, String)>;

/// One line of an exposition.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The metric's full name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
}

/// A name and labels that a sample must have; it may have more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// The metric's full name.
    pub name: String,
    /// Labels that must be there with these values.
    pub labels: Labels,
}

impl Sample {
    /// The value of one label; empty when it is not there, as in Prometheus.
    pub fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(label, _)| label == name).map_or("", |(_, value)| value)
    }
}

impl Selector {
    /// A selector from parts.
    pub fn new(name: &str, labels: &[(&str, &str)]) -> Self {
        let labels = labels.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect();
        Self { name: name.to_owned(), labels }
    }

    /// A selector as it is written: `name` or `name{label="value",…}`.
    pub fn parse(text: &str) -> Result<Self> {
        let (name, labels) = name_and_labels(text)?;
        Ok(Self { name: name.to_owned(), labels })
    }

    /// Whether it selects this sample.
    pub fn matches(&self, sample: &Sample) -> bool {
        self.name == sample.name && self.labels.iter().all(|(label, value)| sample.label(label) == value)
    }

    /// The sum of all samples it selects; `None` when it selects none.
    pub fn sum(&self, samples: &[Sample]) -> Option<f64> {
        samples.iter().filter(|sample| self.matches(sample)).map(|sample| sample.value).reduce(|a, b| a + b)
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let series = Selector { name: self.name.clone(), labels: self.labels.clone() };
        write!(f, "{series} {}", self.value)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels: Vec<String> =
            self.labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        if labels.is_empty() {
            return f.write_str(&self.name);
        }
        write!(f, "{}{{{}}}", self.name, labels.join(","))
    }
}

/// All samples of an exposition.
///
/// # Errors
/// On a line that is neither a comment nor a sample, and on a series that is there twice: Prometheus refuses both.
pub fn parse(text: &str) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    let mut seen = BTreeSet::new();
    for (number, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let sample = sample(line).with_context(|| format!("line {}: {line}", number + 1))?;
        let mut series = sample.labels.clone();
        series.sort();
        ensure!(seen.insert((sample.name.clone(), series)), "line {}: there twice: {line}", number + 1);
        samples.push(sample);
    }
    Ok(samples)
}

fn sample(line: &str) -> Result<Sample> {
    // A value holds no space and no time stamp is expected, so the last space parts series and value.
    let (series, value) = line.rsplit_once(' ').context("no value")?;
    let (name, labels) = name_and_labels(series)?;
    Ok(Sample { name: name.to_owned(), labels, value: value.parse().context("not a number")? })
}

fn name_and_labels(text: &str) -> Result<(&str, Labels)> {
    let Some((name, rest)) = text.split_once('{') else { return Ok((text, Labels::new())) };
    let mut rest = rest.strip_suffix('}').context("no closing brace")?;
    let mut labels = Labels::new();
    while !rest.is_empty() {
        let (label, quoted) = rest.split_once("=\"").context("a label without a quoted value")?;
        let (value, end) = unquote(quoted)?;
        labels.push((label.to_owned(), value));
        rest = quoted[end..].strip_prefix(',').unwrap_or(&quoted[end..]);
    }
    Ok((name, labels))
}

/// The value up to its closing quote, and where what follows starts.
fn unquote(text: &str) -> Result<(String, usize)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Ok((value, at + 1)),
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, escaped)) => value.push(escaped),
                None => bail!("a backslash at the end"),
            },
            plain => value.push(plain),
        }
    }
    bail!("no closing quote")
}

#[cfg(test)]
mod tests {
    use super::{parse, Selector};

    #[test]
    fn labels_are_unescaped_and_order_does_not_matter() {
        let samples =
            parse("# HELP a b\na{x=\"1\",y=\"q\\\"\\\\, }\"} 3\na{x=\"2\"} 4.5e3\nb NaN\n").unwrap();
        assert_eq!(samples[0].label("y"), "q\"\\, }");
        assert_eq!(Selector::parse("a").unwrap().sum(&samples), Some(4503.0));
        assert_eq!(Selector::parse("a{x=\"2\"}").unwrap().sum(&samples), Some(4500.0));
        assert_eq!(Selector::parse("a{x=\"3\"}").unwrap().sum(&samples), None);
        assert!(samples[2].value.is_nan());
    }

    #[test]
    fn what_prometheus_refuses_is_an_error() {
        for (text, error) in [
            ("a{x=\"1\",y=\"2\"} 3\na{y=\"2\",x=\"1\"} 3\n", "there twice"),
            ("a\n", "line 1"),
            ("a{x=\"1} 3\n", "line 1"),
            ("a b\n", "line 1"),
        ] {
            assert!(format!("{:#}", parse(text).unwrap_err()).contains(error), "{text}");
        }
    }
}

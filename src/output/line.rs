//! One line of an exposition as text, for all sinks: a column's prefix, a row's labels, the column's tail, a value.
//!
//! Pieces are copied 32 bytes at a time and cut to size afterwards, because a copy whose length is known when this
//! is compiled is a few moves, and one whose length is not is a call. So every piece has 32 bytes to spare behind it.

use crate::sample::subject::Subjects;
use std::sync::Arc;

const STEP: usize = 32;

/// What lines are made of.
#[derive(Debug, Default)]
pub(super) struct Lines {
    subjects: Option<Arc<Subjects>>,
    /// The exported rows' labels one after the other.
    labels: Piece,
    /// Where each row's labels start in `labels`, and where the last ones end.
    starts: Vec<u32>,
    prefix: Piece,
    tail: Piece,
}

impl Lines {
    /// Takes over the labels of the exported rows; false if they are the ones that are here already.
    pub(super) fn rows(&mut self, subjects: &Arc<Subjects>) -> bool {
        if self.subjects.as_ref().is_some_and(|known| Arc::ptr_eq(known, subjects)) {
            return false;
        }
        self.starts.clear();
        self.starts.push(0);
        self.labels.set((0..subjects.exported()).map(|row| subjects.labels(row).as_bytes()));
        let mut end = 0;
        self.starts.extend((0..subjects.exported()).map(|row| {
            end += subjects.labels(row).len() as u32;
            end
        }));
        self.subjects = Some(Arc::clone(subjects));
        true
    }

    pub(super) fn column(&mut self, prefix: &str, tail: &str) {
        self.prefix.set([prefix.as_bytes()].into_iter());
        self.tail.set([tail.as_bytes()].into_iter());
    }

    pub(super) fn prefix(&self) -> &[u8] {
        self.prefix.bytes()
    }

    pub(super) fn tail(&self) -> &[u8] {
        self.tail.bytes()
    }

    /// How many exported rows there are.
    pub(super) fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    pub(super) fn labels(&self, row: usize) -> &[u8] {
        &self.labels.bytes()[self.starts[row] as usize..self.starts[row + 1] as usize]
    }

    /// The length of a row's line up to its value.
    #[inline]
    pub(super) fn head(&self, row: usize) -> usize {
        self.prefix.len + (self.starts[row + 1] - self.starts[row]) as usize + self.tail.len
    }

    /// Writes a whole line.
    #[inline]
    pub(super) fn append(&self, row: usize, value: &Value, out: &mut Vec<u8>) {
        let start = self.starts[row] as usize;
        let length = self.starts[row + 1] as usize - start;
        self.prefix.append(0, self.prefix.len, out);
        self.labels.append(start, length, out);
        self.tail.append(0, self.tail.len, out);
        let end = out.len() + value.len;
        out.extend_from_slice(&value.text);
        out.truncate(end);
    }
}

/// Bytes with `STEP` more behind them.
#[derive(Debug)]
struct Piece {
    padded: Vec<u8>,
    len: usize,
}

impl Default for Piece {
    fn default() -> Self {
        Self { padded: vec![0; STEP], len: 0 }
    }
}

impl Piece {
    fn set<'a>(&mut self, parts: impl Iterator<Item = &'a [u8]>) {
        self.padded.clear();
        parts.for_each(|part| self.padded.extend_from_slice(part));
        self.len = self.padded.len();
        self.padded.resize(self.len + STEP, 0);
    }

    fn bytes(&self) -> &[u8] {
        &self.padded[..self.len]
    }

    #[inline]
    fn append(&self, start: usize, length: usize, out: &mut Vec<u8>) {
        let end = out.len() + length;
        let mut at = start;
        loop {
            out.extend_from_slice(&self.padded[at..at + STEP]);
            at += STEP;
            if out.len() >= end {
                break;
            }
        }
        out.truncate(end);
    }
}

/// A value's text and its line feed. Neighbours in a column are often equal, so it is rendered only if it changed.
#[derive(Debug)]
pub(super) struct Value {
    /// An integer itself, or a float's bits.
    bits: u64,
    is_float: bool,
    /// At most 20 digits, or the 24 characters of the longest float, and the line feed.
    text: [u8; STEP],
    len: usize,
}

impl Default for Value {
    fn default() -> Self {
        let mut zero = Self { bits: 1, is_float: false, text: [0; STEP], len: 0 };
        zero.set_integer(0);
        zero
    }
}

impl Value {
    /// The text with its line feed.
    #[inline]
    pub(super) fn text(&self) -> &[u8] {
        &self.text[..self.len]
    }

    /// The text's length with its line feed.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Sets an integer; true if it is the value that is here already.
    #[inline]
    pub(super) fn set_integer(&mut self, value: u64) -> bool {
        if self.bits == value && !self.is_float {
            return true;
        }
        (self.bits, self.is_float) = (value, false);
        if value < 10 {
            self.text[0] = b'0' + value as u8;
            self.text[1] = b'\n';
            self.len = 2;
        } else {
            self.set_text(itoa::Buffer::new().format(value));
        }
        false
    }

    /// Sets a float; true if it is the value that is here already.
    pub(super) fn set_float(&mut self, value: f64) -> bool {
        if self.bits == value.to_bits() && self.is_float {
            return true;
        }
        (self.bits, self.is_float) = (value.to_bits(), true);
        if value.is_finite() {
            let mut buffer = ryu::Buffer::new();
            let text = buffer.format_finite(value);
            self.set_text(text.strip_suffix(".0").unwrap_or(text));
        } else if value.is_nan() {
            self.set_text("NaN");
        } else {
            self.set_text(if value > 0.0 { "+Inf" } else { "-Inf" });
        }
        false
    }

    #[inline]
    fn set_text(&mut self, text: &str) {
        self.text[..text.len()].copy_from_slice(text.as_bytes());
        self.text[text.len()] = b'\n';
        self.len = text.len() + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::Value;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn values_read_back(integer in any::<u64>(), float in proptest::num::f64::ANY) {
            let mut value = Value::default();
            value.set_integer(integer);
            prop_assert_eq!(read::<u64>(&value), integer);
            value.set_float(float);
            let back = read::<f64>(&value);
            prop_assert_eq!(back.is_nan(), float.is_nan());
            if !float.is_nan() {
                prop_assert_eq!(back.to_bits(), float.to_bits());
            }
        }
    }

    #[test]
    fn an_integer_and_a_float_of_the_same_bits_are_not_the_same() {
        let mut value = Value::default();
        assert!(value.set_integer(0));
        assert!(!value.set_integer(1));
        assert!(!value.set_float(f64::from_bits(1)));
        assert_eq!(value.text(), b"5e-324\n");
        assert!(!value.set_integer(1));
        assert_eq!(value.text(), b"1\n");
    }

    fn read<T: std::str::FromStr<Err: std::fmt::Debug>>(value: &Value) -> T {
        std::str::from_utf8(value.text()).unwrap().strip_suffix('\n').unwrap().parse().unwrap()
    }
}

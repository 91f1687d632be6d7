//! A sink that writes gzip nearly as cheaply as text is rendered, because it knows the text's structure and need not
//! search for it: DEFLATE's matches and literals are written straight from rows, columns and values.
//!
//! A line of a column repeats the line before it, but for the middle of the labels and the value:
//!
//! ```text
//! miglink_link_receive_drops_total{device="tap0016"} 0
//! miglink_link_receive_drops_total{device="tap0017"} 0
//!                                               ^ literals
//! ```
//!
//! If the value is the same as well, one match goes from the end of the literals through the line feed and the next
//! line's name up to its literals, because its distance is the same all along; so a column of zeros is a literal and
//! a match for each line. If it is another, its digits are literals between two matches. The literals of the labels
//! are the same in each column and are encoded once for a list of subjects (`shape`). The Huffman code is the same
//! for all bodies (`model`), and what is not a line of a column goes through an ordinary search (`matcher`).
//!
//! One member only: decoders there are (curl's) that stop after the first.

mod alphabet;
mod bits;
mod huffman;
mod matcher;
mod model;
mod shape;
mod stream;

use super::line::{Lines, Value};
use super::sink::Sink;
use crate::sample::subject::Subjects;
use shape::{divide, Common, Part, Piece, Shapes};
use std::sync::Arc;
use stream::Stream;

/// Lines that are longer up to their value are treated as any text. A twelfth of the window, so that distances are
/// always within it and the buffer of recent text is used well.
const LONGEST_HEAD: usize = 2700;
/// The room for a value: its text is copied with what stands behind it.
const VALUE_ROOM: usize = 64;

/// The text as one gzip member.
#[derive(Debug)]
pub struct Gzip {
    stream: Stream,
    lines: Lines,
    shapes: Shapes,
    value: Value,
    /// The line before, if it is of the same column and rows.
    before: Option<Before>,
}

#[derive(Debug, Clone, Copy)]
struct Before {
    row: usize,
    /// Of the whole line with its line feed.
    length: usize,
}

/// How far back the line before has the same text.
#[derive(Debug, Clone, Copy)]
struct Distances {
    /// Counted from the labels' beginning.
    start: usize,
    /// Counted from their end.
    end: usize,
}

impl Distances {
    #[inline]
    fn from(self, from_end: bool) -> usize {
        if from_end {
            self.end
        } else {
            self.start
        }
    }
}

impl Default for Gzip {
    fn default() -> Self {
        Self {
            stream: Stream::new(),
            lines: Lines::default(),
            shapes: Shapes::default(),
            value: Value::default(),
            before: None,
        }
    }
}

impl Sink for Gzip {
    fn text(&mut self, text: &str) {
        self.before = None;
        self.stream.text(text.as_bytes());
    }

    fn rows(&mut self, subjects: &Arc<Subjects>) {
        self.before = None;
        if self.lines.rows(subjects) {
            self.shapes.set(&self.lines, LONGEST_HEAD);
        }
    }

    fn column(&mut self, prefix: &str, tail: &str) {
        self.before = None;
        self.lines.column(prefix, tail);
    }

    #[inline]
    fn integer(&mut self, row: usize, value: u64) {
        let length_before = self.value.len();
        let same = self.value.set_integer(value);
        self.line(row, length_before, same, true);
    }

    #[inline]
    fn float(&mut self, row: usize, value: f64) {
        let length_before = self.value.len();
        let same = self.value.set_float(value);
        self.line(row, length_before, same, false);
    }

    fn ready(&self) -> usize {
        self.stream.out.len()
    }

    fn take(&mut self) -> Vec<u8> {
        self.stream.out.take()
    }

    fn finish(self) -> Vec<u8> {
        self.stream.finish()
    }
}

impl Gzip {
    /// Writes the line of `self.value`; `length_before` is the length of the value before it.
    #[inline]
    fn line(&mut self, row: usize, length_before: usize, same: bool, digits: bool) {
        let head = self.lines.head(row);
        let Some(before) = self.before.filter(|_| head <= LONGEST_HEAD) else {
            return self.first_line(row, head);
        };
        self.stream.make_room(head + VALUE_ROOM);
        let start = self.stream.recent.len();
        self.lines.append(row, &self.value, &mut self.stream.recent);
        let distances = Distances { start: before.length, end: head + length_before };
        let suffix = if row == before.row + 1 {
            self.put_labels(row, start, distances)
        } else {
            self.put_distant_labels(row, start, before.row, distances)
        };
        let suffix = suffix + self.lines.tail().len();
        let end = start + head;
        self.stream.repeat(end - suffix, distances.end, suffix);
        let length = head + self.value.len();
        if same {
            self.stream.repeat(end, length, self.value.len());
        } else {
            self.stream.end_repeat(end);
            if digits {
                self.stream.digits(&self.value.text()[..self.value.len() - 1]);
            } else {
                self.stream.literals(end, start + length - 1);
            }
            // The line feed stands as far behind the one before as the next line behind this one.
            self.stream.repeat(start + length - 1, length, 1);
        }
        self.before = Some(Before { row, length });
    }

    /// Name and labels of the row after the one before, but for the end that both have; gives that end's length.
    #[inline]
    fn put_labels(&mut self, row: usize, start: usize, distances: Distances) -> usize {
        let (Common { prefix, suffix }, pieces) = self.shapes.of(row);
        let prefix = self.lines.prefix().len() + prefix;
        self.stream.repeat(start, distances.start, prefix);
        if !pieces.is_empty() {
            self.stream.end_repeat(start + prefix);
        }
        for piece in pieces {
            match *piece {
                Piece::Literals(code) => self.stream.code(code),
                Piece::Again { length, from_end } => {
                    self.stream.put_match(distances.from(from_end), usize::from(length));
                }
            }
        }
        suffix
    }

    /// The same for any other row: those between have no value.
    fn put_distant_labels(&mut self, row: usize, start: usize, before: usize, distances: Distances) -> usize {
        let (before, now) = (self.lines.labels(before), self.lines.labels(row));
        let common = Common::of(before, now);
        let labels = start + self.lines.prefix().len();
        self.stream.repeat(start, distances.start, labels + common.prefix - start);
        if common.prefix + common.suffix < now.len() {
            self.stream.end_repeat(labels + common.prefix);
        }
        divide(before, now, common, |part| match part {
            Part::New(bytes) => self.stream.literals(labels + bytes.start, labels + bytes.end),
            Part::Again { length, from_end } => self.stream.put_match(distances.from(from_end), length),
        });
        common.suffix
    }

    /// A line without a line of its kind before it, or a very long one.
    #[cold]
    fn first_line(&mut self, row: usize, head: usize) {
        self.stream.text(self.lines.prefix());
        self.stream.text(self.lines.labels(row));
        self.stream.text(self.lines.tail());
        self.stream.text(self.value.text());
        let is_short = head <= LONGEST_HEAD;
        self.before = is_short.then_some(Before { row, length: head + self.value.len() });
    }
}

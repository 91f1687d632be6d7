//! How each row's labels differ from those of the row before: the same in every column, so found out once.

use super::alphabet::{ALPHABET, MAX_MATCH};
use super::bits::Code;
use super::matcher::{common_prefix, MIN_WORTH};
use crate::output::line::Lines;
use std::ops::Range;

/// What labels have in common with other labels. The parts do not overlap in either.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Common {
    /// Equal bytes at the beginning.
    pub(super) prefix: usize,
    /// Equal bytes at the end.
    pub(super) suffix: usize,
}

impl Common {
    pub(super) fn of(before: &[u8], now: &[u8]) -> Self {
        let prefix = common_prefix(before, now);
        let ends = before[prefix..].iter().rev().zip(now[prefix..].iter().rev());
        Self { prefix, suffix: ends.take_while(|(a, b)| a == b).count() }
    }
}

/// A part of the labels between those that are in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Where new bytes stand.
    New(Range<usize>),
    /// Bytes that stand at the same place of the labels before, counted from the labels' beginning or end.
    Again { length: usize, from_end: bool },
}

/// Divides what `common` leaves of `now`: labels often differ in two places (`device` and `handle`) with a longer
/// piece between them that is equal.
pub(super) fn divide(before: &[u8], now: &[u8], common: Common, mut part: impl FnMut(Part)) {
    let end = now.len() - common.suffix;
    let (mut new, mut at) = (common.prefix, common.prefix);
    while at < end {
        let equal = |place: Option<usize>| {
            let there = place.and_then(|place| before.get(place..)).unwrap_or_default();
            common_prefix(there, &now[at..end])
        };
        let (from_start, from_end) = (equal(Some(at)), equal((at + before.len()).checked_sub(now.len())));
        let length = from_start.max(from_end).min(MAX_MATCH);
        if length < MIN_WORTH {
            at += 1;
            continue;
        }
        if new < at {
            part(Part::New(new..at));
        }
        part(Part::Again { length, from_end: from_end > from_start });
        at += length;
        new = at;
    }
    if new < end {
        part(Part::New(new..end));
    }
}

/// A `Part` that is ready to be written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Piece {
    /// As many literals as fit.
    Literals(Code),
    /// As in `Part::Again`.
    Again { length: u16, from_end: bool },
}

/// Of all rows, what their labels have in common with the row before, and the pieces that stand between.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    rows: Vec<Shape>,
    /// The pieces of all rows one after the other.
    pieces: Vec<Piece>,
}

/// 8 bytes, because all of them are gone through for each column.
#[derive(Debug, Clone, Copy, Default)]
struct Shape {
    prefix: u16,
    suffix: u16,
    /// Where the row's pieces end.
    end: u32,
}

impl Shapes {
    /// Takes the rows' labels. Labels longer than `longest` are passed over: no shape will be asked of them.
    pub(super) fn set(&mut self, lines: &Lines, longest: usize) {
        self.rows.clear();
        self.pieces.clear();
        let mut before: &[u8] = &[];
        for row in 0..lines.len() {
            let now = lines.labels(row);
            let mut common = Common::default();
            if now.len() <= longest {
                common = Common::of(before, now);
                divide(before, now, common, |part| match part {
                    Part::New(bytes) => self.push_literals(&now[bytes]),
                    Part::Again { length, from_end } => {
                        self.pieces.push(Piece::Again { length: length as u16, from_end });
                    }
                });
            }
            let (prefix, suffix) = (common.prefix as u16, common.suffix as u16);
            self.rows.push(Shape { prefix, suffix, end: self.pieces.len() as u32 });
            before = now;
        }
    }

    /// What a row has in common with the row before, and the rest. Not for row 0.
    #[inline]
    pub(super) fn of(&self, row: usize) -> (Common, &[Piece]) {
        let Shape { prefix, suffix, end } = self.rows[row];
        let start = self.rows[row - 1].end;
        let common = Common { prefix: usize::from(prefix), suffix: usize::from(suffix) };
        (common, &self.pieces[start as usize..end as usize])
    }

    fn push_literals(&mut self, bytes: &[u8]) {
        let mut code = Code::default();
        for byte in bytes {
            let literal = ALPHABET.literal(*byte);
            if code.len() + literal.len() > Code::MAX {
                self.pieces.push(Piece::Literals(std::mem::take(&mut code)));
            }
            code = code.then(literal);
        }
        self.pieces.push(Piece::Literals(code));
    }
}

#[cfg(test)]
mod tests {
    use super::{divide, Common, Part};
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    #[test]
    fn the_common_parts_do_not_overlap() {
        let common = |before: &str, now: &str| {
            let Common { prefix, suffix } = Common::of(before.as_bytes(), now.as_bytes());
            (prefix, suffix)
        };
        assert_eq!(common("tap10-x", "tap11-x"), (4, 2));
        assert_eq!(common("eth1", "eth11"), (4, 0));
        assert_eq!(common("aaa", "aa"), (2, 0));
        assert_eq!(common("same", "same"), (4, 0));
        assert_eq!(common("", "new"), (0, 0));
    }

    proptest! {
        #[test]
        fn what_is_common_is_equal(before in "[ab]{0,9}", now in "[ab]{0,9}") {
            let Common { prefix, suffix } = Common::of(before.as_bytes(), now.as_bytes());
            prop_assert!(prefix + suffix <= before.len().min(now.len()));
            prop_assert_eq!(&before[..prefix], &now[..prefix]);
            prop_assert_eq!(&before[before.len() - suffix..], &now[now.len() - suffix..]);
        }

        #[test]
        fn the_parts_make_up_the_labels(before in "[ab]{0,3}[cd]{0,9}[ab]{0,3}", now in "[ab]{0,3}[cd]{0,9}[ab]{0,3}") {
            let (before, now) = (before.as_bytes(), now.as_bytes());
            let common = Common::of(before, now);
            let mut rebuilt = before[..common.prefix].to_vec();
            divide(before, now, common, |part| match part {
                Part::New(bytes) => rebuilt.extend_from_slice(&now[bytes]),
                Part::Again { length, from_end } => {
                    let start = if from_end { rebuilt.len() + before.len() - now.len() } else { rebuilt.len() };
                    rebuilt.extend_from_slice(&before[start..start + length]);
                }
            });
            rebuilt.extend_from_slice(&before[before.len() - common.suffix..]);
            prop_assert_eq!(rebuilt, now);
        }
    }

    #[test]
    fn what_stands_between_two_differences_is_found() {
        let parts = |before: &str, now: &str| {
            let (before, now) = (before.as_bytes(), now.as_bytes());
            let mut parts = Vec::new();
            divide(before, now, Common::of(before, now), |part| parts.push(part));
            parts
        };
        let again = |from_end| Part::Again { length: 7, from_end };
        assert_eq!(
            parts("tap1, kind=2:", "tap2, kind=3:"),
            [Part::New(3..4), again(false), Part::New(11..12)]
        );
        assert_eq!(
            parts("tap9, kind=2:", "tap10, kind=3:"),
            [Part::New(3..5), again(true), Part::New(12..13)]
        );
        assert_eq!(parts("tap9", "tap9"), []);
    }
}

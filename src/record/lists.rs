//! Lists whose rows come and go: what is told of a new list is which rows of the old one it keeps, and the new rows.

use super::coder::{Bit, Number, Wire};
use super::text::Texts;
use crate::sample::subject::{Key, Subjects, SubjectsBuilder};
use std::collections::HashMap;

/// No host has more rows in a table than this: a million and some.
pub const MOST_ROWS: usize = 1 << 20;
/// The row of the old list of a row that is new.
pub const NEW: u32 = u32::MAX;

/// What is known of lists.
#[derive(Debug, Clone, Default)]
pub struct Lists {
    pieces: Number,
    kept: Bit,
    from: Number,
    length: Number,
    key: Number,
    exported: Number,
    texts: Texts,
}

/// Rows that follow one another: kept ones from a row of the old list on, or new ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    from: Option<usize>,
    length: usize,
}

/// Which rows of a new list are rows of the old one, as its keys tell and `same` confirms.
fn pieces(new: &[Key], old: &[Key], same: impl Fn(usize, usize) -> bool) -> Vec<Piece> {
    let mut places: Option<HashMap<Key, usize>> = None;
    let mut pieces: Vec<Piece> = Vec::new();
    let mut expected = 0;
    for (row, key) in new.iter().enumerate() {
        let mut found = Some(expected).filter(|at| old.get(*at) == Some(key));
        if found.is_none() && !old.is_empty() {
            let places = places.get_or_insert_with(|| old.iter().copied().zip(0..).collect());
            found = places.get(key).copied();
        }
        let found = found.filter(|at| same(row, *at));
        match pieces.last_mut() {
            Some(piece) if found.is_none() && piece.from.is_none() => piece.length += 1,
            Some(piece) if found.is_some() && piece.from.map(|from| from + piece.length) == found => {
                piece.length += 1;
            }
            _ => pieces.push(Piece { from: found, length: 1 }),
        }
        expected = found.map_or(expected, |at| at + 1);
    }
    pieces
}

/// The old row of each row of a new list, as both sides know them.
pub fn rows(new: &Subjects, old: &Subjects) -> Vec<u32> {
    let pieces = pieces(new.keys(), old.keys(), |row, at| new.labels(row) == old.labels(at));
    let rows = pieces
        .iter()
        .flat_map(|piece| (0..piece.length).map(|at| piece.from.map_or(NEW, |from| (from + at) as u32)));
    rows.collect()
}

impl Lists {
    /// Tells the pieces of a list; gives the old row of each of its rows.
    fn pieces(&mut self, wire: &mut impl Wire, pieces: &[Piece], old: usize) -> Vec<u32> {
        let count = wire.count(&mut self.pieces, pieces.len(), MOST_ROWS);
        let mut rows = Vec::new();
        let mut expected = 0;
        for at in 0..count {
            let Piece { from, length } = pieces.get(at).copied().unwrap_or(Piece { from: None, length: 1 });
            let kept = wire.bit(&mut self.kept, from.is_some());
            let length = 1 + wire.count(&mut self.length, length - 1, MOST_ROWS - 1);
            if kept {
                let from = wire.signed(&mut self.from, from.unwrap_or(0) as i64 - expected);
                let from = usize::try_from(expected.saturating_add(from)).unwrap_or(usize::MAX);
                if from.saturating_add(length) > old {
                    wire.refuse();
                    return rows;
                }
                rows.extend(from as u32..(from + length) as u32);
                expected = (from + length) as i64;
            } else {
                rows.extend(std::iter::repeat_n(NEW, length));
            }
            if rows.len() > MOST_ROWS {
                wire.refuse();
                return Vec::new();
            }
        }
        rows
    }

    /// Tells a list of things with keys, of which those that are equal are kept. `one` tells a new thing, given the one
    /// before it.
    pub fn write_things<W: Wire, T: PartialEq + Default>(
        &mut self,
        wire: &mut W,
        (new, old): (&[T], &[T]),
        key: impl Fn(&T) -> Key,
        mut one: impl FnMut(&mut W, &T, &T),
    ) {
        let keys = |list: &[T]| list.iter().map(&key).collect::<Vec<_>>();
        let planned = pieces(&keys(new), &keys(old), |row, at| new[row] == old[at]);
        let rows = self.pieces(wire, &planned, old.len());
        let nothing = T::default();
        let mut before = &nothing;
        for (thing, from) in new.iter().zip(rows) {
            if from == NEW {
                one(wire, thing, before);
            }
            before = thing;
        }
    }

    /// Reads what `write_things` tells.
    pub fn read_things<W: Wire, T: Clone + Default>(
        &mut self,
        wire: &mut W,
        old: &[T],
        mut one: impl FnMut(&mut W, &T) -> T,
    ) -> Vec<T> {
        let rows = self.pieces(wire, &[], old.len());
        let mut list: Vec<T> = Vec::new();
        let nothing = T::default();
        for from in rows {
            let thing = match old.get(from as usize) {
                Some(kept) => kept.clone(),
                None => one(wire, list.last().unwrap_or(&nothing)),
            };
            list.push(thing);
        }
        list
    }

    /// Tells a list of subjects; gives the old row of each of its rows.
    pub fn write(&mut self, wire: &mut impl Wire, new: &Subjects, old: &Subjects) -> Vec<u32> {
        let planned = pieces(new.keys(), old.keys(), |row, at| new.labels(row) == old.labels(at));
        let rows = self.pieces(wire, &planned, old.len());
        wire.number(&mut self.exported, (new.len() - new.exported()) as u64);
        let (mut key, mut labels) = (0, "");
        for (row, from) in rows.iter().enumerate() {
            if *from == NEW {
                wire.signed(&mut self.key, new.keys()[row].wrapping_sub(key) as i64);
                self.texts.text(wire, new.labels(row), labels);
            }
            (key, labels) = (new.keys()[row], new.labels(row));
        }
        rows
    }

    /// Reads what `write` tells.
    pub fn read(&mut self, wire: &mut impl Wire, old: &Subjects) -> (Subjects, Vec<u32>) {
        let rows = self.pieces(wire, &[], old.len());
        let hidden = wire.count(&mut self.exported, 0, rows.len());
        let mut list = SubjectsBuilder::default();
        let (mut key, mut labels) = (0_u64, String::new());
        for (row, from) in rows.iter().enumerate() {
            if row == rows.len() - hidden {
                list.hide_the_rest();
            }
            if *from == NEW {
                key = key.wrapping_add(wire.signed(&mut self.key, 0) as u64);
                labels = self.texts.text(wire, "", &labels);
            } else {
                key = old.keys()[*from as usize];
                labels.clear();
                labels.push_str(old.labels(*from as usize));
            }
            list.row(key).labels(&labels);
        }
        (list.build(), rows)
    }
}

#[cfg(test)]
mod tests {
    use super::super::coder::{Decoder, Encoder};
    use super::Lists;
    use crate::sample::subject::{Subjects, SubjectsBuilder};
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest, Strategy};

    fn list(rows: &[(u64, String)], exported: usize) -> Subjects {
        let mut list = SubjectsBuilder::default();
        for (at, (key, name)) in rows.iter().enumerate() {
            if at == exported {
                list.hide_the_rest();
            }
            list.row(*key).label("device", name).label("kind", "veth");
        }
        list.build()
    }

    fn any_list() -> impl Strategy<Value = Subjects> {
        (proptest::collection::vec((0..30_u64, "[ab\"]{0,3}"), 0..40), 0..40_usize)
            .prop_map(|(rows, exported)| list(&rows, exported))
    }

    proptest! {
        #[test]
        fn lists_come_back(lists in proptest::collection::vec(any_list(), 1..5)) {
            let (mut encoder, mut known, mut bytes) = (Encoder::default(), Lists::default(), Vec::new());
            let mut old = &Subjects::default();
            let mut expected = Vec::new();
            for new in &lists {
                expected.push(known.write(&mut encoder, new, old));
                old = new;
            }
            encoder.finish(&mut bytes);
            let (mut decoder, mut known) = (Decoder::new(&bytes).unwrap(), Lists::default());
            let mut old = Subjects::default();
            for (new, rows) in lists.iter().zip(expected) {
                let (read, from) = known.read(&mut decoder, &old);
                prop_assert_eq!(&read, new);
                prop_assert_eq!(from, rows);
                old = read;
            }
            prop_assert!(decoder.is_sound());
        }

        #[test]
        fn rubbish_is_refused_or_small(bytes in proptest::collection::vec(any::<u8>(), 6..200)) {
            let mut bytes = bytes;
            bytes[..4].copy_from_slice(&[2, 0, 0, 0]);
            let mut decoder = Decoder::new(&bytes).unwrap();
            Lists::default().read(&mut decoder, &list(&[(1, "a".into())], 1));
        }
    }

    #[test]
    fn one_link_more_among_thousands_costs_little() {
        let rows: Vec<_> = (0..10_000).map(|at| (at, format!("veth{at}"))).collect();
        let (old, new) = (list(&rows[..9_999], 20_000), list(&rows, 20_000));
        let (mut encoder, mut bytes) = (Encoder::default(), Vec::new());
        let kept = Lists::default().write(&mut encoder, &new, &old);
        encoder.finish(&mut bytes);
        assert!(
            bytes.len() < 70 && kept.iter().filter(|row| **row == super::NEW).count() == 1,
            "{}",
            bytes.len()
        );
    }
}

//! Encodes text of which nothing is known: HELP lines, a column's first line, very long lines.
//!
//! An ordinary greedy search for earlier occurrences, by a table of where four bytes were seen last. Lines of the
//! fast path are not entered: they would cost more there than they give here.

use super::alphabet::{Alphabet, MAX_MATCH};
use super::bits::BitWriter;

/// Below this a match is not shorter than its literals.
pub(super) const MIN_WORTH: usize = 5;
const TABLE_BITS: u32 = 12;
const KEY: usize = 4;

/// A match, and how far back it is.
struct Found {
    distance: usize,
    length: usize,
}

/// Where four bytes were seen last. An entry may be out of date: what stands there is compared before it is used.
#[derive(Debug)]
pub(super) struct Matcher {
    last: Vec<u16>,
}

impl Default for Matcher {
    fn default() -> Self {
        Self { last: vec![0; 1 << TABLE_BITS] }
    }
}

impl Matcher {
    /// Encodes `text` from `start` on; what stands before it may be referred to. `text` is at most a window long.
    pub(super) fn encode(&mut self, text: &[u8], start: usize, alphabet: &Alphabet, out: &mut BitWriter) {
        let mut at = start;
        while at < text.len() {
            let mut length = 1;
            if let Some(found) = self.find(text, at) {
                length = found.length;
                out.put(alphabet.length(length));
                out.put(alphabet.distance(found.distance));
            } else {
                out.put(alphabet.literal(text[at]));
            }
            out.flush();
            for skipped in at + 1..at + length {
                self.enter(text, skipped);
            }
            at += length;
        }
    }

    /// An earlier occurrence of what stands at `at`.
    fn find(&mut self, text: &[u8], at: usize) -> Option<Found> {
        let candidate = self.enter(text, at)?;
        if candidate >= at {
            return None;
        }
        let length = common_prefix(&text[candidate..], &text[at..]).min(MAX_MATCH);
        (length >= MIN_WORTH).then_some(Found { distance: at - candidate, length })
    }

    /// Notes where these four bytes are, and gives where they may have been before.
    fn enter(&mut self, text: &[u8], at: usize) -> Option<usize> {
        let key = u32::from_le_bytes(*text[at..].first_chunk::<KEY>()?);
        let slot = &mut self.last[(key.wrapping_mul(0x9e37_79b1) >> (u32::BITS - TABLE_BITS)) as usize];
        Some(usize::from(std::mem::replace(slot, at as u16)))
    }
}

/// How many bytes are the same from the beginning on.
pub(super) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

//! A gzip member as it is written: what is known of its text as matches and literals, its check sum and its frame
//! (RFC 1952).
//!
//! All text passes through `recent`, the text of the last lines. Its end may be ahead of what is encoded: the last
//! `Repeat::length` bytes of what the caller has told so far are known to stand `Repeat::distance` bytes before,
//! and are not encoded until it is known how far that goes on.

use super::alphabet::{Alphabet, ALPHABET, MAX_MATCH, MIN_MATCH, WINDOW};
use super::bits::{BitWriter, Code};
use super::matcher::Matcher;

/// How much text is gathered before its check sum is taken: what fits in a processor's nearest cache, but no more
/// than the window, so that everything in it can be referred to.
const RECENT: usize = WINDOW;

/// No byte of text becomes more: a literal has at most 15 bits, and a match at most 48 for no fewer than three bytes.
const MOST_CODE_BYTES: usize = 2;

/// A match that may still grow.
#[derive(Debug, Default)]
struct Repeat {
    distance: usize,
    length: usize,
}

/// One gzip member.
#[derive(Debug)]
pub(super) struct Stream {
    /// The text since the last check sum.
    pub(super) recent: Vec<u8>,
    pub(super) out: BitWriter,
    alphabet: &'static Alphabet,
    repeat: Repeat,
    matcher: Matcher,
    check_sum: crc32fast::Hasher,
    /// The length of all text modulo 2^32, as the format wants it.
    length: u32,
}

impl Stream {
    pub(super) fn new() -> Self {
        let mut out = BitWriter::new();
        out.put_bytes(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255]); // deflate, no time, fast, any system
        ALPHABET.write_head(&mut out);
        Self {
            recent: Vec::with_capacity(RECENT + RECENT / 8),
            out,
            alphabet: &ALPHABET,
            repeat: Repeat::default(),
            matcher: Matcher::default(),
            check_sum: crc32fast::Hasher::new(),
            length: 0,
        }
    }

    /// Any text.
    pub(super) fn text(&mut self, mut text: &[u8]) {
        while !text.is_empty() {
            self.end_repeat(self.recent.len());
            if self.recent.len() >= RECENT {
                self.drain();
            }
            self.out.make_room(MOST_CODE_BYTES * (text.len().min(RECENT) + MAX_MATCH));
            let (now, later) = text.split_at(text.len().min(RECENT - self.recent.len()));
            let start = self.recent.len();
            self.recent.extend_from_slice(now);
            self.matcher.encode(&self.recent, start, self.alphabet, &mut self.out);
            text = later;
        }
    }

    /// Makes room for `length` more bytes in `recent`, all of which must have been told, and for their codes.
    #[inline]
    pub(super) fn make_room(&mut self, length: usize) {
        self.out.make_room(MOST_CODE_BYTES * (length + MAX_MATCH));
        if self.recent.len() + length > RECENT {
            self.end_repeat(self.recent.len());
            self.drain();
        }
    }

    /// The text from `start` (in `recent`) on stands `distance` bytes before as well, for `length` bytes.
    #[inline]
    pub(super) fn repeat(&mut self, start: usize, distance: usize, length: usize) {
        if self.repeat.distance != distance {
            self.end_repeat(start);
            self.repeat.distance = distance;
        }
        self.repeat.length += length;
    }

    /// Text whose codes the caller has at hand ends the repeat before it; `end` is where that one ends in `recent`.
    #[inline]
    pub(super) fn end_repeat(&mut self, end: usize) {
        let Repeat { distance, length } = self.repeat;
        self.repeat.length = 0;
        if (MIN_MATCH..=MAX_MATCH).contains(&length) {
            self.put_match(distance, length);
        } else if length > 0 {
            self.put_odd_repeat(end, distance, length);
        }
    }

    /// A repeat that is too long for one match is several; what is too short for any is literals.
    #[cold]
    fn put_odd_repeat(&mut self, end: usize, distance: usize, length: usize) {
        self.out.make_room(MOST_CODE_BYTES * (length + MAX_MATCH));
        let mut rest = length;
        while rest >= MIN_MATCH {
            let part = if rest > MAX_MATCH { MAX_MATCH.min(rest - MIN_MATCH) } else { rest };
            self.put_match(distance, part);
            rest -= part;
        }
        for at in end - rest..end {
            self.out.put(self.alphabet.literal(self.recent[at]));
            self.out.flush();
        }
    }

    /// One match, with no repeat under way.
    #[inline]
    pub(super) fn put_match(&mut self, distance: usize, length: usize) {
        self.out.put(self.alphabet.length(length));
        self.out.put(self.alphabet.distance(distance));
        self.out.flush();
    }

    /// The code of text that the caller has put into `recent`, with no repeat under way.
    #[inline]
    pub(super) fn code(&mut self, code: Code) {
        self.out.put(code);
        self.out.flush();
    }

    /// Literals for a piece of `recent`.
    pub(super) fn literals(&mut self, start: usize, end: usize) {
        for byte in &self.recent[start..end] {
            self.out.put(self.alphabet.literal(*byte));
            self.out.flush();
        }
    }

    /// Literals for digits.
    #[inline]
    pub(super) fn digits(&mut self, digits: &[u8]) {
        let (fours, rest) = digits.as_chunks::<4>();
        for [a, b, c, d] in fours {
            self.out.put(self.alphabet.pair([*a, *b]));
            self.out.put(self.alphabet.pair([*c, *d]));
            self.out.flush();
        }
        for digit in rest {
            self.out.put(self.alphabet.literal(*digit));
        }
        self.out.flush();
    }

    /// Ends the member and gives its last bytes.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.end_repeat(self.recent.len());
        self.drain();
        self.out.put(self.alphabet.end());
        self.out.align();
        self.out.put_bytes(&self.check_sum.finalize().to_le_bytes());
        self.out.put_bytes(&self.length.to_le_bytes());
        self.out.take()
    }

    /// Takes the check sum of what is in `recent` and forgets it.
    fn drain(&mut self) {
        self.check_sum.update(&self.recent);
        self.length = self.length.wrapping_add(self.recent.len() as u32);
        self.recent.clear();
    }
}

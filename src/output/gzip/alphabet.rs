//! DEFLATE's alphabet as codes that are ready to be written: literals, match lengths and distances with their extra
//! bits (RFC 1951, 3.2.5), and the head of a block that tells the decoder these codes (3.2.7).

use super::bits::{BitWriter, Code};
use super::huffman::{codes, lengths};
use super::model;
use std::sync::LazyLock;

/// The shortest match there is.
pub(super) const MIN_MATCH: usize = 3;
/// The longest match there is.
pub(super) const MAX_MATCH: usize = 258;
/// How far back a match may start.
pub(super) const WINDOW: usize = 32 << 10;

/// Distances below this have their own table entry: every line of a usual body is shorter.
const NEAR: usize = 512;

/// All codes. The same for every body, so made once.
#[derive(Debug)]
pub(super) struct Alphabet {
    literals: [Code; 256],
    /// Two digits, by the low four bits of each, the first one lowest.
    pairs: [Code; 256],
    /// By match length.
    matches: [Code; MAX_MATCH + 1],
    /// By distance.
    near: [Code; NEAR],
    distances: Vec<Code>,
    end: Code,
    symbol_lengths: Vec<u8>,
    distance_lengths: Vec<u8>,
}

/// The alphabet of `model`'s weights.
pub(super) static ALPHABET: LazyLock<Alphabet> = LazyLock::new(Alphabet::new);

impl Alphabet {
    fn new() -> Self {
        let (symbol_lengths, distance_lengths) = (lengths(&model::symbols()), lengths(&model::distances()));
        let (symbols, distances) = (codes(&symbol_lengths), codes(&distance_lengths));
        let pair = |at: usize| {
            let digit = |nibble: usize| symbols[usize::from(b'0') + nibble.min(9)];
            digit(at & 15).then(digit(at >> 4))
        };
        Self {
            literals: std::array::from_fn(|byte| symbols[byte]),
            pairs: std::array::from_fn(pair),
            matches: std::array::from_fn(|length| length_code(&symbols, length)),
            near: std::array::from_fn(|distance| distance_code(&distances, distance.max(1))),
            distances,
            end: symbols[model::END],
            symbol_lengths,
            distance_lengths,
        }
    }

    #[inline]
    pub(super) fn literal(&self, byte: u8) -> Code {
        self.literals[usize::from(byte)]
    }

    #[inline]
    pub(super) fn pair(&self, [first, second]: [u8; 2]) -> Code {
        self.pairs[usize::from((first & 15) | (second & 15) << 4)]
    }

    /// A match of `MIN_MATCH..=MAX_MATCH` bytes: at most 20 bits.
    #[inline]
    pub(super) fn length(&self, length: usize) -> Code {
        self.matches[length]
    }

    /// A distance of `1..=WINDOW` bytes: at most 28 bits.
    #[inline]
    pub(super) fn distance(&self, distance: usize) -> Code {
        match self.near.get(distance) {
            Some(code) => *code,
            None => distance_code(&self.distances, distance),
        }
    }

    /// Ends the block.
    pub(super) fn end(&self) -> Code {
        self.end
    }

    /// Begins the only block of a stream. The lengths of the codes are told by codes of four bits each, without
    /// run lengths: a few dozen bytes more than the least, once for each body.
    pub(super) fn write_head(&self, out: &mut BitWriter) {
        const LENGTH_SYMBOLS_IN_ORDER: [u32; 19] =
            [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
        let mut put = |bits: u32, length: u32| {
            out.make_room(1);
            out.put(Code::new(u64::from(bits), length));
            out.flush();
        };
        put(1, 1); // the last block
        put(2, 2); // with codes of its own
        put(model::SYMBOLS as u32 - 257, 5);
        put(model::DISTANCES as u32 - 1, 5);
        put(LENGTH_SYMBOLS_IN_ORDER.len() as u32 - 4, 4);
        for symbol in LENGTH_SYMBOLS_IN_ORDER {
            put(if symbol < 16 { 4 } else { 0 }, 3);
        }
        for length in self.symbol_lengths.iter().chain(&self.distance_lengths) {
            put(u32::from(length.reverse_bits() >> 4), 4);
        }
    }
}

/// The code of a match length with its extra bits.
fn length_code(symbols: &[Code], length: usize) -> Code {
    if length < MIN_MATCH {
        return Code::default();
    }
    if length == MAX_MATCH {
        return symbols[model::FIRST_LENGTH + 28];
    }
    let (symbol, extra) = logarithmic(length - MIN_MATCH, 4);
    symbols[model::FIRST_LENGTH + symbol].then(extra)
}

/// The code of a distance with its extra bits.
fn distance_code(distances: &[Code], distance: usize) -> Code {
    let (symbol, extra) = logarithmic(distance - 1, 2);
    distances[symbol].then(extra)
}

/// DEFLATE's two scales are of one kind: `steps` symbols for each doubling, and the first twice as many stand for
/// one value each.
fn logarithmic(value: usize, steps: usize) -> (usize, Code) {
    if value < 2 * steps {
        return (value, Code::default());
    }
    let extra = value.ilog2() - steps.ilog2();
    let symbol = steps * extra as usize + (value >> extra);
    (symbol, Code::new((value & ((1 << extra) - 1)) as u64, extra))
}

#[cfg(test)]
mod tests {
    use super::{logarithmic, ALPHABET, MAX_MATCH, MIN_MATCH, WINDOW};

    #[test]
    fn symbols_and_extra_bits_are_the_standards() {
        // RFC 1951, 3.2.5: (length or distance, symbol, extra bits, their value).
        let scale = |value, steps| {
            let (symbol, extra) = logarithmic(value, steps);
            (symbol, extra.len(), extra.bits())
        };
        for (length, symbol, extra, bits) in [
            (3, 257, 0, 0),
            (10, 264, 0, 0),
            (11, 265, 1, 0),
            (12, 265, 1, 1),
            (67, 277, 4, 0),
            (257, 284, 5, 30),
        ] {
            assert_eq!(scale(length - 3, 4), (symbol - 257, extra, bits), "length {length}");
        }
        for (distance, symbol, extra, bits) in
            [(1, 0, 0, 0), (4, 3, 0, 0), (5, 4, 1, 0), (8, 5, 1, 1), (100, 13, 5, 3), (32768, 29, 13, 8191)]
        {
            assert_eq!(scale(distance - 1, 2), (symbol, extra, bits), "distance {distance}");
        }
    }

    #[test]
    fn a_match_fits_between_two_flushes() {
        let longest = (MIN_MATCH..=MAX_MATCH).map(|length| ALPHABET.length(length).len()).max().unwrap();
        let farthest = (1..=WINDOW).map(|distance| ALPHABET.distance(distance).len()).max().unwrap();
        assert!(longest + farthest <= super::Code::MAX);
    }
}

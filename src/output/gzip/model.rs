//! How often each DEFLATE symbol is expected in an exposition that is written by `gzip`: the weights of its one
//! static Huffman code, so that no body has to be gone through twice.
//!
//! What is left of a line after its matches is digits, the few letters in which two names differ, and one or two
//! matches as long as a line or as the end of a label. HELP lines and a column's first line are ordinary text, which
//! weighs in a body of few rows. The weights are rounded shares, of about ten
//! thousand, in the bodies of `benches/exposition.rs`, made broader for names and rows that are not in them.

/// Literals, then the end of the block (256), then the 29 match lengths.
pub(super) const SYMBOLS: usize = 286;
/// Match distances.
pub(super) const DISTANCES: usize = 30;

/// The symbol that ends a block.
pub(super) const END: usize = 256;
/// The symbol of a match of length 3.
pub(super) const FIRST_LENGTH: usize = 257;

/// The weights of literals and match lengths.
pub(super) fn symbols() -> [u32; SYMBOLS] {
    let mut weights = [1; SYMBOLS];
    for (symbols, weight) in LITERALS {
        for symbol in symbols.bytes() {
            weights[usize::from(symbol)] = *weight;
        }
    }
    weights[FIRST_LENGTH..].copy_from_slice(&LENGTHS);
    weights
}

/// The weights of distances.
pub(super) const fn distances() -> [u32; DISTANCES] {
    DISTANCE_WEIGHTS
}

const LITERALS: &[(&str, u32)] = &[
    ("0", 850),
    ("1", 750),
    ("2345", 640),
    ("6789", 540),
    ("abcdef", 130),
    ("-\n", 80),
    (" ", 40),
    ("npstvr", 25),
    ("ghiklmouwxy_.,:\"{}", 15),
    ("jqz=/#()ABCDEFGHIKLMNOPRSTUVX", 4),
];

/// From length 3 on, a weight for each length symbol.
const LENGTHS: [u32; 29] = [
    400, 150, 20, 20, 40, 20, 20, 20, // 3 to 10, one each
    30, 30, 30, 30, // to 18, two each
    50, 50, 100, 100, // to 34, four each
    200, 300, 500, 300, // to 66, eight each
    200, 60, 20, 20, // to 130, sixteen each
    10, 5, 5, 5,  // to 257, thirty-two each
    10, // 258
];

/// From distance 1 on, a weight for each distance symbol.
const DISTANCE_WEIGHTS: [u32; DISTANCES] = [
    6, 1, 1, 1, 3, 3, 3, 3, 10, 20, // to 32
    300, 3000, 4300, 900, 200, 80, // to 48, 64, 96, 128, 192, 256
    60, 60, 150, 100, 60, 60, 50, 50, 50, 40, 40, 40, 30, 30, // to 32768
];

#[cfg(test)]
mod tests {
    use super::{distances, symbols};
    use crate::output::gzip::huffman::lengths;

    #[test]
    fn digits_are_short_enough_to_be_written_by_fours() {
        let lengths = lengths(&symbols());
        assert!((b'0'..=b'9').all(|digit| lengths[usize::from(digit)] <= 14));
    }

    #[test]
    fn the_usual_is_shorter_than_the_rare() {
        let (symbols, distances) = (lengths(&symbols()), lengths(&distances()));
        assert!(symbols[usize::from(b'0')] < symbols[usize::from(b'~')]);
        assert!(distances[12] < distances[0], "a line is longer than 64 bytes more often than 1");
    }
}

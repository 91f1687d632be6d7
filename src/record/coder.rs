//! An adaptive binary range coder: numbers that were to be expected cost a fraction of a bit.
//!
//! The coder is that of LZMA (Igor Pavlov; G. N. N. Martin, "Range encoding", 1979) with probabilities of 15 bits, each the
//! mean of a quick and a slow estimate. Bits that nobody can foresee do not pass through it: they stand in a stream of
//! their own, which is cheaper. `Wire` is both directions in one, so that what is written and what is read cannot differ.

/// Bits of a probability.
const SCALE: u32 = 15;
/// Below this the range is widened by a byte.
const NARROW: u32 = 1 << 24;
/// How fast the two estimates follow.
const QUICK: u32 = 4;
const SLOW: u32 = 7;
/// Bytes that an encoder writes beyond its last bit, so that a decoder can read ahead.
const FLUSH: usize = 5;

/// What is known of a bit: the probability that it is 0, estimated twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bit {
    quick: u16,
    slow: u16,
}

impl Default for Bit {
    fn default() -> Self {
        Self { quick: 1 << (SCALE - 1), slow: 1 << (SCALE - 1) }
    }
}

impl Bit {
    /// Never 0 and never certain: both estimates stop short of it by their own rounding.
    fn bound(self, range: u32) -> u32 {
        (range >> SCALE) * u32::midpoint(u32::from(self.quick), u32::from(self.slow))
    }

    fn learn(&mut self, bit: bool) {
        if bit {
            self.quick -= self.quick >> QUICK;
            self.slow -= self.slow >> SLOW;
        } else {
            self.quick += ((1 << SCALE) - self.quick) >> QUICK;
            self.slow += ((1 << SCALE) - self.slow) >> SLOW;
        }
    }
}

/// What is known of a number: how many bits it has.
#[derive(Debug, Clone)]
pub struct Number {
    is_zero: Bit,
    length: [Bit; 64],
}

impl Default for Number {
    fn default() -> Self {
        Self { is_zero: Bit::default(), length: [Bit::default(); 64] }
    }
}

/// A way for values: into bytes or out of them. An encoder gives back what it was given, a decoder what it has read.
pub trait Wire {
    /// One bit that may be foreseen.
    fn bit(&mut self, known: &mut Bit, bit: bool) -> bool;

    /// Up to 64 bits that cannot.
    fn raw(&mut self, bits: u32, value: u64) -> u64;

    /// Says that what was read cannot be; from then on a decoder reads zeros.
    fn refuse(&mut self);

    /// How many bits a number has but for the first, 0 to 63, by a tree of bits.
    fn length(&mut self, tree: &mut [Bit; 64], length: u32) -> u32 {
        let mut node = 1;
        for shift in (0..6).rev() {
            let bit = self.bit(&mut tree[node], length >> shift & 1 == 1);
            node = node * 2 + usize::from(bit);
        }
        node as u32 - 64
    }

    /// A number.
    fn number(&mut self, known: &mut Number, value: u64) -> u64 {
        if !self.bit(&mut known.is_zero, value != 0) {
            return 0;
        }
        let length = self.length(&mut known.length, value.checked_ilog2().unwrap_or(0));
        1 << length | self.raw(length, value & !(1 << length))
    }

    /// A number that may be negative.
    fn signed(&mut self, known: &mut Number, value: i64) -> i64 {
        let folded = self.number(known, (value << 1 ^ value >> 63) as u64);
        (folded >> 1) as i64 ^ -((folded & 1) as i64)
    }

    /// How many of something follow. More than `most` is refused, so that damage never asks for memory.
    fn count(&mut self, known: &mut Number, value: usize, most: usize) -> usize {
        let count = self.number(known, value as u64);
        if count > most as u64 {
            self.refuse();
            return 0;
        }
        count as usize
    }
}

/// Into bytes.
#[derive(Debug)]
pub struct Encoder {
    low: u64,
    range: u32,
    /// The byte that a carry may still change, and how many bytes of 255 follow it.
    held: u8,
    waiting: u64,
    coded: Vec<u8>,
    raw: Vec<u8>,
    bits: u64,
    filled: u32,
}

impl Default for Encoder {
    fn default() -> Self {
        let (coded, raw) = (Vec::new(), Vec::new());
        Self { low: 0, range: u32::MAX, held: 0, waiting: 1, coded, raw, bits: 0, filled: 0 }
    }
}

impl Encoder {
    /// Writes what was encoded behind `out`, and is as new; its memory stays for the next time.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        (0..FLUSH).for_each(|_| self.shift());
        while self.filled > 0 {
            self.raw.push(self.bits as u8);
            (self.bits, self.filled) = (self.bits >> 8, self.filled.saturating_sub(8));
        }
        // The first byte is the carry of the first and always 0; trailing zeros are read as such beyond the end.
        let ends = self.coded.iter().rposition(|byte| *byte != 0).unwrap_or(0);
        let coded = self.coded.get(1..=ends).unwrap_or_default();
        out.extend_from_slice(&(coded.len() as u32).to_le_bytes());
        out.extend_from_slice(coded);
        out.extend_from_slice(&self.raw);
        self.coded.clear();
        self.raw.clear();
        (self.low, self.range, self.held, self.waiting, self.bits) = (0, u32::MAX, 0, 1, 0);
    }

    /// Gives back memory that only a rare large frame needed.
    pub fn shrink(&mut self, most: usize) {
        self.coded.shrink_to(most);
        self.raw.shrink_to(most);
    }

    fn shift(&mut self) {
        if self.low < 0xff00_0000 || self.low > u64::from(u32::MAX) {
            let carry = (self.low >> 32) as u8;
            self.coded.push(self.held.wrapping_add(carry));
            for _ in 1..self.waiting {
                self.coded.push(0xff_u8.wrapping_add(carry));
            }
            (self.waiting, self.held) = (0, (self.low >> 24) as u8);
        }
        self.waiting += 1;
        self.low = (self.low & 0x00ff_ffff) << 8;
    }
}

impl Wire for Encoder {
    fn bit(&mut self, known: &mut Bit, bit: bool) -> bool {
        let bound = known.bound(self.range);
        if bit {
            self.low += u64::from(bound);
            self.range -= bound;
        } else {
            self.range = bound;
        }
        known.learn(bit);
        while self.range < NARROW {
            self.range <<= 8;
            self.shift();
        }
        bit
    }

    fn raw(&mut self, bits: u32, value: u64) -> u64 {
        let mut left = bits;
        let mut rest = value;
        while left > 0 {
            let part = left.min(32);
            self.bits |= (rest & ((1 << part) - 1)) << self.filled;
            self.filled += part;
            while self.filled >= 8 {
                self.raw.push(self.bits as u8);
                (self.bits, self.filled) = (self.bits >> 8, self.filled - 8);
            }
            (rest, left) = (rest >> part, left - part);
        }
        value
    }

    fn refuse(&mut self) {}
}

/// Out of bytes.
#[derive(Debug)]
pub struct Decoder<'a> {
    code: u32,
    range: u32,
    coded: &'a [u8],
    raw: &'a [u8],
    bits: u64,
    filled: u32,
    /// Bytes read beyond the end.
    beyond: usize,
    refused: bool,
}

impl<'a> Decoder<'a> {
    /// Reads what `Encoder::finish` has written; `None` if it cannot be that.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (coded, raw) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        let mut decoder =
            Self { code: 0, range: u32::MAX, coded, raw, bits: 0, filled: 0, beyond: 0, refused: false };
        for _ in 1..FLUSH {
            decoder.code = decoder.code << 8 | u32::from(decoder.byte());
        }
        Some(decoder)
    }

    fn byte(&mut self) -> u8 {
        match self.coded.split_first() {
            Some((first, rest)) => {
                self.coded = rest;
                *first
            }
            None => {
                self.beyond += 1;
                0
            }
        }
    }

    /// Whether everything that was read was there and made sense. Zeros at the end of the coded part are not written, so
    /// reading them is no error; but nobody reads many.
    pub fn is_sound(&self) -> bool {
        !self.refused
    }
}

/// What was written ends in at most these many zeros that were left out, or something is wrong.
const LEFT_OUT: usize = 1 << 16;

impl Wire for Decoder<'_> {
    fn bit(&mut self, known: &mut Bit, _: bool) -> bool {
        if self.refused {
            return false;
        }
        let bound = known.bound(self.range);
        let bit = self.code >= bound;
        if bit {
            self.code -= bound;
            self.range -= bound;
        } else {
            self.range = bound;
        }
        known.learn(bit);
        while self.range < NARROW {
            self.range <<= 8;
            self.code = self.code << 8 | u32::from(self.byte());
        }
        if self.beyond > LEFT_OUT {
            self.refuse();
        }
        bit
    }

    fn raw(&mut self, bits: u32, _: u64) -> u64 {
        let (mut value, mut read) = (0, 0);
        while read < bits && !self.refused {
            if self.filled == 0 {
                let Some((first, rest)) = self.raw.split_first() else {
                    self.refuse();
                    return 0;
                };
                (self.bits, self.filled, self.raw) = (u64::from(*first), 8, rest);
            }
            let part = (bits - read).min(self.filled);
            value |= (self.bits & ((1 << part) - 1)) << read;
            (self.bits, self.filled, read) = (self.bits >> part, self.filled - part, read + part);
        }
        value
    }

    fn refuse(&mut self) {
        self.refused = true;
    }
}

#[cfg(test)]
mod tests {
    use super::{Bit, Decoder, Encoder, Number, Wire};
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    fn encoded(numbers: &[i64]) -> Vec<u8> {
        let (mut encoder, mut known, mut out) = (Encoder::default(), Number::default(), Vec::new());
        numbers.iter().for_each(|number| _ = encoder.signed(&mut known, *number));
        encoder.finish(&mut out);
        out
    }

    #[test]
    fn what_is_expected_costs_next_to_nothing() {
        assert!(encoded(&vec![0; 100_000]).len() < 60);
        assert!(encoded(&[i64::MIN; 8]).len() > 64);
        let mut mixed = vec![0; 100_000];
        mixed.extend([1, -1, i64::MAX, i64::MIN]);
        assert!(encoded(&mixed).len() < 100);
    }

    proptest! {
        #[test]
        fn numbers_come_back(numbers in proptest::collection::vec(any::<i64>(), 0..300), small in proptest::collection::vec(-3..4i64, 0..3000)) {
            let all = [numbers, small].concat();
            let bytes = encoded(&all);
            let (mut decoder, mut known) = (Decoder::new(&bytes).unwrap(), Number::default());
            for number in &all {
                prop_assert_eq!(decoder.signed(&mut known, 0), *number);
            }
            prop_assert!(decoder.is_sound());
        }

        #[test]
        fn bits_come_back_however_unlikely(bits in proptest::collection::vec(proptest::bool::weighted(0.001), 0..5000), turned in any::<bool>()) {
            let (mut encoder, mut known, mut bytes) = (Encoder::default(), Bit::default(), Vec::new());
            bits.iter().for_each(|bit| _ = encoder.bit(&mut known, *bit != turned));
            encoder.finish(&mut bytes);
            let (mut decoder, mut known) = (Decoder::new(&bytes).unwrap(), Bit::default());
            for bit in &bits {
                prop_assert_eq!(decoder.bit(&mut known, false), *bit != turned);
            }
        }

        #[test]
        fn rubbish_ends(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let Some(mut decoder) = Decoder::new(&bytes) else { return Ok(()) };
            let mut known = Number::default();
            let sum: usize = (0..10_000).map(|_| decoder.count(&mut known, 0, 1000)).sum();
            prop_assert!(sum <= 10_000 * 1000);
        }
    }
}

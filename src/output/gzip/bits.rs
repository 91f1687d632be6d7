//! Bits into bytes, lowest first, as DEFLATE packs them (RFC 1951, 3.1.1).

use crate::output::sink::CHUNK;

/// How many bytes are written at once.
const WORD: usize = size_of::<u64>();

/// Some bits in the order in which they are sent, the first one lowest, and in the highest byte how many they are.
/// At most 56.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Code(u64);

const LENGTH_AT: u32 = 56;

impl Code {
    /// The most bits a code can have.
    pub(super) const MAX: u32 = LENGTH_AT;

    /// The lowest `length` bits of `bits`; the others must be 0.
    pub(super) const fn new(bits: u64, length: u32) -> Self {
        Self(bits | (length as u64) << LENGTH_AT)
    }

    #[inline]
    pub(super) const fn bits(self) -> u64 {
        self.0 & ((1 << LENGTH_AT) - 1)
    }

    #[inline]
    pub(super) const fn len(self) -> u32 {
        (self.0 >> LENGTH_AT) as u32
    }

    /// Both codes as one, `self` first. Together they must not be longer than `MAX`.
    pub(super) const fn then(self, next: Self) -> Self {
        Self::new(self.bits() | next.bits() << self.len(), self.len() + next.len())
    }
}

/// Gathers bits and writes them out as bytes.
///
/// Room for the bytes is made beforehand (`make_room`) and not with each of them: so a line's bits are gathered in
/// registers, because nothing between two of them can call anything.
#[derive(Debug)]
pub(super) struct BitWriter {
    /// Filled with zeros behind `len`.
    bytes: Vec<u8>,
    len: usize,
    gathered: u64,
    count: u32,
}

impl BitWriter {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; CHUNK + CHUNK / 8], len: 0, gathered: 0, count: 0 }
    }

    /// How many whole bytes there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Moves out the whole bytes.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let fresh = vec![0; CHUNK + CHUNK / 8];
        let mut bytes = std::mem::replace(&mut self.bytes, fresh);
        bytes.truncate(self.len);
        self.len = 0;
        bytes
    }

    /// Makes room for `length` bytes: all bits up to the next call must fit.
    #[inline]
    pub(super) fn make_room(&mut self, length: usize) {
        if self.len + length + WORD > self.bytes.len() {
            self.grow(length);
        }
    }

    #[cold]
    fn grow(&mut self, length: usize) {
        self.bytes.resize(self.bytes.len() * 2 + length + WORD, 0);
    }

    /// Adds bits. Between two `flush`es there is room for `Code::MAX` of them.
    #[inline]
    pub(super) fn put(&mut self, code: Code) {
        self.gathered |= code.bits() << self.count;
        self.count += code.len();
    }

    /// Writes out the whole bytes; at most 7 bits stay behind.
    ///
    /// # Panics
    /// If there is no room.
    #[inline]
    pub(super) fn flush(&mut self) {
        debug_assert!(self.count < u64::BITS, "more bits between two flushes than there is room for");
        self.bytes[self.len..self.len + WORD].copy_from_slice(&self.gathered.to_le_bytes());
        self.len += (self.count / 8) as usize;
        self.gathered >>= self.count & !7;
        self.count %= 8;
    }

    /// Fills the last byte up with zeros and writes it out.
    pub(super) fn align(&mut self) {
        self.make_room(1);
        self.count = self.count.next_multiple_of(8);
        self.flush();
    }

    /// Adds whole bytes behind whole bytes.
    pub(super) fn put_bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.make_room(1);
            self.put(Code::new(u64::from(*byte), 8));
            self.flush();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BitWriter, Code};
    use proptest::prelude::{any, prop_assert_eq, proptest};

    #[test]
    fn the_first_bit_is_the_lowest() {
        let mut bits = BitWriter::new();
        bits.put_bytes(&[7]);
        bits.put(Code::new(0b1, 1));
        bits.put(Code::new(0b01, 2));
        bits.put(Code::new(0x1ff, 9));
        bits.align();
        bits.align();
        assert_eq!(bits.take(), [7, 0b1111_1011, 0b1111], "nothing is added to whole bytes");
    }

    proptest! {
        #[test]
        fn any_codes_come_out_in_order(codes in proptest::collection::vec((any::<u64>(), 0..=Code::MAX), 0..50)) {
            let mut writer = BitWriter::new();
            let mut wanted = Vec::new();
            for (bits, length) in codes {
                let bits = bits & ((1 << length) - 1);
                writer.make_room(8);
                writer.put(Code::new(bits, length));
                writer.flush();
                wanted.extend((0..length).map(|at| bits >> at & 1));
            }
            writer.align();
            wanted.resize(wanted.len().next_multiple_of(8), 0);
            let found: Vec<_> = writer.take().iter().flat_map(|byte| (0..8).map(move |at| u64::from(byte >> at & 1))).collect();
            prop_assert_eq!(found, wanted);
        }

        #[test]
        fn two_codes_as_one_are_the_same_bits(first in 0..1u64 << 20, second in 0..1u64 << 28) {
            let (first, second) = (Code::new(first, 20), Code::new(second, 28));
            let (mut apart, mut together) = (BitWriter::new(), BitWriter::new());
            apart.put(first);
            apart.put(second);
            apart.align();
            together.put(first.then(second));
            together.align();
            prop_assert_eq!(apart.take(), together.take());
        }
    }
}

//! Bits into bytes, lowest first, as DEFLATE packs them (RFC 1951, 3.1.1).

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

    #[inline]
    pub(super) const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Both codes as one, `self` first. Together they must not be longer than `MAX`.
    pub(super) const fn then(self, next: Self) -> Self {
        Self::new(self.bits() | next.bits() << self.len(), self.len() + next.len())
    }
}

/// Gathers bits and writes them out as bytes.
#[derive(Debug)]
pub(super) struct BitWriter {
    /// The whole bytes. Public within `gzip`, so that bytes can be added where the bits are aligned.
    pub(super) bytes: Vec<u8>,
    gathered: u64,
    count: u32,
}

impl BitWriter {
    /// Goes on behind `bytes`.
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, gathered: 0, count: 0 }
    }

    /// Adds bits. Between two `flush`es there is room for `Code::MAX` of them.
    #[inline]
    pub(super) fn put(&mut self, code: Code) {
        self.gathered |= code.bits() << self.count;
        self.count += code.len();
    }

    /// Writes out the whole bytes; at most 7 bits stay behind.
    #[inline]
    pub(super) fn flush(&mut self) {
        debug_assert!(self.count < u64::BITS, "more bits between two flushes than there is room for");
        let whole = (self.count / 8) as usize;
        let end = self.bytes.len() + whole;
        self.bytes.extend_from_slice(&self.gathered.to_le_bytes());
        self.bytes.truncate(end);
        self.gathered >>= whole * 8;
        self.count %= 8;
    }

    /// Fills the last byte up with zeros and writes it out.
    pub(super) fn align(&mut self) {
        self.flush();
        self.count = self.count.next_multiple_of(8);
        self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::{BitWriter, Code};
    use proptest::prelude::{any, prop_assert_eq, proptest};

    #[test]
    fn the_first_bit_is_the_lowest() {
        let mut bits = BitWriter::new(vec![7]);
        bits.put(Code::new(0b1, 1));
        bits.put(Code::new(0b01, 2));
        bits.put(Code::new(0x1ff, 9));
        bits.align();
        assert_eq!(bits.bytes, [7, 0b1111_1011, 0b1111]);
        bits.align();
        assert_eq!(bits.bytes.len(), 3, "nothing is added to whole bytes");
    }

    proptest! {
        #[test]
        fn any_codes_come_out_in_order(codes in proptest::collection::vec((any::<u64>(), 0..=Code::MAX), 0..50)) {
            let mut writer = BitWriter::new(Vec::new());
            let mut wanted = Vec::new();
            for (bits, length) in codes {
                let bits = bits & ((1 << length) - 1);
                writer.put(Code::new(bits, length));
                writer.flush();
                wanted.extend((0..length).map(|at| bits >> at & 1));
            }
            writer.align();
            wanted.resize(wanted.len().next_multiple_of(8), 0);
            let found: Vec<_> = writer.bytes.iter().flat_map(|byte| (0..8).map(move |at| u64::from(byte >> at & 1))).collect();
            prop_assert_eq!(found, wanted);
        }

        #[test]
        fn two_codes_as_one_are_the_same_bits(first in 0..1u64 << 20, second in 0..1u64 << 28) {
            let (first, second) = (Code::new(first, 20), Code::new(second, 28));
            let (mut apart, mut together) = (BitWriter::new(Vec::new()), BitWriter::new(Vec::new()));
            apart.put(first);
            apart.put(second);
            apart.align();
            together.put(first.then(second));
            together.align();
            prop_assert_eq!(apart.bytes, together.bytes);
        }
    }
}

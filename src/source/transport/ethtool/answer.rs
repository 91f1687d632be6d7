//! What answers of the family `ethtool` have in common: bit sets, string sets, numbers as cells. Pure.

use crate::sample::block::Block;
use crate::sample::cell::{Cell, Gap};
use crate::source::transport::genetlink::contents;
use crate::source::transport::message::{u32_at, Attribute};

/// `ETHTOOL_A_BITSET_NOMASK`, `_SIZE`, `_VALUE` and `_MASK` (include/uapi/linux/ethtool_netlink.h).
pub(super) const BITSET_NOMASK: u16 = 1;
pub(super) const BITSET_SIZE: u16 = 2;
pub(super) const BITSET_VALUE: u16 = 4;
const BITSET_MASK: u16 = 5;
pub(super) const STRSET_STRINGSETS: u16 = 2;
const STRINGSET_STRINGS: u16 = 3;
const STRING_INDEX: u16 = 1;
const STRING_VALUE: u16 = 2;

/// A bit set in compact form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bitset<'a> {
    value: &'a [u8],
    mask: &'a [u8],
}

impl<'a> Bitset<'a> {
    /// The bit set that an attribute holds.
    pub fn of(attribute: &Attribute<'a>) -> Self {
        let mut set = Self { value: &[], mask: &[] };
        for part in attribute.nested() {
            match part.kind {
                BITSET_VALUE => set.value = part.value,
                BITSET_MASK => set.mask = part.value,
                _ => {}
            }
        }
        set
    }

    /// Whether a bit is set.
    pub fn has(&self, bit: u32) -> bool {
        bit_is_set(self.value, bit)
    }

    /// Whether a bit is in the mask: for link modes, whether the port supports the mode.
    pub fn mask_has(&self, bit: u32) -> bool {
        bit_is_set(self.mask, bit)
    }
}

/// Compact bit sets are arrays of `u32` in the machine's byte order (Documentation/networking/ethtool-netlink.rst).
fn bit_is_set(words: &[u8], bit: u32) -> bool {
    u32_at(words, bit as usize / 32 * 4).is_some_and(|word| word & (1 << (bit % 32)) != 0)
}

/// Whether an attribute holds a number other than 0, as a cell of 0 or 1.
pub fn flag(attribute: &Attribute<'_>) -> Cell {
    Cell::integer_or(attribute.unsigned().map(|value| u64::from(value != 0)), Gap::NotRead)
}

/// The number that an attribute holds, as a cell.
pub fn number(attribute: &Attribute<'_>) -> Cell {
    Cell::integer_or(attribute.unsigned(), Gap::NotRead)
}

/// Fills a row with numbers: the attribute `kinds[column]` goes to that column, and what did not come stays.
pub fn numbers(payload: &[u8], kinds: &[u16], row: usize, block: &mut Block) {
    for attribute in contents(payload) {
        if let Some(column) = kinds.iter().position(|kind| *kind == attribute.kind) {
            block.set(column, row, number(&attribute));
        }
    }
}

/// The names from the payload of ETHTOOL_MSG_STRSET_GET_REPLY, in the order of their indices.
pub fn strings(payload: &[u8]) -> Vec<String> {
    let sets = contents(payload).filter(|a| a.kind == STRSET_STRINGSETS);
    let strings = sets.flat_map(|a| a.nested()).flat_map(|set| set.nested());
    let mut names: Vec<(u64, String)> = Vec::new();
    for string in strings.filter(|a| a.kind == STRINGSET_STRINGS).flat_map(|a| a.nested()) {
        let index = string.nested().find(|a| a.kind == STRING_INDEX).and_then(|a| a.unsigned());
        let value = string.nested().find(|a| a.kind == STRING_VALUE).map(|a| a.text());
        names.extend(index.zip(value));
    }
    names.sort_unstable();
    // A set with a hole would shift the names behind it: better none than wrong ones.
    if names.iter().enumerate().any(|(at, (index, _))| at as u64 != *index) {
        return Vec::new();
    }
    names.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::{strings, Bitset, BITSET_MASK, BITSET_VALUE, STRINGSET_STRINGS, STRSET_STRINGSETS};
    use crate::source::transport::ethtool::testing::reply;
    use crate::source::transport::genetlink::contents;
    use crate::source::transport::message::Request;
    use proptest::prelude::{any, prop_assert, proptest};

    fn named(indices: &[(u32, &str)]) -> Vec<u8> {
        let string = |request: Request, (index, name): &(u32, &str)| {
            request.with_nested(1, |one| {
                one.with(1, &index.to_ne_bytes()).with(2, format!("{name}\0").as_bytes())
            })
        };
        reply(|request| {
            request.with_nested(STRSET_STRINGSETS, |sets| {
                sets.with_nested(1, |set| {
                    set.with(1, &4u32.to_ne_bytes())
                        .with_nested(STRINGSET_STRINGS, |strings| indices.iter().fold(strings, string))
                })
            })
        })
    }

    #[test]
    fn names_stand_at_their_indices() {
        assert_eq!(strings(&named(&[(1, "b"), (0, "a"), (2, "c")])), ["a", "b", "c"]);
        assert!(strings(&named(&[(0, "a"), (2, "c")])).is_empty(), "a hole makes every later name wrong");
    }

    #[test]
    fn bits_are_found_across_words() {
        let words = [1u32 << 31, 1 << 1, 0].map(u32::to_ne_bytes).concat();
        let bytes = reply(|request| {
            request.with_nested(3, |set| set.with(BITSET_VALUE, &words).with(BITSET_MASK, &[0xff; 4]))
        });
        let attribute = contents(&bytes).next().expect("the set");
        let set = Bitset::of(&attribute);
        let found: Vec<u32> = (0..200).filter(|bit| set.has(*bit)).collect();
        assert_eq!(found, [31, 33]);
        assert_eq!((0..200).filter(|bit| set.mask_has(*bit)).count(), 32);
    }

    proptest! {
        #[test]
        fn any_bytes_make_no_more_names_than_fit(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(strings(&bytes).len() <= bytes.len() / 8);
            for attribute in contents(&bytes) {
                let set = Bitset::of(&attribute);
                prop_assert!((0..4096).filter(|bit| set.has(*bit)).count() <= bytes.len() * 8);
            }
        }
    }
}

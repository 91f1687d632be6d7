//! Huffman codes as DEFLATE has them: canonical, at most 15 bits long (RFC 1951, 3.2.2).

use super::bits::Code;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The longest code that DEFLATE allows.
pub(super) const MAX_LENGTH: u8 = 15;

/// The lengths of an optimal prefix code for two or more symbols of these weights. A weight of 0 counts as 1, because a symbol
/// without a code could not be sent; where a code would be too long, the weights are levelled until it is not.
pub(super) fn lengths(weights: &[u32]) -> Vec<u8> {
    let mut weights: Vec<u64> = weights.iter().map(|weight| u64::from(*weight).max(1)).collect();
    loop {
        let lengths = tree_depths(&weights);
        if lengths.iter().all(|length| *length <= MAX_LENGTH) {
            return lengths;
        }
        for weight in &mut weights {
            *weight = weight.div_ceil(2);
        }
    }
}

/// How deep each symbol stands in a Huffman tree.
fn tree_depths(weights: &[u64]) -> Vec<u8> {
    let mut parents = vec![0; weights.len()];
    let mut heap: BinaryHeap<_> = weights.iter().enumerate().map(|(node, w)| Reverse((*w, node))).collect();
    while let (Some(Reverse(first)), Some(Reverse(second))) = (heap.pop(), heap.pop()) {
        let parent = parents.len();
        parents.push(parent);
        parents[first.1] = parent;
        parents[second.1] = parent;
        heap.push(Reverse((first.0 + second.0, parent)));
    }
    // A parent stands behind its children, so going backwards its own depth is known before theirs.
    let mut depths = vec![0u8; parents.len()];
    for node in (0..parents.len().saturating_sub(1)).rev() {
        depths[node] = depths[parents[node]].saturating_add(1);
    }
    depths.truncate(weights.len());
    depths
}

/// The canonical codes of these lengths. A code is sent from its highest bit on, so its bits are turned round.
pub(super) fn codes(lengths: &[u8]) -> Vec<Code> {
    let mut next = [0u32; MAX_LENGTH as usize + 1];
    for length in 1..next.len() {
        let shorter = lengths.iter().filter(|l| **l != 0 && usize::from(**l) == length - 1).count() as u32;
        next[length] = (next[length - 1] + shorter) << 1;
    }
    let mut code_of = |length: u8| {
        let code = next[usize::from(length)];
        next[usize::from(length)] += 1;
        let turned = u64::from(code.reverse_bits()) >> (32 - u32::from(length));
        Code::new(turned, u32::from(length))
    };
    lengths.iter().map(|length| if *length == 0 { Code::default() } else { code_of(*length) }).collect()
}

#[cfg(test)]
mod tests {
    use super::{codes, lengths, MAX_LENGTH};
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    fn kraft_sum(lengths: &[u8]) -> u64 {
        lengths.iter().map(|length| 1 << (MAX_LENGTH - length)).sum()
    }

    #[test]
    fn the_standards_example_comes_out() {
        // RFC 1951, 3.2.2: lengths 3 3 3 3 3 2 4 4 for the symbols A to H.
        let found: Vec<_> =
            codes(&[3, 3, 3, 3, 3, 2, 4, 4]).iter().map(|code| (code.bits(), code.len())).collect();
        let forwards = [0b010, 0b011, 0b100, 0b101, 0b110, 0b00, 0b1110, 0b1111u64];
        let wanted: Vec<_> = forwards
            .iter()
            .zip([3, 3, 3, 3, 3, 2, 4, 4u32])
            .map(|(code, length)| (code.reverse_bits() >> (64 - length), length))
            .collect();
        assert_eq!(found, wanted);
    }

    #[test]
    fn weights_that_would_need_long_codes_are_levelled() {
        let mut fibonacci = vec![1, 1];
        for at in 2..40 {
            fibonacci.push(fibonacci[at - 1] + fibonacci[at - 2]);
        }
        let lengths = lengths(&fibonacci);
        assert_eq!(lengths.iter().max(), Some(&MAX_LENGTH));
        assert_eq!(kraft_sum(&lengths), 1 << MAX_LENGTH);
    }

    proptest! {
        #[test]
        fn codes_fill_the_space_and_are_never_too_long(weights in proptest::collection::vec(any::<u32>(), 2..300)) {
            let lengths = lengths(&weights);
            prop_assert!(lengths.iter().all(|length| (1..=MAX_LENGTH).contains(length)));
            prop_assert_eq!(kraft_sum(&lengths), 1 << MAX_LENGTH);
        }

        #[test]
        fn no_code_begins_another(weights in proptest::collection::vec(0..1000u32, 2..60)) {
            let codes = codes(&lengths(&weights));
            for (at, code) in codes.iter().enumerate() {
                for other in &codes[at + 1..] {
                    let common = code.len().min(other.len());
                    prop_assert!(code.bits() << (64 - common) != other.bits() << (64 - common));
                }
            }
        }

        #[test]
        fn the_heavier_symbol_has_no_longer_code(weights in proptest::collection::vec(0..1000u32, 2..60)) {
            let lengths = lengths(&weights);
            for (weight, length) in weights.iter().zip(&lengths) {
                for (other, longer) in weights.iter().zip(&lengths) {
                    prop_assert!(weight <= other || length <= longer);
                }
            }
        }
    }
}

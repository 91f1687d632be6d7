//! How each row's labels differ from those of the row before: the same in every column, so found out once.

use super::alphabet::ALPHABET;
use super::bits::Code;
use super::matcher::common_prefix;
use crate::output::line::Lines;

/// What labels have in common with other labels. The parts do not overlap in either.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Common {
    /// Equal bytes at the beginning.
    pub(super) prefix: usize,
    /// Equal bytes at the end.
    pub(super) suffix: usize,
}

impl Common {
    pub(super) fn of(before: &[u8], now: &[u8]) -> Self {
        let prefix = common_prefix(before, now);
        let ends = before[prefix..].iter().rev().zip(now[prefix..].iter().rev());
        Self { prefix, suffix: ends.take_while(|(a, b)| a == b).count() }
    }
}

/// Of all rows, what their labels have in common with the row before, and the codes of what stands between.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    rows: Vec<Shape>,
    /// The codes of all rows one after the other, as many literals in each as fit.
    codes: Vec<Code>,
}

/// 8 bytes, because all of them are gone through for each column.
#[derive(Debug, Clone, Copy, Default)]
struct Shape {
    prefix: u16,
    suffix: u16,
    /// Where the row's codes end in `codes`.
    end: u32,
}

impl Shapes {
    /// Takes the rows' labels. Labels longer than `longest` are passed over: no shape will be asked of them.
    pub(super) fn set(&mut self, lines: &Lines, longest: usize) {
        self.rows.clear();
        self.codes.clear();
        let mut before: &[u8] = &[];
        for row in 0..lines.len() {
            let now = lines.labels(row);
            let mut common = Common::default();
            if now.len() <= longest {
                common = Common::of(before, now);
                self.encode(&now[common.prefix..now.len() - common.suffix]);
            }
            let (prefix, suffix) = (common.prefix as u16, common.suffix as u16);
            self.rows.push(Shape { prefix, suffix, end: self.codes.len() as u32 });
            before = now;
        }
    }

    /// What a row has in common with the row before, and the codes of the rest. Not for row 0.
    #[inline]
    pub(super) fn of(&self, row: usize) -> (Common, &[Code]) {
        let Shape { prefix, suffix, end } = self.rows[row];
        let start = self.rows[row - 1].end;
        (
            Common { prefix: usize::from(prefix), suffix: usize::from(suffix) },
            &self.codes[start as usize..end as usize],
        )
    }

    fn encode(&mut self, literals: &[u8]) {
        let mut code = Code::default();
        for byte in literals {
            let literal = ALPHABET.literal(*byte);
            if code.len() + literal.len() > Code::MAX {
                self.codes.push(std::mem::take(&mut code));
            }
            code = code.then(literal);
        }
        if !code.is_empty() {
            self.codes.push(code);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Common;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    #[test]
    fn the_common_parts_do_not_overlap() {
        let common = |before: &str, now: &str| {
            let Common { prefix, suffix } = Common::of(before.as_bytes(), now.as_bytes());
            (prefix, suffix)
        };
        assert_eq!(common("tap10-x", "tap11-x"), (4, 2));
        assert_eq!(common("eth1", "eth11"), (4, 0));
        assert_eq!(common("aaa", "aa"), (2, 0));
        assert_eq!(common("same", "same"), (4, 0));
        assert_eq!(common("", "new"), (0, 0));
    }

    proptest! {
        #[test]
        fn what_is_common_is_equal(before in "[ab]{0,9}", now in "[ab]{0,9}") {
            let Common { prefix, suffix } = Common::of(before.as_bytes(), now.as_bytes());
            prop_assert!(prefix + suffix <= before.len().min(now.len()));
            prop_assert_eq!(&before[..prefix], &now[..prefix]);
            prop_assert_eq!(&before[before.len() - suffix..], &now[now.len() - suffix..]);
        }
    }
}

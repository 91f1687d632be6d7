//! Bytes of a monitor cut into lines, none longer than `LONGEST`: a peer that never ends its line is found out
//! before it takes memory.

/// The longest line that is read. The largest answer asked for is a few KiB.
pub const LONGEST: usize = 1024 * 1024;

/// What a buffer keeps when it is empty: one large line is not paid for ever after.
const KEPT: usize = 16 * 1024;

/// The peer sent a line longer than `LONGEST`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

/// Bytes that came and are not yet taken as lines.
#[derive(Debug, Default)]
pub struct Lines {
    bytes: Vec<u8>,
    start: usize,
    searched: usize,
}

impl Lines {
    /// Takes in what came. Holds at most one unfinished line and the rest of the bytes that came with its
    /// predecessors, if `line` is asked until it has none before more is put in.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole line without its end, if there is one.
    pub fn line(&mut self) -> Result<Option<&[u8]>, TooLong> {
        let found = self.bytes[self.searched..].iter().position(|byte| *byte == b'\n');
        let Some(at) = found else {
            self.searched = self.bytes.len();
            self.shrink();
            return if self.bytes.len() - self.start > LONGEST { Err(TooLong) } else { Ok(None) };
        };
        let (from, end) = (self.start, self.searched + at);
        self.start = end + 1;
        self.searched = self.start;
        if end - from > LONGEST {
            return Err(TooLong);
        }
        let line = &self.bytes[from..end];
        Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)))
    }

    fn shrink(&mut self) {
        if self.start == self.bytes.len() && self.bytes.capacity() > KEPT {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Lines, TooLong, LONGEST};
    use proptest::prelude::{any, prop, proptest, ProptestConfig};

    fn all(lines: &mut Lines) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        while let Some(line) = lines.line().expect("short lines") {
            found.push(line.to_vec());
        }
        found
    }

    #[test]
    fn lines_end_with_or_without_a_carriage_return() {
        let mut lines = Lines::default();
        lines.push(b"one\r\ntwo\n\nhal");
        assert_eq!(all(&mut lines), [b"one".to_vec(), b"two".to_vec(), Vec::new()]);
        lines.push(b"f\n");
        assert_eq!(all(&mut lines), [b"half".to_vec()]);
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut lines = Lines::default();
        let mut pushed = 0;
        while pushed <= LONGEST {
            assert_eq!(lines.line(), Ok(None));
            lines.push(&vec![b'x'; 65_536]);
            pushed += 65_536;
        }
        assert_eq!(lines.line(), Err(TooLong));
    }

    #[test]
    fn the_longest_line_is_read_and_its_memory_given_back() {
        let mut lines = Lines::default();
        lines.push(&vec![b'x'; LONGEST]);
        assert_eq!(lines.line(), Ok(None));
        lines.push(b"\n");
        assert_eq!(lines.line().map(|line| line.map(<[u8]>::len)), Ok(Some(LONGEST)));
        assert_eq!(lines.line(), Ok(None));
        assert_eq!(lines.bytes.capacity(), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn however_bytes_arrive_the_lines_are_the_same(
            bytes in prop::collection::vec(prop::sample::select(b"ab\r\n".to_vec()), 0..200),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let mut whole = Lines::default();
            whole.push(&bytes);
            let expected = all(&mut whole);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.push(bytes.len());
            cuts.sort_unstable();
            let (mut lines, mut found, mut from) = (Lines::default(), Vec::new(), 0);
            for cut in cuts {
                lines.push(&bytes[from..cut]);
                found.extend(all(&mut lines));
                from = cut;
            }
            assert_eq!(found, expected);
        }
    }
}

//! Numbers drawn from a seed: the same seed, family and number give the same variant on every machine, whatever else
//! is drawn.

/// A source of numbers (SplitMix64: Steele, Lea, Flood, OOPSLA 2014).
#[derive(Debug, Clone)]
pub struct Draw(u64);

impl Draw {
    /// One for each variant of its own.
    pub fn new(seed: u64, family: &str, number: u32) -> Self {
        // FNV-1a of the name, so that families of one seed have nothing in common.
        let name = family.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut draw = Self(seed ^ name.rotate_left(17));
        let mixed = draw.next();
        Self(mixed ^ (u64::from(number) << 32))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `low` to `high`, both included.
    pub fn within(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// From `low` to `high` where tenfold more matters as much as tenfold less: rates, buffers.
    pub fn scaled(&mut self, low: u64, high: u64) -> u64 {
        let part = self.within(0, 1000) as f64 / 1000.0;
        (low as f64 * (high as f64 / low as f64).powf(part)).round() as u64
    }

    /// One of these.
    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.within(0, all.len() as u64 - 1) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::Draw;

    #[test]
    fn a_seed_is_a_sequence() {
        let all = |seed, family, number| {
            let mut draw = Draw::new(seed, family, number);
            (0..8).map(|_| draw.within(0, 1_000_000)).collect::<Vec<_>>()
        };
        assert_eq!(all(1, "a", 1), all(1, "a", 1));
        assert_ne!(all(1, "a", 1), all(2, "a", 1));
        assert_ne!(all(1, "a", 1), all(1, "b", 1));
        assert_ne!(all(1, "a", 1), all(1, "a", 2));
    }

    #[test]
    fn limits_are_kept() {
        let mut draw = Draw::new(7, "limits", 1);
        for _ in 0..1000 {
            assert!((3..=5).contains(&draw.within(3, 5)));
            assert!((10..=1000).contains(&draw.scaled(10, 1000)));
            assert!([1, 4].contains(&draw.one_of(&[1, 4])));
        }
    }
}

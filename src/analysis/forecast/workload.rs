//! The guest that moves: how much memory it has, how much of it is zero, and how it dirties the rest.

use std::fmt;

/// In which order a guest writes its working set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pattern {
    /// Here and there: within `t` it has dirtied `W (1 - exp(-d t / W))` different bytes.
    #[default]
    Random,
    /// From one end to the other, and again: `min(d t, W)`.
    Sweep,
}

/// How a guest dirties memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dirtying {
    /// Bytes of pages a second that were clean before, at first.
    pub rate: f64,
    /// Bytes that it writes again and again; infinite if that is not known.
    pub working_set: f64,
    /// In which order.
    pub pattern: Pattern,
}

/// A guest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Workload {
    /// Bytes of memory.
    pub memory: f64,
    /// Share of its pages that are all zero, 0 to 1.
    pub zero_share: f64,
    /// How it dirties memory.
    pub dirtying: Dirtying,
}

/// What no guest, and no way, can be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{what} is {is}; {mend}")]
pub struct Impossible {
    /// The input.
    pub what: &'static str,
    /// Its value, in words.
    pub is: String,
    /// What it may be.
    pub mend: &'static str,
}

/// Refuses a number that is not within `low..=high`.
pub(super) fn within(
    what: &'static str,
    number: f64,
    range: (f64, f64),
    mend: &'static str,
) -> Result<(), Impossible> {
    if number >= range.0 && number <= range.1 {
        return Ok(());
    }
    Err(impossible(what, number, mend))
}

pub(super) fn impossible(what: &'static str, is: impl fmt::Display, mend: &'static str) -> Impossible {
    Impossible { what, is: is.to_string(), mend }
}

impl Dirtying {
    /// A guest that writes nothing.
    pub const NONE: Self = Self { rate: 0.0, working_set: f64::INFINITY, pattern: Pattern::Random };

    /// A guest that writes always other memory.
    pub const fn linear(rate: f64) -> Self {
        Self { rate, working_set: f64::INFINITY, pattern: Pattern::Random }
    }

    /// Different bytes that are dirtied within so many seconds.
    pub fn within(&self, seconds: f64) -> f64 {
        let linear = self.rate * seconds.max(0.0);
        match self.pattern {
            _ if self.working_set.is_infinite() => linear,
            Pattern::Sweep => linear.min(self.working_set),
            // `exp_m1` keeps what is small beside a large working set.
            Pattern::Random => -self.working_set * (-linear / self.working_set).exp_m1(),
        }
    }

    /// The same guest, slowed down by this share (auto-converge).
    #[must_use]
    pub fn slowed(self, share: f64) -> Self {
        Self { rate: self.rate * (1.0 - share), ..self }
    }

    /// From two measurements of how many different bytes were dirtied within some seconds, both counted from a moment when
    /// all was clean. If the longer one found as much a second as the shorter one, or more, no working set is to be seen.
    /// `None` if they contradict each other: nothing measured, or less within the longer time.
    pub fn of_windows(one: (f64, f64), other: (f64, f64)) -> Option<Self> {
        let (short, long) = if one.0 <= other.0 { (one, other) } else { (other, one) };
        if short.0 <= 0.0 || short.1 < 0.0 || long.1 < short.1 || long.0 <= short.0 {
            return None;
        }
        if short.1 == 0.0 {
            return (long.1 == 0.0).then_some(Self::NONE);
        }
        let (rate, average) = (short.1 / short.0, long.1 / long.0);
        if average >= rate * NEARLY {
            return Some(Self::linear(average.max(rate)));
        }
        // With x = d/W: long/short = (1 - exp(-x T)) / (1 - exp(-x t)), which falls in x from T/t to 1.
        let found = long.1 / short.1;
        let ratio = |x: f64| (-x * long.0).exp_m1() / (-x * short.0).exp_m1();
        let (mut low, mut high) = (0.0, 50.0 / short.0);
        for _ in 0..200 {
            let middle = f64::midpoint(low, high);
            if ratio(middle) > found {
                low = middle;
            } else {
                high = middle;
            }
        }
        let working_set = short.1 / -(-high * short.0).exp_m1();
        Some(Self { rate: working_set * high, working_set, pattern: Pattern::Random })
    }
}

/// Averages that differ by less are the same: two windows of one guest never agree to the last page.
const NEARLY: f64 = 0.98;

impl Workload {
    /// Bytes that it writes again and again; all of its memory if that is not known.
    pub fn working_set(&self) -> f64 {
        self.dirtying.working_set.min(self.memory)
    }

    /// Refuses what cannot be.
    ///
    /// # Errors
    /// No memory, a share outside 0 to 1, a negative rate, a working set of nothing or of more than the memory.
    pub fn check(&self) -> Result<(), Impossible> {
        within("the memory", self.memory, (1.0, 1e18), "give the guest's memory in bytes, more than 0")?;
        within("the share of zero pages", self.zero_share, (0.0, 1.0), "give 0 % to 100 %")?;
        within("the dirty rate", self.dirtying.rate, (0.0, 1e15), "give bytes a second, 0 or more")?;
        let set = self.dirtying.working_set;
        if set.is_nan() || set <= 0.0 {
            return Err(impossible("the working set", set, "give more than 0, or leave it out"));
        }
        if set.is_finite() && set > self.memory {
            let is = format!("{set:.0} bytes of {:.0}", self.memory);
            return Err(impossible("the working set", is, "a guest writes no more than its memory"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Dirtying, Pattern, Workload};
    use proptest::prelude::{prop_assert, proptest};

    #[test]
    fn impossible_guests_are_refused_in_words() {
        let good = Workload { memory: 4e9, zero_share: 0.1, dirtying: Dirtying::linear(1e8) };
        assert_eq!(good.check(), Ok(()));
        let error = |workload: Workload| workload.check().expect_err("refused").to_string();
        assert_eq!(
            error(Workload { memory: 0.0, ..good }),
            "the memory is 0; give the guest's memory in bytes, more than 0"
        );
        assert!(error(Workload { zero_share: 1.2, ..good }).contains("zero pages is 1.2"));
        assert!(error(Workload { dirtying: Dirtying::linear(f64::NAN), ..good }).contains("dirty rate"));
        let large = Dirtying { rate: 1e8, working_set: 5e9, pattern: Pattern::Random };
        assert!(error(Workload { dirtying: large, ..good }).contains("5000000000 bytes of 4000000000"));
        let none = Dirtying { working_set: 0.0, ..large };
        assert!(error(Workload { dirtying: none, ..good }).contains("working set"));
    }

    #[test]
    fn windows_that_contradict_each_other_tell_nothing() {
        assert_eq!(Dirtying::of_windows((1.0, 5e6), (2.0, 4e6)), None);
        assert_eq!(Dirtying::of_windows((1.0, 5e6), (1.0, 5e6)), None);
        assert_eq!(Dirtying::of_windows((1.0, 0.0), (2.0, 0.0)), Some(Dirtying::NONE));
    }

    proptest! {
        #[test]
        fn two_windows_give_the_guest_back(
            rate in 1e5..1e9f64,
            seconds in 0.1..5.0f64,
            longer in 1.5..10.0f64,
            fullness in 0.2..3.0f64,
        ) {
            // A working set that the longer window fills to some part: one that neither shows cannot be told.
            let working_set = rate * seconds * longer / fullness;
            let guest = Dirtying { rate, working_set, pattern: Pattern::Random };
            let window = |time| (time, guest.within(time));
            let found = Dirtying::of_windows(window(seconds), window(seconds * longer)).expect("windows agree");
            for time in [seconds, seconds * longer, seconds * 0.5] {
                let (is, was) = (found.within(time), guest.within(time));
                prop_assert!((is / was - 1.0).abs() < 0.02, "{time} s: {is} for {was}");
            }
        }

        #[test]
        fn more_time_dirties_no_less(rate in 0.0..1e9f64, set in 1e6..1e10f64, short in 0.0..10.0f64, more in 0.0..10.0f64) {
            for pattern in [Pattern::Random, Pattern::Sweep] {
                let guest = Dirtying { rate, working_set: set, pattern };
                prop_assert!(guest.within(short + more) >= guest.within(short));
                prop_assert!(guest.within(short) <= set && guest.within(short) <= rate * short * (1.0 + 1e-9));
            }
        }
    }
}

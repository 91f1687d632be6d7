//! One value of a block in 64 bits: an integer, a float, or a gap with its reason.
//!
//! The sixteen highest bit patterns are gaps. As integers no counter of a kernel gets there; as floats they are
//! NaNs with a payload that no arithmetic makes. So a column is a plain `Vec<u64>`, without a bitmap beside it.

/// Why a value is missing. Missing beats wrong: a gap is never shown as 0 nor as the old value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Gap {
    /// The source did not say it (no such attribute, not read yet).
    NotRead = 0,
    /// The driver or the device does not have it.
    Unsupported = 1,
    /// The device says that it does not know (speed of a port without carrier).
    Unknown = 2,
    /// Reading it failed; the source's report says how.
    Failed = 3,
    /// The subject has only just appeared.
    New = 4,
}

const FIRST_GAP: u64 = u64::MAX - 15;
const REASONS: [Gap; 5] = [Gap::NotRead, Gap::Unsupported, Gap::Unknown, Gap::Failed, Gap::New];

/// One value of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Cell(u64);

impl Cell {
    /// An integer; the sixteen highest become `Gap::Failed`, because nothing real counts that far.
    pub const fn integer(value: u64) -> Self {
        if value >= FIRST_GAP {
            return Self::gap(Gap::Failed);
        }
        Self(value)
    }

    /// A float. A NaN says nothing and becomes `Gap::Unknown`.
    pub fn float(value: f64) -> Self {
        if value.is_nan() {
            return Self::gap(Gap::Unknown);
        }
        Self(value.to_bits())
    }

    /// A missing value.
    pub const fn gap(reason: Gap) -> Self {
        Self(FIRST_GAP + reason as u64)
    }

    /// An integer if there is one, otherwise a gap.
    pub fn integer_or(value: Option<u64>, reason: Gap) -> Self {
        value.map_or(Self::gap(reason), Self::integer)
    }

    /// The bits, as a block holds them.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// A cell from a block's bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Whether a value is there.
    pub const fn is_value(self) -> bool {
        self.0 < FIRST_GAP
    }

    /// Why there is no value.
    pub fn reason(self) -> Option<Gap> {
        let code = self.0.checked_sub(FIRST_GAP)?;
        Some(REASONS.get(code as usize).copied().unwrap_or(Gap::NotRead))
    }

    /// The integer; only for columns of `Form::Integer`.
    pub const fn as_integer(self) -> Option<u64> {
        if self.is_value() {
            return Some(self.0);
        }
        None
    }

    /// The float; only for columns of `Form::Float`.
    pub const fn as_float(self) -> Option<f64> {
        if self.is_value() {
            return Some(f64::from_bits(self.0));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{Cell, Gap, REASONS};
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    #[test]
    fn every_reason_comes_back() {
        for reason in REASONS {
            assert_eq!(Cell::gap(reason).reason(), Some(reason));
            assert_eq!(Cell::gap(reason).as_integer(), None);
            assert_eq!(Cell::gap(reason).as_float(), None);
        }
    }

    #[test]
    fn what_nothing_real_reaches_is_a_gap() {
        assert_eq!(Cell::integer(u64::MAX).reason(), Some(Gap::Failed));
        assert_eq!(Cell::float(f64::NAN).reason(), Some(Gap::Unknown));
        assert_eq!(Cell::float(f64::NEG_INFINITY).as_float(), Some(f64::NEG_INFINITY));
    }

    proptest! {
        #[test]
        fn values_come_back(integer in 0..u64::MAX - 16, float in proptest::num::f64::NORMAL) {
            prop_assert_eq!(Cell::integer(integer).as_integer(), Some(integer));
            prop_assert_eq!(Cell::float(float).as_float(), Some(float));
            prop_assert!(Cell::float(float).reason().is_none());
        }
    }
}

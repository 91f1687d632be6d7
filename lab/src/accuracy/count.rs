//! Small statistics of counts.

/// A value below which this share of them lies (nearest rank); none of none.
pub fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

/// A part of a whole; none of nothing.
pub fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Between which shares the true one lies with 95 % (Wilson's interval, JASA 22, 1927): ten of ten is no certainty.
pub fn interval(part: usize, whole: usize) -> Option<(f64, f64)> {
    const Z: f64 = 1.96;
    let (p, n) = (share(part, whole)?, whole as f64);
    let (scale, middle) = (1.0 + Z * Z / n, p + Z * Z / (2.0 * n));
    let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    Some((((middle - spread) / scale).max(0.0), ((middle + spread) / scale).min(1.0)))
}

#[cfg(test)]
mod tests {
    use super::{interval, quantile, share};

    #[test]
    fn quantiles_are_values_that_were_there() {
        let values = [3.0, 1.0, 2.0, 4.0];
        assert_eq!(quantile(&values, 0.5), Some(2.0));
        assert_eq!(quantile(&values, 0.95), Some(4.0));
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(share(1, 0), None);
    }

    #[test]
    fn ten_of_ten_may_be_three_quarters() {
        let (low, high) = interval(10, 10).unwrap();
        assert!((0.70..0.75).contains(&low) && high > 0.999, "{low} {high}");
    }
}

//! How fast a migration went of late, and how much that varied.

use crate::sample::monotonic::Monotonic;
use crate::sample::outlook::Range;
use std::collections::VecDeque;
use std::time::Duration;

/// Between two readings that are kept: each is an average over a second.
const EVERY: Duration = Duration::from_secs(1);
/// The first second of a connection says little: its window opens.
const OPENING: Duration = Duration::from_millis(1200);
/// So many are kept for the spread.
const KEPT: usize = 30;
/// So many make the rate of now: enough that one odd second changes nothing, few enough that a change shows soon.
const NOW: usize = 5;
/// Two readings in a row that differ by as much from the others on one side are a change, not noise.
const CHANGE: f64 = 0.25;

/// Rates of late.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    began: Option<Monotonic>,
    last: Option<Monotonic>,
    rates: VecDeque<f64>,
}

impl Pace {
    /// Takes in the rate over the last second, bytes a second.
    pub fn note(&mut self, rate: f64, now: Monotonic) {
        let began = *self.began.get_or_insert(now);
        if now.since(began) < OPENING || self.last.is_some_and(|last| now.since(last) < EVERY) {
            // Until there is a better one, a first rate is better than none.
            if self.last.is_none() {
                self.rates.clear();
                self.rates.push_back(rate);
            }
            return;
        }
        if self.last.is_none() {
            self.rates.clear();
        }
        self.last = Some(now);
        self.rates.push_back(rate);
        if self.rates.len() > KEPT {
            self.rates.pop_front();
        }
    }

    /// The rate of now with its spread, bytes a second; `None` if nothing was sent.
    pub fn now(&self) -> Option<Range> {
        let count = self.rates.len();
        let late: Vec<f64> = self.rates.iter().copied().skip(count.saturating_sub(NOW)).collect();
        let mut p50 = median(&late)?;
        if let [.., before, last] = late[..] {
            let (one, other) = (before / p50 - 1.0, last / p50 - 1.0);
            if one * other > 0.0 && one.abs() > CHANGE && other.abs() > CHANGE {
                p50 = f64::midpoint(before, last);
                return Some(Range { p10: before.min(last), p50, p90: before.max(last) });
            }
        }
        if p50 <= 0.0 {
            return None;
        }
        // What is to come lasts longer than a second: averages of three vary as it will.
        let averages: Vec<f64> = self
            .rates
            .iter()
            .zip(self.rates.iter().skip(1))
            .zip(self.rates.iter().skip(2))
            .map(|((a, b), c)| (a + b + c) / 3.0)
            .collect();
        let spread = |part| percentile(&averages, part);
        Some(Range {
            p10: spread(0.1).map_or(p50 * 0.9, |low| low.min(p50)),
            p50,
            p90: spread(0.9).map_or(p50 * 1.1, |high| high.max(p50)),
        })
    }
}

fn median(numbers: &[f64]) -> Option<f64> {
    percentile(numbers, 0.5)
}

/// The number below which this part of all lies; between two, in proportion.
pub fn percentile(numbers: &[f64], part: f64) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = part * (sorted.len().checked_sub(1)? as f64);
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(low + (high - low) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::{percentile, Pace};
    use crate::sample::monotonic::Monotonic;
    use std::time::Duration;

    fn pace(rates: &[f64]) -> Pace {
        let mut pace = Pace::default();
        for (second, rate) in rates.iter().enumerate() {
            pace.note(*rate, Monotonic(Duration::from_secs(second as u64 + 10)));
        }
        pace
    }

    #[test]
    fn the_first_second_counts_only_until_there_is_another() {
        assert_eq!(Pace::default().now(), None);
        assert_eq!(pace(&[5.0]).now().map(|now| now.p50), Some(5.0));
        assert_eq!(pace(&[5.0, 6.0, 100.0]).now().map(|now| now.p50), Some(100.0));
    }

    #[test]
    fn one_odd_second_is_noise_and_two_are_a_change() {
        let steady = [0.0, 0.0, 100.0, 100.0, 101.0, 99.0, 40.0];
        assert_eq!(pace(&steady).now().map(|now| now.p50), Some(100.0));
        let lifted = [0.0, 0.0, 100.0, 100.0, 100.0, 200.0, 204.0];
        assert_eq!(pace(&lifted).now().map(|now| now.p50), Some(202.0));
    }

    #[test]
    fn percentiles_lie_between_numbers() {
        assert_eq!(percentile(&[], 0.5), None);
        assert_eq!(percentile(&[3.0, 1.0], 0.5), Some(2.0));
        assert_eq!(percentile(&[1.0, 2.0, 3.0], 0.9), Some(2.8));
    }
}

//! Strips: what pages draw of the last minutes. Rates of a few links, and rates and causes of migrations from their
//! beginning on. Each is bounded: a link's forgets its oldest point, a migration's makes its points longer.

use super::monotonic::Monotonic;
use super::subject::Key;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Points of a link's strip: five minutes of one a second.
pub const LINK_POINTS: usize = 300;
/// Points of a migration's strip, after which two become one (our choice: wider than a plot is on a page).
pub const MIGRATION_POINTS: usize = 240;
/// How long the first points of a migration are: two of the steps in which causes are judged.
pub const FIRST_STEP: Duration = Duration::from_millis(500);

/// The strips of a frame.
#[derive(Debug, Clone, Default)]
pub struct Strips {
    /// Of the links that are worth it.
    pub links: Vec<Arc<LinkStrip>>,
    /// Of the migrations that are shown, not all of them where there are many.
    pub migrations: Vec<Arc<MigrationStrip>>,
}

impl Strips {
    /// A link's.
    pub fn link(&self, key: Key) -> Option<&LinkStrip> {
        self.links.iter().find(|strip| strip.key == key).map(AsRef::as_ref)
    }

    /// A migration's.
    pub fn migration(&self, key: Key) -> Option<&MigrationStrip> {
        self.migrations.iter().find(|strip| strip.migration == key).map(AsRef::as_ref)
    }
}

/// A link's rates, a point a tick.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkStrip {
    /// Which link.
    pub key: Key,
    /// How long a point is.
    pub step: Duration,
    /// Bytes a second received and sent, the oldest first; NaN where they are not known.
    pub points: VecDeque<[f32; 2]>,
    /// How many points there have ever been.
    pub pushed: u64,
}

impl LinkStrip {
    /// A strip without points.
    pub fn new(key: Key, step: Duration) -> Self {
        Self { key, step, points: VecDeque::with_capacity(LINK_POINTS), pushed: 0 }
    }

    /// Adds a point.
    pub fn push(&mut self, rates: [f32; 2]) {
        if self.points.len() == LINK_POINTS {
            self.points.pop_front();
        }
        self.points.push_back(rates);
        self.pushed += 1;
    }
}

/// A migration's course in points of the same length.
#[derive(Debug, Clone, PartialEq)]
pub struct MigrationStrip {
    /// Which migration.
    pub migration: Key,
    /// When the first point begins.
    pub began: Monotonic,
    /// How long a point is.
    pub step: Duration,
    /// Bytes a second of the migration; NaN where it is not known.
    pub rate: Vec<f32>,
    /// Bytes a second of all traffic of its wire that way; NaN where it is not known.
    pub wire: Vec<f32>,
    /// Seconds that each cause took of each point, in the order in which they were first seen.
    pub causes: Vec<(&'static str, Vec<f32>)>,
    /// Seconds of the point that is not complete, in the same order.
    open: Vec<f32>,
}

impl MigrationStrip {
    /// A strip without points.
    pub fn new(migration: Key, began: Monotonic) -> Self {
        let (rate, wire, causes, open) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { migration, began, step: FIRST_STEP, rate, wire, causes, open }
    }

    /// How many points there are.
    pub fn len(&self) -> usize {
        self.rate.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rate.is_empty()
    }

    /// When the point ends that is not complete.
    pub fn due(&self) -> Monotonic {
        let ends = u32::try_from(self.len() + 1).unwrap_or(u32::MAX);
        Monotonic(self.began.0.saturating_add(self.step.saturating_mul(ends)))
    }

    /// A cause took seconds of the point that is not complete.
    pub fn take(&mut self, cause: &'static str, seconds: f32) {
        let known = self.causes.iter().position(|(known, _)| *known == cause);
        let place = known.unwrap_or_else(|| {
            self.causes.push((cause, vec![0.0; self.len()]));
            self.open.push(0.0);
            self.causes.len() - 1
        });
        self.open[place] += seconds;
    }

    /// Whether seconds have come that no point has.
    pub fn has_rest(&self) -> bool {
        self.open.iter().any(|seconds| *seconds > 0.0)
    }

    /// Completes a point.
    pub fn push(&mut self, rate: f32, wire: f32) {
        if self.len() >= MIGRATION_POINTS {
            self.halve();
        }
        self.rate.push(rate);
        self.wire.push(wire);
        for ((_, seconds), open) in self.causes.iter_mut().zip(&mut self.open) {
            seconds.push(std::mem::take(open));
        }
    }

    /// Two points become one.
    fn halve(&mut self) {
        self.step *= 2;
        for rates in [&mut self.rate, &mut self.wire] {
            *rates = rates.chunks(2).map(mean).collect();
        }
        for (_, seconds) in &mut self.causes {
            *seconds = seconds.chunks(2).map(|two| two.iter().sum()).collect();
        }
    }
}

/// The mean of what is known; NaN if nothing is.
pub fn mean(rates: &[f32]) -> f32 {
    let known = || rates.iter().filter(|rate| !rate.is_nan());
    // Of nothing, 0 / 0 is NaN.
    known().sum::<f32>() / known().count() as f32
}

#[cfg(test)]
mod tests {
    use super::{mean, LinkStrip, MigrationStrip, FIRST_STEP, LINK_POINTS, MIGRATION_POINTS};
    use crate::sample::monotonic::Monotonic;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
    use std::time::Duration;

    #[test]
    fn a_link_forgets_its_oldest_point() {
        let mut strip = LinkStrip::new(1, Duration::from_secs(1));
        (0..=LINK_POINTS).for_each(|at| strip.push([at as f32, 0.0]));
        assert_eq!((strip.points.len(), strip.points[0][0]), (LINK_POINTS, 1.0));
    }

    #[test]
    fn what_is_not_known_is_no_zero() {
        assert_eq!(mean(&[f32::NAN, 3.0]).to_string(), "3");
        assert!(mean(&[f32::NAN, f32::NAN]).is_nan());
    }

    #[test]
    fn a_cause_that_comes_late_took_nothing_before() {
        let mut strip = MigrationStrip::new(1, Monotonic::default());
        strip.take("unknown", 0.5);
        strip.push(1.0, 2.0);
        strip.take("link_shared", 0.25);
        assert!(strip.has_rest());
        strip.push(1.0, 2.0);
        let causes = vec![("unknown", vec![0.5, 0.0]), ("link_shared", vec![0.0, 0.25])];
        assert_eq!(strip.causes, causes);
        assert_eq!(strip.due().0, 3 * FIRST_STEP);
    }

    proptest! {
        #[test]
        fn a_migration_keeps_all_of_its_time_in_a_bounded_number_of_points(points in 1_usize..3000) {
            let mut strip = MigrationStrip::new(1, Monotonic::default());
            for at in 0..points {
                strip.take(if at % 3 == 0 { "sender_cpu" } else { "link_shared" }, 0.5);
                if strip.due().0 <= FIRST_STEP * (at as u32 + 1) {
                    strip.push(5.0, f32::NAN);
                }
            }
            prop_assert!(strip.len() <= MIGRATION_POINTS);
            prop_assert_eq!(&strip.rate, &vec![5.0; strip.len()]);
            prop_assert!(strip.causes.iter().all(|(_, seconds)| seconds.len() == strip.len()));
            let open: f32 = strip.open.iter().sum();
            let all: f32 = strip.causes.iter().flat_map(|(_, seconds)| seconds).sum::<f32>() + open;
            prop_assert_eq!((all * 2.0) as usize, points);
        }
    }
}

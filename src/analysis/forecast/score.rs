//! How good forecasts were, once the migration has ended.

use crate::analysis::migrations::migration::{Migration, Outcome, Phase};
use crate::sample::monotonic::Monotonic;
use crate::sample::outlook::{Outlook, Score};

/// A forecast as it was told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Told {
    /// When.
    pub at: Monotonic,
    /// Seconds from the migration's beginning to its end.
    pub total: f64,
    /// Seconds of pause, as the hypervisor will measure it: until its last bytes are in the socket.
    pub pause: f64,
}

impl Told {
    /// What was forecast before a migration began: copy and pause, seconds; `held` as above.
    pub fn before([copy, pause]: [f64; 2], held: f64, migration: &Migration) -> Self {
        Self { at: migration.began, total: copy + pause, pause: pause - held }
    }

    /// Of an outlook on a migration whose memory is copied; `None` if it tells no end, or only that it is later.
    /// `held` are the seconds of the pause that the hypervisor will not see.
    pub fn of(outlook: &Outlook, migration: &Migration, held: f64, now: Monotonic) -> Option<Self> {
        let (copy, pause) = (outlook.copy?, outlook.pause?);
        let told = migration.phase == Phase::MemoryCopy && !outlook.at_least;
        told.then(|| Self {
            at: now,
            total: migration.length(now).as_secs_f64() + copy.p50 + pause.p50,
            pause: pause.p50 - held,
        })
    }
}

/// Of a migration that was completed: what was told before it began, and last before a quarter, a half and three quarters of
/// its time. A quarter without any forecast has no score.
pub fn scores(before: Option<Told>, told: &[Told], migration: &Migration) -> Vec<Score> {
    let Some((Outcome::Completed, end)) = migration.ended else { return Vec::new() };
    let length = migration.length(end).as_secs_f64();
    let score = |at: f64| {
        let moment = migration.began.0.as_secs_f64() + at * length;
        let last = match at {
            0.0 => before.as_ref()?,
            _ => told.iter().rfind(|told| told.at.0.as_secs_f64() <= moment)?,
        };
        let pause_error = migration.pause.map(|pause| last.pause - pause.as_secs_f64());
        Some(Score { at, total_error: last.total / length - 1.0, pause_error })
    };
    [0.0, 0.25, 0.5, 0.75].into_iter().filter_map(score).collect()
}

#[cfg(test)]
mod tests {
    use super::{scores, Told};
    use crate::analysis::migrations::migration::{Migration, Outcome, Phase};
    use crate::sample::migration::Direction;
    use crate::sample::monotonic::Monotonic;
    use crate::sample::outlook::Score;
    use std::time::Duration;

    #[test]
    fn each_quarter_is_judged_by_what_was_told_before_it() {
        let at = |seconds| Monotonic(Duration::from_secs(seconds));
        let mut migration = Migration::new(1, "a".into(), Direction::Outgoing, at(100));
        migration.enter(Phase::MemoryCopy, at(100));
        let told = |second, total| Told { at: at(second), total, pause: 0.3 };
        let all = [told(104, 15.0), told(109, 18.0), told(111, 25.0), told(119, 20.0)];
        assert_eq!(scores(None, &all, &migration), [], "it still runs");
        migration.pause = Some(Duration::from_millis(200));
        migration.end(Outcome::Completed, at(120));
        let found = scores(None, &all, &migration);
        let percent: Vec<_> =
            found.iter().map(|score| (score.at, (score.total_error * 100.0).round())).collect();
        assert_eq!(percent, [(0.25, -25.0), (0.5, -10.0), (0.75, 25.0)]);
        assert!(scores(None, &all, &migration)[0]
            .pause_error
            .is_some_and(|error| (error - 0.1).abs() < 1e-9));
        assert_eq!(scores(None, &all[3..], &migration), [], "nothing was told in time");
        let before = scores(Some(Told::before([21.5, 0.5], 0.0, &migration)), &[], &migration);
        let [Score { at: 0.0, total_error, pause_error: Some(pause) }] = before[..] else {
            panic!("{before:?}")
        };
        assert!((total_error - 0.1).abs() < 1e-9 && (pause - 0.3).abs() < 1e-9);
    }
}

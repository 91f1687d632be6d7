//! Seconds by phase and cause. A step is booked once its phase is sure: while a guest stands still, QEMU answers nobody on
//! its monitor (up to 8.x its main thread waits for the migration's), so that the copy has ended is heard afterwards only.

use super::account::Share;
use crate::analysis::migrations::migration::{Phase, PHASES};
use crate::analysis::rules::{RULES, UNKNOWN};
use crate::sample::monotonic::Monotonic;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A step whose hypervisor was not heard for this long is booked as it looked.
const PATIENCE: Duration = Duration::from_secs(10);

/// Shares that sum up to less are nothing to go by.
const NOTHING: f64 = 0.05;

/// One judged step.
#[derive(Debug)]
struct Step {
    from: Monotonic,
    until: Monotonic,
    phase: Phase,
    shares: Vec<Share>,
}

/// What a migration's time went to.
#[derive(Debug, Default)]
pub struct Ledger {
    pending: Vec<Step>,
    /// Seconds by phase (its place in `PHASES`) and cause.
    pub seconds: BTreeMap<(usize, &'static str), f64>,
    /// What was last found of each, by the same.
    pub evidence: BTreeMap<(usize, &'static str), Arc<str>>,
}

/// Seconds that were booked: phase, cause, how long.
pub type Booked = Vec<(Phase, &'static str, f64)>;

impl Ledger {
    /// Takes in a step.
    pub fn note(&mut self, (from, until): (Monotonic, Monotonic), phase: Phase, shares: Vec<Share>) {
        self.pending.push(Step { from, until, phase, shares });
    }

    /// Books the steps that ended before `sure`: until then it is known which phase it was.
    pub fn settle(&mut self, sure: Monotonic, now: Monotonic) -> Booked {
        let sure = sure.max(Monotonic(now.0.saturating_sub(PATIENCE)));
        let later = self.pending.iter().position(|step| step.until > sure).unwrap_or(self.pending.len());
        let steps: Vec<Step> = self.pending.drain(..later).collect();
        steps
            .into_iter()
            .flat_map(|step| self.book(step.phase, step.until.since(step.from), &step.shares))
            .collect()
    }

    /// The migration is over: books all. What was taken for the copy after the guest had stopped was the pause.
    pub fn finish(&mut self, stopped: Option<Monotonic>) -> Booked {
        let mut booked = Vec::new();
        for step in std::mem::take(&mut self.pending) {
            let split = stopped.filter(|_| step.phase == Phase::MemoryCopy).unwrap_or(step.until);
            let split = split.clamp(step.from, step.until);
            booked.extend(self.book(step.phase, split.since(step.from), &step.shares));
            let shares = of_pause(step.shares);
            booked.extend(self.book(Phase::StateTransfer, step.until.since(split), &shares));
        }
        booked
    }

    fn book(&mut self, phase: Phase, time: Duration, shares: &[Share]) -> Booked {
        if time.is_zero() {
            return Vec::new();
        }
        let place = PHASES.iter().position(|known| *known == phase).unwrap_or(0);
        for share in shares {
            *self.seconds.entry((place, share.cause)).or_default() += share.share * time.as_secs_f64();
            self.evidence.insert((place, share.cause), Arc::clone(&share.evidence));
        }
        shares.iter().map(|share| (phase, share.cause, share.share * time.as_secs_f64())).collect()
    }
}

/// What of a step limits a pause as well. Its window began in the copy: a cause that is of copies only (the hypervisor's
/// limit, dirty pages) was of that part, and the others stand for the rest.
fn of_pause(mut shares: Vec<Share>) -> Vec<Share> {
    let of_copies = |cause| {
        let rule = RULES.iter().find(|rule| rule.cause == cause);
        rule.is_some_and(|rule| !rule.phases.contains(&Phase::StateTransfer))
    };
    shares.retain(|share| !of_copies(share.cause));
    let sum: f64 = shares.iter().map(|share| share.share).sum();
    if sum < NOTHING {
        let evidence = "the pause was over before it could be looked at by itself".into();
        return vec![Share { cause: UNKNOWN, share: 1.0, evidence }];
    }
    shares.iter_mut().for_each(|share| share.share /= sum);
    shares
}

#[cfg(test)]
mod tests {
    use super::{Ledger, Phase, PATIENCE};
    use crate::analysis::verdicts::account::Share;
    use crate::sample::monotonic::Monotonic;
    use std::time::Duration;

    fn at(milliseconds: u64) -> Monotonic {
        Monotonic(Duration::from_millis(milliseconds))
    }

    fn shares() -> Vec<Share> {
        vec![Share { cause: "link_shared", share: 1.0, evidence: "eth0: full".into() }]
    }

    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        for step in 0..4 {
            ledger.note((at(step * 250), at(step * 250 + 250)), Phase::MemoryCopy, shares());
        }
        ledger
    }

    #[test]
    fn a_step_waits_for_a_word_after_it() {
        let mut ledger = ledger();
        let booked = ledger.settle(at(600), at(1000));
        assert_eq!(booked.len(), 2);
        assert!((ledger.seconds[&(1, "link_shared")] - 0.5).abs() < 1e-9);
        assert!(ledger.settle(at(600), at(1100)).is_empty());
        assert_eq!(ledger.settle(at(600), Monotonic(at(1000).0 + PATIENCE)).len(), 2, "it never speaks");
    }

    #[test]
    fn what_came_after_the_stop_was_the_pause() {
        let mut ledger = ledger();
        ledger.finish(Some(at(600)));
        assert!((ledger.seconds[&(1, "link_shared")] - 0.6).abs() < 1e-9);
        assert!((ledger.seconds[&(2, "link_shared")] - 0.4).abs() < 1e-9);
        assert_eq!(&*ledger.evidence[&(2, "link_shared")], "eth0: full");
        assert!(ledger.finish(Some(at(0))).is_empty(), "once");
    }

    #[test]
    fn what_holds_copies_only_is_not_of_the_pause() {
        let share = |cause, share| Share { cause, share, evidence: "".into() };
        let mut ledger = Ledger::default();
        let both = vec![share("bandwidth_cap", 0.8), share("traffic_shaping", 0.2)];
        ledger.note((at(0), at(1000)), Phase::MemoryCopy, both);
        ledger.note((at(1000), at(1100)), Phase::MemoryCopy, vec![share("dirty_pages", 1.0)]);
        ledger.finish(Some(at(500)));
        assert!((ledger.seconds[&(1, "bandwidth_cap")] - 0.4).abs() < 1e-9);
        assert!((ledger.seconds[&(2, "traffic_shaping")] - 0.5).abs() < 1e-9);
        assert!((ledger.seconds[&(2, "unknown")] - 0.1).abs() < 1e-9);
    }

    #[test]
    fn without_a_pause_nothing_is_moved() {
        let mut ledger = ledger();
        ledger.note((at(1000), at(1100)), Phase::StateTransfer, shares());
        ledger.finish(None);
        assert!((ledger.seconds[&(1, "link_shared")] - 1.0).abs() < 1e-9);
        assert!((ledger.seconds[&(2, "link_shared")] - 0.1).abs() < 1e-9);
    }
}

//! Many guests leave a host: some at a time, the longest first, over one link or several.
//!
//! A migration's rate changes as others begin and end, so each is followed by its share: at a rate at which the whole of it
//! would take T seconds, t seconds do t/T of it. One that would never end at the rate of the moment goes on when it gets more.

use super::capacity::{self, Capacity};
use super::model;
use super::question::{Question, Traffic};
use crate::sample::footing::Footing;

/// As many at a time are tried.
pub const MOST: u32 = 16;

/// One guest.
#[derive(Debug, Clone, PartialEq)]
pub struct Guest {
    /// Its name.
    pub name: String,
    /// What it is.
    pub question: Question,
}

/// A link that carries some of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Lane {
    /// Its name; empty for a way that is given.
    pub device: String,
    /// What it gives all of them, bytes of payload a second.
    pub shared: f64,
    /// What each guest gets of it at most, by its connections, cores and buffers.
    pub own: Vec<f64>,
}

impl Lane {
    /// Of a link, or of a way that is given; `None` if its capacity is not known.
    pub fn of(link: Option<&Footing>, given: Option<f64>, guests: &[Guest]) -> Option<Self> {
        let alone = |traffic| capacity::of(link, given, None, Traffic { concurrent: 1, ..traffic });
        let own = guests.iter().map(|guest| alone(guest.question.traffic).own).collect();
        let Capacity { shared, .. } = alone(Traffic::default());
        Some(Self {
            device: link.map_or(String::new(), |link| link.device.to_string()),
            shared: shared?,
            own,
        })
    }

    /// What a guest gets beside the others that run.
    fn rate(&self, guest: usize, running: usize) -> f64 {
        let own = self.own.get(guest).copied().unwrap_or(f64::INFINITY);
        (self.shared / running.max(1) as f64).min(own)
    }
}

/// One migration of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Leg {
    /// The guest's place in the list.
    pub guest: usize,
    /// The link's place in the list.
    pub lane: usize,
    /// Seconds from the start of all to its start.
    pub begins: f64,
    /// To its end; infinite if it never ends.
    pub ends: f64,
    /// Seconds of its pause.
    pub pause: f64,
}

/// So many at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// How many.
    pub parallel: u32,
    /// In the order in which they begin.
    pub legs: Vec<Leg>,
}

impl Plan {
    /// Seconds until all have left; infinite if some never do.
    pub fn total(&self) -> f64 {
        self.legs.iter().map(|leg| leg.ends).fold(0.0, f64::max)
    }

    /// The longest pause of a guest, and its place.
    pub fn longest_pause(&self) -> Option<&Leg> {
        self.legs.iter().max_by(|a, b| a.pause.total_cmp(&b.pause))
    }
}

/// What is on its way.
struct Running {
    leg: usize,
    done: f64,
}

/// So many at a time over these links: the longest first, each onto the link that gives it most at that moment.
pub fn plan(guests: &[Guest], lanes: &[Lane], parallel: u32) -> Plan {
    let mut plan = Plan { parallel, legs: Vec::with_capacity(guests.len()) };
    if lanes.is_empty() {
        return plan;
    }
    let mut waiting = longest_last(guests, lanes);
    let (mut running, mut now): (Vec<Running>, f64) = (Vec::new(), 0.0);
    loop {
        while running.len() < parallel.max(1) as usize {
            let Some(guest) = waiting.pop() else { break };
            let lane = widest(guest, lanes, &plan.legs, &running);
            running.push(Running { leg: plan.legs.len(), done: 0.0 });
            plan.legs.push(Leg { guest, lane, begins: now, ends: f64::INFINITY, pause: f64::INFINITY });
        }
        let step = |one: &Running| whole(guests, lanes, &plan.legs, &running, one.leg);
        let forecasts: Vec<(f64, f64)> = running.iter().map(step).collect();
        let left = running.iter().zip(&forecasts).map(|(one, (total, _))| (1.0 - one.done) * total);
        let next = left.fold(f64::INFINITY, f64::min);
        if !next.is_finite() {
            // Nobody who is on its way ends any more, or nobody is left.
            return finish_waiting(plan, waiting, now);
        }
        now += next;
        for (one, (total, pause)) in running.iter_mut().zip(&forecasts) {
            one.done += next / total;
            if one.done >= 1.0 - 1e-9 {
                (plan.legs[one.leg].ends, plan.legs[one.leg].pause) = (now, *pause);
            }
        }
        running.retain(|one| plan.legs[one.leg].ends.is_infinite());
    }
}

/// Those that have never begun never end.
fn finish_waiting(mut plan: Plan, mut waiting: Vec<usize>, now: f64) -> Plan {
    while let Some(guest) = waiting.pop() {
        plan.legs.push(Leg { guest, lane: 0, begins: now, ends: f64::INFINITY, pause: f64::INFINITY });
    }
    plan
}

/// The places of guests, the one that takes longest alone at the end; those that never end alone begin last.
fn longest_last(guests: &[Guest], lanes: &[Lane]) -> Vec<usize> {
    let alone = |place: usize| {
        let best = lanes.iter().map(|lane| lane.rate(place, 1)).fold(0.0, f64::max);
        let (total, _) = forecast(&guests[place].question, best);
        if total.is_finite() {
            total
        } else {
            -1.0
        }
    };
    let mut places: Vec<(f64, usize)> = (0..guests.len()).map(|place| (alone(place), place)).collect();
    places.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
    places.into_iter().map(|(_, place)| place).collect()
}

fn on(lane: usize, legs: &[Leg], running: &[Running]) -> usize {
    running.iter().filter(|one| legs[one.leg].lane == lane).count()
}

/// The link on which one more would get most.
fn widest(guest: usize, lanes: &[Lane], legs: &[Leg], running: &[Running]) -> usize {
    let rate = |place: usize| lanes[place].rate(guest, on(place, legs, running) + 1);
    (0..lanes.len()).rev().max_by(|a, b| rate(*a).total_cmp(&rate(*b))).unwrap_or(0)
}

/// What the whole of one takes at its rate of now, seconds, and its pause.
fn whole(guests: &[Guest], lanes: &[Lane], legs: &[Leg], running: &[Running], leg: usize) -> (f64, f64) {
    let Leg { guest, lane, .. } = legs[leg];
    forecast(&guests[guest].question, lanes[lane].rate(guest, on(lane, legs, running)))
}

fn forecast(question: &Question, rate: f64) -> (f64, f64) {
    let forecast = model::before(&question.workload, &question.way(rate), &question.conduct);
    (forecast.total(), forecast.pause)
}

/// Each number at a time from 1 to 16, or to the number of guests.
pub fn all(guests: &[Guest], lanes: &[Lane]) -> Vec<Plan> {
    let most = MOST.min(guests.len().max(1) as u32);
    (1..=most).map(|parallel| plan(guests, lanes, parallel)).collect()
}

/// The plan that ends first; of equal ones the one with the shorter pauses, then with fewer at a time.
pub fn soonest(plans: &[Plan]) -> Option<&Plan> {
    let pause = |plan: &Plan| plan.longest_pause().map_or(0.0, |leg| leg.pause);
    plans.iter().min_by(|a, b| {
        let by_time = a.total().total_cmp(&b.total());
        by_time.then_with(|| pause(a).total_cmp(&pause(b))).then(a.parallel.cmp(&b.parallel))
    })
}

#[cfg(test)]
mod tests {
    use super::{all, forecast, plan, soonest, Guest, Lane};
    use crate::analysis::forecast::question::{Question, Traffic};
    use crate::analysis::forecast::way::Conduct;
    use crate::analysis::forecast::workload::{Dirtying, Workload};
    use proptest::collection::vec;
    use proptest::prelude::{prop_assert, prop_assert_eq, prop_compose, proptest};

    fn guest(memory: f64, rate: f64) -> Guest {
        let workload = Workload { memory, zero_share: 0.0, dirtying: Dirtying::linear(rate) };
        let (conduct, traffic) = (Conduct::default(), Traffic::default());
        Guest {
            name: format!("{memory}"),
            question: Question { workload, conduct, cap: None, bandwidth: None, traffic },
        }
    }

    fn lane(shared: f64) -> Lane {
        Lane { device: "ens3f0".into(), shared, own: Vec::new() }
    }

    prop_compose! {
        fn guests()(sizes in vec((1e8..1e11f64, 0.0..0.5f64), 1..12)) -> Vec<Guest> {
            sizes.into_iter().map(|(memory, busy)| guest(memory, busy * 1e8)).collect()
        }
    }

    #[test]
    fn the_longest_goes_first_onto_the_link_that_is_free() {
        let guests = [guest(1e9, 0.0), guest(8e9, 0.0), guest(4e9, 0.0)];
        let found = plan(&guests, &[lane(1e9), lane(1e9)], 2);
        let order: Vec<(usize, usize)> = found.legs.iter().map(|leg| (leg.guest, leg.lane)).collect();
        assert_eq!(order, [(1, 0), (2, 1), (0, 1)]);
        assert!((found.legs[2].begins - found.legs[1].ends).abs() < 1e-9);
    }

    #[test]
    fn one_that_cannot_end_beside_others_ends_after_them() {
        let busy = guest(8e9, 7e8);
        let beside = [busy.clone(), guest(8e9, 0.0)];
        let found = plan(&beside, &[lane(1e9)], 2);
        assert!(found.total().is_finite(), "{found:?}");
        assert!(found.total() > plan(&beside, &[lane(1e9)], 1).total(), "it was no use beside the other");
        let hopeless = [guest(8e9, 2e9), guest(1e9, 0.0)];
        let found = plan(&hopeless, &[lane(1e9)], 1);
        let ended: Vec<usize> =
            found.legs.iter().filter(|leg| leg.ends.is_finite()).map(|leg| leg.guest).collect();
        assert_eq!(ended, [1], "those that can leave do");
        assert!(found.total().is_infinite());
    }

    #[test]
    fn connections_that_are_held_fill_the_link_together() {
        let guests: Vec<Guest> = (0..8).map(|_| guest(8e9, 1e7)).collect();
        let narrow = Lane { own: vec![2.5e8; 8], ..lane(1e9) };
        let plans = all(&guests, &[narrow]);
        assert_eq!(soonest(&plans).map(|plan| plan.parallel), Some(4), "{plans:?}");
    }

    proptest! {
        #[test]
        fn nothing_is_faster_than_its_parts(guests in guests(), rate in 1e8..1e10f64, parallel in 1u32..17) {
            let total = plan(&guests, &[lane(rate)], parallel).total();
            let alone: Vec<f64> = guests.iter().map(|guest| forecast(&guest.question, rate).0).collect();
            let longest = alone.iter().copied().fold(0.0, f64::max);
            let bytes: f64 = guests.iter().map(|guest| guest.question.workload.memory).sum();
            prop_assert!(total >= longest * (1.0 - 1e-6), "{total} of {longest}");
            prop_assert!(total >= bytes / rate * (1.0 - 1e-6), "{total} of {bytes}");
        }

        #[test]
        fn one_at_a_time_is_the_sum(guests in guests(), rate in 1e8..1e10f64) {
            let found = plan(&guests, &[lane(rate)], 1);
            let sum: f64 = guests.iter().map(|guest| forecast(&guest.question, rate).0).sum();
            prop_assert!((found.total() / sum - 1.0).abs() < 1e-6 || !sum.is_finite(), "{found:?}");
            prop_assert_eq!(found.legs.len(), guests.len());
        }
    }
}

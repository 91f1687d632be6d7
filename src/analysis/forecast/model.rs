//! QEMU's pre-copy played through: what is sent until the rest fits into the pause that is allowed.
//!
//! migration/ram.c and migration.c (4.0 to 10): memory is sent once; as soon as what remains is below
//! `threshold = rate of the last tenth of a second x downtime limit`, the dirty pages are collected. If the rest still is
//! below it, the guest is stopped and the rest is sent; otherwise QEMU sends on until it is below again, and so on. It looks
//! once a step (50 ms, or 100 ms under a limit of its own), so on average half a step's memory is sent beyond the threshold.
//! Hence with rate `B`, limit `L`, step `h`, dirtied bytes `D(t)` and working set `W`:
//!
//! ```text
//! R = B (L - h/2)                       what remains when the dirty pages are collected
//! y0 = V0 - R ;  y' = D(y/B) (1 - R/W)  what is above it; of the dirtied pages some are of the rest anyway
//! ends as soon as y < B h/2 ;  copy = sum y/B ;  pause = (R + y + Q)/Bp + devices
//! ```
//!
//! Of a guest that writes in turn the rest is what it wrote before: `y' = min(D(y/B), W - R)`.
//!
//! `Q` is what the sender's socket holds: QEMU has sent it, the guest waits for it. It shortens the copy as much.
//!
//! The published models (Liu et al. 2011, Nathan et al. 2015) send each round to its end, which QEMU does not do.

use super::way::{Conduct, Way, PAGE_OVERHEAD, ZERO_PAGE, ZERO_SCAN};
use super::workload::{Pattern, Workload};

/// Where a migration stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    /// Bytes of pages that are still to be sent, as the hypervisor counts them.
    pub remaining: f64,
    /// Seconds since the dirty pages were collected.
    pub since: f64,
    /// All memory is sent for the first time.
    pub first: bool,
    /// How much the guest is slowed down already, 0 to 1.
    pub throttle: f64,
}

/// How it goes on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// Seconds of memory copy; infinite if it never ends.
    pub copy: f64,
    /// Seconds of pause; of one that never ends, what it would be if it ended.
    pub pause: f64,
    /// How often dirty pages are collected.
    pub rounds: u32,
    /// Bytes on the wire.
    pub sent: f64,
    /// It ends.
    pub converges: bool,
}

impl Forecast {
    /// From here to the end, seconds.
    pub fn total(&self) -> f64 {
        self.copy + self.pause
    }
}

/// Where within a step the rest falls below the threshold: the middle on average, one end or the other at the extremes.
pub const MIDDLE: f64 = 0.5;
/// After so many collections of dirty pages without an end there is none (geometric series are over long before).
const MOST_ROUNDS: u32 = 100_000;
/// A longer copy than this is none, seconds: a month.
const LONGEST: f64 = 30.0 * 86_400.0;
/// Rounds that leave as much as the one before, to a millionth, lead nowhere.
const STANDSTILL: f64 = 1e-6;

/// Before it begins.
pub fn before(workload: &Workload, way: &Way, conduct: &Conduct) -> Forecast {
    whole(workload, way, conduct, MIDDLE)
}

/// All of it. `overshoot` is the part of a step that is sent beyond the threshold, 0 to 1.
pub fn whole(workload: &Workload, way: &Way, conduct: &Conduct, overshoot: f64) -> Forecast {
    // The socket is empty at first and takes what it can hold in no time.
    let wire = Sending::of(workload, way, conduct, 0.0).mixed.wire;
    let held = (way.queue / wire).min(workload.memory);
    let start = Position { remaining: workload.memory - held, since: 0.0, first: true, throttle: 0.0 };
    let rest = from(start, workload, way, conduct, overshoot);
    Forecast { copy: conduct.setup + rest.copy, sent: rest.sent + held * wire, ..rest }
}

/// From a position on, otherwise the same.
pub fn from(
    position: Position,
    workload: &Workload,
    way: &Way,
    conduct: &Conduct,
    overshoot: f64,
) -> Forecast {
    let Position { mut remaining, mut since, mut first, throttle } = position;
    let mut brake = Brake { throttle, on: conduct.auto_converge, ..Brake::default() };
    let mut forecast = Forecast { copy: 0.0, pause: 0.0, rounds: 0, sent: 0.0, converges: false };
    let mut before = f64::INFINITY;
    let mut send = Sending::of(workload, way, conduct, if first { remaining } else { 0.0 });
    loop {
        let beyond = overshoot * way.step * if first { send.mixed.pages } else { send.full.pages };
        let rest = (way.copy * conduct.downtime_limit - beyond).max(0.0);
        let above = (remaining - rest).max(0.0);
        let (time, wire) = send.some(above);
        (forecast.copy, since) = (forecast.copy + time, since + time);
        forecast.sent += wire;
        remaining = remaining.min(rest);
        let guest = workload.dirtying.slowed(brake.throttle);
        let dirtied = guest.within(since);
        let fresh = fresh(dirtied, remaining, workload, first);
        remaining = (remaining + fresh).min(workload.memory);
        brake.note(dirtied, wire, since);
        forecast.rounds += 1;
        if remaining < way.copy * conduct.downtime_limit {
            let wire = send.some(remaining).1;
            forecast.sent += wire;
            forecast.pause = (wire + way.queue) / way.pause + conduct.devices;
            forecast.converges = true;
            return forecast;
        }
        let stands = !first && fresh >= before * (1.0 - STANDSTILL) && !brake.may_pull();
        if stands || forecast.rounds >= MOST_ROUNDS || forecast.copy > LONGEST {
            let wire = send.some(remaining).1;
            let pause = (wire + way.queue) / way.pause + conduct.devices;
            return Forecast { copy: f64::INFINITY, pause, sent: f64::INFINITY, ..forecast };
        }
        before = if first { f64::INFINITY } else { fresh };
        (first, since) = (false, 0.0);
    }
}

/// Of the bytes that are dirtied, those that were not to be sent anyway.
fn fresh(dirtied: f64, remaining: f64, workload: &Workload, first: bool) -> f64 {
    // In the first round the rest is the end of all memory, later it is of the working set.
    let among = if first { workload.memory } else { workload.working_set() };
    if workload.dirtying.pattern == Pattern::Sweep && !first {
        // The rest is what it wrote before; it comes there again only when it has written all else.
        return dirtied.min((among - remaining).max(0.0));
    }
    dirtied * (1.0 - (remaining / among).min(1.0))
}

/// How memory goes over the wire.
#[derive(Debug, Clone, Copy)]
struct Sending {
    /// Memory as it was at the start, zero pages among it.
    mixed: Pace,
    /// Pages that the guest has written.
    full: Pace,
    /// Bytes of pages of the first kind that are still to be sent: they come first.
    left: f64,
}

/// How one kind of pages goes.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// Bytes of pages a second.
    pages: f64,
    /// Bytes on the wire for each byte of a page.
    wire: f64,
}

impl Sending {
    fn of(workload: &Workload, way: &Way, conduct: &Conduct, left: f64) -> Self {
        let pace = |zero: f64| {
            let wire = (1.0 - zero) * PAGE_OVERHEAD / conduct.compression + zero * ZERO_PAGE;
            Pace { pages: 1.0 / (wire / way.copy + zero / ZERO_SCAN), wire }
        };
        Self { mixed: pace(workload.zero_share), full: pace(0.0), left }
    }

    /// Sends so many bytes of pages: seconds, and bytes on the wire.
    fn some(&mut self, bytes: f64) -> (f64, f64) {
        let mixed = bytes.min(self.left);
        self.left -= mixed;
        let full = bytes - mixed;
        let time = mixed / self.mixed.pages + full / self.full.pages;
        (time, mixed * self.mixed.wire + full * self.full.wire)
    }
}

/// QEMU's auto-converge: at a collection of dirty pages at least a second after the last that counted, more than half as
/// much dirtied as sent, twice, slows the guest down by 20 %, then by 10 % more each time, to 99 %
/// (`migration_trigger_throttle` in migration/ram.c and its defaults).
#[derive(Debug, Clone, Copy, Default)]
struct Brake {
    on: bool,
    throttle: f64,
    high: u32,
    period: f64,
    dirtied: f64,
    sent: f64,
}

impl Brake {
    const FIRST: f64 = 0.2;
    const MORE: f64 = 0.1;
    const MOST: f64 = 0.99;

    fn may_pull(&self) -> bool {
        self.on && self.throttle < Self::MOST
    }

    fn note(&mut self, dirtied: f64, sent: f64, time: f64) {
        self.period += time;
        self.dirtied += dirtied;
        self.sent += sent;
        if !self.on || self.period < 1.0 {
            return;
        }
        self.high += u32::from(self.dirtied > 0.5 * self.sent);
        (self.period, self.dirtied, self.sent) = (0.0, 0.0, 0.0);
        if self.high >= 2 {
            self.high = 0;
            let more = if self.throttle == 0.0 { Self::FIRST } else { self.throttle + Self::MORE };
            self.throttle = more.min(Self::MOST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::needs;
    use super::super::way::{Conduct, Way, PAGE_OVERHEAD};
    use super::super::workload::{Dirtying, Pattern, Workload};
    use super::{before, from, Position, LONGEST, MIDDLE};
    use proptest::prelude::{any, prop_assert, prop_compose, proptest};

    prop_compose! {
        fn guests()(
            memory in 1e8..1e12f64,
            zero_share in 0.0..0.95f64,
            rate in 0.0..2e9f64,
            part in 0.001..1.0f64,
            sweeps in any::<bool>(),
        ) -> Workload {
            let pattern = if sweeps { Pattern::Sweep } else { Pattern::Random };
            Workload { memory, zero_share, dirtying: Dirtying { rate, working_set: part * memory, pattern } }
        }
    }

    prop_compose! {
        fn conducts()(downtime_limit in 0.05..2.0f64, compression in 1.0..4.0f64) -> Conduct {
            Conduct { downtime_limit, compression, ..Conduct::default() }
        }
    }

    #[test]
    fn a_guest_that_writes_nothing_is_sent_once() {
        let guest = Workload { memory: 4e9, zero_share: 0.0, dirtying: Dirtying::NONE };
        let conduct = Conduct::default();
        let forecast = before(&guest, &Way::of(1e8, None), &conduct);
        let whole = 4e9 * PAGE_OVERHEAD / 1e8 + conduct.setup + conduct.devices;
        assert!((forecast.total() - whole).abs() < 1e-6, "{forecast:?}");
        assert!(forecast.rounds == 1 && (forecast.sent - 4e9 * PAGE_OVERHEAD).abs() < 1.0);
        // The pause is what the limit leaves, less half a step, and what the socket holds.
        assert!((forecast.pause - conduct.devices - 0.275 - 0.028).abs() < 0.002, "{forecast:?}");
    }

    #[test]
    fn a_limit_of_its_own_is_lifted_for_the_pause() {
        let guest = Workload { memory: 4e9, zero_share: 0.0, dirtying: Dirtying::linear(1e7) };
        let capped = before(&guest, &Way::of(1e9, Some(1e8)), &Conduct::default());
        assert!(capped.pause < 0.07 && capped.copy > 40.0, "{capped:?}");
    }

    #[test]
    fn the_linear_case_equals_the_closed_form() {
        // T = y0/B (1 - r^n)/(1 - r), r = d/B (1 - R/M), n the rounds until r^n y0 < B h/2.
        let (memory, speed, rate) = (64e9, 1e9 * PAGE_OVERHEAD, 6e8);
        let guest = Workload { memory, zero_share: 0.0, dirtying: Dirtying::linear(rate) };
        let conduct = Conduct { setup: 0.0, ..Conduct::default() };
        let way = Way::of(speed, None);
        let forecast = before(&guest, &way, &conduct);
        let pages = speed / PAGE_OVERHEAD;
        let (rest, beyond) = (speed * 0.3 - 0.025 * pages, 0.025 * pages);
        let above = memory - rest - way.queue / PAGE_OVERHEAD;
        let ratio = rate / pages * (1.0 - rest / memory);
        let rounds = ((beyond / above).ln() / ratio.ln()).ceil();
        let closed = above / pages * (1.0 - ratio.powf(rounds)) / (1.0 - ratio);
        assert!((forecast.copy / closed - 1.0).abs() < 1e-6, "{forecast:?} for {closed}, {rounds} rounds");
        assert!((f64::from(forecast.rounds) - rounds).abs() < 0.5);
    }

    #[test]
    fn auto_converge_slows_a_guest_down_until_it_ends() {
        let guest = Workload { memory: 8e9, zero_share: 0.0, dirtying: Dirtying::linear(3e8) };
        let way = Way::of(1e8, None);
        assert!(!before(&guest, &way, &Conduct::default()).converges);
        let braked = before(&guest, &way, &Conduct { auto_converge: true, ..Conduct::default() });
        assert!(braked.converges && braked.copy > 160.0, "{braked:?}");
    }

    #[test]
    fn from_the_middle_on_it_takes_what_is_left() {
        let guest = Workload { memory: 8e9, zero_share: 0.0, dirtying: Dirtying::linear(2e7) };
        let (way, conduct) = (Way::of(1e8, None), Conduct { setup: 0.0, ..Conduct::default() });
        let whole = before(&guest, &way, &conduct);
        let gone = 20.0;
        let remaining = 8e9 - (gone * way.copy + way.queue) / PAGE_OVERHEAD;
        let position = Position { remaining, since: gone, first: true, throttle: 0.0 };
        let rest = from(position, &guest, &way, &conduct, MIDDLE);
        assert!((rest.total() + gone - whole.total()).abs() < 1e-3, "{rest:?} {whole:?}");
    }

    proptest! {
        #[test]
        fn more_bandwidth_never_lengthens(
            guest in guests(), conduct in conducts(), speed in 1e7..1e10f64, more in 1.0..10.0f64,
        ) {
            let slow = before(&guest, &Way::of(speed, None), &conduct);
            let fast = before(&guest, &Way::of(speed * more, None), &conduct);
            prop_assert!(fast.total() <= slow.total() * (1.0 + 1e-9), "{fast:?} {slow:?}");
            prop_assert!(fast.converges || !slow.converges);
        }

        #[test]
        fn more_dirtying_never_shortens(
            guest in guests(), conduct in conducts(), speed in 1e7..1e10f64, more in 1.0..10.0f64,
        ) {
            let way = Way::of(speed, None);
            let dirtying = Dirtying { rate: guest.dirtying.rate * more, ..guest.dirtying };
            let calm = before(&guest, &way, &conduct);
            let busy = before(&Workload { dirtying, ..guest }, &way, &conduct);
            prop_assert!(busy.total() >= calm.total() * (1.0 - 1e-9), "{busy:?} {calm:?}");
        }

        #[test]
        fn the_pause_is_within_the_limit(
            guest in guests(), conduct in conducts(), speed in 1e7..1e10f64, overshoot in 0.0..1.0f64,
        ) {
            let way = Way::of(speed, None);
            let start = Position { remaining: guest.memory, since: 0.0, first: true, throttle: 0.0 };
            let forecast = from(start, &guest, &way, &conduct, overshoot);
            let held = way.queue / way.pause + conduct.devices;
            let allowed = conduct.downtime_limit * PAGE_OVERHEAD / conduct.compression + held;
            prop_assert!(!forecast.converges || forecast.pause <= allowed * (1.0 + 1e-9), "{forecast:?}");
        }

        #[test]
        fn the_limits_meet_at_the_edge(guest in guests(), conduct in conducts(), speed in 1e7..1e10f64) {
            let way = Way::of(speed, None);
            let needs = needs::of(&guest, &way, &conduct);
            // A hundredth beside the edge the model and the solution agree on which side they are.
            let at = |speed: f64, limit: f64| {
                let conduct = Conduct { downtime_limit: limit, ..conduct };
                before(&guest, &Way::of(speed, None), &conduct).converges
            };
            // There a large guest takes longer than the longest copy that counts.
            let soon = |speed: f64| guest.memory < 5e-4 * speed * LONGEST;
            if needs.rate > 1e5 && soon(needs.rate) {
                prop_assert!(at(needs.rate * 1.01, conduct.downtime_limit));
            }
            if !soon(speed) {
                return Ok(());
            }
            // A pause that takes in next to nothing of the working set hardly matters, nor does a hundredth of it.
            if needs.downtime_limit * speed > 0.02 * guest.working_set() || speed > guest.dirtying.rate * 1.01 {
                prop_assert!(at(speed, needs.downtime_limit * 1.01 + 0.001));
            }
            let converges = before(&guest, &way, &conduct).converges;
            if way.copy > needs.rate * 1.01 {
                prop_assert!(converges, "{needs:?}");
            }
            let throttled = guest.dirtying.slowed(needs.throttle * 1.01 + 1e-3);
            let calmer = before(&Workload { dirtying: throttled, ..guest }, &way, &conduct);
            prop_assert!(needs.throttle > 0.98 || calmer.converges);
        }
    }
}
